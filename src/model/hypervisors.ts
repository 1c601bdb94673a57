// Hypervisors below the kernel, from data/hypervisors.csv: what each does to the costs of the processor.
import { InputError } from "../errors.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { readTable } from "./table.ts";

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
