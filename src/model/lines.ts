// Each task's events as one line of records, in the order they end, with the program's own work before each.
import { KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";

/** Program instructions (or nanoseconds) before each record, in the narrowest array that holds them. */
export type Amounts = Uint16Array | Uint32Array | Float64Array;

/**
 * Kinds of events that a replay does not copy: it makes timer interrupts and switches itself; what memory management notes lies
 * in the charge of the event that it happened in, or in a thread of the kernel.
 */
const NOT_COPIED: ReadonlySet<number> = new Set([
  KIND.irq,
  KIND.switch,
  KIND.evict,
  KIND.writeback,
  KIND.swapin,
  KIND.oom,
]);

function isReplaced(kind: number): boolean {
  return NOT_COPIED.has(kind);
}

/** Amounts that are written one by one: 16 bits each, and wider from the first that needs it. */
class Widening {
  amounts: Amounts;
  #most = 0xffff;
  constructor(length: number) {
    this.amounts = new Uint16Array(length);
  }
  set(index: number, amount: number): void {
    if (amount > this.#most || !Number.isInteger(amount)) this.#widen(amount);
    this.amounts[index] = amount;
  }
  #widen(amount: number): void {
    const narrow = amount <= 0xffffffff && Number.isInteger(amount);
    this.amounts = narrow && this.#most === 0xffff ? Uint32Array.from(this.amounts) : Float64Array.from(this.amounts);
    this.#most = this.amounts instanceof Uint32Array ? 0xffffffff : Number.POSITIVE_INFINITY;
  }
}

/** Events that are open, each inside the one before it, for every task; most tasks have one at a time. */
class OpenEvents {
  /** The innermost open event of each task; -1: none. */
  readonly last: Int32Array;
  readonly #outer: number[][] = [];
  constructor(tasks: number) {
    this.last = new Int32Array(tasks).fill(-1);
  }
  push(task: number, seq: number): void {
    if (this.last[task] >= 0) {
      this.#outer[task] ??= [];
      this.#outer[task].push(this.last[task]);
    }
    this.last[task] = seq;
  }
  pop(task: number): number {
    const seq = this.last[task];
    this.last[task] = this.#outer[task]?.pop() ?? -1;
    return seq;
  }
}

/** The order in which each task's events end: an event that nests in another goes before it and takes its program instructions. */
export function linearize(trace: Trace): {
  order: Int32Array;
  firstRecord: Int32Array;
  user: Amounts;
  userUnit: "instr" | "ns";
} {
  const { events, tasks } = trace;
  const { task: taskOf, parent: parentOf, kind: kindOf, user: userOf } = events;
  const userUnit = knowsInstructions(trace) ? "instr" : "ns";
  const gapFrom = new Float64Array(tasks.length).fill(Number.NaN);
  const total = tasks.length;
  const firstRecord = new Int32Array(total + 1);
  for (let seq = 0; seq < events.length; seq++) {
    if (!isReplaced(kindOf[seq])) firstRecord[taskOf[seq] + 1]++;
  }
  for (let t = 0; t < total; t++) firstRecord[t + 1] += firstRecord[t];
  const next = firstRecord.slice();
  const order = new Int32Array(firstRecord[total]);
  const user = new Widening(firstRecord[total]);
  const pending = new Float64Array(total);
  const open = new OpenEvents(total);
  const { last } = open;
  const close = (task: number, seq: number): void => {
    if (isReplaced(kindOf[seq])) return;
    const record = next[task]++;
    order[record] = seq;
    user.set(record, pending[task]);
    pending[task] = 0;
  };
  for (let seq = 0; seq < events.length; seq++) {
    const task = taskOf[seq];
    const parent = parentOf[seq];
    while (last[task] >= 0 && last[task] !== parent) close(task, open.pop(task));
    if (userUnit === "instr") {
      if (userOf[seq] > 0) pending[task] += userOf[seq];
    } else {
      // Only times are known: the program ran between a task's return and its next entry, if nothing else did.
      const gap = (events.tIn[seq] - gapFrom[task]) * trace.meta.clock.nsPerUnit;
      if (parent < 0 && gap > 0) pending[task] += gap;
      gapFrom[task] = events.tOut[seq];
    }
    open.push(task, seq);
  }
  for (let task = 0; task < total; task++) while (last[task] >= 0) close(task, open.pop(task));
  return { order, firstRecord, user: user.amounts, userUnit };
}

/** Does any event say how many instructions the program executed before it? */
function knowsInstructions(trace: Trace): boolean {
  const { user } = trace.events;
  if (trace.meta.clock.unit === "instr") return true;
  for (let seq = 0; seq < user.length; seq++) if (user[seq] >= 0) return true;
  return false;
}
