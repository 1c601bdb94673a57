// /proc: the kernel's own files, and a directory per process (fs/proc).
import { EACCES, EINVAL, ENOENT } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import type { Task } from "../../task.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../const.ts";
import { dirOps } from "../dir.ts";
import type { File, FileOps } from "../file.ts";
import { Dentry, Inode, type Path, type Statfs, type SuperBlock } from "../inode.ts";
import { textOps } from "../text.ts";
import { memOps } from "./mem.ts";
import { PID_ENTRIES, type PidEntry } from "./pid.ts";
import { ROOT_FILES } from "./root.ts";

const PROC_SUPER_MAGIC = 0x9fa0;
/** Inode numbers: 1 is the root; files of the root follow; process p's are p * PID_INOS and up. */
const PID_INOS = 65536;
/** Within a process: descriptor n of fd/ and fdinfo/. */
const FD_INOS = 1024;

export class ProcSuper implements SuperBlock {
  readonly dev: number;
  readonly type = "proc";
  readonly xattrs = false;
  readonly root: Dentry;
  private nextIno = 2;

  constructor(dev: number) {
    this.dev = dev;
    this.root = new Dentry("", null, new ProcRoot(this, 1, S_IFDIR | 0o555));
    this.root.inode.nlink = 2;
    for (const [path, text, write] of ROOT_FILES) {
      const names = path.split("/");
      const last = names.pop()!;
      let dir = this.root;
      for (const name of names) dir = dir.children!.get(name) ?? this.directory(dir, name);
      const inode = new ProcInode(this, this.nextIno++, S_IFREG | (write ? 0o644 : 0o444));
      inode.ops = { ...textOps((k, t) => text(k, t)) };
      if (write) {
        inode.ops.write = (k, t, _file, iter) => {
          const n = iter.left;
          const r = write(k, String.fromCharCode(...iter.take(Math.min(n, 4096))), t);
          return r < 0 ? r : n;
        };
      }
      dir.add(new Dentry(last, dir, inode));
    }
    for (const [name, target] of [
      ["self", (_k: Kernel, t: Task) => `${t.tgid}`],
      ["thread-self", (_k: Kernel, t: Task) => `${t.tgid}/task/${t.pid}`],
      ["mounts", () => "self/mounts"],
    ] as const) {
      const inode = new ProcInode(this, this.nextIno++, S_IFLNK | 0o777);
      inode.target = target;
      this.root.add(new Dentry(name, this.root, inode));
    }
  }

  private directory(dir: Dentry, name: string): Dentry {
    const inode = new ProcInode(this, this.nextIno++, S_IFDIR | 0o555);
    inode.nlink = 2;
    const dentry = new Dentry(name, dir, inode);
    dir.add(dentry);
    dir.inode.nlink++;
    return dentry;
  }

  statfs(_k: Kernel): Statfs {
    return { type: PROC_SUPER_MAGIC, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  }
}

/** A file, directory or link of /proc. */
export class ProcInode extends Inode {
  ops: FileOps = {};
  target: ((k: Kernel, t: Task) => string) | null = null;

  override fileOps(): FileOps | number {
    return this.isDir ? dirOps : this.ops;
  }
  override readlink(k: Kernel, t: Task): string | number {
    return this.target ? this.target(k, t) : -EINVAL;
  }
  /** Made when somebody first looks: that is its time. */
  override refresh(k: Kernel): void {
    if (this.mtime.sec === 0) this.atime = this.mtime = this.ctime = k.realtime();
  }
  override create(): number {
    return -ENOENT;
  }
  override symlink(): number {
    return -ENOENT;
  }
  override truncate(): number {
    return 0;
  }
}

/** The root: its files, and every process by number. */
class ProcRoot extends ProcInode {
  private readonly pids = new WeakMap<Task, Dentry>();

  override lookup(dir: Dentry, name: string, k: Kernel, t: Task): Dentry | null {
    const known = super.lookup(dir, name, k, t);
    if (known && !(known.inode instanceof PidDir)) return known;
    if (!/^[1-9][0-9]{0,9}$/.test(name)) return null;
    const task = k.tasks.get(Number(name));
    return task && task.state !== "dead" ? this.pidDir(dir, task) : null;
  }

