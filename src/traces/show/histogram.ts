// How many times of each size: bins of about half a decade, from a tenth of a nanosecond to a day.

/** Where bins end: 1, 3, 10, 30, ... nanoseconds. A factor of two holds one of them at most. */
const BOUNDS: readonly number[] = Array.from(
  { length: 30 },
  (_, index) => (index % 2 === 0 ? 1 : 3) * 10 ** (index >> 1),
);

/** For each power of two, the bin that its smallest number is in. */
const FIRST_BIN = Uint8Array.from(
  { length: 64 },
  (_, exponent) => BOUNDS.filter((bound) => bound < 2 ** exponent).length,
);

/** One bin: times above `above`, up to `upTo` nanoseconds. */
export interface Bin {
  readonly above: number;
  readonly upTo: number;
  readonly counts: readonly number[];
}

/** Counts times by size. */
export class Histogram {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  readonly #view = new DataView(new ArrayBuffer(8));

  /** A time in nanoseconds; unknown ones are left out. */
  add(ns: number): void {
    if (Number.isNaN(ns)) return;
    if (ns < 2) {
      this.#counts[ns <= 1 ? 0 : 1]++;
      return;
    }
    this.#view.setFloat64(0, ns);
    const exponent = Math.min(63, (this.#view.getUint16(0) >> 4) - 1023);
    const bin = FIRST_BIN[exponent];
    this.#counts[bin < BOUNDS.length && ns > BOUNDS[bin] ? bin + 1 : bin]++;
  }

  get counts(): readonly number[] {
    return [...this.#counts];
  }
}

/** The bins of several histograms, from the first to the last that holds anything. */
export function bins(...histograms: readonly Histogram[]): Bin[] {
  const counts = histograms.map((histogram) => histogram.counts);
  const all = Array.from({ length: BOUNDS.length + 1 }, (_, bin) => ({
    above: bin === 0 ? 0 : BOUNDS[bin - 1],
    upTo: bin < BOUNDS.length ? BOUNDS[bin] : Number.POSITIVE_INFINITY,
    counts: counts.map((of) => of[bin]),
  }));
  const isFull = ({ counts: of }: Bin): boolean => of.some((count) => count > 0);
  const first = all.findIndex(isFull);
  return first < 0 ? [] : all.slice(first, all.findLastIndex(isFull) + 1);
}
