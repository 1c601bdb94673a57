// Reads a trace: the descriptor, then the columnar cache if it is this trace's, else every table with all checks.
import { InputError } from "../errors.ts";
import { loadCache, saveCache } from "./cache.ts";
import { type AnyColumns, type Column, makeColumns } from "./columns.ts";
import { isObject, type JsonObject, metaFromJson, shown } from "./meta.ts";
import { cellNames, DESCRIPTOR, traceId, type Written } from "./package.ts";
import { FRESH_COPY, readTable, type TableRead } from "./read-table.ts";
import { checkRelations } from "./relations.ts";
import type { Field, Table, TableName } from "./schema/field.ts";
import { SCHEMA_VERSION, TABLES } from "./schema/tables.ts";
import type { TraceSource } from "./store.ts";
import type { Trace, TraceMeta } from "./trace.ts";

const MAX_DESCRIPTOR = 16 << 20;

/** A table as datapackage.json lists it. */
interface Listed extends Written {
  readonly path: string;
}

export interface Package {
  readonly meta: TraceMeta;
  readonly tables: ReadonlyMap<TableName, Listed>;
}

/** Reads a trace, through its cache where there is one. Every fault of the files is one InputError. */
export function readTraceFrom(source: TraceSource): Trace {
  const pack = readPackage(source);
  const cached = loadCache(source, pack);
  if (cached !== undefined) return cached;
  const reads = new Map<TableName, TableRead>();
  for (const [name, listed] of pack.tables) reads.set(name, readTable(source, TABLES[name], listed.path, listed));
  checkRelations(reads);
  const trace = assemble(pack.meta, reads);
  saveCache(source, pack, trace);
  return trace;
}

/** Reads and checks datapackage.json alone. */
export function readPackage(source: TraceSource): Package {
  const file = `${source.label}/${DESCRIPTOR}`;
  const text = source.text(DESCRIPTOR, MAX_DESCRIPTOR);
  if (text === undefined)
    throw new InputError(
      `${source.label}: there is no ${DESCRIPTOR} in it; give a .kmtrace folder made by kmlab capture or kmlab import`,
    );
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${file}: it is not JSON (${(error as Error).message.split("\n")[0]}); ${FRESH_COPY}`);
  }
  const kmlab = isObject(json) ? json["kmlab"] : undefined;
  if (!isObject(json) || !isObject(kmlab))
    throw new InputError(
      `${file}: this is no kmlab trace (it has no "kmlab" object); other formats go through kmlab import`,
    );
  checkVersion(file, kmlab["schema"]);
  const meta = metaFromJson(kmlab, file);
  const tables = listTables(file, json["resources"]);
  let id: string;
  try {
    id = traceId(kmlab, tables, source.hasher());
  } catch (error) {
    throw new InputError(`${file}: ${(error as Error).message}; ${FRESH_COPY}`);
  }
  if (id !== meta.id)
    throw new InputError(
      `${file}: its id does not fit its contents: it was damaged or edited after it was written; ${FRESH_COPY}`,
    );
  return { meta, tables };
}

function checkVersion(file: string, version: unknown): void {
  const match = typeof version === "string" ? /^(\d{1,6})\.(\d{1,6})$/.exec(version) : null;
  if (match === null)
    throw new InputError(
      `${file}: kmlab.schema is ${shown(version ?? null)}, should be like "${SCHEMA_VERSION}"; ${FRESH_COPY}`,
    );
  const own = SCHEMA_VERSION.split(".")[0];
  if (match[1] !== own)
    throw new InputError(
      `${file}: its schema is ${version}, this kmlab reads ${own}.x; ${Number(match[1]) > Number(own) ? "use a newer kmlab" : "capture it again"}`,
    );
}

function listTables(file: string, resources: unknown): Map<TableName, Listed> {
  if (!Array.isArray(resources)) throw new InputError(`${file}: resources is missing; ${FRESH_COPY}`);
  const tables = new Map<TableName, Listed>();
  for (const table of Object.values(TABLES) as Table[]) {
    const found = resources.filter((resource: unknown) => isObject(resource) && resource["name"] === table.name);
    if (found.length === 0 && table.optional) continue;
    if (found.length !== 1)
      throw new InputError(
        `${file}: the table ${table.name} is listed ${found.length} times, should be once; ${FRESH_COPY}`,
      );
    tables.set(table.name, listed(file, table.name, found[0] as JsonObject));
  }
  return tables;
}

function listed(file: string, name: string, resource: JsonObject): Listed {
  const { path, bytes, hash } = resource;
  const wrong = (key: string, wanted: string) =>
    new InputError(
      `${file}: resource ${name}: ${key} is ${shown(resource[key] ?? null)}, should be ${wanted}; ${FRESH_COPY}`,
    );
  // A path that could lead out of the trace's folder is refused, whatever it leads to.
  if (typeof path !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(path))
    throw wrong("path", "a plain file name");
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 0) throw wrong("bytes", "the size of the uncompressed table");
  if (typeof hash !== "string" || !/^sha256:[0-9a-f]{64}$/.test(hash))
    throw wrong("hash", "sha256: and 64 hexadecimal digits");
  return { path, bytes: bytes as number, sha256: hash.slice(7) };
}

/** The trace made of tables read. */
function assemble(meta: TraceMeta, reads: ReadonlyMap<TableName, TableRead>): Trace {
  const columns = (name: "events" | "edges" | "pages" | "mix") =>
    (reads.get(name)?.columns ?? makeColumns(TABLES[name], 0)) as never;
  const rows = (name: "tasks" | "mms" | "execs" | "objects") => {
    const read = reads.get(name);
    return (read === undefined ? [] : toRows(TABLES[name], read.columns)) as never;
  };
  const args = reads.get("args")?.columns;
  const seqs = (args?.["seq"] ?? []) as Int32Array;
  const texts = (args?.["text"] ?? []) as string[];
  const extra = [...reads.values()].flatMap((read) => read.extra);
  return {
    meta,
    tasks: rows("tasks"),
    mms: rows("mms"),
    execs: rows("execs"),
    objects: rows("objects"),
    events: columns("events"),
    edges: columns("edges"),
    pages: columns("pages"),
    mix: columns("mix"),
    args: new Map(Array.from(seqs, (seq, row) => [seq, texts[row]])),
    ...(extra.length > 0 ? { extra } : {}),
  };
}

function toRows(table: Table, columns: AnyColumns): Record<string, unknown>[] {
  const fields = Object.entries(table.fields);
  return Array.from({ length: columns.length }, (_, row) =>
    Object.fromEntries(fields.map(([key, field]) => [key, rowCell(field, columns[key] as Column, row)])),
  );
}

function rowCell(field: Field, column: Column, row: number): number | string | null {
  switch (field.hold) {
    case "row":
      return row;
    case "text":
      return (column[row] as string) || null;
    case "enum":
      return cellNames(field)[(column[row] as number) - 1] ?? null;
    case "id":
    case "small":
      return (column[row] as number) < 0 ? null : (column[row] as number);
    default:
      return Number.isNaN(column[row]) ? null : (column[row] as number);
  }
}