  private pidDir(dir: Dentry, task: Task): Dentry {
    let dentry = this.pids.get(task);
    if (!dentry) {
      dentry = new Dentry(`${task.pid}`, dir, new PidDir(this.sb as ProcSuper, task.pid * PID_INOS, task, PID_ENTRIES));
      this.pids.set(task, dentry);
    }
    return dentry;
  }

  override fill(dir: Dentry, k: Kernel): void {
    for (const child of [...dir.children!.values()]) if (child.inode instanceof PidDir) dir.remove(child);
    const leaders = [...k.tasks.values()].filter((t) => t.isLeader && t.state !== "dead" && t.pid > 0);
    for (const task of leaders.sort((a, b) => a.pid - b.pid)) dir.add(this.pidDir(dir, task));
    this.nlink = 2 + leaders.length;
  }
}

/** A process' directory, or one inside it with fixed entries. */
class PidDir extends ProcInode {
  readonly task: Task;
  readonly entries: readonly PidEntry[];

  constructor(sb: ProcSuper, ino: number, task: Task, entries: readonly PidEntry[]) {
    super(sb, ino, S_IFDIR | 0o555);
    this.task = task;
    this.entries = entries;
    this.nlink = 2 + entries.filter((e) => e.kind === "dir" || e.kind === "tasks" || e.kind === "fd").length;
    owned(this, task);
  }

  override refresh(k: Kernel): void {
    super.refresh(k);
    this.uid = this.task.creds.euid;
    this.gid = this.task.creds.egid;
  }

  override lookup(dir: Dentry, name: string): Dentry | null {
    if (this.task.state === "dead") return null;
    return dir.children!.get(name) ?? this.make(dir, name);
  }

  private make(dir: Dentry, name: string): Dentry | null {
    const at = this.entries.findIndex((e) => e.name === name);
    if (at < 0) return null;
    const dentry = new Dentry(name, dir, inodeOf(this.sb as ProcSuper, this.ino + 1 + at, this.task, this.entries[at]));
    dir.add(dentry);
    return dentry;
  }

  override fill(dir: Dentry): void {
    if (this.task.state === "dead") return;
    for (const e of this.entries) if (!dir.children!.has(e.name)) this.make(dir, e.name);
  }
}

/** The process whose directory in /proc an inode is. */
export function processOf(inode: Inode): Task | undefined {
  return inode instanceof PidDir && inode.entries === PID_ENTRIES ? inode.task : undefined;
}

function inodeOf(sb: ProcSuper, ino: number, task: Task, entry: PidEntry): Inode {
  switch (entry.kind) {
    case "dir":
      return new PidDir(sb, ino, task, []);
    case "fd":
      return new FdDir(sb, ino, task, entry.info === true);
    case "tasks":
      return new TaskDir(sb, ino, task);
    case "mem": {
      const inode = owned(new ProcInode(sb, ino, S_IFREG | 0o600), task);
      inode.ops = memOps(task);
      return inode;
    }
    case "link":
      return owned(new PathLink(sb, ino, task, entry.path), task);
    default: {
      const inode = owned(new ProcInode(sb, ino, S_IFREG | entry.mode), task);
      const { text, write } = entry;
      inode.ops = textOps((k, t) => text(k, task, t));
      if (write) {
        inode.ops = {
          ...inode.ops,
          write: (k, _t, _file, iter) => {
            const n = iter.left;
            const r = write(k, task, String.fromCharCode(...iter.take(Math.min(n, 4096))));
            return r < 0 ? r : n;
          },
        };
      }
      return inode;
    }
  }
}

function owned<T extends Inode>(inode: T, task: Task): T {
  inode.uid = task.creds.euid;
  inode.gid = task.creds.egid;
  return inode;
}

/** exe, cwd, root: links that lead to the object itself. */
class PathLink extends ProcInode {
  private readonly task: Task;
  private readonly path: (k: Kernel, task: Task) => Path | null;

