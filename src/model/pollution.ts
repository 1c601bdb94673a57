// What a trap does to the program after it: caches and predictors hold the kernel's things, and the program is slow until they are
// its own again. Off unless pollution.on is 1.
import type { Prices } from "./prices.ts";
import type { Program } from "./program.ts";
import type { Routes } from "./routes.ts";
import type { ShapeCosts } from "./shape-costs.ts";
import { RECORD } from "./shapes.ts";
import { CPI_UNITS, type UserCycles } from "./user-cycles.ts";

/** Lengths of stretches are kept in classes of a power of two. */
const CLASSES_OF_LENGTH = 48;

/** How long the program runs on its own after the records of each shape, by class of length: how often, and instructions in all. */
export interface Followers {
  readonly times: Float64Array;
  readonly instructions: Float64Array;
}

/** Counts them; they depend on the program alone. */
export function findFollowers(program: Program): Followers {
  const size = program.shapes.length * CLASSES_OF_LENGTH;
  const times = new Float64Array(size);
  const instructions = new Float64Array(size);
  for (let task = 0; task < program.tasks; task++) {
    for (let r = program.firstRecord[task] + 1; r < program.firstRecord[task + 1]; r++) {
      const length = program.user[r];
      const at =
        program.shape[r - 1] * CLASSES_OF_LENGTH + Math.min(CLASSES_OF_LENGTH - 1, Math.floor(Math.log2(length + 1)));
      times[at]++;
      instructions[at] += length;
    }
  }
  return { times, instructions };
}

/**
 * Instructions' worth of time that a stretch of n instructions loses when a share d of its speed is gone at its start and the loss
 * falls to 1/e in so many instructions: the integral of 1 / (1 - d e^(-x/length)) - 1 from 0 to n.
 */
export function lost(n: number, d: number, length: number): number {
  return d <= 0 || length <= 0 ? 0 : length * Math.log((1 - d * Math.exp(-n / length)) / (1 - d));
}

/** Cycles a program instruction takes, over the whole run. */
function meanCpi(program: Program, user: UserCycles): number {
  let [units, instructions] = [0, 0];
  const { user: amounts, mix } = program.segments;
  for (let s = 0; s < amounts.length; s++) {
    units += amounts[s] * user.rates[mix[s]];
    instructions += amounts[s];
  }
  return instructions > 0 ? units / instructions / CPI_UNITS : 0;
}

/**
 * Cycles that each shape's call costs the program after it, on average; undefined when none does. A call in a batch costs its share, one
 * without a trap what pollution.direct leaves.
 */
export function polluted(
  program: Program,
  followers: () => Followers,
  user: UserCycles,
  prices: Prices,
  routes: Routes,
  costs: ShapeCosts,
): Float64Array | undefined {
  if (prices.primitive("pollution.on") === 0) return undefined;
  const of = (name: string): number => prices.primitive(`pollution.${name}`);
  const [depth, length, whole] = [Math.min(0.999, of("depth")), of("length"), Math.max(1, of("body"))];
  const direct = routes.ring0 ? of("direct") : 0;
  const cpi = meanCpi(program, user);
  // Where only times are known a nanosecond stands for as many instructions as the processor has cycles in it.
  const fading = program.userUnit === "ns" && cpi > 0 ? length / cpi : length;
  const { times, instructions } = followers();
  const { shapes } = program;
  return Float64Array.from({ length: shapes.length }, (_, s) => {
    const trap = costs.traps?.[costs.way[s]] ?? 0;
    const weight = trap > 0 ? trap : direct;
    if (shapes.kind[s] !== RECORD.call || weight === 0 || shapes.count[s] === 0) return 0;
    const share = depth * Math.min(1, costs.body[s] / whole);
    let sum = 0;
    for (let at = s * CLASSES_OF_LENGTH; at < (s + 1) * CLASSES_OF_LENGTH; at++)
      if (times[at] > 0) sum += times[at] * lost(instructions[at] / times[at], share, fading);
    return Math.round((weight * sum * cpi) / shapes.count[s]);
  });
}
