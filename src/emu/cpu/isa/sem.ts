// The builder with which an instruction's meaning is written down: it knows one specialisation of one form (operand
// size, register or memory operand, address and stack size) and collects IR statements.
import { EAX, ESP, SS } from "../state.ts";
import type { Form, OperandKind } from "./forms.ts";
import {
  type Addr,
  add,
  constant,
  type Expr,
  type RegRef,
  type SegRef,
  type Size,
  type Slot,
  type Stmt,
  type VectorBytes,
  zx,
} from "./ir.ts";

/** What a handler is specialised on besides its form. */
export interface Spec {
  /** Shape of the memory operand: 0 none (register), 1 [disp], 2 [base+disp], 3 [base+index], 4 [index+disp]; +4 = 16-bit addresses for 1-3. */
  readonly ea: number;
  /** The data operand's segment needs base and limit (FS, GS, or not flat). */
  readonly segmented: boolean;
  /** CS, SS, DS, ES are not all flat. */
  readonly nonFlat: boolean;
  readonly stack16: boolean;
  readonly addr16: boolean;
  /** 0 none, 2 = F2 (REPNE), 3 = F3 (REP, REPE). */
  readonly rep: number;
}

/** A place opened for reading and then writing. */
export interface Cell {
  readonly value: Expr;
  write(e: Expr): void;
}

export class Sem {
  readonly form: Form;
  readonly spec: Spec;
  /** Operand size of the form in bits. */
  readonly size: Size;
  readonly stmts: Stmt[] = [];
  private into: Stmt[] = this.stmts;
  private tmps = 0;

  constructor(form: Form, spec: Spec) {
    this.form = form;
    this.spec = spec;
    this.size = form.size;
  }

  /** Address size in bits. */
  get asize(): 16 | 32 {
    return this.spec.addr16 ? 16 : 32;
  }

  emit(s: Stmt): void {
    this.into.push(s);
  }

  private fresh(): number {
    return ++this.tmps;
  }

  /** Evaluate now. */
  let(e: Expr): Expr {
    if (e.k === "const" || e.k === "tmp" || e.k === "field") return e;
    const id = this.fresh();
    this.emit({ k: "let", id, e });
    return { k: "tmp", id };
  }

  load(size: Size, at: Addr): Expr {
    const id = this.fresh();
    this.emit({ k: "load", id, size, at });
    return { k: "tmp", id };
  }

  store(size: Size, at: Addr, e: Expr): void {
    this.emit({ k: "store", size, at, e });
  }

  openAt(size: Size, at: Addr): Cell {
    const id = this.fresh();
    this.emit({ k: "open", id, size, at });
    return { value: { k: "tmp", id }, write: (e) => this.emit({ k: "close", id, size, e }) };
  }

  call(fn: string, ...args: Expr[]): Expr {
    const id = this.fresh();
    this.emit({ k: "call", id, fn, args });
    return { k: "tmp", id };
  }

  linear(at: Addr, bytes: number, write: boolean): Expr {
    const id = this.fresh();
    this.emit({ k: "linear", id, at, bytes, write });
    return { k: "tmp", id };
  }

  raise(vector: number, code: number): void {
    this.emit({ k: "raise", vector, code: constant(code) });
  }

  if(c: Expr, then: () => void, otherwise?: () => void): void {
    const outer = this.into;
    const yes: Stmt[] = [];
    const no: Stmt[] = [];
    this.into = yes;
    then();
    this.into = no;
    otherwise?.();
    this.into = outer;
    this.emit({ k: "if", c, yes, no });
  }

  /** #GP(0) unless CPL is 0. */
  privileged(): void {
    this.call("requireRing0");
  }

  reg(n: number, size: Size = 32): Expr {
    return { k: "reg", reg: { fixed: n }, size };
  }

  setReg(n: number, e: Expr, size: Size = 32): void {
    this.emit({ k: "setReg", reg: { fixed: n }, size, e });
  }

  /** AL, AX or EAX by operand size. */
  acc(size: Size = this.size): Expr {
    return this.reg(EAX, size);
  }

  setAcc(e: Expr, size: Size = this.size): void {
    this.setReg(EAX, e, size);
  }

  kind(i: number): OperandKind {
    return this.form.operands[i];
  }

  /** Is operand i in memory? */
  isMemory(i: number): boolean {
    const at = this.kind(i).at;
    return at === "moffs" || (at === "rm" && this.spec.ea !== 0);
  }

  /** Offset of the memory operand, computed once by the caller if used twice. */
  ea(): Expr {
    return { k: "ea" };
  }

