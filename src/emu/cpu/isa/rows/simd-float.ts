// Floating-point vector instructions of SSE, SSE2 and SSE3: arithmetic, comparison, conversion. One opcode has up to four
// rows: packed and scalar, singles and doubles, told apart by prefixes.
import { CF, PF, ZF } from "../../flags.ts";
import { NEEDS_SSE, NEEDS_SSE2, NEEDS_SSE3 } from "../../state.ts";
import type { Row } from "../forms.ts";
import { constant, type VectorBytes } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { ALL, row } from "./row.ts";
import { MEMORY, simd, sourceMmx, sourceXmm, xmmBinary } from "./simd.ts";

/** PS, PD, SS and SD of one operation. */
function four(name: string, code: string, op: string, more = ""): Row[] {
  return [...singles(name, code, op, more), ...doubles(name, code, op, more)];
}

function singles(name: string, code: string, op: string, more = ""): Row[] {
  return [
    row(`${name}ps`, `np 0f ${code}`, `Vo Wo${more}`, xmmBinary(`${op}.f32`), simd(NEEDS_SSE, `${op}.f32`)),
    row(`${name}ss`, `f3 0f ${code}`, `Vo Wd${more}`, xmmBinary(`${op}.f32`, 4), simd(NEEDS_SSE, `${op}.f32`)),
  ];
}

function doubles(name: string, code: string, op: string, more = ""): Row[] {
  return [
    row(`${name}pd`, `66 0f ${code}`, `Vo Wo${more}`, xmmBinary(`${op}.f64`), simd(NEEDS_SSE2, `${op}.f64`)),
    row(`${name}sd`, `f2 0f ${code}`, `Vo Wq${more}`, xmmBinary(`${op}.f64`, 8), simd(NEEDS_SSE2, `${op}.f64`)),
  ];
}

/** Bitwise operations have no lanes: ps and pd are one operation. */
function bitwise(name: string, code: string, op: string): Row[] {
  return [
    row(`${name}ps`, `np 0f ${code}`, "Vo Wo", xmmBinary(op), simd(NEEDS_SSE, op)),
    row(`${name}pd`, `66 0f ${code}`, "Vo Wo", xmmBinary(op), simd(NEEDS_SSE2, op)),
  ];
}

/** SSE3: pd by 66, ps by F2. */
function sse3(name: string, code: string, op: string): Row[] {
  return [
    row(`${name}pd`, `66 0f ${code}`, "Vo Wo", xmmBinary(`${op}.f64`), simd(NEEDS_SSE3, `${op}.f64`)),
    row(`${name}ps`, `f2 0f ${code}`, "Vo Wo", xmmBinary(`${op}.f32`), simd(NEEDS_SSE3, `${op}.f32`)),
  ];
}

/** COMIS and UCOMIS: EFLAGS from two lanes. */
const compareFlags = (width: 4 | 8, anyNaN: boolean) => (m: Sem) => {
  m.call("checkSse");
  const s = sourceXmm(m, 1, width, false);
  const v = m.call("compareFlags", m.vreg(0), s, constant(width), constant(anyNaN ? 1 : 0));
  m.flagBits(0x8d5 | ZF | PF | CF, v);
};

/** XMM to XMM: `bytes` of result, the rest of the register cleared when `clear`. */
const convert =
  (op: string, bytes: VectorBytes, load: VectorBytes, clear = false) =>
  (m: Sem) => {
    m.call("checkSse");
    m.vec(op, m.vreg(0), sourceXmm(m, 1, load, load === 16), bytes);
    if (clear) m.vec("zerohigh.v", m.vreg(0), m.vreg(0), 16);
  };

/** A general register or memory to one lane. */
const fromGeneral = (op: string, bytes: VectorBytes) => (m: Sem) => {
  m.call("checkSse");
  if (m.isMemory(1)) m.vload(4, MEMORY);
  else m.call("fromGeneral", MEMORY, m.get(1));
  m.vec(op, m.vreg(0), MEMORY, bytes);
};

const toGeneral = (width: 4 | 8, truncate: boolean) => (m: Sem) => {
  m.call("checkSse");
  const s = sourceXmm(m, 1, width, false);
  m.set(0, m.call("scalarToInteger", s, constant(width), constant(truncate ? 1 : 0)));
};

/**
 * CVTPI2PS, CVTPI2PD: an MMX register or memory to lanes. A memory operand of CVTPI2PD leaves the x87 alone (so the manual;
 * AMD's processors leave it alone in both).
 */
const fromMmx = (op: string, bytes: VectorBytes, always: boolean) => (m: Sem) => {
  m.call("checkSse");
  const x87 = always || !m.isMemory(1);
  if (x87) m.call("checkMmx");
  const s = sourceMmx(m, 1);
  // The x87's state is left behind also when #XM follows (measured).
  if (x87) m.call("enterMmx");
  m.vec(op, m.vreg(0), s, bytes);
};

/** XMM to MMX: the x87 has become MMX when a floating-point exception is raised. */
const toMmx = (op: string, load: VectorBytes) => (m: Sem) => {
  m.call("checkSse");
  m.call("checkMmx");
  const s = sourceXmm(m, 1, load, load === 16);
  m.call("enterMmx");
  m.vec(op, m.vreg(0), s, 8);
  m.call("wroteMmx", m.vreg(0));
};

const FLAGS = { w: ALL } as const;
const cvt = (name: string, code: string, operands: string, sem: (m: Sem) => void, needs: number, op: string): Row =>
  row(name, code, operands, sem, simd(needs, op));

