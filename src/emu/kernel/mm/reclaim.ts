// Who has frames freed, and when: watermarks, the kernel thread kswapd0 in the background, the task that needs a frame itself
// (direct reclaim), and what the trace is told of it (mm/page_alloc.c, mm/vmscan.c).
import { CAUSE, KIND, OBJECT } from "../../../traces/schema/enums.ts";
import type { DiskRequest } from "../block.ts";
import { Inode } from "../fs/inode.ts";
import type { Page, WriteCause } from "../fs/page_cache.ts";
import { objectOf } from "../fs/trace.ts";
import type { Kernel } from "../kernel.ts";
import { kernelThread } from "../kthread.ts";
import type { Task } from "../task.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import { LRU } from "./lru.ts";
import { outOfMemory } from "./oom.ts";
import { DEF_PRIORITY, type Scan, SWAP_CLUSTER_MAX, Vmscan } from "./vmscan.ts";

const PAGE = 4096;
/** Longest wait for writes before the lists are looked at again: a tenth of a second (congestion_wait). */
const CONGESTION_NS = 100_000_000;
/** Passes without a frame after which kswapd0 leaves the rest to those who need it. */
const MAX_FAILURES = 16;
/** Times that all pages are looked at for two adjacent frames. */
const PAIR_TRIES = 16;

/** min_free_kbytes: the square root of sixteen times the memory in KiB, between 128 and 65536. */
function minFreeKib(managed: number): number {
  return Math.max(128, Math.min(65_536, Math.floor(Math.sqrt(managed * 4 * 16))));
}

export class Reclaim {
  readonly scanner: Vmscan;
  /** Free frames below which a task frees some itself; below which kswapd0 starts, up to which it goes on. */
  readonly min: number;
  readonly low: number;
  readonly high: number;
  private readonly k: Kernel;
  private readonly wake = new WaitQueue();
  private running = false;
  private awake = false;
  private failures = 0;
  /** Charges since the last event that told of them. */
  private charged = 0;
  /** Writes that reclaim started, oldest first. */
  private writes: DiskRequest[] = [];
  private object = -1;

  constructor(k: Kernel) {
    this.k = k;
    this.scanner = new Vmscan(k);
    this.min = minFreeKib(k.frames.managed) >> 2;
    this.low = this.min + (this.min >> 2);
    this.high = this.min + (this.min >> 1);
  }

  /** Begins to watch; until then every frame may be given out. */
  start(): void {
    const { frames } = this.k;
    frames.low = this.low;
    frames.onLow = () => this.wakeKswapd();
  }

  /** A page that nobody locks any more, or whose locked mapping is gone. */
  putBack(pfn: number): void {
    const { lists } = this.k;
    if (lists.listOf(pfn) !== LRU.unevictable) return;
    lists.move(pfn, lists.page[pfn]?.mapping.stored ? LRU.inactiveFile : LRU.inactiveAnon);
  }

  private wakeKswapd(): void {
    if (this.awake || this.failures >= MAX_FAILURES) return;
    this.awake = true;
    if (!this.running) kernelThread(this.k, "kswapd0", this.kswapd());
    this.running = true;
    this.wake.wakeAll({ kind: "lock" });
  }

  private *kswapd(): Generator<Wait, never, WakeReason> {
    const { k } = this;
    for (;;) {
      k.vm.pageoutrun++;
      let progress = false;
      for (let priority = DEF_PRIORITY; priority >= 0 && k.frames.free < this.high; priority--) {
        const before = k.lists.inFlight;
        const freed = this.scan({ kswapd: true, priority, target: SWAP_CLUSTER_MAX, freed: 0 });
        progress ||= freed > 0 || k.lists.inFlight > before;
        if (freed > 0) priority = Math.min(DEF_PRIORITY, priority + 1);
        if (k.frames.free < this.high && k.lists.inFlight > 0) yield this.congestion();
      }
      this.failures = progress ? 0 : this.failures + 1;
      if (k.frames.free < this.high && progress) continue;
      this.awake = false;
      yield { queues: [this.wake], interruptible: false };
    }
  }

  private congestion(): Wait {
    const deadline = this.k.clock.now() + this.k.units(CONGESTION_NS);
    return { queues: [this.k.vfs.cache.written], deadline, interruptible: false };
  }

  private scan(scan: Scan): number {
    const before = this.k.frames.free;
    this.scanner.shrink(scan);
    this.settle();
    return Math.max(scan.freed, this.k.frames.free - before);
  }

  /**
   * What a task must wait for before it may take frames; undefined: there are enough. Frees some itself first; if nothing can be
   * freed, a process is killed. To be asked where the task can begin again.
   */
  shortage(t: Task): Wait | undefined {
    const { k } = this;
    if (k.frames.free > this.min || k.signals.fatalPending(t)) return undefined;
    this.failures = 0;
    this.wakeKswapd();
    k.vm.allocstall++;
    for (let priority = DEF_PRIORITY; priority >= 0; priority--) {
      this.scan({ kswapd: false, priority, target: SWAP_CLUSTER_MAX, freed: 0 });
      if (k.frames.free > this.min) return undefined;
    }
    if (k.lists.inFlight > 0) return { ...this.congestion(), killable: true };
    // The reserve is there for those who can free more than they take.
    if (k.frames.free > this.min >> 1) return undefined;
    if (outOfMemory(k, t) === t) return undefined;
    const deadline = k.clock.now() + k.units(1e9 / k.options.hz);
    return { queues: [], deadline, interruptible: false, killable: true };
  }

