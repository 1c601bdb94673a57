// What a column is: how it is written in a CSV cell, how it is held in memory, and what it means.

/** Id, small integer: this stands for "unknown" in an Int32Array. In Float64Arrays NaN does; in Uint8Array enumerations 0 does. */
export const UNKNOWN = -1;

/**
 * How a column's cells are held:
 * row: the row's own index, stored nowhere; id and small: Int32Array, 0..2^31-1, -1 unknown; count: Float64Array, 0..2^53-1, NaN unknown;
 * signed: Float64Array, -2^53+1..2^53-1, NaN unknown; enum: Uint8Array, 0 unknown; flags: Uint16Array, FLAGS_UNKNOWN; text: string, "" unknown.
 */
export type Holding = "row" | "id" | "small" | "count" | "signed" | "enum" | "flags" | "text";

export interface Field {
  readonly hold: Holding;
  /** Names a cell may hold (hold = enum: index 0 is "unknown" and never written; hold = flags: bit names). */
  readonly names?: readonly string[];
  /** A cell must not be empty. */
  readonly required?: true;
  /** Largest value allowed, where smaller than what the holding allows. */
  readonly max?: number;
  /** Unit of the number, if it has one. */
  readonly unit?: string;
  readonly is: string;
  /** The table whose key this column holds, as "table" or "table.column". */
  readonly refers?: TableName;
}

export type TableName = "tasks" | "mms" | "execs" | "events" | "edges" | "objects" | "pages" | "mix" | "args";

/** A table of the package. Field keys are the names in memory; the CSV's are the same in snake case. */
export interface Table {
  readonly name: TableName;
  readonly path: string;
  readonly is: string;
  readonly key: readonly string[];
  /** A package may lack this table: then nothing of it was recorded. */
  readonly optional?: true;
  readonly fields: Readonly<Record<string, Field>>;
}

/** tgidTask -> tgid_task. */
export function csvName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The typed array (or list) that holds a whole column. */
export type ColumnOf<F extends Field> = F["hold"] extends "id" | "small"
  ? Int32Array
  : F["hold"] extends "count" | "signed"
    ? Float64Array
    : F["hold"] extends "enum"
      ? Uint8Array
      : F["hold"] extends "flags"
        ? Uint16Array
        : F["hold"] extends "text"
          ? string[]
          : never;

/** One cell of a small table held as objects: null is unknown. */
export type CellOf<F extends Field> = F["hold"] extends "row"
  ? number
  : F["hold"] extends "text"
    ? string | null
    : F extends { names: readonly (infer N)[]; required: true }
      ? Exclude<N, "unknown">
      : F extends { names: readonly (infer N)[] }
        ? Exclude<N, "unknown"> | null
        : F extends { required: true }
          ? number
          : number | null;

/** A large table: one array per column; `length` rows. */
export type ColumnsOf<T extends Table> = { readonly length: number } & {
  readonly [K in keyof T["fields"] as T["fields"][K]["hold"] extends "row" ? never : K]: ColumnOf<T["fields"][K]>;
};

/** A row of a small table. */
export type RowOf<T extends Table> = { -readonly [K in keyof T["fields"]]: CellOf<T["fields"][K]> };