export const simdFloatTable: readonly Row[] = [
  cvt("cvtpi2ps", "np 0f 2a", "Vo Qq", fromMmx("cvt.i32.f32", 8, true), NEEDS_SSE, "cvt.i32.f32"),
  cvt("cvtpi2pd", "66 0f 2a", "Vo Qq", fromMmx("cvt.i32.f64", 16, false), NEEDS_SSE2, "cvt.i32.f64"),
  cvt("cvtsi2ss", "f3 0f 2a", "Vo Ed", fromGeneral("cvt.i32.f32", 4), NEEDS_SSE, "cvt.i32.f32"),
  cvt("cvtsi2sd", "f2 0f 2a", "Vo Ed", fromGeneral("cvt.i32.f64", 8), NEEDS_SSE2, "cvt.i32.f64"),
  cvt("cvttps2pi", "np 0f 2c", "Pq Wq", toMmx("cvtt.f32.i32", 8), NEEDS_SSE, "cvtt.f32.i32"),
  cvt("cvttpd2pi", "66 0f 2c", "Pq Wo", toMmx("cvtt.f64.i32", 16), NEEDS_SSE2, "cvtt.f64.i32"),
  cvt("cvttss2si", "f3 0f 2c", "Gd Wd", toGeneral(4, true), NEEDS_SSE, "cvtt.f32.i32"),
  cvt("cvttsd2si", "f2 0f 2c", "Gd Wq", toGeneral(8, true), NEEDS_SSE2, "cvtt.f64.i32"),
  cvt("cvtps2pi", "np 0f 2d", "Pq Wq", toMmx("cvt.f32.i32", 8), NEEDS_SSE, "cvt.f32.i32"),
  cvt("cvtpd2pi", "66 0f 2d", "Pq Wo", toMmx("cvt.f64.i32", 16), NEEDS_SSE2, "cvt.f64.i32"),
  cvt("cvtss2si", "f3 0f 2d", "Gd Wd", toGeneral(4, false), NEEDS_SSE, "cvt.f32.i32"),
  cvt("cvtsd2si", "f2 0f 2d", "Gd Wq", toGeneral(8, false), NEEDS_SSE2, "cvt.f64.i32"),
  row("ucomiss", "np 0f 2e", "Vo Wd", compareFlags(4, false), simd(NEEDS_SSE, "ucomi.f32", FLAGS)),
  row("ucomisd", "66 0f 2e", "Vo Wq", compareFlags(8, false), simd(NEEDS_SSE2, "ucomi.f64", FLAGS)),
  row("comiss", "np 0f 2f", "Vo Wd", compareFlags(4, true), simd(NEEDS_SSE, "comi.f32", FLAGS)),
  row("comisd", "66 0f 2f", "Vo Wq", compareFlags(8, true), simd(NEEDS_SSE2, "comi.f64", FLAGS)),
  ...four("sqrt", "51", "sqrt"),
  ...singles("rsqrt", "52", "rsqrt"),
  ...singles("rcp", "53", "rcp"),
  ...bitwise("and", "54", "and.v"),
  ...bitwise("andn", "55", "andnot.v"),
  ...bitwise("or", "56", "or.v"),
  ...bitwise("xor", "57", "xor.v"),
  ...four("add", "58", "add"),
  ...four("mul", "59", "mul"),
  cvt("cvtps2pd", "np 0f 5a", "Vo Wq", convert("cvt.f32.f64", 16, 8), NEEDS_SSE2, "cvt.f32.f64"),
  cvt("cvtpd2ps", "66 0f 5a", "Vo Wo", convert("cvt.f64.f32", 8, 16, true), NEEDS_SSE2, "cvt.f64.f32"),
  cvt("cvtss2sd", "f3 0f 5a", "Vo Wd", convert("cvt.f32.f64", 8, 4), NEEDS_SSE2, "cvt.f32.f64"),
  cvt("cvtsd2ss", "f2 0f 5a", "Vo Wq", convert("cvt.f64.f32", 4, 8), NEEDS_SSE2, "cvt.f64.f32"),
  cvt("cvtdq2ps", "np 0f 5b", "Vo Wo", convert("cvt.i32.f32", 16, 16), NEEDS_SSE2, "cvt.i32.f32"),
  cvt("cvtps2dq", "66 0f 5b", "Vo Wo", convert("cvt.f32.i32", 16, 16), NEEDS_SSE2, "cvt.f32.i32"),
  cvt("cvttps2dq", "f3 0f 5b", "Vo Wo", convert("cvtt.f32.i32", 16, 16), NEEDS_SSE2, "cvtt.f32.i32"),
  ...four("sub", "5c", "sub"),
  ...four("min", "5d", "min"),
  ...four("div", "5e", "div"),
  ...four("max", "5f", "max"),
  ...sse3("hadd", "7c", "hadd"),
  ...sse3("hsub", "7d", "hsub"),
  ...four("cmp", "c2", "cmp", " Ib"),
  ...sse3("addsub", "d0", "addsub"),
  cvt("cvttpd2dq", "66 0f e6", "Vo Wo", convert("cvtt.f64.i32", 8, 16, true), NEEDS_SSE2, "cvtt.f64.i32"),
  cvt("cvtdq2pd", "f3 0f e6", "Vo Wq", convert("cvt.i32.f64", 16, 8), NEEDS_SSE2, "cvt.i32.f64"),
  cvt("cvtpd2dq", "f2 0f e6", "Vo Wo", convert("cvt.f64.i32", 8, 16, true), NEEDS_SSE2, "cvt.f64.i32"),
];
