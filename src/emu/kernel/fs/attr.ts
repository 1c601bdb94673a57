// Changing attributes and asking for access: chmod, chown, utimes, truncate, access (fs/open.c, fs/utimes.c, fs/attr.c).
import { EBADF, EFBIG, EINVAL, EISDIR, ENOENT, EPERM, EROFS } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Creds, Task } from "../task.ts";
import { readI32, readString } from "../user.ts";
import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  MAX_FILE_BYTES,
  MAY_WRITE,
  S_IALLUGO,
  S_IFMT,
  S_ISGID,
  S_ISUID,
} from "./const.ts";
import type { Dentry, Path, Timespec } from "./inode.ts";
import { CAP, capable, inGroup, LOOKUP_FOLLOW, mountWritable, ownerOrCapable, permission } from "./namei.ts";
import { IN_ACCESS, IN_ATTRIB, IN_MODIFY } from "./notify.ts";
import { pathAt, userPathAt } from "./open.ts";
import { removePrivs, sizeLimit } from "./regular.ts";
import { currentTime, readTimespec } from "./times.ts";
import { objectOf } from "./trace.ts";

function chmod(k: Kernel, t: Task, { mnt, dentry }: Path, mode: number): number {
  const { inode } = dentry;
  const ro = mountWritable(mnt);
  if (ro < 0) return ro;
  if (!ownerOrCapable(inode, t.creds)) return -EPERM;
  const before = inode.mode;
  let bits = mode & S_IALLUGO;
  if (!inGroup(t.creds, inode.gid) && !capable(t.creds, CAP.FSETID)) bits &= ~S_ISGID;
  inode.mode = (inode.mode & S_IFMT) | bits;
  const r = inode.changed("mode", k);
  if (r < 0) {
    inode.mode = before;
    return r;
  }
  inode.ctime = currentTime(k);
  k.vfs.notify.event(dentry, IN_ATTRIB);
  return 0;
}

/** fchmodat(dfd, path, mode): links are followed; the call has no flags. */
export function sys_fchmodat(k: Kernel, t: Task, dfd: number, path: number, mode: number): SysResult {
  const w = userPathAt(k, t, dfd, path, LOOKUP_FOLLOW);
  return typeof w === "number" ? w : chmod(k, t, w, mode);
}
export function sys_chmod(k: Kernel, t: Task, path: number, mode: number): SysResult {
  return sys_fchmodat(k, t, AT_FDCWD, path, mode);
}
export function sys_fchmod(k: Kernel, t: Task, fd: number, mode: number): SysResult {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
  return chmod(k, t, file.path, mode);
}

function chown(k: Kernel, t: Task, { mnt, dentry }: Path, uid: number, gid: number): number {
  const { inode } = dentry;
  const ro = mountWritable(mnt);
  if (ro < 0) return ro;
  const c = t.creds;
  const any = capable(c, CAP.CHOWN);
  const user = uid >>> 0;
  const group = gid >>> 0;
  if (user !== 0xffff_ffff && !any && (c.fsuid !== inode.uid || user !== inode.uid)) return -EPERM;
  if (group !== 0xffff_ffff && !any && (c.fsuid !== inode.uid || (group !== inode.gid && !inGroup(c, group))))
    return -EPERM;
  const before = { uid: inode.uid, gid: inode.gid };
  if (user !== 0xffff_ffff) inode.uid = user;
  if (group !== 0xffff_ffff) inode.gid = group;
  const r = inode.changed("owner", k);
  if (r < 0) {
    inode.uid = before.uid;
    inode.gid = before.gid;
    return r;
  }
  // A new owner never inherits setuid; setgid without group execute only marks locking.
  if (!inode.isDir) {
    inode.mode &= ~S_ISUID;
    if (inode.mode & 0o10) inode.mode &= ~S_ISGID;
  }
  inode.ctime = currentTime(k);
  k.vfs.notify.event(dentry, IN_ATTRIB);
  return 0;
}

