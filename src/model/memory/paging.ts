// Page touches of a trace in so many frames: which of them find their page gone, and what it takes to bring it back.
//
// The trace knows each page's first touch in each epoch, in order over all tasks; that order is kept. What no epoch's pages fit into
// cannot be said anything of.
import { InputError } from "../../errors.ts";
import { ACCESS, SOURCE } from "../../traces/schema/enums.ts";
import type { Trace } from "../../traces/trace.ts";
import { ReadAhead } from "./read-ahead.ts";
import { makeReplacement, type Reclaim, type Use } from "./replacement.ts";

/** What a touch of a page that is gone becomes. */
export const MISS = { minor: 0, file: 1, swap: 2, cache: 3 } as const;

/** A touch that finds its page gone for lack of memory. */
export interface Miss {
  /** Its row of the table of pages. */
  readonly row: number;
  /** minor: in memory, but no longer mapped; file, swap: read from the disk; cache: a call waits for a page of a file. */
  readonly kind: number;
  /** Place in the swap space, in pages. */
  readonly slot: number;
  /** Pages written back since the last one. */
  readonly written: number;
}

export interface Paging {
  readonly misses: readonly Miss[];
  /** Most frames in use at once, and in one epoch. */
  readonly most: number;
  readonly evictions: number;
  readonly written: number;
  /** Pages that were read because another was (reclaim `linux-4.0` only). */
  readonly ahead: number;
}

/** Pages that the touches are of, numbered in order of first sight. */
class PageNumbers {
  readonly #numbers = new Map<string, number>();
  /** Anonymous pages of each address space. */
  readonly ofMm = new Map<number, number[]>();
  readonly anonymous: boolean[] = [];

  of({ pages }: Trace, row: number): number {
    const [mm, obj, index] = [pages.mm[row], pages.obj[row], pages.index[row]];
    const key = obj >= 0 ? `f${obj} ${index}` : `a${mm} ${index}`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(key, number);
      this.anonymous.push(obj < 0);
      if (obj < 0) this.ofMm.set(mm, [...(this.ofMm.get(mm) ?? []), number]);
    }
    return number;
  }
}

/** Touches in the order in which they happened. */
function inOrder({ pages }: Trace): Int32Array {
  const rows = Int32Array.from({ length: pages.length }, (_, row) => row);
  return rows.sort((a, b) => pages.epoch[a] - pages.epoch[b] || pages.order[a] - pages.order[b]);
}

/** The most pages of one epoch: within it the trace does not say who is used again. */
export function largestWorkingSet(trace: Trace): number {
  const numbers = new PageNumbers();
  const sets = new Map<number, Set<number>>();
  for (const row of inOrder(trace)) {
    const epoch = trace.pages.epoch[row];
    if (!sets.has(epoch)) sets.set(epoch, new Set());
    sets.get(epoch)!.add(numbers.of(trace, row));
  }
  return Math.max(0, ...[...sets.values()].map((set) => set.size));
}

/** The running total of program instructions at which each address space ended, by the task that ended it. */
function endOfMms({ mms, events }: Trace): Map<number, { task: number; seq: number }> {
  const ends = new Map<number, { task: number; seq: number }>();
  mms.forEach(({ endSeq }, mm) => {
    if (endSeq !== null && endSeq >= 0) ends.set(mm, { task: events.task[endSeq], seq: endSeq });
  });
  return ends;
}

/** The event before which each touch happened: the first of its task that ends behind its instruction count. */
export function eventOfTouches(trace: Trace): Int32Array {
  const { events, pages, tasks } = trace;
  const seqs: number[][] = tasks.map(() => []);
  const totals: number[][] = tasks.map(() => []);
  const sums = new Float64Array(tasks.length);
  for (let seq = 0; seq < events.length; seq++) {
    const task = events.task[seq];
    if (events.user[seq] > 0) sums[task] += events.user[seq];
    seqs[task].push(seq);
    totals[task].push(sums[task]);
  }
  return Int32Array.from({ length: pages.length }, (_, row) => {
    const of = totals[pages.task[row]];
    let [low, high] = [0, of.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (of[middle] >= pages.instr[row]) high = middle;
      else low = middle + 1;
    }
    return low < of.length ? seqs[pages.task[row]][low] : -1;
  });
}

