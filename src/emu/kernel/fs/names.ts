// Making, removing and renaming names: mkdir, rmdir, unlink, link, symlink, rename, mknod, readlink (fs/namei.c).
import { EBUSY, EEXIST, EINVAL, EISDIR, EMLINK, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EXDEV } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyOut, readString } from "../user.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
} from "./const.ts";
import { type Dentry, type Inode, isSubdir } from "./inode.ts";
import {
  CAP,
  capable,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  lookupLast,
  mayCreate,
  mayDelete,
  mountWritable,
  ownerOrCapable,
  permission,
  type Walk,
} from "./namei.ts";
import { pathAt, userPathAt } from "./open.ts";

/** A place for a new name: its directory may be written and the name is free. `dir`: a trailing slash is allowed. */
function newName(k: Kernel, t: Task, dfd: number, path: string, dir: boolean): Walk | number {
  const w = pathAt(k, t, dfd, path, LOOKUP_PARENT);
  if (typeof w === "number") return w;
  if (w.last === "" || w.last === "." || w.last === "..") return -EEXIST;
  if (!w.dentry.inode.isDir) return -ENOTDIR;
  if (lookupLast(k, t, w)) return -EEXIST;
  if (w.trailing && !dir) return -ENOENT;
  const denied = mayCreate(w, t.creds);
  return denied < 0 ? denied : w;
}

function make(k: Kernel, t: Task, dfd: number, path: number, mode: number, rdev: number): number {
  const w = newName(k, t, dfd, readString(k, t, path, 4096), (mode & S_IFMT) === S_IFDIR);
  if (typeof w === "number") return w;
  const made = w.dentry.inode.create(w.dentry, w.last, mode & ~t.fs!.umask, rdev, k, t);
  if (typeof made === "number") return made;
  k.vfs.notify.created(w.dentry, w.last);
  return 0;
}

export function sys_mkdirat(k: Kernel, t: Task, dfd: number, path: number, mode: number): SysResult {
  return make(k, t, dfd, path, S_IFDIR | (mode & (0o777 | S_ISVTX)), 0);
}
export function sys_mkdir(k: Kernel, t: Task, path: number, mode: number): SysResult {
  return sys_mkdirat(k, t, AT_FDCWD, path, mode);
}

/** mknodat(dfd, path, mode, dev): no type means a regular file. */
export function sys_mknodat(k: Kernel, t: Task, dfd: number, path: number, mode: number, dev: number): SysResult {
  let type = mode & S_IFMT;
  if (type === 0) type = S_IFREG;
  if (type === S_IFDIR) return -EPERM;
  if (type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK && type !== S_IFCHR && type !== S_IFBLK) return -EINVAL;
  const device = type === S_IFCHR || type === S_IFBLK;
  if (device && !capable(t.creds, CAP.MKNOD)) return -EPERM;
  return make(k, t, dfd, path, type | (mode & 0o7777), device ? dev >>> 0 : 0);
}
export function sys_mknod(k: Kernel, t: Task, path: number, mode: number, dev: number): SysResult {
  return sys_mknodat(k, t, AT_FDCWD, path, mode, dev);
}

/** symlinkat(target, dfd, path). */
export function sys_symlinkat(k: Kernel, t: Task, target: number, dfd: number, path: number): SysResult {
  const text = readString(k, t, target, 4096);
  if (text === "") return -ENOENT;
  const w = newName(k, t, dfd, readString(k, t, path, 4096), false);
  if (typeof w === "number") return w;
  const made = w.dentry.inode.symlink(w.dentry, w.last, text, k, t);
  if (typeof made === "number") return made;
  k.vfs.notify.created(w.dentry, w.last);
  return 0;
}
export function sys_symlink(k: Kernel, t: Task, target: number, path: number): SysResult {
  return sys_symlinkat(k, t, target, AT_FDCWD, path);
}

/** linkat(dfd, path, new dfd, new path, flags). */
export function sys_linkat(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  newDfd: number,
  newPath: number,
  flags: number,
): SysResult {
  if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  const follow = flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0;
  const old = userPathAt(k, t, dfd, path, follow | (flags & AT_EMPTY_PATH));
  if (typeof old === "number") return old;
  const w = newName(k, t, newDfd, readString(k, t, newPath, 4096), false);
  if (typeof w === "number") return w;
  const inode = old.dentry.inode;
  if (old.mnt.root.inode.sb !== w.mnt.root.inode.sb || old.mnt !== w.mnt) return -EXDEV;
  const allowed = mayLink(inode, t);
  if (allowed < 0) return allowed;
  if (inode.isDir) return -EPERM;
  if (inode.nlink === 0 && !(flags & (AT_EMPTY_PATH | AT_SYMLINK_FOLLOW))) return -ENOENT;
  const r = w.dentry.inode.link(inode, w.dentry, w.last, k);
  if (r === 0) k.vfs.notify.linked(inode, w.dentry, w.last);
  return r;
}

