// Where a replay's cycles go: one sum a cause.
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";

/** A list of cycles by cause with its sum, so that charging it costs a few additions. */
export class Charge {
  readonly sum: number;
  readonly cycles: Float64Array;
  readonly #causes: number[] = [];

  constructor(cycles: Float64Array) {
    this.cycles = cycles;
    let sum = 0;
    for (let c = 0; c < CAUSE_COUNT; c++) {
      sum += cycles[c];
      if (cycles[c] !== 0) this.#causes.push(c);
    }
    this.sum = sum;
  }

  /** Adds it so many times; returns the cycles of one. */
  to(sums: Float64Array, times = 1): number {
    for (const cause of this.#causes) sums[cause] += times * this.cycles[cause];
    return this.sum;
  }

  /** Takes back the last cycles of one: what lies beyond the end of a run. */
  takeBack(sums: Float64Array, cycles: number): void {
    let rest = cycles;
    for (const cause of [...this.#causes].reverse()) {
      const part = Math.min(rest, this.cycles[cause]);
      sums[cause] -= part;
      rest -= part;
    }
  }
}

export const IDLE_IO = CAUSE_INDEX["idle-io"];
export const IDLE_TIMER = CAUSE_INDEX["idle-timer"];
export const IDLE_DEPENDENCY = CAUSE_INDEX["idle-dependency"];
