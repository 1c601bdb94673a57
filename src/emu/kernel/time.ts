// Clocks, sleeping and timers on the virtual clock (kernel/time).

import { BOOT_TIME_MS } from "./constants.ts";
import { EINTR, EINVAL, EOPNOTSUPP, EPERM, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, SysError } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { SI_KERNEL, SI_TIMER, SIGALRM, SIGPROF, SIGVTALRM } from "./signal.ts";
import type { IntervalTimer, PosixTimer, SignalStruct, Task } from "./task.ts";
import { copyIn, copyOut, writeU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;
const CLOCK_PROCESS_CPUTIME_ID = 2;
const CLOCK_THREAD_CPUTIME_ID = 3;
const CLOCK_MONOTONIC_RAW = 4;
const CLOCK_REALTIME_COARSE = 5;
const CLOCK_MONOTONIC_COARSE = 6;
const CLOCK_BOOTTIME = 7;
const CLOCK_REALTIME_ALARM = 8;
const CLOCK_BOOTTIME_ALARM = 9;
const CLOCK_TAI = 11;
const TIMER_ABSTIME = 1;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
const SIGEV_THREAD_ID = 4;
const BOOT_SECONDS = BOOT_TIME_MS / 1000;

export interface Timespec {
  sec: number;
  nsec: number;
}

/** Never. */
const FOREVER = Number.MAX_SAFE_INTEGER;

/** struct timespec with 32-bit seconds. */
export function readTimespec32(k: Kernel, t: Task, addr: number): Timespec {
  const view = new DataView(copyIn(k, t, addr, 8).buffer);
  return { sec: view.getInt32(0, true), nsec: view.getInt32(4, true) };
}

/** struct __kernel_timespec. The upper half of tv_nsec is padding in 32-bit programs. */
export function readTimespec64(k: Kernel, t: Task, addr: number): Timespec {
  const view = new DataView(copyIn(k, t, addr, 16).buffer);
  return { sec: Number(view.getBigInt64(0, true)), nsec: view.getInt32(8, true) };
}

export function writeTimespec32(k: Kernel, t: Task, addr: number, time: Timespec): void {
  copyOut(k, t, addr, new Uint8Array(Int32Array.of(time.sec, time.nsec).buffer));
}

export function writeTimespec64(k: Kernel, t: Task, addr: number, time: Timespec): void {
  copyOut(k, t, addr, new Uint8Array(BigInt64Array.of(BigInt(time.sec), BigInt(time.nsec)).buffer));
}

export function validTimespec(time: Timespec): boolean {
  return time.sec >= 0 && time.nsec >= 0 && time.nsec < 1e9;
}

/** A timespec in nanoseconds. */
export function nsOf(time: Timespec): number {
  return time.sec * 1e9 + time.nsec;
}

function isRealtime(clock: number): boolean {
  return (
    clock === CLOCK_REALTIME || clock === CLOCK_REALTIME_COARSE || clock === CLOCK_REALTIME_ALARM || clock === CLOCK_TAI
  );
}

/** The clock value at which a time on a clock comes, absolute or from now on. */
export function deadlineOf(k: Kernel, clock: number, time: Timespec, absolute: boolean): number {
  const sec = absolute && isRealtime(clock) ? time.sec - BOOT_SECONDS : time.sec;
  const ns = sec * 1e9 + time.nsec;
  const units = k.units(ns);
  return Math.min(FOREVER, absolute ? Math.max(0, units) : k.clock.now() + units);
}

/** Nanoseconds as a timespec. */
export function split(ns: number): Timespec {
  return { sec: Math.floor(ns / 1e9), nsec: Math.floor(ns % 1e9) };
}

/** The time on a clock; undefined if there is no such clock. */
export function readClock(k: Kernel, t: Task, clock: number): Timespec | undefined {
  if (clock < 0) return cpuClock(k, t, clock);
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return k.realtime();
    case CLOCK_REALTIME_COARSE:
    case CLOCK_MONOTONIC_COARSE: {
      const tick = 1e9 / k.options.hz;
      const ns = k.uptimeNs - (k.uptimeNs % tick);
      const time = split(ns);
      return clock === CLOCK_MONOTONIC_COARSE ? time : { sec: time.sec + BOOT_SECONDS, nsec: time.nsec };
    }
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return split(k.uptimeNs);
    case CLOCK_PROCESS_CPUTIME_ID:
      k.sched.accountSystem(t);
      return split(cpuNs(k, t));
    case CLOCK_THREAD_CPUTIME_ID:
      k.sched.accountSystem(t);
      return split((t.usage.user + t.usage.system) * k.nsPerUnit);
    default:
      return undefined;
  }
}

