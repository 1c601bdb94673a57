// A trace as a scene, as it was recorded: the events of each task, nested as they were, and its program between them.
import { InputError } from "../../errors.ts";
import { CAUSES, FLAG, KIND, KINDS, PATHS } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";
import { endsOfTasks, turnsOf, WAITS, waitsWithin } from "./recorded-turns.ts";
import { type CounterChange, ordered, type Scene, type Slice, type Track } from "./scene.ts";

/** Events that a picture may have. */
const MOST_EVENTS = 1_000_000;

/** Threads of a task's process in the picture. */
const STATE = 1;
const WORK = 2;

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
    thread: WORK,
    threadName: "work",
  }));
  const ends = endsOfTasks(trace);
  const waits = waitsWithin(trace);
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
    // What never returned lasts as long as anything of its task is recorded; an exit is the last, and no point.
    const over = Number.isNaN(events.tOut[seq]) ? Math.max(ends[task], from + 1) : events.tOut[seq];
    const to = Math.min(Math.max(from, over), outer?.to ?? Number.POSITIVE_INFINITY);
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
    const wait = waits.get(seq);
    if (wait !== undefined)
      slices.push({
        track: task,
        from,
        to: Math.min(to, from + wait.time),
        name: WAITS.get(wait.why) ?? "waits",
        category: "wait",
      });
  }
  const counters = turns(trace, ends, tracks, slices);
  return {
    nsPerUnit: meta.clock.nsPerUnit,
    tracks,
    slices: ordered(slices),
    counters,
    flows: flows(trace),
    work: tasks.map(({ task }) => task),
    title: `${meta.argv.join(" ")} as recorded`,
  };
}

/** Tracks of CPUs and of tasks' states, and the length of the run queue, where switches are recorded. */
function turns(trace: Trace, ends: Float64Array, tracks: Track[], slices: Slice[]): CounterChange[] {
  const found = turnsOf(trace, ends);
  const cpus = new Map<number, number>();
  for (const cpu of new Set(found.turns.map((turn) => Math.max(0, turn.cpu))))
    cpus.set(cpu, tracks.push({ process: 0, processName: "CPUs", thread: cpu + 1, threadName: `CPU ${cpu}` }) - 1);
  const states = new Map<number, number>();
  for (const { task } of found.turns)
    if (!states.has(task)) states.set(task, tracks.push({ ...tracks[task], thread: STATE, threadName: "state" }) - 1);
  const add = (track: number, from: number, to: number, name: string, category: string): void => {
    if (to > from) slices.push({ track, from, to, name, category });
  };
  for (const { task, cpu, from, to } of found.turns) {
    add(cpus.get(Math.max(0, cpu))!, from, to, trace.tasks[task].comm ?? `task ${task}`, "running");
    add(states.get(task)!, from, to, "running", "running");
  }
  const firstTurn = new Map<number, number>();
  for (const { task, from } of found.turns) if (!firstTurn.has(task)) firstTurn.set(task, from);
  const changes: [number, number][] = [];
  for (const { task, from, to, why } of found.held) {
    const name = WAITS.get(why) ?? "ready";
    add(states.get(task)!, from, to, name, why < 0 ? "ready" : "wait");
    // Before its first turn a task has no work to cut it out of.
    if (from >= (firstTurn.get(task) ?? Number.POSITIVE_INFINITY)) add(task, from, to, name, "wait");
    if (why < 0) changes.push([from, 1], [to, -1]);
  }
  changes.sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let value = 0;
  return changes.flatMap(([time, change], index) => {
    value += change;
    return changes[index + 1]?.[0] === time ? [] : [{ name: "run queue", time, value }];
  });
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
