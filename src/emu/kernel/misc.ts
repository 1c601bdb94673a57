// Calls that ask for or set small things: uname, prctl, personality, getrandom, scheduling parameters, rseq.
import { EINVAL, ENODEV, ENOSYS, EPERM, ESRCH } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { SECCOMP_MODE_STRICT, strictSeccomp } from "./seccomp.ts";
import type { Task } from "./task.ts";
import { writeTimespec32, writeTimespec64 } from "./time.ts";
import { bytesOf, copyIn, copyOut, readString, readU32, visitUser, writeU32 } from "./user.ts";

/** What uname says: the call interface of Linux 6.1 on i386, as Debian 12 has it. */
export const UTSNAME = {
  sysname: "Linux",
  release: "6.1.0-kml",
  version: "#1 kmlab 6.1",
  machine: "i686",
} as const;

const FIELD = 65;

function utsname(k: Kernel, fields: number, width: number): Uint8Array {
  const names = [UTSNAME.sysname, k.nodename, UTSNAME.release, UTSNAME.version, UTSNAME.machine, k.domainname];
  const out = new Uint8Array(fields * width);
  for (let i = 0; i < fields; i++) out.set(bytesOf(names[i]).subarray(0, width - 1), i * width);
  return out;
}

export const sys_uname: Sys = (k, t, addr) => {
  copyOut(k, t, addr, utsname(k, 6, FIELD));
  return 0;
};
export const sys_olduname: Sys = (k, t, addr) => {
  copyOut(k, t, addr, utsname(k, 5, FIELD));
  return 0;
};
export const sys_oldolduname: Sys = (k, t, addr) => {
  copyOut(k, t, addr, utsname(k, 5, 9));
  return 0;
};

function setName(k: Kernel, t: Task, addr: number, length: number, set: (name: string) => void): number {
  if (!k.ids.capable(t, "SYS_ADMIN")) return -EPERM;
  if (length < 0 || length > 64) return -EINVAL;
  set(String.fromCharCode(...copyIn(k, t, addr, length)));
  return 0;
}

export const sys_sethostname: Sys = (k, t, addr, length) =>
  setName(k, t, addr, length, (name) => {
    k.nodename = name;
  });
export const sys_setdomainname: Sys = (k, t, addr, length) =>
  setName(k, t, addr, length, (name) => {
    k.domainname = name;
  });

const PR = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_KEEPCAPS: 8,
  GET_TIMING: 13,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  SET_SECCOMP: 22,
  CAPBSET_READ: 23,
  CAPBSET_DROP: 24,
  GET_SECUREBITS: 27,
  SET_TIMERSLACK: 29,
  GET_TIMERSLACK: 30,
  SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  GET_TID_ADDRESS: 40,
  SET_THP_DISABLE: 41,
  GET_THP_DISABLE: 42,
  CAP_AMBIENT: 47,
  SET_VMA: 0x53564d41,
  SET_PTRACER: 0x5961_6d61,
} as const;
const LAST_CAP = 40;
const DEFAULT_SLACK_NS = 50_000;

