// Pseudoterminals: /dev/ptmx gives out masters, /dev/pts has their other sides (drivers/tty/pty.c, fs/devpts/inode.c).
import { EAGAIN, EINVAL, EIO, ENOSPC, ENOTTY, ERESTARTSYS } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI32, writeU32 } from "../user.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import { makedev, O_CLOEXEC, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM, S_IFCHR } from "./const.ts";
import { File, type FileOps } from "./file.ts";
import type { Dentry, Mount, Statfs } from "./inode.ts";
import type { IovIter } from "./iov.ts";
import { type MemInode, MemSuper } from "./memfs.ts";
import { nofile } from "./open.ts";
import type { PageCache } from "./page_cache.ts";
import { AsyncFiles, asyncFiles, POLL } from "./sigio.ts";
import { currentTime } from "./times.ts";
import { moved } from "./trace.ts";
import { LINE_MAX, type Tty } from "./tty.ts";
import type { TtyDriver } from "./tty_driver.ts";
import { modeIoctl, newTty, openTty, sizeIoctl } from "./tty_io.ts";
import { hangUp, sessionIoctl } from "./tty_jobctrl.ts";

const TCFLSH = 0x540b;
const TIOCOUTQ = 0x5411;
const FIONREAD = 0x541b;
const TIOCPKT = 0x5420;
const TIOCGPTPEER = 0x5441;
const TIOCGPTN = 0x80045430 | 0;
const TIOCSPTLCK = 0x40045431;
const TIOCSIG = 0x40045436;
const TIOCGPKT = 0x80045438 | 0;
const TIOCGPTLCK = 0x80045439 | 0;
/** Output that waits for the master's reader. */
const PTY_BYTES = 8192;
/** More of it than that is lost: echo, which waits for nobody. */
const ECHO_BYTES = 4096;
const PTS_MAJOR = 136;
const MAX_PTYS = 4096;
const TTY_GROUP = 5;
const DEVPTS_MAGIC = 0x1cd1;

/** A pair: the master's files are its own, the other side is a terminal. */
class Pty implements TtyDriver {
  readonly tty: Tty;
  /** What the other side wrote and the master has not read. */
  private parts: Uint8Array[] = [];
  pending = 0;
  locked = true;
  /** Nobody has the other side open any more. */
  otherClosed = false;
  private gone = false;
  packet = false;
  /** What packet mode has to tell. */
  status = 0;
  /** Files of the master with O_ASYNC. */
  readonly async = new AsyncFiles();
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  private readonly k: Kernel;

  constructor(k: Kernel, index: number) {
    this.k = k;
    this.tty = newTty(k, this, index);
    this.tty.onRoom = () => this.writeQueue.wakeAll(k.cause("space"));
    this.tty.onStatus = (status) => {
      if (!this.packet) return;
      // Stop and start, and the two kinds of flow, exclude each other.
      for (const pair of [12, 48]) if (status & pair) this.status &= ~pair;
      this.status |= status;
      this.readQueue.wakeAll(k.cause("data"));
    };
  }

  get room(): number {
    return Math.max(0, PTY_BYTES - this.pending);
  }

  write(bytes: Uint8Array): void {
    if (this.gone || this.pending >= PTY_BYTES + ECHO_BYTES) return;
    this.parts.push(bytes.slice());
    this.pending += bytes.length;
    this.readQueue.wakeAll(this.k.cause("data"));
    this.async.kill(this.k, POLL.IN);
  }

  flush(): void {
    this.parts = [];
    this.pending = 0;
  }

  opened(): number {
    if (this.gone || this.locked) return -EIO;
    this.otherClosed = false;
    return 0;
  }

  closed(): void {
    this.otherClosed = true;
    this.packet = false;
    this.readQueue.wakeAll(this.k.cause("data"));
    this.writeQueue.wakeAll(this.k.cause("data"));
  }

  /** The master is closed. */
  end(): void {
    this.gone = true;
    this.flush();
    hangUp(this.k, this.tty);
  }

  /** Takes up to `n` bytes for the master. */
  take(n: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(n, this.pending));
    for (let at = 0; at < bytes.length; ) {
      const part = this.parts[0].subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
      if (part.length === this.parts[0].length) this.parts.shift();
      else this.parts[0] = this.parts[0].subarray(part.length);
    }
    this.pending -= bytes.length;
    this.tty.writeQueue.wakeAll(this.k.cause("space"));
    return bytes;
  }
}

function* masterRead(k: Kernel, t: Task, pty: Pty, file: File, iter: IovIter): Generator<Wait, number, WakeReason> {
  if (iter.left === 0) return 0;
  while (pty.pending === 0 && pty.status === 0) {
    if (pty.otherClosed) return -EIO;
    if (file.nonblock) return -EAGAIN;
    if ((yield { queues: [pty.readQueue], interruptible: true }) === "signal") return -ERESTARTSYS;
  }
  iter.touch(Math.min(iter.left, LINE_MAX), true);
  if (!pty.packet) {
    const bytes = pty.take(Math.min(iter.left, LINE_MAX));
    iter.put(bytes);
    return moved(k, t, file, bytes.length);
  }
  const bytes = pty.status === 0 ? pty.take(Math.min(iter.left, LINE_MAX) - 1) : new Uint8Array(0);
  iter.put(Uint8Array.of(pty.status, ...bytes));
  pty.status = 0;
  return moved(k, t, file, bytes.length + 1);
}

