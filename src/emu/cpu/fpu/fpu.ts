// The x87 instructions, opcodes D8-DF: decoding, stack checks, and what happens around each operation.
// Source: Intel SDM vol. 2; undocumented aliases (FCOM2, FXCH4, FSTP8...) as every processor has them.
import { type Cpu, CS, DS, EAX } from "../cpu.ts";
import { MF, NM, raise, UD } from "../fault.ts";
import { AF, CF, OF, PF as PARITY, SF as SIGN, ZF } from "../flags.ts";
import { CR0_EM, CR0_MP, CR0_NE, CR0_TS } from "../mmu.ts";
import {
  load16,
  loadDouble,
  loadExtended,
  loadInt16,
  loadInt32,
  loadInt64,
  loadSingle,
  store16,
  store32,
  store64,
  storeExtended,
} from "./access.ts";
import {
  add,
  compare,
  div,
  EQUAL,
  extract,
  LESS,
  mul,
  remainder,
  roundToIntegral,
  scale,
  sqrt,
  UNORDERED,
} from "./arith.ts";
import { BCD_INDEFINITE, loadBcd, storeBcd, toBcd } from "./bcd.ts";
import { BIAS, classify, type F80, quiet, SNAN, setIndefinite, setZero } from "./float80.ts";
import { DE, IE, PE, RC_DOWN, RC_UP, RC_ZERO, storeRefused, toDouble, toInteger, toSingle, ZE } from "./round.ts";
import { fldenv, fnsave, fnstenv, frstor } from "./save.ts";
import { C1, C2, ES, type Fpu } from "./state.ts";
import { atan2, exp2MinusOne, logTimes, logTimesPlusOne, sineCosine, tangent } from "./transcendental.ts";

export { fxrstor, fxsave } from "./save.ts";

/** Flags that, unmasked, keep an operation from changing any register. */
const BEFORE = IE | DE | ZE;

/** #NM by CR0.EM and CR0.TS. */
function checkAvailable(cpu: Cpu): void {
  if (cpu.cr0 & (CR0_EM | CR0_TS)) raise(cpu, NM);
}

/** #MF when an unmasked exception is pending. With CR0.NE clear the FERR# pin, which is not wired, would report it. */
function checkPending(cpu: Cpu): void {
  if (cpu.fpu.sw & ES && cpu.cr0 & CR0_NE) raise(cpu, MF);
}

/** FWAIT. */
export function fwait(cpu: Cpu): void {
  if ((cpu.cr0 & (CR0_MP | CR0_TS)) === (CR0_MP | CR0_TS)) raise(cpu, NM);
  checkPending(cpu);
}

/**
 * Execute one x87 instruction.
 * @param opcode D8 to DF
 * @param la linear address of the memory operand (memory forms only)
 * @param opsize operand size in bits, for the environment formats
 */
export function fpuExec(cpu: Cpu, opcode: number, modrm: number, la: number, opsize: 16 | 32 = 32): void {
  checkAvailable(cpu);
  const fpu = cpu.fpu;
  const op = (modrm >>> 3) & 7;
  if (modrm < 0xc0) {
    if (isControl(opcode, op)) {
      controlMemory(cpu, fpu, opcode, op, la, opsize);
      return;
    }
    checkPending(cpu);
    fpu.env.begin();
    memoryForm(cpu, fpu, opcode, op, la);
    fpu.fdp = la;
    fpu.fds = cpu.sel[DS];
  } else {
    if (controlRegister(cpu, fpu, opcode, modrm)) return;
    checkPending(cpu);
    fpu.env.begin();
    registerForm(cpu, fpu, opcode, modrm);
  }
  fpu.fip = cpu.eip;
  fpu.fcs = cpu.sel[CS];
  fpu.fop = ((opcode & 7) << 8) | modrm;
}

/** Memory forms that are control instructions: they leave the last-instruction pointers alone. */
function isControl(opcode: number, op: number): boolean {
  if (opcode === 0xd9) return op >= 4;
  return opcode === 0xdd && (op === 4 || op >= 6);
}

function controlMemory(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number, opsize: 16 | 32): void {
  if (opcode === 0xd9) {
    if (op === 4) {
      checkPending(cpu);
      fldenv(cpu, la, opsize);
    } else if (op === 5) {
      checkPending(cpu);
      fpu.setCw(load16(cpu, la));
    } else if (op === 6) fnstenv(cpu, la, opsize);
    else store16(cpu, la, fpu.cw);
  } else if (op === 4) {
    checkPending(cpu);
    frstor(cpu, la, opsize);
  } else if (op === 6) fnsave(cpu, la, opsize);
  else store16(cpu, la, fpu.status);
}

