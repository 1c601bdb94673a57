// epoll: a set of files that is asked again whenever one of them announces something (fs/eventpoll.c).
//
// Every wait polls the interest list in the order of its members; edge-triggered members report again only after their
// queue was woken in between.
import { EBADF, EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM, SysError } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyOut, readU32, touch } from "../user.ts";
import { type Wait, type Waiter, WaitQueue, type WakeCause, type WakeReason } from "../wait.ts";
import { O_CLOEXEC, O_RDWR, POLLERR, POLLHUP, POLLIN, POLLRDNORM } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import { nofile } from "./open.ts";
import { pollFile, withMask } from "./poll.ts";
import { durationNs, readTimespec } from "./times.ts";
import { recordTiming } from "./trace.ts";

const EPOLLET = 1 << 31;
const EPOLLONESHOT = 1 << 30;
const EPOLLEXCLUSIVE = 1 << 28;
const CTL_ADD = 1;
const CTL_DEL = 2;
const CTL_MOD = 3;
/** epoll instances may watch each other this deep. */
const MAX_DEPTH = 5;

/** A watched file: sits on the file's queues and passes wake-ups on. */
class Item implements Waiter {
  readonly exclusive = false;
  events = 0;
  /** epoll_data: 64 bits as two words. */
  low = 0;
  high = 0;
  /** Something was announced since an edge-triggered member last reported. */
  fresh = true;
  readonly file: File;
  readonly fd: number;
  private readonly ep: Epoll;
  private queues: WaitQueue[] = [];

  constructor(ep: Epoll, file: File, fd: number) {
    this.ep = ep;
    this.file = file;
    this.fd = fd;
  }

  attach(queues: WaitQueue[]): void {
    this.detach();
    this.queues = queues;
    for (const q of queues) q.add(this);
  }
  detach(): void {
    for (const q of this.queues) q.remove(this);
    this.queues = [];
  }
  notify(cause: WakeCause): boolean {
    this.fresh = true;
    this.ep.wake(cause);
    return false;
  }
}

/** An epoll instance. */
export class Epoll {
  readonly items: Item[] = [];
  readonly queue = new WaitQueue();
  private waking = false;

  wake(cause: WakeCause): void {
    // Instances may watch each other in a circle only if ctl let them; once around is enough.
    if (this.waking) return;
    this.waking = true;
    this.queue.wakeAll(cause);
    this.waking = false;
  }

  find(file: File, fd: number): Item | undefined {
    return this.items.find((i) => i.file === file && i.fd === fd);
  }

  add(k: Kernel, file: File, fd: number, events: number, low: number, high: number): void {
    const item = new Item(this, file, fd);
    this.items.push(item);
    this.set(k, item, events, low, high);
    file.watchers ??= new Set();
    file.watchers.add(this);
  }

  set(k: Kernel, item: Item, events: number, low: number, high: number): void {
    item.events = events;
    item.low = low;
    item.high = high;
    item.fresh = true;
    const { mask, queues } = pollFile(k, item.file);
    item.attach(queues);
    if (mask & (events | POLLERR | POLLHUP)) this.wake(k.cause("data"));
  }

  remove(item: Item): void {
    item.detach();
    this.items.splice(this.items.indexOf(item), 1);
    if (!this.items.some((i) => i.file === item.file)) item.file.watchers?.delete(this);
  }

  /** The file is closed for good. */
  forget(file: File): void {
    for (const item of this.items.filter((i) => i.file === file)) this.remove(item);
  }

  /** Members that have something, without taking note of it. */
  ready(k: Kernel): boolean {
    return this.items.some((i) => (!(i.events & EPOLLET) || i.fresh) && this.maskOf(k, i) !== 0);
  }

  private maskOf(k: Kernel, item: Item): number {
    if ((item.events & 0xffff) === 0 && item.events & EPOLLONESHOT) return 0;
    return pollFile(k, item.file).mask & ((item.events & 0x0fff_ffff) | POLLERR | POLLHUP);
  }

  /** Up to `max` members that have something; edge-triggered and one-shot ones are noted as told. */
  take(k: Kernel, max: number): { mask: number; low: number; high: number }[] {
    const out: { mask: number; low: number; high: number }[] = [];
    const told: Item[] = [];
    for (const item of this.items) {
      if (out.length >= max) break;
      if (item.events & EPOLLET && !item.fresh) continue;
      const mask = this.maskOf(k, item);
      item.fresh = false;
      if (mask === 0) continue;
      out.push({ mask, low: item.low, high: item.high });
      told.push(item);
      if (item.events & EPOLLONESHOT) item.events &= EPOLLONESHOT | EPOLLET;
    }
    // Who was told goes to the end, so that a short list serves all in turn.
    for (const item of told) {
      this.items.splice(this.items.indexOf(item), 1);
      this.items.push(item);
    }
    return out;
  }

  close(): void {
    for (const item of [...this.items]) this.remove(item);
  }

  /** How deep instances nest below this one. */
  depth(): number {
    let deepest = 0;
    for (const { file } of this.items) if (file.data instanceof Epoll) deepest = Math.max(deepest, file.data.depth());
    return deepest + 1;
  }

  watches(other: Epoll): boolean {
    return this === other || this.items.some((i) => i.file.data instanceof Epoll && i.file.data.watches(other));
  }
}

