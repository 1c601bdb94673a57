// Times as file systems and their calls keep them: the coarse clock of inodes, and timespecs in user memory.
import { EINVAL, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI32, readI64 } from "../user.ts";
import type { Timespec } from "./inode.ts";

/** The time that changes to inodes get: of the last tick, as ktime_get_coarse_real_ts64. */
export function currentTime(k: Kernel): Timespec {
  const { sec, nsec } = k.realtime();
  const tick = 1e9 / k.options.hz;
  return { sec, nsec: Math.floor(nsec / tick) * tick };
}

/** A struct timespec (32-bit: two longs; 64-bit: two 64-bit words). @throws SysError EFAULT */
export function readTimespec(k: Kernel, t: Task, addr: number, is64: boolean): Timespec {
  if (!is64) return { sec: readI32(k, t, addr), nsec: readI32(k, t, addr + 4) };
  // The upper half of a 32-bit program's 64-bit nanoseconds is padding.
  return { sec: readI64(k, t, addr), nsec: readI32(k, t, addr + 8) };
}

/** Nanoseconds of a relative time. @throws SysError EINVAL for one that is not normal */
export function durationNs(ts: Timespec): number {
  if (ts.sec < 0 || ts.nsec < 0 || ts.nsec >= 1_000_000_000) throw new SysError(EINVAL);
  return ts.sec * 1e9 + ts.nsec;
}

/** Is a before b? */
export function earlier(a: Timespec, b: Timespec): boolean {
  return a.sec !== b.sec ? a.sec < b.sec : a.nsec < b.nsec;
}
