// Counterfactuals of memory sizes: from a capture with ample memory, whose pages are known often enough, what the same program's capture
// on a smaller machine must show.
import { CAUSE, KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { type Counterfactual, sameBut } from "./counterfactual.ts";
import { watermark } from "./memory/four-lists.ts";
import { largestWorkingSet, MISS, page } from "./memory/paging.ts";

/** Largest error; the order of magnitude is what can be had where a little less memory makes a program thrash. */
const MEMORY_PERCENT = 100;
/** Frames that the emulated kernel has for itself, whatever the memory; and for page tables and stacks, about. */
const KERNEL_FRAMES = 272;
const TABLE_FRAMES = 30;
const FRAME_BYTES = 4096;

/** Frames that programs and files have on a machine: what is left of it beside the kernel and the frames that it keeps free. */
export function framesFor(bytes: number): number {
  const managed = Math.floor(bytes / FRAME_BYTES) - KERNEL_FRAMES;
  // kswapd0 works between the low and the high watermark: 5/4 and 3/2 of the least.
  return managed - Math.floor((watermark(managed) * 11) / 8) - TABLE_FRAMES;
}

/** What a lack of memory did. */
export interface Lack {
  readonly evictions: number;
  /** Times that somebody waited for a page: of a file, of the swap area. */
  readonly fileReads: number;
  readonly swapReads: number;
  /** Pages written to the swap area. */
  readonly swapWrites: number;
}

/** What a trace shows of it. */
export function lackSeen({ events }: Trace): Lack {
  let [evictions, fileReads, swapReads, swapWrites] = [0, 0, 0, 0];
  for (let seq = 0; seq < events.length; seq++) {
    const [kind, cause] = [events.kind[seq], events.cause[seq]];
    if (events.cold[seq] > 0) fileReads += events.cold[seq];
    if (kind === KIND.evict) evictions++;
    else if (kind === KIND.swapin && cause === CAUSE.swap) swapReads++;
    else if (kind === KIND.writeback && cause === CAUSE.swap) swapWrites++;
  }
  return { evictions, fileReads, swapReads, swapWrites };
}

/** What the model says that a machine with so many bytes would have shown; undefined: the trace does not tell. */
export function lackPredicted(trace: Trace, bytes: number): Lack | undefined {
  const frames = framesFor(bytes);
  if (frames < largestWorkingSet(trace)) return undefined;
  const { misses, evictions, written } = page(trace, frames, "linux-4.0");
  const count = (...kinds: number[]): number => misses.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    evictions,
    fileReads: count(MISS.file, MISS.cache),
    swapReads: count(MISS.swap),
    swapWrites: written,
  };
}

const WHAT: Readonly<Record<keyof Lack, string>> = {
  evictions: "evictions",
  fileReads: "waits for files",
  swapReads: "waits for swap",
  swapWrites: "writes to swap",
};

/** Compares every capture on a smaller machine with what the one that evicted nothing predicts. */
export function memoryCaptures(traces: readonly { readonly name: string; readonly trace: Trace }[]): Counterfactual[] {
  const rows: Counterfactual[] = [];
  for (const { name, trace } of traces) {
    const { memory } = trace.meta;
    const most = traces.every(
      (other) => !sameBut("memory", trace, other.trace) || (other.trace.meta.memory ?? 0) <= (memory ?? 0),
    );
    if (trace.meta.source !== "kmlab" || memory === null || !most || lackSeen(trace).evictions > 0) continue;
    for (const { trace: other } of traces) {
      const less = other.meta.memory;
      if (less === null || less >= memory || !sameBut("memory", trace, other)) continue;
      const predicted = lackPredicted(trace, less);
      if (predicted === undefined) continue;
      const seen = lackSeen(other);
      for (const key of Object.keys(WHAT) as (keyof Lack)[]) {
        const [p, s] = [predicted[key], seen[key]];
        const errorPercent = p === s ? 0 : (100 * (p - s)) / s;
        const holds = Math.abs(errorPercent) <= MEMORY_PERCENT;
        const row = { program: name, capture: `${less / 0x10_0000} MiB`, what: WHAT[key], predicted: p, seen: s };
        rows.push({ ...row, errorPercent, tolerancePercent: MEMORY_PERCENT, holds });
      }
    }
  }
  return rows;
}
