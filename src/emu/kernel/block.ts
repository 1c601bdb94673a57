// The block store: one disk with a queue, whose requests complete as events of the virtual clock.
//
// Its time is a fixed, documented model that no cost profile changes: requests are served one after the other, in order
// of arrival; a request that does not start where the last one ended, or shortly behind, pays SEEK_NS; every byte pays
// NS_PER_BYTE. What is stored is host memory or the root image; only time is modelled.
import { type Clock, NS_PER_UNIT, RANK } from "../machine/clock.ts";

/** Seek and half a turn: a 7200 rpm disk's short seek. */
export const SEEK_NS = 4_000_000;
/** 50 MB/s. */
export const NS_PER_BYTE = 20;
/** Controller and command, each request. */
export const COMMAND_NS = 100_000;
/** A start this close behind the last end is still sequential. */
export const SEQUENTIAL_BYTES = 131072;

const CHUNK_PAGES = 256;
const PAGE = 4096;

/** A request that was queued. */
export interface DiskRequest {
  /** When it completes (clock units). */
  readonly end: number;
  /** Whether what waits for it has been told; that may be later than `end` while the kernel is in the middle of something. */
  readonly told: boolean;
  /** Waits for it with the processor: time passes to its end, and what waits for it is told now. Harmless once it is complete. */
  finish(): void;
}

/** The disk's arm and queue. */
export class BlockDevice {
  private readonly clock: Clock;
  private head = -1;
  /** When the last queued request ends (clock units). */
  busyUntil = 0;
  reads = 0;
  writes = 0;
  readBytes = 0;
  writtenBytes = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /**
   * Queues a request at a byte address of the device.
   * @param done called when it completes, with its time from submission to completion in clock units
   */
  submit(at: number, bytes: number, write: boolean, done?: (service: number) => void): DiskRequest {
    const now = this.clock.now();
    const near = this.head >= 0 && at >= this.head && at - this.head <= SEQUENTIAL_BYTES;
    const ns = COMMAND_NS + (near ? 0 : SEEK_NS) + bytes * NS_PER_BYTE;
    const start = now > this.busyUntil ? now : this.busyUntil;
    this.busyUntil = start + Math.ceil(ns / NS_PER_UNIT);
    this.head = at + bytes;
    if (write) {
      this.writes++;
      this.writtenBytes += bytes;
    } else {
      this.reads++;
      this.readBytes += bytes;
    }
    const end = this.busyUntil;
    const timer = done && this.clock.at(end, () => done(end - now), RANK.device);
    const finish = (): void => {
      this.clock.charge(end - this.clock.now());
      if (!timer?.pending) return;
      timer.cancel();
      done?.(end - now);
    };
    return {
      end,
      get told() {
        return !timer?.pending;
      },
      finish,
    };
  }
}

/** Blocks of one page that can be written: the upper layer and swap. Held on the host. */
export class PageStore {
  private readonly chunks: Uint8Array[] = [];
  private readonly free: number[] = [];
  private next = 0;

  /** A block whose contents are undefined. */
  alloc(): number {
    return this.free.pop() ?? this.next++;
  }

  release(block: number): void {
    this.free.push(block);
  }

  /** The 4096 bytes of a block; a view. */
  bytes(block: number): Uint8Array {
    const chunk = Math.floor(block / CHUNK_PAGES);
    while (this.chunks.length <= chunk) this.chunks.push(new Uint8Array(CHUNK_PAGES * PAGE));
    const at = (block % CHUNK_PAGES) * PAGE;
    return this.chunks[chunk].subarray(at, at + PAGE);
  }

  /** Blocks in use. */
  get used(): number {
    return this.next - this.free.length;
  }
}

/** What stands behind the page caches of one machine: the disk, the root image's blob, the upper layer's blocks. */
export class BlockStore {
  readonly device: BlockDevice;
  readonly upper = new PageStore();
  /** The root image's contents are in the page cache from the start, as on a machine that has been up for a while. */
  readonly warm: boolean;
  /** Contents of the root image. */
  readonly lower: (offset: number, length: number) => Uint8Array;
  /** Device address at which the upper layer's blocks begin. */
  readonly upperBase: number;

  constructor(clock: Clock, lower: (offset: number, length: number) => Uint8Array, lowerBytes: number, warm: boolean) {
    this.device = new BlockDevice(clock);
    this.lower = lower;
    this.warm = warm;
    this.upperBase = Math.ceil(lowerBytes / PAGE) * PAGE;
  }
}
