// The estimates a person could make by hand, and what lies between them and the replay.
import { CAUSE_COUNT, CAUSE_INDEX, type Cause } from "./causes.ts";
import type { Prices } from "./prices.ts";
import type { Program } from "./program.ts";
import { callRoute, type Mechanism } from "./routes.ts";
import { causesOf, type ShapeCosts } from "./shape-costs.ts";
import { RECORD, type Shapes } from "./shapes.ts";
import type { UserCycles } from "./user-cycles.ts";

/** What all calls of one name gain. */
export interface CallGain {
  readonly name: string;
  readonly count: number;
  /** Cycles saved, all calls together. */
  readonly saved: number;
  readonly savedPerCall: number;
  /** Cycles a call costs by the base's mechanism, on average. */
  readonly costPerCall: number;
}

/** Calls by name, most saved cycles first. */
export function callGains(shapes: Shapes, base: ShapeCosts, other: ShapeCosts): CallGain[] {
  const sums = shapes.names.map(() => ({ count: 0, saved: 0, cost: 0 }));
  for (let s = 0; s < shapes.length; s++) {
    if (shapes.kind[s] !== RECORD.call) continue;
    const sum = sums[shapes.name[s]];
    sum.count += shapes.count[s];
    sum.saved += shapes.count[s] * (base.total[s] - other.total[s]);
    sum.cost += shapes.count[s] * base.total[s];
  }
  return sums
    .map(({ count, saved, cost }, index) => ({
      name: shapes.names[index],
      count,
      saved,
      savedPerCall: count > 0 ? saved / count : 0,
      costPerCall: count > 0 ? cost / count : 0,
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.saved - a.saved || (a.name < b.name ? -1 : 1));
}

/** Cycles of all calls by cause. */
function callCycles(shapes: Shapes, costs: ShapeCosts): Float64Array {
  return causesOf(shapes, costs, (kind) => kind === RECORD.call);
}

function sumOf(cycles: Float64Array): number {
  return cycles.reduce((sum, value) => sum + value, 0);
}

/** What a mechanism makes of the calls and of the program between them. */
interface Side {
  readonly user: UserCycles;
  readonly costs: ShapeCosts;
}

/** Amdahl's law with the model's own cost of every call: one CPU, and no faults, ticks or waits. */
export function amdahl(program: Program, base: Side, other: Side): number {
  const time = ({ user, costs }: Side): number => {
    let cycles = sumOf(callCycles(program.shapes, costs));
    for (let task = 0; task < program.tasks; task++) cycles += user.total(task);
    return cycles;
  };
  return time(base) / time(other);
}

/** What a table of counts alone permits: every call saves what an empty one saves. */
export function naiveEstimate(prices: Prices, base: Mechanism, other: Mechanism, calls: number, baseTotal: number) {
  const site = { inline: false, special: false, args: 0, sigreturn: false };
  const empty = (mechanism: Mechanism): number => sumOf(prices.paths(callRoute(prices.routes(mechanism), site), 0));
  const saved = Math.round(calls * (empty(base) - empty(other)));
  return { saved, speedup: saved < baseTotal ? baseTotal / (baseTotal - saved) : Number.POSITIVE_INFINITY };
}

/** A part of the difference between the naive estimate and the replay, in saved cycles. */
export interface ResidualTerm {
  readonly what: string;
  readonly cycles: number;
}

const GROUPS: readonly (readonly [string, readonly Cause[]])[] = [
  ["page faults take another way", ["fault-path", "fault-body"]],
  ["starvation: double faults on absent stack pages", ["starvation"]],
  ["timer ticks", ["irq-path", "tick-body"]],
  ["context switches", ["switch", "mm-switch"]],
  ["waiting", ["idle-io", "idle-timer", "idle-dependency"]],
  ["program", ["user"]],
];

/** Why the replay saves more or less than the naive estimate; the terms add up to the difference exactly. */
export function residual(
  shapes: Shapes,
  base: ShapeCosts,
  other: ShapeCosts,
  saved: Float64Array,
  naive: number,
): ResidualTerm[] {
  const before = callCycles(shapes, base);
  const after = callCycles(shapes, other);
  const starvation = CAUSE_INDEX["starvation"];
  let calls = 0;
  for (let c = 0; c < CAUSE_COUNT; c++) if (c !== starvation) calls += before[c] - after[c];
  const terms: ResidualTerm[] = [
    { what: "calls that stay traps, need all registers saved or push arguments", cycles: calls - naive },
  ];
  let explained = calls;
  for (const [what, causes] of GROUPS) {
    let cycles = 0;
    for (const cause of causes) cycles += saved[CAUSE_INDEX[cause]];
    explained += cycles;
    if (cycles !== 0) terms.push({ what, cycles });
  }
  const rest = sumOf(saved) - explained;
  if (rest !== 0) terms.push({ what: "signals and the vDSO", cycles: rest });
  return terms;
}
