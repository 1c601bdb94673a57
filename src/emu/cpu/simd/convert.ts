// Conversions between integers, singles and doubles, and the approximations RCP and RSQRT.
import { DOUBLE, exactConvert, exactFromInteger, IE, PE, SINGLE } from "./exact.ts";
import { doubleBits, setDouble, setSingle, singleBits } from "./float.ts";
import type { VectorOperation } from "./integer.ts";
import { MXCSR_DAZ, MXCSR_RC_SHIFT, RESULT_BYTES, type Simd } from "./state.ts";

const SINGLE_LEAST = 2 ** -126;
const DOUBLE_LEAST = 2 ** -1022;
/** Largest double that rounds to a single no larger than the largest. */
const SINGLE_MOST = (2 - 2 ** -23) * 2 ** 127;
/** What a conversion answers that has no answer. */
const INTEGER_INDEFINITE = 0x8000_0000 | 0;

function rounding(x: Simd): number {
  return (x.mxcsr >> MXCSR_RC_SHIFT) & 3;
}

/** Round to a whole number; ties to even when nearest. */
function whole(v: number, rc: number): number {
  if (rc === 1) return Math.floor(v);
  if (rc === 2) return Math.ceil(v);
  if (rc === 3) return Math.trunc(v);
  const down = Math.floor(v);
  const rest = v - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

/** A value to int32, noting IE and PE. Denormals raise nothing else; under DAZ they are zero. */
function toInteger(x: Simd, v: number, least: number, rc: number): number {
  const value = x.mxcsr & MXCSR_DAZ && Math.abs(v) < least ? 0 : v;
  const r = whole(value, rc);
  // False for NaNs too.
  if (!(r >= -0x8000_0000 && r <= 0x7fff_ffff)) {
    x.before |= IE;
    return INTEGER_INDEFINITE;
  }
  if (r !== value) x.after |= PE;
  return r;
}

/** CVT(T)SS2SI and CVT(T)SD2SI. */
export function scalarToInteger(x: Simd, s: number, wide: boolean, truncate: boolean): number {
  x.begin();
  const rc = truncate ? 3 : rounding(x);
  const r = wide ? toInteger(x, x.f64[s >> 3], DOUBLE_LEAST, rc) : toInteger(x, x.f32[s >> 2], SINGLE_LEAST, rc);
  x.finish();
  return r | 0;
}

/** To 32-bit integers; `n` counts bytes of the result. */
const toIntegers =
  (from: 4 | 8, truncate: boolean): VectorOperation =>
  (x, d, s, n) => {
    x.begin();
    const rc = truncate ? 3 : rounding(x);
    for (let i = 0; i < n >> 2; i++) {
      const v = from === 4 ? x.f32[(s >> 2) + i] : x.f64[(s >> 3) + i];
      x.i32[(RESULT_BYTES >> 2) + i] = toInteger(x, v, from === 4 ? SINGLE_LEAST : DOUBLE_LEAST, rc);
    }
    x.finish();
    x.take(d, n);
  };

function integersToSingles(x: Simd, d: number, s: number, n: number): void {
  x.begin();
  const nearest = rounding(x) === 0;
  for (let i = 0; i < n; i += 4) {
    const v = x.i32[(s + i) >> 2];
    const r = Math.fround(v);
    if (r === v || nearest) {
      if (r !== v) x.after |= PE;
      x.f32[(RESULT_BYTES + i) >> 2] = r;
    } else setSingle(x, RESULT_BYTES + i, exactFromInteger(x, SINGLE, v));
  }
  x.finish();
  x.take(d, n);
}

/** Always exact. */
function integersToDoubles(x: Simd, d: number, s: number, n: number): void {
  for (let i = 0; i < n >> 3; i++) x.f64[(RESULT_BYTES >> 3) + i] = x.i32[(s >> 2) + i];
  x.take(d, n);
}

/** Exact but for NaNs and denormals. */
function singlesToDoubles(x: Simd, d: number, s: number, n: number): void {
  x.begin();
  for (let i = 0; i < n >> 3; i++) {
    const v = x.f32[(s >> 2) + i];
    const m = Math.abs(v);
    if (v === 0 || (m >= SINGLE_LEAST && m <= SINGLE_MOST)) x.f64[(RESULT_BYTES >> 3) + i] = v;
    else setDouble(x, RESULT_BYTES + 8 * i, exactConvert(x, SINGLE, DOUBLE, singleBits(x, s + 4 * i)));
  }
  x.finish();
  x.take(d, n);
}

/** `n` counts bytes of the result. */
function doublesToSingles(x: Simd, d: number, s: number, n: number): void {
  x.begin();
  const nearest = rounding(x) === 0;
  for (let i = 0; i < n >> 2; i++) {
    const v = x.f64[(s >> 3) + i];
    const r = Math.fround(v);
    const m = Math.abs(v);
    if (v === 0 || (m >= SINGLE_LEAST && Math.abs(r) <= SINGLE_MOST && (nearest || r === v))) {
      if (r !== v) x.after |= PE;
      x.f32[(RESULT_BYTES >> 2) + i] = r;
    } else setSingle(x, RESULT_BYTES + 4 * i, exactConvert(x, DOUBLE, SINGLE, doubleBits(x, s + 8 * i)));
  }
  x.finish();
  x.take(d, n);
}

/** Round a positive normal value to 12 significant bits: a relative error of at most 2^-12, within the manual's 1.5 * 2^-12. */
function twelveBits(v: number): number {
  const big = v * (2 ** 41 + 1);
  return big - (big - v);
}

/** RCP and RSQRT: the quotient or root, as double, rounded to 12 bits; never any exception. Denormals count as zeros. */
const approximate =
  (of: (v: number) => number): VectorOperation =>
  (x, d, s, n) => {
    for (let i = 0; i < n; i += 4) {
      const at = (RESULT_BYTES + i) >> 2;
      const bits = x.i32[(s + i) >> 2];
      const v = x.f32[(s + i) >> 2];
      if (Number.isNaN(v)) {
        x.i32[at] = bits | 0x40_0000;
        continue;
      }
      const r = of(Math.abs(v) < SINGLE_LEAST ? (bits < 0 ? -0 : 0) : v);
      if (Number.isNaN(r)) x.i32[at] = 0xffc0_0000 | 0;
      else if (Math.abs(r) < SINGLE_LEAST) x.i32[at] = bits & 0x8000_0000;
      else x.f32[at] = Number.isFinite(r) ? twelveBits(r) : r;
    }
    x.take(d, n);
  };

/** Conversions and approximations by name: "cvt" rounds as MXCSR says, "cvtt" to zero. */
export const convertOperations: Readonly<Record<string, VectorOperation>> = {
  "cvt.i32.f32": integersToSingles,
  "cvt.i32.f64": integersToDoubles,
  "cvt.f32.f64": singlesToDoubles,
  "cvt.f64.f32": doublesToSingles,
  "cvt.f32.i32": toIntegers(4, false),
  "cvtt.f32.i32": toIntegers(4, true),
  "cvt.f64.i32": toIntegers(8, false),
  "cvtt.f64.i32": toIntegers(8, true),
  "rcp.f32": approximate((v) => 1 / v),
  "rsqrt.f32": approximate((v) => (v === 0 ? 1 / v : 1 / Math.sqrt(v))),
};
