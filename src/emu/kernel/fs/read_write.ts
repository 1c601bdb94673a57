// read, write and their kin, lseek, and copies between files (fs/read_write.c).
import { EAGAIN, EBADF, EINVAL, EISDIR, EOPNOTSUPP, EOVERFLOW, ERESTARTSYS, ESPIPE, EXDEV } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI64, writeI64, writeU32 } from "../user.ts";
import { Retry, type Wait, type WaitQueue, type WakeReason } from "../wait.ts";
import { MAX_RW_COUNT } from "./const.ts";
import type { File } from "./file.ts";
import { IovIter } from "./iov.ts";
import { IN_ACCESS, IN_MODIFY } from "./notify.ts";

/** An offset given as two words. */
function offset64(lo: number, hi: number): number {
  return hi * 0x1_0000_0000 + (lo >>> 0);
}

/** Passes a result on; bytes that moved are an event for who watches the file. */
function told(k: Kernel, file: File, mask: number, r: SysResult): SysResult {
  if (typeof r !== "number") return toldLater(k, file, mask, r);
  if (r > 0) k.vfs.notify.event(file.path.dentry, mask);
  return r;
}

function* toldLater(
  k: Kernel,
  file: File,
  mask: number,
  body: Generator<Wait, number, WakeReason>,
): Generator<Wait, number, WakeReason> {
  const r = yield* body;
  if (r > 0) k.vfs.notify.event(file.path.dentry, mask);
  return r;
}

function doRead(k: Kernel, t: Task, file: File | undefined, iter: IovIter, pos: number): SysResult {
  if (pos >= 0 && file?.ops.stream) return -ESPIPE;
  if (!file?.readable) return -EBADF;
  if (!file.ops.read) return -EINVAL;
  const r = file.ops.read(k, t, file, iter, pos);
  return k.vfs.notify.active ? told(k, file, IN_ACCESS, r) : r;
}

function doWrite(k: Kernel, t: Task, file: File | undefined, iter: IovIter, pos: number): SysResult {
  if (pos >= 0 && file?.ops.stream) return -ESPIPE;
  if (!file?.writable) return -EBADF;
  if (!file.ops.write) return -EINVAL;
  const r = file.ops.write(k, t, file, iter, pos);
  return k.vfs.notify.active ? told(k, file, IN_MODIFY, r) : r;
}

/** read(fd, buf, count). */
export function sys_read(k: Kernel, t: Task, fd: number, buf: number, count: number): SysResult {
  const file = t.files!.get(fd);
  if (!file?.readable) return -EBADF;
  return doRead(k, t, file, IovIter.user(k, t, buf, count), -1);
}

/** write(fd, buf, count). */
export function sys_write(k: Kernel, t: Task, fd: number, buf: number, count: number): SysResult {
  const file = t.files!.get(fd);
  if (!file?.writable) return -EBADF;
  return doWrite(k, t, file, IovIter.user(k, t, buf, count), -1);
}

/** readv(fd, iov, count). */
export function sys_readv(k: Kernel, t: Task, fd: number, iov: number, count: number): SysResult {
  return doRead(k, t, t.files!.get(fd), IovIter.vector(k, t, iov, count), -1);
}

/** writev(fd, iov, count). */
export function sys_writev(k: Kernel, t: Task, fd: number, iov: number, count: number): SysResult {
  return doWrite(k, t, t.files!.get(fd), IovIter.vector(k, t, iov, count), -1);
}

/** pread64(fd, buf, count, offset low, offset high). */
export function sys_pread64(
  k: Kernel,
  t: Task,
  fd: number,
  buf: number,
  count: number,
  lo: number,
  hi: number,
): SysResult {
  if (hi < 0) return -EINVAL;
  return doRead(k, t, t.files!.get(fd), IovIter.user(k, t, buf, count), offset64(lo, hi));
}

/** pwrite64(fd, buf, count, offset low, offset high). */
export function sys_pwrite64(
  k: Kernel,
  t: Task,
  fd: number,
  buf: number,
  count: number,
  lo: number,
  hi: number,
): SysResult {
  if (hi < 0) return -EINVAL;
  return doWrite(k, t, t.files!.get(fd), IovIter.user(k, t, buf, count), offset64(lo, hi));
}

