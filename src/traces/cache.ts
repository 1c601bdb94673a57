// The columnar cache of a trace: the same columns in the narrowest typed arrays that hold them, in segments of rows, unpacked when
// first looked at. Keyed by the trace's id and CACHE_VERSION, and by a stamp of each table's file; whatever does not fit is made anew.
import { type AnyColumns, type Column, emptyColumn, inPieces, type RowPiece, rowsFrom } from "./columns.ts";
import { type Packed, pack, unpack } from "./pack.ts";
import type { Written } from "./package.ts";
import { readTable } from "./read-table.ts";
import type { Field, Table, TableName } from "./schema/field.ts";
import { TABLES } from "./schema/tables.ts";
import type { CacheFile, TraceSource } from "./store.ts";
import type { Trace, TraceMeta } from "./trace.ts";

/** Raised whenever the layout or a check of the reader changes, so that no old cache passes. */
export const CACHE_VERSION = 2;
const MAGIC = "KMCACHE2";
const COLUMNAR = ["events", "edges", "pages", "mix"] as const;
export type Columnar = (typeof COLUMNAR)[number];
/** Rows of a segment, of a trace that is in memory; others come in pieces, and a piece is a segment. */
const SEGMENT_ROWS = 1 << 20;
/** At the end of the file: where the header begins, its length, its checksum, MAGIC. */
const TRAILER = 24;
const MAX_HEADER = 1 << 30;

interface CachedColumn extends Packed {
  readonly offset: number;
}

/** Rows of a table that were packed together. */
interface Segment {
  readonly length: number;
  readonly columns: Readonly<Record<string, CachedColumn>>;
}

/** What is small enough for JSON. */
type Rest = Pick<Trace, "tasks" | "mms" | "execs" | "objects" | "args" | "extra">;

interface Header {
  readonly version: number;
  readonly id: string;
  readonly stamps: Readonly<Record<string, string>>;
  readonly tables: Readonly<Record<string, readonly Segment[]>>;
  readonly rest: Omit<Rest, "args"> & { readonly args: [number, string][] };
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
  const header = readHeader(cache);
  if (header === undefined || header.version !== CACHE_VERSION || header.id !== keyed.meta.id) return undefined;
  const now = stamps(source, keyed);
  for (const [path, stamp] of Object.entries(now)) if (stamp === "" || header.stamps[path] !== stamp) return undefined;
  const { args, ...rest } = header.rest;
  const columns = COLUMNAR.map((name) => lazyColumns(source, cache, keyed, name, header.tables[name]));
  if (columns.includes(undefined)) return undefined;
  const [events, edges, pages, mix] = columns as unknown as [
    Trace["events"],
    Trace["edges"],
    Trace["pages"],
    Trace["mix"],
  ];
  return { meta: keyed.meta, ...rest, args: new Map(args), events, edges, pages, mix };
}

function readHeader(cache: CacheFile): Header | undefined {
  const end = cache.size() - TRAILER;
  const trailer = end < 0 ? undefined : cache.read(end, TRAILER);
  if (trailer === undefined || new TextDecoder().decode(trailer.subarray(16)) !== MAGIC) return undefined;
  const view = new DataView(trailer.buffer, trailer.byteOffset);
  const at = view.getFloat64(0, true);
  const length = view.getUint32(8, true);
  if (length > MAX_HEADER || !(at >= 0) || at + length > end) return undefined;
  const bytes = cache.read(at, length);
  if (bytes === undefined || checksum(bytes) !== view.getUint32(12, true)) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Header;
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
  name: Columnar,
  segments: readonly Segment[] | undefined,
): AnyColumns | undefined {
  if (segments === undefined) return undefined;
  const columns: AnyColumns = { length: segments.reduce((sum, { length }) => sum + length, 0) };
  let reread: AnyColumns | undefined;
  for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
    if (field.hold === "row") continue;
    if (segments.some((segment) => segment.columns[key] === undefined)) return undefined;
    const get = (): Column => {
      let value = reread === undefined ? wholeColumn(cache, field, key, segments, columns) : undefined;
      if (value === undefined) {
        cache.replace(() => {});
        const listed = keyed.tables.get(name);
        reread ??= listed && readTable(source, TABLES[name], listed.path, listed).columns;
        value = reread?.[key] as Column;
      }
      Object.defineProperty(columns, key, { value, enumerable: true });
      return value;
    };
    Object.defineProperty(columns, key, { configurable: true, enumerable: true, get });
  }
  inPieces(columns, () => piecesOfCache(cache, name, segments, columns));
  return columns;
}

