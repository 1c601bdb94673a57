// Texts of strace's lines: strings, paths and structures that may hold anything, where they end, and numbers read digit by digit.

export const BLANK = 32;
const QUOTE = 34;
const BACKSLASH = 92;
export const OPEN = 91;

/** What a character is to arguments: 0 nothing, 1 it opens, 2 it closes, 3 a string begins, 4 perhaps what a descriptor stands for. */
const CLASS = new Uint8Array(256);
for (const char of "([{") CLASS[char.charCodeAt(0)] = 1;
for (const char of ")]}") CLASS[char.charCodeAt(0)] = 2;
CLASS[QUOTE] = 3;
CLASS[60] = 4;

/** Is it the code of a digit? */
export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Where the digits end that begin at `from`. */
export function digitsEnd(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at++;
  return at;
}

/** May it stand in the name of a call? */
export function isNameChar(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95;
}

/** The decimal digits between two places as a number. */
export function whole(text: string, from: number, to: number): number {
  if (to - from > 15) return Number(text.slice(from, to));
  let value = 0;
  for (let at = from; at < to; at++) value = value * 10 + text.charCodeAt(at) - 48;
  return value;
}

/** Is it the code of a hexadecimal digit? */
export function isHex(code: number): boolean {
  return isDigit(code) || (code >= 97 && code <= 102) || (code >= 65 && code <= 70);
}

/** Digits behind a decimal point as nanoseconds. */
export function fraction(text: string, from: number, to: number): number {
  let value = 0;
  let scale = 1e8;
  for (let at = from; at < to && scale >= 1; at++, scale /= 10) value += (text.charCodeAt(at) - 48) * scale;
  return value;
}

/** The text up to the first blank. */
export function firstWord(text: string): string {
  const end = text.indexOf(" ");
  return end < 0 ? text : text.slice(0, end);
}

/** The end of a string that begins at `from`, just behind its closing quote; -1: it does not end. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slash = at - 1;
    while (text.charCodeAt(slash) === BACKSLASH && slash > from) slash--;
    if ((at - slash) % 2 === 1) return at + 1;
  }
  return -1;
}

/** The end of `<...>` behind a descriptor (-y, -yy), just behind it; arrows and devices inside are no ends. */
function pathEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 60) depth++;
    else if (code === 62 && text.charCodeAt(at - 1) !== 45 && --depth === 0) return at + 1;
  }
  return -1;
}

/** Does a descriptor end just before `at`: a number, or the current folder? */
function behindDescriptor(text: string, at: number): boolean {
  if (text.endsWith("AT_FDCWD", at)) return true;
  return isDigit(text.charCodeAt(at - 1)) && text.charCodeAt(at + 1) !== 60;
}

/** Does `mark` stand among arguments outside of strings? Then a second line begins behind it: they ran into each other. */
export function marksWithin(args: string, mark: string): boolean {
  for (let at = 0; at >= 0 && at < args.length; ) {
    if (args.startsWith(mark, at)) return true;
    at = args.charCodeAt(at) === QUOTE ? stringEnd(args, at) : at + 1;
  }
  return false;
}

/** Where the bracket closes that is open at `from`; -1: nowhere. */
export function argumentsEnd(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    switch (CLASS[code]) {
      case 1:
        depth++;
        break;
      case 2:
        if (--depth === 0) return code === 41 ? at : -1;
        break;
      case 3:
        at = stringEnd(text, at) - 1;
        if (at < 0) return -1;
        break;
      case 4:
        if (behindDescriptor(text, at)) at = Math.max(at, pathEnd(text, at) - 1);
    }
  }
  return -1;
}

/** Does a result stand behind the closing bracket? */
export function isResult(text: string, close: number): boolean {
  let at = close + 1;
  while (text.charCodeAt(at) === BLANK) at++;
  return at > close + 1 && text[at] === "=" && text.charCodeAt(at + 1) === BLANK;
}

/** The last closing bracket that a result stands behind, from `from` on; -1: none. */
export function lastResult(text: string, from: number): number {
  for (let at = text.lastIndexOf(")"); at >= from; at = text.lastIndexOf(")", at - 1)) {
    if (isResult(text, at)) return at;
    if (at === 0) break;
  }
  return -1;
}

/** Is this all that may stand behind a result: a path, an error's name, a remark in brackets? Else two lines ran into each other. */
export function isRemark(after: string): boolean {
  let rest = after;
  if (rest.startsWith("<")) {
    const end = pathEnd(rest, 0);
    if (end < 0) return false;
    rest = rest.slice(end).trimStart();
  } else if (rest.startsWith("E") || rest.startsWith("errno=")) rest = rest.slice(firstWord(rest).length).trimStart();
  return rest === "" || (rest.startsWith("(") && argumentsEnd(rest, 1) === rest.length - 1);
}

/** The top-level arguments of a call's text. */
export function splitArguments(args: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < args.length; ) {
    const code = args.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(args, at);
      at = end < 0 ? args.length : end;
      continue;
    }
    if (code === 60 && behindDescriptor(args, at)) {
      const end = pathEnd(args, at);
      if (end > 0) {
        at = end;
        continue;
      }
    }
    if (code === 40 || code === 91 || code === 123) depth++;
    else if (code === 41 || code === 93 || code === 125) depth--;
    else if (code === 44 && depth === 0) {
      parts.push(args.slice(start, at).trim());
      start = at + 1;
    }
    at++;
  }
  const last = args.slice(start).trim();
  if (last !== "" || parts.length > 0) parts.push(last);
  return parts;
}
