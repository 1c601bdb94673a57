// Integer vector instructions of MMX, SSE, SSE2 and SSSE3: arithmetic, logic, shifts, packing and shuffling.
import { NEEDS_MMX, NEEDS_SSE, NEEDS_SSE2, NEEDS_SSSE3 } from "../../state.ts";
import type { Row } from "../forms.ts";
import { constant } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { row } from "./row.ts";
import { both, imm, mmxBinary, simd, sourceXmm, xmmBinary } from "./simd.ts";

/** Shifts by an immediate: 0F 71 to 73. */
function shifts(name: string, code: string, op: string): Row[] {
  return [
    row(
      name,
      `np 0f ${code}`,
      "Nq Ib",
      (m) => {
        m.call("checkMmx");
        m.vec(`imm-${op}`, m.vreg(0), m.vreg(0), 8, imm);
        m.call("wroteMmx", m.vreg(0));
      },
      simd(NEEDS_MMX, `imm-${op}`),
    ),
    row(name, `66 0f ${code}`, "Ho Ib", shiftImmediate(op), simd(NEEDS_SSE2, `imm-${op}`)),
  ];
}

const shiftImmediate = (op: string) => (m: Sem) => {
  m.call("checkSse");
  m.vec(`imm-${op}`, m.vreg(0), m.vreg(0), 16, imm);
};

/** Unpacking the low half: MMX reads 32 bits of memory. */
function unpackLow(name: string, code: string, op: string): Row[] {
  return [
    row(name, `np 0f ${code}`, "Pq Qd", mmxBinary(op, 4), simd(NEEDS_MMX, op)),
    row(name, `66 0f ${code}`, "Vo Wo", xmmBinary(op), simd(NEEDS_SSE2, op)),
  ];
}

const pextrwMmx = (m: Sem) => {
  m.call("checkMmx");
  m.set(0, m.call("extractWord", m.vreg(1), imm, constant(8)));
  m.call("enterMmx");
};
const pextrwXmm = (m: Sem) => {
  m.call("checkSse");
  m.set(0, m.call("extractWord", m.vreg(1), imm, constant(16)));
};
const word = (m: Sem) => (m.isMemory(1) ? m.load(16, m.address()) : m.get(1));
const pinsrwMmx = (m: Sem) => {
  m.call("checkMmx");
  const v = word(m);
  m.call("insertWord", m.vreg(0), v, imm, constant(8));
  m.call("wroteMmx", m.vreg(0));
};
const pinsrwXmm = (m: Sem) => {
  m.call("checkSse");
  m.call("insertWord", m.vreg(0), word(m), imm, constant(16));
};
const pmovmskbMmx = (m: Sem) => {
  m.call("checkMmx");
  m.set(0, m.call("signMask", m.vreg(1), constant(8), constant(1)));
  m.call("enterMmx");
};
const pmovmskbXmm = (m: Sem) => {
  m.call("checkSse");
  m.set(0, m.call("signMask", sourceXmm(m, 1, 16, true), constant(16), constant(1)));
};

const ssse3 = (name: string, code: string, op: string) => both(name, `38 ${code}`, op, NEEDS_SSSE3, NEEDS_SSSE3);
const late = (name: string, code: string, op: string) => both(name, code, op, NEEDS_SSE);
const wide = (name: string, code: string, op: string) => both(name, code, op, NEEDS_SSE2);
const shuffle = (name: string, code: string, op: string) =>
  row(name, code, "Vo Wo Ib", xmmBinary(op), simd(NEEDS_SSE2, op));

