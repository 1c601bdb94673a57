// What all sockets share: what was received and not read, who waits, and how (net/socket.c, net/core/sock.c).
// A family says in a subclass what one attempt of each call does.
import { OBJECT } from "../../../traces/schema/enums.ts";
import { EAGAIN, EINTR, EINVAL, ERESTARTSYS } from "../errno.ts";
import { POLLOUT } from "../fs/const.ts";
import type { File, PollResult } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import { AsyncFiles, POLL, type PollCode } from "../fs/sigio.ts";
import { recordShort } from "../fs/trace.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { Retry, type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import type { Control, PacketHeader } from "./ancillary.ts";
import {
  AF_UNIX,
  LEAST_BYTES,
  MSG_PEEK,
  MSG_TRUNC,
  POOL_BYTES,
  SOCK_STREAM,
  SOCKET_BYTES,
  SOMAXCONN,
} from "./const.ts";

/** What a datagram costs its queue beside its bytes (the least truesize of a sk_buff), so that empty ones are not free. */
const DATAGRAM_BYTES = 768;

/** A piece that was sent: a record of a datagram socket, bytes of a stream; descriptors travel with it. */
interface Piece {
  bytes: Uint8Array;
  seq: number;
  files: File[];
  /** The sender's name as a struct sockaddr, of datagrams. */
  from?: Uint8Array;
  /** The header of its packet, of UDP. */
  header?: PacketHeader;
}

/** What a message carries beside its bytes. */
export interface Message {
  flags: number;
  files: File[];
  /** A struct sockaddr, if the call named a receiver. */
  to?: Uint8Array;
  /** Its control messages. */
  controls?: readonly Control[];
}

/** What receiving gave beside bytes. */
export interface Received {
  files: File[];
  from?: Uint8Array;
  /** The datagram was longer than the room for it. */
  truncated?: boolean;
  /** What its packet's header says, as far as the socket asks. */
  controls?: Control[];
}

export abstract class Socket {
  abstract readonly family: number;
  abstract readonly protocol: number;
  readonly type: number;
  peer: Socket | null = null;
  /** What was sent to this side and not read. */
  readonly received: Piece[] = [];
  private held = 0;
  /** What the protocol's sockets hold together. */
  pool: { held: number } | null = null;
  readonly readQueue = new WaitQueue();
  /** Woken when the peer has taken something: there is room. */
  readonly writeQueue = new WaitQueue();
  /** Its file, if it has O_ASYNC. */
  readonly async = new AsyncFiles();
  /** A reader waits for bytes: signals would tell it nothing (SOCKWQ_ASYNC_WAITDATA). */
  awaited = false;
  /** A writer found no room: it is told when there is some (SOCKWQ_ASYNC_NOSPACE). */
  full = false;
  listening = false;
  /** Connections that may wait to be accepted, less one. */
  backlogLimit = 0;
  readonly backlog: Socket[] = [];
  shutRead = false;
  shutWrite = false;
  closed = false;
  wasConnected = false;
  /** Events that ended this side's input, took from it last, and made the connection. */
  closedBy = -1;
  takenBy = -1;
  connectedBy = -1;
  /** The inode that /proc/net shows. */
  ino = 0;
  pid = 0;
  uid = 0;
  gid = 0;
  traceObject = -1;
  /** Options by level << 16 | number, as they were set. */
  options = new Map<number, number>();
  /** SO_RCVTIMEO and SO_SNDTIMEO in clock units; 0: none. */
  receiveTimeout = 0;
  sendTimeout = 0;

  constructor(type: number) {
    this.type = type;
  }

  abstract bind(k: Kernel, t: Task, name: Uint8Array): SysResult;
  abstract connect(k: Kernel, t: Task, file: File, name: Uint8Array): SysResult;
  abstract listen(k: Kernel, t: Task, backlog: number): number;
  abstract shutdown(k: Kernel, read: boolean, write: boolean): number;
  /** A struct sockaddr: this side's, the other's (or -errno). */
  abstract name(): Uint8Array;
  abstract peerName(): Uint8Array | number;
  /** One attempt: bytes received, -EAGAIN if there is nothing yet. */
  abstract receiveOnce(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received): number;
  /** One attempt to send what fits (datagrams: all or nothing). */
  abstract sendOnce(k: Kernel, t: Task, iter: IovIter, message: Message): number;
  abstract poll(): PollResult;
  /** The last descriptor is gone. */
  abstract close(k: Kernel): void;
  /** The pending error, which asking clears (SO_ERROR). */
  takeError(): number {
    return 0;
  }
  /** What accept() says of a socket that has no connections to give. */
  notListening(): number {
    return -EINVAL;
  }
  /** Who connected, for accept(). */
  callerName(): Uint8Array {
    return this.peer?.name() ?? this.name().subarray(0, 2);
  }
  /** A connection left the backlog. */
  accepted(k: Kernel): void {
    this.writeQueue.wake(k.cause("space"));
  }

  get bytes(): number {
    return this.held;
  }
  get room(): number {
    const most = this.pool && this.pool.held >= POOL_BYTES ? LEAST_BYTES : this.capacity;
    return most - this.held;
  }
  /** What fits on the way to this side's reader. */
  get capacity(): number {
    return SOCKET_BYTES;
  }
  get stream(): boolean {
    return this.type === SOCK_STREAM;
  }
  get backlogFull(): boolean {
    return this.backlog.length > this.backlogLimit;
  }

  object(k: Kernel): number {
    if (this.traceObject < 0) {
      this.traceObject = k.ids.object();
      k.recorder.object({ obj: this.traceObject, type: OBJECT.socket, capacity: SOCKET_BYTES });
    }
    return this.traceObject;
  }

