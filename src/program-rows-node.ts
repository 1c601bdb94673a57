// What `npm run programs` found of each scenario in each ring, as it is kept in data/programs.csv: nothing in it depends on the host.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Papa from "papaparse";

const FILE = fileURLToPath(new URL("../data/programs.csv", import.meta.url));

/** A scenario in a ring. */
export interface ProgramRow {
  readonly scenario: string;
  readonly ring: 0 | 3;
  /** Whether it printed what it prints natively. */
  readonly same: boolean;
  readonly instructions: number;
  readonly calls: number;
  /** Calls through the vsyscall page, and by an inline int 0x80. */
  readonly vsyscall: number;
  readonly int80: number;
  /** Double faults for want of a stack page. */
  readonly starved: number;
  /** Size of its trace. */
  readonly bytes?: number;
  /** What it says of its speed, in guest time. */
  readonly rate: string;
}

/** The rows that are kept. */
export function readProgramRows(): ProgramRow[] {
  if (!existsSync(FILE)) return [];
  const { data } = Papa.parse<Record<string, string>>(readFileSync(FILE, "utf8"), {
    header: true,
    skipEmptyLines: true,
  });
  return data.map((r) => ({
    scenario: r["scenario"],
    ring: r["ring"] === "0" ? 0 : 3,
    same: r["same"] === "true",
    instructions: Number(r["instructions"]),
    calls: Number(r["calls"]),
    vsyscall: Number(r["vsyscall"]),
    int80: Number(r["int80"]),
    starved: Number(r["starved"]),
    bytes: r["bytes"] === "" ? undefined : Number(r["bytes"]),
    rate: r["rate"],
  }));
}

/** Keeps rows, by scenario, ring 3 first; a later one takes the place of an earlier one of the same scenario and ring. */
export function writeProgramRows(rows: readonly ProgramRow[]): void {
  const kept = [...new Map(rows.map((row) => [`${row.scenario} ${3 - row.ring}`, row]))].sort(([a], [b]) =>
    a < b ? -1 : 1,
  );
  writeFileSync(
    FILE,
    `${Papa.unparse(
      kept.map(([, row]) => ({ ...row })),
      { newline: "\n" },
    )}\n`,
  );
}
