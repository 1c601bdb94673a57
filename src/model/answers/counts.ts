// What counts of calls alone permit: cycles saved, and how long the program itself may run for that to be a gain worth having.
// For traces whose times are missing, or are the tracer's more than the program's.
import { type Limit, limitLines, limitsOf } from "../../traces/limits.ts";
import type { Trace } from "../../traces/trace.ts";
import { withSites } from "../call-sites.ts";
import { ask } from "../choices.ts";
import { type Conditions, underConditions } from "../conditions.ts";
import type { ModelData } from "../data.ts";
import { type Interval, interval } from "../interval.ts";
import type { Kernel } from "../kernels.ts";
import { honesty } from "../notes.ts";
import { impossible, NoData, type Overrides, Prices } from "../prices.ts";
import type { Profile } from "../profiles.ts";
import { compile, type Program } from "../program.ts";
import { type Draws, draws, NOMINAL } from "../random.ts";
import { type Recompiled, recompiledFor, recompiledLines } from "../recompiled.ts";
import type { Mechanism } from "../routes.ts";
import { causesOf, shapeCosts } from "../shape-costs.ts";
import { RECORD } from "../shapes.ts";
import { align, duration, grouped } from "../text.ts";

/** Gains that are looked for. */
const GAINS = [0.01, 0.05, 0.1] as const;
const DRAWS = 200;

export interface CountsOptions {
  readonly mechanisms?: readonly string[];
  readonly profiles?: readonly string[];
  readonly kernels?: readonly string[];
  readonly target?: string;
  readonly conditions?: Conditions;
  readonly set?: Overrides;
  readonly draws?: number;
  readonly seed?: number;
}

/** One mechanism; `missing` says why there is nothing to say. */
export interface CountsEstimate {
  readonly mechanism: Mechanism;
  readonly profile: string;
  readonly kernel: string;
  readonly missing?: string;
  /** Cycles of all calls, and what is saved of them against the first mechanism. */
  readonly cycles: number;
  readonly saved: Interval;
  readonly savedPerCall: number;
  /** Seconds of the program's own time at which the gain is that many percent; null: it is less than that without any. */
  readonly gains: readonly { readonly percent: number; readonly userSeconds: number | null }[];
}

