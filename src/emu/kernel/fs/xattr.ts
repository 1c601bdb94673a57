// Extended attributes: stored by name; POSIX ACLs only as far as they say what the mode says (fs/xattr.c, fs/posix_acl.c).
import { E2BIG, EBADF, EEXIST, EINVAL, ENODATA, ENOSPC, EOPNOTSUPP, EPERM, ERANGE } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyIn, copyOut, readString } from "../user.ts";
import { AT_FDCWD, MAY_READ, MAY_WRITE } from "./const.ts";
import type { Dentry, Inode, Mount } from "./inode.ts";
import { CAP, capable, LOOKUP_FOLLOW, mountWritable, ownerOrCapable, permission } from "./namei.ts";
import { IN_ATTRIB } from "./notify.ts";
import { userPathAt } from "./open.ts";
import { currentTime } from "./times.ts";
import { objectOf } from "./trace.ts";

const NAME_MAX = 255;
const SIZE_MAX = 65536;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const ACL_ACCESS = "system.posix_acl_access";
const ACL_DEFAULT = "system.posix_acl_default";
/** Most bytes of attributes that one file may have: an ext4 block, less its header. */
const STORE_MAX = 4040;

/** What a call works on. */
interface Target {
  inode: Inode;
  mnt: Mount;
  dentry: Dentry;
}

function byPath(k: Kernel, t: Task, path: number, follow: boolean): Target | number {
  const w = userPathAt(k, t, AT_FDCWD, path, follow ? LOOKUP_FOLLOW : 0);
  return typeof w === "number" ? w : { inode: w.dentry.inode, mnt: w.mnt, dentry: w.dentry };
}

function byFd(k: Kernel, t: Task, fd: number): Target | number {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
  return { inode: file.inode, ...file.path };
}

