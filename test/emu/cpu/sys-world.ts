// A bare machine for tests of system behaviour: flat segments, two rings, a TSS, identity-mapped pages. Guest code is
// assembled into it, reports by OUT to port 1, and ends with HLT.
import { assemble } from "../../../src/emu/cpu/asm/assemble.ts";
import { Cpu, type CpuHost, CS, DS, ES, ESP, FS, GS, SS } from "../../../src/emu/cpu/cpu.ts";
import { invlpg, writeCr0 } from "../../../src/emu/cpu/mmu.ts";
import { loadSegment, ltr, setFlatSegment, setNullSegment } from "../../../src/emu/cpu/segments.ts";
import { Memory } from "../../../src/emu/machine/memory.ts";

export const DIRECTORY = 0x1000;
export const TABLE = 0x2000;
export const GDT = 0x3000;
export const IDT = 0x4000;
export const TSS = 0x5000;
export const TSS_DF = 0x5400;
export const TSS_B = 0x5800;
/** Tops of stacks, a page each. */
export const KERNEL_STACK = 0x9000;
export const DF_STACK = 0xb000;
export const USER_STACK = 0xd000;
/** Guest code starts here. */
export const CODE = 0x1_0000;
/** A page of its own for data. */
export const DATA = 0x2_0000;

export const KCODE = 0x08;
export const KDATA = 0x10;
export const UCODE = 0x1b;
export const UDATA = 0x23;
export const TSS_SELECTOR = 0x28;
export const TSS_DF_SELECTOR = 0x30;
export const TSS_B_SELECTOR = 0x38;
export const FREE_SELECTOR = 0x40;

export const PRESENT = 1;
export const WRITABLE = 2;
export const USER = 4;
export const ACCESSED = 0x20;
export const DIRTY = 0x40;

const SYMBOLS = {
  CODE,
  DATA,
  KCODE,
  KDATA,
  UCODE,
  UDATA,
  TSS,
  TSS_DF,
  TSS_B,
  TSS_SELECTOR,
  TSS_DF_SELECTOR,
  TSS_B_SELECTOR,
  FREE_SELECTOR,
  TABLE,
  KERNEL_STACK,
  DF_STACK,
  USER_STACK,
  GDT,
};

export class World implements CpuHost {
  readonly memory = new Memory(0x20_0000);
  readonly cpu = new Cpu(this.memory, this);
  /** Values the guest wrote to port 1. */
  readonly said: number[] = [];
  readonly kcalls: number[] = [];
  vector = 0x20;
  symbols: Record<string, number> = {};

  constructor() {
    const cpu = this.cpu;
    this.put(DIRECTORY, TABLE | 7);
    for (let page = 0; page < 512; page++) this.put(TABLE + 4 * page, (page << 12) | 7);
    this.descriptor(KCODE, 0, 0xfffff, 0xc09a);
    this.descriptor(KDATA, 0, 0xfffff, 0xc092);
    this.descriptor(UCODE, 0, 0xfffff, 0xc0fa);
    this.descriptor(UDATA, 0, 0xfffff, 0xc0f2);
    for (const [selector, at] of [
      [TSS_SELECTOR, TSS],
      [TSS_DF_SELECTOR, TSS_DF],
      [TSS_B_SELECTOR, TSS_B],
    ]) {
      this.descriptor(selector, at, 0x67, 0x89);
    }
    this.put(TSS + 4, KERNEL_STACK);
    this.put(TSS + 8, KDATA);
    this.put(TSS + 28, DIRECTORY);
    this.put(TSS + 0x64, 0x68_0000);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0x7f;
    cpu.idtBase = IDT;
    cpu.idtLimit = 0x7ff;
    cpu.cr3 = DIRECTORY;
    setFlatSegment(cpu, CS, KCODE, 0);
    setFlatSegment(cpu, SS, KDATA, 0);
    ltr(cpu, TSS_SELECTOR);
    writeCr0(cpu, 0x8001_0021 | 0);
  }

