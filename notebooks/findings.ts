// What a figure finds under what was chosen, and the verdict on every claim that it tests.
import { CheckFailed } from "../src/errors.ts";
import type { Interval } from "../src/model/interval.ts";
import { type Claim, judge, type Verdict } from "./claims.ts";
import type { Figure, Row } from "./figure.ts";
import type { Chosen } from "./inputs.ts";
import type { Lab } from "./lab.ts";

/** A claim with what was found. */
export interface Judged {
  readonly claim: Claim;
  readonly found: Interval;
  readonly verdict: Verdict;
}

/** What was found, in digits that two processors agree on. */
export interface Found {
  readonly rows: Row[];
  readonly judged: readonly Judged[];
}

/** Digits that two processors' libraries of mathematics agree on, and more than anybody reads. */
function rounded(value: number): number {
  return Number(value.toPrecision(10));
}

/** Computes and judges. Throws CheckFailed when the figure does not test exactly the claims that name it. */
export function find(figure: Figure, lab: Lab, claims: readonly Claim[], chosen: Chosen): Found {
  const findings = figure.run(lab, chosen);
  const own = claims.filter((claim) => claim.figure === figure.number);
  const [asked, answered] = [own.map(({ id }) => id).sort(), Object.keys(findings.claims).sort()];
  if (asked.join() !== answered.join())
    throw new CheckFailed(
      `figure ${figure.number} tests ${answered.join(", ")}; data/claims.csv asks ${asked.join(", ")}`,
    );
  const rows = findings.rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([column, cell]) => [column, typeof cell === "number" ? rounded(cell) : cell]),
    ),
  );
  const judged = own.map((claim): Judged => {
    const { value, low, high } = findings.claims[claim.id];
    const found = { value: rounded(value), low: rounded(low), high: rounded(high) };
    return { claim, found, verdict: judge(claim, found) };
  });
  return { rows, judged };
}
