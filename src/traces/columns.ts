// Columns of the large tables: made with every cell unknown, grown while they are filled, cut to length at the end.
import { FLAGS_UNKNOWN } from "./schema/enums.ts";
import type { ColumnsOf, Holding, Table } from "./schema/field.ts";

export type Column = Int32Array | Float64Array | Uint8Array | Uint16Array | string[];

/** The columns of any table, by key; for code that walks the schema rather than naming columns. */
export type AnyColumns = { length: number } & Record<string, Column | number>;

/** A column of zeros (text: empty), every cell of which the caller will write. */
export function emptyColumn(hold: Holding, length: number): Column {
  switch (hold) {
    case "id":
    case "small":
      return new Int32Array(length);
    case "count":
    case "signed":
      return new Float64Array(length);
    case "enum":
      return new Uint8Array(length);
    case "flags":
      return new Uint16Array(length);
    default:
      return new Array<string>(length).fill("");
  }
}

/** A column of unknown cells. Flags begin as "none set" or unknown as asked. */
export function makeColumn(hold: Holding, length: number, flags = FLAGS_UNKNOWN): Column {
  const column = emptyColumn(hold, length);
  if (column instanceof Int32Array) return column.fill(-1);
  if (column instanceof Float64Array) return column.fill(Number.NaN);
  if (column instanceof Uint16Array) return column.fill(flags);
  return column;
}

/** Columns of `length` rows, every cell unknown. */
export function makeColumns<T extends Table>(table: T, length: number, flags = FLAGS_UNKNOWN): ColumnsOf<T> {
  const columns: AnyColumns = { length };
  for (const [key, field] of Object.entries(table.fields)) {
    if (field.hold !== "row") columns[key] = makeColumn(field.hold, length, flags);
  }
  return columns as unknown as ColumnsOf<T>;
}

function enlarge(column: Column, fresh: Column): Column {
  if (Array.isArray(column)) return column.concat(fresh.slice(column.length) as string[]);
  (fresh as Int32Array).set(column as Int32Array);
  return fresh;
}

/** Columns that grow by half again when full. Rows are appended by writing at `length` and adding one to it. */
export class GrowingColumns<T extends Table> {
  readonly table: T;
  /** The arrays: longer than `length`; replaced when they grow, so never keep one across reserve(). */
  columns: ColumnsOf<T>;
  length = 0;
  capacity: number;
  readonly #flags: number;

  constructor(table: T, capacity: number, flags = FLAGS_UNKNOWN) {
    this.table = table;
    this.capacity = capacity;
    this.#flags = flags;
    this.columns = makeColumns(table, capacity, flags);
  }

  /** Room for one row more. */
  reserve(): void {
    if (this.length < this.capacity) return;
    const capacity = Math.ceil(this.capacity * 1.5) + 16;
    const grown: AnyColumns = { length: capacity };
    for (const [key, field] of Object.entries(this.table.fields)) {
      if (field.hold === "row") continue;
      const old = (this.columns as unknown as AnyColumns)[key] as Column;
      grown[key] = enlarge(old, makeColumn(field.hold, capacity, this.#flags));
    }
    this.columns = grown as unknown as ColumnsOf<T>;
    this.capacity = capacity;
  }

  /** The rows so far, in arrays of just their length. */
  cut(): ColumnsOf<T> {
    return takeRows(this.table, this.columns, this.length);
  }
}

/** Some rows of a table, the first of which is row `from`. */
export interface RowPiece<C> {
  readonly from: number;
  readonly rows: C;
}

/** Where columns that are read as they are looked at keep how to go through them piece by piece. */
const PIECES = Symbol("pieces");

/** Columns that `pieces` goes through without having all of them in memory. */
export function inPieces(columns: AnyColumns, pieces: () => Iterable<RowPiece<AnyColumns>>): void {
  // Not for those who copy columns and change some.
  Object.defineProperty(columns, PIECES, { value: pieces, enumerable: false });
}

/** All rows in order: piece by piece where they are not in memory, else as they are. */
export function piecesOf<C extends { readonly length: number }>(columns: C): Iterable<RowPiece<C>> {
  const pieces = (columns as { [PIECES]?: () => Iterable<RowPiece<C>> })[PIECES];
  return pieces === undefined ? [{ from: 0, rows: columns }] : pieces();
}

/** All rows of pieces that come one after another, in columns of their own. */
export function gathered<T extends Table>(table: T, pieces: Iterable<ColumnsOf<T>>): ColumnsOf<T> {
  const list = Array.from(pieces, (piece) => takeRows(table, piece, piece.length) as unknown as AnyColumns);
  if (list.length === 1) return list[0] as unknown as ColumnsOf<T>;
  const length = list.reduce((sum, piece) => sum + piece.length, 0);
  const whole: AnyColumns = { length };
  for (const [key, field] of Object.entries(table.fields)) {
    if (field.hold === "row") continue;
    const column = emptyColumn(field.hold, length);
    let at = 0;
    for (const piece of list) {
      const part = piece[key] as Column;
      if (Array.isArray(column)) for (let i = 0; i < part.length; i++) column[at + i] = part[i] as string;
      else column.set(part as Int32Array, at);
      at += piece.length;
      delete piece[key];
    }
    whole[key] = column;
  }
  return whole as unknown as ColumnsOf<T>;
}

/** Some rows, in place. */
export function rowsFrom<T extends Table>(table: T, columns: ColumnsOf<T>, from: number, to: number): ColumnsOf<T> {
  const result: AnyColumns = { length: to - from };
  for (const [key, field] of Object.entries(table.fields)) {
    if (field.hold === "row") continue;
    const column = (columns as unknown as AnyColumns)[key] as Column;
    result[key] = Array.isArray(column) ? column.slice(from, to) : column.subarray(from, to);
  }
  return result as unknown as ColumnsOf<T>;
}

/** The first `length` rows, copied. With `order`, row i of the result is row order[i]. */
export function takeRows<T extends Table>(
  table: T,
  columns: ColumnsOf<T>,
  length: number,
  order?: Int32Array,
): ColumnsOf<T> {
  const result: AnyColumns = { length };
  for (const [key, field] of Object.entries(table.fields)) {
    if (field.hold === "row") continue;
    const column = (columns as unknown as AnyColumns)[key] as Column;
    const cut = column.slice(0, length) as Column;
    if (order !== undefined) for (let i = 0; i < length; i++) cut[i] = column[order[i]];
    result[key] = cut;
  }
  return result as unknown as ColumnsOf<T>;
}