function cpuNs(k: Kernel, t: Task): number {
  const { user, system } = k.processTimes(t);
  return (user + system) * k.nsPerUnit;
}

/** Clocks of other processes and threads (clock_getcpuclockid): the pid is in the clock's number. */
function cpuClock(k: Kernel, t: Task, clock: number): Timespec | undefined {
  const pid = ~(clock >> 3);
  const thread = (clock & 4) !== 0;
  const target = pid === 0 ? t : k.tasks.get(pid);
  if (target === undefined) return undefined;
  if (!thread) return split(cpuNs(k, target));
  return split((target.usage.user + target.usage.system) * k.nsPerUnit);
}

export const sys_clock_gettime: Sys = (k, t, clock, addr) => {
  const time = readClock(k, t, clock);
  if (time === undefined) return -EINVAL;
  writeTimespec32(k, t, addr, time);
  return 0;
};

export const sys_clock_gettime64: Sys = (k, t, clock, addr) => {
  const time = readClock(k, t, clock);
  if (time === undefined) return -EINVAL;
  writeTimespec64(k, t, addr, time);
  return 0;
};

function resolution(k: Kernel, clock: number): Timespec {
  const coarse = clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE;
  return { sec: 0, nsec: coarse ? 1e9 / k.options.hz : 1 };
}

export const sys_clock_getres: Sys = (k, t, clock, addr) => {
  if (readClock(k, t, clock) === undefined) return -EINVAL;
  if (addr !== 0) writeTimespec32(k, t, addr, resolution(k, clock));
  return 0;
};

export const sys_clock_getres_time64: Sys = (k, t, clock, addr) => {
  if (readClock(k, t, clock) === undefined) return -EINVAL;
  if (addr !== 0) writeTimespec64(k, t, addr, resolution(k, clock));
  return 0;
};

export const sys_gettimeofday: Sys = (k, t, tv, tz) => {
  const { sec, nsec } = k.realtime();
  if (tv !== 0) copyOut(k, t, tv, new Uint8Array(Int32Array.of(sec, Math.floor(nsec / 1000)).buffer));
  if (tz !== 0) copyOut(k, t, tz, new Uint8Array(8));
  return 0;
};

export const sys_time: Sys = (k, t, addr) => {
  const { sec } = k.realtime();
  if (addr !== 0) writeU32(k, t, addr, sec);
  return sec | 0;
};

// The virtual clock cannot be set.
export const sys_settimeofday: Sys = () => -EPERM;
export const sys_clock_settime: Sys = () => -EPERM;
export const sys_clock_settime64: Sys = () => -EPERM;
export const sys_stime: Sys = () => -EPERM;
export const sys_adjtimex: Sys = (k, t, addr) => {
  copyIn(k, t, addr, 4);
  return -EPERM;
};

export const sys_clock_adjtime: Sys = (k, t, clock, addr) => {
  if (readClock(k, t, clock) === undefined) return -EINVAL;
  copyIn(k, t, addr, 4);
  return clock === CLOCK_REALTIME ? -EPERM : -EOPNOTSUPP;
};

/** Sleeps to a deadline; a signal ends it with what is left of the time. */
function* sleep(
  k: Kernel,
  t: Task,
  deadline: number,
  absolute: boolean,
  tellRest: (rest: Timespec) => void,
): Generator<Wait, number, WakeReason> {
  const reason = yield { queues: [new WaitQueue()], deadline, interruptible: true };
  if (reason !== "signal") return 0;
  if (absolute) return -ERESTARTNOHAND;
  tellRest(split(Math.max(0, deadline - k.clock.now()) * k.nsPerUnit));
  t.restartBlock = () => sleep(k, t, deadline, false, tellRest);
  return -ERESTART_RESTARTBLOCK;
}

