// Interrupts, exceptions and the ways back: interrupt, trap and task gates, double faults, IRET, SYSENTER and SYSEXIT.
// Follows the pseudo-code of INT n, IRET, SYSENTER and SYSEXIT in Intel SDM vol. 2 and "Interrupt and exception handling"
// in vol. 3, in their order: ESP, CS and EFLAGS change only after the last push has succeeded, so that a double fault
// sees the interrupted state.
import { type Cpu, CS, ECX, EDX, ESP, SS } from "./cpu.ts";
import { enterDebugHandler } from "./debug.ts";
import { DB, DF, GP, guestFault, NMI, NP, PF, raise, SS_FAULT, TS } from "./fault.ts";
import { IF, IOPL, NT, RF, TF, VIF, VIP, VM } from "./flags.ts";
import { CR0_PE, readSlow16, readSlow32, writeSlow16, writeSlow32 } from "./mmu.ts";
import {
  ATTR_CODE,
  ATTR_D,
  ATTR_DC,
  ATTR_P,
  ATTR_S,
  attrOf,
  checkLimit,
  checkStackSelector,
  dplOf,
  dropInnerSegments,
  limitOf,
  loadStackSegment,
  markAccessed,
  mustFindDescriptor,
  selectorError,
  setFlatSegment,
  setSegment,
  stackRoom,
  TYPE_INT16,
  TYPE_INT32,
  TYPE_TASK_GATE,
  TYPE_TRAP16,
  TYPE_TRAP32,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS16_BUSY,
  typeOf,
} from "./segments.ts";
import { switchThroughGate, taskReturn } from "./tasks.ts";

export type InterruptKind = "hardware" | "software" | "int3" | "exception";

/** Exceptions that interrupt an instruction to run it again: their pushed EFLAGS image has RF set. */
const FAULT_CLASS = bitSet(0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17);
const CONTRIBUTORY = bitSet(0, 10, 11, 12, 13);

function bitSet(...vectors: number[]): number {
  return vectors.reduce((set, v) => set | (1 << v), 0);
}

function has(set: number, vector: number): boolean {
  return vector < 32 && ((set >>> vector) & 1) !== 0;
}

/**
 * Deliver an exception raised by an instruction (eip at its start), a debug trap, or by the delivery of another event.
 * Combines a second fault on the way into #DF, and a third into shutdown. Never throws GuestFault.
 * @param code error code to push, or -1
 */
