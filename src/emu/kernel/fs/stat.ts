// stat and its kin in every i386 layout (fs/stat.c, arch/x86/include/uapi/asm/stat.h, uapi/linux/stat.h).
import { EBADF, EINVAL, ENOENT, EOVERFLOW } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyOut, readString, userHostAddress } from "../user.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
  major,
  minor,
} from "./const.ts";
import type { Inode, Mount } from "./inode.ts";
import { LOOKUP_FOLLOW } from "./namei.ts";
import { pathAt } from "./open.ts";
import { objectOf } from "./trace.ts";

const BLOCK = 4096;

/** Runs `put` on the bytes of a structure at a user address. */
function emit(k: Kernel, t: Task, addr: number, size: number, put: (v: DataView, at: number) => void): number {
  const la = addr >>> 0;
  if ((la & 4095) + size <= 4096) {
    put(k.memory.view, userHostAddress(k, t, la, true));
    return 0;
  }
  const bytes = new Uint8Array(size);
  put(new DataView(bytes.buffer), 0);
  copyOut(k, t, la, bytes);
  return 0;
}

function setU64(v: DataView, at: number, value: number): void {
  v.setUint32(at, value >>> 0, true);
  v.setUint32(at + 4, Math.floor(value / 0x1_0000_0000) >>> 0, true);
}

/** struct stat64, 96 bytes. */
function stat64(k: Kernel, t: Task, inode: Inode, addr: number): number {
  inode.refresh(k);
  return emit(k, t, addr, 96, (v, at) => {
    const i = inode;
    setU64(v, at, i.sb.dev);
    v.setUint32(at + 8, 0, true);
    v.setUint32(at + 12, i.ino, true);
    v.setUint32(at + 16, i.mode, true);
    v.setUint32(at + 20, i.nlink, true);
    v.setUint32(at + 24, i.uid, true);
    v.setUint32(at + 28, i.gid, true);
    setU64(v, at + 32, i.rdev);
    v.setUint32(at + 40, 0, true);
    setU64(v, at + 44, i.size);
    v.setUint32(at + 52, BLOCK, true);
    setU64(v, at + 56, i.blocks());
    v.setUint32(at + 64, i.atime.sec, true);
    v.setUint32(at + 68, i.atime.nsec, true);
    v.setUint32(at + 72, i.mtime.sec, true);
    v.setUint32(at + 76, i.mtime.nsec, true);
    v.setUint32(at + 80, i.ctime.sec, true);
    v.setUint32(at + 84, i.ctime.nsec, true);
    setU64(v, at + 88, i.ino);
  });
}

/** struct stat, 64 bytes: EOVERFLOW for what does not fit. */
function stat32(k: Kernel, t: Task, inode: Inode, addr: number): number {
  inode.refresh(k);
  const i = inode;
  if (i.size > 0x7fff_ffff || i.nlink > 0xffff || i.ino > 0xffff_ffff) return -EOVERFLOW;
  return emit(k, t, addr, 64, (v, at) => {
    v.setUint32(at, i.sb.dev, true);
    v.setUint32(at + 4, i.ino, true);
    v.setUint16(at + 8, i.mode, true);
    v.setUint16(at + 10, i.nlink, true);
    v.setUint16(at + 12, low16(i.uid), true);
    v.setUint16(at + 14, low16(i.gid), true);
    v.setUint32(at + 16, i.rdev, true);
    v.setUint32(at + 20, i.size, true);
    v.setUint32(at + 24, BLOCK, true);
    v.setUint32(at + 28, i.blocks(), true);
    v.setUint32(at + 32, i.atime.sec, true);
    v.setUint32(at + 36, i.atime.nsec, true);
    v.setUint32(at + 40, i.mtime.sec, true);
    v.setUint32(at + 44, i.mtime.nsec, true);
    v.setUint32(at + 48, i.ctime.sec, true);
    v.setUint32(at + 52, i.ctime.nsec, true);
    v.setUint32(at + 56, 0, true);
    v.setUint32(at + 60, 0, true);
  });
}

/** struct __old_kernel_stat, 32 bytes. */
function oldStat(k: Kernel, t: Task, inode: Inode, addr: number): number {
  inode.refresh(k);
  const i = inode;
  if (i.size > 0x7fff_ffff || i.nlink > 0xffff) return -EOVERFLOW;
  return emit(k, t, addr, 32, (v, at) => {
    v.setUint16(at, i.sb.dev & 0xffff, true);
    v.setUint16(at + 2, i.ino & 0xffff, true);
    v.setUint16(at + 4, i.mode, true);
    v.setUint16(at + 6, i.nlink, true);
    v.setUint16(at + 8, low16(i.uid), true);
    v.setUint16(at + 10, low16(i.gid), true);
    v.setUint16(at + 12, i.rdev & 0xffff, true);
    v.setUint16(at + 14, 0, true);
    v.setUint32(at + 16, i.size, true);
    v.setUint32(at + 20, i.atime.sec, true);
    v.setUint32(at + 24, i.mtime.sec, true);
    v.setUint32(at + 28, i.ctime.sec, true);
  });
}

