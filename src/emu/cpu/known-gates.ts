// Entries through a gate to an inner level, and the returns from there, that were made before: what gates.ts and returns.ts
// check depends on a few words of the IDT, GDT and TSS only. While those are what they were, and every page is in the page
// arrays, the checks need not be made again and nothing can fault. All of these words are read each time.
import { type Memory, SUPER_READ, SUPER_WRITE } from "../machine/memory.ts";
import type { Cpu } from "./cpu.ts";
import { VM } from "./flags.ts";
import { ATTR_D, ATTR_DC, descriptorAddress, setSegment } from "./segments.ts";
import { CS, ESP, SS, TALLY } from "./state.ts";

/** A segment register's value that passed the checks, and where its descriptor lies. */
interface KnownSegment {
  readonly selector: number;
  readonly at: number;
  readonly low: number;
  readonly high: number;
}

interface KnownEntry {
  /** Level before, and level of the handler. */
  readonly from: number;
  readonly to: number;
  /** INT n may use it. */
  readonly open: boolean;
  /** Linear addresses of the gate and of the stack pointer in the TSS. */
  readonly gate: number;
  readonly tss: number;
  readonly gateLow: number;
  readonly gateHigh: number;
  readonly target: number;
  /** Bits that the handler's EFLAGS lack. */
  readonly cleared: number;
  readonly code: KnownSegment;
  readonly stack: KnownSegment;
}

interface KnownReturn {
  readonly from: number;
  readonly code: KnownSegment;
  readonly stack: KnownSegment;
}

/** The tables' places, which are part of what was checked. */
function tables(cpu: Cpu): readonly number[] {
  return [cpu.idtBase, cpu.idtLimit, cpu.gdtBase, cpu.gdtLimit, cpu.trBase, cpu.trLimit, cpu.trAttr];
}

/** Does the aligned word at `la` have this value, and is it there to be read? */
function holds(memory: Memory, la: number, value: number): boolean {
  const entry = memory.tlb[SUPER_READ][la >>> 12];
  return ((entry & 0xfff) | (la & 3)) === 0 && memory.i32[(la + entry) >> 2] === value;
}

function unchanged(memory: Memory, { at, low, high }: KnownSegment): boolean {
  return holds(memory, at, low) && holds(memory, (at + 4) | 0, high);
}

export class KnownGates {
  private tables: readonly number[] = [];
  private readonly entries: (KnownEntry | null)[] = new Array<null>(256).fill(null);
  private back: KnownReturn | null = null;

  private tablesMoved(cpu: Cpu): boolean {
    const t = this.tables;
    return (
      t.length === 0 ||
      t[0] !== cpu.idtBase ||
      t[1] !== cpu.idtLimit ||
      t[2] !== cpu.gdtBase ||
      t[3] !== cpu.gdtLimit ||
      t[4] !== cpu.trBase ||
      t[5] !== cpu.trLimit ||
      t[6] !== cpu.trAttr
    );
  }

  private forgetOtherTables(cpu: Cpu): void {
    if (!this.tablesMoved(cpu)) return;
    this.tables = tables(cpu);
    this.entries.fill(null);
    this.back = null;
  }

  /** The segment as it is now in a register, if it is flat and its descriptor lies in the GDT; else null. */
  private flat(cpu: Cpu, seg: number): KnownSegment | null {
    const selector = cpu.sel[seg];
    const attr = cpu.attr[seg];
    const low = cpu.descriptors[2 * seg];
    const high = cpu.descriptors[2 * seg + 1];
    if (selector & 4 || high === 0 || cpu.base[seg] !== 0 || cpu.limit[seg] !== 0xffff_ffff || !(attr & ATTR_D))
      return null;
    if (seg === SS && attr & ATTR_DC) return null;
    return { selector, at: descriptorAddress(cpu, selector) | 0, low, high };
  }

  /**
   * An entry to an inner level through a 32-bit gate has just been made.
   * @param from the level before
   * @param tss linear address of the stack pointer in the TSS
   */
  learnEntry(
    cpu: Cpu,
    vector: number,
    from: number,
    gate: { low: number; high: number; dpl: number; target: number; cleared: number },
    tss: number,
  ): void {
    this.forgetOtherTables(cpu);
    const code = this.flat(cpu, CS);
    const stack = this.flat(cpu, SS);
    if (code === null || stack === null || (tss & 0xfff) > 0xff8) return;
    this.entries[vector] = {
      from,
      to: cpu.cpl,
      open: gate.dpl >= from,
      gate: (cpu.idtBase + vector * 8) | 0,
      tss,
      gateLow: gate.low,
      gateHigh: gate.high,
      target: gate.target,
      cleared: gate.cleared,
      code,
      stack,
    };
  }

