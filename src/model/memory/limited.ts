// A trace on a machine with another amount of memory: the same calls, and the faults that the lack of memory makes.
//
// What comes out is a trace like any other: faults stand where the pages were touched, wait for the disk by edges, and are priced by
// every mechanism as recorded ones are. Faults that a lack of memory caused when it was recorded are left out first.
import { makeColumn } from "../../traces/columns.ts";
import { ABI, ACCESS, CAUSE, EDGE, FLAG, KIND, SOURCE } from "../../traces/schema/enums.ts";
import { TABLES } from "../../traces/schema/tables.ts";
import { type EdgeColumns, type EventColumns, type Trace, UNKNOWN } from "../../traces/trace.ts";
import { eventOfTouches, MISS, type Miss, type Paging, page } from "./paging.ts";
import type { Reclaim } from "./replacement.ts";

const PAGE_FAULT = 14;
/** Frames a mebibyte. */
const FRAMES = 256;
/** The emulator's disk for one page (src/emu/kernel/block.ts): a seek, a command and 4096 bytes. */
const PAGE_READ_NS = 4_181_920;

/** What limited memory did to a trace. */
export interface Limited {
  readonly trace: Trace;
  readonly paging: Paging;
}

interface Insert {
  /** The event that it stands before; with `inside`, the one it happens in. */
  readonly at: number;
  readonly inside: boolean;
  readonly user: number;
  readonly miss: Miss;
}

/** Where each fault stands, and how many program instructions come before it. Calls that wait for pages are told apart. */
function place(trace: Trace, misses: readonly Miss[]): { inserts: Insert[]; waits: Miss[]; at: Int32Array } {
  const { events, pages } = trace;
  const at = eventOfTouches(trace);
  const before = new Float64Array(events.length);
  const sums = new Float64Array(trace.tasks.length);
  for (let seq = 0; seq < events.length; seq++) {
    before[seq] = sums[events.task[seq]];
    if (events.user[seq] > 0) sums[events.task[seq]] += events.user[seq];
  }
  /** Of each event's instructions, those that earlier faults have taken. */
  const taken = new Float64Array(events.length);
  const inserts: Insert[] = [];
  const waits: Miss[] = [];
  for (const miss of misses) {
    const seq = at[miss.row];
    if (seq < 0) continue;
    if (miss.kind === MISS.cache) waits.push(miss);
    else if (pages.source[miss.row] === SOURCE.copy) inserts.push({ at: seq, inside: true, user: 0, miss });
    else {
      const user = Math.max(0, pages.instr[miss.row] - before[seq] - taken[seq]);
      taken[seq] += user;
      inserts.push({ at: seq, inside: false, user, miss });
    }
  }
  return { inserts: inserts.sort((a, b) => a.at - b.at || Number(a.inside) - Number(b.inside)), waits, at };
}

/** Faults that the recorded machine had for lack of memory. */
function isSwapFault({ events }: Trace, seq: number): boolean {
  return events.kind[seq] === KIND.fault && events.cause[seq] === CAUSE.swap;
}

type Cells = Record<string, Int32Array | Float64Array | Uint8Array | Uint16Array>;

/** Builds the new events. `from`: the old event of each, or -1; `newOf`: the new one of each old, or -1. */
class Rebuilt {
  readonly #trace: Trace;
  readonly #from: number[] = [];
  readonly #inserts: (Insert | undefined)[] = [];
  readonly newOf: Int32Array;
  readonly numberOf = new Map<Insert, number>();

