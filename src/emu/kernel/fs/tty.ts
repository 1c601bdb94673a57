// The one terminal of a `-t` run: termios, the canonical line discipline, job control (drivers/tty/n_tty.c, tty_jobctrl.c).
//
// The host delivers raw bytes: editing, echo and signals are done here. With a terminal on the host, keys are looked for
// every 10 ms of the virtual clock, which then does not run ahead of host time; with plain input, a read takes what it
// needs at once. Either way whoever runs with a terminal marks the trace not reproducible.

import type { HostTerminal } from "../../host.ts";
import { EAGAIN, EINVAL, EIO, ENOTTY, ENXIO, EPERM, ERESTARTSYS, ESRCH } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { bit, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGWINCH } from "../signal.ts";
import { SIG_IGN, type Task } from "../task.ts";
import { copyIn, copyOut, readI32, writeU32 } from "../user.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import { major, minor, O_NOCTTY, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";

import { objectOf, recordBytes } from "./trace.ts";

// termios bits (asm-generic/termbits.h).
const ICRNL = 0o400;
const INLCR = 0o100;
const IGNCR = 0o200;
const ISTRIP = 0o40;
const OPOST = 1;
const ONLCR = 4;
const ISIG = 1;
const ICANON = 2;
const ECHO = 0o10;
const ECHOE = 0o20;
const ECHOK = 0o40;
const ECHONL = 0o100;
const NOFLSH = 0o200;
const TOSTOP = 0o400;
const ECHOCTL = 0o1000;
// Indices into c_cc.
const VINTR = 0;
const VQUIT = 1;
const VERASE = 2;
const VKILL = 3;
const VEOF = 4;
const VMIN = 6;
const VSUSP = 10;
const VEOL = 11;
const VWERASE = 14;
const VEOL2 = 16;

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

const LINE_MAX = 4096;
/** How often keys are looked for. */
const PUMP_NS = 10_000_000;
/** Host time is followed, not caught up with, after a delay this long. */
const LAG_MS = 50;

export class Tty {
  private readonly k: Kernel;
  iflag = 0o2400 | ICRNL;
  oflag = OPOST | ONLCR;
  cflag = 0o277;
  lflag: number;
  readonly cc = new Uint8Array(19);
  rows = 24;
  columns = 80;
  /** Session and foreground process group; 0: none. */
  session = 0;
  pgrp = 0;
  /** Input that may be read; for a canonical terminal up to `lines` ends of lines. */
  private ready: number[] = [];
  private ends: number[] = [];
  private line: number[] = [];
  private ended = false;
  /** Readers and pollers of the terminal. */
  readonly queue = new WaitQueue();
  /** Host time at virtual time 0, in ms. */
  private hostStart = Number.NaN;

  constructor(k: Kernel) {
    this.k = k;
    this.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | 0o4000 | 0o100000;
    // ^C ^\ DEL ^U ^D, 0, 1, swtc, ^Q ^S ^Z, eol, ^R ^O ^W ^V, eol2
    this.cc.set([3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0]);
    const size = k.options.host.windowSize?.();
    if (size) {
      this.rows = size.rows;
      this.columns = size.columns;
    }
  }

  /** Begins to look for keys; called once the machine runs. */
  start(): void {
    const { terminal } = this.k.options.host;
    if (this.k.options.tty && terminal) this.pump(terminal);
  }

  private pump(terminal: HostTerminal): void {
    const { clock } = this.k;
    this.pace(terminal);
    const bytes = this.ended ? undefined : terminal.poll();
    if (bytes) {
      if (bytes.length === 0) this.ended = true;
      for (const b of bytes) this.input(b);
      if (this.ended || this.readable) this.queue.wakeAll({ kind: "data" });
    }
    clock.at(clock.now() + this.k.units(PUMP_NS), () => this.pump(terminal));
  }

  private pace(terminal: HostTerminal): void {
    const virtual = this.k.uptimeNs / 1e6;
    const host = performance.now();
    if (Number.isNaN(this.hostStart)) this.hostStart = host - virtual;
    const ahead = virtual - (host - this.hostStart);
    if (ahead > 1) terminal.sleep(Math.min(ahead, 20));
    else if (ahead < -LAG_MS) this.hostStart = host - virtual;
  }

  /** Nothing more will be typed. */
  get atEnd(): boolean {
    return this.ended;
  }

  /** Can a read wait for a key without holding up the emulator? */
  get live(): boolean {
    return this.k.options.host.terminal !== undefined;
  }

  private get canonical(): boolean {
    return (this.lflag & ICANON) !== 0;
  }

  /** Is there something to read? */
  get readable(): boolean {
    return this.canonical ? this.ends.length > 0 : this.ready.length > 0;
  }

