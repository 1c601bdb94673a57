// open, openat, creat, close, and finding files for exec (fs/open.c, do_filp_open in fs/namei.c).
import {
  EACCES,
  EBADF,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ETXTBSY,
} from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { RLIMIT, type Task } from "../task.ts";
import { readString } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  MAX_NON_LFS,
  MAY_EXEC,
  MAY_READ,
  MAY_WRITE,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE_BIT,
  O_TRUNC,
  O_WRONLY,
  S_IALLUGO,
  S_IFREG,
} from "./const.ts";
import { File } from "./file.ts";
import { Dentry, type Path } from "./inode.ts";
import {
  crossMounts,
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  LOOKUP_PARENT,
  lookupLast,
  mayCreate,
  mountWritable,
  ownerOrCapable,
  permission,
  type Walk,
  walk,
} from "./namei.ts";
import { IN_MODIFY, IN_OPEN } from "./notify.ts";
import { removePrivs } from "./regular.ts";
import { objectOf } from "./trace.ts";

/** Flags that stay with the file while it is opened. */
const KEPT = ~(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC);

/** Where a relative path starts: the working directory or an open directory; or -EBADF, -ENOTDIR. */
export function baseOf(t: Task, dfd: number, name: string): Path | number {
  if (dfd === AT_FDCWD || name.charCodeAt(0) === 47) return t.fs!.cwd;
  const file = t.files!.get(dfd);
  if (!file) return -EBADF;
  if (name !== "" && !file.inode.isDir) return -ENOTDIR;
  return file.path;
}

/** The soft limit on descriptors. */
export function nofile(t: Task): number {
  return t.signal.rlimits[RLIMIT.NOFILE]?.cur ?? 1024;
}

/** Tells the trace how many components a walk looked up. */
export function recordWalk(k: Kernel, t: Task, components: number, obj = -1): void {
  k.recorder.set(t.seq, obj >= 0 ? { components, obj } : { components });
}

/**
 * Walks a user's path for the *at calls.
 * @param flags LOOKUP_ bits, and AT_EMPTY_PATH to take the descriptor itself for an empty path
 */
export function userPathAt(k: Kernel, t: Task, dfd: number, addr: number, flags: number): Walk | number {
  return pathAt(k, t, dfd, readString(k, t, addr, 4096), flags);
}

/** As userPathAt, with the path in the kernel. */
export function pathAt(k: Kernel, t: Task, dfd: number, name: string, flags: number): Walk | number {
  const base = baseOf(t, dfd, name);
  if (typeof base === "number") return base;
  if (name === "" && flags & AT_EMPTY_PATH) {
    if (k.recorder.enabled) recordWalk(k, t, 0, objectOf(k, base.dentry.inode));
    return { mnt: base.mnt, dentry: base.dentry, last: "", trailing: false, components: 0, links: 0 };
  }
  const w = walk(k, t, base, name, flags);
  if (k.recorder.enabled) {
    if (typeof w === "number") recordWalk(k, t, countComponents(name));
    else recordWalk(k, t, w.components, flags & LOOKUP_PARENT ? -1 : objectOf(k, w.dentry.inode, w));
  }
  return w;
}

function countComponents(name: string): number {
  let n = 0;
  for (const part of name.split("/")) if (part !== "") n++;
  return n;
}

/** Access mode and flags to MAY_ bits. */
function accessOf(flags: number): number {
  const mode = flags & O_ACCMODE;
  let may = mode === O_RDONLY ? MAY_READ : mode === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  if (flags & O_TRUNC) may |= MAY_WRITE;
  return may;
}