  constructor(sb: ProcSuper, ino: number, task: Task, path: (k: Kernel, task: Task) => Path | null) {
    super(sb, ino, S_IFLNK | 0o777);
    this.task = task;
    this.path = path;
  }
  override readlink(k: Kernel, t: Task): string | number {
    if (!mayInspect(t, this.task)) return -EACCES;
    const path = this.path(k, this.task);
    return path ? k.vfs.nameOf(path, t.fs!.root) : -ENOENT;
  }
  override followLink(k: Kernel, t: Task): Path | number {
    if (!mayInspect(t, this.task)) return -EACCES;
    return this.path(k, this.task) ?? -ENOENT;
  }
}

/** Who may look into another process (ptrace_may_access, in short). */
export function mayInspect(t: Task, task: Task): boolean {
  return t.signal === task.signal || t.creds.fsuid === 0 || (t.creds.fsuid === task.creds.uid && task.dumpable === 1);
}

/** fd/ and fdinfo/. */
class FdDir extends ProcInode {
  private readonly task: Task;
  private readonly info: boolean;

  constructor(sb: ProcSuper, ino: number, task: Task, info: boolean) {
    super(sb, ino, S_IFDIR | (info ? 0o555 : 0o500));
    this.task = task;
    this.info = info;
    this.nlink = 2;
    owned(this, task);
  }

  override lookup(dir: Dentry, name: string, k: Kernel, t: Task): Dentry | null {
    if (!/^(0|[1-9][0-9]{0,8})$/.test(name) || !mayInspect(t, this.task)) return null;
    const file = this.task.files?.get(Number(name));
    return file ? this.entry(dir, Number(name), file, k) : null;
  }

  private entry(dir: Dentry, fd: number, file: File, _k: Kernel): Dentry {
    const old = dir.children!.get(`${fd}`);
    if (old && (old.inode as FdInode).file === file) return old;
    if (old) dir.remove(old);
    const ino = (this.task.pid * PID_INOS + (this.info ? 33000 : FD_INOS) + fd) % 0x1_0000_0000;
    const dentry = new Dentry(`${fd}`, dir, owned(new FdInode(this.sb as ProcSuper, ino, file, this.info), this.task));
    dir.add(dentry);
    return dentry;
  }

  override fill(dir: Dentry, k: Kernel): void {
    for (const child of [...dir.children!.values()]) dir.remove(child);
    const files = this.task.files;
    if (files) for (const fd of files.open()) this.entry(dir, fd, files.get(fd)!, k);
  }
}

class FdInode extends ProcInode {
  readonly file: File;

  constructor(sb: ProcSuper, ino: number, file: File, info: boolean) {
    super(sb, ino, info ? S_IFREG | 0o444 : S_IFLNK | (file.readable ? 0o500 : 0) | (file.writable ? 0o300 : 0));
    this.file = file;
    this.size = info ? 0 : 64;
    this.ops = textOps(
      (_k, _t) =>
        `pos:\t${file.pos}\nflags:\t0${file.flags.toString(8)}\nmnt_id:\t${file.path.mnt.id}\nino:\t${file.inode.ino}\n`,
    );
  }
  override readlink(k: Kernel, t: Task): string {
    return k.vfs.nameOf(this.file.path, t.fs!.root);
  }
  override followLink(): Path {
    return this.file.path;
  }
}

/** task/: the threads. */
class TaskDir extends ProcInode {
  private readonly task: Task;

  constructor(sb: ProcSuper, ino: number, task: Task) {
    super(sb, ino, S_IFDIR | 0o555);
    this.task = task;
    owned(this, task);
  }
  override refresh(k: Kernel): void {
    super.refresh(k);
    this.nlink = 2 + this.task.signal.threads.size;
  }
  override lookup(dir: Dentry, name: string): Dentry | null {
    for (const thread of this.task.signal.threads) if (`${thread.pid}` === name) return this.entry(dir, thread);
    return null;
  }
  private entry(dir: Dentry, thread: Task): Dentry {
    const name = `${thread.pid}`;
    const old = dir.children!.get(name);
    if (old && (old.inode as PidDir).task === thread) return old;
    if (old) dir.remove(old);
    const entries = PID_ENTRIES.filter((e) => e.kind !== "tasks");
    const dentry = new Dentry(
      name,
      dir,
      new PidDir(this.sb as ProcSuper, thread.pid * PID_INOS + 512, thread, entries),
    );
    dir.add(dentry);
    return dentry;
  }
  override fill(dir: Dentry): void {
    for (const child of [...dir.children!.values()]) dir.remove(child);
    for (const thread of this.task.signal.threads) this.entry(dir, thread);
  }
}
