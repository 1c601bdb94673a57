// One file's pages: those in memory, and where the others come from: the root image, the upper layer's blocks, a host file.

import type { DiskRequest } from "../block.ts";
import { EIO, SysError } from "../errno.ts";
import { type Wait, WaitQueue } from "../wait.ts";
import { PAGE_SIZE, type Page, type PageCache, READ_AHEAD_PAGES, type WriteCause } from "./page_cache.ts";

/** Where on the device files of the host are said to lie. */
const HOST_BASE = 2 ** 44;

/** A host file behind a mapping, instead of the block store. */
export interface Backing {
  /** Bytes at an offset; shorter at the end. */
  read(offset: number, length: number): Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
}

/** What has a size in bytes: an inode, or memory that is shared without a name. */
export interface Sized {
  size: number;
}

/** The cached pages of one file and where the others come from. */
export class AddressSpace {
  readonly inode: Sized;
  readonly cache: PageCache;
  /** Whether a block store stands behind it; false: memory is all there is (tmpfs, memfd). */
  readonly stored: boolean;
  readonly pages = new Map<number, Page>();
  /** Upper-layer blocks by page. */
  private readonly upper = new Map<number, number>();
  /** Where the file lies in the root image, and how many of its bytes still come from there. */
  private readonly lowerOffset: number;
  private lowerBytes: number;
  /** 4 KiB blocks that the file has (st_blocks / 8). */
  blockCount: number;
  /** Ranges of pages that have blocks whether or not they have contents; apart from each other. */
  private reserved: { from: number; to: number }[] = [];
  /** Mappings of this file: kept by mm, used to unmap on truncate. */
  readonly vmas = new Set<unknown>();

  /** Pages of the root image that reclaim took: they come from the disk from then on. */
  private readonly evicted = new Set<number>();
  /** Pages that reclaim put into swap, by slot (a file without a store). */
  readonly swapped = new Map<number, number>();
  private dirtyPages = 0;
  private readonly backing: Backing | null;

  constructor(
    inode: Sized,
    cache: PageCache,
    stored: boolean,
    lowerOffset = 0,
    lowerBytes = 0,
    backing: Backing | null = null,
  ) {
    this.inode = inode;
    this.cache = cache;
    this.stored = stored;
    this.lowerOffset = lowerOffset;
    this.lowerBytes = lowerBytes;
    this.backing = backing;
    this.blockCount = Math.ceil(lowerBytes / PAGE_SIZE);
  }

  /** Pages that the file's size covers; beyond them a mapping gives SIGBUS. */
  get pageCount(): number {
    return Math.ceil(this.inode.size / PAGE_SIZE);
  }

  private isReserved(index: number): boolean {
    return this.reserved.some((r) => index >= r.from && index < r.to);
  }

  /** fallocate: pages [from, to) get blocks before they get contents. */
  reserve(from: number, to: number): void {
    const apart = this.reserved.filter((r) => r.to < from || r.from > to);
    const joined = this.reserved.filter((r) => r.to >= from && r.from <= to);
    const first = Math.min(from, ...joined.map((r) => r.from));
    const last = Math.max(to, ...joined.map((r) => r.to));
    this.reserved = [...apart, { from: first, to: last }];
    this.blockCount = this.countBlocks();
  }

  /** Pages of reserved ranges that have no contents. */
  private reservedBlocks(): number {
    if (this.reserved.length === 0) return 0;
    const inside = new Set<number>();
    const lower = Math.ceil(this.lowerBytes / PAGE_SIZE);
    for (const i of this.upper.keys()) if (i >= lower && this.isReserved(i)) inside.add(i);
    for (const p of this.pages.values())
      if (p.index >= lower && p.dirty && this.isReserved(p.index)) inside.add(p.index);
    let n = -inside.size;
    for (const r of this.reserved) n += Math.max(0, r.to - Math.max(r.from, lower));
    return n;
  }

  /** Counts again the 4 KiB blocks that the file has. */
  private countBlocks(): number {
    return this.dataBlocks() + this.reservedBlocks();
  }

  private dataBlocks(): number {
    let n = this.upper.size + Math.ceil(this.lowerBytes / PAGE_SIZE);
    for (const i of this.upper.keys()) if (i * PAGE_SIZE < this.lowerBytes) n--;
    const { slotOf } = this.cache.host.swap;
    for (const p of this.pages.values()) if ((p.dirty || slotOf[p.pfn] >= 0) && !this.onStore(p.index)) n++;
    return n + this.swapped.size;
  }

  /** Does the store hold this page (a hole reads as zeros without waiting)? */
  onStore(index: number): boolean {
    return index * PAGE_SIZE < this.lowerBytes || this.upper.has(index);
  }

