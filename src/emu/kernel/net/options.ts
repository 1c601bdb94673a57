// Options of sockets: what getsockopt answers and setsockopt takes (net/core/sock.c, net/ipv4/tcp.c, ip_sockglue.c). Most are
// only remembered: on a loopback device without loss or delay they change nothing.
import { EBADF, EDOM, EFAULT, EINVAL, ENOENT, ENOPROTOOPT, ENOTSOCK, EOPNOTSUPP, EPERM } from "../errno.ts";
import type { File } from "../fs/file.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf, copyIn, copyOut, readI32, readU32, writeU32 } from "../user.ts";
import {
  AF_INET6,
  AF_NETLINK,
  AF_UNIX,
  SO_LINGER,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCKET_BYTES,
  SOL_SOCKET,
} from "./const.ts";
import { Socket } from "./socket.ts";
import { TCP, TcpSocket } from "./tcp.ts";
import { IPPROTO_UDPLITE } from "./udp.ts";

const SOL_IP = 0;
const SOL_TCP = 6;
const SOL_UDP = 17;
const SOL_IPV6 = 41;
const SO = {
  DEBUG: 1,
  TYPE: 3,
  ERROR: 4,
  DONTROUTE: 5,
  BROADCAST: 6,
  SNDBUF: 7,
  RCVBUF: 8,
  KEEPALIVE: 9,
  OOBINLINE: 10,
  NO_CHECK: 11,
  PRIORITY: 12,
  PASSCRED: 16,
  PEERCRED: 17,
  RCVLOWAT: 18,
  SNDLOWAT: 19,
  RCVTIMEO: 20,
  SNDTIMEO: 21,
  TIMESTAMP: 29,
  ACCEPTCONN: 30,
  SNDBUFFORCE: 32,
  RCVBUFFORCE: 33,
  MARK: 36,
  PROTOCOL: 38,
  DOMAIN: 39,
  RCVTIMEO_NEW: 66,
  SNDTIMEO_NEW: 67,
} as const;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;
const TCP_INFO_BYTES = 104;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_TCLASS = 67;

/** Options that hold one int, by level: number and what it is at first. `flag`: any other value than 0 is 1. */
const FLAGS: ReadonlyMap<number, ReadonlySet<number>> = new Map([
  [
    SOL_SOCKET,
    new Set<number>([
      ...[SO.DEBUG, SO_REUSEADDR, SO.DONTROUTE, SO.BROADCAST, SO.KEEPALIVE, SO.OOBINLINE, SO.NO_CHECK],
      ...[SO_REUSEPORT, SO.PASSCRED, SO.TIMESTAMP],
    ]),
  ],
  [SOL_TCP, new Set([1, 3, 12])],
  // RECVERR, PKTINFO, RECVTTL, RECVTOS, FREEBIND.
  [SOL_IP, new Set([8, 11, 12, 13, 15])],
  // V6ONLY, RECVPKTINFO, RECVHOPLIMIT, RECVTCLASS.
  [SOL_IPV6, new Set([IPV6_V6ONLY, 49, 51, 66])],
]);
const INTS: ReadonlyMap<number, ReadonlyMap<number, number>> = new Map([
  [
    SOL_SOCKET,
    new Map<number, number>([
      [SO.PRIORITY, 0],
      [SO.RCVLOWAT, 1],
      [SO.SNDLOWAT, 1],
      [SO.MARK, 0],
    ]),
  ],
  // TCP_MAXSEG, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP, USER_TIMEOUT, FASTOPEN, NOTSENT_LOWAT.
  [
    SOL_TCP,
    new Map([
      [2, 65483],
      [4, 7200],
      [5, 75],
      [6, 9],
      [7, 6],
      [8, 60],
      [9, 0],
      [10, 0],
      [18, 0],
      [23, 0],
      [25, -1],
    ]),
  ],
  // UDP_CORK.
  [SOL_UDP, new Map([[1, 0]])],
  // UDP_CORK, UDPLITE_SEND_CSCOV, UDPLITE_RECV_CSCOV.
  [
    IPPROTO_UDPLITE,
    new Map([
      [1, 0],
      [10, 0],
      [11, 0],
    ]),
  ],
  // IP_TOS, TTL, MTU_DISCOVER, BIND_ADDRESS_NO_PORT, MULTICAST_TTL, MULTICAST_LOOP.
  [
    SOL_IP,
    new Map([
      [1, 0],
      [2, 64],
      [10, 1],
      [24, 0],
      [33, 1],
      [34, 1],
    ]),
  ],
  // IPV6_UNICAST_HOPS, MULTICAST_HOPS, MULTICAST_LOOP, RECVERR, TCLASS.
  [
    SOL_IPV6,
    new Map([
      [16, 64],
      [18, 1],
      [19, 1],
      [25, 0],
      [67, 0],
    ]),
  ],
]);

