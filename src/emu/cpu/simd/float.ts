// Arithmetic of SSE lanes: the host's own f64 arithmetic where it is provably exact, whole numbers (exact.ts) elsewhere.
// Proofs: a sum, difference, product, quotient or root of two singles, computed as double and rounded to single, is the
// correctly rounded one (53 >= 2 * 24 + 2); a double operation is rounded to nearest by definition; whether it was exact is
// seen from the error terms of Knuth's sum and Dekker's product, which are exact within the bounds checked here.

import { STATE_MXCSR } from "../state.ts";
import { DOUBLE, exactAdd, exactDivide, exactMultiply, exactRoot, PE, SINGLE } from "./exact.ts";
import type { VectorOperation } from "./integer.ts";
import { MXCSR_RC_SHIFT, RESULT_BYTES, type Simd } from "./state.ts";

const SINGLE_LEAST = 2 ** -126;
const SINGLE_MOST = (2 - 2 ** -23) * 2 ** 127;
const DOUBLE_LEAST = 2 ** -1022;
/** Products and quotients in this range have error terms that neither overflow nor vanish. */
const SAFE_LEAST = 2 ** -900;
const SAFE_MOST = 2 ** 900;
const SPLITTER = 2 ** 27 + 1;

/** Rounding up, down or to zero: MXCSR.RC is not 0. */
const RC_BITS = 3 << MXCSR_RC_SHIFT;
/** PE is noted already, and masked: nobody can see another inexact result. */
const INEXACT_KNOWN = 0x1020;

/** Error of the product p = a * b, all three in the safe range. */
function productError(a: number, b: number, p: number): number {
  const as = a * SPLITTER;
  const ah = as - (as - a);
  const al = a - ah;
  const bs = b * SPLITTER;
  const bh = bs - (bs - b);
  const bl = b - bh;
  return al * bl - (p - ah * bh - al * bh - ah * bl);
}

function sumError(a: number, b: number, s: number): number {
  const bb = s - a;
  return a - (s - bb) + (b - bb);
}

export const singleBits = (x: Simd, at: number): bigint => BigInt(x.u32[at >> 2]);
export const doubleBits = (x: Simd, at: number): bigint =>
  (BigInt(x.u32[(at >> 2) + 1]) << 32n) | BigInt(x.u32[at >> 2]);

export function setSingle(x: Simd, at: number, bits: bigint): void {
  x.i32[at >> 2] = Number(BigInt.asIntN(32, bits));
}

export function setDouble(x: Simd, at: number, bits: bigint): void {
  x.i32[at >> 2] = Number(BigInt.asIntN(32, bits));
  x.i32[(at >> 2) + 1] = Number(BigInt.asIntN(32, bits >> 32n));
}

/** Zero or normal: no DE, no DAZ. Infinities and NaNs pass; their results do not. */
const plainSingle = (a: number): boolean => a === 0 || Math.abs(a) >= SINGLE_LEAST;
const plainDouble = (a: number): boolean => a === 0 || Math.abs(a) >= DOUBLE_LEAST;
const normalSingle = (r: number): boolean => Math.abs(r) >= SINGLE_LEAST && Math.abs(r) <= SINGLE_MOST;

/** One lane: from byte offsets a and b to the result place's byte offset. */
type Lane = (x: Simd, a: number, b: number, out: number) => void;

const addSingle =
  (sign: 1 | -1): Lane =>
  (x, a, b, out) => {
    const p = x.f32[a >> 2];
    const q = sign * x.f32[b >> 2];
    const sum = p + q;
    const r = Math.fround(sum);
    const csr = x.mxcsr;
    if ((normalSingle(r) || r === 0) && plainSingle(p) && plainSingle(q) && (csr & RC_BITS) === 0) {
      if ((csr & INEXACT_KNOWN) !== INEXACT_KNOWN && (r !== sum || sumError(p, q, sum) !== 0)) x.after |= PE;
      x.f32[out >> 2] = r;
    } else setSingle(x, out, exactAdd(x, SINGLE, singleBits(x, a), singleBits(x, b), sign < 0));
  };

const addDouble =
  (sign: 1 | -1): Lane =>
  (x, a, b, out) => {
    const p = x.f64[a >> 3];
    const q = sign * x.f64[b >> 3];
    const r = p + q;
    const m = Math.abs(r);
    const csr = x.mxcsr;
    if (((m >= DOUBLE_LEAST && m < 2 ** 1023) || r === 0) && plainDouble(p) && plainDouble(q) && !(csr & RC_BITS)) {
      if ((csr & INEXACT_KNOWN) !== INEXACT_KNOWN && sumError(p, q, r) !== 0) x.after |= PE;
      x.f64[out >> 3] = r;
    } else setDouble(x, out, exactAdd(x, DOUBLE, doubleBits(x, a), doubleBits(x, b), sign < 0));
  };

