// Operands in memory: linear addresses, and host addresses by the page arrays or by windows met before. What does not hold on
// the quick path leaves the region before the instruction has changed anything.
import { LEAVE, TLB_SUPER_READ, TLB_SUPER_WRITE, TLB_USER_READ, TLB_USER_WRITE } from "../../machine/memory.ts";
import type { Addr } from "../isa/ir.ts";
import { EBP, ESP, FS, STATE_ATTR, STATE_BASE, STATE_LIMIT } from "../state.ts";
import { HOST, LA, SCRATCH } from "./layout.ts";
import type { Access, Window } from "./places.ts";
import type { Values } from "./values.ts";

/** The operands of one instruction after the other. */
export class Operands {
  private readonly values: Values;
  /** Number of the first local for a host address. */
  private readonly places: number;
  private accesses: readonly (Access | null)[] = [];
  private accessed = 0;

  constructor(values: Values, places: number) {
    this.values = values;
    this.places = places;
  }

  /** At the start of an instruction, with its accesses in order, as far as they are known. */
  begin(accesses: readonly (Access | null)[]): void {
    this.accesses = accesses;
    this.accessed = 0;
  }

  /** Put the linear address of an access into LA. */
  linear(at: Addr, bytes: number): void {
    const { values } = this;
    const { asm, op, meaning } = values;
    if (at.seg === "op" && meaning.spec.segmented) {
      const seg = op.seg;
      if (seg < FS) {
        // CS by an override.
        this.values.pushSite();
        asm.br(this.values.around.out);
        return;
      }
      // Writable expand-up data, inside the limit.
      this.values.v(at.off);
      asm.set(LA);
      this.values.pushSite();
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
      this.values.leaveIf();
      asm.get(LA);
      asm.const(0);
      asm.load(32, 4 * (STATE_BASE + seg));
      asm.op("add");
      asm.set(LA);
      return;
    }
    this.values.v(at.off);
    asm.set(LA);
  }

  /** Push the host address of LA for an access of so many bytes, or leave. */
  translated(at: Addr, bytes: number, write: boolean, aligned?: boolean): void {
    const offset = this.translate(at, bytes, write, aligned);
    if (offset === 0) return;
    this.values.asm.const(offset);
    this.values.asm.op("add");
  }

  /**
   * The same but for a number.
   * @returns what is to be added
   */
  translate(at: Addr, bytes: number, write: boolean, aligned = bytes <= 4 && this.isStack(at)): number {
    const { asm } = this.values;
    const access = this.accesses[this.accessed++] ?? null;
    if (access === null) {
      this.lookUp(bytes, write, aligned);
      return 0;
    }
    const { window, first, plus } = access;
    const { local, low, high } = window;
    if (aligned && bytes === 16 && !(first && high - low === bytes)) {
      this.values.pushSite();
      asm.get(LA);
      asm.const(bytes - 1);
      asm.op("and");
      this.values.leaveIf();
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
    const { asm } = this.values;
    const start = SCRATCH;
    asm.get(LA);
    if (before !== 0) {
      asm.const(before);
      asm.op("sub");
    }
    asm.set(start);
    this.entry(start, window.write);
    asm.const(this.values.around.site(window));
    this.leaveAcrossPage(start, window.high - window.low);
    asm.get(HOST);
    asm.get(start);
    asm.op("add");
  }

  /** Put the page-array entry of an address into HOST. */
  private entry(address: number, write: boolean): void {
    const { asm } = this.values;
    const { user } = this.values.around;
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
    const { asm } = this.values;
    this.entry(LA, write);
    if (bytes === 1) {
      this.values.pushSite();
      asm.get(HOST);
      asm.const(LEAVE);
      asm.op("and");
      this.values.leaveIf();
    } else if (aligned) {
      // Nearly always aligned, or it has to be: then nothing crosses a page.
      this.values.pushSite();
      this.misaligned(bytes);
      this.values.leaveIf();
    } else if (bytes !== 8 && bytes !== 16) {
      this.values.pushSite();
      this.leaveAcrossPage(LA, bytes);
    } else {
      this.misaligned(bytes);
      asm.if();
      this.values.pushSite();
      this.leaveAcrossPage(LA, bytes);
      asm.end();
    }
    asm.get(HOST);
    asm.get(LA);
    asm.op("add");
  }

  /** Push whether LA, or the page-array entry in HOST, has low bits. */
  private misaligned(bytes: number): void {
    const { asm } = this.values;
    asm.get(HOST);
    asm.get(LA);
    asm.op("or");
    asm.const(bytes - 1);
    asm.op("and");
  }

  /** Leave when the entry in HOST says so or bytes at an address cross the page's end. The site's number is pushed. */
  private leaveAcrossPage(address: number, bytes: number): void {
    const { asm } = this.values;
    // The low bits of an entry are all set or all clear.
    asm.get(HOST);
    asm.get(address);
    asm.op("or");
    asm.const(LEAVE);
    asm.op("and");
    asm.const(0x1000 - bytes);
    asm.op("gtu");
    this.values.leaveIf();
  }

  private isStack(at: Addr): boolean {
    const { ea } = this.values.meaning.spec;
    if (at.seg !== "op") return at.seg === 2;
    return ea === 2 && (this.values.op.mb === ESP || this.values.op.mb === EBP);
  }
}
