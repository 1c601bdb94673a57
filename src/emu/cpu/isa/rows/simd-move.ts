// Moves of MMX and XMM registers, stores that bypass caches, prefetches, fences, MXCSR, EMMS, MONITOR and MWAIT.
import {
  ECX,
  EDI,
  NEEDS_CLFLUSH,
  NEEDS_MMX,
  NEEDS_MONITOR,
  NEEDS_SSE,
  NEEDS_SSE2,
  NEEDS_SSE3,
  STATE_MXCSR,
} from "../../state.ts";
import type { Row } from "../forms.ts";
import { add, constant, type Expr, type VectorBytes } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { row } from "./row.ts";
import { simd, sourceMmx, sourceXmm, xmmBinary } from "./simd.ts";

const high = (place: Expr): Expr => add(place, constant(8));

/** Register to register or memory, whichever operand is which. */
const move = (bytes: VectorBytes, aligned: boolean) => (m: Sem) => {
  m.call("checkSse");
  if (m.isMemory(0)) m.vstore(bytes, m.vreg(1), aligned);
  else if (m.isMemory(1)) m.vload(bytes, m.vreg(0), { aligned, wide: bytes < 16 });
  else m.vec("mov.v", m.vreg(0), m.vreg(1), bytes);
};

/** MOVQ: 8 bytes, zeros above them in a register. */
function movqXmm(m: Sem): void {
  m.call("checkSse");
  if (m.isMemory(0)) m.vstore(8, m.vreg(1));
  else if (m.isMemory(1)) m.vload(8, m.vreg(0), { wide: true });
  else m.vec("movz.i64", m.vreg(0), m.vreg(1), 16);
}

function movqMmx(m: Sem): void {
  m.call("checkMmx");
  if (m.isMemory(0)) {
    m.vstore(8, m.vreg(1));
    m.call("enterMmx");
    return;
  }
  if (m.isMemory(1)) m.vload(8, m.vreg(0));
  else m.vec("mov.v", m.vreg(0), m.vreg(1), 8);
  m.call("wroteMmx", m.vreg(0));
}

function movdToMmx(m: Sem): void {
  m.call("checkMmx");
  if (m.isMemory(1)) m.vload(4, m.vreg(0), { wide: true });
  else m.call("fromGeneral", m.vreg(0), m.get(1));
  m.call("wroteMmx", m.vreg(0));
}

function movdToXmm(m: Sem): void {
  m.call("checkSse");
  if (m.isMemory(1)) m.vload(4, m.vreg(0), { wide: true });
  else m.call("fromGeneral", m.vreg(0), m.get(1));
}

function movdFromMmx(m: Sem): void {
  m.call("checkMmx");
  if (m.isMemory(0)) m.vstore(4, m.vreg(1));
  else m.set(0, m.call("toGeneral", m.vreg(1)));
  m.call("enterMmx");
}

function movdFromXmm(m: Sem): void {
  m.call("checkSse");
  if (m.isMemory(0)) m.vstore(4, m.vreg(1));
  else m.set(0, m.call("toGeneral", m.vreg(1)));
}

/** MOVLPS, MOVLPD, MOVHPS, MOVHPD: half a register from memory, the other half kept. */
const loadHalf = (upper: boolean) => (m: Sem) => {
  m.call("checkSse");
  m.vload(8, upper ? high(m.vreg(0)) : m.vreg(0));
};
const storeHalf = (upper: boolean) => (m: Sem) => {
  m.call("checkSse");
  m.vstore(8, upper ? high(m.vreg(1)) : m.vreg(1));
};
const crossHalf = (toUpper: boolean) => (m: Sem) => {
  m.call("checkSse");
  const [d, s] = [m.vreg(0), m.vreg(1)];
  m.vec("mov.v", toUpper ? high(d) : d, toUpper ? s : high(s), 8);
};

const duplicate = (op: string, load: VectorBytes) => (m: Sem) => {
  m.call("checkSse");
  m.vec(op, m.vreg(0), sourceXmm(m, 1, load, load === 16), 16);
};

/** Stores that bypass the caches are stores here. */
const storeThrough = (m: Sem) => {
  m.call("checkSse");
  m.vstore(16, m.vreg(1), true);
};

const masked = (bytes: VectorBytes) => (m: Sem) => {
  const wide = bytes === 16;
  m.call(wide ? "checkSse" : "checkMmx");
  const la = m.linear(m.segAddr("op", m.spec.addr16 ? m.reg(EDI, 16) : m.reg(EDI)), bytes, true);
  m.call("maskedStore", la, m.vreg(0), m.vreg(1), constant(bytes));
  if (!wide) m.call("enterMmx");
};

const signMask = (width: number) => (m: Sem) => {
  m.call("checkSse");
  m.set(0, m.call("signMask", m.vreg(1), constant(16), constant(width)));
};

