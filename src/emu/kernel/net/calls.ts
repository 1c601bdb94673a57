// The system calls of sockets (net/socket.c), as far as AF_UNIX needs them.
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EDESTADDRREQ,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOPROTOOPT,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
} from "../errno.ts";
import { MAY_WRITE, O_CLOEXEC, O_NONBLOCK, S_IFSOCK } from "../fs/const.ts";
import type { File } from "../fs/file.ts";
import { IovIter } from "../fs/iov.ts";
import { LOOKUP_FOLLOW, LOOKUP_PARENT, lookupLast, mayCreate, permission, walk } from "../fs/namei.ts";
import { nofile } from "../fs/open.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyIn, copyOut, readI32, readU32, touch, writeU32 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import {
  AF_UNIX,
  acceptOnce,
  blocking,
  checkFamily,
  connectPair,
  connectTo,
  identify,
  type Received,
  receive,
  SOCK_DGRAM,
  SOCKET_BYTES,
  Socket,
  send,
  socketFile,
} from "./socket.ts";

const TYPE_MASK = 15;
const SOL_SOCKET = 1;
const SO = {
  DEBUG: 1,
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  PASSCRED: 16,
  PEERCRED: 17,
  ACCEPTCONN: 30,
  PROTOCOL: 38,
  DOMAIN: 39,
} as const;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 8;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

function socketAt(t: Task, fd: number): File | number {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  return file.data instanceof Socket ? file : -ENOTSOCK;
}

/** socket(family, type | flags, protocol). */
export function sys_socket(k: Kernel, t: Task, family: number, type: number, protocol: number): SysResult {
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const bad = checkFamily(family, type & TYPE_MASK, protocol);
  if (bad < 0) return bad;
  const socket = new Socket(type & TYPE_MASK);
  identify(socket, t);
  return t.files!.install(socketFile(k, socket, type), 0, (type & O_CLOEXEC) !== 0, nofile(t));
}

/** socketpair(family, type | flags, protocol, fds). */
export function sys_socketpair(
  k: Kernel,
  t: Task,
  family: number,
  type: number,
  protocol: number,
  addr: number,
): SysResult {
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const bad = checkFamily(family, type & TYPE_MASK, protocol);
  if (bad < 0) return bad;
  touch(k, t, addr, 8, true);
  const [a, b] = [new Socket(type & TYPE_MASK), new Socket(type & TYPE_MASK)];
  connectPair(a, b);
  identify(a, t);
  identify(b, t);
  const cloexec = (type & O_CLOEXEC) !== 0;
  const first = t.files!.install(socketFile(k, a, type), 0, cloexec, nofile(t));
  if (first < 0) return -EMFILE;
  const second = t.files!.install(socketFile(k, b, type), 0, cloexec, nofile(t));
  if (second < 0) {
    t.files!.close(k, first);
    return -EMFILE;
  }
  writeU32(k, t, addr, first);
  writeU32(k, t, addr + 4, second);
  return 0;
}

/** The name in a struct sockaddr_un: a path, or "\0name"; -errno. */
function readName(k: Kernel, t: Task, addr: number, length: number): string | number {
  if (length < 2 || length > 110) return -EINVAL;
  const bytes = copyIn(k, t, addr, length);
  if ((bytes[0] | (bytes[1] << 8)) !== AF_UNIX) return length === 2 ? -EINVAL : -EAFNOSUPPORT;
  let name = "";
  for (let i = 2; i < length; i++) {
    if (bytes[i] === 0 && bytes[2] !== 0) break;
    name += String.fromCharCode(bytes[i]);
  }
  return name;
}

/** bind(fd, name, length): makes a socket in the file system, or takes an abstract name. */
export function sys_bind(k: Kernel, t: Task, fd: number, addr: number, length: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const s = file.data as Socket;
  const name = readName(k, t, addr, length);
  if (typeof name === "number") return name;
  if (s.name !== "") return -EINVAL;
  if (name === "" || name.charCodeAt(0) === 0) {
    const chosen = name === "" ? `\0${k.vfs.names.auto()}` : name;
    const r = k.vfs.names.bindAbstract(chosen, s);
    if (r === 0) s.name = chosen;
    return r;
  }
  const w = walk(k, t, t.fs!.cwd, name, LOOKUP_PARENT);
  if (typeof w === "number") return w;
  if (w.last === "" || lookupLast(k, t, w)) return -EADDRINUSE;
  const denied = mayCreate(w, t.creds);
  if (denied < 0) return denied;
  const made = w.dentry.inode.create(w.dentry, w.last, S_IFSOCK | (0o777 & ~t.fs!.umask), 0, k, t);
  if (typeof made === "number") return made;
  k.vfs.names.bindInode(made.inode, s);
  s.name = name;
  return 0;
}

