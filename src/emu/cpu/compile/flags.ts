// Flags inside a region: set as operands in locals, tested by fused comparisons, turned into the aux word only where
// somebody needs it. Knows, at every place in a block, of which kind the flags are.
import type { Assembler } from "./assembler.ts";
import { FA, FB, FK, FR, KIND_ADD, KIND_AUX, KIND_INC, KIND_SUB, KIND_UNKNOWN, kindShift, SCRATCH } from "./layout.ts";

/** Functions that every module brings along (helpers.ts): their numbers. */
export const FN_AUX = 0;
export const FN_ARITH = 1;
export const FN_LAZY_AUX = 2;
export const HELPER_FUNCTIONS = 3;

/** INC, DEC or a rotate of a 32-bit register whose flags are made up only where the region is left: the register holds the result. */
export interface Step {
  readonly register: number;
  readonly kind: number;
}

export class Flags {
  private readonly asm: Assembler;
  kind = KIND_UNKNOWN;
  /** What has happened since the flags were as the locals say. */
  step: Step | null = null;
  /** The last setter was a logic operation: the aux word is 0. */
  private logic = false;
  /** The first operand is still in its local. */
  private operand = false;

  constructor(asm: Assembler) {
    this.asm = asm;
  }

  /** At the start of a block, or behind code that may have set the flags or not. */
  forget(): void {
    this.step = null;
    this.kind = KIND_UNKNOWN;
    this.logic = false;
    this.operand = false;
  }

  /** The locals have just been set. */
  become(kind: number, logic = false): void {
    this.step = null;
    this.kind = kind;
    this.logic = logic;
    this.operand = true;
  }

  /** Make FK say the kind. */
  note(): void {
    if (this.kind === KIND_UNKNOWN) return;
    this.asm.const(this.kind);
    this.asm.set(FK);
  }

  /** Make FB the aux word. */
  toAux(): void {
    const { asm } = this;
    if (this.kind === KIND_AUX) return;
    if (this.kind === KIND_UNKNOWN || !this.operand) {
      if (this.kind === KIND_UNKNOWN) asm.get(FK);
      else asm.const(this.kind);
      asm.get(FR);
      asm.get(FB);
      asm.call(FN_AUX);
      asm.set(FB);
    } else this.staticAux();
    this.kind = KIND_AUX;
  }

  private staticAux(): void {
    const { asm } = this;
    const group = this.kind & ~3;
    const up = kindShift(this.kind);
    if (group === KIND_ADD || group === KIND_SUB) {
      // ADD: a & b | (a | b) & ~r. SUB: ~a & b | (~a | b) & r.
      const minus = group === KIND_SUB;
      asm.get(FA);
      if (minus) this.not();
      asm.tee(SCRATCH);
      asm.get(FB);
      asm.op("and");
      asm.get(SCRATCH);
      asm.get(FB);
      asm.op("or");
      asm.get(FR);
      if (!minus) this.not();
      asm.op("and");
      asm.op("or");
      if (up === 0) {
        asm.const(0xc000_0008);
        asm.op("and");
      } else {
        asm.tee(SCRATCH);
        asm.const(up);
        asm.op("shl");
        asm.const(0xc000_0000);
        asm.op("and");
        asm.get(SCRATCH);
        asm.const(8);
        asm.op("and");
        asm.op("or");
      }
      asm.set(FB);
      return;
    }
    const inc = group === KIND_INC;
    asm.get(FB);
    asm.const(0x8000_0000);
    asm.op("and");
    asm.tee(SCRATCH);
    asm.get(SCRATCH);
    asm.const(1);
    asm.op("shr");
    asm.op("or");
    asm.get(FR);
    asm.const(inc ? (0x8000_0000 | 0) >> up : 0x7fff_ffff >> up);
    asm.op("eq");
    asm.const(30);
    asm.op("shl");
    asm.op("xor");
    asm.get(FR);
    asm.const(15);
    asm.op("and");
    asm.const(inc ? 0 : 15);
    asm.op("eq");
    asm.const(3);
    asm.op("shl");
    asm.op("or");
    asm.set(FB);
  }

  private not(): void {
    this.asm.const(-1);
    this.asm.op("xor");
  }

  private shifted(local: number, up: number): void {
    this.asm.get(local);
    if (up === 0) return;
    this.asm.const(up);
    this.asm.op("shl");
  }

  private get isSub(): boolean {
    return this.operand && (this.kind & ~3) === KIND_SUB && this.kind > 0;
  }

