// Where the recorder keeps events while a program runs: a few words a row in blocks that never move, so that growing copies
// nothing and an event touches one or two cache lines. decode() makes the columns of the schema out of them.
import { type Column, emptyColumn, makeColumn } from "../../traces/columns.ts";
import type { Field } from "../../traces/schema/field.ts";
import { type EventColumns, TABLES } from "../../traces/schema/tables.ts";

const SHIFT = 9;
/** Events a block: as many as a processor's first cache holds while they are decoded. */
const ROWS = 1 << SHIFT;
const MASK = ROWS - 1;

/**
 * Words of a row that hold a number: zero is unknown, else the number plus one. Times count from the block's first,
 * results from LEAST_RET.
 */
const NUMBERS = ["task", "parent", "nr", "tIn", "tOut", "user", "kinstr", "charge", "blocked", "ret", "sp"] as const;
/** Columns that most events leave unknown: a block has one from the first cell on that is known. */
const SPARSE = ["bytes", "items", "components", "pages", "cold", "obj", "off", "addr"] as const;
/** Bytes of a row's last words; behind them, in a halfword, the flags. */
const BYTES = ["kind", "abi", "site", "path", "access", "cause"] as const;

export type NumberKey = (typeof NUMBERS)[number];
export type SparseKey = (typeof SPARSE)[number];
export type ByteKey = (typeof BYTES)[number];

const WORDS = NUMBERS.length + 2;
const FLAGS_AT = (NUMBERS.length + 1) * 2 + 1;
/** -MAX_ERRNO: few results are less. */
const LEAST_RET = -4095;
/** A word that says: the number does not fit (too large, negative, not whole) and is kept elsewhere. */
const WIDE = 0xffff_ffff;

/** Places of a row's fields, in words, bytes and halfwords. */
export const WORD = placed(NUMBERS, 0);
export const BYTE = placed(BYTES, NUMBERS.length * 4);

function placed<const Names extends readonly string[]>(names: Names, first: number): Record<Names[number], number> {
  return Object.fromEntries(names.map((name, n) => [name, first + n])) as Record<Names[number], number>;
}

type Cells = Int32Array | Float64Array | Uint8Array | Uint16Array;

/** Some events. Hot: called many times an event; `at` is what at() gives. */
export class EventBlock {
  readonly #words = new Int32Array(ROWS * WORDS);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #halves = new Uint16Array(this.#words.buffer);
  readonly #firstTime: number;
  /** Numbers that do not fit in a word, by its place. */
  readonly #wide = new Map<number, number>();
  readonly #sparse: Partial<Record<SparseKey, Float64Array>> = {};

  constructor(firstTime: number) {
    this.#firstTime = firstTime;
  }

  /** @param word one of WORD, but a time or ret */
  number(at: number, word: number, value: number): void {
    const cell = value + 1;
    if (cell >>> 0 === cell && cell !== WIDE) this.#words[at + word] = cell;
    else this.#setWide(at + word, value);
  }

