// The assembler: NASM-like Intel syntax over the instruction table. Used for the kernel's entry code, the vDSO, signal
// trampolines and tests.
import { InputError } from "../../../errors.ts";
import { encode } from "./encode.ts";
import { evaluate, type Lookup, type Value } from "./expression.ts";
import { parseOperand, SEGMENTS, splitTop } from "./operands.ts";
import { PREPARED_PROGRAMS } from "./prepared.ts";

export interface AssembleOptions {
  /** Address of the first byte. */
  readonly origin: number;
  /** Constants that the source may use. */
  readonly symbols?: Readonly<Record<string, number>>;
  readonly bits?: 16 | 32;
}

export interface Assembled {
  readonly bytes: Uint8Array;
  /** Labels and equates; local labels as "global.local". */
  readonly symbols: Record<string, number>;
}

const PREFIXES: Readonly<Record<string, number>> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
};
const DATA: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8 };
const RESERVE: Readonly<Record<string, number>> = { resb: 1, resw: 2, resd: 4, resq: 8 };
/** Rounds after which sizes must have settled. */
const MAX_PASSES = 64;
/** No program of ours is larger. */
const MAX_BYTES = 1 << 24;

interface Statement {
  readonly line: number;
  readonly text: string;
  /** Global label in force, for local labels. */
  readonly scope: string;
}

function stripComment(line: string): string {
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote) {
      if (c === quote) quote = "";
    } else if (c === "'" || c === '"') quote = c;
    else if (c === ";") return line.slice(0, i);
  }
  return line;
}

class Assembler {
  private readonly origin: number;
  private readonly given: Readonly<Record<string, number>>;
  private bits: 16 | 32;
  private readonly firstBits: 16 | 32;
  private readonly statements: Statement[] = [];
  private symbols = new Map<string, Value>();
  private previous = new Map<string, Value>();
  /** Jumps that turned out not to reach with one byte. */
  private readonly long = new Set<string>();
  /** Bytes of instructions that name no symbol, by mode and text: the same in every pass and place. */
  private readonly constant = new Map<string, readonly number[]>();
  private out: number[] = [];
  private final = false;

  constructor(source: string, options: AssembleOptions) {
    this.origin = options.origin;
    this.given = options.symbols ?? {};
    this.firstBits = options.bits ?? 32;
    this.bits = this.firstBits;
    let scope = "";
    source.split("\n").forEach((raw, i) => {
      let text = stripComment(raw).trim();
      for (;;) {
        const label = /^([A-Za-z_.?@][\w.$?@]*)\s*:(?!:)\s*/.exec(text);
        if (!label || SEGMENTS.includes(label[1].toLowerCase())) break;
        const name = label[1];
        if (!name.startsWith(".")) scope = name;
        this.statements.push({ line: i + 1, text: `${name.startsWith(".") ? scope + name : name}:`, scope });
        text = text.slice(label[0].length);
      }
      if (text !== "") this.statements.push({ line: i + 1, text, scope });
    });
  }

  run(): Assembled {
    for (let pass = 0; pass < MAX_PASSES; pass++) {
      this.pass();
      const settled = pass > 0 && this.same();
      this.previous = this.symbols;
      if (this.final) {
        const symbols: Record<string, number> = {};
        for (const [name, v] of this.symbols) symbols[name] = v.value;
        return { bytes: Uint8Array.from(this.out), symbols };
      }
      // One more pass with every symbol known exactly; undefined ones are errors there.
      if (settled) this.final = true;
    }
    throw new InputError("assembler: the sizes of the program do not settle; write short or near on its jumps");
  }

  private same(): boolean {
    if (this.symbols.size !== this.previous.size) return false;
    for (const [name, v] of this.symbols) if (this.previous.get(name)?.value !== v.value) return false;
    return true;
  }

  private pass(): void {
    this.symbols = new Map();
    this.out = [];
    this.bits = this.firstBits;
    for (const [n, s] of this.statements.entries()) this.statement(s.text, s, `${n}`);
  }