function nanosleep(
  k: Kernel,
  t: Task,
  clock: number,
  flags: number,
  request: Timespec,
  rem: number,
  write: (k: Kernel, t: Task, addr: number, time: Timespec) => void,
): SysResult {
  if (clock === CLOCK_THREAD_CPUTIME_ID) return -EINVAL;
  if (clock === CLOCK_MONOTONIC_RAW || clock === CLOCK_REALTIME_COARSE || clock === CLOCK_MONOTONIC_COARSE)
    return -EOPNOTSUPP;
  if (readClock(k, t, clock) === undefined || !validTimespec(request)) return -EINVAL;
  const absolute = (flags & TIMER_ABSTIME) !== 0;
  return sleep(k, t, deadlineOf(k, clock, request, absolute), absolute, (rest) => {
    if (rem !== 0) write(k, t, rem, rest);
  });
}

export const sys_nanosleep: Sys = (k, t, request, rem) =>
  nanosleep(k, t, CLOCK_MONOTONIC, 0, readTimespec32(k, t, request), rem, writeTimespec32);

export const sys_clock_nanosleep: Sys = (k, t, clock, flags, request, rem) =>
  nanosleep(k, t, clock, flags, readTimespec32(k, t, request), rem, writeTimespec32);

export const sys_clock_nanosleep_time64: Sys = (k, t, clock, flags, request, rem) =>
  nanosleep(k, t, clock, flags, readTimespec64(k, t, request), rem, writeTimespec64);

export const sys_restart_syscall: Sys = (_k, t) => {
  const again = t.restartBlock;
  t.restartBlock = undefined;
  return again === undefined ? -EINTR : again();
};

export const sys_pause: Sys = (): SysResult => pause();

function* pause(): Generator<Wait, number, WakeReason> {
  for (;;) {
    const reason = yield { queues: [], interruptible: true };
    if (reason === "signal") return -ERESTARTNOHAND;
  }
}

const ITIMER_REAL = 0;
const ITIMER_VIRTUAL = 1;
const ITIMER_PROF = 2;

/** The timers of all processes. */
export class Timers {
  private readonly k: Kernel;

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Arms a timer at an absolute time (0: off); `fire` is called each time it expires. */
  arm(timer: IntervalTimer, expires: number, interval: number, fire: (missed: number) => void): void {
    timer.timer?.cancel();
    timer.timer = undefined;
    timer.expires = expires;
    timer.interval = interval;
    if (expires === 0) return;
    timer.timer = this.k.clock.at(expires, () => {
      timer.timer = undefined;
      timer.expires = 0;
      let missed = 0;
      if (interval > 0) {
        const now = this.k.clock.now();
        const late = Math.max(0, now - expires);
        missed = Math.floor(late / interval);
        this.arm(timer, expires + (missed + 1) * interval, interval, fire);
      }
      fire(missed);
    });
  }

  /** ITIMER_REAL and POSIX timers of a process that ends. */
  stopProcessTimers(signal: SignalStruct): void {
    this.arm(signal.itimerReal, 0, 0, () => {});
    for (const timer of signal.posixTimers.values()) this.arm(timer, 0, 0, () => {});
    signal.posixTimers.clear();
  }

  /** execve deletes POSIX timers and keeps the interval timers. */
  stopPosixTimers(signal: SignalStruct): void {
    for (const timer of signal.posixTimers.values()) this.arm(timer, 0, 0, () => {});
    signal.posixTimers.clear();
  }

  /** At every tick: the timers that count processor time. */
  tick(t: Task): void {
    const { itimerVirtual, itimerProf } = t.signal;
    if (itimerVirtual.expires === 0 && itimerProf.expires === 0) return;
    const { user, system } = this.k.processTimes(t);
    this.expire(t, itimerVirtual, user, SIGVTALRM);
    this.expire(t, itimerProf, user + system, SIGPROF);
  }

