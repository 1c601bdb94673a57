// Waiting: queues that tasks and others sleep on, what a wait is made of, and why a wake-up happened.
import type { EDGE_KINDS } from "../../traces/schema/enums.ts";
import type { Seq } from "../capture/recorder.ts";

/** Name of an edge kind of the trace. */
export type EdgeName = Exclude<(typeof EDGE_KINDS)[number], "unknown">;

/** Why something was completed: the event that did it (undefined: outside the machine) and in which way. */
export interface WakeCause {
  from?: Seq;
  kind: EdgeName;
  /** Deadline or service time in clock units, for timers and devices. */
  delay?: number;
}

/** What a wait ended with. */
export type WakeReason = "woken" | "timeout" | "signal";

/** What a task waits for: any of the queues, at most until the deadline. */
export interface Wait {
  queues: readonly WaitQueue[];
  /** Absolute, in clock units. */
  deadline?: number;
  /** Whether a signal ends the wait. */
  interruptible: boolean;
  /** Whether a signal that ends the process ends the wait (TASK_KILLABLE). */
  killable?: boolean;
  /** The task counts as stopped, not as sleeping. */
  stopped?: boolean;
  /** Waits on the spot, with the processor: what the kernel does where it cannot begin again. */
  now?: () => void;
  /** Leave the queue's other exclusive waiters asleep when one wake-up is enough for one task (accept, locks). */
  exclusive?: boolean;
}

/** Thrown by a plain body before any side effect: wait, then call the body again from its beginning. */
export class Retry extends Error {
  override readonly name = "Retry";
  readonly wait: Wait;
  constructor(wait: Wait) {
    super("retry");
    this.wait = wait;
  }
}

/** Something on a queue: a sleeping task, or an epoll instance that watches. */
export interface Waiter {
  readonly exclusive: boolean;
  /** Called at a wake-up; the queue does not drop the waiter, notify() does so itself if it wants. True: it consumed the wake-up. */
  notify(cause: WakeCause, queue: WaitQueue): boolean;
}

/** Waiters in order of arrival, exclusive ones behind the others, as kernel/sched/wait.c keeps them. */
export class WaitQueue {
  private waiters: Waiter[] = [];

  get empty(): boolean {
    return this.waiters.length === 0;
  }

  add(waiter: Waiter): void {
    if (waiter.exclusive) {
      this.waiters.push(waiter);
      return;
    }
    let at = this.waiters.length;
    while (at > 0 && this.waiters[at - 1].exclusive) at--;
    this.waiters.splice(at, 0, waiter);
  }

  remove(waiter: Waiter): void {
    const at = this.waiters.indexOf(waiter);
    if (at >= 0) this.waiters.splice(at, 1);
  }

  /** Wakes every waiter that shares and the first exclusive one that takes it; returns how many took it. */
  wake(cause: WakeCause): number {
    return this.notifyUpTo(1, cause);
  }

  /** Wakes every waiter, exclusive ones too. */
  wakeAll(cause: WakeCause): number {
    return this.notifyUpTo(Number.POSITIVE_INFINITY, cause);
  }

  /** Wakes the first waiter only. */
  wakeOne(cause: WakeCause): number {
    for (const waiter of [...this.waiters]) if (waiter.notify(cause, this)) return 1;
    return 0;
  }

  private notifyUpTo(exclusive: number, cause: WakeCause): number {
    if (this.waiters.length === 0) return 0;
    let woken = 0;
    for (const waiter of [...this.waiters]) {
      if (!waiter.notify(cause, this)) continue;
      woken++;
      if (waiter.exclusive && --exclusive <= 0) break;
    }
    return woken;
  }
}

/** A wait on one queue that a signal may end. */
export function interruptible(queue: WaitQueue, deadline?: number): Wait {
  return { queues: [queue], deadline, interruptible: true };
}

/** A wait on one queue that only its wake-up ends (disk, vfork parent). */
export function uninterruptible(queue: WaitQueue): Wait {
  return { queues: [queue], interruptible: false };
}
