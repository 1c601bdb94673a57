// A terminal: its settings, session and the line discipline between its two sides (drivers/tty/n_tty.c).
//
// One side is an open file of the guest's (tty_io.ts), the other a driver: the console's, which is the host's terminal
// (console.ts), or a pseudoterminal's master (pty.ts). Editing, echo and signals are done here.
import type { Kernel } from "../kernel.ts";
import { SIGINT, SIGQUIT, SIGTSTP, SIGWINCH } from "../signal.ts";
import { WaitQueue } from "../wait.ts";
import type { File, FileOps } from "./file.ts";
import { AsyncFiles, POLL } from "./sigio.ts";
import * as T from "./termios.ts";
import type { TtyDriver } from "./tty_driver.ts";
import { Output } from "./tty_output.ts";

/** Most bytes that wait to be read; a longer line is cut. */
export const LINE_MAX = 4096;
/** What arrives while those are there waits too, up to so many. */
const ARRIVED_MAX = 8192;

export class Tty {
  readonly k: Kernel;
  readonly driver: TtyDriver;
  /** Number in /dev/pts. */
  readonly index: number;
  readonly termios = new T.Termios();
  rows = 0;
  columns = 0;
  /** Session and foreground process group; 0: none. */
  session = 0;
  pgrp = 0;
  /** Input that may be read, and for a canonical terminal the lengths of its lines. */
  private ready: number[] = [];
  private ends: number[] = [];
  /** The line that is being edited. */
  private line: number[] = [];
  /** Bytes that the driver gave and that found no room. */
  private arrived: number[] = [];
  /** ^V came: the next byte means nothing. */
  private literal = false;
  /** Nothing more will come: the other side is gone. */
  ended = false;
  /** ^S came. */
  stopped = false;
  /** Only who has CAP_SYS_ADMIN may open it again (TIOCEXCL). */
  exclusive = false;
  readonly files = new Set<File>();
  readonly readQueue = new WaitQueue();
  readonly writeQueue = new WaitQueue();
  /** Room for input has come. */
  onRoom: (() => void) | undefined;
  /** Packet mode is told of these (TIOCPKT_*). */
  onStatus: ((status: number) => void) | undefined;
  readonly out: Output;
  /** What can be done with its files. */
  ops!: FileOps;
  /** Its files with O_ASYNC. */
  readonly async = new AsyncFiles();

  constructor(k: Kernel, driver: TtyDriver, index: number) {
    this.k = k;
    this.driver = driver;
    this.index = index;
    this.out = new Output(this);
  }

  get canonical(): boolean {
    return (this.termios.lflag & T.ICANON) !== 0;
  }

  /** Is there something to read? For poll, as much as VMIN asks for. */
  readable(least = 1): boolean {
    return this.canonical ? this.ends.length > 0 : this.ready.length >= least;
  }

  /** Bytes that FIONREAD tells. */
  get available(): number {
    return this.canonical ? this.ready.length : this.ready.length + this.line.length;
  }

  /** Bytes that the other side may give without waiting. */
  get inputRoom(): number {
    return Math.max(0, ARRIVED_MAX - this.arrived.length);
  }

  /** The other side gives bytes. */
  receive(bytes: Uint8Array): void {
    for (const b of bytes) this.arrived.push(b);
    this.process();
  }

  /** Takes what has arrived, as far as there is room. A line that is too long goes on being taken, and is cut. */
  private process(): void {
    let at = 0;
    const lines = this.ends.length;
    while (at < this.arrived.length) {
      const full = this.ready.length + this.line.length >= LINE_MAX - 1;
      if (full && (!this.canonical || this.ends.length > 0)) break;
      this.input(this.arrived[at++], full);
    }
    if (at === 0) return;
    this.arrived.splice(0, at);
    this.out.flush();
    if (this.readable()) this.readQueue.wakeAll(this.k.cause("data"));
    // A canonical terminal tells of each line.
    for (let n = this.canonical ? this.ends.length - lines : Number(this.readable()); n > 0; n--)
      this.async.kill(this.k, POLL.IN);
    this.onRoom?.();
  }

  /** One byte from the keyboard (n_tty_receive_char). */
  private input(raw: number, full: boolean): void {
    const { iflag, lflag, cc } = this.termios;
    let b = iflag & T.ISTRIP ? raw & 0x7f : raw;
    if (this.literal) {
      this.literal = false;
      this.keep(b, full);
      return;
    }
    if (iflag & T.IUCLC && lflag & T.IEXTEN && b >= 65 && b <= 90) b += 32;
    const is = (index: number) => b === cc[index] && b !== 0;
    if (iflag & T.IXON && (is(T.VSTART) || is(T.VSTOP))) {
      if (is(T.VSTART)) this.start();
      else this.stop();
      return;
    }
    if (lflag & T.ISIG) {
      const signal = is(T.VINTR) ? SIGINT : is(T.VQUIT) ? SIGQUIT : is(T.VSUSP) ? SIGTSTP : 0;
      if (signal) {
        this.signal(signal);
        if (!(lflag & T.NOFLSH)) {
          this.flushInput(false);
          this.flushOutput();
        }
        if (iflag & T.IXON) this.start();
        this.echo(b);
        return;
      }
    }
    if (this.stopped && iflag & T.IXON && iflag & T.IXANY) this.start();
    if (b === 13) {
      if (iflag & T.IGNCR) return;
      if (iflag & T.ICRNL) b = 10;
    } else if (b === 10 && iflag & T.INLCR) b = 13;
    if (lflag & T.ICANON && this.edit(b)) return;
    this.keep(b, full);
  }

