// Inodes, dentries, mounts and super blocks: the objects every file system is made of, and their default behaviour.
import { EACCES, EINVAL, ENOTDIR, EOPNOTSUPP, EPERM } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { WaitQueue } from "../wait.ts";
import type { AddressSpace } from "./address_space.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "./const.ts";
import type { FileOps } from "./file.ts";

/** A point of time as file systems keep it: seconds since 1970 and nanoseconds. */
export interface Timespec {
  sec: number;
  nsec: number;
}

/** Of inodes that have been told no time yet; times are replaced whole. */
const NO_TIME: Timespec = Object.freeze({ sec: 0, nsec: 0 });

/** What statfs64 says of a file system. */
export interface Statfs {
  type: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** One mounted file system: its device number and where inode numbers come from. */
export interface SuperBlock {
  /** st_dev, encoded as stat64 has it. */
  readonly dev: number;
  /** Name in /proc/mounts: ext4, tmpfs, proc... */
  readonly type: string;
  readonly root: Dentry;
  /** Numbers of the extended attributes' name spaces it stores; false: EOPNOTSUPP. */
  readonly xattrs: boolean;
  /** Pages may hold writes that a store has not seen (decides what sync does). */
  statfs(k: Kernel): Statfs;
}

/** An advisory lock on part of a file; `owner` is a FilesStruct (POSIX), a File (OFD, flock). */
export interface FileLock {
  owner: object;
  pid: number;
  kind: "posix" | "flock";
  type: "read" | "write";
  /** First and last byte; Infinity: to the end of the file. */
  start: number;
  end: number;
}

/** Locks of an inode, and who waits for them. */
export interface LockList {
  locks: FileLock[];
  waiters: WaitQueue;
}

/**
 * A file, whatever its names. File systems override what they can do; the defaults are those of a file system that
 * cannot. Errors are returned as -errno.
 */
export abstract class Inode {
  declare readonly sb: SuperBlock;
  /** st_ino; never changes. */
  declare readonly ino: number;
  /** Type and permissions. */
  declare mode: number;
  declare uid: number;
  declare gid: number;
  /** Names; a directory counts 2 and one per subdirectory. */
  declare nlink: number;
  declare rdev: number;
  /** Bytes. */
  declare size: number;
  declare atime: Timespec;
  declare mtime: Timespec;
  declare ctime: Timespec;
  private declare space: AddressSpace | null;
  /** It has a page cache that newMapping makes when somebody first asks for it. */
  protected declare spaceLater: boolean;
  /** A directory's one dentry. */
  declare dir: Dentry | null;
  declare xattrs: Map<string, Uint8Array> | null;
  declare flock: LockList | null;
  /** The Pipe of a FIFO while anyone has it open, or of an inode of pipefs; the Socket of one of sockfs. */
  declare channel: { object(k: Kernel): number } | null;
  /** Open files. */
  declare opens: number;
  /** Open files that may write, and mappings that execute: for ETXTBSY. */
  declare writers: number;
  declare denyWrite: number;
  /** Object id in the trace; -1 until first recorded. */
  declare traceObject: number;

  // Assigned here rather than initialised above: of a class with many subclasses V8 defines fields slowly, and a root may have
  // a hundred thousand files.
  constructor(sb: SuperBlock, ino: number, mode: number) {
    this.sb = sb;
    this.ino = ino;
    this.mode = mode;
    this.uid = 0;
    this.gid = 0;
    this.nlink = 1;
    this.rdev = 0;
    this.size = 0;
    this.atime = NO_TIME;
    this.mtime = NO_TIME;
    this.ctime = NO_TIME;
    this.space = null;
    this.spaceLater = false;
    this.dir = null;
    this.xattrs = null;
    this.flock = null;
    this.channel = null;
    this.opens = 0;
    this.writers = 0;
    this.denyWrite = 0;
    this.traceObject = -1;
  }

