// How two traces differ: identity, metadata, the size of each table, and the first event that is not the same.
import type { AnyColumns, Column } from "./columns.ts";
import { META_ENTRIES } from "./meta.ts";
import { csvName, type Table, type TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";
import type { Trace } from "./trace.ts";
import { tableRows } from "./write.ts";

export interface TableDifference {
  readonly table: TableName;
  readonly rows: readonly [number, number];
  /** Rows that differ, of those that both have. */
  readonly different: number;
  /** The first of them, counted from 1, and its cells that differ. */
  readonly first: { readonly row: number; readonly cells: readonly CellDifference[] } | null;
}

export interface CellDifference {
  readonly column: string;
  readonly values: readonly [string, string];
}

export interface TraceDifference {
  readonly same: boolean;
  readonly ids: readonly [string, string];
  readonly meta: readonly CellDifference[];
  readonly tables: readonly TableDifference[];
}

/** Compares all of two traces. The same id means the same in everything. */
export function compareTraces(a: Trace, b: Trace): TraceDifference {
  const meta = META_ENTRIES.filter(({ path }) => path[0] !== "id").flatMap(({ path }) => {
    const values = [a, b].map((trace) => JSON.stringify(path.reduce<unknown>(at, trace.meta)));
    return values[0] === values[1]
      ? []
      : [{ column: path.map(csvName).join("."), values: [values[0], values[1]] as const }];
  });
  const tables = (Object.values(TABLES) as Table[]).flatMap((table) => compareTable(a, b, table));
  const ids = [a.meta.id, b.meta.id] as const;
  return { same: meta.length === 0 && tables.length === 0 && ids[0] === ids[1], ids, meta, tables };
}

function at(value: unknown, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}

function compareTable(a: Trace, b: Trace, table: Table): TableDifference[] {
  const rows = [tableRows(a, table).length, tableRows(b, table).length] as const;
  const both = Math.min(...rows);
  const differs = rowsDiffer(a, b, table);
  let different = 0;
  let first = -1;
  for (let row = 0; row < both; row++) {
    if (!differs(row)) continue;
    if (first < 0) first = row;
    different++;
  }
  if (different === 0 && rows[0] === rows[1]) return [];
  return [
    {
      table: table.name,
      rows,
      different,
      first: first < 0 ? null : { row: first + 1, cells: cells(a, b, table, first) },
    },
  ];
}

/** Whether a row differs: columns are compared as they are held, which is quick. */
function rowsDiffer(a: Trace, b: Trace, table: Table): (row: number) => boolean {
  const fields = Object.entries(table.fields).filter(([, field]) => field.hold !== "row");
  if (table.name !== "events" && table.name !== "edges" && table.name !== "pages" && table.name !== "mix") {
    const readers = fields.map(([key, field]) => [
      tableRows(a, table).cell(key, field),
      tableRows(b, table).cell(key, field),
    ]);
    return (row) => readers.some(([one, two]) => one(row) !== two(row));
  }
  const columns = fields.map(([key]) =>
    [a, b].map((trace) => (trace[table.name as "events"] as unknown as AnyColumns)[key] as Column),
  );
  return (row) => columns.some(([one, two]) => !Object.is(one[row], two[row]));
}

function cells(a: Trace, b: Trace, table: Table, row: number): CellDifference[] {
  return Object.entries(table.fields).flatMap(([key, field]) => {
    const [one, two] = [a, b].map((trace) => shownCell(tableRows(trace, table).cell(key, field)(row)));
    return one === two ? [] : [{ column: csvName(key), values: [one, two] as const }];
  });
}

function shownCell(cell: string | number | null): string {
  return cell === null || cell === "" ? "unknown" : String(cell);
}

/** The differences as lines for people; none when there are none. */
export function differenceLines(difference: TraceDifference): string[] {
  const { ids, meta, tables } = difference;
  if (difference.same) return [];
  const lines = ids[0] === ids[1] ? [] : [`id: ${ids[0].slice(0, 16)}... and ${ids[1].slice(0, 16)}...`];
  for (const { column, values } of meta) lines.push(`${column}: ${values[0]} and ${values[1]}`);
  for (const { table, rows, different, first } of tables) {
    const count = rows[0] === rows[1] ? `${rows[0]} rows` : `${rows[0]} and ${rows[1]} rows`;
    lines.push(`${table}: ${count}, ${different} of those in both differ`);
    if (first === null) continue;
    const where = table === "events" ? `event ${first.row - 1}` : `row ${first.row}`;
    const what = first.cells.map(({ column, values }) => `${column} ${values[0]} and ${values[1]}`);
    lines.push(`  first at ${where}: ${what.join(", ")}`);
  }
  return lines;
}
