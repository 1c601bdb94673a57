// Exact arithmetic on extended values: the operands' special cases, an exact intermediate, one rounding.
// Results and flags follow Intel SDM vol. 1, tables of the x87 chapter (NaN rules, zero and infinity operands).
import {
  BIAS,
  classify,
  DENORMAL,
  EXP_MAX,
  type F80,
  INFINITY,
  INTEGER_BIT,
  quiet,
  SNAN,
  setIndefinite,
  setInfinity,
  setZero,
  UNSUPPORTED,
  ZERO,
} from "./float80.ts";
import { DE, type FloatEnv, IE, PE, RC_DOWN, roundToRegister, shiftRightJam, toMagnitude, ZE } from "./round.ts";

/** Results of compare(). */
export const LESS = -1;
export const EQUAL = 0;
export const GREATER = 1;
export const UNORDERED = 2;

function isNormal(x: F80): boolean {
  return x.exp !== 0 && x.exp !== EXP_MAX && x.hi >= INTEGER_BIT;
}

/** An invalid operation: IE and the real indefinite. */
export function invalid(env: FloatEnv, out: F80): void {
  env.flags |= IE;
  setIndefinite(out);
}

/** NaN and unsupported operands of a two-operand operation. Returns true when `out` is final. */
export function specialPair(env: FloatEnv, out: F80, a: F80, b: F80): boolean {
  const ka = classify(a);
  const kb = classify(b);
  if (ka === UNSUPPORTED || kb === UNSUPPORTED) {
    invalid(env, out);
    return true;
  }
  const aNaN = ka > INFINITY;
  const bNaN = kb > INFINITY;
  if (!aNaN && !bNaN) return false;
  if (ka === SNAN || kb === SNAN) env.flags |= IE;
  let from = a;
  if (aNaN && bNaN) {
    if (ka !== kb) from = ka === SNAN ? b : a;
    else if (a.hi !== b.hi) from = a.hi > b.hi ? a : b;
    else if (a.lo !== b.lo) from = a.lo > b.lo ? a : b;
    else from = a.sign <= b.sign ? a : b;
  } else if (bNaN) from = b;
  out.copy(from);
  quiet(out);
  return true;
}

/** NaN and unsupported operand of a one-operand operation. Returns true when `out` is final. */
export function specialOne(env: FloatEnv, out: F80, a: F80): boolean {
  const kind = classify(a);
  if (kind === UNSUPPORTED) {
    invalid(env, out);
    return true;
  }
  if (kind <= INFINITY) return false;
  if (kind === SNAN) env.flags |= IE;
  out.copy(a);
  quiet(out);
  return true;
}

/** Bring a finite non-zero value's significand to env.hi:lo with bit 31 set; returns its (possibly negative) exponent. */
export function normalize(env: FloatEnv, x: F80): number {
  let hi = x.hi;
  let lo = x.lo;
  if (hi >= INTEGER_BIT && x.exp !== 0) {
    env.hi = hi;
    env.lo = lo;
    return x.exp;
  }
  let exp = x.exp || 1;
  if (hi === 0) {
    hi = lo;
    lo = 0;
    exp -= 32;
  }
  const shift = Math.clz32(hi);
  if (shift) {
    hi = ((hi << shift) | (lo >>> (32 - shift))) >>> 0;
    lo = (lo << shift) >>> 0;
    exp -= shift;
  }
  env.hi = hi;
  env.lo = lo;
  return exp;
}

