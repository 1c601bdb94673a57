// From the IR of one instruction to WebAssembly: its statements in order.

import { RF, VM } from "../flags.ts";
import type { Op } from "../isa/decode.ts";
import type { Expr, Stmt } from "../isa/ir.ts";
import { STATE_EFLAGS } from "../state.ts";
import { divide64, divideNarrow } from "./divide.ts";
import { FN_ARITH, type Step } from "./flags.ts";
import { scalarToInteger } from "./float-convert.ts";
import { FB, FR, HOST, KIND_AUX, TMP, TO } from "./layout.ts";
import { concernsFlags, type Meaning } from "./meaning.ts";
import { Operands } from "./operands.ts";
import { type Access, PLACES } from "./places.ts";
import { setFlags } from "./set-flags.ts";
import { VECTOR_CALLS, VECTOR_NARROW, VECTOR_WIDE, type VectorCode } from "./simd.ts";
import { prepareComparison, pushRelation } from "./simd-float.ts";
import { repeatString } from "./strings.ts";
import type { Surroundings } from "./surroundings.ts";
import { Values } from "./values.ts";
import { X87_NARROW, X87_WIDE, x87Operand } from "./x87.ts";

/** Lowers the instructions of one region. */
export class Lowering {
  private readonly values: Values;
  private readonly operands: Operands;
  /** Its flags are seen by somebody. */
  private flagsLive = true;
  /** The comparison of vector lanes whose flags are to be set. */
  private compared: { id: number; d: number; s: number; bytes: 4 | 8 } | null = null;
  /** What is to be added to the host addresses of opened cells. */
  private readonly offsets = new Map<number, number>();

  constructor(around: Surroundings) {
    const places =
      TMP +
      (around.x87 === null ? 0 : X87_WIDE + X87_NARROW) +
      (around.vectors === null ? 0 : VECTOR_WIDE + VECTOR_NARROW);
    this.values = new Values(around, places + PLACES);
    this.operands = new Operands(this.values, places);
  }

  /** Locals used for temporaries. */
  get temporaries(): number {
    return this.values.temporaries;
  }

  /**
   * One instruction.
   * @param at offset of its block from the region's base
   * @param flagsLive whether anybody can see the flags that it sets
   * @param step it is an INC or DEC whose flags only ways out can see
   * @param accesses to memory, in order, as far as they are known
   */
  instruction(
    op: Op,
    meaning: Meaning,
    at: number,
    flagsLive: boolean,
    step: Step | null,
    accesses: readonly (Access | null)[],
  ): void {
    const { around, flags } = this.values;
    this.values.begin(op, meaning, at);
    this.operands.begin(accesses);
    this.flagsLive = flagsLive && step === null;
    this.compared = null;
    if (meaning.vector) around.vectors?.before(around);
    if (meaning.x87) this.x87Instruction();
    else if (meaning.repeat) repeatString(around, op, meaning.repeat);
    else this.body(meaning.stmts);
    if (step !== null) flags.step = step;
  }

  private x87Instruction(): void {
    const { op, meaning, around, at } = this.values;
    const modrm = op.imm2;
    const operand = x87Operand(meaning.x87, modrm);
    const linear = meaning.stmts.find((s) => s.k === "linear");
    if (operand && linear?.k === "linear" && operand.bytes !== 0) {
      this.operands.linear(linear.at, operand.bytes);
      this.operands.translated(linear.at, operand.bytes, operand.writes);
      this.values.asm.set(HOST);
    }
    around.x87?.instruction(meaning.x87, modrm, at + op.off, around.out, around.site());
  }

  private body(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.stmt(s);
  }

