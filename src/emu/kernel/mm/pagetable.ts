// Page tables in guest frames, each with a copy of its entries that the guest cannot reach: a KML program may scribble over its
// page tables, so the kernel never believes them; only their A and D bits are read back.
import type { Cpu } from "../../cpu/cpu.ts";
import { flushTlb, invlpg } from "../../cpu/mmu.ts";
import { type Memory, RAM_BASE } from "../../machine/memory.ts";
import { ENOMEM, SysError } from "../errno.ts";
import { type FrameAllocator, NO_FRAME } from "./frames.ts";
import type { PageLists } from "./lru.ts";
import type { ReverseMap } from "./rmap.ts";

export const PTE_P = 1;
export const PTE_RW = 2;
export const PTE_US = 4;
export const PTE_A = 0x20;
export const PTE_D = 0x40;
/** Ours: the entry holds a frame, present for the hardware or not (PROT_NONE). */
export const PTE_MAPPED = 0x200;
/** Ours: the frame belongs to a page cache, not to this address space. */
export const PTE_FILE = 0x400;
/** Ours: the frame is nobody's to free (zero page, vDSO). */
export const PTE_SPECIAL = 0x800;
/** Ours, alone in its entry: no frame, but a slot of the swap area where the frame's number would be. */
export const PTE_SWAP = 0x100;

/** Page directory entries of user space. */
export const USER_PDES = 768;

/** One page table: its frame and what we put into it. */
export interface PageTable {
  readonly pfn: number;
  readonly entries: Int32Array;
  /** Entries that hold a frame. */
  used: number;
}

/** The page tables of one address space. */
export interface PageDirectory {
  readonly pfn: number;
  readonly tables: (PageTable | undefined)[];
}

export class PageTables {
  private readonly memory: Memory;
  private readonly frames: FrameAllocator;
  /** Physical address of the kernel's own page directory, whose upper quarter every other one copies. Set at boot. */
  kernelPgd = 0;
  /** Called when no frame is left; true: something was freed. */
  makeRoom: () => boolean = () => false;
  /** Frames that hold page tables and directories. */
  held = 0;
  /** The shared page of zeros. */
  readonly zeroPfn: number;
  private readonly rmap: ReverseMap;
  private readonly lists: PageLists;
  private loaded: PageDirectory | undefined;
  private cpu: Cpu | undefined;

  constructor(memory: Memory, frames: FrameAllocator, rmap: ReverseMap, lists: PageLists) {
    this.memory = memory;
    this.frames = frames;
    this.rmap = rmap;
    this.lists = lists;
    this.zeroPfn = frames.take();
    memory.u8.fill(0, this.host(this.zeroPfn), this.host(this.zeroPfn) + 4096);
  }

  /** Host address of a frame. */
  host(pfn: number): number {
    return RAM_BASE + pfn * 4096;
  }

  /** A frame with undefined contents. @throws SysError(ENOMEM) */
  takeFrame(): number {
    let pfn = this.frames.take();
    if (pfn === NO_FRAME && this.makeRoom()) pfn = this.frames.take();
    if (pfn === NO_FRAME) throw new SysError(ENOMEM);
    return pfn;
  }

  /** A frame of zeros. @throws SysError(ENOMEM) */
  takeZeroed(): number {
    const pfn = this.takeFrame();
    const at = this.host(pfn);
    this.memory.u8.fill(0, at, at + 4096);
    return pfn;
  }

  /** A frame with a copy of another's contents, which stays where it is meanwhile. @throws SysError(ENOMEM) */
  takeCopy(of: number): number {
    this.frames.get(of);
    try {
      const pfn = this.takeFrame();
      this.memory.u8.copyWithin(this.host(pfn), this.host(of), this.host(of) + 4096);
      return pfn;
    } finally {
      this.frames.put(of);
    }
  }

  /** A page directory whose user part is empty. @throws SysError(ENOMEM) */
  newDirectory(): PageDirectory {
    const pfn = this.takeZeroed();
    const kernelHalf = RAM_BASE + this.kernelPgd + USER_PDES * 4;
    this.memory.u8.copyWithin(this.host(pfn) + USER_PDES * 4, kernelHalf, kernelHalf + 1024);
    this.held++;
    return { pfn, tables: new Array(USER_PDES).fill(undefined) };
  }

  /** Our entry for an address; 0: nothing there. */
  get(dir: PageDirectory, la: number): number {
    return dir.tables[la >>> 22]?.entries[(la >>> 12) & 1023] ?? 0;
  }

  /** The hardware's A and D bits of an address that holds a frame. */
  accessed(dir: PageDirectory, la: number): number {
    const table = dir.tables[la >>> 22];
    return table === undefined ? 0 : this.memory.i32[this.index(table, la)] & (PTE_A | PTE_D);
  }

  /** Sets A (and D) as the CPU would, for the kernel's own accesses. */
  markAccessed(dir: PageDirectory, la: number, write: boolean): void {
    const table = dir.tables[la >>> 22];
    if (table) this.memory.i32[this.index(table, la)] |= write ? PTE_A | PTE_D : PTE_A;
  }

