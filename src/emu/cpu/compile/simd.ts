// Vector instructions in regions: the XMM registers in locals of 128 bits, loads and stores of them, moves between them and
// the general registers. What they do to lanes is in simd-integer.ts, simd-float.ts and what those name. Memory shows the
// registers where a region is left; whether SSE instructions may run, and MXCSR, cannot change inside one.
import type { Op } from "../isa/decode.ts";
import type { Expr, VectorBytes } from "../isa/ir.ts";
import { STATE_MXCSR, STATE_SSE, STATE_VECTOR, STATE_XMM } from "../state.ts";
import type { Assembler, Label } from "./assembler.ts";
import { HOST } from "./layout.ts";
import { floatOperation, isFloatOperation } from "./simd-float.ts";
import { integerOperations, shuffle } from "./simd-integer.ts";

const XMM_BYTES = 4 * STATE_XMM;
const REGISTERS = 8;
/** Where memory operands are, behind the registers; then results and temporaries. */
const SOURCE = REGISTERS;
const TEMPORARIES = 4;
/** Locals of a function with vector instructions: so many of 128 bits, then so many of 32. */
export const VECTOR_WIDE = REGISTERS + TEMPORARIES;
export const VECTOR_NARROW = 1;

/** Bits of MXCSR that the quick ways of arithmetic depend on: to nearest, and PE noted and masked. */
const MODE_BITS = 0x7020;
const MODE_QUICK = 0x1020;
const MODE_UNAVAILABLE = 1 << 16;

const LOAD = { 16: 0x00, 8: 0x5d, 4: 0x5c } as const;
const LOAD_HALF = 0x57;
const STORE = 0x0b;
const STORE_LANE = { 8: 0x5b, 4: 0x5a } as const;
const EXTRACT_WORD = 0x19;
const REPLACE_WORD = 0x1a;
const EXTRACT_INTEGER = 0x1b;
const REPLACE_INTEGER = 0x1c;
const MASK: Readonly<Record<number, number>> = { 1: 0x64, 4: 0xa4, 8: 0xc4 };
const NOTHING = new Uint8Array(16);

/** A vector operand: a local, and for half registers which half. */
interface Place {
  readonly local: number;
  readonly half: 0 | 1;
}

/** How the region is left before the present instruction. */
export interface Leaving {
  readonly out: Label;
  site(): number;
}

/** Calls of the table's vector rows that regions do themselves. */
export const VECTOR_CALLS: ReadonlySet<string> = new Set([
  "checkSse",
  "fromGeneral",
  "toGeneral",
  "insertWord",
  "extractWord",
  "signMask",
  "compareFlags",
  "scalarToInteger",
]);

/** Can a region do this operation over so many bytes? */
export function isVectorOperation(op: string, bytes: VectorBytes): boolean {
  if (op === "mov.v") return bytes !== 2;
  return bytes === 16 && op in integerOperations ? true : isFloatOperation(op);
}

/** An operand register's number. */
export function xmmOf(place: number): number {
  return (place - XMM_BYTES) >> 4;
}

/** The slot that a place names, or null when it is no register operand. */
export function slotOf(place: Expr): "a" | "b" | null {
  if (place.k === "vreg") return place.slot;
  return place.k === "bin" ? slotOf(place.a) : null;
}

/** The vector instructions of one region. */
export class VectorCode {
  readonly asm: Assembler;
  private readonly first: number;
  private readonly mode: number;
  private readonly used: number;
  private readonly written: number;
  /** What has been checked in this block: 1 SSE may run, 2 the mode is quick as well. */
  private checked = 0;
  /** Lanes, by local, that are known to hold no NaN and no denormal, for lanes of so many bytes. */
  private readonly plain = new Map<number, { bytes: number; lanes: number }>();
  private leaving!: Leaving;
  /** The instruction's operand has been loaded from the address in HOST. */
  private loaded = false;

  /**
   * @param first number of the first of its locals
   * @param used registers that the region names, as a mask
   * @param written those of them that it changes
   */
  constructor(asm: Assembler, first: number, used: number, written: number) {
    this.asm = asm;
    this.first = first;
    this.mode = first + VECTOR_WIDE;
    this.used = used;
    this.written = written;
  }

  /** At the region's entry. */
  enter(): void {
    const { asm } = this;
    for (let n = 0; n < REGISTERS; n++) {
      if (!(this.used & (1 << n))) continue;
      asm.const(0);
      asm.vectorMemory(LOAD[16], XMM_BYTES + 16 * n);
      asm.set(this.first + n);
    }
    // A choice, not an expression, so that it is made here and not wherever it is looked at.
    asm.const(MODE_UNAVAILABLE);
    asm.set(this.mode);
    asm.const(0);
    asm.load(32, 4 * STATE_SSE);
    asm.if();
    asm.const(0);
    asm.load(32, 4 * STATE_MXCSR);
    asm.const(MODE_BITS);
    asm.op("and");
    asm.set(this.mode);
    asm.end();
  }

  /** Where the region is left. */
  spill(): void {
    const { asm } = this;
    for (let n = 0; n < REGISTERS; n++) {
      if (!(this.written & (1 << n))) continue;
      asm.const(0);
      asm.get(this.first + n);
      asm.vectorMemory(STORE, XMM_BYTES + 16 * n);
    }
  }

  /** At the start of a block. */
  begin(): void {
    this.checked = 0;
    this.plain.clear();
  }

  /** At the start of an instruction. */
  before(leaving: Leaving): void {
    this.leaving = leaving;
    this.loaded = false;
  }

  /** Leave before the instruction when the condition that is pushed holds. */
  leaveIf(condition: () => void): void {
    this.asm.const(this.leaving.site());
    condition();
    this.asm.brIf(this.leaving.out);
    this.asm.op("drop");
  }

