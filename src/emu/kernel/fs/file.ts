// Open files and what can be done with them (fs/file_table.c, struct file_operations).
import type { Kernel } from "../kernel.ts";
import type { SysResult } from "../sched.ts";
import type { Task } from "../task.ts";
import type { WaitQueue } from "../wait.ts";
import { O_ACCMODE, O_APPEND, O_NONBLOCK, O_PATH, O_RDONLY, O_WRONLY } from "./const.ts";
import type { Inode, Path } from "./inode.ts";
import type { IovIter } from "./iov.ts";
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE } from "./notify.ts";
import type { AsyncFiles, FileOwner } from "./sigio.ts";

/** What poll says of a file, and where to wait for a change. */
export interface PollResult {
  mask: number;
  queues: WaitQueue[];
  /** The event that made it so, for the trace. */
  from?: number;
}

/** Puts one name into a getdents buffer; false: it is full, stop. `next` = the position behind this name. */
export type DirEmit = (name: string, ino: number, type: number, next: number) => boolean;

/**
 * What can be done with an open file. `pos` is the offset, or -1 for the file's own position (which the operation
 * moves). A missing operation gives EINVAL (read, write), ESPIPE (llseek), ENOTTY (ioctl), ENOTDIR (iterate).
 */
export interface FileOps {
  read?(k: Kernel, t: Task, file: File, iter: IovIter, pos: number): SysResult;
  write?(k: Kernel, t: Task, file: File, iter: IovIter, pos: number): SysResult;
  /** Returns the new position (may exceed 32 bits) or -errno. */
  llseek?(k: Kernel, file: File, offset: number, whence: number): number;
  iterate?(k: Kernel, t: Task, file: File, emit: DirEmit): number;
  ioctl?(k: Kernel, t: Task, file: File, cmd: number, arg: number): SysResult;
  poll?(k: Kernel, file: File): PollResult;
  fsync?(k: Kernel, t: Task, file: File): SysResult;
  /** O_ASYNC is set: the lists of those who hear of it. */
  fasync?(k: Kernel, file: File): AsyncFiles[];
  /** The last descriptor is gone. */
  release?(k: Kernel, file: File): void;
  /** Called by open before the file gets a descriptor: may block (FIFO) or fail. */
  open?(k: Kernel, t: Task, file: File): SysResult;
  /** Seeking and pread are refused with ESPIPE. */
  readonly stream?: boolean;
  /** Has no page cache but may be mapped: 0 and what PROC must map (anonymous zero pages for /dev/zero). */
  readonly mmapZero?: boolean;
}

/** An open file description. */
export class File {
  readonly path: Path;
  readonly inode: Inode;
  /** O_ flags of open and F_SETFL, without O_CREAT, O_EXCL, O_NOCTTY, O_TRUNC, O_CLOEXEC. */
  flags: number;
  pos = 0;
  ops: FileOps;
  /** Descriptors and mappings that hold it. */
  refs = 0;
  /** What a file system or driver keeps per open file. */
  data: unknown = null;
  /** F_SETOWN, F_SETSIG, and the lists that O_ASYNC put it on. */
  owner: FileOwner | null = null;
  sig = 0;
  asyncs: AsyncFiles[] | null = null;
  /** Next page that a sequential reader would ask for, and the window read ahead. */
  raNext = 0;
  raPages = 0;
  /** The page it was read from last. */
  raPage = -1;
  /** Epoll instances that watch this file. */
  watchers: Set<{ forget(file: File): void }> | null = null;

  constructor(path: Path, flags: number, ops: FileOps) {
    this.path = path;
    this.inode = path.dentry.inode;
    this.flags = flags;
    this.ops = ops;
  }

  get readable(): boolean {
    return (this.flags & O_ACCMODE) !== O_WRONLY && (this.flags & O_PATH) === 0;
  }
  get writable(): boolean {
    return (this.flags & O_ACCMODE) !== O_RDONLY && (this.flags & O_PATH) === 0;
  }
  get nonblock(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }
  get append(): boolean {
    return (this.flags & O_APPEND) !== 0;
  }

  /** One more holder. */
  get(): this {
    if (this.refs++ === 0) this.inode.opens++;
    return this;
  }

  /** One holder less; the last one releases the file. */
  put(k: Kernel): void {
    if (--this.refs > 0) return;
    if (this.watchers) for (const w of [...this.watchers]) w.forget(this);
    if (this.asyncs) for (const list of this.asyncs) list.remove(this);
    const inode = this.inode;
    if (inode.flock) dropLocks(k, inode, this);
    if (this.writable && inode.isRegular) inode.writers--;
    this.ops.release?.(k, this);
    const { notify } = k.vfs;
    if (notify.active && !(this.flags & O_PATH))
      notify.event(this.path.dentry, this.writable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
    if (--inode.opens > 0 || inode.nlink > 0) return;
    notify.goneIfUnused(inode);
    inode.evict(k);
  }
}

/** Drops an owner's advisory locks on a file (locks_remove_posix, locks_remove_file). */
export function dropLocks(k: Kernel, inode: Inode, owner: object): void {
  const list = inode.flock!;
  const before = list.locks.length;
  list.locks = list.locks.filter((l) => l.owner !== owner);
  if (list.locks.length !== before) list.waiters.wakeAll(k.cause("lock"));
}
