// Numbers and names of processes: pids, process groups, sessions, and the calls that ask and change them.
import { EACCES, EINVAL, EPERM, ESRCH } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import type { Task } from "./task.ts";

const PID_MAX = 32768;
/** Where numbers start again after PID_MAX. */
const RESERVED_PIDS = 300;

/** Numbers of the capabilities that are asked for. */
export const CAP = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
  SETPCAP: 8,
  NET_BIND_SERVICE: 10,
  NET_ADMIN: 12,
  NET_RAW: 13,
  IPC_LOCK: 14,
  SYS_RAWIO: 17,
  SYS_CHROOT: 18,
  SYS_PTRACE: 19,
  SYS_ADMIN: 21,
  SYS_BOOT: 22,
  SYS_NICE: 23,
  SYS_RESOURCE: 24,
  SYS_TIME: 25,
  MKNOD: 27,
} as const;
export type CapName = keyof typeof CAP;

export class Ids {
  private readonly k: Kernel;
  private next: number;
  private wrapped = false;
  private nextTask = 0;
  private nextMm = 0;
  private nextObject = 0;
  private readonly order = new WeakMap<object, number>();
  private ordered = 0;

  constructor(k: Kernel, first: number) {
    this.k = k;
    this.next = first;
  }

  /** A free pid; -1 if there is none. */
  pid(): number {
    for (let tries = 0; tries < PID_MAX; tries++) {
      const pid = this.next;
      this.next++;
      if (this.next >= PID_MAX) {
        this.next = RESERVED_PIDS;
        this.wrapped = true;
      }
      // Before the numbers start again nobody can have this one.
      if (!this.wrapped || !this.taken(pid)) return pid;
    }
    return -1;
  }

  /** Numbers of groups and sessions that live on without their leader are not reused. */
  private taken(pid: number): boolean {
    if (this.k.tasks.has(pid)) return true;
    for (const t of this.k.tasks.values()) if (t.signal.pgrp === pid || t.signal.session === pid) return true;
    return false;
  }

  /** The next dense trace id of a task. */
  task(): number {
    return this.nextTask++;
  }

  /** The next trace id of an object: file, pipe, socket, ... */
  object(): number {
    return this.nextObject++;
  }

  /** A number that stays with an object: kcmp's order. */
  orderOf(object: object): number {
    const known = this.order.get(object);
    if (known !== undefined) return known;
    this.order.set(object, ++this.ordered);
    return this.ordered;
  }

  /** The next trace id of an address space. */
  mm(): number {
    return this.nextMm++;
  }

  capable(t: Task, cap: CapName): boolean {
    return (t.creds.capEffective & (1n << BigInt(CAP[cap]))) !== 0n;
  }

  /** Whether no member has a parent in another group of the same session: then job control cannot stop it. */
  isOrphanedPgrp(pgrp: number): boolean {
    for (const t of this.k.tasks.values()) {
      if (t.signal.pgrp !== pgrp || !t.isLeader || !t.alive) continue;
      const parent = t.parent?.signal;
      if (parent === undefined || t.parent === this.k.init) continue;
      if (parent.pgrp !== pgrp && parent.session === t.signal.session) return false;
    }
    return true;
  }
}

export const sys_getpid: Sys = (_k, t) => t.tgid;
export const sys_gettid: Sys = (_k, t) => t.pid;
export const sys_getppid: Sys = (_k, t) => t.signal.leader.parent?.tgid ?? 0;
export const sys_getpgrp: Sys = (_k, t) => t.signal.pgrp;

export const sys_getpgid: Sys = (k, t, pid) => {
  const target = pid === 0 ? t : k.tasks.get(pid);
  return target === undefined ? -ESRCH : target.signal.pgrp;
};

export const sys_getsid: Sys = (k, t, pid) => {
  const target = pid === 0 ? t : k.tasks.get(pid);
  return target === undefined ? -ESRCH : target.signal.session;
};

export const sys_setpgid: Sys = (k, t, pid, pgid) => {
  if (pgid < 0) return -EINVAL;
  const target = pid === 0 ? t.signal.leader : k.tasks.get(pid);
  if (target === undefined || !target.isLeader) return target === undefined ? -ESRCH : -EINVAL;
  const { signal } = target;
  if (target.parent?.signal === t.signal) {
    if (signal.session !== t.signal.session) return -EPERM;
    if (signal.execed) return -EACCES;
  } else if (target !== t.signal.leader) return -ESRCH;
  if (signal.sessionLeader) return -EPERM;
  const pgrp = pgid === 0 ? target.pid : pgid;
  if (pgrp !== target.pid) {
    const member = [...k.tasks.values()].find((other) => other.signal.pgrp === pgrp);
    if (member === undefined || member.signal.session !== t.signal.session) return -EPERM;
  }
  signal.pgrp = pgrp;
  return 0;
};

export const sys_setsid: Sys = (k, t) => {
  const { signal } = t;
  const pid = signal.leader.pid;
  if (signal.sessionLeader || [...k.tasks.values()].some((other) => other.signal.pgrp === pid)) return -EPERM;
  signal.session = pid;
  signal.pgrp = pid;
  signal.sessionLeader = true;
  signal.tty = undefined;
  return pid;
};
