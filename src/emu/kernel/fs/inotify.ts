// inotify: watches on files and directories, and the queue their events are read from (fs/notify/inotify).
import { EAGAIN, EBADF, EEXIST, EINVAL, EMFILE, ENOSPC, ENOTTY, SysError } from "../errno.ts";
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, writeU32 } from "../user.ts";
import { Retry, WaitQueue } from "../wait.ts";
import { AT_FDCWD, MAY_READ, O_CLOEXEC, O_NONBLOCK, O_RDONLY, POLLIN, POLLRDNORM } from "./const.ts";
import type { FileOps } from "./file.ts";
import type { Inode } from "./inode.ts";
import type { IovIter } from "./iov.ts";
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, permission } from "./namei.ts";
import { IN_DELETE_SELF, IN_ISDIR, IN_MOVE_SELF, type Mark } from "./notify.ts";
import { nofile, userPathAt } from "./open.ts";
import { untilDone } from "./read_write.ts";
import { AsyncFiles, POLL } from "./sigio.ts";
import { recordTiming } from "./trace.ts";

const IN_ALL_EVENTS = 0xfff;
const IN_UNMOUNT = 0x2000;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x0100_0000;
const IN_DONT_FOLLOW = 0x0200_0000;
const IN_EXCL_UNLINK = 0x0400_0000;
const IN_MASK_CREATE = 0x1000_0000;
const IN_MASK_ADD = 0x2000_0000;
const IN_ONESHOT = 0x8000_0000 | 0;
/** What a mask of inotify_add_watch must have some bit of. */
const ALL_BITS =
  IN_ALL_EVENTS |
  IN_UNMOUNT |
  IN_Q_OVERFLOW |
  IN_IGNORED |
  IN_ONLYDIR |
  IN_DONT_FOLLOW |
  IN_EXCL_UNLINK |
  IN_MASK_CREATE |
  IN_MASK_ADD |
  IN_ISDIR |
  IN_ONESHOT;
/** sizeof(struct inotify_event); names are padded to multiples of it. */
const HEADER = 16;
/** The limits of /proc/sys/fs/inotify. */
export const INOTIFY_LIMITS = { max_queued_events: 16_384, max_user_instances: 128, max_user_watches: 65_536 } as const;
const FIONREAD = 0x541b;

interface Event {
  wd: number;
  mask: number;
  cookie: number;
  name: string;
  /** The event of the trace that raised it. */
  from: number;
}

class Watch implements Mark {
  readonly inode: Inode;
  readonly wd: number;
  mask: number;
  private readonly owner: Inotify;

  constructor(owner: Inotify, inode: Inode, wd: number, mask: number) {
    this.owner = owner;
    this.inode = inode;
    this.wd = wd;
    this.mask = mask;
  }

  notify(mask: number, name: string, cookie: number, gone: boolean): void {
    if (!(mask & this.mask & IN_ALL_EVENTS) || (gone && this.mask & IN_EXCL_UNLINK)) return;
    const told = mask & (IN_DELETE_SELF | IN_MOVE_SELF) ? mask & ~IN_ISDIR : mask;
    this.owner.put({ wd: this.wd, mask: told, cookie, name, from: this.owner.k.current.seq });
    if (this.mask & IN_ONESHOT) this.owner.drop(this);
  }

  removed(): void {
    this.owner.drop(this);
  }
}

class Inotify {
  readonly k: Kernel;
  readonly watches = new Map<number, Watch>();
  readonly byInode = new Map<Inode, Watch>();
  readonly queue = new WaitQueue();
  readonly uid: number;
  readonly async = new AsyncFiles();
  events: Event[] = [];
  private lastWd = 0;

  constructor(k: Kernel, uid: number) {
    this.k = k;
    this.uid = uid;
  }

  /** Queues an event unless the last one says the same. */
  put(event: Event): void {
    const last = this.events[this.events.length - 1];
    if (last && last.wd === event.wd && last.mask === event.mask && last.name === event.name && !event.cookie) return;
    if (this.events.length >= INOTIFY_LIMITS.max_queued_events) {
      if (last.mask === IN_Q_OVERFLOW) return;
      event = { wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: "", from: event.from };
    }
    this.events.push(event);
    this.queue.wakeAll(this.k.cause("data"));
    this.async.kill(this.k, POLL.IN);
  }

  add(inode: Inode, mask: number): number {
    if (this.watches.size >= INOTIFY_LIMITS.max_user_watches) return -ENOSPC;
    const wd = ++this.lastWd;
    const watch = new Watch(this, inode, wd, mask);
    this.watches.set(wd, watch);
    this.byInode.set(inode, watch);
    this.k.vfs.notify.add(inode, watch);
    return wd;
  }

  /** A watch ends, which is an event itself. */
  drop(watch: Watch): void {
    if (!this.watches.delete(watch.wd)) return;
    this.byInode.delete(watch.inode);
    this.k.vfs.notify.remove(watch.inode, watch);
    this.put({ wd: watch.wd, mask: IN_IGNORED, cookie: 0, name: "", from: this.k.current.seq });
  }

