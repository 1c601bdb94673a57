// timerfd: timers that are read as files (fs/timerfd.c).
//
// A periodic timer fires once and is wound on when somebody reads it or asks for its time, so that one that nobody looks at
// costs nothing.
import type { Timer } from "../../machine/clock.ts";
import { EAGAIN, EBADF, EINVAL, SysError } from "../errno.ts";
import type { Kernel, Sys } from "../kernel.ts";
import type { Task } from "../task.ts";
import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  deadlineOf,
  nsOf,
  split,
  TIME32,
  TIME64,
  type TimespecCodec,
  validTimespec,
} from "../time.ts";
import { WaitQueue } from "../wait.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDWR, POLLIN, POLLRDNORM } from "./const.ts";
import type { FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { nofile } from "./open.ts";
import { untilDone } from "./read_write.ts";
import { recordTiming } from "./trace.ts";

const TFD_TIMER_ABSTIME = 1;
const TFD_TIMER_CANCEL_ON_SET = 2;
/** CLOCK_REALTIME, MONOTONIC, BOOTTIME, REALTIME_ALARM, BOOTTIME_ALARM. */
const CLOCKS = new Set([CLOCK_REALTIME, CLOCK_MONOTONIC, 7, 8, 9]);

class TimerFd {
  readonly clock: number;
  readonly queue = new WaitQueue();
  /** Expirations that nobody has read. */
  ticks = 0;
  /** In clock units; expires 0: disarmed. */
  expires = 0;
  interval = 0;
  /** It has fired and was not wound on since. */
  expired = false;
  /** Who set it, when: for the trace's edges. */
  setBy = -1;
  setAt = 0;
  timer: Timer | undefined;

  constructor(clock: number) {
    this.clock = clock;
  }

  arm(k: Kernel, expires: number): void {
    this.timer?.cancel();
    this.timer = undefined;
    this.expires = expires;
    this.expired = false;
    if (expires === 0) return;
    this.timer = k.clock.at(expires, () => {
      this.timer = undefined;
      this.expired = true;
      this.ticks++;
      this.queue.wakeAll({
        kind: "timer",
        delay: Math.max(0, expires - this.setAt),
        from: this.setBy >= 0 ? this.setBy : undefined,
      });
    });
  }

  /** Counts the expirations that have passed since the one that fired, and arms the next. */
  wind(k: Kernel): void {
    if (!this.expired || this.interval === 0) return;
    const passed = Math.floor((k.clock.now() - this.expires) / this.interval);
    this.ticks += passed;
    this.arm(k, this.expires + (passed + 1) * this.interval);
  }
}

function readOnce(k: Kernel, t: Task, timer: TimerFd, iter: IovIter): number {
  if (timer.ticks === 0) {
    recordTiming(k, t);
    return -EAGAIN;
  }
  // The buffer first: a page that must be waited for leaves the count as it is.
  const passed = timer.expired && timer.interval > 0 ? Math.floor((k.clock.now() - timer.expires) / timer.interval) : 0;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(timer.ticks + passed), true);
  iter.put(bytes);
  timer.wind(k);
  timer.ticks = 0;
  return 8;
}

const timerOps: FileOps = {
  stream: true,
  llseek: (_k, file) => file.pos,
  read: (k, t, file, iter) => {
    if (iter.left < 8) return -EINVAL;
    const timer = file.data as TimerFd;
    const once = () => readOnce(k, t, timer, iter);
    return file.nonblock || timer.ticks > 0 ? once() : untilDone(timer.queue, once);
  },
  poll: (_k, file) => {
    const timer = file.data as TimerFd;
    return { mask: timer.ticks > 0 ? POLLIN | POLLRDNORM : 0, queues: [timer.queue] };
  },
  release: (k, file) => (file.data as TimerFd).arm(k, 0),
};

/** timerfd_create(clock, flags). */
export const sys_timerfd_create: Sys = (k, t, clock, flags) => {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK) || !CLOCKS.has(clock)) return -EINVAL;
  const file = k.vfs.anonfs.open(0o600, O_RDWR | (flags & O_NONBLOCK), timerOps, () => "anon_inode:[timerfd]");
  file.data = new TimerFd(clock);
  return t.files!.install(file, 0, (flags & O_CLOEXEC) !== 0, nofile(t));
};

function timerOf(t: Task, fd: number): TimerFd {
  const file = t.files!.get(fd);
  if (!file) throw new SysError(EBADF);
  if (!(file.data instanceof TimerFd)) throw new SysError(EINVAL);
  return file.data;
}

/** struct itimerspec: interval and what is left. */
function tell(k: Kernel, t: Task, timer: TimerFd, addr: number, codec: TimespecCodec): void {
  timer.wind(k);
  const left = timer.expires === 0 || timer.expired ? 0 : Math.max(1, timer.expires - k.clock.now());
  codec.write(k, t, addr, split(timer.interval * k.nsPerUnit));
  codec.write(k, t, addr + codec.size, split(left * k.nsPerUnit));
}

function settime(
  k: Kernel,
  t: Task,
  fd: number,
  flags: number,
  next: number,
  old: number,
  codec: TimespecCodec,
): number {
  const interval = codec.read(k, t, next);
  const value = codec.read(k, t, next + codec.size);
  if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) return -EINVAL;
  if (!validTimespec(interval) || !validTimespec(value)) return -EINVAL;
  const timer = timerOf(t, fd);
  if (old !== 0) tell(k, t, timer, old, codec);
  const off = value.sec === 0 && value.nsec === 0;
  timer.ticks = 0;
  timer.interval = off ? 0 : k.units(nsOf(interval));
  timer.setBy = t.seq;
  timer.setAt = k.clock.now();
  timer.arm(k, off ? 0 : Math.max(1, deadlineOf(k, timer.clock, value, (flags & TFD_TIMER_ABSTIME) !== 0)));
  return 0;
}

function gettime(k: Kernel, t: Task, fd: number, addr: number, codec: TimespecCodec): number {
  tell(k, t, timerOf(t, fd), addr, codec);
  return 0;
}

/** timerfd_settime(fd, flags, new, old). */
export const sys_timerfd_settime: Sys = (k, t, fd, flags, next, old) => settime(k, t, fd, flags, next, old, TIME32);
export const sys_timerfd_settime64: Sys = (k, t, fd, flags, next, old) => settime(k, t, fd, flags, next, old, TIME64);
/** timerfd_gettime(fd, value). */
export const sys_timerfd_gettime: Sys = (k, t, fd, addr) => gettime(k, t, fd, addr, TIME32);
export const sys_timerfd_gettime64: Sys = (k, t, fd, addr) => gettime(k, t, fd, addr, TIME64);