/** a + b, or a - b with `negateB` 1. */
export function add(env: FloatEnv, out: F80, a: F80, b: F80, negateB: number): void {
  const bothNormal = isNormal(a) && isNormal(b);
  if (!bothNormal && specialPair(env, out, a, b)) return;
  const signB = b.sign ^ negateB;
  if (!bothNormal) {
    const ka = classify(a);
    const kb = classify(b);
    if (ka === INFINITY || kb === INFINITY) {
      if (ka === kb && a.sign !== signB) {
        invalid(env, out);
        return;
      }
      if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
      setInfinity(out, ka === INFINITY ? a.sign : signB);
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === ZERO || kb === ZERO) {
      if (ka === kb) {
        setZero(out, a.sign === signB ? a.sign : env.rc === RC_DOWN ? 1 : 0);
        return;
      }
      // The other operand, rounded to the precision in force.
      const other = ka === ZERO ? b : a;
      const sign = ka === ZERO ? signB : a.sign;
      const exp = normalize(env, other);
      env.ext = 0;
      roundToRegister(env, out, sign, exp);
      return;
    }
  }
  let ea = normalize(env, a);
  let ah = env.hi;
  let al = env.lo;
  let eb = normalize(env, b);
  let bh = env.hi;
  let bl = env.lo;
  let sign = a.sign;
  const subtract = a.sign !== signB;
  if (ea < eb || (ea === eb && (ah < bh || (ah === bh && al < bl)))) {
    const exp = ea;
    const high = ah;
    const low = al;
    ea = eb;
    ah = bh;
    al = bl;
    eb = exp;
    bh = high;
    bl = low;
    sign = signB;
  }
  env.hi = bh;
  env.lo = bl;
  env.ext = 0;
  if (ea !== eb) shiftRightJam(env, ea - eb);
  if (!subtract) {
    const low = al + env.lo;
    const high = ah + env.hi + (low > 0xffff_ffff ? 1 : 0);
    env.lo = low >>> 0;
    env.hi = high >>> 0;
    if (high > 0xffff_ffff) {
      shiftRightJam(env, 1);
      env.hi = (env.hi | INTEGER_BIT) >>> 0;
      ea++;
    }
  } else {
    const ext = -env.ext;
    const low = al - env.lo - (ext < 0 ? 1 : 0);
    const high = ah - env.hi - (low < 0 ? 1 : 0);
    env.ext = ext >>> 0;
    env.lo = low >>> 0;
    env.hi = high >>> 0;
    if ((env.hi | env.lo | env.ext) === 0) {
      setZero(out, env.rc === RC_DOWN ? 1 : 0);
      return;
    }
    ea -= shiftLeftToNormal(env);
  }
  roundToRegister(env, out, sign, ea);
}

/** Shift env.hi:lo:ext (not zero) left until bit 31 of hi is set; returns by how much. */
function shiftLeftToNormal(env: FloatEnv): number {
  let count = 0;
  while (env.hi === 0) {
    env.hi = env.lo;
    env.lo = env.ext;
    env.ext = 0;
    count += 32;
  }
  const shift = Math.clz32(env.hi);
  if (shift) {
    env.hi = ((env.hi << shift) | (env.lo >>> (32 - shift))) >>> 0;
    env.lo = ((env.lo << shift) | (env.ext >>> (32 - shift))) >>> 0;
    env.ext = (env.ext << shift) >>> 0;
  }
  return count + shift;
}

/** Upper 32 bits of the product of two unsigned words. */
function mulHigh(a: number, b: number): number {
  const low = a * (b & 0xffff);
  const high = a * (b >>> 16) + Math.floor(low / 0x1_0000);
  return Math.floor(high / 0x1_0000);
}

/** a * b. */
export function mul(env: FloatEnv, out: F80, a: F80, b: F80): void {
  const sign = a.sign ^ b.sign;
  if (!isNormal(a) || !isNormal(b)) {
    if (specialPair(env, out, a, b)) return;
    const ka = classify(a);
    const kb = classify(b);
    if (ka === INFINITY || kb === INFINITY) {
      if (ka === ZERO || kb === ZERO) invalid(env, out);
      else {
        if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
        setInfinity(out, sign);
      }
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === ZERO || kb === ZERO) {
      setZero(out, sign);
      return;
    }
  }
  const ea = normalize(env, a);
  const { hi: ah, lo: al } = env;
  const eb = normalize(env, b);
  const { hi: bh, lo: bl } = env;
  // 128-bit product in words p3..p0, columns summed as doubles (each below 2^35).
  const p0 = Math.imul(al, bl) >>> 0;
  const c1 = mulHigh(al, bl) + (Math.imul(ah, bl) >>> 0) + (Math.imul(al, bh) >>> 0);
  const p1 = c1 >>> 0;
  const c2 = mulHigh(ah, bl) + mulHigh(al, bh) + (Math.imul(ah, bh) >>> 0) + (c1 - p1) / 0x1_0000_0000;
  const p2 = c2 >>> 0;
  const p3 = mulHigh(ah, bh) + (c2 - p2) / 0x1_0000_0000;
  env.hi = p3;
  env.lo = p2;
  env.ext = (p1 | (p0 === 0 ? 0 : 1)) >>> 0;
  let exp = ea + eb - BIAS + 1;
  if (env.hi < INTEGER_BIT) {
    env.hi = ((env.hi << 1) | (env.lo >>> 31)) >>> 0;
    env.lo = ((env.lo << 1) | (p1 >>> 31)) >>> 0;
    env.ext = ((p1 << 1) | (p0 === 0 ? 0 : 1)) >>> 0;
    exp--;
  }
  roundToRegister(env, out, sign, exp);
}

