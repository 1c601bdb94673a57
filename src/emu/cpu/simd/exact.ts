// Floating-point operations by whole numbers, exact in every rounding mode, with every flag: what the quick paths of
// float.ts and convert.ts fall back on. Source: Intel SDM vol. 1, "SIMD floating-point exceptions" and table "Results of
// operations with NaN operands".
import { MXCSR_DAZ, MXCSR_FTZ, MXCSR_MASK_SHIFT, MXCSR_RC_SHIFT, type Simd } from "./state.ts";

/** Exception flags, as in MXCSR. */
export const IE = 1;
export const DE = 2;
export const ZE = 4;
export const OE = 8;
export const UE = 16;
export const PE = 32;

const NEAREST = 0;
const DOWN = 1;
const UP = 2;

/** A binary interchange format. */
export interface Format {
  /** Bits of the significand, the hidden one included. */
  readonly precision: number;
  readonly bias: number;
  readonly bits: number;
  readonly infinity: bigint;
  readonly quiet: bigint;
}

export const SINGLE: Format = { precision: 24, bias: 127, bits: 32, infinity: 0x7f80_0000n, quiet: 0x40_0000n };
export const DOUBLE: Format = {
  precision: 53,
  bias: 1023,
  bits: 64,
  infinity: 0x7ff0_0000_0000_0000n,
  quiet: 0x8_0000_0000_0000n,
};

const signBit = (f: Format): bigint => 1n << BigInt(f.bits - 1);

/** The QNaN that invalid operations answer with. */
export const indefinite = (f: Format): bigint => signBit(f) | f.infinity | f.quiet;

/** A value taken apart: (-1)^sign * m * 2^e when it is finite. */
interface Parts {
  readonly sign: 0 | 1;
  readonly m: bigint;
  readonly e: number;
  readonly infinite: boolean;
  readonly nan: boolean;
  readonly signalling: boolean;
  readonly denormal: boolean;
}

export function isNaNBits(f: Format, bits: bigint): boolean {
  return (bits & (signBit(f) - 1n)) > f.infinity;
}

/** Take bits apart; a denormal is zero when DAZ says so. */
function partsOf(f: Format, bits: bigint, csr: number): Parts {
  const sign = bits & signBit(f) ? 1 : 0;
  const magnitude = bits & (signBit(f) - 1n);
  const fractionBits = f.precision - 1;
  const exponent = Number(magnitude >> BigInt(fractionBits));
  const fraction = magnitude & ((1n << BigInt(fractionBits)) - 1n);
  const special = magnitude >= f.infinity;
  const subnormal = exponent === 0 && fraction !== 0n;
  const flushed = subnormal && (csr & MXCSR_DAZ) !== 0;
  return {
    sign,
    m: flushed ? 0n : exponent === 0 ? fraction : fraction | (1n << BigInt(fractionBits)),
    e: Math.max(exponent, 1) - f.bias - fractionBits,
    infinite: magnitude === f.infinity,
    nan: magnitude > f.infinity,
    signalling: special && magnitude > f.infinity && !(magnitude & f.quiet),
    denormal: subnormal && !flushed,
  };
}

function bitLength(m: bigint): number {
  return m.toString(2).length;
}

function zero(f: Format, sign: number): bigint {
  return sign ? signBit(f) : 0n;
}

function infinity(f: Format, sign: number): bigint {
  return zero(f, sign) | f.infinity;
}

/** Does an inexact magnitude round up? `half` and `rest`: the bits below the last kept one. */
function roundsUp(rc: number, sign: number, odd: boolean, half: boolean, rest: boolean): boolean {
  if (rc === NEAREST) return half && (rest || odd);
  return rc === DOWN ? sign === 1 : rc === UP && sign === 0;
}

