// Host directories in the guest's tree (`--bind`), through an interface that cannot leave the directory.
import { EINVAL, EIO, EPERM } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { AddressSpace } from "./address_space.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "./const.ts";
import type { FileOps } from "./file.ts";
import { Dentry, type Statfs, type Timespec } from "./inode.ts";
import { MemInode, MemSuper } from "./memfs.ts";
import type { PageCache } from "./page_cache.ts";
import { regularOps } from "./regular.ts";

/** What the host says of a file. */
export interface HostStat {
  /** Type and permissions; only directories, regular files and symbolic links are shown to the guest. */
  mode: number;
  size: number;
  nlink: number;
  mtime: Timespec;
  /** Names the same file on the host, for hard links. */
  identity: string;
}

/**
 * A host directory. Paths are arrays of names below it, never "." or ".."; links are never followed: each call looks
 * at the names one by one and refuses (-EACCES) any but the last that is a link. Errors are -errno.
 */
export interface HostDir {
  list(path: readonly string[]): string[] | number;
  stat(path: readonly string[]): HostStat | number;
  readlink(path: readonly string[]): string | number;
  read(path: readonly string[], offset: number, length: number): Uint8Array | number;
  write(path: readonly string[], offset: number, bytes: Uint8Array): number;
  truncate(path: readonly string[], size: number): number;
  create(path: readonly string[], mode: number): number;
  mkdir(path: readonly string[], mode: number): number;
  symlink(path: readonly string[], target: string): number;
  link(from: readonly string[], to: readonly string[]): number;
  remove(path: readonly string[], directory: boolean): number;
  rename(from: readonly string[], to: readonly string[]): number;
  chmod(path: readonly string[], mode: number): number;
  utimes(path: readonly string[], atime: Timespec, mtime: Timespec): number;
}

const HOSTFS_MAGIC = 0x00c0ffee;

/** Attributes that the guest gives a host file stay in the guest, except mode and times; all files are root's. */
export class HostSuper extends MemSuper {
  readonly host: HostDir;
  /** Files by the host's identity: names of one file share an inode. */
  readonly known = new Map<string, HostInode>();
  private readonly opened = new Set<HostInode>();

  constructor(dev: number, host: HostDir, cache: PageCache) {
    super(dev, "hostfs", cache, 0o755, 1);
    this.host = host;
    const s = host.stat([]);
    if (typeof s !== "number") (this.root.inode as HostInode).take(s);
  }

  override newInode(mode: number): HostInode {
    return new HostInode(this, this.newIno(), mode);
  }

  /** Files with pages that the host has not seen. */
  wrote(inode: HostInode): void {
    this.opened.add(inode);
  }

  /** Writes everything to the host. */
  flush(): void {
    for (const inode of this.opened) inode.flush();
    this.opened.clear();
  }

  override statfs(_k: Kernel): Statfs {
    return { type: HOSTFS_MAGIC, blocks: 1 << 20, bfree: 1 << 19, bavail: 1 << 19, files: 1 << 20, ffree: 1 << 19 };
  }
}

/** Names of a dentry below its host directory. */
function pathOf(dentry: Dentry): string[] {
  const names: string[] = [];
  for (let d = dentry; d.parent !== d; d = d.parent) names.push(d.name);
  return names.reverse();
}

/** Regular files write to the host when the last descriptor closes, at fsync, and at the end of the run. */
const hostFileOps: FileOps = {
  ...regularOps,
  write: (k, t, file, iter, pos) => {
    (file.inode.sb as HostSuper).wrote(file.inode as HostInode);
    return regularOps.write!(k, t, file, iter, pos);
  },
  release: (_k, file) => (file.inode as HostInode).flush(),
};

export class HostInode extends MemInode {
  declare readonly sb: HostSuper;
  /** A linked dentry that leads here names the file on the host. */
  private readonly names = new Set<Dentry>();

  /** Attributes from the host. */
  take(s: HostStat): void {
    this.mode = s.mode;
    this.nlink = s.nlink;
    this.size = this.isDir ? 4096 : s.size;
    this.mtime = this.ctime = this.atime = s.mtime;
  }

  private path(): string[] | null {
    for (const d of this.names) if (d.linked) return pathOf(d);
    return null;
  }

  override fileOps(): FileOps | number {
    return this.isRegular ? hostFileOps : super.fileOps();
  }

