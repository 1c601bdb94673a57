// Options of commands that ask the model under conditions (src/model/conditions.ts), and how their words are read.
import type { Options } from "yargs";
import type { Conditions } from "../model/conditions.ts";

/** What the options give. */
export interface ConditionArguments {
  protection?: string;
  pollution?: string;
  hypervisor?: string;
}

export const CONDITION_OPTIONS: Readonly<Record<keyof ConditionArguments, Options>> = {
  protection: {
    type: "string",
    requiresArg: true,
    describe: "what checks ring-0 programs in the hardware's place, as sfi (data/protection.csv)",
  },
  pollution: { choices: ["on", "off"], requiresArg: true, describe: "slow the program after traps (off)" },
  hypervisor: {
    type: "string",
    requiresArg: true,
    describe: "what runs below the kernel, as vmware-bt, hw or hw-int (data/hypervisors.csv)",
  },
};

/** The conditions that were asked for. */
export function conditionsOf({ protection, pollution, hypervisor }: ConditionArguments): Conditions {
  return { protection, pollution: pollution === "on", hypervisor };
}
