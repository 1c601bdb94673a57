// What a figure leaves behind: its picture, the tidy table behind it, and the evidence, with a verdict on every claim that it tests.
import Papa from "papaparse";
import { plainSha256 } from "../src/sha256.ts";
import type { Trace } from "../src/traces/trace.ts";
import type { Claim } from "./claims.ts";
import { drawn } from "./draw.ts";
import { COLUMN, type Figure } from "./figure.ts";
import { find, type Judged } from "./findings.ts";
import { asPublished } from "./inputs.ts";
import type { Lab } from "./lab.ts";
import { latex } from "./latex.ts";

/** A figure with all its files. */
export interface Built {
  readonly figure: Figure;
  readonly judged: readonly Judged[];
  /** Text by name. */
  readonly files: ReadonlyMap<string, string>;
}

/** What is said of a build in every figure's evidence: hashes, seed, command. */
export type Provenance = Readonly<Record<string, string | number | boolean>> & { readonly command: string };

function sha256(text: string): string {
  const hasher = plainSha256();
  hasher.update(new TextEncoder().encode(text));
  return hasher.hex();
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
  const { rows, judged } = find(figure, watched, claims, asPublished(figure.inputs));
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const csv = `${Papa.unparse(rows, { columns, newline: "\n" })}\n`;
  const { number, id, title, caption, column = false } = figure;
  const data = new Map([
    [`${id}.svg`, drawn(figure, rows)],
    ...(column ? [[`${id}-column.svg`, drawn(figure, rows, COLUMN)] as const] : []),
    [`${id}.csv`, csv],
  ]);
  const evidence = {
    figure: number,
    id,
    title,
    caption,
    column,
    ...provenance,
    traces,
    claims: judged.map(({ claim: { verdict: committed, ...claim }, found, verdict }) => ({
      ...claim,
      found,
      verdict,
      committed,
    })),
    sha256: Object.fromEntries([...data].map(([name, text]) => [name, sha256(text)])),
  };
  return {
    figure,
    judged,
    files: new Map([...data, [`${id}.json`, `${JSON.stringify(evidence, null, 2)}\n`], [`${id}.tex`, latex(evidence)]]),
  };
}
