// The completely fair scheduler of Linux 2.6.23 to 6.5: per CPU the task that has run least runs next.
//
// Facts from Linux 4.0 kernel/sched/fair.c: sysctl_sched_latency, _min_granularity, _wakeup_granularity and their factor
// 1 + log2(CPUs), sched_slice(), place_entity() with START_DEBIT and GENTLE_FAIR_SLEEPERS, check_preempt_tick(), wakeup_preempt_entity().
// Nice values are not in a trace: all tasks weigh the same, so virtual time is time. Instead of periodic balancing a CPU that runs
// dry takes a task from the longest queue. Linux 6.6 and later choose by deadlines among equals instead (EEVDF), which this is not.
import { READY, type Scheduler, type SchedulerMachine, schedulerTick } from "./scheduler.ts";

const LATENCY_NS = 6e6;
const MIN_GRANULARITY_NS = 750_000;
const WAKEUP_GRANULARITY_NS = 1e6;
/** Most CPUs that the factor counts. */
const MOST_CPUS = 8;

interface Queue {
  /** Ready tasks; the one of least virtual time is looked for. */
  tasks: number[];
  minVruntime: number;
}

export class CompletelyFair implements Scheduler {
  readonly #machine: SchedulerMachine;
  readonly #queues: Queue[];
  readonly #vruntime: Float64Array;
  /** Up to when the running task's time is counted, and when it was last put on its CPU. */
  readonly #counted: Float64Array;
  readonly #began: Float64Array;
  readonly #home: Int32Array;
  readonly #latency: number;
  readonly #minGranularity: number;
  readonly #wakeupGranularity: number;
  readonly period: number;

  constructor(machine: SchedulerMachine) {
    const { tasks, cpus, cyclesPerNs, tickCycles } = machine;
    this.#machine = machine;
    const factor = 1 + Math.floor(Math.log2(Math.min(MOST_CPUS, cpus)));
    const cycles = (ns: number) => Math.max(1, Math.round(ns * factor * cyclesPerNs));
    this.#latency = cycles(LATENCY_NS);
    this.#minGranularity = cycles(MIN_GRANULARITY_NS);
    this.#wakeupGranularity = cycles(WAKEUP_GRANULARITY_NS);
    this.period = tickCycles > 0 ? Number.POSITIVE_INFINITY : schedulerTick(machine);
    this.#queues = Array.from({ length: cpus }, () => ({ tasks: [], minVruntime: 0 }));
    this.#vruntime = new Float64Array(tasks);
    this.#counted = new Float64Array(tasks);
    this.#began = new Float64Array(tasks);
    this.#home = new Int32Array(tasks).fill(-1);
  }

  /** What each of n tasks may run at a stretch. */
  #slice(n: number): number {
    const most = Math.floor(this.#latency / this.#minGranularity);
    const period = n > most ? n * this.#minGranularity : this.#latency;
    return Math.floor(period / Math.max(1, n));
  }

  /** Counts the time of whom a CPU runs, and moves its least virtual time on. */
  #count(cpu: number, now: number): void {
    const queue = this.#queues[cpu];
    const current = this.#machine.running[cpu];
    let least = Number.POSITIVE_INFINITY;
    if (current >= 0) {
      this.#vruntime[current] += Math.max(0, now - this.#counted[current]);
      this.#counted[current] = Math.max(now, this.#counted[current]);
      least = this.#vruntime[current];
    }
    for (const task of queue.tasks) least = Math.min(least, this.#vruntime[task]);
    if (least !== Number.POSITIVE_INFINITY) queue.minVruntime = Math.max(queue.minVruntime, least);
  }

  add(task: number, cpu: number, why: number, now: number): void {
    const queue = this.#queues[cpu];
    this.#count(cpu, now);
    const from = this.#home[task];
    if (from >= 0 && from !== cpu) this.#vruntime[task] += queue.minVruntime - this.#queues[from].minVruntime;
    this.#home[task] = cpu;
    const running = this.#machine.running[cpu] >= 0 ? 1 : 0;
    if (why === READY.born) {
      const slice = this.#slice(queue.tasks.length + running + 1);
      this.#vruntime[task] = Math.max(this.#vruntime[task], queue.minVruntime + slice);
    } else if (why === READY.woken) {
      this.#vruntime[task] = Math.max(this.#vruntime[task], queue.minVruntime - Math.floor(this.#latency / 2));
    } else if (why === READY.yielded) {
      // It gives way to all who are ready now: behind the last of them.
      for (const other of queue.tasks) this.#vruntime[task] = Math.max(this.#vruntime[task], this.#vruntime[other]);
    }
    queue.tasks.push(task);
  }

  take(cpu: number, now: number): number {
    this.#count(cpu, now);
    const own = this.#queues[cpu];
    let queue = own;
    if (own.tasks.length === 0) {
      for (const other of this.#queues) if (other.tasks.length > queue.tasks.length) queue = other;
    }
    if (queue.tasks.length === 0) return -1;
    let best = queue.tasks[0];
    for (const task of queue.tasks) if (this.#vruntime[task] < this.#vruntime[best]) best = task;
    queue.tasks = queue.tasks.filter((task) => task !== best);
    if (queue !== own) {
      this.#vruntime[best] += own.minVruntime - queue.minVruntime;
      this.#home[best] = cpu;
    }
    return best;
  }

  ready(cpu: number): boolean {
    return this.#queues[cpu].tasks.length > 0;
  }

  preempts(task: number, cpu: number, now: number): number {
    const current = this.#machine.running[cpu];
    if (current < 0) return -1;
    this.#count(cpu, now);
    return this.#vruntime[current] - this.#vruntime[task] > this.#wakeupGranularity ? cpu : -1;
  }

  start(task: number, _cpu: number, now: number): void {
    this.#counted[task] = now;
    this.#began[task] = now;
  }

  stop(_task: number, cpu: number, now: number): void {
    this.#count(cpu, now);
  }

  tick(task: number, cpu: number, now: number): boolean {
    this.#count(cpu, now);
    const { tasks } = this.#queues[cpu];
    if (tasks.length === 0) return false;
    const slice = this.#slice(tasks.length + 1);
    const ran = now - this.#began[task];
    if (ran > slice) return true;
    if (ran < this.#minGranularity) return false;
    let least = Number.POSITIVE_INFINITY;
    for (const other of tasks) least = Math.min(least, this.#vruntime[other]);
    return this.#vruntime[task] - least > slice;
  }

  expired(task: number, cpu: number, now: number): boolean {
    return this.tick(task, cpu, now);
  }
}