/** m * 2^e (a little more when `sticky`) as a multiple of 2^q, rounded. */
function quantise(
  m: bigint,
  e: number,
  sticky: boolean,
  q: number,
  rc: number,
  sign: number,
): { n: bigint; exact: boolean } {
  if (q <= e) {
    const n = m << BigInt(e - q);
    return { n: sticky && roundsUp(rc, sign, (n & 1n) === 1n, false, true) ? n + 1n : n, exact: !sticky };
  }
  const shift = BigInt(q - e);
  const n = m >> shift;
  const low = m & ((1n << shift) - 1n);
  const middle = 1n << (shift - 1n);
  const half = (low & middle) !== 0n;
  const rest = sticky || (low & (middle - 1n)) !== 0n;
  if (!half && !rest) return { n, exact: true };
  return { n: roundsUp(rc, sign, (n & 1n) === 1n, half, rest) ? n + 1n : n, exact: false };
}

/**
 * Round (-1)^sign * m * 2^e, m > 0, to a format, noting the exceptions of the result in x.after. `sticky`: the true
 * magnitude is a little larger, by less than one unit of m, and m has at least two bits more than the precision.
 */
function round(x: Simd, f: Format, sign: number, m: bigint, e: number, sticky: boolean): bigint {
  const csr = x.mxcsr;
  const rc = (csr >> MXCSR_RC_SHIFT) & 3;
  const unmasked = ~(csr >> MXCSR_MASK_SHIFT);
  const last = bitLength(m) + e - f.precision;
  const free = quantise(m, e, sticky, last, rc, sign);
  const carried = bitLength(free.n) > f.precision;
  /** Exponent of the last place of the result, were exponents unbounded. */
  const place = carried ? last + 1 : last;
  const least = 2 - f.bias - f.precision;
  if (place > f.bias - f.precision + 1) {
    x.after |= OE;
    if (unmasked & OE) {
      if (!free.exact) x.after |= PE;
      return 0n;
    }
    x.after |= PE;
    const toInfinity = rc === NEAREST || (rc === DOWN && sign === 1) || (rc === UP && sign === 0);
    return toInfinity ? infinity(f, sign) : infinity(f, sign) - 1n;
  }
  if (place >= least) {
    if (!free.exact) x.after |= PE;
    const n = carried ? free.n >> 1n : free.n;
    // The hidden bit carries into the exponent.
    return zero(f, sign) | (n + (BigInt(place - least) << BigInt(f.precision - 1)));
  }
  if (unmasked & UE) {
    x.after |= free.exact ? UE : UE | PE;
    return 0n;
  }
  if (csr & MXCSR_FTZ) {
    x.after |= UE | PE;
    return zero(f, sign);
  }
  const tiny = quantise(m, e, sticky, least, rc, sign);
  if (!tiny.exact) x.after |= UE | PE;
  return zero(f, sign) | tiny.n;
}

/** A zero result of an addition: +0, or -0 when rounding down; the common sign when both operands had one. */
function zeroSum(x: Simd, f: Format, a: number, b: number): bigint {
  if (a === b) return zero(f, a);
  return zero(f, ((x.mxcsr >> MXCSR_RC_SHIFT) & 3) === DOWN ? 1 : 0);
}

/** NaN operands: the first NaN, quiet; IE when any signals. Denormals beside a NaN are not noted. */
function propagate(x: Simd, f: Format, a: Parts, abits: bigint, b: Parts, bbits: bigint): bigint {
  if (a.signalling || b.signalling) x.before |= IE;
  return (a.nan ? abits : bbits) | f.quiet;
}

function invalid(x: Simd, f: Format): bigint {
  x.before |= IE;
  return indefinite(f);
}

export function exactAdd(x: Simd, f: Format, abits: bigint, bbits: bigint, subtract: boolean): bigint {
  const csr = x.mxcsr;
  const a = partsOf(f, abits, csr);
  const b = partsOf(f, bbits, csr);
  if (a.nan || b.nan) return propagate(x, f, a, abits, b, bbits);
  const bsign = subtract ? 1 - b.sign : b.sign;
  if (a.infinite && b.infinite && a.sign !== bsign) return invalid(x, f);
  if (a.denormal || b.denormal) x.before |= DE;
  if (a.infinite) return infinity(f, a.sign);
  if (b.infinite) return infinity(f, bsign);
  if (a.m === 0n && b.m === 0n) return zeroSum(x, f, a.sign, bsign);
  const e = Math.min(a.e, b.e);
  const am = a.m << BigInt(a.e - e);
  const bm = b.m << BigInt(b.e - e);
  const sum = (a.sign ? -am : am) + (bsign ? -bm : bm);
  if (sum === 0n) return zeroSum(x, f, 0, 1);
  return round(x, f, sum < 0n ? 1 : 0, sum < 0n ? -sum : sum, e, false);
}

