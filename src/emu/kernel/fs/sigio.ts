// O_ASYNC: the signal that tells a file's owner that something can be done with it (fs/fcntl.c).
import { EINVAL, ENOTTY, ESRCH } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { SI_KERNEL, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGIO, SIGSEGV, SIGSYS, SIGTRAP } from "../signal.ts";
import type { Task } from "../task.ts";
import { readI32, writeU32 } from "../user.ts";
import {
  O_ASYNC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from "./const.ts";
import type { File } from "./file.ts";

/** si_code of SIGIO. */
export const POLL = { IN: 1, OUT: 2, MSG: 3, ERR: 4, PRI: 5, HUP: 6 } as const;
export type PollCode = (typeof POLL)[keyof typeof POLL];
const EPOLLMSG = 0x400;
/** si_band of each si_code. */
const BANDS = [
  0,
  POLLIN | POLLRDNORM,
  POLLOUT | POLLWRNORM | POLLWRBAND,
  POLLIN | POLLRDNORM | EPOLLMSG,
  POLLERR,
  POLLPRI | POLLRDBAND,
  POLLHUP | POLLERR,
];
const SI_SIGIO = -5;
/** Signals whose positive codes mean something of their own. */
const WITH_CODES = new Set([SIGILL, SIGFPE, SIGSEGV, SIGBUS, SIGTRAP, SIGCHLD, SIGSYS]);

/** Whom a file's signals go to, as struct f_owner_ex numbers it. */
export const OWNER = { thread: 0, process: 1, group: 2 } as const;

/** Who owns a file, and who said so. */
export interface FileOwner {
  readonly type: number;
  /** 0: nobody. */
  readonly pid: number;
  readonly uid: number;
  readonly euid: number;
}

/** The open files that hear of what happens to one thing. */
export class AsyncFiles {
  private entries: { readonly file: File; fd: number }[] = [];

  set(file: File, fd: number): void {
    const known = this.entries.find((e) => e.file === file);
    if (known) known.fd = fd;
    else this.entries.unshift({ file, fd });
  }

  remove(file: File): void {
    this.entries = this.entries.filter((e) => e.file !== file);
  }

  clear(): void {
    this.entries = [];
  }

  /** Signals every owner (kill_fasync). */
  kill(k: Kernel, code: PollCode): void {
    if (this.entries.length === 0) return;
    for (const { file, fd } of this.entries) sendSigio(k, file, fd, code);
  }
}

/** Sets or clears O_ASYNC. @returns 0, or -ENOTTY for a file that cannot tell */
export function setAsync(k: Kernel, file: File, fd: number, on: boolean): number {
  if (!file.ops.fasync) return -ENOTTY;
  for (const list of file.asyncs ?? []) list.remove(file);
  const lists = on ? file.ops.fasync(k, file) : null;
  for (const list of lists ?? []) list.set(file, fd);
  file.asyncs = lists;
  file.flags = on ? file.flags | O_ASYNC : file.flags & ~O_ASYNC;
  return 0;
}

/** Makes somebody the owner; `force`: even if there is one. */
export function own(file: File, t: Task, type: number, pid: number, force: boolean): void {
  if (force || !file.owner?.pid) file.owner = { type, pid, uid: t.creds.uid, euid: t.creds.euid };
}

/** Those of a terminal's side, whose owner, if nobody was named, is the foreground or who asks (tty_fasync). */
export function asyncFiles(k: Kernel, file: File, pgrp: number, list: AsyncFiles): AsyncFiles[] {
  if (pgrp > 0) own(file, k.current, OWNER.group, pgrp, false);
  else own(file, k.current, OWNER.process, k.current.tgid, false);
  return [list];
}

/** Whether a number is anybody's: a thread's, a group's or a session's (find_vpid). */
function known(k: Kernel, pid: number): boolean {
  if (k.tasks.has(pid)) return true;
  for (const { signal } of k.tasks.values()) if (signal.pgrp === pid || signal.session === pid) return true;
  return false;
}

/** F_SETOWN: a process, or with a negative number a group. */
export function setOwner(k: Kernel, t: Task, file: File, who: number): number {
  if (who === -0x8000_0000) return -EINVAL;
  const pid = Math.abs(who);
  if (pid !== 0 && !known(k, pid)) return -ESRCH;
  own(file, t, who < 0 ? OWNER.group : OWNER.process, pid, true);
  return 0;
}

/** F_SETOWN_EX: struct f_owner_ex. */
export function setOwnerEx(k: Kernel, t: Task, file: File, addr: number): number {
  const type = readI32(k, t, addr);
  const pid = readI32(k, t, addr + 4);
  if (type < OWNER.thread || type > OWNER.group) return -EINVAL;
  if (pid !== 0 && !known(k, pid)) return -ESRCH;
  own(file, t, type, pid, true);
  return 0;
}

/** Who the owner is by now: the tasks that the signal goes to. */
function owners(k: Kernel, { type, pid }: FileOwner): Task[] {
  if (pid === 0) return [];
  if (type === OWNER.group) return [...k.tasks.values()].filter((t) => t.isLeader && t.signal.pgrp === pid);
  const t = k.tasks.get(pid);
  return t ? [t] : [];
}

/** The owner's number, 0 if it is gone. */
function ownerPid(k: Kernel, file: File): number {
  const { owner } = file;
  if (!owner) return 0;
  return owners(k, owner).some((t) => owner.type !== OWNER.process || t.isLeader) ? owner.pid : 0;
}

/** F_GETOWN: a group's number is negative. */
export function getOwner(k: Kernel, file: File): number {
  const pid = ownerPid(k, file);
  return file.owner?.type === OWNER.group ? -pid : pid;
}

/** F_GETOWN_EX. */
export function getOwnerEx(k: Kernel, t: Task, file: File, addr: number): number {
  writeU32(k, t, addr, file.owner?.type ?? OWNER.thread);
  writeU32(k, t, addr + 4, ownerPid(k, file));
  return 0;
}

/** The signal that a file's owner asked for (send_sigio): SIGIO that says nothing, or the one of F_SETSIG with the descriptor. */
export function sendSigio(k: Kernel, file: File, fd: number, reason: PollCode): void {
  const { owner, sig } = file;
  if (!owner) return;
  const from = k.current.seq;
  const code = WITH_CODES.has(sig) ? SI_SIGIO : reason;
  for (const t of owners(k, owner)) {
    const { uid, suid } = t.creds;
    if (owner.euid !== 0 && ![owner.euid, owner.uid].some((id) => id === uid || id === suid)) continue;
    const send = (info: Parameters<typeof k.signals.send>[1]) =>
      owner.type === OWNER.thread ? k.signals.send(t, info) : k.signals.sendGroup(t, info);
    if (sig !== 0 && send({ signo: sig, code, errno: 0, band: BANDS[reason], fd, from }) === 0) continue;
    send({ signo: SIGIO, code: SI_KERNEL, errno: 0, pid: 0, uid: 0, from });
  }
}
