// The system calls of sockets (net/socket.c), whatever their family.
import { EAFNOSUPPORT, EAGAIN, EINVAL, EMFILE, EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from "../errno.ts";
import { O_CLOEXEC, O_NONBLOCK } from "../fs/const.ts";
import { IovIter } from "../fs/iov.ts";
import { nofile } from "../fs/open.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readI32, touch, writeU32 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from "./const.ts";
import { sys_recvmmsg, sys_recvmsg, sys_sendmmsg, sys_sendmsg } from "./message.ts";
import { NETLINK_ROUTE, NetlinkSocket } from "./netlink.ts";
import { socketAt, sys_getsockopt, sys_setsockopt } from "./options.ts";
import { blocking, deadlineOf, identify, type Received, type Socket } from "./socket.ts";
import { acceptOnce, putFiles, receive, send, socketFile } from "./socket_file.ts";
import { TcpSocket } from "./tcp.ts";
import { IPPROTO_UDPLITE, UdpSocket } from "./udp.ts";
import { connectPair, UnixSocket } from "./unix.ts";

const TYPE_MASK = 15;
const SOCK_RAW = 3;
/** Longest name of any family (struct sockaddr_storage). */
const SOCKADDR_BYTES = 128;

/** A new socket, or the errno that socket() gives for what does not exist here. */
function create(k: Kernel, family: number, type: number, protocol: number): Socket | number {
  if (family === AF_UNIX) {
    if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
    const known = type === SOCK_STREAM || type === SOCK_DGRAM || type === SOCK_SEQPACKET;
    return known ? new UnixSocket(type) : -ESOCKTNOSUPPORT;
  }
  if (family === AF_NETLINK) {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    return protocol === NETLINK_ROUTE ? new NetlinkSocket(type) : -EPROTONOSUPPORT;
  }
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  if (protocol < 0 || protocol > 262) return -EINVAL;
  if (type === SOCK_STREAM) return protocol === 0 || protocol === 6 ? new TcpSocket(k, family) : -EPROTONOSUPPORT;
  if (type === SOCK_DGRAM) {
    if (protocol === IPPROTO_UDPLITE) return new UdpSocket(k, family, protocol);
    return protocol === 0 || protocol === 17 ? new UdpSocket(k, family) : -EPROTONOSUPPORT;
  }
  return type === SOCK_RAW ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
}

/** A struct sockaddr of the caller. */
function sockaddr(k: Kernel, t: Task, addr: number, length: number): Uint8Array | number {
  if (length < 0 || length > SOCKADDR_BYTES) return -EINVAL;
  return copyIn(k, t, addr, length);
}

/** Tells a name as far as there is room, and its whole length. */
function writeName(k: Kernel, t: Task, bytes: Uint8Array, addr: number, lengthAddr: number): number {
  const room = readI32(k, t, lengthAddr);
  if (room < 0) return -EINVAL;
  copyOut(k, t, addr, bytes.subarray(0, Math.min(room, bytes.length)));
  writeU32(k, t, lengthAddr, bytes.length);
  return 0;
}

/** socket(family, type | flags, protocol). */
export function sys_socket(k: Kernel, t: Task, family: number, type: number, protocol: number): SysResult {
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const socket = create(k, family, type & TYPE_MASK, protocol);
  if (typeof socket === "number") return socket;
  identify(socket, t);
  return t.files!.install(socketFile(k, socket, type), 0, (type & O_CLOEXEC) !== 0, nofile(t));
}

/** socketpair(family, type | flags, protocol, fds): AF_UNIX only. */
export function sys_socketpair(
  k: Kernel,
  t: Task,
  family: number,
  type: number,
  protocol: number,
  addr: number,
): SysResult {
  if (type & ~(TYPE_MASK | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const a = create(k, family, type & TYPE_MASK, protocol);
  const b = create(k, family, type & TYPE_MASK, protocol);
  if (typeof a === "number" || typeof b === "number") return a as number;
  if (!(a instanceof UnixSocket && b instanceof UnixSocket)) return -EOPNOTSUPP;
  touch(k, t, addr, 8, true);
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

/** bind(fd, name, length). */
export function sys_bind(k: Kernel, t: Task, fd: number, addr: number, length: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const name = sockaddr(k, t, addr, length);
  return typeof name === "number" ? name : (file.data as Socket).bind(k, t, name);
}

/** connect(fd, name, length). */
export function sys_connect(k: Kernel, t: Task, fd: number, addr: number, length: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const name = sockaddr(k, t, addr, length);
  return typeof name === "number" ? name : (file.data as Socket).connect(k, t, file, name);
}

export function sys_listen(k: Kernel, t: Task, fd: number, backlog: number): SysResult {
  const file = socketAt(t, fd);
  return typeof file === "number" ? file : (file.data as Socket).listen(k, t, backlog);
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
    const other = acceptOnce(k, t, s);
    if (typeof other === "number") return other;
    const n = t.files!.install(socketFile(k, other, flags), 0, (flags & O_CLOEXEC) !== 0, nofile(t));
    if (n >= 0 && addr !== 0) writeName(k, t, other.callerName(), addr, lengthAddr);
    return n;
  };
  const r = once();
  return r === -EAGAIN && !file.nonblock ? blocking(s.readQueue, once, deadlineOf(k, s.receiveTimeout)) : r;
}

export function sys_getsockname(k: Kernel, t: Task, fd: number, addr: number, lengthAddr: number): SysResult {
  const file = socketAt(t, fd);
  return typeof file === "number" ? file : writeName(k, t, (file.data as Socket).name(), addr, lengthAddr);
}
export function sys_getpeername(k: Kernel, t: Task, fd: number, addr: number, lengthAddr: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  const name = (file.data as Socket).peerName();
  return typeof name === "number" ? name : writeName(k, t, name, addr, lengthAddr);
}

export function sys_shutdown(k: Kernel, t: Task, fd: number, how: number): SysResult {
  const file = socketAt(t, fd);
  if (typeof file === "number") return file;
  if (how < 0 || how > 2) return -EINVAL;
  return (file.data as Socket).shutdown(k, how !== 1, how !== 0);
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
  const to = addr === 0 ? undefined : sockaddr(k, t, addr, nameLength);
  if (typeof to === "number") return to;
  return send(k, t, file, IovIter.user(k, t, buf, length), { flags, files: [], to });
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
  const got: Received = { files: [] };
  if (addr !== 0) touch(k, t, lengthAddr, 4, true);
  const r = receive(k, t, file, IovIter.user(k, t, buf, length), flags, got);
  if (typeof r !== "number") return recvLater(k, t, r, got, addr, lengthAddr);
  return tellSender(k, t, r, got, addr, lengthAddr);
}

function* recvLater(
  k: Kernel,
  t: Task,
  wait: Generator<Wait, number, WakeReason>,
  got: Received,
  addr: number,
  lengthAddr: number,
): Generator<Wait, number, WakeReason> {
  return tellSender(k, t, yield* wait, got, addr, lengthAddr);
}

function tellSender(k: Kernel, t: Task, r: number, got: Received, addr: number, lengthAddr: number): number {
  putFiles(k, got);
  if (r < 0 || addr === 0) return r;
  return writeName(k, t, got.from ?? new Uint8Array(0), addr, lengthAddr) || r;
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
    case 19:
      return sys_recvmmsg(k, t, a(0), a(1), a(2), a(3), a(4));
    case 20:
      return sys_sendmmsg(k, t, a(0), a(1), a(2), a(3));
    default:
      return -EINVAL;
  }
}