  /** The memory operand, displaced by some bytes. */
  address(bytes = 0): Addr {
    const off = add(this.ea(), constant(bytes));
    return { seg: "op", off: bytes !== 0 && this.spec.addr16 ? zx(16, off) : off };
  }

  /** Place of vector register operand i: its byte offset in the state block. */
  vreg(i: number): Expr {
    return { k: "vreg", slot: this.kind(i).at === "reg" ? "b" : "a" };
  }

  vload(bytes: VectorBytes, to: Expr, options: { aligned?: boolean; wide?: boolean } = {}): void {
    const { aligned = false, wide = false } = options;
    this.emit({ k: "vload", bytes, at: this.address(), aligned, to, wide });
  }

  vstore(bytes: VectorBytes, from: Expr, aligned = false): void {
    this.emit({ k: "vstore", bytes, at: this.address(), aligned, from });
  }

  vec(op: string, d: Expr, s: Expr, bytes: VectorBytes, imm: Expr = constant(0)): void {
    this.emit({ k: "vec", op, d, s, bytes, imm });
  }

  private ref(i: number): RegRef {
    const kind = this.kind(i);
    if (kind.at === "fixed") return { fixed: kind.reg };
    const slot: Slot = kind.at === "reg" ? "b" : "a";
    return { slot };
  }

  /** Value of operand i, zero-extended from its size (immediates: sign-extended, then cut to the operand size). */
  get(i: number): Expr {
    const kind = this.kind(i);
    if (kind.at === "imm") {
      const f: Expr = { k: "field", f: "imm" };
      return kind.of < 32 ? zx(kind.of, f) : f;
    }
    if (kind.at === "imm2") return { k: "field", f: "imm2" };
    if (kind.at === "one") return constant(1);
    if (kind.at === "sreg" || kind.at === "creg" || kind.at === "dreg") return { k: "field", f: "index" };
    if (this.isMemory(i)) return this.load(kind.size, this.address());
    return { k: "reg", reg: this.ref(i), size: kind.size };
  }

  /** Store into operand i. */
  set(i: number, e: Expr): void {
    const size = this.kind(i).size;
    if (this.isMemory(i)) this.store(size, this.address(), e);
    else this.emit({ k: "setReg", reg: this.ref(i), size, e });
  }

  /** Open operand i for reading and then writing (a memory operand is translated for writing first). */
  open(i: number): Cell {
    if (this.isMemory(i)) return this.openAt(this.kind(i).size, this.address());
    return { value: this.let(this.get(i)), write: (e) => this.set(i, e) };
  }

  /** ESP + delta as the stack's size wraps it. */
  sp(delta: number): Expr {
    const moved = add(this.reg(ESP), constant(delta));
    return this.spec.stack16 ? zx(16, moved) : moved;
  }

  /** Advance the stack pointer (SP when the stack is 16-bit). */
  setSp(e: Expr): void {
    this.setReg(ESP, e, this.spec.stack16 ? 16 : 32);
  }

  stackAt(off: Expr): Addr {
    return { seg: SS, off };
  }

  push(e: Expr, size: Size = this.size): void {
    const at = this.let(this.sp(-size >> 3));
    this.store(size, this.stackAt(at), e);
    this.setSp(at);
  }

  /** Top of the stack at a byte displacement; ESP does not move. */
  peek(bytes = 0, size: Size = this.size): Expr {
    return this.load(size, this.stackAt(this.sp(bytes)));
  }

  /** Near jump to an offset, cut to 16 bits by a 16-bit operand size. */
  jump(to: Expr): void {
    this.emit({ k: "jump", to: this.size === 16 ? zx(16, to) : to, direct: false });
  }

  /** Near jump to the decoded target. */
  jumpDirect(): void {
    this.emit({ k: "jump", to: { k: "target" }, direct: true });
  }

  next(): Expr {
    return { k: "next" };
  }

  flagsAdd(a: Expr, b: Expr, r: Expr, size: Size = this.size): void {
    this.emit({ k: "flagsAdd", size, a, b, r });
  }

  flagsSub(a: Expr, b: Expr, r: Expr, size: Size = this.size): void {
    this.emit({ k: "flagsSub", size, a, b, r });
  }

  flagsResult(r: Expr, cf: Expr, of: Expr, af: Expr = constant(0), size: Size = this.size): void {
    this.emit({ k: "flagsResult", size, r, cf, of, af });
  }

  flagsLogic(r: Expr, size: Size = this.size): void {
    this.flagsResult(r, constant(0), constant(0), constant(0), size);
  }

  flagBits(mask: number, v: Expr): void {
    this.emit({ k: "flagBits", mask, v });
  }

  segAddr(seg: SegRef, off: Expr): Addr {
    return { seg, off };
  }
}
