// Pipes and FIFOs: a ring of 64 KiB, atomic writes up to PIPE_BUF, and the trace edges of either direction (fs/pipe.c).
//
// Every completion that depended on the other side is an edge, blocked or not: a read depends on the last write that put
// in its bytes (data; end of file: on the last writer's close), a write that would not have fitted without a read
// depends on that read (space).
import { OBJECT } from "../../../traces/schema/enums.ts";
import { EAGAIN, EBADF, EBUSY, EINVAL, ENOTTY, EPERM, EPIPE, ERESTARTSYS } from "../errno.ts";
import { PIPE_BUF, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../fs/const.ts";
import type { File, FileOps, PollResult } from "../fs/file.ts";
import type { IovIter } from "../fs/iov.ts";
import { AsyncFiles, POLL } from "../fs/sigio.ts";
import { recordShort, recordTiming } from "../fs/trace.ts";
import type { Kernel } from "../kernel.ts";
import type { SysResult } from "../sched.ts";
import { SIGPIPE } from "../signal.ts";
import type { Task } from "../task.ts";
import { writeU32 } from "../user.ts";
import { Retry, type Wait, WaitQueue, type WakeReason } from "../wait.ts";

export const PIPE_DEFAULT_BYTES = 65536;
export const PIPE_MAX_BYTES = 1 << 20;

/** Which event moved the bytes up to which offset of a stream, in order; asked for offsets that never decrease. */
class Marks {
  private upTo: number[] = [];
  private seqs: number[] = [];
  private head = 0;

  push(upTo: number, seq: number): void {
    const last = this.upTo.length - 1;
    if (last >= this.head && this.seqs[last] === seq) {
      this.upTo[last] = upTo;
      return;
    }
    this.upTo.push(upTo);
    this.seqs.push(seq);
  }

  /** The event that moved byte `offset` (counted from 1), forgetting those before it; -1 if unknown. */
  at(offset: number): number {
    while (this.head < this.upTo.length && this.upTo[this.head] < offset) this.head++;
    if (this.head > 64 && 2 * this.head > this.upTo.length) {
      this.upTo.splice(0, this.head);
      this.seqs.splice(0, this.head);
      this.head = 0;
    }
    return this.head < this.upTo.length ? this.seqs[this.head] : -1;
  }
}

export class Pipe {
  private ring: Uint8Array;
  /** Bytes ever read and written: the ring holds the difference. */
  private out = 0;
  private in = 0;
  readers = 0;
  writers = 0;
  /** Counts openings, for a FIFO's open to wait on. */
  readerCount = 0;
  writerCount = 0;
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  /** Who wrote the bytes that are in the ring, and who read the last ring's worth. */
  private readonly written = new Marks();
  private readonly taken = new Marks();
  /** The event that closed the last writer. */
  private closedBy = -1;
  /** Files of either side with O_ASYNC. */
  readonly asyncReaders = new AsyncFiles();
  readonly asyncWriters = new AsyncFiles();
  /** Made by pipe(), not a FIFO: opening an end again (/proc/self/fd) waits for nobody. */
  anonymous = false;
  traceObject = -1;
  readonly id: number;

  constructor(id: number, bytes = PIPE_DEFAULT_BYTES) {
    this.id = id;
    this.ring = new Uint8Array(bytes);
  }

  get capacity(): number {
    return this.ring.length;
  }
  get used(): number {
    return this.in - this.out;
  }
  get room(): number {
    return this.ring.length - this.used;
  }

  /** The trace's number for the pipe. */
  object(k: Kernel): number {
    if (this.traceObject < 0) {
      this.traceObject = k.ids.object();
      k.recorder.object({ obj: this.traceObject, type: OBJECT.pipe, capacity: this.capacity });
    }
    return this.traceObject;
  }

  /** Copies up to `n` bytes out without taking them; the two parts of a wrapped ring. */
  peek(n: number, put: (bytes: Uint8Array, at: number) => void): void {
    const size = this.ring.length;
    const from = this.out % size;
    const part = Math.min(n, size - from);
    put(this.ring.subarray(from, from + part), 0);
    if (part < n) put(this.ring.subarray(0, n - part), part);
  }

  /** Takes `n` bytes and records what they depended on. */
  consume(k: Kernel, t: Task, n: number): void {
    this.out += n;
    const writer = this.written.at(this.out);
    if (writer >= 0) k.edge(t, { from: writer, kind: "data" });
    this.taken.push(this.out, t.seq);
    this.writeQueue.wake(k.cause("space"));
    this.asyncWriters.kill(k, POLL.OUT);
  }

  /** Puts bytes in; there is room. */
  fill(k: Kernel, t: Task, bytes: Uint8Array): void {
    const size = this.ring.length;
    const to = this.in % size;
    const part = Math.min(bytes.length, size - to);
    this.ring.set(bytes.subarray(0, part), to);
    if (part < bytes.length) this.ring.set(bytes.subarray(part), 0);
    this.in += bytes.length;
    // These bytes lie where those one ring earlier lay: whoever took them made the space.
    const needed = this.in - size;
    if (needed > 0) {
      const reader = this.taken.at(needed);
      if (reader >= 0) k.edge(t, { from: reader, kind: "space" });
    }
    this.written.push(this.in, t.seq);
    this.readQueue.wake(k.cause("data"));
    this.asyncReaders.kill(k, POLL.IN);
  }

  /** The event that made the pipe readable: who wrote its first byte, or closed its last writer. */
  readyBy(): number | undefined {
    const seq = this.used > 0 ? this.written.at(this.out + 1) : this.writers === 0 ? this.closedBy : -1;
    return seq >= 0 ? seq : undefined;
  }

  /** End of file: depends on whoever closed the last writer. */
  atEnd(k: Kernel, t: Task): void {
    if (this.closedBy >= 0) k.edge(t, { from: this.closedBy, kind: "data" });
  }

  closeWriter(k: Kernel): void {
    if (--this.writers === 0) {
      this.closedBy = k.current.seq;
      this.readQueue.wakeAll(k.cause("data"));
    }
    this.tellClosed(k);
  }

  closeReader(k: Kernel): void {
    if (--this.readers === 0) this.writeQueue.wakeAll(k.cause("space"));
    this.tellClosed(k);
  }

  /** A file of one side is closed and a side has nobody left. */
  private tellClosed(k: Kernel): void {
    if ((this.readers === 0) === (this.writers === 0)) return;
    this.asyncReaders.kill(k, POLL.IN);
    this.asyncWriters.kill(k, POLL.OUT);
  }

  /** F_SETPIPE_SZ: a power of two, at least a page. */
  resize(bytes: number): number {
    if (bytes < 0 || bytes > 0x8000_0000) return -EINVAL;
    let size = PIPE_BUF;
    while (size < bytes) size *= 2;
    if (size > PIPE_MAX_BYTES) return -EPERM;
    if (size < this.used) return -EBUSY;
    const ring = new Uint8Array(size);
    const held = this.used;
    const flat = new Uint8Array(held);
    this.peek(held, (part, at) => flat.set(part, at));
    for (let i = 0; i < held; i++) ring[(this.out + i) % size] = flat[i];
    this.ring = ring;
    return size;
  }
}

/** Reads from a pipe: what is there, at once; an empty pipe blocks. */
export function pipeRead(k: Kernel, t: Task, pipe: Pipe, nonblock: boolean, iter: IovIter): SysResult {
  if (iter.left === 0) return 0;
  const n = Math.min(iter.left, pipe.used);
  if (n > 0) {
    pipe.peek(n, (bytes, at) => iter.put(bytes, at));
    pipe.consume(k, t, n);
    if (k.recorder.enabled) {
      k.recorder.set(t.seq, { obj: pipe.object(k), bytes: n });
      // The last bytes of a writer that is gone are the same at any later time.
      if (n < iter.left) recordShort(k, t, pipe.writers > 0);
    }
    return n;
  }
  if (pipe.writers === 0) {
    pipe.atEnd(k, t);
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: pipe.object(k), bytes: 0 });
    pipe.asyncWriters.kill(k, POLL.OUT);
    return 0;
  }
  if (nonblock) {
    recordTiming(k, t);
    pipe.asyncWriters.kill(k, POLL.OUT);
    return -EAGAIN;
  }
  return readBlocked(k, t, pipe, iter);
}

