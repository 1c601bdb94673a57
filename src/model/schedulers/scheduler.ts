// What a scheduler decides: who gets a CPU, for how long, and from whom a task that just became ready takes one.

/** Why a task is put among the ready ones. */
export const READY = { born: 0, woken: 1, preempted: 2, yielded: 3 } as const;

/** What a scheduler knows of the machine. */
export interface SchedulerMachine {
  readonly tasks: number;
  readonly cpus: number;
  /** The process (address space) of each task, as a task number. */
  readonly process: Int32Array;
  /** The task each CPU runs; -1: none. Kept by the machine. */
  readonly running: Int32Array;
  /** Cycles between timer ticks; 0: there are none. */
  readonly tickCycles: number;
  readonly quantumCycles: number;
  readonly cyclesPerNs: number;
}

/**
 * One replay's scheduler. Times are cycles of the machine and never fall. A task that runs is not among the ready ones; nothing
 * is decided between calls, so a replay that stops more often is the same replay.
 */
export interface Scheduler {
  /** The task is ready. `cpu` is an idle CPU if there is one, else the one it was on last; `parent`: who started it, or -1. */
  add(task: number, cpu: number, why: number, now: number, parent: number): void;
  /** Takes the task that this CPU runs next; -1: none is ready. */
  take(cpu: number, now: number): number;
  /** Is anyone ready whom this CPU could run without asking other CPUs? */
  ready(cpu: number): boolean;
  /** The CPU that a task just added takes from its current task; -1: it waits. */
  preempts(task: number, cpu: number, now: number): number;
  /** The task has this CPU from now on. */
  start(task: number, cpu: number, now: number): void;
  /** The task leaves the CPU: it is added again, waits (`sleeps`) or is over. */
  stop(task: number, cpu: number, now: number, sleeps: boolean): void;
  /** A timer tick found the task running: must it make room? */
  tick(task: number, cpu: number, now: number): boolean;
  /** Cycles of a stretch on a CPU after which expired() is asked, again and again; Infinity: never. */
  readonly period: number;
  expired(task: number, cpu: number, now: number): boolean;
}

/** Time between looks at the clock where a scheduler counts in ticks and the machine has none: 10 ms. */
const SILENT_TICK_NS = 1e7;

/** Cycles between the ticks that a scheduler counts in, whether or not the machine is interrupted by them. */
export function schedulerTick({ tickCycles, cyclesPerNs }: SchedulerMachine): number {
  return tickCycles > 0 ? tickCycles : Math.max(1, Math.round(SILENT_TICK_NS * cyclesPerNs));
}
