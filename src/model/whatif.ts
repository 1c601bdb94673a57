// What would a trace's program gain? The same records replayed under several ways into the kernel, every cycle given to a cause.
import { CheckFailed, InputError } from "../errors.ts";
import type { Trace } from "../traces/trace.ts";
import { CAUSE_COUNT, CAUSE_INDEX, CAUSES, type Cause } from "./causes.ts";
import { checkSet, defaultKernel, pickKernels, pickMechanisms, pickProfiles } from "./choices.ts";
import type { Kernel, ModelData, Profile } from "./data.ts";
import { amdahl, type CallGain, callGains, naiveEstimate, type ResidualTerm, residual } from "./estimates.ts";
import { honesty } from "./notes.ts";
import { impossible, NoData, type Overrides, Prices } from "./prices.ts";
import { compile, type Program } from "./program.ts";
import { draw, draws, NOMINAL } from "./random.ts";
import { type MachineTimes, type Replayed, replay } from "./replay.ts";
import type { Mechanism } from "./routes.ts";
import { machineCosts, type ShapeCosts, shapeCosts } from "./shape-costs.ts";
import { userCycles } from "./user-cycles.ts";

export interface WhatIfOptions {
  /** Ways into the kernel, the first that is possible being the one compared with. Default: int80, sysenter, kml. */
  readonly mechanisms?: readonly string[];
  /** Processors. Default: p4. */
  readonly profiles?: readonly string[];
  /** Software eras. Default: kml-4.0, or what the processor was measured under. */
  readonly kernels?: readonly string[];
  /** Values by key, see settable(). */
  readonly set?: ReadonlyMap<string, number>;
  /** Sets of parameter draws behind each interval. Default: as many as keep the replay of 30 million records, 20 to 200. */
  readonly draws?: number;
  readonly seed?: number;
  /** Stop at every record instead of every interaction: slow, for checking. */
  readonly perRecord?: boolean;
}

/** A number with the bounds that 90 % of the draws lie in. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A mechanism that could be replayed. */
export interface MechanismResult {
  readonly mechanism: Mechanism;
  readonly profile: string;
  readonly kernel: string;
  /** Cycles from the first task's start to the last one's end. */
  readonly total: number;
  readonly seconds: number;
  /** Cycles by cause; they add up to `total`. */
  readonly causes: Readonly<Record<Cause, number>>;
  /** Against `base`. */
  readonly speedup: Interval;
  readonly base: Mechanism;
  /** Cycles saved against the base, by cause; they add up to the difference of the totals. */
  readonly saved: Readonly<Record<Cause, number>>;
  readonly amdahl: number;
  readonly naive: number;
  /** What lies between the naive estimate and the replay, in saved cycles. */
  readonly residual: readonly ResidualTerm[];
  /** The calls that gain most. */
  readonly calls: readonly CallGain[];
  readonly ticks: number;
  readonly switches: number;
  readonly blocks: number;
}

/** A mechanism that this processor or kernel does not have, or that nobody published numbers for. */
export interface MechanismMissing {
  readonly mechanism: Mechanism;
  readonly profile: string;
  readonly kernel: string;
  /** Why: "n/a: ..." is impossible, "unknown: ..." lacks data. */
  readonly missing: string;
}

export interface WhatIfResult {
  readonly trace: string;
  /** The command that was traced. */
  readonly argv: readonly string[];
  readonly records: number;
  readonly tasks: number;
  readonly mechanisms: readonly (MechanismResult | MechanismMissing)[];
  readonly draws: number;
  readonly seed: number;
  readonly notes: readonly string[];
  /** What the profiles and kernels of the answer are, by name. */
  readonly names: Readonly<Record<string, string>>;
}

/** Is this a result, or the reason why there is none? */
export function isResult(entry: MechanismResult | MechanismMissing): entry is MechanismResult {
  return "total" in entry;
}