  /** The last frame is gone in the middle of something: frees some on the spot, waiting for the disk with the processor. */
  makeRoom(): boolean {
    const { k } = this;
    k.vm.allocstall++;
    do {
      for (let priority = DEF_PRIORITY; priority >= 0; priority--) {
        this.scan({ kswapd: false, priority, target: SWAP_CLUSTER_MAX, freed: 0 });
        if (k.frames.free > 0) return true;
      }
    } while (this.waitForWrites());
    if (k.frames.free === 0) outOfMemory(k, k.current);
    return k.frames.free > 0;
  }

  /** Waits on the spot for some of the writes that reclaim started, oldest first; false: there are none. */
  private waitForWrites(): boolean {
    const before = this.k.clock.now();
    let waited = 0;
    for (const write of this.writes.splice(0, SWAP_CLUSTER_MAX)) {
      if (write.told) continue;
      write.finish();
      waited++;
    }
    this.k.current.blockedUnits += this.k.clock.now() - before;
    return waited > 0 || this.writes.length > 0;
  }

  /** Two adjacent frames for a kernel stack, by taking pages away from where one half is free (lumpy reclaim); -1: none. */
  makePair(): number {
    const { k } = this;
    const [first, end] = k.frames.range;
    for (let tries = 0; tries < PAIR_TRIES; tries++) {
      for (let pfn = first; pfn < end; pfn += 2) {
        if (this.clear(pfn) && this.clear(pfn + 1)) {
          const pair = k.frames.takePair();
          if (pair >= 0) return pair;
        }
      }
      if (!this.waitForWrites()) break;
    }
    this.settle();
    return -1;
  }

  /** Whether a frame is free, or could be freed at once. Starts the write of one that must be written. */
  private clear(pfn: number): boolean {
    const { frames, lists } = this.k;
    if (frames.refs(pfn) === 0) return true;
    const list = lists.listOf(pfn);
    if (list < 0 || list === LRU.unevictable || lists.writeback[pfn] !== 0 || this.scanner.isHeld(pfn)) return false;
    return this.scanner.takeAway(pfn) === 1;
  }

  /** Work of reclaim, on the clock and in the event that it is done in. */
  charge(units: number): void {
    this.charged += units;
  }

  /** Lets the time of what was done pass. */
  settle(): void {
    const { k, charged } = this;
    if (charged === 0) return;
    this.charged = 0;
    k.clock.charge(charged);
    if (k.current.seq >= 0) k.recorder.chargeMore(k.current.seq, charged);
  }

  /** A write was started for its frame's sake. */
  started(request: DiskRequest): void {
    if (this.writes[0]?.told) this.writes = this.writes.filter(({ told }) => !told);
    this.writes.push(request);
    this.charge(this.k.charges.reclaim.write);
  }

  /** The swap area as an object of the trace. */
  private swapObject(): number {
    if (this.object < 0) {
      this.object = this.k.ids.object();
      const size = this.k.swap.total * PAGE;
      this.k.recorder.object({ obj: this.object, type: OBJECT.device, size, label: "swap" });
    }
    return this.object;
  }

  private note(kind: number, cause: number, where: () => { obj?: number; off?: number; addr?: number }): void {
    const { k } = this;
    const { seq, id, pid } = k.current;
    const tIn = k.clock.now();
    // A thread of the kernel has no event of its own: its work is in those that it makes.
    const own = pid === 0 ? this.charged : 0;
    k.clock.charge(own);
    this.charged -= own;
    if (!k.recorder.enabled) return;
    const parent = seq >= 0 ? seq : undefined;
    const event = k.recorder.enter({ task: id, kind, tIn, parent, user: 0, cause, ...where() });
    if (own > 0) k.recorder.charge(event, own);
    k.recorder.leave(event, { tOut: k.clock.now(), kinstr: 0, blocked: 0 });
  }

  private ofSlot(slot: number): { obj: number; off: number } {
    return { obj: this.swapObject(), off: slot * PAGE };
  }

  /** A page loses its frame. */
  noteEviction(pfn: number, page: Page | undefined): void {
    const { k } = this;
    this.charge(k.charges.reclaim.free);
    const slot = k.swap.slotOf[pfn];
    const cause = page?.mapping.stored ? CAUSE.file : CAUSE.anon;
    this.note(KIND.evict, cause, () => (slot >= 0 ? this.ofPrivate(pfn, slot) : page ? this.ofPage(page) : {}));
  }

  private ofPage(page: Page): { obj?: number; off: number } {
    const { inode } = page.mapping;
    const off = page.index * PAGE;
    return inode instanceof Inode ? { obj: objectOf(this.k, inode), off } : { off };
  }

  /** A page in a slot of the swap area, and where it was mapped if it is private memory. */
  private ofPrivate(pfn: number, slot: number): { obj: number; off: number; addr?: number } {
    const { page, lastPage } = this.k.lists;
    return page[pfn] === undefined ? { ...this.ofSlot(slot), addr: lastPage[pfn] * PAGE } : this.ofSlot(slot);
  }

  /** A page goes to its slot of the swap area. */
  noteSwapOut(pfn: number): void {
    this.note(KIND.writeback, CAUSE.swap, () => this.ofPrivate(pfn, this.k.swap.slotOf[pfn]));
  }

  /** A page goes to its file. */
  noteWrite(page: Page, why: WriteCause): void {
    this.note(KIND.writeback, CAUSE[why], () => this.ofPage(page));
  }

  /** A page is read from swap. */
  noteSwapIn(slot: number, ahead: boolean): void {
    if (ahead) this.k.vm.swap_ra++;
    this.note(KIND.swapin, ahead ? CAUSE.ahead : CAUSE.swap, () => this.ofSlot(slot));
  }
}
