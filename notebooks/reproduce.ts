// What each claim must come to again, as a table of docs/reproduce.md.
import type { Interval } from "../src/model/interval.ts";
import { short } from "./lab.ts";

/** A claim as it was found, and what that took. */
export interface Reproduced {
  readonly figure: number;
  readonly id: string;
  readonly unit: string;
  readonly found: Interval;
  readonly verdict: string;
  readonly seconds: number;
}

/** What must come out, to the digits that are written: the value on every machine, the bounds with as many draws. */
export function expected({
  found: { value, low, high },
  unit,
  verdict,
}: Pick<Reproduced, "found" | "unit" | "verdict">): string {
  const bounds = low === value && high === value ? "" : ` (${short(low)} to ${short(high)})`;
  return `${short(value)}${bounds} ${unit}: ${verdict}`;
}

/** Seconds, as few of them as anybody plans with. */
function time(seconds: number): string {
  return `${[5, 10, 20, 30, 60, 120].find((limit) => seconds <= limit) ?? Math.ceil(seconds / 60) * 60} s`;
}

/** One row a claim. */
export function reproduceTable(rows: readonly Reproduced[]): string {
  return [
    "| claim | command | expected | tolerance | time |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map((row) => {
      const tolerance = row.found.low === row.found.high ? "none" : "value none, bounds 25 % with `--quick`";
      const command = `\`npx --no kmlab figures --only ${row.figure}\``;
      return `| ${[row.id, command, expected(row), tolerance, time(row.seconds)].join(" | ")} |`;
    }),
  ].join("\n");
}