  kcall(n: number): void {
    this.kcalls.push(n);
  }
  inPort(): number {
    return 0x5a;
  }
  outPort(port: number, _size: 1 | 2 | 4, value: number): void {
    if (port === 1) this.said.push(value >>> 0);
  }
  intAck(): number {
    this.cpu.intr = false;
    return this.vector;
  }
  tsc(): number {
    return this.cpu.icount;
  }

  put(pa: number, value: number): void {
    this.memory.writePhys32(pa, value);
  }
  get(pa: number): number {
    return this.memory.readPhys32(pa);
  }

  /** attr: bits 8-23 of the second word shifted down, without the limit. */
  descriptor(selector: number, base: number, limit: number, attr: number): void {
    const at = GDT + (selector & 0xfff8);
    this.put(at, ((base & 0xffff) << 16) | (limit & 0xffff));
    this.put(at + 4, (base & 0xff00_0000) | ((base >>> 16) & 0xff) | (attr << 8) | (limit & 0xf_0000));
  }

  /** type: 0xe interrupt gate, 0xf trap gate, 5 task gate. */
  gate(vector: number, type: number, selector: number, offset: number, dpl = 0): void {
    this.put(IDT + 8 * vector, (selector << 16) | (offset & 0xffff));
    this.put(IDT + 8 * vector + 4, (offset & 0xffff_0000) | 0x8000 | (dpl << 13) | (type << 8));
  }

  /** The page-table entry of a linear page in the first 4 MiB. */
  pte(la: number): number {
    return this.get(TABLE + 4 * (la >>> 12));
  }
  /** Set the flags of an identity-mapped page. */
  page(la: number, flags: number): void {
    this.put(TABLE + 4 * (la >>> 12), (la & ~0xfff) | flags);
    invlpg(this.cpu, la);
  }

  /** A 32-bit TSS that starts at `eip`. */
  task(at: number, eip: number, esp: number, flags = 2): void {
    for (let i = 0; i < 26; i++) this.put(at + 4 * i, 0);
    this.put(at + 28, DIRECTORY);
    this.put(at + 32, eip);
    this.put(at + 36, flags);
    this.put(at + 40 + 16, esp);
    for (const seg of [0, 2, 3]) this.put(at + 72 + 4 * seg, KDATA);
    this.put(at + 76, KCODE);
  }

  /** Assemble at CODE; labels become this.symbols. */
  code(source: string): void {
    const { bytes, symbols } = assemble(source, { origin: CODE, symbols: SYMBOLS });
    for (let i = 0; i < bytes.length; i++) this.memory.u8[this.memory.ramBase + CODE + i] = bytes[i];
    this.cpu.invalidateFrame(CODE >>> 12);
    this.symbols = symbols;
  }

  /** Put the processor at a label in a ring. */
  at(label: string, ring: 0 | 3, flags = 2): void {
    const cpu = this.cpu;
    cpu.halted = false;
    cpu.cpl = ring;
    setFlatSegment(cpu, CS, ring === 0 ? KCODE : UCODE, ring);
    setFlatSegment(cpu, SS, ring === 0 ? KDATA : UDATA, ring);
    for (const seg of [DS, ES]) loadSegment(cpu, seg, UDATA);
    for (const seg of [FS, GS]) setNullSegment(cpu, seg, 0);
    cpu.r[ESP] = ring === 0 ? KERNEL_STACK : USER_STACK;
    cpu.eip = this.symbols[label];
    cpu.setEflags(flags);
  }

  /** Run until HLT or shutdown, at most `most` instructions. */
  run(most = 10_000): void {
    this.cpu.run(this.cpu.icount + most);
  }

  /** Assemble, start at `start` and run. */
  go(source: string, ring: 0 | 3 = 0, flags = 2): void {
    this.code(source);
    this.at("start", ring, flags);
    this.run();
  }
}