  private cost(piece: Piece): number {
    return piece.bytes.length + (this.stream ? 0 : DATAGRAM_BYTES);
  }

  private hold(n: number): void {
    this.held += n;
    if (this.pool) this.pool.held += n;
  }

  startListening(backlog: number): number {
    this.listening = true;
    this.backlogLimit = Math.min(backlog >>> 0, SOMAXCONN);
    return 0;
  }

  /** Puts a connection into the backlog. */
  offer(k: Kernel, other: Socket): void {
    other.connectedBy = k.current.seq;
    this.backlog.push(other);
    this.readQueue.wake(k.cause("data"));
    this.tell(k, POLL.IN);
  }

  push(k: Kernel, t: Task, piece: Piece): void {
    this.received.push(piece);
    this.hold(this.cost(piece));
    if (this.takenBy >= 0) k.edge(t, { from: this.takenBy, kind: "space" });
    this.readQueue.wake(k.cause("data"));
    this.tell(k, POLL.IN);
  }

  /** Signals that there is something to read or no more to come, unless a reader waits anyway. */
  tell(k: Kernel, code: PollCode): void {
    if (!this.awaited) this.async.kill(k, code);
  }

  /** Signals a writer that found no room that there is some. */
  private tellSpace(k: Kernel): void {
    if (!this.full || this.shutWrite || !(this.poll().mask & POLLOUT)) return;
    this.full = false;
    this.async.kill(k, POLL.OUT);
  }

  /** Moves the next `n` bytes to `to`, as far as there is room there. */
  deliver(
    k: Kernel,
    t: Task,
    to: Socket,
    iter: IovIter,
    n: number,
    message: Message,
    of: Pick<Piece, "from" | "header"> = {},
  ): number {
    to.push(k, t, { bytes: iter.take(n).slice(), seq: t.seq, files: message.files.map((f) => f.get()), ...of });
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: this.object(k), bytes: n });
    return n;
  }

  /** Copies out what was received (datagrams: the first) and drops it unless it is only looked at. */
  takeReceived(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received, more: boolean): number {
    let at = 0;
    const first = this.received[0];
    for (const piece of this.received) {
      const n = Math.min(piece.bytes.length, iter.left - at);
      iter.put(piece.bytes.subarray(0, n), at);
      at += n;
      // Who only looks gets descriptors of his own (unix_peek_fds).
      if (flags & MSG_PEEK) got.files.push(...piece.files.map((f) => f.get()));
      // Descriptors end a read: they belong to the piece that brought them.
      if (!this.stream || at >= iter.left || piece.files.length > 0) break;
    }
    if (at < iter.left && this.stream && more) recordShort(k, t, true);
    if (!this.stream) {
      got.from = first.from;
      got.truncated = first.bytes.length > at;
    }
    if (!(flags & MSG_PEEK)) got.files.push(...this.drop(k, t, at));
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: this.object(k), bytes: at });
    return !this.stream && flags & MSG_TRUNC ? first.bytes.length : at;
  }

  /** Drops up to `n` bytes that were copied out already (datagrams: the whole first record). */
  private drop(k: Kernel, t: Task, n: number): File[] {
    let left = n;
    const files: File[] = [];
    let last = -1;
    let freed = false;
    while (this.received.length > 0 && (left > 0 || !this.stream)) {
      const piece = this.received[0];
      files.push(...piece.files);
      piece.files = [];
      last = piece.seq;
      if (this.stream && piece.bytes.length > left) {
        piece.bytes = piece.bytes.subarray(left);
        this.hold(-left);
        freed = this.family !== AF_UNIX;
        break;
      }
      this.received.shift();
      freed = true;
      this.hold(-this.cost(piece));
      left -= piece.bytes.length;
      if (!this.stream) break;
    }
    if (last >= 0) k.edge(t, { from: last, kind: "data" });
    this.takenBy = t.seq;
    // A writer of AF_UNIX hears of room when a whole sk_buff is gone (sock_wfree), TCP's window opens by bytes.
    if (freed) {
      this.peer?.writeQueue.wakeAll(k.cause("space"));
      this.peer?.tellSpace(k);
    }
    return files;
  }

  /** Nobody will read what is here. */
  discard(k: Kernel): void {
    for (const piece of this.received) for (const f of piece.files) f.put(k);
    this.received.length = 0;
    this.hold(-this.held);
  }

  wakeBoth(k: Kernel): void {
    this.readQueue.wakeAll(k.cause("data"));
    this.writeQueue.wakeAll(k.cause("space"));
  }
}

/** Notes who a side belongs to, for SO_PEERCRED and /proc/net. */
export function identify(s: Socket, t: Task): void {
  s.pid = t.tgid;
  s.uid = t.creds.euid;
  s.gid = t.creds.egid;
}

/** Tries again whenever the queue is woken; a signal or the deadline ends it. */
export function* blocking(
  queue: WaitQueue,
  once: () => number,
  deadline?: number,
): Generator<Wait, number, WakeReason> {
  for (;;) {
    const why = yield { queues: [queue], interruptible: true, ...(deadline === undefined ? {} : { deadline }) };
    for (;;) {
      try {
        const r = once();
        if (r !== -EAGAIN) return r;
        break;
      } catch (e) {
        if (!(e instanceof Retry)) throw e;
        yield e.wait;
      }
    }
    // With a time limit of its own a call is not restarted.
    if (why === "signal") return deadline === undefined ? -ERESTARTSYS : -EINTR;
    if (why === "timeout") return -EAGAIN;
  }
}

/** When a wait with a time limit (0: none) ends. */
export function deadlineOf(k: Kernel, timeout: number): number | undefined {
  return timeout === 0 ? undefined : k.clock.now() + timeout;
}
