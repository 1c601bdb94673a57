// What would a trace's program gain? The same records replayed under several ways into the kernel, every cycle given to a cause.
import { type Limit, limitsOf } from "../traces/limits.ts";
import type { Trace } from "../traces/trace.ts";
import { type BreakEven, breakEven } from "./answers/break-even.ts";
import type { CriticalPath } from "./answers/critical-path.ts";
import type { RequestAnswer } from "./answers/requests.ts";
import { type Served, serve, watch } from "./answers/watched.ts";
import { withSites } from "./call-sites.ts";
import { CAUSE_COUNT, CAUSE_INDEX, CAUSES, type Cause } from "./causes.ts";
import { ask } from "./choices.ts";
import { type Conditions, underConditions } from "./conditions.ts";
import type { ModelData } from "./data.ts";
import { amdahl, type CallGain, callGains, naiveEstimate, type ResidualTerm, residual } from "./estimates.ts";
import { type Interval, interval } from "./interval.ts";
import type { MachineChoice } from "./machine-choice.ts";
import { type MemoryReport, memoryNote, onMemory } from "./memory/memory.ts";
import { honesty } from "./notes.ts";
import { Pair } from "./pair.ts";
import { compile } from "./program.ts";
import { draw, draws } from "./random.ts";
import { type Recompiled, recompiledFor } from "./recompiled.ts";
import type { Mechanism } from "./routes.ts";

export interface WhatIfOptions {
  /** Ways into the kernel, the first that is possible being the one compared with. Default: int80, sysenter, kml. */
  readonly mechanisms?: readonly string[];
  /** Processors. Default: p4. */
  readonly profiles?: readonly string[];
  /** Software eras. Default: kml-4.0, or what the processor was measured under. */
  readonly kernels?: readonly string[];
  /** What the program is taken as compiled for: i386 or x86-64; decides what is not named. */
  readonly target?: string;
  /** What else the answer is asked under. Default: nothing. */
  readonly conditions?: Conditions;
  /** Values by key, see settable(). */
  readonly set?: ReadonlyMap<string, number>;
  /** Sets of parameter draws behind each interval. Default: as many as keep the replay of 30 million records, 20 to 200. */
  readonly draws?: number;
  readonly seed?: number;
  /** CPUs and scheduler. Default: one CPU, the kernel's own scheduler. */
  readonly machine?: MachineChoice;
  /** Search where the conclusions flip: about two dozen replays a mechanism. */
  readonly breakEven?: boolean;
  /** Calls that begin and end a request of a server, as accept..close. */
  readonly request?: string;
  /** How requests come when their clients are not in the trace: closed, or open:RATE. */
  readonly arrivals?: string;
  /** Stop at every record instead of every interaction: slow, for checking. */
  readonly perRecord?: boolean;
}

/** A mechanism that could be replayed. */
export interface MechanismResult {
  readonly mechanism: Mechanism;
  readonly profile: string;
  readonly kernel: string;
  /** Cycles from the first task's start to the last one's end. */
  readonly total: number;
  readonly seconds: number;
  /** Which scheduler the kernel has, or was given. */
  readonly scheduler: string;
  /** Cycles by cause; they add up to CPUs x `total`. */
  readonly causes: Readonly<Record<Cause, number>>;
  /** Against `base`. */
  readonly speedup: Interval;
  readonly base: Mechanism;
  /** Cycles saved against the base, by cause; they add up to CPUs x the difference of the totals. */
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
  /** Undefined when there were too many turns to keep. */
  readonly criticalPath?: CriticalPath;
  /** If it was asked for; none for the base itself. */
  readonly breakEven?: BreakEven;
  readonly requests?: RequestAnswer;
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
  /** CPUs of the machine it was replayed on. */
  readonly cpus: number;
  /** What a chosen amount of memory did; null: it was not chosen. */
  readonly memory: MemoryReport | null;
  /** What became of the calls of a program of another instruction set; null: it is of that of the kernels. */
  readonly recompiled: Recompiled | null;
  /** What made the trace, and what it could not tell. */
  readonly source: string;
  readonly limits: readonly Limit[];
  readonly mechanisms: readonly (MechanismResult | MechanismMissing)[];
  readonly draws: number;
  readonly seed: number;
  readonly notes: readonly string[];
  /** Names of the tasks, in order of their numbers; empty: unknown. */
  readonly taskNames: readonly string[];
  /** What the profiles and kernels of the answer are, by name. */
  readonly names: Readonly<Record<string, string>>;
}

