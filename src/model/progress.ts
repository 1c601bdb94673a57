// How far each task of a replay is: the record it is in or before, what of it is done, and where it must stop next.
import type { Cpu } from "./cpu.ts";
import type { Program } from "./program.ts";
import type { TaskLines } from "./task-lines.ts";

/** Of the record a task is in: before its waiting point; past it, but others have not heard; past it. */
export const PAST = { before: 0, owing: 1, known: 2 } as const;

/** The progress of all tasks. `perRecord`: every edge of every record is a place to stop at. */
export class Progress {
  /** The record that each task is in or before, and how far it is in that (PAST). */
  readonly at: Int32Array;
  readonly past: Uint8Array;
  /** The next stop of each task: the record where it meets others. */
  readonly nextStop: Int32Array;
  /** Its place on its line when it does not run. */
  readonly place: Float64Array;
  readonly #program: Program;
  readonly #lines: TaskLines;
  readonly #perRecord: boolean;

  constructor(program: Program, lines: TaskLines, perRecord: boolean) {
    this.#program = program;
    this.#lines = lines;
    this.#perRecord = perRecord;
    this.at = program.firstRecord.slice(0, program.tasks);
    this.past = new Uint8Array(program.tasks);
    this.nextStop = program.meetings.firstOfTask.slice(0, program.tasks);
    this.place = new Float64Array(program.tasks);
  }

  /** The next record where this task meets others; -1: none. */
  meeting(task: number): number {
    const { meetings } = this.#program;
    const stop = this.nextStop[task];
    return stop < meetings.firstOfTask[task + 1] ? meetings.record[stop] : -1;
  }

  /** The stop that the task is past, if it is still in that record; -1: it is in another. */
  #stopHere(task: number): number {
    const { meetings } = this.#program;
    const stop = this.nextStop[task] - 1;
    return stop >= meetings.firstOfTask[task] && meetings.record[stop] === this.at[task] ? stop : -1;
  }

  /** Where a CPU's task must stop next; `now`: where it is. */
  stopPlace(cpu: Cpu, now: number): number {
    const task = cpu.current;
    const lines = this.#lines;
    const past = this.past[task];
    const record = this.at[task];
    if (past === PAST.owing) return cpu.startPlace;
    if (past === PAST.known) {
      const stop = this.#stopHere(task);
      return stop >= 0 ? lines.stopEnd(stop) : lines.end(task, record);
    }
    if (this.#perRecord) {
      const begin = lines.begin(task, record);
      return now < begin ? begin : lines.middle(task, record);
    }
    const meeting = this.meeting(task);
    if (cpu.mustSwitch && meeting !== record) return lines.end(task, record);
    return meeting >= 0 ? lines.stopMiddle(this.nextStop[task]) : lines.length(task);
  }

  /** Is a task at this place of its line in the kernel? */
  inKernel(task: number, place: number): boolean {
    if (this.past[task] !== PAST.before) return place < this.#lines.end(task, this.at[task]);
    const told = this.nextStop[task] - 1;
    if (told >= this.#program.meetings.firstOfTask[task] && place < this.#lines.stopEnd(told)) return true;
    return this.#lines.inKernel(task, place);
  }

  /** Finds the record at a place, when nothing was stopped for since the last: not beyond where the task meets others. */
  find(task: number, place: number): void {
    if (this.past[task] !== PAST.before) return;
    const meeting = this.meeting(task);
    const record = this.#lines.recordAt(task, place);
    this.at[task] = meeting >= 0 ? Math.min(record, meeting) : record;
  }

  /** The task's record has ended: on to the next. Did it give up the CPU by itself? */
  endRecord(task: number): boolean {
    const stop = this.#stopHere(task);
    this.at[task]++;
    this.past[task] = PAST.before;
    return stop >= 0 && this.#program.meetings.yields[stop] === 1;
  }

  /** Has the task's last record ended? */
  isOver(task: number): boolean {
    return this.at[task] === this.#program.firstRecord[task + 1];
  }

  /** To the last record, whose end comes next. */
  toLast(task: number): void {
    this.at[task] = this.#program.firstRecord[task + 1] - 1;
  }

  /** A wait is over that nobody else waits for: nothing is to be told, the task goes on to its next stop. */
  passSilently(task: number): void {
    if (this.#perRecord || this.past[task] !== PAST.owing) return;
    const { firstTold } = this.#program.meetings;
    const stop = this.nextStop[task];
    if (firstTold[stop] < firstTold[stop + 1] || !this.#goesOn(task, stop)) return;
    this.nextStop[task]++;
    this.#leaveRecord(task);
  }

  /** A stop has been told of. Unless the end of its record matters, the task is as good as past it. */
  pass(task: number, stop: number, mustSwitch: boolean): void {
    if (!this.#perRecord && !mustSwitch && this.#goesOn(task, stop)) this.#leaveRecord(task);
  }

  /** Is the way out of a stop's record nothing to stop for? */
  #goesOn(task: number, stop: number): boolean {
    return this.#program.meetings.yields[stop] === 0 && this.at[task] + 1 < this.#program.firstRecord[task + 1];
  }

  /** Past its record: its place says that the way out is still to go. */
  #leaveRecord(task: number): void {
    this.at[task]++;
    this.past[task] = PAST.before;
  }
}
