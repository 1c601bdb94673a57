// FST, FSTP, FIST, FISTP, FBSTP: ST(0) rounded to a format of memory, written, popped.
import type { Cpu } from "../cpu.ts";
import { raise, UD } from "../fault.ts";
import { NEEDS_SSE3 } from "../state.ts";
import { checkStore, store16, store32, store64, storeExtended } from "./access.ts";
import { BCD_INDEFINITE, storeBcd, toBcd } from "./bcd.ts";
import { setIndefinite } from "./float80.ts";
import { IE, PE, RC_ZERO, storeRefused, toDouble, toInteger, toSingle } from "./round.ts";
import type { Fpu } from "./state.ts";

/** A conversion for a store has been made: may it be written? Notes the flags when not; the memory's faults come first. */
function mayStore(cpu: Cpu, fpu: Fpu, la: number, bytes: number): boolean {
  const env = fpu.env;
  if (!storeRefused(env)) return true;
  checkStore(cpu, la, bytes);
  fpu.record(env.flags & ~PE, 0);
  return false;
}

/** The store has been written: note its flags and pop. */
function stored(fpu: Fpu, pop: boolean): void {
  fpu.record(fpu.env.flags, fpu.env.up);
  if (pop) fpu.pop();
}

/** Store from an empty register: `write` puts the indefinite when IE is masked. */
function storeEmpty(cpu: Cpu, la: number, bytes: number, pop: boolean, write: () => void): void {
  const fpu = cpu.fpu;
  if (fpu.cw & IE) write();
  else checkStore(cpu, la, bytes);
  if (fpu.stackFault(false) && pop) fpu.pop();
}

export function storeSingle(cpu: Cpu, fpu: Fpu, la: number, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(cpu, la, 4, pop, () => store32(cpu, la, 0xffc0_0000));
    return;
  }
  toSingle(fpu.env, fpu.st(0));
  if (!mayStore(cpu, fpu, la, 4)) return;
  store32(cpu, la, fpu.env.hi);
  stored(fpu, pop);
}

export function storeDouble(cpu: Cpu, fpu: Fpu, la: number, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(cpu, la, 8, pop, () => store64(cpu, la, 0xfff8_0000, 0));
    return;
  }
  toDouble(fpu.env, fpu.st(0));
  if (!mayStore(cpu, fpu, la, 8)) return;
  store64(cpu, la, fpu.env.hi, fpu.env.lo);
  stored(fpu, pop);
}

function storeIntegerWords(cpu: Cpu, la: number, bits: 16 | 32 | 64, high: number, low: number): void {
  if (bits === 64) store64(cpu, la, high, low);
  else if (bits === 32) store32(cpu, la, low);
  else store16(cpu, la, low);
}

export function storeInteger(cpu: Cpu, fpu: Fpu, la: number, bits: 16 | 32 | 64, pop: boolean): void {
  if (fpu.isEmpty(0)) {
    const low = bits === 64 ? 0 : bits === 32 ? 0x8000_0000 : 0x8000;
    storeEmpty(cpu, la, bits >> 3, pop, () => storeIntegerWords(cpu, la, bits, 0x8000_0000, low));
    return;
  }
  toInteger(fpu.env, fpu.st(0), bits);
  if (!mayStore(cpu, fpu, la, bits >> 3)) return;
  storeIntegerWords(cpu, la, bits, fpu.env.hi, fpu.env.lo);
  stored(fpu, pop);
}

/** FISTTP (SSE3): rounded to zero whatever the control word says, popped; C1 is 0. */
export function storeTruncatedAndPop(cpu: Cpu, fpu: Fpu, la: number, bits: 16 | 32 | 64): void {
  if (!(cpu.features & NEEDS_SSE3)) raise(cpu, UD);
  const { rc } = fpu.env;
  fpu.env.rc = RC_ZERO;
  try {
    storeInteger(cpu, fpu, la, bits, true);
  } finally {
    fpu.env.rc = rc;
  }
}

export function storeExtendedAndPop(cpu: Cpu, fpu: Fpu, la: number): void {
  if (fpu.isEmpty(0)) {
    setIndefinite(fpu.result);
    storeEmpty(cpu, la, 10, true, () => storeExtended(cpu, la, fpu.result));
    return;
  }
  storeExtended(cpu, la, fpu.st(0));
  stored(fpu, true);
}

export function storeDecimal(cpu: Cpu, fpu: Fpu, la: number): void {
  if (fpu.isEmpty(0)) {
    storeEmpty(cpu, la, 10, true, () => storeBcd(cpu, la, BCD_INDEFINITE));
    return;
  }
  const words = toBcd(fpu.env, fpu.st(0));
  if (!mayStore(cpu, fpu, la, 10)) return;
  storeBcd(cpu, la, words);
  stored(fpu, true);
}