  private here(): number {
    return this.origin + this.out.length;
  }

  private lookup(s: Statement): Lookup {
    const start = this.here();
    return (name) => {
      if (name === "$") return { value: start, placed: true };
      if (name === "$$") return { value: this.origin, placed: true };
      const full = name.startsWith(".") ? s.scope + name : name;
      const known = this.symbols.get(full) ?? this.previous.get(full);
      if (known) return known;
      if (Object.hasOwn(this.given, full)) return { value: this.given[full], placed: false };
      return this.final ? undefined : { value: this.here(), placed: true };
    };
  }

  private define(name: string, v: Value, where: string): void {
    if (this.symbols.has(name)) throw new InputError(`${where}: "${name}" is defined twice`);
    this.symbols.set(name, v);
  }

  private statement(text: string, s: Statement, id: string): void {
    const where = `assembler line ${s.line}`;
    if (text.endsWith(":")) {
      this.define(text.slice(0, -1), { value: this.here(), placed: true }, where);
      return;
    }
    const equate = /^([A-Za-z_.?@][\w.$?@]*)\s+equ\s+(.*)$/i.exec(text);
    if (equate) {
      const name = equate[1].startsWith(".") ? s.scope + equate[1] : equate[1];
      this.define(name, evaluate(equate[2], this.lookup(s), where), where);
      return;
    }
    const [, word, rest] = /^(\S+)\s*(.*)$/s.exec(text) ?? ["", text, ""];
    const op = word.toLowerCase();
    if (op === "times") this.times(rest, s, id, where);
    else if (op in DATA) this.data(DATA[op], rest, s, where);
    else if (op in RESERVE) this.fill(RESERVE[op] * evaluate(rest, this.lookup(s), where).value, 0, where);
    else if (op === "align") this.align(rest, s, where);
    else if (op === "bits") this.bits = rest.trim() === "16" ? 16 : 32;
    else if (["global", "section", "extern", "cpu"].includes(op)) return;
    else this.instruction(text, s, id, where);
  }

