// What others, or we, have claimed: read from data/claims.csv, and judged by the interval that a figure finds.
import { InputError } from "../src/errors.ts";
import type { Interval } from "../src/model/interval.ts";
import { readTable } from "../src/model/table.ts";
import { short } from "./lab.ts";

/** holds: the whole interval is in what the claim allows; refuted: none of it is; undecided: it straddles a bound. */
export const VERDICTS = ["holds", "refuted", "undecided"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Stands where no figure can judge; what is held against the claim then says why. */
export const NOT_TESTED = "not tested";

const RELATIONS = ["equals", "at-least", "at-most"] as const;

export interface Claim {
  readonly id: string;
  /** Number of the figure that tests it; null: none does. */
  readonly figure: number | null;
  /** What was claimed. */
  readonly says: string;
  readonly relation: (typeof RELATIONS)[number];
  readonly number: number;
  readonly unit: string;
  /** How far off `number` the claim still holds. */
  readonly tolerancePercent: number;
  /** What of the model is held against it, or why nothing is. */
  readonly test: string;
  readonly source: string;
  /** read: in the source; secondary: elsewhere; memory: recalled; own: a claim of kmlab. */
  readonly confidence: string;
  /** What was found when the claim was committed. */
  readonly verdict: Verdict | typeof NOT_TESTED;
}

const CONFIDENCES: readonly string[] = ["read", "secondary", "memory", "own"];

/** Reads the table, given as text. Throws InputError for words that mean nothing. */
export function readClaims(text: string): Claim[] {
  const claims = readTable("claims.csv", text).map((row): Claim => {
    const among = <T extends string>(column: string, words: readonly T[]): T => {
      const word = row.text(column) as T;
      if (!words.includes(word)) throw new InputError(`${row.where}: ${column} is one of ${words.join(", ")}`);
      return word;
    };
    if (row.text("source") === "") throw new InputError(`${row.where}: no source`);
    const figure = row.number("figure") ?? null;
    const verdict = among("verdict", [...VERDICTS, NOT_TESTED]);
    if ((figure === null) !== (verdict === NOT_TESTED))
      throw new InputError(`${row.where}: what no figure tests is "${NOT_TESTED}", and nothing else is`);
    return {
      id: row.text("id"),
      figure,
      says: row.text("says"),
      relation: among("relation", RELATIONS),
      number: row.required("number"),
      unit: row.text("unit"),
      tolerancePercent: row.required("tolerance_percent"),
      test: row.text("test"),
      source: row.text("source"),
      confidence: among("confidence", CONFIDENCES),
      verdict,
    };
  });
  if (new Set(claims.map(({ id }) => id)).size !== claims.length)
    throw new InputError("claims.csv: an id is there twice");
  return claims;
}

/** The numbers that a claim allows. */
export function allowed({ relation, number, tolerancePercent }: Claim): { from: number; to: number } {
  const slack = (Math.abs(number) * tolerancePercent) / 100;
  return {
    from: relation === "at-most" ? Number.NEGATIVE_INFINITY : number - slack,
    to: relation === "at-least" ? Number.POSITIVE_INFINITY : number + slack,
  };
}

/** What a claim asks for, in words. */
export function allowedWords({ relation, number, tolerancePercent, unit }: Claim): string {
  const about = tolerancePercent === 0 ? "" : ` within ${tolerancePercent} %`;
  return `${relation} ${short(number)}${about} ${unit}`.trim();
}

/** Judges a claim by what was found. */
export function judge(claim: Claim, { low, high }: Interval): Verdict {
  const { from, to } = allowed(claim);
  if (low >= from && high <= to) return "holds";
  return high < from || low > to ? "refuted" : "undecided";
}

/** The claims as a table of a page. */
export function claimTable(claims: readonly Claim[]): string {
  const rows = claims.map(({ figure, id, says, test, source, confidence, verdict }) =>
    [figure ?? "–", id, says, test, `${source} (${confidence})`, `**${verdict}**`].join(" | "),
  );
  return [
    "figure | claim | says | held against it, or why nothing is | source | verdict",
    "--- | --- | --- | --- | --- | ---",
    ...rows,
  ]
    .map((row) => `| ${row} |`)
    .join("\n");
}
