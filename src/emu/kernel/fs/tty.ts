// The one terminal of a `-t` run: termios and the canonical line discipline (drivers/tty/n_tty.c).
//
// The host delivers raw bytes: editing, echo and signals are done here. With a terminal on the host, keys are looked for
// every 10 ms of the virtual clock, which then does not run ahead of host time; with plain input, a read takes what it
// needs at once. Either way whoever runs with a terminal marks the trace not reproducible.
import type { HostTerminal } from "../../host.ts";
import type { Kernel } from "../kernel.ts";
import { SIGINT, SIGQUIT, SIGTSTP } from "../signal.ts";
import { WaitQueue } from "../wait.ts";

// termios bits (asm-generic/termbits.h).
const ICRNL = 0o400;
const INLCR = 0o100;
const IGNCR = 0o200;
const ISTRIP = 0o40;
const OPOST = 1;
const ONLCR = 4;
const ISIG = 1;
export const ICANON = 2;
const ECHO = 0o10;
const ECHOE = 0o20;
const ECHOK = 0o40;
const ECHONL = 0o100;
const NOFLSH = 0o200;
export const TOSTOP = 0o400;
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

/** Longest line that is edited before it is read. */
export const LINE_MAX = 4096;
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
