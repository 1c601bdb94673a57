// The file system whose names and attributes live in memory: the root (image below, image_root.ts, writable blocks above) and
// tmpfs.
//
// Directory contents are the dentry tree, as in ramfs; readdir gives names in order of insertion (an image's are sorted).
// Copying up is by page: a page that was written lies in the upper layer's blocks, the others stay in the image, so an
// inode and its number never change. Numbers count up from the image's entries.
import { EFBIG, EISDIR, ELOOP, EMLINK, ENOSPC, ENXIO, ETXTBSY } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { AddressSpace } from "./address_space.ts";
import {
  MAX_FILE_BYTES,
  S_IALLUGO,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
} from "./const.ts";
import { deviceOps } from "./device.ts";
import { dirOps } from "./dir.ts";
import { fifoOps } from "./fifo.ts";
import type { FileOps } from "./file.ts";
import { Dentry, Inode, type Statfs, type SuperBlock, type Timespec } from "./inode.ts";
import { PAGE_SIZE, type PageCache } from "./page_cache.ts";
import { regularOps } from "./regular.ts";
import { currentTime } from "./times.ts";

const EXT4_SUPER_MAGIC = 0xef53;
const TMPFS_MAGIC = 0x01021994;
/** Size the root claims in statfs: 16 GiB in 4 KiB blocks, 1 Mi inodes. */
const ROOT_BLOCKS = 4_194_304;
const ROOT_INODES = 1_048_576;
const LINK_MAX = 65000;
/** Size of i_block: longer symbolic links take a block. */
const FAST_LINK_BYTES = 60;

export class MemSuper implements SuperBlock {
  readonly dev: number;
  readonly type: string;
  readonly root: Dentry;
  readonly xattrs = true;
  readonly cache: PageCache;
  /** Whether pages may go to the block store. */
  readonly stored: boolean;
  inodes = 0;
  private nextIno: number;

  constructor(dev: number, type: string, cache: PageCache, mode: number, firstIno: number) {
    this.dev = dev;
    this.type = type;
    this.cache = cache;
    this.stored = type === "ext4" || type === "hostfs";
    this.nextIno = firstIno;
    const inode = this.newInode(S_IFDIR | mode);
    inode.nlink = 2;
    inode.size = this.stored ? 4096 : 40;
    this.root = new Dentry("", null, inode);
  }

  /** Leaves the first `n` numbers behind the root's to the image. */
  reserve(n: number): void {
    this.nextIno += n;
  }

  newIno(): number {
    this.inodes++;
    return this.nextIno++;
  }

  /** An inode with the next number. */
  newInode(mode: number): MemInode {
    return new MemInode(this, this.newIno(), mode);
  }

  /** A directory inode that boot makes. */
  directory(mode: number, time: Timespec): MemInode {
    const inode = this.special(S_IFDIR | mode, 0, time);
    inode.nlink = 2;
    inode.size = this.stored ? 4096 : 40;
    return inode;
  }

  /** A device or other special file that boot makes. */
  special(mode: number, rdev: number, time: Timespec): MemInode {
    const inode = this.newInode(mode);
    inode.rdev = rdev;
    this.stamp(inode, time);
    return inode;
  }

  /** A symbolic link that boot makes. */
  link(mode: number, target: string, time: Timespec): MemInode {
    const inode = this.special(mode, 0, time);
    inode.target = target;
    inode.size = target.length;
    return inode;
  }

  dentry(name: string, dir: Dentry, inode: MemInode): Dentry {
    return new Dentry(name, dir, inode);
  }

  stamp(inode: MemInode, time: Timespec): void {
    inode.atime = inode.mtime = inode.ctime = time;
  }

  statfs(k: Kernel): Statfs {
    if (!this.stored) {
      const blocks = Math.floor(k.memory.ramBytes / 8192);
      return { type: TMPFS_MAGIC, blocks, bfree: blocks, bavail: blocks, files: blocks, ffree: blocks - this.inodes };
    }
    const used = Math.ceil(this.cache.store.upperBase / 4096) + this.cache.store.upper.used;
    const bfree = Math.max(0, ROOT_BLOCKS - used);
    const ffree = ROOT_INODES - this.inodes;
    return { type: EXT4_SUPER_MAGIC, blocks: ROOT_BLOCKS, bfree, bavail: bfree, files: ROOT_INODES, ffree };
  }
}

export class MemInode extends Inode {
  declare readonly sb: MemSuper;
  target = "";
  /** Where its contents lie in the root image. */
  private lowerOffset = 0;

  /** A regular file whose contents are in the root image, as many as its size says. */
  inImage(offset: number): void {
    this.lowerOffset = offset;
    this.spaceLater = true;
  }

  override blocks(): number {
    if (this.spaceLater) return Math.ceil(this.size / PAGE_SIZE) * 8;
    if (this.mapping) return this.mapping.blockCount * 8;
    // ext4 keeps a target of up to 59 bytes in the inode.
    if (this.isLink) return this.sb.stored && this.size >= FAST_LINK_BYTES ? 8 : 0;
    return this.isDir && this.sb.stored ? 8 : 0;
  }

  override readlink(): string {
    return this.target;
  }

