// Comparing SSE lanes: CMPcc, MIN, MAX, COMIS, UCOMIS. NaNs are found by comparing, so no payload passes through a double.
import { CF, PF, ZF } from "../flags.ts";
import { DE, IE } from "./exact.ts";
import type { VectorOperation } from "./integer.ts";
import { MXCSR_DAZ, RESULT_BYTES, type Simd } from "./state.ts";

const LEAST = { 4: 2 ** -126, 8: 2 ** -1022 } as const;

/** What order() answers besides -1, 0 and 1. */
const UNORDERED = 2;

type Width = 4 | 8;

function valueAt(x: Simd, at: number, width: Width): number {
  return width === 4 ? x.f32[at >> 2] : x.f64[at >> 3];
}

function isDenormal(v: number, width: Width): boolean {
  return v !== 0 && Math.abs(v) < LEAST[width];
}

function isSignalling(x: Simd, at: number, width: Width): boolean {
  if (!Number.isNaN(valueAt(x, at, width))) return false;
  return width === 4 ? (x.i32[at >> 2] & 0x40_0000) === 0 : (x.i32[(at >> 2) + 1] & 0x8_0000) === 0;
}

/**
 * Compare the lanes at a and b, noting exceptions. `anyNaN`: a quiet NaN is invalid too.
 * @returns -1, 0, 1 or UNORDERED
 */
function order(x: Simd, a: number, b: number, width: Width, anyNaN: boolean): number {
  let p = valueAt(x, a, width);
  let q = valueAt(x, b, width);
  if (Number.isNaN(p) || Number.isNaN(q)) {
    if (anyNaN || isSignalling(x, a, width) || isSignalling(x, b, width)) x.before |= IE;
    return UNORDERED;
  }
  if (isDenormal(p, width) || isDenormal(q, width)) {
    if (x.mxcsr & MXCSR_DAZ) {
      if (isDenormal(p, width)) p = 0;
      if (isDenormal(q, width)) q = 0;
    } else x.before |= DE;
  }
  return p < q ? -1 : p > q ? 1 : 0;
}

/** Predicates 0 to 3 of CMPcc; 4 to 7 are their opposites. */
function holds(predicate: number, found: number): boolean {
  switch (predicate & 3) {
    case 0:
      return found === 0;
    case 1:
      return found === -1;
    case 2:
      return found === -1 || found === 0;
    default:
      return found === UNORDERED;
  }
}

/** CMPPS, CMPPD, CMPSS, CMPSD: all ones where the predicate holds. */
const compare =
  (width: Width): VectorOperation =>
  (x, d, s, n, imm) => {
    x.begin();
    const predicate = imm & 7;
    const anyNaN = (predicate & 3) === 1 || (predicate & 3) === 2;
    for (let i = 0; i < n; i += width) {
      const yes = holds(predicate, order(x, d + i, s + i, width, anyNaN)) !== predicate > 3;
      const at = (RESULT_BYTES + i) >> 2;
      x.i32[at] = yes ? -1 : 0;
      if (width === 8) x.i32[at + 1] = yes ? -1 : 0;
    }
    x.finish();
    x.take(d, n);
  };

/** MIN (wanted -1) and MAX (wanted 1): `d` when it is on that side, else `s`; so NaNs and equal zeros give `s`. */
const choose =
  (width: Width, wanted: -1 | 1): VectorOperation =>
  (x, d, s, n) => {
    x.begin();
    const { i32 } = x;
    for (let i = 0; i < n; i += width) {
      const chosen = order(x, d + i, s + i, width, true) === wanted ? d + i : s + i;
      const to = (RESULT_BYTES + i) >> 2;
      const from = chosen >> 2;
      const flushed = (x.mxcsr & MXCSR_DAZ) !== 0 && isDenormal(valueAt(x, chosen, width), width);
      if (width === 8) i32[to] = flushed ? 0 : i32[from];
      const top = width === 8 ? 1 : 0;
      i32[to + top] = flushed ? i32[from + top] & 0x8000_0000 : i32[from + top];
    }
    x.finish();
    x.take(d, n);
  };

/** COMIS (`anyNaN`) and UCOMIS: ZF, PF and CF as EFLAGS bits. */
export function compareFlags(x: Simd, d: number, s: number, width: Width, anyNaN: boolean): number {
  x.begin();
  const found = order(x, d, s, width, anyNaN);
  x.finish();
  return found === UNORDERED ? ZF | PF | CF : found === 0 ? ZF : found < 0 ? CF : 0;
}

/** Comparisons by name. */
export const compareOperations: Readonly<Record<string, VectorOperation>> = {
  "cmp.f32": compare(4),
  "cmp.f64": compare(8),
  "min.f32": choose(4, -1),
  "min.f64": choose(8, -1),
  "max.f32": choose(4, 1),
  "max.f64": choose(8, 1),
};
