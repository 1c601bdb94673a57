// What can check programs in place of the processor's rings, from data/protection.csv.
import { type Ranged, readRanged } from "./ranges.ts";
import { readTable } from "./table.ts";

/** Something that checks programs in place of the processor's rings. */
export interface Protection extends Ranged {
  readonly id: string;
  readonly meaning: string;
}

/** Reads data/protection.csv, given as text. */
export function readProtections(text: string): Map<string, Protection> {
  const all = new Map<string, Protection>();
  for (const row of readTable("protection.csv", text))
    all.set(row.text("protection"), { id: row.text("protection"), meaning: row.text("meaning"), ...readRanged(row) });
  return all;
}
