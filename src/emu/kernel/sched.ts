// Scheduling: blocking and waking, time slices, and the context switch. Who runs next is a policy's to say (schedulers/).
// A task that waits keeps what the kernel was doing for it as an Activity; when it is put on the CPU again the activity goes on
// before any guest code does.

import { KIND } from "../../traces/schema/enums.ts";
import type { Timer } from "../machine/clock.ts";
import { loadContext, reloadGs, saveContext } from "./context.ts";
import { EINTR, SysError } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { loadDebugRegisters } from "./ptrace-registers.ts";
import type { Policy, Ready } from "./schedulers/policy.ts";
import { isRealtime, RealtimeQueue } from "./schedulers/realtime.ts";
import { DEFAULT_SCHEDULER, makePolicy } from "./schedulers/schedulers.ts";
import { type Task, TIF_NEED_RESCHED } from "./task.ts";
import { Retry, type Wait, type Waiter, type WaitQueue, type WakeCause, type WakeReason } from "./wait.ts";

export { loadContext, saveContext } from "./context.ts";

/** What a body returns: its result, or a generator that yields what it waits for. */
export type SysResult = number | Generator<Wait, number, WakeReason>;

/** Thrown by a body that does not come back (exit, a fatal signal, execve's end of the old program). */
export class NoReturn extends Error {
  override readonly name = "NoReturn";
  constructor() {
    super("the task does not return here");
  }
}

/** Something the kernel does for a task, in steps between which the task waits. */
export interface Activity {
  /** Goes on until done (undefined) or until the next wait. */
  step(reason: WakeReason | undefined): Wait | undefined;
}

/** A body in progress: starts it, starts it again after Retry, resumes it, and hands its result to done(). */
export class BodyActivity implements Activity {
  private generator: Generator<Wait, number, WakeReason> | undefined;
  private readonly start: () => SysResult;
  private readonly done: (result: number) => void;

  constructor(start: () => SysResult, done: (result: number) => void) {
    this.start = start;
    this.done = done;
  }

  step(reason: WakeReason | undefined): Wait | undefined {
    const outcome = this.run(reason);
    if (typeof outcome !== "number") return outcome;
    this.done(outcome);
    return undefined;
  }

  private run(reason: WakeReason | undefined): Wait | number {
    try {
      if (this.generator === undefined) {
        // A body that is to be called again, but a signal came first.
        if (reason === "signal") return -EINTR;
        const r = this.start();
        if (typeof r === "number") return r;
        this.generator = r;
      }
      const next = this.generator.next(reason ?? "woken");
      return next.value;
    } catch (e) {
      if (e instanceof Retry) {
        this.generator = undefined;
        return e.wait;
      }
      if (e instanceof SysError) return -e.errno;
      throw e;
    }
  }
}

/** A sleeping task on its queues, with its deadline. */
class Sleeper implements Waiter {
  readonly exclusive: boolean;
  private readonly k: Kernel;
  private readonly t: Task;
  readonly wait: Wait;
  private readonly since: number;
  private readonly timer: { cancel(): void } | undefined;
  private awake = false;

  constructor(k: Kernel, t: Task, wait: Wait) {
    this.k = k;
    this.t = t;
    this.wait = wait;
    this.exclusive = wait.exclusive ?? false;
    this.since = k.clock.now();
    for (const queue of wait.queues) queue.add(this);
    const { deadline } = wait;
    if (deadline !== undefined && deadline < Number.MAX_SAFE_INTEGER) {
      const delay = Math.max(0, deadline - this.since);
      this.timer = k.clock.at(deadline, () => this.finish("timeout", { kind: "timer", delay }));
    }
  }

  notify(cause: WakeCause, _queue: WaitQueue): boolean {
    return this.finish("woken", cause);
  }

  finish(reason: WakeReason, cause: WakeCause): boolean {
    if (this.awake) return false;
    this.awake = true;
    for (const queue of this.wait.queues) queue.remove(this);
    this.timer?.cancel();
    this.t.blockedUnits += this.k.clock.now() - this.since;
    this.t.wakeReason = reason;
    this.k.edge(this.t, cause);
    this.k.sched.wakeUp(this.t);
    return true;
  }
}

export class Scheduler {
  private readonly k: Kernel;
  /** Ready tasks that are not on the CPU: ordinary ones, and those that run before all of these. */
  private readonly policy: Policy;
  private readonly realtime: RealtimeQueue;
  private readonly sleepers = new Map<Task, Sleeper>();
  /** The current task asked to go behind the others. */
  private yielding = false;
  /** The current task's turn is over. */
  private turnOver = false;
  private quantumEnd: Timer | undefined;
  /** Context switches since boot. */
  switches = 0;

