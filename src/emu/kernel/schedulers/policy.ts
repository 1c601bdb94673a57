// What a scheduler of ordinary tasks decides: who runs next, for how long, and who takes the CPU from whom.
import type { Clock } from "../../machine/clock.ts";
import type { Task } from "../task.ts";

/** Why a task is put among the ready ones. */
export type Ready = "born" | "woken" | "preempted" | "yielded";

/** What a scheduler knows of the machine. */
export interface PolicyMachine {
  readonly clock: Clock;
  readonly nsPerUnit: number;
  /** Timer ticks a second. */
  readonly hz: number;
}

/** One kernel's scheduler of ordinary tasks. The task that runs is not among the ready ones. */
export interface Policy {
  /** Tasks that are ready. */
  readonly length: number;
  has(t: Task): boolean;
  /**
   * The task is ready.
   * @param current the ordinary task on the CPU, which goes on unless told otherwise; undefined: there is none
   * @returns whether that one must make room
   */
  add(t: Task, why: Ready, current: Task | undefined): boolean;
  /** The task is no longer ready, although it did not run. */
  remove(t: Task): void;
  /** Takes the task that runs next; undefined: none is ready. */
  take(): Task | undefined;
  /** The task has the CPU from now on. */
  start(t: Task): void;
  /** The task leaves the CPU: it is added again, waits or is over. */
  stop(t: Task): void;
  /** A timer tick found the task running: must it make room? */
  tick(t: Task): boolean;
  /** The task is over. */
  forget(t: Task): void;
  /** Clock units on the CPU after which a task makes room, tick or not; undefined: ticks decide. */
  readonly quantum?: number;
}

const SCHED_IDLE = 5;
const LOWEST_NICE = 19;

/** A task's nice value; SCHED_IDLE counts as the highest there is. */
export function niceOf(t: Task): number {
  return t.policy === SCHED_IDLE ? LOWEST_NICE : t.nice;
}