export const sys_prctl: Sys = (k, t, option, a) => {
  switch (option) {
    case PR.SET_PDEATHSIG:
      if (a < 0 || a > 64) return -EINVAL;
      t.pdeathsig = a;
      return 0;
    case PR.GET_PDEATHSIG:
      writeU32(k, t, a, t.pdeathsig);
      return 0;
    case PR.GET_DUMPABLE:
      return t.dumpable;
    case PR.SET_DUMPABLE:
      if (a !== 0 && a !== 1) return -EINVAL;
      t.dumpable = a;
      return 0;
    case PR.GET_KEEPCAPS:
      return t.keepCaps ? 1 : 0;
    case PR.SET_KEEPCAPS:
      if (a !== 0 && a !== 1) return -EINVAL;
      t.keepCaps = a === 1;
      return 0;
    case PR.SET_NAME: {
      const bytes = new Uint8Array(16);
      let length = 0;
      for (; length < 15; length++) {
        bytes[length] = k.memory.u8[byteAddress(k, t, a + length)];
        if (bytes[length] === 0) break;
      }
      t.comm = String.fromCharCode(...bytes.subarray(0, length));
      k.recorder.comm(t.id, t.comm);
      return 0;
    }
    case PR.GET_NAME: {
      const bytes = new Uint8Array(16);
      bytes.set(bytesOf(t.comm).subarray(0, 15));
      copyOut(k, t, a, bytes);
      return 0;
    }
    case PR.CAPBSET_READ:
      if (a < 0 || a > LAST_CAP) return -EINVAL;
      return Number((t.creds.capBounding >> BigInt(a)) & 1n);
    case PR.CAPBSET_DROP:
      if (!k.ids.capable(t, "SETPCAP")) return -EPERM;
      if (a < 0 || a > LAST_CAP) return -EINVAL;
      t.creds = { ...t.creds, capBounding: t.creds.capBounding & ~(1n << BigInt(a)) };
      return 0;
    case PR.SET_TIMERSLACK:
      t.timerSlack = a <= 0 ? DEFAULT_SLACK_NS : a;
      return 0;
    case PR.GET_TIMERSLACK:
      return t.timerSlack;
    case PR.SET_CHILD_SUBREAPER:
      t.signal.childSubreaper = a !== 0;
      return 0;
    case PR.GET_CHILD_SUBREAPER:
      writeU32(k, t, a, t.signal.childSubreaper ? 1 : 0);
      return 0;
    case PR.SET_NO_NEW_PRIVS:
      if (a !== 1) return -EINVAL;
      t.noNewPrivs = true;
      return 0;
    case PR.GET_NO_NEW_PRIVS:
      return t.noNewPrivs ? 1 : 0;
    case PR.GET_TID_ADDRESS:
      writeU32(k, t, a, t.clearChildTid);
      return 0;
    case PR.SET_SECCOMP:
      return a === SECCOMP_MODE_STRICT ? strictSeccomp(k, t) : -EINVAL;
    case PR.GET_SECCOMP:
      return t.seccompStrict ? SECCOMP_MODE_STRICT : 0;
    case PR.GET_TIMING:
    case PR.GET_SECUREBITS:
    case PR.SET_THP_DISABLE:
    case PR.GET_THP_DISABLE:
    case PR.SET_PTRACER:
      return 0;
    default:
      return -EINVAL;
  }
};

function byteAddress(k: Kernel, t: Task, addr: number): number {
  let host = 0;
  visitUser(k, t, addr, 1, false, (bytes) => {
    host = bytes.byteOffset;
  });
  return host;
}

export const sys_personality: Sys = (_k, t, persona) => {
  const old = t.personality;
  if (persona !== -1) t.personality = persona;
  return old;
};

const GRND_NONBLOCK = 1;
const GRND_RANDOM = 2;
const GRND_INSECURE = 4;

export const sys_getrandom: Sys = (k, t, addr, length, flags) => {
  if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  if ((flags & (GRND_RANDOM | GRND_INSECURE)) === (GRND_RANDOM | GRND_INSECURE)) return -EINVAL;
  const bytes = Math.min(length >>> 0, 0x200_0000);
  // Pages first: a call that has to wait must not have drawn numbers.
  visitUser(k, t, addr, bytes, true, () => {});
  return visitUser(k, t, addr, bytes, true, (part) => part.set(k.random.bytes(part.length)));
};

const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const SCHED_RR = 2;
const SCHED_BATCH = 3;
const SCHED_IDLE = 5;
const MAX_RT_PRIORITY = 99;

function schedTask(k: Kernel, t: Task, pid: number): Task | undefined {
  return pid === 0 ? t : k.tasks.get(pid);
}

function realTime(policy: number): boolean {
  return policy === SCHED_FIFO || policy === SCHED_RR;
}

function setScheduler(k: Kernel, t: Task, pid: number, policy: number, addr: number): number {
  if (pid < 0 || addr === 0) return -EINVAL;
  const target = schedTask(k, t, pid);
  if (target === undefined) return -ESRCH;
  const priority = readU32(k, t, addr) | 0;
  const known = [SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE].includes(policy & 0xfff_ffff);
  if (!known || priority < 0 || priority > MAX_RT_PRIORITY || realTime(policy) !== priority > 0) return -EINVAL;
  if (realTime(policy) && !k.ids.capable(t, "SYS_NICE")) return -EPERM;
  k.sched.change(target, () => {
    target.policy = policy;
    target.rtPriority = priority;
  });
  return 0;
}

export const sys_sched_setscheduler: Sys = (k, t, pid, policy, addr) =>
  policy < 0 ? -EINVAL : setScheduler(k, t, pid, policy, addr);