/** Runs the touches through `frames` frames. Throws InputError when the pages of one epoch do not fit. */
export function page(trace: Trace, frames: number, reclaim: Reclaim): Paging {
  const { pages } = trace;
  const least = largestWorkingSet(trace);
  if (frames < least) {
    const mib = (count: number): string => (count / 256).toFixed(2);
    throw new InputError(
      `${mib(frames)} MiB of memory: the programs use ${mib(least)} MiB within one epoch of the trace, and it does not say how often; ask for that or more`,
    );
  }
  const numbers = new PageNumbers();
  const order = inOrder(trace);
  const numberOf = Int32Array.from(order, (row) => numbers.of(trace, row));
  const count = numbers.anonymous.length;
  const readAhead = reclaim === "linux-4.0" ? new ReadAhead(trace, order, numberOf, count) : undefined;
  const all = readAhead?.pages ?? count;
  const replacement = makeReplacement(reclaim, all, frames);
  const resident = new Uint8Array(all);
  const dirty = new Uint8Array(all);
  const slot = new Int32Array(all).fill(-1);
  /** How often a page was loaded, and which of these loads an address space has mapped. */
  const loads = new Int32Array(all);
  const mapped = new Map<number, number>();
  const ends = endOfMms(trace);
  const eventOf = eventOfTouches(trace);
  const misses: Miss[] = [];
  let [used, most, evictions, written, pending, slots, ahead] = [0, 0, 0, 0, 0, 0, 0];
  const free = (mm: number): void => {
    for (const number of numbers.ofMm.get(mm) ?? []) {
      if (resident[number] === 0) continue;
      replacement.drop(number);
      resident[number] = 0;
      used--;
    }
    ends.delete(mm);
  };
  /** Takes a frame from somebody if there is none. */
  const room = (): void => {
    if (used < frames) return;
    const victim = replacement.evict();
    resident[victim] = 0;
    used--;
    evictions++;
    if (dirty[victim] !== 1) return;
    written++;
    pending++;
    if (numbers.anonymous[victim] && slot[victim] < 0) {
      slot[victim] = slots++;
      readAhead?.swapped(victim, slot[victim]);
    }
    dirty[victim] = 0;
  };
  /** What comes from the disk along with a page. */
  const along = (row: number, number: number, kind: number): void => {
    if (readAhead === undefined || kind === MISS.minor) return;
    const found =
      kind === MISS.swap ? readAhead.cluster(slot[number]) : readAhead.following(row, number, kind === MISS.cache);
    for (const other of found) {
      if (resident[other] === 1 || (kind === MISS.swap && slot[other] < 0)) continue;
      room();
      replacement.load(other, kind === MISS.swap);
      resident[other] = 1;
      loads[other]++;
      used++;
      ahead++;
    }
  };
  order.forEach((row, index) => {
    const seq = eventOf[row];
    for (const [mm, end] of ends) if (seq >= 0 && seq > end.seq) free(mm);
    const number = numberOf[index];
    const write = pages.access[row] === ACCESS.w || pages.dirty[row] === 1;
    const inCall = pages.source[row] === SOURCE.cache;
    const use: Use = inCall ? "call" : pages.access[row] === ACCESS.x ? "executed" : "mapped";
    const mapping = pages.mm[row] * 2 ** 32 + number;
    if (resident[number] === 1) {
      replacement.touch(number, use);
      const before = inCall ? undefined : mapped.get(mapping);
      if (before !== undefined && before !== loads[number]) {
        misses.push({ row, kind: MISS.minor, slot: -1, written: pending });
        pending = 0;
      }
    } else {
      room();
      const before = misses.length;
      if (loads[number] > 0) {
        const anonymous = numbers.anonymous[number];
        // An anonymous page that was never written is zeros again.
        const kind = inCall ? MISS.cache : !anonymous ? MISS.file : slot[number] >= 0 ? MISS.swap : MISS.minor;
        misses.push({ row, kind, slot: slot[number], written: pending });
        pending = 0;
      }
      const kind = misses.length > before ? misses[misses.length - 1].kind : MISS.minor;
      replacement.load(number, numbers.anonymous[number], use);
      resident[number] = 1;
      loads[number]++;
      used++;
      along(row, number, kind);
      most = Math.max(most, used);
    }
    if (write) dirty[number] = 1;
    if (!inCall) mapped.set(mapping, loads[number]);
  });
  return { misses, most, evictions, written, ahead };
}
