// What must hold between the rows of a trace: keys are unique, references lead somewhere, times and orders do not run backwards.
import { InputError } from "../errors.ts";
import type { AnyColumns } from "./columns.ts";
import type { TableRead } from "./read-table.ts";
import { csvName, type Field, type Table, type TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";

const REMEDY = "the program that wrote the trace is at fault: make it again";

type Tables = ReadonlyMap<TableName, TableRead>;

function refuse(read: TableRead, row: number, column: string, what: string): never {
  throw new InputError(`${read.file}: row ${row + 1}, column ${column}: ${what}; ${REMEDY}`);
}

/** Checks every key, reference and order of the tables read. */
export function checkRelations(tables: Tables): void {
  for (const [name, read] of tables) checkKey(TABLES[name], read);
  for (const [name, read] of tables) {
    for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
      if (field.refers !== undefined) checkReference(read, key, field, tables);
    }
  }
  checkEvents(tables);
  checkOrders(tables);
}

function ids(columns: AnyColumns, key: string): Int32Array {
  return columns[key] as Int32Array;
}

function checkKey(table: Table, read: TableRead): void {
  // Rows numbered by position are unique already; the order of pages is checked below.
  if (table.key.length === 0 || table.fields[table.key[0]].hold === "row" || table.name === "pages") return;
  const columns = table.key.map((key) => ids(read.columns, key));
  const seen = new Set<string | number>();
  for (let row = 0; row < read.columns.length; row++) {
    const key = columns.length === 1 ? columns[0][row] : columns.map((column) => column[row]).join(",");
    if (seen.has(key)) refuse(read, row, table.key.map(csvName).join(", "), `${key} is there twice`);
    seen.add(key);
  }
}

function checkReference(read: TableRead, key: string, field: Field, tables: Tables): void {
  const target = tables.get(field.refers!);
  if (target === undefined) return;
  const targetKey = (TABLES[field.refers!] as Table).key[0];
  const numbered = (TABLES[field.refers!] as Table).fields[targetKey].hold === "row";
  const known = numbered ? undefined : new Set(ids(target.columns, targetKey));
  const rows = target.columns.length;
  const column = ids(read.columns, key);
  for (let row = 0; row < column.length; row++) {
    const value = column[row];
    if (value < 0 || (known === undefined ? value < rows : known.has(value))) continue;
    refuse(read, row, csvName(key), `${value} is no ${csvName(targetKey)} of ${field.refers}`);
  }
}

function checkEvents(tables: Tables): void {
  const read = tables.get("events");
  if (read === undefined) return;
  const tIn = read.columns["tIn"] as Float64Array;
  const tOut = read.columns["tOut"] as Float64Array;
  const parent = ids(read.columns, "parent");
  for (let row = 0; row < tIn.length; row++) {
    if (row > 0 && tIn[row] < tIn[row - 1]) refuse(read, row, "t_in", `${tIn[row]} is before the row above`);
    if (tOut[row] < tIn[row]) refuse(read, row, "t_out", `${tOut[row]} is before t_in ${tIn[row]}`);
    if (parent[row] >= row) refuse(read, row, "parent", `${parent[row]} is not an earlier event`);
  }
}

function checkOrders(tables: Tables): void {
  const tasks = tables.get("tasks");
  if (tasks !== undefined) {
    const parent = ids(tasks.columns, "parentTask");
    for (let row = 0; row < parent.length; row++) {
      if (parent[row] >= row) refuse(tasks, row, "parent_task", `${parent[row]} is not an earlier task`);
    }
  }
  const edges = tables.get("edges");
  if (edges !== undefined) {
    const to = ids(edges.columns, "to");
    for (let row = 1; row < to.length; row++) {
      if (to[row] < to[row - 1])
        refuse(edges, row, "to", `${to[row]} comes after ${to[row - 1]}, rows are sorted by it`);
    }
  }
  const pages = tables.get("pages");
  if (pages === undefined) return;
  const epoch = ids(pages.columns, "epoch");
  const order = ids(pages.columns, "order");
  for (let row = 0; row < epoch.length; row++) {
    const begins = row === 0 || epoch[row] > epoch[row - 1];
    if (row > 0 && epoch[row] < epoch[row - 1]) refuse(pages, row, "epoch", `${epoch[row]} is before the row above`);
    if (order[row] !== (begins ? 0 : order[row - 1] + 1))
      refuse(pages, row, "order", `${order[row]} does not follow: it counts from 0 in each epoch`);
  }
}
