// Events that others went on from before they ended: what stops a task within a call (its tracer, job control) lets go on who waits
// for the stop, and only later the call.
import type { Trace } from "../traces/trace.ts";

/** The last event to begin of those that each event depended on; -1: none. */
export function lastCauses({ edges, events }: Trace): Int32Array {
  const last = new Int32Array(edges.length === 0 ? 0 : events.length).fill(-1);
  for (let e = 0; e < edges.length; e++) {
    const to = edges.to[e];
    if (to >= 0 && edges.from[e] > last[to]) last[to] = edges.from[e];
  }
  return last;
}

/**
 * Was the edge's source unfinished when its target had already returned, because it still had to wait for something that began
 * after that? What the target waited for was then a stop within the source.
 */
export function stoppedWithin({ edges, events }: Trace, edge: number, causes: Int32Array): boolean {
  const later = causes[edges.from[edge]];
  return later > edges.to[edge] && events.tIn[later] >= events.tOut[edges.to[edge]];
}