  #setWide(at: number, value: number): void {
    this.#words[at] = WIDE;
    this.#wide.set(at, value);
  }

  /** Adds to a number, which may be unknown yet. */
  more(at: number, word: number, value: number): void {
    this.number(at, word, Math.max(0, this.#number(at + word)) + value);
  }

  /** @param byte one of BYTE */
  byte(at: number, byte: number, value: number): void {
    this.#bytes[at * 4 + byte] = value;
  }

  /** Or flags in. */
  flag(at: number, flags: number): void {
    this.#halves[at * 2 + FLAGS_AT] |= flags;
  }

  timeIn(at: number, time: number): void {
    this.number(at, WORD.tIn, time - this.#firstTime);
  }

  /** The return; never before the entry. */
  timeOut(at: number, time: number): void {
    const after = time - this.#firstTime;
    const entry = this.#number(at + WORD.tIn);
    this.number(at, WORD.tOut, after > entry ? after : entry);
  }

  result(at: number, ret: number): void {
    this.number(at, WORD.ret, ret - LEAST_RET);
  }

  sparse(at: number, key: SparseKey, value: number): void {
    let cells = this.#sparse[key];
    if (cells === undefined) {
      cells = new Float64Array(ROWS).fill(Number.NaN);
      this.#sparse[key] = cells;
    }
    cells[at / WORDS] = value;
  }

  task(at: number): number {
    return this.#number(at + WORD.task);
  }

  #number(at: number): number {
    const cell = this.#words[at] >>> 0;
    return cell === WIDE ? (this.#wide.get(at) as number) : cell - 1;
  }

  has(key: SparseKey): boolean {
    return this.#sparse[key] !== undefined;
  }

  /** Writes the cells of its events into a part of a column. */
  decode(key: string, column: Cells): void {
    if (isSparse(key)) {
      const cells = this.#sparse[key];
      if (column instanceof Int32Array) sparseInts(cells, column);
      else if (cells === undefined) column.fill(Number.NaN);
      else (column as Float64Array).set(cells.subarray(0, column.length));
    } else if (key in WORD) {
      const word = WORD[key as NumberKey];
      const base = key === "tIn" || key === "tOut" ? this.#firstTime : key === "ret" ? LEAST_RET : 0;
      if (column instanceof Int32Array) ints(this.#words, word, column);
      else counts(this.#words, word, column as Float64Array, base);
      for (const at of this.#wide.keys()) {
        // What was set again may fit now.
        if (at % WORDS === word) column[Math.floor(at / WORDS)] = base + this.#number(at);
      }
    } else if (key in BYTE) {
      bytes(this.#bytes, BYTE[key as ByteKey], column as Uint8Array);
    } else if (key === "flags") {
      halves(this.#halves, FLAGS_AT, column as Uint16Array);
    }
    // The machine has one processor: cpu stays 0.
  }
}

export class EventRows {
  readonly #blocks: EventBlock[] = [];
  length = 0;

  /** Makes room for one event more, which begins at `time`; its number is the length before. */
  append(time: number): EventBlock {
    const seq = this.length++;
    if ((seq & MASK) === 0) this.#blocks.push(new EventBlock(time));
    return this.#blocks[seq >> SHIFT];
  }

  /** The block that holds an event. @param seq at least 0 and less than length */
  of(seq: number): EventBlock {
    return this.#blocks[seq >> SHIFT];
  }

  /** The place of an event in its block. */
  at(seq: number): number {
    return (seq & MASK) * WORDS;
  }

  /** The columns. Those of numbers that no event has are one array. */
  decode(): EventColumns {
    const { length } = this;
    const columns: Record<string, Column | number> = { length };
    const unknown = new Map<string, Column>();
    const known: string[] = [];
    for (const [key, { hold }] of Object.entries(TABLES.events.fields) as [string, Field][]) {
      if (hold === "row") continue;
      if (isSparse(key) && !this.#blocks.some((block) => block.has(key))) {
        columns[key] = unknown.get(hold) ?? makeColumn(hold, length);
        unknown.set(hold, columns[key]);
        continue;
      }
      columns[key] = emptyColumn(hold, length);
      known.push(key);
    }
    for (let from = 0; from < length; from += ROWS) {
      const to = Math.min(from + ROWS, length);
      for (const key of known) this.of(from).decode(key, (columns[key] as Cells).subarray(from, to));
    }
    return columns as unknown as EventColumns;
  }
}

// One loop for each kind of array, so that each stays specialised. Every cell is written: a column is touched once.

function ints(words: Int32Array, word: number, column: Int32Array): void {
  for (let i = 0, at = word; i < column.length; i++, at += WORDS) column[i] = words[at] - 1;
}

function counts(words: Int32Array, word: number, column: Float64Array, base: number): void {
  const less = base - 1;
  for (let i = 0, at = word; i < column.length; i++, at += WORDS) {
    column[i] = words[at] === 0 ? Number.NaN : (words[at] >>> 0) + less;
  }
}

function bytes(rows: Uint8Array, byte: number, column: Uint8Array): void {
  for (let i = 0, at = byte; i < column.length; i++, at += WORDS * 4) column[i] = rows[at];
}

function halves(rows: Uint16Array, half: number, column: Uint16Array): void {
  for (let i = 0, at = half; i < column.length; i++, at += WORDS * 2) column[i] = rows[at];
}

function sparseInts(cells: Float64Array | undefined, column: Int32Array): void {
  for (let i = 0; i < column.length; i++) column[i] = cells === undefined || Number.isNaN(cells[i]) ? -1 : cells[i];
}

function isSparse(key: string): key is SparseKey {
  return (SPARSE as readonly string[]).includes(key);
}
