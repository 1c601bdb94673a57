// getdents and getdents64: directory entries into a user buffer (fs/readdir.c).
import { EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR, EOVERFLOW, SysError } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyOut, touch } from "../user.ts";
import { IN_ACCESS } from "./notify.ts";
import { objectOf } from "./trace.ts";

/** Largest buffer that is filled in one call; a larger one is used up to here. */
const MAX_BYTES = 1 << 20;

function fillBuffer(k: Kernel, t: Task, fd: number, addr: number, count: number, old: boolean): number {
  const file = t.files!.get(fd);
  if (!file?.readable) return -EBADF;
  if (!file.ops.iterate) return -ENOTDIR;
  const size = count >>> 0 > MAX_BYTES ? MAX_BYTES : count >>> 0;
  if (size === 0) return -EINVAL;
  if (file.inode.nlink === 0) return -ENOENT;
  // Only what is there to be filled is touched: the first page now, the copy does the rest.
  touch(k, t, addr, 1, true);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let used = 0;
  let refused = 0;
  let last = -1;
  const before = file.pos;
  const items = file.ops.iterate(k, t, file, (name, ino, type, next) => {
    const head = old ? 10 : 19;
    const length = old ? (head + name.length + 2 + 3) & ~3 : (head + name.length + 1 + 7) & ~7;
    if (used + length > size) {
      refused = EINVAL;
      return false;
    }
    if (old) {
      if (ino > 0xffff_ffff) {
        refused = EOVERFLOW;
        return false;
      }
      view.setUint32(used, ino, true);
      view.setUint32(used + 4, next, true);
      view.setUint16(used + 8, length, true);
      out[used + length - 1] = type;
    } else {
      view.setUint32(used, ino, true);
      view.setUint32(used + 4, Math.floor(ino / 0x1_0000_0000), true);
      view.setUint32(used + 8, next, true);
      view.setUint32(used + 12, Math.floor(next / 0x1_0000_0000), true);
      view.setUint16(used + 16, length, true);
      out[used + 18] = type;
    }
    for (let i = 0; i < name.length; i++) out[used + head + i] = name.charCodeAt(i);
    last = used;
    used += length;
    return true;
  });
  k.vfs.notify.event(file.path.dentry, IN_ACCESS);
  if (items === 0 || last < 0) return refused ? -refused : 0;
  try {
    copyOut(k, t, addr, out.subarray(0, used));
  } catch (e) {
    file.pos = before;
    throw e instanceof SysError ? new SysError(EFAULT) : e;
  }
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: objectOf(k, file.inode), off: before, bytes: used, items });
  return used;
}

/** readdir(fd, struct old_linux_dirent, ignored): one entry; 0 at the end. */
export function sys_readdir(k: Kernel, t: Task, fd: number, dirent: number): SysResult {
  const file = t.files!.get(fd);
  if (!file?.readable) return -EBADF;
  if (!file.ops.iterate) return -ENOTDIR;
  if (file.inode.nlink === 0) return -ENOENT;
  touch(k, t, dirent, 11, true);
  const before = file.pos;
  let found: Uint8Array | undefined;
  file.ops.iterate(k, t, file, (name, ino) => {
    if (found !== undefined) return false;
    found = new Uint8Array(11 + name.length);
    const view = new DataView(found.buffer);
    view.setUint32(0, ino, true);
    view.setUint32(4, before, true);
    view.setUint16(8, name.length, true);
    for (let i = 0; i < name.length; i++) found[10 + i] = name.charCodeAt(i);
    return true;
  });
  if (found === undefined) return 0;
  copyOut(k, t, dirent, found);
  return 1;
}

/** getdents64(fd, dirent, count). */
export function sys_getdents64(k: Kernel, t: Task, fd: number, dirent: number, count: number): SysResult {
  return fillBuffer(k, t, fd, dirent, count, false);
}

/** getdents(fd, dirent, count): struct linux_dirent with 32-bit numbers, type in the last byte. */
export function sys_getdents(k: Kernel, t: Task, fd: number, dirent: number, count: number): SysResult {
  return fillBuffer(k, t, fd, dirent, count, true);
}
