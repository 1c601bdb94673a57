// The model against numbers: published and measured calls (what is fitted and what is tested is frozen in data/validation.csv),
// and checks that must hold whatever the costs are (closed forms, conservation, identity).
import type { Trace } from "../traces/trace.ts";
import { type Bounds, boundsOf, type Target, targets } from "./accuracy.ts";
import type { Check } from "./check.ts";
import { type Counterfactual, counterfactuals } from "./counterfactual.ts";
import type { ModelData } from "./data.ts";
import { memoryCaptures } from "./memory-counterfactual.ts";
import { cyclesOf, isPredicted, predictRow, type Role, type Row, readRows } from "./published.ts";
import { scheduledCaptures } from "./scheduler-counterfactual.ts";
import { traceChecks } from "./trace-checks.ts";
import { verificationChecks } from "./verify.ts";

/** One measured call and what the model says of it. Cycles. */
export interface Comparison {
  readonly id: string;
  readonly role: Role;
  readonly profile: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly call: string;
  readonly measured: number;
  readonly predicted: number;
  /** Of the total, in percent of the measured one. */
  readonly errorPercent: number;
  readonly tolerancePercent: number | null;
  /** Against another measured row of the same machine; null where there is none. */
  readonly saving: {
    readonly against: string;
    readonly measured: number;
    readonly predicted: number;
    readonly errorPercent: number;
    /** Error on the saving of the null models: nothing is saved; every call saves what an empty one saves. */
    readonly noSavingErrorPercent: number;
    readonly sameSavingErrorPercent: number;
  } | null;
  /** Of a tested row, when asked for: where 90 % of the draws of the total lie. */
  readonly bounds: Bounds | null;
  readonly holds: boolean | null;
  readonly source: string;
}

export interface Validation {
  readonly comparisons: readonly Comparison[];
  readonly targets: readonly Target[];
  readonly checks: readonly Check[];
  readonly counterfactuals: readonly Counterfactual[];
  readonly holds: boolean;
}

function percent(predicted: number, measured: number): number {
  return (100 * (predicted - measured)) / measured;
}

/** The saving of a row against another, as measured, as predicted, and as the null models have it. */
function savingOf(data: ModelData, row: Row, other: Row): Comparison["saving"] {
  const measured = Math.abs(cyclesOf(row, data) - cyclesOf(other, data));
  const predicted = Math.abs(predictRow(data, row) - predictRow(data, other));
  const calls = row.call.split("+").length;
  const empty =
    calls * Math.abs(predictRow(data, row, undefined, "getpid") - predictRow(data, other, undefined, "getpid"));
  return {
    against: `${other.kernel} ${other.mechanism}`,
    measured,
    predicted,
    errorPercent: percent(predicted, measured),
    noSavingErrorPercent: -100,
    sameSavingErrorPercent: percent(empty, measured),
  };
}

/** Compares every row of data/validation.csv, given as text, that the model has something to say of; `bounded`: with intervals. */
export function compareAll(data: ModelData, text: string, bounded = false): Comparison[] {
  const rows = readRows(text);
  const byId = new Map(rows.map((row) => [row.id, row]));
  return rows
    .filter((row) => isPredicted(row))
    .map((row): Comparison => {
      const { id, role, profile, kernel, mechanism, call, source, tolerance } = row;
      const measured = cyclesOf(row, data);
      const predicted = predictRow(data, row);
      const errorPercent = percent(predicted, measured);
      const other = byId.get(row.against);
      return {
        id,
        role,
        profile,
        kernel,
        mechanism,
        call,
        measured,
        predicted,
        errorPercent,
        tolerancePercent: tolerance ?? null,
        saving: other === undefined ? null : savingOf(data, row, other),
        bounds: bounded && role === "test" ? boundsOf(data, row) : null,
        holds: role === "test" ? Math.abs(errorPercent) <= (tolerance ?? 0) : null,
        source,
      };
    });
}

/** Medians, coverage and null models over the tested rows, beside what was asked. */
export function judge(comparisons: readonly Comparison[]): Target[] {
  return targets(comparisons.filter(({ role }) => role === "test"));
}

/**
 * Everything that is checked: the rows of data/validation.csv given as text, the machine, and traces if there are any; captures of one
 * program by several ways into the kernel are compared with what the one by SYSENTER predicts.
 */
export function validate(
  data: ModelData,
  text: string,
  traces: readonly { name: string; trace: Trace }[] = [],
  captures: readonly { name: string; trace: Trace }[] = traces,
): Validation {
  const comparisons = compareAll(data, text, true);
  const checks = [...verificationChecks(data), ...traceChecks(traces, data)];
  const predictions = [...counterfactuals(captures), ...scheduledCaptures(captures, data), ...memoryCaptures(captures)];
  const holds =
    comparisons.every((row) => row.holds !== false) &&
    checks.every((check) => check.holds) &&
    predictions.every((row) => row.holds);
  return { comparisons, targets: judge(comparisons), checks, counterfactuals: predictions, holds };
}
