// What TCP and UDP share: ports, local and remote names, pending errors (net/ipv4/af_inet.c, inet_hashtables.c). There is
// one device, lo: what is sent is there at once, for a fixed charge; other addresses are unreachable, as without a route.
import { EACCES, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENETUNREACH, ENOTCONN } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import {
  type Address,
  ANY4,
  ANY6,
  anyOf,
  familyOf,
  format,
  isAny,
  isLoopback,
  LOOPBACK4,
  LOOPBACK6,
  parse,
} from "./address.ts";
import { AF_INET, AF_INET6, AF_UNSPEC, SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET } from "./const.ts";
import { Socket } from "./socket.ts";

const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
/** net.ipv4.ip_local_port_range. */
const EPHEMERAL_FIRST = 32768;
const EPHEMERAL_LAST = 60999;
/** First port that needs no privilege. */
const UNPRIVILEGED = 1024;

export abstract class InetSocket extends Socket {
  readonly family: number;
  local: Address;
  remote: Address;
  /** bind() chose the port or the address: they stay when a connection ends. */
  boundPort = false;
  boundIp = false;
  /** The pending error (sk_err). */
  error = 0;

  constructor(k: Kernel, family: number, type: number) {
    super(type);
    this.pool = k.vfs.inet;
    this.family = family;
    this.local = { ip: anyOf(family), port: 0 };
    this.remote = { ip: anyOf(family), port: 0 };
  }

  /** The sockets of the protocol by port. */
  abstract ports(k: Kernel): Ports;
  /** Whether bind() comes too late. */
  abstract get busy(): boolean;

  option(level: number, name: number): number {
    return this.options.get((level << 16) | name) ?? 0;
  }
  get reuseAddr(): boolean {
    return this.option(SOL_SOCKET, SO_REUSEADDR) !== 0;
  }
  get v6only(): boolean {
    return this.option(SOL_IPV6, IPV6_V6ONLY) !== 0;
  }

  override takeError(): number {
    const { error } = this;
    this.error = 0;
    return error;
  }

  bind(k: Kernel, t: Task, bytes: Uint8Array): number {
    let a = parse(this.family, bytes);
    // A struct sockaddr_in of no family may name 0.0.0.0 (old programs).
    if (a === -EAFNOSUPPORT && this.family === AF_INET && familyOf(bytes) === AF_UNSPEC) {
      const v = new DataView(bytes.buffer, bytes.byteOffset);
      if (v.getUint32(4) === 0) a = { ip: ANY4, port: v.getUint16(2) };
    }
    if (typeof a === "number") return a;
    if (!isAny(a.ip) && !isLoopback(a.ip)) return -EADDRNOTAVAIL;
    if (this.family === AF_INET6 && a.ip >= 0 && this.v6only) return -EINVAL;
    if (a.port > 0 && a.port < UNPRIVILEGED && !k.ids.capable(t, "NET_BIND_SERVICE")) return -EACCES;
    if (this.busy || this.local.port !== 0) return -EINVAL;
    const r = this.ports(k).bind(k, this, a);
    if (r < 0) return r;
    this.boundPort = a.port !== 0;
    this.boundIp = !isAny(a.ip);
    return 0;
  }

  /** A port for a socket that has none. */
  autobind(k: Kernel): number {
    return this.local.port !== 0 ? 0 : this.ports(k).bind(k, this, { ip: this.local.ip, port: 0 });
  }

  /** Where a struct sockaddr leads from this socket; -ENETUNREACH for what is not this machine. */
  route(bytes: Uint8Array): Address | number {
    const to = parse(this.family, bytes);
    if (typeof to === "number") return to;
    if (to.ip === ANY4) to.ip = LOOPBACK4;
    else if (to.ip === ANY6) to.ip = LOOPBACK6;
    const { ip } = this.local;
    const families = to.ip < 0 ? ip >= 0 : (this.family === AF_INET6 && this.v6only) || (ip < 0 && ip !== ANY6);
    return !isLoopback(to.ip) || families ? -ENETUNREACH : to;
  }

  /** The address that this side has towards another. */
  sourceFor(ip: number): number {
    return isAny(this.local.ip) ? (ip < 0 ? LOOPBACK6 : LOOPBACK4) : this.local.ip;
  }

  /** Forgets the other side and what connect() chose (inet_reset_saddr, inet_put_port). */
  protected disconnect(k: Kernel): void {
    this.remote = { ip: anyOf(this.family), port: 0 };
    if (!this.boundIp) this.local.ip = anyOf(this.family);
    if (this.boundPort) return;
    this.ports(k).release(this);
    this.local.port = 0;
  }

