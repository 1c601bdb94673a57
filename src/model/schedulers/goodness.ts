// The scheduler of Linux 2.2 and 2.4: one list, a counter of ticks a task, and the one of most goodness runs.
//
// Facts from Linux 2.4.21 kernel/sched.c: goodness(), schedule(), reschedule_idle(), NICE_TO_TICKS; kernel/fork.c: a child gets half
// of its parent's counter; include/asm-i386/smp.h: PROC_CHANGE_PENALTY. Nice values are not in a trace: all tasks have nice 0.
import { READY, type Scheduler, type SchedulerMachine, schedulerTick } from "./scheduler.ts";

/** Bonus of a task for the CPU that it was on last, when there are several. */
const PROC_CHANGE_PENALTY = 15;
/** Bonus for the address space that is loaded already. */
const SAME_MM = 1;
/** 20 - nice. */
const NICE_BONUS = 20;

/** Ticks that a counter is filled up with: 20 scaled to the rate of ticks, and 1. */
function ticksOf(hz: number): number {
  if (hz < 200) return (NICE_BONUS >> 2) + 1;
  if (hz < 400) return (NICE_BONUS >> 1) + 1;
  if (hz < 800) return NICE_BONUS + 1;
  if (hz < 1600) return NICE_BONUS * 2 + 1;
  return NICE_BONUS * 4 + 1;
}

export class Goodness implements Scheduler {
  readonly #machine: SchedulerMachine;
  /** Ready tasks, the one that became ready last first. */
  #list: number[] = [];
  readonly #counter: Int32Array;
  readonly #lastCpu: Int32Array;
  readonly #yielded: Uint8Array;
  readonly #fill: number;
  readonly period: number;
  /** The task that each CPU ran last: it goes on in a tie. */
  readonly #previous: Int32Array;

  constructor(machine: SchedulerMachine) {
    this.#machine = machine;
    const tick = schedulerTick(machine);
    this.period = machine.tickCycles > 0 ? Number.POSITIVE_INFINITY : tick;
    this.#fill = ticksOf(Math.round((machine.cyclesPerNs * 1e9) / tick));
    this.#counter = new Int32Array(machine.tasks).fill(this.#fill);
    this.#lastCpu = new Int32Array(machine.tasks).fill(-1);
    this.#yielded = new Uint8Array(machine.tasks);
    this.#previous = new Int32Array(machine.cpus).fill(-1);
  }

  #goodness(task: number, cpu: number, process: number): number {
    if (this.#yielded[task] === 1) return -1;
    const counter = this.#counter[task];
    if (counter === 0) return 0;
    let weight = counter + NICE_BONUS;
    if (this.#machine.cpus > 1 && this.#lastCpu[task] === cpu) weight += PROC_CHANGE_PENALTY;
    if (this.#machine.process[task] === process) weight += SAME_MM;
    return weight;
  }

  /** The address space loaded on a CPU. */
  #loaded(cpu: number): number {
    const task = this.#machine.running[cpu] >= 0 ? this.#machine.running[cpu] : this.#previous[cpu];
    return task >= 0 ? this.#machine.process[task] : -1;
  }

  add(task: number, _cpu: number, why: number, _now: number, parent: number): void {
    if (why === READY.born && parent >= 0) {
      this.#counter[task] = (this.#counter[parent] + 1) >> 1;
      this.#counter[parent] >>= 1;
    }
    this.#yielded[task] = why === READY.yielded ? 1 : 0;
    if (why === READY.yielded) this.#list.push(task);
    else this.#list.unshift(task);
  }

  take(cpu: number): number {
    if (this.#list.length === 0) return -1;
    for (;;) {
      const process = this.#loaded(cpu);
      const previous = this.#previous[cpu];
      let best = -1;
      let most = -2;
      if (previous >= 0 && this.#list.includes(previous)) {
        best = previous;
        most = this.#goodness(previous, cpu, process);
      }
      for (const task of this.#list) {
        const weight = this.#goodness(task, cpu, process);
        if (weight > most) {
          most = weight;
          best = task;
        }
      }
      if (most === 0) {
        // All who are ready have used up their time: everyone, sleepers too, gets new.
        this.#refill();
        continue;
      }
      this.#list = this.#list.filter((task) => task !== best);
      this.#yielded[best] = 0;
      return best;
    }
  }

  ready(): boolean {
    return this.#list.length > 0;
  }

  preempts(task: number): number {
    let victim = -1;
    let most = 0;
    for (let cpu = 0; cpu < this.#machine.cpus; cpu++) {
      const current = this.#machine.running[cpu];
      if (current < 0) continue;
      const process = this.#machine.process[current];
      const more = this.#goodness(task, cpu, process) - this.#goodness(current, cpu, process);
      if (more > most) {
        most = more;
        victim = cpu;
      }
    }
    return victim;
  }

  start(task: number, cpu: number): void {
    this.#lastCpu[task] = cpu;
    this.#previous[cpu] = task;
  }

  stop(): void {}

  #refill(): void {
    for (let task = 0; task < this.#counter.length; task++)
      this.#counter[task] = (this.#counter[task] >> 1) + this.#fill;
  }

  tick(task: number): boolean {
    if (this.#counter[task] > 0) this.#counter[task]--;
    if (this.#counter[task] > 0) return false;
    if (this.#list.length > 0) return true;
    this.#refill();
    return false;
  }

  expired(task: number): boolean {
    return this.tick(task);
  }
}
