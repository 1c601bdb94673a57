// Counts, for each way into the kernel, how often it was taken and what the processor did on it: the recorder behind
// `kmlab run --paths`. It keeps no events. What is counted is the CPU's own tally; here it is only given to the way that the
// processor was on.
import { KIND, PATH, PATHS, SITE } from "../../traces/schema/enums.ts";
import type { Cpu } from "../cpu/cpu.ts";
import { TALLY, TALLY_ENTRIES, TALLY_ENTRY, TALLY_KINDS, TALLY_RETURN, TALLY_RETURNS } from "../cpu/state.ts";
import { type EventEnter, type EventLeave, NO_SEQ, NullRecorder, type Seq } from "./recorder.ts";

/** What one way cost, all times together. */
export interface PathCount {
  /** "A" to "L", or "other". */
  readonly path: string;
  readonly what: string;
  readonly count: number;
  /** On the way in and out, without bodies; of those that came back. */
  readonly instructions: number;
  readonly descriptors: number;
  readonly pushes: number;
  readonly levels: number;
  readonly drops: number;
  readonly tasks: number;
  readonly ports: number;
}

const WHAT: Readonly<Record<string, string>> = {
  A: "int 0x80 from ring 3",
  B: "SYSENTER from ring 3",
  C: "direct call",
  D: "direct call that needs all registers; return from a handler",
  E: "int 0x80 from ring 0",
  F: "exception in ring 3",
  G: "exception in ring 0",
  H: "exception in ring 0 without a stack: double fault",
  I: "interrupt of ring 3",
  J: "interrupt of ring 0",
  K: "interrupt lost in a double fault, made up for",
  L: "interrupt of the kernel",
};

/** Ways that have no letter, by the kind of event: behind those that have one. */
const OTHERS: Readonly<Record<number, string>> = {
  [KIND.spawn]: "a new task's first return",
  [KIND.vdso]: "the vDSO's clock functions",
  [KIND.fault]: "exception in the kernel's own entry code",
};
const OTHER_KINDS = [KIND.spawn, KIND.vdso, KIND.fault] as const;

/** Cells of a row: times, instructions, and the tally. */
const TIMES = 0;
const INSTRUCTIONS = 1;
const FIRST = 2;
const CELLS = FIRST + TALLY_KINDS;
const ROWS = PATHS.length + OTHER_KINDS.length + 1;
/** The program's own doings: segment loads of its runtime, and whatever a ring-0 program does. */
const PROGRAM = ROWS - 1;
/** Given back for what is no way: ends are ignored. */
const NO_WAY = ROWS;

function rowOf(e: EventEnter): number {
  const path = e.path ?? PATH.unknown;
  if (path !== PATH.unknown && path !== PATH.other) return path;
  const other = (OTHER_KINDS as readonly number[]).indexOf(e.kind);
  return other < 0 ? NO_WAY : PATHS.length + other;
}

/** Whether the processor came to an event through a gate, so that the gate's work is the event's. */
function byGate(e: EventEnter): boolean {
  return (
    e.kind === KIND.fault || e.kind === KIND.irq || e.path === PATH.E || (e.path === PATH.A && e.site === SITE.int80)
  );
}

export class PathCounter extends NullRecorder {
  override readonly watches = true;
  private readonly rows = new Float64Array(ROWS * CELLS);
  private tally: Int32Array = new Int32Array(TALLY_RETURNS + 1);
  /** The tally, and the numbers of deliveries and returns, when it was last given out. */
  private readonly last = new Int32Array(TALLY_KINDS);
  private entries = 0;
  private returns = 0;
  /** Rows of open events by task, innermost last; those of the task that has the processor. */
  private readonly tasks = new Map<number, number[]>();
  private open: number[] = [];
  /** An event is over but for its last instruction. */
  private leaving = -1;

  /** Counts what this processor does; before it runs. */
  attach(cpu: Pick<Cpu, "tally"> & { counting: boolean }): void {
    cpu.counting = true;
    this.tally = cpu.tally;
    this.last.set(cpu.tally.subarray(0, TALLY_KINDS));
  }

  override running(task: number): void {
    this.settle();
    let open = this.tasks.get(task);
    if (open === undefined) {
      open = [];
      this.tasks.set(task, open);
    }
    this.open = open;
  }

  override taskExit(task: number): void {
    this.settle();
    if (this.tasks.get(task) === this.open) this.open = [];
    this.tasks.delete(task);
  }

  override enter(e: EventEnter): Seq {
    const row = rowOf(e);
    if (row === NO_WAY) return NO_WAY;
    this.settleTo(byGate(e));
    this.open.push(row);
    this.rows[row * CELLS + TIMES]++;
    // The program's CALL that led to the vsyscall page.
    if (e.site === SITE.vsyscall && row < PATH.E) this.rows[row * CELLS + FIRST + TALLY.pushes]++;
    return row;
  }

  override leave(seq: Seq, end: EventLeave): void {
    if (seq === NO_WAY || seq === NO_SEQ) return;
    this.settle();
    this.open.pop();
    this.rows[seq * CELLS + INSTRUCTIONS] += end.kinstr;
    this.leaving = seq;
  }

  /** What has been counted since the last time belongs to where the processor was, up to the last return and from it on. */
  private settle(): void {
    this.settleTo(false);
  }

  /** @param gate only up to the last delivery, which begins something new */
  private settleTo(gate: boolean): void {
    const { tally, open } = this;
    if (this.leaving >= 0) {
      if (this.returns !== tally[TALLY_RETURNS]) this.give(this.leaving, TALLY_RETURN);
      this.leaving = -1;
    }
    this.give(
      open.length > 0 ? open[open.length - 1] : PROGRAM,
      gate && this.entries !== tally[TALLY_ENTRIES] ? TALLY_ENTRY : 0,
    );
    this.entries = tally[TALLY_ENTRIES];
    this.returns = tally[TALLY_RETURNS];
  }

  private give(row: number, from: number): void {
    const { tally, last, rows } = this;
    const at = row * CELLS + FIRST;
    for (let i = 0; i < TALLY_KINDS; i++) {
      const now = tally[from + i];
      if (now === last[i]) continue;
      rows[at + i] += (now - last[i]) | 0;
      last[i] = now;
    }
  }

  private row(row: number, path: string, what: string): PathCount {
    const at = row * CELLS;
    const cell = (i: number) => this.rows[at + FIRST + i];
    return {
      path,
      what,
      count: this.rows[at + TIMES],
      instructions: this.rows[at + INSTRUCTIONS],
      descriptors: cell(TALLY.descriptors),
      pushes: cell(TALLY.pushes),
      levels: cell(TALLY.levels),
      drops: cell(TALLY.drops),
      tasks: cell(TALLY.tasks),
      ports: cell(TALLY.ports),
    };
  }

  /** The ways that were taken, and last what was counted outside of any. */
  counts(): PathCount[] {
    this.settle();
    const ways = PATHS.flatMap((path, row) => (WHAT[path] === undefined ? [] : [this.row(row, path, WHAT[path])]));
    const others = OTHER_KINDS.map((kind, n) => this.row(PATHS.length + n, "other", OTHERS[kind]));
    const program = { ...this.row(PROGRAM, "none", "outside of any"), count: 0, instructions: 0 };
    return [...[...ways, ...others].filter(({ count }) => count > 0), program];
  }
}
