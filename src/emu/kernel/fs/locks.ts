// Advisory locks: POSIX and open-file-description locks of fcntl, and flock (fs/locks.c).
import { EAGAIN, EBADF, EDEADLK, EFAULT, EINVAL, EOVERFLOW, ERESTARTSYS } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI32, readI64, readU16, writeI64, writeU32 } from "../user.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import type { File } from "./file.ts";
import { FilesStruct } from "./files.ts";
import type { FileLock, Inode, LockList } from "./inode.ts";

const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

function listOf(inode: Inode): LockList {
  inode.flock ??= { locks: [], waiters: new WaitQueue() };
  return inode.flock;
}

function conflicts(a: FileLock, b: FileLock): boolean {
  return (
    a.owner !== b.owner &&
    a.kind === b.kind &&
    (a.type === "write" || b.type === "write") &&
    a.start <= b.end &&
    b.start <= a.end
  );
}

/** Replaces what the owner held of the range; type null: unlocks it. */
function setRange(k: Kernel, list: LockList, lock: FileLock, unlock: boolean): void {
  const next: FileLock[] = [];
  for (const l of list.locks) {
    if (l.owner !== lock.owner || l.kind !== lock.kind || l.end < lock.start || l.start > lock.end) {
      next.push(l);
      continue;
    }
    if (l.start < lock.start) next.push({ ...l, end: lock.start - 1 });
    if (l.end > lock.end) next.push({ ...l, start: lock.end + 1 });
  }
  if (!unlock) next.push(lock);
  list.locks = next;
  list.waiters.wakeAll(k.cause("lock"));
}

function* lockBlocking(k: Kernel, list: LockList, lock: FileLock): Generator<Wait, number, WakeReason> {
  while (list.locks.some((l) => conflicts(l, lock))) {
    const why = yield { queues: [list.waiters], interruptible: true };
    if (why === "signal" && list.locks.some((l) => conflicts(l, lock))) return -ERESTARTSYS;
  }
  setRange(k, list, lock, false);
  return 0;
}

/** struct flock (16 bytes) or flock64 (24): type, whence, start, length, pid. */
function readLock(
  k: Kernel,
  t: Task,
  file: File,
  addr: number,
  is64: boolean,
): { type: number; start: number; end: number } | number {
  if (addr === 0) return -EFAULT;
  const type = readU16(k, t, addr);
  const whence = readU16(k, t, addr + 2);
  let start = is64 ? readI64(k, t, addr + 4) : readI32(k, t, addr + 4);
  const length = is64 ? readI64(k, t, addr + 12) : readI32(k, t, addr + 8);
  if (whence === 1) start += file.pos;
  else if (whence === 2) start += file.inode.size;
  else if (whence !== 0) return -EINVAL;
  let end = length === 0 ? Number.POSITIVE_INFINITY : start + length - 1;
  if (length < 0) {
    end = start - 1;
    start += length;
  }
  if (start < 0) return -EINVAL;
  if (end !== Number.POSITIVE_INFINITY && end > Number.MAX_SAFE_INTEGER) return -EOVERFLOW;
  return { type, start, end };
}

/** F_GETLK: the first lock in the way, or F_UNLCK. */
function getLock(k: Kernel, t: Task, file: File, addr: number, is64: boolean, ofd: boolean): number {
  const want = readLock(k, t, file, addr, is64);
  if (typeof want === "number") return want;
  if (want.type !== F_RDLCK && want.type !== F_WRLCK) return -EINVAL;
  const probe = lockOf(t, file, want, ofd);
  const found = file.inode.flock?.locks.find((l) => conflicts(l, probe));
  const type = found ? (found.type === "write" ? F_WRLCK : F_RDLCK) : F_UNLCK;
  if (!found) {
    const whence = readU16(k, t, addr + 2);
    writeU32(k, t, addr, type | (whence << 16));
    return 0;
  }
  const length = found.end === Number.POSITIVE_INFINITY ? 0 : found.end - found.start + 1;
  writeU32(k, t, addr, type);
  if (is64) {
    writeI64(k, t, addr + 4, found.start);
    writeI64(k, t, addr + 12, length);
    writeU32(k, t, addr + 20, found.pid);
  } else {
    writeU32(k, t, addr + 4, found.start);
    writeU32(k, t, addr + 8, length);
    writeU32(k, t, addr + 12, found.pid);
  }
  return 0;
}

function lockOf(t: Task, file: File, want: { type: number; start: number; end: number }, ofd: boolean): FileLock {
  const type = want.type === F_WRLCK ? "write" : "read";
  const owner: object = ofd ? file : t.files!;
  return { owner, pid: ofd ? -1 : t.tgid, kind: "posix", type, start: want.start, end: want.end };
}

/** F_GETLK, F_SETLK, F_SETLKW and their 64-bit and OFD forms. */
export function fcntlLock(
  k: Kernel,
  t: Task,
  file: File,
  op: "get" | "set" | "wait",
  addr: number,
  is64: boolean,
  ofd: boolean,
): SysResult {
  if (op === "get") return getLock(k, t, file, addr, is64, ofd);
  const want = readLock(k, t, file, addr, is64);
  if (typeof want === "number") return want;
  if (want.type > F_UNLCK) return -EINVAL;
  if (want.type === F_RDLCK && !file.readable) return -EBADF;
  if (want.type === F_WRLCK && !file.writable) return -EBADF;
  const list = listOf(file.inode);
  const lock = lockOf(t, file, want, ofd);
  if (want.type === F_UNLCK) {
    setRange(k, list, lock, true);
    return 0;
  }
  if (!list.locks.some((l) => conflicts(l, lock))) {
    setRange(k, list, lock, false);
    return 0;
  }
  if (op === "set") return -EAGAIN;
  if (deadlock(t, list, lock)) return -EDEADLK;
  return waiting(k, t, list, lock);
}

/** Would waiting for `lock` close a circle of processes that wait for each other (posix_locks_deadlock)? */
function deadlock(t: Task, list: LockList, lock: FileLock): boolean {
  if (lock.owner !== t.files) return false;
  let holders = list.locks.filter((l) => conflicts(l, lock));
  for (let hops = 0; hops < 10 && holders.length > 0; hops++) {
    const next: FileLock[] = [];
    for (const h of holders) {
      if (h.owner === lock.owner) return true;
      if (h.owner instanceof FilesStruct) next.push(...h.owner.waitsFor);
    }
    holders = next;
  }
  return false;
}

function* waiting(k: Kernel, t: Task, list: LockList, lock: FileLock): Generator<Wait, number, WakeReason> {
  const files = t.files!;
  files.waitsFor = list.locks.filter((l) => conflicts(l, lock));
  try {
    return yield* lockBlocking(k, list, lock);
  } finally {
    files.waitsFor = [];
  }
}

/** flock(fd, operation): LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8; held by the open file. */
export function sys_flock(k: Kernel, t: Task, fd: number, operation: number): SysResult {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  const op = operation & ~4;
  if (op !== 1 && op !== 2 && op !== 8) return -EINVAL;
  const list = listOf(file.inode);
  const whole = { start: 0, end: Number.POSITIVE_INFINITY };
  const lock: FileLock = { owner: file, pid: t.tgid, kind: "flock", type: op === 2 ? "write" : "read", ...whole };
  if (op === 8) {
    setRange(k, list, lock, true);
    return 0;
  }
  if (!list.locks.some((l) => conflicts(l, lock))) {
    setRange(k, list, lock, false);
    return 0;
  }
  return operation & 4 ? -EAGAIN : lockBlocking(k, list, lock);
}