/** protected_hardlinks = 1, as Debian sets it: only the owner may link what others could misuse. */
function mayLink(inode: Inode, t: Task): number {
  if (ownerOrCapable(inode, t.creds)) return 0;
  const unsafe =
    !inode.isRegular || (inode.mode & S_ISUID) !== 0 || (inode.mode & (S_ISGID | 0o10)) === (S_ISGID | 0o10);
  return unsafe || permission(inode, 6, t.creds) < 0 ? -EPERM : 0;
}

export function sys_link(k: Kernel, t: Task, path: number, newPath: number): SysResult {
  return sys_linkat(k, t, AT_FDCWD, path, AT_FDCWD, newPath, 0);
}

function remove(k: Kernel, dir: Dentry, victim: Dentry): number {
  const r = dir.inode.unlink(victim, k);
  if (r === 0) k.vfs.notify.deleted(dir, victim);
  return r;
}

function unlinkAt(k: Kernel, t: Task, dfd: number, path: number): number {
  const w = userPathAt(k, t, dfd, path, LOOKUP_PARENT);
  if (typeof w === "number") return w;
  if (w.last === "" || w.last === "." || w.last === "..") return -EISDIR;
  const victim = w.dentry.inode.isDir ? lookupLast(k, t, w) : null;
  if (!victim) return w.dentry.inode.isDir ? -ENOENT : -ENOTDIR;
  if (w.trailing) return victim.inode.isDir ? -EISDIR : -ENOTDIR;
  const ro = mountWritable(w.mnt);
  if (ro < 0) return ro;
  const denied = mayDelete(w.dentry.inode, victim.inode, t.creds);
  if (denied < 0) return denied;
  if (victim.inode.isDir) return -EISDIR;
  if (victim.mounted > 0) return -EBUSY;
  return remove(k, w.dentry, victim);
}

function rmdirAt(k: Kernel, t: Task, dfd: number, path: number): number {
  const w = userPathAt(k, t, dfd, path, LOOKUP_PARENT);
  if (typeof w === "number") return w;
  if (w.last === "..") return -ENOTEMPTY;
  if (w.last === ".") return -EINVAL;
  if (w.last === "") return -EBUSY;
  const victim = w.dentry.inode.isDir ? lookupLast(k, t, w) : null;
  if (!victim) return w.dentry.inode.isDir ? -ENOENT : -ENOTDIR;
  const ro = mountWritable(w.mnt);
  if (ro < 0) return ro;
  const denied = mayDelete(w.dentry.inode, victim.inode, t.creds);
  if (denied < 0) return denied;
  if (!victim.inode.isDir) return -ENOTDIR;
  if (victim.mounted > 0) return -EBUSY;
  victim.inode.fill(victim, k, t);
  if (victim.children!.size > 0) return -ENOTEMPTY;
  return remove(k, w.dentry, victim);
}

/** unlinkat(dfd, path, flags). */
export function sys_unlinkat(k: Kernel, t: Task, dfd: number, path: number, flags: number): SysResult {
  if (flags & ~AT_REMOVEDIR) return -EINVAL;
  return flags & AT_REMOVEDIR ? rmdirAt(k, t, dfd, path) : unlinkAt(k, t, dfd, path);
}
export function sys_unlink(k: Kernel, t: Task, path: number): SysResult {
  return unlinkAt(k, t, AT_FDCWD, path);
}
export function sys_rmdir(k: Kernel, t: Task, path: number): SysResult {
  return rmdirAt(k, t, AT_FDCWD, path);
}

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;

function parent(k: Kernel, t: Task, dfd: number, path: number): Walk | number {
  const w = userPathAt(k, t, dfd, path, LOOKUP_PARENT);
  if (typeof w === "number") return w;
  if (w.last === "" || w.last === "." || w.last === "..") return -EBUSY;
  return w.dentry.inode.isDir ? w : -ENOTDIR;
}

