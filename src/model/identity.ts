// A capture replayed with its own costs: every entry into the kernel and every return should come in the cycle in which it was
// recorded, and so should every switch and wake-up between them.
//
// What a trace of the emulator does not say, and is taken from what it does: the cost of a timer tick (a fixed charge), and that
// the timer stands still in idle time.
import { CLASSES, KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { ModelData } from "./data.ts";
import { entriesOf, eventCosts, RESUME_INSTRUCTIONS, ranAlone, startOf, switchUnits } from "./identity-costs.ts";
import { STOP } from "./observer.ts";
import { compile, type Program } from "./program.ts";
import { type Replayed, replay } from "./replay.ts";
import { RECORD, SHAPE_WORKS, type Shapes } from "./shapes.ts";
import { TaskLines } from "./task-lines.ts";
import { type Piece, Timeline } from "./timeline.ts";
import { userCycles } from "./user-cycles.ts";

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
  const anew = (before: Piece, piece: Piece) =>
    before.why !== STOP.tick && (before.why !== STOP.preempted || before.to !== piece.from);
  const got = pieces.filter((piece, index) => (index === 0 ? piece.from > 0 : anew(pieces[index - 1], piece)));
  const switched = switchUnits(events);
  return recorded.map((when, index) => {
    const from = got[index]?.from ?? Number.POSITIVE_INFINITY;
    return [when, [from - switched, from - switched - RESUME_INSTRUCTIONS]];
  });
}

/** A capture replayed with its own costs, one cycle a clock unit. */
interface OwnReplay {
  readonly program: Program;
  readonly lines: TaskLines;
  readonly timeline: Timeline;
  readonly replayed: Replayed;
  /** Clock units before the first program began. */
  readonly first: number;
  /** When the last task was done. */
  readonly last: number;
}

/** Quantum of the emulated kernel's round robin. */
const QUANTUM_NS = 1e8;
/** The scheduler of the emulated kernel where a trace names none. */
const OWN_SCHEDULER = "emulator";

/** Replays a trace with its own costs, under its own scheduler or another. */
function ownReplay(trace: Trace, data: ModelData, scheduler: string): OwnReplay {
  const { events, meta } = trace;
  const prepared = compile(trace, data);
  const { records, seq } = prepared;
  const shape = Int32Array.from({ length: records }, (_, r) => r);
  const program: Program = { ...prepared, shape, shapes: ownShapes(records) };
  const { own, after: afterEach } = eventCosts(trace, data);
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
  const replayed = replay(
    program,
    user,
    costs,
    {
      tickInUser: cause(ticks.cost),
      tickInKernel: cause(ticks.cost),
      tickInIdle: nothing,
      switch: cause(switchUnits(trace.events)),
      fromIdle: nothing,
      mmSwitch: nothing,
      wake: cause(RESUME_INSTRUCTIONS),
    },
    {
      tickCycles: ticks.every,
      firstTick: ticks.firstTick,
      quantumCycles: Math.round(QUANTUM_NS * cyclesPerNs),
      cyclesPerNs,
    },
    { scheduler, observer: timeline },
  );
  return { program, lines: new TaskLines(program, user, costs), timeline, replayed, first, last };
}

/** When each task of a capture ends if another scheduler has the CPU, in clock units of the capture; NaN: it has no events. */
export function endsUnder(trace: Trace, data: ModelData, scheduler: string): Float64Array {
  const { replayed, first } = ownReplay(trace, data, scheduler);
  return replayed.finished.map((time) => time + first);
}

/** Replays a trace with its own costs under its own scheduler. */
export function identityReplay(trace: Trace, data: ModelData): IdentityReplay {
  const { events, meta } = trace;
  const { program, lines, timeline, replayed, first, last } = ownReplay(trace, data, meta.scheduler ?? OWN_SCHEDULER);
  const { seq } = program;
  const entries = entriesOf(trace);
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
      see(times, entries[seq[r]] - first, timesOf(pieces, entered + startOf(trace, seq[r]), from));
      see(times, events.tOut[seq[r]] - first, timesOf(pieces, lines.end(task, r), from));
      entered = undefined;
    }
    for (const [when, found] of switchesOf(trace, task, first, pieces)) see(switches, when, found);
  });
  return { recorded: last - first, replayed: replayed.makespan, times, switches, most };
}