/** preadv(fd, iov, count, offset low, offset high). */
export function sys_preadv(
  k: Kernel,
  t: Task,
  fd: number,
  iov: number,
  count: number,
  lo: number,
  hi: number,
): SysResult {
  if (hi < 0) return -EINVAL;
  return doRead(k, t, t.files!.get(fd), IovIter.vector(k, t, iov, count), offset64(lo, hi));
}

/** pwritev(fd, iov, count, offset low, offset high). */
export function sys_pwritev(
  k: Kernel,
  t: Task,
  fd: number,
  iov: number,
  count: number,
  lo: number,
  hi: number,
): SysResult {
  if (hi < 0) return -EINVAL;
  return doWrite(k, t, t.files!.get(fd), IovIter.vector(k, t, iov, count), offset64(lo, hi));
}

/** preadv2: offset -1 is the file's own; no flag is supported but RWF_HIPRI, SYNC, DSYNC, which change nothing here. */
export function sys_preadv2(
  k: Kernel,
  t: Task,
  fd: number,
  iov: number,
  n: number,
  lo: number,
  hi: number,
  flags: number,
): SysResult {
  if (flags & ~7) return -EOPNOTSUPP;
  if (lo === -1 && hi === -1) return sys_readv(k, t, fd, iov, n);
  return sys_preadv(k, t, fd, iov, n, lo, hi);
}

/** pwritev2, see preadv2. */
export function sys_pwritev2(
  k: Kernel,
  t: Task,
  fd: number,
  iov: number,
  n: number,
  lo: number,
  hi: number,
  flags: number,
): SysResult {
  if (flags & ~7) return -EOPNOTSUPP;
  if (lo === -1 && hi === -1) return sys_writev(k, t, fd, iov, n);
  return sys_pwritev(k, t, fd, iov, n, lo, hi);
}

function seek(k: Kernel, file: File | undefined, offset: number, whence: number): number {
  if (!file || !(file.readable || file.writable)) return -EBADF;
  if (whence < 0 || whence > 4) return -EINVAL;
  return file.ops.llseek ? file.ops.llseek(k, file, offset, whence) : -ESPIPE;
}

/** lseek(fd, offset, whence): 32-bit result. */
export function sys_lseek(k: Kernel, t: Task, fd: number, offset: number, whence: number): SysResult {
  const to = seek(k, t.files!.get(fd), offset, whence);
  return to > 0x7fff_ffff ? -EOVERFLOW : to;
}

/** _llseek(fd, offset high, offset low, result, whence). */
export function sys_llseek(
  k: Kernel,
  t: Task,
  fd: number,
  hi: number,
  lo: number,
  result: number,
  whence: number,
): SysResult {
  const to = seek(k, t.files!.get(fd), offset64(lo, hi), whence);
  if (to < 0) return to;
  writeI64(k, t, result, to);
  return 0;
}

/** How a body that may wait is driven to its end from inside another one. */
export function* finish(start: () => SysResult): Generator<Wait, number, WakeReason> {
  for (;;) {
    try {
      const r = start();
      return typeof r === "number" ? r : yield* r;
    } catch (e) {
      if (!(e instanceof Retry)) throw e;
      yield e.wait;
    }
  }
}

/** Tries a read or write of a file that is no stream of bytes until it works; a signal ends the wait. */
export function* untilDone(queue: WaitQueue, once: () => number): Generator<Wait, number, WakeReason> {
  for (;;) {
    const r = yield* finish(once);
    if (r !== -EAGAIN) return r;
    const why = yield { queues: [queue], interruptible: true };
    if (why === "signal") return -ERESTARTSYS;
  }
}

/** Bytes moved between files at a time. */
export const COPY_BYTES = 65536;

/**
 * Copies `count` bytes from one file to another through the kernel; positions as in FileOps (-1: the file's own).
 * Returns bytes copied, or the first error if there are none.
 */
