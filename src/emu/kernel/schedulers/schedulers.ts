// The schedulers by name.
import { Goodness } from "./goodness.ts";
import { ConstantTime } from "./o1.ts";
import { OwnScheduler } from "./own.ts";
import type { Policy, PolicyMachine } from "./policy.ts";
import { RoundRobin } from "./rr.ts";

const MADE = { emulator: OwnScheduler, rr: RoundRobin, goodness: Goodness, o1: ConstantTime } as const satisfies Record<
  string,
  new (
    machine: PolicyMachine,
  ) => Policy
>;

export type SchedulerName = keyof typeof MADE;
export const SCHEDULER_NAMES = Object.keys(MADE) as SchedulerName[];
export const DEFAULT_SCHEDULER: SchedulerName = "emulator";

export function makePolicy(name: SchedulerName, machine: PolicyMachine): Policy {
  return new MADE[name](machine);
}
