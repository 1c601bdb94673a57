// Which costs does an answer hang on? One at a time, Morris's screening, Sobol's indices; and does the ordering of the mechanisms
// hold wherever in their ranges the costs lie?
import { InputError } from "../../errors.ts";
import { type Limit, limitsOf } from "../../traces/limits.ts";
import type { Trace } from "../../traces/trace.ts";
import { withSites } from "../call-sites.ts";
import {
  checkSet,
  defaultKernel,
  defaultMechanisms,
  defaultProfile,
  pickKernels,
  pickMechanisms,
  pickProfiles,
} from "../choices.ts";
import { type Conditions, underConditions } from "../conditions.ts";
import type { ModelData } from "../data.ts";
import type { MachineChoice } from "../machine-choice.ts";
import { onMemory } from "../memory/memory.ts";
import { Pair } from "../pair.ts";
import { compile } from "../program.ts";
import { type Recompiled, recompiledFor } from "../recompiled.ts";
import type { Mechanism } from "../routes.ts";
import { type Effect, morris } from "./morris.ts";
import { oneAtATime, type Response, type Swing } from "./one-at-a-time.ts";
import { type Parameter, parametersOf, situationAt } from "./parameters.ts";
import { type Indices, sobol } from "./sobol.ts";

export interface SensitivityOptions {
  /** Ways into the kernel; the first that is possible is what others are compared with. Default: int80, sysenter, kml. */
  readonly mechanisms?: readonly string[];
  readonly profile?: string;
  readonly kernel?: string;
  /** What the program is taken as compiled for, when neither processor nor kernel are named: i386 or x86-64. */
  readonly target?: string;
  readonly set?: ReadonlyMap<string, number>;
  /** What else the answer is asked under, as in whatif. */
  readonly conditions?: Conditions;
  /** CPUs and scheduler, as in whatif. */
  readonly machine?: MachineChoice;
  /** Walks of Morris's screening; default 10. */
  readonly walks?: number;
  /** Rows of Sobol's sampling, each so many runs as there are factors and two more; default 256. */
  readonly rows?: number;
  /** Parameters that get indices of their own, the others being one factor together; default 8. */
  readonly factors?: number;
  readonly seed?: number;
  /** Hears how many runs are done, of how many. */
  readonly progress?: (done: number, of: number) => void;
}

/** A speed-up over the base at both ends of a parameter's range. */
export interface Bar {
  readonly parameter: string;
  readonly low: number;
  readonly high: number;
}

/** What one mechanism's speed-up hangs on; each list has what matters most first. */
export interface MechanismSensitivity {
  readonly mechanism: Mechanism;
  readonly speedup: number;
  readonly tornado: readonly Bar[];
  readonly morris: readonly { readonly parameter: string; readonly muStar: number; readonly sigma: number }[];
  /** Standard deviation of the speed-up over Sobol's samples. */
  readonly deviation: number;
  readonly sobol: readonly ({ readonly factor: string } & Omit<Indices, "factor">)[];
}

/** Does the order of the makespans hold in every run? */
export interface Ordering {
  /** Fastest first, at the values. */
  readonly order: readonly Mechanism[];
  readonly runs: number;
  /** Runs in which some pair of it was the other way round. */
  readonly broken: number;
  /** Pairs that were, the one that is faster at the values first, and in how many runs. */
  readonly pairs: readonly { readonly faster: Mechanism; readonly slower: Mechanism; readonly broken: number }[];
}

export interface SensitivityResult {
  readonly trace: string;
  /** What became of the calls of a program of another instruction set. */
  readonly recompiled: Recompiled | null;
  /** What made the trace, and what it could not tell. */
  readonly source: string;
  readonly limits: readonly Limit[];
  readonly argv: readonly string[];
  readonly profile: string;
  readonly kernel: string;
  readonly base: Mechanism;
  readonly parameters: readonly Parameter[];
  readonly mechanisms: readonly MechanismSensitivity[];
  readonly missing: readonly { readonly mechanism: Mechanism; readonly missing: string }[];
  readonly ordering: Ordering;
  readonly seed: number;
}

/** What is left of the parameters when the important ones have factors of their own. */
export const THE_REST = "all others together";

/** Counts, over all runs, which mechanisms changed places. */
class OrderWatch {
  readonly #nominal: readonly number[];
  readonly #against: number[][];
  runs = 0;
  broken = 0;

  constructor(nominal: readonly number[]) {
    this.#nominal = nominal;
    this.#against = nominal.map(() => nominal.map(() => 0));
  }