/** The socket that listens at a name, or -errno. */
function target(k: Kernel, t: Task, name: string): Socket | number {
  if (name.charCodeAt(0) === 0) return k.vfs.names.byName(name) ?? -ECONNREFUSED;
  if (name === "") return -EINVAL;
  const w = walk(k, t, t.fs!.cwd, name, LOOKUP_FOLLOW);
  if (typeof w === "number") return w;
  const denied = permission(w.dentry.inode, MAY_WRITE, t.creds);
  if (denied < 0) return denied;
  return k.vfs.names.byInode(w.dentry.inode) ?? -ECONNREFUSED;
}

/** connect(fd, name, length): ENOENT for a name that is not there, ECONNREFUSED if nobody listens. */
export function sys_connect(k: Kernel, t: Task, fd: number, addr: number, length: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const name = readName(k, t, addr, length);
  if (typeof name === "number") return name;
  const other = target(k, t, name);
  return typeof other === "number" ? other : connectTo(k, t, file, other);
}

export function sys_listen(_k: Kernel, t: Task, fd: number, backlog: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const s = file.data as Socket;
  if (s.type === SOCK_DGRAM) return -EOPNOTSUPP;
  if (s.name === "" || s.wasConnected) return -EINVAL;
  s.listening = Math.max(1, Math.min(backlog >>> 0, 4096));
  return 0;
}

/** accept4(fd, name, length pointer, flags). */
export function sys_accept4(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  lengthAddr: number,
  flags: number,
): SysResult {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const s = file.data as Socket;
  const once = (): number => {
    if (addr !== 0) touch(k, t, lengthAddr, 4, true);
    const other = acceptOnce(k, s);
    if (typeof other === "number") return other;
    const n = t.files!.install(socketFile(k, other, flags), 0, (flags & O_CLOEXEC) !== 0, nofile(t));
    if (n >= 0 && addr !== 0) writeName(k, t, other.peer?.name ?? "", addr, lengthAddr);
    return n;
  };
  const r = once();
  return r === -EAGAIN && !file.nonblock ? blocking(s.readQueue, once) : r;
}

function writeName(k: Kernel, t: Task, name: string, addr: number, lengthAddr: number): number {
  const bytes = new Uint8Array(2 + name.length + (name !== "" && name.charCodeAt(0) !== 0 ? 1 : 0));
  bytes[0] = AF_UNIX;
  bytes.set(bytesOf(name), 2);
  const room = readI32(k, t, lengthAddr);
  if (room < 0) return -EINVAL;
  copyOut(k, t, addr, bytes.subarray(0, Math.min(room, bytes.length)));
  writeU32(k, t, lengthAddr, bytes.length);
  return 0;
}

export function sys_getsockname(k: Kernel, t: Task, fd: number, addr: number, lengthAddr: number): SysResult {
  const file = socketAt(t, fd);
  return typeof file === "number" ? file : writeName(k, t, (file.data as Socket).name, addr, lengthAddr);
}
export function sys_getpeername(k: Kernel, t: Task, fd: number, addr: number, lengthAddr: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const { peer } = file.data as Socket;
  return peer ? writeName(k, t, peer.name, addr, lengthAddr) : -ENOTCONN;
}

export function sys_shutdown(k: Kernel, t: Task, fd: number, how: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  if (how < 0 || how > 2) return -EINVAL;
  const s = file.data as Socket;
  if (!s.wasConnected && !s.listening) return -ENOTCONN;
  s.shutdown(k, how !== 1, how !== 0);
  return 0;
}

/** sendto(fd, buffer, length, flags, name, name length). */
export function sys_sendto(
  k: Kernel,
  t: Task,
  fd: number,
  buf: number,
  length: number,
  flags: number,
  addr: number,
  nameLength: number,
): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const s = file.data as Socket;
  if (addr !== 0 && s.type === SOCK_DGRAM) {
    const name = readName(k, t, addr, nameLength);
    if (typeof name === "number") return name;
    const other = target(k, t, name);
    if (typeof other === "number") return other;
    s.peer = other;
  } else if (!s.peer && s.type === SOCK_DGRAM) return -EDESTADDRREQ;
  return send(k, t, file, IovIter.user(k, t, buf, length), flags, []);
}

/** recvfrom(fd, buffer, length, flags, name, name length pointer). */
export function sys_recvfrom(
  k: Kernel,
  t: Task,
  fd: number,
  buf: number,
  length: number,
  flags: number,
  addr: number,
  lengthAddr: number,
): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  if (addr !== 0) writeU32(k, t, lengthAddr, 0);
  return receive(k, t, file, IovIter.user(k, t, buf, length), flags, { files: [] });
}

/** struct msghdr, 28 bytes: name, name length, iov, count, control, control length, flags. */
function msghdr(k: Kernel, t: Task, addr: number) {
  const word = (i: number) => readU32(k, t, addr + 4 * i);
  return { name: word(0), nameLength: word(1), iov: word(2), count: word(3), control: word(4), controlLength: word(5) };
}

