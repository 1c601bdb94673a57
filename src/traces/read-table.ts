// Reads one CSV table into columns: papaparse splits rows, our own conversion makes numbers, the first bad cell is named.
import Papa from "papaparse";
import { InputError } from "../errors.ts";
import { type AnyColumns, type Column, GrowingColumns } from "./columns.ts";
import { shown } from "./meta.ts";
import { cellNames, flagsPattern, largest, type Written } from "./package.ts";
import { FLAGS_UNKNOWN } from "./schema/enums.ts";
import { csvName, type Field, type Table } from "./schema/field.ts";
import { BrokenFile, MissingFile, type TraceSource } from "./store.ts";
import type { ExtraColumn } from "./trace.ts";

export const FRESH_COPY = "take a fresh copy of the trace, or capture it again";
const WRITTEN_WRONG = "the file is as it was written, so the program that wrote it is at fault: make the trace again";

/** A row longer than this is no row of a trace. */
const MAX_ROW_CHARS = 16 << 20;
/** Rows beyond this do not fit the Int32 that numbers them. */
const MAX_ROWS = 0x7fffffff;

export interface TableRead {
  /** All fields of the table, whether the trace holds them as columns or as rows. */
  readonly columns: AnyColumns;
  readonly extra: readonly ExtraColumn[];
  readonly written: Written;
  /** Where messages say the table is. */
  readonly file: string;
}

/** Puts one cell into its column; gives what is wrong with it, in words that follow the cell. */
type Setter = (cell: string, row: number) => string | undefined;

/** A cell that is wrong. Rows count from 1, the header is not one. */
interface Fault {
  readonly row: number;
  readonly column?: string;
  readonly what: string;
}

/** The table `table` of the package, from `path`, which must hold `expected.bytes` bytes (uncompressed) of that SHA-256. */
export function readTable(source: TraceSource, table: Table, path: string, expected: Written): TableRead {
  const file = `${source.label}/${path}`;
  const rows = new RowReader(table);
  const hash = source.hasher();
  let bytes = 0;
  let fault: Fault | undefined;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const decode = (piece?: Uint8Array): string => {
    try {
      return decoder.decode(piece, { stream: piece !== undefined });
    } catch {
      fault = { row: rows.count + 1, what: "is not UTF-8 text" };
      return "";
    }
  };
  try {
    for (const piece of source.pieces(path, expected.bytes)) {
      bytes += piece.length;
      hash.update(piece);
      if (fault === undefined) {
        const text = decode(piece);
        fault ??= rows.take(text, false);
      }
    }
  } catch (error) {
    if (error instanceof MissingFile)
      throw new InputError(`${file}: the file is missing though datapackage.json lists it; ${FRESH_COPY}`);
    if (error instanceof BrokenFile) throw new InputError(`${file}: ${error.message}; ${FRESH_COPY}`);
    throw error;
  }
  if (fault === undefined) {
    const rest = decode();
    fault ??= rows.take(rest, true);
  }
  const sha256 = hash.hex();
  const intact = bytes === expected.bytes && sha256 === expected.sha256;
  if (fault !== undefined) {
    const where = fault.row === 0 ? "header" : `row ${fault.row}`;
    const column = fault.column === undefined ? "" : `, column ${fault.column}:`;
    const remedy = intact ? WRITTEN_WRONG : `the file was damaged or edited after it was written: ${FRESH_COPY}`;
    throw new InputError(`${file}: ${where}${column} ${fault.what}; ${remedy}`);
  }
  if (!intact) {
    const size = bytes === expected.bytes ? "" : ` and it has ${bytes} bytes instead of ${expected.bytes}`;
    throw new InputError(
      `${file}: its SHA-256 is not the one in datapackage.json${size}: it was damaged or edited after it was written; ${FRESH_COPY}`,
    );
  }
  return { columns: rows.finish(), extra: rows.extra(), written: { bytes, sha256 }, file };
}

class RowReader {
  count = 0;
  readonly #table: Table;
  readonly #growing: GrowingColumns<Table>;
  readonly #parser: Papa.Parser;
  #carry = "";
  #setters: Setter[] | undefined;
  #names: string[] = [];
  readonly #extra: { name: string; cells: string[] }[] = [];

  constructor(table: Table) {
    this.#table = table;
    this.#growing = new GrowingColumns(table, 1024);
    this.#parser = new Papa.Parser({ delimiter: ",", newline: "\n", quoteChar: '"' });
  }

