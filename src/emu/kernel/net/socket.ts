// Sockets of the AF_UNIX family inside the machine: stream, datagram-like pairs, names in the file system (net/unix).
// Other families are refused with EAFNOSUPPORT.
import { OBJECT } from "../../../traces/schema/enums.ts";
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EPIPE,
  EPROTONOSUPPORT,
  EPROTOTYPE,
  ERESTARTSYS,
  ESOCKTNOSUPPORT,
} from "../errno.ts";
import {
  O_NONBLOCK,
  O_RDWR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
  S_IFSOCK,
} from "../fs/const.ts";
import type { File, FileOps, PollResult } from "../fs/file.ts";
import type { Inode } from "../fs/inode.ts";
import type { IovIter } from "../fs/iov.ts";
import { recordShort, recordTiming } from "../fs/trace.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { SIGPIPE } from "../signal.ts";
import type { Task } from "../task.ts";
import { Retry, type Wait, WaitQueue, type WakeReason } from "../wait.ts";

export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;
/** Bytes that a socket holds before its writer waits (net.core.wmem_default). */
export const SOCKET_BYTES = 212992;
export const MSG_PEEK = 2;
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

/** A piece that was sent: a record of a datagram socket, bytes of a stream; descriptors travel with it. */
interface Piece {
  bytes: Uint8Array;
  seq: number;
  files: File[];
}

export class Socket {
  readonly type: number;
  peer: Socket | null = null;
  /** What the peer sent and this side has not read. */
  readonly received: Piece[] = [];
  private held = 0;
  readonly readQueue = new WaitQueue();
  /** Woken when the peer has taken something: there is room. */
  readonly writeQueue = new WaitQueue();
  /** The name that bind gave: a path or, with a NUL first, an abstract name. */
  name = "";
  listening = 0;
  readonly backlog: Socket[] = [];
  shutRead = false;
  shutWrite = false;
  closed = false;
  /** The peer was there and went with unread data. */
  reset = false;
  wasConnected = false;
  closedBy = -1;
  takenBy = -1;
  pid = 0;
  uid = 0;
  gid = 0;
  traceObject = -1;
  readonly options = new Map<number, number>();

  constructor(type: number) {
    this.type = type;
  }

  get bytes(): number {
    return this.held;
  }
  get room(): number {
    return SOCKET_BYTES - this.held;
  }
  get stream(): boolean {
    return this.type === SOCK_STREAM;
  }

  object(k: Kernel): number {
    if (this.traceObject < 0) {
      this.traceObject = k.ids.object();
      k.recorder.object({ obj: this.traceObject, type: OBJECT.socket, capacity: SOCKET_BYTES });
    }
    return this.traceObject;
  }

  push(k: Kernel, t: Task, piece: Piece): void {
    this.received.push(piece);
    this.held += piece.bytes.length;
    if (this.takenBy >= 0) k.edge(t, { from: this.takenBy, kind: "space" });
    this.readQueue.wake(k.cause("data"));
  }

  /** Takes up to `n` bytes that were copied out already (datagrams: the whole first record). */
  drop(k: Kernel, t: Task, n: number): File[] {
    let left = n;
    const files: File[] = [];
    let last = -1;
    while (this.received.length > 0 && (left > 0 || !this.stream)) {
      const piece = this.received[0];
      files.push(...piece.files);
      piece.files = [];
      last = piece.seq;
      if (this.stream && piece.bytes.length > left) {
        piece.bytes = piece.bytes.subarray(left);
        this.held -= left;
        break;
      }
      this.received.shift();
      this.held -= piece.bytes.length;
      left -= piece.bytes.length;
      if (!this.stream) break;
    }
    if (last >= 0) k.edge(t, { from: last, kind: "data" });
    this.takenBy = t.seq;
    this.peer?.writeQueue.wakeAll(k.cause("space"));
    return files;
  }

  /** Nothing more will come. */
  get ended(): boolean {
    return (
      this.shutRead || this.closed || (this.wasConnected && (!this.peer || this.peer.shutWrite || this.peer.closed))
    );
  }

  shutdown(k: Kernel, read: boolean, write: boolean): void {
    if (read) this.shutRead = true;
    if (write) this.shutWrite = true;
    this.wakeBoth(k);
    if (this.peer) {
      this.peer.closedBy = k.current.seq;
      this.peer.wakeBoth(k);
    }
  }

  wakeBoth(k: Kernel): void {
    this.readQueue.wakeAll(k.cause("data"));
    this.writeQueue.wakeAll(k.cause("space"));
  }