/** Descriptors in SCM_RIGHTS messages; -errno. */
function rights(k: Kernel, t: Task, control: number, length: number): File[] | number {
  const files: File[] = [];
  if (control === 0) return files;
  for (let at = 0; at + 12 <= length; ) {
    const size = readU32(k, t, control + at);
    if (size < 12 || at + size > length) return -EINVAL;
    if (readI32(k, t, control + at + 4) === SOL_SOCKET && readI32(k, t, control + at + 8) === SCM_RIGHTS) {
      for (let i = 12; i + 4 <= size; i += 4) {
        const file = t.files!.get(readI32(k, t, control + at + i));
        if (!file) return -EBADF;
        files.push(file);
      }
    }
    at += (size + 3) & ~3;
  }
  return files;
}

export function sys_sendmsg(k: Kernel, t: Task, fd: number, addr: number, flags: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const m = msghdr(k, t, addr);
  const files = rights(k, t, m.control, Math.min(m.controlLength, 4096));
  if (typeof files === "number") return files;
  return send(k, t, file, IovIter.vector(k, t, m.iov, m.count), flags, files);
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
  let told = 0;
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
  if (m.name !== 0) writeU32(k, t, addr + 4, 0);
  writeU32(k, t, addr + 20, used);
  writeU32(k, t, addr + 24, told);
  return r;
}

/** getsockopt(fd, level, option, value, length pointer). */
export function sys_getsockopt(
  k: Kernel,
  t: Task,
  fd: number,
  level: number,
  option: number,
  addr: number,
  lengthAddr: number,
): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  if (level !== SOL_SOCKET) return -EOPNOTSUPP;
  const s = file.data as Socket;
  const words = optionWords(s, option);
  if (!words) return -ENOPROTOOPT;
  const room = readI32(k, t, lengthAddr);
  if (room < 0) return -EINVAL;
  const bytes = new Uint8Array(Int32Array.from(words).buffer);
  const n = Math.min(room, bytes.length);
  copyOut(k, t, addr, bytes.subarray(0, n));
  writeU32(k, t, lengthAddr, n);
  return 0;
}

function optionWords(s: Socket, option: number): number[] | null {
  switch (option) {
    case SO.TYPE:
      return [s.type];
    case SO.ERROR:
    case SO.PROTOCOL:
      return [0];
    case SO.SNDBUF:
    case SO.RCVBUF:
      return [s.options.get(option) ?? SOCKET_BYTES];
    case SO.PEERCRED:
      return s.peer ? [s.peer.pid, s.peer.uid, s.peer.gid] : [0, -1, -1];
    case SO.ACCEPTCONN:
      return [s.listening ? 1 : 0];
    case SO.DOMAIN:
      return [AF_UNIX];
    case SO.DEBUG:
    case SO.REUSEADDR:
    case SO.KEEPALIVE:
    case SO.PASSCRED:
      return [s.options.get(option) ?? 0];
    default:
      return null;
  }
}

/** setsockopt(fd, level, option, value, length): remembered. */
export function sys_setsockopt(
  k: Kernel,
  t: Task,
  fd: number,
  level: number,
  option: number,
  addr: number,
  length: number,
): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  if (level !== SOL_SOCKET) return -EOPNOTSUPP;
  if (length < 4) return -EINVAL;
  if (addr === 0) return -EFAULT;
  (file.data as Socket).options.set(option, readI32(k, t, addr));
  return option < 1 || option > 76 ? -ENOPROTOOPT : 0;
}

/** socketcall(call, arguments): the old way into all of these. */
export function sys_socketcall(k: Kernel, t: Task, call: number, args: number): SysResult {
  const a = (i: number) => readI32(k, t, args + 4 * i);
  switch (call) {
    case 1:
      return sys_socket(k, t, a(0), a(1), a(2));
    case 2:
      return sys_bind(k, t, a(0), a(1), a(2));
    case 3:
      return sys_connect(k, t, a(0), a(1), a(2));
    case 4:
      return sys_listen(k, t, a(0), a(1));
    case 5:
      return sys_accept4(k, t, a(0), a(1), a(2), 0);
    case 6:
      return sys_getsockname(k, t, a(0), a(1), a(2));
    case 7:
      return sys_getpeername(k, t, a(0), a(1), a(2));
    case 8:
      return sys_socketpair(k, t, a(0), a(1), a(2), a(3));
    case 9:
      return sys_sendto(k, t, a(0), a(1), a(2), a(3), 0, 0);
    case 10:
      return sys_recvfrom(k, t, a(0), a(1), a(2), a(3), 0, 0);
    case 11:
      return sys_sendto(k, t, a(0), a(1), a(2), a(3), a(4), a(5));
    case 12:
      return sys_recvfrom(k, t, a(0), a(1), a(2), a(3), a(4), a(5));
    case 13:
      return sys_shutdown(k, t, a(0), a(1));
    case 14:
      return sys_setsockopt(k, t, a(0), a(1), a(2), a(3), a(4));
    case 15:
      return sys_getsockopt(k, t, a(0), a(1), a(2), a(3), a(4));
    case 16:
      return sys_sendmsg(k, t, a(0), a(1), a(2));
    case 17:
      return sys_recvmsg(k, t, a(0), a(1), a(2));
    case 18:
      return sys_accept4(k, t, a(0), a(1), a(2), a(3));
    default:
      return -EINVAL;
  }
}
