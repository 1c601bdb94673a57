// The scheduler of Linux 2.5 and 2.6 up to 2.6.22: an active and an expired array of priorities, and a bonus for tasks that sleep much.
//
// Facts from Linux 2.6.9 kernel/sched.c: effective_prio(), recalc_task_prio(), scheduler_tick(), task_timeslice(), TASK_INTERACTIVE,
// TIMESLICE_GRANULARITY, EXPIRED_STARVING; sched_fork() halves the time slice.
import type { Task } from "../task.ts";
import { niceOf, type Policy, type PolicyMachine, type Ready } from "./policy.ts";

const FIRST_PRIO = 100;
const LAST_PRIO = 139;
const STATIC_PRIO = 120;
const MAX_BONUS = 10;
/** A task of nice 0 is interactive from this many levels above its static priority on; of nice n, n/4 more. */
const INTERACTIVE_DELTA = 2;
const TIMESLICE_NS = 1e8;
const MIN_TIMESLICE_NS = 5e6;
const MAX_SLEEP_NS = TIMESLICE_NS * MAX_BONUS;
/** A child begins with this share of its parent's sleep average. */
const CHILD_PENALTY = 0.95;

/** What the scheduler knows of a task. */
interface State {
  prio: number;
  /** Ticks left. */
  slice: number;
  /** Sleep average in clock units, of at most maxSleep. */
  sleep: number;
  /** When the task began to run or to sleep. */
  since: number;
  /** It goes to the expired array when it is added next. */
  spent: boolean;
  /** Its turn is over: it goes behind its equals. */
  turn: boolean;
  /** The array it is in. */
  array: PriorityArray | undefined;
}

/** Tasks by priority, first in, first out in each. */
class PriorityArray {
  private readonly queues: Task[][] = Array.from({ length: LAST_PRIO - FIRST_PRIO + 1 }, () => []);
  length = 0;

  push(t: Task, prio: number): void {
    this.queues[prio - FIRST_PRIO].push(t);
    this.length++;
  }

  /** Puts it before its equals. */
  unshift(t: Task, prio: number): void {
    this.queues[prio - FIRST_PRIO].unshift(t);
    this.length++;
  }

  remove(t: Task, prio: number): void {
    const queue = this.queues[prio - FIRST_PRIO];
    queue.splice(queue.indexOf(t), 1);
    this.length--;
  }

  shift(): Task | undefined {
    for (const queue of this.queues) {
      if (queue.length === 0) continue;
      this.length--;
      return queue.shift();
    }
    return undefined;
  }
}

function staticPrio(t: Task): number {
  return STATIC_PRIO + niceOf(t);
}

export class ConstantTime implements Policy {
  private readonly machine: PolicyMachine;
  private readonly states = new Map<Task, State>();
  private active = new PriorityArray();
  private expired = new PriorityArray();
  /** When the first task of the expired array went there; -1: none did. */
  private expiredSince = -1;
  private readonly maxSleep: number;

  constructor(machine: PolicyMachine) {
    this.machine = machine;
    this.maxSleep = MAX_SLEEP_NS / machine.nsPerUnit;
  }

  get length(): number {
    return this.active.length + this.expired.length;
  }

  has(t: Task): boolean {
    return this.states.get(t)?.array !== undefined;
  }

  private state(t: Task): State {
    let state = this.states.get(t);
    if (state === undefined) {
      const since = this.machine.clock.now();
      const prio = Math.min(LAST_PRIO, staticPrio(t) + MAX_BONUS / 2);
      state = { prio, slice: this.timeslice(t), sleep: 0, since, spent: false, turn: false, array: undefined };
      this.states.set(t, state);
    }
    return state;
  }

  private ticks(ns: number): number {
    return Math.max(1, Math.round((ns * this.machine.hz) / 1e9));
  }

