// What can be watched in a replay: who has a CPU from which place of its line, why it leaves, and what made it ready again.

/** Why a task stops running: a timer tick, a quantum's end or a yield, a wait, its end. */
export const STOP = { tick: 0, preempted: 1, wait: 2, exit: 3 } as const;

/**
 * Hears what happens in a replay, in the order it happens. Times are cycles of the machine, places are cycles on the task's own line
 * (see task-lines.ts); while a task runs, both pass alike. A tick that comes before a task's work began stops it at the place it was
 * to run from.
 */
export interface Observer {
  /** From `time` on, which may lie ahead, a task's own work goes on from `place`. */
  run(time: number, cpu: number, task: number, place: number): void;
  /** It stops, for one of the reasons in STOP. */
  stop(time: number, cpu: number, task: number, place: number, why: number): void;
  /**
   * A task is ready for a CPU: `wait` is the number of the wait (waits.ts) that held it longest, -1 when it has just begun;
   * `by` is the task that started it, -1 for one that nobody in the trace started.
   */
  ready(time: number, task: number, wait: number, by: number): void;
}
