// A trace as a scene, as it was recorded: the events of each task, nested as they were, and its program between them.
import { InputError } from "../../errors.ts";
import { CAUSES, FLAG, KIND, KINDS, PATHS } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";
import { ordered, type Scene, type Slice, type Track } from "./scene.ts";

/** Events that a picture may have. */
const MOST_EVENTS = 1_000_000;

/** Names calls by number and ABI. */
export type CallName = (nr: number, abi: number) => string;

/** What an event is called in a picture. */
function eventName(trace: Trace, seq: number, nameOf: CallName): string {
  const { kind, nr, abi, cause, flags } = trace.events;
  switch (kind[seq]) {
    case KIND.fault: {
      const inside = flags[seq] >= 0 && (flags[seq] & FLAG.in_kernel) !== 0 ? " in the kernel" : "";
      return nr[seq] === 14 || nr[seq] < 0 ? `page fault: ${CAUSES[cause[seq]]}${inside}` : `exception ${nr[seq]}`;
    }
    case KIND.irq:
      return `interrupt ${nr[seq]}`;
    case KIND.signal:
      return `signal ${nr[seq]}`;
    case KIND.vdso:
      return "vDSO clock";
    case KIND.spawn:
      return nr[seq] < 0 ? "first return" : nameOf(nr[seq], abi[seq]);
    default:
      return nr[seq] < 0 ? KINDS[kind[seq]] : nameOf(nr[seq], abi[seq]);
  }
}

/** The recorded times of a trace. Throws InputError when it has none, or too many events for a picture. */
export function recordedScene(trace: Trace, nameOf: CallName): Scene {
  const { events, tasks, meta } = trace;
  if (events.length > MOST_EVENTS)
    throw new InputError(`${events.length} events are too many for a picture; it holds ${MOST_EVENTS}`);
  if (events.length === 0 || events.tIn.every((time) => Number.isNaN(time)))
    throw new InputError("the trace has no times to draw; --mech draws a replay of it");
  const tracks: Track[] = tasks.map(({ task, pid, comm }) => ({
    process: task + 1,
    processName: `${comm ?? "task"} (${pid ?? task})`,
    thread: 1,
    threadName: "as recorded",
  }));
  let last = 0;
  for (let seq = 0; seq < events.length; seq++) last = Math.max(last, events.tIn[seq] || 0, events.tOut[seq] || 0);
  const slices: Slice[] = [];
  // What is open in each task, innermost last, and when its program last went on.
  const open: { seq: number; to: number; inner: number }[][] = tasks.map(() => []);
  const returned = new Float64Array(tasks.length).fill(Number.NaN);
  for (let seq = 0; seq < events.length; seq++) {
    const task = events.task[seq];
    if (Number.isNaN(events.tIn[seq]) || events.kind[seq] === KIND.switch) continue;
    const stack = open[task];
    while (stack.length > 0 && stack[stack.length - 1].seq !== events.parent[seq]) stack.pop();
    const outer = stack[stack.length - 1];
    // A direct call whose first instruction faulted began before that fault was over: it is shown behind it.
    const from = Math.max(events.tIn[seq], outer?.inner ?? (returned[task] || 0));
    const to = Math.min(Number.isNaN(events.tOut[seq]) ? last : Math.max(from, events.tOut[seq]), outer?.to ?? last);
    if (outer === undefined) {
      const began = events.user[seq] >= 0 ? from - events.user[seq] : returned[task];
      const start = Math.max(began, Number.isNaN(returned[task]) ? began : returned[task]);
      if (start < from) slices.push({ track: task, from: start, to: from, name: "program", category: "user" });
      returned[task] = Math.max(from, to);
    } else outer.inner = to;
    stack.push({ seq, to, inner: from });
    if (to <= from) continue;
    const args: Record<string, string | number> = { seq };
    if (events.path[seq] > 0) args["path"] = PATHS[events.path[seq]];
    if (!Number.isNaN(events.ret[seq])) args["ret"] = events.ret[seq];
    if (events.blocked[seq] > 0) args["blocked"] = events.blocked[seq];
    const text = trace.args.get(seq);
    if (text !== undefined) args["args"] = text;
    slices.push({
      track: task,
      from,
      to,
      name: eventName(trace, seq, nameOf),
      category: KINDS[events.kind[seq]],
      args,
    });
  }
  return {
    nsPerUnit: meta.clock.nsPerUnit,
    tracks,
    slices: ordered(slices),
    counters: [],
    flows: flows(trace),
    work: tasks.map(({ task }) => task),
    title: `${meta.argv.join(" ")} as recorded`,
  };
}

/** The edges between tasks. */
function flows(trace: Trace): Scene["flows"] {
  const { edges, events } = trace;
  const found: { name: string; fromTrack: number; fromTime: number; toTrack: number; toTime: number }[] = [];
  for (let e = 0; e < edges.length; e++) {
    const [to, from] = [edges.to[e], edges.from[e]];
    if (to < 0 || from < 0 || events.task[to] === events.task[from]) continue;
    const [toTime, fromTime] = [events.tOut[to], events.tIn[from]];
    if (Number.isNaN(toTime) || Number.isNaN(fromTime) || fromTime > toTime) continue;
    found.push({ name: "wakes", fromTrack: events.task[from], fromTime, toTrack: events.task[to], toTime });
  }
  return found;
}
