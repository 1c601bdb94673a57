// The x87 instructions on registers: arithmetic, comparisons, moves, exchanges, constants.
import type { Cpu } from "../cpu.ts";
import { raise, UD } from "../fault.ts";
import { CF, PF as PARITY, ZF } from "../flags.ts";
import { BIAS, setIndefinite, setZero } from "./float80.ts";
import { functions } from "./functions.ts";
import { compareToFlags, compareWith, pushMemory, registerArithmetic } from "./operate.ts";
import { RC_DOWN, RC_UP, RC_ZERO } from "./round.ts";
import type { Fpu } from "./state.ts";

export function registerForm(cpu: Cpu, fpu: Fpu, opcode: number, modrm: number): void {
  const op = (modrm >>> 3) & 7;
  const i = modrm & 7;
  switch (opcode) {
    case 0xd8:
      if (op === 2 || op === 3) compareAndPop(fpu, i, true, op === 3 ? 1 : 0);
      else registerArithmetic(fpu, op, 0, i, 0);
      return;
    case 0xd9:
      registerD9(cpu, fpu, op, i);
      return;
    case 0xda:
      if (op < 4) conditionalMove(fpu, i, conditionHolds(cpu, op));
      else if (modrm === 0xe9) compareAndPop(fpu, 1, false, 2);
      else raise(cpu, UD);
      return;
    case 0xdb:
      if (op < 4) conditionalMove(fpu, i, !conditionHolds(cpu, op));
      else if (op === 5 || op === 6) compareToFlags(cpu, fpu, i, op === 6);
      else raise(cpu, UD);
      return;
    case 0xdc:
      if (op === 2 || op === 3) compareAndPop(fpu, i, true, op === 3 ? 1 : 0);
      // The encodings of the reversed forms are exchanged here: DC E0 is FSUBR, which is ST(0) - ST(i).
      else registerArithmetic(fpu, op, 0, i, i);
      return;
    case 0xdd:
      registerDd(cpu, fpu, op, i);
      return;
    case 0xde:
      if (op === 2) compareAndPop(fpu, i, true, 1);
      else if (modrm === 0xd9) compareAndPop(fpu, 1, true, 2);
      else if (op === 3) raise(cpu, UD);
      else if (registerArithmetic(fpu, op, 0, i, i)) fpu.pop();
      return;
    default:
      registerDf(cpu, fpu, op, i);
  }
}

function compareAndPop(fpu: Fpu, i: number, ordered: boolean, pops: number): void {
  if (!compareWith(fpu, fpu.st(i), fpu.isEmpty(i), ordered)) return;
  for (let n = 0; n < pops; n++) fpu.pop();
}

/** B, E, BE, U of FCMOVcc. */
function conditionHolds(cpu: Cpu, op: number): boolean {
  const mask = [CF, ZF, CF | ZF, PARITY][op];
  return (cpu.getEflags() & mask) !== 0;
}

function conditionalMove(fpu: Fpu, i: number, move: boolean): void {
  if (fpu.isEmpty(0) || fpu.isEmpty(i)) {
    if (fpu.stackFault(false)) {
      setIndefinite(fpu.st(0));
      fpu.markUsed(0);
    }
    return;
  }
  if (move) fpu.st(0).copy(fpu.st(i));
}

function exchange(fpu: Fpu, i: number): void {
  if (fpu.isEmpty(0) || fpu.isEmpty(i)) {
    if (!fpu.stackFault(false)) return;
    for (const n of [0, i]) {
      if (fpu.isEmpty(n)) setIndefinite(fpu.st(n));
      fpu.markUsed(n);
    }
  } else fpu.setC1(0);
  fpu.result.copy(fpu.st(0));
  fpu.st(0).copy(fpu.st(i));
  fpu.st(i).copy(fpu.result);
}

/** FST ST(i), FSTP ST(i). */
function storeRegister(fpu: Fpu, i: number, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    if (!fpu.stackFault(false)) return;
    setIndefinite(fpu.st(i));
  } else {
    fpu.setC1(0);
    fpu.st(i).copy(fpu.st(0));
  }
  fpu.markUsed(i);
  if (pop) fpu.pop();
}