/** FNINIT, FNCLEX, FNSTSW AX and the 8087's leftovers: no wait, no pointers. */
function controlRegister(cpu: Cpu, fpu: Fpu, opcode: number, modrm: number): boolean {
  if (opcode === 0xdf && modrm === 0xe0) {
    cpu.r[EAX] = (cpu.r[EAX] & 0xffff_0000) | fpu.status;
    return true;
  }
  if (opcode !== 0xdb || modrm < 0xe0 || modrm > 0xe4) return false;
  if (modrm === 0xe2) fpu.sw &= 0x7f00;
  else if (modrm === 0xe3) fpu.init();
  return true;
}

/** Which arithmetic the reg field of D8, DA, DC, DE selects; reversed forms have their operands exchanged by the caller. */
function arithmetic(fpu: Fpu, op: number, a: F80, b: F80): void {
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
function finish(fpu: Fpu, i: number): boolean {
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
function registerArithmetic(fpu: Fpu, op: number, left: number, right: number, dest: number): boolean {
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
function compareWith(fpu: Fpu, b: F80, bEmpty: boolean, ordered: boolean): boolean {
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
function compareToFlags(cpu: Cpu, fpu: Fpu, i: number, ordered: boolean): boolean {
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

/** A conversion for a store has been made: may it be written? Notes the flags when not. */
function mayStore(fpu: Fpu): boolean {
  const env = fpu.env;
  if (!storeRefused(env)) return true;
  fpu.record(env.flags & ~PE, 0);
  return false;
}

/** The store has been written: note its flags and pop. */
function stored(fpu: Fpu, pop: boolean): void {
  fpu.record(fpu.env.flags, fpu.env.up);
  if (pop) fpu.pop();
}

/** Store from an empty register: `write` puts the indefinite when IE is masked. */
function storeEmpty(fpu: Fpu, pop: boolean, write: () => void): void {
  if (fpu.cw & IE) write();
  if (fpu.stackFault(false) && pop) fpu.pop();
}

function storeSingle(cpu: Cpu, fpu: Fpu, la: number, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(fpu, pop, () => store32(cpu, la, 0xffc0_0000));
    return;
  }
  toSingle(fpu.env, fpu.st(0));
  if (!mayStore(fpu)) return;
  store32(cpu, la, fpu.env.hi);
  stored(fpu, pop);
}

function storeDouble(cpu: Cpu, fpu: Fpu, la: number, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(fpu, pop, () => store64(cpu, la, 0xfff8_0000, 0));
    return;
  }
  toDouble(fpu.env, fpu.st(0));
  if (!mayStore(fpu)) return;
  store64(cpu, la, fpu.env.hi, fpu.env.lo);
  stored(fpu, pop);
}

function storeIntegerWords(cpu: Cpu, la: number, bits: 16 | 32 | 64, high: number, low: number): void {
  if (bits === 64) store64(cpu, la, high, low);
  else if (bits === 32) store32(cpu, la, low);
  else store16(cpu, la, low);
}

function storeInteger(cpu: Cpu, fpu: Fpu, la: number, bits: 16 | 32 | 64, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    const low = bits === 64 ? 0 : bits === 32 ? 0x8000_0000 : 0x8000;
    storeEmpty(fpu, pop, () => storeIntegerWords(cpu, la, bits, 0x8000_0000, low));
    return;
  }
  toInteger(fpu.env, fpu.st(0), bits);
  if (!mayStore(fpu)) return;
  storeIntegerWords(cpu, la, bits, fpu.env.hi, fpu.env.lo);
  stored(fpu, pop);
}

function storeExtendedAndPop(cpu: Cpu, fpu: Fpu, la: number): void {
  if (fpu.isEmpty(0)) {
    setIndefinite(fpu.result);
    storeEmpty(fpu, true, () => storeExtended(cpu, la, fpu.result));
    return;
  }
  storeExtended(cpu, la, fpu.st(0));
  stored(fpu, true);
}

function storeDecimal(cpu: Cpu, fpu: Fpu, la: number): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(fpu, true, () => storeBcd(cpu, la, BCD_INDEFINITE));
    return;
  }
  const words = toBcd(fpu.env, fpu.st(0));
  if (!mayStore(fpu)) return;
  storeBcd(cpu, la, words);
  stored(fpu, true);
}

