// Futexes: waiting on a word of user memory (kernel/futex). Those with an owner are in futex_pi.ts, what dead threads held in robust_list.ts.
import { EAGAIN, EFAULT, EINVAL, ENOSYS, ERESTART_RESTARTBLOCK, ERESTARTSYS, ETIMEDOUT, SysError } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import type { Task } from "./task.ts";
import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  deadlineOf,
  readTimespec32,
  readTimespec64,
  type Timespec,
  validTimespec,
} from "./time.ts";
import { readU32, userHostAddress, writeU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const FUTEX_REQUEUE = 3;
const FUTEX_CMP_REQUEUE = 4;
const FUTEX_WAKE_OP = 5;
const FUTEX_LOCK_PI = 6;
const FUTEX_UNLOCK_PI = 7;
const FUTEX_TRYLOCK_PI = 8;
const FUTEX_WAIT_BITSET = 9;
const FUTEX_WAKE_BITSET = 10;
const FUTEX_WAIT_REQUEUE_PI = 11;
const FUTEX_CMP_REQUEUE_PI = 12;
const FUTEX_LOCK_PI2 = 13;
export const FUTEX_PRIVATE = 128;
const FUTEX_CLOCK_REALTIME = 256;
export const ANY_BIT = 0xffff_ffff | 0;

export const FUTEX_WAITERS = 0x8000_0000;
export const FUTEX_OWNER_DIED = 0x4000_0000;
export const FUTEX_TID_MASK = 0x3fff_ffff;

/** What a futex word is known by: an object (address space or shared mapping) and a place in it. */
export interface Key {
  readonly object: object;
  readonly offset: number;
}

export interface FutexWaiter {
  key: Key;
  readonly bitset: number;
  readonly queue: WaitQueue;
  woken: boolean;
  /** FUTEX_WAIT_REQUEUE_PI: the lock it is to be moved to, and how it will wait there. */
  readonly target?: Key;
  pi?: object;
}

/** All waiters of a machine, in order of arrival per word. */
export class Futexes {
  private readonly waiters = new Map<object, Map<number, FutexWaiter[]>>();

  /** Who waits on a word. */
  at(key: Key): FutexWaiter[] {
    return this.waiters.get(key.object)?.get(key.offset) ?? [];
  }

  add(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    let words = this.waiters.get(object);
    if (words === undefined) {
      words = new Map();
      this.waiters.set(object, words);
    }
    const list = words.get(offset);
    if (list) list.push(waiter);
    else words.set(offset, [waiter]);
  }

  remove(waiter: FutexWaiter): void {
    const { object, offset } = waiter.key;
    const words = this.waiters.get(object);
    const list = words?.get(offset);
    const at = list?.indexOf(waiter) ?? -1;
    if (words === undefined || list === undefined || at < 0) return;
    list.splice(at, 1);
    if (list.length === 0) words.delete(offset);
    if (words.size === 0) this.waiters.delete(object);
  }

  /** Wakes up to `count` waiters whose bits meet `bitset`; returns how many, or -EINVAL for one that waits for a lock too. */
  wake(k: Kernel, key: Key, count: number, bitset: number): number {
    let woken = 0;
    for (const waiter of [...this.at(key)]) {
      if (woken >= count) break;
      if (waiter.target !== undefined) return -EINVAL;
      if ((waiter.bitset & bitset) === 0) continue;
      this.remove(waiter);
      waiter.woken = true;
      waiter.queue.wakeAll(k.cause("futex"));
      woken++;
    }
    return woken;
  }

  /** Moves up to `count` waiters to another word; returns how many. */
  requeue(key: Key, to: Key, count: number): number {
    let moved = 0;
    for (const waiter of [...this.at(key)]) {
      if (moved >= count) break;
      if (waiter.target !== undefined) return -EINVAL;
      this.remove(waiter);
      waiter.key = to;
      this.add(waiter);
      moved++;
    }
    return moved;
  }
}

export function keyOf(k: Kernel, t: Task, addr: number, isPrivate: boolean): Key {
  const la = addr >>> 0;
  const mm = t.mm!;
  if (!isPrivate) {
    // The page must be there: a shared word is known by the object behind it.
    userHostAddress(k, t, la, false);
    const vma = mm.vmas.at(la);
    if (vma?.mapping !== undefined && vma.shared) {
      return { object: vma.mapping, offset: vma.indexOf(la) * 4096 + (la & 4095) };
    }
  }
  return { object: mm, offset: la };
}

function* wait(
  k: Kernel,
  t: Task,
  addr: number,
  value: number,
  isPrivate: boolean,
  bitset: number,
  deadline: number | undefined,
): Generator<Wait, number, WakeReason> {
  const key = keyOf(k, t, addr, isPrivate);
  if ((readU32(k, t, addr) | 0) !== (value | 0)) return -EAGAIN;
  const waiter: FutexWaiter = { key, bitset, queue: new WaitQueue(), woken: false };
  k.futexes.add(waiter);
  const reason = yield { queues: [waiter.queue], deadline, interruptible: true };
  if (waiter.woken) return 0;
  k.futexes.remove(waiter);
  if (reason === "timeout") return -ETIMEDOUT;
  if (deadline === undefined) return -ERESTARTSYS;
  t.restartBlock = () => wait(k, t, addr, value, isPrivate, bitset, deadline);
  return -ERESTART_RESTARTBLOCK;
}

/** FUTEX_WAKE_OP's encoded operation on the second word; returns whether its waiters are to be woken. */
function wakeOp(k: Kernel, t: Task, addr: number, code: number): boolean | number {
  const op = (code >>> 28) & 7;
  const cmp = (code >>> 24) & 15;
  let arg = (code << 8) >> 20;
  const cmpArg = (code << 20) >> 20;
  if ((code >>> 28) & 8) arg = 1 << (arg & 31);
  const old = readU32(k, t, addr) | 0;
  const next = [arg, old + arg, old | arg, old & ~arg, old ^ arg][op];
  if (next === undefined) return -ENOSYS;
  writeU32(k, t, addr, next | 0);
  const result = [old === cmpArg, old !== cmpArg, old < cmpArg, old <= cmpArg, old > cmpArg, old >= cmpArg][cmp];
  return result ?? -ENOSYS;
}

/** futex(), with what reads its time. */
type FutexCall = (
  k: Kernel,
  t: Task,
  addr: number,
  op: number,
  value: number,
  timeout: number,
  addr2: number,
  value3: number,
  read: (k: Kernel, t: Task, addr: number) => Timespec,
) => SysResult;

const futex: FutexCall = (k, t, addr, op, value, timeout, addr2, value3, read) => {
  const command = op & 127;
  const isPrivate = (op & FUTEX_PRIVATE) !== 0;
  if (addr & 3) return -EINVAL;
  if (t.mm === undefined) return -EFAULT;
  switch (command) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
      const bitset = command === FUTEX_WAIT ? ANY_BIT : value3;
      if (bitset === 0) return -EINVAL;
      let deadline: number | undefined;
      if (timeout !== 0) {
        const clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
        const time = read(k, t, timeout);
        if (!validTimespec(time)) return -EINVAL;
        deadline = deadlineOf(k, clock, time, command === FUTEX_WAIT_BITSET);
      }
      return wait(k, t, addr, value, isPrivate, bitset, deadline);
    }
    case FUTEX_WAKE:
      return k.futexes.wake(k, keyOf(k, t, addr, isPrivate), Math.max(1, value), ANY_BIT);
    case FUTEX_WAKE_BITSET:
      if (value3 === 0) return -EINVAL;
      return k.futexes.wake(k, keyOf(k, t, addr, isPrivate), Math.max(1, value), value3);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE: {
      if (value < 0 || timeout < 0) return -EINVAL;
      const from = keyOf(k, t, addr, isPrivate);
      const to = keyOf(k, t, addr2, isPrivate);
      if (command === FUTEX_CMP_REQUEUE && (readU32(k, t, addr) | 0) !== (value3 | 0)) return -EAGAIN;
      const woken = k.futexes.wake(k, from, value, ANY_BIT);
      if (woken < 0) return woken;
      const moved = k.futexes.requeue(from, to, timeout);
      return moved < 0 ? moved : woken + moved;
    }
    case FUTEX_WAKE_OP: {
      const first = keyOf(k, t, addr, isPrivate);
      const second = keyOf(k, t, addr2, isPrivate);
      const also = wakeOp(k, t, addr2, value3);
      if (typeof also === "number") return also;
      const woken = k.futexes.wake(k, first, Math.max(1, value), ANY_BIT);
      return also ? woken + k.futexes.wake(k, second, Math.max(1, timeout), ANY_BIT) : woken;
    }
    default:
      return piFutex(k, t, addr, op, value, timeout, addr2, value3, read);
  }
};

