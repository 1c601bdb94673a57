// Speed of the function behind `kmlab whatif`: records replayed a second, over a made load of eight processes; and its memory.
import process from "node:process";
import { modelData } from "../../src/model/data-node.ts";
import { loadTrace } from "../../src/model/made-load.ts";
import type { Program } from "../../src/model/program.ts";
import { whatif } from "../../src/model/whatif.ts";
import type { Trace } from "../../src/traces/trace.ts";

const MECHANISMS = ["int80", "sysenter", "kml"];
const TASKS = 8;
/** 10 million cycles of the Pentium 4, as round robin has them. */
const QUANTUM_US = 4167;

/** Seconds of this process's time that something takes. */
export function cpuSeconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The shortest of some runs. */
export function best(runs: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) least = Math.min(least, cpuSeconds(work));
  return least;
}

/** One answer: the whole of `whatif`, per-call statistics and attribution included. */
export function ask(trace: Trace, draws: number, mechanisms: readonly string[] = MECHANISMS): void {
  whatif(trace, modelData(), {
    mechanisms,
    draws,
    machine: { scheduler: "rr" },
    set: new Map([["quantum_us", QUANTUM_US]]),
  });
}

/** Bytes of the typed arrays of a prepared trace. */
export function residentBytes(program: Program): number {
  const seen = new Set<ArrayBufferLike>();
  let bytes = 0;
  const visit = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      if (!seen.has(value.buffer)) bytes += value.buffer.byteLength;
      seen.add(value.buffer);
    } else if (value !== null && typeof value === "object") Object.values(value).forEach(visit);
  };
  visit(program);
  // A replay's own: two numbers a segment, one time a stop.
  return bytes + program.segments.user.length * 16 + program.meetings.record.length * 8;
}

export interface ReplayRate {
  /** Records of the trace x replays (mechanisms x draws), over the whole of whatif's time. */
  readonly recordsPerSecond: number;
  /** The trace's records over the time of one answer without draws: preparation and one replay a mechanism. */
  readonly recordsPerSecondOnce: number;
  readonly records: number;
  readonly replays: number;
  readonly seconds: number;
  /** What was measured, in words. */
  readonly compared: string;
}

/** Measures `whatif` itself, preparation of the trace included, in seconds of this process's time. */
export function replayRate(records = 1_000_000, draws = 20, blocking = 0.01, runs = 1): ReplayRate {
  ask(loadTrace({ records: 20_000, tasks: TASKS, blocking }), 2);
  const trace = loadTrace({ records, tasks: TASKS, blocking });
  const once = best(runs, () => ask(trace, 0));
  const seconds = best(runs, () => ask(trace, draws));
  const replays = MECHANISMS.length * (1 + draws);
  const recordsPerSecondOnce = (records * MECHANISMS.length) / once;
  return {
    compared: `${records / 1e6} M records, ${MECHANISMS.length} mechanisms, ${draws} draws, ${100 * blocking} % wait; preparing the trace included (without draws ${(recordsPerSecondOnce / 1e6).toFixed(1)} M/s)`,
    recordsPerSecond: (records * replays) / seconds,
    recordsPerSecondOnce,
    records,
    replays,
    seconds,
  };
}
