// AF_UNIX inside the machine: streams, datagrams, names in the file system or abstract (net/unix/af_unix.c).
import {
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EDESTADDRREQ,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  EPROTOTYPE,
} from "../errno.ts";
import {
  MAY_WRITE,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
  S_IFSOCK,
} from "../fs/const.ts";
import type { File, PollResult } from "../fs/file.ts";
import type { Inode } from "../fs/inode.ts";
import type { IovIter } from "../fs/iov.ts";
import { LOOKUP_FOLLOW, LOOKUP_PARENT, lookupLast, mayCreate, permission, walk } from "../fs/namei.ts";
import { POLL } from "../fs/sigio.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { bytesOf } from "../user.ts";
import { AF_UNIX, MSG_DONTWAIT, SOCK_DGRAM, SOCKET_BYTES } from "./const.ts";
import { blocking, deadlineOf, identify, type Message, type Received, Socket } from "./socket.ts";

export class UnixSocket extends Socket {
  readonly family = AF_UNIX;
  readonly protocol = 0;
  override peer: UnixSocket | null = null;
  /** The name that bind gave: a path or, with a NUL first, an abstract name. */
  path = "";
  /** The peer was there and went with unread data. */
  reset = false;
  /** A datagram socket whose peer is gone, and which has heard of it. */
  private deserted = false;

  /** Nothing more will come. */
  private get ended(): boolean {
    return this.closed || this.shutRead || (this.tied && (!this.peer || this.peer.shutWrite || this.peer.closed));
  }

  /** Nothing more can be sent. */
  private get mute(): boolean {
    return this.closed || this.shutWrite || (this.tied && (!this.peer || this.peer.shutRead || this.peer.closed));
  }

  /** What becomes of the other end concerns this one: datagram sockets find out when they send. */
  private get tied(): boolean {
    return this.wasConnected && this.type !== SOCK_DGRAM;
  }

  bind(k: Kernel, t: Task, bytes: Uint8Array): SysResult {
    const name = readName(bytes);
    if (typeof name === "number") return name;
    if (this.path !== "") return -EINVAL;
    if (name === "" || name.charCodeAt(0) === 0) {
      const chosen = name === "" ? `\0${k.vfs.names.auto()}` : name;
      const r = k.vfs.names.bindAbstract(chosen, this);
      if (r === 0) this.path = chosen;
      return r;
    }
    const w = walk(k, t, t.fs!.cwd, name, LOOKUP_PARENT);
    if (typeof w === "number") return w;
    if (w.last === "" || lookupLast(k, t, w)) return -EADDRINUSE;
    const denied = mayCreate(w, t.creds);
    if (denied < 0) return denied;
    const made = w.dentry.inode.create(w.dentry, w.last, S_IFSOCK | (0o777 & ~t.fs!.umask), 0, k, t);
    if (typeof made !== "number") k.vfs.notify.created(w.dentry, w.last);
    if (typeof made === "number") return made;
    k.vfs.names.bindInode(made.inode, this);
    this.path = name;
    return 0;
  }

  /** ENOENT for a name that is not there, ECONNREFUSED if nobody listens; waits for room in the backlog, or EAGAIN. */
  connect(k: Kernel, t: Task, file: File, bytes: Uint8Array): SysResult {
    const target = find(k, t, bytes);
    if (typeof target === "number") return target;
    if (this.listening) return -EINVAL;
    if (this.type !== target.type) return -EPROTOTYPE;
    if (this.type === SOCK_DGRAM) {
      this.peer = target;
      return 0;
    }
    if (this.wasConnected) return -EISCONN;
    const once = (): number => {
      if (target.closed || !target.listening) return -ECONNREFUSED;
      if (target.backlogFull) return -EAGAIN;
      const other = new UnixSocket(this.type);
      connectPair(this, other);
      other.path = target.path;
      identify(other, t);
      target.offer(k, other);
      return 0;
    };
    identify(this, t);
    const r = once();
    return r === -EAGAIN && !file.nonblock ? blocking(target.writeQueue, once, deadlineOf(k, this.sendTimeout)) : r;
  }

  listen(_k: Kernel, _t: Task, backlog: number): number {
    if (this.type === SOCK_DGRAM) return -EOPNOTSUPP;
    return this.path === "" || this.wasConnected ? -EINVAL : this.startListening(backlog);
  }

  shutdown(k: Kernel, read: boolean, write: boolean): number {
    if (!this.wasConnected && !this.listening) return -ENOTCONN;
    if (read) this.shutRead = true;
    if (write) this.shutWrite = true;
    this.wakeBoth(k);
    if (this.peer && this.type !== SOCK_DGRAM) {
      this.peer.closedBy = k.current.seq;
      this.peer.wakeBoth(k);
      if (read || write) this.peer.tell(k, read && write ? POLL.HUP : POLL.IN);
    }
    return 0;
  }

  name(): Uint8Array {
    const { path } = this;
    const bytes = new Uint8Array(2 + path.length + (path !== "" && path.charCodeAt(0) !== 0 ? 1 : 0));
    bytes[0] = AF_UNIX;
    bytes.set(bytesOf(path), 2);
    return bytes;
  }
  peerName(): Uint8Array | number {
    return this.peer ? this.peer.name() : -ENOTCONN;
  }

