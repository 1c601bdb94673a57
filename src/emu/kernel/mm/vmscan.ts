// Which pages give up their frames: the active and inactive lists, second chance by the accessed bits of all mappings
// (mm/vmscan.c of Linux 4.0). It scans, unmaps, starts writes and frees; who asks for it and waits is in reclaim.ts.
import type { Page } from "../fs/page_cache.ts";
import type { Kernel } from "../kernel.ts";
import { LRU, type LruList } from "./lru.ts";
import { PAGE } from "./mm.ts";
import { PTE_A, PTE_D, PTE_FILE, PTE_RW, PTE_SWAP } from "./pagetable.ts";
import { VM_EXEC, VM_LOCKED } from "./vma.ts";

/** First of the priorities: a list's 1/2^n is looked at. */
export const DEF_PRIORITY = 12;
/** Pages looked at in one go, and what a caller wants freed. */
export const SWAP_CLUSTER_MAX = 32;
const SWAPPINESS = 60;

/** One try to free frames. */
export interface Scan {
  /** Who: the kernel thread, or a task that needs a frame. */
  readonly kswapd: boolean;
  priority: number;
  /** Frames wanted, and freed. */
  readonly target: number;
  freed: number;
}

/** How a page was used since the last look. */
interface Use {
  /** Mappings through which it was. */
  mappings: number;
  /** Any mapping executes, is locked. */
  exec: boolean;
  locked: boolean;
}

const isFile = (list: number): boolean => list === LRU.inactiveFile || list === LRU.activeFile;

export class Vmscan {
  private readonly k: Kernel;
  /** Pages looked at, and those that stayed because they were used, lately: private memory, files. */
  private readonly scanned = [0, 0];
  private readonly rotated = [0, 0];

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Looks at a part of all lists (shrink_lruvec). */
  shrink(scan: Scan): void {
    const counts = this.counts(scan);
    while (counts[LRU.inactiveAnon] + counts[LRU.inactiveFile] + counts[LRU.activeFile] > 0) {
      for (const list of [LRU.inactiveAnon, LRU.activeAnon, LRU.inactiveFile, LRU.activeFile]) {
        const n = Math.min(counts[list], SWAP_CLUSTER_MAX);
        counts[list] -= n;
        if (n === 0) continue;
        if (list === LRU.inactiveAnon || list === LRU.inactiveFile) this.shrinkInactive(scan, list, n);
        else if (this.inactiveIsLow(list)) this.shrinkActive(list, n);
      }
      if (scan.freed >= scan.target && scan.priority < DEF_PRIORITY) break;
    }
    if (this.k.swap.total > 0 && this.inactiveIsLow(LRU.activeAnon))
      this.shrinkActive(LRU.activeAnon, SWAP_CLUSTER_MAX);
  }

  private inactiveIsLow(active: LruList): boolean {
    const { size } = this.k.lists;
    return size[active - 1] < size[active];
  }

  /** How many pages of each list to look at (get_scan_count). */
  private counts(scan: Scan): number[] {
    const { lists, swap, frames, reclaim } = this.k;
    const { size } = lists;
    const share = [1, 1];
    const whole = 1;
    let denominator = whole;
    const files = size[LRU.inactiveFile] + size[LRU.activeFile];
    if (swap.free === 0 && swap.cached === 0) share[0] = 0;
    else if (frames.free + files <= reclaim.high) share[1] = 0;
    else if (!this.inactiveIsLow(LRU.activeFile) && size[LRU.inactiveFile] >> scan.priority > 0) share[0] = 0;
    else if (scan.priority > 0) {
      const pages = [size[LRU.inactiveAnon] + size[LRU.activeAnon], files];
      const weight = [SWAPPINESS, 200 - SWAPPINESS];
      for (const i of [0, 1]) {
        if (this.scanned[i] > pages[i] / 4) {
          this.scanned[i] >>= 1;
          this.rotated[i] >>= 1;
        }
        share[i] = Math.floor((weight[i] * (this.scanned[i] + 1)) / (this.rotated[i] + 1));
      }
      denominator = share[0] + share[1] + 1;
    }
    return [LRU.inactiveAnon, LRU.activeAnon, LRU.inactiveFile, LRU.activeFile].map((list) => {
      const part = share[isFile(list) ? 1 : 0];
      if (part === 0) return 0;
      let n = size[list] >> scan.priority;
      if (n === 0 && (scan.kswapd || scan.priority === 0)) n = Math.min(size[list], SWAP_CLUSTER_MAX);
      return denominator === whole ? n : Math.ceil((n * part) / denominator);
    });
  }