  private available(): void {
    if (this.checked > 0) return;
    this.leaveIf(() => {
      this.asm.get(this.mode);
      this.asm.const(MODE_UNAVAILABLE);
      this.asm.op("and");
    });
    this.checked = 1;
  }

  /** What follows rounds to nearest, and whether it is exact is not to be seen. */
  quick(): void {
    if (this.checked > 1) return;
    this.leaveIf(() => {
      this.asm.get(this.mode);
      this.asm.const(MODE_QUICK);
      this.asm.op("ne");
    });
    this.checked = 2;
  }

  /** The n-th temporary, from 1 on. */
  temporary(n: 1 | 2 | 3): number {
    return this.first + SOURCE + n;
  }

  /** Lanes of a local known to be plain. */
  plainLanes(local: number, bytes: number): number {
    const known = this.plain.get(local);
    return known?.bytes === bytes ? known.lanes : 0;
  }

  /** A local has changed; so much is known of it. */
  changed(local: number, bytes = 4, lanes = 0): void {
    this.plain.set(local, { bytes, lanes });
  }

  /** Push the word at a byte of the memory operand, if the local is that. */
  pushLoaded(local: number, at: number): boolean {
    if (local !== this.first + SOURCE || !this.loaded) return false;
    this.asm.get(HOST);
    this.asm.load(32, at);
    return true;
  }

  private place(op: Op, e: Expr): Place {
    if (e.k === "vreg") return { local: this.first + xmmOf(op[e.slot]), half: 0 };
    if (e.k === "bin" && e.b.k === "const" && e.b.v === 8) return { ...this.place(op, e.a), half: 1 };
    return { local: this.first + SOURCE, half: 0 };
  }

  /** Load from the host address on the stack. */
  load(op: Op, to: Expr, bytes: VectorBytes, wide: boolean): void {
    const { asm } = this;
    const { local, half } = this.place(op, to);
    if (local === this.first + SOURCE) {
      asm.tee(HOST);
      this.loaded = true;
    }
    if (to.k !== "const" && bytes === 8 && !wide) {
      asm.get(local);
      asm.vectorMemory(LOAD_HALF, 0, half);
    } else asm.vectorMemory(LOAD[bytes as 4 | 8 | 16], 0);
    asm.set(local);
    this.changed(local);
  }

  /** Store to the host address on the stack. */
  store(op: Op, from: Expr, bytes: VectorBytes): void {
    const { asm } = this;
    if (from.k === "const" && from.v !== 4 * STATE_VECTOR) {
      // STMXCSR.
      asm.const(0);
      asm.load(32, from.v);
      asm.store(32, 0);
      return;
    }
    const { local, half } = this.place(op, from);
    asm.get(local);
    if (bytes === 16) asm.vectorMemory(STORE, 0);
    else asm.vectorMemory(STORE_LANE[bytes as 4 | 8], 0, half);
  }

  /** `d` = `d` op `s`. */
  operation(op: Op, name: string, dest: Expr, source: Expr, bytes: VectorBytes, imm: number): void {
    const { asm } = this;
    const d = this.place(op, dest);
    const s = this.place(op, source);
    if (name === "mov.v") this.move(d, s, bytes);
    else if (name in integerOperations) {
      integerOperations[name]({
        asm,
        d: () => asm.get(d.local),
        s: () => asm.get(s.local),
        imm: imm & 0xff,
        first: this.temporary(1),
        second: this.temporary(2),
      });
      asm.set(d.local);
      this.changed(d.local);
    } else floatOperation(this, name, d.local, s.local, bytes, imm & 0xff);
  }

  private move(d: Place, s: Place, bytes: VectorBytes): void {
    const { asm } = this;
    asm.get(s.local);
    if (bytes !== 16) {
      const moved = Array.from({ length: bytes }, (_, i) => 8 * s.half + i);
      const lanes = Array.from({ length: 16 }, (_, i) => moved[i - 8 * d.half] ?? 16 + i);
      asm.get(d.local);
      shuffle(asm, lanes);
    }
    asm.set(d.local);
    const known = this.plain.get(s.local);
    if (bytes === 16 && known !== undefined) this.changed(d.local, known.bytes, known.lanes);
    else this.changed(d.local);
  }

  /**
   * One of VECTOR_CALLS but the comparison to flags.
   * @param push pushes the value of an expression
   * @param fixed the value of one that is known now
   * @returns whether a result lies on the stack
   */
  call(op: Op, fn: string, args: readonly Expr[], push: (e: Expr) => void, fixed: (e: Expr) => number): boolean {
    const { asm } = this;
    if (fn === "checkSse") {
      this.available();
      return false;
    }
    const { local } = this.place(op, args[0]);
    switch (fn) {
      case "fromGeneral":
        asm.constVector(NOTHING);
        push(args[1]);
        asm.vector(REPLACE_INTEGER, 0);
        asm.set(local);
        this.changed(local);
        return false;
      case "insertWord":
        asm.get(local);
        push(args[1]);
        asm.vector(REPLACE_WORD, fixed(args[2]) & 7);
        asm.set(local);
        this.changed(local);
        return false;
      case "toGeneral":
        asm.get(local);
        asm.vector(EXTRACT_INTEGER, 0);
        return true;
      case "extractWord":
        asm.get(local);
        asm.vector(EXTRACT_WORD, fixed(args[1]) & 7);
        return true;
      default:
        asm.get(local);
        asm.vector(MASK[fixed(args[2])]);
        return true;
    }
  }

  /** The local of a place. */
  localOf(op: Op, e: Expr): number {
    return this.place(op, e).local;
  }
}
