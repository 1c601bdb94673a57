// What a terminal writes: newlines, tabs and columns by its settings, and the echo of what is typed (n_tty.c).
import * as T from "./termios.ts";
import type { Tty } from "./tty.ts";

const control = (b: number): boolean => b < 32 || b === 127;

export class Output {
  private readonly tty: Tty;
  private column = 0;
  /** Where the line that is being typed began. */
  private begun = 0;
  private buffer: number[] = [];

  constructor(tty: Tty) {
    this.tty = tty;
  }

  /** Whether a byte is the second or a later one of a character. */
  private continues(b: number): boolean {
    return (this.tty.termios.iflag & T.IUTF8) !== 0 && (b & 0xc0) === 0x80;
  }

  /** The first byte of a line is to be echoed. */
  lineBegins(): void {
    this.begun = this.column;
  }

  /** A byte as it is. */
  raw(b: number): void {
    if (b === 8 && this.column > 0) this.column--;
    else if (!control(b)) this.column++;
    this.buffer.push(b);
  }

  /** A byte as the settings have it (do_output_char). */
  post(b: number): void {
    const { oflag } = this.tty.termios;
    if (!(oflag & T.OPOST)) {
      this.buffer.push(b);
      return;
    }
    let c = b;
    if (b === 10) {
      if (oflag & T.ONLRET) this.column = 0;
      if (oflag & T.ONLCR) {
        this.column = 0;
        this.buffer.push(13);
      }
      this.begun = this.column;
    } else if (b === 13) {
      if (oflag & T.ONOCR && this.column === 0) return;
      if (oflag & T.OCRNL) {
        c = 10;
        if (oflag & T.ONLRET) this.begun = this.column = 0;
      } else this.begun = this.column = 0;
    } else if (b === 9) {
      const spaces = 8 - (this.column & 7);
      this.column += spaces;
      if ((oflag & T.TABDLY) === T.TABDLY) {
        for (let i = 0; i < spaces; i++) this.buffer.push(32);
        return;
      }
    } else if (b === 8) {
      if (this.column > 0) this.column--;
    } else if (!control(b)) {
      if (oflag & T.OLCUC && b >= 97 && b <= 122) c -= 32;
      if (!this.continues(b)) this.column++;
    }
    this.buffer.push(c);
  }

  /** A typed byte is shown: control characters as ^X if ECHOCTL says so. */
  echo(b: number): void {
    if (control(b) && b !== 9 && this.tty.termios.lflag & T.ECHOCTL) {
      this.buffer.push(94, b ^ 0x40);
      this.column += 2;
    } else this.post(b);
  }

  /** Takes back a character, a word or the line, and shows it (eraser). */
  takeBack(line: number[], what: "character" | "word" | "line", key: number): void {
    const { lflag } = this.tty.termios;
    if (line.length === 0) return;
    const shown = (lflag & T.ECHO) !== 0;
    if (what === "line" && (!shown || !(lflag & T.ECHOK && lflag & T.ECHOKE && lflag & T.ECHOE))) {
      line.length = 0;
      if (!shown) return;
      this.echo(key);
      if (lflag & T.ECHOK) this.post(10);
      return;
    }
    for (let inWord = false; line.length > 0; ) {
      let from = line.length - 1;
      while (this.continues(line[from]) && from > 0) from--;
      const c = line[from];
      // Half a character is left alone.
      if (this.continues(c)) return;
      if (what === "word") {
        const alphanumeric = /\w/.test(String.fromCharCode(c)) || (c >= 0xc0 && c !== 0xd7 && c !== 0xf7);
        if (alphanumeric) inWord = true;
        else if (inWord) return;
      }
      line.length = from;
      if (shown) {
        if (what === "character" && !(lflag & T.ECHOE)) this.echo(key);
        else if (c === 9) this.eraseTab(line);
        else this.erase(c);
      }
      if (what === "character") return;
    }
  }

  /** Takes a shown character back from the screen. */
  private erase(c: number): void {
    const { lflag } = this.tty.termios;
    const width = control(c) ? (lflag & T.ECHOCTL ? 2 : 0) : 1;
    for (let i = 0; i < width; i++) for (const b of [8, 32, 8]) this.raw(b);
  }

  /** Takes a tab back. @param before what is left of the line in front of it */
  private eraseTab(before: readonly number[]): void {
    let columns = 0;
    let behindTab = false;
    for (let at = before.length - 1; at >= 0; at--) {
      const c = before[at];
      if (c === 9) {
        behindTab = true;
        break;
      }
      if (control(c)) columns += this.tty.termios.lflag & T.ECHOCTL ? 2 : 0;
      else if (!this.continues(c)) columns++;
    }
    if (!behindTab) columns += this.begun;
    for (let i = 8 - (columns & 7); i > 0; i--) this.raw(8);
  }

  /** Hands what has been made of it to the other side. */
  flush(): void {
    if (this.buffer.length === 0) return;
    const bytes = Uint8Array.from(this.buffer);
    this.buffer = [];
    this.tty.driver.write(bytes);
  }

  /** A program's output. */
  write(bytes: Uint8Array): void {
    if (!(this.tty.termios.oflag & T.OPOST)) {
      this.tty.driver.write(bytes);
      return;
    }
    for (const b of bytes) this.post(b);
    this.flush();
  }
}
