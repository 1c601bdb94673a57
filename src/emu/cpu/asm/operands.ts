// Operands of the assembler: registers, memory references, immediates, far pointers, with their size words.
import { InputError } from "../../../errors.ts";
import type { Size } from "../isa/ir.ts";
import { evaluate, type Lookup, type Value } from "./expression.ts";

export type Operand =
  | { readonly k: "gpr"; readonly n: number; readonly size: Size }
  | { readonly k: "seg" | "cr" | "dr" | "st" | "mm" | "xmm"; readonly n: number }
  | { readonly k: "mem"; readonly mem: Memory; readonly bytes: number; readonly far: boolean }
  | { readonly k: "imm"; readonly value: Value; readonly bytes: number; readonly distance: "" | "short" | "near" }
  | { readonly k: "far"; readonly selector: Value; readonly offset: Value };

export interface Memory {
  readonly seg: number;
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  readonly disp: Value;
  /** Address size in bits when a register says it, else 0. */
  readonly size: 0 | 16 | 32;
}

const GPR: Readonly<Record<Size, readonly string[]>> = {
  8: ["al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"],
  16: ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"],
  32: ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"],
};
export const SEGMENTS = ["es", "cs", "ss", "ds", "fs", "gs"];
const BYTES: Readonly<Record<string, number>> = {
  byte: 1,
  word: 2,
  dword: 4,
  qword: 8,
  tbyte: 10,
  tword: 10,
  oword: 16,
};

/** Names of the general registers of a size. */
export function registerNames(size: Size): readonly string[] {
  return GPR[size];
}

function register(text: string): Operand | null {
  for (const size of [32, 16, 8] as const) {
    const n = GPR[size].indexOf(text);
    if (n >= 0) return { k: "gpr", n, size };
  }
  const seg = SEGMENTS.indexOf(text);
  if (seg >= 0) return { k: "seg", n: seg };
  const system = /^(cr|dr)([0-7])$/.exec(text);
  if (system) return { k: system[1] === "cr" ? "cr" : "dr", n: Number(system[2]) };
  const vector = /^(mm|xmm)([0-7])$/.exec(text);
  if (vector) return { k: vector[1] === "mm" ? "mm" : "xmm", n: Number(vector[2]) };
  const st = /^st(?:\(?([0-7])\)?)?$/.exec(text);
  if (st) return { k: "st", n: Number(st[1] ?? 0) };
  return null;
}

/** Cut text at a separator outside quotes, brackets and parentheses. */
export function splitTop(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = "";
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quote) {
      if (c === quote) quote = "";
    } else if (c === "'" || c === '"') quote = c;
    else if (c === "[" || c === "(") depth++;
    else if (c === "]" || c === ")") depth--;
    else if (c === separator && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** Terms of an address, each with its sign. */
function terms(text: string): { sign: 1 | -1; text: string }[] {
  const list: { sign: 1 | -1; text: string }[] = [];
  let depth = 0;
  let sign: 1 | -1 = 1;
  let current = "";
  for (const c of text) {
    if (c === "(") depth++;
    if (c === ")") depth--;
    const operator =
      (c === "+" || c === "-") && depth === 0 && current.trim() !== "" && !/[*/%&|^<>]\s*$/.test(current);
    if (operator) {
      list.push({ sign, text: current.trim() });
      current = "";
      sign = c === "-" ? -1 : 1;
    } else if (c === "-" && depth === 0 && current.trim() === "") sign = sign === 1 ? -1 : 1;
    else if (!(c === "+" && current.trim() === "")) current += c;
  }
  if (current.trim() !== "") list.push({ sign, text: current.trim() });
  return list;
}

function memory(inside: string, lookup: Lookup, where: string): Memory {
  let text = inside.trim();
  let seg = -1;
  const override = /^(es|cs|ss|ds|fs|gs)\s*:/i.exec(text);
  if (override) {
    seg = SEGMENTS.indexOf(override[1].toLowerCase());
    text = text.slice(override[0].length);
  }
  let base = -1;
  let index = -1;
  let scale = 1;
  let size: 0 | 16 | 32 = 0;
  let disp: Value = { value: 0, placed: false };
  const bad = (): never => {
    throw new InputError(`${where}: [${inside.trim()}] is not an address of this processor`);
  };
  for (const term of terms(text)) {
    const scaled = /^(e?[a-z]{2})\s*\*\s*(\S+)$/i.exec(term.text) ?? /^(\S+)\s*\*\s*(e?[a-z]{2})$/i.exec(term.text);
    const names = scaled ? [scaled[1], scaled[2]] : [term.text];
    const found = names.map((n) => register(n.toLowerCase())).find((r) => r?.k === "gpr" && r.size !== 8);
    if (found && found.k === "gpr") {
      if (term.sign < 0 || (size !== 0 && size !== found.size)) bad();
      size = found.size === 16 ? 16 : 32;
      if (scaled) {
        const factor = names.find((n) => register(n.toLowerCase()) === null) ?? "1";
        const times = evaluate(factor, lookup, where).value;
        if (index >= 0 || ![1, 2, 4, 8].includes(times)) bad();
        index = found.n;
        scale = times;
      } else if (base < 0) base = found.n;
      else if (index < 0) index = found.n;
      else bad();
    } else {
      const v = evaluate(term.text, lookup, where);
      disp = { value: disp.value + term.sign * v.value, placed: disp.placed || v.placed };
    }
  }
  return { seg, base, index, scale, disp, size };
}

/** Read one operand. Errors: InputError naming `where`. */
export function parseOperand(source: string, lookup: Lookup, where: string): Operand {
  let text = source.trim();
  let bytes = 0;
  let far = false;
  let distance: "" | "short" | "near" = "";
  for (;;) {
    const word = /^(byte|word|dword|qword|tbyte|tword|oword|short|near|far|ptr|strict)\b\s*/i.exec(text);
    if (!word) break;
    const w = word[1].toLowerCase();
    if (w in BYTES) bytes = BYTES[w];
    else if (w === "far") far = true;
    else if (w === "short" || w === "near") distance = w;
    text = text.slice(word[0].length);
  }
  if (text === "") throw new InputError(`${where}: an operand is missing`);
  const reg = register(text.toLowerCase());
  if (reg) return reg;
  if (text.startsWith("[")) {
    if (!text.endsWith("]")) throw new InputError(`${where}: "${text}" lacks its closing bracket`);
    return { k: "mem", mem: memory(text.slice(1, -1), lookup, where), bytes, far };
  }
  const parts = splitTop(text, ":");
  if (parts.length === 2) {
    return { k: "far", selector: evaluate(parts[0], lookup, where), offset: evaluate(parts[1], lookup, where) };
  }
  return { k: "imm", value: evaluate(text, lookup, where), bytes, distance };
}