function memoryForm(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number): void {
  switch (opcode) {
    case 0xd8:
    case 0xda:
    case 0xdc:
    case 0xde:
      memoryArithmetic(cpu, fpu, opcode, op, la);
      return;
    case 0xd9:
      if (op === 0) loadReal(fpu, loadSingle(cpu, la, fpu.memory));
      else if (op === 2 || op === 3) storeSingle(cpu, fpu, la, op === 3);
      else raise(cpu, UD);
      return;
    case 0xdb:
      memoryDb(cpu, fpu, op, la);
      return;
    case 0xdd:
      if (op === 0) loadReal(fpu, loadDouble(cpu, la, fpu.memory));
      else if (op === 2 || op === 3) storeDouble(cpu, fpu, la, op === 3);
      else raise(cpu, UD);
      return;
    default:
      memoryDf(cpu, fpu, op, la);
  }
}

/** FLD m32fp, m64fp: quiet a signalling NaN (IE), note a denormal (DE), push. */
function loadReal(fpu: Fpu, denormal: boolean): void {
  const env = fpu.env;
  if (!fpu.isEmpty(7)) {
    fpu.pushChecked();
    return;
  }
  if (denormal) env.flags |= DE;
  if (classify(fpu.memory) === SNAN) {
    env.flags |= IE;
    quiet(fpu.memory);
  }
  fpu.record(env.flags, 0);
  // An unmasked denormal exception does not keep the value from being loaded (measured).
  if (!(env.flags & ~env.masks & IE)) fpu.push(fpu.memory);
}

/** Push a value that needs no check of its own. */
function pushMemory(fpu: Fpu): void {
  fpu.result.copy(fpu.memory);
  fpu.setC1(0);
  fpu.pushChecked();
}

function memoryArithmetic(cpu: Cpu, fpu: Fpu, opcode: number, op: number, la: number): void {
  const b = fpu.memory;
  let denormal = false;
  if (opcode === 0xd8) denormal = loadSingle(cpu, la, b);
  else if (opcode === 0xdc) denormal = loadDouble(cpu, la, b);
  else if (opcode === 0xda) loadInt32(cpu, la, b);
  else loadInt16(cpu, la, b);
  const env = fpu.env;
  if (op === 2 || op === 3) {
    if (denormal && !fpu.isEmpty(0) && classify(fpu.st(0)) < 4) env.flags |= DE;
    if (compareWith(fpu, b, false, true) && op === 3) fpu.pop();
    return;
  }
  if (fpu.isEmpty(0)) {
    if (fpu.stackFault(false)) {
      setIndefinite(fpu.st(0));
      fpu.markUsed(0);
    }
    return;
  }
  arithmetic(fpu, op, fpu.st(0), b);
  // A denormal memory operand counts as one only where no NaN, invalid operation or division by zero came first.
  if (denormal && classify(fpu.st(0)) < 4 && !(env.flags & (IE | ZE))) env.flags |= DE;
  finish(fpu, 0);
}