  private times(rest: string, s: Statement, id: string, where: string): void {
    // The count ends where a directive or mnemonic starts: the first blank outside parentheses after an operand.
    const m =
      /^((?:\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s()]+)(?:\s*[-+*/%&|]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s()]+))*)\s+(.*)$/.exec(
        rest,
      );
    if (!m) throw new InputError(`${where}: times needs a count and a statement`);
    const count = evaluate(m[1], this.lookup(s), where).value;
    if (count < 0 && this.final) throw new InputError(`${where}: times ${count} is negative`);
    for (let i = 0; i < count && this.out.length < MAX_BYTES; i++) this.statement(m[2], s, `${id}.${i}`);
  }

  private fill(count: number, byte: number, where: string): void {
    if (this.out.length + count > MAX_BYTES) throw new InputError(`${where}: the program is larger than 16 MiB`);
    for (let i = 0; i < count; i++) this.out.push(byte);
  }

  private align(rest: string, s: Statement, where: string): void {
    const [to, filler] = splitTop(rest, ",");
    const n = evaluate(to, this.lookup(s), where).value;
    const byte = filler ? evaluate(filler.replace(/^\s*db\s+/i, ""), this.lookup(s), where).value : 0x90;
    if (n < 1) throw new InputError(`${where}: align ${n}`);
    this.fill((n - (this.here() % n)) % n, byte & 0xff, where);
  }

  private data(bytes: number, rest: string, s: Statement, where: string): void {
    const lookup = this.lookup(s);
    for (const part of splitTop(rest, ",")) {
      const item = part.trim();
      const string = /^(["'])(.*)\1$/s.exec(item);
      if (string && (bytes === 1 || string[2].length > bytes)) {
        const text = new TextEncoder().encode(string[2]);
        for (const b of text) this.out.push(b);
        this.fill((bytes - (text.length % bytes)) % bytes, 0, where);
        continue;
      }
      const { value } = evaluate(item, lookup, where);
      if (!Number.isSafeInteger(value))
        throw new InputError(`${where}: "${item}" is larger than 2^53; write it as two dd`);
      for (let i = 0; i < bytes; i++) this.out.push(Math.floor(value / 2 ** (8 * i)) & 0xff);
    }
  }

  private instruction(source: string, s: Statement, id: string, where: string): void {
    const key = `${this.bits} ${source}`;
    const known = this.constant.get(key);
    if (known !== undefined) {
      for (const b of known) this.out.push(b);
      return;
    }
    let text = source;
    const prefixes: number[] = [];
    let forceSize: 0 | 16 | 32 = 0;
    let forceAddress: 0 | 16 | 32 = 0;
    for (;;) {
      const m = /^(\S+)\s+(\S.*)$/s.exec(text);
      const word = (m?.[1] ?? text).toLowerCase();
      if (m && word in PREFIXES) prefixes.push(PREFIXES[word]);
      else if (m && SEGMENTS.includes(word))
        prefixes.push([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65][SEGMENTS.indexOf(word)]);
      else if (m && /^[oa](16|32)$/.test(word)) {
        const n = word.endsWith("16") ? 16 : 32;
        if (word[0] === "o") forceSize = n;
        else forceAddress = n;
      } else break;
      text = m[2];
    }
    const [, word, rest] = /^(\S+)\s*(.*)$/s.exec(text) ?? ["", text, ""];
    const symbols = this.lookup(s);
    let constant = true;
    const lookup: Lookup = (symbol) => {
      constant = false;
      return symbols(symbol);
    };
    const operands = rest.trim() === "" ? [] : splitTop(rest, ",").map((t) => parseOperand(t, lookup, where));
    const context = { bits: this.bits, at: this.here(), where, prefixes, forceSize, forceAddress };
    const name = word.toLowerCase();
    const jump = operands.length === 1 && operands[0].k === "imm" ? operands[0] : null;
    const short = !this.long.has(id) && jump?.distance !== "near";
    let bytes: number[];
    try {
      bytes = encode(name, operands, { ...context, short });
    } catch (error) {
      // Loops and JECXZ have only the short form; in early passes their target is a guess.
      if (this.final || jump === null || !/^(loop|j)/.test(name)) throw error;
      bytes = [0, 0];
    }
    if (jump !== null && bytes.length > 2 + prefixes.length && this.previous.size > 0) this.long.add(id);
    else if (constant && jump === null) this.constant.set(key, bytes);
    for (const b of bytes) this.out.push(b);
  }
}

/**
 * Assemble a program.
 * Syntax: `name:` and `.local:`, `equ`, `db dw dd dq`, `resb...`, `times`, `align`, `bits`; NASM's expressions, address
 * and size words; `rep lock` and segment prefixes, `o16 o32 a16 a32`; `call far sel:off`; `kcall n`; comments after `;`.
 * Errors: InputError with the line.
 */
export function assemble(source: string, options: AssembleOptions): Assembled {
  return new Assembler(source, options).run();
}

/** How many programs assembleOnce keeps. */
const KEPT = 32;
const kept = new Map<string, Assembled>();

/**
 * As assemble, for programs that many machines of one process start with: the result is kept and shared, so callers must
 * not write to it.
 */
export function assembleOnce(source: string, options: AssembleOptions): Assembled {
  const key = JSON.stringify([options, source]);
  const known = kept.get(key);
  if (known !== undefined) return known;
  if (kept.size >= KEPT) kept.clear();
  const made = PREPARED_PROGRAMS[key]?.() ?? assemble(source, options);
  kept.set(key, made);
  return made;
}

/** What assembleOnce has kept, by its key. */
export function keptPrograms(): ReadonlyMap<string, Assembled> {
  return kept;
}
