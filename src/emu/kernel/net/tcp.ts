// TCP between sockets of one machine (net/ipv4/tcp.c, tcp_input.c): states, the two halves of a connection, resets. No packet
// is lost or late, so there are no sequence numbers, windows or timers; a SYN that finds the backlog full waits there.
import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  ECONNREFUSED,
  ECONNRESET,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
} from "../errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, POLLRDNORM, POLLWRNORM } from "../fs/const.ts";
import type { File, PollResult } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import { POLL } from "../fs/sigio.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { familyOf } from "./address.ts";
import { AF_UNSPEC, MSG_OOB, SO_LINGER, SO_RCVBUF, SO_SNDBUF, SOCK_STREAM, SOCKET_BYTES, SOL_SOCKET } from "./const.ts";
import { fits, InetSocket, type Ports } from "./inet.ts";
import { blocking, deadlineOf, identify, type Message, type Received } from "./socket.ts";

const IPPROTO_TCP = 6;
/** How long the side that closed first keeps the port (TCP_TIMEWAIT_LEN). */
const TIME_WAIT_NS = 60e9;

/** Numbers of the states as /proc/net/tcp and TCP_INFO show them. */
export const TCP = { established: 1, synSent: 2, finWait2: 5, close: 7, closeWait: 8, listen: 10 } as const;

export class TcpSocket extends InetSocket {
  readonly protocol = IPPROTO_TCP;
  override peer: TcpSocket | null = null;
  /** connect() was called and has not told its end (SS_CONNECTING). */
  private connecting = false;
  /** The listener whose backlog has no room for this SYN. */
  private waitingFor: TcpSocket | null = null;
  /** SYNs that wait for room here. */
  private readonly syns: TcpSocket[] = [];
  /** The other side will send no more (its FIN is here). */
  private finReceived = false;

  constructor(k: Kernel, family: number) {
    super(k, family, SOCK_STREAM);
  }

  ports(k: Kernel): Ports {
    return k.vfs.inet.tcp;
  }
  /** SO_RCVBUF here and SO_SNDBUF there; on one machine either holds what the other does not, so that one alone says nothing. */
  override get capacity(): number {
    const kept = this.options.get((SOL_SOCKET << 16) | SO_RCVBUF);
    const sent = this.peer?.options.get((SOL_SOCKET << 16) | SO_SNDBUF);
    return kept === undefined || sent === undefined ? SOCKET_BYTES : Math.min(SOCKET_BYTES, kept + sent);
  }

  get busy(): boolean {
    return this.state !== TCP.close;
  }

  get state(): number {
    if (this.listening) return TCP.listen;
    if (this.waitingFor) return TCP.synSent;
    if (!this.peer) return TCP.close;
    if (this.finReceived) return this.shutWrite ? TCP.close : TCP.closeWait;
    return this.shutWrite ? TCP.finWait2 : TCP.established;
  }

  connect(k: Kernel, t: Task, file: File, bytes: Uint8Array): SysResult {
    if (bytes.length < 2) return -EINVAL;
    if (familyOf(bytes) === AF_UNSPEC) return this.abort(k);
    if (this.wasConnected && !this.connecting) return -EISCONN;
    if (!this.connecting) {
      if (this.listening) return -EISCONN;
      const r = this.start(k, t, bytes);
      if (r < 0) return r;
      if (file.nonblock) return -EINPROGRESS;
    } else if (this.waitingFor && file.nonblock) return -EALREADY;
    const r = this.outcome(k);
    if (r !== -EAGAIN) return r;
    return waitConnected(blocking(this.writeQueue, () => this.outcome(k), deadlineOf(k, this.sendTimeout)));
  }

  /** Sends the SYN: to a listener, who answers at once, waits for room in its backlog, or is not there. */
  private start(k: Kernel, t: Task, bytes: Uint8Array): number {
    const to = this.route(bytes);
    if (typeof to === "number") return to;
    if (this.autobind(k) < 0) return -EADDRNOTAVAIL;
    this.local.ip = this.sourceFor(to.ip);
    this.remote = to;
    this.connecting = true;
    this.shutRead = this.shutWrite = this.finReceived = false;
    this.charge(k, t, k.charges.loopback.connect);
    identify(this, t);
    const listener = findListener(k, to.ip, to.port);
    if (!listener) this.refuse(k);
    else if (listener.backlogFull) {
      this.waitingFor = listener;
      listener.syns.push(this);
    } else this.establish(k, listener);
    return 0;
  }

