// Names of system calls by number, from data/calls.csv.
import Papa from "papaparse";
import { ABIS } from "./schema/enums.ts";

export interface CallNames {
  /** The call's name; its number in words when it has none. `abi` indexes ABIS, unknown counts as i386. */
  name(nr: number, abi: number): string;
}

/** Reads the text of calls.csv: columns name, i386, x86_64 (numbers, empty where the call does not exist). */
export function parseCalls(text: string): CallNames {
  const rows = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true }).data;
  const byAbi = new Map<string, Map<number, string>>();
  for (const abi of ["i386", "x86_64"]) {
    const numbered = rows.filter((row) => row[abi] !== "").map((row) => [Number(row[abi]), row["name"]] as const);
    byAbi.set(abi, new Map(numbered));
  }
  return {
    name: (nr, abi) => byAbi.get(ABIS[abi] === "x86_64" ? "x86_64" : "i386")?.get(nr) ?? `call ${nr}`,
  };
}
