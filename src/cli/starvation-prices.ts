// What starvation and its remedies cost on each processor, in cycles, from the model's prices: the nominal value and where nine
// of ten draws lie.
import type { ModelData } from "../model/data.ts";
import { type Interval, interval } from "../model/interval.ts";
import { NoData, Prices } from "../model/prices.ts";
import type { Profile } from "../model/profiles.ts";
import { type Draws, draws, NOMINAL } from "../model/random.ts";

const KERNEL = "kml-4.0";
const DRAWS = 400;
const SEED = 1;
/** Instructions with which KML on AMD64 leaves its interrupt stack for the kernel's, which every exception goes through there. */
const IST = { low: 20, high: 25 } as const;
const LARGE_PAGE = 4 << 20;

export interface StarvationPrices {
  readonly profile: string;
  readonly mhz: number;
  /** Way in and out of a page fault in ring 0 with its stack, and without it. */
  readonly fault: Interval;
  readonly starved: Interval;
  /** Of the starved one, port accesses. */
  readonly ports: number;
  /** A fault when every exception first lands on a stack of its own. */
  readonly ist: Interval;
  /** The copy of a page of 4 MB, which the first push after fork would take. */
  readonly largePage: Interval;
}

const sum = (parts: Float64Array): number => parts.reduce((total, part) => total + part, 0);

function costs(
  data: ModelData,
  profile: Profile,
  at: Draws,
): [fault: number, starved: number, ist: number, large: number] {
  const prices = new Prices(data, profile, data.kernels.get(KERNEL)!, at);
  const routes = prices.routes("kml");
  const fault = sum(prices.paths(routes.fault));
  const instructions = IST.low + (IST.high - IST.low) * at("ist instructions");
  return [
    fault,
    sum(prices.paths(routes.starved)),
    fault + instructions * prices.primitive("i.push"),
    LARGE_PAGE * prices.body("read", "copy"),
  ];
}

/** Cycles of the port accesses among them. */
function portCycles(data: ModelData, profile: Profile): number {
  const kernel = data.kernels.get(KERNEL)!;
  const prices = new Prices(data, profile, kernel);
  return prices.routes("kml").starved.reduce((cycles, path) => {
    const items = kernel.paths.get(path) ?? [];
    const ports = items.filter(({ primitive }) => primitive === "i.port_io").reduce((sum, { count }) => sum + count, 0);
    return cycles + (ports > 0 ? ports * prices.primitive("i.port_io") : 0);
  }, 0);
}

/** Every processor that has hardware task switches and published enough. */
export function starvationPrices(data: ModelData): StarvationPrices[] {
  const found: StarvationPrices[] = [];
  for (const profile of data.profiles.values()) {
    try {
      const nominal = costs(data, profile, NOMINAL);
      const samples = Array.from({ length: DRAWS }, (_, i) => costs(data, profile, draws(SEED, i)));
      const [fault, starved, ist, largePage] = nominal.map((value, n) =>
        interval(
          value,
          samples.map((row) => row[n]),
        ),
      );
      const ports = portCycles(data, profile);
      found.push({ profile: profile.id, mhz: profile.mhz, fault, starved, ports, ist, largePage });
    } catch (error) {
      if (!(error instanceof NoData)) throw error;
    }
  }
  return found;
}
