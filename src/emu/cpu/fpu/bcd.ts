// Packed decimal: FBLD and FBSTP.
import type { Cpu } from "../cpu.ts";
import { checkStore, load16, load32, store16, store32 } from "./access.ts";
import { classify, EXP_MAX, type F80, fromMagnitude, UNSUPPORTED } from "./float80.ts";
import { type FloatEnv, IE, PE, toMagnitude } from "./round.ts";

const DIGITS = 18;
const LARGEST = 10n ** 18n - 1n;

/** FBLD operand: 18 digits and a sign. Digits above 9 are undefined by the manual; each counts with its place value. */
export function loadBcd(cpu: Cpu, la: number, x: F80): void {
  const words = [load32(cpu, la) >>> 0, load32(cpu, (la + 4) | 0) >>> 0, load16(cpu, (la + 8) | 0)];
  let value = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    value = value * 10n + BigInt((words[digit >> 3] >>> (4 * (digit & 7))) & 15);
  }
  fromMagnitude(x, words[2] >>> 15, Number(value >> 32n), Number(value & 0xffff_ffffn));
}

/** FBSTP: the ten bytes as words low, high, top; PE and IE are raised in `env`. */
export function toBcd(env: FloatEnv, x: F80): readonly [number, number, number] {
  const fits = classify(x) !== UNSUPPORTED && x.exp !== EXP_MAX && toMagnitude(env, x);
  let value = fits ? (BigInt(env.hi) << 32n) | BigInt(env.lo) : LARGEST + 1n;
  if (value > LARGEST) {
    env.flags |= IE;
    env.up = 0;
    return BCD_INDEFINITE;
  }
  if (env.inexact) env.flags |= PE;
  const words: [number, number, number] = [0, 0, x.sign << 15];
  for (let digit = 0; digit < DIGITS; digit++) {
    words[digit >> 3] |= Number(value % 10n) << (4 * (digit & 7));
    value /= 10n;
  }
  return words;
}

/** The packed decimal indefinite. */
export const BCD_INDEFINITE: readonly [number, number, number] = [0, 0xc000_0000, 0xffff];

export function storeBcd(cpu: Cpu, la: number, words: readonly [number, number, number]): void {
  checkStore(cpu, la, 10);
  store32(cpu, la, words[0]);
  store32(cpu, (la + 4) | 0, words[1]);
  store16(cpu, (la + 8) | 0, words[2]);
}
