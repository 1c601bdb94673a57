// Options that commands asking the model share, and how their words are read.
import { InputError } from "../errors.ts";
import type { MachineChoice } from "../model/machine-choice.ts";
import { RECLAIMS } from "../model/memory/replacement.ts";
import { SCHEDULERS } from "../model/schedulers/schedulers.ts";
import type { Trace } from "../traces/trace.ts";

/** "a,b c" -> [a, b, c]; undefined stays undefined. */
export function list(words: string | undefined): string[] | undefined {
  return words?.split(/[,\s]+/).filter((word) => word !== "");
}

/** Reads KEY=VALUE settings. */
export function settings(words: readonly string[]): Map<string, number> {
  const set = new Map<string, number>();
  for (const word of words) {
    const at = word.indexOf("=");
    const text = at < 0 ? "" : word.slice(at + 1).trim();
    const value = Number(text);
    if (at <= 0 || text === "" || Number.isNaN(value))
      throw new InputError(`--set ${word}: write KEY=NUMBER, as in --set hw.sysenter=200`);
    set.set(word.slice(0, at).trim(), value);
  }
  return set;
}

/** The machine that was asked for, out of all of a command's arguments. */
export function machineOf({ scheduler, cpus, disk, memory, reclaim }: MachineChoice): MachineChoice {
  return { scheduler, cpus, disk, memory, reclaim };
}

/** Options that say which machine a trace is replayed on. */
export const MACHINE_OPTIONS = {
  scheduler: { type: "string", requiresArg: true, describe: `${SCHEDULERS.join(", ")} (default: the kernel's own)` },
  cpus: { type: "number", requiresArg: true, describe: "CPUs of the machine (default 1)" },
  disk: {
    type: "string",
    requiresArg: true,
    describe: "ideal: requests take what was recorded; seek: an arm, a platter, a queue (default ideal)",
  },
  memory: { type: "number", requiresArg: true, describe: "MiB for programs and the page cache (default: as recorded)" },
  reclaim: {
    type: "string",
    requiresArg: true,
    describe: `which page goes: ${RECLAIMS.join(", ")} (default two-list)`,
  },
} as const;

/** A whole number from 0, or from 0 to `most`. */
export function wholeNumber(option: string, value: number, most = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? "from 0" : `from 0 to ${most}`;
    throw new InputError(`--${option} ${value}: write a whole number ${range}`);
  }
  return value;
}

/** What a 64-bit program is asked about when the question names nothing of the machine: a 64-bit one. */
export function targetOf(
  named: { target?: string; mech?: string; profile?: string; kernel?: string },
  { meta }: Trace,
): string | undefined {
  const { target, mech, profile, kernel } = named;
  if (target !== undefined || mech !== undefined || profile !== undefined || kernel !== undefined) return target;
  return meta.arch === "x86_64" ? "x86-64" : undefined;
}