export const simdIntegerTable: readonly Row[] = [
  ...unpackLow("punpcklbw", "60", "unpacklo.i8"),
  ...unpackLow("punpcklwd", "61", "unpacklo.i16"),
  ...unpackLow("punpckldq", "62", "unpacklo.i32"),
  ...both("packsswb", "63", "pack.i16i8"),
  ...both("pcmpgtb", "64", "gt.i8"),
  ...both("pcmpgtw", "65", "gt.i16"),
  ...both("pcmpgtd", "66", "gt.i32"),
  ...both("packuswb", "67", "pack.i16u8"),
  ...both("punpckhbw", "68", "unpackhi.i8"),
  ...both("punpckhwd", "69", "unpackhi.i16"),
  ...both("punpckhdq", "6a", "unpackhi.i32"),
  ...both("packssdw", "6b", "pack.i32i16"),
  row("punpcklqdq", "66 0f 6c", "Vo Wo", xmmBinary("unpacklo.i64"), simd(NEEDS_SSE2, "unpacklo.i64")),
  row("punpckhqdq", "66 0f 6d", "Vo Wo", xmmBinary("unpackhi.i64"), simd(NEEDS_SSE2, "unpackhi.i64")),
  row("pshufw", "np 0f 70", "Pq Qq Ib", mmxBinary("shuflo.i16"), simd(NEEDS_SSE, "shuflo.i16")),
  shuffle("pshufd", "66 0f 70", "shuf.i32"),
  shuffle("pshufhw", "f3 0f 70", "shufhi.i16"),
  shuffle("pshuflw", "f2 0f 70", "shuflo.i16"),
  ...shifts("psrlw", "71 /2", "shr.i16"),
  ...shifts("psraw", "71 /4", "sar.i16"),
  ...shifts("psllw", "71 /6", "shl.i16"),
  ...shifts("psrld", "72 /2", "shr.i32"),
  ...shifts("psrad", "72 /4", "sar.i32"),
  ...shifts("pslld", "72 /6", "shl.i32"),
  ...shifts("psrlq", "73 /2", "shr.i64"),
  ...shifts("psllq", "73 /6", "shl.i64"),
  row("psrldq", "66 0f 73 /3", "Ho Ib", shiftImmediate("shr.v"), simd(NEEDS_SSE2, "imm-shr.v")),
  row("pslldq", "66 0f 73 /7", "Ho Ib", shiftImmediate("shl.v"), simd(NEEDS_SSE2, "imm-shl.v")),
  ...both("pcmpeqb", "74", "eq.i8"),
  ...both("pcmpeqw", "75", "eq.i16"),
  ...both("pcmpeqd", "76", "eq.i32"),
  row("pinsrw", "np 0f c4", "Pq Ud Ib", pinsrwMmx, simd(NEEDS_SSE, "insert.i16")),
  row("pinsrw", "66 0f c4", "Vo Ud Ib", pinsrwXmm, simd(NEEDS_SSE2, "insert.i16")),
  row("pextrw", "np 0f c5", "Gd Nq Ib", pextrwMmx, simd(NEEDS_SSE, "extract.i16")),
  row("pextrw", "66 0f c5", "Gd Ho Ib", pextrwXmm, simd(NEEDS_SSE2, "extract.i16")),
  ...both("psrlw", "d1", "shr.i16"),
  ...both("psrld", "d2", "shr.i32"),
  ...both("psrlq", "d3", "shr.i64"),
  ...wide("paddq", "d4", "add.i64"),
  ...both("pmullw", "d5", "mullo.i16"),
  row("pmovmskb", "np 0f d7", "Gd Nq", pmovmskbMmx, simd(NEEDS_SSE, "mask.i8")),
  row("pmovmskb", "66 0f d7", "Gd Ho", pmovmskbXmm, simd(NEEDS_SSE2, "mask.i8")),
  ...both("psubusb", "d8", "subsat.u8"),
  ...both("psubusw", "d9", "subsat.u16"),
  ...late("pminub", "da", "min.u8"),
  ...both("pand", "db", "and.v"),
  ...both("paddusb", "dc", "addsat.u8"),
  ...both("paddusw", "dd", "addsat.u16"),
  ...late("pmaxub", "de", "max.u8"),
  ...both("pandn", "df", "andnot.v"),
  ...late("pavgb", "e0", "avg.u8"),
  ...both("psraw", "e1", "sar.i16"),
  ...both("psrad", "e2", "sar.i32"),
  ...late("pavgw", "e3", "avg.u16"),
  ...late("pmulhuw", "e4", "mulhi.u16"),
  ...both("pmulhw", "e5", "mulhi.i16"),
  ...both("psubsb", "e8", "subsat.i8"),
  ...both("psubsw", "e9", "subsat.i16"),
  ...late("pminsw", "ea", "min.i16"),
  ...both("por", "eb", "or.v"),
  ...both("paddsb", "ec", "addsat.i8"),
  ...both("paddsw", "ed", "addsat.i16"),
  ...late("pmaxsw", "ee", "max.i16"),
  ...both("pxor", "ef", "xor.v"),
  ...both("psllw", "f1", "shl.i16"),
  ...both("pslld", "f2", "shl.i32"),
  ...both("psllq", "f3", "shl.i64"),
  ...wide("pmuludq", "f4", "mulwide.u32"),
  ...both("pmaddwd", "f5", "muladd.i16"),
  ...late("psadbw", "f6", "sad.u8"),
  ...both("psubb", "f8", "sub.i8"),
  ...both("psubw", "f9", "sub.i16"),
  ...both("psubd", "fa", "sub.i32"),
  ...wide("psubq", "fb", "sub.i64"),
  ...both("paddb", "fc", "add.i8"),
  ...both("paddw", "fd", "add.i16"),
  ...both("paddd", "fe", "add.i32"),
  ...ssse3("pshufb", "00", "shuf.i8"),
  ...ssse3("phaddw", "01", "hadd.i16"),
  ...ssse3("phaddd", "02", "hadd.i32"),
  ...ssse3("phaddsw", "03", "haddsat.i16"),
  ...ssse3("pmaddubsw", "04", "muladd.u8i8"),
  ...ssse3("phsubw", "05", "hsub.i16"),
  ...ssse3("phsubd", "06", "hsub.i32"),
  ...ssse3("phsubsw", "07", "hsubsat.i16"),
  ...ssse3("psignb", "08", "sign.i8"),
  ...ssse3("psignw", "09", "sign.i16"),
  ...ssse3("psignd", "0a", "sign.i32"),
  ...ssse3("pmulhrsw", "0b", "mulround.i16"),
  ...ssse3("pabsb", "1c", "abs.i8"),
  ...ssse3("pabsw", "1d", "abs.i16"),
  ...ssse3("pabsd", "1e", "abs.i32"),
  row("palignr", "np 0f 3a 0f", "Pq Qq Ib", mmxBinary("align.v"), simd(NEEDS_SSSE3, "align.v")),
  row("palignr", "66 0f 3a 0f", "Vo Wo Ib", xmmBinary("align.v"), simd(NEEDS_SSSE3, "align.v")),
];