  override newMapping(bytes = 0): AddressSpace {
    const backing = {
      read: (offset: number, length: number) => {
        const path = this.path();
        const got = path ? this.sb.host.read(path, offset, length) : -EIO;
        return typeof got === "number" ? new Uint8Array(0) : got;
      },
      write: (offset: number, data: Uint8Array) => {
        const path = this.path();
        if (path) this.sb.host.write(path, offset, data);
      },
    };
    return new AddressSpace(this, this.sb.cache, true, 0, bytes, backing);
  }

  /** Writes what the host has not seen. */
  flush(): void {
    this.mapping?.flush();
  }

  override lookup(dir: Dentry, name: string): Dentry | null {
    const known = dir.children!.get(name);
    if (known) return known;
    const s = this.sb.host.stat([...pathOf(dir), name]);
    return typeof s === "number" ? null : this.enter(dir, name, s);
  }

  private enter(dir: Dentry, name: string, s: HostStat): Dentry | null {
    const type = s.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR && type !== S_IFLNK) return null;
    let inode = type === S_IFDIR ? undefined : this.sb.known.get(s.identity);
    if (!inode) {
      inode = this.sb.newInode(s.mode);
      inode.take(s);
      if (inode.isRegular) inode.mapping = inode.newMapping(s.size);
      if (inode.isDir) inode.nlink = 2;
      else this.sb.known.set(s.identity, inode);
    }
    const dentry = new Dentry(name, dir, inode);
    inode.names.add(dentry);
    if (inode.isLink) {
      const target = this.sb.host.readlink(pathOf(dentry));
      inode.target = typeof target === "number" ? "" : target;
    }
    dir.add(dentry);
    return dentry;
  }

  override fill(dir: Dentry): void {
    const names = this.sb.host.list(pathOf(dir));
    if (typeof names === "number") return;
    for (const name of names.sort()) this.lookup(dir, name);
  }

  override create(dir: Dentry, name: string, mode: number, rdev: number, k: Kernel, t: Task): Dentry | number {
    const path = [...pathOf(dir), name];
    const type = mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR) return -EPERM;
    const r = type === S_IFDIR ? this.sb.host.mkdir(path, mode & 0o777) : this.sb.host.create(path, mode & 0o777);
    return r < 0 ? r : this.named(super.create(dir, name, mode, rdev, k, t));
  }

  private named(made: Dentry | number): Dentry | number {
    if (typeof made !== "number") (made.inode as HostInode).names.add(made);
    return made;
  }

  override symlink(dir: Dentry, name: string, target: string, k: Kernel, t: Task): Dentry | number {
    const r = this.sb.host.symlink([...pathOf(dir), name], target);
    return r < 0 ? r : this.named(super.symlink(dir, name, target, k, t));
  }

  override link(old: HostInode, dir: Dentry, name: string, k: Kernel): number {
    const from = old.path();
    if (!from) return -EPERM;
    const r = this.sb.host.link(from, [...pathOf(dir), name]);
    if (r < 0) return r;
    const done = super.link(old, dir, name, k);
    old.names.add(dir.children!.get(name)!);
    return done;
  }

  override unlink(victim: Dentry, k: Kernel): number {
    // A file that stays open keeps the pages that are cached; the rest is gone with its last name.
    const r = this.sb.host.remove(pathOf(victim), victim.inode.isDir);
    return r < 0 ? r : super.unlink(victim, k);
  }

  override rename(
    from: Dentry,
    toDir: Dentry,
    name: string,
    replaced: Dentry | null,
    exchange: boolean,
    k: Kernel,
  ): number {
    if (exchange) return -EINVAL;
    const r = this.sb.host.rename(pathOf(from), [...pathOf(toDir), name]);
    if (r < 0) return r;
    // The host has replaced the old one already: only the guest's name goes.
    if (replaced) MemInode.prototype.unlink.call(toDir.inode, replaced, k);
    return super.rename(from, toDir, name, null, false, k);
  }

  override truncate(size: number, k: Kernel): number {
    const path = this.path();
    if (path) {
      const r = this.sb.host.truncate(path, size);
      if (r < 0) return r;
    }
    return super.truncate(size, k);
  }

  override changed(what: "mode" | "owner" | "times", _k: Kernel): number {
    const path = this.path();
    if (!path || what === "owner") return 0;
    if (what === "mode") return this.isLink ? 0 : this.sb.host.chmod(path, this.mode & 0o777);
    this.flush();
    return this.sb.host.utimes(path, this.atime, this.mtime);
  }
}
