// What is in a trace, counted: per task, per call, faults by cause, times, files, and where the process would starve in ring 0.
import type { CallNames } from "../calls.ts";
import { piecesOf } from "../columns.ts";
import { type EntryClass, ring0Counts } from "../predict.ts";
import {
  CALL_KINDS,
  CAUSE,
  CAUSES,
  FLAG,
  FLAGS_UNKNOWN,
  KIND,
  KINDS,
  type KindName,
  SITE,
  SITES,
} from "../schema/enums.ts";
import { cannotReplay, type Trace } from "../trace.ts";
import { CallCounter, type CallSummary, named } from "./call-counter.ts";
import { type FileSummary, filesOf } from "./files.ts";
import { type Bin, bins } from "./histogram.ts";
import { type TaskTimes, timesOf } from "./states.ts";
import { taskTree } from "./task-tree.ts";

export interface TaskSummary {
  readonly task: number;
  /** The task that started it, and how many stand above it in the tree. */
  readonly parent: number | null;
  readonly depth: number;
  /** It shares its process with another task. */
  readonly thread: boolean;
  readonly pid: number | null;
  readonly comm: string | null;
  readonly exe: string | null;
  readonly ring: number | null;
  readonly calls: number;
  readonly errors: number;
  readonly faults: number;
  /** Program instructions; null where the trace does not know them. */
  readonly user: number | null;
  /** Clock units. */
  readonly blocked: number;
  readonly status: number | null;
  /** Clock units by state; null: the trace has no times. */
  readonly times: TaskTimes | null;
}

export interface FaultSummary {
  readonly cause: string;
  readonly count: number;
  readonly inKernel: number;
  readonly onStack: number;
}

export interface Summary {
  readonly id: string;
  readonly events: number;
  readonly kinds: Readonly<Partial<Record<KindName, number>>>;
  /** Calls of all tasks: how many sites would be direct calls in ring 0, and how many stay traps. */
  readonly sites: Readonly<Record<string, number>>;
  /** Program instructions, and those on the ways in and out; null where the trace does not know them. */
  readonly user: number | null;
  readonly kinstr: number | null;
  readonly blocked: number;
  /** Clock units from the first entry to the last return. */
  readonly time: number;
  /** Parents before their children. */
  readonly tasks: readonly TaskSummary[];
  /** Most frequent first. */
  readonly calls: readonly CallSummary[];
  readonly faults: readonly FaultSummary[];
  /** Clock units waited, by what for; the longest first. */
  readonly waits: readonly { readonly why: string; readonly time: number }[];
  /** Nanoseconds at the nominal clock: how many calls and faults took so long, and how often the program ran so long between two. */
  readonly histogram: readonly Bin[];
  /** Most frequent first. */
  readonly files: readonly FileSummary[];
  /** What a ring-0 run of a ring-3 trace would show; null for other traces. */
  readonly ring0: Readonly<Record<EntryClass, number>> | null;
  readonly edges: number;
  readonly pages: number;
  readonly epochs: number;
}

/** What is counted of one task. */
interface TaskCounts {
  events: number;
  calls: number;
  errors: number;
  faults: number;
  user: number;
  blocked: number;
}

/** Kinds whose events are calls, by number. */
const IS_CALL = Uint8Array.from(KINDS, (_, kind) => (CALL_KINDS.has(kind) ? 1 : 0));
/** Calls with lower numbers are found without a search. */
const COMMON = 1024;

/** Counts of a trace, one pass over its events. */
class Counter {
  readonly #trace: Trace;
  readonly #names: CallNames;
  readonly tasks: TaskCounts[];
  readonly calls: CallCounter[] = [];
  readonly kinds = new Float64Array(KINDS.length);
  readonly sites = new Float64Array(SITES.length);
  /** By cause: count, in the kernel, on the stack. */
  readonly faults = CAUSES.map(() => [0, 0, 0]);
  userKnown = false;
  /** NaN: no event's is known. */
  kinstr = Number.NaN;
  begin = Number.NaN;
  end = 0;
  readonly #common: CallCounter[] = [];
  readonly #rare = new Map<number, CallCounter>();

  constructor(trace: Trace, names: CallNames) {
    this.#trace = trace;
    this.#names = names;
    this.tasks = trace.tasks.map(() => ({ events: 0, calls: 0, errors: 0, faults: 0, user: 0, blocked: 0 }));
  }

  #newCall(nr: number, abi: number): CallCounter {
    const key = nr * 4 + abi;
    const found = this.#rare.get(key);
    if (found !== undefined) return found;
    const call = new CallCounter(nr, nr < 0 ? "unknown" : this.#names.name(nr, abi));
    if (nr >= 0 && nr < COMMON) this.#common[key] = call;
    else this.#rare.set(key, call);
    this.calls.push(call);
    return call;
  }