  private stmt(s: Stmt): void {
    const { asm } = this.values;
    switch (s.k) {
      case "let": {
        const c = this.values.fold(s.e);
        if (c !== null) this.values.constants.set(s.id, c);
        else {
          this.values.v(s.e);
          asm.set(this.values.tmp(s.id));
        }
        break;
      }
      case "load":
        this.operands.linear(s.at, s.size >> 3);
        asm.load(s.size, this.operands.translate(s.at, s.size >> 3, false));
        asm.set(this.values.tmp(s.id));
        break;
      case "store": {
        this.operands.linear(s.at, s.size >> 3);
        const offset = this.operands.translate(s.at, s.size >> 3, true);
        this.values.v(s.e);
        asm.store(s.size, offset);
        break;
      }
      case "probeWrite":
        this.operands.linear(s.at, s.bytes);
        this.operands.translate(s.at, s.bytes, true);
        asm.op("drop");
        break;
      case "open": {
        this.operands.linear(s.at, s.size >> 3);
        const offset = this.operands.translate(s.at, s.size >> 3, true);
        this.offsets.set(s.id, offset);
        asm.tee(this.values.hostOf(s.id));
        asm.load(s.size, offset);
        asm.set(this.values.tmp(s.id));
        break;
      }
      case "close":
        asm.get(this.values.hostOf(s.id));
        this.values.v(s.e);
        asm.store(s.size, this.offsets.get(s.id) ?? 0);
        break;
      case "setReg":
        this.values.writeReg(s.reg, s.size, s.e);
        break;
      case "setDf":
        asm.const(0);
        asm.const(0);
        asm.load(32, 4 * STATE_EFLAGS);
        asm.const(s.v ? 0x400 : ~0x400);
        asm.op(s.v ? "or" : "and");
        asm.store(32, 4 * STATE_EFLAGS);
        break;
      case "if":
        this.branch(s);
        break;
      case "jump":
        if (s.direct) this.values.around.goto(this.values.at + this.values.op.imm2);
        else {
          this.values.v(s.to);
          asm.set(TO);
          this.values.around.gotoComputed();
        }
        break;
      case "call":
        this.call(s.id, s.fn, s.args);
        break;
      case "vload":
        this.operands.linear(s.at, s.bytes);
        this.operands.translated(s.at, s.bytes, false, s.aligned);
        this.vectors.load(this.values.op, s.to, s.bytes, s.wide);
        break;
      case "vstore":
        this.operands.linear(s.at, s.bytes);
        this.operands.translated(s.at, s.bytes, true, s.aligned);
        this.vectors.store(this.values.op, s.from, s.bytes);
        break;
      case "vec":
        this.vectors.operation(this.values.op, s.op, s.d, s.s, s.bytes, this.values.fold(s.imm) ?? 0);
        break;
      case "linear":
      case "raise":
        throw new Error(`${s.k} in a region`);
      default:
        if (!this.flagsLive) break;
        if (s.k === "flagBits" && s.v.k === "tmp" && s.v.id === this.compared?.id) this.comparisonFlags();
        else setFlags(this.values, s);
    }
  }

  private branch(s: Stmt & { k: "if" }): void {
    const { asm, flags } = this.values;
    const c = this.values.fold(s.c);
    if (c !== null) {
      this.body(c !== 0 ? s.yes : s.no);
      return;
    }
    const merged = concernsFlags(s.yes) || concernsFlags(s.no);
    this.values.v(s.c);
    const { kind } = flags;
    if (merged) flags.note();
    asm.if();
    if (s.yes.length) this.body(s.yes);
    if (merged) flags.note();
    if (s.no.length) {
      asm.else();
      if (merged) flags.forget();
      this.body(s.no);
      if (merged) flags.note();
    }
    asm.end();
    if (merged && !(kind === flags.kind && s.no.length === 0)) flags.forget();
    else if (merged) flags.forget();
  }

  private call(id: number, fn: string, args: readonly Expr[]): void {
    const { asm, flags } = this.values;
    if (fn === "arithFlags" || fn === "flagsImage") {
      flags.toAux();
      asm.get(FR);
      asm.get(FB);
      asm.call(FN_ARITH);
      if (fn === "flagsImage") {
        asm.const(0);
        asm.load(32, 4 * STATE_EFLAGS);
        asm.op("or");
        asm.const(2);
        asm.op("or");
        asm.const(~(VM | RF));
        asm.op("and");
      }
      asm.set(this.values.tmp(id));
    } else if (fn === "modu") {
      this.values.v(args[0]);
      this.values.v(args[1]);
      asm.op("remu");
      asm.set(this.values.tmp(id));
    } else if (VECTOR_CALLS.has(fn)) this.vectorCall(id, fn, args);
    else if (fn.endsWith("32")) divide64(this.values, id, fn, args);
    else divideNarrow(this.values, id, fn, args);
  }

  private get vectors(): VectorCode {
    const { vectors } = this.values.around;
    if (vectors === null) throw new Error("a vector instruction in a region without");
    return vectors;
  }

  private vectorCall(id: number, fn: string, args: readonly Expr[]): void {
    const { vectors } = this;
    const { op } = this.values;
    const fixed = (e: Expr) => this.values.fold(e) ?? 0;
    if (fn === "compareFlags") {
      const [d, s] = [vectors.localOf(op, args[0]), vectors.localOf(op, args[1])];
      const bytes = fixed(args[2]) === 8 ? 8 : 4;
      prepareComparison(vectors, d, s, bytes);
      this.compared = { id, d, s, bytes };
      return;
    }
    let result = true;
    if (fn === "scalarToInteger")
      scalarToInteger(vectors, vectors.localOf(op, args[0]), fixed(args[1]) === 8 ? 8 : 4, fixed(args[2]) !== 0);
    else result = vectors.call(op, fn, args, (e) => this.values.v(e), fixed);
    if (result) this.values.asm.set(this.values.tmp(id));
  }

  /** Flags of an ordered comparison: ZF or CF or neither, no other. */
  private comparisonFlags(): void {
    const { vectors, compared } = this;
    const { asm, flags } = this.values;
    if (compared === null) return;
    const { d, s, bytes } = compared;
    asm.const(0xc000_0100);
    asm.const(0x100);
    pushRelation(vectors, "lt", d, s, bytes);
    asm.op("select");
    asm.set(FB);
    pushRelation(vectors, "ne", d, s, bytes);
    asm.const(8);
    asm.op("shl");
    asm.set(FR);
    flags.become(KIND_AUX);
  }
}
