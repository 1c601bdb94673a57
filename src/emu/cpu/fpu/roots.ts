// Square roots, remainders, scaling and rounding to whole numbers: what is exact or needs one rounding of a big integer.
import { invalid, normalize, specialOne, specialPair } from "./arith.ts";
import { BIAS, classify, DENORMAL, type F80, INFINITY, setInfinity, setZero, ZERO } from "./float80.ts";
import { DE, type FloatEnv, PE, roundToRegister, toMagnitude, ZE } from "./round.ts";

/** Largest integer whose square is at most n (n below 2^1000). */
export function isqrt(n: bigint): bigint {
  if (n < 2n) return n;
  // Newton's method: from any start the first step lands on or above the root, then it descends.
  let x = BigInt(Math.floor(Math.sqrt(Number(n))));
  x = (x + n / x) >> 1n;
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** Number of bits of a positive integer. */
export function bitLength(n: bigint): number {
  const digits = n.toString(16);
  return 4 * digits.length + 28 - Math.clz32(Number.parseInt(digits[0], 16));
}

/** Square root. */
export function sqrt(env: FloatEnv, out: F80, a: F80): void {
  if (specialOne(env, out, a)) return;
  const kind = classify(a);
  if (kind === ZERO) {
    out.copy(a);
    return;
  }
  if (a.sign === 1) {
    invalid(env, out);
    return;
  }
  if (kind === INFINITY) {
    out.copy(a);
    return;
  }
  if (kind === DENORMAL) env.flags |= DE;
  const exp = normalize(env, a) - BIAS;
  const odd = exp & 1;
  // 66 result bits: significand as an integer with an even exponent, extended by 68 bits.
  const n = ((BigInt(env.hi) << 32n) | BigInt(env.lo)) << BigInt(68 + odd - 1);
  const root = isqrt(n);
  // root has 66 bits: 64 and two rounding bits.
  env.hi = Number(root >> 34n);
  env.lo = Number((root >> 2n) & 0xffff_ffffn);
  env.ext = ((Number(root & 3n) << 30) | (root * root === n ? 0 : 1)) >>> 0;
  roundToRegister(env, out, 0, ((exp - odd) >> 1) + BIAS);
}

/** FRNDINT: round to an integer value by the rounding control. */
export function roundToIntegral(env: FloatEnv, out: F80, a: F80): void {
  if (specialOne(env, out, a)) return;
  out.copy(a);
  const kind = classify(a);
  if (kind === ZERO || kind === INFINITY) return;
  if (kind === DENORMAL) env.flags |= DE;
  if (a.exp >= BIAS + 63) return;
  toMagnitude(env, a);
  if (env.inexact) env.flags |= PE;
  const up = env.up;
  const { hi, lo } = env;
  if ((hi | lo) === 0) setZero(out, a.sign);
  else {
    out.set(a.sign, BIAS + 63, hi, lo);
    out.exp = normalize(env, out);
    out.hi = env.hi;
    out.lo = env.lo;
  }
  env.up = up;
}

function toBig(hi: number, lo: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

/** Round a positive exact value big * 2^power (big > 0) with `sticky` below it to a register. */
export function roundBig(env: FloatEnv, out: F80, sign: number, big: bigint, power: number, sticky: boolean): void {
  const bits = bitLength(big);
  let significand = big;
  let lost = sticky;
  const extra = bits - 96;
  if (extra > 0) {
    significand = big >> BigInt(extra);
    lost = lost || significand << BigInt(extra) !== big;
  } else significand = big << BigInt(-extra);
  env.hi = Number(significand >> 64n);
  env.lo = Number((significand >> 32n) & 0xffff_ffffn);
  env.ext = (Number(significand & 0xffff_ffffn) | (lost ? 1 : 0)) >>> 0;
  roundToRegister(env, out, sign, power + bits - 1 + BIAS, 64);
}

/** What FPREM and FPREM1 report besides the remainder. */
export interface Remainder {
  /** The reduction is not finished: C2. */
  readonly partial: boolean;
  /** Low three bits of the quotient, or -1 when there is none (partial reduction, NaN, invalid operands). */
  readonly quotient: number;
}
const NO_QUOTIENT: Remainder = { partial: false, quotient: -1 };
const QUOTIENT_ZERO: Remainder = { partial: false, quotient: 0 };

/** FPREM (truncating) and FPREM1 (IEEE, nearest). Always exact. */
export function remainder(env: FloatEnv, out: F80, a: F80, b: F80, nearest: boolean): Remainder {
  if (specialPair(env, out, a, b)) return NO_QUOTIENT;
  const ka = classify(a);
  const kb = classify(b);
  if (ka === INFINITY || kb === ZERO) {
    invalid(env, out);
    return NO_QUOTIENT;
  }
  if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
  if (ka === ZERO) {
    out.copy(a);
    return QUOTIENT_ZERO;
  }
  const ea = normalize(env, a);
  const sa = toBig(env.hi, env.lo);
  if (kb === INFINITY) {
    env.ext = 0;
    roundToRegister(env, out, a.sign, ea, 64);
    return QUOTIENT_ZERO;
  }
  const eb = normalize(env, b);
  const sb = toBig(env.hi, env.lo);
  const distance = ea - eb;
  if (distance >= 64) {
    // Partial: reduce the exponent by 32..63, as the manual permits.
    const n = (distance & 31) | 32;
    const scaled = sa << BigInt(n);
    const rest = scaled % sb;
    if (rest === 0n) setZero(out, a.sign);
    else roundBig(env, out, a.sign, rest, eb - 63 - BIAS + (distance - n), false);
    return { partial: true, quotient: 0 };
  }
  if (distance < -1 || (distance === -1 && !nearest)) {
    env.ext = 0;
    normalize(env, a);
    roundToRegister(env, out, a.sign, ea, 64);
    return QUOTIENT_ZERO;
  }
  // Common scale: a = A * 2^s, b = B * 2^s.
  const shift = Math.min(distance, 0);
  const A = sa << BigInt(Math.max(distance, 0));
  const B = sb << BigInt(-shift);
  let q = A / B;
  let rest = A - q * B;
  let sign = a.sign;
  if (nearest && (rest * 2n > B || (rest * 2n === B && q & 1n))) {
    q += 1n;
    rest = B - rest;
    sign ^= 1;
  }
  if (rest === 0n) setZero(out, a.sign);
  else roundBig(env, out, sign, rest, eb + shift - 63 - BIAS, false);
  return { partial: false, quotient: Number(q & 7n) };
}

/** FSCALE: a * 2^trunc(b). */
export function scale(env: FloatEnv, out: F80, a: F80, b: F80): void {
  if (specialPair(env, out, a, b)) return;
  const ka = classify(a);
  const kb = classify(b);
  if (kb === INFINITY) {
    if ((ka === INFINITY && b.sign === 1) || (ka === ZERO && b.sign === 0)) {
      invalid(env, out);
      return;
    }
    if (ka === DENORMAL) env.flags |= DE;
    if (b.sign === 1) setZero(out, a.sign);
    else setInfinity(out, a.sign);
    return;
  }
  if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
  if (ka === INFINITY || ka === ZERO) {
    out.copy(a);
    return;
  }
  let n = 0;
  // Beyond 2^16 every result over- or underflows the same way.
  if (b.exp >= BIAS + 16) n = 0x1_0000;
  else if (b.exp >= BIAS) n = b.hi >>> (BIAS + 31 - b.exp);
  if (b.sign) n = -n;
  const exp = normalize(env, a);
  env.ext = 0;
  roundToRegister(env, out, a.sign, exp + n, 64);
}

/** FXTRACT: `exponent` gets the unbiased exponent as a value, `significand` the value scaled to 1 <= |x| < 2. */
export function extract(env: FloatEnv, exponent: F80, significand: F80, a: F80): void {
  if (specialOne(env, significand, a)) {
    exponent.copy(significand);
    return;
  }
  const kind = classify(a);
  if (kind === ZERO) {
    env.flags |= ZE;
    setInfinity(exponent, 1);
    significand.copy(a);
    return;
  }
  if (kind === INFINITY) {
    setInfinity(exponent, 0);
    significand.copy(a);
    return;
  }
  if (kind === DENORMAL) env.flags |= DE;
  const exp = normalize(env, a) - BIAS;
  significand.set(a.sign, BIAS, env.hi, env.lo);
  const magnitude = Math.abs(exp);
  if (magnitude === 0) setZero(exponent, 0);
  else {
    const shift = Math.clz32(magnitude);
    exponent.set(exp < 0 ? 1 : 0, BIAS + 31 - shift, (magnitude << shift) >>> 0, 0);
  }
}
