// What every figure works with: the model's tables, the traces, how many draws stand behind an interval, and prices of single calls.
import type { ModelData } from "../src/model/data.ts";
import { type Interval, interval } from "../src/model/interval.ts";
import { NoData, Prices } from "../src/model/prices.ts";
import { type Draws, draws, NOMINAL } from "../src/model/random.ts";
import type { Trace } from "../src/traces/trace.ts";

/** Where figures get what they show from. */
export interface Lab {
  readonly data: ModelData;
  /** Text of a file of data/. */
  readonly file: (name: string) => string;
  /** A trace that comes with kmlab, by name: find-ring3. */
  readonly trace: (name: string) => Trace;
  /** Sets of parameter draws behind each interval. */
  readonly draws: number;
  readonly seed: number;
  /** What `make` gives, or gave before under this key, on which alone it must depend. */
  readonly kept: <T>(key: string, make: () => T) => T;
}

/** One way to make one call, on one processor under one kernel. */
export interface Way {
  readonly profile: string;
  readonly kernel: string;
  readonly mechanism: string;
}

/** Values of something at the costs' values and in every draw; what is made of two of them is made draw by draw. */
export class Drawn {
  readonly value: number;
  readonly samples: readonly number[];

  constructor(value: number, samples: readonly number[]) {
    this.value = value;
    this.samples = samples;
  }

  /** Puts two together; both must come from the same draws. */
  with(other: Drawn, f: (a: number, b: number) => number): Drawn {
    return new Drawn(
      f(this.value, other.value),
      this.samples.map((sample, index) => f(sample, other.samples[index])),
    );
  }

  /** The value with the bounds of 90 % of the draws. */
  get interval(): Interval {
    return interval(this.value, this.samples);
  }
}

/** Prices by profile and kernel, made once for the value and for every draw: all ways and calls see the same draws. */
export class PriceList {
  readonly #lab: Lab;
  readonly #times: ReadonlyMap<string, number>;
  readonly #lists = new Map<string, readonly Prices[]>();

  /** `times`: costs by name that are so many times what they are in every draw. */
  constructor(lab: Lab, times: ReadonlyMap<string, number> = new Map()) {
    this.#lab = lab;
    this.#times = new Map([...times].filter(([, factor]) => factor !== 1));
  }

  #drawn(profile: string, kernel: string, drawn: Draws): Prices {
    const { data } = this.#lab;
    const [processor, era] = [data.profiles.get(profile)!, data.kernels.get(kernel)!];
    const prices = new Prices(data, processor, era, drawn);
    if (this.#times.size === 0) return prices;
    const changed = new Map<string, number>();
    for (const [key, factor] of this.#times) {
      const cycles = known(prices, key);
      if (cycles !== undefined) changed.set(key, factor * cycles);
    }
    return new Prices(data, processor, era, drawn, changed);
  }

  #prices(profile: string, kernel: string): readonly Prices[] {
    const key = `${profile} ${kernel}`;
    let list = this.#lists.get(key);
    if (list === undefined) {
      const { draws: count, seed } = this.#lab;
      list = [NOMINAL, ...Array.from({ length: count }, (_, index) => draws(seed, index))].map((drawn) =>
        this.#drawn(profile, kernel, drawn),
      );
      this.#lists.set(key, list);
    }
    return list;
  }

  /** Prices at the values. */
  nominal(profile: string, kernel: string): Prices {
    return this.#prices(profile, kernel)[0];
  }

  /** Whatever a price list says, at the values and in every draw. */
  of(profile: string, kernel: string, what: (prices: Prices) => number): Drawn {
    const [value, ...samples] = this.#prices(profile, kernel).map(what);
    return new Drawn(value, samples);
  }

  /** Cycles of calls (open+close; "-": the way in and out alone) with the least work. */
  call({ profile, kernel, mechanism }: Way, call: string): Drawn {
    const era = this.#lab.data.kernels.get(kernel)!;
    return this.of(profile, kernel, (prices) => prices.nullCall(era, mechanism, call));
  }
}

/** A cost, if this processor has it. */
function known(prices: Prices, key: string): number | undefined {
  try {
    return prices.primitive(key);
  } catch (error) {
    if (error instanceof NoData) return undefined;
    throw error;
  }
}

/** A whole number with the digits grouped, or one with three significant digits. */
export function short(value: number): string {
  if (Math.abs(value) >= 1000) return value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, " ");
  return String(Number(value.toPrecision(3)));
}