function multiplySingle(x: Simd, a: number, b: number, out: number): void {
  const p = x.f32[a >> 2];
  const q = x.f32[b >> 2];
  const product = p * q;
  const r = Math.fround(product);
  const csr = x.mxcsr;
  if (normalSingle(r) && plainSingle(p) && plainSingle(q) && (csr & RC_BITS) === 0) {
    // The product of two singles is exact as a double.
    if (r !== product) {
      // A result that rounds up to the least normal number may be tiny: let the exact path say.
      if (Math.abs(product) < SINGLE_LEAST) {
        setSingle(x, out, exactMultiply(x, SINGLE, singleBits(x, a), singleBits(x, b)));
        return;
      }
      x.after |= PE;
    }
    x.f32[out >> 2] = r;
  } else setSingle(x, out, exactMultiply(x, SINGLE, singleBits(x, a), singleBits(x, b)));
}

function multiplyDouble(x: Simd, a: number, b: number, out: number): void {
  const p = x.f64[a >> 3];
  const q = x.f64[b >> 3];
  const r = p * q;
  const m = Math.abs(r);
  const csr = x.mxcsr;
  if (m > DOUBLE_LEAST && m < Number.POSITIVE_INFINITY && (csr & RC_BITS) === 0 && plainDouble(p) && plainDouble(q)) {
    if ((csr & INEXACT_KNOWN) === INEXACT_KNOWN) {
      x.f64[out >> 3] = r;
      return;
    }
    if (m > SAFE_LEAST && m < SAFE_MOST && Math.abs(p) < SAFE_MOST && Math.abs(q) < SAFE_MOST) {
      if (productError(p, q, r) !== 0) x.after |= PE;
      x.f64[out >> 3] = r;
      return;
    }
  }
  setDouble(x, out, exactMultiply(x, DOUBLE, doubleBits(x, a), doubleBits(x, b)));
}

function divideSingle(x: Simd, a: number, b: number, out: number): void {
  const p = x.f32[a >> 2];
  const q = x.f32[b >> 2];
  const quotient = p / q;
  const r = Math.fround(quotient);
  const csr = x.mxcsr;
  if (
    normalSingle(r) &&
    Math.abs(quotient) >= SINGLE_LEAST &&
    plainSingle(p) &&
    plainSingle(q) &&
    Math.abs(q) <= SINGLE_MOST &&
    (csr & RC_BITS) === 0
  ) {
    // r * q is exact as a double.
    if ((csr & INEXACT_KNOWN) !== INEXACT_KNOWN && r * q !== p) x.after |= PE;
    x.f32[out >> 2] = r;
  } else setSingle(x, out, exactDivide(x, SINGLE, singleBits(x, a), singleBits(x, b)));
}

function divideDouble(x: Simd, a: number, b: number, out: number): void {
  const p = x.f64[a >> 3];
  const q = x.f64[b >> 3];
  const r = p / q;
  const m = Math.abs(r);
  const csr = x.mxcsr;
  if (
    m > DOUBLE_LEAST &&
    m < Number.POSITIVE_INFINITY &&
    (csr & RC_BITS) === 0 &&
    plainDouble(p) &&
    plainDouble(q) &&
    q !== 0
  ) {
    if ((csr & INEXACT_KNOWN) === INEXACT_KNOWN) {
      x.f64[out >> 3] = r;
      return;
    }
    const n = Math.abs(p);
    const safe = m > SAFE_LEAST && m < SAFE_MOST && n > SAFE_LEAST && n < SAFE_MOST && Math.abs(q) < SAFE_MOST;
    if (safe) {
      const back = r * q;
      if (back !== p || productError(r, q, back) !== 0) x.after |= PE;
      x.f64[out >> 3] = r;
      return;
    }
  }
  setDouble(x, out, exactDivide(x, DOUBLE, doubleBits(x, a), doubleBits(x, b)));
}

function rootSingle(x: Simd, _a: number, b: number, out: number): void {
  const q = x.f32[b >> 2];
  const csr = x.mxcsr;
  if (q >= SINGLE_LEAST && q <= SINGLE_MOST && (csr & RC_BITS) === 0) {
    const r = Math.fround(Math.sqrt(q));
    if (r * r !== q) x.after |= PE;
    x.f32[out >> 2] = r;
  } else setSingle(x, out, exactRoot(x, SINGLE, singleBits(x, b)));
}

function rootDouble(x: Simd, _a: number, b: number, out: number): void {
  const q = x.f64[b >> 3];
  const csr = x.mxcsr;
  if (q > SAFE_LEAST && q < SAFE_MOST && (csr & RC_BITS) === 0) {
    const r = Math.sqrt(q);
    const back = r * r;
    if ((csr & INEXACT_KNOWN) !== INEXACT_KNOWN && (back !== q || productError(r, r, back) !== 0)) x.after |= PE;
    x.f64[out >> 3] = r;
  } else setDouble(x, out, exactRoot(x, DOUBLE, doubleBits(x, b)));
}

