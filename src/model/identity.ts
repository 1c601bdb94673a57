// A capture replayed with its own costs: every entry into the kernel and every return should come in the cycle in which it was
// recorded, and so should every switch and wake-up between them.
//
// What a trace of the emulator does not say, and is taken from what it does: the cost of a context switch and of a timer tick
// (fixed charges), and that the timer stands still in idle time.
import { CLASSES, EDGE, FLAG, FLAGS_UNKNOWN, KIND, PATHS, type PathName } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { ModelData } from "./data.ts";
import { STOP } from "./observer.ts";
import { compile, type Program } from "./program.ts";
import { replay } from "./replay.ts";
import { RECORD, SHAPE_WORKS, type Shapes } from "./shapes.ts";
import { TaskLines } from "./task-lines.ts";
import { type Piece, Timeline } from "./timeline.ts";
import { userCycles } from "./user-cycles.ts";

/** Clock units of a context switch in the emulator: its charge. */
const SWITCH_UNITS = 250;
/** Instructions of a task that goes on where it was switched away. */
const RESUME_INSTRUCTIONS = 2;
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

export interface IdentityReplay {
  /** Clock units from the first instruction to the last return. */
  readonly recorded: number;
  readonly replayed: number;
  /** Entries and returns that the trace knows. */
  readonly times: Agreement;
  /** Every time that a task got the CPU. */
  readonly switches: Agreement;
  /** How far off the worst of them is. */
  readonly most: number;
}

/** How many of some recorded times came in the very cycle. */
export interface Agreement {
  readonly all: number;
  readonly exact: number;
}

const known = (value: number): number => (value > 0 ? value : 0);

/** The shapes of a trace whose records cost what the trace says: one each. */
function ownShapes(records: number): Shapes {
  return {
    length: records,
    kind: new Uint8Array(records).fill(RECORD.call),
    name: new Uint16Array(records),
    class: new Uint16Array(records),
    args: new Uint8Array(records),
    traits: new Uint16Array(records),
    work: new Float64Array(records * SHAPE_WORKS),
    count: new Float64Array(records).fill(1),
    names: ["any"],
    classes: ["null"],
  };
}

/** When an event of another task came last before each event, and comes first after it: who else ran in between. */
function ranAlone(trace: Trace, seq: number): boolean {
  const { events } = trace;
  for (let other = seq + 1; other < events.length && events.tIn[other] < events.tOut[seq]; other++)
    if (events.task[other] !== events.task[seq]) return false;
  return true;
}

/** Instructions before a new task's first way out. */
function startOf({ events }: Trace, seq: number): number {
  return events.kind[seq] === KIND.spawn && !(events.nr[seq] >= 0) ? START_INSTRUCTIONS : 0;
}

/** What each event cost by itself, without the events nested in it. */
function ownCosts(trace: Trace): Float64Array {
  const { events } = trace;
  const costs = new Float64Array(events.length);
  const inner = new Float64Array(events.length);
  for (let seq = events.length - 1; seq >= 0; seq--) {
    const start = startOf(trace, seq);
    // What never returned has only come in.
    const path = events.kinstr[seq] >= 0 ? events.kinstr[seq] : (ENTRY_INSTRUCTIONS[PATHS[events.path[seq]]] ?? 0);
    const charged = path + known(events.charge[seq]) + start;
    const span = events.tOut[seq] - events.tIn[seq];
    const { [seq]: parent } = events.parent;
    // A span is a cost only if all of it was the event's own.
    const own = span >= 0 && !(events.blocked[seq] > 0) && ranAlone(trace, seq);
    costs[seq] = own ? Math.max(0, span - inner[seq]) + start : charged;
    if (parent >= 0 && events.kind[seq] !== KIND.switch) inner[parent] += own ? span : costs[seq] + inner[seq];
  }
  return costs;
}

