// Who waits for whom: a record goes on at the latest of its causes, each the end of another record's work (or its own) plus a delay.
import { InputError } from "../errors.ts";
import type { Program } from "./program.ts";
import { FROM_START, WAIT } from "./waits.ts";

/** Cycles are exact integers up to 2^53; what begins before this ends before that. */
const LATEST = 2 ** 52;

/** The state of all waits of one replay. */
export class Dependencies {
  readonly #program: Program;
  readonly #cyclesPerNs: number;
  /** When each stop's work was done; -1: not yet. */
  readonly #doneAt: Float64Array;
  /** Causes that each task's waiting record still lacks. */
  readonly #lacking: Int32Array;
  readonly #readyAt: Float64Array;
  readonly #readyKind: Uint8Array;
  readonly #readyWait: Int32Array;

  constructor(program: Program, cyclesPerNs: number) {
    this.#program = program;
    this.#cyclesPerNs = cyclesPerNs;
    this.#doneAt = new Float64Array(program.meetings.record.length).fill(-1);
    this.#lacking = new Int32Array(program.tasks);
    this.#readyAt = new Float64Array(program.tasks);
    this.#readyKind = new Uint8Array(program.tasks);
    this.#readyWait = new Int32Array(program.tasks).fill(-1);
  }

  /** When the task's record may go on, if all its causes are known; else undefined. Call when the record's own work is done. */
  ready(task: number, stop: number, now: number): number | undefined {
    const { waits, meetings } = this.#program;
    this.#lacking[task] = 0;
    this.#readyAt[task] = 0;
    this.#readyKind[task] = WAIT.dependency;
    this.#readyWait[task] = -1;
    for (let w = meetings.firstWait[stop]; w < meetings.firstWait[stop + 1]; w++) {
      const source = waits.source[w];
      const base = source === FROM_START ? 0 : source < 0 ? now : this.#doneAt[meetings.sourceStop[w]];
      if (base < 0) this.#lacking[task]++;
      else this.#learn(task, w, base);
    }
    return this.#lacking[task] === 0 ? this.#readyAt[task] : undefined;
  }

  /** What kind of cause (WAIT) the task's record is held by. */
  kind(task: number): number {
    return this.#readyKind[task];
  }

  /** The wait that holds the task's record longest, of those known. */
  held(task: number): number {
    return this.#readyWait[task];
  }

  #learn(task: number, wait: number, base: number): void {
    const { delayNs, kind } = this.#program.waits;
    const at = base + Math.round(delayNs[wait] * this.#cyclesPerNs);
    if (!(at < LATEST)) {
      const seq = this.#program.seq[this.#program.waits.target[wait]];
      throw new InputError(`event ${seq} waits until cycle ${at}, beyond 2^52: check its edges' delays`);
    }
    if (at <= this.#readyAt[task]) return;
    this.#readyAt[task] = at;
    this.#readyKind[task] = kind[wait];
    this.#readyWait[task] = wait;
  }

  /** The work of a stop's record is done. Calls `free(task, time)` for each task whose last lacking cause this was. */
  done(stop: number, now: number, waitsAt: (task: number) => number, free: (task: number, time: number) => void): void {
    const { meetings } = this.#program;
    this.#doneAt[stop] = now;
    for (let t = meetings.firstTold[stop]; t < meetings.firstTold[stop + 1]; t++) {
      const wait = meetings.told[t];
      const task = meetings.taskOf[meetings.waiterStop[wait]];
      if (waitsAt(task) !== meetings.waiterStop[wait]) continue;
      this.#learn(task, wait, now);
      if (--this.#lacking[task] === 0) free(task, this.#readyAt[task]);
    }
  }
}
