// The 80-bit extended format as four plain fields, its classes of values, and the exact conversions into it.
// Source: Intel SDM vol. 1, "Data types" and "Programming with the x87 FPU".

/** Exponent bias, and the exponent of infinities and NaNs. */
export const BIAS = 0x3fff;
export const EXP_MAX = 0x7fff;
/** The explicit integer bit in the high significand word. */
export const INTEGER_BIT = 0x8000_0000;
const QUIET_BIT = 0x4000_0000;

/** One extended value: sign 0 or 1, biased exponent 0..0x7fff, 64-bit significand as two unsigned words. */
export class F80 {
  sign: number;
  exp: number;
  hi: number;
  lo: number;

  constructor(sign = 0, exp = 0, hi = 0, lo = 0) {
    this.sign = sign;
    this.exp = exp;
    this.hi = hi;
    this.lo = lo;
  }

  set(sign: number, exp: number, hi: number, lo: number): void {
    this.sign = sign;
    this.exp = exp;
    this.hi = hi;
    this.lo = lo;
  }

  copy(from: F80): void {
    this.sign = from.sign;
    this.exp = from.exp;
    this.hi = from.hi;
    this.lo = from.lo;
  }
}

export const ZERO = 0;
export const NORMAL = 1;
/** Denormal or pseudo-denormal. */
export const DENORMAL = 2;
export const INFINITY = 3;
export const QNAN = 4;
export const SNAN = 5;
/** Unnormal, pseudo-infinity or pseudo-NaN: invalid operands since the 387. */
export const UNSUPPORTED = 6;

/** Class of a value, one of the constants above. */
export function classify(x: F80): number {
  if (x.exp === 0) return (x.hi | x.lo) === 0 ? ZERO : DENORMAL;
  if (x.hi < INTEGER_BIT) return UNSUPPORTED;
  if (x.exp !== EXP_MAX) return NORMAL;
  if (x.hi === INTEGER_BIT && x.lo === 0) return INFINITY;
  return x.hi & QUIET_BIT ? QNAN : SNAN;
}

export function isNaN80(x: F80): boolean {
  return x.exp === EXP_MAX && x.hi >= INTEGER_BIT && !(x.hi === INTEGER_BIT && x.lo === 0);
}

/** The real indefinite: the QNaN that invalid operations answer with. */
export function setIndefinite(x: F80): void {
  x.set(1, EXP_MAX, 0xc000_0000, 0);
}

export function setZero(x: F80, sign: number): void {
  x.set(sign, 0, 0, 0);
}

export function setInfinity(x: F80, sign: number): void {
  x.set(sign, EXP_MAX, INTEGER_BIT, 0);
}

/** Make a NaN quiet. */
export function quiet(x: F80): void {
  x.hi = (x.hi | QUIET_BIT) >>> 0;
}

/** A signed integer given as two's-complement words. */
export function fromInt64(x: F80, high: number, low: number): void {
  const sign = high < 0 ? 1 : 0;
  let hi = high >>> 0;
  let lo = low >>> 0;
  if (sign) {
    lo = -lo >>> 0;
    hi = (~hi + (lo === 0 ? 1 : 0)) >>> 0;
  }
  fromMagnitude(x, sign, hi, lo);
}

/** A signed 32-bit integer. */
export function fromInt32(x: F80, value: number): void {
  fromMagnitude(x, value < 0 ? 1 : 0, 0, Math.abs(value) >>> 0);
}

/** An unsigned 64-bit magnitude with a sign. */
export function fromMagnitude(x: F80, sign: number, hi: number, lo: number): void {
  if ((hi | lo) === 0) {
    setZero(x, sign);
    return;
  }
  let exp = BIAS + 63;
  if (hi === 0) {
    hi = lo;
    lo = 0;
    exp -= 32;
  }
  const shift = Math.clz32(hi);
  if (shift) {
    hi = ((hi << shift) | (lo >>> (32 - shift))) >>> 0;
    lo = (lo << shift) >>> 0;
  }
  x.set(sign, exp - shift, hi, lo);
}

/**
 * A single-precision bit pattern. NaNs keep their payload and their signalling bit.
 * @returns true when the source was denormal
 */
export function fromSingle(x: F80, bits: number): boolean {
  const sign = bits >>> 31;
  const exp = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7f_ffff;
  if (exp === 0) {
    if (fraction === 0) {
      setZero(x, sign);
      return false;
    }
    const shift = Math.clz32(fraction);
    x.set(sign, BIAS - 126 - (shift - 8), (fraction << shift) >>> 0, 0);
    return true;
  }
  x.set(sign, exp === 0xff ? EXP_MAX : exp - 127 + BIAS, (INTEGER_BIT | (fraction << 8)) >>> 0, 0);
  return false;
}

/**
 * A double-precision bit pattern as two words. NaNs keep their payload and their signalling bit.
 * @returns true when the source was denormal
 */
export function fromDouble(x: F80, high: number, low: number): boolean {
  const sign = high >>> 31;
  const exp = (high >>> 20) & 0x7ff;
  const top = high & 0xf_ffff;
  const lo = low >>> 0;
  if (exp === 0) {
    if ((top | lo) === 0) {
      setZero(x, sign);
      return false;
    }
    fromMagnitude(x, sign, top, lo);
    x.exp -= 1074;
    return true;
  }
  x.set(
    sign,
    exp === 0x7ff ? EXP_MAX : exp - 1023 + BIAS,
    (INTEGER_BIT | (top << 11) | (lo >>> 21)) >>> 0,
    (lo << 11) >>> 0,
  );
  return false;
}
