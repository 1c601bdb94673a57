// Integer vector operations, lane by lane on the state block. `d` and `s` are byte offsets, `n` the bytes worked on.
import { RESULT_BYTES, type Simd } from "./state.ts";

/** Operation `d` = `d` op `s`. */
export type VectorOperation = (x: Simd, d: number, s: number, n: number, imm: number) => void;

const clamp = (v: number, low: number, high: number): number => (v < low ? low : v > high ? high : v);

type Lane = (a: number, b: number) => number;

const u8 =
  (f: Lane): VectorOperation =>
  ({ u8: v }, d, s, n) => {
    for (let i = 0; i < n; i++) v[d + i] = f(v[d + i], v[s + i]);
  };
const i8 =
  (f: Lane): VectorOperation =>
  ({ i8: v }, d, s, n) => {
    for (let i = 0; i < n; i++) v[d + i] = f(v[d + i], v[s + i]);
  };
const u16 =
  (f: Lane): VectorOperation =>
  ({ u16: v }, d, s, n) => {
    for (let i = 0; i < n; i += 2) v[(d + i) >> 1] = f(v[(d + i) >> 1], v[(s + i) >> 1]);
  };
const i16 =
  (f: Lane): VectorOperation =>
  ({ i16: v }, d, s, n) => {
    for (let i = 0; i < n; i += 2) v[(d + i) >> 1] = f(v[(d + i) >> 1], v[(s + i) >> 1]);
  };
const i32 =
  (f: Lane): VectorOperation =>
  ({ i32: v }, d, s, n) => {
    for (let i = 0; i < n; i += 4) v[(d + i) >> 2] = f(v[(d + i) >> 2], v[(s + i) >> 2]);
  };

const add: Lane = (a, b) => a + b;
const sub: Lane = (a, b) => a - b;
const greater: Lane = (a, b) => (a > b ? -1 : 0);
const equal: Lane = (a, b) => (a === b ? -1 : 0);
const least: Lane = (a, b) => (a < b ? a : b);
const most: Lane = (a, b) => (a > b ? a : b);
const average: Lane = (a, b) => (a + b + 1) >> 1;
/** PSIGN: `a` with the sign of `b`. */
const signed: Lane = (a, b) => (b < 0 ? -a : b === 0 ? 0 : a);
const absolute: Lane = (_, b) => (b < 0 ? -b : b);

function addWide(x: Simd, d: number, s: number, n: number): void {
  const { u32 } = x;
  for (let i = 0; i < n; i += 8) {
    const a = (d + i) >> 2;
    const b = (s + i) >> 2;
    const low = u32[a] + u32[b];
    u32[a + 1] = u32[a + 1] + u32[b + 1] + (low > 0xffff_ffff ? 1 : 0);
    u32[a] = low;
  }
}

function subWide(x: Simd, d: number, s: number, n: number): void {
  const { u32 } = x;
  for (let i = 0; i < n; i += 8) {
    const a = (d + i) >> 2;
    const b = (s + i) >> 2;
    const low = u32[a] - u32[b];
    u32[a + 1] = u32[a + 1] - u32[b + 1] - (low < 0 ? 1 : 0);
    u32[a] = low;
  }
}

/** PMULUDQ: the even 32-bit lanes, multiplied to 64 bits. */
function multiplyWide(x: Simd, d: number, s: number, n: number): void {
  const { u32 } = x;
  for (let i = 0; i < n; i += 8) {
    const at = (d + i) >> 2;
    const a = u32[at];
    const b = u32[(s + i) >> 2];
    const low = (a & 0xffff) * (b & 0xffff);
    const mid = (a >>> 16) * (b & 0xffff) + Math.floor(low / 0x1_0000);
    const mid2 = (a & 0xffff) * (b >>> 16) + (mid % 0x1_0000);
    u32[at + 1] = (a >>> 16) * (b >>> 16) + Math.floor(mid / 0x1_0000) + Math.floor(mid2 / 0x1_0000);
    u32[at] = Math.imul(a, b);
  }
}

/** PMADDWD: products of signed words, summed in pairs. */
function multiplyAdd(x: Simd, d: number, s: number, n: number): void {
  const { i16: v, i32: out } = x;
  for (let i = 0; i < n; i += 4) {
    const a = (d + i) >> 1;
    const b = (s + i) >> 1;
    out[(d + i) >> 2] = v[a] * v[b] + v[a + 1] * v[b + 1];
  }
}