export function exactMultiply(x: Simd, f: Format, abits: bigint, bbits: bigint): bigint {
  const csr = x.mxcsr;
  const a = partsOf(f, abits, csr);
  const b = partsOf(f, bbits, csr);
  if (a.nan || b.nan) return propagate(x, f, a, abits, b, bbits);
  const sign = a.sign ^ b.sign;
  const infinite = a.infinite || b.infinite;
  if (infinite && ((!a.infinite && a.m === 0n) || (!b.infinite && b.m === 0n))) return invalid(x, f);
  if (a.denormal || b.denormal) x.before |= DE;
  if (infinite) return infinity(f, sign);
  if (a.m === 0n || b.m === 0n) return zero(f, sign);
  return round(x, f, sign, a.m * b.m, a.e + b.e, false);
}

export function exactDivide(x: Simd, f: Format, abits: bigint, bbits: bigint): bigint {
  const csr = x.mxcsr;
  const a = partsOf(f, abits, csr);
  const b = partsOf(f, bbits, csr);
  if (a.nan || b.nan) return propagate(x, f, a, abits, b, bbits);
  const sign = a.sign ^ b.sign;
  if (a.infinite && b.infinite) return invalid(x, f);
  if (!a.infinite && !b.infinite && b.m === 0n) {
    if (a.m === 0n) return invalid(x, f);
    x.before |= ZE;
    return infinity(f, sign);
  }
  if (a.denormal || b.denormal) x.before |= DE;
  if (a.infinite) return infinity(f, sign);
  if (b.infinite || a.m === 0n) return zero(f, sign);
  // Enough bits for the precision and two more.
  const up = Math.max(0, f.precision + 3 + bitLength(b.m) - bitLength(a.m));
  const n = a.m << BigInt(up);
  const q = n / b.m;
  return round(x, f, sign, q, a.e - up - b.e, q * b.m !== n);
}

/** Integer square root by Newton's iteration. */
function rootOf(n: bigint): bigint {
  let r = 1n << BigInt((bitLength(n) + 1) >> 1);
  for (;;) {
    const next = (r + n / r) >> 1n;
    if (next >= r) return r;
    r = next;
  }
}

export function exactRoot(x: Simd, f: Format, bits: bigint): bigint {
  const a = partsOf(f, bits, x.mxcsr);
  if (a.nan) return propagate(x, f, a, bits, a, bits);
  if (!a.infinite && a.m === 0n) return zero(f, a.sign);
  if (a.sign) return invalid(x, f);
  if (a.denormal) x.before |= DE;
  if (a.infinite) return infinity(f, 0);
  let up = Math.max(0, 2 * f.precision + 6 - bitLength(a.m));
  if ((a.e - up) & 1) up++;
  const n = a.m << BigInt(up);
  const root = rootOf(n);
  return round(x, f, 0, root, (a.e - up) / 2, root * root !== n);
}

/** From one format to another. NaNs keep their upper bits and become quiet. */
export function exactConvert(x: Simd, from: Format, to: Format, bits: bigint): bigint {
  const a = partsOf(from, bits, x.mxcsr);
  if (a.nan) {
    if (a.signalling) x.before |= IE;
    const payload = bits & (from.infinity ^ (signBit(from) - 1n));
    const by = to.precision - from.precision;
    const moved = by > 0 ? payload << BigInt(by) : payload >> BigInt(-by);
    return zero(to, a.sign) | to.infinity | to.quiet | moved;
  }
  if (a.denormal) x.before |= DE;
  if (a.infinite) return infinity(to, a.sign);
  if (a.m === 0n) return zero(to, a.sign);
  return round(x, to, a.sign, a.m, a.e, false);
}

/** A signed integer to a format. */
export function exactFromInteger(x: Simd, to: Format, value: number): bigint {
  if (value === 0) return 0n;
  return round(x, to, value < 0 ? 1 : 0, BigInt(Math.abs(value)), 0, false);
}
