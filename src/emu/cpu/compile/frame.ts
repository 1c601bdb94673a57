// What a region's function holds of the processor's state: which registers, loaded at the start and stored where it is left.
import type { Op } from "../isa/decode.ts";
import { EAX, STATE_AUX, STATE_EIP, STATE_LEFT, STATE_RESULT } from "../state.ts";
import type { Assembler } from "./assembler.ts";
import { BASE, ENTRY, FB, FK, FR, LEFT, REG, STATE_FLAG_KIND, STATE_RAN, TO } from "./layout.ts";
import { fullRegister, type Meaning } from "./meaning.ts";
import type { Plan } from "./region.ts";
import { type VectorCode, xmmOf } from "./simd.ts";
import { storesStatus } from "./x87.ts";

/** The state that one region's function holds in locals. */
export class Frame {
  private readonly asm: Assembler;
  private readonly index: number;
  /** Where the region's counters lie; 0 when it does not count. */
  private readonly counters: number;
  private reads = 0;
  private writes = 0;
  private usesFlags = false;
  /** XMM registers named, and changed. */
  xmmUsed = 0;
  xmmWritten = 0;
  hasVectors = false;
  /** For regions that have vector instructions. */
  vectors: VectorCode | null = null;

  constructor(asm: Assembler, plan: Plan, index: number, counters: number) {
    this.asm = asm;
    this.index = index;
    this.counters = counters;
    this.find(plan);
  }

  private find(plan: Plan): void {
    for (const { code, meanings, compiled } of plan.blocks) {
      for (let i = 0; i < compiled; i++) {
        const m = meanings[i];
        const op = code.ops[i];
        this.reads |= m.reads;
        this.writes |= m.writes;
        this.slot(op.a, op.form.aSize, m.slotA);
        this.slot(op.b, op.form.bSize, m.slotB);
        const { ea } = m.spec;
        if (ea === 2 || ea === 3) this.reads |= 1 << op.mb;
        if (ea >= 3) this.reads |= 1 << op.mi;
        if (m.touchesFlags || m.readsFlags) this.usesFlags = true;
        if (storesStatus(m.x87, op.imm2)) this.writes |= 1 << EAX;
        if (m.vector) this.vectorSlots(m, op);
      }
    }
    // What is written is stored at every way out, also where it has not been written yet.
    this.reads |= this.writes;
  }

  private vectorSlots(m: Meaning, op: Op): void {
    this.hasVectors = true;
    for (const [place, access] of [
      [op.a, m.vectorA],
      [op.b, m.vectorB],
    ]) {
      if (access !== 0) this.xmmUsed |= 1 << xmmOf(place);
      if (access & 2) this.xmmWritten |= 1 << xmmOf(place);
    }
  }

  private slot(index: number, size: number, access: number): void {
    const n = fullRegister(index, size);
    if (access & 1) this.reads |= 1 << n;
    if (access & 2) this.writes |= 1 << n;
  }
  private loadState(word: number, local: number): void {
    this.asm.const(0);
    this.asm.load(32, 4 * word);
    this.asm.set(local);
  }

  private storeState(word: number, value: () => void): void {
    this.asm.const(0);
    value();
    this.asm.store(32, 4 * word);
  }

  /** Load what the region uses, and make out where it was entered. */
  enter(): void {
    const { asm } = this;
    for (let n = 0; n < 8; n++) if (this.reads & (1 << n)) this.loadState(n, REG + n);
    if (this.usesFlags) {
      this.loadState(STATE_RESULT, FR);
      this.loadState(STATE_AUX, FB);
      this.loadState(STATE_FLAG_KIND, FK);
    }
    this.vectors?.enter();
    this.loadState(STATE_LEFT, LEFT);
    asm.const(0);
    asm.load(32, 4 * STATE_EIP);
    asm.set(TO);
    this.rebase();
    if (this.counters === 0) return;
    // Into the list of regions that have run, once.
    asm.const(0);
    asm.load(32, this.counters);
    asm.op("eqz");
    asm.if();
    asm.const(0);
    asm.const(0);
    asm.load(32, 4 * STATE_RAN);
    asm.store(32, this.counters);
    this.storeState(STATE_RAN, () => asm.const(this.index));
    asm.end();
  }

  /** Split ENTRY into the page that TO lies in, counted from the base, and the block's number. */
  rebase(): void {
    const { asm } = this;
    asm.get(TO);
    asm.const(~0xfff);
    asm.op("and");
    asm.get(ENTRY);
    asm.const(~0xfff);
    asm.op("and");
    asm.op("sub");
    asm.set(BASE);
    asm.get(ENTRY);
    asm.const(0xfff);
    asm.op("and");
    asm.set(ENTRY);
  }

  /** Store what the region may have changed. */
  spill(eip: () => void): void {
    for (let n = 0; n < 8; n++) if (this.writes & (1 << n)) this.storeState(n, () => this.asm.get(REG + n));
    if (this.usesFlags) {
      this.storeState(STATE_RESULT, () => this.asm.get(FR));
      this.storeState(STATE_AUX, () => this.asm.get(FB));
      this.storeState(STATE_FLAG_KIND, () => this.asm.get(FK));
    }
    this.vectors?.spill();
    this.storeState(STATE_LEFT, () => this.asm.get(LEFT));
    this.storeState(STATE_EIP, eip);
  }
}
