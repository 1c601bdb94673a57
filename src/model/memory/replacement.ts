// Which page gives up its frame: exact LRU, the two lists of Linux, or its two pairs of them (four-lists.ts).
//
// Facts of the two lists from Linux 2.6 mm/vmscan.c (refill_inactive_zone(), shrink_list()) and mm/swap.c (mark_page_accessed()).
import { FourLists } from "./four-lists.ts";

/** How a page is used: through a mapping, which may execute it, or by a call. */
export type Use = "mapped" | "executed" | "call";

/** A replacement policy over numbered pages. */
export interface Replacement {
  /** A page that has no frame gets one; `use` is missing for one that was read ahead of need. */
  load(page: number, anonymous: boolean, use?: Use): void;
  /** A page that has a frame is used. */
  touch(page: number, use: Use): void;
  /** A page's frame is free without being chosen: its address space is gone. */
  drop(page: number): void;
  /** Chooses a page, which then has no frame. There must be one. */
  evict(): number;
}

/** Doubly linked lists over page numbers; a page is in one of them or in none. */
export class Lists {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #of: Int8Array;
  readonly length: number[];
  readonly #pages: number;

  constructor(pages: number, lists: number) {
    this.#pages = pages;
    // The heads of the lists stand behind the pages.
    this.#next = Int32Array.from({ length: pages + lists }, (_, i) => i);
    this.#previous = this.#next.slice();
    this.#of = new Int8Array(pages).fill(-1);
    this.length = new Array<number>(lists).fill(0);
  }

  of(page: number): number {
    return this.#of[page];
  }

  /** Puts a page first. */
  push(page: number, list: number): void {
    const head = this.#pages + list;
    this.#next[page] = this.#next[head];
    this.#previous[page] = head;
    this.#previous[this.#next[head]] = page;
    this.#next[head] = page;
    this.#of[page] = list;
    this.length[list]++;
  }

  remove(page: number): void {
    this.#next[this.#previous[page]] = this.#next[page];
    this.#previous[this.#next[page]] = this.#previous[page];
    this.length[this.#of[page]]--;
    this.#of[page] = -1;
  }

  /** The last page of a list that is not empty. */
  last(list: number): number {
    return this.#previous[this.#pages + list];
  }
}

/** Exactly the page that was used longest ago. */
export class Lru implements Replacement {
  readonly #lists: Lists;
  constructor(pages: number) {
    this.#lists = new Lists(pages, 1);
  }
  load(page: number): void {
    this.#lists.push(page, 0);
  }
  touch(page: number): void {
    this.#lists.remove(page);
    this.#lists.push(page, 0);
  }
  drop(page: number): void {
    this.#lists.remove(page);
  }
  evict(): number {
    const page = this.#lists.last(0);
    this.#lists.remove(page);
    return page;
  }
}

const INACTIVE = 0;
const ACTIVE = 1;
/** The inactive list is filled up to this part of all pages. */
const INACTIVE_PART = 3;

/** File pages begin inactive, anonymous ones active; used twice, a page is active; what is old and unused becomes inactive, then goes. */
export class TwoLists implements Replacement {
  readonly #lists: Lists;
  readonly #referenced: Uint8Array;

  constructor(pages: number) {
    this.#lists = new Lists(pages, 2);
    this.#referenced = new Uint8Array(pages);
  }

  load(page: number, anonymous: boolean): void {
    this.#referenced[page] = 0;
    this.#lists.push(page, anonymous ? ACTIVE : INACTIVE);
  }

  touch(page: number): void {
    if (this.#lists.of(page) === INACTIVE && this.#referenced[page] === 1) this.#move(page, ACTIVE, 0);
    else this.#referenced[page] = 1;
  }

  drop(page: number): void {
    this.#lists.remove(page);
  }

  #move(page: number, list: number, referenced: number): void {
    this.#lists.remove(page);
    this.#lists.push(page, list);
    this.#referenced[page] = referenced;
  }

  evict(): number {
    const { length } = this.#lists;
    for (;;) {
      while (length[INACTIVE] * INACTIVE_PART < length[INACTIVE] + length[ACTIVE]) {
        const page = this.#lists.last(ACTIVE);
        this.#move(page, this.#referenced[page] === 1 ? ACTIVE : INACTIVE, 0);
      }
      const page = this.#lists.last(INACTIVE);
      if (this.#referenced[page] === 1) this.#move(page, ACTIVE, 0);
      else {
        this.#lists.remove(page);
        return page;
      }
    }
  }
}

export const RECLAIMS = ["two-list", "lru", "linux-4.0"] as const;
export type Reclaim = (typeof RECLAIMS)[number];

export function makeReplacement(reclaim: Reclaim, pages: number, frames: number): Replacement {
  if (reclaim === "linux-4.0") return new FourLists(pages, frames);
  return reclaim === "lru" ? new Lru(pages) : new TwoLists(pages);
}
