// The timeline of one replay: when each task had a CPU, from which place of its line to which, and what it was held by otherwise.
import { type Observer, STOP } from "./observer.ts";

/** A stretch of CPU time of one task: time and place pass alike, but for ticks, which are left out of it. */
export interface Piece {
  readonly task: number;
  readonly cpu: number;
  /** Cycles of the machine. */
  readonly from: number;
  readonly to: number;
  /** Cycles on the task's own line at `from`. */
  readonly place: number;
  /** Why it ended: one of STOP. */
  readonly why: number;
}

/** A task became ready for a CPU. */
export interface Readiness {
  readonly task: number;
  readonly time: number;
  /** Number of the wait that held it longest; -1: it had just begun. */
  readonly wait: number;
  /** The task that started it; -1: nobody in the trace. */
  readonly by: number;
}

/** Keeps all that happens: one object a stretch, for answers and exports, not for draws. */
export class Timeline implements Observer {
  readonly pieces: Piece[] = [];
  readonly readiness: Readiness[] = [];
  readonly #open = new Map<number, { time: number; place: number }>();

  run(time: number, _cpu: number, task: number, place: number): void {
    this.#open.set(task, { time, place });
  }

  stop(time: number, cpu: number, task: number, _place: number, why: number): void {
    const open = this.#open.get(task);
    if (open === undefined) return;
    this.#open.delete(task);
    if (time > open.time || why !== STOP.tick)
      this.pieces.push({ task, cpu, from: open.time, to: Math.max(time, open.time), place: open.place, why });
  }

  ready(time: number, task: number, wait: number, by: number): void {
    this.readiness.push({ task, time, wait, by });
  }

  /** The pieces of each task, in order of time. */
  ofTasks(tasks: number): Piece[][] {
    const of: Piece[][] = Array.from({ length: tasks }, () => []);
    for (const piece of this.pieces) of[piece.task].push(piece);
    return of;
  }
}
