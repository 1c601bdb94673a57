// The runs of an experiment, numbered: every combination of its values that its constraints allow, by every mechanism.
import { InputError } from "../../errors.ts";
import type { Where } from "../../yaml.ts";
import {
  checkSetting,
  defaultKernel,
  defaultMechanisms,
  defaultProfile,
  pickKernels,
  pickMechanisms,
  pickProfiles,
  settable,
} from "../choices.ts";
import { underConditions } from "../conditions.ts";
import type { ModelData } from "../data.ts";
import { checkMachine, schedulerOf } from "../machine-choice.ts";
import { checkMemory } from "../memory/memory.ts";
import type { Mechanism } from "../routes.ts";
import { Constraints } from "./constraints.ts";
import type { Experiment } from "./experiment.ts";
import type { Value } from "./expression.ts";
import { Expressions } from "./expressions.ts";
import { conditionsOf, machineOf } from "./question.ts";
import type { Values } from "./values.ts";

/** A trace of an experiment: what the table calls it. */
export interface TraceName {
  readonly trace: string;
  /** Which of several captures of one workload; "" when it is the only one. */
  readonly capture: string;
}

/** One combination of values, replayed by some mechanisms. */
export interface Point {
  /** Its trace, as a number in the plan's order. */
  readonly trace: number;
  /** Every parameter by its name; the mechanism is not among them. */
  readonly values: ReadonlyMap<string, Value>;
  /** Number of the run by each mechanism that is wanted, from 1. */
  readonly runs: readonly { readonly number: number; readonly mechanism: Mechanism }[];
}

export interface Plan {
  /** The parameters, in the order of the table. */
  readonly columns: readonly string[];
  /** The mechanisms: the first that is possible is what others are compared with. */
  readonly mechanisms: readonly Mechanism[];
  readonly draws: number;
  readonly points: readonly Point[];
  readonly runs: number;
}

/** Parameters that go through their values together. */
interface Axis {
  readonly names: readonly string[];
  readonly items: readonly (readonly Value[])[];
}

/** More is no experiment. */
const MOST = 200_000;

export const MECHANISM = "mechanism";

class Planner {
  readonly #experiment: Experiment;
  readonly #where: Where;
  readonly #data: ModelData;
  readonly #axes: Axis[] = [];
  readonly #expressions: Expressions;
  readonly columns: string[] = [];
  mechanisms: readonly Mechanism[] = [];

  constructor(experiment: Experiment, where: Where, data: ModelData) {
    this.#experiment = experiment;
    this.#where = where;
    this.#data = data;
    this.#expressions = new Expressions((path, work) => this.#at(path, work));
  }

