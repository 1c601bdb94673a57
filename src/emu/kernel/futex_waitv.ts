// futex_waitv: waiting on several words of user memory at once (kernel/futex/syscalls.c).
import { EAGAIN, EINVAL, ERESTARTSYS, ETIMEDOUT } from "./errno.ts";
import { ANY_BIT, FUTEX_PRIVATE, type FutexWaiter, keyOf } from "./futex.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { CLOCK_MONOTONIC, CLOCK_REALTIME, deadlineOf, readTimespec64, validTimespec } from "./time.ts";
import { copyIn, readU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const MAX_WORDS = 128;
const FUTEX_32 = 2;
/** sizeof(struct futex_waitv). */
const WAITV_BYTES = 24;

function* wait(
  k: Kernel,
  waiters: FutexWaiter[],
  queue: WaitQueue,
  deadline?: number,
): Generator<Wait, number, WakeReason> {
  try {
    const why = yield { queues: [queue], interruptible: true, deadline };
    const woken = waiters.findIndex((w) => w.woken);
    if (woken >= 0) return woken;
    return why === "timeout" ? -ETIMEDOUT : -ERESTARTSYS;
  } finally {
    for (const waiter of waiters) k.futexes.remove(waiter);
  }
}

/** futex_waitv(words, how many, flags, absolute time, its clock): which of them was woken. */
export const sys_futex_waitv: Sys = (k, t, addr, count, flags, time, clock) => {
  if (flags !== 0 || count < 1 || count > MAX_WORDS || addr === 0) return -EINVAL;
  let deadline: number | undefined;
  if (time !== 0) {
    if (clock !== CLOCK_MONOTONIC && clock !== CLOCK_REALTIME) return -EINVAL;
    const until = readTimespec64(k, t, time);
    if (!validTimespec(until)) return -EINVAL;
    deadline = deadlineOf(k, clock, until, true);
  }
  const words = new Uint32Array(copyIn(k, t, addr, WAITV_BYTES * count).buffer);
  const queue = new WaitQueue();
  const waiters: FutexWaiter[] = [];
  for (let i = 0; i < words.length; i += 6) {
    const [, valueHigh, at, atHigh, how, reserved] = words.subarray(i, i + 6);
    if (how & ~(FUTEX_32 | FUTEX_PRIVATE) || !(how & FUTEX_32) || reserved !== 0) return -EINVAL;
    if (at & 3 || atHigh !== 0 || valueHigh !== 0) return -EINVAL;
    waiters.push({ key: keyOf(k, t, at, (how & FUTEX_PRIVATE) !== 0), bitset: ANY_BIT, queue, woken: false });
  }
  for (let i = 0; i < words.length; i += 6) if (readU32(k, t, words[i + 2]) !== words[i]) return -EAGAIN;
  for (const waiter of waiters) k.futexes.add(waiter);
  return wait(k, waiters, queue, deadline);
};