  /** Takes more text; with `last`, the end of it. */
  take(text: string, last: boolean): Fault | undefined {
    const input = this.#carry + text;
    if (input === "") return this.#setters === undefined && last ? { row: 0, what: "is missing" } : undefined;
    const parsed = this.#parser.parse(input, 0, !last) as Papa.ParseResult<string[]>;
    this.#carry = last ? "" : input.slice(parsed.meta.cursor);
    const rows = parsed.data;
    if (last && rows.length > 0 && rows[rows.length - 1].length === 1 && rows[rows.length - 1][0] === "") rows.pop();
    const broken = parsed.errors[0]?.row;
    for (const row of broken === undefined ? rows : rows.slice(0, broken)) {
      const fault = this.#setters === undefined ? this.#header(row) : this.#row(row);
      if (fault !== undefined) return fault;
    }
    if (broken !== undefined) {
      const what = "has a quote that is not closed, or closed too early";
      return { row: this.#setters === undefined ? 0 : this.count + 1, what };
    }
    if (this.#carry.length > MAX_ROW_CHARS)
      return { row: this.count + 1, what: `is longer than ${MAX_ROW_CHARS} bytes` };
    return last && this.#setters === undefined ? { row: 0, what: "is missing" } : undefined;
  }

  #header(names: string[]): Fault | undefined {
    const byName = new Map(Object.entries(this.#table.fields).map(([key, field]) => [csvName(key), { key, field }]));
    const setters: Setter[] = [];
    for (const name of names) {
      if (setters.length > 0 && names.indexOf(name) !== setters.length)
        return { row: 0, what: `has the column ${shown(name)} twice` };
      const known = byName.get(name);
      if (known === undefined) {
        const column = { name, cells: [] as string[] };
        this.#extra.push(column);
        setters.push((cell) => void column.cells.push(cell));
      } else {
        setters.push(this.#setter(known.key, known.field));
        byName.delete(name);
      }
    }
    if (byName.size > 0) return { row: 0, what: `lacks the column ${[...byName.keys()].join(", ")}` };
    this.#setters = setters;
    this.#names = names;
    return undefined;
  }

  #row(cells: string[]): Fault | undefined {
    const setters = this.#setters!;
    const row = this.count;
    if (cells.length !== setters.length)
      return { row: row + 1, what: `has ${cells.length} cells, the header ${setters.length}` };
    if (row >= MAX_ROWS) return { row: row + 1, what: "is one more than a trace can hold" };
    this.#growing.reserve();
    for (let i = 0; i < setters.length; i++) {
      const wrong = setters[i](cells[i], row);
      if (wrong !== undefined) return { row: row + 1, column: this.#names[i], what: `${shown(cells[i])} ${wrong}` };
    }
    this.count = row + 1;
    this.#growing.length = row + 1;
    return undefined;
  }

  #setter(key: string, field: Field): Setter {
    const must = field.required === true || field.hold === "row";
    const put = this.#put(key, field);
    return (cell, row) => (cell === "" ? (must ? "must not be empty" : undefined) : put(cell, row));
  }

  #put(key: string, field: Field): Setter {
    const column = () => (this.#growing.columns as unknown as AnyColumns)[key] as Column;
    switch (field.hold) {
      case "row":
        return (cell, row) => (cell === String(row) ? undefined : `should be ${row}, the rows are numbered from 0`);
      case "text":
        return (cell, row) => {
          column()[row] = cell;
          return undefined;
        };
      case "enum": {
        const names = new Map(cellNames(field).map((name, index) => [name, index + 1]));
        const wrong = `is none of ${cellNames(field).join(", ")}`;
        return (cell, row) => {
          const value = names.get(cell);
          if (value === undefined) return wrong;
          column()[row] = value;
          return undefined;
        };
      }
      case "flags":
        return flagsSetter(field, column as () => Uint16Array);
      default: {
        const max = largest(field);
        const min = field.hold === "signed" ? -max : 0;
        return (cell, row) => {
          const value = integer(cell);
          if (Number.isNaN(value)) return "is not an integer";
          if (value < min || value > max) return `is outside ${min}..${max}`;
          column()[row] = value;
          return undefined;
        };
      }
    }
  }

  finish(): AnyColumns {
    return this.#growing.cut() as unknown as AnyColumns;
  }

  extra(): ExtraColumn[] {
    return this.#extra.map(({ name, cells }) => ({ table: this.#table.name, name, cells }));
  }
}

function flagsSetter(field: Field, column: () => Uint16Array): Setter {
  const bits = new Map(cellNames(field).map((name, bit) => [name, 1 << bit]));
  const pattern = new RegExp(flagsPattern(field));
  const seen = new Map<string, number>([["", FLAGS_UNKNOWN]]);
  return (cell, row) => {
    let value = seen.get(cell);
    if (value === undefined) {
      if (!pattern.test(cell)) return `is not - or names of ${[...bits.keys()].join(", ")} joined by |`;
      value = cell === "-" ? 0 : cell.split("|").reduce((sum, name) => sum | bits.get(name)!, 0);
      if (seen.size < 4096) seen.set(cell, value);
    }
    column()[row] = value;
    return undefined;
  };
}

/** The integer that the text writes in the one way integers are written (no sign but -, no leading zero); NaN for any other text. */
export function integer(text: string): number {
  const length = text.length;
  const negative = text.charCodeAt(0) === 45;
  const first = negative ? 1 : 0;
  if (length === first || length - first > 16) return Number.NaN;
  if (text.charCodeAt(first) === 48 && (length > first + 1 || negative)) return Number.NaN;
  let value = 0;
  for (let i = first; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}