  /** Whether the page has contents anywhere: in memory, in the store or in swap. */
  has(index: number): boolean {
    return this.pages.has(index) || this.onStore(index) || this.swapped.has(index);
  }

  /** A page whose contents are here, or null. */
  cached(index: number): Page | null {
    const page = this.pages.get(index);
    return page === undefined || page.reading ? null : page;
  }

  /** A page that is here, or comes without waiting because the machine has read its root before; else null. */
  atHand(index: number): Page | null {
    const page = this.cached(index);
    if (page !== null || this.pages.has(index) || !this.isPreloaded(index)) return page;
    if (this.cache.host.frames.free <= this.cache.host.low()) return null;
    try {
      return this.preloaded(index);
    } catch (e) {
      if (e instanceof SysError) return null;
      throw e;
    }
  }

  private isPreloaded(index: number): boolean {
    if (!this.cache.store.warm || this.evicted.has(index)) return false;
    return !this.upper.has(index) && !this.backing && index * PAGE_SIZE < this.lowerBytes;
  }

  /**
   * The page's frame, or what to wait for before asking again.
   * @throws SysError ENOMEM
   */
  getPage(index: number): number | Wait {
    const page = this.cached(index);
    if (page) return page.pfn;
    const got = this.fetch(index, READ_AHEAD_PAGES >> 1);
    return "pfn" in got ? got.pfn : got;
  }

  /** As getPage, with read-ahead of `ahead` pages, giving the page itself. */
  fetch(index: number, ahead: number): Page | Wait {
    const page = this.pages.get(index);
    if (page) {
      return page.reading === null ? page : this.waitFor(page, page.reading);
    }
    const slot = this.swapped.get(index);
    if (slot !== undefined) return this.readSwap(index, slot);
    if (!this.onStore(index)) {
      const zero = this.insert(index, false);
      this.zero(zero, 0, PAGE_SIZE);
      return zero;
    }
    if (this.isPreloaded(index)) return this.preloaded(index);
    this.cache.host.cold();
    const coming = this.readIn(index, ahead);
    return this.waitFor(coming, coming.reading!);
  }

  /** A page that was here before may be waited for on the spot: who meets it has begun what cannot be begun again. */
  private waitFor(page: Page, queue: WaitQueue): Wait {
    const { request } = page;
    const again = this.evicted.has(page.index) || !this.stored;
    const now = again && request !== null ? () => request.finish() : undefined;
    return { queues: [queue], interruptible: false, now };
  }

  /** Brings a page of a file without a store back from swap. */
  private readSwap(index: number, slot: number): Wait {
    const page = this.insert(index, true);
    const { swap, u8, vm } = this.cache.host;
    const queue = page.reading!;
    vm.pswpin++;
    vm.pgpgin += PAGE_SIZE / 1024;
    page.request = swap.readOne(slot, (service) => {
      page.reading = null;
      page.request = null;
      if (this.pages.get(index) !== page) this.cache.drop(page);
      else {
        u8.set(swap.bytes(slot), this.cache.address(page));
        this.setDirty(page);
        this.swapped.delete(index);
        swap.release(slot);
      }
      queue.wakeAll({ kind: "device", delay: service });
    });
    return this.waitFor(page, queue);
  }

  /** A page that will be overwritten whole: no read. */
  grab(index: number): Page {
    const page = this.pages.get(index);
    if (page && !page.reading) return page;
    if (page) throw new SysError(EIO);
    return this.insert(index, false);
  }

  private insert(index: number, reading: boolean): Page {
    const page = this.cache.add(this, index, reading);
    this.pages.set(index, page);
    return page;
  }

  /** Queues reads for a page and what follows it; returns the first. */
  private readIn(index: number, ahead: number): Page {
    const first = this.insert(index, true);
    const run = [first];
    const end = Math.min(index + Math.max(1, ahead), this.pageCount);
    const block = this.upper.get(index);
    for (let i = index + 1; i < end; i++) {
      if (this.pages.has(i) || !this.onStore(i) || this.cache.host.frames.free <= this.cache.host.low()) break;
      const b = this.upper.get(i);
      if (block === undefined ? b !== undefined : b !== block + run.length) break;
      try {
        run.push(this.insert(i, true));
      } catch (e) {
        if (e instanceof SysError) break;
        throw e;
      }
    }
    const store = this.cache.store;
    const at = block === undefined ? this.lowerOffset + index * PAGE_SIZE : store.upperBase + block * PAGE_SIZE;
    const request = store.device.submit(at, run.length * PAGE_SIZE, false, (service) => this.arrived(run, service));
    for (const page of run) page.request = request;
    this.cache.host.vm.pgpgin += (run.length * PAGE_SIZE) / 1024;
    return first;
  }

  /** A page of the root image on a machine that has read its root before: there at once. */
  private preloaded(index: number): Page {
    const page = this.insert(index, true);
    this.arrived([page], 0);
    return page;
  }

