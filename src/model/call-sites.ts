// Calls whose site a trace does not know: what share of them is taken to go through the vsyscall page.
//
// The address of that page is kept in the thread area. Before a program has set its own (set_thread_area) it can only trap, and so
// does glibc's loader until it has protected what it relocated. After that its calls go through the page, but for vfork and returns
// from signal handlers. Where the order of the calls is known, these are counted; where it is not, so many are taken for an execve.
import { ABI, KIND, SITE } from "../traces/schema/enums.ts";
import { COUNTS_ONLY, type Trace } from "../traces/trace.ts";
import type { ModelData } from "./data.ts";
import type { Cost } from "./profiles.ts";

/** The share, as a parameter of data/parameters.csv. */
export const SITE_SHARE = "site.vsyscall";
const CALLS_AN_EXEC = "site.exec";

/** What the loader still calls after the thread area is set. */
const LAST_OF_START = new Set(["set_tid_address", "set_robust_list", "rseq", "mprotect", "munmap"]);
/** Inline in every C library: the parent's stack must not change, or there is none. */
const ALWAYS_INLINE = new Set(["vfork", "sigreturn", "rt_sigreturn"]);

/** Calls of unknown site of 32-bit programs, and how many of them must be traps. */
export interface UnknownSites {
  readonly calls: number;
  readonly traps: number;
  readonly execs: number;
}

/** A program's start: before its thread area is set, after, over. */
const START = { before: 0, after: 1, over: 2 } as const;

/** Does the site of an event matter, and is it unknown? */
function isUnknown({ events }: Trace, seq: number): boolean {
  const kind = events.kind[seq];
  const call = kind === KIND.syscall || kind === KIND.sigreturn;
  return call && events.site[seq] === SITE.unknown && events.abi[seq] !== ABI.x86_64 && events.abi[seq] !== ABI.x32;
}

/** Counts the calls of unknown site, and the traps among them. */
export function unknownSites(trace: Trace, data: ModelData): UnknownSites {
  const { events, tasks, meta } = trace;
  const ordered = meta.fidelity.times !== COUNTS_ONLY;
  const perExec = data.parameters.get(CALLS_AN_EXEC)?.value ?? 0;
  // A fork copies a running program; a task that nothing began may start with its program, or be met within it.
  const start = Uint8Array.from(tasks, ({ parentTask }) => (parentTask === null ? START.before : START.over));
  const begun = new Uint8Array(tasks.length);
  const early = new Float64Array(tasks.length);
  let [calls, traps, execs] = [0, 0, 0];
  /** The program of a task is over, or the trace is: one that began and never set a thread area was lost sight of. */
  const leave = (task: number): void => {
    if (start[task] === START.before && begun[task] === 1) traps += Math.min(early[task], perExec);
    early[task] = 0;
  };
  for (let seq = 0; seq < events.length; seq++) {
    if (!isUnknown(trace, seq)) continue;
    const name = data.i386.get(events.nr[seq])?.name ?? "";
    const task = events.task[seq];
    calls++;
    const executed = name === "execve" && !(events.ret[seq] < 0);
    if (executed) execs++;
    if (ALWAYS_INLINE.has(name)) traps++;
    else if (!ordered) traps += executed ? perExec : 0;
    else if (executed) {
      leave(task);
      start[task] = START.before;
      begun[task] = 1;
    } else if (start[task] === START.before) {
      early[task]++;
      if (name === "set_thread_area") {
        traps += early[task];
        start[task] = START.after;
      }
    } else if (start[task] === START.after) {
      if (LAST_OF_START.has(name)) traps++;
      else start[task] = START.over;
    }
  }
  for (let task = 0; task < tasks.length; task++) leave(task);
  return { calls, traps: Math.min(calls, traps), execs };
}

/** The tables with the share that this trace suggests, within the range of the parameter. */
export function withSites(data: ModelData, trace: Trace): ModelData {
  const row = data.parameters.get(SITE_SHARE);
  if (row?.value == null) return data;
  const { calls, traps } = unknownSites(trace, data);
  if (calls === 0) return data;
  const value = Math.min(row.high, Math.max(row.low, 1 - traps / calls));
  return { ...data, parameters: new Map<string, Cost>(data.parameters).set(SITE_SHARE, { ...row, value }) };
}
