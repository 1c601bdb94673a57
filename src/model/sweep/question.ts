// A combination of an experiment's values as what the model is asked.
import type { Conditions } from "../conditions.ts";
import type { MachineChoice } from "../machine-choice.ts";
import type { Value } from "./expression.ts";

/** Values by parameter. */
type ByName = ReadonlyMap<string, Value>;

/** Those of some names that have a value. */
function some(values: ByName, names: readonly string[]): Record<string, Value> {
  return Object.fromEntries(names.flatMap((name) => (values.has(name) ? [[name, values.get(name)!]] : [])));
}

export function machineOf(values: ByName): MachineChoice {
  return some(values, ["scheduler", "cpus", "disk", "memory", "reclaim"]);
}

export function conditionsOf(values: ByName): Conditions {
  return some(values, ["protection", "pollution", "hypervisor"]);
}
