// Futexes that are locks with an owner, who runs as urgently as the most urgent who waits for it (kernel/futex/pi.c, requeue.c).
//
// The word holds the owner's number. The kernel knows a lock only while somebody waits for it: who lets go of it then hands it
// over, and whose owner ends gets it marked so.
import { EAGAIN, EDEADLK, EINVAL, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from "./errno.ts";
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, type Futexes, type FutexWaiter, type Key } from "./futex.ts";
import type { Kernel, SysResult } from "./kernel.ts";
import { priorityOf } from "./schedulers/realtime.ts";
import type { Task } from "./task.ts";
import { readU32, writeU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

interface PiWaiter {
  readonly task: Task;
  readonly queue: WaitQueue;
  /** The lock it waits for. */
  state: PiState | undefined;
  /** It has the lock: "died" if the owner ended with it. */
  got: "handed" | "died" | undefined;
}

interface PiState {
  readonly key: Key;
  owner: Task;
  /** The next one first. */
  readonly waiters: PiWaiter[];
}

export class PiFutexes {
  private readonly k: Kernel;
  private readonly states = new Set<PiState>();

  constructor(k: Kernel) {
    this.k = k;
  }

  private find({ object, offset }: Key): PiState | undefined {
    for (const state of this.states) if (state.key.object === object && state.key.offset === offset) return state;
    return undefined;
  }

  /**
   * Tries to take a lock for a task; if it is another's, the word says that somebody waits.
   * @param t whose memory the word is in
   * @returns 0: it has it; a lock to wait for; or -errno
   */
  private take(t: Task, task: Task, addr: number, key: Key, waiters: boolean): number | PiState {
    const { k } = this;
    const value = readU32(k, t, addr);
    const tid = value & FUTEX_TID_MASK;
    if (tid === task.pid) return -EDEADLK;
    const known = this.find(key);
    if (known !== undefined) return known.owner.pid === tid ? known : -EINVAL;
    if (tid === 0) {
      writeU32(k, t, addr, (value & FUTEX_OWNER_DIED) | task.pid | (waiters ? FUTEX_WAITERS : 0));
      return 0;
    }
    const owner = k.tasks.get(tid);
    if (owner === k.init) return -EPERM;
    writeU32(k, t, addr, value | FUTEX_WAITERS);
    if (owner === undefined || !owner.alive) return -ESRCH;
    return { key, owner, waiters: [] };
  }

  /** Puts a waiter behind those as urgent. @returns -EDEADLK if the owner waits, by whatever way, for the waiter */
  private enqueue(state: PiState, waiter: PiWaiter): number {
    for (let at: PiState | undefined = state; at !== undefined; at = this.awaited(at.owner))
      if (at.owner === waiter.task) return -EDEADLK;
    this.states.add(state);
    waiter.state = state;
    const priority = priorityOf(waiter.task);
    const at = state.waiters.findIndex((other) => priorityOf(other.task) < priority);
    state.waiters.splice(at < 0 ? state.waiters.length : at, 0, waiter);
    this.inherit(state.owner);
    return 0;
  }

  private awaited(t: Task): PiState | undefined {
    for (const state of this.states) if (state.waiters.some((waiter) => waiter.task === t)) return state;
    return undefined;
  }

  private leave(waiter: PiWaiter): void {
    const { state } = waiter;
    if (state === undefined) return;
    waiter.state = undefined;
    state.waiters.splice(state.waiters.indexOf(waiter), 1);
    if (state.waiters.length === 0) this.states.delete(state);
    this.inherit(state.owner);
  }

  /** An owner is as urgent as who waits for it, and whom it waits for in turn. */
  private inherit(owner: Task): void {
    let boost = 0;
    for (const state of this.states)
      if (state.owner === owner && state.waiters.length > 0) boost = Math.max(boost, priorityOf(state.waiters[0].task));
    if (boost === owner.boost) return;
    this.k.sched.change(owner, () => {
      owner.boost = boost;
    });
    const next = this.awaited(owner);
    if (next !== undefined) this.inherit(next.owner);
  }

  /** The first waiter is the owner from now on, and goes on. */
  private handOver(state: PiState, how: "handed" | "died"): Task {
    const next = state.waiters[0];
    const before = state.owner;
    state.owner = next.task;
    next.got = how;
    this.leave(next);
    this.inherit(before);
    next.queue.wakeAll(this.k.cause("futex"));
    return next.task;
  }

  /** FUTEX_LOCK_PI; without waiting FUTEX_TRYLOCK_PI. */
  lock(t: Task, addr: number, key: Key, deadline: number | undefined, wait: boolean): SysResult {
    const state = this.take(t, t, addr, key, false);
    if (typeof state === "number") return state;
    if (!wait) return -EAGAIN;
    const waiter: PiWaiter = { task: t, queue: new WaitQueue(), state: undefined, got: undefined };
    const error = this.enqueue(state, waiter);
    return error < 0 ? error : this.await(t, addr, waiter, deadline);
  }

  private *await(
    t: Task,
    addr: number,
    waiter: PiWaiter,
    deadline: number | undefined,
  ): Generator<Wait, number, WakeReason> {
    const why = yield { queues: [waiter.queue], interruptible: true, deadline };
    if (waiter.got === undefined) {
      this.leave(waiter);
      return why === "timeout" ? -ETIMEDOUT : -ERESTARTNOINTR;
    }
    this.fixUp(t, addr, waiter);
    return 0;
  }

  /** Who got the lock of one that ended writes that down itself. */
  private fixUp(t: Task, addr: number, waiter: PiWaiter): void {
    if (waiter.got === "died") writeU32(this.k, t, addr, FUTEX_OWNER_DIED | FUTEX_WAITERS | t.pid);
  }

  /** FUTEX_UNLOCK_PI. */
  unlock(t: Task, addr: number, key: Key): number {
    if ((readU32(this.k, t, addr) & FUTEX_TID_MASK) !== t.pid) return -EPERM;
    const state = this.find(key);
    if (state === undefined) {
      writeU32(this.k, t, addr, 0);
      return 0;
    }
    if (state.owner !== t) return -EINVAL;
    writeU32(this.k, t, addr, FUTEX_WAITERS | state.waiters[0].task.pid);
    this.handOver(state, "handed");
    return 0;
  }

  /** A task ends: what it has and others wait for is theirs. */
  exit(t: Task): void {
    for (const state of [...this.states]) if (state.owner === t) this.handOver(state, "died");
  }

  /** FUTEX_WAIT_REQUEUE_PI: waits on one word, to be moved to a lock by whoever wakes it; returns with the lock. */
  *waitForLock(
    t: Task,
    futexes: Futexes,
    waiter: FutexWaiter,
    lock: number,
    deadline: number | undefined,
  ): Generator<Wait, number, WakeReason> {
    futexes.add(waiter);
    const pi: PiWaiter = { task: t, queue: waiter.queue, state: undefined, got: undefined };
    waiter.pi = pi;
    const why = yield { queues: [waiter.queue], deadline, interruptible: true };
    futexes.remove(waiter);
    if (pi.got !== undefined) {
      this.fixUp(t, lock, pi);
      return 0;
    }
    const moved = pi.state !== undefined;
    this.leave(pi);
    if (why === "timeout") return -ETIMEDOUT;
    return moved ? -EAGAIN : -ERESTARTNOINTR;
  }

  /**
   * FUTEX_CMP_REQUEUE_PI: the first that waits gets the lock if it is free, the others wait for it.
   * @returns how many were woken or moved
   */
  requeue(t: Task, futexes: Futexes, from: Key, to: Key, addr: number, most: number): number {
    let count = 0;
    for (const waiter of [...futexes.at(from)]) {
      const pi = waiter.pi as PiWaiter | undefined;
      const target = waiter.target;
      if (pi === undefined || target === undefined || target.object !== to.object || target.offset !== to.offset)
        return count > 0 ? count : -EINVAL;
      if (count > most) break;
      const state = this.take(t, pi.task, addr, to, most > 0);
      if (typeof state === "number") {
        if (state < 0) return count > 0 ? count : state;
        pi.got = "handed";
        futexes.remove(waiter);
        pi.queue.wakeAll(this.k.cause("futex"));
      } else {
        const error = this.enqueue(state, pi);
        if (error < 0) return count > 0 ? count : error;
        futexes.remove(waiter);
      }
      count++;
    }
    return count;
  }
}
