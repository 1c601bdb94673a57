// The swap area: slots, who names them, the pages that are in a slot and in memory at once (the swap cache), reading back.
// A page table entry with PTE_SWAP names a slot and holds no frame.
import { type BlockDevice, type DiskRequest, PageStore } from "../block.ts";
import { WaitQueue } from "../wait.ts";
import type { FrameAllocator } from "./frames.ts";
import { LRU, type PageLists } from "./lru.ts";
import type { VmStat } from "./vmstat.ts";

/** Where on the device the swap area is said to lie. */
const SWAP_BASE = 2 ** 45;
/** Slots read with the one that is wanted: the aligned eight around it (page_cluster = 3). */
const CLUSTER = 8;
const PAGE = 4096;
const NONE = -1;

/** A slot that is being read. */
export interface SwapRead {
  readonly pfn: number;
  readonly queue: WaitQueue;
  readonly request: DiskRequest;
}

/** What the swap area needs of the machine. */
export interface SwapHost {
  readonly frames: FrameAllocator;
  readonly lists: PageLists;
  readonly vm: VmStat;
  readonly u8: Uint8Array;
  readonly ramBase: number;
  /** A page is read; ahead: nobody asked for it. */
  readonly reads: (slot: number, ahead: boolean) => void;
}

export class Swap {
  /** Slots, and those in use. */
  readonly total: number;
  used = 0;
  /** Pages in the swap cache. */
  cached = 0;
  /** Slot of each frame in the swap cache, or -1. */
  readonly slotOf: Int32Array;
  /** Slots under way from the disk. */
  readonly reading = new Map<number, SwapRead>();
  /** The disk it lies on. */
  device!: BlockDevice;
  private readonly counts: Int32Array;
  private readonly frame: Int32Array;
  private readonly ahead: Uint8Array;
  private readonly store = new PageStore();
  private readonly host: SwapHost;
  /** Where the next slot is looked for. */
  private cursor = 0;

  constructor(host: SwapHost, bytes: number) {
    this.host = host;
    this.total = Math.floor(bytes / PAGE);
    this.slotOf = new Int32Array(host.frames.total).fill(NONE);
    this.counts = new Int32Array(this.total);
    this.frame = new Int32Array(this.total).fill(NONE);
    this.ahead = new Uint8Array(this.total);
  }

  get free(): number {
    return this.total - this.used;
  }

  /** Entries that name a slot. */
  users(slot: number): number {
    return this.counts[slot];
  }

  /** The frame that has a slot's contents too, or -1. */
  frameOf(slot: number): number {
    return this.frame[slot];
  }

  /** Puts a page into the swap cache under a slot of its own; -1: swap is full. Its contents are not there yet. */
  assign(pfn: number): number {
    if (this.used === this.total) return NONE;
    while (this.inUse(this.cursor)) this.cursor = (this.cursor + 1) % this.total;
    const slot = this.cursor;
    this.cursor = (slot + 1) % this.total;
    this.used++;
    this.cache(slot, pfn);
    return slot;
  }

  private inUse(slot: number): boolean {
    return this.counts[slot] > 0 || this.frame[slot] !== NONE;
  }

  private cache(slot: number, pfn: number): void {
    this.host.frames.get(pfn);
    this.frame[slot] = pfn;
    this.slotOf[pfn] = slot;
    this.cached++;
  }

  /** One entry more names a slot. */
  dup(slot: number): void {
    this.counts[slot]++;
  }

  /** One less. What nobody names and nobody has mapped is free. */
  release(slot: number): void {
    if (--this.counts[slot] > 0) return;
    const pfn = this.frame[slot];
    if (pfn === NONE) this.used--;
    else if (this.host.frames.refs(pfn) === 1 || this.reading.has(slot)) this.uncache(pfn);
  }

  /** Takes a page out of the swap cache: what is in memory is all there is of it, or its slot is. */
  uncache(pfn: number): void {
    const slot = this.slotOf[pfn];
    if (slot === NONE) return;
    this.slotOf[pfn] = NONE;
    this.frame[slot] = NONE;
    this.ahead[slot] = 0;
    this.cached--;
    if (this.counts[slot] === 0) this.used--;
    this.host.frames.put(pfn);
  }

  /** Queues a page's bytes for its slot; they are safe at once. `done`: when the disk has them. */
  write(pfn: number, done: () => void): DiskRequest {
    const slot = this.slotOf[pfn];
    const at = this.host.ramBase + pfn * PAGE;
    this.store.bytes(slot).set(this.host.u8.subarray(at, at + PAGE));
    this.host.lists.dirty[pfn] = 0;
    this.host.vm.pswpout++;
    this.host.vm.pgpgout += PAGE / 1024;
    return this.device.submit(SWAP_BASE + slot * PAGE, PAGE, true, done);
  }

  /** A slot's contents. */
  bytes(slot: number): Uint8Array {
    return this.store.bytes(slot);
  }

  /**
   * Reads a slot and those beside it that are in use into the swap cache.
   * @param take a frame for the wanted page
   * @param spare a frame for one beside it, or -1: it stays where it is
   */
  read(slot: number, take: () => number, spare: () => number): SwapRead {
    const first = slot - (slot % CLUSTER);
    const found: { slot: number; pfn: number }[] = [];
    const wanted = take();
    for (let s = first; s < Math.min(first + CLUSTER, this.total); s++) {
      if (this.counts[s] === 0 || this.frame[s] !== NONE) continue;
      const pfn = s === slot ? wanted : spare();
      if (pfn < 0) continue;
      found.push({ slot: s, pfn });
      this.ahead[s] = s === slot ? 0 : 1;
      this.cache(s, pfn);
      this.host.lists.add(pfn, LRU.inactiveAnon);
    }
    for (let from = 0; from < found.length; ) {
      let to = from + 1;
      while (to < found.length && found[to].slot === found[to - 1].slot + 1) to++;
      this.submit(found.slice(from, to));
      from = to;
    }
    for (const f of found) this.host.reads(f.slot, f.slot !== slot);
    return this.reading.get(slot)!;
  }

  /** One request for slots that follow each other; each frame's first reference is kept until it is filled. */
  private submit(run: readonly { slot: number; pfn: number }[]): void {
    const { vm } = this.host;
    const queue = new WaitQueue();
    const bytes = run.length * PAGE;
    const request = this.device.submit(SWAP_BASE + run[0].slot * PAGE, bytes, false, (service) => {
      for (const { slot, pfn } of run) {
        this.host.u8.set(this.store.bytes(slot), this.host.ramBase + pfn * PAGE);
        this.reading.delete(slot);
        this.host.frames.put(pfn);
      }
      queue.wakeAll({ kind: "device", delay: service });
    });
    vm.pswpin += run.length;
    vm.pgpgin += bytes / 1024;
    for (const { slot, pfn } of run) this.reading.set(slot, { pfn, queue, request });
  }

  /** Reads one slot for a file; the caller copies bytes() when it is there. */
  readOne(slot: number, done: (service: number) => void): DiskRequest {
    this.host.reads(slot, false);
    return this.device.submit(SWAP_BASE + slot * PAGE, PAGE, false, done);
  }

  /** A page that was read ahead is wanted after all. */
  hit(slot: number): void {
    if (this.ahead[slot] === 1) this.host.vm.swap_ra_hit++;
    this.ahead[slot] = 0;
  }
}
