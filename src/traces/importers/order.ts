// Rows of an import in the order of a key: blocks that are in order already are taken as they are, others are sorted one by one,
// and what overlaps is merged. Only the blocks that overlap at one place are looked at together.
import { BLOCK_ROWS, type Block, type Layout, type PagedRows, ROW } from "./rows.ts";

/** A block's rows in order. */
interface Run {
  readonly block: number;
  /** Places in the block; undefined: as they are. */
  readonly order: Uint16Array | undefined;
  readonly count: number;
  at: number;
  key: number;
}

type Key<L extends Layout> = (block: Block<L>, at: number) => number;

/** Numbers of rows by ascending key; those of one key as they came; those whose key is NaN are left out. */
export function* inOrder<L extends Layout>(rows: PagedRows<L>, key: Key<L>): Generator<number> {
  const waiting = firstKeys(rows, key).sort((a, b) => b.first - a.first || b.block - a.block);
  const open: Run[] = [];
  while (waiting.length > 0 || open.length > 0) {
    while (waiting.length > 0 && (open.length === 0 || waiting[waiting.length - 1].first <= open[0].key))
      push(open, runOf(rows, key, waiting.pop()!));
    const run = open[0];
    const next = Math.min(
      second(open),
      waiting.length > 0 ? waiting[waiting.length - 1].first : Number.POSITIVE_INFINITY,
    );
    const from = run.block * BLOCK_ROWS;
    do {
      yield from + place(run);
      run.at++;
      if (run.at >= run.count) break;
      run.key = key(rows.block(from), place(run));
    } while (run.key < next);
    if (run.at >= run.count) {
      const last = open.pop()!;
      if (open.length > 0) open[0] = last;
    }
    sink(open);
  }
}

function place({ order, at }: Run): number {
  return order === undefined ? at : order[at];
}

function firstKeys<L extends Layout>(rows: PagedRows<L>, key: Key<L>): { block: number; first: number }[] {
  const list: { block: number; first: number }[] = [];
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    const block = rows.block(from);
    let first = Number.POSITIVE_INFINITY;
    for (let at = 0; at <= ROW && from + at < rows.length; at++) {
      const value = key(block, at);
      if (value < first) first = value;
    }
    if (first < Number.POSITIVE_INFINITY) list.push({ block: from / BLOCK_ROWS, first });
  }
  return list;
}

function runOf<L extends Layout>(rows: PagedRows<L>, key: Key<L>, { block: number }: { block: number }): Run {
  const from = number * BLOCK_ROWS;
  const block = rows.block(from);
  const length = Math.min(BLOCK_ROWS, rows.length - from);
  const order = new Uint16Array(length);
  let count = 0;
  let sorted = true;
  for (let at = 0; at < length; at++) {
    const value = key(block, at);
    if (Number.isNaN(value)) continue;
    if (count > 0 && key(block, order[count - 1]) > value) sorted = false;
    order[count++] = at;
  }
  const kept = order.subarray(0, count);
  if (!sorted) kept.sort((a, b) => key(block, a) - key(block, b) || a - b);
  return {
    block: number,
    order: sorted && count === length ? undefined : kept,
    count,
    at: 0,
    key: key(block, kept[0]),
  };
}

/** A heap of runs: the one whose next row comes first is on top. */
function before(a: Run, b: Run): boolean {
  return a.key < b.key || (a.key === b.key && a.block < b.block);
}

function push(heap: Run[], run: Run): void {
  heap.push(run);
  for (let at = heap.length - 1; at > 0; ) {
    const up = (at - 1) >> 1;
    if (!before(heap[at], heap[up])) return;
    [heap[at], heap[up]] = [heap[up], heap[at]];
    at = up;
  }
}

function sink(heap: Run[]): void {
  for (let at = 0; ; ) {
    let least = at;
    for (const child of [2 * at + 1, 2 * at + 2])
      if (child < heap.length && before(heap[child], heap[least])) least = child;
    if (least === at) return;
    [heap[at], heap[least]] = [heap[least], heap[at]];
    at = least;
  }
}

/** The key of the run that comes after the top; of several rows with one key those of earlier blocks come first. */
function second(heap: Run[]): number {
  let key = Number.POSITIVE_INFINITY;
  for (const child of [1, 2]) if (child < heap.length && heap[child].key < key) key = heap[child].key;
  return key;
}