export function* copyFile(
  k: Kernel,
  t: Task,
  from: File,
  fromPos: number,
  to: File,
  toPos: number,
  count: number,
): Generator<Wait, number, WakeReason> {
  let done = 0;
  const buffer = new Uint8Array(Math.min(count, COPY_BYTES));
  while (done < count) {
    const part = buffer.subarray(0, Math.min(COPY_BYTES, count - done));
    const before = from.pos;
    const got = yield* finish(() =>
      from.ops.read!(k, t, from, IovIter.kernel(k, t, part), fromPos < 0 ? -1 : fromPos + done),
    );
    if (got <= 0) return done > 0 ? done : got;
    const put = yield* finish(() =>
      to.ops.write!(k, t, to, IovIter.kernel(k, t, part.subarray(0, got)), toPos < 0 ? -1 : toPos + done),
    );
    if (put < got && fromPos < 0 && !from.ops.stream) from.pos = before + Math.max(0, put);
    if (put < 0) return done > 0 ? done : put;
    done += put;
    if (put < got || (got < part.length && from.ops.stream)) return done;
  }
  return done;
}

function* sendFile(
  k: Kernel,
  t: Task,
  outFd: number,
  inFd: number,
  offsetAddr: number,
  count: number,
  is64: boolean,
): Generator<Wait, number, WakeReason> {
  const from = t.files!.get(inFd);
  const to = t.files!.get(outFd);
  if (!from?.readable || !to?.writable) return -EBADF;
  if (!from.ops.read || !to.ops.write || from.ops.stream) return -EINVAL;
  if (to.append) return -EINVAL;
  if (count < 0) return -EINVAL;
  let pos = -1;
  if (offsetAddr !== 0) {
    pos = readI64Or32(k, t, offsetAddr, is64);
    if (pos < 0) return -EINVAL;
  }
  const n = yield* copyFile(k, t, from, pos, to, -1, Math.min(count, MAX_RW_COUNT));
  if (offsetAddr !== 0 && n > 0) {
    if (is64) writeI64(k, t, offsetAddr, pos + n);
    else writeU32(k, t, offsetAddr, pos + n);
  }
  return n;
}

function readI64Or32(k: Kernel, t: Task, addr: number, is64: boolean): number {
  const v = readI64(k, t, addr);
  return is64 ? v : v | 0;
}

/** sendfile(out, in, offset pointer, count) with a 32-bit offset. */
export function sys_sendfile(k: Kernel, t: Task, out: number, inFd: number, offset: number, count: number): SysResult {
  return sendFile(k, t, out, inFd, offset, count, false);
}

/** sendfile64(out, in, offset pointer, count). */
export function sys_sendfile64(
  k: Kernel,
  t: Task,
  out: number,
  inFd: number,
  offset: number,
  count: number,
): SysResult {
  return sendFile(k, t, out, inFd, offset, count, true);
}

/** copy_file_range(in, offset in, out, offset out, length, flags): regular files of one file system. */
export function sys_copy_file_range(
  k: Kernel,
  t: Task,
  inFd: number,
  inOff: number,
  outFd: number,
  outOff: number,
  length: number,
  flags: number,
): SysResult {
  const from = t.files!.get(inFd);
  const to = t.files!.get(outFd);
  if (!from || !to) return -EBADF;
  if (flags !== 0) return -EINVAL;
  if (from.inode.isDir || to.inode.isDir) return -EISDIR;
  if (!from.inode.isRegular || !to.inode.isRegular) return -EINVAL;
  if (!from.readable || !to.writable || to.append) return -EBADF;
  // Files without a size (proc) cannot be copied by range; other pairs of file systems are left to read and write.
  if (from.inode.sb !== to.inode.sb) return -EXDEV;
  return copyRange(k, t, from, inOff, to, outOff, length >>> 0);
}

function* copyRange(
  k: Kernel,
  t: Task,
  from: File,
  inOff: number,
  to: File,
  outOff: number,
  length: number,
): Generator<Wait, number, WakeReason> {
  const fromPos = inOff ? readI64(k, t, inOff) : from.pos;
  const toPos = outOff ? readI64(k, t, outOff) : to.pos;
  if (fromPos < 0 || toPos < 0) return -EINVAL;
  const count = Math.min(length, MAX_RW_COUNT, Math.max(0, from.inode.size - fromPos));
  if (from.inode === to.inode && fromPos + count > toPos && toPos + count > fromPos) return -EINVAL;
  const n = yield* copyFile(k, t, from, fromPos, to, toPos, count);
  if (n <= 0) return n;
  if (inOff) writeI64(k, t, inOff, fromPos + n);
  else from.pos = fromPos + n;
  if (outOff) writeI64(k, t, outOff, toPos + n);
  else to.pos = toPos + n;
  return n;
}
