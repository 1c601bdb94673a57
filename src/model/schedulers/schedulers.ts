// The schedulers by name.
import { InputError } from "../../errors.ts";
import { CompletelyFair } from "./cfs.ts";
import { EmulatorScheduler } from "./emulator.ts";
import { Goodness } from "./goodness.ts";
import { ConstantTime } from "./o1.ts";
import { RoundRobin } from "./rr.ts";
import type { Scheduler, SchedulerMachine } from "./scheduler.ts";

const MADE: Readonly<Record<string, new (machine: SchedulerMachine) => Scheduler>> = {
  rr: RoundRobin,
  goodness: Goodness,
  o1: ConstantTime,
  cfs: CompletelyFair,
  emulator: EmulatorScheduler,
};

export const SCHEDULERS: readonly string[] = Object.keys(MADE);

/** Throws InputError for a scheduler that does not exist. */
export function checkScheduler(name: string): string {
  if (!Object.hasOwn(MADE, name)) throw new InputError(`no scheduler "${name}"; there are ${SCHEDULERS.join(", ")}`);
  return name;
}

/** A scheduler by name, for one replay. */
export function makeScheduler(name: string, machine: SchedulerMachine): Scheduler {
  return new MADE[checkScheduler(name)](machine);
}
