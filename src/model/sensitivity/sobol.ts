// Sobol's indices: which share of an output's variance a parameter causes alone (first) and with all others (total).
//
// Sampling and first indices after Saltelli and others, Variance based sensitivity analysis of model output, Computer Physics
// Communications 181 (2010), table 2 (b) and (f): N x (factors + 2) runs; totals after Jansen (1999). Intervals: 90 % of bootstrap
// samples over the N rows.
import { type Interval, interval } from "../interval.ts";
import { draw } from "../random.ts";
import type { Response } from "./one-at-a-time.ts";

/** Bootstrap samples behind each interval. */
const RESAMPLES = 400;

export interface Indices {
  /** Number of the factor, as in `factors`. */
  readonly factor: number;
  readonly first: Interval;
  readonly total: Interval;
}

/** Indices of one output; without any variance there are none. */
export interface Variances {
  readonly mean: number;
  readonly variance: number;
  readonly indices: readonly Indices[];
}

/**
 * Indices by output. A factor is a set of parameters that are drawn together; each parameter belongs to one factor.
 */
export function sobol(
  f: Response,
  parameters: number,
  factors: readonly (readonly number[])[],
  rows: number,
  seed: number,
): Variances[] {
  const a: number[][] = [];
  const b: number[][] = [];
  const ab: number[][][] = factors.map(() => []);
  const uA = new Float64Array(parameters);
  const uB = new Float64Array(parameters);
  const mixed = new Float64Array(parameters);
  for (let row = 0; row < rows; row++) {
    for (let p = 0; p < parameters; p++) {
      uA[p] = draw(seed, `sobol A ${p}`, row);
      uB[p] = draw(seed, `sobol B ${p}`, row);
    }
    a.push([...f(uA)]);
    b.push([...f(uB)]);
    factors.forEach((members, factor) => {
      mixed.set(uA);
      for (const p of members) mixed[p] = uB[p];
      ab[factor].push([...f(mixed)]);
    });
  }
  const outputs = a[0]?.length ?? 0;
  return Array.from({ length: outputs }, (_, output) => {
    const column = (of: readonly number[][]): Float64Array => Float64Array.from(of, (values) => values[output]);
    return variances(column(a), column(b), ab.map(column), seed);
  });
}

/** Estimates over some rows, each by its number: mean, variance, and first and total index of every factor in turn. */
function estimate(
  a: Float64Array,
  b: Float64Array,
  ab: readonly Float64Array[],
  rows: Int32Array,
): { mean: number; variance: number; first: number[]; total: number[] } {
  const n = rows.length;
  let sum = 0;
  for (const row of rows) sum += a[row] + b[row];
  const mean = sum / (2 * n);
  let squares = 0;
  for (const row of rows) squares += (a[row] - mean) ** 2 + (b[row] - mean) ** 2;
  const variance = squares / (2 * n);
  const first: number[] = [];
  const total: number[] = [];
  for (const mixed of ab) {
    let covariance = 0;
    let difference = 0;
    for (const row of rows) {
      covariance += (b[row] - mean) * (mixed[row] - a[row]);
      difference += (a[row] - mixed[row]) ** 2;
    }
    first.push(covariance / n / variance);
    total.push(difference / (2 * n) / variance);
  }
  return { mean, variance, first, total };
}

function variances(a: Float64Array, b: Float64Array, ab: readonly Float64Array[], seed: number): Variances {
  const n = a.length;
  const all = estimate(
    a,
    b,
    ab,
    Int32Array.from(a, (_, row) => row),
  );
  if (!(all.variance > 0)) return { mean: all.mean, variance: 0, indices: [] };
  const firsts: number[][] = ab.map(() => []);
  const totals: number[][] = ab.map(() => []);
  for (let sample = 0; sample < RESAMPLES; sample++) {
    const rows = Int32Array.from(a, (_, row) => Math.floor(draw(seed, `sobol bootstrap ${sample}`, row) * n));
    const again = estimate(a, b, ab, rows);
    if (!(again.variance > 0)) continue;
    again.first.forEach((value, factor) => {
      firsts[factor].push(value);
    });
    again.total.forEach((value, factor) => {
      totals[factor].push(value);
    });
  }
  return {
    mean: all.mean,
    variance: all.variance,
    indices: ab.map((_, factor) => ({
      factor,
      first: interval(all.first[factor], firsts[factor]),
      total: interval(all.total[factor], totals[factor]),
    })),
  };
}
