// Physical frames behind the kernel's own: reference counts, single frames and aligned pairs (kernel stacks).
// Last freed, first used, so that the same run takes the same frames on any host.

/** No frame. */
export const NO_FRAME = -1;

const USED = 0;
const SINGLE = 1;
const PAIR = 2;
const PAIR_TAIL = 3;

export class FrameAllocator {
  /** Frames of the machine, the kernel's own included. */
  readonly total: number;
  /** Frames that can be given out. */
  readonly managed: number;
  /** Frames that nobody holds. */
  free: number;
  private readonly counts: Int32Array;
  private readonly state: Uint8Array;
  private readonly next: Int32Array;
  private readonly prev: Int32Array;
  /** Heads of the lists of free singles and free pairs. */
  private readonly heads = [NO_FRAME, NO_FRAME];
  private readonly first: number;
  private readonly onReuse: (pfn: number) => void;
  /** Called when a frame is free again. */
  onFree: ((pfn: number) => void) | null = null;
  /** Called when a frame was given out and fewer than `low` are free. */
  onLow: (() => void) | null = null;
  low = 0;

  /**
   * @param ramBytes size of RAM
   * @param reservedBytes bytes at its bottom that are not given out
   * @param onReuse called when a frame is given out: what was decoded from its old contents is void
   */
  constructor(ramBytes: number, reservedBytes: number, onReuse: (pfn: number) => void) {
    this.total = Math.floor(ramBytes / 4096);
    this.first = (Math.ceil(reservedBytes / 4096) + 1) & ~1;
    this.managed = Math.max(0, (this.total - this.first) & ~1);
    this.free = this.managed;
    this.onReuse = onReuse;
    this.counts = new Int32Array(this.total);
    this.state = new Uint8Array(this.total);
    this.next = new Int32Array(this.total).fill(NO_FRAME);
    this.prev = new Int32Array(this.total).fill(NO_FRAME);
    for (let pfn = this.first + this.managed - 2; pfn >= this.first; pfn -= 2) this.insert(pfn, PAIR);
  }

  /** A frame with one reference and undefined contents, or NO_FRAME. */
  take(): number {
    let pfn = this.heads[0];
    if (pfn !== NO_FRAME) this.remove(pfn, SINGLE);
    else {
      pfn = this.heads[1];
      if (pfn === NO_FRAME) return NO_FRAME;
      this.remove(pfn, PAIR);
      this.insert(pfn + 1, SINGLE);
    }
    this.give(pfn);
    return pfn;
  }

  /** The first of two adjacent frames, 8 KiB aligned, each with one reference; or NO_FRAME. */
  takePair(): number {
    const pfn = this.heads[1];
    if (pfn === NO_FRAME) return NO_FRAME;
    this.remove(pfn, PAIR);
    this.give(pfn);
    this.give(pfn + 1);
    return pfn;
  }

  private give(pfn: number): void {
    this.state[pfn] = USED;
    this.counts[pfn] = 1;
    this.free--;
    this.onReuse(pfn);
    if (this.free < this.low) this.onLow?.();
  }

  /** One more holder. Frames of the kernel's own are not counted. */
  get(pfn: number): void {
    if (pfn >= this.first && pfn < this.first + this.managed) this.counts[pfn]++;
  }

  /** One holder less; the last one frees the frame. */
  put(pfn: number): void {
    if (!(pfn >= this.first && pfn < this.first + this.managed) || this.counts[pfn] <= 0) return;
    if (--this.counts[pfn] > 0) return;
    this.free++;
    this.onFree?.(pfn);
    const buddy = pfn ^ 1;
    if (this.state[buddy] === SINGLE) {
      this.remove(buddy, SINGLE);
      this.insert(pfn & ~1, PAIR);
    } else this.insert(pfn, SINGLE);
  }

  /** Whether the allocator gives this frame out. */
  manages(pfn: number): boolean {
    return pfn >= this.first && pfn < this.first + this.managed;
  }

  /** The frames that the allocator gives out: the first, and behind the last. */
  get range(): readonly [first: number, end: number] {
    return [this.first, this.first + this.managed];
  }

  /** Frames on the free lists, found by walking them. */
  countFree(): number {
    let n = 0;
    for (const [list, frames] of [1, 2].entries())
      for (let pfn = this.heads[list]; pfn !== NO_FRAME; pfn = this.next[pfn]) n += frames;
    return n;
  }

  /** Holders of a frame. */
  refs(pfn: number): number {
    return this.counts[pfn];
  }

  private insert(pfn: number, kind: typeof SINGLE | typeof PAIR): void {
    const list = kind === SINGLE ? 0 : 1;
    const head = this.heads[list];
    this.next[pfn] = head;
    this.prev[pfn] = NO_FRAME;
    if (head !== NO_FRAME) this.prev[head] = pfn;
    this.heads[list] = pfn;
    this.state[pfn] = kind;
    if (kind === PAIR) this.state[pfn + 1] = PAIR_TAIL;
  }

  private remove(pfn: number, kind: typeof SINGLE | typeof PAIR): void {
    const next = this.next[pfn];
    const prev = this.prev[pfn];
    if (next !== NO_FRAME) this.prev[next] = prev;
    if (prev !== NO_FRAME) this.next[prev] = next;
    else this.heads[kind === SINGLE ? 0 : 1] = next;
    this.state[pfn] = USED;
    if (kind === PAIR) this.state[pfn + 1] = USED;
  }
}