  private get isAdd(): boolean {
    return this.operand && (this.kind & ~3) === KIND_ADD && this.kind > 0;
  }

  private get isStep(): boolean {
    return this.kind >= KIND_INC;
  }

  /** Push CF as 0 or 1. */
  cf(): void {
    const { asm } = this;
    if (this.logic) asm.const(0);
    else if (this.isSub) {
      asm.get(FA);
      asm.get(FB);
      asm.op("ltu");
    } else if (this.isAdd) {
      // The sum is below an operand exactly when it has wrapped (and with a carry in, kinds are not used).
      const up = kindShift(this.kind);
      this.shifted(FR, up);
      this.shifted(FA, up);
      asm.op("ltu");
    } else {
      if (!this.isStep) this.toAux();
      asm.get(FB);
      asm.const(31);
      asm.op("shr");
    }
  }

  zf(): void {
    this.asm.get(FR);
    this.asm.op("eqz");
  }

  /** Push a word whose sign bit is SF. */
  private signWord(): void {
    const { asm } = this;
    if (this.kind === KIND_UNKNOWN) this.toAux();
    asm.get(FR);
    if (this.kind !== KIND_AUX || this.logic) return;
    asm.get(FB);
    asm.const(31);
    asm.op("shl");
    asm.op("xor");
  }

  /** Push a word whose sign bit is OF. */
  private overflowWord(): void {
    const { asm } = this;
    if (this.logic) {
      asm.const(0);
      return;
    }
    this.toAux();
    asm.get(FB);
    asm.get(FB);
    asm.const(1);
    asm.op("shl");
    asm.op("xor");
  }

  private sign(): void {
    this.asm.const(31);
    this.asm.op("shr");
  }

  sf(): void {
    this.signWord();
    this.sign();
  }

  of(): void {
    this.overflowWord();
    this.sign();
  }

  pf(): void {
    const { asm } = this;
    if (this.kind === KIND_UNKNOWN) this.toAux();
    asm.get(FR);
    if (this.kind === KIND_AUX && !this.logic) {
      asm.get(FB);
      asm.const(8);
      asm.op("sar");
      asm.op("xor");
    }
    asm.const(255);
    asm.op("and");
    asm.op("popcnt");
    asm.const(1);
    asm.op("and");
    asm.op("eqz");
  }

  af(): void {
    this.toAux();
    this.asm.get(FB);
    this.asm.const(3);
    this.asm.op("shr");
    this.asm.const(1);
    this.asm.op("and");
  }

  /** Push one of the 16 conditions as 0 or 1. */
  condition(cc: number): void {
    const { asm } = this;
    const negative = (cc & 1) === 1;
    switch (cc >> 1) {
      case 0:
        this.of();
        break;
      case 1:
        if (this.isSub) {
          asm.get(FA);
          asm.get(FB);
          asm.op(negative ? "geu" : "ltu");
          return;
        }
        this.cf();
        break;
      case 2:
        asm.get(FR);
        if (!negative) asm.op("eqz");
        else {
          asm.const(0);
          asm.op("ne");
        }
        return;
      case 3:
        if (this.isSub) {
          asm.get(FA);
          asm.get(FB);
          asm.op(negative ? "gtu" : "leu");
          return;
        }
        this.cf();
        this.zf();
        asm.op("or");
        break;
      case 4:
        this.signWord();
        asm.const(0);
        asm.op(negative ? "ges" : "lts");
        return;
      case 5:
        this.pf();
        break;
      default:
        this.signed(cc >> 1 === 7, negative);
        return;
    }
    if (negative) asm.op("eqz");
  }

  /** L, GE, LE, G. */
  private signed(orEqual: boolean, negative: boolean): void {
    const { asm } = this;
    if (this.isSub) {
      const up = kindShift(this.kind);
      this.shifted(FA, up);
      this.shifted(FB, up);
      asm.op(orEqual ? (negative ? "gts" : "les") : negative ? "ges" : "lts");
      return;
    }
    if (this.logic) {
      asm.get(FR);
      asm.const(0);
      asm.op(orEqual ? (negative ? "gts" : "les") : negative ? "ges" : "lts");
      return;
    }
    this.overflowWord();
    this.signWord();
    asm.op("xor");
    asm.const(0);
    asm.op("lts");
    if (orEqual) {
      this.zf();
      asm.op("or");
    }
    if (negative) asm.op("eqz");
  }
}
