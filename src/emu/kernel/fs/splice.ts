// splice: between a pipe and a file, a socket or another pipe (fs/splice.c).
import { EAGAIN, EBADF, EINVAL, ERESTARTSYS, ESPIPE } from "../errno.ts";
import { broken, Pipe } from "../ipc/pipe.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI64, writeI64 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { S_IFIFO, S_IFMT } from "./const.ts";
import type { File } from "./file.ts";
import { IovIter } from "./iov.ts";
import { IN_MODIFY } from "./notify.ts";
import { COPY_BYTES, copyFile, finish } from "./read_write.ts";

export const SPLICE_F_NONBLOCK = 2;
export const SPLICE_F_ALL = 15;

export type Moving = Generator<Wait, number, WakeReason>;

/** A pipe, also one of the standard streams, which have no ring. */
function isPipe(file: File): boolean {
  return (file.inode.mode & S_IFMT) === S_IFIFO;
}

/** Waits until there is something in a pipe, or nobody who could write it. */
export function* untilFilled(pipe: Pipe, nonblock: boolean): Moving {
  let why: WakeReason = "woken";
  while (pipe.used === 0 && pipe.writers > 0) {
    if (why === "signal") return -ERESTARTSYS;
    if (nonblock) return -EAGAIN;
    why = yield { queues: [pipe.readQueue], interruptible: true };
  }
  return 0;
}

/** Waits until there is room in a pipe that somebody reads. */
export function* untilRoom(k: Kernel, t: Task, pipe: Pipe, nonblock: boolean): Moving {
  for (let why: WakeReason = "woken"; ; ) {
    if (pipe.readers === 0) return broken(k, t, pipe);
    if (pipe.room > 0) return 0;
    if (nonblock) return -EAGAIN;
    if (why === "signal") return -ERESTARTSYS;
    why = yield { queues: [pipe.writeQueue], interruptible: true };
  }
}

/** What is in a pipe, without taking it. */
export function held(pipe: Pipe, n: number): Uint8Array {
  const bytes = new Uint8Array(n);
  pipe.peek(n, (part, at) => bytes.set(part, at));
  return bytes;
}

function* pipeToPipe(k: Kernel, t: Task, from: Pipe, to: Pipe, length: number, nonblock: boolean): Moving {
  for (;;) {
    const filled = yield* untilFilled(from, nonblock);
    if (filled < 0) return filled;
    const room = yield* untilRoom(k, t, to, nonblock);
    if (room < 0) return room;
    if (from.used > 0) break;
    if (from.writers > 0) continue;
    from.atEnd(k, t);
    return 0;
  }
  const n = Math.min(length, from.used, to.room);
  const bytes = held(from, n);
  from.consume(k, t, n);
  to.fill(k, t, bytes);
  return n;
}

/** What the other side does not take stays in the pipe. */
function* pipeToFile(k: Kernel, t: Task, from: Pipe, to: File, pos: number, length: number, nonblock: boolean): Moving {
  const filled = yield* untilFilled(from, nonblock);
  if (filled < 0) return filled;
  const n = Math.min(length, from.used);
  if (n === 0) {
    from.atEnd(k, t);
    return 0;
  }
  const bytes = held(from, n);
  const put = yield* finish(() => to.ops.write!(k, t, to, IovIter.kernel(k, t, bytes), pos));
  if (put <= 0) return put;
  from.consume(k, t, Math.min(put, from.used));
  k.vfs.notify.event(to.path.dentry, IN_MODIFY);
  return put;
}

function* fileToPipe(k: Kernel, t: Task, from: File, pos: number, to: Pipe, length: number, nonblock: boolean): Moving {
  const room = yield* untilRoom(k, t, to, nonblock);
  if (room < 0) return room;
  const bytes = new Uint8Array(Math.min(length, to.room));
  const got = yield* finish(() => from.ops.read!(k, t, from, IovIter.kernel(k, t, bytes), pos));
  // Another writer may have come while the file was read: what was taken from it is not lost.
  for (let done = 0; done < got && to.readers > 0; ) {
    const n = Math.min(got - done, to.room);
    if (n > 0) to.fill(k, t, bytes.slice(done, done + n));
    else yield { queues: [to.writeQueue], interruptible: false, killable: true };
    if (n === 0 && k.signals.fatalPending(t)) break;
    done += n;
  }
  return got;
}

function* move(
  k: Kernel,
  t: Task,
  from: File,
  inOff: number,
  to: File,
  outOff: number,
  length: number,
  nonblock: boolean,
): Moving {
  const fromPos = inOff ? readI64(k, t, inOff) : -1;
  const toPos = outOff ? readI64(k, t, outOff) : -1;
  if ((inOff && fromPos < 0) || (outOff && toPos < 0)) return -EINVAL;
  let n: number;
  if (from.data instanceof Pipe && to.data instanceof Pipe) {
    n = yield* pipeToPipe(k, t, from.data, to.data, length, nonblock || from.nonblock || to.nonblock);
  } else if (from.data instanceof Pipe) {
    n = yield* pipeToFile(k, t, from.data, to, toPos, length, nonblock || from.nonblock);
  } else if (to.data instanceof Pipe) {
    n = yield* fileToPipe(k, t, from, fromPos, to.data, length, nonblock || to.nonblock);
  } else n = yield* copyFile(k, t, from, fromPos, to, toPos, Math.min(length, COPY_BYTES));
  if (n > 0 && inOff) writeI64(k, t, inOff, fromPos + n);
  if (n > 0 && outOff) writeI64(k, t, outOff, toPos + n);
  return n;
}

/** splice(in, offset in, out, offset out, length, flags): at least one side is a pipe. */
export function sys_splice(
  k: Kernel,
  t: Task,
  inFd: number,
  inOff: number,
  outFd: number,
  outOff: number,
  length: number,
  flags: number,
): SysResult {
  if (length === 0) return 0;
  if (flags & ~SPLICE_F_ALL) return -EINVAL;
  const [from, to] = [t.files!.get(inFd), t.files!.get(outFd)];
  if (!from || !to) return -EBADF;
  const [fromPipe, toPipe] = [isPipe(from), isPipe(to)];
  if ((fromPipe && inOff) || (toPipe && outOff)) return -ESPIPE;
  if (!from.readable || !to.writable) return -EBADF;
  if (!fromPipe && !toPipe) return -EINVAL;
  if (fromPipe && toPipe && from.inode === to.inode) return -EINVAL;
  // Sockets and terminals have no positions.
  if ((!fromPipe && inOff && from.ops.stream) || (!toPipe && outOff && to.ops.stream)) return -EINVAL;
  if (!toPipe && to.append) return -EINVAL;
  if (!from.ops.read || !to.ops.write || from.inode.isDir) return -EINVAL;
  return move(k, t, from, inOff, to, outOff, length >>> 0, (flags & SPLICE_F_NONBLOCK) !== 0);
}
