// Where tasks meet: what records wait for, and where a replay must therefore stop.
import { EDGE } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";

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
      delay = from < 0 && blocked > 0 ? blocked * nsPerUnit : 0;
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

/** The records where a replay must stop, in order, and what happens at each; index lists are "first .. first of the next". */
export interface Meetings {
  /** Record of each stop. */
  readonly record: Int32Array;
  /** First stop of each task; one more at the end. */
  readonly firstOfTask: Int32Array;
  /** Waits of a stop: firstWait[stop] .. firstWait[stop + 1] - 1. */
  readonly firstWait: Int32Array;
  /** Waits that a stop ends: told[firstTold[stop]] .. */
  readonly firstTold: Int32Array;
  readonly told: Int32Array;
  /** Tasks that a stop starts: child[firstChild[stop]] .. */
  readonly firstChild: Int32Array;
  readonly child: Int32Array;
  /** Of each wait: the task that waits, its stop, and the stop it waits for (-1: none). */
  readonly waiter: Int32Array;
  readonly waiterStop: Int32Array;
  readonly sourceStop: Int32Array;
}

/** Groups items by a key from 0 to keys - 1: first index of each key, and the items in order of their keys. */
function grouped(keys: number, keyOf: Int32Array): { first: Int32Array; items: Int32Array } {
  const first = new Int32Array(keys + 1);
  for (const key of keyOf) if (key >= 0) first[key + 1]++;
  for (let key = 0; key < keys; key++) first[key + 1] += first[key];
  const next = first.slice();
  const items = new Int32Array(first[keys]);
  keyOf.forEach((key, item) => {
    if (key >= 0) items[next[key]++] = item;
  });
  return { first, items };
}

/** Finds where tasks meet: records that wait, are waited for, start a task or yield. */
export function findMeetings(
  firstRecord: Int32Array,
  waits: Waits,
  startedBy: Int32Array,
  yields: Uint8Array,
): Meetings {
  const marks = yields.slice();
  for (let w = 0; w < waits.length; w++) {
    marks[waits.target[w]] = 1;
    if (waits.source[w] >= 0) marks[waits.source[w]] = 1;
  }
  for (const record of startedBy) if (record >= 0) marks[record] = 1;
  const tasks = firstRecord.length - 1;
  const firstOfTask = new Int32Array(tasks + 1);
  const stopOf = new Map<number, number>();
  const taskOf: number[] = [];
  const record: number[] = [];
  for (let task = 0; task < tasks; task++) {
    for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
      if (marks[r] === 0) continue;
      stopOf.set(r, record.length);
      taskOf.push(task);
      record.push(r);
    }
    firstOfTask[task + 1] = record.length;
  }
  const stopNumber = (r: number): number => stopOf.get(r) ?? -1;
  const waiterStop = waits.target.map(stopNumber);
  const sourceStop = waits.source.map(stopNumber);
  const told = grouped(record.length, sourceStop);
  const children = grouped(record.length, startedBy.map(stopNumber));
  return {
    record: Int32Array.from(record),
    firstOfTask,
    firstWait: grouped(record.length, waiterStop).first,
    firstTold: told.first,
    told: told.items,
    firstChild: children.first,
    child: children.items,
    waiter: waiterStop.map((stop) => taskOf[stop]),
    waiterStop,
    sourceStop,
  };
}
