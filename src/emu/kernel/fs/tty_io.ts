// A terminal as an open file: reading, writing and its ioctls (drivers/tty/tty_io.c, tty_ioctl.c, n_tty.c).
import { EAGAIN, EBUSY, EINVAL, EIO, ENOTTY, ENXIO, EPERM, ERESTARTSYS } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { SIGTTIN, SIGTTOU } from "../signal.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readI32, writeU32 } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { O_NOCTTY, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { asyncFiles } from "./sigio.ts";
import { TERMIO_BYTES, TERMIOS_BYTES, TERMIOS2_BYTES, TOSTOP, VMIN, VSTART, VSTOP, VTIME } from "./termios.ts";
import { moved } from "./trace.ts";
import { LINE_MAX, Tty } from "./tty.ts";
import type { TtyDriver } from "./tty_driver.ts";
import { background, sessionIoctl, takeTerminal } from "./tty_jobctrl.ts";

const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSF = 0x5404;
const TCGETA = 0x5405;
const TCSETA = 0x5406;
const TCSETAF = 0x5408;
const TCSBRK = 0x5409;
const TCXONC = 0x540a;
const TCFLSH = 0x540b;
const TIOCEXCL = 0x540c;
const TIOCNXCL = 0x540d;
const TIOCOUTQ = 0x5411;
const TIOCSTI = 0x5412;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const FIONREAD = 0x541b;
const TIOCSETD = 0x5423;
const TIOCGETD = 0x5424;
const TCSBRKP = 0x5425;
const TIOCSBRK = 0x5427;
const TIOCCBRK = 0x5428;
const TCGETS2 = 0x802c542a | 0;
const TCSETS2 = 0x402c542b;
const TCSETSF2 = 0x402c542d;
const TIOCGDEV = 0x80045432 | 0;
const TIOCGEXCL = 0x80045440 | 0;
/** VTIME counts tenths of a second. */
const TENTH_NS = 1e8;
/** Output with so much before it counts as not ready (WAKEUP_CHARS). */
const WAKEUP_BYTES = 256;

function read(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): SysResult {
  const denied = background(k, t, tty, SIGTTIN);
  if (denied < 0) return denied;
  if (iter.left === 0) return 0;
  iter.touch(Math.min(iter.left, LINE_MAX), true);
  while (!tty.readable() && tty.driver.fetch?.()) {
    // A key may have been a signal to the reader itself.
    if (k.signals.pendingFor(t)) return -ERESTARTSYS;
  }
  const { cc } = tty.termios;
  if (tty.canonical ? tty.readable() : tty.readable(Math.max(1, cc[VTIME] ? 1 : Math.min(cc[VMIN], iter.left)))) {
    if (tty.canonical || cc[VTIME] === 0 || cc[VMIN] === 0) return takeOnce(k, t, tty, file, iter);
  }
  return readSome(k, t, tty, file, iter);
}

function takeOnce(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): number {
  const bytes = tty.take(iter.left);
  iter.put(bytes);
  return moved(k, t, file, bytes.length);
}

/** Reads until there is a line, or as many bytes as VMIN asks for, or as long as VTIME lets (n_tty_read). */
function* readSome(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): Generator<Wait, number, WakeReason> {
  const { cc } = tty.termios;
  const time = tty.canonical ? 0 : k.units(cc[VTIME] * TENTH_NS);
  const least = tty.canonical ? 1 : cc[VMIN];
  // With VMIN the time runs between bytes, without it from the start.
  let deadline = least === 0 ? k.clock.now() + time : undefined;
  let got = 0;
  while (iter.left > 0) {
    if (!tty.readable()) {
      const error = yield* awaitInput(k, t, tty, file, deadline);
      if (error !== undefined) return got > 0 ? moved(k, t, file, got) : error;
    }
    iter.touch(Math.min(iter.left, LINE_MAX), true);
    const line = tty.canonical;
    const bytes = tty.take(iter.left);
    iter.put(bytes);
    iter.advance(bytes.length);
    got += bytes.length;
    if (line || got >= least) break;
    if (time > 0) deadline = k.clock.now() + time;
  }
  return moved(k, t, file, got);
}

