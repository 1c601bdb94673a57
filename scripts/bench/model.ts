// Speed of the function behind `kmlab whatif`: records replayed a second, over a made trace of eight processes.
import process from "node:process";
import { modelData } from "../../src/model/data-node.ts";
import { whatif } from "../../src/model/whatif.ts";
import { makeColumns } from "../../src/traces/columns.ts";
import { ABI, EDGE, FLAG, KIND, SITE } from "../../src/traces/schema/enums.ts";
import { TABLES } from "../../src/traces/schema/tables.ts";
import { emptyMeta, type Trace, UNKNOWN } from "../../src/traces/trace.ts";

const TASKS = 8;
/** One record in so many waits for a device, and one in so many pushes on an absent stack page. */
const WAITS_EVERY = 100;
const STARVES_EVERY = 1000;
const CALLS = [3, 4, 5, 6, 20, 91, 192, 220, 295, 300] as const;

/** A trace of many small calls, as a busy find or cp makes. */
function longTrace(records: number): Trace {
  const events = makeColumns(TABLES.events, records);
  const waits = Math.floor(records / WAITS_EVERY);
  const edges = makeColumns(TABLES.edges, waits);
  let bits = 1;
  for (let seq = 0; seq < records; seq++) {
    bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
    events.task[seq] = (bits >>> 8) % TASKS;
    events.kind[seq] = KIND.syscall;
    events.nr[seq] = CALLS[(bits >>> 12) % CALLS.length];
    events.abi[seq] = ABI.i386;
    events.site[seq] = (bits >>> 20) % 20 === 0 ? SITE.int80 : SITE.vsyscall;
    events.user[seq] = 200 + ((bits >>> 5) % 2000);
    events.parent[seq] = UNKNOWN;
    events.flags[seq] = seq % STARVES_EVERY === 0 ? FLAG.esp_absent : 0;
    events.components[seq] = 1 + ((bits >>> 16) % 5);
    events.bytes[seq] = 64 << ((bits >>> 18) % 6);
    events.ret[seq] = 0;
    events.obj[seq] = UNKNOWN;
    events.tIn[seq] = seq;
  }
  for (let row = 0; row < waits; row++) {
    edges.to[row] = row * WAITS_EVERY;
    edges.from[row] = UNKNOWN;
    edges.kind[row] = EDGE.device;
    edges.delay[row] = 100_000;
  }
  const task = (id: number) => ({
    task: id,
    tgidTask: id,
    mm: id,
    parentTask: null,
    pid: id + 1,
    spawnSeq: null,
    exitSeq: null,
    status: null,
    ring: 3,
    comm: null,
    exe: null,
  });
  return {
    meta: { ...emptyMeta("made"), id: "bench" },
    tasks: Array.from({ length: TASKS }, (_, id) => task(id)),
    mms: [],
    execs: [],
    objects: [],
    events,
    edges,
    pages: makeColumns(TABLES.pages, 0),
    mix: makeColumns(TABLES.mix, 0),
    args: new Map(),
  };
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
export function replayRate(records = 1_000_000, draws = 20): ReplayRate {
  const data = modelData();
  whatif(longTrace(20_000), data, { draws: 2 });
  const trace = longTrace(records);
  const mechanisms = ["int80", "sysenter", "kml"];
  const time = (count: number): number => {
    const before = process.cpuUsage();
    whatif(trace, data, { mechanisms, draws: count });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const once = time(0);
  const seconds = time(draws);
  const replays = mechanisms.length * (1 + draws);
  const recordsPerSecondOnce = (records * mechanisms.length) / once;
  return {
    compared: `${records / 1e6} M records, ${mechanisms.length} mechanisms, ${draws} draws, 1 % wait; preparing the trace included (without draws ${(recordsPerSecondOnce / 1e6).toFixed(1)} M/s)`,
    recordsPerSecond: (records * replays) / seconds,
    recordsPerSecondOnce,
    records,
    replays,
    seconds,
  };
}