  /** What goes wrong is said to be there. */
  #at<T>(path: readonly PropertyKey[], work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof InputError) throw new InputError(`${this.#where(path)}: ${error.message}`);
      throw error;
    }
  }

  #axis(names: readonly string[], items: readonly (readonly Value[])[]): void {
    this.#axes.push({ names, items });
    this.columns.push(...names);
  }

  /** Words of a section, each checked. */
  #words<T extends Value>(section: string, key: string, words: readonly T[] | undefined, check: (w: T) => void): void {
    if (words === undefined) return;
    words.forEach((word, index) => {
      this.#at([section, key, index], () => check(word));
    });
    this.#axis(
      [key],
      words.map((word) => [word]),
    );
  }

  /** Numbers of a section, each checked; those of an expression are checked when it has them. */
  #numbers(
    path: readonly string[],
    values: Values | undefined,
    check: (value: number) => void,
    name = path[path.length - 1],
  ): void {
    if (values === undefined) return;
    if (this.columns.includes(name) || name === MECHANISM)
      this.#at(path, () => {
        throw new InputError(`${name} is there already`);
      });
    if (values.list === undefined) {
      this.columns.push(name);
      this.#expressions.add(name, path, values.expression, check);
      return;
    }
    values.list.forEach((value, index) => {
      this.#at([...path, index], () => check(value));
    });
    this.#axis(
      [name],
      values.list.map((value) => [value]),
    );
  }

  /** Processors under their kernels, and the mechanisms. */
  #names(): void {
    const { profiles, kernels, mechanisms, target } = this.#experiment;
    const each = <T>(key: string, words: readonly string[], pick: (name: readonly string[]) => T[]): T[] =>
      words.flatMap((word, index) => this.#at([key, index], () => pick([word])));
    const machines = each("profiles", profiles ?? [defaultProfile(target)], (name) => pickProfiles(this.#data, name));
    const named = kernels && each("kernels", kernels, (name) => pickKernels(this.#data, name));
    const pairs = machines.flatMap((profile) =>
      (named ?? pickKernels(this.#data, [defaultKernel(this.#data, profile, target)])).map((kernel) => ({
        profile,
        kernel,
      })),
    );
    const eras = [...new Set(pairs.map(({ kernel }) => kernel))];
    this.mechanisms = each("mechanisms", mechanisms ?? defaultMechanisms(eras), (name) =>
      pickMechanisms(this.#data, name),
    );
    this.#axis(
      ["profile", "kernel"],
      pairs.map(({ profile, kernel }) => [profile.id, kernel.id]),
    );
    const valid = settable(this.#data, machines, eras);
    this.#sections();
    for (const [key, values] of Object.entries(this.#experiment.set)) {
      if (!valid.includes(key)) this.#at(["set", key], () => checkSetting(valid, key, 0));
      this.#numbers(["set", key], values, (value) => checkSetting(valid, key, value));
    }
  }

  /** Conditions and machines. */
  #sections(): void {
    const { conditions, machine } = this.#experiment;
    this.#words("conditions", "protection", conditions.protection, (protection) =>
      underConditions(this.#data, { protection }),
    );
    this.#words("conditions", "pollution", conditions.pollution, () => {});
    this.#words("conditions", "hypervisor", conditions.hypervisor, (hypervisor) =>
      underConditions(this.#data, { hypervisor }),
    );
    this.#words("machine", "scheduler", machine.scheduler, (scheduler) => checkMachine({ scheduler }));
    this.#numbers(["machine", "cpus"], machine.cpus, (cpus) => checkMachine({ cpus }));
    this.#words("machine", "disk", machine.disk, (disk) => checkMachine({ disk }));
    this.#numbers(["machine", "memory"], machine.memory, (memory) => checkMemory({ memory }));
    const memory = machine.memory === undefined ? undefined : 1;
    this.#words("machine", "reclaim", machine.reclaim, (reclaim) => checkMemory({ memory, reclaim }));
  }

  #seeds(): void {
    const { seeds, draws } = this.#experiment;
    if (seeds !== undefined && draws === 0)
      this.#at(["seeds"], () => {
        throw new InputError("seeds change nothing without draws; write draws: 20, or leave them out");
      });
    const check = (seed: number): void => {
      if (!Number.isSafeInteger(seed) || seed < 0) throw new InputError(`${seed}: seeds are whole numbers from 0`);
    };
    this.#numbers(["seeds"], seeds, check, "seed");
  }

  plan(traces: readonly TraceName[]): Plan {
    const captured = traces.some(({ capture }) => capture !== "");
    this.#axis(
      captured ? ["trace", "capture"] : ["trace"],
      traces.map(({ trace, capture }) => (captured ? [trace, capture] : [trace])),
    );
    this.#names();
    for (const [key, values] of Object.entries(this.#experiment.variables))
      this.#numbers(["variables", key], values, () => {});
    this.#seeds();
    const combinations = this.#axes.reduce((product, { items }) => product * items.length, this.mechanisms.length);
    if (combinations > MOST)
      throw new InputError(`${this.#where([])}: ${combinations} combinations are too many; at most ${MOST}`);
    this.#expressions.check(this.columns);
    const constraints = new Constraints(
      this.#experiment.constraints ?? [],
      [...this.columns, MECHANISM],
      (path, work) => this.#at(path, work),
    );
    const points = this.#points(constraints);
    constraints.checkLeft(this.#where);
    const runs = points.reduce((sum, point) => sum + point.runs.length, 0);
    return { columns: this.columns, mechanisms: this.mechanisms, draws: this.#experiment.draws, points, runs };
  }

  #points(constraints: Constraints): Point[] {
    const points: Point[] = [];
    let number = 0;
    const chosen = new Array<number>(this.#axes.length).fill(0);
    for (let more = true; more; more = this.#next(chosen)) {
      const given = new Map<string, Value>();
      chosen.forEach((item, axis) => {
        const { names, items } = this.#axes[axis];
        names.forEach((name, index) => {
          given.set(name, items[item][index]);
        });
      });
      const all = this.#expressions.complete(given);
      const values = new Map(this.columns.map((name) => [name, all.get(name)!]));
      const runs = constraints.allow(values, this.mechanisms).map((mechanism) => ({ number: ++number, mechanism }));
      if (runs.length === 0) continue;
      this.#checkPoint(values);
      points.push({ trace: chosen[0], values, runs });
    }
    return points;
  }

  /** Moves on to the next combination, the last axis first; false behind the last one. */
  #next(chosen: number[]): boolean {
    for (let axis = chosen.length - 1; axis >= 0; axis--) {
      if (++chosen[axis] < this.#axes[axis].items.length) return true;
      chosen[axis] = 0;
    }
    return false;
  }

  /** What values mean together. */
  #checkPoint(values: ReadonlyMap<string, Value>): void {
    const machine = machineOf(values);
    const kernel = this.#data.kernels.get(values.get("kernel") as string)!;
    const quantum = values.get("quantum_us");
    if (quantum !== undefined)
      this.#at(["set", "quantum_us"], () => schedulerOf(machine, kernel, new Map([["quantum_us", quantum as number]])));
    underConditions(this.#data, conditionsOf(values));
  }
}

/** Throws InputError, with the line, for names, values and constraints that make no sense. */
export function makePlan(experiment: Experiment, where: Where, data: ModelData, traces: readonly TraceName[]): Plan {
  return new Planner(experiment, where, data).plan(traces);
}