  see(spans: readonly number[]): void {
    this.runs++;
    let broken = false;
    for (let x = 0; x < spans.length; x++) {
      for (let y = 0; y < spans.length; y++) {
        if (!(this.#nominal[x] < this.#nominal[y] && spans[x] > spans[y])) continue;
        this.#against[x][y]++;
        broken = true;
      }
    }
    if (broken) this.broken++;
  }

  result(mechanisms: readonly Mechanism[]): Ordering {
    const pairs = this.#against.flatMap((row, x) =>
      row.map((broken, y) => ({ faster: mechanisms[x], slower: mechanisms[y], broken })).filter((p) => p.broken > 0),
    );
    const order = mechanisms
      .map((mechanism, index) => ({ mechanism, span: this.#nominal[index] }))
      .sort((a, b) => a.span - b.span)
      .map(({ mechanism }) => mechanism);
    return { order, runs: this.runs, broken: this.broken, pairs };
  }
}

/** How far apart a bar's ends are. */
function width({ low, high }: Bar): number {
  return Math.abs(high - low);
}

/**
 * Examines the speed-ups of one trace on one processor under one kernel. Pure: the same arguments give the same answer.
 * Throws InputError for unknown names and settings, for numbers of runs that make no sense, and when fewer than two mechanisms are possible.
 */
export function sensitivity(recorded: Trace, tables: ModelData, options: SensitivityOptions = {}): SensitivityResult {
  const conditional = underConditions(tables, options.conditions);
  const [profile] = pickProfiles(conditional, [options.profile ?? defaultProfile(options.target)]);
  const [kernel] = pickKernels(conditional, [options.kernel ?? defaultKernel(conditional, profile, options.target)]);
  const { trace, recompiled } = recompiledFor(recorded, conditional, [kernel]);
  const data = withSites(conditional, trace);
  const mechanisms = pickMechanisms(data, options.mechanisms ?? defaultMechanisms([kernel]));
  const set = options.set ?? new Map<string, number>();
  checkSet(data, [profile], [kernel], set);
  const { walks = 10, rows = 256, factors = 8, seed = 1 } = options;
  for (const [name, value] of Object.entries({ walks, rows, factors })) {
    if (!Number.isSafeInteger(value) || value < 1 || value > 100_000)
      throw new InputError(`${name} ${value}: write a whole number from 1 to 100000`);
  }
  const pair = new Pair(
    compile(onMemory(trace, options.machine).trace, data),
    data,
    profile,
    kernel,
    mechanisms,
    set,
    options.machine,
  );
  const { possible } = pair;
  const missing = [...pair.missing].map(([mechanism, why]) => ({ mechanism, missing: why }));
  if (possible.length < 2) {
    throw new InputError(
      `nothing to compare on ${profile.id} under ${kernel.id}: ${missing.map((m) => `${m.mechanism} ${m.missing}`).join("; ")}`,
    );
  }
  const parameters = parametersOf(pair);
  const nominal = possible.map((mechanism) => pair.nominal(mechanism).replayed.makespan);
  const watch = new OrderWatch(nominal);
  const planned = (active: number): number =>
    2 * parameters.length + walks * (active + 1) + rows * (Math.min(factors, active) + 3);
  let of = planned(parameters.length);
  const respond =
    (names: readonly Parameter[]): Response =>
    (u) => {
      const spans = pair.makespans(situationAt(names, u));
      watch.see(spans);
      options.progress?.(watch.runs, of);
      return spans.slice(1).map((span) => spans[0] / span);
    };
  const swings = oneAtATime(respond(parameters), parameters.length);
  const matters = ({ low, high, parameter }: Swing): boolean =>
    low.some((value, output) => value !== high[output]) || parameter === parameters.length - 1;
  const active = swings.filter(matters).map(({ parameter }) => parameters[parameter]);
  of = planned(active.length);
  const f = respond(active);
  const effects = morris(f, active.length, walks, seed);
  const groups = factorsOf(effects, active.length, factors);
  const variances = sobol(f, active.length, groups, rows, seed);
  const nameOf = (members: readonly number[]): string => (members.length === 1 ? active[members[0]].name : THE_REST);
  return {
    trace: trace.meta.id,
    argv: trace.meta.argv,
    recompiled,
    source: recorded.meta.source,
    limits: limitsOf(recorded),
    profile: profile.id,
    kernel: kernel.id,
    base: possible[0],
    parameters: active,
    mechanisms: possible.slice(1).map((mechanism, output) => ({
      mechanism,
      speedup: nominal[0] / nominal[output + 1],
      tornado: swings
        .map(({ parameter, low, high }) => ({
          parameter: parameters[parameter].name,
          low: low[output],
          high: high[output],
        }))
        .filter((bar) => width(bar) > 0)
        .sort((x, y) => width(y) - width(x)),
      morris: [...effects[output]]
        .sort((x, y) => y.muStar - x.muStar)
        .map(({ parameter, muStar, sigma }) => ({ parameter: active[parameter].name, muStar, sigma })),
      deviation: Math.sqrt(variances[output].variance),
      sobol: [...variances[output].indices]
        .sort((x, y) => y.total.value - x.total.value)
        .map(({ factor, first, total }) => ({ factor: nameOf(groups[factor]), first, total })),
    })),
    missing,
    ordering: watch.result(possible),
    seed,
  };
}

/** The parameters with the largest effect on any output, each a factor of its own; what is left is the last factor. */
function factorsOf(effects: readonly (readonly Effect[])[], parameters: number, most: number): number[][] {
  const influence = new Float64Array(parameters);
  for (const list of effects) {
    const sum = list.reduce((all, { muStar }) => all + muStar, 0);
    for (const { parameter, muStar } of list)
      influence[parameter] = Math.max(influence[parameter], sum > 0 ? muStar / sum : 0);
  }
  const ranked = Array.from(influence, (_, p) => p).sort((x, y) => influence[y] - influence[x] || x - y);
  const alone = ranked.length <= most + 1 ? ranked.length : most;
  const groups = ranked.slice(0, alone).map((p) => [p]);
  const rest = ranked.slice(alone).sort((x, y) => x - y);
  return rest.length > 0 ? [...groups, rest] : groups;
}