/** Clock, ticks and quantum of a processor under a kernel. */
export function machineTimes(
  profile: Profile,
  kernel: Kernel,
  set: ReadonlyMap<string, number>,
  phase: number,
): MachineTimes {
  const mhz = set.get("mhz") ?? profile.mhz;
  const hz = set.get("hz") ?? kernel.hz;
  const tickCycles = hz === 0 ? 0 : Math.max(1, Math.round((mhz * 1e6) / hz));
  return {
    tickCycles,
    firstTick: Math.max(1, Math.round(tickCycles * phase)),
    quantumCycles: Math.max(1, Math.round((set.get("quantum_us") ?? kernel.quantumUs) * mhz)),
    cyclesPerNs: mhz / 1000,
  };
}

interface One {
  readonly replayed: Replayed;
  readonly costs: ShapeCosts;
}

/** One replay of one mechanism. The sum over causes is checked. */
function replayOne(
  program: Program,
  user: Float64Array,
  prices: Prices,
  mechanism: Mechanism,
  times: MachineTimes,
  perRecord: boolean,
): One {
  const costs = shapeCosts(program.shapes, prices, mechanism);
  const machine = machineCosts(prices, mechanism);
  const tick = Math.max(total(machine.tickInKernel), total(machine.tickInUser));
  if (times.tickCycles > 0 && tick >= times.tickCycles) {
    throw new InputError(
      `a timer tick takes ${tick} cycles and comes every ${times.tickCycles}: nothing else would ever run; lower hz or body.tick.a`,
    );
  }
  const replayed = replay(program, user, costs, machine, times, { perRecord });
  const sum = total(replayed.causes);
  if (sum !== replayed.makespan || replayed.causes.some((cycles) => cycles < 0 || !Number.isSafeInteger(cycles))) {
    throw new CheckFailed(
      `${mechanism} on ${prices.profile.id}: causes add up to ${sum}, the makespan is ${replayed.makespan}`,
    );
  }
  return { replayed, costs };
}

function total(cycles: Float64Array): number {
  return cycles.reduce((sum, value) => sum + value, 0);
}

function named(cycles: (index: number) => number): Record<Cause, number> {
  return Object.fromEntries(CAUSES.map((cause) => [cause, cycles(CAUSE_INDEX[cause])])) as Record<Cause, number>;
}

/** The share of sorted numbers below which a given share lies. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** Which mechanisms are possible on this processor under this kernel, and why others are not. */
function sort(
  prices: Prices,
  mechanisms: readonly Mechanism[],
): { possible: Mechanism[]; missing: Map<Mechanism, string> } {
  const possible: Mechanism[] = [];
  const missing = new Map<Mechanism, string>();
  for (const mechanism of mechanisms) {
    const why = impossible(prices, mechanism);
    if (why === undefined) possible.push(mechanism);
    else missing.set(mechanism, why);
  }
  return { possible, missing };
}

