// docs/programs.md shows what is kept in data/programs.csv, and the traces that are kept are those of its rows.
// `npm run programs -- --save` brings the rows and traces up to date, `npx vitest run test/programs/table.test.ts -u` the page.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type ProgramRow, readProgramRows } from "../../src/program-rows-node.ts";
import { fillBlocks } from "../../src/traces/docs.ts";
import { callNames, readTrace } from "../../src/traces/node.ts";
import { summarize } from "../../src/traces/show/summary.ts";
import { grouped } from "../../src/traces/show/table.ts";
import { kmlab, ROOT } from "../cli/kmlab.ts";

const rows = readProgramRows();
const TRACES = join(ROOT, "data/traces");
const KEPT = join(TRACES, "scenarios");
const kept = existsSync(KEPT) ? readdirSync(KEPT).sort() : [];
const MOST_BYTES = 10_000_000;

function cells(row: ProgramRow): string[] {
  const { instructions, calls, vsyscall, int80, starved, bytes } = row;
  const numbers = [instructions, calls, vsyscall, int80, starved].map(grouped);
  const size = bytes === undefined ? "" : (bytes / 1e6).toFixed(2);
  return [row.scenario, String(row.ring), row.same ? "same" : "differs", ...numbers, row.rate, size];
}

function markdown(): string {
  const heading = [
    "scenario",
    "ring",
    "output",
    "instructions",
    "calls",
    "vsyscall",
    "int80",
    "starved",
    "requests",
    "trace MB",
  ];
  const rule = heading.map((_, i) => (i === 1 || i > 2 ? "---:" : "---"));
  return [heading, rule, ...rows.map(cells)].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

it("docs/programs.md is up to date", async () => {
  const page = fileURLToPath(new URL("../../docs/programs.md", import.meta.url));
  await expect(fillBlocks(readFileSync(page, "utf8"), { programs: markdown() })).toMatchFileSnapshot(page);
});

it("every row printed what it prints natively, in both rings", () => {
  expect(rows.filter(({ same }) => !same)).toEqual([]);
  const names = [...new Set(rows.map(({ scenario }) => scenario))];
  expect(rows.map(({ scenario, ring }) => `${scenario} ${ring}`)).toEqual(names.flatMap((n) => [`${n} 3`, `${n} 0`]));
});

/** Bytes of the files below a folder, without the caches that readers leave. */
function bytesBelow(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const sizes = files.filter((f) => f.isFile() && !f.name.startsWith(".")).map((f) => join(f.parentPath, f.name));
  return sizes.reduce((sum, file) => sum + statSync(file).size, 0);
}

it("the traces that come with kmlab are at most 10 MB", () => {
  expect(bytesBelow(TRACES)).toBeLessThan(MOST_BYTES);
});

describe.each(kept)("%s", (name) => {
  it("is the trace of its row, and can be asked what if", () => {
    const [, scenario, ring] = /^(.*)-ring([03])\.kmtrace$/.exec(name)!;
    const row = rows.find((r) => r.scenario === scenario && String(r.ring) === ring)!;
    const { calls, sites } = summarize(readTrace(join(KEPT, name)), callNames());
    expect(calls.reduce((n, call) => n + call.count, 0)).toBe(row.calls);
    expect([sites["vsyscall"] ?? 0, sites["int80"] ?? 0]).toEqual([row.vsyscall, row.int80]);
    // What is captured in ring 3 is what one asks.
    if (ring !== "3") return;
    const { mechanisms } = JSON.parse(kmlab(["whatif", join(KEPT, name), "--json"]).stdout);
    expect(mechanisms.length).toBeGreaterThan(2);
  });
});
