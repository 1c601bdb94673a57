// Looking into other processes: process_vm_readv and its kin, kcmp (mm/process_vm_access.c, kernel/kcmp.c).
import { EBADF, EFAULT, EINVAL, EPERM, ESRCH, SysError } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { mayAccess, pidfdTask } from "./pidfd.ts";
import type { Task } from "./task.ts";
import { copyIn, TASK_SIZE, userHostAddress } from "./user.ts";

const IOV_MAX = 1024;
const PAGE = 4096;
/** Most bytes of one call. */
const MAX_BYTES = 0x7fff_f000;

/** Address and length of each piece. @throws SysError */
function vector(k: Kernel, t: Task, addr: number, count: number): [number, number][] {
  if (count < 0 || count > IOV_MAX) throw new SysError(EINVAL);
  const words = new Uint32Array(copyIn(k, t, addr, 8 * count).buffer);
  const out: [number, number][] = [];
  for (let i = 0; i < words.length; i += 2) {
    if (words[i + 1] > 0x7fff_ffff) throw new SysError(EINVAL);
    if (words[i + 1] > 0) out.push([words[i], words[i + 1]]);
  }
  return out;
}

/** Copies page-wise between two address spaces until the shorter vector ends or a page is not there. */
function copy(
  k: Kernel,
  t: Task,
  other: Task,
  local: [number, number][],
  remote: [number, number][],
  write: boolean,
): number {
  let done = 0;
  let [l, r, lAt, rAt] = [0, 0, 0, 0];
  const u8 = k.memory.u8;
  while (l < local.length && r < remote.length && done < MAX_BYTES) {
    const la = local[l][0] + lAt;
    const ra = remote[r][0] + rAt;
    const n = Math.min(local[l][1] - lAt, remote[r][1] - rAt, PAGE - (la % PAGE), PAGE - (ra % PAGE));
    try {
      if (ra >= TASK_SIZE) throw new SysError(EFAULT);
      const there = userHostAddress(k, other, ra, write);
      const here = userHostAddress(k, t, la, !write);
      if (write) u8.copyWithin(there, here, here + n);
      else u8.copyWithin(here, there, there + n);
    } catch (e) {
      if (e instanceof SysError && done > 0) return done;
      throw e;
    }
    done += n;
    lAt += n;
    rAt += n;
    if (lAt === local[l][1]) [l, lAt] = [l + 1, 0];
    if (rAt === remote[r][1]) [r, rAt] = [r + 1, 0];
  }
  return done;
}

const access =
  (write: boolean): Sys =>
  (k, t, pid, lvec, liov, rvec, riov, flags) => {
    if (flags !== 0) return -EINVAL;
    const local = vector(k, t, lvec, liov);
    if (local.length === 0) return 0;
    const remote = vector(k, t, rvec, riov);
    if (remote.length === 0) return 0;
    const target = k.tasks.get(pid);
    if (target === undefined) return -ESRCH;
    if (!mayAccess(k, t, target)) return -EPERM;
    if (target.mm === undefined) return -ESRCH;
    return copy(k, t, target, local, remote, write);
  };

/** process_vm_readv(pid, local vector, its count, remote vector, its count, flags). */
export const sys_process_vm_readv: Sys = access(false);
export const sys_process_vm_writev: Sys = access(true);

const ADVICE = new Set([3, 20, 21, 25]);

/** process_madvise(pidfd, vector, count, advice, flags): advice that another process may give moves nothing here. */
export const sys_process_madvise: Sys = (k, t, fd, vec, count, advice, flags) => {
  if (flags !== 0) return -EINVAL;
  const pieces = vector(k, t, vec, count);
  const { leader } = pidfdTask(t, fd);
  if (!ADVICE.has(advice)) return -EINVAL;
  if (leader.mm === undefined) return -ESRCH;
  if (!mayAccess(k, t, leader) || !k.ids.capable(t, "SYS_NICE")) return -EPERM;
  return pieces.reduce((sum, [, length]) => sum + length, 0);
};

/** process_mrelease(pidfd, flags): for a process that is being killed. */
export const sys_process_mrelease: Sys = (k, t, fd, flags) => {
  if (flags !== 0) return -EINVAL;
  const { leader } = pidfdTask(t, fd);
  if (leader.mm === undefined) return -ESRCH;
  return k.signals.fatalPending(leader) ? 0 : -EINVAL;
};

/** kcmp(pid, pid, what, number, number): 0 the same, 1 and 2 an order. */
export const sys_kcmp: Sys = (k, t, pid1, pid2, type, idx1, idx2) => {
  const pair = [k.tasks.get(pid1), k.tasks.get(pid2)];
  const [a, b] = pair;
  if (a === undefined || b === undefined) return -ESRCH;
  if (!mayAccess(k, t, a) || !mayAccess(k, t, b)) return -EPERM;
  let objects: (object | undefined)[];
  switch (type) {
    case 0:
      objects = [a.files?.get(idx1), b.files?.get(idx2)];
      if (objects.includes(undefined)) return -EBADF;
      break;
    case 1:
      objects = [a.mm, b.mm];
      break;
    case 2:
      objects = [a.files, b.files];
      break;
    case 3:
      objects = [a.fs, b.fs];
      break;
    case 4:
      objects = [a.sighand, b.sighand];
      break;
    case 5:
      // No task has an I/O context.
      return 0;
    case 6:
      objects = [a.signal, b.signal];
      break;
    default:
      return -EINVAL;
  }
  const [x, y] = objects;
  if (x === y) return 0;
  const order = (object: object | undefined) => (object === undefined ? 0 : k.ids.orderOf(object));
  return order(x) < order(y) ? 1 : 2;
};
