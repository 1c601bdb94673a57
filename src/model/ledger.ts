// Where a replay's cycles go: one sum a cause.
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { Program } from "./program.ts";
import { causesOf, type MachineCosts, type ShapeCosts } from "./shape-costs.ts";
import type { UserCycles } from "./user-cycles.ts";

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

/** What the machine itself charges. */
export class MachineCharges {
  readonly tickInUser: Charge;
  readonly tickInKernel: Charge;
  readonly tickInIdle: Charge;
  /** Defined when idleness is a task of its own. */
  readonly fromIdle: Charge | undefined;
  readonly wake: Charge;
  readonly switch: Charge;
  readonly #mmSwitch: Charge;

  constructor(costs: MachineCosts) {
    this.tickInUser = new Charge(costs.tickInUser);
    this.tickInKernel = new Charge(costs.tickInKernel);
    this.tickInIdle = costs.tickInIdle === undefined ? this.tickInKernel : new Charge(costs.tickInIdle);
    this.fromIdle = costs.fromIdle === undefined ? undefined : new Charge(costs.fromIdle);
    this.wake = new Charge(costs.wake);
    this.switch = new Charge(costs.switch);
    this.#mmSwitch = new Charge(costs.mmSwitch);
  }

  /** A switch between tasks of the same or of two processes, or back from idleness; returns its cycles. */
  switchTo(sums: Float64Array, sameProcess: boolean, wasIdle: boolean): number {
    let cost = this.switch.to(sums);
    if (!sameProcess) cost += this.#mmSwitch.to(sums);
    if (wasIdle && this.fromIdle !== undefined) cost += this.fromIdle.to(sums);
    return cost;
  }
}

/** Every record of every task has run exactly once: their causes come from the shapes' counts. */
export function chargeRecords(program: Program, costs: ShapeCosts, user: UserCycles, sums: Float64Array): void {
  const records = causesOf(program.shapes, costs);
  for (let c = 0; c < CAUSE_COUNT; c++) sums[c] += records[c];
  for (let task = 0; task < program.tasks; task++) sums[CAUSE_INDEX["user"]] += user.total(task);
}
