// Checks of the model on captured traces: it reproduces the run it was given, its ways in are as long as the emulator's, and a
// ring-3 trace predicts the ring-0 one.
import { FLAG, KIND, PATHS, type PathName } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import type { Check } from "./check.ts";
import type { ModelData } from "./data.ts";
import { type Agreement, identityReplay } from "./identity.ts";
import type { Kernel } from "./kernels.ts";
import { isRing0 } from "./ring0.ts";
import { instructionsOf } from "./verify.ts";
import { isResult, whatif } from "./whatif.ts";

/** Largest error of a replay of what was recorded, in percent of the recorded time. */
const IDENTITY_PERCENT = 1;
/** Largest difference between a way's instructions here and in the emulator, in percent. */
const WAY_PERCENT = 10;
/** Largest difference between ring 0 as predicted and as captured, in percent of the time. */
const COUNTERFACTUAL_PERCENT = 2;

function identity(name: string, trace: Trace, data: ModelData): Check {
  const found = identityReplay(trace, data);
  const error = (100 * (found.replayed - found.recorded)) / found.recorded;
  const { times, switches, most } = found;
  const of = ({ exact, all }: Agreement, what: string): string => `${exact} of ${all} ${what}`;
  return {
    id: `identity ${name}`,
    says: `replayed with its own costs the run takes as long as recorded, within ${IDENTITY_PERCENT} %`,
    found: `${found.replayed} for ${found.recorded} clock units, ${error.toFixed(4)} %; ${of(times, "entries and returns")} and ${of(switches, "switches")} in the very cycle, none more than ${most} off`,
    holds: Math.abs(error) <= IDENTITY_PERCENT,
  };
}

/** Paths of data/kernels that make up each way of a trace. */
const WAYS: Readonly<Partial<Record<PathName, readonly string[]>>> = {
  A: ["A"],
  B: ["stub.sysenter", "B"],
  C: ["C"],
  D: ["D"],
  E: ["E"],
  F: ["F"],
  G: ["G"],
  H: ["G", "starvation"],
  I: ["I"],
  J: ["J"],
};

/** The era whose entry code a trace's kernel has. */
function eraOf(trace: Trace, data: ModelData): Kernel | undefined {
  const kernel = trace.meta.kernel ?? "";
  return data.kernels.get(kernel === "linux" ? "linux-4.0" : kernel);
}

/** The most frequent instruction counts of each way in a trace beside the model's; direct calls less their arguments. */
function ways(name: string, trace: Trace, data: ModelData): Check | undefined {
  const kernel = eraOf(trace, data);
  if (kernel === undefined) return undefined;
  const { events } = trace;
  const seen = new Map<PathName, Map<number, number>>();
  for (let seq = 0; seq < events.length; seq++) {
    const path = PATHS[events.path[seq]];
    const known =
      WAYS[path] !== undefined &&
      events.kind[seq] !== KIND.sigreturn &&
      events.kinstr[seq] > 0 &&
      (events.flags[seq] & FLAG.exit_work) === 0;
    const call = data.i386.get(events.nr[seq]);
    if (!known || call?.class === "exec") continue;
    const args = call?.args ?? 0;
    const pushed = path !== "C" ? 0 : args === 0 ? 1 : args;
    const counts = seen.get(path) ?? new Map<number, number>();
    const instructions = events.kinstr[seq] - pushed;
    counts.set(instructions, (counts.get(instructions) ?? 0) + 1);
    seen.set(path, counts);
  }
  const found: string[] = [];
  let worst = 0;
  for (const [path, counts] of [...seen].sort()) {
    const [usual] = [...counts].sort((a, b) => b[1] - a[1])[0];
    const mine = WAYS[path]!.reduce((sum, part) => sum + instructionsOf(kernel, part), 0);
    worst = Math.max(worst, Math.abs(usual - mine) / usual);
    found.push(`${path} ${mine}${mine === usual ? "" : ` (emulator ${usual})`}`);
  }
  return {
    id: `ways ${name}`,
    says: `ways in have as many instructions as the emulator executed on them, within ${WAY_PERCENT} %`,
    found: found.join(", "),
    holds: found.length > 0 && worst <= WAY_PERCENT / 100,
  };
}

/** What a ring-3 trace says of ring 0 beside what a ring-0 trace of the same command does. */
function counterfactual(name: string, ring3: Trace, ring0: Trace, data: ModelData): Check {
  const total = (trace: Trace): number => {
    const [kml] = whatif(trace, data, { mechanisms: ["kml"], draws: 0 }).mechanisms;
    return isResult(kml) ? kml.total : Number.NaN;
  };
  const [predicted, captured] = [total(ring3), total(ring0)];
  const error = (100 * (predicted - captured)) / captured;
  return {
    id: `counterfactual ${name}`,
    says: `ring 0 as predicted from the ring-3 trace takes as long as the ring-0 trace says, within ${COUNTERFACTUAL_PERCENT} %`,
    found: `${predicted} for ${captured} cycles on p4, ${error.toFixed(2)} %`,
    holds: Math.abs(error) <= COUNTERFACTUAL_PERCENT,
  };
}

/** All checks of some traces, given with their names; ring-3 and ring-0 traces of one command are compared. */
export function traceChecks(traces: readonly { name: string; trace: Trace }[], data: ModelData): Check[] {
  const checks: Check[] = [];
  for (const { name, trace } of traces) {
    checks.push(identity(name, trace, data));
    const way = ways(name, trace, data);
    if (way !== undefined) checks.push(way);
  }
  for (const { name, trace } of traces) {
    if (isRing0(trace)) continue;
    const same = JSON.stringify(trace.meta.argv);
    const other = traces.find((entry) => isRing0(entry.trace) && JSON.stringify(entry.trace.meta.argv) === same);
    if (other !== undefined) checks.push(counterfactual(name, trace, other.trace, data));
  }
  return checks;
}