  private expire(t: Task, timer: IntervalTimer, used: number, signo: number): void {
    if (timer.expires === 0 || used < timer.expires) return;
    timer.expires = timer.interval === 0 ? 0 : used + timer.interval;
    this.k.signals.sendGroup(t, { signo, code: SI_KERNEL, errno: 0 });
  }
}

function timerOf(t: Task, which: number): IntervalTimer {
  if (which === ITIMER_REAL) return t.signal.itimerReal;
  if (which === ITIMER_VIRTUAL) return t.signal.itimerVirtual;
  if (which === ITIMER_PROF) return t.signal.itimerProf;
  throw new SysError(EINVAL);
}

/** What the timer is compared with: the clock, or the processor time used. */
function baseOf(k: Kernel, t: Task, which: number): number {
  if (which === ITIMER_REAL) return k.clock.now();
  k.sched.accountSystem(t);
  const { user, system } = k.processTimes(t);
  return which === ITIMER_VIRTUAL ? user : user + system;
}

/** struct itimerval: interval and rest, in clock units. */
function itimerBytes(k: Kernel, t: Task, which: number): Uint8Array {
  const timer = timerOf(t, which);
  const rest = timer.expires === 0 ? 0 : Math.max(1, timer.expires - baseOf(k, t, which));
  const pair = (units: number) => {
    const us = Math.ceil((units * k.nsPerUnit) / 1000);
    return [Math.floor(us / 1e6), us % 1e6];
  };
  return new Uint8Array(Int32Array.of(...pair(timer.interval), ...pair(rest)).buffer);
}

function setItimer(k: Kernel, t: Task, which: number, units: number, interval: number): void {
  const timer = timerOf(t, which);
  const expires = units === 0 ? 0 : baseOf(k, t, which) + units;
  if (which !== ITIMER_REAL) {
    timer.expires = expires;
    timer.interval = interval;
    return;
  }
  const { leader } = t.signal;
  k.time.arm(timer, expires, interval, () =>
    k.signals.sendGroup(leader, { signo: SIGALRM, code: SI_KERNEL, errno: 0 }),
  );
}

export const sys_getitimer: Sys = (k, t, which, addr) => {
  copyOut(k, t, addr, itimerBytes(k, t, which));
  return 0;
};

export const sys_setitimer: Sys = (k, t, which, next, old) => {
  const before = itimerBytes(k, t, which);
  const words = next === 0 ? new Int32Array(4) : new Int32Array(copyIn(k, t, next, 16).buffer);
  if ([...words].some((word) => word < 0) || words[1] >= 1e6 || words[3] >= 1e6) return -EINVAL;
  if (old !== 0) copyOut(k, t, old, before);
  const units = (sec: number, us: number) => k.units(sec * 1e9 + us * 1000);
  setItimer(k, t, which, units(words[2], words[3]), units(words[0], words[1]));
  return 0;
};

export const sys_alarm: Sys = (k, t, seconds) => {
  const { expires } = t.signal.itimerReal;
  const rest = expires === 0 ? 0 : Math.max(1, Math.round(((expires - k.clock.now()) * k.nsPerUnit) / 1e9));
  setItimer(k, t, ITIMER_REAL, k.units((seconds >>> 0) * 1e9), 0);
  return rest;
};

export const sys_timer_create: Sys = (k, t, clock, event, idAddr) => {
  if (readClock(k, t, clock) === undefined) return -EINVAL;
  const { signal } = t;
  let notify = SIGEV_SIGNAL;
  let signo = SIGALRM;
  let value = signal.nextTimerId;
  let tid = 0;
  if (event !== 0) {
    const words = new Int32Array(copyIn(k, t, event, 64).buffer);
    [value, signo, notify, tid] = words;
    if (![SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID].includes(notify)) return -EINVAL;
    if (notify !== SIGEV_NONE && (signo < 1 || signo > 64)) return -EINVAL;
    if (notify === SIGEV_THREAD_ID && k.tasks.get(tid)?.signal !== signal) return -EINVAL;
  }
  const id = signal.nextTimerId++;
  writeU32(k, t, idAddr, id);
  const timer: PosixTimer = {
    id,
    clockId: clock,
    notify,
    signo,
    value,
    tid,
    overrun: 0,
    pending: false,
    interval: 0,
    expires: 0,
  };
  signal.posixTimers.set(id, timer);
  return 0;
};

