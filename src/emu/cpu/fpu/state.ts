// The x87 register stack: registers, tags, control and status words, pushes and pops with their stack faults.
// Source: Intel SDM vol. 1, "x87 FPU execution environment".
import { classify, DENORMAL, F80, INFINITY, NORMAL, setIndefinite, ZERO } from "./float80.ts";
import { FloatEnv, IE, SF } from "./round.ts";

// Status word bits besides the exception flags.
export const ES = 0x80;
export const C0 = 0x100;
export const C1 = 0x200;
export const C2 = 0x400;
export const C3 = 0x4000;
export const BUSY = 0x8000;
const FLAGS = 0x3f;

/** Control word after FNINIT. */
export const CW_INIT = 0x037f;
const CW_KEPT = 0x1f3f;
const CW_ONES = 0x0040;
const PRECISIONS = [24, 64, 53, 64];

export class Fpu {
  /** Physical registers R0..R7. */
  readonly regs: readonly F80[] = Array.from({ length: 8 }, () => new F80());
  readonly env = new FloatEnv();
  /** Physical register that is ST(0). */
  top = 0;
  /** Bit n: physical register n holds a value (not empty). */
  used = 0;
  /** Status word without TOP. */
  sw = 0;
  cw = CW_INIT;
  /** Last non-control instruction: offset, selector and opcode, and its memory operand. */
  fip = 0;
  fcs = 0;
  fop = 0;
  fdp = 0;
  fds = 0;
  // Scratch values of the instruction under way.
  readonly memory = new F80();
  readonly result = new F80();
  readonly second = new F80();

  constructor() {
    this.init();
  }

  /** FNINIT. */
  init(): void {
    this.setCw(CW_INIT);
    this.sw = 0;
    this.top = 0;
    this.used = 0;
    this.fip = 0;
    this.fcs = 0;
    this.fop = 0;
    this.fdp = 0;
    this.fds = 0;
  }

  setCw(value: number): void {
    this.cw = (value & CW_KEPT) | CW_ONES;
    this.env.rc = (value >>> 10) & 3;
    this.env.precision = PRECISIONS[(value >>> 8) & 3];
    this.env.masks = value & FLAGS;
    this.updateSummary();
  }

  /** Status word as FNSTSW stores it. */
  get status(): number {
    return this.sw | (this.top << 11);
  }

  set status(value: number) {
    this.top = (value >>> 11) & 7;
    this.sw = value & ~0x3800 & 0xffff;
    this.updateSummary();
  }

  /** ES and B follow the unmasked flags. */
  updateSummary(): void {
    if (this.sw & ~this.cw & FLAGS) this.sw |= ES | BUSY;
    else this.sw &= ~(ES | BUSY);
  }

  /** ST(i). */
  st(i: number): F80 {
    return this.regs[(this.top + i) & 7];
  }

  isEmpty(i: number): boolean {
    return ((this.used >>> ((this.top + i) & 7)) & 1) === 0;
  }

  markUsed(i: number): void {
    this.used |= 1 << ((this.top + i) & 7);
  }

  free(i: number): void {
    this.used &= ~(1 << ((this.top + i) & 7));
  }

  pop(): void {
    this.used &= ~(1 << this.top);
    this.top = (this.top + 1) & 7;
  }

  /** Push a value; the caller has checked ST(7). */
  push(value: F80): void {
    this.top = (this.top - 1) & 7;
    this.regs[this.top].copy(value);
    this.used |= 1 << this.top;
  }

  setConditions(c0: number, c2: number, c3: number): void {
    this.sw = (this.sw & ~(C0 | C2 | C3)) | (c0 ? C0 : 0) | (c2 ? C2 : 0) | (c3 ? C3 : 0);
  }

  setC1(on: number): void {
    this.sw = on ? this.sw | C1 : this.sw & ~C1;
  }

  /** Record what an operation raised, with C1. */
  record(flags: number, c1: number): void {
    this.sw |= flags & (FLAGS | SF);
    this.setC1(c1);
    if (flags) this.updateSummary();
  }

  /** Stack overflow or underflow. Returns true when the masked response is due. */
  stackFault(overflow: boolean): boolean {
    this.record(IE | SF, overflow ? 1 : 0);
    return (this.cw & IE) !== 0;
  }

  /** Push with the overflow check; `result` is what to push. */
  pushChecked(): void {
    if (this.isEmpty(7)) {
      this.push(this.result);
      return;
    }
    if (!this.stackFault(true)) return;
    setIndefinite(this.result);
    this.push(this.result);
  }

  /** Two tag bits of a physical register: 0 valid, 1 zero, 2 special, 3 empty. */
  tag(physical: number): number {
    if (!((this.used >>> physical) & 1)) return 3;
    const kind = classify(this.regs[physical]);
    return kind === NORMAL ? 0 : kind === ZERO ? 1 : 2;
  }

  /** The 16-bit tag word. */
  get tagWord(): number {
    let word = 0;
    for (let i = 0; i < 8; i++) word |= this.tag(i) << (2 * i);
    return word;
  }

  set tagWord(value: number) {
    this.used = 0;
    for (let i = 0; i < 8; i++) if (((value >>> (2 * i)) & 3) !== 3) this.used |= 1 << i;
  }

  /** FXAM: condition codes of ST(0). */
  examine(): void {
    const x = this.st(0);
    this.setC1(x.sign);
    if (this.isEmpty(0)) {
      this.setConditions(1, 0, 1);
      return;
    }
    const kind = classify(x);
    if (kind === NORMAL) this.setConditions(0, 1, 0);
    else if (kind === ZERO) this.setConditions(0, 0, 1);
    else if (kind === DENORMAL) this.setConditions(0, 1, 1);
    else if (kind === INFINITY) this.setConditions(1, 1, 0);
    else this.setConditions(x.hi >= 0x8000_0000 ? 1 : 0, 0, 0);
  }
}