  /** Bytes that FIONREAD tells. */
  get available(): number {
    return this.canonical && this.ends.length > 0 ? this.ends[0] : this.canonical ? 0 : this.ready.length;
  }

  /** Takes in what the host has; blocks the emulator until there is something. False: the host's input ended. */
  fetch(): boolean {
    if (this.ended) return false;
    const bytes = this.k.options.host.stdin.read(LINE_MAX);
    if (bytes.length === 0) {
      this.ended = true;
      return false;
    }
    this.k.vfs.streams.digest.update(bytes);
    for (const b of bytes) this.input(b);
    return true;
  }

  /** One byte from the keyboard (n_tty_receive_char). */
  input(raw: number): void {
    let b = this.iflag & ISTRIP ? raw & 0x7f : raw;
    if (b === 13) {
      if (this.iflag & IGNCR) return;
      if (this.iflag & ICRNL) b = 10;
    } else if (b === 10 && this.iflag & INLCR) b = 13;
    const cc = this.cc;
    if (this.lflag & ISIG && b !== 0) {
      const signal = b === cc[VINTR] ? SIGINT : b === cc[VQUIT] ? SIGQUIT : b === cc[VSUSP] ? SIGTSTP : 0;
      if (signal) {
        this.echo(b);
        if (!(this.lflag & NOFLSH)) this.flush();
        this.signal(signal);
        return;
      }
    }
    if (!this.canonical) {
      this.echo(b);
      this.ready.push(b);
      return;
    }
    if (b === cc[VERASE] && b !== 0) {
      this.erase(1);
      return;
    }
    if (b === cc[VWERASE] && b !== 0) {
      this.eraseWord();
      return;
    }
    if (b === cc[VKILL] && b !== 0) {
      this.erase(this.line.length);
      return;
    }
    if (b === cc[VEOF] && b !== 0) {
      this.endLine();
      return;
    }
    if (b === 10 || (b !== 0 && (b === cc[VEOL] || b === cc[VEOL2]))) {
      if (this.lflag & (ECHO | ECHONL)) this.echo(b);
      this.line.push(b);
      this.endLine();
      return;
    }
    if (this.line.length >= LINE_MAX - 1) return;
    this.echo(b);
    this.line.push(b);
  }

  private endLine(): void {
    this.ends.push(this.line.length);
    this.ready.push(...this.line);
    this.line = [];
  }

  private erase(n: number): void {
    for (let i = 0; i < n && this.line.length > 0; i++) {
      const b = this.line.pop()!;
      if (!(this.lflag & ECHO) || !(this.lflag & ECHOE)) continue;
      const width = b < 32 && b !== 9 && this.lflag & ECHOCTL ? 2 : 1;
      for (let w = 0; w < width; w++) this.raw([8, 32, 8]);
    }
  }

  private eraseWord(): void {
    let n = 0;
    const l = this.line;
    while (n < l.length && l[l.length - 1 - n] <= 32) n++;
    while (n < l.length && l[l.length - 1 - n] > 32) n++;
    this.erase(n);
  }

  private echo(b: number): void {
    if (!(this.lflag & ECHO) && !(b === 10 && this.lflag & ECHONL)) return;
    if (b < 32 && b !== 9 && b !== 10 && this.lflag & ECHOCTL) this.raw([94, b + 64]);
    else if (b === 127 && this.lflag & ECHOCTL) this.raw([94, 63]);
    else this.output(Uint8Array.of(b));
  }

  private raw(bytes: number[]): void {
    this.k.options.host.stdout(Uint8Array.from(bytes));
  }

  /** Drops what was typed and not read. */
  flush(): void {
    this.ready = [];
    this.ends = [];
    this.line = [];
  }

  /** Output, with newlines turned into CR NL if OPOST says so. */
  output(bytes: Uint8Array): void {
    if (!(this.oflag & OPOST && this.oflag & ONLCR) || !bytes.includes(10)) {
      this.k.options.host.stdout(bytes);
      return;
    }
    const out: number[] = [];
    for (const b of bytes) {
      if (b === 10) out.push(13);
      out.push(b);
    }
    this.k.options.host.stdout(Uint8Array.from(out));
  }

  /** Up to `n` bytes: one line at most from a canonical terminal. */
  take(n: number): Uint8Array {
    if (!this.canonical) return Uint8Array.from(this.ready.splice(0, n));
    const part = Math.min(n, this.ends[0]);
    const bytes = Uint8Array.from(this.ready.splice(0, part));
    if (part === this.ends[0]) this.ends.shift();
    else this.ends[0] -= part;
    return bytes;
  }

  signal(signo: number): void {
    if (this.pgrp > 0) this.k.signals.sendPgrp(this.pgrp, { signo, code: 0x80, errno: 0 });
  }

  get minimum(): number {
    return this.cc[VMIN];
  }
}

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
