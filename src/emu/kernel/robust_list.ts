// Robust lists: the locks that a thread says it holds, so that they can be marked when it dies (kernel/futex/core.c).
import { EINVAL, EPERM, ESRCH } from "./errno.ts";
import { ANY_BIT, FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS, keyOf } from "./futex.ts";
import type { Kernel, Sys } from "./kernel.ts";
import type { Task } from "./task.ts";
import { readU32, writeU32 } from "./user.ts";

/** Entries of a robust list that are looked at; it may be a circle. */
const ROBUST_LIST_LIMIT = 2048;
const ROBUST_HEAD_BYTES = 12;

export const sys_set_robust_list: Sys = (_k, t, head, length) => {
  if (length !== ROBUST_HEAD_BYTES) return -EINVAL;
  t.robustList = head >>> 0;
  return 0;
};

export const sys_get_robust_list: Sys = (k, t, pid, head, length) => {
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (target !== t && !k.signals.permitted(t, target, 0)) return -EPERM;
  writeU32(k, t, length, ROBUST_HEAD_BYTES);
  writeU32(k, t, head, target.robustList);
  return 0;
};

/** Marks the locks that a dying thread still holds and wakes one waiter of each. */
export function exitRobustList(k: Kernel, t: Task): void {
  const head = t.robustList;
  if (head === 0) return;
  t.robustList = 0;
  const offset = readU32(k, t, head + 4) | 0;
  const pending = readU32(k, t, head + 8);
  let entry = readU32(k, t, head);
  for (let i = 0; i < ROBUST_LIST_LIMIT && (entry & ~1) >>> 0 !== head; i++) {
    const next = readU32(k, t, (entry & ~1) >>> 0);
    if ((entry & ~1) !== (pending & ~1)) handleDeath(k, t, entry, offset);
    entry = next;
  }
  if ((pending & ~1) !== 0) handleDeath(k, t, pending, offset);
}

/** A lock of a robust list whose holder dies; bit 0 of the entry says that it has an owner (futex_pi.ts hands those on). */
function handleDeath(k: Kernel, t: Task, entry: number, offset: number): void {
  const addr = ((entry & ~1) + offset) >>> 0;
  if (addr & 3) return;
  const value = readU32(k, t, addr);
  if ((value & FUTEX_TID_MASK) !== t.pid) return;
  writeU32(k, t, addr, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
  if (entry & 1 || !(value & FUTEX_WAITERS)) return;
  k.futexes.wake(k, keyOf(k, t, addr, false), 1, ANY_BIT);
  k.futexes.wake(k, keyOf(k, t, addr, true), 1, ANY_BIT);
}
