// Making files durable and shaping them: fsync, sync, fallocate, fadvise, readahead (fs/sync.c, fs/open.c).
import { EBADF, EINVAL, ENODEV, EOPNOTSUPP, ESPIPE, ETXTBSY } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { Retry, type Wait, type WakeReason } from "../wait.ts";
import type { AddressSpace } from "./address_space.ts";
import { PAGE_SIZE } from "./page_cache.ts";
import { allocate } from "./regular.ts";

export function sys_fsync(k: Kernel, t: Task, fd: number): SysResult {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  return file.ops.fsync ? file.ops.fsync(k, t, file) : -EINVAL;
}
export function sys_fdatasync(k: Kernel, t: Task, fd: number): SysResult {
  return sys_fsync(k, t, fd);
}

function* syncAll(k: Kernel): Generator<Wait, number, WakeReason> {
  for (const queue of k.vfs.cache.syncAll()) yield { queues: [queue], interruptible: false };
  return 0;
}

/** sync(): every dirty page of every file goes to the disk. */
export function sys_sync(k: Kernel): SysResult {
  return k.vfs.cache.dirty === 0 ? 0 : syncAll(k);
}
export function sys_syncfs(k: Kernel, t: Task, fd: number): SysResult {
  return t.files!.get(fd) ? sys_sync(k) : -EBADF;
}

/** sync_file_range(fd, ...): as fdatasync. */
export function sys_sync_file_range(k: Kernel, t: Task, fd: number): SysResult {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  return file.inode.isRegular ? sys_fsync(k, t, fd) : -ESPIPE;
}

/** fallocate(fd, mode, offset low, high, length low, high). */
export function sys_fallocate(
  k: Kernel,
  t: Task,
  fd: number,
  mode: number,
  lo: number,
  hi: number,
  llo: number,
  lhi: number,
): SysResult {
  const file = t.files!.get(fd);
  if (!file?.writable) return -EBADF;
  const offset = hi * 0x1_0000_0000 + (lo >>> 0);
  const length = lhi * 0x1_0000_0000 + (llo >>> 0);
  if (offset < 0 || length <= 0) return -EINVAL;
  // KEEP_SIZE 1, PUNCH_HOLE 2 (with KEEP_SIZE), ZERO_RANGE 16.
  if (mode & ~0x13 || (mode & 2 && !(mode & 1)) || (mode & 18) === 18) return -EOPNOTSUPP;
  if (file.ops.stream) return -ESPIPE;
  const inode = file.inode;
  if (!inode.isRegular || !inode.mapping) return -ENODEV;
  if (inode.denyWrite > 0) return -ETXTBSY;
  if (mode & 18) partialPages(inode.mapping, offset, offset + length);
  return allocate(k, inode, mode, offset, length);
}

/** Punching changes pages at the edges: they must be here first. @throws Retry */
function partialPages(mapping: AddressSpace, from: number, to: number): void {
  for (let index = Math.floor(from / PAGE_SIZE); index * PAGE_SIZE < to; index++) {
    if (!mapping.has(index)) continue;
    const page = mapping.fetch(index, 1);
    if (!("pfn" in page)) throw new Retry(page);
  }
}

/** fadvise64_64(fd, advice, offset, length) in the i386 order (fd, low, high, low, high, advice): advice changes nothing. */
export function sys_fadvise64_64(
  _k: Kernel,
  t: Task,
  fd: number,
  _lo: number,
  _hi: number,
  _llo: number,
  _lhi: number,
  advice: number,
): SysResult {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  if (file.ops.stream) return -ESPIPE;
  return advice < 0 || advice > 5 ? -EINVAL : 0;
}
/** fadvise64(fd, low, high, length, advice). */
export function sys_fadvise64(
  k: Kernel,
  t: Task,
  fd: number,
  lo: number,
  hi: number,
  length: number,
  advice: number,
): SysResult {
  return sys_fadvise64_64(k, t, fd, lo, hi, length, 0, advice);
}

/** readahead(fd, offset low, high, count): starts the reads and does not wait. */
export function sys_readahead(_k: Kernel, t: Task, fd: number, lo: number, hi: number, count: number): SysResult {
  const file = t.files!.get(fd);
  if (!file?.readable) return -EBADF;
  const mapping = file.inode.mapping;
  if (!mapping || !file.inode.isRegular) return -EINVAL;
  const first = Math.floor((hi * 0x1_0000_0000 + (lo >>> 0)) / PAGE_SIZE);
  const pages = Math.min(32, Math.ceil((count >>> 0) / PAGE_SIZE));
  if (first >= 0 && first < mapping.pageCount && pages > 0) mapping.fetch(first, pages);
  return 0;
}
