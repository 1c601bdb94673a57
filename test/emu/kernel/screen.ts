// A terminal for tests: a script of keys, and the screen that a program's output makes of it.
import type { HostIo, HostTerminal } from "../../../src/emu/host.ts";

const ESC = "\x1b";
/** CSI with its mark, numbers and letter; character sets; titles; the short ones. */
const SEQUENCE = new RegExp(`^${ESC}(?:\\[([<=>?]?)([\\d;]*)([@-~])|[()].|\\][^\x07]*\x07|[=>78cDMEH])`);

/** What xterm does with the sequences that curses programs send it, as far as ours do. */
export class Screen {
  private cells: string[][];
  private row = 0;
  private column = 0;
  private top = 0;
  private bottom: number;
  private saved: { cells: string[][]; row: number; column: number } | undefined;
  private rest = "";
  private readonly decoder = new TextDecoder();
  rows: number;
  columns: number;

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.bottom = rows - 1;
    this.cells = this.blank();
  }

  private blank(): string[][] {
    return Array.from({ length: this.rows }, () => Array<string>(this.columns).fill(" "));
  }

  /** What is on it, line by line, without what is blank at the end. */
  get text(): string {
    return this.cells
      .map((line) => line.join("").trimEnd())
      .join("\n")
      .trimEnd();
  }

  resize(rows: number, columns: number): void {
    this.rows = rows;
    this.columns = columns;
    this.bottom = rows - 1;
    this.cells = this.blank();
    this.row = this.column = 0;
  }

  write(bytes: Uint8Array): void {
    let text = this.rest + this.decoder.decode(bytes, { stream: true });
    for (; text !== ""; ) {
      const sequence = SEQUENCE.exec(text);
      if (sequence) {
        this.escape(sequence);
        text = text.slice(sequence[0].length);
      } else if (text[0] === ESC && text.length < 20) break;
      else {
        const [c] = text;
        this.put(c);
        text = text.slice(c.length);
      }
    }
    this.rest = text;
  }

  private put(c: string): void {
    if (c === "\r") this.column = 0;
    else if (c === "\n") this.down();
    else if (c === "\b") this.column = Math.max(0, this.column - 1);
    else if (c === "\t") this.column = Math.min(this.columns - 1, (this.column | 7) + 1);
    else if (c >= " ") {
      if (this.column >= this.columns) {
        this.column = 0;
        this.down();
      }
      this.cells[this.row][this.column++] = c;
    }
  }

  private down(): void {
    if (this.row !== this.bottom) {
      this.row = Math.min(this.row + 1, this.rows - 1);
      return;
    }
    this.cells.splice(this.top, 1);
    this.cells.splice(this.bottom, 0, Array<string>(this.columns).fill(" "));
  }

  private up(): void {
    if (this.row !== this.top) {
      this.row = Math.max(0, this.row - 1);
      return;
    }
    this.cells.splice(this.bottom, 1);
    this.cells.splice(this.top, 0, Array<string>(this.columns).fill(" "));
  }

  private escape([all, mark, words, final]: RegExpExecArray): void {
    if (final === undefined) {
      if (all === `${ESC}M`) this.up();
      return;
    }
    const [a = 0, b = 0] = words.split(";").map(Number);
    if (mark === "?" && a === 1049) this.other(final === "h");
    if (mark !== "") return;
    const n = Math.max(1, a);
    const line = this.cells[this.row];
    const moves: Record<string, () => void> = {
      A: () => this.go(this.row - n, this.column),
      B: () => this.go(this.row + n, this.column),
      C: () => this.go(this.row, this.column + n),
      D: () => this.go(this.row, this.column - n),
      G: () => this.go(this.row, n - 1),
      H: () => this.go(n - 1, Math.max(1, b) - 1),
      d: () => this.go(n - 1, this.column),
      J: () => {
        if (a === 2) this.cells = this.blank();
        else {
          line.fill(" ", this.column);
          for (let row = this.row + 1; row < this.rows; row++) this.cells[row].fill(" ");
        }
      },
      K: () => void (a === 0 ? line.fill(" ", this.column) : line.fill(" ", 0, a === 1 ? this.column + 1 : undefined)),
      P: () => void line.push(...line.splice(this.column, n).fill(" ")),
      "@": () => {
        line.splice(this.column, 0, ...Array<string>(n).fill(" "));
        line.length = this.columns;
      },
      r: () => {
        this.top = n - 1;
        this.bottom = (b || this.rows) - 1;
        this.go(0, 0);
      },
    };
    moves[final]?.();
  }

  private go(row: number, column: number): void {
    this.row = Math.min(this.rows - 1, Math.max(0, row));
    this.column = Math.min(this.columns - 1, Math.max(0, column));
  }

  /** The screen beside the first that full-screen programs use. */
  private other(enter: boolean): void {
    const { cells, row, column } = this;
    if (enter) {
      this.saved = { cells, row, column };
      this.cells = this.blank();
    } else if (this.saved) Object.assign(this, this.saved);
  }
}

/** Keys to type, or a new size of the window. */
export type Step = string | { rows: number; columns: number };

/** Shorter waits are a program's own timeouts: nothing is typed then. */
const SETTLED_MS = 300;

/** Types a step whenever the guest waits for nothing else, and keeps what was on the screen before each. */
export class Typist implements HostIo {
  readonly screen = new Screen(24, 80);
  /** The screen when the guest had settled after each step; the first is before any. */
  readonly seen: string[] = [];
  readonly stdin = { read: () => new Uint8Array(0) };
  readonly terminal: HostTerminal;
  private readonly steps: Step[];
  private time = 0;
  /** How often the host slept. */
  waits = 0;

  constructor(steps: readonly Step[]) {
    this.steps = [...steps];
    let typed: Uint8Array | undefined;
    this.terminal = {
      poll: () => {
        const bytes = typed;
        typed = undefined;
        return bytes;
      },
      wait: (milliseconds) => {
        this.waits++;
        if (milliseconds < SETTLED_MS) {
          this.time += milliseconds;
          return;
        }
        this.seen.push(this.screen.text);
        const step = this.steps.shift();
        if (step === undefined) typed = new Uint8Array(0);
        else if (typeof step === "string") typed = new TextEncoder().encode(step);
        else this.screen.resize(step.rows, step.columns);
        this.time += 1;
      },
      now: () => this.time,
      size: () => ({ rows: this.screen.rows, columns: this.screen.columns }),
    };
  }

  stdout(bytes: Uint8Array): void {
    this.screen.write(bytes);
  }

  stderr(bytes: Uint8Array): void {
    this.screen.write(bytes);
  }
}