/** @returns what a read ends with; undefined: there is something to read */
function* awaitInput(
  k: Kernel,
  t: Task,
  tty: Tty,
  file: File,
  deadline: number | undefined,
): Generator<Wait, number | undefined, WakeReason> {
  while (!tty.readable()) {
    if (tty.ended) return 0;
    if (deadline !== undefined && k.clock.now() >= deadline) return 0;
    if (file.nonblock) return -EAGAIN;
    if (tty.driver.fetch?.()) continue;
    if (tty.ended) return 0;
    const why = yield { queues: [tty.readQueue], interruptible: true, deadline };
    if (file.ops !== tty.ops) return -EIO;
    if (why === "signal") return -ERESTARTSYS;
    // It may have become a background process while it waited.
    const denied = background(k, t, tty, SIGTTIN);
    if (denied < 0) return denied;
  }
  return undefined;
}

function write(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): SysResult {
  if (tty.termios.lflag & TOSTOP) {
    const denied = background(k, t, tty, SIGTTOU);
    if (denied < 0) return denied;
  }
  const n = iter.left;
  if (tty.stopped || n > tty.driver.room) return writeSome(k, t, tty, file, iter);
  if (n > 0) tty.out.write(iter.take(n));
  return moved(k, t, file, n);
}

/** Writes piece by piece, as the other side takes it. */
function* writeSome(k: Kernel, t: Task, tty: Tty, file: File, iter: IovIter): Generator<Wait, number, WakeReason> {
  let done = 0;
  const soFar = (error: number) => (done > 0 ? moved(k, t, file, done) : error);
  while (iter.left > 0) {
    if (file.ops !== tty.ops) return soFar(-EIO);
    const n = tty.stopped ? 0 : Math.min(iter.left, tty.driver.room);
    if (n > 0) {
      iter.touch(n, false);
      tty.out.write(iter.take(n));
      iter.advance(n);
      done += n;
      continue;
    }
    if (file.nonblock) return soFar(-EAGAIN);
    if ((yield { queues: [tty.writeQueue], interruptible: true }) === "signal") return soFar(-ERESTARTSYS);
  }
  return moved(k, t, file, done);
}

/** The ioctls that read and change a terminal's settings, on either side of it; undefined: it is another request. */
export function modeIoctl(k: Kernel, t: Task, tty: Tty, cmd: number, arg: number): number | undefined {
  const { termios } = tty;
  if (cmd === TCGETS || cmd === TCGETS2) {
    copyOut(k, t, arg, termios.encode(cmd === TCGETS ? TERMIOS_BYTES : TERMIOS2_BYTES));
    return 0;
  }
  if (cmd === TCGETA) {
    copyOut(k, t, arg, termios.encodeOld());
    return 0;
  }
  const news = cmd >= TCSETS && cmd <= TCSETSF ? TERMIOS_BYTES : cmd >= TCSETS2 && cmd <= TCSETSF2 ? TERMIOS2_BYTES : 0;
  const old = cmd >= TCSETA && cmd <= TCSETAF;
  if (news > 0 || old) {
    const bytes = copyIn(k, t, arg, old ? TERMIO_BYTES : news);
    const denied = background(k, t, tty, SIGTTOU);
    if (denied < 0) return denied;
    if (cmd === TCSETSF || cmd === TCSETSF2 || cmd === TCSETAF) tty.flushInput();
    tty.set((to) => (old ? to.decodeOld(bytes) : to.decode(bytes)));
    return 0;
  }
  return undefined;
}

/** The size, on either side. */
export function sizeIoctl(k: Kernel, t: Task, tty: Tty, cmd: number, arg: number): number | undefined {
  if (cmd === TIOCGWINSZ) {
    copyOut(k, t, arg, Uint8Array.of(tty.rows, tty.rows >> 8, tty.columns, tty.columns >> 8, 0, 0, 0, 0));
    return 0;
  }
  if (cmd !== TIOCSWINSZ) return undefined;
  const b = copyIn(k, t, arg, 8);
  tty.resize(b[0] | (b[1] << 8), b[2] | (b[3] << 8));
  return 0;
}

