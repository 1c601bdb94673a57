// The page cache: guest frames that hold file contents, one AddressSpace per file; read, write and mmap share them.
//
// A page that is not here yet is read through the block store; who needs it waits for it. Metadata is in memory and
// never waits. A machine has read its root image before, unless it starts cold (--cold). Dirty pages stay until sync, fsync or reclaim writes them; nothing writes them back by itself.
import type { BlockStore } from "../block.ts";
import { ENOMEM, SysError } from "../errno.ts";
import { type Wait, WaitQueue } from "../wait.ts";
import type { AddressSpace } from "./address_space.ts";

export const PAGE_SIZE = 4096;
/** Pages a sequential reader finds read ahead (128 KiB, as Linux). */
export const READ_AHEAD_PAGES = 32;
/** Writers wait while the disk has more than this queued (clock units; 0.2 s at 500 MHz). */
const WRITE_BEHIND_UNITS = 100_000_000;

/** One page of a file in a guest frame. */
export interface Page {
  readonly mapping: AddressSpace;
  readonly index: number;
  readonly pfn: number;
  dirty: boolean;
  /** Used since reclaim last looked. */
  referenced: boolean;
  /** A copy is going on: reclaim must not take the frame. */
  pins: number;
  /** Waiters for its contents; null once they are there. */
  reading: WaitQueue | null;
  prev: Page | null;
  next: Page | null;
}

/** The part of the frame allocator that the cache needs. */
export interface Frames {
  /** A frame with one reference and undefined contents, or -1. */
  take(): number;
  /** Drops a reference. */
  put(pfn: number): void;
  /** References of a frame: 1 = only the cache's. */
  refs(pfn: number): number;
}

/** What the cache needs of the machine. */
export interface CacheHost {
  readonly frames: Frames;
  readonly u8: Uint8Array;
  readonly ramBase: number;
  readonly now: () => number;
  /** The host wrote to a frame: decoded code in it is void. */
  readonly written: (pfn: number) => void;
  /** Unmaps a file's pages from `first` on from every address space (truncate). */
  unmap: (mapping: AddressSpace, first: number) => void;
  /** A body met a page that was not cached. */
  cold: () => void;
}

/** All cached pages of a machine, least recently used first. */
export class PageCache {
  readonly host: CacheHost;
  readonly store: BlockStore;
  private head: Page | null = null;
  private tail: Page | null = null;
  cached = 0;
  dirty = 0;

  constructor(host: CacheHost, store: BlockStore) {
    this.host = host;
    this.store = store;
  }

  /** Host address of a page's bytes. */
  address(page: Page): number {
    return this.host.ramBase + page.pfn * PAGE_SIZE;
  }

  /** @throws SysError ENOMEM */
  add(mapping: AddressSpace, index: number, reading: boolean): Page {
    let pfn = this.host.frames.take();
    if (pfn < 0 && this.reclaim(32) > 0) pfn = this.host.frames.take();
    if (pfn < 0) throw new SysError(ENOMEM);
    const page: Page = {
      mapping,
      index,
      pfn,
      dirty: false,
      referenced: false,
      pins: 0,
      reading: reading ? new WaitQueue() : null,
      prev: this.tail,
      next: null,
    };
    if (this.tail) this.tail.next = page;
    else this.head = page;
    this.tail = page;
    this.cached++;
    return page;
  }

  /** Takes a page out of the list and gives its frame back. */
  drop(page: Page): void {
    this.unlink(page);
    this.cached--;
    if (page.dirty) this.dirty--;
    page.dirty = false;
    this.host.frames.put(page.pfn);
  }

  private unlink(page: Page): void {
    if (page.prev) page.prev.next = page.next;
    else this.head = page.next;
    if (page.next) page.next.prev = page.prev;
    else this.tail = page.prev;
    page.prev = page.next = null;
  }

  private requeue(page: Page): void {
    this.unlink(page);
    page.prev = this.tail;
    if (this.tail) this.tail.next = page;
    else this.head = page;
    this.tail = page;
  }

  /**
   * Frees up to `target` frames: clean pages are dropped, dirty ones are queued for the disk first. Pages that are
   * mapped, pinned, being read, or have no store behind them stay. Second chance for pages used since the last look.
   * @returns frames freed
   */
  reclaim(target: number): number {
    let freed = 0;
    for (let look = 2 * this.cached; look > 0 && freed < target && this.head; look--) {
      const page = this.head;
      const stays = page.pins > 0 || page.reading || !page.mapping.stored || this.host.frames.refs(page.pfn) > 1;
      if (stays || page.referenced) {
        page.referenced = false;
        this.requeue(page);
        continue;
      }
      if (page.dirty) page.mapping.writePage(page);
      page.mapping.forget(page);
      this.drop(page);
      freed++;
    }
    return freed;
  }

  /** Writes every dirty page that has a store; what to wait for. */
  syncAll(): WaitQueue[] {
    const mappings = new Set<AddressSpace>();
    for (let p = this.head; p; p = p.next) if (p.dirty && p.mapping.stored) mappings.add(p.mapping);
    return [...mappings].map((m) => m.sync()).filter((q) => q !== null);
  }

  /** What a writer must wait for before it may dirty more, or null. */
  throttle(): Wait | null {
    const busy = this.store.device.busyUntil;
    if (busy - this.host.now() <= WRITE_BEHIND_UNITS) return null;
    return { queues: [], deadline: busy - WRITE_BEHIND_UNITS, interruptible: false };
  }
}