  /**
   * Make an entry that is known.
   * @param software INT n: the gate's level counts
   * @param flags EFLAGS to push
   * @param code error code to push, or -1
   * @returns false, with nothing changed, if it is not known
   */
  enter(cpu: Cpu, vector: number, software: boolean, flags: number, code: number): boolean {
    const e = this.entries[vector];
    if (e === null || e.from !== cpu.cpl || (software && !e.open) || this.tablesMoved(cpu)) return false;
    const { memory } = cpu;
    const { i32 } = memory;
    const inTss = memory.tlb[SUPER_READ][e.tss >>> 12];
    if ((inTss & 0xfff) | (e.tss & 3)) return false;
    if (!holds(memory, e.gate, e.gateLow) || !holds(memory, (e.gate + 4) | 0, e.gateHigh)) return false;
    const esp = i32[(e.tss + inTss) >> 2];
    if ((i32[(e.tss + 4 + inTss) >> 2] & 0xffff) !== e.stack.selector) return false;
    if (!unchanged(memory, e.code) || !unchanged(memory, e.stack)) return false;
    const sp = (esp - (code >= 0 ? 24 : 20)) | 0;
    const onStack = memory.tlb[SUPER_WRITE][sp >>> 12];
    if ((onStack & 0xfff) | (sp & 3) || sp >>> 12 !== (esp - 4) >>> 12) return false;
    let at = (sp + onStack) >> 2;
    if (code >= 0) i32[at++] = code;
    i32[at] = cpu.eip;
    i32[at + 1] = cpu.sel[CS];
    i32[at + 2] = flags;
    i32[at + 3] = cpu.r[ESP];
    i32[at + 4] = cpu.sel[SS];
    setSegment(cpu, SS, e.stack.selector, e.stack.low, e.stack.high);
    cpu.cpl = e.to;
    cpu.r[ESP] = sp;
    setSegment(cpu, CS, e.code.selector, e.code.low, e.code.high);
    cpu.eip = e.target;
    cpu.clearFlags(e.cleared);
    const { tally } = cpu;
    tally[TALLY.descriptors] += 2;
    tally[TALLY.pushes] += code >= 0 ? 6 : 5;
    tally[TALLY.levels]++;
    return true;
  }

  /** A 32-bit IRET to an outer level has just been made. @param from the level before */
  learnReturn(cpu: Cpu, from: number): void {
    this.forgetOtherTables(cpu);
    const code = this.flat(cpu, CS);
    const stack = this.flat(cpu, SS);
    this.back = code === null || stack === null ? null : { from, code, stack };
  }

  /**
   * Load CS, SS:ESP and EIP of the frame on the stack, as IRET to an outer level does, if that return is known. Data
   * segments and flags are the caller's.
   * @returns the frame's EFLAGS, or null, with nothing changed, if it is not known
   */
  leave(cpu: Cpu): number | null {
    const back = this.back;
    if (back === null || back.from !== cpu.cpl || this.tablesMoved(cpu)) return null;
    const { memory } = cpu;
    const { i32 } = memory;
    const sp = cpu.r[ESP];
    const onStack = memory.tlb[SUPER_READ][sp >>> 12];
    if ((onStack & 0xfff) | (sp & 3) || (sp & 0xfff) > 0xfec) return null;
    if (cpu.base[SS] !== 0 || cpu.limit[SS] !== 0xffff_ffff || (cpu.attr[SS] & (ATTR_D | ATTR_DC)) !== ATTR_D)
      return null;
    const at = (sp + onStack) >> 2;
    const { code, stack } = back;
    const flags = i32[at + 2];
    if ((i32[at + 1] & 0xffff) !== code.selector || (i32[at + 4] & 0xffff) !== stack.selector || flags & VM)
      return null;
    if (!unchanged(memory, code) || !unchanged(memory, stack)) return null;
    setSegment(cpu, SS, stack.selector, stack.low, stack.high);
    setSegment(cpu, CS, code.selector, code.low, code.high);
    cpu.cpl = code.selector & 3;
    cpu.eip = i32[at];
    cpu.r[ESP] = i32[at + 3];
    cpu.tally[TALLY.descriptors] += 2;
    cpu.tally[TALLY.levels]++;
    return flags;
  }
}