/** Is this a result, or the reason why there is none? */
export function isResult(entry: MechanismResult | MechanismMissing): entry is MechanismResult {
  return "total" in entry;
}

function named(cycles: (index: number) => number): Record<Cause, number> {
  return Object.fromEntries(CAUSES.map((cause) => [cause, cycles(CAUSE_INDEX[cause])])) as Record<Cause, number>;
}

/** All mechanisms on one processor under one kernel. */
function onePair(
  pair: Pair,
  served: Served,
  mechanisms: readonly Mechanism[],
  count: number,
  seed: number,
  flips: boolean,
): (MechanismResult | MechanismMissing)[] {
  const { program, profile, kernel, possible } = pair;
  const place = { profile: profile.id, kernel: kernel.id };
  const prices = pair.prices();
  const spans: number[][] = [];
  for (let index = 0; index < count && possible.length > 1; index++) {
    spans.push(pair.makespans({ draws: draws(seed, index), phase: draw(seed, "timer phase", index) }));
  }
  const base = possible[0];
  return mechanisms.map((mechanism) => {
    const number = possible.indexOf(mechanism);
    if (number < 0) return { mechanism, ...place, missing: pair.missing.get(mechanism) ?? "" };
    const { replayed, costs } = pair.nominal(mechanism);
    const from = pair.nominal(base);
    const value = from.replayed.makespan / replayed.makespan;
    const ratios = spans.map((span) => span[0] / span[number]);
    const naive = naiveEstimate(prices, base, mechanism, program.assumed.calls, from.replayed.makespan);
    const saved = Float64Array.from({ length: CAUSE_COUNT }, (_, c) => from.replayed.causes[c] - replayed.causes[c]);
    return {
      mechanism,
      ...place,
      total: replayed.makespan,
      scheduler: pair.scheduler,
      seconds: replayed.makespan / (pair.mhz * 1e6),
      causes: named((c) => replayed.causes[c]),
      speedup: interval(value, ratios),
      base,
      saved: named((c) => saved[c]),
      amdahl: amdahl(program, from, pair.nominal(mechanism)),
      naive: naive.speedup,
      residual: residual(program.shapes, from.costs, costs, saved, naive.saved),
      calls: callGains(program.shapes, from.costs, costs).slice(0, 10),
      ticks: replayed.ticks,
      switches: replayed.switches,
      blocks: replayed.blocks,
      ...watch(pair, mechanism, served),
      breakEven: flips && mechanism !== base ? breakEven(pair, mechanism) : undefined,
    };
  });
}

/**
 * Replays a trace under each mechanism, on each processor, under each kernel. Pure: the same arguments give the same answer.
 * Throws InputError for unknown names, unknown or negative settings and traces that cannot be replayed.
 */
export function whatif(recorded: Trace, tables: ModelData, options: WhatIfOptions = {}): WhatIfResult {
  const conditional = underConditions(tables, options.conditions);
  const { profiles, kernels, mechanisms, pairs, set, names } = ask(conditional, options);
  const { perRecord } = options;
  const { trace: own, recompiled } = recompiledFor(recorded, conditional, kernels);
  const data = withSites(conditional, own);
  const { trace, report: memory } = onMemory(own, options.machine);
  const seed = options.seed ?? 1;
  const served = serve(compile(trace, data), trace, data, options, seed);
  const { program } = served;
  const affordable = Math.floor(3e7 / (program.records * mechanisms.length));
  const count = options.draws ?? Math.max(20, Math.min(200, affordable));
  const results = pairs.flatMap(({ profile, kernel }) =>
    onePair(
      new Pair(program, data, profile, kernel, mechanisms, set, { ...options.machine, perRecord }),
      served,
      mechanisms,
      count,
      seed,
      options.breakEven === true,
    ),
  );
  return {
    trace: trace.meta.id,
    argv: trace.meta.argv,
    records: program.records,
    tasks: program.process.filter((_, task) => program.firstRecord[task] < program.firstRecord[task + 1]).length,
    cpus: options.machine?.cpus ?? 1,
    memory,
    recompiled,
    source: recorded.meta.source,
    limits: limitsOf(recorded),
    taskNames: trace.tasks.map(({ comm }) => comm ?? ""),
    mechanisms: results,
    draws: count,
    seed,
    names,
    notes: [
      ...(memory === null ? [] : [memoryNote(memory)]),
      ...honesty(trace, program, data, profiles, kernels, mechanisms, set, options.machine),
    ],
  };
}
