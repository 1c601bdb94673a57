// Parquet files hold what the trace holds: read back by another library, cell by cell.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { toParquet } from "../../../src/traces/exporters/parquet.ts";
import { readTrace } from "../../../src/traces/node.ts";
import { csvName } from "../../../src/traces/schema/field.ts";
import { TABLES } from "../../../src/traces/schema/tables.ts";
import { tableRows } from "../../../src/traces/write.ts";

const trace = readTrace(join(fileURLToPath(new URL("../../../data/traces", import.meta.url)), "forks-ring0.kmtrace"));
const files = new Map<string, ArrayBuffer>();
toParquet(trace, (name) => (bytes) => files.set(name, new Uint8Array(bytes).buffer));

test("a file for every table that has rows", () => {
  const full = Object.values(TABLES).filter((table) => tableRows(trace, table).length > 0);
  expect([...files.keys()]).toEqual(full.map(({ name }) => `${name}.parquet`));
  expect(files.size).toBeGreaterThan(5);
});

describe.each(Object.values(TABLES).filter(({ name }) => files.has(`${name}.parquet`)))("$name", (table) => {
  const file = files.get(`${table.name}.parquet`)!;

  test("every cell is the trace's; unknown is null", async () => {
    const read = (await parquetReadObjects({ file })) as Record<string, unknown>[];
    const rows = tableRows(trace, table);
    expect(read.length).toBe(rows.length);
    for (const [key, field] of Object.entries(table.fields)) {
      const cell = rows.cell(key, field);
      const wanted = read.map((_, row) => {
        const value = cell(row);
        return value === "" ? null : typeof value === "number" ? BigInt(value) : value;
      });
      expect(read.map((object) => object[csvName(key)] ?? null)).toEqual(wanted);
    }
  });

  test("the metadata names the trace's source and command", () => {
    const { key_value_metadata: pairs } = parquetMetadata(file);
    const json = JSON.parse(pairs?.find(({ key }) => key === "kmlab")?.value ?? "{}") as { argv: string[] };
    expect(json.argv).toEqual(trace.meta.argv);
  });
});
