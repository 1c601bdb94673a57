// Cycles of the program's own instructions: counts x CPI, in fixed point on running totals.
import { InputError } from "../errors.ts";
import { CLASSES } from "../traces/schema/enums.ts";
import type { Program } from "./program.ts";

/** Fractions of a cycle that CPI is counted in. */
export const CPI_UNITS = 4096;

/**
 * Cycles of program instructions up to and including each record, per task: counts x CPI in fixed point on running totals, so that
 * the sum over any stretch is within one cycle of the exact one. `factor` multiplies them all.
 */
export function userCycles(program: Program, cpi: Float64Array, cyclesPerNs: number, factor = 1): Float64Array {
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
  const { user, mixOf, firstRecord } = program;
  const totals = new Float64Array(program.records);
  for (let task = 0; task < program.tasks; task++) {
    let units = 0;
    for (let r = firstRecord[task]; r < firstRecord[task + 1]; r++) {
      units += user[r] * rates[mixOf[r]];
      totals[r] = Math.floor(units / CPI_UNITS);
    }
    if (!(units < Number.MAX_SAFE_INTEGER))
      throw new InputError("a task's cycles pass 2^53: the trace is too long for exact sums");
  }
  return totals;
}