  /** Page cache; only files that can be mapped have one. */
  get mapping(): AddressSpace | null {
    if (this.spaceLater) this.mapping = this.newMapping();
    return this.space;
  }
  set mapping(mapping: AddressSpace | null) {
    this.spaceLater = false;
    this.space = mapping;
  }

  protected newMapping(): AddressSpace | null {
    return null;
  }

  get isDir(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
  get isLink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }
  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  /** 512-byte sectors that the file takes (st_blocks). */
  blocks(): number {
    return 0;
  }

  /** The dentry of a name, or null; called only with search permission on a directory. `t` matters to /proc alone. */
  lookup(dir: Dentry, name: string, _k: Kernel, _t: Task): Dentry | null {
    return dir.children?.get(name) ?? null;
  }

  /** Brings the names of a directory up to date before they are listed. */
  fill(_dir: Dentry, _k: Kernel, _t: Task): void {}

  /** Attributes that are computed when asked for (size, nlink): before stat. */
  refresh(_k: Kernel): void {}

  /** Text of a symbolic link. */
  readlink(_k: Kernel, _t: Task): string | number {
    return -EINVAL;
  }

  /** A link that leads to an object instead of a name (/proc/self/exe, fd/N); null: follow the text. */
  followLink(_k: Kernel, _t: Task): Path | number | null {
    return null;
  }

  /** File operations of a new open file. May replace what was opened (a FIFO, a device). */
  abstract fileOps(k: Kernel, t: Task): FileOps | number;

  // Changing a directory. `dir` is this inode's dentry; the caller checked permissions and that the name is free.
  create(_dir: Dentry, _name: string, _mode: number, _rdev: number, _k: Kernel, _t: Task): Dentry | number {
    return this.isDir ? -EPERM : -ENOTDIR;
  }
  symlink(_dir: Dentry, _name: string, _target: string, _k: Kernel, _t: Task): Dentry | number {
    return -EPERM;
  }
  link(_old: Inode, _dir: Dentry, _name: string, _k: Kernel): number {
    return -EPERM;
  }
  unlink(_victim: Dentry, _k: Kernel): number {
    return -EPERM;
  }
  rename(
    _from: Dentry,
    _toDir: Dentry,
    _name: string,
    _replaced: Dentry | null,
    _exchange: boolean,
    _k: Kernel,
  ): number {
    return -EPERM;
  }
  /** A file without a name (O_TMPFILE, memfd). */
  tmpfile(_mode: number, _k: Kernel, _t: Task): Inode | number {
    return -EOPNOTSUPP;
  }
  /** Sets the size; frees or zeroes what is cut off. */
  truncate(_size: number, _k: Kernel): number {
    return -EINVAL;
  }
  /** After mode, owner or times changed: bind mounts tell the host. */
  changed(_what: "mode" | "owner" | "times", _k: Kernel): number {
    return 0;
  }
  /** No name and no open file are left. */
  evict(_k: Kernel): void {}
  /** Beyond the mode bits: file systems that allow nothing (read-only bind mounts). */
  mayWrite(): number {
    return 0;
  }
  /** Device driver of a special file, for messages only. */
  openError(): number {
    return -EACCES;
  }
}

/** A name in a directory. The tree of dentries of a memory file system is its directory contents, as in ramfs. */
export class Dentry {
  name: string;
  /** The root of a file system is its own parent. */
  parent: Dentry;
  inode: Inode;
  private names: Map<string, Dentry> | null;
  private positions: (Dentry | null)[] | null;
  /** Adds the names that the directory begins with, when somebody first asks for any; null: they are there. */
  later: ((dir: Dentry) => void) | null = null;
  /** Index in the parent's slots; -1: not listed (hidden or removed). */
  slot = -1;
  /** False once the name is gone. */
  linked = true;
  /** How many mounts sit on this dentry. */
  mounted = 0;
  /** Open directory streams: positions must not move while there are any. */
  readers = 0;

