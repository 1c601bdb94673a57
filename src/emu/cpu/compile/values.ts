// Values of the IR in WebAssembly: registers in locals, addresses, expressions, folded as far as they are known.
import { BYTE_INDEX, type Op } from "../isa/decode.ts";
import type { BinOp, Expr, RegRef, Size, UnOp } from "../isa/ir.ts";
import { binary, unary } from "../isa/operators.ts";
import { STATE_EFLAGS, STATE_SEL } from "../state.ts";
import type { Assembler, Opcode } from "./assembler.ts";
import type { Flags } from "./flags.ts";
import { BASE, REG, SCRATCH } from "./layout.ts";
import type { Meaning } from "./meaning.ts";
import type { Surroundings } from "./surroundings.ts";

const BINARY: Readonly<Record<BinOp, Opcode | "wide">> = {
  add: "add",
  sub: "sub",
  and: "and",
  or: "or",
  xor: "xor",
  shl: "shl",
  shr: "shr",
  sar: "sar",
  mul: "mul",
  mulhu: "wide",
  mulhs: "wide",
  eq: "eq",
  ne: "ne",
  ltu: "ltu",
  leu: "leu",
  lts: "lts",
  les: "les",
};

/** The values of one instruction after the other. */
export class Values {
  readonly around: Surroundings;
  readonly asm: Assembler;
  readonly flags: Flags;
  op!: Op;
  meaning!: Meaning;
  /** Offset of the block that holds the instruction. */
  at = 0;
  /** Temporaries that are known now. */
  readonly constants = new Map<number, number>();
  /** Locals used for temporaries. */
  temporaries = 0;
  private readonly first: number;

  /** @param first number of the first local for temporaries */
  constructor(around: Surroundings, first: number) {
    this.around = around;
    this.asm = around.asm;
    this.flags = around.flags;
    this.first = first;
  }

  /** At the start of an instruction; `at` is the offset of its block from the region's base. */
  begin(op: Op, meaning: Meaning, at: number): void {
    this.op = op;
    this.meaning = meaning;
    this.at = at;
    this.constants.clear();
  }

  /** The local of a temporary. */
  tmp(id: number): number {
    const n = 2 * id;
    if (n + 2 > this.temporaries) this.temporaries = n + 2;
    return this.first + n;
  }

  /** The local of an opened cell's host address. */
  hostOf(id: number): number {
    return this.tmp(id) + 1;
  }

  /** Register and bit position of a reference. */
  private place(reg: RegRef, size: Size): [number, number] {
    const index =
      "fixed" in reg
        ? size === 8
          ? BYTE_INDEX[reg.fixed]
          : size === 16
            ? reg.fixed * 2
            : reg.fixed
        : this.op[reg.slot];
    if (size === 32) return [REG + index, 0];
    if (size === 16) return [REG + (index >> 1), 0];
    return [REG + (index >> 2), (index & 3) * 8];
  }

  private readReg(reg: RegRef, size: Size): void {
    const { asm } = this;
    const [local, shift] = this.place(reg, size);
    asm.get(local);
    if (shift) {
      asm.const(shift);
      asm.op("shr");
    }
    if (size !== 32) {
      asm.const(size === 8 ? 0xff : 0xffff);
      asm.op("and");
    }
  }

  /** Change a register. */
  writeReg(reg: RegRef, size: Size, e: Expr): void {
    const { asm } = this;
    const [local, shift] = this.place(reg, size);
    if (size === 32) {
      this.v(e);
      asm.set(local);
      return;
    }
    const mask = size === 8 ? 0xff : 0xffff;
    asm.get(local);
    asm.const(~(mask << shift));
    asm.op("and");
    const c = this.fold(e);
    if (c !== null) asm.const((c & mask) << shift);
    else {
      this.v(e);
      asm.const(mask);
      asm.op("and");
      if (shift) {
        asm.const(shift);
        asm.op("shl");
      }
    }
    asm.op("or");
    asm.set(local);
  }

  private ea(): void {
    const { asm, op } = this;
    const { ea, addr16 } = this.meaning.spec;
    let pushed = false;
    if (ea === 2 || ea === 3) {
      asm.get(REG + op.mb);
      pushed = true;
    }
    if (ea >= 3) {
      asm.get(REG + op.mi);
      if (op.ms) {
        asm.const(op.ms);
        asm.op("shl");
      }
      if (pushed) asm.op("add");
      pushed = true;
    }
    if (op.md !== 0 || !pushed) {
      asm.const(op.md);
      if (pushed) asm.op("add");
    }
    if (addr16) {
      asm.const(0xffff);
      asm.op("and");
    }
  }

