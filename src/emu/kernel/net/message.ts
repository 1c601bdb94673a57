// sendmsg, recvmsg and their plurals: vectors, names and descriptors in one call (net/socket.c, net/core/scm.c).
import { EBADF, EINVAL, EMSGSIZE, SysError } from "../errno.ts";
import type { File } from "../fs/file.ts";
import { IovIter } from "../fs/iov.ts";
import { nofile } from "../fs/open.ts";
import { finish } from "../fs/read_write.ts";
import { durationNs, readTimespec } from "../fs/times.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readU32, writeU32 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { type Control, putControls, readControls } from "./ancillary.ts";
import { AF_UNIX, MSG_CMSG_CLOEXEC, MSG_CTRUNC, MSG_DONTWAIT, MSG_TRUNC, MSG_WAITFORONE, SOL_SOCKET } from "./const.ts";
import { socketAt } from "./options.ts";
import type { Received, Socket } from "./socket.ts";
import { receive, send } from "./socket_file.ts";

const SCM_RIGHTS = 1;
/** struct mmsghdr: a msghdr and what the call moved. */
const MMSGHDR_BYTES = 32;
const UIO_MAXIOV = 1024;
/** Longest name of any family (struct sockaddr_storage). */
const SOCKADDR_BYTES = 128;

/** struct msghdr, 28 bytes: name, name length, iov, count, control, control length, flags. */
function msghdr(k: Kernel, t: Task, addr: number) {
  const word = (i: number) => readU32(k, t, addr + 4 * i);
  const m = { name: word(0), nameLength: word(1) | 0, iov: word(2), count: word(3), control: word(4) };
  if (m.count > UIO_MAXIOV) throw new SysError(EMSGSIZE);
  if (m.nameLength < 0) throw new SysError(EINVAL);
  return { ...m, controlLength: word(5) };
}

/** Descriptors in SCM_RIGHTS messages; -errno. */
function rights(t: Task, controls: readonly Control[]): File[] | number {
  const files: File[] = [];
  for (const { level, type, data } of controls) {
    if (level !== SOL_SOCKET || type !== SCM_RIGHTS) continue;
    const fds = new DataView(data.buffer, data.byteOffset, data.length);
    for (let i = 0; i + 4 <= data.length; i += 4) {
      const file = t.files!.get(fds.getInt32(i, true));
      if (!file) return -EBADF;
      files.push(file);
    }
  }
  return files;
}

export function sys_sendmsg(k: Kernel, t: Task, fd: number, addr: number, flags: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const m = msghdr(k, t, addr);
  const controls = readControls(k, t, m.control, m.controlLength);
  if (typeof controls === "number") return controls;
  const files = (file.data as Socket).family === AF_UNIX ? rights(t, controls) : [];
  if (typeof files === "number") return files;
  const to =
    m.name !== 0 && m.nameLength > 0 ? copyIn(k, t, m.name, Math.min(m.nameLength, SOCKADDR_BYTES)) : undefined;
  return send(k, t, file, IovIter.vector(k, t, m.iov, m.count), { flags, files, to, controls });
}

export function sys_recvmsg(k: Kernel, t: Task, fd: number, addr: number, flags: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const m = msghdr(k, t, addr);
  const got: Received = { files: [] };
  const r = receive(k, t, file, IovIter.vector(k, t, m.iov, m.count), flags, got);
  return typeof r === "number" ? received(k, t, addr, m, flags, got, r) : recvLater(k, t, addr, m, flags, got, r);
}

function* recvLater(
  k: Kernel,
  t: Task,
  addr: number,
  m: ReturnType<typeof msghdr>,
  flags: number,
  got: Received,
  wait: Generator<Wait, number, WakeReason>,
): Generator<Wait, number, WakeReason> {
  return received(k, t, addr, m, flags, got, yield* wait);
}