/** The operations of locks with an owner. */
const piFutex: FutexCall = (k, t, addr, op, value, timeout, addr2, value3, read) => {
  const command = op & 127;
  const isPrivate = (op & FUTEX_PRIVATE) !== 0;
  const until = (clock: number): number | undefined => {
    if (timeout === 0) return undefined;
    const time = read(k, t, timeout);
    if (!validTimespec(time)) throw new SysError(EINVAL);
    return deadlineOf(k, clock, time, true);
  };
  const clock = op & FUTEX_CLOCK_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  if (op & FUTEX_CLOCK_REALTIME && command !== FUTEX_LOCK_PI2 && command !== FUTEX_WAIT_REQUEUE_PI) return -ENOSYS;
  switch (command) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2: {
      const deadline = until(command === FUTEX_LOCK_PI ? CLOCK_REALTIME : clock);
      return k.piFutexes.lock(t, addr, keyOf(k, t, addr, isPrivate), deadline, true);
    }
    case FUTEX_TRYLOCK_PI:
      return k.piFutexes.lock(t, addr, keyOf(k, t, addr, isPrivate), undefined, false);
    case FUTEX_UNLOCK_PI:
      return k.piFutexes.unlock(t, addr, keyOf(k, t, addr, isPrivate));
    case FUTEX_WAIT_REQUEUE_PI: {
      if (addr === addr2) return -EINVAL;
      const deadline = until(clock);
      const key = keyOf(k, t, addr, isPrivate);
      const target = keyOf(k, t, addr2, isPrivate);
      if ((readU32(k, t, addr) | 0) !== (value | 0)) return -EAGAIN;
      const waiter: FutexWaiter = { key, bitset: ANY_BIT, queue: new WaitQueue(), woken: false, target };
      return k.piFutexes.waitForLock(t, k.futexes, waiter, addr2, deadline);
    }
    case FUTEX_CMP_REQUEUE_PI: {
      if (addr === addr2 || value !== 1 || timeout < 0) return -EINVAL;
      const from = keyOf(k, t, addr, isPrivate);
      const to = keyOf(k, t, addr2, isPrivate);
      if ((readU32(k, t, addr) | 0) !== (value3 | 0)) return -EAGAIN;
      return k.piFutexes.requeue(t, k.futexes, from, to, addr2, timeout);
    }
    default:
      return -ENOSYS;
  }
};

export const sys_futex: Sys = (k, t, addr, op, value, timeout, addr2, value3) =>
  futex(k, t, addr, op, value, timeout, addr2, value3, readTimespec32);

export const sys_futex_time64: Sys = (k, t, addr, op, value, timeout, addr2, value3) =>
  futex(k, t, addr, op, value, timeout, addr2, value3, readTimespec64);

export const sys_set_tid_address: Sys = (_k, t, addr) => {
  t.clearChildTid = addr >>> 0;
  return t.pid;
};

/** CLONE_CHILD_CLEARTID: zeroes the word and wakes who joins the thread. */
export function wakeClearedTid(k: Kernel, t: Task): void {
  const addr = t.clearChildTid;
  writeU32(k, t, addr, 0);
  k.futexes.wake(k, keyOf(k, t, addr, false), 1, ANY_BIT);
  k.futexes.wake(k, keyOf(k, t, addr, true), 1, ANY_BIT);
}
