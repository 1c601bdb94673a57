// What each event of a capture cost by itself, and what of that came after the point where it may have waited.
//
// Charges and path instructions are in the trace; where they lie within an event is taken from what the emulator does.
import { EDGE, FLAG, FLAGS_UNKNOWN, KIND, PATHS, type PathName, SITE } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import type { ModelData } from "./data.ts";

/** Clock units of a context switch: what a trace charges for its first; 0 when nobody was switched to. */
export function switchUnits({ kind, charge }: Trace["events"]): number {
  const first = kind.indexOf(KIND.switch);
  return first >= 0 && charge[first] > 0 ? charge[first] : 0;
}

/** Instructions of a task that goes on where it was switched away. */
export const RESUME_INSTRUCTIONS = 2;
/** Instructions of a new task before its first way out begins. */
const START_INSTRUCTIONS = 1;
/** Instructions of each way in, up to where a body begins; the rest of a path is its way out. */
const ENTRY_INSTRUCTIONS: Readonly<Partial<Record<PathName, number>>> = {
  A: 26,
  B: 43,
  C: 10,
  D: 47,
  E: 40,
  F: 27,
  G: 36,
};
/** Instructions that a waiting event may take besides what is said of it: more is another task's work. */
const MOST_SLACK = 16;
/** Charge of a signal's delivery, on the way out. */
const SIGNAL_UNITS = 500;
/** Charge of an execve before what its pages cost. */
const EXEC_UNITS = 25_000;

/** A number of a trace; unknown is none. */
export const known = (value: number): number => (value > 0 ? value : 0);

/** Did no other task run while an event lasted? */
export function ranAlone(trace: Trace, seq: number): boolean {
  const { events } = trace;
  for (let other = seq + 1; other < events.length && events.tIn[other] < events.tOut[seq]; other++)
    if (events.task[other] !== events.task[seq]) return false;
  return true;
}

/** Instructions before a new task's first way out. */
export function startOf({ events }: Trace, seq: number): number {
  return events.kind[seq] === KIND.spawn && !(events.nr[seq] >= 0) ? START_INSTRUCTIONS : 0;
}

/** Instructions of an event's way in; 0: not known. A direct call pushes its arguments, a trap in the vsyscall page is called first. */
function wayIn({ events }: Trace, data: ModelData, seq: number): number {
  const path = PATHS[events.path[seq]];
  const into = ENTRY_INSTRUCTIONS[path] ?? 0;
  if (path === "C") return into + Math.max(1, data.i386.get(events.nr[seq])?.args ?? 0);
  return path === "A" && events.site[seq] === SITE.vsyscall ? into + 1 : into;
}

/** Charge of a timer tick; interrupts of devices are charged less. */
const TICK_UNITS = 1000;

function isDevice({ events }: Trace, seq: number): boolean {
  return events.kind[seq] === KIND.irq && known(events.charge[seq]) < TICK_UNITS;
}

/** When each event was entered: not before its task came back from the last one, even where the trace has it an instruction earlier. */
export function entriesOf({ events, tasks }: Trace): Float64Array {
  const entries = Float64Array.from(events.tIn);
  const back = new Float64Array(tasks.length);
  for (let seq = 0; seq < events.length; seq++) {
    if (events.parent[seq] >= 0) continue;
    const task = events.task[seq];
    entries[seq] = Math.max(entries[seq], back[task]);
    if (events.tOut[seq] >= 0) back[task] = Math.max(back[task], events.tOut[seq]);
  }
  return entries;
}

/** What each event cost by itself, without the events nested in it. */
function ownCosts(trace: Trace, data: ModelData): Float64Array {
  const { events } = trace;
  const costs = new Float64Array(events.length);
  const inner = new Float64Array(events.length);
  /** Interrupts of devices, which a replay has not: the work of whom they interrupted. */
  const device = new Float64Array(events.length);
  const entries = entriesOf(trace);
  for (let seq = events.length - 1; seq >= 0; seq--) {
    const start = startOf(trace, seq);
    // What never returned has only come in.
    const path = events.kinstr[seq] >= 0 ? events.kinstr[seq] : wayIn(trace, data, seq);
    const charged = path + known(events.charge[seq]) + start;
    const span = events.tOut[seq] - entries[seq];
    const parent = events.parent[seq];
    // A span is a cost only if all of it was the event's own.
    const own = span >= 0 && !(events.blocked[seq] > 0) && ranAlone(trace, seq);
    costs[seq] = (own ? Math.max(0, span - inner[seq]) + start : charged) + device[seq];
    if (parent < 0 || events.kind[seq] === KIND.switch) continue;
    inner[parent] += own ? span : costs[seq] + inner[seq];
    if (isDevice(trace, seq)) device[parent] += costs[seq];
  }
  return costs;
}

