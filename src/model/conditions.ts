// Conditions that an answer can be asked under besides processor, kernel and machine: what protects ring 0 in the hardware's place,
// whether calls slow the program after them, and a hypervisor below.
import { InputError } from "../errors.ts";
import type { Cost, ModelData } from "./data.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { readTable } from "./table.ts";

/** Conditions by name; what is left out is as on a machine of its own. */
export interface Conditions {
  /** A row of data/protection.csv. */
  readonly protection?: string;
  /** User code is slowed after calls that trap. */
  readonly pollution?: boolean;
  /** A hypervisor of data/hypervisors.csv. */
  readonly hypervisor?: string;
}

/** Something that checks programs in place of the processor's rings. */
export interface Protection extends Ranged {
  readonly id: string;
  readonly meaning: string;
}

/** What a hypervisor does to one cost of the processor. */
export interface Change extends Ranged {
  readonly times: boolean;
}

/** A hypervisor below the kernel. */
export interface Hypervisor {
  readonly id: string;
  /** Instruction set of the guests that it is known for; "" for any. */
  readonly target: string;
  readonly changes: ReadonlyMap<string, Change>;
  /** Why programs in ring 0 cannot be priced under it; "" when they can. */
  readonly refusesRing0: string;
}

/** Reads data/protection.csv, given as text. */
export function readProtections(text: string): Map<string, Protection> {
  const all = new Map<string, Protection>();
  for (const row of readTable("protection.csv", text))
    all.set(row.text("protection"), { id: row.text("protection"), meaning: row.text("meaning"), ...readRanged(row) });
  return all;
}

/** Reads data/hypervisors.csv, given as text. */
export function readHypervisors(text: string): Map<string, Hypervisor> {
  const all = new Map<string, Hypervisor>();
  for (const row of readTable("hypervisors.csv", text)) {
    const id = row.text("hypervisor");
    const before = all.get(id) ?? { id, target: row.text("target"), changes: new Map(), refusesRing0: "" };
    const op = row.text("op");
    const ranged = readRanged(row);
    if (op === "refuse") all.set(id, { ...before, refusesRing0: ranged.source });
    else if (op === "add" || op === "times")
      all.set(id, {
        ...before,
        changes: new Map([...before.changes, [row.text("key"), { times: op === "times", ...ranged }]]),
      });
    else throw new InputError(`${row.where}: op is add, times or refuse`);
  }
  return all;
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