export const sys_sched_setparam: Sys = (k, t, pid, addr) => {
  const target = schedTask(k, t, pid);
  return target === undefined ? -ESRCH : setScheduler(k, t, pid, target.policy, addr);
};
export const sys_sched_getscheduler: Sys = (k, t, pid) => schedTask(k, t, pid)?.policy ?? -ESRCH;
export const sys_sched_getparam: Sys = (k, t, pid, addr) => {
  const target = schedTask(k, t, pid);
  if (target === undefined) return -ESRCH;
  writeU32(k, t, addr, target.rtPriority);
  return 0;
};
export const sys_sched_get_priority_max: Sys = (_k, _t, policy) =>
  realTime(policy) ? MAX_RT_PRIORITY : policy === 0 || policy === 3 || policy === 5 ? 0 : -EINVAL;
export const sys_sched_get_priority_min: Sys = (_k, _t, policy) =>
  realTime(policy) ? 1 : policy === 0 || policy === 3 || policy === 5 ? 0 : -EINVAL;

function interval(k: Kernel) {
  return { sec: 0, nsec: 1e9 / k.options.hz };
}
export const sys_sched_rr_get_interval: Sys = (k, t, pid, addr) => {
  if (schedTask(k, t, pid) === undefined) return -ESRCH;
  writeTimespec32(k, t, addr, interval(k));
  return 0;
};
export const sys_sched_rr_get_interval_time64: Sys = (k, t, pid, addr) => {
  if (schedTask(k, t, pid) === undefined) return -ESRCH;
  writeTimespec64(k, t, addr, interval(k));
  return 0;
};

export const sys_sched_yield: Sys = (k) => {
  k.sched.yieldCpu();
  return 0;
};

/** One processor. The result is the size of the kernel's mask in bytes. */
export const sys_sched_getaffinity: Sys = (k, t, pid, length, addr) => {
  if (length < 4 || length % 4 !== 0) return -EINVAL;
  if (schedTask(k, t, pid) === undefined) return -ESRCH;
  writeU32(k, t, addr, 1);
  return 4;
};
export const sys_sched_setaffinity: Sys = (k, t, pid, length, addr) => {
  if (schedTask(k, t, pid) === undefined) return -ESRCH;
  const mask = length > 0 ? copyIn(k, t, addr, Math.min(length, 4)) : new Uint8Array(1);
  return mask[0] & 1 ? 0 : -EINVAL;
};

export const sys_ioprio_get: Sys = (k, t, which, who) =>
  which < 1 || which > 3 ? -EINVAL : (schedTask(k, t, who)?.ioprio ?? -ESRCH);
export const sys_ioprio_set: Sys = (k, t, which, who, value) => {
  if (which < 1 || which > 3) return -EINVAL;
  const target = schedTask(k, t, who);
  if (target === undefined) return -ESRCH;
  target.ioprio = value;
  return 0;
};

const RSEQ_BYTES = 32;
const RSEQ_FLAG_UNREGISTER = 1;

/**
 * Restartable sequences would have to be aborted at every preemption; registration is refused as by a kernel without
 * them, which libc allows for.
 */
export const sys_rseq: Sys = (_k, _t, addr, length, flags) => {
  if (flags & ~RSEQ_FLAG_UNREGISTER || addr & 31 || length !== RSEQ_BYTES) return -EINVAL;
  return -ENOSYS;
};

const MEMBARRIER_SUPPORTED = 0x7f;

export const sys_membarrier: Sys = (_k, _t, command, flags) => {
  if (flags !== 0) return -EINVAL;
  if (command === 0) return MEMBARRIER_SUPPORTED;
  return command > 0 && (command & (command - 1)) === 0 && command <= 64 ? 0 : -EINVAL;
};

// Nothing of this machine can be shut down, loaded, mounted or accounted.
export const sys_reboot: Sys = () => -EPERM;
export const sys_swapon: Sys = () => -EPERM;
export const sys_swapoff: Sys = () => -EINVAL;
export const sys_acct: Sys = () => -ENOSYS;
export const sys_init_module: Sys = () => -EPERM;
export const sys_delete_module: Sys = () => -EPERM;
export const sys_ioperm: Sys = () => -EPERM;
export const sys_vhangup: Sys = () => -EPERM;
export const sys_vm86: Sys = () => -ENOSYS;
export const sys_vm86old: Sys = () => -ENOSYS;
export const sys_uselib: Sys = (k, t, path) => {
  readString(k, t, path);
  return -ENODEV;
};
export const sys_arch_prctl: Sys = () => -EINVAL;
