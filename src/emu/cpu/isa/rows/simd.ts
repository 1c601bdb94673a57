// What the rows of vector instructions share: availability checks first, then loads, then the operation; registers change
// last. Operands are worked on in place: XMM registers, and MMX registers as significands in the x87's slots.
import { NEEDS_MMX, NEEDS_SSE2, STATE_VECTOR } from "../../state.ts";
import type { Options, Row } from "../forms.ts";
import { constant, type Expr, type VectorBytes } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { row } from "./row.ts";

/** Where memory operands are loaded to: a byte offset in the state block. */
export const MEMORY = constant(4 * STATE_VECTOR);

export const imm: Expr = { k: "field", f: "imm" };

/** Options of a vector row. */
export function simd(needs: number, vector: string, more: Options = {}): Options {
  return { cls: "simd", needs, vector, ...more };
}

/** The place of source operand i: an XMM register, or what was loaded from memory. */
export function sourceXmm(m: Sem, i: number, bytes: VectorBytes, aligned: boolean): Expr {
  if (!m.isMemory(i)) return m.vreg(i);
  m.vload(bytes, MEMORY, { aligned });
  return MEMORY;
}

/** The same for MMX operands. */
export function sourceMmx(m: Sem, i: number, bytes: VectorBytes = 8): Expr {
  if (!m.isMemory(i)) return m.vreg(i);
  m.vload(bytes, MEMORY, { wide: true });
  return MEMORY;
}

/** d = d op s on XMM registers; `bytes` are worked on, `load` are read from memory. */
export const xmmBinary =
  (op: string, bytes: VectorBytes = 16, load: VectorBytes = bytes) =>
  (m: Sem): void => {
    m.call("checkSse");
    const s = sourceXmm(m, 1, load, load === 16);
    m.vec(op, m.vreg(0), s, bytes, m.form.operands.length > 2 ? imm : constant(0));
  };

/** d = d op s on MMX registers. */
export const mmxBinary =
  (op: string, load: VectorBytes = 8) =>
  (m: Sem): void => {
    m.call("checkMmx");
    const s = sourceMmx(m, 1, load);
    m.vec(op, m.vreg(0), s, 8, m.form.operands.length > 2 ? imm : constant(0));
    m.call("wroteMmx", m.vreg(0));
  };

/** An instruction that MMX and, with 66 in front, SSE2 have: `code` is what follows 0F. */
export function both(name: string, code: string, op: string, needs = NEEDS_MMX, wideNeeds = NEEDS_SSE2): Row[] {
  return [
    row(name, `np 0f ${code}`, "Pq Qq", mmxBinary(op), simd(needs, op)),
    row(name, `66 0f ${code}`, "Vo Wo", xmmBinary(op), simd(wideNeeds, op)),
  ];
}
