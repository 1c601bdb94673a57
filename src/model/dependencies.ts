// Who waits for whom: a record goes on at the latest of its causes, each the end of another record's work (or its own) plus a delay.
import { InputError } from "../errors.ts";
import { Disk, type DiskTimes } from "./disk.ts";
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
  /** When its own work was done. */
  readonly #since: Float64Array;
  readonly #readyKind: Uint8Array;
  readonly #readyWait: Int32Array;

  readonly #disk: Disk | undefined;
  readonly #loopbackNs: number;

  constructor(program: Program, cyclesPerNs: number, options: { disk?: DiskTimes; loopbackNs?: number } = {}) {
    this.#disk = options.disk === undefined ? undefined : new Disk(options.disk, cyclesPerNs);
    this.#loopbackNs = options.loopbackNs ?? 0;
    this.#program = program;
    this.#cyclesPerNs = cyclesPerNs;
    this.#doneAt = new Float64Array(program.meetings.record.length).fill(-1);
    this.#lacking = new Int32Array(program.tasks);
    this.#since = new Float64Array(program.tasks);
    this.#readyKind = new Uint8Array(program.tasks);
    this.#readyWait = new Int32Array(program.tasks).fill(-1);
  }

  /** When the task's record may go on, if all its causes are known; else undefined. Call when the record's own work is done. */
  ready(task: number, stop: number, now: number): number | undefined {
    const { waits, meetings } = this.#program;
    this.#since[task] = now;
    let lacking = 0;
    for (let w = meetings.firstWait[stop]; w < meetings.firstWait[stop + 1]; w++)
      if (waits.source[w] >= 0 && this.#doneAt[meetings.sourceStop[w]] < 0) lacking++;
    this.#lacking[task] = lacking;
    return lacking === 0 ? this.#goesOn(task, stop) : undefined;
  }

  /** What kind of cause (WAIT) the task's record is held by. */
  kind(task: number): number {
    return this.#readyKind[task];
  }

  /** The wait that holds the task's record longest. */
  held(task: number): number {
    return this.#readyWait[task];
  }

  /**
   * When a record goes on whose causes are all known. They come in the order in which it waited for them, so what depends on
   * nothing in the trace (a device, a deadline) begins when the waits before it are over.
   */
  #goesOn(task: number, stop: number): number {
    const { waits, meetings } = this.#program;
    let ready = this.#since[task];
    this.#readyKind[task] = WAIT.dependency;
    this.#readyWait[task] = -1;
    for (let w = meetings.firstWait[stop]; w < meetings.firstWait[stop + 1]; w++) {
      const source = waits.source[w];
      const base = source === FROM_START ? 0 : source < 0 ? ready : this.#doneAt[meetings.sourceStop[w]];
      const at = this.#disk !== undefined && waits.request[w] >= 0 ? this.#served(w, base) : this.#delayed(w, base);
      if (!(at < LATEST)) {
        const seq = this.#program.seq[waits.target[w]];
        throw new InputError(`event ${seq} waits until cycle ${at}, beyond 2^52: check its edges' delays`);
      }
      if (at <= ready) continue;
      ready = at;
      this.#readyKind[task] = waits.kind[w];
      this.#readyWait[task] = w;
    }
    return ready;
  }

  #delayed(wait: number, base: number): number {
    const { delayNs, kind } = this.#program.waits;
    const way = kind[wait] === WAIT.socket ? this.#loopbackNs : 0;
    return base + Math.round((delayNs[wait] + way) * this.#cyclesPerNs);
  }

  #served(wait: number, base: number): number {
    const { request, requests } = this.#program.waits;
    return this.#disk!.complete(base, requests[request[wait]]);
  }

  /** The work of a stop's record is done. Calls `free(task, time)` for each task whose last lacking cause this was. */
  done(stop: number, now: number, waitsAt: (task: number) => number, free: (task: number, time: number) => void): void {
    const { meetings } = this.#program;
    this.#doneAt[stop] = now;
    for (let t = meetings.firstTold[stop]; t < meetings.firstTold[stop + 1]; t++) {
      const wait = meetings.told[t];
      const waiting = meetings.waiterStop[wait];
      const task = meetings.taskOf[waiting];
      if (waitsAt(task) === waiting && --this.#lacking[task] === 0) free(task, this.#goesOn(task, waiting));
    }
  }
}