/** The lanes of `n` bytes; nothing reaches `d` when one of them faults. */
export function lanes(width: 4 | 8, lane: Lane): VectorOperation {
  return (x, d, s, n) => {
    x.begin();
    for (let i = 0; i < n; i += width) lane(x, d + i, s + i, RESULT_BYTES + i);
    x.finish();
    x.take(d, n);
  };
}

/** ADDSUB: even lanes subtract, odd lanes add. */
function alternating(width: 4 | 8, even: Lane, odd: Lane): VectorOperation {
  return (x, d, s, n) => {
    x.begin();
    for (let i = 0; i < n; i += 2 * width) {
      even(x, d + i, s + i, RESULT_BYTES + i);
      odd(x, d + i + width, s + i + width, RESULT_BYTES + i + width);
    }
    x.finish();
    x.take(d, n);
  };
}

/** HADDP, HSUBP: neighbours of `d`, then neighbours of `s`. */
function horizontal(width: 4 | 8, lane: Lane): VectorOperation {
  return (x, d, s, n) => {
    x.begin();
    for (let i = 0; i < n >> 1; i += width) {
      lane(x, d + 2 * i, d + 2 * i + width, RESULT_BYTES + i);
      lane(x, s + 2 * i, s + 2 * i + width, RESULT_BYTES + (n >> 1) + i);
    }
    x.finish();
    x.take(d, n);
  };
}

/** A normal result of plain operands, rounded to nearest, with PE known: the host's own result is all there is to it. */
function isQuick(x: Simd, p: number, q: number, r: number): boolean {
  const m = Math.abs(r);
  return (
    m > DOUBLE_LEAST &&
    m < 2 ** 1023 &&
    (x.i32[STATE_MXCSR] & (RC_BITS | INEXACT_KNOWN)) === INEXACT_KNOWN &&
    plainDouble(p) &&
    plainDouble(q)
  );
}

// Scalar doubles, written out one by one: shared code would call its operation, which costs more than the operation.

const addScalarLanes = lanes(8, addDouble(1));
const subScalarLanes = lanes(8, addDouble(-1));
const mulScalarLanes = lanes(8, multiplyDouble);
const divScalarLanes = lanes(8, divideDouble);

function addScalar(x: Simd, d: number, s: number, n: number): void {
  const { f64 } = x;
  const to = d >> 3;
  const p = f64[to];
  const q = f64[s >> 3];
  const r = p + q;
  if (n === 8 && isQuick(x, p, q, r)) f64[to] = r;
  else addScalarLanes(x, d, s, n, 0);
}

function subScalar(x: Simd, d: number, s: number, n: number): void {
  const { f64 } = x;
  const to = d >> 3;
  const p = f64[to];
  const q = f64[s >> 3];
  const r = p - q;
  if (n === 8 && isQuick(x, p, q, r)) f64[to] = r;
  else subScalarLanes(x, d, s, n, 0);
}

function mulScalar(x: Simd, d: number, s: number, n: number): void {
  const { f64 } = x;
  const to = d >> 3;
  const p = f64[to];
  const q = f64[s >> 3];
  const r = p * q;
  if (n === 8 && isQuick(x, p, q, r)) f64[to] = r;
  else mulScalarLanes(x, d, s, n, 0);
}

function divScalar(x: Simd, d: number, s: number, n: number): void {
  const { f64 } = x;
  const to = d >> 3;
  const p = f64[to];
  const q = f64[s >> 3];
  const r = p / q;
  if (n === 8 && isQuick(x, p, q, r)) f64[to] = r;
  else divScalarLanes(x, d, s, n, 0);
}

/** Arithmetic by name. */
export const floatOperations: Readonly<Record<string, VectorOperation>> = {
  "add.f32": lanes(4, addSingle(1)),
  "add.f64": addScalar,
  "sub.f32": lanes(4, addSingle(-1)),
  "sub.f64": subScalar,
  "mul.f32": lanes(4, multiplySingle),
  "mul.f64": mulScalar,
  "div.f32": lanes(4, divideSingle),
  "div.f64": divScalar,
  "sqrt.f32": lanes(4, rootSingle),
  "sqrt.f64": lanes(8, rootDouble),
  "addsub.f32": alternating(4, addSingle(-1), addSingle(1)),
  "addsub.f64": alternating(8, addDouble(-1), addDouble(1)),
  "hadd.f32": horizontal(4, addSingle(1)),
  "hadd.f64": horizontal(8, addDouble(1)),
  "hsub.f32": horizontal(4, addSingle(-1)),
  "hsub.f64": horizontal(8, addDouble(-1)),
};