function* masterWrite(k: Kernel, t: Task, pty: Pty, file: File, iter: IovIter): Generator<Wait, number, WakeReason> {
  let done = 0;
  while (iter.left > 0) {
    const n = Math.min(iter.left, pty.tty.inputRoom);
    if (n > 0) {
      iter.touch(n, false);
      pty.tty.receive(iter.take(n));
      iter.advance(n);
      done += n;
      continue;
    }
    const soFar = (error: number) => (done > 0 ? moved(k, t, file, done) : error);
    if (file.nonblock) return soFar(-EAGAIN);
    if ((yield { queues: [pty.writeQueue], interruptible: true }) === "signal") return soFar(-ERESTARTSYS);
  }
  return moved(k, t, file, done);
}

function masterIoctl(k: Kernel, t: Task, pty: Pty, file: File, cmd: number, arg: number): SysResult {
  const { tty } = pty;
  const tell = (value: number) => {
    writeU32(k, t, arg, value);
    return 0;
  };
  switch (cmd) {
    case TIOCGPTN:
      return tell(tty.index);
    case TIOCSPTLCK:
      pty.locked = readI32(k, t, arg) !== 0;
      return 0;
    case TIOCGPTLCK:
      return tell(Number(pty.locked));
    case TIOCPKT:
      pty.packet = readI32(k, t, arg) !== 0;
      pty.status = 0;
      return 0;
    case TIOCGPKT:
      return tell(Number(pty.packet));
    case TIOCSIG:
      if (arg < 1 || arg > 64) return -EINVAL;
      tty.signal(arg);
      return 0;
    case TIOCGPTPEER:
      return k.vfs.ptys.openPeer(t, tty, arg);
    case FIONREAD:
      return tell(pty.pending);
    case TIOCOUTQ:
      return tell(0);
    case TCFLSH:
      if (arg !== 0 && arg !== 1 && arg !== 2) return -EINVAL;
      if (arg !== 1) pty.flush();
      if (arg !== 0) tty.flushInput();
      return 0;
    default:
      return (
        modeIoctl(k, t, tty, cmd, arg) ??
        sizeIoctl(k, t, tty, cmd, arg) ??
        sessionIoctl(k, t, tty, file, cmd, arg, false) ??
        -ENOTTY
      );
  }
}

function masterOps(pty: Pty): FileOps {
  return {
    stream: true,
    read: (k, t, file, iter) => masterRead(k, t, pty, file, iter),
    write: (k, t, file, iter) => masterWrite(k, t, pty, file, iter),
    ioctl: (k, t, file, cmd, arg) => masterIoctl(k, t, pty, file, cmd, arg),
    poll: () => {
      let mask = pty.pending > 0 || pty.status !== 0 ? POLLIN | POLLRDNORM : 0;
      if (pty.status !== 0) mask |= POLLPRI;
      if (pty.otherClosed) mask |= POLLHUP;
      if (pty.tty.inputRoom > 0) mask |= POLLOUT | POLLWRNORM;
      return { mask, queues: [pty.readQueue, pty.writeQueue] };
    },
    fasync: (k, file) => asyncFiles(k, file, 0, pty.async),
    release: (k) => {
      k.vfs.ptys.remove(pty.tty.index);
      pty.end();
    },
  };
}

/** The file system on /dev/pts. */
export class DevptsSuper extends MemSuper {
  constructor(dev: number, cache: PageCache, time: { sec: number; nsec: number }) {
    super(dev, "devpts", cache, 0o755, 1);
    this.stamp(this.root.inode as MemInode, time);
    this.root.add(this.dentry("ptmx", this.root, this.special(S_IFCHR, makedev(5, 2), time)));
  }

  override statfs(_k: Kernel): Statfs {
    return { type: DEVPTS_MAGIC, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  }
}

/** The terminals of /dev/pts by number, and their nodes there. */
export class Ptys {
  private readonly k: Kernel;
  readonly mount: Mount;
  private readonly ttys = new Map<number, Tty>();

  constructor(k: Kernel, mount: Mount) {
    this.k = k;
    this.mount = mount;
  }

  /** A node for a terminal. */
  add(tty: Tty, uid: number): Dentry {
    const { root } = this.mount;
    const sb = root.inode.sb as DevptsSuper;
    const inode = sb.special(S_IFCHR | 0o620, makedev(PTS_MAJOR, tty.index), currentTime(this.k));
    inode.uid = uid;
    inode.gid = TTY_GROUP;
    const dentry = sb.dentry(String(tty.index), root, inode);
    root.add(dentry);
    this.ttys.set(tty.index, tty);
    return dentry;
  }

  remove(index: number): void {
    this.ttys.delete(index);
    const dentry = this.mount.root.children!.get(String(index));
    if (dentry === undefined) return;
    dentry.inode.nlink = 0;
    this.mount.root.remove(dentry);
  }

  /** A terminal of /dev/pts by its number; undefined: there is none. */
  get(index: number): Tty | undefined {
    return this.ttys.get(index);
  }

  /** Opening /dev/ptmx makes a pair. */
  openMaster(t: Task, file: File): number {
    let index = 0;
    while (this.ttys.has(index)) index++;
    if (index >= MAX_PTYS) return -ENOSPC;
    const pty = new Pty(this.k, index);
    file.ops = masterOps(pty);
    this.add(pty.tty, t.creds.fsuid);
    return 0;
  }

  /** TIOCGPTPEER: the other side, however /dev/pts is mounted. @returns a descriptor */
  openPeer(t: Task, tty: Tty, flags: number): number {
    const dentry = this.mount.root.children!.get(String(tty.index));
    if (dentry === undefined) return -EIO;
    const file = new File({ mnt: this.mount, dentry }, flags & ~O_CLOEXEC, tty.ops);
    const error = openTty(this.k, t, tty, file);
    if (error < 0) return error;
    const fd = t.files!.install(file, 0, (flags & O_CLOEXEC) !== 0, nofile(t));
    if (fd < 0) file.get().put(this.k);
    return fd;
  }
}