/** The most of TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and TCP_SYNCNT. */
const TCP_MOST: ReadonlyMap<number, number> = new Map([
  [4, 32767],
  [5, 32767],
  [6, 127],
  [7, 127],
]);

/** The least and most that SO_SNDBUF and SO_RCVBUF become (the doubled value; net.core.wmem_max). */
const LEAST = { [SO.SNDBUF]: 4608, [SO.RCVBUF]: 2304 } as const;

export function socketAt(t: Task, fd: number): File | number {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  return file.data instanceof Socket ? file : -ENOTSOCK;
}

const SOL_NETLINK = 270;

/** Whether a socket knows the options of a level. */
function knows(s: Socket, level: number): boolean {
  if (level === SOL_SOCKET) return true;
  if (s.family === AF_UNIX || s.family === AF_NETLINK) return false;
  return level === SOL_IP || level === s.protocol || (level === SOL_IPV6 && s.family === AF_INET6);
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
  const s = file.data as Socket;
  if (!knows(s, level)) return -EOPNOTSUPP;
  const room = readI32(k, t, lengthAddr);
  if (room < 0) return -EINVAL;
  const bytes = optionValue(k, s, level, option);
  if (!bytes) return -ENOPROTOOPT;
  // TCP_INFO and the like may be cut; an int too.
  const n = Math.min(room, bytes.length);
  copyOut(k, t, addr, bytes.subarray(0, n));
  writeU32(k, t, lengthAddr, n);
  return 0;
}

const words = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);

function optionValue(k: Kernel, s: Socket, level: number, option: number): Uint8Array | null {
  const set = s.options.get((level << 16) | option);
  if (FLAGS.get(level)?.has(option)) return words(set ?? (level === SOL_TCP && option === 12 ? 1 : 0));
  if (level === SOL_SOCKET) return socketValue(k, s, option, set);
  if (level === SOL_TCP && option === TCP_INFO) return tcpInfo(s);
  if (level === SOL_TCP && option === TCP_CONGESTION) return bytesOf("cubic".padEnd(16, "\0"));
  const first = INTS.get(level)?.get(option);
  return first === undefined ? null : words(set ?? first);
}

function socketValue(k: Kernel, s: Socket, option: number, set: number | undefined): Uint8Array | null {
  switch (option) {
    case SO.TYPE:
      return words(s.type);
    case SO.ERROR:
      return words(s.takeError());
    case SO.PROTOCOL:
      return words(s.protocol);
    case SO.DOMAIN:
      return words(s.family);
    case SO.SNDBUF:
    case SO.RCVBUF:
      return words(set ?? SOCKET_BYTES);
    case SO.PEERCRED:
      return s.peer && s.family === AF_UNIX ? words(s.peer.pid, s.peer.uid, s.peer.gid) : words(0, -1, -1);
    case SO.ACCEPTCONN:
      return words(s.listening ? 1 : 0);
    case SO_LINGER:
      return words(set === undefined || set < 0 ? 0 : 1, set === undefined || set < 0 ? 0 : set);
    case SO.RCVTIMEO:
    case SO.SNDTIMEO:
      return timeval(k, option === SO.RCVTIMEO ? s.receiveTimeout : s.sendTimeout, false);
    case SO.RCVTIMEO_NEW:
    case SO.SNDTIMEO_NEW:
      return timeval(k, option === SO.RCVTIMEO_NEW ? s.receiveTimeout : s.sendTimeout, true);
    default: {
      const first = INTS.get(SOL_SOCKET)!.get(option);
      return first === undefined ? null : words(set ?? first);
    }
  }
}

function timeval(k: Kernel, units: number, is64: boolean): Uint8Array {
  const us = Math.round((units * k.nsPerUnit) / 1000);
  const [sec, usec] = [Math.floor(us / 1e6), us % 1e6];
  return is64 ? words(sec, 0, usec, 0) : words(sec, usec);
}

/** The beginning of struct tcp_info: the state; nothing was lost, nothing waits. */
function tcpInfo(s: Socket): Uint8Array {
  const bytes = new Uint8Array(TCP_INFO_BYTES);
  bytes[0] = s instanceof TcpSocket ? s.state : TCP.close;
  return bytes;
}

