// What a process has used and may use: getrusage, times, sysinfo, resource limits (kernel/sys.c).
import { EACCES, EINVAL, EPERM, ESRCH } from "./errno.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { RLIM_INFINITY, RLIMIT, type Rlimit, type Task, type Usage } from "./task.ts";
import { copyIn, copyOut } from "./user.ts";

const RUSAGE_SELF = 0;
const RUSAGE_CHILDREN = -1;
const RUSAGE_THREAD = 1;
/** USER_HZ: what times() counts in. */
const CLOCK_TICKS = 100;
const NR_LIMITS = 16;

/** Adds one usage to another; the resident set is the larger one. */
export function addUsage(to: Usage, from: Usage): void {
  to.user += from.user;
  to.system += from.system;
  to.minorFaults += from.minorFaults;
  to.majorFaults += from.majorFaults;
  to.voluntarySwitches += from.voluntarySwitches;
  to.involuntarySwitches += from.involuntarySwitches;
  to.maxRss = Math.max(to.maxRss, from.maxRss);
}

/** struct rusage (72 bytes). */
export function encodeRusage(k: Kernel, usage: Usage): Uint8Array {
  const bytes = new Uint8Array(72);
  const view = new DataView(bytes.buffer);
  const time = (at: number, units: number) => {
    const us = Math.floor((units * k.nsPerUnit) / 1000);
    view.setInt32(at, Math.floor(us / 1e6), true);
    view.setInt32(at + 4, us % 1e6, true);
  };
  time(0, usage.user);
  time(8, usage.system);
  view.setInt32(16, usage.maxRss * 4, true);
  view.setInt32(32, usage.minorFaults, true);
  view.setInt32(36, usage.majorFaults, true);
  view.setInt32(64, usage.voluntarySwitches, true);
  view.setInt32(68, usage.involuntarySwitches, true);
  return bytes;
}

export const sys_getrusage: Sys = (k, t, who, addr) => {
  k.sched.accountSystem(t);
  let usage: Usage;
  if (who === RUSAGE_SELF) usage = k.processUsage(t);
  else if (who === RUSAGE_CHILDREN) usage = t.signal.childrenUsage;
  else if (who === RUSAGE_THREAD) usage = { ...t.usage, maxRss: t.mm?.peakRss ?? 0 };
  else return -EINVAL;
  copyOut(k, t, addr, encodeRusage(k, usage));
  return 0;
};

export const sys_times: Sys = (k, t, addr) => {
  k.sched.accountSystem(t);
  const ticks = (units: number) => Math.floor((units * k.nsPerUnit * CLOCK_TICKS) / 1e9);
  if (addr !== 0) {
    const own = k.processUsage(t);
    const { childrenUsage } = t.signal;
    const words = Int32Array.of(
      ticks(own.user),
      ticks(own.system),
      ticks(childrenUsage.user),
      ticks(childrenUsage.system),
    );
    copyOut(k, t, addr, new Uint8Array(words.buffer));
  }
  return ticks(k.clock.now()) | 0;
};

export const sys_sysinfo: Sys = (k, t, addr) => {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number) => view.setUint32(at, value, true);
  const runnable = Math.min(0xffff, k.sched.runnable);
  put(0, Math.floor(k.uptimeNs / 1e9));
  for (const at of [4, 8, 12]) put(at, runnable << 11);
  put(16, k.frames.managed * 4096);
  put(20, k.frames.free * 4096);
  let shared = 0;
  for (const [pfn] of k.lists) if (k.lists.page[pfn]?.mapping.stored === false) shared++;
  put(24, shared * 4096);
  put(28, 0);
  put(32, k.swap.total * 4096);
  put(36, k.swap.free * 4096);
  view.setUint16(40, Math.min(0xffff, k.tasks.size), true);
  put(52, 1);
  copyOut(k, t, addr, bytes);
  return 0;
};

/** The old limits say infinity in 31 bits. */
function oldLimit(value: number, infinity: number): number {
  return value > infinity ? infinity : value;
}

function limitPair(limit: Rlimit, infinity: number): Uint8Array {
  const words = Uint32Array.of(oldLimit(limit.cur, infinity), oldLimit(limit.max, infinity));
  return new Uint8Array(words.buffer);
}

export const sys_ugetrlimit: Sys = (k, t, resource, addr) => {
  if (resource < 0 || resource >= NR_LIMITS) return -EINVAL;
  copyOut(k, t, addr, limitPair(t.signal.rlimits[resource], 0xffff_ffff));
  return 0;
};

