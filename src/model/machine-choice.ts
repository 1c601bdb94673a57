// The machine that a trace is replayed on, as far as the user may choose it.
import { InputError } from "../errors.ts";
import type { DiskTimes } from "./disk.ts";
import type { Kernel } from "./kernels.ts";
import type { Overrides, Prices } from "./prices.ts";
import { checkScheduler } from "./schedulers/schedulers.ts";

export interface MachineChoice {
  /** Default: the kernel's own. */
  readonly scheduler?: string;
  /** Default: 1. */
  readonly cpus?: number;
  /** `ideal`: every request takes what it took when it was recorded; `seek`: an arm, a platter and a queue. Default: ideal. */
  readonly disk?: string;
  /** MiB for programs and the page cache. Default: as much as when it was recorded. */
  readonly memory?: number;
  /** Which page gives up its frame: `two-list` or `lru`. Default: two-list. */
  readonly reclaim?: string;
}

export const DISKS: readonly string[] = ["ideal", "seek"];

/** Times of the disk in the tables. */
export function diskTimes(prices: Prices): DiskTimes {
  const ns = (key: string): number => prices.primitive(`disk.${key}`) * 1000;
  for (const key of ["disk.turn", "disk.byte"])
    if (!(prices.primitive(key) > 0)) throw new InputError(`${key}=0: it must be more than 0`);
  const bytes = (key: string): number => Math.max(1, Math.round(prices.primitive(`disk.${key}`))) * 2 ** 20;
  return {
    commandNs: ns("command"),
    bufferedNs: ns("buffered"),
    trackNs: ns("track"),
    seekNs: ns("seek"),
    turnNs: ns("turn"),
    nsPerByte: ns("byte"),
    span: bytes("span"),
    stroke: bytes("stroke"),
    ahead: Math.round(prices.primitive("disk.ahead")),
  };
}

/** More would be beyond what the kernels of the model ran on. */
const MOST_CPUS = 64;

/** Throws InputError for a machine that cannot be. */
export function checkMachine({ scheduler, cpus, disk }: MachineChoice): void {
  if (disk !== undefined && !DISKS.includes(disk))
    throw new InputError(`no disk "${disk}"; there are ${DISKS.join(", ")}`);
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
