// The two pairs of lists of Linux 4.0: private memory and files apart. Facts from mm/vmscan.c of Linux 4.0: get_scan_count(),
// shrink_active_list(), page_check_references().
import { Lists, type Replacement, type Use } from "./replacement.ts";

const INACTIVE_ANON = 0;
const INACTIVE_FILE = 2;
/** Weights of private memory and of files when both are looked at (vm.swappiness 60). */
const ANON_WEIGHT = 60;
const ALL_WEIGHTS = 200;

/** Free frames below which a task must free some itself: a quarter of the square root of sixteen times the memory in KiB. */
export function watermark(frames: number): number {
  return Math.max(128, Math.floor(Math.sqrt(16 * 4 * frames))) >> 2;
}

export class FourLists implements Replacement {
  readonly #lists: Lists;
  /** Used through a mapping since the last look; by a call; the mapping executes it. */
  readonly #used: Uint8Array;
  readonly #called: Uint8Array;
  readonly #executed: Uint8Array;
  /** So few pages of files are left alone while there is private memory: with the free frames they reach the high watermark. */
  readonly #fewFiles: number;
  #turn = 0;

  /** @param frames frames of the machine */
  constructor(pages: number, frames: number) {
    this.#fewFiles = watermark(frames) >> 1;
    this.#lists = new Lists(pages, 4);
    this.#used = new Uint8Array(pages);
    this.#called = new Uint8Array(pages);
    this.#executed = new Uint8Array(pages);
  }

  load(page: number, anonymous: boolean, use?: Use): void {
    this.#used[page] = this.#called[page] = 0;
    const active = anonymous && use !== undefined ? 1 : 0;
    this.#lists.push(page, (anonymous ? INACTIVE_ANON : INACTIVE_FILE) + active);
    if (use !== undefined) this.touch(page, use);
  }

  touch(page: number, use: Use): void {
    if (use !== "call") {
      this.#used[page] = 1;
      if (use === "executed") this.#executed[page] = 1;
      return;
    }
    const list = this.#lists.of(page);
    if (this.#called[page] === 1 && list % 2 === 0) {
      this.#called[page] = 0;
      this.#move(page, list + 1);
    } else this.#called[page] = 1;
  }

  drop(page: number): void {
    this.#lists.remove(page);
  }

  #move(page: number, list: number): void {
    this.#lists.remove(page);
    this.#lists.push(page, list);
  }

  /** Files or private memory, as get_scan_count() has it. */
  #inactive(): number {
    const { length } = this.#lists;
    const files = length[INACTIVE_FILE] + length[INACTIVE_FILE + 1];
    const anon = length[INACTIVE_ANON] + length[INACTIVE_ANON + 1];
    if (anon === 0) return INACTIVE_FILE;
    if (files <= this.#fewFiles) return INACTIVE_ANON;
    if (length[INACTIVE_FILE] >= length[INACTIVE_FILE + 1]) return INACTIVE_FILE;
    this.#turn = (this.#turn + ANON_WEIGHT) % ALL_WEIGHTS;
    return this.#turn < ANON_WEIGHT ? INACTIVE_ANON : INACTIVE_FILE;
  }

  /** Fills an inactive list from the end of its active one; executed pages of files that were used stay. */
  #refill(inactive: number): void {
    const { length } = this.#lists;
    while (length[inactive] < length[inactive + 1]) {
      const page = this.#lists.last(inactive + 1);
      const stays = this.#used[page] === 1 && this.#executed[page] === 1 && inactive === INACTIVE_FILE;
      this.#used[page] = 0;
      this.#move(page, stays ? inactive + 1 : inactive);
    }
  }

  evict(): number {
    for (;;) {
      const inactive = this.#inactive();
      this.#refill(inactive);
      const page = this.#lists.last(inactive);
      if (this.#used[page] === 0) {
        this.#lists.remove(page);
        return page;
      }
      this.#used[page] = 0;
      const again = this.#called[page] === 1 || this.#executed[page] === 1;
      this.#called[page] = inactive === INACTIVE_FILE && !again ? 1 : 0;
      this.#move(page, again || inactive === INACTIVE_ANON ? inactive + 1 : inactive);
    }
  }
}
