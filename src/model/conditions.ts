// Conditions that an answer can be asked under besides processor, kernel and machine: what protects ring 0 in the hardware's place,
// whether calls slow the program after them, and a hypervisor below.
import { InputError } from "../errors.ts";
import type { ModelData } from "./data.ts";
import type { Cost } from "./profiles.ts";
import type { Ranged } from "./ranges.ts";

/** Conditions by name; what is left out is as on a machine of its own. */
export interface Conditions {
  /** A row of data/protection.csv. */
  readonly protection?: string;
  /** User code is slowed after calls that trap. */
  readonly pollution?: boolean;
  /** A hypervisor of data/hypervisors.csv. */
  readonly hypervisor?: string;
}

function pick<T>(what: string, all: ReadonlyMap<string, T>, name: string): T {
  const found = all.get(name);
  if (found === undefined) throw new InputError(`no ${what} "${name}"; there are ${[...all.keys()].join(", ")}`);
  return found;
}

/** The tables under some conditions. Throws InputError for a name that does not exist or has no number. */
export function underConditions(data: ModelData, conditions: Conditions = {}): ModelData {
  const parameters = new Map<string, Cost>(data.parameters);
  const replace = (key: string, ranged: Ranged): void => {
    parameters.set(key, { ...ranged, key, of: "" });
  };
  if (conditions.protection !== undefined) {
    const row = pick("protection", data.protections, conditions.protection);
    if (row.value === null) throw new InputError(`protection ${row.id}: ${row.range}: ${row.source}`);
    replace("protection.user", row);
  }
  if (conditions.pollution === true) {
    const { source } = data.parameters.get("pollution.on")!;
    replace("pollution.on", { value: 1, low: 1, high: 1, range: "exact", source });
  }
  const hypervisor =
    conditions.hypervisor === undefined || conditions.hypervisor === "none"
      ? undefined
      : pick("hypervisor", data.hypervisors, conditions.hypervisor);
  return { ...data, parameters, hypervisor };
}