  name(): Uint8Array {
    return format(this.family, this.local);
  }
  peerName(): Uint8Array | number {
    return this.remote.port === 0 ? -ENOTCONN : format(this.family, this.remote);
  }

  override callerName(): Uint8Array {
    return format(this.family, this.remote);
  }

  /** The charge of a packet's way through the loopback device. */
  protected charge(k: Kernel, t: Task, units: number): void {
    k.clock.charge(units);
    if (k.recorder.enabled && t.seq >= 0) k.recorder.chargeMore(t.seq, units);
  }
}

/** Whether two bound addresses catch the same packets. */
function overlap(a: InetSocket, ip: number, b: InetSocket): boolean {
  const covers = (s: InetSocket, any: number, other: number) =>
    any === ANY6 ? other < 0 || !s.v6only : any === ANY4 && other >= 0;
  return ip === b.local.ip || covers(a, ip, b.local.ip) || covers(b, b.local.ip, ip);
}

/** Who has which port of a protocol. */
export class Ports {
  private readonly byPort = new Map<number, Set<InetSocket>>();
  /** Ports of connections that this machine closed first, until when, and whether SO_REUSEADDR may take them (TIME_WAIT). */
  private readonly waits = new Map<number, { until: number; reuse: boolean }>();
  private next = EPHEMERAL_FIRST;

  /** Gives a socket an address; port 0: the next free one. -EADDRINUSE if another has it. */
  bind(k: Kernel, s: InetSocket, { ip, port }: Address): number {
    const chosen = port === 0 ? this.ephemeral() : port;
    if (chosen === 0) return -EADDRINUSE;
    if (port !== 0 && this.taken(k, s, ip, port)) return -EADDRINUSE;
    s.local = { ip, port: chosen };
    this.add(s);
    return 0;
  }

  /** Whether another socket has the address and does not share it. */
  taken(k: Kernel, s: InetSocket, ip: number, port: number): boolean {
    for (const other of this.at(port)) {
      if (other === s || !overlap(s, ip, other)) continue;
      const reuse = s.reuseAddr && other.reuseAddr && !other.listening;
      const share = s.option(SOL_SOCKET, SO_REUSEPORT) && other.option(SOL_SOCKET, SO_REUSEPORT) && s.uid === other.uid;
      if (!reuse && !share) return true;
    }
    const wait = this.waits.get(port);
    return wait !== undefined && wait.until > k.clock.now() && !(wait.reuse && s.reuseAddr);
  }

  add(s: InetSocket): void {
    const { port } = s.local;
    const set = this.byPort.get(port);
    if (set) set.add(s);
    else this.byPort.set(port, new Set([s]));
  }

  release(s: InetSocket): void {
    const set = this.byPort.get(s.local.port);
    if (set?.delete(s) && set.size === 0) this.byPort.delete(s.local.port);
  }

  /** Keeps a port from those who bind it without SO_REUSEADDR. */
  keep(s: InetSocket, until: number): void {
    this.waits.set(s.local.port, { until, reuse: s.reuseAddr });
  }

  at(port: number): Iterable<InetSocket> {
    return this.byPort.get(port) ?? [];
  }

  /** Every socket, by port. */
  *all(): Generator<InetSocket> {
    for (const port of [...this.byPort.keys()].sort((a, b) => a - b)) yield* this.byPort.get(port)!;
  }

  /** The next port that nobody has, in turn; 0: there is none. */
  private ephemeral(): number {
    for (let n = EPHEMERAL_FIRST; n <= EPHEMERAL_LAST; n++) {
      const port = this.next;
      this.next = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1;
      if (!this.byPort.has(port)) return port;
    }
    return 0;
  }
}

/** How well a socket's own address fits where a packet goes: 0 not at all, 1 any address, 2 this one. */
export function fits(s: InetSocket, ip: number): number {
  if (s.local.ip === ip) return 2;
  if (s.local.ip === ANY6) return ip < 0 || !s.v6only ? 1 : 0;
  return s.local.ip === ANY4 && ip >= 0 ? 1 : 0;
}

/** The ports of a machine. */
export class InetPorts {
  readonly tcp = new Ports();
  readonly udp = new Ports();
  readonly udplite = new Ports();
  /** Bytes that their sockets hold. */
  held = 0;
}
