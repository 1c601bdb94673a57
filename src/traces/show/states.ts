// Where the time of each task went: its program, the kernel on its behalf, waits and for what, and what lies between.
import { piecesOf } from "../columns.ts";
import { EDGE_KINDS, KIND } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";
import { Histogram } from "./histogram.ts";

/** The time of one task in clock units; the parts add up to `life`. */
export interface TaskTimes {
  /** From its first record to its last. */
  life: number;
  /** Between its entries into the kernel; where the trace knows instructions no more than these. */
  program: number;
  /** In the kernel, waits left out. */
  kernel: number;
  waited: number;
  /** The rest: others had the CPU. */
  ready: number;
}

export interface TraceTimes {
  /** By task number. */
  readonly tasks: readonly TaskTimes[];
  /** Clock units that tasks waited, by what for, as far as edges tell; the longest first. */
  readonly waits: readonly { readonly why: string; readonly time: number }[];
  /** Of calls and faults that returned, waits included, and of the program between two entries; in nanoseconds. */
  readonly events: Histogram;
  readonly gaps: Histogram;
}

/** What each event waited for, as an edge kind; that of an event within another is the outer one's too. 0: no edge. */
function reasons(trace: Trace): Uint8Array {
  const { edges, events } = trace;
  const why = new Uint8Array(events.length);
  for (let edge = 0; edge < edges.length; edge++) {
    for (let seq = edges.to[edge]; seq >= 0; seq = events.parent[seq]) {
      if (why[seq] === 0) why[seq] = edges.kind[edge];
    }
  }
  return why;
}

/**
 * Time within events that tasks neither worked nor waited: others had the CPU. Follows who has each CPU, event by event, as far as
 * switches are recorded.
 */
class Turns {
  /** The task on each CPU. */
  readonly #on = new Map<number, number>();
  /** When another was first seen on its CPU; NaN: none was. */
  readonly #off: Float64Array;
  /** What is left of the wait of the event that each task is in. */
  readonly #wait: Float64Array;

  constructor(tasks: number) {
    this.#off = new Float64Array(tasks).fill(Number.NaN);
    this.#wait = new Float64Array(tasks);
  }

  /** A task enters the kernel and will wait there for so long. */
  enter(task: number, waits: number): void {
    this.#wait[task] = waits;
  }

  /** A task gets a CPU: for how long it was off it without waiting, if it goes on within an event. */
  switch(to: number, cpu: number, time: number, within: boolean): number {
    const from = this.#on.get(cpu);
    if (from !== undefined && from !== to && Number.isNaN(this.#off[from])) this.#off[from] = time;
    this.#on.set(cpu, to);
    const away = time - this.#off[to];
    this.#off[to] = Number.NaN;
    if (!(away > 0) || !within) return 0;
    const waited = Math.min(away, this.#wait[to]);
    this.#wait[to] -= waited;
    return away - waited;
  }
}

/** Follows every task along its outermost events. */
export function timesOf(trace: Trace): TraceTimes {
  const { clock } = trace.meta;
  const instructions = clock.unit === "instr";
  const tasks = trace.tasks.map((): TaskTimes => ({ life: 0, program: 0, kernel: 0, waited: 0, ready: 0 }));
  // When each task was last seen to go on; NaN: never.
  const last = new Float64Array(tasks.length).fill(Number.NaN);
  const why = reasons(trace);
  const waits = new Float64Array(EDGE_KINDS.length);
  const [spans, gaps] = [new Histogram(), new Histogram()];
  const turns = new Turns(tasks.length);
  for (const { from, rows } of piecesOf(trace.events)) follow(from, rows);
  function follow(from: number, rows: Trace["events"]): void {
    const { length, kind, task: taskOf, cpu, parent, tIn, tOut, user, blocked } = rows;
    for (let seq = 0; seq < length; seq++) {
      const task = taskOf[seq];
      const times = tasks[task];
      if (kind[seq] === KIND.switch) {
        const away = Math.min(turns.switch(task, cpu[seq], tIn[seq], parent[seq] >= 0), times.kernel);
        times.kernel -= away;
        times.ready += away;
      }
      if (parent[seq] >= 0) continue;
      const known = instructions && user[seq] >= 0;
      const before = Number.isNaN(last[task]) ? (known ? tIn[seq] - user[seq] : tIn[seq]) : last[task];
      const gap = Math.max(0, tIn[seq] - before);
      const program = known ? Math.min(user[seq], gap) : gap;
      const end = tOut[seq] >= tIn[seq] ? tOut[seq] : tIn[seq];
      const waited = blocked[seq] > 0 ? Math.min(blocked[seq], end - tIn[seq]) : 0;
      times.program += program;
      times.ready += gap - program;
      times.waited += waited;
      times.kernel += end - tIn[seq] - waited;
      turns.enter(task, waited);
      times.life += gap + end - tIn[seq];
      waits[why[from + seq]] += waited;
      if (program > 0) gaps.add(program * clock.nsPerUnit);
      if (!Number.isNaN(tOut[seq])) spans.add((end - tIn[seq]) * clock.nsPerUnit);
      last[task] = end;
    }
  }
  const sums = Array.from(waits, (time, kind) => ({ why: kind === 0 ? "something unknown" : EDGE_KINDS[kind], time }));
  return { tasks, waits: sums.filter(({ time }) => time > 0).sort((a, b) => b.time - a.time), events: spans, gaps };
}
