// Cycles of the program's own instructions: counts x CPI, in fixed point on running totals.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import type { Program } from "./program.ts";

/** Fractions of a cycle that CPI is counted in. */
export const CPI_UNITS = 4096;

/** Program work of every task under one processor's CPI: running totals, exact in units of 1/4096 cycle. */
export interface UserCycles {
  /** Units a program instruction (or nanosecond) takes, by mix. */
  readonly rates: Float64Array;
  /** Units of a task up to the end of each segment. */
  readonly units: Float64Array;
  /** Cycles of all of a task's instructions. */
  total(task: number): number;
}

/**
 * Cycles of program instructions per task: counts x CPI in fixed point on running totals, so that the sum over any stretch is within
 * one cycle of the exact one. `factor` multiplies them all.
 */
export function userCycles(program: Program, cpi: Float64Array, cyclesPerNs: number, factor = 1): UserCycles {
  const width = CLASSES.length;
  const rates = new Float64Array(program.mixes.length / width);
  for (let m = 0; m < rates.length; m++) {
    let instructions = 0;
    let cycles = 0;
    for (let c = 0; c < width; c++) {
      instructions += program.mixes[m * width + c];
      cycles += program.mixes[m * width + c] * cpi[c];
    }
    if (program.userUnit === "ns") rates[m] = Math.round(cyclesPerNs * factor * CPI_UNITS);
    else rates[m] = Math.round((instructions > 0 ? cycles / instructions : 1) * factor * CPI_UNITS);
  }
  const { user, mix, firstOfTask } = program.segments;
  const units = new Float64Array(user.length);
  for (let task = 0; task < program.tasks; task++) {
    let sum = 0;
    for (let s = firstOfTask[task]; s < firstOfTask[task + 1]; s++) {
      sum += user[s] * rates[mix[s]];
      units[s] = sum;
    }
    if (!(sum < Number.MAX_SAFE_INTEGER))
      throw new InputError("a task's cycles pass 2^53: the trace is too long for exact sums");
  }
  return {
    rates,
    units,
    total: (task) =>
      firstOfTask[task] < firstOfTask[task + 1] ? Math.floor(units[firstOfTask[task + 1] - 1] / CPI_UNITS) : 0,
  };
}
