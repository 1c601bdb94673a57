// Waits that a tracer does not tell: inferred from how long calls took that may wait, and marked so.
import type { CallTable } from "../calls.ts";
import { makeColumns } from "../columns.ts";
import { EDGE, FLAG, KIND, OBJECT } from "../schema/enums.ts";
import { TABLES } from "../schema/tables.ts";
import type { Trace } from "../trace.ts";

/** What each class of calls waits for; calls of other classes are taken as never waiting. */
const WAITS_FOR: Readonly<Record<string, number>> = {
  sleep: EDGE.timer,
  wait: EDGE.child,
  poll: EDGE.data,
  futex: EDGE.futex,
  sig_wait: EDGE.signal,
  vfork: EDGE.child,
  read: EDGE.data,
  write: EDGE.space,
  socket: EDGE.data,
};

/** A call that takes this many times as long as most calls do has waited. */
const LONGER = 4;
/** And no less than this, in nanoseconds: what a tracer's own delays amount to. */
const LEAST_NS = 50_000;
/** Calls whose durations say what most calls take. */
const SAMPLE = 4096;

interface Edge {
  readonly to: number;
  readonly from: number;
  readonly kind: number;
}

/**
 * `trace` with `blocked` set where it was not known, and an edge for every wait: the certain ones given, else one from outside.
 * Waits that the source itself told (blocked is set) stay as they are.
 */
export function inferWaits(trace: Trace, certain: readonly Edge[], calls: CallTable): Trace {
  const { events } = trace;
  const { kind, nr, abi, tIn, tOut, blocked, flags, obj, ret } = events;
  const classes = new Map<number, string>();
  const classOf = (seq: number): string => {
    const key = nr[seq] * 4 + abi[seq];
    let found = classes.get(key);
    if (found === undefined) {
      found = nr[seq] < 0 ? "other" : calls.class(calls.name(nr[seq], abi[seq]));
      classes.set(key, found);
    }
    return found;
  };
  const told = blocked.some((time) => time >= 0);
  const typical = told ? 0 : usualDuration(trace, (seq) => WAITS_FOR[classOf(seq)] === undefined);
  const isFile = (seq: number): boolean => obj[seq] >= 0 && trace.objects[obj[seq]].type === "file";
  const target = new Set(certain.map(({ to }) => to));
  const outside: Edge[] = [];
  for (let seq = 0; seq < events.length; seq++) {
    if (kind[seq] !== KIND.syscall) continue;
    let why = WAITS_FOR[classOf(seq)];
    if (why === undefined && !(blocked[seq] > 0)) continue;
    if (why === EDGE.data && classOf(seq) === "poll" && ret[seq] === 0) why = EDGE.timer;
    if (!told && !isFile(seq)) {
      const duration = tOut[seq] - tIn[seq];
      if (duration > Math.max(LONGER * typical, LEAST_NS)) {
        blocked[seq] = Math.round(duration - typical);
        flags[seq] = (flags[seq] & 0x7fff) | FLAG.inferred;
      }
    }
    if (blocked[seq] > 0 && !target.has(seq)) outside.push({ to: seq, from: -1, kind: why ?? EDGE.device });
  }
  const rows = [...certain, ...outside].sort((a, b) => a.to - b.to || a.from - b.from);
  const edges = makeColumns(TABLES.edges, rows.length);
  for (const [row, edge] of rows.entries()) {
    edges.to[row] = edge.to;
    edges.from[row] = edge.from;
    edges.kind[row] = edge.kind;
    if (edge.from < 0) edges.delay[row] = blocked[edge.to];
  }
  return { ...trace, edges };
}

/** The median duration of calls that do not wait; 0 when no duration is known. */
function usualDuration({ events }: Trace, counts: (seq: number) => boolean): number {
  const { kind, tIn, tOut, length } = events;
  const durations: number[] = [];
  for (let seq = 0; seq < length && durations.length < SAMPLE; seq++) {
    if (kind[seq] === KIND.syscall && tOut[seq] >= tIn[seq] && counts(seq)) durations.push(tOut[seq] - tIn[seq]);
  }
  durations.sort((a, b) => a - b);
  return durations[durations.length >> 1] ?? 0;
}

/** Does a read or write of such an object wait for another program? */
export function isChannel(type: number): boolean {
  return type === OBJECT.pipe || type === OBJECT.socket;
}
