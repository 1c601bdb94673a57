// One line of strace's output taken apart, in every combination of -f, -t, -tt, -ttt, -r, -T, -i, -n, -y, -X: a scanner by hand,
// because strings, paths and structures in a line may hold anything that looks like its grammar.
import { errorNumber } from "./names.ts";
import {
  argumentsEnd,
  BLANK,
  digitsEnd,
  firstWord,
  fraction,
  isDigit,
  isHex,
  isNameChar,
  isRemark,
  isResult,
  lastResult,
  marksWithin,
  OPEN,
  whole,
} from "./strace-text.ts";

/** What a line says. */
export const SAYS = {
  nothing: 0,
  call: 1,
  unfinished: 2,
  resumed: 3,
  signal: 4,
  stopped: 5,
  exited: 6,
  killed: 7,
  superseded: 8,
  /** Something printed besides calls: a summary table, a message of strace. */
  aside: 9,
} as const;

/** How its time is given. */
export const CLOCK = { none: 0, absolute: 1, relative: 2, day: 3 } as const;

/** The parts of the line read last; read again for every line, so that nothing is made for a line but its texts. */
export class StraceLine {
  says: number = SAYS.nothing;
  /** -1: the line does not name it. */
  pid = -1;
  clock: number = CLOCK.none;
  seconds = 0;
  nanos = 0;
  /** Call number (-n), instruction pointer (-i) in hexadecimal. */
  nr = -1;
  ip = "";
  /** The call's name, the signal's, or what was superseded by. */
  name = "";
  args = "";
  /** NaN for "?" and for what was not said. */
  ret = Number.NaN;
  /** What stands behind the result: `</path>` of -y, "(Timeout)". */
  after = "";
  /** Nanoseconds (-T); NaN. */
  duration = Number.NaN;
  /** Exit status, or the number of the other task. */
  value = 0;
  #at = 0;
  #text = "";

  /** Takes a line apart; says what it is. */
  read(text: string): number {
    this.#text = text;
    this.#at = 0;
    this.pid = -1;
    this.clock = CLOCK.none;
    this.nr = -1;
    this.ip = "";
    this.name = "";
    this.args = "";
    this.after = "";
    this.ret = Number.NaN;
    this.duration = Number.NaN;
    this.value = 0;
    this.#prefix();
    this.says = this.#rest();
    return this.says;
  }

  #blanks(): void {
    while (this.#text.charCodeAt(this.#at) === BLANK) this.#at++;
  }