/** Hands over descriptors and fills in what recvmsg tells. */
function received(
  k: Kernel,
  t: Task,
  addr: number,
  m: ReturnType<typeof msghdr>,
  flags: number,
  got: Received,
  r: number,
): number {
  let used = 0;
  let told = got.truncated ? MSG_TRUNC : 0;
  if (got.files.length > 0) {
    const fits = m.control === 0 ? 0 : Math.max(0, Math.floor((m.controlLength - 12) / 4));
    const fds: number[] = [];
    for (const file of got.files) {
      const n = fds.length < fits ? t.files!.install(file, 0, (flags & MSG_CMSG_CLOEXEC) !== 0, nofile(t)) : -1;
      if (n >= 0) fds.push(n);
      else told |= MSG_CTRUNC;
      file.put(k);
    }
    if (fds.length > 0) {
      used = 12 + 4 * fds.length;
      [used, SOL_SOCKET, SCM_RIGHTS, ...fds].forEach((word, i) => {
        writeU32(k, t, m.control + 4 * i, word);
      });
    }
  }
  if (r < 0) return r;
  if (got.controls && got.controls.length > 0) {
    const put = putControls(k, t, m.control, m.controlLength, got.controls);
    used = put.used;
    if (put.cut) told |= MSG_CTRUNC;
  }
  if (m.name !== 0) {
    const from = got.from ?? new Uint8Array(0);
    copyOut(k, t, m.name, from.subarray(0, m.nameLength));
    writeU32(k, t, addr + 4, from.length);
  }
  writeU32(k, t, addr + 20, used);
  writeU32(k, t, addr + 24, told | (flags & MSG_CMSG_CLOEXEC));
  return r;
}

/** sendmmsg(fd, vector, count, flags): as many as go; an error counts only for the first. */
export function* sys_sendmmsg(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  count: number,
  flags: number,
): Generator<Wait, number, WakeReason> {
  const most = Math.min(count >>> 0, UIO_MAXIOV);
  for (let i = 0; i < most; i++) {
    const at = addr + MMSGHDR_BYTES * i;
    const r = yield* each(k, t, at, () => sys_sendmsg(k, t, fd, at, flags));
    if (r < 0) return i > 0 ? i : r;
  }
  return most;
}

/** One message of several, and its length beside it; an error is its result. */
function* each(k: Kernel, t: Task, at: number, call: () => SysResult): Generator<Wait, number, WakeReason> {
  let r: number;
  try {
    r = yield* finish(call);
  } catch (e) {
    if (!(e instanceof SysError)) throw e;
    return -e.errno;
  }
  if (r < 0) return r;
  return yield* finish(() => {
    writeU32(k, t, at + 28, r);
    return r;
  });
}

function* recvmmsg(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  count: number,
  flags: number,
  time: number,
  is64: boolean,
): Generator<Wait, number, WakeReason> {
  const most = Math.min(count >>> 0, UIO_MAXIOV);
  const limit = time === 0 ? Number.POSITIVE_INFINITY : k.units(durationNs(readTimespec(k, t, time, is64)));
  const start = k.clock.now();
  let how = flags & ~MSG_WAITFORONE;
  for (let i = 0; i < most; i++) {
    const at = addr + MMSGHDR_BYTES * i;
    const r = yield* each(k, t, at, () => sys_recvmsg(k, t, fd, at, how));
    if (r < 0) return i > 0 ? i : r;
    if (flags & MSG_WAITFORONE) how |= MSG_DONTWAIT;
    // The time limit is looked at between messages only, as Linux does.
    if (k.clock.now() - start >= limit) return i + 1;
  }
  return most;
}

/** recvmmsg(fd, vector, count, flags, timespec). */
export function sys_recvmmsg(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  count: number,
  flags: number,
  time: number,
): SysResult {
  return recvmmsg(k, t, fd, addr, count, flags, time, false);
}
export function sys_recvmmsg_time64(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  count: number,
  flags: number,
  time: number,
): SysResult {
  return recvmmsg(k, t, fd, addr, count, flags, time, true);
}
