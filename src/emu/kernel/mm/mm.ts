// An address space: its areas, page tables and layout, and the operations on ranges that mmap, munmap, mprotect, fork and
// exit are made of (mm/mmap.c, mm/memory.c).

import { TASK_SIZE } from "../constants.ts";
import { EINVAL, ENOMEM, SysError } from "../errno.ts";
import type { File } from "../fs/file.ts";
import type { Kernel } from "../kernel.ts";
import { RLIM_INFINITY, RLIMIT, type Task } from "../task.ts";
import { LRU } from "./lru.ts";
import {
  type PageDirectory,
  PTE_A,
  PTE_D,
  PTE_FILE,
  PTE_MAPPED,
  PTE_P,
  PTE_RW,
  PTE_SPECIAL,
  PTE_SWAP,
  PTE_US,
} from "./pagetable.ts";
import { SharedAnon } from "./shmem.ts";
import {
  VM_ACCESS,
  VM_DONTCOPY,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYWRITE,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
  type Vma,
  VmaList,
} from "./vma.ts";

export const PAGE = 4096;
/** Distance kept free below a growing stack. */
export const STACK_GUARD_GAP = 256 * PAGE;
/** Areas a process may have (sysctl vm.max_map_count). */
const MAX_MAP_COUNT = 65530;
/** Smallest gap between the stack's top and mmap_base. */
const MIN_STACK_GAP = 128 << 20;
/** Largest: 5/6 of the address space. */
const MAX_STACK_GAP = Math.floor(TASK_SIZE / 6) * 5;
/** Where mmap looks when the top-down search found nothing. */
const TASK_UNMAPPED_BASE = 0x4000_0000;
/** Addresses below are not given out. */
export const MMAP_MIN_ADDR = 0x1_0000;

export function pageDown(n: number): number {
  return n - (n % PAGE);
}
export function pageUp(n: number): number {
  return Math.ceil(n / PAGE) * PAGE;
}

/** Hardware and our own bits of an entry for a frame in an area, without PTE_RW. */
function protOf(flags: number): number {
  return PTE_MAPPED | PTE_US | ((flags & VM_ACCESS) !== 0 ? PTE_P : 0);
}

export class Mm {
  readonly id: number;
  readonly pgd: PageDirectory;
  readonly vmas = new VmaList();
  /** Tasks that run in it. */
  users = 1;
  mmapBase = TASK_SIZE - MIN_STACK_GAP;
  startBrk = 0;
  brk = 0;
  startCode = 0;
  endCode = 0;
  startData = 0;
  endData = 0;
  startStack = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  /** Address of the vDSO image, 0 if none. */
  vdso = 0;
  /** The auxiliary vector as bytes, for /proc/self/auxv. */
  auxv = new Uint8Array(0);
  /** Pages of all areas; of locked ones; of private writable ones; highest total. */
  totalPages = 0;
  lockedPages = 0;
  dataPages = 0;
  peakPages = 0;
  /** Frames mapped: private, and a page cache's; and entries that name a slot of the swap area. */
  anonPages = 0;
  filePages = 0;
  swapPages = 0;
  peakRss = 0;
  /** The program's file: /proc/PID/exe; it cannot be written meanwhile. */
  exeFile: File | undefined;
  /** MCL_FUTURE: new areas are locked. */
  lockFuture = false;
  /** Where the last search for free space ended, and for how much: see findFree. */
  private gapLimit = 0;
  private gapLength = Number.POSITIVE_INFINITY;
  private readonly k: Kernel;

  constructor(k: Kernel, id: number) {
    this.k = k;
    this.id = id;
    this.pgd = k.pageTables.newDirectory();
    k.mms.set(this.pgd.pfn, this);
  }

  get rss(): number {
    return this.anonPages + this.filePages;
  }

  /** Takes a reference to the program's file. */
  setExe(file: File | undefined): void {
    if (file) {
      file.get();
      file.inode.denyWrite++;
    }
    if (this.exeFile) {
      this.exeFile.inode.denyWrite--;
      this.exeFile.put(this.k);
    }
    this.exeFile = file;
  }

