// Sessions and their terminals: who may read, who is in the foreground, hanging up (drivers/tty/tty_jobctrl.c, tty_io.c).
import { EFAULT, EINVAL, EIO, ENOTTY, EPERM, ERESTARTSYS, ESRCH } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { bit, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU } from "../signal.ts";
import { SIG_IGN, type Task } from "../task.ts";
import { readI32, writeU32 } from "../user.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { Tty } from "./tty.ts";

export const TIOCSCTTY = 0x540e;
export const TIOCGPGRP = 0x540f;
export const TIOCSPGRP = 0x5410;
export const TIOCNOTTY = 0x5422;
export const TIOCGSID = 0x5429;

/** Files of a terminal that was hung up. */
const hungUpOps: FileOps = {
  stream: true,
  read: () => 0,
  write: () => -EIO,
  poll: () => ({ mask: POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM, queues: [] }),
  ioctl: (_k, _t, _f, cmd) => (cmd === TIOCSPGRP ? -ENOTTY : -EIO),
};

/** Sends a signal to a background process that touches its terminal (__tty_check_change); 0: it may go on. */
export function background(k: Kernel, t: Task, tty: Tty, signo: number): number {
  const { signal } = t;
  if (signal.tty !== tty || tty.pgrp === 0 || signal.pgrp === tty.pgrp) return 0;
  const ignored = t.sighand.actions[signo].handler === SIG_IGN || (t.blocked & bit(signo)) !== 0n;
  if (ignored) return signo === SIGTTIN ? -EIO : 0;
  if (k.ids.isOrphanedPgrp(signal.pgrp)) return -EIO;
  k.signals.sendPgrp(signal.pgrp, { signo, code: 0x80, errno: 0 });
  return -ERESTARTSYS;
}

/** Makes a terminal the controlling one of a session's leader. */
export function takeTerminal(tty: Tty, t: Task): void {
  tty.session = t.signal.session;
  tty.pgrp = t.signal.pgrp;
  t.signal.tty = tty;
}

/** Nobody's controlling terminal any more. */
function release(k: Kernel, tty: Tty): void {
  for (const t of k.tasks.values()) if (t.signal.tty === tty) t.signal.tty = undefined;
  tty.session = 0;
  tty.pgrp = 0;
}

function tell(k: Kernel, pgrp: number, ...signals: number[]): void {
  if (pgrp > 0) for (const signo of signals) k.signals.sendPgrp(pgrp, { signo, code: 0x80, errno: 0 });
}

/** The line is gone: open files end, the session's leader hears of it (__tty_hangup). */
export function hangUp(k: Kernel, tty: Tty): void {
  if (tty.session !== 0) {
    const leader = [...k.tasks.values()].find((t) => t.isLeader && t.signal.sessionLeader && t.pid === tty.session);
    if (leader?.alive && leader.signal.tty === tty)
      for (const signo of [SIGHUP, SIGCONT]) k.signals.sendGroup(leader, { signo, code: 0x80, errno: 0 });
  }
  release(k, tty);
  for (const file of tty.files) file.ops = hungUpOps;
  tty.files.clear();
  tty.async.clear();
  tty.driver.closed?.();
  tty.readQueue.wakeAll(k.cause("data"));
  tty.writeQueue.wakeAll(k.cause("data"));
}

/** The session's leader is gone: the foreground hears of it, and the terminal is free (disassociate_ctty). */
export function sessionLeaderExit(k: Kernel, t: Task): void {
  const { tty, sessionLeader } = t.signal;
  if (!sessionLeader || tty === undefined) return;
  tell(k, tty.pgrp, SIGHUP);
  release(k, tty);
}

function setController(k: Kernel, t: Task, tty: Tty, file: File, force: number): number {
  const { signal } = t;
  if (signal.sessionLeader && tty.session === signal.session) return 0;
  if (!signal.sessionLeader || signal.tty !== undefined) return -EPERM;
  if (tty.session !== 0) {
    if (force !== 1 || !k.ids.capable(t, "SYS_ADMIN")) return -EPERM;
    release(k, tty);
  }
  if (!file.readable && !k.ids.capable(t, "SYS_ADMIN")) return -EPERM;
  takeTerminal(tty, t);
  return 0;
}

/** A process gives its terminal up; a leader does so for its session. */
function giveUp(k: Kernel, t: Task, tty: Tty): number {
  if (t.signal.tty !== tty) return -ENOTTY;
  if (t.signal.sessionLeader) {
    tell(k, tty.pgrp, SIGHUP, SIGCONT);
    release(k, tty);
  }
  t.signal.tty = undefined;
  return 0;
}

function setForeground(k: Kernel, t: Task, tty: Tty, arg: number): number {
  const denied = background(k, t, tty, SIGTTOU);
  if (denied < 0) return denied === -EIO ? -ENOTTY : denied;
  const pgrp = readI32(k, t, arg);
  if (pgrp < 0) return -EINVAL;
  const { signal } = t;
  if (signal.tty !== tty || tty.session !== signal.session) return -ENOTTY;
  const member = [...k.tasks.values()].find((m) => m.signal.pgrp === pgrp);
  if (!member) return -ESRCH;
  if (member.signal.session !== signal.session) return -EPERM;
  tty.pgrp = pgrp;
  return 0;
}

/**
 * The ioctls of sessions, on either side of a terminal.
 * @param own the file is the terminal's own, not its master's
 * @returns undefined: it is another request
 */
export function sessionIoctl(
  k: Kernel,
  t: Task,
  tty: Tty,
  file: File,
  cmd: number,
  arg: number,
  own: boolean,
): number | undefined {
  switch (cmd) {
    case TIOCSCTTY:
      return setController(k, t, tty, file, arg);
    case TIOCNOTTY:
      return own ? giveUp(k, t, tty) : -ENOTTY;
    case TIOCGPGRP:
      if (own && t.signal.tty !== tty) return -ENOTTY;
      writeU32(k, t, arg, tty.pgrp);
      return 0;
    case TIOCGSID:
      if ((own && t.signal.tty !== tty) || tty.session === 0) return -ENOTTY;
      writeU32(k, t, arg, tty.session);
      return 0;
    case TIOCSPGRP:
      return arg === 0 ? -EFAULT : setForeground(k, t, tty, arg);
    default:
      return undefined;
  }
}