/** What of an event's cost comes after the point where it may have waited: a fault's body, an exec's pages, every way out. */
function afterOf(trace: Trace, data: ModelData, seq: number, cost: number): number {
  const { events } = trace;
  const flags = events.flags[seq];
  const inside = flags !== FLAGS_UNKNOWN && (flags & FLAG.in_kernel) !== 0;
  const into = inside ? 0 : wayIn(trace, data, seq);
  let after = into === 0 ? 0 : Math.max(0, known(events.kinstr[seq]) - into);
  if (events.kind[seq] === KIND.fault) after += known(events.charge[seq]);
  else if (data.i386.get(events.nr[seq])?.class === "exec")
    after += Math.max(0, known(events.charge[seq]) - EXEC_UNITS);
  return Math.min(cost, after);
}

/**
 * Events inside an event that waited come before it in a replay, and in the run after its wait or before: what comes after is made
 * part of its way out.
 */
function moveInner(trace: Trace, costs: Float64Array, after: Float64Array): void {
  const { events } = trace;
  for (let seq = events.length - 1; seq >= 0; seq--) {
    const parent = events.parent[seq];
    if (parent >= 0 && events.kind[seq] === KIND.signal) {
      // What did not wait costs its span; the way to a handler after a wait is a few instructions longer.
      const more = events.blocked[parent] > 0 ? RESUME_INSTRUCTIONS : 0;
      costs[parent] += more;
      after[parent] = Math.min(costs[parent], after[parent] + SIGNAL_UNITS + more);
    }
    if (parent < 0 || !(events.blocked[parent] > 0) || events.blocked[seq] > 0) continue;
    if (events.kind[seq] === KIND.switch || events.tIn[seq] - events.tIn[parent] < events.blocked[parent]) continue;
    costs[parent] += costs[seq];
    after[parent] += costs[seq];
    costs[seq] = 0;
    after[seq] = 0;
  }
}

/**
 * An event that waited several times for devices or deadlines was woken as often: each but the last is a switch to it that only
 * led to the next wait.
 */
function addWakes(trace: Trace, costs: Float64Array, after: Float64Array): void {
  const { edges, events } = trace;
  const timed = (e: number): boolean =>
    edges.from[e] < 0 && (edges.kind[e] === EDGE.device || edges.kind[e] === EDGE.timer) && edges.to[e] >= 0;
  const switched = switchUnits(events);
  for (let e = 0, from = 0; e < edges.length; e++) {
    if (!timed(e)) continue;
    const to = edges.to[e];
    if (e === 0 || edges.to[e - 1] !== to) from = e;
    let more = e > from ? switched + RESUME_INSTRUCTIONS : 0;
    if (e + 1 === edges.length || edges.to[e + 1] !== to) {
      // Where the CPU was free for it, its span says the last few instructions.
      let inner = 0;
      for (let seq = to + 1; seq < events.length && events.tIn[seq] < events.tOut[to]; seq++)
        if (events.parent[seq] === to && events.kind[seq] !== KIND.switch) inner += costs[seq];
      const slack =
        events.tOut[to] -
        events.tIn[to] -
        events.blocked[to] -
        inner -
        costs[to] -
        more -
        switched -
        RESUME_INSTRUCTIONS;
      if (Math.abs(slack) <= MOST_SLACK) more += slack;
    }
    costs[to] += more;
    after[to] += more;
  }
}

/** Costs of every event, and what of each comes after its wait. */
export function eventCosts(trace: Trace, data: ModelData): { own: Float64Array; after: Float64Array } {
  const own = ownCosts(trace, data);
  const after = own.map((cost, event) => afterOf(trace, data, event, cost));
  moveInner(trace, own, after);
  addWakes(trace, own, after);
  return { own, after };
}