  constructor(k: Kernel) {
    this.k = k;
    const { clock, nsPerUnit } = k;
    this.policy = makePolicy(k.options.scheduler ?? DEFAULT_SCHEDULER, { clock, nsPerUnit, hz: k.options.hz });
    this.realtime = new RealtimeQueue(nsPerUnit);
  }

  private get ready(): number {
    return this.policy.length + this.realtime.length;
  }

  /** Runnable tasks, the current one included if it is not idle. */
  get runnable(): number {
    return this.ready + (this.k.current === this.k.idle ? 0 : 1);
  }

  /** Makes a new or stopped task runnable. */
  wakeUp(t: Task): void {
    const { k } = this;
    this.sleepers.delete(t);
    if (!t.alive || t === k.idle) return;
    t.state = "running";
    if (t === k.current || this.policy.has(t) || this.realtime.has(t)) return;
    this.enqueue(t, "woken");
    if (k.current === k.idle) this.setNeedResched();
  }

  /** Makes a new task runnable. */
  wakeUpNew(t: Task): void {
    t.state = "running";
    this.enqueue(t, "born");
  }

  /** Puts a task among the ready ones; the current one makes room if it must. */
  private enqueue(t: Task, why: Ready): void {
    const { current, idle } = this.k;
    const goesOn = current !== idle && current !== t && current.alive && current.state === "running";
    const rival = goesOn ? current : undefined;
    if (isRealtime(t)) {
      this.realtime.add(t, why === "preempted" && !this.turnOver);
      if (rival !== undefined && this.realtime.beats(rival)) this.setNeedResched();
    } else {
      const ordinary = rival !== undefined && !isRealtime(rival) ? rival : undefined;
      if (this.policy.add(t, why, ordinary)) this.setNeedResched();
    }
  }

  /** A task's policy, priority or nice value is to change: `change` does it. */
  change(t: Task, change: () => void): void {
    const { k } = this;
    const waiting = this.policy.has(t) || this.realtime.has(t);
    this.policy.remove(t);
    this.realtime.remove(t);
    change();
    if (waiting) this.enqueue(t, "preempted");
    if (k.current !== k.idle && (this.realtime.beats(k.current) || (t === k.current && this.ready > 0)))
      this.setNeedResched();
  }

  setNeedResched(): void {
    this.k.setThreadFlag(this.k.current, TIF_NEED_RESCHED);
  }

  /** At every timer tick: takes the CPU from a task whose slice is over. */
  tick(): void {
    const { current, idle, clock } = this.k;
    if (current === idle) {
      if (this.ready > 0) this.setNeedResched();
    } else if (isRealtime(current)) {
      if (this.realtime.spent(current, clock.now() - current.dispatched)) this.endTurn();
    } else if (this.policy.tick(current)) this.endTurn();
  }

  /** The current task has had its time: it goes behind its equals. */
  private endTurn(): void {
    this.turnOver = true;
    this.setNeedResched();
  }

  /** sched_yield: behind every other runnable task. */
  yieldCpu(): void {
    if (this.ready === 0) return;
    this.yielding = true;
    this.setNeedResched();
  }

  /**
   * Does kernel work for the current task. If it waits, other tasks run and `done` is called when the task has the CPU again;
   * either way, when perform() returns the CPU holds the registers of whichever task is current then.
   * @param start the body; called again after a Retry
   * @param done gets the result, with the task's registers on the CPU; not called if the task ends
   */
  perform(start: () => SysResult, done: (result: number) => void): void {
    const { current } = this.k;
    const activity = new BodyActivity(start, done);
    if (!this.advance(current, activity, undefined)) this.schedule();
  }

  /** Runs an activity of the current task; false if the task must leave the CPU. */
  private advance(t: Task, activity: Activity, reason: WakeReason | undefined): boolean {
    try {
      for (;;) {
        const wait = activity.step(reason);
        if (wait === undefined) {
          t.activity = undefined;
          return t.alive;
        }
        t.activity = activity;
        if (!this.block(t, wait)) return false;
        reason = t.wakeReason;
      }
    } catch (e) {
      if (!(e instanceof NoReturn)) throw e;
      t.activity = undefined;
      return false;
    }
  }

  /** Puts a task to sleep; true if the wait was over before it began (t.wakeReason says why). */
  private block(t: Task, wait: Wait): boolean {
    const { k } = this;
    if ((wait.interruptible && k.signals.pendingFor(t)) || (wait.killable && k.signals.fatalPending(t))) {
      t.wakeReason = "signal";
      return true;
    }
    if (wait.deadline !== undefined && wait.deadline <= k.clock.now()) {
      t.wakeReason = "timeout";
      k.edge(t, { kind: "timer", delay: 0 });
      return true;
    }
    t.state = wait.stopped ? "stopped" : wait.interruptible ? "interruptible" : "uninterruptible";
    this.sleepers.set(t, new Sleeper(k, t, wait));
    return false;
  }

