// Follows what tracer.c tells: executes the same instruction in the emulator and compares, step by step.
import { disassemble } from "../../src/emu/cpu/disasm.ts";
import { decode, MAX_LENGTH, MODE_USER } from "../../src/emu/cpu/isa/decode.ts";
import { ProgramWorld, type Region } from "./world.ts";

const [STEP, FORCED, FPU, PAGE, REGIONS, THREAD, CHECKED, END, SYSCALL] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const REGISTERS_BYTES = 56;
const FLAG_BITS: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };
/** CF PF AF ZF SF DF OF NT ID. */
const COMPARED = 0x20_4cd5;
const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

interface Known {
  readonly undefinedFlags: number;
  /** The result is an approximation: taken over instead of compared. */
  readonly approximate: boolean;
}

/** What was compared. */
export interface Counts {
  instructions: number;
  fpStates: number;
  pages: number;
  systemCalls: number;
  /** Results of transcendental functions, RCP and RSQRT that differed in the last places and were taken over. */
  approximations: number;
}

const hex = (n: number) => (n >>> 0).toString(16);

export class Follower {
  readonly world: ProgramWorld;
  readonly counts: Counts = { instructions: 0, fpStates: 0, pages: 0, systemCalls: 0, approximations: 0 };
  /** The first difference with both states, or null. */
  difference: string | null = null;
  /** Set when the program has ended: its status, with 0x100 for a signal that ended it, 0x200 for one that stopped it. */
  ended: number | null = null;
  private readonly pages = new Map<number, Uint8Array>();
  private readonly known = new Map<number, Known>();
  private approximate = false;
  private last = 0;

  constructor(model: string) {
    this.world = new ProgramWorld(model);
  }