  /** task_timeslice: 100 ms at nice 0, 5 ms at nice 19, 800 ms at nice -20. */
  private timeslice(t: Task): number {
    const prio = staticPrio(t);
    const longest = prio < STATIC_PRIO ? 4 * TIMESLICE_NS : TIMESLICE_NS;
    return this.ticks(Math.max(MIN_TIMESLICE_NS, (longest * (LAST_PRIO + 1 - prio)) / 20));
  }

  /** 0 to MAX_BONUS. */
  private bonus(state: State): number {
    return Math.floor((state.sleep * MAX_BONUS) / this.maxSleep);
  }

  private effectivePrio(t: Task, state: State): number {
    return Math.min(LAST_PRIO, Math.max(FIRST_PRIO, staticPrio(t) - (this.bonus(state) - MAX_BONUS / 2)));
  }

  private interactive(t: Task, state: State): boolean {
    const delta = Math.trunc((niceOf(t) * MAX_BONUS) / 40) + INTERACTIVE_DELTA;
    return state.prio <= staticPrio(t) - delta;
  }

  add(t: Task, why: Ready, current: Task | undefined): boolean {
    const state = this.state(t);
    const now = this.machine.clock.now();
    if (why === "born" && current !== undefined) {
      const parent = this.state(current);
      state.slice = (parent.slice + 1) >> 1;
      parent.slice = Math.max(1, parent.slice >> 1);
      state.sleep = Math.floor(parent.sleep * CHILD_PENALTY);
      state.prio = this.effectivePrio(t, state);
    } else if (why === "woken") {
      const slept = (now - state.since) * Math.max(1, MAX_BONUS - this.bonus(state));
      state.sleep = Math.min(this.maxSleep, state.sleep + slept);
      state.prio = this.effectivePrio(t, state);
    }
    if (why === "yielded" || state.spent) {
      if (this.expiredSince < 0) this.expiredSince = now;
      state.array = this.expired;
      state.spent = false;
    } else state.array = this.active;
    if (why === "preempted" && !state.turn && state.array === this.active) state.array.unshift(t, state.prio);
    else state.array.push(t, state.prio);
    state.turn = false;
    return (why === "woken" || why === "born") && current !== undefined && state.prio < this.state(current).prio;
  }

  remove(t: Task): void {
    const state = this.states.get(t);
    state?.array?.remove(t, state.prio);
    if (state) state.array = undefined;
  }

  take(): Task | undefined {
    if (this.active.length === 0) {
      [this.active, this.expired] = [this.expired, this.active];
      this.expiredSince = -1;
    }
    const t = this.active.shift();
    if (t !== undefined) this.state(t).array = undefined;
    return t;
  }

  start(t: Task): void {
    this.state(t).since = this.machine.clock.now();
  }

  stop(t: Task): void {
    const state = this.state(t);
    const now = this.machine.clock.now();
    const ran = Math.min(now - state.since, this.maxSleep);
    state.sleep = Math.max(0, state.sleep - Math.floor(ran / Math.max(1, this.bonus(state))));
    state.since = now;
  }

  tick(t: Task): boolean {
    const state = this.state(t);
    const full = this.timeslice(t);
    if (--state.slice <= 0) {
      state.prio = this.effectivePrio(t, state);
      state.slice = full;
      // Alone, its array would become the active one at once.
      if (this.length === 0) return false;
      const waited = this.expiredSince < 0 ? -1 : this.machine.clock.now() - this.expiredSince;
      const starving = waited >= this.maxSleep * (this.length + 1);
      state.spent = !this.interactive(t, state) || starving;
      state.turn = true;
      return true;
    }
    if (!this.interactive(t, state)) return false;
    const granularity = this.ticks(MIN_TIMESLICE_NS) * (1 << (Math.max(1, MAX_BONUS - this.bonus(state)) - 1));
    if (state.slice < granularity || (full - state.slice) % granularity !== 0) return false;
    state.turn = true;
    return true;
  }

  forget(t: Task): void {
    this.remove(t);
    this.states.delete(t);
  }
}