export interface CountsAnswer {
  readonly trace: string;
  readonly argv: readonly string[];
  readonly calls: number;
  /** What became of the calls of a program of another instruction set. */
  readonly recompiled: Recompiled | null;
  /** What made the trace, and what it could not tell. */
  readonly source: string;
  readonly limits: readonly Limit[];
  readonly estimates: readonly CountsEstimate[];
  readonly names: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

function callCycles(program: Program, prices: Prices, mechanism: Mechanism): number {
  const causes = causesOf(
    program.shapes,
    shapeCosts(program.shapes, prices, mechanism),
    (kind) => kind === RECORD.call,
  );
  return causes.reduce((sum, cycles) => sum + cycles, 0);
}

function onePair(
  program: Program,
  data: ModelData,
  profile: Profile,
  kernel: Kernel,
  mechanisms: readonly Mechanism[],
  { set = new Map(), draws: count = DRAWS, seed = 1 }: CountsOptions,
): CountsEstimate[] {
  const place = { profile: profile.id, kernel: kernel.id };
  const nothing = { ...place, cycles: 0, saved: { value: 0, low: 0, high: 0 }, savedPerCall: 0, gains: [] };
  const pricesOf = (drawn: Draws) => new Prices(data, profile, kernel, drawn, set);
  const mhz = set.get("mhz") ?? profile.mhz;
  const possible = (mechanism: Mechanism): string | undefined => {
    try {
      const why = impossible(pricesOf(NOMINAL), mechanism);
      if (why === undefined) callCycles(program, pricesOf(NOMINAL), mechanism);
      return why;
    } catch (error) {
      if (error instanceof NoData) return error.message;
      throw error;
    }
  };
  const missing = new Map(mechanisms.map((mechanism) => [mechanism, possible(mechanism)] as const));
  const base = mechanisms.find((mechanism) => missing.get(mechanism) === undefined);
  const drawn = Array.from({ length: count }, (_, index) => pricesOf(draws(seed, index)));
  const calls = Math.max(1, program.assumed.calls);
  return mechanisms.map((mechanism) => {
    const why = missing.get(mechanism);
    if (why !== undefined || base === undefined) return { mechanism, ...nothing, missing: why ?? "" };
    const [before, after] = [base, mechanism].map((way) => callCycles(program, pricesOf(NOMINAL), way));
    const saves = drawn.map((prices) => callCycles(program, prices, base) - callCycles(program, prices, mechanism));
    const value = before - after;
    return {
      mechanism,
      ...place,
      cycles: after,
      saved: interval(value, saves),
      savedPerCall: value / calls,
      gains: GAINS.map((gain) => {
        // (user + before) / (user + after) = 1 + gain.
        const user = (before - (1 + gain) * after) / gain;
        return { percent: 100 * gain, userSeconds: user < 0 ? null : user / (mhz * 1e6) };
      }),
    };
  });
}

/** The answer that counts permit, with the options of a what-if. */
export function countsAnswer(recorded: Trace, tables: ModelData, options: CountsOptions = {}): CountsAnswer {
  const conditional = underConditions(tables, options.conditions);
  const { profiles, kernels, mechanisms, pairs, set, names } = ask(conditional, options);
  const { trace, recompiled } = recompiledFor(recorded, conditional, kernels);
  const data = withSites(conditional, trace);
  const program = compile(trace, data, true);
  return {
    trace: trace.meta.id,
    argv: trace.meta.argv,
    calls: program.assumed.calls,
    recompiled,
    source: recorded.meta.source,
    limits: limitsOf(recorded),
    estimates: pairs.flatMap(({ profile, kernel }) => onePair(program, data, profile, kernel, mechanisms, options)),
    names,
    notes: honesty(trace, program, data, profiles, kernels, mechanisms, set),
  };
}

/** The estimates as tables. */
export function countsTables({ estimates, names, calls }: CountsAnswer): string[] {
  const lines: string[] = [];
  const pairs = new Map<string, CountsEstimate[]>();
  for (const estimate of estimates) {
    const key = `${estimate.profile} ${estimate.kernel}`;
    pairs.set(key, [...(pairs.get(key) ?? []), estimate]);
  }
  for (const list of pairs.values()) {
    const { profile, kernel } = list[0];
    lines.push(
      `from counts alone: ${grouped(calls)} calls on ${profile} (${names[profile]}), kernel ${kernel} (${names[kernel]})`,
    );
    const rows = [
      ["", "of calls", "saved", "5 % .. 95 % of draws", "a call", ...GAINS.map((g) => `gain ${100 * g} %`)],
    ];
    for (const { mechanism, missing, cycles, saved, savedPerCall, gains } of list) {
      if (missing !== undefined) continue;
      rows.push([
        `  ${mechanism}`,
        grouped(cycles),
        grouped(saved.value),
        saved.value === 0 ? "" : `${grouped(Math.round(saved.low))} .. ${grouped(Math.round(saved.high))}`,
        savedPerCall.toFixed(0),
        ...gains.map(({ userSeconds }) =>
          saved.value === 0 ? "" : userSeconds === null ? "never" : `< ${duration(userSeconds)}`,
        ),
      ]);
    }
    lines.push(...align(rows));
    for (const { mechanism, missing } of list) if (missing !== undefined) lines.push(`${mechanism} ${missing}`);
    lines.push(
      "  gain: the program's own time (user seconds of `time`) below which all of it runs faster by that much; waits are not counted",
    );
  }
  return lines;
}

/** The whole answer as lines, for a trace that cannot be replayed. */
export function countsText(answer: CountsAnswer, why: string): string[] {
  const what = answer.argv.length > 0 ? answer.argv.join(" ") : `trace ${answer.trace.slice(0, 12)}`;
  return [
    `${what}: not replayed, because ${why}`,
    ...recompiledLines(answer.recompiled),
    ...limitLines(answer.limits, answer.source),
    "",
    ...countsTables(answer),
    "",
    ...answer.notes.map((note) => `note: ${note}`),
  ];
}
