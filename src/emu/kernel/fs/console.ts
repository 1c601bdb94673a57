// The terminal of a `-t` run: its other side is the host's (src/emu/host.ts).
//
// With a terminal on the host, keys come when they are typed, and the virtual clock does not run ahead of host time: while
// something runs they are looked for every 2 ms of it, and while nothing does the host sleeps until one comes or the next event is
// due. With plain input, a read takes what it needs at once. Either way the trace is marked not reproducible.
import type { HostTerminal } from "../../host.ts";
import type { Kernel } from "../kernel.ts";
import { IUTF8 } from "./termios.ts";
import { LINE_MAX, type Tty } from "./tty.ts";
import type { TtyDriver } from "./tty_driver.ts";
import { newTty } from "./tty_io.ts";

/** How often keys are looked for while something runs. */
const LOOK_NS = 2_000_000;
/** Host time is followed, not caught up with, after a delay this long. */
const LAG_MS = 50;
/** The clock may be so far ahead of host time. */
const AHEAD_MS = 1;

export class Console implements TtyDriver {
  private readonly k: Kernel;
  private readonly terminal: HostTerminal | undefined;
  readonly tty: Tty;
  readonly room = Number.POSITIVE_INFINITY;
  readonly pending = 0;
  /** Keys that the terminal had no room for. */
  private waiting = new Uint8Array(0);
  /** Host time at virtual time 0, in ms. */
  private hostStart = Number.NaN;
  private look: { cancel(): void } | undefined;

  constructor(k: Kernel) {
    this.k = k;
    const { host } = k.options;
    this.terminal = host.terminal;
    this.tty = newTty(k, this, 0);
    const size = host.terminal?.size() ?? host.windowSize?.() ?? { rows: 24, columns: 80 };
    this.tty.rows = size.rows;
    this.tty.columns = size.columns;
    // As terminal emulators have it.
    if (this.terminal) this.tty.termios.iflag |= IUTF8;
    this.tty.onRoom = () => this.give();
  }

  write(bytes: Uint8Array): void {
    this.k.options.host.stdout(bytes);
  }

  flush(): void {}

  /** Begins to look for keys; called once the machine runs. */
  start(): void {
    if (this.terminal) this.lookLater(this.terminal);
  }

  private lookLater(terminal: HostTerminal): void {
    const { clock } = this.k;
    this.look = clock.watch(clock.now() + this.k.units(LOOK_NS), () => {
      const ahead = this.ahead(terminal, clock.now());
      if (ahead > AHEAD_MS) terminal.wait(ahead);
      this.takeIn(terminal);
      this.lookLater(terminal);
    });
  }

  /** How far the virtual clock will be ahead of host time at a time on it, in ms. */
  private ahead(terminal: HostTerminal, time: number): number {
    const virtual = (time * this.k.nsPerUnit) / 1e6;
    const host = terminal.now();
    if (Number.isNaN(this.hostStart)) this.hostStart = host - virtual;
    const ahead = virtual - (host - this.hostStart);
    if (ahead < -LAG_MS) this.hostStart = host - virtual;
    return ahead;
  }

  /**
   * Nothing runs: sleeps on the host until the next event is due there too, or a key comes.
   * @returns whether something came; if not, the clock may go on to the next event
   */
  idle(): boolean {
    const { terminal, tty } = this;
    if (terminal === undefined || tty.ended) return false;
    const { clock } = this.k;
    this.look?.cancel();
    const began = clock.now();
    const since = terminal.now();
    let came = false;
    try {
      for (;;) {
        const next = clock.next();
        const ahead = Number.isFinite(next) ? this.ahead(terminal, next) : next;
        if (ahead <= AHEAD_MS) {
          if (clock.expecting) return false;
          // An onlooker's: the machine goes on waiting for keys.
          clock.jumpTo(next);
          clock.fireDue();
          return true;
        }
        terminal.wait(ahead);
        const passed = this.k.units(Math.max(0, terminal.now() - since) * 1e6);
        clock.jumpTo(Math.min(next, began + passed));
        came = this.takeIn(terminal);
        if (came) return true;
      }
    } finally {
      this.lookLater(terminal);
    }
  }

  /** Takes keys and a new size from the host. @returns whether there was something */
  private takeIn(terminal: HostTerminal): boolean {
    const { tty } = this;
    const { rows, columns } = terminal.size();
    let came = tty.resize(rows, columns);
    const bytes = tty.ended ? undefined : terminal.poll();
    if (bytes === undefined) return came;
    came = true;
    if (bytes.length === 0) tty.end();
    const joined = new Uint8Array(this.waiting.length + bytes.length);
    joined.set(this.waiting);
    joined.set(bytes, this.waiting.length);
    this.waiting = joined;
    this.give();
    return came;
  }

  private give(): void {
    const n = Math.min(this.tty.inputRoom, this.waiting.length);
    if (n === 0) return;
    const part = this.waiting.subarray(0, n);
    this.waiting = this.waiting.subarray(n);
    this.tty.receive(part);
  }

  /** Without a terminal on the host: what a reader needs is taken at once. False: there is no more. */
  fetch(): boolean {
    const { tty, k } = this;
    if (this.terminal !== undefined || tty.ended) return false;
    const bytes = k.options.host.stdin.read(LINE_MAX);
    if (bytes.length === 0) {
      tty.end();
      return false;
    }
    k.vfs.streams.digest.update(bytes);
    tty.receive(bytes);
    return true;
  }
}
