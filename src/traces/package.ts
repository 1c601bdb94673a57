// datapackage.json of a trace: a Frictionless Tabular Data Package made from the schema, and the trace's identity.

import type { Hasher } from "../sha256.ts";
import { canonicalJson, type JsonObject } from "./meta.ts";
import { csvName, type Field, type Table, type TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";

export const DESCRIPTOR = "datapackage.json";

/** Size and SHA-256 of a table's uncompressed CSV. */
export interface Written {
  readonly bytes: number;
  readonly sha256: string;
}

/** The dialect of every table: what papaparse writes with these settings. */
export const DIALECT = {
  delimiter: ",",
  lineTerminator: "\n",
  quoteChar: '"',
  doubleQuote: true,
  header: true,
} as const;

/** Names that a cell of an enumerated field may hold; "unknown" is written as an empty cell. */
export function cellNames(field: Field): readonly string[] {
  return field.hold === "flags" ? (field.names ?? []) : (field.names ?? []).slice(1);
}

/** What a cell of the field must look like. */
export function flagsPattern(field: Field): string {
  const one = cellNames(field).join("|");
  return `^(-|(${one})(\\|(${one}))*)$`;
}

/** The largest value an integer field holds. */
export function largest(field: Field): number {
  if (field.max !== undefined) return field.max;
  return field.hold === "count" || field.hold === "signed" ? Number.MAX_SAFE_INTEGER : 0x7fffffff;
}

function constraints(field: Field, keyed: boolean): Record<string, unknown> {
  const must = field.required === true || field.hold === "row" || keyed ? { required: true } : {};
  switch (field.hold) {
    case "text":
      return must;
    case "enum":
      return { ...must, enum: cellNames(field) };
    case "flags":
      return { ...must, pattern: flagsPattern(field) };
    case "signed":
      return { ...must, minimum: -largest(field), maximum: largest(field) };
    default:
      return { ...must, minimum: 0, maximum: largest(field) };
  }
}

/** Table Schema (Frictionless) of one table. `present` names the tables of the package: keys to others are left out. */
export function tableSchema(table: Table, present: ReadonlySet<TableName>, extra: readonly string[] = []): JsonObject {
  const fields = Object.entries(table.fields).map(([key, field]) => ({
    name: csvName(key),
    type: field.hold === "text" || field.hold === "enum" || field.hold === "flags" ? "string" : "integer",
    description: field.is,
    ...(field.unit === undefined ? {} : { unit: field.unit }),
    constraints: constraints(field, table.key.includes(key)),
  }));
  const foreign = Object.entries(table.fields).flatMap(([key, field]) =>
    field.refers === undefined || !present.has(field.refers)
      ? []
      : [
          {
            fields: [csvName(key)],
            // Frictionless names the own table by an empty text.
            reference: {
              resource: field.refers === table.name ? "" : field.refers,
              fields: [csvName(TABLES[field.refers].key[0] as string)],
            },
          },
        ],
  );
  return {
    fields: [...fields, ...extra.map((name) => ({ name, type: "string" }))],
    missingValues: [""],
    ...(table.key.length > 0 ? { primaryKey: table.key.map(csvName) } : {}),
    foreignKeys: foreign,
  } as unknown as JsonObject;
}

/** The whole descriptor. `kmlab` is the metadata without its id. */
export function descriptor(
  kmlab: JsonObject,
  written: ReadonlyMap<TableName, Written>,
  extra: ReadonlyMap<TableName, readonly string[]>,
  hasher: Hasher,
): JsonObject {
  const present = new Set(written.keys());
  const resources = [...written].map(([name, { bytes, sha256 }]) => ({
    name,
    path: TABLES[name].path,
    description: TABLES[name].is,
    profile: "tabular-data-resource",
    format: "csv",
    mediatype: "text/csv",
    encoding: "utf-8",
    ...(TABLES[name].path.endsWith(".gz") ? { compression: "gz" } : {}),
    bytes,
    hash: `sha256:${sha256}`,
    dialect: DIALECT,
    schema: tableSchema(TABLES[name], present, extra.get(name)),
  }));
  return {
    profile: "tabular-data-package",
    name: "kmlab-trace",
    kmlab: { ...kmlab, id: traceId(kmlab, written, hasher) },
    resources,
  } as unknown as JsonObject;
}

/** SHA-256 over the canonical metadata (without id) and each table's name, size and SHA-256. */
export function traceId(kmlab: JsonObject, written: ReadonlyMap<string, Written>, hasher: Hasher): string {
  const { id: _, ...rest } = kmlab;
  const tables = Object.fromEntries([...written].map(([name, { bytes, sha256 }]) => [name, { bytes, sha256 }]));
  hasher.update(new TextEncoder().encode(canonicalJson({ kmlab: rest, tables })));
  return hasher.hex();
}
