// The scheduler of Linux 2.2 and 2.4: one list, a counter of ticks a task, and the one of most goodness runs.
//
// Facts from Linux 2.4.21 kernel/sched.c: goodness(), schedule(), reschedule_idle(), NICE_TO_TICKS; kernel/fork.c: a child gets half
// of its parent's counter.
import type { Mm } from "../mm/mm.ts";
import type { Task } from "../task.ts";
import { niceOf, type Policy, type PolicyMachine, type Ready } from "./policy.ts";

/** Bonus for the address space that is loaded already. */
const SAME_MM = 1;
const NICE_LEVELS = 20;

/** NICE_TO_TICKS: 20 - nice, scaled to the rate of ticks, and 1. */
function ticksOf(nice: number, hz: number): number {
  const levels = NICE_LEVELS - nice;
  if (hz < 200) return (levels >> 2) + 1;
  if (hz < 400) return (levels >> 1) + 1;
  if (hz < 800) return levels + 1;
  if (hz < 1600) return levels * 2 + 1;
  return levels * 4 + 1;
}

export class Goodness implements Policy {
  private readonly hz: number;
  /** Ready tasks, the one that became ready last first. */
  private list: Task[] = [];
  /** Ticks left, of every task that was ever ready. */
  private readonly counters = new Map<Task, number>();
  private readonly yielded = new Set<Task>();
  /** The task that ran last: it goes on in a tie. */
  private previous: Task | undefined;

  constructor(machine: PolicyMachine) {
    this.hz = machine.hz;
  }

  get length(): number {
    return this.list.length;
  }

  has(t: Task): boolean {
    return this.list.includes(t);
  }

  private counter(t: Task): number {
    let counter = this.counters.get(t);
    if (counter === undefined) {
      counter = ticksOf(niceOf(t), this.hz);
      this.counters.set(t, counter);
    }
    return counter;
  }

  private goodness(t: Task, loaded: Mm | undefined): number {
    if (this.yielded.has(t)) return -1;
    const counter = this.counter(t);
    if (counter === 0) return 0;
    return counter + NICE_LEVELS - niceOf(t) + (t.mm === loaded ? SAME_MM : 0);
  }

  add(t: Task, why: Ready, current: Task | undefined): boolean {
    if (why === "born" && current !== undefined) {
      const counter = this.counter(current);
      this.counters.set(t, (counter + 1) >> 1);
      this.counters.set(current, counter >> 1);
    }
    if (why === "yielded") {
      this.yielded.add(t);
      this.list.push(t);
    } else this.list.unshift(t);
    return (
      (why === "woken" || why === "born") &&
      current !== undefined &&
      this.goodness(t, current.mm) > this.goodness(current, current.mm)
    );
  }

  remove(t: Task): void {
    const at = this.list.indexOf(t);
    if (at >= 0) this.list.splice(at, 1);
    this.yielded.delete(t);
  }

  take(): Task | undefined {
    if (this.list.length === 0) return undefined;
    const { previous } = this;
    const candidates = previous !== undefined && this.list.includes(previous) ? [previous, ...this.list] : this.list;
    for (;;) {
      let best: Task | undefined;
      let most = Number.NEGATIVE_INFINITY;
      for (const t of candidates) {
        const goodness = this.goodness(t, previous?.mm);
        if (goodness <= most) continue;
        most = goodness;
        best = t;
      }
      if (most !== 0 && best !== undefined) {
        this.remove(best);
        return best;
      }
      // All who are ready have used up their time: everyone, sleepers too, gets new.
      this.refill();
    }
  }

  private refill(): void {
    for (const [t, counter] of this.counters) this.counters.set(t, (counter >> 1) + ticksOf(niceOf(t), this.hz));
  }

  start(t: Task): void {
    this.previous = t;
  }

  stop(): void {}

  tick(t: Task): boolean {
    const counter = Math.max(0, this.counter(t) - 1);
    this.counters.set(t, counter);
    if (counter > 0) return false;
    if (this.list.length > 0) return true;
    this.refill();
    return false;
  }

  forget(t: Task): void {
    this.remove(t);
    this.counters.delete(t);
    if (this.previous === t) this.previous = undefined;
  }
}