function ioctl(k: Kernel, t: Task, tty: Tty, file: File, cmd: number, arg: number): SysResult {
  const common =
    modeIoctl(k, t, tty, cmd, arg) ?? sizeIoctl(k, t, tty, cmd, arg) ?? sessionIoctl(k, t, tty, file, cmd, arg, true);
  if (common !== undefined) return common;
  switch (cmd) {
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
      return background(k, t, tty, SIGTTOU);
    case TCXONC:
    case TCFLSH: {
      const denied = background(k, t, tty, SIGTTOU);
      return denied < 0 ? denied : cmd === TCXONC ? flow(tty, arg) : flush(tty, arg);
    }
    case TIOCEXCL:
    case TIOCNXCL:
      tty.exclusive = cmd === TIOCEXCL;
      return 0;
    case TIOCGEXCL:
      writeU32(k, t, arg, Number(tty.exclusive));
      return 0;
    case TIOCSTI:
      if (t.signal.tty !== tty && !k.ids.capable(t, "SYS_ADMIN")) return -EPERM;
      tty.receive(copyIn(k, t, arg, 1));
      return 0;
    case FIONREAD:
      writeU32(k, t, arg, tty.available);
      return 0;
    case TIOCOUTQ:
      writeU32(k, t, arg, tty.driver.pending);
      return 0;
    case TIOCGETD:
      writeU32(k, t, arg, 0);
      return 0;
    case TIOCSETD: {
      const denied = background(k, t, tty, SIGTTOU);
      return denied < 0 ? denied : readI32(k, t, arg) === 0 ? 0 : -EINVAL;
    }
    case TIOCGDEV:
      writeU32(k, t, arg, file.inode.rdev);
      return 0;
    default:
      return -ENOTTY;
  }
}

/** tcflow: output stops and goes on; the other side is sent ^S or ^Q. */
function flow(tty: Tty, action: number): number {
  if (action === 0) tty.stop();
  else if (action === 1) tty.start();
  else if (action === 2 || action === 3) {
    const c = tty.termios.cc[action === 2 ? VSTOP : VSTART];
    if (c !== 0) tty.driver.write(Uint8Array.of(c));
  } else return -EINVAL;
  return 0;
}

function flush(tty: Tty, which: number): number {
  if (which !== 0 && which !== 1 && which !== 2) return -EINVAL;
  if (which !== 1) tty.flushInput();
  if (which !== 0) tty.flushOutput();
  return 0;
}

/** A terminal with its files' operations. */
export function newTty(k: Kernel, driver: TtyDriver, index: number): Tty {
  const tty = new Tty(k, driver, index);
  tty.ops = ttyOps(tty);
  return tty;
}

function ttyOps(tty: Tty): FileOps {
  return {
    stream: true,
    read: (k, t, file, iter) => read(k, t, tty, file, iter),
    write: (k, t, file, iter) => write(k, t, tty, file, iter),
    ioctl: (k, t, file, cmd, arg) => ioctl(k, t, tty, file, cmd, arg),
    poll: () => {
      const { cc } = tty.termios;
      const least = cc[VTIME] === 0 ? Math.max(1, cc[VMIN]) : 1;
      // Whoever asks is about to read.
      if (!tty.readable(least)) tty.driver.fetch?.();
      const ready = tty.readable(least) || tty.ended;
      const takes = !tty.stopped && tty.driver.room > 0 && tty.driver.pending < WAKEUP_BYTES;
      const mask = (ready ? POLLIN | POLLRDNORM : 0) | (takes ? POLLOUT | POLLWRNORM : 0);
      return { mask, queues: [tty.readQueue, tty.writeQueue] };
    },
    fasync: (k, file) => asyncFiles(k, file, tty.pgrp, tty.async),
    release: (_k, file) => {
      if (tty.files.delete(file) && tty.files.size === 0) tty.driver.closed?.();
    },
  };
}

/** A file becomes one of a terminal's; whoever opens it may get it as its controlling one. */
export function openTty(k: Kernel, t: Task, tty: Tty, file: File): number {
  if (tty.exclusive && !k.ids.capable(t, "SYS_ADMIN")) return -EBUSY;
  const denied = tty.driver.opened?.() ?? 0;
  if (denied < 0) return denied;
  file.ops = tty.ops;
  tty.files.add(file);
  const { signal } = t;
  const asks = !(file.flags & O_NOCTTY) && file.readable;
  if (asks && signal.sessionLeader && signal.tty === undefined && tty.session === 0) takeTerminal(tty, t);
  return 0;
}

/** /dev/tty: the opener's controlling terminal. */
export const currentTtyOps: FileOps = {
  stream: true,
  open: (k, t, file) => {
    const { tty } = t.signal;
    return tty === undefined ? -ENXIO : openTty(k, t, tty, file);
  },
};