  /** The value of an expression that is known now, else null. */
  fold(e: Expr): number | null {
    switch (e.k) {
      case "const":
        return e.v;
      case "field":
        return e.f === "index" ? this.op.b : this.op[e.f] | 0;
      case "tmp":
        return this.constants.get(e.id) ?? null;
      case "un": {
        const a = this.fold(e.a);
        return a === null ? null : unary(e.op, a);
      }
      case "bin": {
        const a = this.fold(e.a);
        if (a === null) return null;
        const b = this.fold(e.b);
        return b === null ? null : binary(e.op, a, b);
      }
      default:
        return null;
    }
  }

  /** Push an int32 value. */
  v(e: Expr): void {
    const { asm } = this;
    const c = this.fold(e);
    if (c !== null) {
      asm.const(c);
      return;
    }
    switch (e.k) {
      case "reg":
        this.readReg(e.reg, e.size);
        break;
      case "tmp":
        asm.get(this.tmp(e.id));
        break;
      case "ea":
        this.ea();
        break;
      case "sel":
        asm.const(0);
        asm.load(32, 4 * (STATE_SEL + e.seg));
        break;
      case "next":
        this.offset(this.at + this.op.end);
        break;
      case "target":
        this.offset(this.at + this.op.imm2);
        break;
      case "flag":
        this.flag(e.f);
        break;
      case "cond":
        this.flags.condition(e.cc);
        break;
      case "un":
        this.unary(e.op, e.a);
        break;
      case "bin":
        this.binary(e.op, e.a, e.b);
    }
  }

  /** Push the linear address at an offset from the region's base. */
  private offset(n: number): void {
    this.asm.get(BASE);
    this.asm.const(n);
    this.asm.op("add");
  }

  private flag(f: string): void {
    const { asm, flags } = this;
    if (f === "cf") flags.cf();
    else if (f === "pf") flags.pf();
    else if (f === "af") flags.af();
    else if (f === "zf") flags.zf();
    else if (f === "sf") flags.sf();
    else if (f === "of") flags.of();
    else {
      asm.const(0);
      asm.load(32, 4 * STATE_EFLAGS);
      asm.const(10);
      asm.op("shr");
      asm.const(1);
      asm.op("and");
    }
  }

  private unary(op: UnOp, a: Expr): void {
    const { asm } = this;
    if (op === "neg") {
      asm.const(0);
      this.v(a);
      asm.op("sub");
      return;
    }
    this.v(a);
    switch (op) {
      case "not":
        asm.const(-1);
        asm.op("xor");
        break;
      case "zx8":
      case "zx16":
        asm.const(op === "zx8" ? 0xff : 0xffff);
        asm.op("and");
        break;
      case "isZero":
        asm.op("eqz");
        break;
      case "bswap":
        asm.tee(SCRATCH);
        asm.const(8);
        asm.op("rotl");
        asm.const(0x00ff_00ff);
        asm.op("and");
        asm.get(SCRATCH);
        asm.const(8);
        asm.op("rotr");
        asm.const(0xff00_ff00);
        asm.op("and");
        asm.op("or");
        break;
      default:
        asm.op(op);
    }
  }

  private binary(op: BinOp, a: Expr, b: Expr): void {
    const { asm } = this;
    const plain = BINARY[op];
    if (plain !== "wide") {
      this.v(a);
      this.v(b);
      asm.op(plain);
      return;
    }
    const extend: Opcode = op === "mulhu" ? "extendu" : "extends";
    this.v(a);
    asm.op(extend);
    this.v(b);
    asm.op(extend);
    asm.op("mul64");
    asm.const64(32);
    asm.op("shr64");
    asm.op("wrap");
  }

  /** Leave before this instruction if the value on the stack is not 0. The site's number must lie below it. */
  leaveIf(): void {
    this.asm.brIf(this.around.out);
    this.asm.op("drop");
  }

  /** Push the number of the site before this instruction. */
  pushSite(): void {
    this.asm.const(this.around.site());
  }
}