/** All mechanisms on one processor under one kernel. */
function onePair(
  program: Program,
  data: ModelData,
  profile: Profile,
  kernel: Kernel,
  mechanisms: readonly Mechanism[],
  options: WhatIfOptions,
  count: number,
  seed: number,
): (MechanismResult | MechanismMissing)[] {
  const set: Overrides = options.set ?? new Map();
  const prices = new Prices(data, profile, kernel, NOMINAL, set);
  const { possible, missing } = sort(prices, mechanisms);
  const times = machineTimes(profile, kernel, set, 1);
  const perRecord = options.perRecord === true;
  const results = new Map<Mechanism, One>();
  const user = userCycles(program, prices.cpi(), times.cyclesPerNs);
  for (const mechanism of [...possible]) {
    try {
      results.set(mechanism, replayOne(program, user, prices, mechanism, times, perRecord));
    } catch (error) {
      if (!(error instanceof NoData)) throw error;
      missing.set(mechanism, error.message);
      possible.splice(possible.indexOf(mechanism), 1);
    }
  }
  const makespans = new Map<Mechanism, number[]>(possible.map((mechanism) => [mechanism, []]));
  for (let index = 0; index < count && possible.length > 1; index++) {
    const drawn = new Prices(data, profile, kernel, draws(seed, index), set);
    const shifted = machineTimes(profile, kernel, set, draw(seed, "timer phase", index));
    const drawnUser = userCycles(program, drawn.cpi(), shifted.cyclesPerNs);
    for (const mechanism of possible) {
      makespans
        .get(mechanism)!
        .push(replayOne(program, drawnUser, drawn, mechanism, shifted, perRecord).replayed.makespan);
    }
  }
  const base = possible[0];
  return mechanisms.map((mechanism) => {
    const one = results.get(mechanism);
    if (one === undefined)
      return { mechanism, profile: profile.id, kernel: kernel.id, missing: missing.get(mechanism) ?? "" };
    const from = results.get(base)!;
    const spans = makespans.get(mechanism)!;
    const value = from.replayed.makespan / one.replayed.makespan;
    const ratios = spans.map((span, index) => makespans.get(base)![index] / span).sort((a, b) => a - b);
    const gains = callGains(program.shapes, from.costs, one.costs);
    const naive = naiveEstimate(prices, base, mechanism, program.assumed.calls, from.replayed.makespan);
    const savedOf = (c: number): number => from.replayed.causes[c] - one.replayed.causes[c];
    const saved = Float64Array.from({ length: CAUSE_COUNT }, (_, c) => savedOf(c));
    return {
      mechanism,
      profile: profile.id,
      kernel: kernel.id,
      total: one.replayed.makespan,
      seconds: one.replayed.makespan / ((set.get("mhz") ?? profile.mhz) * 1e6),
      causes: named((c) => one.replayed.causes[c]),
      speedup: {
        value,
        low: ratios.length > 0 ? Math.min(value, quantile(ratios, 0.05)) : value,
        high: ratios.length > 0 ? Math.max(value, quantile(ratios, 0.95)) : value,
      },
      base,
      saved: named((c) => saved[c]),
      amdahl: amdahl(program.shapes, user, program, from.costs, one.costs),
      naive: naive.speedup,
      residual: residual(program.shapes, from.costs, one.costs, saved, naive.saved),
      calls: gains.slice(0, 10),
      ticks: one.replayed.ticks,
      switches: one.replayed.switches,
      blocks: one.replayed.blocks,
    };
  });
}

/**
 * Replays a trace under each mechanism, on each processor, under each kernel. Pure: the same arguments give the same answer.
 * Throws InputError for unknown names, unknown or negative settings and traces that cannot be replayed.
 */
export function whatif(trace: Trace, data: ModelData, options: WhatIfOptions = {}): WhatIfResult {
  const profiles = pickProfiles(data, options.profiles ?? ["p4"]);
  const kernelsOf = (profile: Profile) => pickKernels(data, options.kernels ?? [defaultKernel(data, profile)]);
  const kernels = [...new Set(profiles.flatMap(kernelsOf))];
  const mechanisms = pickMechanisms(options.mechanisms ?? ["int80", "sysenter", "kml"]);
  checkSet(data, profiles, kernels, options.set ?? new Map());
  const program = compile(trace, data);
  const seed = options.seed ?? 1;
  const affordable = Math.floor(3e7 / (program.records * mechanisms.length));
  const count = options.draws ?? Math.max(20, Math.min(200, affordable));
  const results = profiles.flatMap((profile) =>
    kernelsOf(profile).flatMap((kernel) => onePair(program, data, profile, kernel, mechanisms, options, count, seed)),
  );
  return {
    trace: trace.meta.id,
    argv: trace.meta.argv,
    records: program.records,
    tasks: program.process.filter((_, task) => program.firstRecord[task] < program.firstRecord[task + 1]).length,
    mechanisms: results,
    draws: count,
    seed,
    names: Object.fromEntries([
      ...profiles.map(({ id, name, mhz }) => [id, `${name}, ${options.set?.get("mhz") ?? mhz} MHz`]),
      ...kernels.map(({ id, name }) => [id, name]),
    ]),
    notes: honesty(trace, program, data, profiles, kernels, options.set ?? new Map()),
  };
}
