// Each task's events as one line of records, in the order they end, with the program's own work before each.
import { KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";

/** Kinds of events that a replay makes itself instead of copying them: timer interrupts and switches. */
function isReplaced(kind: number): boolean {
  return kind === KIND.irq || kind === KIND.switch;
}

/** The order in which each task's events end: an event that nests in another goes before it and takes its program instructions. */
export function linearize(trace: Trace): {
  order: Int32Array;
  firstRecord: Int32Array;
  user: Float64Array;
  userUnit: "instr" | "ns";
} {
  const { events, tasks } = trace;
  const userUnit = knowsInstructions(trace) ? "instr" : "ns";
  const gapFrom = new Float64Array(tasks.length).fill(Number.NaN);
  const total = tasks.length;
  const firstRecord = new Int32Array(total + 1);
  for (let seq = 0; seq < events.length; seq++) {
    if (!isReplaced(events.kind[seq])) firstRecord[events.task[seq] + 1]++;
  }
  for (let t = 0; t < total; t++) firstRecord[t + 1] += firstRecord[t];
  const next = firstRecord.slice();
  const order = new Int32Array(firstRecord[total]);
  const user = new Float64Array(firstRecord[total]);
  const pending = new Float64Array(total);
  const open: number[][] = Array.from({ length: total }, () => []);
  const close = (task: number, seq: number): void => {
    if (isReplaced(events.kind[seq])) return;
    const record = next[task]++;
    order[record] = seq;
    user[record] = pending[task];
    pending[task] = 0;
  };
  for (let seq = 0; seq < events.length; seq++) {
    const task = events.task[seq];
    const parent = events.parent[seq];
    const stack = open[task];
    while (stack.length > 0 && stack[stack.length - 1] !== parent) close(task, stack.pop()!);
    if (userUnit === "instr") {
      if (events.user[seq] > 0) pending[task] += events.user[seq];
    } else {
      // Only times are known: the program ran between a task's return and its next entry, if nothing else did.
      const gap = (events.tIn[seq] - gapFrom[task]) * trace.meta.clock.nsPerUnit;
      if (parent < 0 && gap > 0) pending[task] += gap;
      gapFrom[task] = events.tOut[seq];
    }
    stack.push(seq);
  }
  for (let task = 0; task < total; task++) while (open[task].length > 0) close(task, open[task].pop()!);
  return { order, firstRecord, user, userUnit };
}

/** Does any event say how many instructions the program executed before it? */
function knowsInstructions(trace: Trace): boolean {
  const { user } = trace.events;
  if (trace.meta.clock.unit === "instr") return true;
  for (let seq = 0; seq < user.length; seq++) if (user[seq] >= 0) return true;
  return false;
}