  /** Clears bits of A and D. */
  clearAccessed(dir: PageDirectory, la: number, bits: number): void {
    const table = dir.tables[la >>> 22];
    if (table) this.memory.i32[this.index(table, la)] &= ~bits;
    this.invalidate(dir, la);
  }

  /** Puts back what the hardware's entries of a range have lost of ours, so that the CPU finds there what the kernel does. */
  repair(dir: PageDirectory, from: number, bytes: number): void {
    const last = (from >>> 0) + bytes - 1;
    for (let la = from >>> 0; la <= last; la = ((la | 4095) >>> 0) + 1) {
      const table = dir.tables[la >>> 22];
      const own = table?.entries[(la >>> 12) & 1023] ?? 0;
      if (table === undefined || !(own & PTE_P)) continue;
      const at = this.index(table, la);
      const whole = own | (this.memory.i32[at] & (PTE_A | PTE_D));
      if (this.memory.i32[at] === whole) continue;
      this.memory.i32[at] = whole;
      this.invalidate(dir, la);
    }
  }

  private index(table: PageTable, la: number): number {
    return (this.host(table.pfn) >>> 2) + ((la >>> 12) & 1023);
  }

  /**
   * Puts an entry; replaces and keeps count, but neither takes nor drops references to frames. Keeps no A and D bits
   * but those in `pte`. Drops the translation from the page arrays.
   * @throws SysError(ENOMEM) if a page table is needed and there is no frame
   */
  set(dir: PageDirectory, la: number, pte: number): void {
    if (pte === 0 && dir.tables[la >>> 22] === undefined) return;
    const table = this.ensure(dir, la);
    const at = (la >>> 12) & 1023;
    const old = table.entries[at];
    if (old === 0 && pte !== 0) table.used++;
    else if (old !== 0 && pte === 0) table.used--;
    const hardware = this.index(table, la);
    if (old & PTE_MAPPED) this.noteOld(dir, la, old, pte, this.memory.i32[hardware]);
    if (pte & PTE_MAPPED && !(pte & PTE_SPECIAL) && (!(old & PTE_MAPPED) || pte >>> 12 !== old >>> 12))
      this.rmap.add(pte >>> 12, dir.pfn, la >>> 12);
    table.entries[at] = pte & ~(PTE_A | PTE_D);
    this.memory.i32[hardware] = pte & PTE_P ? pte : 0;
    if (old & PTE_P) this.invalidate(dir, la);
  }

  /** An entry that held a frame is replaced: private memory that was written is dirty, and no longer mapped by it. */
  private noteOld(dir: PageDirectory, la: number, old: number, pte: number, hardware: number): void {
    if (old & PTE_SPECIAL) return;
    const pfn = old >>> 12;
    if (hardware & PTE_D && !(old & PTE_FILE)) this.lists.dirty[pfn] = 1;
    if (!(pte & PTE_MAPPED) || pte >>> 12 !== pfn || pte & PTE_SPECIAL) this.rmap.remove(pfn, dir.pfn, la >>> 12);
  }

  /** The page table for an address, made if there is none. @throws SysError(ENOMEM) */
  ensure(dir: PageDirectory, la: number): PageTable {
    let table = dir.tables[la >>> 22];
    if (table !== undefined) return table;
    table = { pfn: this.takeZeroed(), entries: new Int32Array(1024), used: 0 };
    this.held++;
    dir.tables[la >>> 22] = table;
    this.memory.writePhys32(dir.pfn * 4096 + (la >>> 22) * 4, (table.pfn << 12) | PTE_P | PTE_RW | PTE_US);
    return table;
  }

  /** Frees the tables of a range of page directory entries that hold nothing. */
  prune(dir: PageDirectory, firstPde: number, lastPde: number): void {
    for (let pde = firstPde; pde <= lastPde; pde++) {
      const table = dir.tables[pde];
      if (table === undefined || table.used > 0) continue;
      dir.tables[pde] = undefined;
      this.memory.writePhys32(dir.pfn * 4096 + pde * 4, 0);
      this.give(table.pfn);
    }
  }

  /** Frees an address space's tables; the frames they name must be gone. */
  freeDirectory(dir: PageDirectory): void {
    for (let pde = 0; pde < USER_PDES; pde++) {
      const table = dir.tables[pde];
      if (table) this.give(table.pfn);
      dir.tables[pde] = undefined;
    }
    this.give(dir.pfn);
  }

  private give(pfn: number): void {
    this.held--;
    this.frames.put(pfn);
  }

  /** Loads CR3; undefined: the kernel's own directory. */
  load(cpu: Cpu, dir: PageDirectory | undefined): void {
    this.cpu = cpu;
    this.loaded = dir;
    cpu.cr3 = dir === undefined ? this.kernelPgd : dir.pfn * 4096;
    flushTlb(cpu);
  }

  /** Drops one translation if the address space is on the CPU. */
  invalidate(dir: PageDirectory, la: number): void {
    if (dir === this.loaded && this.cpu) invlpg(this.cpu, la);
  }

  /** Drops all translations of user space if the address space is on the CPU. */
  flush(dir: PageDirectory): void {
    if (dir === this.loaded && this.cpu) flushTlb(this.cpu);
  }
}
