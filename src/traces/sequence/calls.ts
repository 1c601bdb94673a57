// A task's calls as they can be compared between runs: names, errors, and results that do not depend on where or when the run was.
import type { CallTable } from "../calls.ts";
import { errorName, isRestart } from "../importers/names.ts";
import { KIND, SITES } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";

/** Results that are numbers of tasks. */
const PIDS = new Set(
  "fork vfork clone clone3 wait4 waitpid getpid gettid getppid getpgrp getpgid setsid getsid set_tid_address".split(
    " ",
  ),
);
/** Results that are addresses. */
const ADDRESSES = new Set("brk mmap mmap2 mremap shmat".split(" "));
/** Results that are times. */
const TIMES = new Set("time times alarm".split(" "));

/**
 * Events of each task that are calls, in order. What a signal's handler calls is a list of its own: a signal comes when it comes, and
 * the calls around it do not depend on that.
 */
export class TaskCalls {
  readonly trace: Trace;
  readonly #calls: CallTable;
  readonly #first: Int32Array;
  readonly #seq: Int32Array;

  /** `handlers`: whether those of handlers are kept apart, which takes a trace that knows where handlers begin. */
  constructor(trace: Trace, calls: CallTable, handlers: boolean) {
    this.trace = trace;
    this.#calls = calls;
    const { events, tasks } = trace;
    const lists = 2 * tasks.length;
    const list = new Int32Array(events.length).fill(-1);
    const within = new Int32Array(tasks.length);
    this.#first = new Int32Array(lists + 1);
    for (let seq = 0; seq < events.length; seq++) {
      const task = events.task[seq];
      if (handlers && events.kind[seq] === KIND.signal) within[task]++;
      if (!isCall(trace, seq)) continue;
      list[seq] = 2 * task + (within[task] > 0 ? 1 : 0);
      this.#first[list[seq] + 1]++;
      if (events.kind[seq] === KIND.sigreturn && within[task] > 0) within[task]--;
    }
    for (let at = 0; at < lists; at++) this.#first[at + 1] += this.#first[at];
    this.#seq = new Int32Array(this.#first[lists]);
    const next = this.#first.slice();
    for (let seq = 0; seq < events.length; seq++) if (list[seq] >= 0) this.#seq[next[list[seq]]++] = seq;
  }

  /** The events of a task's calls, or of those of its signal handlers. */
  of(task: number, handlers = false): Int32Array {
    const list = 2 * task + (handlers ? 1 : 0);
    return this.#seq.subarray(this.#first[list], this.#first[list + 1]);
  }

  name(seq: number): string {
    const { nr, abi } = this.trace.events;
    return nr[seq] < 0 ? "unknown" : this.#calls.name(nr[seq], abi[seq]);
  }

  /** Is a call about a file below /proc? */
  ofProc(seq: number): boolean {
    const { events, objects } = this.trace;
    return objects[events.obj[seq]]?.label?.startsWith("/proc/") === true;
  }

  /** Where in the program a call was made. */
  site(seq: number): string {
    return SITES[this.trace.events.site[seq]];
  }

  /** The error that a call gave; "" for none, or when it never returned. */
  error(seq: number): string {
    const ret = this.#ret(seq);
    return ret < 0 && ret >= -4095 ? errorName(-ret) : "";
  }

  /** Does a call read from or write to a pipe? */
  ofPipe(seq: number): boolean {
    const { events, objects } = this.trace;
    return objects[events.obj[seq]]?.type === "pipe";
  }

  /** Did a signal end a call that will begin anew, or not? */
  interrupted(seq: number): boolean {
    const ret = this.#ret(seq);
    return ret < 0 && (isRestart(ret) || errorName(-ret) === "EINTR");
  }

  /** A call's result; that of a return from a handler is what the interrupted call or program had. */
  #ret(seq: number): number {
    const { ret, kind } = this.trace.events;
    return kind[seq] === KIND.sigreturn ? Number.NaN : ret[seq];
  }

  /** What else is known of the result: a number, or what kind of number it is. */
  result(seq: number): string {
    const ret = this.#ret(seq);
    const name = this.name(seq);
    if (Number.isNaN(ret)) return "";
    if (ret > 0 && PIDS.has(name)) return "pid";
    if (ADDRESSES.has(name)) return "address";
    return TIMES.has(name) ? "time" : String(ret);
  }
}

/** Is an event a call that a tracer sees? Not the clock calls of the vDSO, nor a new task's first return. */
function isCall({ events }: Trace, seq: number): boolean {
  const kind = events.kind[seq];
  if (kind === KIND.syscall || kind === KIND.sigreturn) return true;
  return (kind === KIND.spawn || kind === KIND.exec || kind === KIND.exit) && events.nr[seq] >= 0;
}