/** Checks and opens what a walk found; `created`: it is new, its mode does not bind its maker. */
function openAt(k: Kernel, t: Task, at: Path, flags: number, created: boolean): File | number {
  const inode = at.dentry.inode;
  if (flags & O_PATH) return new File({ mnt: at.mnt, dentry: at.dentry }, flags & KEPT, {});
  const may = accessOf(flags);
  if (inode.isLink) return -ELOOP;
  if (inode.isDir && may & MAY_WRITE) return -EISDIR;
  if (!created) {
    const r = permission(inode, may, t.creds);
    if (r < 0) return r;
    if (may & MAY_WRITE && inode.isRegular) {
      const ro = mountWritable(at.mnt);
      if (ro < 0) return ro;
    }
  }
  if (inode.isRegular && inode.size > MAX_NON_LFS && !(flags & O_LARGEFILE)) return -EOVERFLOW;
  if (flags & O_NOATIME && !ownerOrCapable(inode, t.creds)) return -EPERM;
  if (may & MAY_WRITE && inode.isRegular && inode.denyWrite > 0) return -ETXTBSY;
  const ops = inode.fileOps(k, t);
  if (typeof ops === "number") return ops;
  if (flags & O_TRUNC && inode.isRegular && !created) {
    const r = inode.truncate(0, k);
    if (r < 0) return r;
    removePrivs(inode, t);
    k.vfs.notify.event(at.dentry, IN_MODIFY);
  }
  const file = new File({ mnt: at.mnt, dentry: at.dentry }, flags & KEPT, ops);
  if (file.writable && inode.isRegular) inode.writers++;
  return file;
}

