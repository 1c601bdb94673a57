// Traces made to order, for checks with a known answer: a few events given as objects, everything else unknown.
import { makeColumns } from "../traces/columns.ts";
import { ABI, EDGE, KIND, SITE } from "../traces/schema/enums.ts";
import { TABLES } from "../traces/schema/tables.ts";
import { emptyMeta, type Trace, UNKNOWN } from "../traces/trace.ts";

/** One event; what is not given is unknown, flags are none. */
export interface MadeEvent {
  readonly task: number;
  readonly kind?: number;
  readonly nr?: number;
  readonly site?: number;
  readonly user?: number;
  readonly parent?: number;
  readonly flags?: number;
  readonly cause?: number;
  readonly bytes?: number;
  readonly obj?: number;
  /** When it returned; each event enters at its number. */
  readonly tOut?: number;
}

export interface MadeEdge {
  readonly to: number;
  readonly from?: number;
  readonly kind: number;
  /** Nanoseconds. */
  readonly delay?: number;
}

export interface MadeTrace {
  readonly tasks: number;
  /** The event that starts each task but the first; undefined: there from the start. */
  readonly spawnedBy?: readonly (number | undefined)[];
  readonly events: readonly MadeEvent[];
  readonly edges?: readonly MadeEdge[];
}

/** getpid by number. */
export const GETPID = 20;

/** A trace of the given events, in order; its clock counts nanoseconds, one cycle at 1000 MHz. */
export function makeTrace(made: MadeTrace): Trace {
  const { tasks, events: list, edges: links = [] } = made;
  const events = makeColumns(TABLES.events, list.length);
  list.forEach((event, seq) => {
    events.task[seq] = event.task;
    events.kind[seq] = event.kind ?? KIND.syscall;
    events.nr[seq] = event.nr ?? GETPID;
    events.abi[seq] = ABI.i386;
    events.site[seq] = event.site ?? SITE.vsyscall;
    events.user[seq] = event.user ?? 0;
    events.parent[seq] = event.parent ?? UNKNOWN;
    events.flags[seq] = event.flags ?? 0;
    events.cause[seq] = event.cause ?? 0;
    events.bytes[seq] = event.bytes ?? Number.NaN;
    events.obj[seq] = event.obj ?? UNKNOWN;
    events.tIn[seq] = seq;
    events.tOut[seq] = event.tOut ?? Number.NaN;
    events.ret[seq] = 0;
  });
  const edges = makeColumns(TABLES.edges, links.length);
  const sorted = [...links].sort((a, b) => a.to - b.to);
  sorted.forEach((edge, row) => {
    edges.to[row] = edge.to;
    edges.from[row] = edge.from ?? UNKNOWN;
    edges.kind[row] = edge.kind;
    edges.delay[row] = edge.delay ?? Number.NaN;
  });
  return {
    meta: { ...emptyMeta("made"), id: "made", clock: { unit: "instr", nsPerUnit: 1 } },
    ...bareTables(tasks, made.spawnedBy),
    events,
    edges,
  };
}

/** Everything of a made trace but its events and edges: so many tasks of their own processes, of which nothing is known. */
export function bareTables(
  tasks: number,
  spawnedBy?: readonly (number | undefined)[],
): Omit<Trace, "meta" | "events" | "edges"> {
  return {
    tasks: Array.from({ length: tasks }, (_, task) => ({
      task,
      tgidTask: task,
      mm: task,
      parentTask: null,
      pid: task + 1,
      spawnSeq: spawnedBy?.[task] ?? null,
      exitSeq: null,
      status: null,
      ring: 3,
      comm: null,
      exe: null,
    })),
    mms: [],
    execs: [],
    objects: [],
    pages: makeColumns(TABLES.pages, 0),
    mix: makeColumns(TABLES.mix, 0),
    args: new Map(),
  };
}

/** A random trace: tasks that compute, call, fault, start each other, sleep and wait for each other. */
export function randomTrace(random: () => number, records: number, tasks: number): Trace {
  const events: MadeEvent[] = [];
  const edges: MadeEdge[] = [];
  const spawnedBy: (number | undefined)[] = [undefined];
  const last = new Array<number>(tasks).fill(-1);
  const below = (n: number): number => Math.floor(random() * n);
  for (let task = 1; task < tasks; task++) {
    spawnedBy[task] = events.length;
    events.push({
      task: 0,
      kind: KIND.spawn,
      nr: 120,
      user: below(2000),
      site: below(2) === 0 ? SITE.int80 : SITE.vsyscall,
    });
  }
  while (events.length < records) {
    const task = below(tasks);
    const seq = events.length;
    const user = below(10) === 0 ? below(200_000) : below(3000);
    const kind = below(12);
    if (kind === 0) events.push({ task, kind: KIND.fault, nr: 14, user, cause: 1 + below(3) });
    else if (kind === 1) events.push({ task, nr: 158, user });
    else {
      const site = below(4) === 0 ? SITE.int80 : SITE.vsyscall;
      events.push({ task, nr: [20, 3, 4, 5, 6, 78][below(6)], user, site, bytes: below(3) * 1000 });
    }
    const other = last[below(tasks)];
    if (kind === 2) edges.push({ to: seq, kind: EDGE.timer, delay: below(300_000) });
    else if (kind === 3) edges.push({ to: seq, kind: EDGE.device, delay: below(100_000) });
    else if (kind <= 5 && other >= 0 && events[other].task !== task)
      edges.push({ to: seq, from: other, kind: EDGE.data });
    last[task] = seq;
  }
  return makeTrace({ tasks, spawnedBy, events, edges });
}
