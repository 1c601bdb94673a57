// Constant expressions of the assembler: numbers, symbols, $ and $$, + - * / % & | ^ << >> ~ and parentheses.
import { InputError } from "../../../errors.ts";

/** A value, and whether it depends on where things were placed (then its size is not taken from its value). */
export interface Value {
  readonly value: number;
  readonly placed: boolean;
}

/** What a symbol means; undefined when it is not known (yet). */
export type Lookup = (name: string) => Value | undefined;

const TOKEN =
  /\s*(0[xX][0-9a-fA-F_]+|[0-9][0-9a-fA-F]*[hH]\b|[01]+[bB]\b|0[bB][01_]+|[0-9][0-9_]*|'[^']*'|"[^"]*"|<<|>>|\$\$|[-+*/%&|^~()$]|[A-Za-z_.?@][\w.$?@]*)/y;

function tokens(text: string, where: string): string[] {
  const list: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ""; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw new InputError(`${where}: cannot read "${text.slice(at).trim()}" in an expression`);
    list.push(match[1]);
  }
  return list;
}

function numberOf(token: string): number | undefined {
  const t = token.replaceAll("_", "");
  if (/^0x/i.test(t)) return Number.parseInt(t, 16);
  if (/^0b[01]+$/i.test(t)) return Number.parseInt(t.slice(2), 2);
  if (/^[0-9][0-9a-f]*h$/i.test(t)) return Number.parseInt(t, 16);
  if (/^[01]+b$/i.test(t)) return Number.parseInt(t, 2);
  if (/^[0-9]+$/.test(t)) return Number(t);
  if (/^['"]/.test(token)) {
    let v = 0;
    for (let i = token.length - 2; i > 0; i--) v = v * 256 + token.charCodeAt(i);
    return v;
  }
  return undefined;
}

const LEVELS: readonly (readonly string[])[] = [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

function apply(op: string, a: number, b: number): number {
  switch (op) {
    case "|":
      return a | b;
    case "^":
      return a ^ b;
    case "&":
      return a & b;
    case "<<":
      return a << b;
    case ">>":
      return a >>> b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? 0 : Math.trunc(a / b);
    default:
      return b === 0 ? 0 : a % b;
  }
}

/**
 * Evaluate an expression.
 * @param where file position for the error message
 * Errors: InputError on syntax and on symbols that `lookup` does not know.
 */
export function evaluate(text: string, lookup: Lookup, where: string): Value {
  const list = tokens(text, where);
  let at = 0;
  const fail = (): never => {
    throw new InputError(`${where}: expression "${text.trim()}" is not complete`);
  };
  const level = (n: number): Value => {
    if (n === LEVELS.length) return unary();
    let left = level(n + 1);
    while (at < list.length && LEVELS[n].includes(list[at])) {
      const op = list[at++];
      const right = level(n + 1);
      left = { value: apply(op, left.value, right.value), placed: left.placed || right.placed };
    }
    return left;
  };
  const unary = (): Value => {
    if (at >= list.length) fail();
    const token = list[at++];
    if (token === "-") {
      const v = unary();
      return { value: -v.value, placed: v.placed };
    }
    if (token === "+") return unary();
    if (token === "~") {
      const v = unary();
      return { value: ~v.value, placed: v.placed };
    }
    if (token === "(") {
      const v = level(0);
      if (list[at++] !== ")") fail();
      return v;
    }
    const number = numberOf(token);
    if (number !== undefined) return { value: number, placed: false };
    const symbol = lookup(token);
    if (symbol === undefined) throw new InputError(`${where}: "${token}" is not defined`);
    return symbol;
  };
  const value = level(0);
  if (at !== list.length) fail();
  return value;
}