export function deliverException(cpu: Cpu, vector: number, code: number): void {
  let current = vector;
  let currentCode = code;
  for (;;) {
    if (current === PF) cpu.cr2 = cpu.faultCr2;
    try {
      interrupt(cpu, current, "exception", currentCode);
      return;
    } catch (error) {
      if (error !== guestFault) throw error;
    }
    const second = cpu.faultVector;
    if (current === DF) {
      cpu.shutdown = `triple fault: exception ${second} while delivering a double fault, eip 0x${hex(cpu.eip)}`;
      cpu.ext = 0;
      return;
    }
    const toDouble =
      current === PF
        ? second === PF || has(CONTRIBUTORY, second)
        : has(CONTRIBUTORY, current) && has(CONTRIBUTORY, second);
    if (toDouble) {
      // CR2 holds the address of the last page fault, delivered or not.
      if (second === PF) cpu.cr2 = cpu.faultCr2;
      current = DF;
      currentCode = 0;
    } else {
      current = second;
      currentCode = cpu.faultCode;
    }
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

/** A maskable interrupt or NMI between instructions, with whatever its delivery raises. Never throws GuestFault. */
export function deliverInterrupt(cpu: Cpu, vector: number): void {
  try {
    interrupt(cpu, vector, "hardware", -1);
  } catch (error) {
    if (error !== guestFault) throw error;
    deliverException(cpu, cpu.faultVector, cpu.faultCode);
  }
}

/**
 * One event through the IDT. eip is what is to be saved: the faulting instruction for faults, the next one otherwise.
 * Raises GuestFault, with nothing changed, when the event cannot be delivered.
 * @param code error code to push (exceptions that have one), or -1
 */
export function interrupt(cpu: Cpu, vector: number, kind: InterruptKind, code: number): void {
  cpu.ext = kind === "hardware" || kind === "exception" ? 1 : 0;
  const entry = vector * 8;
  const entryError = entry | 2 | cpu.ext;
  if (entry + 7 > cpu.idtLimit) raise(cpu, GP, entryError);
  const low = readSlow32(cpu, (cpu.idtBase + entry) | 0, false);
  const high = readSlow32(cpu, (cpu.idtBase + entry + 4) | 0, false);
  const attr = attrOf(high);
  const type = typeOf(attr);
  const isInterrupt = type === TYPE_INT32 || type === TYPE_INT16;
  const isTrap = type === TYPE_TRAP32 || type === TYPE_TRAP16;
  if (!isInterrupt && !isTrap && type !== TYPE_TASK_GATE) raise(cpu, GP, entryError);
  if ((kind === "software" || kind === "int3") && dplOf(attr) < cpu.cpl) raise(cpu, GP, entryError);
  if (!(attr & ATTR_P)) raise(cpu, NP, entryError);

  let flags = cpu.getEflags();
  if (kind === "exception" && has(FAULT_CLASS, vector)) flags |= RF;
  if (type === TYPE_TASK_GATE) switchThroughGate(cpu, low >>> 16, flags, code);
  else enterHandler(cpu, low, high, type === TYPE_INT32 || type === TYPE_TRAP32 ? 4 : 2, isInterrupt, flags, code);
  if (vector === NMI && kind === "hardware") cpu.nmiBlocked = true;
  if (vector === DB) enterDebugHandler(cpu);
  cpu.ext = 0;
  cpu.halted = false;
  cpu.inhibit = false;
}

/** Interrupt and trap gates, to the same or an inner level. `size`: bytes per pushed word, 4 or 2. */
function enterHandler(
  cpu: Cpu,
  gateLow: number,
  gateHigh: number,
  size: 4 | 2,
  clearIf: boolean,
  flags: number,
  code: number,
): void {
  const codeSelector = gateLow >>> 16;
  const target = size === 4 ? (gateLow & 0xffff) | (gateHigh & 0xffff_0000) : gateLow & 0xffff;
  if ((codeSelector & 0xfffc) === 0) raise(cpu, GP, cpu.ext);
  const at = mustFindDescriptor(cpu, codeSelector, GP);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const dpl = dplOf(attr);
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || dpl > cpu.cpl) {
    raise(cpu, GP, selectorError(cpu, codeSelector));
  }
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, codeSelector));
  const low = readSlow32(cpu, at, false);
  const marked = markAccessed(cpu, at, high);
  const inner = !(attr & ATTR_DC) && dpl < cpu.cpl;
  if (inner) enterInner(cpu, dpl, target, limitOf(low, high), size, flags, code);
  else enterSame(cpu, target, limitOf(low, high), size, flags, code);
  setSegment(cpu, CS, (codeSelector & ~3) | cpu.cpl, low, marked);
  cpu.eip = target;
  cpu.setEflags(flags & ~(TF | NT | VM | RF | (clearIf ? IF : 0)));
}

/** Push the frame on the current stack. */
function enterSame(cpu: Cpu, target: number, codeLimit: number, size: 4 | 2, flags: number, code: number): void {
  const words = code >= 0 ? 4 : 3;
  const mask = stackMask(cpu.attr[SS]);
  let sp = cpu.r[ESP];
  checkStackRoom(cpu, sp, words * size);
  if (target >>> 0 > codeLimit) raise(cpu, GP, cpu.ext);
  const user = cpu.cpl === 3;
  const base = cpu.base[SS];
  sp = pushAt(cpu, base, mask, sp, size, flags, user);
  sp = pushAt(cpu, base, mask, sp, size, cpu.sel[CS], user);
  sp = pushAt(cpu, base, mask, sp, size, cpu.eip, user);
  if (code >= 0) sp = pushAt(cpu, base, mask, sp, size, code, user);
  cpu.r[ESP] = sp;
}

/** Change to the stack that the TSS names for level `dpl` and push the frame there. */
function enterInner(
  cpu: Cpu,
  dpl: number,
  target: number,
  codeLimit: number,
  size: 4 | 2,
  flags: number,
  code: number,
): void {
  const stack = innerStack(cpu, dpl);
  const mask = stackMask(attrOf(stack.high));
  const words = code >= 0 ? 6 : 5;
  if (!stackRoom(stack.low, stack.high, stack.esp, words * size)) raise(cpu, SS_FAULT, selectorError(cpu, stack.ss));
  if (target >>> 0 > codeLimit) raise(cpu, GP, cpu.ext);
  let sp = stack.esp;
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.sel[SS], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.r[ESP], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, flags, false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.sel[CS], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.eip, false);
  if (code >= 0) sp = pushAt(cpu, stack.base, mask, sp, size, code, false);
  setSegment(cpu, SS, stack.ss, stack.low, markAccessed(cpu, stack.at, stack.high));
  cpu.cpl = dpl;
  cpu.r[ESP] = sp;
}

