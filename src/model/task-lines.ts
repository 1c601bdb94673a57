// Each task's own work as one line of cycles: program instructions, then a record, then the next; and where things are on it.
//
// Sums are kept at the ends of segments only; what lies within one is found by walking it.
import type { Amounts } from "./lines.ts";
import type { Program } from "./program.ts";
import type { Segments } from "./segments.ts";
import type { ShapeCosts } from "./shape-costs.ts";
import type { ShapeNumbers } from "./shapes.ts";
import { CPI_UNITS, type UserCycles } from "./user-cycles.ts";

/** Kernel cycles of each segment. */
function segmentCosts(shape: ShapeNumbers, total: Float64Array, first: Int32Array): Float64Array {
  const sums = new Float64Array(first.length - 1);
  for (let s = 0; s < sums.length; s++) {
    let sum = 0;
    for (let r = first[s], to = first[s + 1]; r < to; r++) sum += total[shape[r]];
    sums[s] = sum;
  }
  return sums;
}

/** The lines of all tasks under one price list. */
export class TaskLines {
  readonly #shape: ShapeNumbers;
  readonly #user: Amounts;
  readonly #segments: Segments;
  readonly #rates: Float64Array;
  readonly #units: Float64Array;
  readonly #total: Float64Array;
  readonly #after: Float64Array;
  /** Where each segment ends on its task's line. */
  readonly #end: Float64Array;
  // The place last walked to: a record, its segment, units and kernel cycles up to its end. -1: none.
  #record = -1;
  #segment = -1;
  #unitsThere = 0;
  #kernelThere = 0;

  constructor(program: Program, user: UserCycles, costs: ShapeCosts) {
    const { segments, shape, tasks } = program;
    const { total, after } = costs;
    this.#shape = shape;
    this.#user = program.user;
    this.#segments = segments;
    this.#rates = user.rates;
    this.#units = user.units;
    this.#total = total;
    this.#after = after;
    const end = segmentCosts(shape, total, segments.first);
    const { firstOfTask } = segments;
    for (let task = 0; task < tasks; task++) {
      let kernel = 0;
      for (let s = firstOfTask[task]; s < firstOfTask[task + 1]; s++) {
        kernel += end[s];
        end[s] = Math.floor(user.units[s] / CPI_UNITS) + kernel;
      }
    }
    this.#end = end;
  }

  /** Is this segment the first of its task? Then nothing lies before it. */
  #isFirst(segment: number, task: number): boolean {
    return segment === this.#segments.firstOfTask[task];
  }

  /** Stands before the first record of a task's segment. */
  #enter(task: number, segment: number): void {
    const opening = this.#isFirst(segment, task);
    this.#segment = segment;
    this.#record = this.#segments.first[segment] - 1;
    this.#unitsThere = opening ? 0 : this.#units[segment - 1];
    this.#kernelThere = opening ? 0 : this.#end[segment - 1] - Math.floor(this.#unitsThere / CPI_UNITS);
  }

  /** Goes on by one record of the same segment; returns where it ends. */
  #step(): number {
    const record = ++this.#record;
    this.#unitsThere += this.#user[record] * this.#rates[this.#segments.mix[this.#segment]];
    this.#kernelThere += this.#total[this.#shape[record]];
    return Math.floor(this.#unitsThere / CPI_UNITS) + this.#kernelThere;
  }

  /** Where a record of a task ends on its line. */
  end(task: number, record: number): number {
    const { first } = this.#segments;
    let segment = this.#segment;
    if (segment < 0 || record < first[segment] || record >= first[segment + 1]) {
      segment = this.#segmentOf(task, record);
      if (record === first[segment + 1] - 1) return this.#end[segment];
      this.#enter(task, segment);
    } else if (record === first[segment + 1] - 1) return this.#end[segment];
    else if (record < this.#record) this.#enter(task, segment);
    else if (record === this.#record) return Math.floor(this.#unitsThere / CPI_UNITS) + this.#kernelThere;
    let end = 0;
    while (this.#record < record) end = this.#step();
    return end;
  }

  /** The segment that holds a record of a task. */
  #segmentOf(task: number, record: number): number {
    const { first, firstOfTask } = this.#segments;
    let low = firstOfTask[task];
    let high = firstOfTask[task + 1] - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (first[middle] <= record) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where a record enters the kernel. */
  begin(task: number, record: number): number {
    return this.end(task, record) - this.#total[this.#shape[record]];
  }

  /** Where a record may have to wait: its work is done, the way out is still to go. */
  middle(task: number, record: number): number {
    return this.end(task, record) - this.#after[this.#shape[record]];
  }

  /** Where the record of a stop ends. */
  stopEnd(stop: number): number {
    return this.#end[this.#segments.ofStop[stop]];
  }

  /** Where the record of a stop may have to wait. */
  stopMiddle(stop: number): number {
    const segment = this.#segments.ofStop[stop];
    return this.#end[segment] - this.#after[this.#shape[this.#segments.first[segment + 1] - 1]];
  }

  /** The length of a task's line. */
  length(task: number): number {
    const { firstOfTask } = this.#segments;
    return firstOfTask[task] < firstOfTask[task + 1] ? this.#end[firstOfTask[task + 1] - 1] : 0;
  }

  /** The record at a place: the first of the task's that ends behind it; one past its last when all have ended. */
  recordAt(task: number, place: number): number {
    const { first, firstOfTask } = this.#segments;
    let low = firstOfTask[task];
    let high = firstOfTask[task + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#end[middle] > place) high = middle;
      else low = middle + 1;
    }
    if (low === firstOfTask[task + 1]) return first[low];
    this.#enter(task, low);
    while (this.#step() <= place);
    return this.#record;
  }

  /** Program cycles of a task up to a place. */
  programUpTo(task: number, place: number): number {
    const { first, firstOfTask } = this.#segments;
    const end = firstOfTask[task + 1];
    const record = this.recordAt(task, place);
    if (record === first[end]) return end > firstOfTask[task] ? Math.floor(this.#units[end - 1] / CPI_UNITS) : 0;
    const kernelBefore = this.#kernelThere - this.#total[this.#shape[record]];
    return Math.min(place - kernelBefore, Math.floor(this.#unitsThere / CPI_UNITS));
  }

  /** Is a task at this place in the kernel? Interrupts are taken between instructions: at the edge it is not yet. */
  inKernel(task: number, place: number): boolean {
    const record = this.recordAt(task, place);
    const { first, firstOfTask } = this.#segments;
    return record < first[firstOfTask[task + 1]] && place > this.begin(task, record);
  }
}
