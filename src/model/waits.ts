// Where tasks meet: what records wait for, and where a replay must therefore stop.
import { EDGE, KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import type { DiskRequest } from "./disk.ts";
import { isPartial } from "./partial-writes.ts";
import type { ShapeNumbers } from "./shapes.ts";
import { lastCauses, stoppedWithin } from "./stops.ts";

/** What a wait is for (notice: a signal or a child's end; socket: data of another's socket); decides what idle time is called. */
export const WAIT = { dependency: 0, timer: 1, device: 2, notice: 3, socket: 4 } as const;

/** A wait's source: the start of the replay, after which its delay counts. */
export const FROM_START = -2;

/** Waits of the records, as columns, sorted by the record that waits. */
export interface Waits {
  readonly length: number;
  readonly target: Int32Array;
  /** The record that must have finished first; -1: nothing in the trace; FROM_START. */
  readonly source: Int32Array;
  readonly kind: Uint8Array;
  /** From the source's end, or from when the waiting record is ready itself. */
  readonly delayNs: Float64Array;
  /** Of waits for a device: what they ask for. One for all others. */
  readonly request: Int32Array;
  readonly requests: readonly DiskRequest[];
}

/** Waits that are still being collected, in arrays that grow. */
class Collected {
  #target: Int32Array;
  #source: Int32Array;
  #kind: Uint8Array;
  #delayNs: Float64Array;
  /** The task of each; records of one task come in order unless events nest. */
  #task: Int32Array;
  #length = 0;
  #sorted = true;

  constructor(most: number) {
    this.#task = new Int32Array(most);
    this.#target = new Int32Array(most);
    this.#source = new Int32Array(most);
    this.#kind = new Uint8Array(most);
    this.#delayNs = new Float64Array(most);
  }

  add(task: number, target: number, source: number, kind: number, delayNs: number): void {
    const at = this.#length++;
    this.#task[at] = task;
    if (at > 0 && this.#target[at - 1] > target) this.#sorted = false;
    this.#target[at] = target;
    this.#source[at] = source;
    this.#kind[at] = kind;
    this.#delayNs[at] = delayNs;
  }

  /** In the order of the records that wait, then as they came. */
  finish(tasks: number): Omit<Waits, "request" | "requests"> {
    const n = this.#length;
    if (this.#sorted) {
      return {
        length: n,
        target: this.#target.slice(0, n),
        source: this.#source.slice(0, n),
        kind: this.#kind.slice(0, n),
        delayNs: this.#delayNs.slice(0, n),
      };
    }
    const order = grouped(tasks, this.#task.subarray(0, n)).items;
    const target = this.#target;
    let sorted = true;
    for (let i = 1; i < n && sorted; i++) sorted = target[order[i - 1]] <= target[order[i]];
    if (!sorted) order.sort((a, b) => target[a] - target[b] || a - b);
    return {
      length: n,
      target: taken(new Int32Array(n), this.#target, order),
      source: taken(new Int32Array(n), this.#source, order),
      kind: taken(new Uint8Array(n), this.#kind, order),
      delayNs: taken(new Float64Array(n), this.#delayNs, order),
    };
  }
}

/** The items of a list in an order. */
function taken<T extends Int32Array | Uint8Array | Float64Array>(into: T, from: T, order: Int32Array): T {
  for (let i = 0; i < into.length; i++) into[i] = from[order[i]];
  return into;
}

const WAIT_OF: Readonly<Record<number, number>> = {
  [EDGE.timer]: WAIT.timer,
  [EDGE.device]: WAIT.device,
  [EDGE.signal]: WAIT.notice,
  [EDGE.child]: WAIT.notice,
};

/** Does this edge only say that a task could not run before it was made? Its parent's record starts it anyway. */
function isBirth({ edges, events, tasks }: Trace, edge: number): boolean {
  return edges.from[edge] < 0 || tasks[events.task[edges.to[edge]]].spawnSeq === edges.from[edge];
}

/** What records wait for: the edges between tasks, deadlines and devices; without any edges, the recorded waits themselves. */
export function findWaits(trace: Trace, recordOf: Int32Array, seqOf: Int32Array): Waits {
  const { edges, events, meta } = trace;
  const nsPerUnit = meta.clock.nsPerUnit;
  const sockets = new Set(trace.objects.filter(({ type }) => type === "socket").map(({ obj }) => obj));
  const waits = new Collected(edges.length === 0 ? countBlocked(trace) : edges.length);
  const causes = lastCauses(trace);
  for (let e = 0; e < edges.length; e++) {
    const to = edges.to[e] >= 0 ? recordOf[edges.to[e]] : -1;
    if (to < 0 || (edges.kind[e] === EDGE.spawn && isBirth(trace, e))) continue;
    const fromSeq = edges.from[e];
    let from = fromSeq >= 0 ? recordOf[fromSeq] : -1;
    if (from >= 0 && (isPartial(trace, e) || stoppedWithin(trace, e, causes))) {
      from--;
      if (from < 0 || events.task[seqOf[from]] !== events.task[fromSeq]) continue;
    }
    const timed = edges.kind[e] === EDGE.timer || edges.kind[e] === EDGE.device;
    const sameTask = fromSeq >= 0 && events.task[fromSeq] === events.task[edges.to[e]];
    if (sameTask && (!timed || from >= to)) continue;
    let delay = edges.delay[e] * nsPerUnit;
    if (!(delay >= 0)) {
      const blocked = events.blocked[edges.to[e]];
      delay = from < 0 && blocked > 0 ? blocked * nsPerUnit : 0;
    }
    // A request that another began earlier: only the rest of it was waited for.
    if (edges.kind[e] === EDGE.device && from < 0 && events.blocked[edges.to[e]] >= 0)
      delay = Math.min(delay, events.blocked[edges.to[e]] * nsPerUnit);
    if (from < 0 && delay === 0) continue;
    const socket = from >= 0 && WAIT_OF[edges.kind[e]] === undefined && sockets.has(events.obj[edges.to[e]]);
    const kind = socket ? WAIT.socket : (WAIT_OF[edges.kind[e]] ?? WAIT.dependency);
    waits.add(events.task[edges.to[e]], to, from, kind, delay);
  }
  if (edges.length === 0) {
    for (let seq = 0; seq < events.length; seq++) {
      if (!(events.blocked[seq] > 0) || recordOf[seq] < 0) continue;
      waits.add(events.task[seq], recordOf[seq], -1, WAIT.dependency, events.blocked[seq] * nsPerUnit);
    }
  }
  return withRequests(waits.finish(trace.tasks.length), trace, seqOf);
}

const PAGE_BYTES = 4096;

/** What waits for a device ask of it: the files of a trace lie evenly one after the other, each in one piece. */
function withRequests(waits: Omit<Waits, "request" | "requests">, trace: Trace, seqOf: Int32Array): Waits {
  const { events, objects } = trace;
  const places = new Map<number, number>();
  for (const { obj, type } of objects)
    if (type === "file" || type === "device" || type === null) places.set(obj, places.size);
  const requests: DiskRequest[] = [];
  const request = new Int32Array(places.size > 0 ? waits.length : 0).fill(-1);
  for (let w = 0; w < request.length; w++) {
    if (waits.kind[w] !== WAIT.device) continue;
    const seq = seqOf[waits.target[w]];
    const place = (places.get(events.obj[seq]) ?? 0) / Math.max(1, places.size);
    const pages = events.cold[seq] > 0 ? events.cold[seq] : Math.ceil((events.bytes[seq] || 0) / PAGE_BYTES);
    const offset = events.off[seq] >= 0 ? events.off[seq] : 0;
    const asked = { place, offset, bytes: Math.max(1, pages) * PAGE_BYTES };
    const back = events.kind[seq] === KIND.fault && events.pages[seq] > 0 ? events.pages[seq] * PAGE_BYTES : 0;
    request[w] = requests.push(back > 0 ? { ...asked, written: back } : asked) - 1;
  }
  return { ...waits, request, requests };
}

function countBlocked({ events: { blocked, length } }: Trace): number {
  let count = 0;
  for (let seq = 0; seq < length; seq++) if (blocked[seq] > 0) count++;
  return count;
}

/** The records where a replay must stop, in order, and what happens at each; index lists are "first .. first of the next". */
export interface Meetings {
  /** Record of each stop. */
  readonly record: Int32Array;
  /** Does its task give up the CPU there by itself? */
  readonly yields: Uint8Array;
  readonly taskOf: Int32Array;
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
  /** Of each wait: the stop that waits, and the stop it waits for (-1: none). */
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
  for (let item = 0; item < keyOf.length; item++) if (keyOf[item] >= 0) items[next[keyOf[item]]++] = item;
  return { first, items };
}

/** Finds where tasks meet: records that wait, are waited for, start a task or yield. */
export function findMeetings(
  firstRecord: Int32Array,
  waits: Waits,
  startedBy: Int32Array,
  shape: ShapeNumbers,
  yielding: Uint8Array,
): Meetings {
  const tasks = firstRecord.length - 1;
  const marks = new Uint8Array(firstRecord[tasks]);
  for (let r = 0; r < marks.length; r++) marks[r] = yielding[shape[r]];
  for (let w = 0; w < waits.length; w++) {
    marks[waits.target[w]] |= MARK.meets;
    if (waits.source[w] >= 0) marks[waits.source[w]] |= MARK.meets;
  }
  for (const record of startedBy) if (record >= 0) marks[record] |= MARK.meets;
  let count = 0;
  for (let r = 0; r < marks.length; r++) if (marks[r] !== 0) count++;
  const record = new Int32Array(count);
  const yields = new Uint8Array(count);
  const taskOf = new Int32Array(count);
  const firstOfTask = new Int32Array(tasks + 1);
  let stop = 0;
  for (let task = 0; task < tasks; task++) {
    for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
      if (marks[r] === 0) continue;
      record[stop] = r;
      yields[stop] = marks[r] & MARK.yields;
      taskOf[stop++] = task;
    }
    firstOfTask[task + 1] = stop;
  }
  const stopNumber = (r: number): number => placeOf(record, r);
  const waiterStop = new Int32Array(waits.length);
  for (let w = 0, at = 0; w < waits.length; w++) {
    while (record[at] < waits.target[w]) at++;
    waiterStop[w] = at;
  }
  const sourceStop = new Int32Array(waits.length).fill(-1);
  for (let w = 0; w < waits.length; w++) if (waits.source[w] >= 0) sourceStop[w] = stopNumber(waits.source[w]);
  const told = toldInOrder(grouped(count, sourceStop), waits.kind);
  const children = grouped(count, startedBy.map(stopNumber));
  return {
    record,
    yields,
    taskOf,
    firstOfTask,
    firstWait: grouped(count, waiterStop).first,
    firstTold: told.first,
    told: told.items,
    firstChild: children.first,
    child: children.items,
    waiterStop,
    sourceStop,
  };
}

/** An exit first closes its files and then tells its parent: of those a stop tells, who waits for a signal or a child comes last. */
function toldInOrder(told: { first: Int32Array; items: Int32Array }, kind: Uint8Array): typeof told {
  for (let stop = 0; stop + 1 < told.first.length; stop++) {
    const [from, to] = [told.first[stop], told.first[stop + 1]];
    if (to - from < 2) continue;
    const all = [...told.items.subarray(from, to)];
    const late = (wait: number): boolean => kind[wait] === WAIT.notice;
    told.items.set([...all.filter((wait) => !late(wait)), ...all.filter(late)], from);
  }
  return told;
}

/** What a record's mark says: it yields the CPU, it waits or is waited for. */
const MARK = { yields: 1, meets: 2 } as const;

/** Where a number is in a rising list; -1: nowhere. */
function placeOf(list: Int32Array, value: number): number {
  let low = 0;
  let high = list.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (list[middle] === value) return middle;
    if (list[middle] < value) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