/** A stack found in the TSS, checked but not loaded. */
export interface InnerStack {
  readonly ss: number;
  readonly esp: number;
  readonly at: number;
  readonly low: number;
  readonly high: number;
  readonly base: number;
}

/** SSn:ESPn of the current TSS, with the checks that call and interrupt gates share (#TS, #SS). */
export function innerStack(cpu: Cpu, dpl: number): InnerStack {
  const type = typeOf(cpu.trAttr);
  const is16 = type === TYPE_TSS16_BUSY || type === TYPE_TSS16_AVAILABLE;
  const offset = is16 ? dpl * 4 + 2 : dpl * 8 + 4;
  if (cpu.trAttr === 0 || offset + (is16 ? 3 : 5) > cpu.trLimit) raise(cpu, TS, selectorError(cpu, cpu.trSel));
  const from = (cpu.trBase + offset) | 0;
  const esp = is16 ? readSlow16(cpu, from, false) : readSlow32(cpu, from, false);
  const ss = readSlow16(cpu, (from + (is16 ? 2 : 4)) | 0, false);
  const at = checkStackSelector(cpu, ss, dpl, TS);
  const low = readSlow32(cpu, at, false);
  const high = readSlow32(cpu, at + 4, false);
  return { ss, esp, at, low, high, base: (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000) };
}

/** The bits of ESP that a stack segment uses. */
export function stackMask(attr: number): number {
  return attr & ATTR_D ? -1 : 0xffff;
}

/** Push one word at base:sp without touching ESP; returns the new stack pointer. */
export function pushAt(
  cpu: Cpu,
  base: number,
  mask: number,
  sp: number,
  size: 4 | 2,
  value: number,
  user: boolean,
): number {
  const offset = (sp - size) & mask;
  if (size === 4) writeSlow32(cpu, (base + offset) | 0, value, user);
  else writeSlow16(cpu, (base + offset) | 0, value, user);
  return (sp & ~mask) | offset;
}

/** Raise #SS unless `bytes` more can be pushed on the current stack. */
export function checkStackRoom(cpu: Cpu, sp: number, bytes: number): void {
  const mask = stackMask(cpu.attr[SS]);
  const first = ((sp - bytes) & mask) >>> 0;
  const last = first + bytes - 1;
  const limit = cpu.limit[SS];
  const fits = cpu.attr[SS] & ATTR_DC ? first > limit && last <= mask >>> 0 : last <= limit;
  if (!fits) raise(cpu, SS_FAULT, cpu.ext);
}

/** Read the `index`-th word from the top of the current stack, limits checked. */
export function stackWord(cpu: Cpu, index: number, size: 4 | 2): number {
  const offset = (cpu.r[ESP] + index * size) & stackMask(cpu.attr[SS]);
  checkLimit(cpu, SS, offset, size);
  const la = (cpu.base[SS] + offset) | 0;
  return size === 4 ? readSlow32(cpu, la, cpu.cpl === 3) : readSlow16(cpu, la, cpu.cpl === 3);
}

/** Move ESP up by `bytes` as the stack segment's size says. */
export function dropStack(cpu: Cpu, bytes: number): void {
  const mask = stackMask(cpu.attr[SS]);
  cpu.r[ESP] = (cpu.r[ESP] & ~mask) | ((cpu.r[ESP] + bytes) & mask);
}

/** A code segment found for a return, checked but not loaded. */
export interface ReturnCode {
  readonly at: number;
  readonly low: number;
  readonly high: number;
}

/** The checks that RET far and IRET make of the popped CS (#GP, #NP). */
export function checkReturnCode(cpu: Cpu, selector: number): ReturnCode {
  if ((selector & 0xfffc) === 0) raise(cpu, GP, 0);
  const at = mustFindDescriptor(cpu, selector, GP);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const rpl = selector & 3;
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || rpl < cpu.cpl) {
    raise(cpu, GP, selectorError(cpu, selector));
  }
  if (attr & ATTR_DC ? dplOf(attr) > rpl : dplOf(attr) !== rpl) raise(cpu, GP, selectorError(cpu, selector));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, selector));
  return { at, low: readSlow32(cpu, at, false), high };
}

