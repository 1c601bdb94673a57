// A flat ring-3 world without a kernel for the emulator: pages appear as the native process has them, whatever would enter
// a kernel is done by copying what the real one did.
import { Cpu, CS, DS, ES, FS, GS, SS } from "../../src/emu/cpu/cpu.ts";
import { fxrstor, fxsave } from "../../src/emu/cpu/fpu/save.ts";
import { CR0_ET, CR0_NE, CR0_PE, CR0_PG, CR0_WP, CR4_OSFXSR, CR4_OSXMMEXCPT } from "../../src/emu/cpu/mmu.ts";
import { cpuModel } from "../../src/emu/cpu/models.ts";
import { loadSegment } from "../../src/emu/cpu/segments.ts";
import { Memory, PAGE_SIZE, RAM_BASE } from "../../src/emu/machine/memory.ts";
import { silentHost } from "../native-cpu/silent-host.ts";

const KERNEL = 0xc000_0000;
const DIRECTORY = 0x1000;
const KERNEL_TABLE = 0x2000;
const GDT = 0x3000;
const IDT = 0x4000;
const TSS = 0x5000;
const HANDLERS = 0x6000;
const STACK_TOP = 0x8000;
const SCRATCH = 0x9000;
const FIRST_FRAME = 0x100;
const RAM_BYTES = 0x1000_0000;
const DIRTY = 0x40;
/** Below the stack as it is now, for it to grow into without a fault. */
const STACK_ROOM = 0x10_0000;

export interface Region {
  readonly start: number;
  readonly end: number;
  /** 1 read, 2 write, 4 execute, 8 the stack. */
  readonly prot: number;
}

export class ProgramWorld {
  readonly memory = new Memory(RAM_BYTES);
  readonly cpu: Cpu;
  /** Linear page to frame, and whether the native process has it. */
  private readonly frames = new Map<number, number>();
  private readonly native = new Set<number>();
  private readonly free: number[] = [];
  private nextFrame = FIRST_FRAME;
  private nextTable = 0x10;
  /** Last contents that both sides agreed on; absent = zeros. */
  private readonly agreed = new Map<number, Uint8Array>();