  /** Sets mmap_base for a stack limit (bytes) and a random offset. */
  layout(stackLimit: number, random: number): void {
    const gap = Math.min(MAX_STACK_GAP, Math.max(MIN_STACK_GAP, stackLimit + STACK_GUARD_GAP));
    this.mmapBase = pageDown(TASK_SIZE - gap - random);
  }

  /** Whether `pages` more may be mapped under the task's limits. */
  mayExpand(t: Task, flags: number, pages: number): boolean {
    const limits = t.signal.rlimits;
    if ((this.totalPages + pages) * PAGE > (limits[RLIMIT.AS]?.cur ?? RLIM_INFINITY)) return false;
    const data = (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE;
    return !data || (this.dataPages + pages) * PAGE <= (limits[RLIMIT.DATA]?.cur ?? RLIM_INFINITY);
  }

  private count(vma: Vma, sign: 1 | -1): void {
    const n = sign * vma.pages;
    this.totalPages += n;
    if (vma.flags & VM_LOCKED) this.lockedPages += n;
    if ((vma.flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE) this.dataPages += n;
    if (this.totalPages > this.peakPages) this.peakPages = this.totalPages;
  }

  /** Notes a frame or a slot of the swap area put in or taken out. */
  countFrame(pte: number, sign: 1 | -1): void {
    if (pte & PTE_SWAP) this.swapPages += sign;
    if (pte & (PTE_SPECIAL | PTE_SWAP)) return;
    if (pte & PTE_FILE) this.filePages += sign;
    else this.anonPages += sign;
    if (this.rss > this.peakRss) this.peakRss = this.rss;
  }

  /** Adds an area over free space, joined to its neighbours where they are alike. Takes a reference to the file. */
  addVma(vma: Vma): Vma {
    if (this.vmas.length >= MAX_MAP_COUNT) throw new SysError(ENOMEM);
    vma.file?.get();
    vma.mapping?.vmas.add(this);
    this.vmas.insert(vma);
    this.count(vma, 1);
    const at = this.vmas.indexOf(vma);
    return this.mergeWithNext(at - 1) ?? this.mergeWithNext(at) ?? vma;
  }

  /** Joins areas i and i+1 if they are alike, and what then follows; returns the joint one. */
  private mergeWithNext(i: number): Vma | undefined {
    const { list } = this.vmas;
    const a = list[i];
    const b = list[i + 1];
    if (a === undefined || b === undefined || !a.canMerge(b)) return undefined;
    a.end = b.end;
    a.hasAnon ||= b.hasAnon;
    this.vmas.remove(b);
    b.file?.put(this.k);
    this.mergeWithNext(i);
    return a;
  }

  /** Makes an address the boundary between two areas if it lies inside one. */
  private splitAt(la: number): void {
    const vma = this.vmas.at(la);
    if (vma === undefined || vma.start === la) return;
    if (this.vmas.length >= MAX_MAP_COUNT) throw new SysError(ENOMEM);
    const upper = vma.part(la, vma.end);
    vma.end = la;
    vma.file?.get();
    this.vmas.insert(upper);
  }

  /** Takes the frames of a range out of the page tables; the areas stay. */
  zap(start: number, end: number): void {
    const { k, pgd } = this;
    const tables = k.pageTables;
    for (let la = start; la < end; ) {
      const table = pgd.tables[Math.floor(la / 0x40_0000)];
      if (table === undefined || table.used === 0) {
        la = Math.floor(la / 0x40_0000 + 1) * 0x40_0000;
        continue;
      }
      const pte = tables.get(pgd, la);
      if (pte !== 0) this.zapPage(la, pte);
      la += PAGE;
    }
  }

  private zapPage(la: number, pte: number): void {
    const { k, pgd } = this;
    const ad = pte & PTE_FILE ? k.pageTables.accessed(pgd, la) : 0;
    if (ad & PTE_D) this.noteDirty(la);
    // Its use through this mapping counts when reclaim looks at it (mark_page_accessed).
    if (ad & PTE_A && k.lists.markAccessed(pte >>> 12)) k.vm.pgactivate++;
    k.pageTables.set(pgd, la, 0);
    this.countFrame(pte, -1);
    this.putEntry(pte);
  }

  /** What an entry that is gone held: a reference to its frame, or to its slot. */
  private putEntry(pte: number): void {
    const { k } = this;
    if (pte & PTE_SWAP) k.swap.release(pte >>> 12);
    else if (!(pte & PTE_SPECIAL)) k.putMapped(pte >>> 12);
  }

  /** A shared page was written through the page tables: its page cache must know. */
  private noteDirty(la: number): void {
    const vma = this.vmas.at(la);
    if (vma?.mapping && vma.shared) vma.mapping.markDirty(vma.indexOf(la));
  }

  /** Tells the page caches which pages of a range were written (msync). */
  syncDirty(start: number, end: number): void {
    const { k, pgd } = this;
    for (let la = pageDown(start); la < end; la += PAGE) {
      if (!(k.pageTables.accessed(pgd, la) & PTE_D)) continue;
      this.noteDirty(la);
      k.pageTables.clearAccessed(pgd, la, PTE_D);
    }
  }

  /** Removes whatever is mapped in a range. */
  unmap(start: number, end: number): void {
    if (this.vmas.overlapping(start, end).length === 0) return;
    if (end > this.gapLimit) this.gapLength = Number.POSITIVE_INFINITY;
    this.splitAt(start);
    this.splitAt(end);
    for (const vma of this.vmas.overlapping(start, end)) this.dropVma(vma);
    this.k.pageTables.prune(this.pgd, Math.floor(start / 0x40_0000), Math.min(767, Math.floor((end - 1) / 0x40_0000)));
  }

  private dropVma(vma: Vma): void {
    this.zap(vma.start, vma.end);
    this.vmas.remove(vma);
    this.count(vma, -1);
    this.dropMapping(vma);
    vma.file?.put(this.k);
  }

  private dropMapping(vma: Vma): void {
    const { mapping } = vma;
    if (mapping instanceof SharedAnon) mapping.closed();
    if (mapping === undefined || this.vmas.list.some((other) => other.mapping === mapping)) return;
    mapping.vmas.delete(this);
    if (mapping instanceof SharedAnon && mapping.vmas.size === 0) mapping.release();
  }

  /** Gives a range other access rights; the caller checked that it is mapped and may have them. */
  protect(start: number, end: number, access: number): void {
    this.change(start, end, (flags) => (flags & ~VM_ACCESS) | access);
    const { k, pgd } = this;
    for (const vma of this.vmas.overlapping(start, end)) {
      const prot = protOf(vma.flags);
      const from = Math.max(vma.start, start);
      const to = Math.min(vma.end, end);
      for (let la = from; la < to; ) {
        const table = pgd.tables[Math.floor(la / 0x40_0000)];
        if (table === undefined || table.used === 0) {
          la = Math.floor(la / 0x40_0000 + 1) * 0x40_0000;
          continue;
        }
        const pte = k.pageTables.get(pgd, la);
        if (pte !== 0) this.protectPage(la, pte, prot, vma);
        la += PAGE;
      }
    }
  }

  private protectPage(la: number, pte: number, prot: number, vma: Vma): void {
    const { k, pgd } = this;
    if (pte & PTE_SWAP) return;
    const ad = k.pageTables.accessed(pgd, la);
    if (ad & PTE_D && vma.shared && pte & PTE_FILE) this.noteDirty(la);
    // A page that is private already may be written at once; the others fault first.
    const own = !(pte & (PTE_FILE | PTE_SPECIAL)) && k.isOnlyUser(pte >>> 12) && (ad & PTE_D) !== 0;
    const rw = vma.flags & VM_WRITE && !vma.shared && own ? PTE_RW : 0;
    k.pageTables.set(pgd, la, (pte & (~0xfff | PTE_FILE | PTE_SPECIAL)) | prot | rw | ad);
  }

  /** Changes the flags of a range's areas, splitting and joining as needed. */
  change(start: number, end: number, flagsOf: (flags: number) => number): void {
    this.splitAt(start);
    this.splitAt(end);
    for (const vma of this.vmas.overlapping(start, end)) {
      const flags = flagsOf(vma.flags);
      if (flags === vma.flags) continue;
      const unlocked = (vma.flags & VM_LOCKED) !== 0 && (flags & VM_LOCKED) === 0;
      this.count(vma, -1);
      vma.flags = flags;
      this.count(vma, 1);
      if (unlocked) this.putBack(vma);
    }
    const first = this.vmas.indexAfter(Math.max(0, start - 1));
    for (let i = first; i < this.vmas.length && this.vmas.list[i].start <= end; ) {
      if (this.mergeWithNext(i) === undefined) i++;
    }
  }

  /** Pages of an area that is no longer locked may be reclaimed again. */
  private putBack(vma: Vma): void {
    const { k, pgd } = this;
    if (k.lists.size[LRU.unevictable] === 0) return;
    for (let la = vma.start; la < vma.end; la += PAGE) {
      const pte = k.pageTables.get(pgd, la);
      if (pte & PTE_MAPPED && !(pte & PTE_SPECIAL)) k.reclaim.putBack(pte >>> 12);
    }
  }

  /** Grows a stack area downwards to hold la; false if a limit or a neighbour forbids it. */
  growStack(t: Task, vma: Vma, la: number): boolean {
    const start = pageDown(la);
    const more = (vma.start - start) / PAGE;
    if (vma.end - start > (t.signal.rlimits[RLIMIT.STACK]?.cur ?? RLIM_INFINITY)) return false;
    if (!this.mayExpand(t, vma.flags, more)) return false;
    const below = this.vmas.list[this.vmas.indexOf(vma) - 1];
    if (below && !(below.flags & VM_GROWSDOWN) && (below.flags & VM_ACCESS) !== 0) {
      if (start - below.end < STACK_GUARD_GAP) return false;
    }
    if (below && start < below.end) return false;
    this.count(vma, -1);
    vma.pgoff -= more;
    vma.start = start;
    this.count(vma, 1);
    return true;
  }

  /** The highest free range below mmap_base (else the lowest above TASK_UNMAPPED_BASE); -ENOMEM if there is none. */
  findFree(length: number): number {
    const { list } = this.vmas;
    // Above gapLimit nothing as long as gapLength is free.
    const limit = length >= this.gapLength ? this.gapLimit : this.mmapBase;
    let top = limit;
    for (let i = this.vmas.indexAfter(limit - 1); i >= 0; i--) {
      const vma = list[i];
      if (vma !== undefined) {
        const bottom = vma.start - (vma.flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0);
        top = Math.min(top, bottom);
      }
      const below = list[i - 1];
      const floor = Math.max(MMAP_MIN_ADDR, below?.end ?? 0);
      if (top - length >= floor) {
        this.gapLimit = top - length;
        this.gapLength = length;
        return top - length;
      }
    }
    let at = TASK_UNMAPPED_BASE;
    for (let i = this.vmas.indexAfter(at); ; i++) {
      const vma = list[i];
      const bottom = vma === undefined ? TASK_SIZE : vma.start - (vma.flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0);
      if (bottom - at >= length) return at;
      if (vma === undefined) return -ENOMEM;
      at = Math.max(at, vma.end);
    }
  }

  /** Whether nothing is mapped in a range (and it keeps its distance from a stack). */
  isFree(start: number, length: number): boolean {
    const next = this.vmas.find(start);
    if (next === undefined) return true;
    return start + length <= next.start - (next.flags & VM_GROWSDOWN ? STACK_GUARD_GAP : 0);
  }

  /** Puts a frame at an address; the caller holds a reference for it, which passes to the page tables. */
  mapFrame(vma: Vma, la: number, pfn: number, bits: number): void {
    const pte = (pfn << 12) | protOf(vma.flags) | bits | 0;
    const old = this.k.pageTables.get(this.pgd, la);
    this.k.pageTables.set(this.pgd, la, pte);
    if (old !== 0) {
      this.countFrame(old, -1);
      this.putEntry(old);
    }
    this.countFrame(pte, 1);
    if (bits & (PTE_FILE | PTE_SPECIAL)) return;
    vma.hasAnon = true;
    if (this.k.lists.listOf(pfn) < 0) this.k.lists.add(pfn, LRU.activeAnon);
  }

  /** A copy for fork: private pages are shared until written. @throws SysError(ENOMEM), with nothing left behind */
  fork(id: number): Mm {
    const { k } = this;
    const copy = new Mm(k, id);
    const { mmapBase, startBrk, brk, startCode, endCode, startData, endData, startStack, argStart, argEnd } = this;
    const { envStart, envEnd, vdso, auxv } = this;
    Object.assign(copy, {
      mmapBase,
      startBrk,
      brk,
      startCode,
      endCode,
      startData,
      endData,
      startStack,
      argStart,
      argEnd,
    });
    Object.assign(copy, { envStart, envEnd, vdso, auxv });
    copy.setExe(this.exeFile);
    try {
      for (const vma of this.vmas.list) {
        if (vma.flags & VM_DONTCOPY) continue;
        const twin = vma.part(vma.start, vma.end);
        twin.flags &= ~VM_LOCKED;
        twin.file?.get();
        twin.mapping?.vmas.add(copy);
        copy.vmas.insert(twin);
        copy.count(twin, 1);
        if (vma.flags & VM_WIPEONFORK) twin.hasAnon = false;
        else if (vma.hasAnon) this.copyPages(copy, vma, twin);
      }
    } catch (e) {
      copy.release();
      throw e;
    } finally {
      k.pageTables.flush(this.pgd);
    }
    return copy;
  }

  private copyPages(copy: Mm, vma: Vma, twin: Vma): void {
    const { k, pgd } = this;
    const tables = k.pageTables;
    const protectBoth = !vma.shared && (vma.flags & VM_MAYWRITE) !== 0;
    for (let la = vma.start; la < vma.end; ) {
      const table = pgd.tables[Math.floor(la / 0x40_0000)];
      if (table === undefined || table.used === 0) {
        la = Math.floor(la / 0x40_0000 + 1) * 0x40_0000;
        continue;
      }
      // The child's table comes first: room for it may have to be made, by taking the very page.
      if (table.entries[(la >>> 12) & 1023] !== 0) tables.ensure(copy.pgd, la);
      let pte = tables.get(pgd, la);
      if (pte & PTE_SWAP) {
        tables.set(copy.pgd, la, pte);
        k.swap.dup(pte >>> 12);
        copy.countFrame(pte, 1);
        twin.hasAnon = true;
      } else if (pte !== 0) {
        const ad = tables.accessed(pgd, la);
        if (protectBoth && pte & PTE_RW) {
          pte &= ~PTE_RW;
          tables.set(pgd, la, pte | ad);
        }
        tables.set(copy.pgd, la, pte | (vma.shared ? ad & PTE_A : ad));
        if (!(pte & PTE_SPECIAL)) k.frames.get(pte >>> 12);
        copy.countFrame(pte, 1);
        twin.hasAnon ||= !(pte & (PTE_FILE | PTE_SPECIAL));
      }
      la += PAGE;
    }
  }

  /** A task leaves; the last one takes everything down. Must not be on the CPU then. */
  release(): void {
    if (--this.users > 0) return;
    for (const vma of [...this.vmas.list]) this.dropVma(vma);
    this.k.mms.delete(this.pgd.pfn);
    this.k.pageTables.freeDirectory(this.pgd);
    this.setExe(undefined);
  }

  /** Unmaps a mapping's pages from `first` on (truncate); private copies go too. */
  unmapMapping(mapping: unknown, first: number): void {
    for (const vma of this.vmas.list) {
      if (vma.mapping !== mapping) continue;
      const start = Math.max(vma.start, vma.start + (first - vma.pgoff) * PAGE);
      if (start < vma.end) this.zap(start, vma.end);
    }
  }

  /** @throws SysError(EINVAL) unless both are page-aligned and inside user space */
  checkRange(start: number, length: number): void {
    if (start % PAGE !== 0 || length > TASK_SIZE || start + length > TASK_SIZE) throw new SysError(EINVAL);
  }
}