/** IRET / IRETD: same level, outer level, or task return when NT is set. `opsize` in bits. */
export function iret(cpu: Cpu, opsize: 16 | 32): void {
  if (cpu.getEflags() & NT) {
    taskReturn(cpu);
    cpu.nmiBlocked = false;
    return;
  }
  const size = opsize === 32 ? 4 : 2;
  const eip = stackWord(cpu, 0, size);
  const selector = stackWord(cpu, 1, size) & 0xffff;
  const flags = stackWord(cpu, 2, size);
  // Virtual-8086 mode is not emulated: a return into it is refused as a bad return.
  if (size === 4 && flags & VM && cpu.cpl === 0) raise(cpu, GP, 0);
  const code = checkReturnCode(cpu, selector);
  const rpl = selector & 3;
  const oldCpl = cpu.cpl;
  if (rpl === oldCpl) {
    if (eip >>> 0 > limitOf(code.low, code.high)) raise(cpu, GP, 0);
    const high = markAccessed(cpu, code.at, code.high);
    setSegment(cpu, CS, selector, code.low, high);
    dropStack(cpu, 3 * size);
  } else {
    const esp = stackWord(cpu, 3, size);
    const ss = stackWord(cpu, 4, size) & 0xffff;
    checkStackSelector(cpu, ss, rpl, GP);
    if (eip >>> 0 > limitOf(code.low, code.high)) raise(cpu, GP, 0);
    returnToOuter(cpu, selector, code, ss, esp, 0);
  }
  cpu.eip = eip;
  setReturnFlags(cpu, flags, size, oldCpl);
  cpu.nmiBlocked = false;
}

/** Load CS and SS:ESP of an outer level (all checks made) and drop data segments that level may not use. */
export function returnToOuter(
  cpu: Cpu,
  selector: number,
  code: ReturnCode,
  ss: number,
  esp: number,
  extraBytes: number,
): void {
  const rpl = selector & 3;
  const high = markAccessed(cpu, code.at, code.high);
  loadStackSegment(cpu, ss, rpl, GP);
  setSegment(cpu, CS, selector, code.low, high);
  cpu.cpl = rpl;
  const mask = stackMask(cpu.attr[SS]);
  cpu.r[ESP] = (cpu.r[ESP] & ~mask) | ((esp + extraBytes) & mask);
  dropInnerSegments(cpu);
}

/** EFLAGS from an IRET image, with the bits that the old privilege level may change. */
function setReturnFlags(cpu: Cpu, image: number, size: 4 | 2, oldCpl: number): void {
  const old = cpu.getEflags();
  let keep = VM | (size === 2 ? 0xffff_0000 : 0);
  if (oldCpl > 0) keep |= IOPL | VIF | VIP;
  if (oldCpl > (old & IOPL) >>> 12) keep |= IF;
  cpu.setEflags((old & keep) | (image & ~keep));
}

/** SYSENTER: to CPL 0 through the MSRs. */
export function sysenter(cpu: Cpu): void {
  if (!(cpu.cr0 & CR0_PE) || (cpu.sysenterCs & 0xfffc) === 0) raise(cpu, GP, 0);
  const selector = cpu.sysenterCs & 0xfffc;
  cpu.setEflags(cpu.getEflags() & ~(VM | IF));
  setFlatSegment(cpu, CS, selector, 0);
  setFlatSegment(cpu, SS, (selector + 8) & 0xffff, 0);
  cpu.cpl = 0;
  cpu.r[ESP] = cpu.sysenterEsp;
  cpu.eip = cpu.sysenterEip;
}

/** SYSEXIT: to CPL 3, EIP from EDX and ESP from ECX. EFLAGS is untouched. */
export function sysexit(cpu: Cpu): void {
  if ((cpu.sysenterCs & 0xfffc) === 0 || cpu.cpl !== 0) raise(cpu, GP, 0);
  const selector = cpu.sysenterCs & 0xfffc;
  setFlatSegment(cpu, CS, ((selector + 16) & 0xffff) | 3, 3);
  setFlatSegment(cpu, SS, ((selector + 24) & 0xffff) | 3, 3);
  cpu.cpl = 3;
  cpu.r[ESP] = cpu.r[ECX];
  cpu.eip = cpu.r[EDX];
}
