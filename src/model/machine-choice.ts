// The machine that a trace is replayed on, as far as the user may choose it.
import { InputError } from "../errors.ts";
import type { Kernel } from "./data.ts";
import type { Overrides } from "./prices.ts";
import { checkScheduler } from "./schedulers/schedulers.ts";

export interface MachineChoice {
  /** Default: the kernel's own. */
  readonly scheduler?: string;
  /** Default: 1. */
  readonly cpus?: number;
}

/** More would be beyond what the kernels of the model ran on. */
const MOST_CPUS = 64;

/** Throws InputError for a machine that cannot be. */
export function checkMachine({ scheduler, cpus }: MachineChoice): void {
  if (scheduler !== undefined) checkScheduler(scheduler);
  if (cpus !== undefined && !(Number.isInteger(cpus) && cpus >= 1 && cpus <= MOST_CPUS))
    throw new InputError(`${cpus} CPUs: write a whole number from 1 to ${MOST_CPUS}`);
}

/** The scheduler of a kernel on a chosen machine. A quantum that nobody would look at is refused. */
export function schedulerOf(choice: MachineChoice, kernel: Kernel, set: Overrides): string {
  const scheduler = choice.scheduler ?? kernel.scheduler;
  if (scheduler !== "rr" && set.has("quantum_us"))
    throw new InputError(
      `quantum_us is a number of the scheduler rr, and this one is ${scheduler}: choose scheduler rr`,
    );
  return scheduler;
}
