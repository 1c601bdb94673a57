// Interrupts and exceptions: interrupt, trap and task gates, double faults.
// Follows the pseudo-code of INT n in Intel SDM vol. 2 and "Interrupt and exception handling"
// in vol. 3, in their order: ESP, CS and EFLAGS change only after the last push has succeeded, so that a double fault
// sees the interrupted state.
import { type Cpu, CS, ESP, SS } from "./cpu.ts";
import { enterDebugHandler } from "./debug.ts";
import { DB, DF, GP, guestFault, NMI, NP, PF, raise, SS_FAULT, TS } from "./fault.ts";
import { IF, NT, RF, TF, VM } from "./flags.ts";
import { readSlow16, readSlow32 } from "./mmu.ts";
import {
  ATTR_CODE,
  ATTR_DC,
  ATTR_P,
  ATTR_S,
  attrOf,
  checkStackSelector,
  dplOf,
  limitOf,
  markAccessed,
  mustFindDescriptor,
  selectorError,
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
import { checkStackRoom, pushAt, stackMask } from "./stack.ts";
import { TALLY } from "./state.ts";
import { noteEntry } from "./tally.ts";
import { switchThroughGate } from "./tasks.ts";

export type InterruptKind = "hardware" | "software" | "int3" | "exception";

/** Exceptions that interrupt an instruction to run it again: their pushed EFLAGS image has RF set. */
const FAULT_CLASS = bitSet(0, 5, 6, 7, 10, 11, 12, 13, 14, 16, 17);
const CONTRIBUTORY = bitSet(0, 10, 11, 12, 13);

/** In the types of gates and TSSs. */
const TYPE_32 = 8;

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
  noteEntry(cpu);
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
  noteEntry(cpu);
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
  const software = kind === "software" || kind === "int3";
  if (software) noteEntry(cpu);
  let flags = cpu.getEflags();
  if (kind === "exception" && has(FAULT_CLASS, vector)) flags |= RF;
  if (cpu.known.enter(cpu, vector, software, flags, code)) {
    delivered(cpu, vector, kind);
    return;
  }
  cpu.ext = software ? 0 : 1;
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
  if (software && dplOf(attr) < cpu.cpl) raise(cpu, GP, entryError);
  if (!(attr & ATTR_P)) raise(cpu, NP, entryError);

  const from = cpu.cpl;
  if (type === TYPE_TASK_GATE) switchThroughGate(cpu, low >>> 16, flags, code);
  else enterHandler(cpu, low, high, type === TYPE_INT32 || type === TYPE_TRAP32 ? 4 : 2, isInterrupt, flags, code);
  if (type & typeOf(cpu.trAttr) & TYPE_32 && cpu.cpl < from) {
    const gate = { low, high, dpl: dplOf(attr), target: cpu.eip, cleared: handlerClears(isInterrupt) };
    cpu.known.learnEntry(cpu, vector, from, gate, (cpu.trBase + 8 * cpu.cpl + 4) | 0);
  }
  delivered(cpu, vector, kind);
}

/** What every delivery ends with. */
function delivered(cpu: Cpu, vector: number, kind: InterruptKind): void {
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
  cpu.tally[TALLY.descriptors] += inner ? 2 : 1;
  if (inner) cpu.tally[TALLY.levels]++;
  cpu.tally[TALLY.pushes] += (inner ? 5 : 3) + (code >= 0 ? 1 : 0);
  cpu.eip = target;
  cpu.setEflags(flags & ~handlerClears(clearIf));
}

/** Bits of EFLAGS that a handler begins without. */
function handlerClears(clearIf: boolean): number {
  return TF | NT | VM | RF | (clearIf ? IF : 0);
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
