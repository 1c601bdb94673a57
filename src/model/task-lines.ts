// Each task's own work as one line of cycles: program instructions, then a record, then the next; and where things are on it.
import type { Program } from "./program.ts";
import type { ShapeCosts } from "./shape-costs.ts";

/** The lines of all tasks under one price list. */
export class TaskLines {
  /** Where each record ends on its task's line. */
  readonly end: Float64Array;
  readonly #firstRecord: Int32Array;
  readonly #shape: Int32Array;
  readonly #total: Float64Array;
  readonly #after: Float64Array;

  /** `user`: cycles of program instructions up to each record, as running totals of its task. */
  constructor(program: Program, user: Float64Array, costs: ShapeCosts) {
    const { tasks, records, firstRecord, shape } = program;
    const { total, after } = costs;
    this.#firstRecord = firstRecord;
    this.#shape = shape;
    this.#total = total;
    this.#after = after;
    this.end = new Float64Array(records);
    for (let task = 0; task < tasks; task++) {
      let kernel = 0;
      for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
        kernel += total[shape[r]];
        this.end[r] = user[r] + kernel;
      }
    }
  }

  /** Where a record enters the kernel. */
  begin(record: number): number {
    return this.end[record] - this.#total[this.#shape[record]];
  }

  /** Where a record may have to wait: its work is done, the way out is still to go. */
  middle(record: number): number {
    return this.end[record] - this.#after[this.#shape[record]];
  }

  /** The length of a task's line. */
  length(task: number): number {
    const [from, to] = [this.#firstRecord[task], this.#firstRecord[task + 1]];
    return to > from ? this.end[to - 1] : 0;
  }

  /** The record at a place, not before `from`: the first of the task's that ends behind it; one past its last when all have ended. */
  recordAt(task: number, from: number, place: number): number {
    let low = from;
    let high = this.#firstRecord[task + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.end[middle] > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Is a task at this place in the kernel? Interrupts are taken between instructions: at the edge it is not yet. */
  inKernel(task: number, from: number, place: number): boolean {
    const record = this.recordAt(task, from, place);
    return record < this.#firstRecord[task + 1] && place > this.begin(record);
  }
}
