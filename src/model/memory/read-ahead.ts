// What comes from the disk along with a page that is wanted: the pages behind it in its file, the slots around its slot in the swap
// area. Sizes as src/emu/kernel has them: 16 pages for a fault, 32 for a call that reads, aligned clusters of 8 slots.
import type { Trace } from "../../traces/trace.ts";

const FAULT_PAGES = 16;
const CALL_PAGES = 32;
const CLUSTER = 8;
const PAGE_BYTES = 4096;

export class ReadAhead {
  /** Pages there are: those of the trace, and behind them those that only reading ahead touches. */
  readonly pages: number;
  readonly #trace: Trace;
  /** Numbers of the pages of each file, by index. */
  readonly #files = new Map<number, number[]>();
  readonly #slots: number[] = [];

  /** @param order rows of the page touches; @param numberOf the page of each; @param count pages of the trace */
  constructor(trace: Trace, order: Int32Array, numberOf: Int32Array, count: number) {
    this.#trace = trace;
    const { obj, index } = trace.pages;
    const known = new Map<number, Map<number, number>>();
    order.forEach((row, place) => {
      if (obj[row] < 0) return;
      const pages = known.get(obj[row]) ?? new Map<number, number>();
      known.set(obj[row], pages.set(index[row], numberOf[place]));
    });
    let next = count;
    for (const { obj: file, size } of trace.objects) {
      const pages = known.get(file);
      if (pages === undefined) continue;
      const length = Math.max(Math.ceil((size ?? 0) / PAGE_BYTES), ...[...pages.keys()].map((i) => i + 1));
      this.#files.set(
        file,
        Array.from({ length }, (_, i) => pages.get(i) ?? next++),
      );
    }
    this.pages = next;
  }

  /** A page got a slot of the swap area. */
  swapped(page: number, slot: number): void {
    this.#slots[slot] = page;
  }

  /** The other pages of a slot's cluster. */
  cluster(slot: number): number[] {
    const first = slot - (slot % CLUSTER);
    return this.#slots.slice(first, first + CLUSTER).filter((_, i) => first + i !== slot);
  }

  /** The pages behind one in its file. */
  following(row: number, page: number, inCall: boolean): number[] {
    const { obj, index } = this.#trace.pages;
    const pages = this.#files.get(obj[row]) ?? [];
    const at = index[row] + 1;
    return pages[at - 1] === page ? pages.slice(at, at + (inCall ? CALL_PAGES : FAULT_PAGES) - 1) : [];
  }
}