  /** The oldest of an active list become inactive (shrink_active_list). Executed pages of files that were used stay. */
  private shrinkActive(list: LruList, n: number): void {
    const { lists, vm } = this.k;
    const kind = isFile(list) ? 1 : 0;
    for (const pfn of this.oldest(list, n)) {
      const use = this.use(pfn);
      this.scanned[kind]++;
      if (use.mappings > 0) this.rotated[kind]++;
      if (use.locked) lists.move(pfn, LRU.unevictable);
      else if (use.mappings > 0 && use.exec && kind === 1) lists.move(pfn, list);
      else {
        lists.move(pfn, (list - 1) as LruList);
        vm.pgdeactivate++;
      }
    }
  }

  /** The oldest pages of a list, oldest first. */
  private oldest(list: LruList, n: number): number[] {
    const { lists } = this.k;
    const out: number[] = [];
    while (out.length < n && lists.size[list] > 0) {
      const pfn = lists.tail(list);
      out.push(pfn);
      // To the other end: what is looked at comes round again only when all others have been.
      lists.move(pfn, list);
      if (out.length === lists.size[list]) break;
    }
    this.k.reclaim.charge(out.length * this.k.charges.reclaim.look);
    return out;
  }

  private shrinkInactive(scan: Scan, list: LruList, n: number): void {
    const { lists, vm } = this.k;
    const kind = isFile(list) ? 1 : 0;
    for (const pfn of this.oldest(list, n)) {
      // Another page's eviction may have freed this one.
      if (lists.listOf(pfn) !== list) continue;
      this.scanned[kind]++;
      vm[scan.kswapd ? "pgscan_kswapd" : "pgscan_direct"]++;
      const freed = this.page(pfn, list, kind);
      if (freed === 0) continue;
      scan.freed += freed;
      vm[scan.kswapd ? "pgsteal_kswapd" : "pgsteal_direct"]++;
    }
  }

  /** One inactive page: kept, made active, sent to the disk, or freed (shrink_page_list). @returns frames freed */
  private page(pfn: number, list: LruList, kind: number): number {
    const { lists, vm } = this.k;
    if (this.isHeld(pfn) || lists.writeback[pfn] !== 0) return 0;
    const use = this.use(pfn);
    if (use.locked) {
      lists.move(pfn, LRU.unevictable);
      return 0;
    }
    const called = lists.referenced[pfn] === 1;
    lists.referenced[pfn] = 0;
    if (use.mappings > 0) {
      if (kind === 1) lists.referenced[pfn] = 1;
      if (kind === 0 || called || use.mappings > 1 || use.exec) {
        lists.move(pfn, (list + 1) as LruList);
        vm.pgactivate++;
        this.rotated[kind]++;
      }
      return 0;
    }
    return this.takeAway(pfn);
  }

  /**
   * Takes an unused page away: unmaps it everywhere, then frees it, or starts its way to the disk if it has to be written first.
   * @returns frames freed
   */
  takeAway(pfn: number): number {
    const { k } = this;
    const { lists, swap } = k;
    const page = lists.page[pfn];
    // A file's entries just go; those of private memory become the slot's.
    if (page !== undefined) this.unmap(pfn, page);
    const toSwap = page === undefined || (!page.mapping.stored && page.dirty);
    if (toSwap && swap.slotOf[pfn] < 0) {
      if (swap.assign(pfn) < 0) {
        lists.move(pfn, LRU.activeAnon);
        return 0;
      }
      lists.dirty[pfn] = 1;
    }
    if (page === undefined) this.unmap(pfn, page);
    if (page !== undefined ? page.dirty : lists.dirty[pfn] === 1) {
      this.write(pfn, page);
      return 0;
    }
    k.reclaim.noteEviction(pfn, page);
    if (page !== undefined) page.mapping.evict(page);
    else {
      lists.evict(pfn);
      swap.uncache(pfn);
    }
    return 1;
  }