function ldmxcsr(m: Sem): void {
  m.call("checkSse");
  m.call("loadMxcsr", m.load(32, m.address()));
}

function stmxcsr(m: Sem): void {
  m.call("checkSse");
  m.vstore(4, constant(4 * STATE_MXCSR));
}

const nothing = (): void => {};

/** Both directions of a move of whole registers. */
function moves(name: string, load: string, store: string, needs: number, aligned: boolean): Row[] {
  return [
    row(name, load, "Vo Wo", move(16, aligned), simd(needs, "mov.v")),
    row(name, store, "Wo Vo", move(16, aligned), simd(needs, "mov.v")),
  ];
}

const prefetch = (name: string, digit: number) => row(name, `0f 18 /${digit}`, "Mb", nothing);
/** The byte is read only to see that it can be. */
const flushLine = (m: Sem) => void m.load(8, m.address());

export const simdMoveTable: readonly Row[] = [
  ...moves("movups", "np 0f 10", "np 0f 11", NEEDS_SSE, false),
  ...moves("movupd", "66 0f 10", "66 0f 11", NEEDS_SSE2, false),
  row("movss", "f3 0f 10", "Vo Wd", move(4, false), simd(NEEDS_SSE, "mov.f32")),
  row("movss", "f3 0f 11", "Wd Vo", move(4, false), simd(NEEDS_SSE, "mov.f32")),
  row("movsd", "f2 0f 10", "Vo Wq", move(8, false), simd(NEEDS_SSE2, "mov.f64")),
  row("movsd", "f2 0f 11", "Wq Vo", move(8, false), simd(NEEDS_SSE2, "mov.f64")),
  row("movlps", "np 0f 12", "Vo Mq", loadHalf(false), simd(NEEDS_SSE, "movlo.v")),
  row("movhlps", "np 0f 12", "Vo Ho", crossHalf(false), simd(NEEDS_SSE, "movhl.v")),
  row("movlpd", "66 0f 12", "Vo Mq", loadHalf(false), simd(NEEDS_SSE2, "movlo.v")),
  row("movsldup", "f3 0f 12", "Vo Wo", duplicate("dupeven.f32", 16), simd(NEEDS_SSE3, "dupeven.f32")),
  row("movddup", "f2 0f 12", "Vo Wq", duplicate("dup.f64", 8), simd(NEEDS_SSE3, "dup.f64")),
  row("movlps", "np 0f 13", "Mq Vo", storeHalf(false), simd(NEEDS_SSE, "movlo.v")),
  row("movlpd", "66 0f 13", "Mq Vo", storeHalf(false), simd(NEEDS_SSE2, "movlo.v")),
  row("movhps", "np 0f 16", "Vo Mq", loadHalf(true), simd(NEEDS_SSE, "movhi.v")),
  row("movlhps", "np 0f 16", "Vo Ho", crossHalf(true), simd(NEEDS_SSE, "movlh.v")),
  row("movhpd", "66 0f 16", "Vo Mq", loadHalf(true), simd(NEEDS_SSE2, "movhi.v")),
  row("movshdup", "f3 0f 16", "Vo Wo", duplicate("dupodd.f32", 16), simd(NEEDS_SSE3, "dupodd.f32")),
  row("movhps", "np 0f 17", "Mq Vo", storeHalf(true), simd(NEEDS_SSE, "movhi.v")),
  row("movhpd", "66 0f 17", "Mq Vo", storeHalf(true), simd(NEEDS_SSE2, "movhi.v")),
  ...moves("movaps", "np 0f 28", "np 0f 29", NEEDS_SSE, true),
  ...moves("movapd", "66 0f 28", "66 0f 29", NEEDS_SSE2, true),
  row("movntps", "np 0f 2b", "Mo Vo", storeThrough, simd(NEEDS_SSE, "mov.v")),
  row("movntpd", "66 0f 2b", "Mo Vo", storeThrough, simd(NEEDS_SSE2, "mov.v")),
  row("movmskps", "np 0f 50", "Gd Ho", signMask(4), simd(NEEDS_SSE, "mask.f32")),
  row("movmskpd", "66 0f 50", "Gd Ho", signMask(8), simd(NEEDS_SSE2, "mask.f64")),
  row("movd", "np 0f 6e", "Pq Ed", movdToMmx, simd(NEEDS_MMX, "general.i32")),
  row("movd", "66 0f 6e", "Vo Ed", movdToXmm, simd(NEEDS_SSE2, "general.i32")),
  row("movd", "np 0f 7e", "Ed Pq", movdFromMmx, simd(NEEDS_MMX, "general.i32")),
  row("movd", "66 0f 7e", "Ed Vo", movdFromXmm, simd(NEEDS_SSE2, "general.i32")),
  row("movq", "f3 0f 7e", "Vo Wq", movqXmm, simd(NEEDS_SSE2, "movz.i64")),
  row("movq", "66 0f d6", "Wq Vo", movqXmm, simd(NEEDS_SSE2, "movz.i64")),
  row("movq", "np 0f 6f", "Pq Qq", movqMmx, simd(NEEDS_MMX, "mov.v")),
  row("movq", "np 0f 7f", "Qq Pq", movqMmx, simd(NEEDS_MMX, "mov.v")),
  ...moves("movdqa", "66 0f 6f", "66 0f 7f", NEEDS_SSE2, true),
  ...moves("movdqu", "f3 0f 6f", "f3 0f 7f", NEEDS_SSE2, false),
  row("lddqu", "f2 0f f0", "Vo Mo", move(16, false), simd(NEEDS_SSE3, "mov.v")),
  row(
    "movq2dq",
    "f3 0f d6",
    "Vo Nq",
    (m) => {
      m.call("checkSse");
      m.call("checkMmx");
      m.vec("movz.i64", m.vreg(0), sourceMmx(m, 1), 16);
      m.call("enterMmx");
    },
    simd(NEEDS_SSE2, "movz.i64"),
  ),
  row(
    "movdq2q",
    "f2 0f d6",
    "Pq Ho",
    (m) => {
      m.call("checkSse");
      m.call("checkMmx");
      m.vec("mov.v", m.vreg(0), m.vreg(1), 8);
      m.call("wroteMmx", m.vreg(0));
    },
    simd(NEEDS_SSE2, "mov.v"),
  ),
  row(
    "movntq",
    "np 0f e7",
    "Mq Pq",
    (m) => {
      m.call("checkMmx");
      m.vstore(8, m.vreg(1));
      m.call("enterMmx");
    },
    simd(NEEDS_SSE, "mov.v"),
  ),
  row("movntdq", "66 0f e7", "Mo Vo", storeThrough, simd(NEEDS_SSE2, "mov.v")),
  row("movnti", "np 0f c3", "Md Gd", (m) => m.set(0, m.get(1)), { needs: NEEDS_SSE2 }),
  row("maskmovq", "np 0f f7", "Pq Nq", masked(8), simd(NEEDS_SSE, "masked.i8")),
  row("maskmovdqu", "66 0f f7", "Vo Ho", masked(16), simd(NEEDS_SSE2, "masked.i8")),
  row("shufps", "np 0f c6", "Vo Wo Ib", xmmBinary("shuf2.f32"), simd(NEEDS_SSE, "shuf2.f32")),
  row("shufpd", "66 0f c6", "Vo Wo Ib", xmmBinary("shuf2.f64"), simd(NEEDS_SSE2, "shuf2.f64")),
  row("unpcklps", "np 0f 14", "Vo Wo", xmmBinary("unpacklo.i32"), simd(NEEDS_SSE, "unpacklo.i32")),
  row("unpcklpd", "66 0f 14", "Vo Wo", xmmBinary("unpacklo.i64"), simd(NEEDS_SSE2, "unpacklo.i64")),
  row("unpckhps", "np 0f 15", "Vo Wo", xmmBinary("unpackhi.i32"), simd(NEEDS_SSE, "unpackhi.i32")),
  row("unpckhpd", "66 0f 15", "Vo Wo", xmmBinary("unpackhi.i64"), simd(NEEDS_SSE2, "unpackhi.i64")),
  row(
    "emms",
    "np 0f 77",
    "",
    (m) => {
      m.call("checkMmx");
      m.call("emms");
    },
    simd(NEEDS_MMX, "emms"),
  ),
  row("ldmxcsr", "np 0f ae /2", "Md", ldmxcsr, simd(NEEDS_SSE, "ldmxcsr")),
  row("stmxcsr", "np 0f ae /3", "Md", stmxcsr, simd(NEEDS_SSE, "stmxcsr")),
  row("lfence", "np 0f ae /5", "", nothing, { needs: NEEDS_SSE2 }),
  row("mfence", "np 0f ae /6", "", nothing, { needs: NEEDS_SSE2 }),
  row("sfence", "np 0f ae /7", "", nothing, { needs: NEEDS_SSE }),
  row("clflush", "np 0f ae /7", "Mb", flushLine, { needs: NEEDS_CLFLUSH }),
  prefetch("prefetchnta", 0),
  prefetch("prefetcht0", 1),
  prefetch("prefetcht1", 2),
  prefetch("prefetcht2", 3),
  row("pause", "f3 90", "", nothing),
  row("monitor", "np 0f 01 /1", "", (m) => m.call("monitor", m.reg(ECX)), { needs: NEEDS_MONITOR, rm: 0, sync: true }),
  row("mwait", "np 0f 01 /1", "", (m) => m.call("monitor", m.reg(ECX)), { needs: NEEDS_MONITOR, rm: 1, sync: true }),
];