function* readBlocked(k: Kernel, t: Task, pipe: Pipe, iter: IovIter): Generator<Wait, number, WakeReason> {
  for (;;) {
    const why = yield { queues: [pipe.readQueue], interruptible: true };
    for (;;) {
      try {
        if (pipe.used > 0 || pipe.writers === 0) return pipeRead(k, t, pipe, true, iter) as number;
        break;
      } catch (e) {
        if (!(e instanceof Retry)) throw e;
        yield e.wait;
      }
    }
    if (why === "signal") return -ERESTARTSYS;
  }
}

/** Writes to a pipe: up to PIPE_BUF in one piece or not at all, more in pieces as room appears. */
export function pipeWrite(k: Kernel, t: Task, pipe: Pipe, nonblock: boolean, iter: IovIter): SysResult {
  const total = iter.left;
  if (total === 0) return 0;
  if (pipe.readers === 0) return broken(k, t, pipe);
  if (pipe.room >= total) {
    pipe.fill(k, t, iter.take(total));
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: pipe.object(k), bytes: total });
    return total;
  }
  if (nonblock) {
    recordTiming(k, t);
    if (total <= PIPE_BUF || pipe.room === 0) {
      pipe.asyncReaders.kill(k, POLL.IN);
      return -EAGAIN;
    }
    const n = pipe.room;
    pipe.fill(k, t, iter.take(n));
    if (k.recorder.enabled) k.recorder.set(t.seq, { obj: pipe.object(k), bytes: n });
    return n;
  }
  return writeBlocked(k, t, pipe, iter, total);
}

