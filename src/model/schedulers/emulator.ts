// The scheduler of kmlab's own emulated kernel (src/emu/kernel/sched.ts): one queue, slices of 3 ms looked at in ticks, and a sleeper
// goes on at once unless the current task only just started. For replays of what was captured; the emulator has one CPU.
import { READY, type Scheduler, type SchedulerMachine, schedulerTick } from "./scheduler.ts";

const MIN_SLICE_NS = 3e6;
const WAKEUP_GRANULARITY_NS = 1e6;

export class EmulatorScheduler implements Scheduler {
  readonly #machine: SchedulerMachine;
  readonly #queue: number[] = [];
  /** When each CPU's task was put on it. */
  readonly #dispatched: Float64Array;
  readonly #minSlice: number;
  readonly #wakeupGranularity: number;
  readonly period: number;
  /** The task added last goes on at once, on this CPU; -1: it does not. */
  #victim = -1;

  constructor(machine: SchedulerMachine) {
    this.#machine = machine;
    this.#dispatched = new Float64Array(machine.cpus);
    this.#minSlice = Math.round(MIN_SLICE_NS * machine.cyclesPerNs);
    this.#wakeupGranularity = Math.round(WAKEUP_GRANULARITY_NS * machine.cyclesPerNs);
    this.period = machine.tickCycles > 0 ? Number.POSITIVE_INFINITY : schedulerTick(machine);
  }

  add(task: number, cpu: number, why: number, now: number): void {
    const runs = this.#machine.running[cpu] >= 0;
    const owed = why === READY.woken && runs && now - this.#dispatched[cpu] >= this.#wakeupGranularity;
    this.#victim = owed && this.#queue.length === 0 ? cpu : -1;
    this.#queue.push(task);
  }

  take(): number {
    return this.#queue.shift() ?? -1;
  }

  ready(): boolean {
    return this.#queue.length > 0;
  }

  preempts(): number {
    return this.#victim;
  }

  start(_task: number, cpu: number, now: number): void {
    this.#dispatched[cpu] = now;
  }

  stop(): void {}

  tick(_task: number, cpu: number, now: number): boolean {
    return this.#queue.length > 0 && now - this.#dispatched[cpu] >= this.#minSlice;
  }

  expired(task: number, cpu: number, now: number): boolean {
    return this.tick(task, cpu, now);
  }
}
