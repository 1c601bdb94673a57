// The ways back from a handler or out of the kernel: IRET, SYSEXIT, and SYSENTER beside it. Follows the pseudo-code in
// Intel SDM vol. 2.
import { type Cpu, CS, ECX, EDX, ESP, SS } from "./cpu.ts";
import { GP, NP, raise } from "./fault.ts";
import { IF, IOPL, NT, VIF, VIP, VM } from "./flags.ts";
import { CR0_PE, readSlow32 } from "./mmu.ts";
import {
  ATTR_CODE,
  ATTR_DC,
  ATTR_P,
  ATTR_S,
  attrOf,
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
} from "./segments.ts";
import { dropStack, stackMask, stackWord } from "./stack.ts";
import { TALLY } from "./state.ts";
import { noteReturn } from "./tally.ts";
import { taskReturn } from "./tasks.ts";

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
  const oldCpl = cpu.cpl;
  const known = opsize === 32 ? cpu.known.leave(cpu) : null;
  if (known !== null) {
    dropInnerSegments(cpu);
    setReturnFlags(cpu, known, 4, oldCpl);
    cpu.nmiBlocked = false;
    noteReturn(cpu);
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
  if (rpl === oldCpl) {
    if (eip >>> 0 > limitOf(code.low, code.high)) raise(cpu, GP, 0);
    const high = markAccessed(cpu, code.at, code.high);
    setSegment(cpu, CS, selector, code.low, high);
    cpu.tally[TALLY.descriptors]++;
    dropStack(cpu, 3 * size);
  } else {
    const esp = stackWord(cpu, 3, size);
    const ss = stackWord(cpu, 4, size) & 0xffff;
    checkStackSelector(cpu, ss, rpl, GP);
    if (eip >>> 0 > limitOf(code.low, code.high)) raise(cpu, GP, 0);
    returnToOuter(cpu, selector, code, ss, esp, 0);
    if (size === 4) cpu.known.learnReturn(cpu, oldCpl);
  }
  cpu.eip = eip;
  setReturnFlags(cpu, flags, size, oldCpl);
  cpu.nmiBlocked = false;
  noteReturn(cpu);
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
  cpu.tally[TALLY.descriptors]++;
  cpu.tally[TALLY.levels]++;
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
  if (cpu.cpl !== 0) cpu.tally[TALLY.levels]++;
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
  cpu.tally[TALLY.levels]++;
  cpu.r[ESP] = cpu.r[ECX];
  cpu.eip = cpu.r[EDX];
  noteReturn(cpu);
}