  close(k: Kernel): void {
    this.closed = true;
    for (const pending of this.backlog) pending.close(k);
    for (const piece of this.received) for (const f of piece.files) f.put(k);
    const peer = this.peer;
    if (!peer) return;
    if (this.received.length > 0) peer.reset = true;
    peer.closedBy = k.current.seq;
    peer.wakeBoth(k);
  }
}

/** Joins two sockets. */
export function connectPair(a: Socket, b: Socket): void {
  a.peer = b;
  b.peer = a;
  a.wasConnected = b.wasConnected = true;
}

/** Sockets by abstract name; by path they hang on the inode. */
export class UnixNames {
  private readonly abstract = new Map<string, Socket>();
  private readonly paths = new WeakMap<Inode, Socket>();

  private nextAuto = 1;

  /** A name for a socket that binds without one: five hexadecimal digits. */
  auto(): string {
    return (this.nextAuto++).toString(16).padStart(5, "0");
  }

  bindAbstract(name: string, socket: Socket): number {
    const old = this.abstract.get(name);
    if (old && !old.closed) return -EADDRINUSE;
    this.abstract.set(name, socket);
    return 0;
  }
  bindInode(inode: Inode, socket: Socket): void {
    this.paths.set(inode, socket);
  }
  byName(name: string): Socket | null {
    const s = this.abstract.get(name);
    return s && !s.closed ? s : null;
  }
  byInode(inode: Inode): Socket | null {
    const s = this.paths.get(inode);
    return s && !s.closed ? s : null;
  }
}

/** 0, or the errno that socket() gives for what does not exist here. */
export function checkFamily(family: number, type: number, protocol: number): number {
  if (family < 0 || family > 45) return -EAFNOSUPPORT;
  if (family !== AF_UNIX) return -EAFNOSUPPORT;
  if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
  return type === SOCK_STREAM || type === SOCK_DGRAM || type === SOCK_SEQPACKET ? 0 : -ESOCKTNOSUPPORT;
}

/** A file on a new socket. */
export function socketFile(k: Kernel, socket: Socket, flags: number): File {
  const file = k.vfs.sockfs.open(
    S_IFSOCK | 0o777,
    O_RDWR | (flags & O_NONBLOCK),
    socketOps,
    (ino) => `socket:[${ino}]`,
  );
  file.data = socket;
  file.inode.channel = socket;
  return file;
}

/** What receiving gave: bytes, and the descriptors that came with them. */
export interface Received {
  files: File[];
}

/** One attempt: -EAGAIN if there is nothing yet. */
export function receiveOnce(k: Kernel, t: Task, s: Socket, iter: IovIter, flags: number, got: Received): number {
  if (s.listening || (!s.wasConnected && s.stream)) return -EINVAL;
  if (s.received.length === 0) {
    if (s.reset) {
      s.reset = false;
      return -ECONNRESET;
    }
    if (s.ended) {
      if (s.closedBy >= 0) k.edge(t, { from: s.closedBy, kind: "data" });
      return 0;
    }
    return -EAGAIN;
  }
  let at = 0;
  for (const piece of s.received) {
    const n = Math.min(piece.bytes.length, iter.left - at);
    iter.put(piece.bytes.subarray(0, n), at);
    at += n;
    // Descriptors end a read: they belong to the piece that brought them.
    if (!s.stream || at >= iter.left || piece.files.length > 0) break;
  }
  if (at < iter.left && s.stream && !s.ended) recordShort(k, t, true);
  if (!(flags & MSG_PEEK)) got.files.push(...s.drop(k, t, at));
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: s.object(k), bytes: at });
  return at;
}

export function receive(k: Kernel, t: Task, file: File, iter: IovIter, flags: number, got: Received): SysResult {
  const s = file.data as Socket;
  const r = receiveOnce(k, t, s, iter, flags, got);
  if (r !== -EAGAIN) return r;
  if (file.nonblock || flags & MSG_DONTWAIT) {
    recordTiming(k, t);
    return r;
  }
  return blocking(s.readQueue, () => receiveOnce(k, t, s, iter, flags, got));
}

/** Tries again whenever the queue is woken; a signal ends it. */
export function* blocking(queue: WaitQueue, once: () => number): Generator<Wait, number, WakeReason> {
  for (;;) {
    const why = yield { queues: [queue], interruptible: true };
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
    if (why === "signal") return -ERESTARTSYS;
  }
}

function broken(k: Kernel, t: Task, flags: number): number {
  if (!(flags & MSG_NOSIGNAL)) k.signals.send(t, k.signals.userInfo(t, SIGPIPE));
  return -EPIPE;
}

