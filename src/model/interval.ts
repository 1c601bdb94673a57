// A number with the bounds that nine of ten draws lie in.

export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** The number of sorted samples below which a given share of them lies. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low);
}

/** The bounds of 90 % of the samples, widened to hold the value; without samples the value alone. */
export function interval(value: number, samples: readonly number[]): Interval {
  if (samples.length === 0) return { value, low: value, high: value };
  const sorted = [...samples].sort((a, b) => a - b);
  return { value, low: Math.min(value, quantile(sorted, 0.05)), high: Math.max(value, quantile(sorted, 0.95)) };
}
