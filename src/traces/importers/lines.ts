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

/** Of a function, as every engine takes them. */
const MOST_ARGUMENTS = 8192;

/** Reads one line after another. Bytes beyond ASCII become one character each, whatever they were. */
export class LineReader {
  readonly name: string;
  /** Row of the line read last, from 1. */
  row = 0;
  /** Lines that were longer than a line is kept. */
  long = 0;
  /** Lines with bytes that no tool writes as text: control characters, and what is no UTF-8. */
  strange = 0;
  readonly #pieces: Iterator<Uint8Array>;
  readonly #decoder = new TextDecoder("latin1");
  #text = "";
  #at = 0;
  #done = false;
  #read = 0;
  #unendedRow = 0;
  /** Does the piece hold anything beyond printable ASCII? Most never do, and their lines are not looked at one by one. */
  #odd = false;
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
      let odd = this.#odd;
      while (end < 0 && this.#fill()) {
        odd ||= this.#odd;
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
      const line = trimmed(rest);
      if (odd && !isText(line)) this.strange++;
      return line;
    }
    this.#read++;
    const line = trimmed(this.#text.slice(this.#at, end));
    this.#at = end + 1;
    if (this.#odd && !isText(line)) this.strange++;
    if (line.length <= LONGEST_LINE) return line;
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
    this.#odd = /[^\t\n\r -~]/.test(this.#text);
    if (this.#odd) this.#text = characters(value);
    this.#at = 0;
    return true;
  }
}

/** A character for each byte. What TextDecoder calls Latin-1 is windows-1252, or not, from one engine to the next. */
function characters(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += MOST_ARGUMENTS)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + MOST_ARGUMENTS)));
  return parts.join("");
}

function trimmed(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** Is a line, whose characters stand for its bytes, text: UTF-8 without control characters? */
function isText(line: string): boolean {
  if (/^[\t -~]*$/.test(line)) return true;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\0-\x08\n-\x1f\x7f]/.test(line)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(line, (char) => char.charCodeAt(0)));
    return true;
  } catch {
    return false;
  }
}
