// statfs and fstatfs in both i386 layouts (fs/statfs.c).
import { EBADF, EINVAL } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyOut } from "../user.ts";
import { AT_FDCWD, NAME_MAX } from "./const.ts";
import type { Mount } from "./inode.ts";
import { LOOKUP_FOLLOW } from "./namei.ts";
import { userPathAt } from "./open.ts";

const BLOCK = 4096;
const ST_RDONLY = 1;
const ST_VALID = 0x20;
const ST_RELATIME = 0x1000;

/** struct statfs64 (84 bytes, packed to 4) or struct statfs (64). */
function put(k: Kernel, t: Task, mnt: Mount, addr: number, is64: boolean): number {
  const sb = mnt.root.inode.sb;
  const s = sb.statfs(k);
  const bytes = new Uint8Array(is64 ? 84 : 64);
  const v = new DataView(bytes.buffer);
  v.setUint32(0, s.type, true);
  v.setUint32(4, BLOCK, true);
  const counts = [s.blocks, s.bfree, s.bavail, s.files, s.ffree];
  let at = 8;
  for (const n of counts) {
    if (is64) v.setBigUint64(at, BigInt(n), true);
    else v.setUint32(at, n, true);
    at += is64 ? 8 : 4;
  }
  v.setUint32(at, sb.dev, true);
  v.setUint32(at + 8, NAME_MAX, true);
  v.setUint32(at + 12, BLOCK, true);
  v.setUint32(at + 16, ST_VALID | ST_RELATIME | (mnt.readOnly ? ST_RDONLY : 0), true);
  copyOut(k, t, addr, bytes);
  return 0;
}

function byPath(k: Kernel, t: Task, path: number, addr: number, is64: boolean): number {
  const w = userPathAt(k, t, AT_FDCWD, path, LOOKUP_FOLLOW);
  return typeof w === "number" ? w : put(k, t, w.mnt, addr, is64);
}

function byFd(k: Kernel, t: Task, fd: number, addr: number, is64: boolean): number {
  const file = t.files!.get(fd);
  return file ? put(k, t, file.path.mnt, addr, is64) : -EBADF;
}

/** statfs64(path, size, buffer): 84, or 88 with the padding that some callers count. */
export function sys_statfs64(k: Kernel, t: Task, path: number, size: number, addr: number): SysResult {
  return size === 84 || size === 88 ? byPath(k, t, path, addr, true) : -EINVAL;
}
export function sys_fstatfs64(k: Kernel, t: Task, fd: number, size: number, addr: number): SysResult {
  return size === 84 || size === 88 ? byFd(k, t, fd, addr, true) : -EINVAL;
}
export function sys_statfs(k: Kernel, t: Task, path: number, addr: number): SysResult {
  return byPath(k, t, path, addr, false);
}
export function sys_fstatfs(k: Kernel, t: Task, fd: number, addr: number): SysResult {
  return byFd(k, t, fd, addr, false);
}
