// Writes a trace: CSV tables made by papaparse, their sizes and hashes, and the descriptor that names the whole.
import Papa from "papaparse";
import { CacheWriter, type Columnar } from "./cache.ts";
import type { AnyColumns, Column } from "./columns.ts";
import { CsvBytes, isPlain } from "./csv-bytes.ts";
import { canonicalPrettyJson, metaToJson } from "./meta.ts";
import { cellNames, DESCRIPTOR, descriptor, largest, type Written } from "./package.ts";
import { FLAGS_UNKNOWN } from "./schema/enums.ts";
import { csvName, type Field, type Table, type TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";
import type { TraceSink } from "./store.ts";
import type { ExtraColumn, Trace, TraceStream } from "./trace.ts";

/** Rows turned into text at a time. */
const PIECE_ROWS = 4096;

type Cell = string | number | null;
type CellReader = (row: number) => Cell;

/** Writes all tables and the descriptor, then commits; aborts the sink if anything fails. Returns the trace's id. */
export function writeTraceTo(sink: TraceSink, trace: Trace | TraceStream, progress?: (rows: number) => void): string {
  try {
    const written = new Map<TableName, Written>();
    const extraNames = new Map<TableName, string[]>();
    const cacheFile = sink.cache?.();
    const cache = cacheFile && new CacheWriter((bytes) => cacheFile.write(bytes));
    for (const table of Object.values(TABLES)) {
      const extra = (trace.extra ?? []).filter((column) => column.table === table.name);
      const names = extra.map((column) => column.name);
      if (extra.length > 0) extraNames.set(table.name, names);
      const held = trace[table.name];
      if (extra.length === 0 && isPlain(table) && !Array.isArray(held)) {
        const pieces = ("pieces" in held ? held.pieces() : [held]) as Iterable<AnyColumns>;
        const cached = cache && ((columns: AnyColumns) => cache.segment(table.name as Columnar, columns));
        written.set(table.name, writeColumns(sink, table, pieces, cached, progress));
        continue;
      }
      const rows = tableRows(trace as Trace, table);
      if (rows.length === 0 && table.name === "args") continue;
      written.set(table.name, writeTable(sink, table, rows, extra, progress));
    }
    const json = descriptor(metaToJson(trace.meta), written, extraNames, sink.hasher());
    const { id } = (json as { kmlab: { id: string } }).kmlab;
    const file = sink.file(DESCRIPTOR);
    file.write(new TextEncoder().encode(canonicalPrettyJson(json)));
    file.close();
    const stamped = [...written.keys()].map((name) => [TABLES[name].path, sink.stamp(TABLES[name].path)]);
    cache?.end(id, Object.fromEntries(stamped), trace);
    cacheFile?.close();
    sink.commit();
    return id;
  } catch (error) {
    sink.abort();
    throw error;
  }
}

interface Rows {
  readonly length: number;
  cell(key: string, field: Field): CellReader;
}

/** A table of the trace as rows of cells, whether it is held as columns, as objects or as a map. */
export function tableRows(trace: Trace, table: Table): Rows {
  if (table.name === "args") {
    const seqs = [...trace.args.keys()];
    return { length: seqs.length, cell: (key) => (row) => (key === "seq" ? seqs[row] : trace.args.get(seqs[row])!) };
  }
  const held = trace[table.name];
  if (Array.isArray(held)) {
    const rows = held as readonly Readonly<Record<string, Cell>>[];
    return { length: rows.length, cell: (key) => (row) => rows[row][key] };
  }
  const columns = held as unknown as AnyColumns;
  return {
    length: columns.length,
    cell: (key, field) => columnCell(columns[key] as Column, field),
  };
}

function columnCell(column: Column, field: Field): CellReader {
  switch (field.hold) {
    case "row":
      return (row) => row;
    case "enum": {
      const names = ["", ...cellNames(field)];
      return (row) => names[column[row] as number] ?? `?${column[row]}`;
    }
    case "flags": {
      const names = new Map<number, string>([[FLAGS_UNKNOWN, ""]]);
      return (row) => {
        const bits = column[row] as number;
        let name = names.get(bits);
        if (name === undefined) {
          name =
            cellNames(field)
              .filter((_, bit) => bits & (1 << bit))
              .join("|") || "-";
          names.set(bits, name);
        }
        return name;
      };
    }
    case "id":
    case "small":
      return (row) => ((column[row] as number) < 0 ? null : column[row]);
    default:
      return (row) => (Number.isNaN(column[row]) ? null : column[row]);
  }
}

/** Refuses what the reader would refuse: a wrong value is a fault of whoever made the trace, not of its user. */
function checked(table: Table, key: string, field: Field, read: CellReader): CellReader {
  const max = largest(field);
  const min = field.hold === "signed" ? -max : 0;
  const text = field.hold === "text" || field.hold === "enum" || field.hold === "flags";
  const must = field.required === true;
  return (row) => {
    const cell = read(row);
    if (cell === null || cell === "") {
      if (must) throw new Error(`trace: ${table.name} row ${row + 1} has no ${csvName(key)}`);
      return "";
    }
    if (!text && (!Number.isSafeInteger(cell) || (cell as number) < min || (cell as number) > max))
      throw new Error(`trace: ${table.name} row ${row + 1}: ${csvName(key)} is ${cell}`);
    return cell;
  };
}

/** Rows as CSV by papaparse, without the last line end. */
export function csv(lines: readonly Cell[][]): string {
  return Papa.unparse(lines as Cell[][], { newline: "\n" });
}

/** A table's file: takes its text as bytes, counts and hashes it. */
function tableFile(sink: TraceSink, table: Table): { put: (bytes: Uint8Array) => void; end: () => Written } {
  const file = sink.file(table.path);
  const hash = sink.hasher();
  let bytes = 0;
  return {
    put: (piece) => {
      bytes += piece.length;
      hash.update(piece);
      file.write(piece);
    },
    end: () => {
      file.close();
      return { bytes, sha256: hash.hex() };
    },
  };
}

function heading(table: Table, extra: readonly ExtraColumn[]): Uint8Array {
  const names = [...Object.keys(table.fields).map(csvName), ...extra.map((column) => column.name)];
  return new TextEncoder().encode(`${csv([names])}\n`);
}

/** A large table, whose columns come in pieces. */
function writeColumns(
  sink: TraceSink,
  table: Table,
  pieces: Iterable<AnyColumns>,
  cached: ((columns: AnyColumns) => void) | undefined,
  progress?: (rows: number) => void,
): Written {
  const { put, end } = tableFile(sink, table);
  put(heading(table, []));
  const text = new CsvBytes(table);
  let first = 0;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += PIECE_ROWS) {
      const to = Math.min(piece.length, from + PIECE_ROWS);
      put(text.rows(piece, from, to, first + from));
      progress?.(to - from);
    }
    if (piece.length > 0) cached?.(piece);
    first += piece.length;
  }
  return end();
}

/** A table with text, or with columns that the schema does not know. */
function writeTable(
  sink: TraceSink,
  table: Table,
  rows: Rows,
  extra: readonly ExtraColumn[],
  progress?: (rows: number) => void,
): Written {
  const { put, end } = tableFile(sink, table);
  // A lone half of a surrogate pair cannot be written as UTF-8: the encoder makes it U+FFFD.
  const encoder = new TextEncoder();
  put(heading(table, extra));
  const cells = [
    ...Object.entries(table.fields).map(([key, field]) => checked(table, key, field, rows.cell(key, field))),
    ...extra.map((column) => (row: number) => column.cells[row] ?? ""),
  ];
  for (let from = 0; from < rows.length; from += PIECE_ROWS) {
    const lines: Cell[][] = [];
    for (let row = from; row < Math.min(rows.length, from + PIECE_ROWS); row++)
      lines.push(cells.map((cell) => cell(row)));
    put(encoder.encode(`${csv(lines)}\n`));
    progress?.(lines.length);
  }
  return end();
}
