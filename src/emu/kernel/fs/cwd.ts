// A task's place in the tree: getcwd, chdir, fchdir, chroot, umask (fs/d_path.c, fs/open.c).
import { EBADF, ENOENT, ENOTDIR, EPERM, ERANGE } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyOut } from "../user.ts";
import { AT_FDCWD, MAY_EXEC } from "./const.ts";
import { dPath } from "./inode.ts";
import { CAP, capable, LOOKUP_DIRECTORY, LOOKUP_FOLLOW, permission } from "./namei.ts";
import { userPathAt } from "./open.ts";

/** getcwd(buffer, size): bytes with the NUL. */
export function sys_getcwd(k: Kernel, t: Task, addr: number, size: number): SysResult {
  const { cwd, root } = t.fs!;
  if (!cwd.dentry.linked) return -ENOENT;
  const bytes = bytesOf(dPath(cwd, root), true);
  if (bytes.length > size >>> 0) return -ERANGE;
  copyOut(k, t, addr, bytes);
  return bytes.length;
}

export function sys_chdir(k: Kernel, t: Task, path: number): SysResult {
  const w = userPathAt(k, t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof w === "number") return w;
  const denied = permission(w.dentry.inode, MAY_EXEC, t.creds);
  if (denied < 0) return denied;
  t.fs!.cwd = { mnt: w.mnt, dentry: w.dentry };
  return 0;
}

export function sys_fchdir(_k: Kernel, t: Task, fd: number): SysResult {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (!file.inode.isDir) return -ENOTDIR;
  const denied = permission(file.inode, MAY_EXEC, t.creds);
  if (denied < 0) return denied;
  t.fs!.cwd = file.path;
  return 0;
}

export function sys_chroot(k: Kernel, t: Task, path: number): SysResult {
  const w = userPathAt(k, t, AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof w === "number") return w;
  const denied = permission(w.dentry.inode, MAY_EXEC, t.creds);
  if (denied < 0) return denied;
  if (!capable(t.creds, CAP.SYS_CHROOT)) return -EPERM;
  t.fs!.root = { mnt: w.mnt, dentry: w.dentry };
  return 0;
}

/** umask(mask): the old one. */
export function sys_umask(_k: Kernel, t: Task, mask: number): SysResult {
  const old = t.fs!.umask;
  t.fs!.umask = mask & 0o777;
  return old;
}
