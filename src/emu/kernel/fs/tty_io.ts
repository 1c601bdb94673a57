// The terminal as an open file: reading, writing, its ioctls, and job control (drivers/tty/tty_io.c, tty_jobctrl.c).
import { EAGAIN, EINVAL, EIO, ENOTTY, ENXIO, EPERM, ERESTARTSYS, ESRCH } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { bit, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, SIGWINCH } from "../signal.ts";
import { SIG_IGN, type Task } from "../task.ts";
import { copyIn, copyOut, readI32, writeU32 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { major, minor, O_NOCTTY, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { objectOf, recordBytes } from "./trace.ts";
import { ICANON, LINE_MAX, TOSTOP, type Tty } from "./tty.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSW = 0x5403;
const TCSETSF = 0x5404;
const TCGETA = 0x5405;
const TCSBRK = 0x5409;
const TCXONC = 0x540a;
const TCFLSH = 0x540b;
const TIOCSCTTY = 0x540e;
const TIOCGPGRP = 0x540f;
const TIOCSPGRP = 0x5410;
const TIOCOUTQ = 0x5411;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const FIONREAD = 0x541b;
const TIOCNOTTY = 0x5422;
const TIOCGSID = 0x5429;
const TIOCGPTN = 0x80045430 | 0;

/** Sends a signal to a background process that touches its terminal (__tty_check_change); 0: it may go on. */
function background(k: Kernel, t: Task, signo: number): number {
  const tty = k.vfs.tty;
  const { signal } = t;
  if (tty.session === 0 || signal.session !== tty.session || signal.pgrp === tty.pgrp) return 0;
  const ignored = t.sighand.actions[signo].handler === SIG_IGN || (t.blocked & bit(signo)) !== 0n;
  if (ignored) return signo === SIGTTIN ? -EIO : 0;
  if (k.ids.isOrphanedPgrp(signal.pgrp)) return -EIO;
  k.signals.sendPgrp(signal.pgrp, { signo, code: 0x80, errno: 0 });
  return -ERESTARTSYS;
}

function read(k: Kernel, t: Task, file: File, iter: IovIter): SysResult {
  const tty = k.vfs.tty;
  const denied = background(k, t, SIGTTIN);
  if (denied < 0) return denied;
  if (iter.left === 0) return 0;
  iter.touch(Math.min(iter.left, LINE_MAX), true);
  if (!tty.readable) {
    if (file.nonblock) return -EAGAIN;
    if (!(tty.lflag & ICANON) && tty.minimum === 0) return 0;
    if (tty.live) return tty.atEnd ? 0 : readLater(k, t, file, iter);
    while (!tty.readable) {
      if (!tty.fetch()) return 0;
      // A key may have been a signal to the reader itself.
      if (k.signals.pendingFor(t)) return -ERESTARTSYS;
    }
  }
  return take(k, t, tty, file, iter);
}

function take(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): number {
  const bytes = tty.take(iter.left);
  iter.put(bytes);
  if (k.recorder.enabled) recordBytes(k, t, objectOf(k, file.inode), -1, bytes.length);
  return bytes.length;
}

function* readLater(k: Kernel, t: Task, file: File, iter: IovIter): Generator<Wait, number, WakeReason> {
  const tty = k.vfs.tty;
  for (;;) {
    const why = yield { queues: [tty.queue], interruptible: true };
    if (why === "signal") return -ERESTARTSYS;
    // It may have become a background process while it waited.
    const denied = background(k, t, SIGTTIN);
    if (denied < 0) return denied;
    if (tty.readable) break;
    if (tty.atEnd) return 0;
  }
  iter.touch(Math.min(iter.left, LINE_MAX), true);
  return take(k, t, tty, file, iter);
}

function write(k: Kernel, t: Task, file: File, iter: IovIter): SysResult {
  const tty = k.vfs.tty;
  if (tty.lflag & TOSTOP) {
    const denied = background(k, t, SIGTTOU);
    if (denied < 0) return denied;
  }
  const n = iter.left;
  if (n > 0) tty.output(iter.take(n));
  if (k.recorder.enabled) recordBytes(k, t, objectOf(k, file.inode), -1, n);
  return n;
}

/** struct termios: four words, line, 19 control characters (36 bytes). */
function getTermios(tty: Tty): Uint8Array {
  const bytes = new Uint8Array(36);
  const v = new DataView(bytes.buffer);
  v.setUint32(0, tty.iflag, true);
  v.setUint32(4, tty.oflag, true);
  v.setUint32(8, tty.cflag, true);
  v.setUint32(12, tty.lflag, true);
  bytes.set(tty.cc, 17);
  return bytes;
}

function setTermios(tty: Tty, bytes: Uint8Array): void {
  const v = new DataView(bytes.buffer, bytes.byteOffset);
  tty.iflag = v.getUint32(0, true);
  tty.oflag = v.getUint32(4, true);
  tty.cflag = v.getUint32(8, true);
  tty.lflag = v.getUint32(12, true);
  tty.cc.set(bytes.subarray(17, 36));
}

function ioctl(k: Kernel, t: Task, _file: File, cmd: number, arg: number): SysResult {
  const tty = k.vfs.tty;
  switch (cmd) {
    case TCGETS:
      copyOut(k, t, arg, getTermios(tty));
      return 0;
    case TCSETS:
    case TCSETSW:
    case TCSETSF: {
      const bytes = copyIn(k, t, arg, 36);
      const denied = background(k, t, SIGTTOU);
      if (denied < 0) return denied;
      if (cmd === TCSETSF) tty.flush();
      setTermios(tty, bytes);
      return 0;
    }
    case TCGETA:
      return -EINVAL;
    case TCSBRK:
    case TCXONC:
      return 0;
    case TCFLSH:
      if (arg !== 1) tty.flush();
      return 0;
    case TIOCGWINSZ:
      copyOut(k, t, arg, Uint8Array.of(tty.rows, tty.rows >> 8, tty.columns, tty.columns >> 8, 0, 0, 0, 0));
      return 0;
    case TIOCSWINSZ: {
      const b = copyIn(k, t, arg, 8);
      tty.rows = b[0] | (b[1] << 8);
      tty.columns = b[2] | (b[3] << 8);
      tty.signal(SIGWINCH);
      return 0;
    }
    case FIONREAD:
      writeU32(k, t, arg, tty.available);
      return 0;
    case TIOCOUTQ:
      writeU32(k, t, arg, 0);
      return 0;
    case TIOCGPTN:
      writeU32(k, t, arg, 0);
      return 0;
    default:
      return jobControl(k, t, tty, cmd, arg);
  }
}

function jobControl(k: Kernel, t: Task, tty: Tty, cmd: number, arg: number): number {
  const { signal } = t;
  switch (cmd) {
    case TIOCSCTTY:
      if (signal.sessionLeader && tty.session === signal.session) return 0;
      if (!signal.sessionLeader || tty.session !== 0) return -EPERM;
      takeTerminal(tty, t);
      return 0;
    case TIOCNOTTY:
      if (tty.session !== signal.session) return -ENOTTY;
      if (signal.sessionLeader) leave(k, tty);
      signal.tty = undefined;
      return 0;
    case TIOCGPGRP:
      if (tty.session === 0 || tty.session !== signal.session) return -ENOTTY;
      writeU32(k, t, arg, tty.pgrp);
      return 0;
    case TIOCGSID:
      if (tty.session === 0 || tty.session !== signal.session) return -ENOTTY;
      writeU32(k, t, arg, tty.session);
      return 0;
    case TIOCSPGRP: {
      if (tty.session === 0 || tty.session !== signal.session) return -ENOTTY;
      const denied = background(k, t, SIGTTOU);
      if (denied < 0) return denied;
      const pgrp = readI32(k, t, arg);
      if (pgrp < 0) return -EINVAL;
      const member = [...k.tasks.values()].find((m) => m.signal.pgrp === pgrp);
      if (!member) return -ESRCH;
      if (member.signal.session !== signal.session) return -EPERM;
      tty.pgrp = pgrp;
      return 0;
    }
    default:
      return -ENOTTY;
  }
}

function takeTerminal(tty: Tty, t: Task): void {
  tty.session = t.signal.session;
  tty.pgrp = t.signal.pgrp;
  t.signal.tty = tty;
}

function leave(k: Kernel, tty: Tty): void {
  if (tty.pgrp > 0) {
    k.signals.sendPgrp(tty.pgrp, { signo: SIGHUP, code: 0x80, errno: 0 });
    k.signals.sendPgrp(tty.pgrp, { signo: SIGCONT, code: 0x80, errno: 0 });
  }
  tty.session = 0;
  tty.pgrp = 0;
}

/** The session's leader is gone: its terminal is free, the foreground group hears of it. */
export function sessionLeaderExit(k: Kernel, t: Task): void {
  const tty = k.vfs.tty;
  if (tty.session !== 0 && tty.session === t.signal.session) leave(k, tty);
}

/** Makes the terminal the first program's controlling one. */
export function attachTerminal(k: Kernel, t: Task): void {
  k.vfs.tty.start();
  takeTerminal(k.vfs.tty, t);
}

export const ttyOps: FileOps = {
  stream: true,
  read,
  write,
  ioctl,
  poll: (k) => {
    const tty = k.vfs.tty;
    // Whoever asks is about to read: what the host has can be taken in now.
    if (!tty.readable && !tty.live) tty.fetch();
    const ready = tty.readable || tty.atEnd;
    return { mask: POLLOUT | POLLWRNORM | (ready ? POLLIN | POLLRDNORM : 0), queues: [tty.queue] };
  },
  open: (k, t, file) => {
    const tty = k.vfs.tty;
    if (!k.options.tty) return -ENXIO;
    const isTty = major(file.inode.rdev) === 5 && minor(file.inode.rdev) === 0;
    if (isTty && (tty.session === 0 || tty.session !== t.signal.session)) return -ENXIO;
    if (!(file.flags & O_NOCTTY) && t.signal.sessionLeader && tty.session === 0) takeTerminal(tty, t);
    return 0;
  },
};