export const sys_getrlimit: Sys = (k, t, resource, addr) => {
  if (resource < 0 || resource >= NR_LIMITS) return -EINVAL;
  copyOut(k, t, addr, limitPair(t.signal.rlimits[resource], 0x7fff_ffff));
  return 0;
};

/** Changes a limit; 0 or -errno. */
function setLimit(k: Kernel, t: Task, target: Task, resource: number, next: Rlimit): number {
  if (next.cur > next.max) return -EINVAL;
  const old = target.signal.rlimits[resource];
  if (next.max > old.max && !k.ids.capable(t, "SYS_RESOURCE")) return -EPERM;
  if (resource === RLIMIT.NOFILE && next.max > 1_048_576) return -EPERM;
  target.signal.rlimits[resource] = next;
  return 0;
}

export const sys_setrlimit: Sys = (k, t, resource, addr) => {
  if (resource < 0 || resource >= NR_LIMITS) return -EINVAL;
  const view = new DataView(copyIn(k, t, addr, 8).buffer);
  const value = (at: number) => {
    const v = view.getUint32(at, true);
    return v === 0xffff_ffff ? RLIM_INFINITY : v;
  };
  return setLimit(k, t, t, resource, { cur: value(0), max: value(4) });
};

export const sys_prlimit64: Sys = (k, t, pid, resource, next, old) => {
  if (resource < 0 || resource >= NR_LIMITS) return -EINVAL;
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined || !target.alive) return -ESRCH;
  if (target !== t && !k.signals.permitted(t, target, 0)) return -EPERM;
  const before = target.signal.rlimits[resource];
  if (next !== 0) {
    const view = new DataView(copyIn(k, t, next, 16).buffer);
    const value = (at: number) => {
      const v = view.getBigUint64(at, true);
      return v === 0xffff_ffff_ffff_ffffn ? RLIM_INFINITY : Number(v);
    };
    const error = setLimit(k, t, target, resource, { cur: value(0), max: value(8) });
    if (error !== 0) return error;
  }
  if (old !== 0) {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    const put = (at: number, v: number) =>
      view.setBigUint64(at, v === RLIM_INFINITY ? 0xffff_ffff_ffff_ffffn : BigInt(v), true);
    put(0, before.cur);
    put(8, before.max);
    copyOut(k, t, old, bytes);
  }
  return 0;
};

const PRIO_PROCESS = 0;
const PRIO_PGRP = 1;
const PRIO_USER = 2;

/** The tasks that getpriority and setpriority mean. */
function meant(k: Kernel, t: Task, which: number, who: number): Task[] | undefined {
  if (which === PRIO_PROCESS) {
    const target = who === 0 ? t : k.tasks.get(who);
    return target === undefined ? [] : [target];
  }
  const all = [...k.tasks.values()].filter((task) => task.alive && task !== k.init);
  if (which === PRIO_PGRP) return all.filter((task) => task.signal.pgrp === (who === 0 ? t.signal.pgrp : who));
  if (which === PRIO_USER) return all.filter((task) => task.creds.uid === (who === 0 ? t.creds.uid : who));
  return undefined;
}

function setNice(k: Kernel, t: Task, target: Task, value: number, refused: number): number {
  const nice = Math.max(-20, Math.min(19, value));
  if (nice < target.nice && !k.ids.capable(t, "SYS_NICE")) return -refused;
  k.sched.change(target, () => {
    target.nice = nice;
  });
  return 0;
}

export const sys_getpriority: Sys = (k, t, which, who) => {
  const targets = meant(k, t, which, who);
  if (targets === undefined) return -EINVAL;
  return targets.length === 0 ? -ESRCH : 20 - Math.min(...targets.map((target) => target.nice));
};

export const sys_setpriority: Sys = (k, t, which, who, value) => {
  const targets = meant(k, t, which, who);
  if (targets === undefined) return -EINVAL;
  if (targets.length === 0) return -ESRCH;
  const results = targets.map((target) => setNice(k, t, target, value, EACCES));
  return Math.min(...results);
};

export const sys_nice: Sys = (k, t, increment) => setNice(k, t, t, t.nice + increment, EPERM);

export const sys_getcpu: Sys = (k, t, cpu, node) => {
  for (const addr of [cpu, node]) if (addr !== 0) copyOut(k, t, addr, new Uint8Array(4));
  return 0;
};

export const sys_syslog: Sys = (_k, _t, type, buffer, length) => {
  if (type === 2 || type === 3 || type === 4) return buffer === 0 || length < 0 ? -EINVAL : 0;
  return type >= 0 && type <= 10 ? 0 : -EINVAL;
};
