// What happens around an operation on registers: stack checks, unmasked exceptions, results, condition codes.
import type { Cpu } from "../cpu.ts";
import { AF, CF, OF, PF as PARITY, SF as SIGN, ZF } from "../flags.ts";
import { add, compare, div, EQUAL, LESS, mul, UNORDERED } from "./arith.ts";
import { type F80, setIndefinite } from "./float80.ts";
import { DE, IE, ZE } from "./round.ts";
import { C1, type Fpu } from "./state.ts";

/** Flags that, unmasked, keep an operation from changing any register. */
export const BEFORE = IE | DE | ZE;

/** Which arithmetic the reg field of D8, DA, DC, DE selects; reversed forms have their operands exchanged by the caller. */
export function arithmetic(fpu: Fpu, op: number, a: F80, b: F80): void {
  const env = fpu.env;
  const out = fpu.result;
  switch (op) {
    case 0:
      add(env, out, a, b, 0);
      break;
    case 1:
      mul(env, out, a, b);
      break;
    case 4:
      add(env, out, a, b, 1);
      break;
    case 5:
      add(env, out, b, a, 1);
      break;
    case 6:
      div(env, out, a, b);
      break;
    default:
      div(env, out, b, a);
  }
}

/** Finish an operation whose result goes to ST(i). Returns false when an unmasked exception kept it from happening. */
export function finish(fpu: Fpu, i: number): boolean {
  const env = fpu.env;
  if (env.flags & ~env.masks & BEFORE) {
    fpu.record(env.flags & (BEFORE | 0x40), 0);
    return false;
  }
  fpu.st(i).copy(fpu.result);
  fpu.markUsed(i);
  fpu.record(env.flags, env.up);
  return true;
}

/** ST(dest) = ST(0) op ST(i) or the like; stack underflow when either is empty. */
export function registerArithmetic(fpu: Fpu, op: number, left: number, right: number, dest: number): boolean {
  if (fpu.isEmpty(left) || fpu.isEmpty(right)) {
    if (!fpu.stackFault(false)) return false;
    setIndefinite(fpu.st(dest));
    fpu.markUsed(dest);
    return true;
  }
  arithmetic(fpu, op, fpu.st(left), fpu.st(right));
  return finish(fpu, dest);
}

/** FCOM family against `b`. Condition codes are set even when an unmasked exception keeps a pop from following (measured). */
export function compareWith(fpu: Fpu, b: F80, bEmpty: boolean, ordered: boolean): boolean {
  if (fpu.isEmpty(0) || bEmpty) {
    fpu.setConditions(1, 1, 1);
    return fpu.stackFault(false);
  }
  const env = fpu.env;
  const order = compare(env, fpu.st(0), b, ordered);
  fpu.record(env.flags, 0);
  const unordered = order === UNORDERED;
  fpu.setConditions(unordered || order === LESS ? 1 : 0, unordered ? 1 : 0, unordered || order === EQUAL ? 1 : 0);
  return (env.flags & ~env.masks & BEFORE) === 0;
}

/** FCOMI family: ZF PF CF, the other arithmetic flags cleared. */
export function compareToFlags(cpu: Cpu, fpu: Fpu, i: number, ordered: boolean): boolean {
  const flags = cpu.getEflags() & ~(ZF | PARITY | CF | OF | SIGN | AF);
  if (fpu.isEmpty(0) || fpu.isEmpty(i)) {
    cpu.setEflags(flags | ZF | PARITY | CF);
    return fpu.stackFault(false);
  }
  const env = fpu.env;
  const order = compare(env, fpu.st(0), fpu.st(i), ordered);
  fpu.record(env.flags, fpu.sw & C1);
  cpu.setEflags(flags | (order === UNORDERED ? ZF | PARITY | CF : order === EQUAL ? ZF : order === LESS ? CF : 0));
  return (env.flags & ~env.masks & BEFORE) === 0;
}

/** Push a value that needs no check of its own. */
export function pushMemory(fpu: Fpu): void {
  fpu.result.copy(fpu.memory);
  fpu.setC1(0);
  fpu.pushChecked();
}
