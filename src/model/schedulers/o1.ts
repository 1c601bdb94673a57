// The scheduler of Linux 2.5 and 2.6 up to 2.6.22: per CPU an active and an expired array of 140 priorities, and a bonus for tasks
// that sleep much.
//
// Facts from Linux 2.6.9 kernel/sched.c: effective_prio(), recalc_task_prio(), scheduler_tick(), task_timeslice(), TASK_INTERACTIVE,
// TIMESLICE_GRANULARITY, EXPIRED_STARVING; sched_fork() halves the time slice. Nice values are not in a trace: all tasks have nice 0.
// Instead of periodic balancing a CPU that runs dry takes a task from the longest queue.
import { READY, type Scheduler, type SchedulerMachine, schedulerTick } from "./scheduler.ts";

const FIRST_PRIO = 100;
const LAST_PRIO = 139;
const STATIC_PRIO = 120;
const MAX_BONUS = 10;
/** A task is interactive from this many levels above its static priority on. */
const INTERACTIVE_DELTA = 2;
const TIMESLICE_NS = 1e8;
const MIN_TIMESLICE_NS = 5e6;
const MAX_SLEEP_NS = TIMESLICE_NS * MAX_BONUS;
/** A child begins with this share of its parent's sleep average. */
const CHILD_PENALTY = 0.95;

/** Tasks by priority, first in, first out in each. */
class PriorityArray {
  readonly #queues: number[][] = Array.from({ length: LAST_PRIO - FIRST_PRIO + 1 }, () => []);
  length = 0;

  push(task: number, prio: number): void {
    this.#queues[prio - FIRST_PRIO].push(task);
    this.length++;
  }

  /** Puts it before its equals. */
  unshift(task: number, prio: number): void {
    this.#queues[prio - FIRST_PRIO].unshift(task);
    this.length++;
  }

  shift(): number {
    for (const queue of this.#queues) {
      if (queue.length === 0) continue;
      this.length--;
      return queue.shift()!;
    }
    return -1;
  }
}

interface Queue {
  active: PriorityArray;
  expired: PriorityArray;
  /** When the first task of the expired array went there; -1: none did. */
  expiredSince: number;
}

export class ConstantTime implements Scheduler {
  readonly #machine: SchedulerMachine;
  readonly #queues: Queue[];
  readonly #prio: Uint8Array;
  readonly #slice: Int32Array;
  readonly #fullSlice: number;
  readonly #minSlice: number;
  readonly period: number;
  /** Sleep average in cycles, of at most maxSleep. */
  readonly #sleep: Float64Array;
  readonly #maxSleep: number;
  /** When the task began to run or to sleep. */
  readonly #since: Float64Array;
  /** The task goes to the expired array when it is added next. */
  readonly #spent: Uint8Array;
  /** It was interrupted, not spent: it goes before its equals. */
  readonly #turn: Uint8Array;

