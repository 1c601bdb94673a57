// The x87 register stack over its words in linear memory (layout.ts): registers, tags, control and status words, pushes
// and pops with their stack faults. Source: Intel SDM vol. 1, "x87 FPU execution environment".
import { classify, DENORMAL, F80, INFINITY, NORMAL, setIndefinite, ZERO } from "./float80.ts";
import {
  FPU_BLOCK,
  FPU_C1,
  FPU_CW,
  FPU_FCS_FOP,
  FPU_FDP,
  FPU_FDS,
  FPU_FIP,
  FPU_MODE,
  FPU_PE,
  FPU_SW,
  FPU_TOP,
  FPU_WORDS,
  MODE_FULL,
  MODE_MASKED,
  MODE_NEAREST,
  SLOT_SE,
  TAG_EMPTY,
  TAG_SPECIAL,
  TAG_ZERO,
} from "./layout.ts";
import { FloatEnv, IE, PE, SF } from "./round.ts";

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

const word = (at: number): number => (at - FPU_BLOCK) >> 2;
const TOP = word(FPU_TOP);
const SW = word(FPU_SW);
const CW = word(FPU_CW);
const MODE = word(FPU_MODE);
const FIP = word(FPU_FIP);
const FCS_FOP = word(FPU_FCS_FOP);
const FDP = word(FPU_FDP);
const FDS = word(FPU_FDS);
const ROUNDED_UP = word(FPU_C1);
const INEXACT = word(FPU_PE);
const SLOT_WORDS = 4;
const SE = SLOT_SE >> 2;

/** A physical register: an extended value in its slot. Writing it leaves an empty register empty. */
class Register implements F80 {
  private readonly words: Int32Array;
  private readonly at: number;

  constructor(words: Int32Array, n: number) {
    this.words = words;
    this.at = n * SLOT_WORDS;
  }

  get sign(): number {
    return (this.words[this.at + SE] >>> 15) & 1;
  }
  set sign(value: number) {
    this.set(value, this.exp, this.hi, this.lo);
  }
  get exp(): number {
    return this.words[this.at + SE] & 0x7fff;
  }
  set exp(value: number) {
    this.set(this.sign, value, this.hi, this.lo);
  }
  get hi(): number {
    return this.words[this.at + 1] >>> 0;
  }
  set hi(value: number) {
    this.set(this.sign, this.exp, value, this.lo);
  }
  get lo(): number {
    return this.words[this.at] >>> 0;
  }
  set lo(value: number) {
    this.set(this.sign, this.exp, this.hi, value);
  }

  set(sign: number, exp: number, hi: number, lo: number): void {
    const { words, at } = this;
    const empty = (words[at + SE] & TAG_EMPTY) === TAG_EMPTY;
    words[at] = lo;
    words[at + 1] = hi;
    words[at + SE] = (sign << 15) | exp | (empty ? TAG_EMPTY : 0);
    if (!empty) this.retag();
  }

  copy(from: F80): void {
    this.set(from.sign, from.exp, from.hi, from.lo);
  }

  /** The tag that goes with the value. */
  retag(): void {
    const kind = classify(this);
    const tag = kind === NORMAL ? 0 : kind === ZERO ? TAG_ZERO : TAG_SPECIAL;
    this.words[this.at + SE] = (this.words[this.at + SE] & 0xffff) | tag;
  }
}

export class Fpu {
  /** The words of layout.ts. */
  readonly words: Int32Array;
  /** Physical registers R0..R7. */
  readonly regs: readonly Register[];
  readonly env = new FloatEnv();
  // Scratch values of the instruction under way.
  readonly memory = new F80();
  readonly result = new F80();
  readonly second = new F80();
  /** Counts instructions until the quick routines are built. */
  executed = 0;
  private present = true;

  /** @param words where the state lives; a block of its own when it only keeps a copy */
  constructor(words = new Int32Array(FPU_WORDS)) {
    this.words = words;
    this.regs = Array.from({ length: 8 }, (_, n) => new Register(words, n));
    this.init();
  }

  /** FNINIT. */
  init(): void {
    this.sw = 0;
    this.top = 0;
    this.used = 0;
    this.fip = 0;
    this.fcs = 0;
    this.fop = 0;
    this.fdp = 0;
    this.fds = 0;
    this.setCw(CW_INIT);
  }

  /** Take over the whole state of another. */
  copyFrom(other: Fpu): void {
    this.words.set(other.words);
    this.refresh();
  }

