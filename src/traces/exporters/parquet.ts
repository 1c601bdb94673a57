// A trace as Parquet: a file for each of its tables that has rows, with the columns of docs/trace-format.md; unknown is null. Numbers are 64-bit
// integers, text and enumerations are strings; the trace's metadata stands in each file under the key "kmlab".
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { canonicalJson, metaToJson } from "../meta.ts";
import { csvName, type Field, type Table } from "../schema/field.ts";
import { TABLES } from "../schema/tables.ts";
import type { Trace } from "../trace.ts";
import { tableRows } from "../write.ts";

/** Rows of a row group, which are in memory at a time. */
const GROUP_ROWS = 65_536;

/** Where the bytes of one file go. */
export type Bytes = (bytes: Uint8Array) => void;

const TEXTS: ReadonlySet<Field["hold"]> = new Set(["text", "enum", "flags"]);

/** Writes one table; `metadata` is JSON. */
function writeTable(trace: Trace, table: Table, metadata: string, to: Bytes): void {
  const rows = tableRows(trace, table);
  const columns = Object.entries(table.fields).map(([key, field]) => ({
    name: csvName(key),
    cell: rows.cell(key, field),
    isText: TEXTS.has(field.hold),
  }));
  const writer = new ByteWriter();
  const parquet = new ParquetWriter({
    writer,
    schema: [
      { name: "root", num_children: columns.length },
      ...columns.map(({ name, isText }) => ({
        name,
        repetition_type: "OPTIONAL" as const,
        ...(isText ? { type: "BYTE_ARRAY" as const, converted_type: "UTF8" as const } : { type: "INT64" as const }),
      })),
    ],
    kvMetadata: [{ key: "kmlab", value: metadata }],
    createdBy: "kmlab",
  });
  for (let from = 0; from < rows.length; from += GROUP_ROWS) {
    const count = Math.min(GROUP_ROWS, rows.length - from);
    const columnData = columns.map(({ name, cell, isText }) => ({
      name,
      data: Array.from({ length: count }, (_, row) => {
        const value = cell(from + row);
        if (value === null || value === "") return null;
        return isText ? String(value) : BigInt(value);
      }),
    }));
    parquet.write({ columnData, rowGroupSize: GROUP_ROWS });
  }
  parquet.finish();
  to(writer.getBytes());
}

/** Writes every table of a trace that has rows: TABLE.parquet. `file` opens one. */
export function toParquet(trace: Trace, file: (name: string) => Bytes): void {
  const metadata = canonicalJson(metaToJson(trace.meta));
  for (const table of Object.values(TABLES))
    if (tableRows(trace, table).length > 0) writeTable(trace, table, metadata, file(`${table.name}.parquet`));
}