  constructor(machine: SchedulerMachine) {
    const { tasks, cpus, cyclesPerNs, tickCycles } = machine;
    this.#machine = machine;
    const tick = schedulerTick(machine);
    this.period = tickCycles > 0 ? Number.POSITIVE_INFINITY : tick;
    const ticks = (ns: number) => Math.max(1, Math.round((ns * cyclesPerNs) / tick));
    this.#fullSlice = ticks(TIMESLICE_NS);
    this.#minSlice = ticks(MIN_TIMESLICE_NS);
    this.#maxSleep = Math.max(1, Math.round(MAX_SLEEP_NS * cyclesPerNs));
    this.#queues = Array.from({ length: cpus }, () => ({
      active: new PriorityArray(),
      expired: new PriorityArray(),
      expiredSince: -1,
    }));
    this.#prio = new Uint8Array(tasks).fill(STATIC_PRIO + MAX_BONUS / 2);
    this.#slice = new Int32Array(tasks).fill(this.#fullSlice);
    this.#sleep = new Float64Array(tasks);
    this.#since = new Float64Array(tasks);
    this.#spent = new Uint8Array(tasks);
    this.#turn = new Uint8Array(tasks);
  }

  /** 0 to MAX_BONUS. */
  #bonus(task: number): number {
    return Math.floor((this.#sleep[task] * MAX_BONUS) / this.#maxSleep);
  }

  #effectivePrio(task: number): number {
    return Math.min(LAST_PRIO, Math.max(FIRST_PRIO, STATIC_PRIO - (this.#bonus(task) - MAX_BONUS / 2)));
  }

  #interactive(task: number): boolean {
    return this.#prio[task] <= STATIC_PRIO - INTERACTIVE_DELTA;
  }

  add(task: number, cpu: number, why: number, now: number, parent: number): void {
    const queue = this.#queues[cpu];
    if (why === READY.born && parent >= 0) {
      this.#slice[task] = (this.#slice[parent] + 1) >> 1;
      this.#slice[parent] = Math.max(1, this.#slice[parent] >> 1);
      this.#sleep[task] = Math.floor(this.#sleep[parent] * CHILD_PENALTY);
      this.#prio[task] = this.#effectivePrio(task);
    } else if (why === READY.woken) {
      const weight = MAX_BONUS - this.#bonus(task);
      const slept = (now - this.#since[task]) * Math.max(1, weight);
      this.#sleep[task] = Math.min(this.#maxSleep, this.#sleep[task] + slept);
      this.#prio[task] = this.#effectivePrio(task);
    }
    if (why === READY.yielded || this.#spent[task] === 1) {
      this.#spent[task] = 0;
      this.#expire(queue, task, now);
    } else if (why === READY.preempted && this.#turn[task] === 0) queue.active.unshift(task, this.#prio[task]);
    else queue.active.push(task, this.#prio[task]);
    this.#turn[task] = 0;
  }

  #expire(queue: Queue, task: number, now: number): void {
    if (queue.expiredSince < 0) queue.expiredSince = now;
    queue.expired.push(task, this.#prio[task]);
  }

  take(cpu: number): number {
    let queue = this.#queues[cpu];
    if (queue.active.length + queue.expired.length === 0) {
      for (const other of this.#queues) {
        if (other.active.length + other.expired.length > queue.active.length + queue.expired.length) queue = other;
      }
    }
    if (queue.active.length === 0) {
      [queue.active, queue.expired] = [queue.expired, queue.active];
      queue.expiredSince = -1;
    }
    return queue.active.shift();
  }

  ready(cpu: number): boolean {
    return this.#queues[cpu].active.length + this.#queues[cpu].expired.length > 0;
  }

  preempts(task: number, cpu: number): number {
    const current = this.#machine.running[cpu];
    return current >= 0 && this.#prio[task] < this.#prio[current] ? cpu : -1;
  }

  start(task: number, _cpu: number, now: number): void {
    this.#since[task] = now;
  }

  stop(task: number, _cpu: number, now: number): void {
    const ran = Math.min(now - this.#since[task], this.#maxSleep);
    this.#sleep[task] = Math.max(0, this.#sleep[task] - Math.floor(ran / Math.max(1, this.#bonus(task))));
    this.#since[task] = now;
  }

  tick(task: number, cpu: number, now: number): boolean {
    const queue = this.#queues[cpu];
    if (--this.#slice[task] <= 0) {
      this.#prio[task] = this.#effectivePrio(task);
      this.#slice[task] = this.#fullSlice;
      const waiting = queue.active.length + queue.expired.length;
      // Alone, its array would become the active one at once.
      if (waiting === 0) return false;
      const starving = queue.expiredSince >= 0 && now - queue.expiredSince >= this.#maxSleep * (waiting + 1);
      this.#spent[task] = !this.#interactive(task) || starving ? 1 : 0;
      this.#turn[task] = 1;
      return true;
    }
    if (!this.#interactive(task)) return false;
    const granularity = this.#minSlice * (1 << (Math.max(1, MAX_BONUS - this.#bonus(task)) - 1)) * this.#machine.cpus;
    const left = this.#slice[task];
    if (left < granularity || (this.#fullSlice - left) % granularity !== 0) return false;
    this.#turn[task] = 1;
    return true;
  }

  expired(task: number, cpu: number, now: number): boolean {
    return this.tick(task, cpu, now);
  }
}
