// From the IR of one instruction to WebAssembly: expressions, registers in locals, memory through the page arrays. What
// does not hold on the quick path leaves the region before the instruction has changed anything.
import { LEAVE, TLB_SUPER_READ, TLB_SUPER_WRITE, TLB_USER_READ, TLB_USER_WRITE } from "../../machine/memory.ts";
import { RF, VM } from "../flags.ts";
import { BYTE_INDEX, type Op } from "../isa/decode.ts";
import type { Addr, BinOp, Expr, RegRef, Size, Stmt, UnOp } from "../isa/ir.ts";
import { binary, unary } from "../isa/operators.ts";
import { EBP, ESP, FS, STATE_ATTR, STATE_BASE, STATE_EFLAGS, STATE_LIMIT, STATE_SEL } from "../state.ts";
import type { Assembler, Label, Opcode } from "./assembler.ts";
import { type Flags, FN_ARITH, FN_LAZY_AUX, type Step } from "./flags.ts";
import {
  BASE,
  FA,
  FB,
  FR,
  HOST,
  KIND_ADD,
  KIND_AUX,
  KIND_DEC,
  KIND_INC,
  KIND_SUB,
  LA,
  REG,
  SCRATCH,
  sizeIndex,
  TMP,
  TO,
  WIDE,
} from "./layout.ts";
import { concernsFlags, type Meaning } from "./meaning.ts";
import { type Access, PLACES, type Window } from "./places.ts";
import { VECTOR_CALLS, VECTOR_NARROW, VECTOR_WIDE, type VectorCode } from "./simd.ts";
import { prepareComparison, pushRelation, scalarToInteger } from "./simd-float.ts";
import { repeatString } from "./strings.ts";
import { X87_NARROW, X87_WIDE, type X87Code, x87Operand } from "./x87.ts";

/** What surrounds an instruction. */
export interface Surroundings {
  readonly asm: Assembler;
  readonly flags: Flags;
  readonly user: boolean;
  /** For regions that have x87 instructions. */
  readonly x87: X87Code | null;
  /** For regions that have vector instructions. */
  readonly vectors: VectorCode | null;
  /** Where the region is left, with the number of a site on the stack. */
  readonly out: Label;
  /**
   * A site that leaves before the present instruction.
   * @param window what it leaves for when it does not lie in one page
   */
  site(window?: Window): number;
  /** Instructions that must be left in the budget for the region to go on. */
  readonly budget: number;
  /** Is the present block a program's, not the kernel's? */
  isProgram(): boolean;
  /** Go to an offset from the region's base. */
  goto(offset: number): void;
  /** Go to the linear address in local TO. */
  gotoComputed(): void;
}

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

/** Lowers the instructions of one region. */
export class Lowering {
  /** Numbers of the first local for a host address, and of the first temporary. */
  private readonly places: number;
  private readonly first: number;
  /** Locals used beyond it. */
  temporaries = 0;
  private readonly around: Surroundings;
  private readonly asm: Assembler;
  private readonly flags: Flags;
  private op!: Op;
  private meaning!: Meaning;
  /** Offset of the block that holds the instruction. */
  private at = 0;
  /** Its flags are seen by somebody. */
  private flagsLive = true;
  /** The comparison of vector lanes whose flags are to be set. */
  private compared: { id: number; d: number; s: number; bytes: 4 | 8 } | null = null;
  private accesses: readonly (Access | null)[] = [];
  private accessed = 0;
  private readonly constants = new Map<number, number>();
  /** What is to be added to the host addresses of opened cells. */
  private readonly offsets = new Map<number, number>();

  constructor(around: Surroundings) {
    this.around = around;
    this.asm = around.asm;
    this.flags = around.flags;
    this.places =
      TMP +
      (around.x87 === null ? 0 : X87_WIDE + X87_NARROW) +
      (around.vectors === null ? 0 : VECTOR_WIDE + VECTOR_NARROW);
    this.first = this.places + PLACES;
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
    this.accesses = accesses;
    this.accessed = 0;
    this.op = op;
    this.meaning = meaning;
    this.at = at;
    this.flagsLive = flagsLive && step === null;
    this.constants.clear();
    this.compared = null;
    if (meaning.vector) this.around.vectors?.before(this.around);
    if (meaning.x87) this.x87Instruction();
    else if (meaning.repeat) repeatString(this.around, op, meaning.repeat);
    else this.body(meaning.stmts);
    if (step !== null) this.flags.step = step;
  }

