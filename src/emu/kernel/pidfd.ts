// pidfd: a process held by a descriptor, which cannot come to mean another one (kernel/pid.c, kernel/fork.c).
import { EBADF, EINVAL, EPERM, ESRCH, SysError } from "./errno.ts";
import { O_NONBLOCK, O_PATH, O_RDWR, POLLIN, POLLRDNORM } from "./fs/const.ts";
import type { File, FileOps } from "./fs/file.ts";
import { nofile } from "./fs/open.ts";
import { processOf } from "./fs/proc/proc.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { decodeSigInfo, NSIG, SI_TKILL } from "./signal.ts";
import type { Task } from "./task.ts";
import { copyIn } from "./user.ts";

/** What a pidfd holds. */
class PidHold {
  readonly leader: Task;
  constructor(leader: Task) {
    this.leader = leader;
  }

  /** Whether every thread has ended. */
  get over(): boolean {
    return [...this.leader.signal.threads].every((thread) => !thread.alive);
  }
}

const pidfdOps: FileOps = {
  stream: true,
  poll: (_k, file) => {
    const hold = file.data as PidHold;
    return { mask: hold.over ? POLLIN | POLLRDNORM : 0, queues: [hold.leader.signal.threadGone] };
  },
};

/** A descriptor of `t` for a process; or -EMFILE. */
export function newPidfd(k: Kernel, t: Task, leader: Task, flags: number): number {
  const file = k.vfs.anonfs.open(0o600, O_RDWR | (flags & O_NONBLOCK), pidfdOps, () => "anon_inode:[pidfd]");
  file.data = new PidHold(leader);
  return t.files!.install(file, 0, true, nofile(t));
}

/** The process that signals to a descriptor go to: a pidfd's, or that of a directory /proc/PID. @throws SysError(EBADF) */
function signalled(t: Task, fd: number): Task {
  const file = t.files!.get(fd);
  const shown = file && (file.flags & O_PATH) === 0 ? processOf(file.inode) : undefined;
  return shown ?? pidfdTask(t, fd).leader;
}

/** The process of a descriptor, and the file. @throws SysError(EBADF) */
export function pidfdTask(t: Task, fd: number): { leader: Task; file: File } {
  const file = t.files!.get(fd);
  if (!(file?.data instanceof PidHold)) throw new SysError(EBADF);
  return { leader: file.data.leader, file };
}

/** pidfd_open(pid, flags). */
export const sys_pidfd_open: Sys = (k, t, pid, flags) => {
  if (flags & ~O_NONBLOCK || pid <= 0) return -EINVAL;
  const target = k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  return target.isLeader ? newPidfd(k, t, target, flags) : -EINVAL;
};

/** pidfd_send_signal(pidfd, signal, siginfo or null, flags). */
export const sys_pidfd_send_signal: Sys = (k, t, fd, signo, addr, flags) => {
  if (flags !== 0) return -EINVAL;
  const leader = signalled(t, fd);
  let info = k.signals.userInfo(t, signo);
  if (addr !== 0) {
    info = decodeSigInfo(copyIn(k, t, addr, 128));
    if (info.signo !== signo) return -EINVAL;
    if (leader.signal !== t.signal && (info.code >= 0 || info.code === SI_TKILL)) return -EPERM;
  }
  if (leader.state === "dead") return -ESRCH;
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (!k.signals.permitted(t, leader, signo)) return -EPERM;
  return signo === 0 ? 0 : k.signals.sendGroup(leader, info);
};

/** Whether `t` may look into another process (ptrace_may_access). */
export function mayAccess(k: Kernel, t: Task, target: Task): boolean {
  if (t.signal === target.signal || k.ids.capable(t, "SYS_PTRACE")) return true;
  const { fsuid, fsgid } = t.creds;
  const c = target.creds;
  const same =
    [c.uid, c.euid, c.suid].every((id) => id === fsuid) && [c.gid, c.egid, c.sgid].every((id) => id === fsgid);
  return same && target.dumpable === 1;
}

/** pidfd_getfd(pidfd, descriptor there, flags). */
export const sys_pidfd_getfd: Sys = (k, t, fd, targetFd, flags) => {
  if (flags !== 0) return -EINVAL;
  const { leader } = pidfdTask(t, fd);
  if (!mayAccess(k, t, leader)) return -EPERM;
  if (leader.files === undefined) return -ESRCH;
  const file = leader.files.get(targetFd);
  return file ? t.files!.install(file, 0, true, nofile(t)) : -EBADF;
};