/** What of an event's cost comes after the point where it may have waited: a fault's body, an exec's pages, every way out. */
function afterOf(trace: Trace, data: ModelData, seq: number, cost: number): number {
  const { events } = trace;
  const flags = events.flags[seq];
  const inside = flags !== FLAGS_UNKNOWN && (flags & FLAG.in_kernel) !== 0;
  const into = inside ? undefined : ENTRY_INSTRUCTIONS[PATHS[events.path[seq]]];
  let after = into === undefined ? 0 : Math.max(0, known(events.kinstr[seq]) - into);
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
      costs[parent] += RESUME_INSTRUCTIONS;
      after[parent] = Math.min(costs[parent], after[parent] + SIGNAL_UNITS + RESUME_INSTRUCTIONS);
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
  for (let e = 0, from = 0; e < edges.length; e++) {
    if (!timed(e)) continue;
    const to = edges.to[e];
    if (e === 0 || edges.to[e - 1] !== to) from = e;
    let more = e > from ? SWITCH_UNITS + RESUME_INSTRUCTIONS : 0;
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
        SWITCH_UNITS -
        RESUME_INSTRUCTIONS;
      if (Math.abs(slack) <= MOST_SLACK) more += slack;
    }
    costs[to] += more;
    after[to] += more;
  }
}

/** When the first program began: what the kernel did to load it comes before. */
function beginning(trace: Trace, program: Program, own: Float64Array): number {
  const { events } = trace;
  let before = 0;
  for (let r = 0; r < program.records; r++) {
    const seq = program.seq[r];
    if (events.parent[seq] < 0 && events.kind[seq] !== KIND.fault)
      return events.tIn[seq] - before - program.user[r] - startOf(trace, seq);
    before += own[seq] + program.user[r];
  }
  return events.tIn[0];
}

/** Timer interrupts of a trace: what one usually costs, and a cycle in which one came. */
function ticksOf(trace: Trace, first: number): { cost: number; firstTick: number; every: number } {
  const { events, meta } = trace;
  const every = meta.hz === null ? 0 : Math.round(1e9 / meta.hz / meta.clock.nsPerUnit);
  let cost = 0;
  let phase = Number.POSITIVE_INFINITY;
  let earliest = -1;
  for (let seq = 0; seq < events.length && every > 0; seq++) {
    if (events.kind[seq] !== KIND.irq) continue;
    const span = events.tOut[seq] - events.tIn[seq];
    if (span >= 0 && ranAlone(trace, seq)) cost = Math.max(cost, span);
    phase = Math.min(phase, events.tIn[seq] % every);
    if (earliest < 0) earliest = events.tIn[seq];
  }
  if (phase === Number.POSITIVE_INFINITY) return { cost: 0, firstTick: 0, every: 0 };
  // None came before the first that is recorded but in idle time; an interrupt may have had to wait for the kernel.
  return { cost, firstTick: Math.max(1, earliest - ((earliest - phase) % every) - first), every };
}

/** When a task comes to a place of its line, and when it goes on from there. */
function timesOf(pieces: readonly Piece[], place: number, from: { piece: number }): [number, number] {
  while (from.piece < pieces.length - 1 && end(pieces[from.piece]) < place) from.piece++;
  const comes = at(pieces[from.piece], place);
  let last = from.piece;
  while (last < pieces.length - 1 && pieces[last + 1].place <= place) last++;
  return [comes, at(pieces[last], place)];
}

function end(piece: Piece): number {
  return piece.place + piece.to - piece.from;
}

function at(piece: Piece, place: number): number {
  return piece.from + Math.max(0, place - piece.place);
}

/** When a task entered the kernel first: from its program, not from what loads that. */
function firstEntry(events: Trace["events"], task: number): number {
  for (let seq = 0; seq < events.length; seq++)
    if (events.task[seq] === task && events.parent[seq] < 0 && events.kind[seq] === KIND.spawn) return events.tIn[seq];
  return 0;
}

/**
 * When a task got the CPU, and when it did in a replay: one after the other. A new task goes on at once, one that was switched
 * away before some instructions more. A task that lost the CPU to nobody did not get it anew.
 */