/** PMADDUBSW: unsigned bytes of `d` times signed bytes of `s`, summed in pairs with saturation. */
function multiplyAddBytes(x: Simd, d: number, s: number, n: number): void {
  const { u8: a, i8: b, i16: out } = x;
  for (let i = 0; i < n; i += 2) {
    const sum = a[d + i] * b[s + i] + a[d + i + 1] * b[s + i + 1];
    out[(d + i) >> 1] = clamp(sum, -0x8000, 0x7fff);
  }
}

/** PSADBW: sums of absolute differences of eight bytes. */
function absoluteDifferences(x: Simd, d: number, s: number, n: number): void {
  const { u8: v, i32: out } = x;
  for (let i = 0; i < n; i += 8) {
    let sum = 0;
    for (let j = i; j < i + 8; j++) sum += Math.abs(v[d + j] - v[s + j]);
    out[(d + i) >> 2] = sum;
    out[((d + i) >> 2) + 1] = 0;
  }
}

const bitwise =
  (f: Lane): VectorOperation =>
  ({ i32: v }, d, s, n) => {
    const a = d >> 2;
    const b = s >> 2;
    for (let i = 0; i < n >> 2; i++) v[a + i] = f(v[a + i], v[b + i]);
  };

/** A shift count of 64 bits at byte offset `s`, at most 255. */
function countAt(x: Simd, s: number): number {
  const { u32 } = x;
  return u32[(s >> 2) + 1] !== 0 || u32[s >> 2] > 255 ? 255 : u32[s >> 2];
}

type Shift = (x: Simd, d: number, n: number, count: number) => void;

const shift16 =
  (f: Lane, signedLanes: boolean): Shift =>
  (x, d, n, count) => {
    const v = signedLanes ? x.i16 : x.u16;
    const by = count > 15 ? (signedLanes ? 15 : -1) : count;
    for (let i = 0; i < n; i += 2) v[(d + i) >> 1] = by < 0 ? 0 : f(v[(d + i) >> 1], by);
  };
const shift32 =
  (f: Lane, arithmetic: boolean): Shift =>
  (x, d, n, count) => {
    const v = x.i32;
    const by = count > 31 ? (arithmetic ? 31 : -1) : count;
    for (let i = 0; i < n; i += 4) v[(d + i) >> 2] = by < 0 ? 0 : f(v[(d + i) >> 2], by);
  };

function shiftRight64(x: Simd, d: number, n: number, count: number): void {
  const { i32: v } = x;
  for (let at = d >> 2; at < (d + n) >> 2; at += 2) {
    const low = v[at];
    const high = v[at + 1];
    if (count > 63) v[at] = 0;
    else if (count > 31) v[at] = high >>> (count - 32);
    else if (count > 0) v[at] = (low >>> count) | (high << (32 - count));
    v[at + 1] = count > 31 ? 0 : high >>> count;
  }
}

function shiftLeft64(x: Simd, d: number, n: number, count: number): void {
  const { i32: v } = x;
  for (let at = d >> 2; at < (d + n) >> 2; at += 2) {
    const low = v[at];
    const high = v[at + 1];
    if (count > 63) v[at + 1] = 0;
    else if (count > 31) v[at + 1] = low << (count - 32);
    else if (count > 0) v[at + 1] = (high << count) | (low >>> (32 - count));
    v[at] = count > 31 ? 0 : low << count;
  }
}

/** PSRLDQ and PSLLDQ: whole bytes. */
function shiftBytes(x: Simd, d: number, n: number, by: number): void {
  const { u8: v } = x;
  for (let i = 0; i < n; i++) {
    const from = i + by;
    v[RESULT_BYTES + i] = from >= 0 && from < n ? v[d + from] : 0;
  }
  x.take(d, n);
}

const byCount =
  (shift: Shift): VectorOperation =>
  (x, d, s, n) =>
    shift(x, d, n, countAt(x, s));
const byImmediate =
  (shift: Shift): VectorOperation =>
  (x, d, _s, n, imm) =>
    shift(x, d, n, imm & 0xff);

const shifts: Readonly<Record<string, Shift>> = {
  "shl.i16": shift16((a, by) => a << by, false),
  "shr.i16": shift16((a, by) => a >>> by, false),
  "sar.i16": shift16((a, by) => a >> by, true),
  "shl.i32": shift32((a, by) => a << by, false),
  "shr.i32": shift32((a, by) => a >>> by, false),
  "sar.i32": shift32((a, by) => a >> by, true),
  "shl.i64": shiftLeft64,
  "shr.i64": shiftRight64,
};

