// Where tasks meet: what records wait for, and where a replay must therefore stop.
import { EDGE } from "../traces/schema/enums.ts";
import { type Trace, UNKNOWN } from "../traces/trace.ts";

/** What a wait is for; decides what idle time is called. */
export const WAIT = { dependency: 0, timer: 1, device: 2 } as const;

/** Waits of the records, as columns, sorted by the record that waits. */
export interface Waits {
  readonly length: number;
  readonly target: Int32Array;
  /** The record that must have finished first; -1: nothing in the trace. */
  readonly source: Int32Array;
  readonly kind: Uint8Array;
  /** From the source's end, or from when the waiting record is ready itself. */
  readonly delayNs: Float64Array;
}

/** What records wait for: the edges between tasks, deadlines and devices; without any edges, the recorded waits themselves. */
export function findWaits(trace: Trace, recordOf: Int32Array): Waits {
  const { edges, events, meta } = trace;
  const target: number[] = [];
  const source: number[] = [];
  const kind: number[] = [];
  const delayNs: number[] = [];
  const nsPerUnit = meta.clock.nsPerUnit;
  for (let e = 0; e < edges.length; e++) {
    const to = edges.to[e] >= 0 ? recordOf[edges.to[e]] : -1;
    if (to < 0 || edges.kind[e] === EDGE.spawn) continue;
    const fromSeq = edges.from[e];
    const from = fromSeq >= 0 ? recordOf[fromSeq] : -1;
    const timed = edges.kind[e] === EDGE.timer || edges.kind[e] === EDGE.device;
    const sameTask = fromSeq >= 0 && events.task[fromSeq] === events.task[edges.to[e]];
    if (sameTask && (!timed || from >= to)) continue;
    let delay = edges.delay[e] * nsPerUnit;
    if (!(delay >= 0)) {
      const blocked = events.blocked[edges.to[e]];
      delay = fromSeq === UNKNOWN && blocked > 0 ? blocked * nsPerUnit : 0;
    }
    if (from < 0 && delay === 0) continue;
    target.push(to);
    source.push(from);
    kind.push(
      edges.kind[e] === EDGE.timer ? WAIT.timer : edges.kind[e] === EDGE.device ? WAIT.device : WAIT.dependency,
    );
    delayNs.push(delay);
  }
  if (edges.length === 0) {
    for (let seq = 0; seq < events.length; seq++) {
      if (!(events.blocked[seq] > 0) || recordOf[seq] < 0) continue;
      target.push(recordOf[seq]);
      source.push(-1);
      kind.push(WAIT.dependency);
      delayNs.push(events.blocked[seq] * nsPerUnit);
    }
  }
  const sorted = target.map((_, index) => index).sort((a, b) => target[a] - target[b] || a - b);
  return {
    length: sorted.length,
    target: Int32Array.from(sorted, (index) => target[index]),
    source: Int32Array.from(sorted, (index) => source[index]),
    kind: Uint8Array.from(sorted, (index) => kind[index]),
    delayNs: Float64Array.from(sorted, (index) => delayNs[index]),
  };
}

/** Records where a replay must stop, in order. */
export function findStops(records: number, waits: Waits, startedBy: Int32Array, yields: Uint8Array): Int32Array {
  const marks = yields.slice();
  for (let w = 0; w < waits.length; w++) {
    marks[waits.target[w]] = 1;
    if (waits.source[w] >= 0) marks[waits.source[w]] = 1;
  }
  for (const record of startedBy) if (record >= 0) marks[record] = 1;
  let length = 0;
  for (let r = 0; r < records; r++) length += marks[r];
  const stops = new Int32Array(length);
  let at = 0;
  for (let r = 0; r < records; r++) if (marks[r] === 1) stops[at++] = r;
  return stops;
}