  private x87Instruction(): void {
    const { op, meaning, around } = this;
    const modrm = op.imm2;
    const operand = x87Operand(meaning.x87, modrm);
    const linear = meaning.stmts.find((s) => s.k === "linear");
    if (operand && linear?.k === "linear" && operand.bytes !== 0) {
      this.linear(linear.at, operand.bytes);
      this.translated(linear.at, operand.bytes, operand.writes);
      this.asm.set(HOST);
    }
    around.x87?.instruction(meaning.x87, modrm, this.at + op.off, around.out, around.site());
  }

  private body(stmts: readonly Stmt[]): void {
    for (const s of stmts) this.stmt(s);
  }

  private tmp(id: number): number {
    const n = 2 * id;
    if (n + 2 > this.temporaries) this.temporaries = n + 2;
    return this.first + n;
  }

  private hostOf(id: number): number {
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

  private writeReg(reg: RegRef, size: Size, e: Expr): void {
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
  private fold(e: Expr): number | null {
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
  private v(e: Expr): void {
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
  private leaveIf(): void {
    this.asm.brIf(this.around.out);
    this.asm.op("drop");
  }

  private pushSite(): void {
    this.asm.const(this.around.site());
  }

  /** Put the linear address of an access into LA. */
  private linear(at: Addr, bytes: number): void {
    const { asm, op, meaning } = this;
    if (at.seg === "op" && meaning.spec.segmented) {
      const seg = op.seg;
      if (seg < FS) {
        // CS by an override.
        this.pushSite();
        asm.br(this.around.out);
        return;
      }
      // Writable expand-up data, inside the limit.
      this.v(at.off);
      asm.set(LA);
      this.pushSite();
      asm.const(0);
      asm.load(32, 4 * (STATE_ATTR + seg));
      asm.const(0x1e);
      asm.op("and");
      asm.const(0x12);
      asm.op("ne");
      asm.const(0);
      asm.load(32, 4 * (STATE_LIMIT + seg));
      asm.const(bytes - 1);
      asm.op("sub");
      asm.get(LA);
      asm.op("ltu");
      asm.op("or");
      asm.const(0);
      asm.load(32, 4 * (STATE_LIMIT + seg));
      asm.const(bytes - 1);
      asm.op("ltu");
      asm.op("or");
      this.leaveIf();
      asm.get(LA);
      asm.const(0);
      asm.load(32, 4 * (STATE_BASE + seg));
      asm.op("add");
      asm.set(LA);
      return;
    }
    this.v(at.off);
    asm.set(LA);
  }

  /** Push the host address of LA for an access of so many bytes, or leave. */
  private translated(at: Addr, bytes: number, write: boolean, aligned?: boolean): void {
    const offset = this.translate(at, bytes, write, aligned);
    if (offset === 0) return;
    this.asm.const(offset);
    this.asm.op("add");
  }

  /**
   * The same but for a number.
   * @returns what is to be added
   */
  private translate(at: Addr, bytes: number, write: boolean, aligned = bytes <= 4 && this.isStack(at)): number {
    const { asm } = this;
    const access = this.accesses[this.accessed++] ?? null;
    if (access === null) {
      this.lookUp(bytes, write, aligned);
      return 0;
    }
    const { window, first, plus } = access;
    const { local, low, high } = window;
    if (aligned && bytes === 16 && !(first && high - low === bytes)) {
      this.pushSite();
      asm.get(LA);
      asm.const(bytes - 1);
      asm.op("and");
      this.leaveIf();
    }
    if (first) {
      if (high - low === bytes) this.lookUp(bytes, window.write, aligned);
      else this.openWindow(window, plus - low);
      if (local < 0) return 0;
      if (high - low === bytes) {
        asm.tee(this.places + local);
        return 0;
      }
      asm.set(this.places + local);
    }
    asm.get(this.places + local);
    return plus - low;
  }

  /** Push the host address of a window's start, which lies `before` bytes before LA, or leave. */
  private openWindow(window: Window, before: number): void {
    const { asm } = this;
    const start = SCRATCH;
    asm.get(LA);
    if (before !== 0) {
      asm.const(before);
      asm.op("sub");
    }
    asm.set(start);
    this.entry(start, window.write);
    asm.const(this.around.site(window));
    this.leaveAcrossPage(start, window.high - window.low);
    asm.get(HOST);
    asm.get(start);
    asm.op("add");
  }

  /** Put the page-array entry of an address into HOST. */
  private entry(address: number, write: boolean): void {
    const { asm } = this;
    const { user } = this.around;
    asm.get(address);
    asm.const(10);
    asm.op("shr");
    asm.const(0x3f_fffc);
    asm.op("and");
    asm.load(32, write ? (user ? TLB_USER_WRITE : TLB_SUPER_WRITE) : user ? TLB_USER_READ : TLB_SUPER_READ);
    asm.set(HOST);
  }

  /** The same by the page array. */
  private lookUp(bytes: number, write: boolean, aligned: boolean): void {
    const { asm } = this;
    this.entry(LA, write);
    if (bytes === 1) {
      this.pushSite();
      asm.get(HOST);
      asm.const(LEAVE);
      asm.op("and");
      this.leaveIf();
    } else if (aligned) {
      // Nearly always aligned, or it has to be: then nothing crosses a page.
      this.pushSite();
      this.misaligned(bytes);
      this.leaveIf();
    } else if (bytes !== 8 && bytes !== 16) {
      this.pushSite();
      this.leaveAcrossPage(LA, bytes);
    } else {
      this.misaligned(bytes);
      asm.if();
      this.pushSite();
      this.leaveAcrossPage(LA, bytes);
      asm.end();
    }
    asm.get(HOST);
    asm.get(LA);
    asm.op("add");
  }

  /** Push whether LA, or the page-array entry in HOST, has low bits. */
  private misaligned(bytes: number): void {
    const { asm } = this;
    asm.get(HOST);
    asm.get(LA);
    asm.op("or");
    asm.const(bytes - 1);
    asm.op("and");
  }

  /** Leave when the entry in HOST says so or bytes at an address cross the page's end. The site's number is pushed. */
  private leaveAcrossPage(address: number, bytes: number): void {
    const { asm } = this;
    // The low bits of an entry are all set or all clear.
    asm.get(HOST);
    asm.get(address);
    asm.op("or");
    asm.const(LEAVE);
    asm.op("and");
    asm.const(0x1000 - bytes);
    asm.op("gtu");
    this.leaveIf();
  }

  private isStack(at: Addr): boolean {
    const { ea } = this.meaning.spec;
    if (at.seg !== "op") return at.seg === 2;
    return ea === 2 && (this.op.mb === ESP || this.op.mb === EBP);
  }

  private stmt(s: Stmt): void {
    const { asm } = this;
    switch (s.k) {
      case "let": {
        const c = this.fold(s.e);
        if (c !== null) this.constants.set(s.id, c);
        else {
          this.v(s.e);
          asm.set(this.tmp(s.id));
        }
        break;
      }
      case "load":
        this.linear(s.at, s.size >> 3);
        asm.load(s.size, this.translate(s.at, s.size >> 3, false));
        asm.set(this.tmp(s.id));
        break;
      case "store": {
        this.linear(s.at, s.size >> 3);
        const offset = this.translate(s.at, s.size >> 3, true);
        this.v(s.e);
        asm.store(s.size, offset);
        break;
      }
      case "probeWrite":
        this.linear(s.at, s.bytes);
        this.translate(s.at, s.bytes, true);
        asm.op("drop");
        break;
      case "open": {
        this.linear(s.at, s.size >> 3);
        const offset = this.translate(s.at, s.size >> 3, true);
        this.offsets.set(s.id, offset);
        asm.tee(this.hostOf(s.id));
        asm.load(s.size, offset);
        asm.set(this.tmp(s.id));
        break;
      }
      case "close":
        asm.get(this.hostOf(s.id));
        this.v(s.e);
        asm.store(s.size, this.offsets.get(s.id) ?? 0);
        break;
      case "setReg":
        this.writeReg(s.reg, s.size, s.e);
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
        if (s.direct) this.around.goto(this.at + this.op.imm2);
        else {
          this.v(s.to);
          asm.set(TO);
          this.around.gotoComputed();
        }
        break;
      case "call":
        this.call(s.id, s.fn, s.args);
        break;
      case "vload":
        this.linear(s.at, s.bytes);
        this.translated(s.at, s.bytes, false, s.aligned);
        this.vectors.load(this.op, s.to, s.bytes, s.wide);
        break;
      case "vstore":
        this.linear(s.at, s.bytes);
        this.translated(s.at, s.bytes, true, s.aligned);
        this.vectors.store(this.op, s.from, s.bytes);
        break;
      case "vec":
        this.vectors.operation(this.op, s.op, s.d, s.s, s.bytes, this.fold(s.imm) ?? 0);
        break;
      case "linear":
      case "raise":
        throw new Error(`${s.k} in a region`);
      default:
        if (this.flagsLive) this.setFlags(s);
    }
  }

  private branch(s: Stmt & { k: "if" }): void {
    const { asm, flags } = this;
    const c = this.fold(s.c);
    if (c !== null) {
      this.body(c !== 0 ? s.yes : s.no);
      return;
    }
    const merged = concernsFlags(s.yes) || concernsFlags(s.no);
    this.v(s.c);
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

  private setFlags(s: Stmt): void {
    const { asm, flags, op } = this;
    switch (s.k) {
      case "flagsAdd":
      case "flagsSub": {
        const kind = (s.k === "flagsAdd" ? KIND_ADD : KIND_SUB) + sizeIndex(s.size);
        this.v(s.a);
        asm.set(FA);
        this.v(s.b);
        asm.set(FB);
        this.result(s.r, s.size);
        flags.become(kind);
        // With a carry in, the operands do not say it all.
        if (op.form.options.r?.includes("C")) flags.toAux();
        break;
      }
      case "flagsInc":
      case "flagsDec": {
        flags.cf();
        asm.const(31);
        asm.op("shl");
        asm.set(FB);
        this.result(s.r, s.size);
        flags.become((s.k === "flagsInc" ? KIND_INC : KIND_DEC) + sizeIndex(s.size));
        break;
      }
      case "flagsResult":
        this.flagsResult(s);
        break;
      case "flagsCfOf":
        flags.toAux();
        this.v(s.cf);
        asm.tee(SCRATCH);
        asm.const(31);
        asm.op("shl");
        asm.get(SCRATCH);
        this.v(s.of);
        asm.op("xor");
        asm.const(30);
        asm.op("shl");
        asm.op("or");
        asm.get(FB);
        asm.const(0x3fff_ffff);
        asm.op("and");
        asm.op("or");
        asm.set(FB);
        flags.become(KIND_AUX);
        break;
      case "flagCf":
        flags.toAux();
        asm.get(FB);
        asm.const(0);
        asm.get(FB);
        asm.const(31);
        asm.op("shr");
        this.v(s.v);
        asm.op("xor");
        asm.op("sub");
        asm.const(0xc000_0000);
        asm.op("and");
        asm.op("xor");
        asm.set(FB);
        flags.become(KIND_AUX);
        break;
      case "flagBits":
        if (this.compared !== null && s.v.k === "tmp" && s.v.id === this.compared.id) {
          this.comparisonFlags();
          break;
        }
        flags.toAux();
        asm.get(FR);
        asm.get(FB);
        asm.call(FN_ARITH);
        asm.const(~s.mask);
        asm.op("and");
        this.v(s.v);
        asm.const(s.mask);
        asm.op("and");
        asm.op("or");
        asm.tee(SCRATCH);
        asm.call(FN_LAZY_AUX);
        asm.set(FB);
        asm.const(0);
        asm.const(0x100);
        asm.get(SCRATCH);
        asm.const(0x40);
        asm.op("and");
        asm.op("select");
        asm.set(FR);
        flags.become(KIND_AUX);
    }
  }

  /** The result word: sign-extended from its size. */
  private result(r: Expr, size: Size): void {
    this.v(r);
    if (size === 8) this.asm.op("sx8");
    else if (size === 16) this.asm.op("sx16");
    this.asm.set(FR);
  }

  private flagsResult(s: Stmt & { k: "flagsResult" }): void {
    const { asm, flags } = this;
    const zero = (e: Expr) => this.fold(e) === 0;
    const logic = zero(s.cf) && zero(s.of) && zero(s.af);
    if (logic) asm.const(0);
    else {
      this.v(s.cf);
      asm.tee(SCRATCH);
      asm.const(31);
      asm.op("shl");
      asm.get(SCRATCH);
      if (!zero(s.of)) {
        this.v(s.of);
        asm.op("xor");
      }
      asm.const(30);
      asm.op("shl");
      asm.op("or");
      if (!zero(s.af)) {
        this.v(s.af);
        asm.const(3);
        asm.op("shl");
        asm.op("or");
      }
    }
    asm.set(FB);
    this.result(s.r, s.size);
    flags.become(KIND_AUX, logic);
  }

  private call(id: number, fn: string, args: readonly Expr[]): void {
    const { asm, flags } = this;
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
      asm.set(this.tmp(id));
    } else if (fn === "modu") {
      this.v(args[0]);
      this.v(args[1]);
      asm.op("remu");
      asm.set(this.tmp(id));
    } else if (VECTOR_CALLS.has(fn)) this.vectorCall(id, fn, args);
    else if (fn.endsWith("32")) this.divide64(id, fn, args);
    else this.divideNarrow(id, fn, args);
  }

  private get vectors(): VectorCode {
    const { vectors } = this.around;
    if (vectors === null) throw new Error("a vector instruction in a region without");
    return vectors;
  }

  private vectorCall(id: number, fn: string, args: readonly Expr[]): void {
    const { op, vectors } = this;
    const fixed = (e: Expr) => this.fold(e) ?? 0;
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
    else result = vectors.call(op, fn, args, (e) => this.v(e), fixed);
    if (result) this.asm.set(this.tmp(id));
  }

  /** Flags of an ordered comparison: ZF or CF or neither, no other. */
  private comparisonFlags(): void {
    const { asm, vectors, compared } = this;
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
    this.flags.become(KIND_AUX);
  }

  /** EDX:EAX by a 32-bit divisor; what would raise #DE leaves. */
  private divide64(id: number, fn: string, [hi, lo, d]: readonly Expr[]): void {
    const { asm } = this;
    const signed = fn[0] === "i";
    const extend: Opcode = signed ? "extends" : "extendu";
    const remainder = fn.includes("rem");
    this.v(hi);
    asm.op("extendu");
    asm.const64(32);
    asm.op("shl64");
    this.v(lo);
    asm.op("extendu");
    asm.op("or64");
    asm.set(WIDE);
    if (!remainder) {
      this.pushSite();
      this.v(d);
      asm.op("eqz");
      if (signed) {
        // -2^63 by -1 would trap here; no quotient of it fits.
        this.v(hi);
        asm.const(0x8000_0000);
        asm.op("eq");
        asm.op("or");
      }
      this.leaveIf();
    }
    asm.get(WIDE);
    this.v(d);
    asm.op(extend);
    asm.op(remainder ? (signed ? "rems64" : "remu64") : signed ? "divs64" : "divu64");
    if (!remainder) {
      asm.set(WIDE + 1);
      this.pushSite();
      asm.get(WIDE + 1);
      asm.get(WIDE + 1);
      asm.op("wrap");
      asm.op(extend);
      asm.op("ne64");
      this.leaveIf();
      asm.get(WIDE + 1);
    }
    asm.op("wrap");
    asm.set(this.tmp(id));
  }

  private divideNarrow(id: number, fn: string, [n, d]: readonly Expr[]): void {
    const { asm } = this;
    const signed = fn[0] === "i";
    const remainder = fn.includes("rem");
    const wide = fn.endsWith("16");
    const divisor = () => {
      this.v(d);
      if (signed) asm.op(wide ? "sx16" : "sx8");
    };
    if (!remainder) {
      this.pushSite();
      this.v(d);
      asm.op("eqz");
      if (signed) {
        this.v(n);
        asm.const(0x8000_0000);
        asm.op("eq");
        asm.op("or");
      }
      this.leaveIf();
    }
    this.v(n);
    divisor();
    asm.op(remainder ? (signed ? "rems" : "remu") : signed ? "divs" : "divu");
    if (!remainder) {
      asm.set(SCRATCH);
      this.pushSite();
      asm.get(SCRATCH);
      if (signed) {
        asm.get(SCRATCH);
        asm.op(wide ? "sx16" : "sx8");
        asm.op("ne");
      } else {
        asm.const(wide ? 0xffff : 0xff);
        asm.op("gtu");
      }
      this.leaveIf();
      asm.get(SCRATCH);
    }
    asm.set(this.tmp(id));
  }
}