  #prefix(): void {
    const text = this.#text;
    this.#blanks();
    if (text.charCodeAt(this.#at) === OPEN && text.startsWith("[pid", this.#at)) {
      const close = text.indexOf("]", this.#at);
      const pid = close < 0 ? Number.NaN : Number(text.slice(this.#at + 4, close));
      if (Number.isInteger(pid)) {
        this.pid = pid;
        this.#at = close + 1;
      }
    } else {
      const end = digitsEnd(text, this.#at);
      if (end > this.#at && end - this.#at <= 10 && text.charCodeAt(end) === BLANK) {
        this.pid = whole(text, this.#at, end);
        this.#at = end;
      }
    }
    this.#blanks();
    this.#time();
    if (text.charCodeAt(this.#at) === 40 && text.startsWith("(+", this.#at)) {
      const close = text.indexOf(")", this.#at);
      if (close > 0 && close - this.#at < 24) this.#at = close + 1;
    }
    this.#blanks();
    for (let n = 0; n < 2 && text.charCodeAt(this.#at) === OPEN; n++) {
      const close = text.indexOf("]", this.#at);
      if (close < 0 || close - this.#at > 18) break;
      const inside = text.slice(this.#at + 1, close).trim();
      if (inside.length >= 8) this.ip = inside.startsWith("?") ? "" : inside;
      else if (inside !== "" && digitsEnd(inside, 0) === inside.length) this.nr = Number(inside);
      else break;
      this.#at = close + 1;
      this.#blanks();
    }
  }

  #time(): void {
    const text = this.#text;
    const from = this.#at;
    const end = digitsEnd(text, from);
    if (end === from) return;
    const next = text.charCodeAt(end);
    if (next === 46) {
      const last = digitsEnd(text, end + 1);
      if (text.charCodeAt(last) !== BLANK || last - end > 10) return;
      this.seconds = whole(text, from, end);
      this.nanos = fraction(text, end + 1, last);
      this.clock = this.seconds >= 1e8 ? CLOCK.absolute : CLOCK.relative;
      this.#at = last;
    } else if (next === 58) {
      if (text[end + 3] !== ":") return;
      const seconds = digitsEnd(text, end + 4);
      this.seconds =
        Number(text.slice(from, end)) * 3600 +
        Number(text.slice(end + 1, end + 3)) * 60 +
        Number(text.slice(end + 4, seconds));
      if (!Number.isInteger(this.seconds)) return;
      let last = seconds;
      this.nanos = 0;
      if (text[seconds] === ".") {
        last = digitsEnd(text, seconds + 1);
        this.nanos = fraction(text, seconds + 1, last);
      }
      if (text.charCodeAt(last) !== BLANK) return;
      this.clock = CLOCK.day;
      this.#at = last;
    }
  }

  #rest(): number {
    const text = this.#text;
    const at = this.#at;
    if (!isNameChar(text.charCodeAt(at))) {
      if (text.startsWith("<... ", at)) return this.#resumed(at + 5);
      if (text.startsWith("--- ", at)) return this.#signal(at + 4);
      if (text.startsWith("+++ ", at)) return this.#end(at + 4);
    }
    let end = at;
    while (isNameChar(text.charCodeAt(end))) end++;
    if (end === at || text.charCodeAt(end) !== 40) {
      const aside = text.startsWith("strace: ", at) || text.startsWith("% time ", at) || text.startsWith("------ ", at);
      return aside ? SAYS.aside : SAYS.nothing;
    }
    this.name = text.slice(at, end);
    return this.#call(end + 1, SAYS.call);
  }

  #resumed(at: number): number {
    const mark = " resumed>";
    const end = this.#text.indexOf(mark, at);
    if (end < 0 || end - at > 64) return SAYS.nothing;
    this.name = this.#text.slice(at, end);
    return this.#call(end + mark.length, SAYS.resumed);
  }

  /** Arguments from `from` on and what follows them. */
  #call(from: number, says: number): number {
    const text = this.#text;
    const unfinished = "<unfinished ...>";
    let close = argumentsEnd(text, from);
    if (close < 0 && says === SAYS.call) {
      // With -ff the file of a thread that runs an execve ends so; the call goes on in its process's file.
      const moved = text.endsWith(" ...>") ? text.lastIndexOf("<pid changed to ") : -1;
      const end = text.endsWith(unfinished) ? text.length - unfinished.length : moved;
      if (end >= from) {
        this.args = text.slice(from, end).trimEnd();
        // A second line that begins behind this one's end: they ran into each other.
        return /<unfinished \.\.\.>[\d[]/.test(this.args) ? SAYS.nothing : SAYS.unfinished;
      }
    }
    // A structure that does not close as it should: the last place that looks like the end is taken.
    if (close < 0 || !isResult(text, close)) close = lastResult(text, from);
    if (close < 0) return SAYS.nothing;
    this.args = text.slice(from, close);
    if (this.args.endsWith(unfinished)) this.args = this.args.slice(0, -unfinished.length).trimEnd();
    if (this.args.includes(unfinished) && marksWithin(this.args, unfinished)) return SAYS.nothing;
    return this.#result(close + 1) ? says : SAYS.nothing;
  }

  /** "= value ..." behind the closing bracket. */
  #result(from: number): boolean {
    const text = this.#text;
    let at = from;
    while (text.charCodeAt(at) === BLANK) at++;
    if (text[at] !== "=") return false;
    at++;
    while (text.charCodeAt(at) === BLANK) at++;
    const end = this.#span(text.length);
    if (text[at] === "?") {
      this.after = text.slice(at + 1, end).trim();
      const name = firstWord(this.after);
      if (name.startsWith("ERESTART")) this.ret = -errorNumber(name) || Number.NaN;
      return (this.after === "" || this.ret < 0) && isRemark(this.after);
    }
    const last = this.#value(at);
    if (last < 0) return false;
    if (last === end) return true;
    this.after = text.slice(last, end).trim();
    if (this.ret === -1) {
      const name = firstWord(this.after);
      if (name.startsWith("E")) this.ret = -errorNumber(name) || -1;
      else if (name.startsWith("errno=")) this.ret = -Number(name.slice(6)) || -1;
    }
    return isRemark(this.after);
  }

  /** "<0.000012>" at the end of a line: sets the duration; gives where the text before it ends. */
  #span(end: number): number {
    const text = this.#text;
    if (text.charCodeAt(end - 1) !== 62) return end;
    let dot = end - 2;
    while (isDigit(text.charCodeAt(dot))) dot--;
    let open = dot - 1;
    while (isDigit(text.charCodeAt(open))) open--;
    if (
      text.charCodeAt(dot) !== 46 ||
      open === dot - 1 ||
      text.charCodeAt(open) !== 60 ||
      text.charCodeAt(open - 1) !== 32
    )
      return end;
    this.duration = whole(text, open + 1, dot) * 1e9 + fraction(text, dot + 1, end - 1);
    return open - 1;
  }

  /** "12", "-1", "0x7f": sets the result; gives where it ends, -1: it is no number. */
  #value(at: number): number {
    const text = this.#text;
    const negative = text.charCodeAt(at) === 45;
    const first = negative ? at + 1 : at;
    const decimal = digitsEnd(text, first);
    const next = text.charCodeAt(decimal);
    if (decimal > first && next !== 120 && !isHex(next)) {
      this.ret = negative ? -whole(text, first, decimal) : whole(text, first, decimal);
      return decimal;
    }
    let last = text.startsWith("0x", first) ? first + 2 : first;
    const digits = last;
    while (isHex(text.charCodeAt(last))) last++;
    if (last === digits) return -1;
    this.ret = Number(text.slice(at, last));
    return Number.isNaN(this.ret) ? -1 : last;
  }

  #signal(at: number): number {
    const text = this.#text;
    // A second one behind the first: two lines ran into each other.
    if (!text.endsWith(" ---") || text.indexOf(" ---", at) !== text.length - 4) return SAYS.nothing;
    if (text.startsWith("stopped by ", at)) return SAYS.stopped;
    const blank = text.indexOf(" ", at);
    this.name = text.slice(at, blank);
    return this.name.startsWith("SIG") ? SAYS.signal : SAYS.nothing;
  }

  #end(at: number): number {
    const text = this.#text;
    if (!text.endsWith(" +++")) return SAYS.nothing;
    const number = (from: string): boolean => {
      this.value = Number(text.slice(at + from.length, -4));
      return Number.isInteger(this.value);
    };
    if (text.startsWith("exited with ", at)) return number("exited with ") ? SAYS.exited : SAYS.nothing;
    const superseded = "superseded by execve in pid ";
    if (text.startsWith(superseded, at)) return number(superseded) ? SAYS.superseded : SAYS.nothing;
    if (!text.startsWith("killed by ", at)) return SAYS.nothing;
    this.name = firstWord(text.slice(at + 10));
    this.value = text.endsWith("(core dumped) +++") ? 128 : 0;
    return SAYS.killed;
  }
}