function switchesOf(
  { events }: Trace,
  task: number,
  first: number,
  pieces: readonly Piece[],
): [number, readonly number[]][] {
  const recorded: number[] = [];
  // The first task has the CPU from the beginning; what loaded its program came before.
  const loaded = pieces[0].from > 0 ? first : firstEntry(events, task);
  let inside = -1;
  for (let seq = 0; seq < events.length; seq++) {
    if (events.kind[seq] !== KIND.switch || events.task[seq] !== task || events.tIn[seq] < loaded) continue;
    // An event that waited twice is one wait in a replay: it goes on after the second.
    if (events.parent[seq] >= 0 && events.parent[seq] === inside) recorded.pop();
    inside = events.parent[seq];
    recorded.push(events.tIn[seq] - first);
  }
  const got = pieces.filter((piece, index) => (index === 0 ? piece.from > 0 : pieces[index - 1].why !== STOP.tick));
  return recorded.map((when, index) => {
    const from = got[index]?.from ?? Number.POSITIVE_INFINITY;
    return [when, [from - SWITCH_UNITS, from - SWITCH_UNITS - RESUME_INSTRUCTIONS]];
  });
}

/** Replays a trace with its own costs, one cycle a clock unit, under the emulator's scheduler. */
export function identityReplay(trace: Trace, data: ModelData): IdentityReplay {
  const { events, meta } = trace;
  const prepared = compile(trace, data);
  const { records, seq } = prepared;
  const shape = Int32Array.from({ length: records }, (_, r) => r);
  const program: Program = { ...prepared, shape, shapes: ownShapes(records) };
  const own = ownCosts(trace);
  const afterEach = own.map((cost, event) => afterOf(trace, data, event, cost));
  moveInner(trace, own, afterEach);
  addWakes(trace, own, afterEach);
  const after = Float64Array.from(seq, (event) => afterEach[event]);
  const total = Float64Array.from(seq, (event) => own[event]);
  const cause = (cycles: number): Float64Array => {
    const list = new Float64Array(CAUSE_COUNT);
    list[CAUSE_INDEX["switch"]] = cycles;
    return list;
  };
  const first = beginning(trace, program, own);
  let last = 0;
  for (let event = 0; event < events.length; event++) {
    // What never returned has still done its work.
    last = Math.max(last, Number.isNaN(events.tOut[event]) ? events.tIn[event] + own[event] : events.tOut[event]);
  }
  const cyclesPerNs = 1 / meta.clock.nsPerUnit;
  const user = userCycles(program, new Float64Array(CLASSES.length).fill(1), cyclesPerNs);
  const nothing = new Float64Array(CAUSE_COUNT);
  const costs = {
    total,
    after,
    body: total,
    copy: new Float64Array(records),
    way: new Uint16Array(records),
    ways: [nothing],
  };
  const ticks = ticksOf(trace, first);
  const timeline = new Timeline();
  const { makespan } = replay(
    program,
    user,
    costs,
    {
      tickInUser: cause(ticks.cost),
      tickInKernel: cause(ticks.cost),
      tickInIdle: nothing,
      switch: cause(SWITCH_UNITS),
      fromIdle: nothing,
      mmSwitch: nothing,
      wake: cause(RESUME_INSTRUCTIONS),
    },
    { tickCycles: ticks.every, firstTick: ticks.firstTick, quantumCycles: 2 ** 40, cyclesPerNs },
    { scheduler: "emulator", observer: timeline },
  );
  const lines = new TaskLines(program, user, costs);
  let most = 0;
  const times = { all: 0, exact: 0 };
  const switches = { all: 0, exact: 0 };
  const see = (of: { all: number; exact: number }, when: number, range: readonly number[]): void => {
    if (!(when >= 0)) return;
    const off = Math.min(...range.map((time) => Math.abs(time - when)));
    of.all++;
    if (off === 0) of.exact++;
    most = Math.max(most, off);
  };
  timeline.ofTasks(program.tasks).forEach((pieces, task) => {
    if (pieces.length === 0) return;
    const from = { piece: 0 };
    let entered: number | undefined;
    for (let r = program.firstRecord[task]; r < program.firstRecord[task + 1]; r++) {
      // What nests in an event stands before it here: the outer one is entered where the first of them begins.
      entered ??= lines.begin(task, r);
      if (events.parent[seq[r]] >= 0) continue;
      see(times, events.tIn[seq[r]] - first, timesOf(pieces, entered + startOf(trace, seq[r]), from));
      see(times, events.tOut[seq[r]] - first, timesOf(pieces, lines.end(task, r), from));
      entered = undefined;
    }
    for (const [when, found] of switchesOf(trace, task, first, pieces)) see(switches, when, found);
  });
  return { recorded: last - first, replayed: makespan, times, switches, most };
}
