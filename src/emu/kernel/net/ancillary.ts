// Control messages of sendmsg and recvmsg, and what those of the Internet protocols say of a packet's header
// (net/core/scm.c, net/ipv4/ip_sockglue.c, net/ipv6/datagram.c).
import { EINVAL, ENOBUFS } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut } from "../user.ts";
import { bytes6 } from "./address.ts";
import { AF_INET6, SOL_SOCKET } from "./const.ts";
import type { InetSocket } from "./inet.ts";

/** struct cmsghdr: length, level, type. */
const HEADER = 12;
/** net.core.optmem_max. */
const MOST = 20480;
const SOL_IP = 0;
const SOL_IPV6 = 41;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_PKTINFO = 8;
const IP_RECVTTL = 12;
const IP_RECVTOS = 13;
const IPV6_UNICAST_HOPS = 16;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_RECVTCLASS = 66;
const IPV6_TCLASS = 67;
const DEFAULT_HOPS = 64;
/** The number of the device lo. */
const LOOPBACK_INDEX = 1;
/** sizeof(struct in_pktinfo), sizeof(struct in6_pktinfo). */
const PKTINFO_BYTES = 12;
const PKTINFO6_BYTES = 20;
const SCM_CREDENTIALS = 2;

/** One control message. */
export interface Control {
  level: number;
  type: number;
  data: Uint8Array;
}

/** What a packet's header says that its receiver may ask for. */
export interface PacketHeader {
  /** Where it went. */
  to: number;
  /** Time to live or hop limit; type of service or traffic class. */
  hops: number;
  service: number;
}

/** The control messages of a call; -EINVAL for one that is longer than its room. */
export function readControls(k: Kernel, t: Task, addr: number, length: number): Control[] | number {
  const found: Control[] = [];
  if (addr === 0 || length < HEADER) return found;
  if (length > MOST) return -ENOBUFS;
  const bytes = copyIn(k, t, addr, length);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at + HEADER <= length; ) {
    const size = view.getUint32(at, true);
    if (size < HEADER || at + size > length) return -EINVAL;
    const [level, type] = [view.getInt32(at + 4, true), view.getInt32(at + 8, true)];
    found.push({ level, type, data: bytes.subarray(at + HEADER, at + size) });
    at += (size + 3) & ~3;
  }
  return found;
}

/**
 * Puts control messages into a caller's room, as far as they go (put_cmsg).
 * @returns the bytes used, and whether something was cut off
 */
export function putControls(
  k: Kernel,
  t: Task,
  addr: number,
  room: number,
  controls: readonly Control[],
): { used: number; cut: boolean } {
  let used = 0;
  let cut = false;
  for (const { level, type, data } of controls) {
    const left = addr === 0 ? 0 : room - used;
    if (left < HEADER) return { used, cut: true };
    const size = Math.min(HEADER + data.length, left);
    if (size < HEADER + data.length) cut = true;
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, size, true);
    view.setInt32(4, level, true);
    view.setInt32(8, type, true);
    bytes.set(data.subarray(0, size - HEADER), HEADER);
    copyOut(k, t, addr + used, bytes);
    used += Math.min((HEADER + data.length + 3) & ~3, left);
  }
  return { used, cut };
}

const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);

function intOf({ data }: Control): number {
  return new DataView(data.buffer, data.byteOffset).getInt32(0, true);
}

/** A control message's int, if it is one in a range; undefined otherwise. */
function within(c: Control, least: number, most: number): number | undefined {
  if (c.data.length !== 4) return undefined;
  const value = intOf(c);
  return value >= least && value <= most ? value : undefined;
}

/** The header of a packet: the socket's options, and for this one packet what the call says; -EINVAL for what it may not say. */
export function headerFor(s: InetSocket, to: number, controls: readonly Control[]): PacketHeader | number {
  const six = to < 0;
  const level = six ? SOL_IPV6 : SOL_IP;
  const set = (option: number) => s.options.get((level << 16) | option) ?? -1;
  let hops = set(six ? IPV6_UNICAST_HOPS : IP_TTL);
  let service = set(six ? IPV6_TCLASS : IP_TOS);
  for (const c of controls) {
    if (c.level === SOL_SOCKET && (c.type < 1 || c.type > SCM_CREDENTIALS)) return -EINVAL;
    if (c.level !== level) continue;
    let value: number | undefined;
    if (c.type === (six ? IPV6_HOPLIMIT : IP_TTL)) {
      value = within(c, six ? -1 : 1, 255);
      if (value !== undefined) hops = value;
    } else if (c.type === (six ? IPV6_TCLASS : IP_TOS)) {
      value = !six && c.data.length === 1 ? c.data[0] : within(c, six ? -1 : 0, 255);
      if (value !== undefined) service = value;
    } else if (c.type === (six ? IPV6_PKTINFO : IP_PKTINFO)) {
      value = c.data.length >= (six ? PKTINFO6_BYTES : PKTINFO_BYTES) ? 0 : undefined;
    }
    if (value === undefined) return -EINVAL;
  }
  return { to, hops: hops < 0 ? DEFAULT_HOPS : hops, service: Math.max(0, service) };
}

/** What a socket asked to be told of the packets it gets. */
export function asked(s: InetSocket, { to, hops, service }: PacketHeader): Control[] {
  const out: Control[] = [];
  const on = (level: number, option: number) => s.option(level, option) !== 0;
  const address = bytes6(to);
  const tell = (level: number, type: number, data: Uint8Array) => out.push({ level, type, data });
  if (s.family === AF_INET6 && on(SOL_IPV6, IPV6_RECVPKTINFO))
    tell(SOL_IPV6, IPV6_PKTINFO, Uint8Array.of(...address, LOOPBACK_INDEX, 0, 0, 0));
  if (to < 0) {
    if (on(SOL_IPV6, IPV6_RECVHOPLIMIT)) tell(SOL_IPV6, IPV6_HOPLIMIT, int(hops));
    if (on(SOL_IPV6, IPV6_RECVTCLASS)) tell(SOL_IPV6, IPV6_TCLASS, int(service));
    return out;
  }
  const four = address.subarray(12);
  if (on(SOL_IP, IP_PKTINFO)) tell(SOL_IP, IP_PKTINFO, Uint8Array.of(LOOPBACK_INDEX, 0, 0, 0, ...four, ...four));
  if (on(SOL_IP, IP_RECVTTL)) tell(SOL_IP, IP_TTL, int(hops));
  if (on(SOL_IP, IP_RECVTOS)) tell(SOL_IP, IP_TOS, Uint8Array.of(service));
  return out;
}
