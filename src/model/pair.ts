// A prepared trace on one processor under one kernel: which mechanisms can be had there, and replays of them with any costs.
import { CheckFailed, InputError } from "../errors.ts";
import { bodyFactor, withBodies } from "./anchored.ts";
import type { ModelData } from "./data.ts";
import type { Kernel } from "./kernels.ts";
import { checkMachine, diskTimes, type MachineChoice, schedulerOf } from "./machine-choice.ts";
import type { Observer } from "./observer.ts";
import { type Followers, findFollowers, polluted } from "./pollution.ts";
import { impossible, NoData, type Overrides, Prices } from "./prices.ts";
import type { Profile } from "./profiles.ts";
import type { Program } from "./program.ts";
import { type Draws, NOMINAL } from "./random.ts";
import { type MachineTimes, type Replayed, replay } from "./replay.ts";
import type { Mechanism } from "./routes.ts";
import { machineCosts, type ShapeCosts, shapeCosts, withPollution } from "./shape-costs.ts";
import { type UserCycles, userCycles } from "./user-cycles.ts";

/** What a replay is made with; everything that is left out is nominal. */
export interface Situation {
  /** Where in its range each cost lies. */
  readonly draws?: Draws;
  /** Where in its period the timer starts, 0 to 1. */
  readonly phase?: number;
  /** Costs and times set on top of the pair's own. */
  readonly set?: Overrides;
  /** Program cycles are multiplied by this. */
  readonly userFactor?: number;
  readonly observer?: Observer;
}

/** One replay: what happened, what each shape cost, and the program's own cycles. */
export interface One {
  readonly replayed: Replayed;
  readonly costs: ShapeCosts;
  readonly user: UserCycles;
}

/** Clock, ticks and quantum of a processor under a kernel. */
export function machineTimes(
  profile: Profile,
  kernel: Kernel,
  set: ReadonlyMap<string, number>,
  phase: number,
): MachineTimes {
  const mhz = set.get("mhz") ?? profile.mhz;
  const hz = set.get("hz") ?? kernel.hz;
  const tickCycles = hz === 0 ? 0 : Math.max(1, Math.round((mhz * 1e6) / hz));
  return {
    tickCycles,
    firstTick: Math.max(1, Math.round(tickCycles * phase)),
    quantumCycles: Math.max(1, Math.round((set.get("quantum_us") ?? kernel.quantumUs) * mhz)),
    cyclesPerNs: mhz / 1000,
  };
}

function total(cycles: Float64Array): number {
  return cycles.reduce((sum, value) => sum + value, 0);
}