/** PHADD and PHSUB: neighbours of `d`, then neighbours of `s`. */
const horizontal =
  (lane: 2 | 4, f: Lane): VectorOperation =>
  (x, d, s, n) => {
    const v = lane === 2 ? x.i16 : x.i32;
    const by = lane === 2 ? 1 : 2;
    const half = n >> (by + 1);
    for (let i = 0; i < half; i++) {
      v[(RESULT_BYTES >> by) + i] = f(v[(d >> by) + 2 * i], v[(d >> by) + 2 * i + 1]);
      v[(RESULT_BYTES >> by) + half + i] = f(v[(s >> by) + 2 * i], v[(s >> by) + 2 * i + 1]);
    }
    x.take(d, n);
  };

const saturate16: (f: Lane) => Lane = (f) => (a, b) => clamp(f(a, b), -0x8000, 0x7fff);

/** Integer operations by name. */
export const integerOperations: Readonly<Record<string, VectorOperation>> = {
  "add.i8": u8(add),
  "add.i16": u16(add),
  "add.i32": i32(add),
  "add.i64": addWide,
  "sub.i8": u8(sub),
  "sub.i16": u16(sub),
  "sub.i32": i32(sub),
  "sub.i64": subWide,
  "addsat.i8": i8((a, b) => clamp(a + b, -0x80, 0x7f)),
  "addsat.u8": u8((a, b) => clamp(a + b, 0, 0xff)),
  "addsat.i16": i16(saturate16(add)),
  "addsat.u16": u16((a, b) => clamp(a + b, 0, 0xffff)),
  "subsat.i8": i8((a, b) => clamp(a - b, -0x80, 0x7f)),
  "subsat.u8": u8((a, b) => clamp(a - b, 0, 0xff)),
  "subsat.i16": i16(saturate16(sub)),
  "subsat.u16": u16((a, b) => clamp(a - b, 0, 0xffff)),
  "mullo.i16": i16((a, b) => a * b),
  "mulhi.i16": i16((a, b) => (a * b) >> 16),
  "mulhi.u16": u16((a, b) => (a * b) / 0x1_0000),
  "mulround.i16": i16((a, b) => (((a * b) >> 14) + 1) >> 1),
  "mulwide.u32": multiplyWide,
  "muladd.i16": multiplyAdd,
  "muladd.u8i8": multiplyAddBytes,
  "sad.u8": absoluteDifferences,
  "avg.u8": u8(average),
  "avg.u16": u16(average),
  "min.u8": u8(least),
  "max.u8": u8(most),
  "min.i16": i16(least),
  "max.i16": i16(most),
  "eq.i8": u8(equal),
  "eq.i16": u16(equal),
  "eq.i32": i32(equal),
  "gt.i8": i8(greater),
  "gt.i16": i16(greater),
  "gt.i32": i32(greater),
  "and.v": bitwise((a, b) => a & b),
  "andnot.v": bitwise((a, b) => ~a & b),
  "or.v": bitwise((a, b) => a | b),
  "xor.v": bitwise((a, b) => a ^ b),
  "hadd.i16": horizontal(2, add),
  "hadd.i32": horizontal(4, add),
  "haddsat.i16": horizontal(2, saturate16(add)),
  "hsub.i16": horizontal(2, sub),
  "hsub.i32": horizontal(4, sub),
  "hsubsat.i16": horizontal(2, saturate16(sub)),
  "sign.i8": i8(signed),
  "sign.i16": i16(signed),
  "sign.i32": i32(signed),
  "abs.i8": i8(absolute),
  "abs.i16": i16(absolute),
  "abs.i32": i32(absolute),
  ...Object.fromEntries(Object.entries(shifts).map(([name, shift]) => [name, byCount(shift)])),
  ...Object.fromEntries(Object.entries(shifts).map(([name, shift]) => [`imm-${name}`, byImmediate(shift)])),
  "imm-shr.v": (x, d, _s, n, imm) => shiftBytes(x, d, n, imm & 0xff),
  "imm-shl.v": (x, d, _s, n, imm) => shiftBytes(x, d, n, -(imm & 0xff)),
};