  private keep(b: number, full: boolean): void {
    if (full) {
      if (this.termios.iflag & T.IMAXBEL) this.out.raw(7);
      return;
    }
    if (this.termios.lflag & T.ECHO) {
      if (b === 10) this.out.post(10);
      else {
        if (this.line.length === 0) this.out.lineBegins();
        this.echo(b);
      }
    }
    if (this.canonical) this.line.push(b);
    else this.ready.push(b);
  }

  /** What a canonical terminal does with a byte; false: it is nothing special. */
  private edit(b: number): boolean {
    const { lflag, cc } = this.termios;
    const is = (index: number) => b === cc[index] && b !== 0;
    const extended = (lflag & T.IEXTEN) !== 0;
    if (is(T.VERASE) || is(T.VKILL) || (is(T.VWERASE) && extended)) {
      this.out.takeBack(this.line, is(T.VERASE) ? "character" : is(T.VKILL) ? "line" : "word", b);
      return true;
    }
    if (is(T.VLNEXT) && extended) {
      this.literal = true;
      if (lflag & T.ECHO && lflag & T.ECHOCTL) for (const c of [94, 8]) this.out.raw(c);
      return true;
    }
    if (is(T.VREPRINT) && lflag & T.ECHO && extended) {
      this.echo(b);
      this.out.post(10);
      for (const c of this.line) this.echo(c);
      return true;
    }
    if (b === 10) {
      if (lflag & (T.ECHO | T.ECHONL)) this.out.post(10);
      this.endLine(b);
      return true;
    }
    if (is(T.VEOF)) {
      this.endLine();
      return true;
    }
    if (is(T.VEOL) || (is(T.VEOL2) && extended)) {
      if (lflag & T.ECHO) this.echo(b);
      this.endLine(b);
      return true;
    }
    return false;
  }

  /** @param b the byte it ends with; undefined: none */
  private endLine(b?: number): void {
    if (b !== undefined) this.line.push(b);
    this.ends.push(this.line.length);
    this.ready.push(...this.line);
    this.line = [];
  }

  private echo(b: number): void {
    if (this.termios.lflag & T.ECHO) this.out.echo(b);
  }

  /** Drops what was typed and not read. @param arriving also what found no room yet */
  flushInput(arriving = true): void {
    if (arriving) this.arrived = [];
    this.ready = [];
    this.ends = [];
    this.line = [];
    this.onStatus?.(1);
    this.onRoom?.();
  }

  /** Drops what was written and not taken. */
  flushOutput(): void {
    this.out.flush();
    this.driver.flush();
    this.onStatus?.(2);
    this.writeQueue.wakeAll(this.k.cause("space"));
  }

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.onStatus?.(8);
    this.writeQueue.wakeAll(this.k.cause("space"));
  }

  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.onStatus?.(4);
  }

  /** Other settings: what had been typed under the old ones may be read now, or is a line (n_tty_set_termios). */
  set(change: (termios: T.Termios) => void): void {
    const was = this.termios.lflag & T.ICANON;
    const flowed = this.flows;
    change(this.termios);
    if ((this.termios.lflag & T.ICANON) !== was) {
      this.ready.push(...this.line);
      this.line = [];
      this.literal = false;
      this.ends = was === 0 && this.ready.length > 0 ? [this.ready.length] : [];
      if (this.readable()) this.readQueue.wakeAll(this.k.cause("data"));
    }
    if (!(this.termios.iflag & T.IXON)) this.start();
    if (this.flows !== flowed) this.onStatus?.(this.flows ? 32 : 16);
    this.process();
  }

  /** Whether ^S and ^Q stop and start it: packet mode tells of changes. */
  private get flows(): boolean {
    const { iflag, cc } = this.termios;
    return (iflag & T.IXON) !== 0 && cc[T.VSTOP] === 19 && cc[T.VSTART] === 17;
  }

  /** Up to `n` bytes: one line at most from a canonical terminal. */
  take(n: number): Uint8Array {
    let part = n;
    if (this.canonical) {
      part = Math.min(n, this.ends[0]);
      if (part === this.ends[0]) this.ends.shift();
      else this.ends[0] -= part;
    }
    const bytes = Uint8Array.from(this.ready.splice(0, part));
    this.process();
    return bytes;
  }

  /** Another size: the foreground hears of it if it differs. */
  resize(rows: number, columns: number): boolean {
    if (rows === this.rows && columns === this.columns) return false;
    this.rows = rows;
    this.columns = columns;
    this.signal(SIGWINCH);
    return true;
  }

  signal(signo: number): void {
    if (this.pgrp > 0) this.k.signals.sendPgrp(this.pgrp, { signo, code: 0x80, errno: 0 });
  }

  /** The other side is gone, or has nothing more to say. */
  end(): void {
    this.ended = true;
    this.readQueue.wakeAll(this.k.cause("data"));
    this.writeQueue.wakeAll(this.k.cause("data"));
  }
}