  constructor(trace: Trace, inserts: readonly Insert[]) {
    this.#trace = trace;
    const { events } = trace;
    this.newOf = new Int32Array(events.length).fill(-1);
    let next = 0;
    const put = (insert: Insert): void => {
      this.numberOf.set(insert, this.#from.length);
      this.#from.push(-1);
      this.#inserts.push(insert);
    };
    for (let seq = 0; seq < events.length; seq++) {
      while (next < inserts.length && inserts[next].at === seq && !inserts[next].inside) put(inserts[next++]);
      if (!isSwapFault(trace, seq)) {
        this.newOf[seq] = this.#from.length;
        this.#from.push(seq);
        this.#inserts.push(undefined);
      }
      while (next < inserts.length && inserts[next].at === seq) put(inserts[next++]);
    }
  }

  events(swapObject: number): EventColumns {
    const { events, pages } = this.#trace;
    const length = this.#from.length;
    const old = events as unknown as Cells;
    const made: Record<string, unknown> = { length };
    for (const [key, field] of Object.entries(TABLES.events.fields)) {
      if (field.hold === "row") continue;
      const column = makeColumn(field.hold, length, 0) as Int32Array;
      this.#from.forEach((seq, index) => {
        if (seq >= 0) column[index] = old[key][seq];
      });
      made[key] = column;
    }
    const to = made as unknown as EventColumns;
    const carried = new Float64Array(this.#trace.tasks.length);
    const removed = this.#removedBefore();
    this.#inserts.forEach((insert, index) => {
      if (insert === undefined) {
        if (to.parent[index] >= 0) to.parent[index] = this.newOf[to.parent[index]];
        const task = to.task[index];
        const more = removed[index];
        const user = Math.max(0, (to.user[index] > 0 ? to.user[index] : 0) + more - carried[task]);
        if (to.user[index] >= 0 || more > 0) to.user[index] = user;
        carried[task] = 0;
        return;
      }
      const { row, kind, slot, written } = insert.miss;
      const { at } = insert;
      const task = events.task[at];
      to.task[index] = task;
      to.kind[index] = KIND.fault;
      to.nr[index] = PAGE_FAULT;
      to.abi[index] = ABI.i386;
      to.parent[index] = insert.inside ? this.newOf[at] : (parentOf(this.newOf, events.parent[at]) ?? UNKNOWN);
      to.tIn[index] = events.tIn[at];
      to.tOut[index] = events.tIn[at];
      to.user[index] = insert.user;
      to.flags[index] = insert.inside ? FLAG.in_kernel : 0;
      to.obj[index] = kind === MISS.swap ? swapObject : pages.obj[row];
      to.off[index] = (kind === MISS.swap ? slot : pages.index[row]) * 4096;
      to.pages[index] = written;
      to.access[index] = pages.access[row] > 0 ? pages.access[row] : ACCESS.r;
      to.cause[index] =
        kind === MISS.minor
          ? pages.obj[row] >= 0
            ? CAUSE.file
            : CAUSE.anon
          : kind === MISS.swap
            ? CAUSE.swap
            : CAUSE.major;
      if (!insert.inside) carried[task] += insert.user;
    });
    return to;
  }

  /** Program instructions before events that were left out: they come before the task's next one. */
  #removedBefore(): Float64Array {
    const { events, tasks } = this.#trace;
    const more = new Float64Array(this.#from.length);
    const pending = new Float64Array(tasks.length);
    for (let seq = 0; seq < events.length; seq++) {
      const task = events.task[seq];
      if (this.newOf[seq] < 0) pending[task] += events.user[seq] > 0 ? events.user[seq] : 0;
      else if (pending[task] > 0) {
        more[this.newOf[seq]] = pending[task];
        pending[task] = 0;
      }
    }
    return more;
  }
}

function parentOf(newOf: Int32Array, parent: number): number | undefined {
  return parent >= 0 ? newOf[parent] : undefined;
}

/** The old edges under their new numbers, and a wait for the disk for each fault that needs it. */
function edgesOf(trace: Trace, rebuilt: Rebuilt, inserts: readonly Insert[], calls: readonly number[]): EdgeColumns {
  const { edges, meta } = trace;
  const rows: { to: number; from: number; kind: number; delay: number }[] = [];
  for (let e = 0; e < edges.length; e++) {
    const to = rebuilt.newOf[edges.to[e]];
    if (to < 0) continue;
    const from = edges.from[e] >= 0 ? rebuilt.newOf[edges.from[e]] : UNKNOWN;
    rows.push({ to, from, kind: edges.kind[e], delay: edges.delay[e] });
  }
  const delay = PAGE_READ_NS / meta.clock.nsPerUnit;
  const wait = (to: number): void => void rows.push({ to, from: UNKNOWN, kind: EDGE.device, delay });
  for (const insert of inserts) if (insert.miss.kind !== MISS.minor) wait(rebuilt.numberOf.get(insert)!);
  for (const seq of calls) if (rebuilt.newOf[seq] >= 0) wait(rebuilt.newOf[seq]);
  rows.sort((a, b) => a.to - b.to);
  return {
    length: rows.length,
    to: Int32Array.from(rows, ({ to }) => to),
    from: Int32Array.from(rows, ({ from }) => from),
    kind: Uint8Array.from(rows, ({ kind }) => kind),
    delay: Float64Array.from(rows, ({ delay: time }) => time),
  };
}

/** The trace on a machine with so many MiB for its programs and the page cache. Throws InputError when nothing can be said. */
export function withMemory(trace: Trace, mib: number, reclaim: Reclaim): Limited {
  const paging = page(trace, Math.floor(mib * FRAMES), reclaim);
  const { inserts, waits, at } = place(trace, paging.misses);
  const rebuilt = new Rebuilt(trace, inserts);
  const swapObject = trace.objects.reduce((most, { obj }) => Math.max(most, obj), -1) + 1;
  const renumber = (seq: number | null): number | null => (seq !== null && seq >= 0 ? rebuilt.newOf[seq] : seq);
  const swap = { obj: swapObject, type: "device" as const, capacity: null, size: null, label: "swap" };
  const events = rebuilt.events(swapObject);
  // A wait that is made here is no part of what the event waited when it was recorded.
  const calls = waits.map(({ row }) => at[row]);
  const changed: Trace = {
    ...trace,
    events,
    edges: edgesOf(trace, rebuilt, inserts, calls),
    objects: [...trace.objects, swap],
    tasks: trace.tasks.map((task) => ({
      ...task,
      spawnSeq: renumber(task.spawnSeq),
      exitSeq: renumber(task.exitSeq),
    })),
    mms: trace.mms.map((mm) => ({ ...mm, createdSeq: renumber(mm.createdSeq), endSeq: renumber(mm.endSeq) })),
    execs: trace.execs.map((exec) => ({ ...exec, seq: renumber(exec.seq) })),
    args: new Map(),
  };
  for (const seq of calls) if (rebuilt.newOf[seq] >= 0) events.blocked[rebuilt.newOf[seq]] = Number.NaN;
  return { trace: changed, paging };
}