/** setsockopt(fd, level, option, value, length). */
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
  const s = file.data as Socket;
  // Groups that are never told anything, and what error messages contain.
  if (s.family === AF_NETLINK && level === SOL_NETLINK) return option >= 1 && option <= 12 ? 0 : -ENOPROTOOPT;
  if (!knows(s, level)) return s.family === AF_UNIX ? -EOPNOTSUPP : -ENOPROTOOPT;
  if (level === SOL_TCP && option === TCP_CONGESTION) {
    if (length < 1) return -EINVAL;
    const name = String.fromCharCode(...copyIn(k, t, addr, Math.min(length, 15))).split("\0")[0];
    return name === "cubic" || name === "reno" ? 0 : -ENOENT;
  }
  if (length < 4) return -EINVAL;
  if (addr === 0) return -EFAULT;
  const value = readI32(k, t, addr);
  const key = (level << 16) | option;
  if (FLAGS.get(level)?.has(option)) {
    if (option === IPV6_V6ONLY && level === SOL_IPV6 && s.name()[2] + s.name()[3] > 0) return -EINVAL;
    s.options.set(key, value ? 1 : 0);
    return 0;
  }
  if (level === SOL_SOCKET) return setSocketOption(k, t, s, option, value, addr, length);
  if (!INTS.get(level)?.has(option)) return -ENOPROTOOPT;
  const most = level === SOL_TCP ? TCP_MOST.get(option) : undefined;
  if (most !== undefined && (value < 1 || value > most)) return -EINVAL;
  const isByte = level === SOL_IPV6 && (option === IPV6_UNICAST_HOPS || option === IPV6_TCLASS);
  if (isByte && (value < -1 || value > 255)) return -EINVAL;
  s.options.set(
    key,
    level === IPPROTO_UDPLITE && option > 1 ? coverage(value) : isByte ? byteOption(option, value) : value,
  );
  return 0;
}

/** How much of a packet a checksum covers: all, or the header at least. */
function coverage(value: number): number {
  return value === 0 ? 0 : Math.max(8, Math.min(value >>> 0, 0xffff));
}

/** -1 is the default. */
function byteOption(option: number, value: number): number {
  return value >= 0 ? value : option === IPV6_UNICAST_HOPS ? 64 : 0;
}

function setSocketOption(
  k: Kernel,
  t: Task,
  s: Socket,
  option: number,
  value: number,
  addr: number,
  length: number,
): number {
  const key = (SOL_SOCKET << 16) | option;
  switch (option) {
    case SO.SNDBUF:
    case SO.RCVBUF: {
      const most = SOCKET_BYTES >>> 0;
      s.options.set(key, Math.max(LEAST[option], Math.min(value >>> 0, most) * 2));
      return 0;
    }
    case SO.SNDBUFFORCE:
    case SO.RCVBUFFORCE:
      return k.ids.capable(t, "NET_ADMIN") ? setSocketOption(k, t, s, option - 25, value, addr, length) : -EPERM;
    case SO_LINGER:
      if (length < 8) return -EINVAL;
      s.options.set(key, value ? readU32(k, t, addr + 4) : -1);
      return 0;
    case SO.RCVTIMEO:
    case SO.SNDTIMEO:
      return setTimeLimit(k, t, s, option === SO.RCVTIMEO, addr, length, false);
    case SO.RCVTIMEO_NEW:
    case SO.SNDTIMEO_NEW:
      return setTimeLimit(k, t, s, option === SO.RCVTIMEO_NEW, addr, length, true);
    case SO.TYPE:
    case SO.PROTOCOL:
    case SO.DOMAIN:
    case SO.ERROR:
    case SO.ACCEPTCONN:
    case SO.PEERCRED:
    case SO.SNDLOWAT:
      return -ENOPROTOOPT;
    case SO.RCVLOWAT:
      s.options.set(key, value || 1);
      return 0;
    default:
      if (!INTS.get(SOL_SOCKET)!.has(option)) return -ENOPROTOOPT;
      s.options.set(key, value);
      return 0;
  }
}

/** SO_RCVTIMEO, SO_SNDTIMEO: a struct timeval; a negative time is none at all. */
function setTimeLimit(
  k: Kernel,
  t: Task,
  s: Socket,
  read: boolean,
  addr: number,
  length: number,
  is64: boolean,
): number {
  if (length < (is64 ? 16 : 8)) return -EINVAL;
  const sec = readI32(k, t, addr);
  const usec = readI32(k, t, addr + (is64 ? 8 : 4));
  if (usec < 0 || usec >= 1e6) return -EDOM;
  const units = sec < 0 ? 1 : k.units(sec * 1e9 + usec * 1000);
  if (read) s.receiveTimeout = units;
  else s.sendTimeout = units;
  return 0;
}
