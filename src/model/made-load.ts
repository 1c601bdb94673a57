// A synthetic load of any length: tasks in turns, each computing, calling and now and then waiting for a device.

import { ABI, EDGE, KIND, SITE } from "../traces/schema/enums.ts";
import { type EdgeColumns, type EventColumns, emptyMeta, type Trace, UNKNOWN } from "../traces/trace.ts";
import { bareTables } from "./made-traces.ts";

export interface Load {
  readonly records: number;
  readonly tasks: number;
  /** Share of the records that wait for a device. */
  readonly blocking: number;
}

/** getppid, read, write, stat64, gettimeofday. */
const CALLS = [64, 3, 4, 195, 78] as const;
const BYTES = [64, 512, 4096] as const;
/** Most instructions before a record, and the longest wait in nanoseconds (400 000 cycles at 2.4 GHz). */
const MOST_USER = 3000;
const LONGEST_WAIT = 166_667;

/** Numbers below n, one after another (xorshift32). */
function numbers(seed: number): (n: number) => number {
  let state = seed | 0;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

/**
 * A trace of such a load. Its columns are as narrow as their numbers, and those that know nothing are one: a hundred million
 * records fit into a gibibyte.
 */
export function loadTrace({ records, tasks, blocking }: Load): Trace {
  const below = numbers(20_031);
  const task = new Uint8Array(records);
  const nr = new Uint8Array(records);
  const user = new Uint16Array(records);
  const bytes = new Uint16Array(records);
  const to = new Int32Array(Math.floor(records * blocking));
  const delay = new Float64Array(to.length);
  const every = to.length > 0 ? records / to.length : 0;
  for (let seq = 0; seq < records; seq++) {
    task[seq] = below(tasks);
    nr[seq] = CALLS[below(CALLS.length)];
    user[seq] = below(MOST_USER);
    bytes[seq] = BYTES[below(BYTES.length)];
  }
  for (let e = 0; e < to.length; e++) {
    to[e] = Math.floor(e * every + below(Math.max(1, Math.floor(every))));
    delay[e] = below(LONGEST_WAIT);
  }
  const unknown = new Int8Array(records).fill(UNKNOWN);
  const same = (value: number) => new Uint8Array(records).fill(value);
  const events = {
    length: records,
    task,
    nr,
    user,
    bytes,
    kind: same(KIND.syscall),
    abi: same(ABI.i386),
    site: same(SITE.vsyscall),
    ...Object.fromEntries(
      ["cpu", "parent", "kinstr", "charge", "blocked", "items", "components"].map((k) => [k, unknown]),
    ),
    ...Object.fromEntries(["pages", "cold", "obj", "off", "addr", "sp"].map((k) => [k, unknown])),
    ...Object.fromEntries(
      ["tIn", "tOut", "ret", "path", "flags", "access", "cause"].map((k) => [k, new Uint8Array(records)]),
    ),
  } as unknown as EventColumns;
  const edges = {
    length: to.length,
    to,
    delay,
    from: new Int32Array(to.length).fill(UNKNOWN),
    kind: new Uint8Array(to.length).fill(EDGE.device),
  } as unknown as EdgeColumns;
  return {
    meta: { ...emptyMeta("made"), id: "load", argv: ["load"], clock: { unit: "instr", nsPerUnit: 1 } },
    ...bareTables(tasks),
    events,
    edges,
  };
}
