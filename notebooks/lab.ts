// What every figure works with: the model's tables, the traces, how many draws stand behind an interval, and prices of single calls.
import type { ModelData } from "../src/model/data.ts";
import { type Interval, interval } from "../src/model/interval.ts";
import { Prices } from "../src/model/prices.ts";
import { draws, NOMINAL } from "../src/model/random.ts";
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
  readonly #lists = new Map<string, readonly Prices[]>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  #prices(profile: string, kernel: string): readonly Prices[] {
    const key = `${profile} ${kernel}`;
    let list = this.#lists.get(key);
    if (list === undefined) {
      const { data, seed } = this.#lab;
      const [processor, era] = [data.profiles.get(profile)!, data.kernels.get(kernel)!];
      list = [
        new Prices(data, processor, era, NOMINAL),
        ...Array.from({ length: this.#lab.draws }, (_, index) => new Prices(data, processor, era, draws(seed, index))),
      ];
      this.#lists.set(key, list);
    }
    return list;
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

/** A whole number with the digits grouped, or one with three significant digits. */
export function short(value: number): string {
  if (Math.abs(value) >= 1000) return value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, " ");
  return String(Number(value.toPrecision(3)));
}