  override fileOps(): FileOps | number {
    switch (this.mode & S_IFMT) {
      case S_IFREG:
        return regularOps;
      case S_IFDIR:
        return dirOps;
      case S_IFIFO:
        return fifoOps;
      case S_IFCHR:
      case S_IFBLK:
        return deviceOps(this.mode, this.rdev);
      case S_IFLNK:
        return -ELOOP;
      default:
        return -ENXIO;
    }
  }

  /** The page cache of a regular file. */
  override newMapping(): AddressSpace {
    if (!this.spaceLater) return new AddressSpace(this, this.sb.cache, this.sb.stored);
    return new AddressSpace(this, this.sb.cache, true, this.lowerOffset, this.size);
  }

  /** A new inode owned by the task, as inode_init_owner: a setgid directory gives its group on. */
  private make(mode: number, rdev: number, k: Kernel, t: Task): MemInode {
    const inode = this.sb.newInode(mode);
    inode.uid = t.creds.fsuid;
    inode.gid = t.creds.fsgid;
    if (this.mode & S_ISGID) {
      inode.gid = this.gid;
      if (inode.isDir) inode.mode |= S_ISGID;
    }
    inode.rdev = rdev;
    inode.atime = inode.mtime = inode.ctime = currentTime(k);
    if (inode.isRegular) inode.mapping = inode.newMapping();
    if (inode.isDir) {
      inode.nlink = 2;
      inode.size = this.sb.stored ? 4096 : 40;
    }
    return inode;
  }

  private touched(k: Kernel): void {
    this.mtime = this.ctime = currentTime(k);
    if (!this.sb.stored) this.size = 40 + 20 * this.dir!.children!.size;
  }

  override create(dir: Dentry, name: string, mode: number, rdev: number, k: Kernel, t: Task): Dentry | number {
    const isDir = (mode & S_IFMT) === S_IFDIR;
    if (isDir && this.nlink >= LINK_MAX) return -EMLINK;
    if (this.sb.inodes > ROOT_INODES) return -ENOSPC;
    const child = new Dentry(name, dir, this.make(mode, rdev, k, t));
    if (isDir) this.nlink++;
    dir.add(child);
    this.touched(k);
    return child;
  }

  override symlink(dir: Dentry, name: string, target: string, k: Kernel, t: Task): Dentry | number {
    if (this.sb.inodes > ROOT_INODES) return -ENOSPC;
    const inode = this.make(S_IFLNK | 0o777, 0, k, t);
    inode.target = target;
    inode.size = target.length;
    const child = new Dentry(name, dir, inode);
    dir.add(child);
    this.touched(k);
    return child;
  }

  override link(old: Inode, dir: Dentry, name: string, k: Kernel): number {
    if (old.nlink >= LINK_MAX) return -EMLINK;
    old.nlink++;
    old.ctime = currentTime(k);
    dir.add(new Dentry(name, dir, old));
    this.touched(k);
    return 0;
  }

  override unlink(victim: Dentry, k: Kernel): number {
    const inode = victim.inode;
    victim.parent.remove(victim);
    if (inode.isDir) {
      inode.nlink = 0;
      this.nlink--;
    } else inode.nlink--;
    inode.ctime = currentTime(k);
    this.touched(k);
    if (inode.nlink === 0 && inode.opens === 0) inode.evict(k);
    return 0;
  }

  override rename(
    from: Dentry,
    toDir: Dentry,
    name: string,
    replaced: Dentry | null,
    exchange: boolean,
    k: Kernel,
  ): number {
    const fromDir = from.parent;
    const to = toDir.inode as MemInode;
    if (exchange && replaced) {
      const oldName = from.name;
      fromDir.remove(from);
      toDir.remove(replaced);
      from.name = name;
      replaced.name = oldName;
      toDir.add(from);
      fromDir.add(replaced);
      const moved = Number(from.inode.isDir) - Number(replaced.inode.isDir);
      if (fromDir !== toDir) {
        this.nlink -= moved;
        to.nlink += moved;
      }
      replaced.inode.ctime = currentTime(k);
    } else {
      if (replaced) to.unlink(replaced, k);
      fromDir.remove(from);
      from.name = name;
      toDir.add(from);
      if (from.inode.isDir && fromDir !== toDir) {
        this.nlink--;
        to.nlink++;
      }
    }
    from.inode.ctime = currentTime(k);
    this.touched(k);
    to.touched(k);
    return 0;
  }

  override tmpfile(mode: number, k: Kernel, t: Task): Inode {
    const inode = this.make(S_IFREG | (mode & S_IALLUGO), 0, k, t);
    inode.nlink = 0;
    return inode;
  }

  override truncate(size: number, k: Kernel): number {
    if (this.isDir) return -EISDIR;
    if (size > MAX_FILE_BYTES) return -EFBIG;
    if (this.denyWrite > 0) return -ETXTBSY;
    const mapping = this.mapping!;
    if (size < this.size) mapping.truncate(size);
    else if (size > this.size) mapping.extend(this.size);
    this.size = size;
    this.mtime = this.ctime = currentTime(k);
    return 0;
  }

  override evict(): void {
    this.sb.inodes--;
    this.mapping?.truncate(0);
  }
}
