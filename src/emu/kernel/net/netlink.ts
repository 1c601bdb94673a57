// AF_NETLINK, NETLINK_ROUTE: what programs ask of the machine's one device, lo (net/netlink, net/core/rtnetlink.c).
//
// The kernel answers at once: a send() leaves the answers in the sender's own queue.
import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
} from "../errno.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRBAND, POLLWRNORM } from "../fs/const.ts";
import type { File, PollResult } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf } from "../user.ts";
import { AF_INET, AF_INET6, AF_NETLINK, AF_UNSPEC, SOCKET_BYTES } from "./const.ts";
import { type Message, type Received, Socket } from "./socket.ts";

export const NETLINK_ROUTE = 0;
const SOCKADDR_BYTES = 12;
const HEADER = 16;
const NLM_F_REQUEST = 1;
const NLM_F_MULTI = 2;
const NLM_F_ACK = 4;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSG_MIN_TYPE = 16;
const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22, GETROUTE: 26, MAX: 119 } as const;
/** Requests whose dump has nothing to say here: routes, neighbours, rules, queueing disciplines... */
const EMPTY_DUMPS = new Set([26, 30, 34, 38, 42, 46, 66, 80, 86, 90]);
const IFLA = {
  ADDRESS: 1,
  BROADCAST: 2,
  IFNAME: 3,
  MTU: 4,
  QDISC: 6,
  TXQLEN: 13,
  OPERSTATE: 16,
  LINKMODE: 17,
  GROUP: 27,
  PROMISCUITY: 30,
  NUM_TX_QUEUES: 31,
  NUM_RX_QUEUES: 32,
  CARRIER: 33,
} as const;
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, CACHEINFO: 6, FLAGS: 8 } as const;
const ARPHRD_LOOPBACK = 772;
/** IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP. */
const LO_FLAGS = 0x1_0049;
const LO_MTU = 65_536;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_HOST = 254;

const u32 = (n: number): Uint8Array => new Uint8Array(Int32Array.of(n).buffer);

/** One attribute, padded to four bytes. */
function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((4 + value.length + 3) & ~3);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 4 + value.length, true);
  view.setUint16(2, type, true);
  bytes.set(value, 4);
  return bytes;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** struct ifinfomsg and attributes of lo. */
function link(): Uint8Array {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint16(2, ARPHRD_LOOPBACK, true);
  view.setInt32(4, 1, true);
  view.setUint32(8, LO_FLAGS, true);
  return join([
    head,
    attribute(IFLA.IFNAME, bytesOf("lo", true)),
    attribute(IFLA.TXQLEN, u32(1000)),
    attribute(IFLA.OPERSTATE, Uint8Array.of(0)),
    attribute(IFLA.LINKMODE, Uint8Array.of(0)),
    attribute(IFLA.MTU, u32(LO_MTU)),
    attribute(IFLA.GROUP, u32(0)),
    attribute(IFLA.PROMISCUITY, u32(0)),
    attribute(IFLA.NUM_TX_QUEUES, u32(1)),
    attribute(IFLA.NUM_RX_QUEUES, u32(1)),
    attribute(IFLA.CARRIER, Uint8Array.of(1)),
    attribute(IFLA.QDISC, bytesOf("noqueue", true)),
    attribute(IFLA.ADDRESS, new Uint8Array(6)),
    attribute(IFLA.BROADCAST, new Uint8Array(6)),
  ]);
}

/** struct ifaddrmsg and attributes of an address of lo. */
function address(family: number): Uint8Array {
  const v4 = family === AF_INET;
  const head = Uint8Array.of(family, v4 ? 8 : 128, IFA_F_PERMANENT, RT_SCOPE_HOST, 1, 0, 0, 0);
  const bytes = v4 ? Uint8Array.of(127, 0, 0, 1) : new Uint8Array(16);
  if (!v4) bytes[15] = 1;
  const cache = attribute(IFA.CACHEINFO, new Uint8Array(Int32Array.of(-1, -1, 0, 0).buffer));
  const flags = attribute(IFA.FLAGS, u32(IFA_F_PERMANENT));
  if (!v4) return join([head, attribute(IFA.ADDRESS, bytes), cache, flags]);
  const label = attribute(IFA.LABEL, bytesOf("lo", true));
  return join([head, attribute(IFA.ADDRESS, bytes), attribute(IFA.LOCAL, bytes), label, flags, cache]);
}

