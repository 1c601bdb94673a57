// The scheduler: one runqueue, time slices counted in ticks, blocking and waking, and the context switch.
// A task that waits keeps what the kernel was doing for it as an Activity; when it is put on the CPU again the activity goes on
// before any guest code does.

import { KIND } from "../../traces/schema/enums.ts";
import { type Cpu, GS } from "../cpu/cpu.ts";
import { attrOf } from "../cpu/segments.ts";
import { EINTR, SysError } from "./errno.ts";
import { loadFpu, saveFpu } from "./fpu.ts";
import type { Kernel } from "./kernel.ts";
import { type KernelContext, type Task, TIF_NEED_RESCHED } from "./task.ts";
import { Retry, type Wait, type Waiter, type WaitQueue, type WakeCause, type WakeReason } from "./wait.ts";

/** Shortest time on the CPU before a tick or a wake-up takes it away, in ns (as CFS: half of 6 ms, 1 ms). */
const MIN_SLICE_NS = 3_000_000;
const WAKEUP_GRANULARITY_NS = 1_000_000;
/** GDT entries of thread-local storage. */
const FIRST_TLS_ENTRY = 6;
const TLS_ENTRIES = 3;

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
  /** Runnable tasks that are not on the CPU, next one first. */
  private readonly queue: Task[] = [];
  private readonly sleepers = new Map<Task, Sleeper>();
  private readonly minSlice: number;
  private readonly wakeupGranularity: number;
  /** Context switches since boot. */
  switches = 0;

  constructor(k: Kernel) {
    this.k = k;
    this.minSlice = MIN_SLICE_NS / k.nsPerUnit;
    this.wakeupGranularity = WAKEUP_GRANULARITY_NS / k.nsPerUnit;
  }

  /** Runnable tasks, the current one included if it is not idle. */
  get runnable(): number {
    return this.queue.length + (this.k.current === this.k.idle ? 0 : 1);
  }

  /** Makes a new or stopped task runnable. */
  wakeUp(t: Task): void {
    const { k } = this;
    this.sleepers.delete(t);
    if (!t.alive || t === k.idle) return;
    t.state = "running";
    if (t === k.current || this.queue.includes(t)) return;
    const { current } = k;
    const ran = k.clock.now() - current.dispatched;
    if (current === k.idle) {
      this.queue.push(t);
      this.setNeedResched();
    } else if (
      current.alive &&
      current.state === "running" &&
      ran >= this.wakeupGranularity &&
      this.queue.length === 0
    ) {
      // A sleeper is owed time: it goes on at once, unless the current task only just started.
      this.queue.unshift(t);
      this.setNeedResched();
    } else this.queue.push(t);
  }

  /** Makes a new task runnable without taking the CPU from its parent. */
  wakeUpNew(t: Task): void {
    t.state = "running";
    this.queue.push(t);
  }

  setNeedResched(): void {
    this.k.setThreadFlag(this.k.current, TIF_NEED_RESCHED);
  }

  /** At every timer tick: takes the CPU from a task whose slice is over. */
  tick(): void {
    const { k } = this;
    if (k.current === k.idle) {
      if (this.queue.length > 0) this.setNeedResched();
    } else if (this.queue.length > 0 && k.clock.now() - k.current.dispatched >= this.minSlice) this.setNeedResched();
  }

  /** sched_yield: behind every other runnable task. */
  yieldCpu(): void {
    if (this.queue.length > 0) this.setNeedResched();
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
    const at = this.queue.indexOf(t);
    if (at >= 0) this.queue.splice(at, 1);
  }

  /**
   * Gives the CPU to the next runnable task (the current one included, behind the others), or to the idle task.
   * Called in a kcall; the current task's registers are saved as they are now.
   */
  schedule(): void {
    const { k } = this;
    const prev = k.current;
    if (prev.alive && prev !== k.idle) {
      k.clearThreadFlag(prev, TIF_NEED_RESCHED);
      if (prev.state === "running") {
        prev.usage.involuntarySwitches++;
        this.queue.push(prev);
      } else prev.usage.voluntarySwitches++;
    } else if (prev === k.idle) k.clearThreadFlag(prev, TIF_NEED_RESCHED);
    for (;;) {
      const next = this.queue.shift() ?? k.idle;
      if (next !== k.current) this.switchTo(next);
      else next.dispatched = k.clock.now();
      const { activity } = next;
      if (activity === undefined) return;
      if (this.advance(next, activity, next.wakeReason)) {
        if (next.alive) return;
      }
    }
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

/** Copies the CPU's registers and hidden segment parts. */
export function saveContext(k: Kernel, c: KernelContext): void {
  const { cpu } = k;
  c.eip = cpu.eip;
  c.eflags = cpu.getEflags();
  c.cpl = cpu.cpl;
  c.inhibit = cpu.inhibit;
  c.r.set(cpu.r.subarray(0, 8));
  c.sel.set(cpu.sel.subarray(0, 6));
  c.base.set(cpu.base.subarray(0, 6));
  c.limit.set(cpu.limit.subarray(0, 6));
  c.attr.set(cpu.attr.subarray(0, 6));
  saveFpu(cpu, c);
}

/** Puts saved registers on the CPU; page tables and TSS are the caller's. */
export function loadContext(k: Kernel, c: KernelContext): void {
  const { cpu } = k;
  cpu.eip = c.eip;
  cpu.setEflags(c.eflags);
  cpu.cpl = c.cpl;
  cpu.inhibit = c.inhibit;
  cpu.r.set(c.r);
  cpu.sel.set(c.sel);
  cpu.base.set(c.base);
  cpu.limit.set(c.limit);
  cpu.attr.set(c.attr);
  for (let seg = 0; seg < 6; seg++) cpu.segmentSet(seg);
  loadFpu(cpu, c);
}

/** Loads GS anew if it names one of the task's thread-local descriptors: entry code leaves GS to the switch (load_gs). */
function reloadGs(cpu: Cpu, t: Task): void {
  cpu.segmentSet(GS);
  const entry = (cpu.sel[GS] >>> 3) - FIRST_TLS_ENTRY;
  if (entry < 0 || entry >= TLS_ENTRIES || cpu.sel[GS] & 4) return;
  const low = t.tls[2 * entry];
  const high = t.tls[2 * entry + 1];
  if ((high & 0x8000) === 0) {
    cpu.sel[GS] = 0;
    cpu.attr[GS] = 0;
    return;
  }
  const limit = (low & 0xffff) | (high & 0xf_0000);
  cpu.base[GS] = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
  cpu.limit[GS] = high & 0x80_0000 ? (limit << 12) | 0xfff : limit;
  cpu.attr[GS] = attrOf(high);
}