/** fchownat(dfd, path, uid, gid, flags). */
export function sys_fchownat(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  uid: number,
  gid: number,
  flags: number,
): SysResult {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  const follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
  const w = userPathAt(k, t, dfd, path, follow | (flags & AT_EMPTY_PATH));
  return typeof w === "number" ? w : chown(k, t, w, uid, gid);
}
export function sys_chown32(k: Kernel, t: Task, path: number, uid: number, gid: number): SysResult {
  return sys_fchownat(k, t, AT_FDCWD, path, uid, gid, 0);
}
export function sys_lchown32(k: Kernel, t: Task, path: number, uid: number, gid: number): SysResult {
  return sys_fchownat(k, t, AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}
export function sys_fchown32(k: Kernel, t: Task, fd: number, uid: number, gid: number): SysResult {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
  return chown(k, t, file.path, uid, gid);
}

/** A 16-bit id; 0xffff means "leave it". */
function wide(id: number): number {
  return (id & 0xffff) === 0xffff ? -1 : id & 0xffff;
}
export function sys_chown(k: Kernel, t: Task, path: number, uid: number, gid: number): SysResult {
  return sys_chown32(k, t, path, wide(uid), wide(gid));
}
export function sys_lchown(k: Kernel, t: Task, path: number, uid: number, gid: number): SysResult {
  return sys_lchown32(k, t, path, wide(uid), wide(gid));
}
export function sys_fchown(k: Kernel, t: Task, fd: number, uid: number, gid: number): SysResult {
  return sys_fchown32(k, t, fd, wide(uid), wide(gid));
}

const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;

/** Sets times; null = both to now. */
function setTimes(k: Kernel, t: Task, { mnt, dentry }: Path, times: [Timespec, Timespec] | null): number {
  const { inode } = dentry;
  const ro = mountWritable(mnt);
  if (ro < 0) return ro;
  const now = currentTime(k);
  const ok = (x: Timespec) => x.nsec === UTIME_NOW || x.nsec === UTIME_OMIT || (x.nsec >= 0 && x.nsec < 1e9);
  if (times && (!ok(times[0]) || !ok(times[1]))) return -EINVAL;
  const bothNow = !times || (times[0].nsec === UTIME_NOW && times[1].nsec === UTIME_NOW);
  if (times && times[0].nsec === UTIME_OMIT && times[1].nsec === UTIME_OMIT) return 0;
  if (!ownerOrCapable(inode, t.creds)) {
    if (!bothNow) return -EPERM;
    const denied = permission(inode, MAY_WRITE, t.creds);
    if (denied < 0) return denied;
  }
  const pick = (x: Timespec | undefined, old: Timespec) =>
    !x || x.nsec === UTIME_NOW ? now : x.nsec === UTIME_OMIT ? old : x;
  inode.atime = pick(times?.[0], inode.atime);
  inode.mtime = pick(times?.[1], inode.mtime);
  inode.ctime = now;
  const omitted = times?.map((x) => x.nsec === UTIME_OMIT) ?? [false, false];
  k.vfs.notify.event(dentry, omitted[0] ? IN_MODIFY : omitted[1] ? IN_ACCESS : IN_ATTRIB);
  return inode.changed("times", k);
}

function utimensat(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  times: [Timespec, Timespec] | null,
  flags: number,
): number {
  if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  if (path === 0 && dfd !== AT_FDCWD) {
    const file = t.files!.get(dfd);
    if (!file) return -EBADF;
    if (flags) return -EINVAL;
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
    return setTimes(k, t, file.path, times);
  }
  const follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
  const w = userPathAt(k, t, dfd, path, follow | (flags & AT_EMPTY_PATH));
  return typeof w === "number" ? w : setTimes(k, t, w, times);
}

function timePair(k: Kernel, t: Task, addr: number, is64: boolean): [Timespec, Timespec] | null {
  if (addr === 0) return null;
  return [readTimespec(k, t, addr, is64), readTimespec(k, t, addr + (is64 ? 16 : 8), is64)];
}

/** utimensat(dfd, path, timespec pair, flags) with 32-bit times. */
export function sys_utimensat(k: Kernel, t: Task, dfd: number, path: number, times: number, flags: number): SysResult {
  return utimensat(k, t, dfd, path, timePair(k, t, times, false), flags);
}
/** As sys_utimensat, with 64-bit times. */
export function sys_utimensat_time64(
  k: Kernel,
  t: Task,
  dfd: number,
  path: number,
  times: number,
  flags: number,
): SysResult {
  return utimensat(k, t, dfd, path, timePair(k, t, times, true), flags);
}

/** A pair of struct timeval. */
function timevals(k: Kernel, t: Task, addr: number): [Timespec, Timespec] | null | number {
  if (addr === 0) return null;
  const at = (a: number) => ({ sec: readI32(k, t, a), nsec: readI32(k, t, a + 4) });
  const pair: [Timespec, Timespec] = [at(addr), at(addr + 8)];
  for (const p of pair) {
    if (p.nsec < 0 || p.nsec >= 1_000_000) return -EINVAL;
    p.nsec *= 1000;
  }
  return pair;
}

/** futimesat(dfd, path, timeval pair). */
export function sys_futimesat(k: Kernel, t: Task, dfd: number, path: number, times: number): SysResult {
  const pair = timevals(k, t, times);
  return typeof pair === "number" ? pair : utimensat(k, t, dfd, path, pair, 0);
}
export function sys_utimes(k: Kernel, t: Task, path: number, times: number): SysResult {
  return sys_futimesat(k, t, AT_FDCWD, path, times);
}
/** utime(path, {actime, modtime}). */
export function sys_utime(k: Kernel, t: Task, path: number, addr: number): SysResult {
  const times: [Timespec, Timespec] | null =
    addr === 0
      ? null
      : [
          { sec: readI32(k, t, addr), nsec: 0 },
          { sec: readI32(k, t, addr + 4), nsec: 0 },
        ];
  return utimensat(k, t, AT_FDCWD, path, times, 0);
}

function truncate(k: Kernel, t: Task, dentry: Dentry, size: number): number {
  const { inode } = dentry;
  if (size < 0 || size > MAX_FILE_BYTES) return -EINVAL;
  if (size > inode.size) {
    const limit = sizeLimit(k, t, inode.size, size - inode.size);
    if (limit < size - inode.size) return limit < 0 ? limit : -EFBIG;
  }
  const r = inode.truncate(size, k);
  if (r === 0) {
    removePrivs(inode, t);
    k.vfs.notify.event(dentry, IN_MODIFY);
  }
  return r;
}

function truncatePath(k: Kernel, t: Task, path: number, size: number): number {
  if (size < 0) return -EINVAL;
  const w = userPathAt(k, t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (typeof w === "number") return w;
  const inode = w.dentry.inode;
  if (inode.isDir) return -EISDIR;
  if (!inode.isRegular) return -EINVAL;
  const ro = mountWritable(w.mnt);
  if (ro < 0) return ro;
  const denied = permission(inode, MAY_WRITE, t.creds);
  return denied < 0 ? denied : truncate(k, t, w.dentry, size);
}

function truncateFd(k: Kernel, t: Task, fd: number, size: number): number {
  if (size < 0) return -EINVAL;
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (!file.inode.isRegular || !file.writable) return -EINVAL;
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode) });
  return truncate(k, t, file.path.dentry, size);
}