/** a / b. */
export function div(env: FloatEnv, out: F80, a: F80, b: F80): void {
  const sign = a.sign ^ b.sign;
  if (!isNormal(a) || !isNormal(b)) {
    if (specialPair(env, out, a, b)) return;
    const ka = classify(a);
    const kb = classify(b);
    if ((ka === INFINITY && kb === INFINITY) || (ka === ZERO && kb === ZERO)) {
      invalid(env, out);
      return;
    }
    if (kb === ZERO && ka !== INFINITY) {
      env.flags |= ZE;
      setInfinity(out, sign);
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === INFINITY) {
      setInfinity(out, sign);
      return;
    }
    if (ka === ZERO || kb === INFINITY) {
      setZero(out, sign);
      return;
    }
  }
  const ea = normalize(env, a);
  let { hi: rh, lo: rl } = env;
  const eb = normalize(env, b);
  const { hi: bh, lo: bl } = env;
  let exp = ea - eb + BIAS;
  let top = 0;
  if (rh < bh || (rh === bh && rl < bl)) {
    // Make the quotient's first bit a one: shift the dividend up into a 65th bit.
    top = rh >>> 31;
    rh = ((rh << 1) | (rl >>> 31)) >>> 0;
    rl = (rl << 1) >>> 0;
    exp--;
  }
  let high = 0;
  let low = 0;
  for (let word = 0; word < 2; word++) {
    let q = 0;
    for (let bit = 0; bit < 32; bit++) {
      q <<= 1;
      if (top === 1 || rh > bh || (rh === bh && rl >= bl)) {
        const rest = rl - bl;
        rh = (rh - bh - (rest < 0 ? 1 : 0)) >>> 0;
        rl = rest >>> 0;
        q |= 1;
      }
      top = rh >>> 31;
      rh = ((rh << 1) | (rl >>> 31)) >>> 0;
      rl = (rl << 1) >>> 0;
    }
    high = low;
    low = q >>> 0;
  }
  env.hi = high;
  env.lo = low;
  // What remains (already doubled) against the divisor gives the next bit; the rest is sticky.
  const half = top === 1 || rh > bh || (rh === bh && rl >= bl);
  const exactHalf = top === 0 && rh === bh && rl === bl;
  const nothing = (top | rh | rl) === 0;
  env.ext = half ? (exactHalf ? 0x8000_0000 : 0x8000_0001) : nothing ? 0 : 1;
  roundToRegister(env, out, sign, exp);
}

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

/**
 * Order two values; NaNs and unsupported formats are unordered. IE for signalling and unsupported operands, and for quiet
 * NaNs too when `ordered`; DE for denormals.
 */
export function compare(env: FloatEnv, a: F80, b: F80, ordered: boolean): number {
  const ka = classify(a);
  const kb = classify(b);
  if (ka > INFINITY || kb > INFINITY) {
    if (ordered || ka >= SNAN || kb >= SNAN) env.flags |= IE;
    return UNORDERED;
  }
  if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
  if (ka === ZERO && kb === ZERO) return EQUAL;
  if (ka === ZERO) return b.sign ? GREATER : LESS;
  if (kb === ZERO || a.sign !== b.sign) return a.sign ? LESS : GREATER;
  const magnitude =
    (a.exp || 1) - (b.exp || 1) || (a.hi > b.hi ? 1 : a.hi < b.hi ? -1 : a.lo > b.lo ? 1 : a.lo < b.lo ? -1 : 0);
  if (magnitude === 0) return EQUAL;
  return magnitude > 0 !== (a.sign === 1) ? GREATER : LESS;
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