  private establish(k: Kernel, listener: TcpSocket): void {
    const other = new TcpSocket(k, listener.family);
    this.waitingFor = null;
    other.local = { ...this.remote };
    other.remote = { ...this.local };
    other.options = new Map(listener.options);
    other.receiveTimeout = listener.receiveTimeout;
    other.sendTimeout = listener.sendTimeout;
    other.uid = listener.uid;
    other.peer = this;
    this.peer = other;
    this.wasConnected = other.wasConnected = true;
    this.ports(k).add(other);
    this.async.kill(k, POLL.OUT);
    listener.offer(k, other);
  }

  /** A RST answers the SYN. */
  private refuse(k: Kernel): void {
    this.waitingFor = null;
    this.error = ECONNREFUSED;
    this.shutRead = this.shutWrite = true;
    this.async.kill(k, POLL.ERR);
  }

  /** How connect() ended; -EAGAIN: not yet. */
  private outcome(k: Kernel): number {
    if (this.waitingFor) return -EAGAIN;
    this.connecting = false;
    if (this.wasConnected) return 0;
    const error = this.takeError() || ECONNABORTED;
    this.shutRead = this.shutWrite = false;
    this.disconnect(k);
    return -error;
  }

  /** connect() to no family: ends what there is; the socket is as new. */
  private abort(k: Kernel): number {
    this.hangUp(k, true);
    this.disconnect(k);
    this.listening = false;
    this.connecting = this.wasConnected = this.finReceived = this.shutRead = this.shutWrite = false;
    this.error = 0;
    this.wakeBoth(k);
    return 0;
  }

  listen(k: Kernel, _t: Task, backlog: number): number {
    if (this.state !== TCP.close && !this.listening) return -EINVAL;
    if (this.wasConnected || this.connecting) return -EINVAL;
    if (this.listening) return this.startListening(backlog);
    const r = this.autobind(k);
    if (r < 0) return r;
    this.startListening(backlog);
    if (!this.ports(k).taken(k, this, this.local.ip, this.local.port)) return 0;
    this.listening = false;
    return -EADDRINUSE;
  }

  override accepted(k: Kernel): void {
    while (this.syns.length > 0 && !this.backlogFull) {
      const s = this.syns.shift()!;
      s.establish(k, this);
      s.wakeBoth(k);
    }
  }

  override peerName(): Uint8Array | number {
    const { state } = this;
    return state === TCP.close || state === TCP.synSent ? -ENOTCONN : super.peerName();
  }

  shutdown(k: Kernel, read: boolean, write: boolean): number {
    if (this.listening || this.waitingFor) {
      if (read || this.waitingFor) {
        this.hangUp(k, true);
        this.listening = false;
        this.connecting = false;
      }
      this.wakeBoth(k);
      return 0;
    }
    const closed = this.state === TCP.close;
    if (read) this.shutRead = true;
    if (write && !this.shutWrite) {
      this.shutWrite = true;
      if (!closed) this.peer?.finish(k);
    }
    this.wakeBoth(k);
    return closed ? -ENOTCONN : 0;
  }

  /** The other side's FIN arrives. */
  private finish(k: Kernel): void {
    this.finReceived = true;
    this.closedBy = k.current.seq;
    this.wakeBoth(k);
    this.tell(k, this.shutWrite ? POLL.HUP : POLL.IN);
  }

  /** The other side's RST arrives: an error if this side still wanted something. */
  private reset(k: Kernel): void {
    if (this.state !== TCP.close) this.error = this.finReceived ? EPIPE : ECONNRESET;
    this.peer = null;
    this.shutRead = this.shutWrite = true;
    this.closedBy = k.current.seq;
    this.wakeBoth(k);
    this.async.kill(k, POLL.ERR);
  }

  receiveOnce(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received): number {
    if (this.listening) return -ENOTCONN;
    if (flags & MSG_OOB) return -EINVAL;
    if (this.received.length > 0) return this.takeReceived(k, t, iter, flags, got, !this.finReceived);
    if (this.finReceived) return this.ended(k, t, 0);
    if (this.error) return this.ended(k, t, -this.takeError());
    if (this.shutRead) return 0;
    return this.state === TCP.close ? -ENOTCONN : -EAGAIN;
  }

