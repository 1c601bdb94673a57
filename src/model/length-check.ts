// Refuses replays that would take the host hours, or whose sums would not be exact.
import { InputError } from "../errors.ts";
import type { MachineTimes } from "./replay.ts";
import type { TaskLines } from "./task-lines.ts";

/** Ticks and turns of one replay. */
const MOST_INTERRUPTIONS = 5e7;

/** Throws InputError for more ticks and turns than anyone needs, or cycles beyond 2^52. `period`: cycles between turns. */
export function checkLength(lines: TaskLines, tasks: number, { tickCycles }: MachineTimes, period: number): void {
  let cycles = 0;
  let running = 0;
  for (let task = 0; task < tasks; task++) {
    cycles += lines.length(task);
    if (lines.length(task) > 0) running++;
  }
  if (!(cycles < 2 ** 52))
    throw new InputError(`the trace takes ${cycles} cycles, beyond 2^52: too long for exact sums`);
  const turns = running > 1 ? cycles / period : 0;
  if (turns + (tickCycles > 0 ? cycles / tickCycles : 0) > MOST_INTERRUPTIONS) {
    throw new InputError(
      `${cycles} cycles would be interrupted more than ${MOST_INTERRUPTIONS} times: lower hz or raise quantum_us`,
    );
  }
}
