// One replay of a prepared trace: what goes in, what comes out.
import type { DiskTimes } from "./disk.ts";
import { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { Program } from "./program.ts";
import type { MachineCosts, ShapeCosts } from "./shape-costs.ts";
import type { UserCycles } from "./user-cycles.ts";

/** Times of the machine. */
export interface MachineTimes {
  /** Cycles between timer ticks; 0: no ticks. */
  readonly tickCycles: number;
  /** Cycle of the first tick. */
  readonly firstTick: number;
  /** Cycles a task may run while others are ready. */
  readonly quantumCycles: number;
  /** Cycles a nanosecond. */
  readonly cyclesPerNs: number;
}

export interface ReplayOptions {
  /** Stop at every record instead of every interaction. */
  readonly perRecord?: boolean;
  /** Which scheduler (schedulers.ts). Default: round robin. */
  readonly scheduler?: string;
  /** Default: 1. */
  readonly cpus?: number;
  /** A disk that devices' completions come from. Default: what was recorded. */
  readonly disk?: DiskTimes;
  /** What data takes from socket to socket. Default: 0. */
  readonly loopbackNs?: number;
  /** Hears what happens, as it happens. */
  readonly observer?: Observer;
}

export interface Replayed {
  /** When the last task ended. */
  readonly makespan: number;
  /** Cycles by cause; they add up to CPUs x makespan. */
  readonly causes: Float64Array;
  /** When each task ended. */
  readonly finished: Float64Array;
  readonly ticks: number;
  readonly switches: number;
  /** Times a record had to wait. */
  readonly blocks: number;
}

/** Replays a program with ready user cycles, price lists and machine times. */
export function replay(
  program: Program,
  user: UserCycles,
  costs: ShapeCosts,
  machine: MachineCosts,
  times: MachineTimes,
  options: ReplayOptions = {},
): Replayed {
  return new Machine(program, user, costs, machine, times, options).run();
}