function registerDd(cpu: Cpu, fpu: Fpu, op: number, i: number): void {
  if (op === 0) {
    fpu.free(i);
    fpu.setC1(0);
  } else if (op === 1) exchange(fpu, i);
  else if (op === 2 || op === 3) storeRegister(fpu, i, op === 3);
  else if (op === 4 || op === 5) compareAndPop(fpu, i, false, op - 4);
  else raise(cpu, UD);
}

function registerDf(cpu: Cpu, fpu: Fpu, op: number, i: number): void {
  if (op === 0) {
    fpu.free(i);
    fpu.setC1(0);
    fpu.pop();
  } else if (op === 1) exchange(fpu, i);
  else if (op === 2 || op === 3) storeRegister(fpu, i, true);
  else if (op === 5 || op === 6) {
    if (compareToFlags(cpu, fpu, i, op === 6)) fpu.pop();
  } else raise(cpu, UD);
}

function registerD9(cpu: Cpu, fpu: Fpu, op: number, i: number): void {
  switch (op) {
    case 0:
      if (fpu.isEmpty(i)) {
        // The indefinite is pushed; a full stack cannot be: then ST(7) is not empty and ST(i) neither.
        if (!fpu.stackFault(false)) return;
        setIndefinite(fpu.result);
        fpu.push(fpu.result);
        return;
      }
      fpu.memory.copy(fpu.st(i));
      pushMemory(fpu);
      return;
    case 1:
      exchange(fpu, i);
      return;
    case 2:
      if (i !== 0) raise(cpu, UD);
      return;
    case 3:
      // FSTP1, an alias, moves an empty register without a stack fault (measured).
      if (fpu.isEmpty(0)) {
        fpu.setC1(0);
        fpu.free(i);
        fpu.pop();
      } else storeRegister(fpu, i, true);
      return;
    case 4:
      signAndTest(cpu, fpu, i);
      return;
    case 5:
      if (i === 7) raise(cpu, UD);
      loadConstant(fpu, i);
      return;
    default:
      functions(fpu, (op - 6) * 8 + i);
  }
}

/** FCHS, FABS, FTST, FXAM. */
function signAndTest(cpu: Cpu, fpu: Fpu, i: number): void {
  if (i === 5) {
    fpu.examine();
    return;
  }
  if (i === 4) {
    setZero(fpu.memory, 0);
    compareWith(fpu, fpu.memory, false, true);
    return;
  }
  if (i > 1) raise(cpu, UD);
  if (fpu.isEmpty(0)) {
    if (fpu.stackFault(false)) {
      setIndefinite(fpu.st(0));
      fpu.markUsed(0);
    }
    return;
  }
  fpu.setC1(0);
  fpu.st(0).sign = i === 0 ? fpu.st(0).sign ^ 1 : 0;
}

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: nearest value, and the difference that rounding control makes. */
export const CONSTANTS: readonly (readonly [exp: number, hi: number, lo: number, below: boolean])[] = [
  [BIAS, 0x8000_0000, 0, true],
  [BIAS + 1, 0xd49a_784b, 0xcd1b_8afe, true],
  [BIAS, 0xb8aa_3b29, 0x5c17_f0bc, false],
  [BIAS + 1, 0xc90f_daa2, 0x2168_c235, false],
  [BIAS - 2, 0x9a20_9a84, 0xfbcf_f799, false],
  [BIAS - 1, 0xb172_17f7, 0xd1cf_79ac, false],
  [0, 0, 0, true],
];

function loadConstant(fpu: Fpu, i: number): void {
  const [exp, hi, lo, below] = CONSTANTS[i];
  const rc = fpu.env.rc;
  let delta = 0;
  if (i !== 0 && i !== 6) {
    // `below`: the nearest value lies below the true one, so only rounding up differs.
    if (below) delta = rc === RC_UP ? 1 : 0;
    else delta = rc === RC_DOWN || rc === RC_ZERO ? -1 : 0;
  }
  fpu.memory.set(0, exp, hi, lo + delta);
  pushMemory(fpu);
}