  constructor(model: string) {
    this.cpu = new Cpu(this.memory, silentHost, cpuModel(model));
    const { cpu } = this;
    this.put(DIRECTORY + (KERNEL >>> 22) * 4, KERNEL_TABLE | 3);
    for (let n = 0; n < 1024; n++) this.put(KERNEL_TABLE + 4 * n, (n << 12) | 3);
    this.describe(1, 0xffff, 0x00cf_9b00);
    this.describe(3, 0xffff, 0x00cf_9300);
    this.describe(4, 0xffff, 0x00cf_fb00);
    this.describe(5, 0xffff, 0x00cf_f300);
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + 16 * (vector & 0xff);
      this.put(IDT + 8 * vector, (8 << 16) | handler);
      this.put(IDT + 8 * vector + 4, (KERNEL & 0xffff_0000) | (vector === 3 || vector === 4 ? 0xee00 : 0x8e00));
      this.put(handler, 0xf4f4_f4f4);
    }
    this.put(TSS + 4, KERNEL + STACK_TOP);
    this.put(TSS + 8, 0x18);
    this.put(TSS + 100, 0x68_0000);
    cpu.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    cpu.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
    cpu.cr3 = DIRECTORY;
    cpu.gdtBase = KERNEL + GDT;
    cpu.gdtLimit = 0x7f;
    cpu.idtBase = KERNEL + IDT;
    cpu.idtLimit = 0x7ff;
    cpu.trBase = KERNEL + TSS;
    cpu.trLimit = 103;
    cpu.trAttr = 0x8b;
    cpu.cpl = 3;
  }

  private put(pa: number, value: number): void {
    this.memory.writePhys32(pa, value);
  }

  /** Entry n of the GDT. */
  describe(n: number, low: number, high: number): void {
    this.put(GDT + 8 * n, low);
    this.put(GDT + 8 * n + 4, high);
  }

  private entryAt(page: number): number {
    const directory = DIRECTORY + (page >>> 10) * 4;
    let table = this.memory.readPhys32(directory) & ~0xfff;
    if (table === 0) {
      table = this.nextTable++ << 12;
      this.put(directory, table | 7);
    }
    return table + (page & 0x3ff) * 4;
  }

  /** Map what the native process has mapped, and no more. */
  setRegions(regions: readonly Region[]): void {
    const wanted = new Map<number, number>();
    this.native.clear();
    for (const { start, end, prot } of regions) {
      const from = prot & 8 ? start - STACK_ROOM : start;
      for (let page = from >>> 12; page < end >>> 12; page++) {
        wanted.set(page, prot);
        if (page >= start >>> 12) this.native.add(page);
      }
    }
    for (const [page, frame] of this.frames) {
      if (wanted.has(page)) continue;
      this.put(this.entryAt(page), 0);
      this.frames.delete(page);
      this.agreed.delete(page);
      this.cpu.invalidateFrame(frame);
      this.free.push(frame);
    }
    for (const [page, prot] of wanted) {
      let frame = this.frames.get(page);
      if (frame === undefined) {
        frame = this.free.pop() ?? this.nextFrame++;
        if (frame >= RAM_BYTES >>> 12) throw new Error("the program needs more memory than this world has");
        this.memory.u8.fill(0, RAM_BASE + (frame << 12), RAM_BASE + ((frame + 1) << 12));
        this.frames.set(page, frame);
      }
      this.put(this.entryAt(page), prot & 7 ? (frame << 12) | 5 | (prot & 2) : 0);
    }
    this.memory.dropEntries(true);
  }

  /** A page's bytes, or null when it is not mapped. */
  page(la: number): Uint8Array | null {
    const frame = this.frames.get(la >>> 12);
    if (frame === undefined) return null;
    return this.memory.u8.subarray(RAM_BASE + (frame << 12), RAM_BASE + (frame << 12) + PAGE_SIZE);
  }

  /** Take over a page's contents. */
  setPage(la: number, bytes: Uint8Array): void {
    const page = this.page(la);
    if (page === null) return;
    page.set(bytes);
    this.cpu.invalidateFrame(this.frames.get(la >>> 12) as number);
    this.agreed.set(la >>> 12, bytes.slice());
  }

  /** Compare all memory: pages that the native process has changed, and pages changed here. Says the first difference. */
  compare(changed: ReadonlyMap<number, Uint8Array>): string | null {
    for (const [la, bytes] of changed) {
      const found = differing(this.page(la), bytes, la);
      if (found !== null) return found;
      this.agreed.set(la >>> 12, bytes.slice());
    }
    for (const page of this.native) {
      const at = this.entryAt(page);
      const entry = this.memory.readPhys32(at);
      if (!(entry & DIRTY)) continue;
      this.put(at, entry & ~DIRTY);
      const la = (page << 12) >>> 0;
      if (changed.has(la)) continue;
      const found = differing(this.page(la), this.agreed.get(page) ?? new Uint8Array(PAGE_SIZE), la);
      if (found !== null) return found;
    }
    this.memory.dropEntries(true);
    return null;
  }

  private asKernel(act: () => void): void {
    this.cpu.cpl = 0;
    act();
    this.cpu.cpl = 3;
  }

  /** x87 and SIMD state as FXSAVE stores it. */
  get fx(): Uint8Array {
    this.asKernel(() => fxsave(this.cpu, KERNEL + SCRATCH));
    return this.memory.u8.slice(RAM_BASE + SCRATCH, RAM_BASE + SCRATCH + 512);
  }
  set fx(image: Uint8Array) {
    this.memory.u8.set(image, RAM_BASE + SCRATCH);
    this.asKernel(() => fxrstor(this.cpu, KERNEL + SCRATCH));
  }

  /** Load segment registers whose selectors differ: ES CS SS DS FS GS. */
  setSegments(selectors: readonly number[], reload: boolean): void {
    for (const seg of [ES, SS, DS, FS, GS]) {
      if (reload || (this.cpu.sel[seg] & 0xffff) !== selectors[seg]) loadSegment(this.cpu, seg, selectors[seg]);
    }
    this.cpu.sel[CS] = selectors[CS];
    this.cpu.base[CS] = 0;
    this.cpu.limit[CS] = 0xffff_ffff;
    this.cpu.attr[CS] = 0xc0fb;
    this.cpu.inhibit = false;
  }

  /** Did the last instruction end in an exception here? Its vector, or -1. */
  get exception(): number {
    return this.cpu.cpl === 0 ? ((this.cpu.eip >>> 0) - KERNEL - HANDLERS) >>> 4 : -1;
  }
}

function differing(got: Uint8Array | null, want: Uint8Array, la: number): string | null {
  if (got === null) return `page ${la.toString(16)} is not here`;
  if (Buffer.compare(got, want) === 0) return null;
  for (let i = 0; i < want.length; i++) {
    if (got[i] !== want[i])
      return `memory ${(la + i).toString(16)}: ${want[i].toString(16)} got ${got[i].toString(16)}`;
  }
  return null;
}