  receiveOnce(k: Kernel, t: Task, iter: IovIter, flags: number, got: Received): number {
    if (this.listening || (!this.wasConnected && this.stream)) return -EINVAL;
    // A stream gives what it has before it tells of the reset, others after.
    if (this.reset && (this.received.length === 0 || !this.stream)) return -this.takeError();
    if (this.received.length > 0) return this.takeReceived(k, t, iter, flags, got, !this.ended);
    // Who does not wait for datagrams is never told that none will come.
    if (!this.ended || (this.type === SOCK_DGRAM && flags & MSG_DONTWAIT)) return -EAGAIN;
    if (this.closedBy >= 0) k.edge(t, { from: this.closedBy, kind: "data" });
    return 0;
  }

  sendOnce(k: Kernel, t: Task, iter: IovIter, message: Message): number {
    let { peer } = this;
    if (message.to && this.type === SOCK_DGRAM) {
      const other = find(k, t, message.to);
      if (typeof other === "number") return other;
      this.peer = peer = other;
    }
    if (this.reset && !this.stream) return -this.takeError();
    if (this.shutWrite) return -EPIPE;
    if (this.deserted && !peer) return -ENOTCONN;
    if (!peer) return this.wasConnected ? -EPIPE : this.type === SOCK_DGRAM ? -EDESTADDRREQ : -ENOTCONN;
    if (peer.closed && this.type === SOCK_DGRAM && !message.to) {
      this.peer = null;
      this.deserted = true;
      this.discard(k);
      return -ECONNREFUSED;
    }
    if (peer.closed || peer.shutRead) return -EPIPE;
    if (this.stream && iter.left === 0) return 0;
    const n = this.stream ? Math.min(iter.left, peer.room) : iter.left;
    if (n > peer.room || (n === 0 && iter.left > 0)) return -EAGAIN;
    return this.deliver(k, t, peer, iter, n, message);
  }

  override takeError(): number {
    const error = this.reset ? ECONNRESET : 0;
    this.reset = false;
    return error;
  }

  poll(): PollResult {
    let mask = 0;
    if (this.listening) {
      if (this.backlog.length > 0) mask |= POLLIN | POLLRDNORM;
      return { mask, queues: [this.readQueue] };
    }
    const { ended, peer } = this;
    if (this.received.length > 0 || ended) mask |= POLLIN | POLLRDNORM;
    if (ended && (this.wasConnected || this.shutRead)) mask |= POLLRDHUP;
    if (ended && this.mute && (this.wasConnected || this.shutRead)) mask |= POLLHUP;
    if (this.reset) mask |= POLLERR;
    if (!this.wasConnected && this.stream) mask |= POLLOUT | POLLHUP;
    else if (!peer || peer.room * 4 >= SOCKET_BYTES) mask |= POLLOUT | POLLWRNORM;
    const from = this.received[0]?.seq ?? (ended ? this.closedBy : undefined);
    return { mask, queues: [this.readQueue, this.writeQueue], from };
  }

  close(k: Kernel): void {
    this.closed = true;
    for (const pending of this.backlog) pending.close(k);
    const { peer } = this;
    if (peer && this.tied && this.received.length > 0) peer.reset = true;
    this.discard(k);
    if (!peer) return;
    peer.closedBy = k.current.seq;
    peer.wakeBoth(k);
    if (this.tied) peer.tell(k, POLL.HUP);
  }
}

/** Joins two sockets. */
export function connectPair(a: UnixSocket, b: UnixSocket): void {
  a.peer = b;
  b.peer = a;
  a.wasConnected = b.wasConnected = true;
}

/** The name in a struct sockaddr_un: a path, or "\0name"; -errno. */
function readName(bytes: Uint8Array): string | number {
  const { length } = bytes;
  if (length < 2 || length > 110) return -EINVAL;
  if ((bytes[0] | (bytes[1] << 8)) !== AF_UNIX) return length === 2 ? -EINVAL : -EAFNOSUPPORT;
  let name = "";
  for (let i = 2; i < length; i++) {
    if (bytes[i] === 0 && bytes[2] !== 0) break;
    name += String.fromCharCode(bytes[i]);
  }
  return name;
}

/** The socket that has a name, or -errno. */
function find(k: Kernel, t: Task, bytes: Uint8Array): UnixSocket | number {
  const name = readName(bytes);
  if (typeof name === "number") return name;
  if (name.charCodeAt(0) === 0) return k.vfs.names.byName(name) ?? -ECONNREFUSED;
  if (name === "") return -EINVAL;
  const w = walk(k, t, t.fs!.cwd, name, LOOKUP_FOLLOW);
  if (typeof w === "number") return w;
  const denied = permission(w.dentry.inode, MAY_WRITE, t.creds);
  if (denied < 0) return denied;
  return k.vfs.names.byInode(w.dentry.inode) ?? -ECONNREFUSED;
}

/** Sockets by abstract name; by path they hang on the inode. */
export class UnixNames {
  private readonly abstract = new Map<string, UnixSocket>();
  private readonly paths = new WeakMap<Inode, UnixSocket>();

  private nextAuto = 1;

  /** A name for a socket that binds without one: five hexadecimal digits. */
  auto(): string {
    return (this.nextAuto++).toString(16).padStart(5, "0");
  }

  bindAbstract(name: string, socket: UnixSocket): number {
    const old = this.abstract.get(name);
    if (old && !old.closed) return -EADDRINUSE;
    this.abstract.set(name, socket);
    return 0;
  }
  bindInode(inode: Inode, socket: UnixSocket): void {
    this.paths.set(inode, socket);
  }
  byName(name: string): UnixSocket | null {
    const s = this.abstract.get(name);
    return s && !s.closed ? s : null;
  }
  byInode(inode: Inode): UnixSocket | null {
    const s = this.paths.get(inode);
    return s && !s.closed ? s : null;
  }
}
