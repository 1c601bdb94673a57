// Round robin: one queue for all CPUs, first in, first out, each task for a quantum.
import { RunQueue } from "../run-queue.ts";
import type { Scheduler, SchedulerMachine } from "./scheduler.ts";

/** A quantum ends at exactly its last cycle; nobody takes a CPU from anybody before. */
export class RoundRobin implements Scheduler {
  readonly #queue = new RunQueue();
  readonly period: number;

  constructor({ quantumCycles }: SchedulerMachine) {
    this.period = quantumCycles;
  }

  add(task: number): void {
    this.#queue.push(task);
  }

  take(): number {
    return this.#queue.shift() ?? -1;
  }

  ready(): boolean {
    return !this.#queue.empty;
  }

  preempts(): number {
    return -1;
  }

  start(): void {}

  stop(): void {}

  tick(): boolean {
    return false;
  }

  expired(): boolean {
    return true;
  }
}
