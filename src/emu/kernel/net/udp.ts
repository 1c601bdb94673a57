// UDP between sockets of one machine (net/ipv4/udp.c, net/core/datagram.c).
import { EAGAIN, ECONNREFUSED, EDESTADDRREQ, EINVAL, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE } from "../errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRBAND, POLLWRNORM } from "../fs/const.ts";
import type { File, PollResult } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { type Address, familyOf, format } from "./address.ts";
import { asked, headerFor } from "./ancillary.ts";
import { AF_INET, AF_UNSPEC, MSG_DONTWAIT, MSG_OOB, SOCK_DGRAM } from "./const.ts";
import { fits, InetSocket, type Ports } from "./inet.ts";
import type { Message, Received } from "./socket.ts";

const IPPROTO_UDP = 17;
/** UDP whose checksum may leave out the end of a packet (net/ipv4/udplite.c). */
export const IPPROTO_UDPLITE = 136;
const UDPLITE_SEND_CSCOV = 10;
const UDPLITE_RECV_CSCOV = 11;
const HEADER_BYTES = 8;
/** What fits behind the headers of one packet. */
const MOST = { v4: 65507, v6: 65527 } as const;

export class UdpSocket extends InetSocket {
  readonly protocol: number;

  constructor(k: Kernel, family: number, protocol: number = IPPROTO_UDP) {
    super(k, family, SOCK_DGRAM);
    this.protocol = protocol;
  }

  ports(k: Kernel): Ports {
    return this.protocol === IPPROTO_UDP ? k.vfs.inet.udp : k.vfs.inet.udplite;
  }
  get busy(): boolean {
    return this.wasConnected;
  }

  /** Fixes the other side; no family: any again. */
  connect(k: Kernel, t: Task, _file: File, bytes: Uint8Array): number {
    if (bytes.length < 2) return -EINVAL;
    if (familyOf(bytes) === AF_UNSPEC) {
      this.wasConnected = false;
      this.disconnect(k);
      return 0;
    }
    const to = this.route(bytes);
    if (typeof to === "number") return to;
    const r = this.autobind(k);
    if (r < 0) return -EAGAIN;
    this.local.ip = this.sourceFor(to.ip);
    this.remote = to;
    this.wasConnected = true;
    this.charge(k, t, k.charges.loopback.segment);
    return 0;
  }

  listen(): number {
    return -EOPNOTSUPP;
  }
  override notListening(): number {
    return -EOPNOTSUPP;
  }

  shutdown(k: Kernel, read: boolean, write: boolean): number {
    if (read) this.shutRead = true;
    if (write) this.shutWrite = true;
    this.wakeBoth(k);
    return this.wasConnected ? 0 : -ENOTCONN;
  }

  receiveOnce(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received): number {
    if (this.error) return -this.takeError();
    if (flags & MSG_OOB) return -EAGAIN;
    if (this.received.length > 0) {
      const { header } = this.received[0];
      got.controls = header && asked(this, header);
      return this.takeReceived(k, t, iter, flags, got, false);
    }
    // Only who waits for one hears that none will come.
    return this.shutRead && !(flags & MSG_DONTWAIT) ? 0 : -EAGAIN;
  }

  /** A datagram that nobody waits for refuses a connected sender's next call; one that finds no room is lost. */
  sendOnce(k: Kernel, t: Task, iter: IovIter, message: Message): number {
    if (iter.left > (this.family === AF_INET ? MOST.v4 : MOST.v6)) return -EMSGSIZE;
    if (message.flags & MSG_OOB) return -EOPNOTSUPP;
    const to = message.to ? this.route(message.to) : this.wasConnected ? this.remote : -EDESTADDRREQ;
    if (typeof to === "number") return to;
    if (to.port === 0) return -EINVAL;
    const header = headerFor(this, to.ip, message.controls ?? []);
    if (typeof header === "number") return header;
    if (this.autobind(k) < 0) return -EAGAIN;
    if (this.error) return -this.takeError();
    if (this.shutWrite) return -EPIPE;
    const n = iter.left;
    iter.touch(n, false);
    this.charge(k, t, k.charges.loopback.segment + Math.ceil(n / 64) * k.charges.copy64);
    const from: Address = { ip: this.sourceFor(to.ip), port: this.local.port };
    const target = find(this.ports(k), from, to);
    if (!target) {
      if (!this.wasConnected || to.port !== this.remote.port || to.ip !== this.remote.ip) return n;
      this.error = ECONNREFUSED;
      this.wakeBoth(k);
    } else if (target.room >= n && !target.shutRead && this.covers(target, n)) {
      this.deliver(k, t, target, iter, n, message, { from: format(target.family, from), header });
    }
    return n;
  }

  /** Whether enough of a packet is under its checksum for its receiver. */
  private covers(target: UdpSocket, n: number): boolean {
    const sent = this.option(IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV);
    const least = target.options.get((IPPROTO_UDPLITE << 16) | UDPLITE_RECV_CSCOV);
    const whole = sent === 0 || sent >= n + HEADER_BYTES;
    return whole || least === undefined || (least > 0 && sent >= least);
  }

  poll(): PollResult {
    let mask = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.error) mask |= POLLERR;
    if (this.shutRead) mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (this.shutRead && this.shutWrite) mask |= POLLHUP;
    if (this.received.length > 0) mask |= POLLIN | POLLRDNORM;
    return { mask, queues: [this.readQueue, this.writeQueue], from: this.received[0]?.seq };
  }

  close(k: Kernel): void {
    this.closed = true;
    this.discard(k);
    this.ports(k).release(this);
  }
}

/** Who gets a datagram: the one connected to its sender before others, one bound to the address before one bound to all. */
function find(ports: Ports, from: Address, to: Address): UdpSocket | null {
  let best: UdpSocket | null = null;
  let most = 0;
  for (const s of ports.at(to.port) as Iterable<UdpSocket>) {
    let fit = fits(s, to.ip);
    if (fit > 0 && s.wasConnected) fit = s.remote.ip === from.ip && s.remote.port === from.port ? fit + 2 : 0;
    if (fit > most) [best, most] = [s, fit];
  }
  return best;
}
