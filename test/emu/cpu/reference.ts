// Elementary functions to 400 bits in fixed point, by other means than the emulator's: halving and Taylor sums, Newton's
// method from a double. References for the x87's functions.

/** Fraction bits. */
export const P = 400;
const BITS = BigInt(P);
export const ONE = 1n << BITS;

const mul = (a: bigint, b: bigint): bigint => (a * b) >> BITS;
const div = (a: bigint, b: bigint): bigint => (a << BITS) / b;
const abs = (a: bigint): bigint => (a < 0n ? -a : a);

/** e^x - 1 for |x| < 2^10. */
export function expm1(x: bigint): bigint {
  const halvings = 24n;
  const t = x >> halvings;
  let term = t;
  let m = t;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    term = mul(term, t) / n;
    m += term;
  }
  for (let i = 0n; i < halvings; i++) m = 2n * m + mul(m, m);
  return m;
}

function ln2(): bigint {
  // Sum of 1 / (k 2^k).
  let sum = 0n;
  for (let k = 1n; k < BITS + 8n; k++) sum += (ONE >> k) / k;
  return sum;
}
export const LN2 = ln2();

/** ln x for x from 1/4 to 4. */
export function ln(x: bigint): bigint {
  let y = BigInt(Math.round(Math.log(toNumber(x)) * 2 ** 60)) << (BITS - 60n);
  // Halley's step triples the digits.
  for (let i = 0; i < 3; i++) {
    const e = ONE + expm1(y);
    y += 2n * div(x - e, x + e);
  }
  return y;
}

export function toNumber(x: bigint): number {
  const sign = x < 0n ? -1 : 1;
  const size = abs(x);
  const bits = size.toString(2).length;
  const shift = Math.max(0, bits - 64);
  return sign * Number(size >> BigInt(shift)) * 2 ** (shift - P);
}

/** Sine and cosine of |x| <= 4. */
export function sincos(x: bigint): { s: bigint; c: bigint } {
  const halvings = 16n;
  const t = x >> halvings;
  const square = mul(t, t);
  let s = t;
  // v = 1 - cos: doubling it loses nothing.
  let v = square >> 1n;
  let odd = t;
  let even = -v;
  for (let n = 3n; odd !== 0n && odd !== -1n; n += 2n) {
    odd = -mul(odd, square) / (n * (n - 1n));
    s += odd;
    even = -mul(even, square) / ((n + 1n) * n);
    v -= even;
  }
  for (let i = 0n; i < halvings; i++) {
    s = 2n * (s - mul(s, v));
    v = 4n * v - 2n * mul(v, v);
  }
  return { s, c: ONE - v };
}

/** The angle of the point (x, y), both within 1/4..4 of ONE or smaller, not both small. */
export function angle(y: bigint, x: bigint): bigint {
  let a = BigInt(Math.round(Math.atan2(toNumber(y), toNumber(x)) * 2 ** 50)) << (BITS - 50n);
  for (let i = 0; i < 2; i++) {
    const { s, c } = sincos(a);
    const d = div(mul(y, c) - mul(x, s), mul(x, c) + mul(y, s));
    const d2 = mul(d, d);
    a += d - mul(d, d2) / 3n + mul(mul(d, d2), d2) / 5n;
  }
  return a;
}
export const PI = 4n * angle(ONE, ONE);

/** How far the value significand * 2^(exponent - 63) lies from a reference, in units of the reference's last of 64 bits. */
export function ulps(sign: number, exponent: number, significand: bigint, reference: bigint): number {
  const scale = BigInt(exponent - 63 + P);
  const value = scale >= 0n ? significand << scale : significand >> -scale;
  const error = abs((sign ? -value : value) - reference);
  const top = abs(reference).toString(2).length;
  return Number((error << 40n) >> BigInt(Math.max(top - 64, 0))) / 2 ** 40;
}