  /** A signal is pending: ends an interruptible sleep (and, if it kills, a killable one). */
  signalWake(t: Task, cause: WakeCause, fatal: boolean): void {
    const sleeper = this.sleepers.get(t);
    if (sleeper === undefined) return;
    if (sleeper.wait.interruptible || (fatal && sleeper.wait.killable)) sleeper.finish("signal", cause);
  }

  /** Takes a task that ends off every queue. */
  forget(t: Task): void {
    const sleeper = this.sleepers.get(t);
    this.sleepers.delete(t);
    sleeper?.finish("signal", { kind: "signal" });
    this.policy.forget(t);
    this.realtime.remove(t);
  }

  /**
   * Gives the CPU to the next runnable task (the current one included, behind the others), or to the idle task.
   * Called in a kcall; the current task's registers are saved as they are now.
   */
  schedule(): void {
    const { k } = this;
    const prev = k.current;
    this.leaveCpu(prev);
    if (prev.alive && prev !== k.idle) {
      k.clearThreadFlag(prev, TIF_NEED_RESCHED);
      if (prev.state === "running") {
        prev.usage.involuntarySwitches++;
        this.enqueue(prev, this.yielding ? "yielded" : "preempted");
      } else prev.usage.voluntarySwitches++;
    } else if (prev === k.idle) k.clearThreadFlag(prev, TIF_NEED_RESCHED);
    for (;;) {
      this.yielding = false;
      this.turnOver = false;
      const next = this.realtime.take() ?? this.policy.take() ?? k.idle;
      if (next !== k.current) this.switchTo(next);
      else next.dispatched = k.clock.now();
      this.takeCpu(next);
      const { activity } = next;
      if (activity === undefined) return;
      if (this.advance(next, activity, next.wakeReason)) {
        if (next.alive) return;
      }
      this.leaveCpu(next);
    }
  }

  private takeCpu(t: Task): void {
    if (t === this.k.idle || isRealtime(t)) return;
    this.policy.start(t);
    this.startQuantum(t);
  }

  private startQuantum(t: Task): void {
    const { clock } = this.k;
    const { quantum } = this.policy;
    if (quantum === undefined) return;
    this.quantumEnd = clock.at(clock.now() + quantum, () => {
      if (this.k.current !== t) return;
      this.startQuantum(t);
      if (this.policy.length > 0) this.endTurn();
    });
  }

  private leaveCpu(t: Task): void {
    this.quantumEnd?.cancel();
    this.quantumEnd = undefined;
    if (t.alive && t !== this.k.idle && !isRealtime(t)) this.policy.stop(t);
  }

  private switchTo(next: Task): void {
    const { k } = this;
    const prev = k.current;
    const now = k.clock.now();
    if (prev.alive) {
      saveContext(k, prev.context);
      prev.usage.system += now - prev.accounted;
    }
    this.switches++;
    k.current = next;
    next.dispatched = now;
    next.accounted = now;
    loadContext(k, next.context);
    // A task without an address space borrows the last one, as kernel threads do.
    if (next.mm !== undefined && next.mm !== k.loadedMm) k.loadMm(next.mm);
    k.entry.switchTo(next);
    if (prev.debug !== undefined || next.debug !== undefined) loadDebugRegisters(k, next.debug);
    reloadGs(k.cpu, next);
    k.clock.charge(k.charges.contextSwitch);
    if (next !== k.idle) this.recordSwitch(next, now);
  }

  /** The trace says when each task got the CPU, and that this took the charge of a switch. */
  private recordSwitch(next: Task, tIn: number): void {
    const { recorder, clock, charges } = this.k;
    if (!recorder.enabled) return;
    const parent = next.seq >= 0 ? next.seq : undefined;
    const seq = recorder.enter({ task: next.id, kind: KIND.switch, tIn, parent, user: 0 });
    recorder.charge(seq, charges.contextSwitch);
    recorder.leave(seq, { tOut: clock.now(), kinstr: 0, blocked: 0 });
  }

  /** What the kernel has done since its last call goes to the task's system time. */
  accountSystem(t: Task): void {
    const now = this.k.clock.now();
    t.usage.system += now - t.accounted;
    t.accounted = now;
  }

  /** What the program has run since its last call goes to the task's user time. */
  accountUser(t: Task): void {
    const now = this.k.clock.now();
    t.usage.user += now - t.accounted;
    t.accounted = now;
  }
}