/** A prepared trace on one processor under one kernel. */
export class Pair {
  readonly program: Program;
  readonly data: ModelData;
  readonly profile: Profile;
  readonly kernel: Kernel;
  readonly set: Overrides;
  /** The mechanisms that can be had here, in the order asked for; the first is what others are compared with. */
  readonly possible: readonly Mechanism[];
  /** Why the others cannot. */
  readonly missing: ReadonlyMap<Mechanism, string>;
  /** CPUs of the machine, and their scheduler. */
  readonly cpus: number;
  readonly scheduler: string;
  readonly #seeks: boolean;
  readonly #base: Mechanism | undefined;
  readonly #perRecord: boolean;
  readonly #nominal = new Map<Mechanism, One>();
  #counted: Followers | undefined;
  readonly #followers = (): Followers => {
    this.#counted ??= findFollowers(this.program);
    return this.#counted;
  };

  constructor(
    program: Program,
    data: ModelData,
    profile: Profile,
    kernel: Kernel,
    mechanisms: readonly Mechanism[],
    set: Overrides = new Map(),
    choice: MachineChoice & { readonly perRecord?: boolean } = {},
  ) {
    checkMachine(choice);
    this.program = program;
    this.data = data;
    this.profile = profile;
    this.kernel = kernel;
    this.set = set;
    this.cpus = choice.cpus ?? 1;
    this.scheduler = schedulerOf(choice, kernel, set);
    this.#seeks = choice.disk === "seek";
    this.#perRecord = choice.perRecord === true;
    const missing = new Map<Mechanism, string>();
    const prices = this.prices();
    this.#base = mechanisms.find((mechanism) => impossible(prices, mechanism) === undefined);
    this.possible = mechanisms.filter((mechanism) => {
      const why = impossible(prices, mechanism) ?? this.#tryNominal(mechanism);
      if (why !== undefined) missing.set(mechanism, why);
      return why === undefined;
    });
    this.missing = missing;
  }

  #tryNominal(mechanism: Mechanism): string | undefined {
    try {
      this.#nominal.set(mechanism, this.replay(mechanism));
      return undefined;
    } catch (error) {
      if (error instanceof NoData) return error.message;
      throw error;
    }
  }

  /** The clock. */
  get mhz(): number {
    return this.set.get("mhz") ?? this.profile.mhz;
  }

  /** The replay with every cost at its value. Only for possible mechanisms. */
  nominal(mechanism: Mechanism): One {
    return this.#nominal.get(mechanism)!;
  }

  #settings(situation: Situation): Overrides {
    return situation.set === undefined ? this.set : new Map([...this.set, ...situation.set]);
  }

  prices(situation: Situation = {}): Prices {
    return new Prices(this.data, this.profile, this.kernel, situation.draws ?? NOMINAL, this.#settings(situation));
  }

  /** Replays some mechanisms under the same costs. Throws CheckFailed when causes do not add up to CPUs x makespan. */
  replayAll(mechanisms: readonly Mechanism[], situation: Situation = {}): One[] {
    const { program } = this;
    const prices = this.prices(situation);
    const times = machineTimes(this.profile, this.kernel, this.#settings(situation), situation.phase ?? 1);
    const byFactor = new Map<number, UserCycles>();
    const userOf = (factor: number): UserCycles => {
      const user = byFactor.get(factor) ?? userCycles(program, prices.cpi(), times.cyclesPerNs, factor);
      byFactor.set(factor, user);
      return user;
    };
    const anchor = this.#anchor(prices, times.cyclesPerNs);
    return mechanisms.map((mechanism) => {
      const routes = prices.routes(mechanism);
      const user = userOf((situation.userFactor ?? 1) * (routes.ring0 ? prices.primitive("protection.user") : 1));
      const priced = anchor(shapeCosts(program.shapes, prices, mechanism));
      const costs = withPollution(priced, polluted(program, this.#followers, user, prices, routes, priced));
      const machine = machineCosts(prices, mechanism);
      const tick = Math.max(total(machine.tickInKernel), total(machine.tickInUser));
      if (times.tickCycles > 0 && tick >= times.tickCycles) {
        throw new InputError(
          `a timer tick takes ${tick} cycles and comes every ${times.tickCycles}: nothing else would ever run; lower hz or body.tick.a`,
        );
      }
      const replayed = replay(program, user, costs, machine, times, {
        perRecord: this.#perRecord,
        scheduler: this.scheduler,
        cpus: this.cpus,
        disk: this.#seeks ? diskTimes(prices) : undefined,
        loopbackNs: prices.primitive("net.loopback") * 1000,
        observer: situation.observer,
      });
      const sum = total(replayed.causes);
      if (
        sum !== this.cpus * replayed.makespan ||
        replayed.causes.some((cycles) => cycles < 0 || !Number.isSafeInteger(cycles))
      ) {
        throw new CheckFailed(
          `${mechanism} on ${this.profile.id}: causes add up to ${sum}, the makespan of ${this.cpus} CPUs is ${replayed.makespan}`,
        );
      }
      return { replayed, costs, user };
    });
  }

  /** What makes calls by the base take the system time that the trace was scaled to. */
  #anchor(prices: Prices, cyclesPerNs: number): (costs: ShapeCosts) => ShapeCosts {
    const { kernelNs, shapes } = this.program;
    if (kernelNs === undefined || this.#base === undefined) return (costs) => costs;
    const factor = bodyFactor(shapes, shapeCosts(shapes, prices, this.#base), kernelNs * cyclesPerNs);
    return (costs) => withBodies(shapes, costs, factor);
  }

  /** Replays one mechanism. */
  replay(mechanism: Mechanism, situation: Situation = {}): One {
    return this.replayAll([mechanism], situation)[0];
  }

  /** Cycles from the first task's start to the last one's end, of every possible mechanism. */
  makespans(situation: Situation = {}): number[] {
    return this.replayAll(this.possible, situation).map(({ replayed }) => replayed.makespan);
  }
}