function memoryDb(cpu: Cpu, fpu: Fpu, op: number, la: number): void {
  switch (op) {
    case 0:
      loadInt32(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 2:
    case 3:
      storeInteger(cpu, fpu, la, 32, op === 3);
      return;
    case 5:
      loadExtended(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 7:
      storeExtendedAndPop(cpu, fpu, la);
      return;
    default:
      raise(cpu, UD);
  }
}

function memoryDf(cpu: Cpu, fpu: Fpu, op: number, la: number): void {
  switch (op) {
    case 0:
      loadInt16(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 2:
    case 3:
      storeInteger(cpu, fpu, la, 16, op === 3);
      return;
    case 4:
      loadBcd(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 5:
      loadInt64(cpu, la, fpu.memory);
      pushMemory(fpu);
      return;
    case 6:
      storeDecimal(cpu, fpu, la);
      return;
    case 7:
      storeInteger(cpu, fpu, la, 64, true);
      return;
    default:
      raise(cpu, UD);
  }
}

function registerForm(cpu: Cpu, fpu: Fpu, opcode: number, modrm: number): void {
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
const CONSTANTS: readonly (readonly [exp: number, hi: number, lo: number, below: boolean])[] = [
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

/** The sixteen functions of D9 F0-FF. */
function functions(fpu: Fpu, n: number): void {
  if (n === 6 || n === 7) {
    // FDECSTP, FINCSTP
    fpu.top = (fpu.top + (n === 6 ? 7 : 1)) & 7;
    fpu.setC1(0);
    return;
  }
  const needsTwo = n === 1 || n === 3 || n === 5 || n === 8 || n === 9 || n === 13;
  if (fpu.isEmpty(0) || (needsTwo && fpu.isEmpty(1))) {
    underflow(fpu, n);
    return;
  }
  const env = fpu.env;
  const x = fpu.st(0);
  const out = fpu.result;
  switch (n) {
    case 0:
      exp2MinusOne(env, out, x);
      finish(fpu, 0);
      return;
    case 1:
      logTimes(env, out, x, fpu.st(1));
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 2:
      tangentForm(fpu);
      return;
    case 3:
      atan2(env, out, fpu.st(1), x);
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 4:
      extract(env, fpu.second, out, x);
      // The exponent replaces ST(0), the significand is pushed.
      pushSecond(fpu, fpu.second, out);
      return;
    case 5:
    case 8:
      remainderForm(fpu, n === 5);
      return;
    case 9:
      logTimesPlusOne(env, out, x, fpu.st(1));
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 10:
      sqrt(env, out, x);
      finish(fpu, 0);
      return;
    case 11:
      if (!fpu.isEmpty(7)) {
        clearC2(fpu);
        overflowPair(fpu);
        return;
      }
      if (sineCosine(env, fpu.second, out, x)) {
        clearC2(fpu);
        pushSecond(fpu, fpu.second, out);
      } else outOfRange(fpu);
      return;
    case 12:
      roundToIntegral(env, out, x);
      finish(fpu, 0);
      return;
    case 13:
      scale(env, out, x, fpu.st(1));
      finish(fpu, 0);
      return;
    default: {
      const inRange = n === 14 ? sineCosine(env, out, null, x) : sineCosine(env, null, out, x);
      if (!inRange) {
        outOfRange(fpu);
        return;
      }
      clearC2(fpu);
      finish(fpu, 0);
    }
  }
}

function clearC2(fpu: Fpu): void {
  fpu.sw &= ~C2;
}

/** FSIN, FCOS, FSINCOS, FPTAN of an operand of 2^63 or more: C2, nothing else. */
function outOfRange(fpu: Fpu): void {
  fpu.setC1(0);
  fpu.sw |= C2;
}

/** Functions that report in C2: FPTAN, FPREM1, FPREM, FSINCOS, FSIN, FCOS. */
const HAS_C2 = (1 << 2) | (1 << 5) | (1 << 8) | (1 << 11) | (1 << 14) | (1 << 15);

/** Stack underflow of a function: the masked answer goes where the result would have gone. */
function underflow(fpu: Fpu, n: number): void {
  if (HAS_C2 & (1 << n)) fpu.sw &= ~C2;
  if (!fpu.stackFault(false)) return;
  setIndefinite(fpu.result);
  const popping = n === 1 || n === 3 || n === 9;
  const dest = popping ? 1 : 0;
  fpu.st(dest).copy(fpu.result);
  fpu.markUsed(dest);
  if (popping) fpu.pop();
  if (n === 2 || n === 4 || n === 11) fpu.push(fpu.result);
}

/** No room for a second result: both are the indefinite. */
function overflowPair(fpu: Fpu): void {
  if (!fpu.stackFault(true)) return;
  setIndefinite(fpu.result);
  fpu.st(0).copy(fpu.result);
  fpu.push(fpu.result);
}

/** Replace ST(0) by `first` and push `pushed`. */
function pushSecond(fpu: Fpu, first: F80, pushed: F80): void {
  const env = fpu.env;
  if (!fpu.isEmpty(7)) {
    overflowPair(fpu);
    return;
  }
  if (env.flags & ~env.masks & BEFORE) {
    fpu.record(env.flags & BEFORE, 0);
    return;
  }
  fpu.st(0).copy(first);
  fpu.push(pushed);
  fpu.record(env.flags, env.up);
}

function tangentForm(fpu: Fpu): void {
  if (!fpu.isEmpty(7)) {
    clearC2(fpu);
    overflowPair(fpu);
    return;
  }
  const env = fpu.env;
  if (!tangent(env, fpu.second, fpu.st(0))) {
    outOfRange(fpu);
    return;
  }
  clearC2(fpu);
  // A NaN answers itself twice; a number is followed by 1.0.
  if (classify(fpu.second) > 3) fpu.result.copy(fpu.second);
  else fpu.result.set(0, BIAS, 0x8000_0000, 0);
  pushSecond(fpu, fpu.second, fpu.result);
}

function remainderForm(fpu: Fpu, nearest: boolean): void {
  const { partial, quotient } = remainder(fpu.env, fpu.result, fpu.st(0), fpu.st(1), nearest);
  fpu.sw &= ~C2;
  if (!finish(fpu, 0)) return;
  if (partial) fpu.sw |= C2;
  if (quotient < 0) return;
  fpu.setConditions((quotient >> 2) & 1, partial ? 1 : 0, (quotient >> 1) & 1);
  fpu.setC1(quotient & 1);
}
