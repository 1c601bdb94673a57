// Two calls that each had to wait for the other: a write longer than its pipe, and a read that took what fitted.
//
// An edge says which call a call waited for, not how far that one had come. A long write lets its reader go on before it ends, and
// cannot end before the reader has read: by their ends they would wait for each other for ever. The read is therefore taken to wait for
// the call before the write: what a replay may see too early is at most what fits the pipe.
import type { Trace } from "../traces/trace.ts";

/** Does an edge lead from a call that ended after the one that waited, and that itself waited for that one's task? */
export function isPartial({ edges, events }: Trace, edge: number): boolean {
  const from = edges.from[edge];
  const to = edges.to[edge];
  if (!(from >= 0 && events.tOut[from] > events.tOut[to])) return false;
  for (let other = firstTo(edges.to, from); other < edges.length && edges.to[other] === from; other++)
    if (edges.from[other] >= 0 && events.task[edges.from[other]] === events.task[to]) return true;
  return false;
}

/** The first of the edges, which are in this order, that leads to an event or one behind it. */
function firstTo(to: ArrayLike<number>, event: number): number {
  let [low, high] = [0, to.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (to[middle] < event) low = middle + 1;
    else high = middle;
  }
  return low;
}