  close(): void {
    for (const watch of this.watches.values()) this.k.vfs.notify.remove(watch.inode, watch);
    this.watches.clear();
    this.byInode.clear();
    this.k.vfs.inotifies.delete(this);
  }
}

function sizeOf(event: Event): number {
  return event.name === "" ? HEADER : HEADER + Math.ceil((event.name.length + 1) / HEADER) * HEADER;
}

/** struct inotify_event and its name. */
function encode(event: Event): Uint8Array {
  const bytes = new Uint8Array(sizeOf(event));
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [event.wd, event.mask, event.cookie, bytes.length - HEADER].entries())
    view.setInt32(4 * i, word, true);
  bytes.set(bytesOf(event.name), HEADER);
  return bytes;
}

function readOnce(k: Kernel, t: Task, inotify: Inotify, iter: IovIter): number {
  let n = 0;
  for (let event = inotify.events[0]; event !== undefined; event = inotify.events[0]) {
    const bytes = encode(event);
    if (bytes.length > iter.left) {
      if (n === 0) return -EINVAL;
      break;
    }
    try {
      iter.put(bytes);
    } catch (e) {
      if (n > 0 && e instanceof Retry) break;
      // An event that cannot be written is lost, as in Linux.
      if (e instanceof SysError) inotify.events.shift();
      throw e;
    }
    iter.advance(bytes.length);
    n += bytes.length;
    inotify.events.shift();
    if (event.from >= 0) k.edge(t, { from: event.from, kind: "data" });
  }
  if (n > 0) return n;
  recordTiming(k, t);
  return -EAGAIN;
}

const inotifyOps: FileOps = {
  fasync: (_k, file) => [(file.data as Inotify).async],
  stream: true,
  llseek: (_k, file) => file.pos,
  read: (k, t, file, iter) => {
    const inotify = file.data as Inotify;
    const once = () => readOnce(k, t, inotify, iter);
    return file.nonblock || inotify.events.length > 0 ? once() : untilDone(inotify.queue, once);
  },
  poll: (_k, file) => {
    const inotify = file.data as Inotify;
    return { mask: inotify.events.length > 0 ? POLLIN | POLLRDNORM : 0, queues: [inotify.queue] };
  },
  ioctl: (k, t, file, cmd, arg) => {
    if (cmd !== FIONREAD) return -ENOTTY;
    const bytes = (file.data as Inotify).events.reduce((sum, event) => sum + sizeOf(event), 0);
    writeU32(k, t, arg, bytes);
    return 0;
  },
  release: (_k, file) => (file.data as Inotify).close(),
};

/** inotify_init1(flags). */
export function sys_inotify_init1(k: Kernel, t: Task, flags: number): SysResult {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const uid = t.creds.uid;
  const mine = [...k.vfs.inotifies].filter((other) => (other as Inotify).uid === uid).length;
  if (mine >= INOTIFY_LIMITS.max_user_instances) return -EMFILE;
  const file = k.vfs.anonfs.open(0o600, O_RDONLY | (flags & O_NONBLOCK), inotifyOps, () => "anon_inode:inotify");
  const inotify = new Inotify(k, uid);
  file.data = inotify;
  const fd = t.files!.install(file, 0, (flags & O_CLOEXEC) !== 0, nofile(t));
  if (fd >= 0) k.vfs.inotifies.add(inotify);
  return fd;
}
export const sys_inotify_init: Sys = (k, t) => sys_inotify_init1(k, t, 0);

/** inotify_add_watch(fd, path, mask). */
export const sys_inotify_add_watch: Sys = (k, t, fd, path, mask) => {
  if (!(mask & ALL_BITS)) return -EINVAL;
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (mask & IN_MASK_ADD && mask & IN_MASK_CREATE) return -EINVAL;
  if (!(file.data instanceof Inotify)) return -EINVAL;
  const follow = mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW;
  const w = userPathAt(k, t, AT_FDCWD, path, follow | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0));
  if (typeof w === "number") return w;
  const { inode } = w.dentry;
  const denied = permission(inode, MAY_READ, t.creds);
  if (denied < 0) return denied;
  const kept = mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK);
  const old = file.data.byInode.get(inode);
  if (old === undefined) return file.data.add(inode, kept);
  if (mask & IN_MASK_CREATE) return -EEXIST;
  old.mask = mask & IN_MASK_ADD ? old.mask | kept : kept;
  return old.wd;
};

/** inotify_rm_watch(fd, watch). */
export const sys_inotify_rm_watch: Sys = (_k, t, fd, wd) => {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (!(file.data instanceof Inotify)) return -EINVAL;
  const watch = file.data.watches.get(wd);
  if (watch === undefined) return -EINVAL;
  file.data.drop(watch);
  return 0;
};