/** A segment at a time, each column of it read when it is looked at. */
function* piecesOfCache(
  cache: CacheFile,
  name: Columnar,
  segments: readonly Segment[],
  columns: AnyColumns,
): Generator<RowPiece<AnyColumns>> {
  let from = 0;
  // Most columns of most traces hold nothing: they are made once.
  const unknown = new Map<string, Column>();
  for (const segment of segments) {
    const rows: AnyColumns = { length: segment.length };
    const to = from + segment.length;
    const start = from;
    for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
      if (field.hold === "row") continue;
      const get = (): Column => {
        const { relativeTo, how, low } = segment.columns[key];
        const nothing = how === "same" && low === null ? `${field.hold} ${segment.length}` : "";
        const made = unknown.get(nothing);
        if (made !== undefined) return made;
        const base = relativeTo === undefined ? undefined : (rows[relativeTo] as Float64Array);
        const inMemory = Object.getOwnPropertyDescriptor(columns, key)?.get === undefined;
        const part = inMemory ? undefined : segmentColumn(cache, field, key, segment, base);
        // A damaged segment is read from the CSV again, with all the others.
        const value = part ?? (columns[key] as Int32Array).subarray(start, to);
        if (nothing !== "") unknown.set(nothing, value);
        Object.defineProperty(rows, key, { value, enumerable: true });
        return value;
      };
      Object.defineProperty(rows, key, { configurable: true, enumerable: true, get });
    }
    yield { from, rows };
    from = to;
  }
}

/** A column of all segments; undefined: a segment is damaged. */
function wholeColumn(
  cache: CacheFile,
  field: Field,
  key: string,
  segments: readonly Segment[],
  columns: AnyColumns,
): Column | undefined {
  const { relativeTo } = segments[0]?.columns[key] ?? {};
  const base = relativeTo === undefined ? undefined : (columns[relativeTo] as Float64Array);
  if (segments.length === 1) return segmentColumn(cache, field, key, segments[0], base);
  const whole = emptyColumn(field.hold, columns.length);
  if (Array.isArray(whole)) return whole;
  let from = 0;
  for (const segment of segments) {
    const part = segmentColumn(cache, field, key, segment, base?.subarray(from, from + segment.length));
    if (part === undefined) return undefined;
    whole.set(part as Int32Array, from);
    from += segment.length;
  }
  return whole;
}

function segmentColumn(
  cache: CacheFile,
  field: Field,
  key: string,
  { length, columns }: Segment,
  base: Float64Array | undefined,
): Column | undefined {
  const packed = columns[key];
  const bytes = packed.bytes === 0 ? new Uint8Array(0) : cache.read(packed.offset, packed.bytes);
  if (bytes === undefined || checksum(bytes) !== packed.check) return undefined;
  return unpack(field.hold, packed, bytes, length, base);
}

/** Writes a cache as the columns come. */
export class CacheWriter {
  readonly #put: (bytes: Uint8Array) => void;
  readonly #tables = Object.fromEntries(COLUMNAR.map((name) => [name, [] as Segment[]]));
  #offset = 0;

  constructor(put: (bytes: Uint8Array) => void) {
    this.#put = put;
  }

  #write(bytes: Uint8Array): void {
    this.#put(bytes);
    const padded = align(bytes.length);
    if (padded > bytes.length) this.#put(new Uint8Array(padded - bytes.length));
    this.#offset += padded;
  }

  /** The next rows of a table. */
  segment(name: Columnar, columns: AnyColumns): void {
    const cached: Record<string, CachedColumn> = {};
    for (const [key, field] of Object.entries((TABLES[name] as Table).fields)) {
      if (field.hold === "row") continue;
      // Times of return are near their times of entry: the difference fits 32 bits where the time does not.
      const relativeTo = key === "tOut" ? "tIn" : undefined;
      const base = relativeTo === undefined ? undefined : (columns[relativeTo] as Float64Array);
      const { packed, bytes } = pack(field.hold, columns[key] as Column, base);
      cached[key] = { ...packed, ...(relativeTo ? { relativeTo } : {}), check: checksum(bytes), offset: this.#offset };
      this.#write(bytes);
    }
    this.#tables[name].push({ length: columns.length, columns: cached });
  }

  /** All tables of a trace that is in memory. */
  whole(trace: Trace): void {
    for (const name of COLUMNAR) {
      const { length } = trace[name];
      for (let from = 0; from < length; from += SEGMENT_ROWS) {
        const rows = rowsFrom(TABLES[name], trace[name] as never, from, Math.min(length, from + SEGMENT_ROWS));
        this.segment(name, rows as AnyColumns);
      }
    }
  }

  /** The end: what the cache belongs to, and all that is small. */
  end(id: string, stamped: Readonly<Record<string, string>>, { tasks, mms, execs, objects, args, extra }: Rest): void {
    const header: Header = {
      version: CACHE_VERSION,
      id,
      stamps: stamped,
      tables: this.#tables,
      rest: { tasks, mms, execs, objects, args: [...args], ...(extra ? { extra } : {}) },
    };
    const json = new TextEncoder().encode(JSON.stringify(header));
    const trailer = new Uint8Array(TRAILER);
    const view = new DataView(trailer.buffer);
    view.setFloat64(0, this.#offset, true);
    view.setUint32(8, json.length, true);
    view.setUint32(12, checksum(json), true);
    trailer.set(new TextEncoder().encode(MAGIC), 16);
    this.#write(json);
    this.#put(trailer);
  }
}

/** Writes the cache of a trace just read and checked. Where it may not be written nothing happens. */
export function saveCache(source: TraceSource, keyed: Keyed, trace: Trace): void {
  const stamped = stamps(source, keyed);
  if (Object.values(stamped).includes("")) return;
  source.cache?.replace((put) => {
    const writer = new CacheWriter(put);
    writer.whole(trace);
    writer.end(keyed.meta.id, stamped, trace);
  });
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
