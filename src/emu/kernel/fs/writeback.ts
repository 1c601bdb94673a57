// Dirty pages go back to their files by themselves: what has been dirty for half a minute, and what is too much. A thread of the
// kernel does it, made when the first page becomes dirty enough (fs/fs-writeback.c, mm/page-writeback.c).
import type { Timer } from "../../machine/clock.ts";
import type { Kernel } from "../kernel.ts";
import { kernelThread } from "../kthread.ts";
import { LRU } from "../mm/lru.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import type { AddressSpace } from "./address_space.ts";

/** vm.dirty_expire_centisecs, vm.dirty_writeback_centisecs. */
const EXPIRE_NS = 30e9;
const INTERVAL_NS = 5e9;
/** vm.dirty_background_ratio and vm.dirty_ratio, of what could be dirty: free frames and those of files. */
const BACKGROUND = 0.1;
const LIMIT = 0.2;
/** Pages that are under way at most before the thread waits for some. */
const MOST_IN_FLIGHT = 256;
/** Longest wait of a writer before it looks again. */
const PAUSE_NS = 100_000_000;

export class WriteBack {
  private readonly k: Kernel;
  private readonly wake = new WaitQueue();
  private timer: Timer | undefined;
  private running = false;
  private awake = false;

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Frames that may be dirty before somebody does something about it. */
  private part(ratio: number): number {
    const { frames, lists } = this.k;
    return Math.floor((frames.free + lists.size[LRU.inactiveFile] + lists.size[LRU.activeFile]) * ratio);
  }

  /** A page became dirty. */
  dirtied(): void {
    if (this.awake) return;
    if (this.k.vfs.cache.dirty > this.part(BACKGROUND)) this.start();
    else this.timer ??= this.arm();
  }

  /** What a writer must wait for before it may dirty more, or null (balance_dirty_pages). */
  throttle(): Wait | null {
    const { k } = this;
    const { cache } = k.vfs;
    if (cache.dirty + k.lists.inFlight <= this.part(LIMIT)) return null;
    this.start();
    return {
      queues: [cache.written],
      deadline: k.clock.now() + k.units(PAUSE_NS),
      interruptible: false,
      killable: true,
    };
  }

  private start(): void {
    if (this.awake) return;
    this.awake = true;
    this.timer?.cancel();
    this.timer = undefined;
    if (!this.running) kernelThread(this.k, "kworker/u2:0", this.work());
    this.running = true;
    this.wake.wakeAll({ kind: "timer" });
  }

  /** Wakes when the file that has been dirty longest is old enough, at the next look that is due then. */
  private arm(): Timer | undefined {
    const { k } = this;
    const [oldest] = k.vfs.cache.dirtyFiles.values();
    if (oldest === undefined) return undefined;
    const interval = k.units(INTERVAL_NS);
    return k.clock.at(Math.ceil((oldest + k.units(EXPIRE_NS)) / interval) * interval, () => {
      this.timer = undefined;
      this.start();
    });
  }

  private *work(): Generator<Wait, never, WakeReason> {
    const { k } = this;
    for (;;) {
      const next = this.next();
      if (next === undefined) {
        this.awake = false;
        this.timer ??= this.arm();
        yield { queues: [this.wake], interruptible: false };
        continue;
      }
      for (const page of next.file.dirtyOnes()) {
        if (!page.dirty || page.reading !== null) continue;
        k.reclaim.charge(k.charges.reclaim.write);
        next.file.writePage(page, next.why);
        while (k.lists.inFlight > MOST_IN_FLIGHT) yield { queues: [k.vfs.cache.written], interruptible: false };
      }
      k.reclaim.settle();
    }
  }

  /** The file to write next, and why. */
  private next(): { file: AddressSpace; why: "age" | "limit" } | undefined {
    const { k } = this;
    const { cache } = k.vfs;
    for (const [file, since] of cache.dirtyFiles) {
      if (k.clock.now() - since >= k.units(EXPIRE_NS)) return { file, why: "age" };
      return cache.dirty > this.part(BACKGROUND) ? { file, why: "limit" } : undefined;
    }
    return undefined;
  }
}
