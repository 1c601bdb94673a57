// Regular files on the page cache: read, write, seek, sync (mm/filemap.c).
import { EBADF, EFBIG, EINVAL, ENOSPC, ENXIO, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { SysResult } from "../sched.ts";
import { SIGXFSZ } from "../signal.ts";
import { RLIMIT, type Task } from "../task.ts";
import { Retry, type Wait, type WakeReason } from "../wait.ts";
import type { AddressSpace } from "./address_space.ts";
import {
  MAX_FILE_BYTES,
  MAX_NON_LFS,
  O_LARGEFILE,
  O_NOATIME,
  O_SYNC,
  S_ISGID,
  S_ISUID,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { Inode } from "./inode.ts";
import type { IovIter } from "./iov.ts";
import { CAP, capable } from "./namei.ts";
import { PAGE_SIZE, type Page, READ_AHEAD_PAGES } from "./page_cache.ts";
import { currentTime, earlier } from "./times.ts";
import { objectOf, recordBytes, recordPages, recordShort } from "./trace.ts";

/** relatime: the access time moves if it is not newer than the last change, or a day old. */
export function touchAtime(k: Kernel, file: File): void {
  const inode = file.inode;
  if (file.flags & O_NOATIME || file.path.mnt.readOnly) return;
  const now = currentTime(k);
  if (!earlier(inode.mtime, inode.atime) || !earlier(inode.ctime, inode.atime) || now.sec - inode.atime.sec >= 86400)
    inode.atime = now;
}

/** Copies of cached pages to the reader until one is missing; returns bytes copied. The cursor moves with them. */
function copyCached(file: File, mapping: AddressSpace, iter: IovIter, pos: number, count: number): number {
  const { cache } = mapping;
  let done = 0;
  while (done < count) {
    const at = pos + done;
    const page = mapping.cached(Math.floor(at / PAGE_SIZE));
    if (!page) break;
    const from = at % PAGE_SIZE;
    const n = Math.min(PAGE_SIZE - from, count - done);
    page.pins++;
    try {
      iter.putHost(cache.address(page) + from, n);
    } finally {
      page.pins--;
    }
    // Reading on in a page is not using it again.
    if (page.index !== file.raPage) cache.markAccessed(page);
    file.raPage = page.index;
    iter.advance(n);
    done += n;
  }
  return done;
}

/** How many pages to read at once: a sequential reader's window doubles up to READ_AHEAD_PAGES. */
function window(file: File, index: number): number {
  const sequential = index === file.raNext || index === 0;
  file.raPages = sequential ? Math.min(READ_AHEAD_PAGES, Math.max(4, file.raPages * 2)) : 1;
  file.raNext = index + file.raPages;
  return file.raPages;
}

function finishRead(k: Kernel, t: Task, file: File, at: number, own: boolean, done: number): number {
  if (own) file.pos = at + done;
  if (done > 0) touchAtime(k, file);
  if (k.recorder.enabled) {
    recordBytes(k, t, objectOf(k, file.inode), at, done);
    if (done > 0) {
      recordPages(k, t, file.inode, Math.floor(at / PAGE_SIZE), Math.floor((at + done - 1) / PAGE_SIZE), false);
    }
  }
  return done;
}

function read(k: Kernel, t: Task, file: File, iter: IovIter, pos: number): SysResult {
  const inode = file.inode;
  const own = pos < 0;
  const at = own ? file.pos : pos;
  const count = Math.min(iter.left, inode.size - at);
  if (count < iter.left) recordShort(k, t, false);
  if (count <= 0) return finishRead(k, t, file, at, own, 0);
  const mapping = inode.mapping!;
  // A Retry from here leaves nothing changed but user memory, which the second attempt writes again.
  const done = copyCached(file, mapping, iter, at, count);
  if (done === count) return finishRead(k, t, file, at, own, done);
  return readMissing(k, t, file, iter, at, own, done, count);
}

function* readMissing(
  k: Kernel,
  t: Task,
  file: File,
  iter: IovIter,
  at: number,
  own: boolean,
  first: number,
  count: number,
): Generator<Wait, number, WakeReason> {
  const mapping = file.inode.mapping!;
  let done = first;
  while (done < count && at + done < file.inode.size) {
    try {
      const index = Math.floor((at + done) / PAGE_SIZE);
      const want = Math.ceil((at + count) / PAGE_SIZE) - index;
      const page = mapping.fetch(
        index,
        Math.max(want > READ_AHEAD_PAGES ? READ_AHEAD_PAGES : want, window(file, index)),
      );
      if (!("pfn" in page)) {
        yield page;
        continue;
      }
      const n = copyCached(file, mapping, iter, at + done, Math.min(count, file.inode.size - at) - done);
      done += n;
    } catch (e) {
      if (e instanceof Retry) yield e.wait;
      else if (e instanceof SysError && done > 0) break;
      else throw e;
    }
  }
  return finishRead(k, t, file, at, own, done);
}

/** Writing takes setuid and setgid away, unless the writer may keep them (file_remove_privs). */
export function removePrivs(inode: Inode, t: Task): void {
  if ((inode.mode & (S_ISUID | S_ISGID)) === 0 || capable(t.creds, CAP.FSETID)) return;
  inode.mode &= ~S_ISUID;
  if (inode.mode & 0o10) inode.mode &= ~S_ISGID;
}

/** The limit on file size (`large`: opened with O_LARGEFILE): how many bytes may be written at `at`; -EFBIG with SIGXFSZ if none. */
export function sizeLimit(k: Kernel, t: Task, at: number, count: number, large = true): number {
  const limit = t.signal.rlimits[RLIMIT.FSIZE]?.cur ?? Number.POSITIVE_INFINITY;
  const most = large ? MAX_FILE_BYTES : MAX_NON_LFS;
  if (at + count <= limit && at + count <= most) return count;
  if (at >= limit) {
    k.signals.send(t, k.signals.userInfo(t, SIGXFSZ));
    return -EFBIG;
  }
  if (at >= most) return -EFBIG;
  return Math.min(limit, most) - at;
}

/** Does the store hold this page, so that writing part of it must first read it? */
function needsRead(mapping: AddressSpace, index: number): boolean {
  return mapping.cached(index) === null && mapping.has(index);
}

/** A page that only part of is overwritten, brought if the store holds it. @throws Retry */
function partial(mapping: AddressSpace, index: number): Page | null {
  if (!needsRead(mapping, index)) return mapping.cached(index);
  const page = mapping.fetch(index, 1);
  if (!("pfn" in page)) throw new Retry(page);
  return page;
}

function write(k: Kernel, t: Task, file: File, iter: IovIter, pos: number): SysResult {
  const inode = file.inode;
  const mapping = inode.mapping!;
  const own = pos < 0;
  const at = file.append ? inode.size : own ? file.pos : pos;
  if (iter.left === 0) return 0;
  const count = sizeLimit(k, t, at, iter.left, (file.flags & O_LARGEFILE) !== 0);
  if (count < 0) return count;
  const first = Math.floor(at / PAGE_SIZE);
  const last = Math.floor((at + count - 1) / PAGE_SIZE);
  const busy = mapping.stored ? mapping.cache.throttle() : null;
  if (busy) throw new Retry(busy);
  // What is only partly overwritten must be here before anything changes.
  const edges: (Page | null)[] = [];
  if (at % PAGE_SIZE !== 0) edges.push(partial(mapping, first));
  if ((at + count) % PAGE_SIZE !== 0 && at + count < inode.size) edges.push(partial(mapping, last));
  // A page being read that will be overwritten whole: wait for it as well.
  for (let i = first; i <= last && mapping.pages.size > 0; i++) if (mapping.pages.get(i)?.reading) partial(mapping, i);
  let done = 0;
  // They stay until they are written: room for the others may have to be made.
  for (const page of edges) if (page) page.pins++;
  try {
    iter.touch(count, false);
    if (at > inode.size) mapping.extend(inode.size);
    while (done < count) done += writePage(mapping, iter, at + done, count - done);
  } finally {
    for (const page of edges) if (page) page.pins--;
  }
  const n = finishWrite(k, t, file, at, own, done);
  return (file.flags & O_SYNC) === O_SYNC ? syncThen(mapping, n) : n;
}

function writePage(mapping: AddressSpace, iter: IovIter, at: number, left: number): number {
  const { cache } = mapping;
  const index = Math.floor(at / PAGE_SIZE);
  const from = at % PAGE_SIZE;
  const n = Math.min(PAGE_SIZE - from, left);
  let page: Page | null = mapping.cached(index);
  if (!page) {
    page = mapping.grab(index);
    // Nothing of it is on the store, or all of it will be overwritten; what is not written reads as zeros.
    if (n < PAGE_SIZE) mapping.zero(page, 0, PAGE_SIZE);
  }
  page.pins++;
  try {
    iter.takeHost(cache.address(page) + from, n);
  } finally {
    page.pins--;
  }
  cache.host.written(page.pfn);
  mapping.setDirty(page);
  const end = at + n;
  if (end > mapping.inode.size) mapping.inode.size = end;
  iter.advance(n);
  return n;
}

function finishWrite(k: Kernel, t: Task, file: File, at: number, own: boolean, done: number): number {
  const inode = file.inode;
  if (own) file.pos = at + done;
  inode.mtime = inode.ctime = currentTime(k);
  removePrivs(inode, t);
  if (k.recorder.enabled) {
    recordBytes(k, t, objectOf(k, inode), at, done);
    recordPages(k, t, inode, Math.floor(at / PAGE_SIZE), Math.floor((at + done - 1) / PAGE_SIZE), true);
  }
  return done;
}

function* syncThen(mapping: AddressSpace, result: number): Generator<Wait, number, WakeReason> {
  const queue = mapping.sync();
  if (queue) yield { queues: [queue], interruptible: false };
  return result;
}

/** A new position by whence, for files with a size; -errno if it is none. */
export function seekTo(file: File, offset: number, whence: number): number {
  const size = file.inode.size;
  let to: number;
  switch (whence) {
    case SEEK_SET:
      to = offset;
      break;
    case SEEK_CUR:
      to = file.pos + offset;
      break;
    case SEEK_END:
      to = size + offset;
      break;
    case SEEK_DATA:
    case SEEK_HOLE: {
      if (offset < 0 || offset >= size) return -ENXIO;
      const mapping = file.inode.mapping;
      if (!mapping) to = whence === SEEK_DATA ? offset : size;
      else to = whence === SEEK_DATA ? seekData(mapping, offset, size) : seekHole(mapping, offset, size);
      if (to < 0) return to;
      break;
    }
    default:
      return -EINVAL;
  }
  if (to < 0 || to > MAX_FILE_BYTES) return -EINVAL;
  file.pos = to;
  return to;
}

function seekData(mapping: AddressSpace, offset: number, size: number): number {
  const index = mapping.nextData(Math.floor(offset / PAGE_SIZE));
  if (index < 0 || index * PAGE_SIZE >= size) return -ENXIO;
  return Math.max(offset, index * PAGE_SIZE);
}

function seekHole(mapping: AddressSpace, offset: number, size: number): number {
  let index = Math.floor(offset / PAGE_SIZE);
  if (!mapping.hasData(index)) return offset;
  while (index * PAGE_SIZE < size && mapping.hasData(index)) index++;
  return Math.min(size, index * PAGE_SIZE);
}

function fsync(_k: Kernel, _t: Task, file: File): SysResult {
  return syncThen(file.inode.mapping!, 0);
}

export const regularOps: FileOps = {
  read,
  write,
  llseek: (_k, file, offset, whence) => seekTo(file, offset, whence),
  fsync,
};

/**
 * Reads a file's bytes for the kernel (exec). Shorter at the end of the file.
 * @throws Retry while pages are missing, before anything is copied
 */
export function kernelRead(_k: Kernel, inode: Inode, pos: number, count: number): Uint8Array {
  const mapping = inode.mapping;
  if (!mapping) throw new SysError(EBADF);
  const n = Math.max(0, Math.min(count, inode.size - pos));
  const out = new Uint8Array(n);
  const { cache } = mapping;
  const first = Math.floor(pos / PAGE_SIZE);
  for (let index = first; index * PAGE_SIZE < pos + n; index++) {
    const page = mapping.fetch(index, READ_AHEAD_PAGES >> 1);
    if (!("pfn" in page)) throw new Retry(page);
    cache.markAccessed(page);
    const start = Math.max(pos, index * PAGE_SIZE);
    const end = Math.min(pos + n, (index + 1) * PAGE_SIZE);
    const from = cache.address(page) + (start % PAGE_SIZE);
    out.set(cache.host.u8.subarray(from, from + end - start), start - pos);
  }
  return out;
}

/** Reserves space or changes the size (fallocate modes 0, KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE). */
export function allocate(k: Kernel, inode: Inode, mode: number, offset: number, length: number): number {
  if (offset + length > MAX_FILE_BYTES) return -EFBIG;
  const mapping = inode.mapping!;
  const keepSize = (mode & 1) !== 0;
  if (mode & 2 || mode & 16) mapping.punch(offset, Math.min(offset + length, inode.size));
  if (length > k.vfs.rootSuper.statfs(k).bfree * PAGE_SIZE) return -ENOSPC;
  if (!(mode & 18)) mapping.reserve(Math.floor(offset / PAGE_SIZE), Math.ceil((offset + length) / PAGE_SIZE));
  if (!keepSize && offset + length > inode.size) {
    mapping.extend(inode.size);
    inode.size = offset + length;
  }
  inode.mtime = inode.ctime = currentTime(k);
  return 0;
}