/** A request: its header's fields and what follows. */
interface Request {
  readonly bytes: Uint8Array;
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
}

/** Whether a RTM_GETLINK for one device means lo. */
function meansLo(payload: Uint8Array): boolean {
  if (payload.length < 16) return false;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (view.getInt32(4, true) === 1) return true;
  for (let at = 16; at + 4 <= payload.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > payload.length) return false;
    const value = String.fromCharCode(...payload.subarray(at + 4, at + length)).split("\0")[0];
    if (view.getUint16(at + 2, true) === IFLA.IFNAME && value === "lo") return true;
    at += (length + 3) & ~3;
  }
  return false;
}

export class NetlinkSocket extends Socket {
  readonly family = AF_NETLINK;
  readonly protocol = NETLINK_ROUTE;
  private port = 0;
  private groups = 0;
  private to = 0;

  private taken(k: Kernel, port: number): boolean {
    return [...k.vfs.netlink].some((s) => s !== this && (s as NetlinkSocket).port === port);
  }

  private autobind(k: Kernel, t: Task): void {
    if (this.port !== 0) return;
    this.port = t.tgid;
    for (let n = -4096; this.taken(k, this.port); n--) this.port = n;
    k.vfs.netlink.add(this);
  }

  bind(k: Kernel, t: Task, name: Uint8Array): number {
    const a = nameOf(name);
    if (typeof a === "number") return a;
    if (this.port !== 0 && a.port !== 0 && a.port !== this.port) return -EINVAL;
    if (this.port === 0 && a.port !== 0) {
      if (this.taken(k, a.port)) return -EADDRINUSE;
      this.port = a.port;
      k.vfs.netlink.add(this);
    }
    this.autobind(k, t);
    this.groups = a.groups;
    return 0;
  }

  connect(k: Kernel, t: Task, _file: File, name: Uint8Array): number {
    if (name.length < 2) return -EINVAL;
    if ((name[0] | (name[1] << 8)) === AF_UNSPEC) {
      this.to = 0;
      return 0;
    }
    const a = nameOf(name);
    if (typeof a === "number") return a;
    this.autobind(k, t);
    this.to = a.port;
    return 0;
  }

  listen(): number {
    return -EOPNOTSUPP;
  }
  override notListening(): number {
    return -EOPNOTSUPP;
  }
  shutdown(): number {
    return -EOPNOTSUPP;
  }

  name(): Uint8Array {
    return sockaddr(this.port, this.groups);
  }
  peerName(): Uint8Array {
    return sockaddr(this.to, 0);
  }

  receiveOnce(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received): number {
    if (this.received.length === 0) return -EAGAIN;
    return this.takeReceived(k, t, iter, flags, got, false);
  }

  sendOnce(k: Kernel, t: Task, iter: IovIter, message: Message): number {
    let to = this.to;
    if (message.to) {
      const a = nameOf(message.to);
      if (typeof a === "number") return a;
      to = a.port;
    }
    this.autobind(k, t);
    const n = iter.left;
    if (n > SOCKET_BYTES - 32) return -EMSGSIZE;
    if (to !== 0) return -ECONNREFUSED;
    const bytes = iter.take(n).slice();
    for (let at = 0; at + HEADER <= n; ) {
      const view = new DataView(bytes.buffer, at);
      const length = view.getUint32(0, true);
      if (length < HEADER || at + length > n) break;
      const [type, flags] = [view.getUint16(4, true), view.getUint16(6, true)];
      this.request(k, t, { bytes: bytes.subarray(at, at + length), type, flags, seq: view.getUint32(8, true) });
      at += (length + 3) & ~3;
    }
    return n;
  }

