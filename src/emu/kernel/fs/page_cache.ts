// The page cache: guest frames that hold file contents, one AddressSpace per file; read, write and mmap share them.
//
// A page that is not here yet is read through the block store; who needs it waits for it. Metadata is in memory and
// never waits. A machine has read its root image before, unless it starts cold (--cold): a page's first touch finds it there, one
// that was evicted comes from the disk. Dirty pages are written by sync, by reclaim and by write-back (writeback.ts).
import type { BlockStore, DiskRequest } from "../block.ts";
import { ENOMEM, SysError } from "../errno.ts";
import { LRU, type PageLists } from "../mm/lru.ts";
import type { Swap } from "../mm/swap.ts";
import type { VmStat } from "../mm/vmstat.ts";
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
  /** A copy is going on: reclaim must not take the frame. */
  pins: number;
  /** Waiters for its contents; null once they are there. */
  reading: WaitQueue | null;
  /** What brings its contents. */
  request: DiskRequest | null;
}

/** The part of the frame allocator that the cache needs. */
export interface Frames {
  /** Frames that nobody holds. */
  readonly free: number;
  /** A frame with one reference and undefined contents, or -1. */
  take(): number;
  /** Drops a reference. */
  put(pfn: number): void;
}

/** What the cache needs of the machine. */
export interface CacheHost {
  readonly frames: Frames;
  readonly lists: PageLists;
  readonly swap: Swap;
  readonly vm: VmStat;
  readonly u8: Uint8Array;
  readonly ramBase: number;
  readonly now: () => number;
  /** The host wrote to a frame: decoded code in it is void. */
  readonly written: (pfn: number) => void;
  /** No frame is left: frees some, whatever it takes. False: nothing can be freed. */
  readonly makeRoom: () => boolean;
  /** Free frames below which nothing is brought that nobody asked for. */
  readonly low: () => number;
  /** Takes the right to write from every entry that leads to a page: it is being written to the disk. */
  readonly clean: (pfn: number) => void;
  /** A page goes to the disk for a reason. */
  readonly writes: (page: Page, why: WriteCause) => void;
  /** A page of a file became dirty; and what a writer must wait for when there are too many. */
  readonly dirtied: () => void;
  readonly tooDirty: () => Wait | null;
  /** Unmaps a file's pages from `first` on from every address space (truncate). */
  unmap: (mapping: AddressSpace, first: number) => void;
  /** A body met a page that was not cached. */
  cold: () => void;
}

/** Why a page is written: reclaim, its age, too many dirty ones, or because somebody asked. */
export type WriteCause = "reclaim" | "age" | "limit" | "sync";

/** All cached pages of a machine. */
export class PageCache {
  readonly host: CacheHost;
  readonly store: BlockStore;
  /** Pages in frames; dirty ones of files that have a store. */
  cached = 0;
  dirty = 0;
  /** Files with dirty pages, in order of their first one, and when that was written (clock units). */
  readonly dirtyFiles = new Map<AddressSpace, number>();
  /** Wakes when a write has ended. */
  readonly written = new WaitQueue();

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
    const { frames, lists } = this.host;
    let pfn = frames.take();
    if (pfn < 0 && this.host.makeRoom()) pfn = frames.take();
    if (pfn < 0) throw new SysError(ENOMEM);
    const page: Page = {
      mapping,
      index,
      pfn,
      dirty: false,
      pins: 0,
      reading: reading ? new WaitQueue() : null,
      request: null,
    };
    lists.page[pfn] = page;
    lists.add(pfn, mapping.stored ? LRU.inactiveFile : LRU.inactiveAnon);
    this.cached++;
    return page;
  }

  /** Gives a page's frame back. */
  drop(page: Page): void {
    this.cached--;
    if (page.dirty) page.mapping.countDirty(-1);
    page.dirty = false;
    this.host.lists.page[page.pfn] = undefined;
    this.host.swap.uncache(page.pfn);
    this.host.frames.put(page.pfn);
  }

  /** A call used a page. */
  markAccessed(page: Page): void {
    if (this.host.lists.markAccessed(page.pfn)) this.host.vm.pgactivate++;
  }

  /** Starts a page's way to the disk; the returned function ends it. */
  beginWriteback(page: Page, why: WriteCause): () => void {
    const { lists, vm } = this.host;
    const write = lists.beginWriteback(page.pfn);
    vm.pgpgout += PAGE_SIZE / 1024;
    this.host.writes(page, why);
    return () => {
      lists.endWriteback(page.pfn, write);
      this.written.wakeAll({ kind: "device" });
    };
  }

  /** Writes every dirty page that has a store; what to wait for. */
  syncAll(): WaitQueue[] {
    return [...this.dirtyFiles.keys()].map((m) => m.sync()).filter((q) => q !== null);
  }

  /** What a writer must wait for before it may dirty more, or null. */
  throttle(): Wait | null {
    const many = this.host.tooDirty();
    if (many !== null) return many;
    const busy = this.store.device.busyUntil;
    if (busy - this.host.now() <= WRITE_BEHIND_UNITS) return null;
    return { queues: [], deadline: busy - WRITE_BEHIND_UNITS, interruptible: false };
  }
}
