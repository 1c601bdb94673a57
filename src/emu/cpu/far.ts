// Far transfers: JMP, CALL and RET between segments, through call gates (with parameters) and to tasks. Follows the
// pseudo-code of CALL, JMP and RET in Intel SDM vol. 2. On entry eip points behind the instruction.
import { type Cpu, CS, ESP, SS } from "./cpu.ts";
import { GP, NP, raise, SS_FAULT } from "./fault.ts";
import { innerStack } from "./gates.ts";
import { readSlow32 } from "./mmu.ts";
import { checkReturnCode, returnToOuter } from "./returns.ts";
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
  TYPE_CALL16,
  TYPE_CALL32,
  TYPE_TASK_GATE,
  TYPE_TSS16_AVAILABLE,
  TYPE_TSS16_BUSY,
  TYPE_TSS32_AVAILABLE,
  TYPE_TSS32_BUSY,
  typeOf,
} from "./segments.ts";
import { checkStackRoom, dropStack, pushAt, stackMask, stackWord } from "./stack.ts";
import { TALLY } from "./state.ts";
import { taskSwitch } from "./tasks.ts";

type Transfer = "call" | "jmp";

/** JMP ptr16:16/32 and m16:16/32. `opsize` in bits. */
export function jmpFar(cpu: Cpu, selector: number, offset: number, opsize: 16 | 32): void {
  transfer(cpu, "jmp", selector & 0xffff, offset, opsize);
}

/** CALL ptr16:16/32 and m16:16/32. `opsize` in bits. */
export function callFar(cpu: Cpu, selector: number, offset: number, opsize: 16 | 32): void {
  transfer(cpu, "call", selector & 0xffff, offset, opsize);
}

function transfer(cpu: Cpu, how: Transfer, selector: number, offset: number, opsize: 16 | 32): void {
  if ((selector & 0xfffc) === 0) raise(cpu, GP, 0);
  const at = mustFindDescriptor(cpu, selector, GP);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  if (attr & ATTR_S) {
    toSegment(cpu, how, selector, at, high, opsize === 16 ? offset & 0xffff : offset, opsize);
    return;
  }
  const type = typeOf(attr);
  const known = type === TYPE_CALL16 || type === TYPE_CALL32 || type === TYPE_TASK_GATE || isTss(type);
  if (!known || dplOf(attr) < cpu.cpl || dplOf(attr) < (selector & 3)) raise(cpu, GP, selectorError(cpu, selector));
  if (isTss(type)) {
    taskSwitch(cpu, selector, how);
    return;
  }
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, selector));
  const low = readSlow32(cpu, at, false);
  if (type === TYPE_TASK_GATE) taskSwitch(cpu, low >>> 16, how);
  else throughCallGate(cpu, how, low, high, type === TYPE_CALL32 ? 4 : 2);
}

function isTss(type: number): boolean {
  return (
    type === TYPE_TSS32_AVAILABLE ||
    type === TYPE_TSS32_BUSY ||
    type === TYPE_TSS16_AVAILABLE ||
    type === TYPE_TSS16_BUSY
  );
}

/** Direct transfer to a code segment of the same privilege (or a conforming one of an inner level). */
function toSegment(
  cpu: Cpu,
  how: Transfer,
  selector: number,
  at: number,
  high: number,
  target: number,
  opsize: 16 | 32,
): void {
  const attr = attrOf(high);
  const dpl = dplOf(attr);
  const allowed = attr & ATTR_DC ? dpl <= cpu.cpl : (selector & 3) <= cpu.cpl && dpl === cpu.cpl;
  if (!(attr & ATTR_CODE) || !allowed) raise(cpu, GP, selectorError(cpu, selector));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, selector));
  const low = readSlow32(cpu, at, false);
  const marked = markAccessed(cpu, at, high);
  if (how === "call") pushReturn(cpu, target, limitOf(low, high), opsize === 32 ? 4 : 2);
  else if (target >>> 0 > limitOf(low, high)) raise(cpu, GP, 0);
  setSegment(cpu, CS, (selector & ~3) | cpu.cpl, low, marked);
  cpu.tally[TALLY.descriptors]++;
  cpu.eip = target;
}

