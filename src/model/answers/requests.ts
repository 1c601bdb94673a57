// Requests of a server: from one call to another of the same task. How many a second, and how long each took.
import { InputError } from "../../errors.ts";
import type { Trace } from "../../traces/trace.ts";
import type { ModelData } from "../data.ts";
import { type Program, withWaits } from "../program.ts";
import { draw } from "../random.ts";
import type { RecordTimes } from "../record-times.ts";
import { FROM_START, WAIT, type Waits } from "../waits.ts";

/** What begins and what ends a request, by names of calls. */
export interface RequestCalls {
  readonly first: string;
  readonly last: string;
}

/** When requests come, if the trace does not hold who sent them. */
export type Arrivals = { readonly kind: "closed" } | { readonly kind: "open"; readonly perSecond: number };

/** "accept..close" */
export function readRequestCalls(words: string, data: ModelData): RequestCalls {
  const [first, last, more] = words.split("..");
  const known = (name: string | undefined): name is string =>
    name !== undefined && [...data.calls.keys()].some((call) => isCalled(call, name));
  if (more !== undefined || !known(first) || !known(last))
    throw new InputError(`--request ${words}: write two system calls, as in --request accept..close`);
  return { first, last };
}

/** "closed" or "open:RATE", RATE in requests a second. */
export function readArrivals(words: string): Arrivals {
  if (words === "closed") return { kind: "closed" };
  const rate = /^open:(.+)$/.exec(words)?.[1];
  const perSecond = Number(rate);
  if (rate === undefined || rate.trim() === "" || !(perSecond > 0) || !Number.isFinite(perSecond))
    throw new InputError(`--arrivals ${words}: write closed, or open:RATE with so many requests a second`);
  return { kind: "open", perSecond };
}

/** accept also names accept4. */
function isCalled(call: string, name: string): boolean {
  return call === name || (call.startsWith(name) && /^[0-9]+$/.test(call.slice(name.length)));
}

/** One request: the records that begin and end it. */
export interface Request {
  readonly first: number;
  readonly last: number;
}

/** Finds the requests of a program in order of their beginnings; the oldest that is open ends first. */
export function findRequests(program: Program, trace: Trace, calls: RequestCalls): Request[] {
  const { shapes } = program;
  const begins = shapes.names.map((name) => isCalled(name, calls.first));
  const ends = shapes.names.map((name) => isCalled(name, calls.last));
  const found: Request[] = [];
  for (let task = 0; task < program.tasks; task++) {
    const open: number[] = [];
    for (let record = program.firstRecord[task]; record < program.firstRecord[task + 1]; record++) {
      const name = shapes.name[program.shape[record]];
      const failed = trace.events.ret[program.seq[record]] < 0;
      if (ends[name] && !failed && open.length > 0) found.push({ first: open.shift()!, last: record });
      if (begins[name] && !failed) open.push(record);
    }
  }
  if (found.length === 0)
    throw new InputError(`no request: no task calls ${calls.first} and then ${calls.last} with success`);
  return found.sort((a, b) => program.seq[a.first] - program.seq[b.first]);
}

/**
 * The program with its requests coming from outside: closed, the next is there as soon as it is asked for; open, they come at
 * random times (a Poisson stream, named by the seed, the same for every mechanism), whether asked for or not.
 * Throws InputError when who sends them is in the trace, or when it is not and nobody says how they come.
 */
export function withArrivals(
  program: Program,
  requests: readonly Request[],
  arrivals: Arrivals | undefined,
  seed: number,
): { program: Program; arrived: Float64Array | undefined } {
  const { waits } = program;
  const firsts = new Set(requests.map(({ first }) => first));
  let inside = 0;
  for (let w = 0; w < waits.length; w++) if (firsts.has(waits.target[w]) && waits.source[w] >= 0) inside++;
  if (inside > 0) {
    if (arrivals !== undefined)
      throw new InputError("--arrivals: the clients are in the trace; when they send is part of the replay");
    return { program, arrived: undefined };
  }
  if (arrivals === undefined)
    throw new InputError("the clients are not in the trace: say --arrivals closed, or --arrivals open:RATE");
  const kept = Array.from({ length: waits.length }, (_, w) => w).filter((w) => !firsts.has(waits.target[w]));
  const rows = kept.map((w) => ({
    target: waits.target[w],
    source: waits.source[w],
    kind: waits.kind[w],
    delayNs: waits.delayNs[w],
    request: waits.request[w] ?? -1,
  }));
  let arrived: Float64Array | undefined;
  if (arrivals.kind === "open") {
    let ns = 0;
    const meanNs = 1e9 / arrivals.perSecond;
    arrived = Float64Array.from(requests, (_, n) => {
      ns += -Math.log(1 - draw(seed, "arrivals", n)) * meanNs;
      return ns;
    });
    requests.forEach(({ first }, n) => {
      rows.push({ target: first, source: FROM_START, kind: WAIT.dependency, delayNs: arrived![n], request: -1 });
    });
  }
  rows.sort((a, b) => a.target - b.target);
  const changed: Waits = {
    length: rows.length,
    target: Int32Array.from(rows, ({ target }) => target),
    source: Int32Array.from(rows, ({ source }) => source),
    kind: Uint8Array.from(rows, ({ kind }) => kind),
    delayNs: Float64Array.from(rows, ({ delayNs }) => delayNs),
    request: Int32Array.from(rows, ({ request }) => request),
    requests: waits.requests,
  };
  return { program: withWaits(program, changed), arrived };
}

/** What a server did under one mechanism. Seconds. */
export interface RequestAnswer {
  readonly count: number;
  /** From the first request's beginning to the last one's end. */
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/**
 * Times of the requests in a replay. A request takes from the return of its first call to the return of its last one; with open
 * arrivals, from when it came.
 */
export function requestTimes(
  requests: readonly Request[],
  times: RecordTimes,
  cyclesPerNs: number,
  arrived: Float64Array | undefined,
): RequestAnswer {
  let begun = Number.POSITIVE_INFINITY;
  let done = 0;
  const seconds = requests.map(({ first, last }, n) => {
    const from = arrived === undefined ? times.end(first) : Math.round(arrived[n] * cyclesPerNs);
    const to = times.end(last);
    begun = Math.min(begun, from);
    done = Math.max(done, to);
    return (to - from) / cyclesPerNs / 1e9;
  });
  seconds.sort((a, b) => a - b);
  const at = (share: number): number => seconds[Math.ceil(share * seconds.length) - 1];
  const all = (done - begun) / cyclesPerNs / 1e9;
  return { count: seconds.length, perSecond: seconds.length / all, p50: at(0.5), p99: at(0.99) };
}