/** Ids that do not fit 16 bits read as the overflow id. */
function low16(id: number): number {
  return id > 0xffff ? 65534 : id;
}

type Layout = (k: Kernel, t: Task, inode: Inode, addr: number) => number;

function byPath(k: Kernel, t: Task, dfd: number, path: number, flags: number, addr: number, layout: Layout): number {
  const w = pathAt(k, t, dfd, readString(k, t, path, 4096), flags);
  return typeof w === "number" ? w : layout(k, t, w.dentry.inode, addr);
}

function byFd(k: Kernel, t: Task, fd: number, addr: number, layout: Layout): number {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
  return layout(k, t, file.inode, addr);
}

export function sys_stat64(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, LOOKUP_FOLLOW, addr, stat64);
}
export function sys_lstat64(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, 0, addr, stat64);
}
export function sys_fstat64(k: Kernel, t: Task, fd: number, addr: number): SysResult {
  return byFd(k, t, fd, addr, stat64);
}
/** fstatat64(dfd, path, stat, flags). */
export function sys_fstatat64(k: Kernel, t: Task, dfd: number, path: number, addr: number, flags: number): SysResult {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) return -EINVAL;
  return byPath(k, t, dfd, path, lookupFlags(flags), addr, stat64);
}
export function sys_stat(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, LOOKUP_FOLLOW, addr, stat32);
}
export function sys_lstat(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, 0, addr, stat32);
}
export function sys_fstat(k: Kernel, t: Task, fd: number, addr: number): SysResult {
  return byFd(k, t, fd, addr, stat32);
}
export function sys_oldstat(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, LOOKUP_FOLLOW, addr, oldStat);
}
export function sys_oldlstat(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, AT_FDCWD, path, 0, addr, oldStat);
}
export function sys_oldfstat(k: Kernel, t: Task, fd: number, addr: number): SysResult {
  return byFd(k, t, fd, addr, oldStat);
}

function lookupFlags(flags: number): number {
  return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH);
}

/** STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID: what is always filled in. */
const STATX_MASK = 0x7ff | 0x1000;
const STATX_BTIME = 0x800;
const STATX_ATTR_MOUNT_ROOT = 0x2000;

/** struct statx, 256 bytes; birth time is the change time of boot's image and not told for others. */
function statx(k: Kernel, t: Task, inode: Inode, mnt: Mount, mountRoot: boolean, addr: number): number {
  inode.refresh(k);
  return emit(k, t, addr, 256, (v, at) => {
    const i = inode;
    v.setUint32(at, STATX_MASK & ~STATX_BTIME, true);
    v.setUint32(at + 4, BLOCK, true);
    setU64(v, at + 8, mountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
    v.setUint32(at + 16, i.nlink, true);
    v.setUint32(at + 20, i.uid, true);
    v.setUint32(at + 24, i.gid, true);
    v.setUint32(at + 28, i.mode & 0xffff, true);
    setU64(v, at + 32, i.ino);
    setU64(v, at + 40, i.size);
    setU64(v, at + 48, i.blocks());
    setU64(v, at + 56, STATX_ATTR_MOUNT_ROOT);
    putTime(v, at + 64, i.atime);
    putTime(v, at + 80, { sec: 0, nsec: 0 });
    putTime(v, at + 96, i.ctime);
    putTime(v, at + 112, i.mtime);
    v.setUint32(at + 128, major(i.rdev), true);
    v.setUint32(at + 132, minor(i.rdev), true);
    v.setUint32(at + 136, major(i.sb.dev), true);
    v.setUint32(at + 140, minor(i.sb.dev), true);
    setU64(v, at + 144, mnt.id);
    for (let n = 152; n < 256; n += 4) v.setUint32(at + n, 0, true);
  });
}

function putTime(v: DataView, at: number, time: { sec: number; nsec: number }): void {
  setU64(v, at, time.sec);
  v.setUint32(at + 8, time.nsec, true);
  v.setUint32(at + 12, 0, true);
}

/** statx(dfd, path, flags, mask, statx). */
export function sys_statx(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  flags: number,
  mask: number,
  addr: number,
): SysResult {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) return -EINVAL;
  if (mask < 0 || (flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  const name = readString(k, t, path, 4096);
  if (name === "" && !(flags & AT_EMPTY_PATH)) return -ENOENT;
  const w = pathAt(k, t, dfd, name, lookupFlags(flags));
  if (typeof w === "number") return w;
  return statx(k, t, w.dentry.inode, w.mnt, w.dentry === w.mnt.root, addr);
}