/** Finds or makes the file of an open; no descriptor yet, no driver called. */
export function openFile(k: Kernel, t: Task, base: Path, path: string, flags: number, mode: number): File | number {
  if ((flags & O_TMPFILE_BIT) !== 0 && !(flags & O_PATH)) return openTmpfile(k, t, base, path, flags, mode);
  const directory = flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0;
  if ((flags & O_CREAT) === 0 || flags & O_PATH) {
    const w = walk(k, t, base, path, (flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | directory);
    if (k.recorder.enabled) {
      if (typeof w === "number") recordWalk(k, t, countComponents(path));
      else recordWalk(k, t, w.components, objectOf(k, w.dentry.inode, w));
    }
    if (typeof w !== "number") return openAt(k, t, w, flags, false);
    // A symbolic link where O_NOFOLLOW | O_DIRECTORY wanted a directory.
    return w;
  }
  return openCreate(k, t, base, path, flags, mode);
}

function openCreate(k: Kernel, t: Task, base: Path, path: string, flags: number, mode: number): File | number {
  let from = base;
  let name = path;
  for (let links = 0; links <= 40; links++) {
    const w = walk(k, t, from, name, LOOKUP_PARENT);
    if (typeof w === "number") return w;
    if (k.recorder.enabled) recordWalk(k, t, w.components);
    if (w.last === "" || w.last === "." || w.last === "..") return -EISDIR;
    const dir = w.dentry.inode;
    if (!dir.isDir) return -ENOTDIR;
    const found = lookupLast(k, t, w);
    if (!found) {
      if (w.trailing) return -EISDIR;
      const denied = mayCreate(w, t.creds);
      if (denied < 0) return denied;
      const made = dir.create(w.dentry, w.last, S_IFREG | (mode & ~t.fs!.umask & S_IALLUGO), 0, k, t);
      if (typeof made === "number") return made;
      k.vfs.notify.created(w.dentry, w.last);
      return openAt(k, t, { mnt: w.mnt, dentry: made }, flags, true);
    }
    if (flags & O_EXCL) return -EEXIST;
    if (found.inode.isLink) {
      if (flags & O_NOFOLLOW) return -ELOOP;
      const jump = found.inode.followLink(k, t);
      if (typeof jump === "number") return jump;
      if (jump) return openAt(k, t, jump, flags, false);
      const target = found.inode.readlink(k, t);
      if (typeof target === "number") return target;
      from = { mnt: w.mnt, dentry: w.dentry };
      name = w.trailing ? `${target}/` : target;
      if (name.length > 4096) return -ENAMETOOLONG;
      continue;
    }
    const at = { mnt: w.mnt, dentry: found };
    crossMounts(at);
    if (at.dentry.inode.isDir) return -EISDIR;
    if (w.trailing || flags & O_DIRECTORY) return -ENOTDIR;
    return openAt(k, t, at, flags, false);
  }
  return -ELOOP;
}

function openTmpfile(k: Kernel, t: Task, base: Path, path: string, flags: number, mode: number): File | number {
  if ((flags & O_DIRECTORY) === 0 || (flags & O_ACCMODE) === O_RDONLY) return -EINVAL;
  const w = walk(k, t, base, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof w === "number") return w;
  const denied = mayCreate(w, t.creds);
  if (denied < 0) return denied;
  const inode = w.dentry.inode.tmpfile(mode & ~t.fs!.umask, k, t);
  if (typeof inode === "number") return inode === -EPERM ? -EOPNOTSUPP : inode;
  const dentry = new Dentry(`#${inode.ino}`, w.dentry, inode);
  dentry.linked = false;
  return openAt(k, t, { mnt: w.mnt, dentry }, flags, true);
}

/** Gives an open file a descriptor, after its driver's open. */
export function installOpen(k: Kernel, t: Task, file: File, cloexec: boolean): SysResult {
  const opened = file.flags & O_PATH ? 0 : (file.ops.open?.(k, t, file) ?? 0);
  // Only the opening itself asks for it.
  file.flags &= ~O_NOCTTY;
  if (typeof opened !== "number") return installLater(k, t, file, cloexec, opened);
  if (opened < 0) return opened;
  return install(k, t, file, cloexec);
}

function* installLater(
  k: Kernel,
  t: Task,
  file: File,
  cloexec: boolean,
  opening: Generator<Wait, number, WakeReason>,
): Generator<Wait, number, WakeReason> {
  const r = yield* opening;
  return r < 0 ? r : install(k, t, file, cloexec);
}

function install(k: Kernel, t: Task, file: File, cloexec: boolean): number {
  const fd = t.files!.install(file, 0, cloexec, nofile(t));
  if (fd < 0) file.get().put(k);
  else if (!(file.flags & O_PATH)) k.vfs.notify.event(file.path.dentry, IN_OPEN);
  return fd;
}

function doOpen(k: Kernel, t: Task, dfd: number, addr: number, flags: number, mode: number): SysResult {
  const path = readString(k, t, addr, 4096);
  if (path === "") return -ENOENT;
  const base = baseOf(t, dfd, path);
  if (typeof base === "number") return base;
  const file = openFile(k, t, base, path, flags, mode);
  if (typeof file === "number") return file;
  return installOpen(k, t, file, (flags & O_CLOEXEC) !== 0);
}

/** open(path, flags, mode). */
export function sys_open(k: Kernel, t: Task, path: number, flags: number, mode: number): SysResult {
  return doOpen(k, t, AT_FDCWD, path, flags, mode);
}

/** openat(dfd, path, flags, mode). */
export function sys_openat(k: Kernel, t: Task, dfd: number, path: number, flags: number, mode: number): SysResult {
  return doOpen(k, t, dfd, path, flags, mode);
}

/** creat(path, mode). */
export function sys_creat(k: Kernel, t: Task, path: number, mode: number): SysResult {
  return doOpen(k, t, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/** close(fd). */
export function sys_close(k: Kernel, t: Task, fd: number): SysResult {
  if (k.recorder.enabled) {
    const file = t.files!.get(fd);
    if (file) k.recorder.set(t.seq, { obj: objectOf(k, file.inode, file.path) });
  }
  return t.files!.close(k, fd) ? 0 : -EBADF;
}

/** close_range(first, last, flags): CLOSE_RANGE_CLOEXEC = 4. */
export function sys_close_range(k: Kernel, t: Task, first: number, last: number, flags: number): SysResult {
  if (flags & ~6 || first >>> 0 > last >>> 0) return -EINVAL;
  const files = t.files!;
  for (const fd of [...files.open()]) {
    if (fd < first >>> 0 || fd > last >>> 0) continue;
    if (flags & 4) files.setCloexec(fd, true);
    else files.close(k, fd);
  }
  return 0;
}

/**
 * Opens a program for exec: a regular file that the task may execute.
 * @param flags AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH
 * @returns the file (one reference; give it back with put()), or -ENOENT, -EACCES, -ETXTBSY, ...
 */
export function openExec(k: Kernel, t: Task, dfd: number, path: string, flags: number): File | number {
  const follow = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
  const w = pathAt(k, t, dfd, path, follow | (flags & AT_EMPTY_PATH));
  if (typeof w === "number") return w;
  const inode = w.dentry.inode;
  if (inode.isLink) return -ELOOP;
  if (!inode.isRegular) return -EACCES;
  const denied = permission(inode, MAY_EXEC, t.creds);
  if (denied < 0) return denied;
  if (inode.writers > 0) return -ETXTBSY;
  const ops = inode.fileOps(k, t);
  if (typeof ops === "number") return ops;
  k.vfs.notify.event(w.dentry, IN_OPEN);
  return new File({ mnt: w.mnt, dentry: w.dentry }, O_RDONLY, ops).get();
}