  private write(pfn: number, page: Page | undefined): void {
    const { k } = this;
    const { lists, swap } = k;
    lists.leaving[pfn] = 1;
    if (page?.mapping.stored) {
      k.reclaim.started(page.mapping.writePage(page, "reclaim"));
      return;
    }
    if (page !== undefined) page.dirty = false;
    const write = lists.beginWriteback(pfn);
    k.reclaim.noteSwapOut(pfn);
    const done = (): void => {
      if (lists.endWriteback(pfn, write)) k.vm.pgrotated++;
      k.vfs.cache.written.wakeAll({ kind: "device" });
    };
    k.reclaim.started(swap.write(pfn, done));
  }

  /** Somebody besides page tables and caches holds the frame: a copy, a read, a fault in progress. */
  isHeld(pfn: number): boolean {
    const { frames, rmap, swap, lists } = this.k;
    const page = lists.page[pfn];
    if (page !== undefined && (page.pins > 0 || page.reading !== null)) return true;
    const known = rmap.count[pfn] + (page === undefined ? 0 : 1) + (swap.slotOf[pfn] < 0 ? 0 : 1);
    return frames.refs(pfn) !== known;
  }

  /** Reads and clears the accessed bits of a page's mappings (page_referenced). */
  private use(pfn: number): Use {
    const { k } = this;
    const use: Use = { mappings: 0, exec: false, locked: false };
    k.rmap.each(pfn, (dir, page) => {
      const mm = k.mms.get(dir);
      const la = page * PAGE;
      const vma = mm?.vmas.at(la);
      if (mm === undefined || vma === undefined) return;
      if (vma.flags & VM_LOCKED) use.locked = true;
      if (!(k.pageTables.accessed(mm.pgd, la) & PTE_A)) return;
      k.pageTables.clearAccessed(mm.pgd, la, PTE_A);
      use.mappings++;
      if (vma.flags & VM_EXEC) use.exec = true;
    });
    k.reclaim.charge(k.rmap.count[pfn] * k.charges.reclaim.mapping);
    return use;
  }

  /** Takes a page out of every page table (try_to_unmap). */
  private unmap(pfn: number, page: Page | undefined): void {
    const { k } = this;
    const slot = k.swap.slotOf[pfn];
    k.reclaim.charge(k.rmap.count[pfn] * k.charges.reclaim.mapping);
    k.rmap.each(pfn, (dir, linear) => {
      const mm = k.mms.get(dir);
      if (mm === undefined) return;
      const la = linear * PAGE;
      const pte = k.pageTables.get(mm.pgd, la);
      const written = (pte & PTE_RW) !== 0 && (k.pageTables.accessed(mm.pgd, la) & PTE_D) !== 0;
      if (pte & PTE_FILE && written) page?.mapping.setDirty(page);
      const next = pte & PTE_FILE ? 0 : (slot << 12) | PTE_SWAP;
      k.pageTables.set(mm.pgd, la, next);
      mm.countFrame(pte, -1);
      if (next !== 0) {
        k.swap.dup(slot);
        mm.countFrame(next, 1);
      }
      k.frames.put(pfn);
      k.lists.lastPage[pfn] = linear;
    });
  }

  /** The entries of a file's page may write no longer: its next writer is noticed (page_mkclean). */
  clean(pfn: number): void {
    const { k } = this;
    k.rmap.each(pfn, (dir, linear) => {
      const mm = k.mms.get(dir);
      if (mm === undefined) return;
      const la = linear * PAGE;
      const pte = k.pageTables.get(mm.pgd, la);
      if (!(pte & PTE_FILE && pte & PTE_RW)) return;
      k.pageTables.set(mm.pgd, la, (pte & ~PTE_RW) | (k.pageTables.accessed(mm.pgd, la) & PTE_A));
    });
  }
}