/** Push CS:EIP on the current stack, after all checks. */
function pushReturn(cpu: Cpu, target: number, codeLimit: number, size: 4 | 2): void {
  checkStackRoom(cpu, cpu.r[ESP], 2 * size);
  if (target >>> 0 > codeLimit) raise(cpu, GP, 0);
  const mask = stackMask(cpu.attr[SS]);
  const user = cpu.cpl === 3;
  const sp = pushAt(cpu, cpu.base[SS], mask, cpu.r[ESP], size, cpu.sel[CS], user);
  cpu.r[ESP] = pushAt(cpu, cpu.base[SS], mask, sp, size, cpu.eip, user);
  cpu.tally[TALLY.pushes] += 2;
}

/** A call gate: the target comes from the gate; CALL may go to an inner level with a new stack and copied parameters. */
function throughCallGate(cpu: Cpu, how: Transfer, gateLow: number, gateHigh: number, size: 4 | 2): void {
  const selector = gateLow >>> 16;
  const target = size === 4 ? (gateLow & 0xffff) | (gateHigh & 0xffff_0000) : gateLow & 0xffff;
  if ((selector & 0xfffc) === 0) raise(cpu, GP, 0);
  const at = mustFindDescriptor(cpu, selector, GP);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const dpl = dplOf(attr);
  if ((attr & (ATTR_S | ATTR_CODE)) !== (ATTR_S | ATTR_CODE) || dpl > cpu.cpl) {
    raise(cpu, GP, selectorError(cpu, selector));
  }
  const inner = !(attr & ATTR_DC) && dpl < cpu.cpl;
  if (how === "jmp" && inner) raise(cpu, GP, selectorError(cpu, selector));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, selector));
  const low = readSlow32(cpu, at, false);
  const codeLimit = limitOf(low, high);
  const marked = markAccessed(cpu, at, high);
  if (inner) callInner(cpu, dpl, target, codeLimit, gateHigh & 0x1f, size);
  else if (how === "call") pushReturn(cpu, target, codeLimit, size);
  else if (target >>> 0 > codeLimit) raise(cpu, GP, 0);
  setSegment(cpu, CS, (selector & ~3) | cpu.cpl, low, marked);
  cpu.tally[TALLY.descriptors]++;
  cpu.eip = target;
}

/** Push SS:ESP, the parameters and CS:EIP on the inner level's stack and change to it. */
function callInner(cpu: Cpu, dpl: number, target: number, codeLimit: number, parameters: number, size: 4 | 2): void {
  const stack = innerStack(cpu, dpl);
  const mask = stackMask(attrOf(stack.high));
  if (!stackRoom(stack.low, stack.high, stack.esp, (4 + parameters) * size)) {
    raise(cpu, SS_FAULT, selectorError(cpu, stack.ss));
  }
  if (target >>> 0 > codeLimit) raise(cpu, GP, 0);
  const words: number[] = [];
  for (let i = 0; i < parameters; i++) words.push(stackWord(cpu, i, size));
  let sp = pushAt(cpu, stack.base, mask, stack.esp, size, cpu.sel[SS], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.r[ESP], false);
  for (let i = parameters - 1; i >= 0; i--) sp = pushAt(cpu, stack.base, mask, sp, size, words[i], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.sel[CS], false);
  sp = pushAt(cpu, stack.base, mask, sp, size, cpu.eip, false);
  setSegment(cpu, SS, stack.ss, stack.low, markAccessed(cpu, stack.at, stack.high));
  cpu.tally[TALLY.descriptors]++;
  cpu.tally[TALLY.levels]++;
  cpu.tally[TALLY.pushes] += 4 + parameters;
  cpu.cpl = dpl;
  cpu.r[ESP] = sp;
}

/** RET far, to the same or an outer level. `opsize` in bits; `bytes` of parameters are released on both stacks. */
export function retFar(cpu: Cpu, opsize: 16 | 32, bytes: number): void {
  const size = opsize === 32 ? 4 : 2;
  const eip = stackWord(cpu, 0, size);
  const selector = stackWord(cpu, 1, size) & 0xffff;
  const code = checkReturnCode(cpu, selector);
  if (eip >>> 0 > limitOf(code.low, code.high)) raise(cpu, GP, 0);
  const rpl = selector & 3;
  if (rpl === cpu.cpl) {
    setSegment(cpu, CS, selector, code.low, markAccessed(cpu, code.at, code.high));
    cpu.tally[TALLY.descriptors]++;
    dropStack(cpu, 2 * size + bytes);
  } else {
    const skipped = bytes / size;
    const esp = stackWord(cpu, 2 + skipped, size);
    const ss = stackWord(cpu, 3 + skipped, size) & 0xffff;
    checkStackSelector(cpu, ss, rpl, GP);
    returnToOuter(cpu, selector, code, ss, esp, bytes);
  }
  cpu.eip = eip;
}