  count(): void {
    for (const { rows } of piecesOf(this.#trace.events)) this.#count(rows);
  }

  #count(events: Trace["events"]): void {
    const { kinds, sites, tasks } = this;
    const common = this.#common;
    const { length, kind, task, user, parent, blocked, tIn, tOut, nr, abi, site, path, ret, bytes, kinstr } = events;
    let { end } = this;
    if (Number.isNaN(this.begin) && length > 0) this.begin = tIn[0];
    for (let i = 0; i < length; i++) {
      const of = kind[i];
      kinds[of]++;
      const counts = tasks[task[i]];
      counts.events++;
      if (user[i] >= 0) {
        this.userKnown = true;
        counts.user += user[i];
      }
      if (kinstr[i] >= 0) this.kinstr = (this.kinstr || 0) + kinstr[i];
      // What an event waits within another is part of the outer one's wait already.
      if (parent[i] < 0 && blocked[i] > 0) counts.blocked += blocked[i];
      const over = tOut[i] >= 0 ? tOut[i] : tIn[i];
      if (over > end) end = over;
      if (of === KIND.fault) {
        counts.faults++;
        this.#fault(events, i);
      } else if (IS_CALL[of] === 1 && (of !== KIND.spawn || nr[i] >= 0)) {
        counts.calls++;
        sites[site[i]]++;
        const failed = ret[i] < 0 && ret[i] >= -4095;
        if (failed) counts.errors++;
        const call = (nr[i] < 0 ? undefined : common[nr[i] * 4 + abi[i]]) ?? this.#newCall(nr[i], abi[i]);
        call.add(failed, kinstr[i], blocked[i], bytes[i], over - tIn[i], site[i], path[i]);
      }
    }
    this.end = end;
  }

  #fault({ cause, flags }: Trace["events"], i: number): void {
    const fault = this.faults[cause[i]];
    fault[0]++;
    if (flags[i] === FLAGS_UNKNOWN) return;
    if (flags[i] & FLAG.in_kernel) fault[1]++;
    if (flags[i] & FLAG.stack) fault[2]++;
  }
}

/** Counts a trace. */
export function summarize(trace: Trace, names: CallNames): Summary {
  const counter = new Counter(trace, names);
  counter.count();
  const { events } = trace;
  const timed = cannotReplay(trace.meta) === undefined;
  const times = timed ? timesOf(trace) : undefined;
  const { epoch } = trace.pages;
  const total = (key: "user" | "blocked"): number => counter.tasks.reduce((sum, task) => sum + task[key], 0);
  return {
    id: trace.meta.id,
    events: events.length,
    kinds: named(counter.kinds, KINDS),
    sites: named(counter.sites, SITES),
    user: counter.userKnown ? total("user") : null,
    kinstr: Number.isNaN(counter.kinstr) ? null : counter.kinstr,
    blocked: total("blocked"),
    time: events.length === 0 ? 0 : counter.end - counter.begin,
    tasks: tasksOf(trace, counter, times?.tasks),
    calls: counter.calls.map((call) => call.summary()).sort((a, b) => b.count - a.count || a.nr - b.nr),
    faults: counter.faults
      .map(([count, inKernel, onStack], cause) => ({ cause: faultCause(cause), count, inKernel, onStack }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count),
    waits: times?.waits ?? [],
    histogram: times === undefined ? [] : bins(times.events, times.gaps),
    files: filesOf(trace),
    ring0: trace.meta.ring === 3 && knowsSites(trace) ? ring0Counts(trace) : null,
    edges: trace.edges.length,
    pages: trace.pages.length,
    epochs: epoch.length === 0 ? 0 : epoch[epoch.length - 1] - epoch[0] + 1,
  };
}

/** Tasks as a tree. The kernel's own run no program and make no events. */
function tasksOf(trace: Trace, counter: Counter, times: readonly TaskTimes[] | undefined): TaskSummary[] {
  const shown = trace.tasks.map(({ pid, task }) => pid !== null || counter.tasks[task].events > 0);
  return taskTree(trace.tasks, shown).map(({ task, depth }) => {
    const { parentTask, tgidTask, pid, comm, exe, ring, status } = trace.tasks[task];
    const { calls, errors, faults, user, blocked } = counter.tasks[task];
    return {
      task,
      parent: parentTask,
      depth,
      thread: tgidTask !== null && tgidTask !== task,
      pid,
      comm,
      exe,
      ring,
      calls,
      errors,
      faults,
      user: counter.userKnown ? user : null,
      blocked,
      status,
      times: times?.[task] ?? null,
    };
  });
}

function faultCause(cause: number): string {
  return cause === CAUSE.unknown ? "other" : CAUSES[cause];
}

function knowsSites(trace: Trace): boolean {
  for (const { rows } of piecesOf(trace.events)) {
    const { kind, site } = rows;
    for (let i = 0; i < kind.length; i++) if (kind[i] === KIND.syscall && site[i] !== SITE.unknown) return true;
  }
  return false;
}