/** One attempt to send what fits (datagrams: all or nothing). */
export function sendOnce(k: Kernel, t: Task, s: Socket, iter: IovIter, flags: number, files: File[]): number {
  const { peer } = s;
  if (s.shutWrite) return broken(k, t, flags);
  if (!peer) return s.wasConnected ? broken(k, t, flags) : -ENOTCONN;
  if (peer.closed || peer.shutRead) return broken(k, t, flags);
  const n = s.stream ? Math.min(iter.left, peer.room) : iter.left;
  if (n > peer.room || (n === 0 && iter.left > 0)) return -EAGAIN;
  peer.push(k, t, { bytes: iter.take(n).slice(), seq: t.seq, files: files.map((f) => f.get()) });
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: s.object(k), bytes: n });
  return n;
}

export function send(k: Kernel, t: Task, file: File, iter: IovIter, flags: number, files: File[]): SysResult {
  const s = file.data as Socket;
  const total = iter.left;
  const r = sendOnce(k, t, s, iter, flags, files);
  const wait = !(file.nonblock || flags & MSG_DONTWAIT);
  if ((r !== -EAGAIN && (r < 0 || r === total || !s.stream)) || !wait) return r;
  return sendRest(k, t, s, iter, flags, r === -EAGAIN ? files : [], Math.max(0, r), total);
}

function* sendRest(
  k: Kernel,
  t: Task,
  s: Socket,
  iter: IovIter,
  flags: number,
  files: File[],
  sent: number,
  total: number,
): Generator<Wait, number, WakeReason> {
  let done = sent;
  let carry = files;
  iter.advance(sent);
  while (done < total) {
    const r = yield* blocking(s.writeQueue, () => sendOnce(k, t, s, iter, flags, carry));
    if (r < 0) return done > 0 ? done : r;
    carry = [];
    iter.advance(r);
    done += r;
  }
  return done;
}

/** connect(): waits for room in the listener's backlog; -EAGAIN there if the socket does not wait. */
export function connectTo(k: Kernel, t: Task, file: File, target: Socket): SysResult {
  const s = file.data as Socket;
  if (s.listening) return -EINVAL;
  if (s.type !== target.type) return -EPROTOTYPE;
  if (!s.stream && s.type === SOCK_DGRAM) {
    s.peer = target;
    return 0;
  }
  if (s.wasConnected) return -EISCONN;
  const once = (): number => {
    if (target.closed || !target.listening) return -ECONNREFUSED;
    if (target.backlog.length > target.listening) return -EAGAIN;
    const other = new Socket(s.type);
    connectPair(s, other);
    other.name = target.name;
    identify(other, t);
    target.backlog.push(other);
    target.readQueue.wake(k.cause("data"));
    return 0;
  };
  identify(s, t);
  const r = once();
  return r === -EAGAIN && !file.nonblock ? blocking(target.writeQueue, once) : r;
}

/** Notes who a side belongs to, for SO_PEERCRED. */
export function identify(s: Socket, t: Task): void {
  s.pid = t.tgid;
  s.uid = t.creds.euid;
  s.gid = t.creds.egid;
}

/** One attempt to take a connection from the backlog. */
export function acceptOnce(k: Kernel, s: Socket): Socket | number {
  if (!s.listening) return -EINVAL;
  const other = s.backlog.shift();
  if (!other) return -EAGAIN;
  s.writeQueue.wake(k.cause("space"));
  return other;
}

function poll(file: File): PollResult {
  const s = file.data as Socket;
  let mask = 0;
  if (s.listening) {
    if (s.backlog.length > 0) mask |= POLLIN | POLLRDNORM;
    return { mask, queues: [s.readQueue] };
  }
  if (s.received.length > 0 || s.ended) mask |= POLLIN | POLLRDNORM;
  if (s.ended && s.wasConnected) mask |= POLLRDHUP;
  if (s.wasConnected && (!s.peer || s.peer.closed)) mask |= POLLHUP;
  if (!s.wasConnected && s.stream) mask |= POLLOUT | POLLHUP;
  else if (!s.peer || s.peer.room * 4 >= SOCKET_BYTES) mask |= POLLOUT | POLLWRNORM;
  return { mask, queues: [s.readQueue, s.writeQueue], from: s.received[0]?.seq ?? (s.ended ? s.closedBy : undefined) };
}

export const socketOps: FileOps = {
  stream: true,
  read: (k, t, file, iter) => {
    const got: Received = { files: [] };
    const r = iter.left === 0 ? 0 : receive(k, t, file, iter, 0, got);
    return r;
  },
  write: (k, t, file, iter) => send(k, t, file, iter, 0, []),
  poll: (_k, file) => poll(file),
  release: (k, file) => (file.data as Socket).close(k),
};
