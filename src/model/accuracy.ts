// How well the model does on the rows that it was not fitted on: intervals, coverage, medians, and the two null models.

import type { ModelData } from "./data.ts";
import { type Interval, interval } from "./interval.ts";
import { type Predictable, predictRow } from "./published.ts";
import { type Draws, draws } from "./random.ts";

/** Draws behind an interval. */
const DRAWS = 200;

/** 90 % of the draws of a row's total lie between them, and the value. */
export type Bounds = Pick<Interval, "low" | "high">;

/** Bounds of a row's total, with fits solved again in each draw. */
export function boundsOf(data: ModelData, row: Predictable, seed = 1): Bounds {
  const of = (from?: Draws): number => predictRow(data, row, from);
  const values = Array.from({ length: DRAWS }, (_, index) => of(draws(seed, index)));
  const { low, high } = interval(of(), values);
  return { low, high };
}

/** The middle number; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A number that was asked of the model, and whether it is reached. Missing one breaks nothing: it is said. */
export interface Target {
  readonly id: string;
  readonly says: string;
  readonly found: number;
  readonly unit: string;
  readonly reached: boolean;
}

/** What of a comparison the medians need. */
export interface Judged {
  readonly measured: number;
  readonly errorPercent: number;
  readonly bounds: Bounds | null;
  readonly saving: {
    readonly measured: number;
    readonly errorPercent: number;
    readonly noSavingErrorPercent: number;
    readonly sameSavingErrorPercent: number;
  } | null;
}

/** Medians, coverage and width over the tested rows, beside what was asked. */
export function targets(tested: readonly Judged[]): Target[] {
  const size = (errors: readonly number[]): number => median(errors.map(Math.abs));
  const savings = tested.flatMap(({ saving }) => (saving === null ? [] : [saving]));
  const total = size(tested.map(({ errorPercent }) => errorPercent));
  const saving = size(savings.map(({ errorPercent }) => errorPercent));
  const none = size(savings.map(({ noSavingErrorPercent }) => noSavingErrorPercent));
  const same = size(savings.map(({ sameSavingErrorPercent }) => sameSavingErrorPercent));
  const bounded = tested.flatMap(({ measured, bounds }) => (bounds === null ? [] : [{ measured, bounds }]));
  const inside = bounded.filter(({ measured, bounds: { low, high } }) => low <= measured && measured <= high).length;
  const coverage = (100 * inside) / bounded.length;
  const width = bounded.reduce((sum, { measured, bounds: { low, high } }) => sum + (high - low) / measured, 0);
  const target = (id: string, says: string, found: number, reached: boolean): Target => ({
    id,
    says,
    found,
    unit: "%",
    reached,
  });
  return [
    target("saving", `median error of the saving, ${savings.length} rows: at most 10 %`, saving, saving <= 10),
    target("total", `median error of the total, ${tested.length} rows: at most 5 %`, total, total <= 5),
    target("no-saving", "median error of the saving if nothing were saved: more than the model's", none, none > saving),
    target(
      "same-saving",
      "median error of the saving if every call saved what an empty one does: more than the model's",
      same,
      same > saving,
    ),
    target("coverage", "totals that lie within 90 % of the draws: at least 80 %", coverage, coverage >= 80),
    target("width", "mean width of those intervals, of the measured total", (100 * width) / bounded.length, true),
  ];
}