  constructor(name: string, parent: Dentry | null, inode: Inode) {
    this.name = name;
    this.parent = parent ?? this;
    this.inode = inode;
    const dir = inode.isDir;
    this.names = dir ? new Map() : null;
    this.positions = dir ? [] : null;
    if (dir) inode.dir = this;
  }

  /** Names of a directory, in order of insertion. */
  get children(): Map<string, Dentry> | null {
    if (this.later !== null) this.begin(this.later);
    return this.names;
  }

  /** Names by directory position, null where one was removed; position = index + 2 (. and .. come first). */
  get slots(): (Dentry | null)[] | null {
    if (this.later !== null) this.begin(this.later);
    return this.positions;
  }

  private begin(names: (dir: Dentry) => void): void {
    this.later = null;
    names(this);
  }

  /** Adds a name at the end of the directory; `listed` = readdir shows it. */
  add(child: Dentry, listed = true): void {
    child.parent = this;
    child.linked = true;
    this.children!.set(child.name, child);
    if (listed) {
      child.slot = this.slots!.length;
      this.slots!.push(child);
    } else child.slot = -1;
  }

  /** Removes a name; other names keep their positions. */
  remove(child: Dentry): void {
    this.children!.delete(child.name);
    const slots = this.slots!;
    if (child.slot >= 0) slots[child.slot] = null;
    child.slot = -1;
    child.linked = false;
    if (this.readers === 0 && slots.length > 64 && slots.length > 2 * this.children!.size) this.compact();
  }

  private compact(): void {
    const kept = this.slots!.filter((d): d is Dentry => d !== null);
    for (let i = 0; i < kept.length; i++) kept[i].slot = i;
    this.positions = kept;
  }
}

/** A file system, or part of one, at a place of the tree. */
export class Mount {
  readonly id: number;
  readonly root: Dentry;
  /** Where it sits; null for the root of all. */
  readonly at: Path | null;
  readonly children = new Map<Dentry, Mount>();
  readonly readOnly: boolean;
  /** First field of /proc/mounts. */
  readonly source: string;
  /** The top of the view (/trusted) that this mount belongs to: absolute links met inside stay inside. */
  view: Mount | null = null;

  constructor(id: number, root: Dentry, at: Path | null, source: string, readOnly = false) {
    this.id = id;
    this.root = root;
    this.at = at;
    this.source = source;
    this.readOnly = readOnly;
    if (at) {
      at.mnt.children.set(at.dentry, this);
      at.dentry.mounted++;
    }
  }
}

/** A place in the tree of mounts. */
export interface Path {
  mnt: Mount;
  dentry: Dentry;
}

/** Is `inner` at or below `outer` in one file system? */
export function isSubdir(inner: Dentry, outer: Dentry): boolean {
  for (let d = inner; ; d = d.parent) {
    if (d === outer) return true;
    if (d.parent === d) return false;
  }
}

/**
 * Absolute name of a place as seen from `root` (fs/d_path.c): " (deleted)" behind a name that is gone,
 * "(unreachable)" before one outside the root.
 */
export function dPath(path: Path, root: Path): string {
  let { mnt, dentry } = path;
  if (dentry.parent === dentry && dentry.name !== "") return dentry.name; // pipe:[7], /memfd:x
  let out = "";
  let deleted = false;
  for (;;) {
    if (mnt === root.mnt && dentry === root.dentry) break;
    if (dentry === mnt.root) {
      if (!mnt.at) break;
      ({ mnt, dentry } = mnt.at);
      continue;
    }
    if (!dentry.linked) deleted = true;
    if (dentry.parent === dentry) break;
    out = `/${dentry.name}${out}`;
    dentry = dentry.parent;
  }
  const reached = (mnt === root.mnt && dentry === root.dentry) || !root.mnt.at;
  const name = `${reached ? "" : "(unreachable)"}${out || "/"}`;
  return deleted ? `${name} (deleted)` : name;
}