  /** Take in bytes of the tracer; returns how many were whole records. */
  feed(bytes: Uint8Array): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    while (this.difference === null && this.ended === null && at + 8 <= bytes.length) {
      const size = this.sizeOf(view, at);
      if (at + size > bytes.length) break;
      this.record(view, at, bytes.subarray(at, at + size));
      at += size;
    }
    return at;
  }

  private sizeOf(view: DataView, at: number): number {
    switch (view.getUint32(at, true)) {
      case STEP:
      case FORCED:
      case SYSCALL:
        return REGISTERS_BYTES;
      case FPU:
        return 516;
      case PAGE:
        return 8 + 4096;
      case REGIONS:
        return 8 + 12 * view.getUint32(at + 4, true);
      case THREAD:
        return 20;
      case CHECKED:
        return 4;
      default:
        return 8;
    }
  }

  private record(view: DataView, at: number, bytes: Uint8Array): void {
    const word = (n: number) => view.getUint32(at + 4 * n, true);
    switch (word(0)) {
      case STEP:
        this.step(word);
        break;
      case FORCED:
      case SYSCALL:
        this.force(word);
        break;
      case FPU:
        this.fpState(bytes.subarray(4));
        break;
      case PAGE:
        this.pages.set(word(1), bytes.slice(8));
        break;
      case REGIONS:
        this.regions(word);
        break;
      case THREAD:
        this.thread(word);
        break;
      case CHECKED: {
        this.counts.pages += this.pages.size;
        const found = this.world.compare(this.pages);
        if (found !== null) this.report(found, this.last);
        this.pages.clear();
        break;
      }
      case END:
        this.ended = word(1);
    }
  }

  private regions(word: (n: number) => number): void {
    const regions: Region[] = [];
    for (let i = 0; i < word(1); i++) {
      regions.push({ start: word(2 + 3 * i), end: word(3 + 3 * i), prot: word(4 + 3 * i) });
    }
    this.world.setRegions(regions);
    this.known.clear();
  }

  private thread(word: (n: number) => number): void {
    const [, n, base, limit, flags] = [0, word(1), word(2), word(3), word(4)];
    // struct user_desc: 32bit, contents(2), read_exec_only, limit_in_pages, not_present, useable.
    const high =
      (base & 0xff00_0000) |
      ((base >>> 16) & 0xff) |
      (limit & 0xf_0000) |
      0xf100 |
      (flags & 8 ? 0 : 0x200) |
      (flags & 1 ? 0x40_0000 : 0) |
      (flags & 16 ? 0x80_0000 : 0) |
      (flags & 64 ? 0x10_0000 : 0);
    if (flags & 32) this.world.describe(n, 0, 0);
    else this.world.describe(n, (limit & 0xffff) | (base << 16), high);
  }

  private segments(word: (n: number) => number): number[] {
    return [word(11) & 0xffff, word(11) >>> 16, word(12) & 0xffff, word(12) >>> 16, word(13) & 0xffff, word(13) >>> 16];
  }

  /** The state after something that this side does not execute. */
  private force(word: (n: number) => number): void {
    const { cpu } = this.world;
    for (const [la, bytes] of this.pages) this.world.setPage(la, bytes);
    this.pages.clear();
    if (word(0) === SYSCALL) {
      this.counts.systemCalls++;
      // Every register but EAX is as it was.
      for (let i = 1; i < 8; i++)
        if (cpu.r[i] >>> 0 !== word(1 + i)) this.report(`${NAMES[i]} at a system call`, this.last);
    }
    for (let i = 0; i < 8; i++) cpu.r[i] = word(1 + i);
    cpu.eip = word(9);
    cpu.setEflags(word(10));
    this.world.setSegments(this.segments(word), true);
    this.last = word(9);
  }

  private lookUp(eip: number): Known {
    const found = this.known.get(eip);
    if (found) return found;
    const bytes = this.code(eip);
    const op = decode(bytes, 0, bytes.length, 0, MODE_USER);
    let undefinedFlags = 0;
    for (const letter of op?.form.options.u ?? "") undefinedFlags |= FLAG_BITS[letter] ?? 0;
    const name = op?.form.names[0] ?? "";
    const modrm = op?.imm2 ?? 0;
    const functions = [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff];
    const approximate = (name === "esc1" && functions.includes(modrm)) || /^r(cp|sqrt)[ps]s$/.test(name);
    const known = { undefinedFlags, approximate };
    this.known.set(eip, known);
    return known;
  }

  private code(eip: number): Uint8Array {
    const bytes = new Uint8Array(MAX_LENGTH + 1);
    for (let i = 0; i < MAX_LENGTH; i++) bytes[i] = this.world.page(eip + i)?.[(eip + i) & 0xfff] ?? 0;
    return bytes;
  }

  private step(word: (n: number) => number): void {
    const { cpu } = this.world;
    const eip = cpu.eip >>> 0;
    const known = this.lookUp(eip);
    cpu.run(cpu.icount + 1);
    this.last = eip;
    this.counts.instructions++;
    this.approximate = known.approximate;
    let same = cpu.eip >>> 0 === word(9);
    for (let i = 0; i < 8; i++) same = same && cpu.r[i] >>> 0 === word(1 + i);
    const differing = (cpu.getEflags() ^ word(10)) & COMPARED;
    if (differing & ~known.undefinedFlags) same = false;
    else if (differing) cpu.setEflags((cpu.getEflags() & ~known.undefinedFlags) | (word(10) & known.undefinedFlags));
    const { sel } = cpu;
    const segs = (word(11) ^ ((sel[0] & 0xffff) | (sel[1] << 16))) | (word(12) ^ ((sel[2] & 0xffff) | (sel[3] << 16)));
    if (segs | (word(13) ^ ((sel[4] & 0xffff) | (sel[5] << 16)))) same = false;
    if (!same) this.report(this.describe(word), eip);
  }

  private describe(word: (n: number) => number): string {
    const { cpu, exception } = this.world;
    const parts = exception >= 0 ? [`exception ${exception} at ${hex(cpu.cr2)}`] : [];
    NAMES.forEach((name, i) => {
      if (cpu.r[i] >>> 0 !== word(1 + i)) parts.push(`${name} ${hex(word(1 + i))} got ${hex(cpu.r[i])}`);
    });
    if (cpu.eip >>> 0 !== word(9)) parts.push(`eip ${hex(word(9))} got ${hex(cpu.eip)}`);
    if ((cpu.getEflags() ^ word(10)) & COMPARED) parts.push(`eflags ${hex(word(10))} got ${hex(cpu.getEflags())}`);
    this.segments(word).forEach((s, i) => {
      if (s !== (cpu.sel[i] & 0xffff)) parts.push(`segment ${i} ${hex(s)} got ${hex(cpu.sel[i])}`);
    });
    return parts.join("; ");
  }

  /** x87, MMX, XMM, MXCSR: all but the last instruction's pointers and reserved bytes. */
  private fpState(want: Uint8Array): void {
    if (this.counts.instructions === 0) {
      this.world.fx = want;
      return;
    }
    const got = this.world.fx;
    this.counts.fpStates++;
    const differing: number[] = [];
    for (let i = 0; i < 288; i++) if (got[i] !== want[i] && isCompared(i)) differing.push(i);
    if (differing.length === 0) return;
    if (this.approximate) {
      this.counts.approximations++;
      this.world.fx = want;
      return;
    }
    this.report(differing.map((i) => `fx ${hex(i)}: ${hex(want[i])} got ${hex(got[i])}`).join(", "), this.last);
  }

  private report(what: string, eip: number): void {
    if (this.difference !== null) return;
    const { text, length } = disassemble(this.code(eip), eip);
    const code = Buffer.from(this.code(eip).subarray(0, length)).toString("hex");
    const { r } = this.world.cpu;
    const state = NAMES.map((name, i) => `${name} ${hex(r[i])}`).join(" ");
    this.difference = `instruction ${this.counts.instructions} at ${hex(eip)}: ${code} ${text}\n${what}\nhere: ${state}`;
  }
}

function isCompared(i: number): boolean {
  if (i < 24) return i < 5;
  if (i < 28) return true;
  if (i < 32) return false;
  return i >= 160 || (i & 15) < 10;
}
