// The columnar cache of a trace: the same columns in the narrowest typed arrays that hold them, unpacked when first looked at.
// Keyed by the trace's id and CACHE_VERSION, and by a stamp of each table's file; whatever does not fit is made anew.
import type { AnyColumns, Column } from "./columns.ts";
import { type Packed, pack, unpack } from "./pack.ts";
import type { Written } from "./package.ts";
import { readTable } from "./read-table.ts";
import type { Field, Table, TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";
import type { CacheFile, TraceSource } from "./store.ts";
import type { Trace, TraceMeta } from "./trace.ts";

/** Raised whenever the layout or a check of the reader changes, so that no old cache passes. */
export const CACHE_VERSION = 1;
const MAGIC = "KMCACHE1";
const COLUMNAR = ["events", "edges", "pages", "mix"] as const;
/** MAGIC, header length, header checksum. */
const PREFIX = 16;
const MAX_HEADER = 1 << 30;

interface CachedColumn extends Packed {
  readonly offset: number;
}

interface Header {
  readonly version: number;
  readonly id: string;
  readonly stamps: Readonly<Record<string, string>>;
  readonly tables: Readonly<Record<string, { length: number; columns: Record<string, CachedColumn> }>>;
  /** What is small enough for JSON: tasks, mms, execs, objects, args, extra. */
  readonly rest: {
    readonly tasks: Trace["tasks"];
    readonly mms: Trace["mms"];
    readonly execs: Trace["execs"];
    readonly objects: Trace["objects"];
    readonly args: [number, string][];
    readonly extra?: Trace["extra"];
  };
}

interface Keyed {
  readonly meta: TraceMeta;
  readonly tables: ReadonlyMap<TableName, Written & { readonly path: string }>;
}

function stamps(source: TraceSource, keyed: Keyed): Record<string, string> {
  return Object.fromEntries([...keyed.tables.values()].map(({ path }) => [path, source.stamp(path)]));
}

/** The trace from its cache; undefined when there is none, or it is another's, older, damaged or out of date. */
export function loadCache(source: TraceSource, keyed: Keyed): Trace | undefined {
  const cache = source.cache;
  if (cache === undefined) return undefined;
  const read = readHeader(cache);
  if (read === undefined) return undefined;
  const { header, dataStart } = read;
  if (header.version !== CACHE_VERSION || header.id !== keyed.meta.id) return undefined;
  const now = stamps(source, keyed);
  for (const [path, stamp] of Object.entries(now)) if (stamp === "" || header.stamps[path] !== stamp) return undefined;
  const { args, ...rest } = header.rest;
  const columns = COLUMNAR.map((name) => lazyColumns(source, cache, keyed, name, header.tables[name], dataStart));
  if (columns.includes(undefined)) return undefined;
  const [events, edges, pages, mix] = columns as unknown as [
    Trace["events"],
    Trace["edges"],
    Trace["pages"],
    Trace["mix"],
  ];
  return { meta: keyed.meta, ...rest, args: new Map(args), events, edges, pages, mix };
}

function readHeader(cache: CacheFile): { header: Header; dataStart: number } | undefined {
  const prefix = cache.read(0, PREFIX);
  if (prefix === undefined || new TextDecoder().decode(prefix.subarray(0, 8)) !== MAGIC) return undefined;
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const length = view.getUint32(8, true);
  if (length > MAX_HEADER) return undefined;
  const bytes = cache.read(PREFIX, length);
  if (bytes === undefined || checksum(bytes) !== view.getUint32(12, true)) return undefined;
  try {
    return { header: JSON.parse(new TextDecoder().decode(bytes)) as Header, dataStart: align(PREFIX + length) };
  } catch {
    return undefined;
  }
}

/**
 * Columns that are read and unpacked at their first use: a replay that looks at six columns of a long trace waits for six.
 * All are checked for presence now and for their checksum then; a table with a damaged column is read from its CSV again.
 */
function lazyColumns(
  source: TraceSource,
  cache: CacheFile,
  keyed: Keyed,
  name: (typeof COLUMNAR)[number],
  cached: Header["tables"][string] | undefined,
  dataStart: number,
): AnyColumns | undefined {
  if (cached === undefined) return undefined;
  const columns: AnyColumns = { length: cached.length };
  let reread: AnyColumns | undefined;
  for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
    if (field.hold === "row") continue;
    const packed = cached.columns[key];
    if (packed === undefined) return undefined;
    if (packed.bytes > 0 && cache.read(dataStart + packed.offset + packed.bytes - 1, 1) === undefined) return undefined;
    const get = (): Column => {
      let value =
        reread === undefined ? unpackColumn(cache, field, packed, dataStart, cached.length, columns) : undefined;
      if (value === undefined) {
        cache.write([]);
        const listed = keyed.tables.get(name);
        reread ??= listed && readTable(source, TABLES[name], listed.path, listed).columns;
        value = reread?.[key] as Column;
      }
      Object.defineProperty(columns, key, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(columns, key, { configurable: true, enumerable: true, get });
  }
  return columns;
}

function unpackColumn(
  cache: CacheFile,
  field: Field,
  packed: CachedColumn,
  dataStart: number,
  length: number,
  columns: AnyColumns,
): Column | undefined {
  const bytes = packed.bytes === 0 ? new Uint8Array(0) : cache.read(dataStart + packed.offset, packed.bytes);
  if (bytes === undefined || checksum(bytes) !== packed.check) return undefined;
  const base = packed.relativeTo === undefined ? undefined : (columns[packed.relativeTo] as Float64Array);
  return unpack(field.hold, packed, bytes, length, base);
}

/** Writes the cache of a trace just read and checked. Where it may not be written nothing happens. */
export function saveCache(source: TraceSource, keyed: Keyed, trace: Trace): void {
  const cache = source.cache;
  if (cache === undefined) return;
  const stamped = stamps(source, keyed);
  if (Object.values(stamped).includes("")) return;
  const parts: Uint8Array[] = [];
  let offset = 0;
  const tables: Record<string, { length: number; columns: Record<string, CachedColumn> }> = {};
  for (const name of COLUMNAR) {
    const columns = trace[name] as unknown as AnyColumns;
    const cached: Record<string, CachedColumn> = {};
    for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
      if (field.hold === "row") continue;
      // Times of return are near their times of entry: the difference fits 32 bits where the time does not.
      const relativeTo = key === "tOut" ? "tIn" : undefined;
      const base = relativeTo === undefined ? undefined : (columns[relativeTo] as Float64Array);
      const { packed, bytes } = pack(field.hold, columns[key] as Column, base);
      cached[key] = { ...packed, ...(relativeTo ? { relativeTo } : {}), check: checksum(bytes), offset };
      const padded = align(bytes.length);
      parts.push(bytes, new Uint8Array(padded - bytes.length));
      offset += padded;
    }
    tables[name] = { length: columns.length, columns: cached };
  }
  const { tasks, mms, execs, objects, extra } = trace;
  const header: Header = {
    version: CACHE_VERSION,
    id: keyed.meta.id,
    stamps: stamped,
    tables,
    rest: { tasks, mms, execs, objects, args: [...trace.args], ...(extra ? { extra } : {}) },
  };
  const json = new TextEncoder().encode(JSON.stringify(header));
  const prefix = new Uint8Array(PREFIX);
  prefix.set(new TextEncoder().encode(MAGIC));
  const view = new DataView(prefix.buffer);
  view.setUint32(8, json.length, true);
  view.setUint32(12, checksum(json), true);
  cache.write([prefix, json, new Uint8Array(align(PREFIX + json.length) - PREFIX - json.length), ...parts]);
}

function align(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/**
 * A 32-bit checksum, a word at a time in two lanes. Every step is a bijection of its lane, so that any one changed word
 * always shows; it guards against damage, not against malice (the CSV behind the cache has its SHA-256).
 */
export function checksum(bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  let a = 0x811c9dc5 | 0;
  let b = 0x01000193 ^ bytes.length;
  const pairs = words.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    a = Math.imul(a ^ words[i], 0x9e3779b1);
    b = Math.imul(b ^ words[i + 1], 0x85ebca77);
    a ^= a >>> 15;
    b ^= b >>> 13;
  }
  if (pairs < words.length) a = Math.imul(a ^ words[pairs], 0x9e3779b1);
  for (let i = words.length * 4; i < bytes.length; i++) b = Math.imul(b ^ bytes[i], 0x85ebca77);
  return (a ^ Math.imul(b ^ (b >>> 16), 0x27d4eb2f)) >>> 0;
}