function posixTimer(t: Task, id: number): PosixTimer {
  const timer = t.signal.posixTimers.get(id);
  if (timer === undefined) throw new SysError(EINVAL);
  return timer;
}

function expirePosix(k: Kernel, signal: SignalStruct, timer: PosixTimer, missed: number): void {
  if (timer.notify === SIGEV_NONE) return;
  if (timer.pending) {
    timer.overrun += 1 + missed;
    return;
  }
  timer.pending = true;
  timer.overrun = missed;
  const info = { signo: timer.signo, code: SI_TIMER, errno: 0, timerId: timer.id, value: timer.value };
  const thread = timer.notify === SIGEV_THREAD_ID ? k.tasks.get(timer.tid) : undefined;
  if (thread) k.signals.send(thread, info);
  else k.signals.sendGroup(signal.leader, info);
}

function remaining(k: Kernel, timer: PosixTimer): { interval: Timespec; rest: Timespec } {
  const rest = timer.expires === 0 ? 0 : Math.max(1, timer.expires - k.clock.now());
  return { interval: split(timer.interval * k.nsPerUnit), rest: split(rest * k.nsPerUnit) };
}

/** The two layouts of struct timespec in user memory. */
export type TimespecCodec = {
  size: number;
  read: (k: Kernel, t: Task, addr: number) => Timespec;
  write: (k: Kernel, t: Task, addr: number, time: Timespec) => void;
};
export const TIME32: TimespecCodec = { size: 8, read: readTimespec32, write: writeTimespec32 };
export const TIME64: TimespecCodec = { size: 16, read: readTimespec64, write: writeTimespec64 };

function timerSettime(
  k: Kernel,
  t: Task,
  id: number,
  flags: number,
  next: number,
  old: number,
  codec: TimespecCodec,
): number {
  const timer = posixTimer(t, id);
  if (next === 0) return -EINVAL;
  const interval = codec.read(k, t, next);
  const value = codec.read(k, t, next + codec.size);
  if (!validTimespec(interval) || !validTimespec(value)) return -EINVAL;
  if (old !== 0) tellTimer(k, t, timer, old, codec);
  const off = value.sec === 0 && value.nsec === 0;
  const expires = off ? 0 : Math.max(1, deadlineOf(k, timer.clockId, value, (flags & TIMER_ABSTIME) !== 0));
  const { signal } = t;
  timer.overrun = 0;
  k.time.arm(timer, expires, k.units(interval.sec * 1e9 + interval.nsec), (missed) =>
    expirePosix(k, signal, timer, missed),
  );
  return 0;
}

function tellTimer(k: Kernel, t: Task, timer: PosixTimer, addr: number, codec: TimespecCodec): void {
  const { interval, rest } = remaining(k, timer);
  codec.write(k, t, addr, interval);
  codec.write(k, t, addr + codec.size, rest);
}

export const sys_timer_settime: Sys = (k, t, id, flags, next, old) => timerSettime(k, t, id, flags, next, old, TIME32);
export const sys_timer_settime64: Sys = (k, t, id, flags, next, old) =>
  timerSettime(k, t, id, flags, next, old, TIME64);
export const sys_timer_gettime: Sys = (k, t, id, addr) => {
  tellTimer(k, t, posixTimer(t, id), addr, TIME32);
  return 0;
};
export const sys_timer_gettime64: Sys = (k, t, id, addr) => {
  tellTimer(k, t, posixTimer(t, id), addr, TIME64);
  return 0;
};
export const sys_timer_getoverrun: Sys = (_k, t, id) => posixTimer(t, id).overrun;
export const sys_timer_delete: Sys = (k, t, id) => {
  k.time.arm(posixTimer(t, id), 0, 0, () => {});
  t.signal.posixTimers.delete(id);
  return 0;
};
