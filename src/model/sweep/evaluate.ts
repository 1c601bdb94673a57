// One combination of an experiment's values, answered: the replay by each mechanism that is wanted, beside that of the base.
import { InputError } from "../../errors.ts";
import type { Trace } from "../../traces/trace.ts";
import { SITE_SHARE, withSites } from "../call-sites.ts";
import { CAUSES } from "../causes.ts";
import { type Conditions, underConditions } from "../conditions.ts";
import type { ModelData } from "../data.ts";
import { amdahl, naiveEstimate } from "../estimates.ts";
import { interval } from "../interval.ts";
import type { Kernel } from "../kernels.ts";
import type { MachineChoice } from "../machine-choice.ts";
import { type MemoryReport, onMemory } from "../memory/memory.ts";
import { type One, Pair } from "../pair.ts";
import { impossible, NoData } from "../prices.ts";
import type { Cost } from "../profiles.ts";
import { compile, type Program } from "../program.ts";
import { draw, draws } from "../random.ts";
import { recompiledFor } from "../recompiled.ts";
import type { Mechanism } from "../routes.ts";

/** What is asked at one combination of values. */
export interface PointQuestion {
  readonly profile: string;
  readonly kernel: string;
  readonly conditions: Conditions;
  readonly machine: MachineChoice;
  readonly set: readonly (readonly [key: string, value: number])[];
  readonly draws: number;
  readonly seed: number;
  /** The experiment's mechanisms: the first that is possible is the base, whichever are wanted. */
  readonly mechanisms: readonly Mechanism[];
}

/** What comes out of a run, in the order of the table. */
export const RESULT_COLUMNS = [
  "missing",
  "base",
  "total",
  "seconds",
  "speedup",
  "low",
  "high",
  "amdahl",
  "naive",
  "ticks",
  "switches",
  "blocks",
  "memory_faults",
  "evictions",
  ...CAUSES,
] as const;

/** A run's numbers by RESULT_COLUMNS; null: there is none. */
export type Result = readonly (string | number | null)[];

/** A trace made ready for some kernels and some memory: what all combinations with them share. */
export interface Prepared {
  readonly program: Program;
  /** What share of the calls of unknown site goes through the vsyscall page, as the trace suggests. */
  readonly sites: Cost | undefined;
  readonly memory: MemoryReport | null;
}

/** Throws InputError for a trace that cannot be replayed, or not with so little memory. */
export function prepare(recorded: Trace, data: ModelData, kernel: Kernel, machine: MachineChoice): Prepared {
  const { trace: own } = recompiledFor(recorded, data, [kernel]);
  const { trace, report: memory } = onMemory(own, machine);
  return { program: compile(trace, data), sites: withSites(data, own).parameters.get(SITE_SHARE), memory };
}

/** Why there is no replay. */
interface Missing {
  readonly missing: string;
}

/** The nominal replay of a mechanism, or why there is none. */
function replayOf(pair: Pair, mechanism: Mechanism): One | Missing {
  try {
    const why = impossible(pair.prices(), mechanism);
    return why === undefined ? pair.replay(mechanism) : { missing: why };
  } catch (error) {
    if (error instanceof NoData) return { missing: error.message };
    if (error instanceof InputError) return { missing: `n/a: ${error.message}` };
    throw error;
  }
}

function nothing(missing: string): Result {
  return RESULT_COLUMNS.map((column) => (column === "missing" ? missing : null));
}

/**
 * Results of the wanted mechanisms. Pure: the same trace, tables and question give the same numbers, whichever else are wanted.
 * What cannot be replayed says why.
 */
export function evaluate(
  prepared: Prepared,
  tables: ModelData,
  question: PointQuestion,
  wanted: readonly Mechanism[],
): Result[] {
  const conditional = underConditions(tables, question.conditions);
  const parameters = new Map(conditional.parameters);
  if (prepared.sites !== undefined) parameters.set(SITE_SHARE, prepared.sites);
  const data = { ...conditional, parameters };
  const profile = data.profiles.get(question.profile)!;
  const kernel = data.kernels.get(question.kernel)!;
  const pair = new Pair(prepared.program, data, profile, kernel, [], new Map(question.set), question.machine);
  const replays = new Map<Mechanism, One | Missing>();
  const of = (mechanism: Mechanism): One | Missing => {
    const found = replays.get(mechanism) ?? replayOf(pair, mechanism);
    replays.set(mechanism, found);
    return found;
  };
  const isPossible = (mechanism: Mechanism): boolean => "replayed" in of(mechanism);
  if (!wanted.some(isPossible)) return wanted.map((mechanism) => nothing((of(mechanism) as Missing).missing));
  const base = question.mechanisms.find(isPossible)!;
  const others = wanted.filter((mechanism) => mechanism !== base && isPossible(mechanism));
  const spans = sample(pair, [base, ...others], question);
  return wanted.map((mechanism) => {
    const [from, one] = [of(base) as One, of(mechanism)];
    if ("missing" in one) return nothing(one.missing);
    const column = mechanism === base ? 0 : 1 + others.indexOf(mechanism);
    return numbers(
      prepared,
      pair,
      { mechanism: base, one: from },
      { mechanism, one },
      (span) => span[0] / span[column],
      spans,
    );
  });
}

/** Makespans under each set of draws, the same for all mechanisms. */
function sample(pair: Pair, mechanisms: readonly Mechanism[], { draws: count, seed }: PointQuestion): number[][] {
  return Array.from({ length: mechanisms.length > 1 ? count : 0 }, (_, index) =>
    pair
      .replayAll(mechanisms, { draws: draws(seed, index), phase: draw(seed, "timer phase", index) })
      .map(({ replayed }) => replayed.makespan),
  );
}

interface Side {
  readonly mechanism: Mechanism;
  readonly one: One;
}

function numbers(
  { program, memory }: Prepared,
  pair: Pair,
  base: Side,
  own: Side,
  ratio: (span: readonly number[]) => number,
  spans: readonly (readonly number[])[],
): Result {
  const { replayed } = own.one;
  const before = base.one.replayed.makespan;
  const speedup = interval(before / replayed.makespan, spans.map(ratio));
  const naive = naiveEstimate(pair.prices(), base.mechanism, own.mechanism, program.assumed.calls, before);
  const byName: Record<string, string | number | null> = {
    missing: null,
    base: base.mechanism,
    total: replayed.makespan,
    seconds: replayed.makespan / (pair.mhz * 1e6),
    speedup: speedup.value,
    low: speedup.low,
    high: speedup.high,
    amdahl: amdahl(program, base.one, own.one),
    naive: Number.isFinite(naive.speedup) ? naive.speedup : null,
    ticks: replayed.ticks,
    switches: replayed.switches,
    blocks: replayed.blocks,
    memory_faults: memory && memory.faults.minor + memory.faults.file + memory.faults.swap + memory.faults.calls,
    evictions: memory?.evictions ?? null,
  };
  const causes = new Map(CAUSES.map((cause, index) => [cause as string, replayed.causes[index]]));
  return RESULT_COLUMNS.map((column) => byName[column] ?? causes.get(column) ?? null);
}