const epollOps: FileOps = {
  stream: true,
  llseek: (_k, file) => file.pos,
  poll: (k, file) => {
    const ep = file.data as Epoll;
    return { mask: ep.ready(k) ? POLLIN | POLLRDNORM : 0, queues: [ep.queue] };
  },
  release: (_k, file) => (file.data as Epoll).close(),
};

/** epoll_create1(flags). */
export function sys_epoll_create1(k: Kernel, t: Task, flags: number): SysResult {
  if (flags & ~O_CLOEXEC) return -EINVAL;
  const file = k.vfs.anonfs.open(0o600, O_RDWR, epollOps, () => "anon_inode:[eventpoll]");
  file.data = new Epoll();
  return t.files!.install(file, 0, flags !== 0, nofile(t));
}
export function sys_epoll_create(k: Kernel, t: Task, size: number): SysResult {
  return size <= 0 ? -EINVAL : sys_epoll_create1(k, t, 0);
}

/** epoll_ctl(epfd, op, fd, event): struct epoll_event is packed, 12 bytes. */
export function sys_epoll_ctl(k: Kernel, t: Task, epfd: number, op: number, fd: number, addr: number): SysResult {
  const at = op === CTL_DEL ? [0, 0, 0] : [readU32(k, t, addr), readU32(k, t, addr + 4), readU32(k, t, addr + 8)];
  const file = t.files!.get(epfd);
  const target = t.files!.get(fd);
  if (!file || !target) return -EBADF;
  // Files that are always ready (regular ones) cannot be watched.
  if (!target.ops.poll) return -EPERM;
  if (file === target || !(file.data instanceof Epoll)) return -EINVAL;
  const ep = file.data;
  const item = ep.find(target, fd);
  const [events, low, high] = at;
  switch (op) {
    case CTL_ADD:
      if (item) return -EEXIST;
      if (target.data instanceof Epoll) {
        if (target.data.watches(ep)) return -ELOOP;
        if (target.data.depth() >= MAX_DEPTH) return -EINVAL;
      }
      ep.add(k, target, fd, events, low, high);
      return 0;
    case CTL_DEL:
      if (!item) return -ENOENT;
      ep.remove(item);
      return 0;
    case CTL_MOD:
      if (!item) return -ENOENT;
      if (item.events & EPOLLEXCLUSIVE) return -EINVAL;
      ep.set(k, item, events, low, high);
      return 0;
    default:
      return -EINVAL;
  }
}

function* wait(
  k: Kernel,
  t: Task,
  epfd: number,
  addr: number,
  max: number,
  ns: number,
): Generator<Wait, number, WakeReason> {
  if (max <= 0 || max > 0x0aaa_aaaa) return -EINVAL;
  const file = t.files!.get(epfd);
  if (!file) return -EBADF;
  if (!(file.data instanceof Epoll)) return -EINVAL;
  const ep = file.data;
  const deadline = ns < 0 ? Number.POSITIVE_INFINITY : k.clock.now() + k.units(ns);
  for (;;) {
    touch(k, t, addr, 12, true);
    const events = ep.take(k, Math.min(max, 4096));
    if (events.length > 0) return give(k, t, addr, events);
    if (k.clock.now() >= deadline) {
      recordTiming(k, t);
      return 0;
    }
    const why = yield {
      queues: [ep.queue],
      interruptible: true,
      ...(deadline === Number.POSITIVE_INFINITY ? {} : { deadline }),
    };
    if (why === "signal" && !ep.ready(k)) return -EINTR;
  }
}

function give(k: Kernel, t: Task, addr: number, events: { mask: number; low: number; high: number }[]): number {
  const bytes = new Uint8Array(12 * events.length);
  const v = new DataView(bytes.buffer);
  events.forEach((e, i) => {
    v.setUint32(12 * i, e.mask, true);
    v.setUint32(12 * i + 4, e.low, true);
    v.setUint32(12 * i + 8, e.high, true);
  });
  try {
    copyOut(k, t, addr, bytes);
  } catch (e) {
    throw e instanceof SysError ? new SysError(EFAULT) : e;
  }
  if (k.recorder.enabled) k.recorder.set(t.seq, { items: events.length });
  if (events.length > 1) recordTiming(k, t);
  return events.length;
}

/** epoll_wait(epfd, events, max, timeout in ms). */
export function sys_epoll_wait(
  k: Kernel,
  t: Task,
  epfd: number,
  addr: number,
  max: number,
  timeout: number,
): SysResult {
  return wait(k, t, epfd, addr, max, timeout < 0 ? -1 : timeout * 1e6);
}

/** epoll_pwait(epfd, events, max, timeout in ms, mask, mask size). */
export function sys_epoll_pwait(
  k: Kernel,
  t: Task,
  epfd: number,
  addr: number,
  max: number,
  timeout: number,
  mask: number,
  size = 8,
): SysResult {
  return withMask(k, t, mask, size, wait(k, t, epfd, addr, max, timeout < 0 ? -1 : timeout * 1e6));
}

/** epoll_pwait2(epfd, events, max, timespec64, mask, mask size). */
export function sys_epoll_pwait2(
  k: Kernel,
  t: Task,
  epfd: number,
  addr: number,
  max: number,
  time: number,
  mask: number,
  size = 8,
): SysResult {
  const ns = time === 0 ? -1 : durationNs(readTimespec(k, t, time, true));
  return withMask(k, t, mask, size, wait(k, t, epfd, addr, max, ns));
}
