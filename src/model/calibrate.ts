// What is fitted on what: the published totals, the costs solved from them, and how the fitted model does on the rest.

import type { ModelData } from "./data.ts";
import { interval } from "./interval.ts";
import { Prices } from "./prices.ts";
import { draws } from "./random.ts";
import { type Comparison, compareAll } from "./validate.ts";

/** One cost solved from a total, in cycles. */
export interface FittedCost {
  readonly profile: string;
  readonly solves: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly call: string;
  /** The published total. */
  readonly target: number;
  /** What the fitted model gives for it. */
  readonly reached: number;
  /** The solved costs together; the bounds are those of 90 % of the draws of everything else. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly source: string;
}

export interface Calibration {
  readonly fitted: readonly FittedCost[];
  readonly comparisons: readonly Comparison[];
}

/** Draws behind the bounds of a fitted cost. */
const DRAWS = 200;

/** Fits every processor and compares with data/validation.csv, given as text. */
export function calibrate(data: ModelData, text: string): Calibration {
  const fitted: FittedCost[] = [];
  for (const profile of data.profiles.values()) {
    for (const fit of profile.fits) {
      const kernel = data.kernels.get(fit.kernel)!;
      const solved = (prices: Prices): number =>
        fit.solves.reduce((sum, key) => {
          const [, name, term] = key.split(".");
          return sum + (key.startsWith("body.") ? prices.body(name, term as "a", kernel) : prices.primitive(key));
        }, 0);
      const nominal = new Prices(data, profile, kernel);
      const drawn = Array.from({ length: DRAWS }, (_, index) =>
        solved(new Prices(data, profile, kernel, draws(1, index))),
      );
      fitted.push({
        profile: profile.id,
        solves: fit.solves.join(" + "),
        kernel: fit.kernel,
        mechanism: fit.mechanism,
        call: fit.call,
        target: fit.value ?? Number.NaN,
        reached: nominal.nullCall(kernel, fit.mechanism, fit.call, fit.inline),
        ...interval(solved(nominal), drawn),
        source: fit.source,
      });
    }
  }
  return { fitted, comparisons: compareAll(data, text) };
}
