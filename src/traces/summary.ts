// What is in a trace, counted: per task, per call, faults by cause, and where the process would starve in ring 0.
import type { CallNames } from "./calls.ts";
import { predictRing0 } from "./predict.ts";
import { CAUSE, CAUSES, FLAG, KIND, KINDS, type KindName, PATHS, SITE, SITES } from "./schema/enums.ts";
import type { Trace } from "./trace.ts";

export interface TaskSummary {
  readonly task: number;
  readonly pid: number | null;
  readonly comm: string | null;
  readonly exe: string | null;
  readonly ring: number | null;
  readonly calls: number;
  readonly faults: number;
  /** Program instructions. */
  readonly user: number;
  /** Clock units. */
  readonly blocked: number;
  readonly status: number | null;
}

export interface CallSummary {
  readonly nr: number;
  readonly name: string;
  readonly count: number;
  readonly errors: number;
  /** Instructions on the ways in and out, all calls together; null where the trace does not know them. */
  readonly kinstr: number | null;
  /** Clock units, all calls together. */
  readonly blocked: number | null;
  readonly bytes: number | null;
  /** How many came from each kind of site, and took each way. */
  readonly sites: Readonly<Record<string, number>>;
  readonly paths: Readonly<Record<string, number>>;
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
  readonly user: number;
  readonly kinstr: number;
  readonly blocked: number;
  /** Clock units from the first entry to the last return. */
  readonly time: number;
  readonly tasks: readonly TaskSummary[];
  /** Most frequent first. */
  readonly calls: readonly CallSummary[];
  readonly faults: readonly FaultSummary[];
  /** What a ring-0 run of a ring-3 trace would show; null for other traces. */
  readonly ring0: ReturnType<typeof predictRing0>["counts"] | null;
  readonly edges: number;
  readonly pages: number;
  readonly epochs: number;
}

/** Kinds whose nr is a call number. */
export const CALL_KINDS: ReadonlySet<number> = new Set([
  KIND.syscall,
  KIND.spawn,
  KIND.exec,
  KIND.exit,
  KIND.sigreturn,
]);

/** Adds what is known; NaN (unknown) adds nothing. */
class Sum {
  value = 0;
  known = false;
  add(x: number): void {
    if (Number.isNaN(x)) return;
    this.value += x;
    this.known = true;
  }
  orNull(): number | null {
    return this.known ? this.value : null;
  }
}

class Counts {
  readonly map = new Map<string, number>();
  add(name: string): void {
    this.map.set(name, (this.map.get(name) ?? 0) + 1);
  }
  object(): Record<string, number> {
    return Object.fromEntries([...this.map].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
  }
}

/** Counts a trace. */
export function summarize(trace: Trace, names: CallNames): Summary {
  const e = trace.events;
  const kinds = new Counts();
  const sites = new Counts();
  const total = { user: new Sum(), kinstr: new Sum(), blocked: new Sum() };
  const tasks = trace.tasks.map(() => ({ calls: 0, faults: 0, user: new Sum(), blocked: new Sum() }));
  const calls = new Map<string, CallCounter>();
  const faults = new Map<number, { count: number; inKernel: number; onStack: number }>();
  let end = 0;
  for (let i = 0; i < e.length; i++) {
    const kind = e.kind[i];
    kinds.add(KINDS[kind]);
    const task = tasks[e.task[i]];
    task.user.add(e.user[i]);
    total.user.add(e.user[i]);
    total.kinstr.add(e.kinstr[i]);
    // What an event waits within another is part of the outer one's wait already.
    if (e.parent[i] < 0) {
      task.blocked.add(e.blocked[i]);
      total.blocked.add(e.blocked[i]);
    }
    end = Math.max(end, Number.isNaN(e.tOut[i]) ? e.tIn[i] : e.tOut[i]);
    if (CALL_KINDS.has(kind) && (kind !== KIND.spawn || e.nr[i] >= 0)) {
      task.calls++;
      sites.add(SITES[e.site[i]]);
      const key = `${e.abi[i]},${e.nr[i]}`;
      let call = calls.get(key);
      if (call === undefined) {
        call = new CallCounter(e.nr[i], e.nr[i] < 0 ? "unknown" : names.name(e.nr[i], e.abi[i]));
        calls.set(key, call);
      }
      call.add(trace, i);
    } else if (kind === KIND.fault) {
      task.faults++;
      const counter = faults.get(e.cause[i]) ?? { count: 0, inKernel: 0, onStack: 0 };
      faults.set(e.cause[i], counter);
      counter.count++;
      if (e.flags[i] & FLAG.in_kernel) counter.inKernel++;
      if (e.flags[i] & FLAG.stack) counter.onStack++;
    }
  }
  const { epoch } = trace.pages;
  return {
    id: trace.meta.id,
    events: e.length,
    kinds: kinds.object(),
    sites: sites.object(),
    user: total.user.value,
    kinstr: total.kinstr.value,
    blocked: total.blocked.value,
    time: e.length === 0 ? 0 : end - e.tIn[0],
    // The kernel's own tasks run no program and make no events.
    tasks: trace.tasks
      .filter(({ pid }) => pid !== null)
      .map(({ task, pid, comm, exe, ring, status }) => ({
        task,
        pid,
        comm,
        exe,
        ring,
        calls: tasks[task].calls,
        faults: tasks[task].faults,
        user: tasks[task].user.value,
        blocked: tasks[task].blocked.value,
        status,
      })),
    calls: [...calls.values()].map((call) => call.summary()).sort((a, b) => b.count - a.count || a.nr - b.nr),
    faults: [...faults]
      .map(([cause, counter]) => ({ cause: faultCause(cause), ...counter }))
      .sort((a, b) => b.count - a.count),
    ring0: trace.meta.ring === 3 && knowsSites(trace) ? predictRing0(trace).counts : null,
    edges: trace.edges.length,
    pages: trace.pages.length,
    epochs: epoch.length === 0 ? 0 : epoch[epoch.length - 1] - epoch[0] + 1,
  };
}

function faultCause(cause: number): string {
  return cause === CAUSE.unknown ? "other" : CAUSES[cause];
}

function knowsSites(trace: Trace): boolean {
  const { kind, site } = trace.events;
  for (let i = 0; i < kind.length; i++) if (kind[i] === KIND.syscall && site[i] !== SITE.unknown) return true;
  return false;
}

class CallCounter {
  readonly nr: number;
  readonly name: string;
  count = 0;
  errors = 0;
  readonly kinstr = new Sum();
  readonly blocked = new Sum();
  readonly bytes = new Sum();
  readonly sites = new Counts();
  readonly paths = new Counts();

  constructor(nr: number, name: string) {
    this.nr = nr;
    this.name = name;
  }

  add(trace: Trace, i: number): void {
    const e = trace.events;
    this.count++;
    if (e.ret[i] < 0 && e.ret[i] >= -4095) this.errors++;
    this.kinstr.add(e.kinstr[i]);
    this.blocked.add(e.blocked[i]);
    this.bytes.add(e.bytes[i]);
    this.sites.add(SITES[e.site[i]]);
    this.paths.add(PATHS[e.path[i]]);
  }

  summary(): CallSummary {
    const { nr, name, count, errors } = this;
    return {
      nr,
      name,
      count,
      errors,
      kinstr: this.kinstr.orNull(),
      blocked: this.blocked.orNull(),
      bytes: this.bytes.orNull(),
      sites: this.sites.object(),
      paths: this.paths.object(),
    };
  }
}