  /** One request of the sender's: answers, and an acknowledgement if it failed or wants one. */
  private request(k: Kernel, t: Task, r: Request): void {
    if (!(r.flags & NLM_F_REQUEST)) return;
    const error = r.type < NLMSG_MIN_TYPE ? 0 : this.answer(k, t, r);
    if (error === undefined || (error === 0 && !(r.flags & NLM_F_ACK))) return;
    const echo = error === 0 ? r.bytes.subarray(0, HEADER) : r.bytes;
    this.reply(k, t, r, [[NLMSG_ERROR, join([u32(error), echo])]], 0);
  }

  /** 0 or -errno; undefined: a dump, which ends itself. */
  private answer(k: Kernel, t: Task, r: Request): number | undefined {
    if (r.type > RTM.MAX) return -EOPNOTSUPP;
    const payload = r.bytes.subarray(HEADER);
    if (payload.length === 0) return 0;
    // Only questions: lo is as it is.
    if ((r.type & 3) !== 2) return -EPERM;
    const dump = (r.flags & NLM_F_DUMP) === NLM_F_DUMP;
    const family = payload[0];
    if (dump) {
      const messages: [number, Uint8Array][] = [];
      if (r.type === RTM.GETLINK) messages.push([RTM.NEWLINK, link()]);
      else if (r.type === RTM.GETADDR) {
        for (const f of [AF_INET, AF_INET6]) if (family === f || family === 0) messages.push([RTM.NEWADDR, address(f)]);
      } else if (!EMPTY_DUMPS.has(r.type)) return -EOPNOTSUPP;
      if (messages.length > 0) this.reply(k, t, r, messages, NLM_F_MULTI);
      this.reply(k, t, r, [[NLMSG_DONE, u32(0)]], NLM_F_MULTI);
      return undefined;
    }
    if (r.type === RTM.GETLINK) {
      if (!meansLo(payload)) return -ENODEV;
      this.reply(k, t, r, [[RTM.NEWLINK, link()]], 0);
      return 0;
    }
    return r.type === RTM.GETROUTE ? -ENETUNREACH : -EOPNOTSUPP;
  }

  /** A datagram of messages from the kernel. */
  private reply(k: Kernel, t: Task, r: Request, messages: readonly [number, Uint8Array][], flags: number): void {
    const parts = messages.map(([type, payload]) => {
      const head = new Uint8Array(HEADER);
      const view = new DataView(head.buffer);
      view.setUint32(0, HEADER + payload.length, true);
      view.setUint16(4, type, true);
      view.setUint16(6, flags, true);
      view.setUint32(8, r.seq, true);
      view.setUint32(12, this.port, true);
      return join([head, payload, new Uint8Array(-payload.length & 3)]);
    });
    // A queue that is full loses what comes, as in Linux.
    if (this.room <= 0) return;
    this.push(k, t, { bytes: join(parts), seq: t.seq, files: [], from: sockaddr(0, 0) });
  }

  poll(): PollResult {
    const readable = this.received.length > 0 ? POLLIN | POLLRDNORM : 0;
    return { mask: readable | POLLOUT | POLLWRNORM | POLLWRBAND, queues: [this.readQueue, this.writeQueue] };
  }

  close(k: Kernel): void {
    this.closed = true;
    k.vfs.netlink.delete(this);
    this.discard(k);
  }
}

function sockaddr(port: number, groups: number): Uint8Array {
  return new Uint8Array(Int32Array.of(AF_NETLINK, port, groups).buffer);
}

function nameOf(bytes: Uint8Array): { port: number; groups: number } | number {
  if (bytes.length < SOCKADDR_BYTES) return -EINVAL;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(0, true) !== AF_NETLINK) return -EINVAL;
  return { port: view.getInt32(4, true), groups: view.getUint32(8, true) };
}