/** 0 or -errno: may the task read or write attributes of this name space (xattr_permission)? */
function allowed(t: Task, target: Target, name: string, write: boolean): number {
  const { inode, mnt } = target;
  if (write) {
    const ro = mountWritable(mnt);
    if (ro < 0) return ro;
  }
  if (name.startsWith("security.") || name === ACL_ACCESS || name === ACL_DEFAULT) {
    return write && !ownerOrCapable(inode, t.creds) ? -EPERM : 0;
  }
  if (name.startsWith("trusted.")) return capable(t.creds, CAP.SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
  if (!name.startsWith("user.")) return -EOPNOTSUPP;
  if (!inode.isRegular && !inode.isDir) return write ? -EPERM : -ENODATA;
  return permission(inode, write ? MAY_WRITE : MAY_READ, t.creds);
}

function nameAt(k: Kernel, t: Task, addr: number): string | number {
  const name = readString(k, t, addr, NAME_MAX + 1, ERANGE);
  if (name === "" || name.length > NAME_MAX) return -ERANGE;
  const dot = name.indexOf(".");
  return dot >= 0 && dot === name.length - 1 ? -EINVAL : name;
}

function get(k: Kernel, t: Task, target: Target | number, nameAddr: number, addr: number, size: number): number {
  if (typeof target === "number") return target;
  const name = nameAt(k, t, nameAddr);
  if (typeof name === "number") return name;
  if (!target.inode.sb.xattrs) return -EOPNOTSUPP;
  const r = allowed(t, target, name, false);
  if (r < 0) return r;
  const value = target.inode.xattrs?.get(name);
  if (!value) return -ENODATA;
  if (size === 0) return value.length;
  if (value.length > size >>> 0) return -ERANGE;
  copyOut(k, t, addr, value);
  return value.length;
}

/** Permission bits of an ACL with only the three base entries; -1: it says more than a mode can; -EINVAL: damaged. */
function modeOfAcl(value: Uint8Array): number {
  if (value.length < 4 || (value.length - 4) % 8 !== 0) return -EINVAL;
  const v = new DataView(value.buffer, value.byteOffset, value.length);
  if (v.getUint32(0, true) !== 2) return -EOPNOTSUPP;
  let mode = 0;
  for (let at = 4; at < value.length; at += 8) {
    const tag = v.getUint16(at, true);
    const perm = v.getUint16(at + 2, true) & 7;
    if (tag === 1) mode |= perm << 6;
    else if (tag === 4) mode |= perm << 3;
    else if (tag === 0x20) mode |= perm;
    else return -EPERM;
  }
  return mode;
}

function set(
  k: Kernel,
  t: Task,
  target: Target | number,
  nameAddr: number,
  addr: number,
  size: number,
  flags: number,
): number {
  if (typeof target === "number") return target;
  if (flags & ~3) return -EINVAL;
  const name = nameAt(k, t, nameAddr);
  if (typeof name === "number") return name;
  if (size >>> 0 > SIZE_MAX) return -E2BIG;
  const value = copyIn(k, t, addr, size);
  const { inode } = target;
  if (!inode.sb.xattrs) return -EOPNOTSUPP;
  const r = allowed(t, target, name, true);
  if (r < 0) return r;
  if (name === ACL_ACCESS || name === ACL_DEFAULT) {
    const mode = modeOfAcl(value);
    // Entries for named users and groups are not kept: a file system without ACLs.
    if (mode < 0) return mode === -EPERM ? -EOPNOTSUPP : mode;
    if (name === ACL_DEFAULT) return inode.isDir ? -EOPNOTSUPP : -EPERM;
    inode.mode = (inode.mode & ~0o777) | mode;
    inode.ctime = currentTime(k);
    return inode.changed("mode", k);
  }
  const has = inode.xattrs?.has(name) === true;
  if (has && flags & XATTR_CREATE) return -EEXIST;
  if (!has && flags & XATTR_REPLACE) return -ENODATA;
  let total = value.length + name.length;
  if (inode.xattrs) for (const [n, v] of inode.xattrs) if (n !== name) total += n.length + v.length;
  if (total > STORE_MAX) return -ENOSPC;
  inode.xattrs ??= new Map();
  inode.xattrs.set(name, value);
  inode.ctime = currentTime(k);
  k.vfs.notify.event(target.dentry, IN_ATTRIB);
  return 0;
}

function list(k: Kernel, t: Task, target: Target | number, addr: number, size: number): number {
  if (typeof target === "number") return target;
  const { inode } = target;
  if (!inode.sb.xattrs) return -EOPNOTSUPP;
  let names = "";
  const trusted = capable(t.creds, CAP.SYS_ADMIN);
  if (inode.xattrs) for (const n of inode.xattrs.keys()) if (trusted || !n.startsWith("trusted.")) names += `${n}\0`;
  if (size === 0) return names.length;
  if (names.length > size >>> 0) return -ERANGE;
  copyOut(k, t, addr, bytesOf(names));
  return names.length;
}

function remove(k: Kernel, t: Task, target: Target | number, nameAddr: number): number {
  if (typeof target === "number") return target;
  const name = nameAt(k, t, nameAddr);
  if (typeof name === "number") return name;
  const { inode } = target;
  if (!inode.sb.xattrs) return -EOPNOTSUPP;
  const r = allowed(t, target, name, true);
  if (r < 0) return r;
  // An ACL that is not there is removed without complaint.
  if (name === ACL_ACCESS || name === ACL_DEFAULT) return 0;
  if (!inode.xattrs?.delete(name)) return -ENODATA;
  inode.ctime = currentTime(k);
  k.vfs.notify.event(target.dentry, IN_ATTRIB);
  return 0;
}

export function sys_getxattr(k: Kernel, t: Task, path: number, name: number, value: number, size: number): SysResult {
  return get(k, t, byPath(k, t, path, true), name, value, size);
}
export function sys_lgetxattr(k: Kernel, t: Task, path: number, name: number, value: number, size: number): SysResult {
  return get(k, t, byPath(k, t, path, false), name, value, size);
}
export function sys_fgetxattr(k: Kernel, t: Task, fd: number, name: number, value: number, size: number): SysResult {
  return get(k, t, byFd(k, t, fd), name, value, size);
}
export function sys_setxattr(
  k: Kernel,
  t: Task,
  path: number,
  name: number,
  value: number,
  size: number,
  flags: number,
): SysResult {
  return set(k, t, byPath(k, t, path, true), name, value, size, flags);
}
export function sys_lsetxattr(
  k: Kernel,
  t: Task,
  path: number,
  name: number,
  value: number,
  size: number,
  flags: number,
): SysResult {
  return set(k, t, byPath(k, t, path, false), name, value, size, flags);
}
export function sys_fsetxattr(
  k: Kernel,
  t: Task,
  fd: number,
  name: number,
  value: number,
  size: number,
  flags: number,
): SysResult {
  return set(k, t, byFd(k, t, fd), name, value, size, flags);
}
export function sys_listxattr(k: Kernel, t: Task, path: number, addr: number, size: number): SysResult {
  return list(k, t, byPath(k, t, path, true), addr, size);
}
export function sys_llistxattr(k: Kernel, t: Task, path: number, addr: number, size: number): SysResult {
  return list(k, t, byPath(k, t, path, false), addr, size);
}
export function sys_flistxattr(k: Kernel, t: Task, fd: number, addr: number, size: number): SysResult {
  return list(k, t, byFd(k, t, fd), addr, size);
}
export function sys_removexattr(k: Kernel, t: Task, path: number, name: number): SysResult {
  return remove(k, t, byPath(k, t, path, true), name);
}
export function sys_lremovexattr(k: Kernel, t: Task, path: number, name: number): SysResult {
  return remove(k, t, byPath(k, t, path, false), name);
}
export function sys_fremovexattr(k: Kernel, t: Task, fd: number, name: number): SysResult {
  return remove(k, t, byFd(k, t, fd), name);
}