  /** Physical register that is ST(0). */
  get top(): number {
    return this.words[TOP] >> 4;
  }
  set top(value: number) {
    this.words[TOP] = value << 4;
  }

  /** Status word without TOP. */
  get sw(): number {
    const { words } = this;
    return words[SW] | (words[ROUNDED_UP] ? C1 : 0) | (words[INEXACT] | words[INEXACT + 1] ? PE : 0);
  }
  set sw(value: number) {
    const { words } = this;
    words[SW] = value & ~(C1 | PE);
    words[ROUNDED_UP] = value & C1 ? 1 : 0;
    words[INEXACT] = value & PE;
    words[INEXACT + 1] = 0;
  }

  get cw(): number {
    return this.words[CW];
  }

  setCw(value: number): void {
    this.words[CW] = (value & CW_KEPT) | CW_ONES;
    this.updateSummary();
    this.refresh();
  }

  /** Last non-control instruction: offset, selector and opcode, and its memory operand. */
  get fip(): number {
    return this.words[FIP];
  }
  set fip(value: number) {
    this.words[FIP] = value;
  }
  get fcs(): number {
    return this.words[FCS_FOP] & 0xffff;
  }
  set fcs(value: number) {
    this.words[FCS_FOP] = (this.words[FCS_FOP] & ~0xffff) | value;
  }
  get fop(): number {
    return this.words[FCS_FOP] >>> 16;
  }
  set fop(value: number) {
    this.words[FCS_FOP] = (this.words[FCS_FOP] & 0xffff) | (value << 16);
  }
  get fdp(): number {
    return this.words[FDP];
  }
  set fdp(value: number) {
    this.words[FDP] = value;
  }
  get fds(): number {
    return this.words[FDS];
  }
  set fds(value: number) {
    this.words[FDS] = value;
  }

  /** What quick routines may run, see layout.ts. */
  get mode(): number {
    return this.words[MODE];
  }

  /** CR0 lets x87 instructions execute, or does not. */
  set available(value: boolean) {
    this.present = value;
    this.refresh();
  }

  /** FPU_MODE by the control word and CR0. */
  private refresh(): void {
    const cw = this.words[CW];
    let mode = 0;
    if (this.present && (cw & FLAGS) === FLAGS) {
      mode = MODE_MASKED;
      if ((cw & 0xc00) === 0) mode |= (cw & 0x300) === 0x300 ? MODE_NEAREST | MODE_FULL : MODE_NEAREST;
    }
    this.words[MODE] = mode;
  }

  /** Before an instruction: how it rounds, nothing raised. */
  begin(): void {
    const { env, cw } = this;
    env.rc = (cw >>> 10) & 3;
    env.precision = PRECISIONS[(cw >>> 8) & 3];
    env.masks = cw & FLAGS;
    env.flags = 0;
    env.up = 0;
  }

  private isEmptyPhysical(n: number): boolean {
    return (this.words[n * SLOT_WORDS + SE] & TAG_EMPTY) === TAG_EMPTY;
  }

  /** Bit n: physical register n holds a value (not empty). */
  get used(): number {
    let used = 0;
    for (let n = 0; n < 8; n++) if (!this.isEmptyPhysical(n)) used |= 1 << n;
    return used;
  }
  set used(value: number) {
    for (let n = 0; n < 8; n++) this.setUsed(n, (value >>> n) & 1);
  }

  private setUsed(physical: number, on: number): void {
    const n = physical & 7;
    if (on) this.regs[n].retag();
    else this.words[n * SLOT_WORDS + SE] |= TAG_EMPTY;
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
    return this.isEmptyPhysical((this.top + i) & 7);
  }

  markUsed(i: number): void {
    this.setUsed(this.top + i, 1);
  }

  free(i: number): void {
    this.setUsed(this.top + i, 0);
  }

  pop(): void {
    this.setUsed(this.top, 0);
    this.top = (this.top + 1) & 7;
  }

  /** Push a value; the caller has checked ST(7). */
  push(value: F80): void {
    this.top = (this.top - 1) & 7;
    this.regs[this.top].copy(value);
    this.setUsed(this.top, 1);
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
    return (this.words[physical * SLOT_WORDS + SE] >>> 16) & 3;
  }

  /** The 16-bit tag word. */
  get tagWord(): number {
    let word = 0;
    for (let i = 0; i < 8; i++) word |= this.tag(i) << (2 * i);
    return word;
  }

  set tagWord(value: number) {
    for (let i = 0; i < 8; i++) this.setUsed(i, ((value >>> (2 * i)) & 3) === 3 ? 0 : 1);
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