  private arrived(run: Page[], service: number): void {
    const { store, host } = this.cache;
    const index = run[0].index;
    // What was truncated meanwhile is not read; the frame of a dropped page is held until now by `reading`.
    const bytes = run.length * PAGE_SIZE;
    const lower = this.upper.has(index)
      ? null
      : this.backing
        ? this.backing.read(index * PAGE_SIZE, bytes)
        : store.lower(this.lowerOffset + index * PAGE_SIZE, bytes);
    for (let i = 0; i < run.length; i++) {
      const page = run[i];
      const queue = page.reading!;
      page.reading = null;
      page.request = null;
      if (this.pages.get(page.index) !== page) this.cache.drop(page);
      else {
        const to = this.cache.address(page);
        const block = this.upper.get(page.index);
        if (block !== undefined) host.u8.set(store.upper.bytes(block), to);
        else if (lower) host.u8.set(lower.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), to);
        const end = Math.min(this.lowerBytes - page.index * PAGE_SIZE, (lower?.length ?? PAGE_SIZE) - i * PAGE_SIZE);
        if (block === undefined && end < PAGE_SIZE) host.u8.fill(0, to + Math.max(0, end), to + PAGE_SIZE);
        host.written(page.pfn);
      }
      queue.wakeAll({ kind: "device", delay: service });
    }
  }

  /** A page's bytes as they are now, wherever they lie: for a look from outside, which costs the machine nothing. */
  peek(index: number): Uint8Array {
    const { store, host } = this.cache;
    const page = this.pages.get(index);
    if (page && !page.reading) {
      const at = this.cache.address(page);
      return host.u8.slice(at, at + PAGE_SIZE);
    }
    const slot = this.swapped.get(index);
    if (slot !== undefined) return host.swap.bytes(slot).slice();
    const block = this.upper.get(index);
    if (block !== undefined) return store.upper.bytes(block).slice();
    const bytes = new Uint8Array(PAGE_SIZE);
    const inLower = Math.min(PAGE_SIZE, this.lowerBytes - index * PAGE_SIZE);
    if (inLower > 0) bytes.set(store.lower(this.lowerOffset + index * PAGE_SIZE, PAGE_SIZE).subarray(0, inLower));
    return bytes;
  }

  /** Zeroes bytes of a page. */
  zero(page: Page, from: number, to: number): void {
    const at = this.cache.address(page);
    this.cache.host.u8.fill(0, at + from, at + to);
    this.cache.host.written(page.pfn);
  }

  /** The page has bytes that the store has not. */
  markDirty(index: number): void {
    const page = this.pages.get(index);
    if (page) this.setDirty(page);
  }

  setDirty(page: Page): void {
    const { host } = this.cache;
    host.lists.referenced[page.pfn] = 1;
    if (page.dirty) return;
    const counted = host.swap.slotOf[page.pfn] >= 0 || this.swapped.has(page.index);
    if (!counted && !this.onStore(page.index) && !this.isReserved(page.index)) this.blockCount++;
    page.dirty = true;
    if (!this.stored) host.swap.uncache(page.pfn);
    this.countDirty(1);
  }

  /** One dirty page more or less; memory without a store is not told: nobody writes it back. */
  countDirty(sign: 1 | -1): void {
    if (!this.stored) return;
    const { cache } = this;
    this.dirtyPages += sign;
    cache.dirty += sign;
    if (this.dirtyPages === 0) cache.dirtyFiles.delete(this);
    else if (sign > 0 && this.dirtyPages === 1) cache.dirtyFiles.set(this, cache.host.now());
    if (sign > 0) cache.host.dirtied();
  }

  /** Queues a dirty page for the disk; its bytes are safe at once. `done`: when the disk has it. */
  writePage(page: Page, why: WriteCause, done?: (service: number) => void): DiskRequest {
    const { store, host } = this.cache;
    if (page.dirty) this.countDirty(-1);
    page.dirty = false;
    host.clean(page.pfn);
    const ended = this.cache.beginWriteback(page, why);
    const end = (service: number): void => {
      ended();
      done?.(service);
    };
    if (this.backing) return this.writeBacking(page, this.backing, end);
    let block = this.upper.get(page.index);
    if (block === undefined) {
      block = store.upper.alloc();
      this.upper.set(page.index, block);
    }
    const at = this.cache.address(page);
    store.upper.bytes(block).set(host.u8.subarray(at, at + PAGE_SIZE));
    return store.device.submit(store.upperBase + block * PAGE_SIZE, PAGE_SIZE, true, end);
  }

  private writeBacking(page: Page, backing: Backing, done: (service: number) => void): DiskRequest {
    const { store, host } = this.cache;
    const at = this.cache.address(page);
    const start = page.index * PAGE_SIZE;
    const n = Math.max(0, Math.min(PAGE_SIZE, this.inode.size - start));
    backing.write(start, host.u8.subarray(at, at + n));
    if (start + n > this.lowerBytes) this.lowerBytes = start + n;
    return store.device.submit(HOST_BASE + start, PAGE_SIZE, true, done);
  }

  /** Dirty pages in order of place. */
  dirtyOnes(): Page[] {
    return [...this.pages.values()].filter((p) => p.dirty).sort((a, b) => a.index - b.index);
  }

  /** Writes every dirty page without waiting for the disk. */
  flush(why: WriteCause = "sync"): void {
    for (const page of this.dirtyOnes()) this.writePage(page, why);
  }

  /** Writes every dirty page; the queue wakes when the last one is on the disk. Null: nothing to write. */
  sync(): WaitQueue | null {
    if (!this.stored) return null;
    const dirty = this.dirtyOnes();
    if (dirty.length === 0) return null;
    const queue = new WaitQueue();
    const last = dirty.pop()!;
    for (const page of dirty) this.writePage(page, "sync");
    this.writePage(last, "sync", (service) => queue.wakeAll({ kind: "device", delay: service }));
    return queue;
  }

  /** Reclaim takes a page; what has no store is in the swap slot that it was written to. */
  evict(page: Page): void {
    const { swap, lists } = this.cache.host;
    this.pages.delete(page.index);
    const slot = swap.slotOf[page.pfn];
    if (slot >= 0) {
      swap.dup(slot);
      this.swapped.set(page.index, slot);
    } else if (this.stored && this.cache.store.warm && page.index * PAGE_SIZE < this.lowerBytes)
      this.evicted.add(page.index);
    lists.evict(page.pfn);
    this.cache.drop(page);
  }

  /** The file was cut to `size` bytes: pages behind go, the rest of the last one reads as zeros. */
  truncate(size: number): void {
    const first = Math.ceil(size / PAGE_SIZE);
    if (this.pages.size > 0) {
      this.cache.host.unmap(this, first);
      for (const page of [...this.pages.values()]) {
        if (page.index < first) continue;
        this.pages.delete(page.index);
        if (!page.reading) this.cache.drop(page);
      }
    }
    for (const [index, slot] of this.swapped) {
      if (index < first) continue;
      this.cache.host.swap.release(slot);
      this.swapped.delete(index);
    }
    for (const [index, block] of this.upper) {
      if (index < first) continue;
      this.cache.store.upper.release(block);
      this.upper.delete(index);
    }
    if (size < this.lowerBytes) this.lowerBytes = size;
    this.reserved = this.reserved
      .filter((r) => r.from < first)
      .map((r) => ({ from: r.from, to: Math.min(r.to, first) }));
    this.blockCount = this.countBlocks();
    const rest = size % PAGE_SIZE;
    if (rest === 0) return;
    const page = this.pages.get(first - 1);
    if (page && !page.reading) this.zero(page, rest, PAGE_SIZE);
    const block = this.upper.get(first - 1);
    if (block !== undefined) this.cache.store.upper.bytes(block).fill(0, rest);
  }

  /** The file grows from `size` bytes: what a mapping left behind its end reads as zeros. */
  extend(size: number): void {
    const rest = size % PAGE_SIZE;
    const page = rest === 0 ? undefined : this.pages.get(Math.floor(size / PAGE_SIZE));
    if (page && !page.reading) this.zero(page, rest, PAGE_SIZE);
  }

  /** Makes bytes [from, to) read as zeros (hole punching, zero range). Whole pages only lose their contents. */
  punch(from: number, to: number): void {
    for (let index = Math.floor(from / PAGE_SIZE); index * PAGE_SIZE < to; index++) {
      if (!this.has(index)) continue;
      const page = this.fetch(index, 1);
      if (!("pfn" in page)) throw new SysError(EIO);
      const start = index * PAGE_SIZE;
      this.zero(page, Math.max(0, from - start), Math.min(PAGE_SIZE, to - start));
      this.setDirty(page);
    }
  }

  /** First page at or behind `index` that holds data, or -1 (SEEK_DATA). */
  nextData(index: number): number {
    let best = -1;
    const take = (i: number) => {
      if (i >= index && (best < 0 || i < best)) best = i;
    };
    if (index * PAGE_SIZE < this.lowerBytes) return index;
    for (const i of this.upper.keys()) take(i);
    for (const i of this.swapped.keys()) take(i);
    for (const [i, p] of this.pages) if (p.dirty) take(i);
    return best;
  }

  /** Is there data in this page (SEEK_HOLE)? */
  hasData(index: number): boolean {
    return this.onStore(index) || this.swapped.has(index) || this.pages.get(index)?.dirty === true;
  }
}
