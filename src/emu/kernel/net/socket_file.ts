// What a descriptor of a socket does: reading and writing, which wait as its flags and the call's say, and taking connections.
import { EAGAIN, EPIPE } from "../errno.ts";
import { O_NONBLOCK, O_RDWR, POLLOUT, S_IFSOCK } from "../fs/const.ts";
import type { File, FileOps } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import { recordTiming } from "../fs/trace.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { SIGPIPE } from "../signal.ts";
import type { Task } from "../task.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { AF_UNIX, MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL } from "./const.ts";
import { socketIoctl } from "./ioctl.ts";
import { blocking, deadlineOf, type Message, type Received, type Socket } from "./socket.ts";

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
  socket.ino = file.inode.ino;
  return file;
}

/** Receives; waits for the first byte, with MSG_WAITALL for all. */
export function receive(k: Kernel, t: Task, file: File, iter: IovIter, flags: number, got: Received): SysResult {
  const s = file.data as Socket;
  const wait = !(file.nonblock || flags & MSG_DONTWAIT);
  const all = s.stream && wait && (flags & (MSG_WAITALL | MSG_PEEK)) === MSG_WAITALL;
  const wanted = iter.left;
  const r = s.receiveOnce(k, t, iter, wait ? flags : flags | MSG_DONTWAIT, got);
  if (r === -EAGAIN ? wait : all && r > 0 && r < wanted) {
    return receiveRest(k, t, s, iter, flags, got, Math.max(0, r), all ? wanted : 1);
  }
  if (r === -EAGAIN) recordTiming(k, t);
  return r;
}

function* receiveRest(
  k: Kernel,
  t: Task,
  s: Socket,
  iter: IovIter,
  flags: number,
  got: Received,
  first: number,
  least: number,
): Generator<Wait, number, WakeReason> {
  let done = first;
  iter.advance(first);
  const deadline = deadlineOf(k, s.receiveTimeout);
  do {
    s.awaited = s.stream;
    const r = yield* blocking(s.readQueue, () => s.receiveOnce(k, t, iter, flags, got), deadline);
    s.awaited = false;
    if (r <= 0) return done > 0 ? done : r;
    done += r;
    if (done < least) iter.advance(r);
  } while (done < least);
  return done;
}

/** Sends; a stream waits until all of it went. */
export function send(k: Kernel, t: Task, file: File, iter: IovIter, message: Message): SysResult {
  const s = file.data as Socket;
  const total = iter.left;
  const r = s.sendOnce(k, t, iter, message);
  if (r === -EAGAIN || (s.stream && r > 0 && r < total)) s.full = true;
  const wait = !(file.nonblock || message.flags & MSG_DONTWAIT);
  if (wait && (r === -EAGAIN || (s.stream && r > 0 && r < total))) {
    return sendRest(k, t, s, iter, message, Math.max(0, r), total);
  }
  if (r === -EAGAIN) recordTiming(k, t);
  return broken(k, t, s, r, message.flags);
}

function* sendRest(
  k: Kernel,
  t: Task,
  s: Socket,
  iter: IovIter,
  message: Message,
  sent: number,
  total: number,
): Generator<Wait, number, WakeReason> {
  let done = sent;
  let carry = sent > 0 ? { ...message, files: [] } : message;
  iter.advance(sent);
  const deadline = deadlineOf(k, s.sendTimeout);
  do {
    const r = yield* blocking(s.writeQueue, () => s.sendOnce(k, t, iter, carry), deadline);
    if (r < 0) return done > 0 ? done : broken(k, t, s, r, message.flags);
    carry = { ...message, files: [] };
    iter.advance(r);
    done += r;
  } while (done < total);
  return done;
}

/** A stream that nobody reads signals its writer. */
function broken(k: Kernel, t: Task, s: Socket, r: number, flags: number): number {
  if (r === -EPIPE && s.stream && !(flags & MSG_NOSIGNAL)) k.signals.send(t, k.signals.userInfo(t, SIGPIPE));
  return r;
}

/** One attempt to take a connection from the backlog. */
export function acceptOnce(k: Kernel, t: Task, s: Socket): Socket | number {
  if (!s.listening) return s.notListening();
  const other = s.backlog.shift();
  if (!other) return -EAGAIN;
  if (other.connectedBy >= 0) k.edge(t, { from: other.connectedBy, kind: "data" });
  s.accepted(k);
  return other;
}

/** read(): there is no room for the descriptors that come with the bytes, so they are closed. */
function readBytes(k: Kernel, t: Task, file: File, iter: IovIter): SysResult {
  if (iter.left === 0) return 0;
  const got: Received = { files: [] };
  const r = receive(k, t, file, iter, 0, got);
  if (typeof r !== "number") return readLater(k, r, got);
  putFiles(k, got);
  return r;
}

function* readLater(
  k: Kernel,
  wait: Generator<Wait, number, WakeReason>,
  got: Received,
): Generator<Wait, number, WakeReason> {
  const r = yield* wait;
  putFiles(k, got);
  return r;
}

/** Closes the descriptors that nobody took from a message. */
export function putFiles(k: Kernel, got: Received): void {
  for (const file of got.files) file.put(k);
}

const socketOps: FileOps = {
  stream: true,
  read: readBytes,
  write: (k, t, file, iter) => send(k, t, file, iter, { flags: 0, files: [] }),
  poll: (_k, file) => {
    const s = file.data as Socket;
    const r = s.poll();
    if (!(r.mask & POLLOUT) && !s.listening && !(s.stream && s.family === AF_UNIX)) s.full = true;
    return r;
  },
  fasync: (_k, file) => [(file.data as Socket).async],
  ioctl: (k, t, file, cmd, arg) => socketIoctl(k, t, file.data as Socket, cmd, arg),
  release: (k, file) => (file.data as Socket).close(k),
};
