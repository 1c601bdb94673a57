// Bodies of system calls from data/bodies: what the kernel's own work costs, term by term.
import { InputError } from "../errors.ts";
import { type Ranged, readRanged } from "./ranges.ts";
import { type ReadData, readTable } from "./table.ts";

/** What the work of a body is counted in. */
export const WORKS = ["a", "bytes", "copy", "pages", "components", "items", "cold"] as const;
export type Work = (typeof WORKS)[number];

/** One term of a body's cost function: a constant (`a`) or so much per unit of work; in cycles of a processor or in instructions. */
export interface BodyTerm extends Ranged {
  readonly term: Work;
  /** The profile whose cycles these are; "" when the unit is instructions. */
  readonly on: string;
}

/** The bodies of an era, by class of call. */
export function readBodies(read: ReadData, era: string): Map<string, BodyTerm[]> {
  const file = `bodies/${era}.csv`;
  const bodies = new Map<string, BodyTerm[]>();
  for (const row of readTable(file, read(file))) {
    const term = row.text("term");
    if (!(WORKS as readonly string[]).includes(term)) throw new InputError(`${row.where}: no work "${term}"`);
    const name = row.text("class");
    if (!bodies.has(name)) bodies.set(name, []);
    bodies.get(name)!.push({ term: term as Work, on: row.text("on"), ...readRanged(row) });
  }
  return bodies;
}