  private ended(k: Kernel, t: Task, r: number): number {
    if (this.closedBy >= 0) k.edge(t, { from: this.closedBy, kind: "data" });
    return r;
  }

  sendOnce(k: Kernel, t: Task, iter: IovIter, message: Message): number {
    if (message.flags & MSG_OOB) return -EOPNOTSUPP;
    if (this.waitingFor) return -EAGAIN;
    if (this.error) return -this.takeError();
    const { peer } = this;
    if (!peer || this.shutWrite) return -EPIPE;
    if (peer.closed) {
      // Nobody is there any more: the answer to these bytes is a reset.
      const n = iter.left;
      iter.touch(n, false);
      this.charge(k, t, k.charges.loopback.segment);
      this.reset(k);
      return n;
    }
    const n = Math.min(iter.left, peer.room);
    if (iter.left === 0) return 0;
    if (n <= 0) return -EAGAIN;
    const sent = this.deliver(k, t, peer, iter, n, message);
    this.charge(k, t, k.charges.loopback.segment + Math.ceil(n / 64) * k.charges.copy64);
    return sent;
  }

  poll(): PollResult {
    const queues = [this.readQueue, this.writeQueue];
    if (this.listening) {
      const first = this.backlog[0];
      return { mask: first ? POLLIN | POLLRDNORM : 0, queues, from: first?.connectedBy };
    }
    const { state } = this;
    const over = this.shutRead || this.finReceived;
    let mask = 0;
    if (state === TCP.close || (over && this.shutWrite)) mask |= POLLHUP;
    if (over) mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (state !== TCP.synSent) {
      if (this.received.length > 0) mask |= POLLIN | POLLRDNORM;
      const ahead = this.peer && !this.shutWrite ? this.peer.bytes : 0;
      if (ahead * 3 <= 2 * (this.peer?.capacity ?? SOCKET_BYTES)) mask |= POLLOUT | POLLWRNORM;
    }
    if (this.error) mask |= POLLERR;
    return { mask, queues, from: this.received[0]?.seq ?? (over || this.error ? this.closedBy : undefined) };
  }

  close(k: Kernel): void {
    this.closed = true;
    const { state } = this;
    const lingers = this.options.get((SOL_SOCKET << 16) | SO_LINGER) === 0;
    const first = state === TCP.established || state === TCP.finWait2;
    const unread = this.received.length > 0;
    this.discard(k);
    this.hangUp(k, unread || lingers);
    if (first && !unread && !lingers) this.ports(k).keep(this, k.clock.now() + k.units(TIME_WAIT_NS));
    this.ports(k).release(this);
  }

  /** Ends everything that hangs on this socket, by a RST or (the connection) by a FIN. */
  private hangUp(k: Kernel, reset: boolean): void {
    for (const pending of this.backlog as TcpSocket[]) {
      pending.closed = true;
      pending.discard(k);
      pending.hangUp(k, true);
      this.ports(k).release(pending);
    }
    this.backlog.length = 0;
    for (const s of this.syns) {
      s.refuse(k);
      s.wakeBoth(k);
    }
    this.syns.length = 0;
    if (this.waitingFor) {
      this.waitingFor.syns.splice(this.waitingFor.syns.indexOf(this), 1);
      this.waitingFor = null;
    }
    const { peer } = this;
    if (!peer) return;
    if (reset) {
      peer.reset(k);
      this.peer = null;
    } else if (!this.shutWrite) {
      this.shutWrite = true;
      peer.finish(k);
    } else {
      // Its writers find nobody from now on.
      peer.wakeBoth(k);
    }
  }
}

/** A connect() that its time limit ended goes on without the caller. */
function* waitConnected(wait: ReturnType<typeof blocking>): ReturnType<typeof blocking> {
  const r = yield* wait;
  return r === -EAGAIN ? -EINPROGRESS : r;
}

/** Who listens at an address: one bound to it before one bound to all. */
function findListener(k: Kernel, ip: number, port: number): TcpSocket | null {
  let best: InetSocket | null = null;
  let most = 0;
  for (const s of k.vfs.inet.tcp.at(port)) {
    const fit = s.listening ? fits(s, ip) : 0;
    if (fit > most) [best, most] = [s, fit];
  }
  return best as TcpSocket | null;
}
