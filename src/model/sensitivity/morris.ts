// Morris's screening: elementary effects of each parameter along random walks over a grid, in few runs.
//
// M. D. Morris, Factorial sampling plans for preliminary computational experiments, Technometrics 33 (1991); mu* is the mean of the
// absolute effects (Campolongo and others 2007). Four levels a parameter, steps of two thirds of its range.
import { draw } from "../random.ts";
import type { Response } from "./one-at-a-time.ts";

const LEVELS = 4;
const STEP = LEVELS / (2 * (LEVELS - 1));

/** Effects of one parameter on one output: change of the output for a step over the whole range. */
export interface Effect {
  readonly parameter: number;
  /** Mean of the absolute effects: how much it matters. */
  readonly muStar: number;
  /** Their standard deviation: how far it depends on the others, or is not linear. */
  readonly sigma: number;
}

/** The order in which a walk changes the parameters: a shuffle by a named stream. */
function order(parameters: number, seed: number, walk: number): Int32Array {
  const of = Int32Array.from({ length: parameters }, (_, index) => index);
  for (let i = parameters - 1; i > 0; i--) {
    const j = Math.floor(draw(seed, `morris order ${walk}`, i) * (i + 1));
    [of[i], of[j]] = [of[j], of[i]];
  }
  return of;
}

/** `walks` x (parameters + 1) runs. Result: effects by output, then by parameter. */
export function morris(f: Response, parameters: number, walks: number, seed: number): Effect[][] {
  const u = new Float64Array(parameters);
  const effects: number[][][] = [];
  for (let walk = 0; walk < walks; walk++) {
    const up = new Uint8Array(parameters);
    for (let p = 0; p < parameters; p++) {
      // A start from which one step up, or one down, stays on the grid.
      const level = Math.floor(draw(seed, `morris start ${walk}`, p) * LEVELS);
      u[p] = level / (LEVELS - 1);
      up[p] = u[p] + STEP <= 1 + 1e-12 ? 1 : 0;
    }
    let before = f(u);
    for (const p of order(parameters, seed, walk)) {
      const signed = up[p] === 1 ? STEP : -STEP;
      u[p] = Math.min(1, Math.max(0, u[p] + signed));
      const after = f(u);
      after.forEach((value, output) => {
        effects[output] ??= Array.from({ length: parameters }, () => []);
        effects[output][p].push((value - before[output]) / signed);
      });
      before = after;
    }
  }
  return effects.map((of) => of.map((list, parameter) => summary(list, parameter)));
}

function summary(effects: readonly number[], parameter: number): Effect {
  const n = effects.length;
  const mean = effects.reduce((sum, value) => sum + value, 0) / n;
  const muStar = effects.reduce((sum, value) => sum + Math.abs(value), 0) / n;
  const squares = effects.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { parameter, muStar, sigma: n > 1 ? Math.sqrt(squares / (n - 1)) : 0 };
}