/** renameat2(dfd, path, new dfd, new path, flags). */
export function sys_renameat2(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  newDfd: number,
  newPath: number,
  flags: number,
): SysResult {
  if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags === 3) return -EINVAL;
  const from = parent(k, t, dfd, path);
  if (typeof from === "number") return from;
  const to = parent(k, t, newDfd, newPath);
  if (typeof to === "number") return to;
  if (from.mnt !== to.mnt) return -EXDEV;
  const ro = mountWritable(from.mnt);
  if (ro < 0) return ro;
  const old = lookupLast(k, t, from);
  if (!old) return -ENOENT;
  const replaced = lookupLast(k, t, to);
  if (replaced && flags & RENAME_NOREPLACE) return -EEXIST;
  if (!replaced && flags & RENAME_EXCHANGE) return -ENOENT;
  return rename(k, t, from, to, old, replaced, flags);
}

function rename(k: Kernel, t: Task, from: Walk, to: Walk, old: Dentry, replaced: Dentry | null, flags: number): number {
  const exchange = (flags & RENAME_EXCHANGE) !== 0;
  const isDir = old.inode.isDir;
  if (!isDir && (from.trailing || (!exchange && to.trailing))) return -ENOTDIR;
  if (exchange && to.trailing && !replaced!.inode.isDir) return -ENOTDIR;
  // A directory cannot go below itself, nor replace one it lies in.
  if (isDir && isSubdir(to.dentry, old)) return -EINVAL;
  if (replaced?.inode.isDir && isSubdir(from.dentry, replaced)) return exchange ? -EINVAL : -ENOTEMPTY;
  if (replaced && replaced.inode === old.inode && !exchange) return 0;
  const fromDir = from.dentry.inode;
  const toDir = to.dentry.inode;
  let denied = mayDelete(fromDir, old.inode, t.creds);
  if (denied < 0) return denied;
  denied = replaced ? mayDelete(toDir, replaced.inode, t.creds) : mayCreate(to, t.creds);
  if (denied < 0) return denied;
  if (replaced && !exchange) {
    if (isDir && !replaced.inode.isDir) return -ENOTDIR;
    if (!isDir && replaced.inode.isDir) return -EISDIR;
  }
  // A directory that gets another parent has its ".." written.
  if (isDir && fromDir !== toDir) {
    denied = permission(old.inode, 2, t.creds);
    if (denied < 0) return denied;
  }
  if (old.mounted > 0 || (replaced && replaced.mounted > 0)) return -EBUSY;
  if (replaced?.inode.isDir && !exchange) {
    replaced.inode.fill(replaced, k, t);
    if (replaced.children!.size > 0) return -ENOTEMPTY;
  }
  if (isDir && fromDir !== toDir && !replaced && toDir.nlink >= 65000) return -EMLINK;
  const r = fromDir.rename(old, to.dentry, to.last, replaced, exchange, k);
  if (r !== 0) return r;
  k.vfs.notify.moved(from.dentry, from.last, to.dentry, to.last, old, exchange ? null : replaced);
  if (exchange && replaced) k.vfs.notify.moved(to.dentry, to.last, from.dentry, from.last, replaced, null);
  return 0;
}

export function sys_renameat(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  newDfd: number,
  newPath: number,
): SysResult {
  return sys_renameat2(k, t, dfd, path, newDfd, newPath, 0);
}
export function sys_rename(k: Kernel, t: Task, path: number, newPath: number): SysResult {
  return sys_renameat2(k, t, AT_FDCWD, path, AT_FDCWD, newPath, 0);
}

/** readlinkat(dfd, path, buffer, size): not terminated; cut to size. */
export function sys_readlinkat(k: Kernel, t: Task, dfd: number, path: number, addr: number, size: number): SysResult {
  if (size <= 0) return -EINVAL;
  const name = readString(k, t, path, 4096);
  const w = pathAt(k, t, dfd, name, name === "" ? AT_EMPTY_PATH : 0);
  if (typeof w === "number") return w;
  const inode = w.dentry.inode;
  if (!inode.isLink) return name === "" ? -ENOENT : -EINVAL;
  const text = inode.readlink(k, t);
  if (typeof text === "number") return text;
  const bytes = bytesOf(text.length > size ? text.slice(0, size) : text);
  copyOut(k, t, addr, bytes);
  if (k.recorder.enabled) k.recorder.set(t.seq, { bytes: bytes.length });
  return bytes.length;
}
export function sys_readlink(k: Kernel, t: Task, path: number, addr: number, size: number): SysResult {
  return sys_readlinkat(k, t, AT_FDCWD, path, addr, size);
}
