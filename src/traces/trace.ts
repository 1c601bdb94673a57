// A trace in memory: small tables as rows, large ones as columns, and the metadata that says what it is worth.
import { makeColumns } from "./columns.ts";
import {
  type EdgeColumns,
  type EventColumns,
  type ExecRow,
  type MixColumns,
  type MmRow,
  type ObjectRow,
  type PageColumns,
  TABLES,
  type TaskRow,
} from "./schema/tables.ts";

export { UNKNOWN } from "./schema/field.ts";
export type {
  EdgeColumns,
  EventColumns,
  ExecRow,
  MixColumns,
  MmRow,
  ObjectRow,
  PageColumns,
  TaskRow,
} from "./schema/tables.ts";

/** What the source of a trace could and could not know, in words that start with one of: exact, inflated, partial, none. */
export interface Fidelity {
  /** Of t_in, t_out, user, blocked. */
  times: string;
  /** Of bytes, items, components, obj, off and args. */
  arguments: string;
  /** Of site and path. */
  sites: string;
  /** What is missing from the record: "none", or what was lost and why. */
  loss: string;
  /** Of abi and nr. */
  abi: string;
}

export interface TraceMeta {
  /** SHA-256 over the tables and this metadata; "" until it is written. */
  id: string;
  /** Schema version, "1.0". */
  schema: string;
  /** What made it: "kmlab", "strace", ... */
  source: string;
  /** The unit of t_in, t_out, charge, blocked and delay; nsPerUnit is the fixed nominal rate. */
  clock: { unit: "instr" | "ns"; nsPerUnit: number };
  arch: string;
  cpus: number;
  cpuModel: string | null;
  /** Timer interrupts a second. */
  hz: number | null;
  /** Who ran when; left out where it is the emulator's own way, or unknown. */
  scheduler?: string;
  /** Bytes a page. */
  page: number;
  /** Machine instructions an epoch of pages and mix. */
  epochInstr: number | null;
  /** Bytes of memory of the machine. */
  memory: number | null;
  /** "linux", "kml-4.0", ... */
  kernel: string | null;
  /** How the vsyscall page enters: "int80", "sysenter". */
  entry: string | null;
  /** Ring the first program ran in. */
  ring: number | null;
  /** Which programs run in ring 0: "all", "program". */
  trusted: string | null;
  seed: number | null;
  argv: string[];
  /** Digest of the root file system. */
  root: string | null;
  /** Digests of what came from the host: "stdin", bind mounts by guest path. */
  inputs: Record<string, string>;
  /** False: something outside (a terminal, the host's clock) took part. */
  reproducible: boolean;
  /** How the run ended: "exit 0", "signal 11", "dead: reason". */
  ended: string | null;
  /** What a reader should know of the run that its events do not show; left out when there is nothing. */
  warnings?: string[];
  fidelity: Fidelity;
}

/** Columns of a file that this schema does not know: kept as text, written back. */
export interface ExtraColumn {
  readonly table: string;
  readonly name: string;
  readonly cells: readonly string[];
}

export interface Trace {
  readonly meta: TraceMeta;
  readonly tasks: readonly TaskRow[];
  readonly mms: readonly MmRow[];
  readonly execs: readonly ExecRow[];
  readonly objects: readonly ObjectRow[];
  readonly events: EventColumns;
  readonly edges: EdgeColumns;
  readonly pages: PageColumns;
  readonly mix: MixColumns;
  /** Argument text by seq. */
  readonly args: ReadonlyMap<number, string>;
  readonly extra?: readonly ExtraColumn[];
}

/** A large table in pieces, in order; each may be looked at only until the next one is asked for. */
export interface Pieces<C> {
  pieces(): Iterable<C>;
}

/** A trace too long for the memory: events and edges come in pieces, the events before the edges. */
export interface TraceStream extends Omit<Trace, "events" | "edges"> {
  readonly events: Pieces<EventColumns>;
  readonly edges: Pieces<EdgeColumns>;
}

/** What a table of counts says of times; such a trace cannot be replayed. */
export const COUNTS_ONLY = "none: counts only, in no order";

/** Why a trace cannot be replayed; undefined: it can. */
export function cannotReplay({ fidelity: { times } }: TraceMeta): string | undefined {
  if (times === COUNTS_ONLY) return `a table of counts holds how often each call was made, and nothing of their order`;
  return times.startsWith("none") ? `the trace holds no times (${times.replace(/^none:? */, "")})` : undefined;
}

/** Are the times of a trace more the tracer's than the program's? Then what rests on counts alone is to be said too. */
export function restsOnCounts({ fidelity: { times } }: TraceMeta): boolean {
  return times.startsWith("none") || times.startsWith("inflated") || times.startsWith("partial: times of entry");
}

/** What the times of a trace that was scaled to an untraced run say of themselves, before what `time` said of that. */
export const UNTRACED_RUN = "untraced run of";

/** Were the times scaled to an untraced run whose system time is known? */
export function systemTimeKnown({ fidelity: { times } }: TraceMeta): boolean {
  return times.includes(UNTRACED_RUN) && /\bsys [\d.e-]+ s\b/.test(times);
}

/** What a capture by the emulator may say of itself. */
export const FIDELITY_EMULATED: Fidelity = {
  times: "exact: integer virtual clock",
  arguments: "exact",
  sites: "exact: seen at the instruction",
  loss: "none",
  abi: "exact",
};

/** Metadata with every unknown left unknown; for importers, captures and tests to fill in. */
export function emptyMeta(source: string, fidelity: Fidelity = FIDELITY_EMULATED): TraceMeta {
  return {
    id: "",
    schema: "1.0",
    source,
    clock: { unit: "instr", nsPerUnit: 2 },
    arch: "i386",
    cpus: 1,
    cpuModel: null,
    hz: null,
    page: 4096,
    epochInstr: null,
    memory: null,
    kernel: null,
    entry: null,
    ring: null,
    trusted: null,
    seed: null,
    argv: [],
    root: null,
    inputs: {},
    reproducible: true,
    ended: null,
    fidelity: { ...fidelity },
  };
}

/** A trace without a single event, for tests and importers to begin with. */
export function emptyTrace(meta: TraceMeta): Trace {
  return {
    meta,
    tasks: [],
    mms: [],
    execs: [],
    objects: [],
    events: makeColumns(TABLES.events, 0),
    edges: makeColumns(TABLES.edges, 0),
    pages: makeColumns(TABLES.pages, 0),
    mix: makeColumns(TABLES.mix, 0),
    args: new Map(),
  };
}
