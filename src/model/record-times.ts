// When records ended in a replay that was watched.
import type { Program } from "./program.ts";
import type { TaskLines } from "./task-lines.ts";
import type { Piece } from "./timeline.ts";

/** The task that a record belongs to. */
export function taskOf(program: Program, record: number): number {
  let low = 0;
  let high = program.tasks;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (program.firstRecord[middle] <= record) low = middle;
    else high = middle;
  }
  return low;
}

/** The first piece of a task for which a test holds; it holds for all after one for which it does. */
function firstPiece(pieces: readonly Piece[], holds: (piece: Piece) => boolean): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(pieces[middle])) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** When a task's line first reached a place; Infinity if it never did. */
function reached(pieces: readonly Piece[], place: number): number {
  const piece = pieces[firstPiece(pieces, ({ from, to, place: start }) => start + (to - from) >= place)];
  return piece === undefined ? Number.POSITIVE_INFINITY : piece.from + Math.max(0, place - piece.place);
}

/** When a task's line went on from a place, or ended there. */
function left(pieces: readonly Piece[], place: number): number {
  const at = firstPiece(pieces, ({ place: start }) => start > place) - 1;
  return at < 0 ? 0 : pieces[at].from + place - pieces[at].place;
}

/** Times of the records of a replay. `pieces`: each task's, in order. */
export class RecordTimes {
  readonly #program: Program;
  readonly #lines: TaskLines;
  readonly #pieces: readonly (readonly Piece[])[];
  readonly #waits: ReadonlySet<number>;

  constructor(program: Program, lines: TaskLines, pieces: readonly (readonly Piece[])[]) {
    this.#program = program;
    this.#lines = lines;
    this.#pieces = pieces;
    this.#waits = new Set(program.waits.target);
  }

  /** When a record's line passed a place of it; where it waits, after it has waited. */
  #passed(record: number, place: (task: number) => number): number {
    const task = taskOf(this.#program, record);
    const pieces = this.#pieces[task];
    const at = place(task);
    const waitsHere = this.#waits.has(record) && this.#lines.middle(task, record) === at;
    return waitsHere ? left(pieces, at) : reached(pieces, at);
  }

  /** When a task's line first reached a place. */
  at(task: number, place: number): number {
    return reached(this.#pieces[task], place);
  }

  /** Whether a record waits for something in the trace or outside it. */
  waits(record: number): boolean {
    return this.#waits.has(record);
  }

  /** When others heard of a record: its work was done, and it had waited for whatever it waits for. */
  heard(record: number): number {
    return this.#passed(record, (task) => this.#lines.middle(task, record));
  }

  /** When a record returned. */
  end(record: number): number {
    return this.#passed(record, (task) => this.#lines.end(task, record));
  }
}