/** Nobody reads any more: SIGPIPE, and EPIPE. */
export function broken(k: Kernel, t: Task, pipe: Pipe): number {
  k.signals.send(t, k.signals.userInfo(t, SIGPIPE));
  pipe.asyncReaders.kill(k, POLL.IN);
  return -EPIPE;
}

function* writeBlocked(
  k: Kernel,
  t: Task,
  pipe: Pipe,
  iter: IovIter,
  total: number,
): Generator<Wait, number, WakeReason> {
  const least = total <= PIPE_BUF ? total : 1;
  let done = 0;
  for (;;) {
    if (pipe.readers === 0) {
      const r = broken(k, t, pipe);
      if (done === 0) return r;
      break;
    }
    if (pipe.room >= Math.min(least, iter.left)) {
      const n = Math.min(pipe.room, iter.left);
      try {
        pipe.fill(k, t, iter.take(n));
      } catch (e) {
        if (!(e instanceof Retry)) throw e;
        yield e.wait;
        continue;
      }
      iter.advance(n);
      done += n;
      if (iter.left === 0) break;
    } else pipe.asyncReaders.kill(k, POLL.IN);
    const why = yield { queues: [pipe.writeQueue], interruptible: true };
    if (why === "signal" && pipe.room < Math.min(least, iter.left)) {
      if (done === 0) return -ERESTARTSYS;
      break;
    }
  }
  if (k.recorder.enabled) k.recorder.set(t.seq, { obj: pipe.object(k), bytes: done });
  return done;
}

/** What poll sees at one end. */
export function pipePoll(pipe: Pipe, file: File): PollResult {
  let mask = 0;
  const queues: WaitQueue[] = [];
  if (file.readable) {
    queues.push(pipe.readQueue);
    if (pipe.used > 0) mask |= POLLIN | POLLRDNORM;
    if (pipe.writers === 0 && pipe.writerCount > 0) mask |= POLLHUP;
  }
  if (file.writable) {
    queues.push(pipe.writeQueue);
    if (pipe.room >= PIPE_BUF) mask |= POLLOUT | POLLWRNORM;
    if (pipe.readers === 0) mask |= POLLERR;
  }
  return { mask, queues, from: file.readable ? pipe.readyBy() : undefined };
}

const FIONREAD = 0x541b;

/** Operations of either end of a pipe; `file.data` is the Pipe. */
export const pipeOps: FileOps = {
  stream: true,
  read: (k, t, file, iter) => (file.readable ? pipeRead(k, t, file.data as Pipe, file.nonblock, iter) : -EBADF),
  write: (k, t, file, iter) => pipeWrite(k, t, file.data as Pipe, file.nonblock, iter),
  poll: (_k, file) => pipePoll(file.data as Pipe, file),
  ioctl: (k, t, file, cmd, arg) => {
    if (cmd !== FIONREAD) return -ENOTTY;
    writeU32(k, t, arg, (file.data as Pipe).used);
    return 0;
  },
  fasync: (_k, file) => {
    const pipe = file.data as Pipe;
    return [...(file.readable ? [pipe.asyncReaders] : []), ...(file.writable ? [pipe.asyncWriters] : [])];
  },
  release: (k, file) => {
    const pipe = file.data as Pipe;
    if (file.readable) pipe.closeReader(k);
    if (file.writable) pipe.closeWriter(k);
  },
};
