// Rows of a table of numbers and names as the bytes of their CSV: what papaparse makes of them, written digit by digit.
import type { AnyColumns, Column } from "./columns.ts";
import { cellNames, largest } from "./package.ts";
import { FLAGS_UNKNOWN } from "./schema/enums.ts";
import { csvName, type Field, type Table } from "./schema/field.ts";

const COMMA = 44;
const LINE_FEED = 10;
const MINUS = 45;
const ZERO = 48;
/** Nine digits are written at a time. */
const BILLION = 1e9;
/** The longest number, and the comma behind it. */
const MOST_CELL = 18;

/** How the cells of a column are written. */
const HOW = { none: 0, row: 1, int: 2, float: 3, name: 4, flags: 5 } as const;

interface Writer {
  readonly key: string;
  readonly how: number;
  readonly must: boolean;
  readonly min: number;
  readonly max: number;
  /** By value: enumerations and sets of flags as bytes. */
  readonly names: (Uint8Array | undefined)[];
  readonly field: Field;
}

/** Can the table be written so: has it no column of text? */
export function isPlain(table: Table): boolean {
  return Object.values(table.fields).every(({ hold }) => hold !== "text");
}

export class CsvBytes {
  readonly #table: Table;
  readonly #writers: readonly Writer[];
  readonly #most: number;
  #bytes = new Uint8Array(0);

  constructor(table: Table) {
    this.#table = table;
    this.#writers = Object.entries(table.fields).map(([key, field]) => writerOf(key, field));
    const names = this.#writers.flatMap(({ names: list, field }) =>
      field.hold === "flags" ? [cellNames(field).join("|").length] : list.map((name) => name?.length ?? 0),
    );
    this.#most = Object.keys(table.fields).length * (MOST_CELL + Math.max(0, ...names));
  }

  /** Rows [from, to) of `columns`, the first of which is row `first` of the table; good until the next ones. */
  rows(columns: AnyColumns, from: number, to: number, first: number): Uint8Array {
    if (this.#bytes.length < this.#most * (to - from)) this.#bytes = new Uint8Array(this.#most * (to - from));
    const held = this.#writers.map(({ key }) => columns[key] as Column);
    // Columns of which nothing is known are no more than a comma, unless something must be known of them.
    const known = this.#writers.flatMap(({ how, must }, index) =>
      !must && isUnknown(how, held[index], from, to) ? [] : [index],
    );
    const last = this.#writers.length - 1;
    const bytes = this.#bytes;
    let at = 0;
    for (let row = from; row < to; row++) {
      let done = 0;
      for (const index of known) {
        for (; done < index; done++) bytes[at++] = COMMA;
        at = this.#cell(at, this.#writers[index], held[index], row, first + row - from);
      }
      for (; done < last; done++) bytes[at++] = COMMA;
      bytes[at++] = LINE_FEED;
    }
    return bytes.subarray(0, at);
  }

  #cell(at: number, writer: Writer, column: Column, row: number, number: number): number {
    switch (writer.how) {
      case HOW.row:
        return this.#number(at, number);
      case HOW.int: {
        const value = (column as Int32Array)[row];
        if (value < 0) break;
        if (value > writer.max) this.#refuse(writer, number, value);
        return this.#number(at, value);
      }
      case HOW.float: {
        const value = (column as Float64Array)[row];
        if (Number.isNaN(value)) break;
        if (!Number.isSafeInteger(value) || value < writer.min || value > writer.max)
          this.#refuse(writer, number, value);
        if (value >= 0) return this.#number(at, value);
        this.#bytes[at] = MINUS;
        return this.#number(at + 1, -value);
      }
      case HOW.name: {
        const value = (column as Uint8Array)[row];
        if (value === 0) break;
        return this.#name(at, writer.names[value] ?? this.#refuse(writer, number, value));
      }
      case HOW.flags: {
        const value = (column as Uint16Array)[row];
        if (value === FLAGS_UNKNOWN) break;
        writer.names[value] ??= flagNames(writer.field, value);
        return this.#name(at, writer.names[value]);
      }
    }
    if (writer.must) throw new Error(`trace: ${this.#table.name} row ${number + 1} has no ${csvName(writer.key)}`);
    return at;
  }

  #name(at: number, name: Uint8Array): number {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) bytes[at + i] = name[i];
    return at + name.length;
  }

  /** A whole number that is not negative. */
  #number(at: number, value: number): number {
    if (value < BILLION) return this.#digits(at, value | 0, digitsOf(value));
    const high = Math.floor(value / BILLION);
    return this.#digits(this.#number(at, high), (value - high * BILLION) | 0, 9);
  }

  #digits(at: number, value: number, count: number): number {
    const bytes = this.#bytes;
    let rest = value;
    for (let place = at + count - 1; place >= at; place--) {
      const tenth = (rest / 10) | 0;
      bytes[place] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    return at + count;
  }

  /** A wrong value is a fault of whoever made the trace, not of its user. */
  #refuse({ key }: Writer, row: number, value: number): never {
    throw new Error(`trace: ${this.#table.name} row ${row + 1}: ${csvName(key)} is ${value}`);
  }
}

function digitsOf(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit; limit *= 10) count++;
  return count;
}

function writerOf(key: string, field: Field): Writer {
  const how = {
    row: HOW.row,
    id: HOW.int,
    small: HOW.int,
    count: HOW.float,
    signed: HOW.float,
    text: HOW.none,
  } as const;
  const max = largest(field);
  return {
    key,
    how: field.hold === "enum" ? HOW.name : field.hold === "flags" ? HOW.flags : how[field.hold],
    must: field.required === true,
    min: field.hold === "signed" ? -max : 0,
    max,
    names: field.hold === "enum" ? [undefined, ...cellNames(field).map(ascii)] : [],
    field,
  };
}

function ascii(name: string): Uint8Array {
  return Uint8Array.from(name, (char) => char.charCodeAt(0));
}

function flagNames(field: Field, bits: number): Uint8Array {
  return ascii(
    cellNames(field)
      .filter((_, bit) => bits & (1 << bit))
      .join("|") || "-",
  );
}

/** Is nothing known of a whole column? Most columns of an imported trace are so. */
function isUnknown(how: number, column: Column, from: number, to: number): boolean {
  let row = from;
  if (how === HOW.int) while (row < to && (column as Int32Array)[row] < 0) row++;
  else if (how === HOW.float) while (row < to && Number.isNaN((column as Float64Array)[row])) row++;
  else return false;
  return row === to;
}
