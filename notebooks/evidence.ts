// What a figure leaves behind: its picture, the tidy table behind it, and the evidence, with a verdict on every claim that it tests.
import Papa from "papaparse";
import { CheckFailed } from "../src/errors.ts";
import type { Interval } from "../src/model/interval.ts";
import { plainSha256 } from "../src/sha256.ts";
import type { Trace } from "../src/traces/trace.ts";
import { type Claim, judge, type Verdict } from "./claims.ts";
import { drawn } from "./draw.ts";
import type { Figure } from "./figure.ts";
import type { Lab } from "./lab.ts";

/** A claim with what was found. */
export interface Judged {
  readonly claim: Claim;
  readonly found: Interval;
  readonly verdict: Verdict;
}

/** A figure with all its files. */
export interface Built {
  readonly figure: Figure;
  readonly judged: readonly Judged[];
  /** Text by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** What is said of a build in every figure's evidence: hashes, seed, command. */
export type Provenance = Readonly<Record<string, string | number | boolean>>;

function sha256(text: string): string {
  const hasher = plainSha256();
  hasher.update(new TextEncoder().encode(text));
  return hasher.hex();
}

/** Digits that two processors' libraries of mathematics agree on, and more than anybody reads. */
function rounded(value: number): number {
  return Number(value.toPrecision(10));
}

/** Computes, judges and draws a figure. Throws CheckFailed when it does not test exactly the claims that name it. */
export function build(figure: Figure, lab: Lab, claims: readonly Claim[], provenance: Provenance): Built {
  const traces: Record<string, string> = {};
  const watched: Lab = {
    ...lab,
    trace: (name): Trace => {
      const trace = lab.trace(name);
      traces[name] = trace.meta.id;
      return trace;
    },
  };
  const findings = figure.run(watched);
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
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const csv = `${Papa.unparse(rows, { columns, newline: "\n" })}\n`;
  const svg = drawn(figure, rows);
  const evidence = {
    figure: figure.number,
    title: figure.title,
    caption: figure.caption,
    ...provenance,
    traces,
    claims: judged.map(({ claim: { verdict: committed, ...claim }, found, verdict }) => ({
      ...claim,
      found,
      verdict,
      committed,
    })),
    sha256: { [`${figure.id}.svg`]: sha256(svg), [`${figure.id}.csv`]: sha256(csv) },
  };
  return {
    figure,
    judged,
    files: new Map([
      [`${figure.id}.svg`, svg],
      [`${figure.id}.csv`, csv],
      [`${figure.id}.json`, `${JSON.stringify(evidence, null, 2)}\n`],
    ]),
  };
}
