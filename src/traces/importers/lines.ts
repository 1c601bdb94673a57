// Lines of a file of any size and any bytes: read in pieces, one line in memory at a time, never more of a line than a bound.

/** A file to import: its name in messages, and its bytes in pieces, which may be asked for once. */
export interface TextSource {
  readonly name: string;
  pieces(): Iterable<Uint8Array>;
}

/** Of a longer line the middle is left out: what tools say of a call stands at both ends of its line. */
const HEAD = 48 << 10;
const TAIL = 16 << 10;
export const LONGEST_LINE = HEAD + TAIL;

/** Reads one line after another. Bytes beyond ASCII become one character each, whatever they were. */
export class LineReader {
  readonly name: string;
  /** Row of the line read last, from 1. */
  row = 0;
  /** Lines that were longer than a line is kept. */
  long = 0;
  readonly #pieces: Iterator<Uint8Array>;
  readonly #decoder = new TextDecoder("latin1");
  #text = "";
  #at = 0;
  #done = false;
  #read = 0;
  #unendedRow = 0;
  readonly #peeked: string[] = [];

  constructor(source: TextSource) {
    this.name = source.name;
    this.#pieces = source.pieces()[Symbol.iterator]();
  }

  /** The next line, without its end; undefined at the end of the file. */
  next(): string | undefined {
    const line = this.#peeked.length > 0 ? this.#peeked.shift() : this.#take();
    if (line !== undefined) this.row++;
    return line;
  }

  /** The next lines, as many as there are, which will be read again. */
  peek(count: number): readonly string[] {
    while (this.#peeked.length < count) {
      const line = this.#take();
      if (line === undefined) break;
      this.#peeked.push(line);
    }
    return this.#peeked.slice(0, count);
  }

  /** Is the line read last the end of a file that does not end with a line feed? */
  get unended(): boolean {
    return this.row > 0 && this.row === this.#unendedRow;
  }

  /** Where the last line stands, for messages. */
  where(): string {
    return `${this.name}:${this.row}`;
  }

  #take(): string | undefined {
    let end = this.#text.indexOf("\n", this.#at);
    if (end < 0) {
      let rest = this.#text.slice(this.#at);
      let cut = false;
      while (end < 0 && this.#fill()) {
        end = this.#text.indexOf("\n");
        rest += end < 0 ? this.#text : this.#text.slice(0, end);
        if (rest.length > LONGEST_LINE) {
          rest = rest.slice(0, HEAD) + rest.slice(-TAIL);
          cut = true;
        }
      }
      if (cut) this.long++;
      this.#at = end < 0 ? this.#text.length : end + 1;
      if (end < 0) {
        if (rest === "") return undefined;
        this.#unendedRow = this.#read + 1;
      }
      this.#read++;
      return trimmed(rest);
    }
    this.#read++;
    const line = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    if (line.length <= LONGEST_LINE) return trimmed(line);
    this.long++;
    return line.slice(0, HEAD) + line.slice(-TAIL);
  }

  #fill(): boolean {
    if (this.#done) return false;
    const { value, done } = this.#pieces.next();
    if (done === true) {
      this.#done = true;
      this.#text = "";
      this.#at = 0;
      return false;
    }
    this.#text = this.#decoder.decode(value);
    this.#at = 0;
    return true;
  }
}

function trimmed(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
