// Futexes that know their owner (FUTEX_LOCK_PI and its kin): the word holds the owner's number, and whoever unlocks it hands it to the first
// that waits. What they are for, that the owner runs with a waiter's priority, is left out: scheduling knows nothing of them.
import { EAGAIN, EDEADLK, EINVAL, ENOSYS, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT } from "./errno.ts";
import { FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, type Key, keyOf } from "./futex.ts";
import type { Kernel, SysResult } from "./kernel.ts";
import type { Task } from "./task.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME, deadlineOf, type Timespec } from "./time.ts";
import { readU32, writeU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const FUTEX_LOCK_PI = 6;
const FUTEX_UNLOCK_PI = 7;
const FUTEX_TRYLOCK_PI = 8;
const FUTEX_LOCK_PI2 = 13;

/** A task that waits for a lock. */
export interface OwnedWaiter {
  readonly key: Key;
  readonly queue: WaitQueue;
  owner: Task;
  /** It was handed over: the word says so when the waiter has run. */
  given: boolean;
  ownerDied: boolean;
}

/** What a call is about. */
interface Lock {
  readonly addr: number;
  readonly command: number;
  readonly isPrivate: boolean;
  readonly realtime: boolean;
}

/** One of the calls on such a lock; -ENOSYS for any other command. */
export function ownedFutex(k: Kernel, t: Task, lock: Lock, timeout: () => Timespec | undefined): SysResult {
  switch (lock.command) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: {
      const time = timeout();
      if (time && (time.sec < 0 || time.nsec < 0 || time.nsec >= 1e9)) return -EINVAL;
      // The first of the two has always meant the clock of the calendar.
      const clock = lock.command === FUTEX_LOCK_PI || lock.realtime ? CLOCK_REALTIME : CLOCK_MONOTONIC;
      const deadline = time && deadlineOf(k, clock, time, true);
      const key = keyOf(k, t, lock.addr, lock.isPrivate);
      return acquire(k, t, lock.addr, key) ?? wait(k, t, lock.addr, key, deadline);
    }
    case FUTEX_TRYLOCK_PI:
      return acquire(k, t, lock.addr, keyOf(k, t, lock.addr, lock.isPrivate)) ?? -EAGAIN;
    case FUTEX_UNLOCK_PI:
      return unlock(k, t, lock);
    default:
      return -ENOSYS;
  }
}

/** The waiters for a lock: by priority, then in order of arrival. */
function waitersOf(k: Kernel, key: Key): [Task, OwnedWaiter][] {
  return [...k.futexes.owned]
    .filter(([, w]) => !w.given && w.key.object === key.object && w.key.offset === key.offset)
    .sort(([a], [b]) => b.rtPriority - a.rtPriority);
}

/** Takes the lock if it is free; what the call returns if it need not wait. */
function acquire(k: Kernel, t: Task, addr: number, key: Key): number | undefined {
  const value = readU32(k, t, addr);
  const tid = value & FUTEX_TID_MASK;
  if (tid === t.pid) return -EDEADLK;
  if (tid === 0) {
    const others = waitersOf(k, key).length > 0 ? FUTEX_WAITERS : 0;
    writeU32(k, t, addr, ((value & FUTEX_OWNER_DIED) | others | t.pid) >>> 0);
    return 0;
  }
  const owner = k.tasks.get(tid);
  if (owner === undefined || !owner.alive) return -ESRCH;
  if (owner.mm === undefined) return -EPERM;
  for (let o: Task | undefined = owner; o !== undefined; o = k.futexes.owned.get(o)?.owner)
    if (o === t) return -EDEADLK;
  writeU32(k, t, addr, (value | FUTEX_WAITERS) >>> 0);
  return undefined;
}

function* wait(
  k: Kernel,
  t: Task,
  addr: number,
  key: Key,
  deadline: number | undefined,
): Generator<Wait, number, WakeReason> {
  const owner = k.tasks.get(readU32(k, t, addr) & FUTEX_TID_MASK)!;
  const waiter: OwnedWaiter = { key, queue: new WaitQueue(), owner, given: false, ownerDied: false };
  k.futexes.owned.set(t, waiter);
  const reason = yield { queues: [waiter.queue], deadline, interruptible: true };
  k.futexes.owned.delete(t);
  if (waiter.given) {
    // Who died cannot write the word; who waited can.
    if (waiter.ownerDied) writeU32(k, t, addr, (FUTEX_WAITERS | FUTEX_OWNER_DIED | t.pid) >>> 0);
    return 0;
  }
  if (reason === "timeout") return -ETIMEDOUT;
  return -ERESTARTNOINTR;
}

function unlock(k: Kernel, t: Task, { addr, isPrivate }: Lock): number {
  if ((readU32(k, t, addr) & FUTEX_TID_MASK) !== t.pid) return -EPERM;
  const next = handOver(k, keyOf(k, t, addr, isPrivate), false);
  writeU32(k, t, addr, next === undefined ? 0 : (FUTEX_WAITERS | next.pid) >>> 0);
  return 0;
}

/** Gives a lock to the first that waits for it. */
function handOver(k: Kernel, key: Key, ownerDied: boolean): Task | undefined {
  const [first, ...others] = waitersOf(k, key);
  if (first === undefined) return undefined;
  const [next, waiter] = first;
  waiter.given = true;
  waiter.ownerDied = ownerDied;
  for (const [, other] of others) other.owner = next;
  waiter.queue.wakeAll(k.cause("futex"));
  return next;
}

/** A task ends: what others wait for and it still holds goes to them. */
export function releaseOwned(k: Kernel, t: Task): void {
  k.futexes.owned.delete(t);
  for (const waiter of [...k.futexes.owned.values()])
    if (waiter.owner === t && !waiter.given) handOver(k, waiter.key, true);
}
