// The lists that every page which can be reclaimed is on (struct lruvec), what is known about each page, and who owns it.
// Anonymous memory and what lies in no file has its own pair: it goes to swap, the pages of files to their files.
import type { Page } from "../fs/page_cache.ts";

/** The lists; files' are the upper pair, and an active one follows its inactive one. */
export const LRU = { inactiveAnon: 0, activeAnon: 1, inactiveFile: 2, activeFile: 3, unevictable: 4 } as const;
export type LruList = (typeof LRU)[keyof typeof LRU];
const LISTS = 5;
const NONE = -1;

export class PageLists {
  /** Pages on each list. */
  readonly size: number[] = new Array<number>(LISTS).fill(0);
  /** The page of a cache that a frame holds; none for private memory. */
  readonly page: (Page | undefined)[];
  /** PG_referenced: used since the last look, by a call. */
  readonly referenced: Uint8Array;
  /** PG_dirty of private memory: written since it was last in its swap slot. */
  readonly dirty: Uint8Array;
  /** Number of the write that a page is under, 0: none (PG_writeback). */
  readonly writeback: Int32Array;
  /** Reclaim started that write: the page is the next to go when it is done (PG_reclaim). */
  readonly leaving: Uint8Array;
  /** Linear page at which a page of private memory was mapped last. */
  readonly lastPage: Int32Array;
  /** Pages that came onto the lists, that reclaim took, and that were freed by who held them. */
  added = 0;
  evicted = 0;
  freed = 0;
  /** Pages under writeback. */
  inFlight = 0;
  private writes = 0;
  private readonly of: Int8Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly frames: number;

  /** @param frames frames of the machine */
  constructor(frames: number) {
    this.frames = frames;
    this.page = new Array<Page | undefined>(frames).fill(undefined);
    this.referenced = new Uint8Array(frames);
    this.dirty = new Uint8Array(frames);
    this.writeback = new Int32Array(frames);
    this.leaving = new Uint8Array(frames);
    this.lastPage = new Int32Array(frames);
    this.of = new Int8Array(frames).fill(NONE);
    // The lists' heads stand behind the frames.
    this.next = Int32Array.from({ length: frames + LISTS }, (_, i) => i);
    this.previous = this.next.slice();
  }

  /** The list a frame is on, or -1. */
  listOf(pfn: number): number {
    return this.of[pfn];
  }

  /** The page that is longest on a list; -1 if it is empty. */
  tail(list: LruList): number {
    return this.size[list] === 0 ? NONE : this.previous[this.frames + list];
  }

  /** A frame that was on none gets onto a list, as its newest. */
  add(pfn: number, list: LruList): void {
    this.link(pfn, list);
    this.added++;
  }

  /** Makes it the newest of a list. */
  move(pfn: number, list: LruList): void {
    this.unlink(pfn);
    this.link(pfn, list);
  }

  /** Makes it the oldest of its list: the next that reclaim looks at. */
  rotate(pfn: number): void {
    const list = this.of[pfn] as LruList;
    this.unlink(pfn);
    const head = this.frames + list;
    this.place(pfn, list, this.previous[head], head);
  }

  /** Reclaim takes it off its list: its frame is about to be free. */
  evict(pfn: number): void {
    this.unlink(pfn);
    this.evicted++;
  }

  /** The frame is free: nothing is known of it. */
  forget(pfn: number): void {
    if (this.of[pfn] !== NONE) {
      this.unlink(pfn);
      this.freed++;
    }
    this.referenced[pfn] = 0;
    this.dirty[pfn] = 0;
    if (this.writeback[pfn] !== 0) this.inFlight--;
    this.writeback[pfn] = 0;
    this.leaving[pfn] = 0;
    this.page[pfn] = undefined;
  }

  /** A page goes to the disk. @returns what endWriteback() wants to know */
  beginWriteback(pfn: number): number {
    if (this.writeback[pfn] === 0) this.inFlight++;
    this.writeback[pfn] = ++this.writes;
    return this.writes;
  }

  /** It is there, unless the frame was freed meanwhile or is being written again. @returns whether reclaim waits for the page */
  endWriteback(pfn: number, write: number): boolean {
    if (this.writeback[pfn] !== write) return false;
    this.writeback[pfn] = 0;
    this.inFlight--;
    const wanted = this.leaving[pfn] === 1 && this.of[pfn] !== NONE;
    this.leaving[pfn] = 0;
    if (wanted) this.rotate(pfn);
    return wanted;
  }

  /** It was used: twice, and it is active (mark_page_accessed). */
  markAccessed(pfn: number): boolean {
    const list = this.of[pfn];
    if (this.referenced[pfn] === 0 || (list !== LRU.inactiveAnon && list !== LRU.inactiveFile)) {
      this.referenced[pfn] = 1;
      return false;
    }
    this.referenced[pfn] = 0;
    this.move(pfn, (list + 1) as LruList);
    return true;
  }

  /** Pages of a list, newest first. */
  *[Symbol.iterator](): Generator<readonly [pfn: number, list: number]> {
    for (let list = 0; list < LISTS; list++) {
      const head = this.frames + list;
      for (let pfn = this.next[head]; pfn !== head; pfn = this.next[pfn]) yield [pfn, list];
    }
  }

  private link(pfn: number, list: LruList): void {
    const head = this.frames + list;
    this.place(pfn, list, head, this.next[head]);
  }

  private place(pfn: number, list: LruList, after: number, before: number): void {
    this.next[pfn] = before;
    this.previous[pfn] = after;
    this.next[after] = pfn;
    this.previous[before] = pfn;
    this.of[pfn] = list;
    this.size[list]++;
  }

  private unlink(pfn: number): void {
    this.next[this.previous[pfn]] = this.next[pfn];
    this.previous[this.next[pfn]] = this.previous[pfn];
    this.size[this.of[pfn]]--;
    this.of[pfn] = NONE;
  }
}
