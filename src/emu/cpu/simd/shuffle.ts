// Moves between lanes: copies, shuffles, unpacking and packing with saturation.
import type { VectorOperation } from "./integer.ts";
import { RESULT_BYTES, type Simd } from "./state.ts";

/** PUNPCKL, PUNPCKH, UNPCKLP, UNPCKHP: lanes of one half of `d` and `s`, alternating. */
const unpack =
  (lane: number, high: boolean): VectorOperation =>
  ({ u8, i32 }, d, s, n) => {
    const from = high ? n >> 1 : 0;
    for (let i = 0; i < n >> 1; i += lane) {
      for (let b = 0; b < lane; b++) {
        u8[RESULT_BYTES + 2 * i + b] = u8[d + from + i + b];
        u8[RESULT_BYTES + 2 * i + lane + b] = u8[s + from + i + b];
      }
    }
    for (let i = 0; i < n; i += 4) i32[(d + i) >> 2] = i32[(RESULT_BYTES + i) >> 2];
  };

/** PACKSS and PACKUS: lanes of `d`, then of `s`, at half their width. */
const pack =
  (lane: 2 | 4, low: number, high: number): VectorOperation =>
  (x, d, s, n) => {
    const source = lane === 2 ? x.i16 : x.i32;
    const target = lane === 2 ? x.i8 : x.i16;
    const by = lane === 2 ? 1 : 2;
    const lanes = n >> by;
    const out = RESULT_BYTES >> (by - 1);
    for (let i = 0; i < 2 * lanes; i++) {
      const v = source[((i < lanes ? d : s) >> by) + (i % lanes)];
      target[out + i] = v < low ? low : v > high ? high : v;
    }
    x.take(d, n);
  };

/** Two bits of the immediate for each lane of the result. */
function select(x: Simd, d: number, s: number, n: number, imm: number): void {
  const { i32 } = x;
  for (let i = 0; i < n >> 2; i++) i32[(RESULT_BYTES >> 2) + i] = i32[(s >> 2) + ((imm >> (2 * i)) & 3)];
  x.take(d, n);
}

/** PSHUFW, PSHUFLW, PSHUFHW: four words at byte `at` of the source; the rest is copied. */
const selectWords =
  (at: number): VectorOperation =>
  (x, d, s, n, imm) => {
    const { i16 } = x;
    for (let i = 0; i < n >> 1; i++) i16[(RESULT_BYTES >> 1) + i] = i16[(s >> 1) + i];
    const from = at >> 1;
    for (let i = 0; i < 4; i++) {
      i16[(RESULT_BYTES >> 1) + from + i] = i16[(s >> 1) + from + ((imm >> (2 * i)) & 3)];
    }
    x.take(d, n);
  };

/** SHUFPS: two lanes of `d`, two of `s`. */
function selectSingles(x: Simd, d: number, s: number, n: number, imm: number): void {
  const { i32 } = x;
  for (let i = 0; i < 4; i++) {
    i32[(RESULT_BYTES >> 2) + i] = i32[((i < 2 ? d : s) >> 2) + ((imm >> (2 * i)) & 3)];
  }
  x.take(d, n);
}

/** SHUFPD. */
function selectDoubles(x: Simd, d: number, s: number, n: number, imm: number): void {
  const { i32 } = x;
  for (let i = 0; i < 2; i++) {
    const from = ((i === 0 ? d : s) >> 2) + 2 * ((imm >> i) & 1);
    i32[(RESULT_BYTES >> 2) + 2 * i] = i32[from];
    i32[(RESULT_BYTES >> 2) + 2 * i + 1] = i32[from + 1];
  }
  x.take(d, n);
}

/** PSHUFB: bytes of `d` chosen by `s`. */
function selectBytes(x: Simd, d: number, s: number, n: number): void {
  const { u8 } = x;
  for (let i = 0; i < n; i++) {
    const at = u8[s + i];
    u8[RESULT_BYTES + i] = at & 0x80 ? 0 : u8[d + (at & (n - 1))];
  }
  x.take(d, n);
}

/** PALIGNR: bytes of d:s from the immediate on. */
function align(x: Simd, d: number, s: number, n: number, imm: number): void {
  const { u8 } = x;
  for (let i = 0; i < n; i++) {
    const at = i + (imm & 0xff);
    u8[RESULT_BYTES + i] = at < n ? u8[s + at] : at < 2 * n ? u8[d + at - n] : 0;
  }
  x.take(d, n);
}

/** MOVSLDUP (0) and MOVSHDUP (1). */
const duplicate =
  (odd: 0 | 1): VectorOperation =>
  ({ i32 }, d, s) => {
    const a = i32[(s >> 2) + odd];
    const b = i32[(s >> 2) + 2 + odd];
    const to = d >> 2;
    i32[to] = a;
    i32[to + 1] = a;
    i32[to + 2] = b;
    i32[to + 3] = b;
  };

function move({ i32 }: Simd, d: number, s: number, n: number): void {
  const to = d >> 2;
  const from = s >> 2;
  for (let i = 0; i < n >> 2; i++) i32[to + i] = i32[from + i];
}

/** Lane moves by name. */
export const shuffleOperations: Readonly<Record<string, VectorOperation>> = {
  "mov.v": move,
  /** MOVQ: the low half, zero above it. */
  "movz.i64": (x, d, s) => {
    move(x, d, s, 8);
    x.i32[(d >> 2) + 2] = 0;
    x.i32[(d >> 2) + 3] = 0;
  },
  /** Clear the upper half of `d`. */
  "zerohigh.v": ({ i32 }, d) => {
    i32[(d >> 2) + 2] = 0;
    i32[(d >> 2) + 3] = 0;
  },
  "unpacklo.i8": unpack(1, false),
  "unpacklo.i16": unpack(2, false),
  "unpacklo.i32": unpack(4, false),
  "unpacklo.i64": unpack(8, false),
  "unpackhi.i8": unpack(1, true),
  "unpackhi.i16": unpack(2, true),
  "unpackhi.i32": unpack(4, true),
  "unpackhi.i64": unpack(8, true),
  "pack.i16i8": pack(2, -0x80, 0x7f),
  "pack.i16u8": pack(2, 0, 0xff),
  "pack.i32i16": pack(4, -0x8000, 0x7fff),
  "shuf.i32": select,
  "shuflo.i16": selectWords(0),
  "shufhi.i16": selectWords(8),
  "shuf2.f32": selectSingles,
  "shuf2.f64": selectDoubles,
  "shuf.i8": selectBytes,
  "align.v": align,
  "dupeven.f32": duplicate(0),
  "dupodd.f32": duplicate(1),
  "dup.f64": (x, d, s) => {
    move(x, d, s, 8);
    move(x, d + 8, d, 8);
  },
};