export function sys_truncate(k: Kernel, t: Task, path: number, size: number): SysResult {
  return truncatePath(k, t, path, size);
}
export function sys_ftruncate(k: Kernel, t: Task, fd: number, size: number): SysResult {
  return truncateFd(k, t, fd, size);
}
/** truncate64(path, size low, size high). */
export function sys_truncate64(k: Kernel, t: Task, path: number, lo: number, hi: number): SysResult {
  return truncatePath(k, t, path, hi * 0x1_0000_0000 + (lo >>> 0));
}
export function sys_ftruncate64(k: Kernel, t: Task, fd: number, lo: number, hi: number): SysResult {
  return truncateFd(k, t, fd, hi * 0x1_0000_0000 + (lo >>> 0));
}

/** faccessat2(dfd, path, mode, flags): by the real ids unless AT_EACCESS. */
export function sys_faccessat2(k: Kernel, t: Task, dfd: number, path: number, mode: number, flags: number): SysResult {
  if (mode & ~7 || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
  const name = readString(k, t, path, 4096);
  const own = t.creds;
  const real: Creds = flags & AT_EACCESS ? own : realCreds(own);
  const follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
  t.creds = real;
  try {
    if (name === "" && !(flags & AT_EMPTY_PATH)) return -ENOENT;
    const w = pathAt(k, t, dfd, name, follow | (flags & AT_EMPTY_PATH));
    if (typeof w === "number") return w;
    const inode = w.dentry.inode;
    const r = permission(inode, mode, real);
    if (r < 0) return r;
    return mode & MAY_WRITE && w.mnt.readOnly && (inode.isRegular || inode.isDir || inode.isLink) ? -EROFS : 0;
  } finally {
    t.creds = own;
  }
}

/** access() asks for the real user, with root's capabilities only if that is root. */
function realCreds(c: Creds): Creds {
  if (c.fsuid === c.uid && c.fsgid === c.gid) return c;
  return { ...c, fsuid: c.uid, fsgid: c.gid, capEffective: c.uid === 0 ? c.capPermitted : 0n };
}

export function sys_faccessat(k: Kernel, t: Task, dfd: number, path: number, mode: number): SysResult {
  return sys_faccessat2(k, t, dfd, path, mode, 0);
}
export function sys_access(k: Kernel, t: Task, path: number, mode: number): SysResult {
  return sys_faccessat2(k, t, AT_FDCWD, path, mode, 0);
}
