// Python's own tests: what is recorded of them holds together, and a quick module, or with KMLAB_SLOW every one, ends here as recorded.
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { hasPackages } from "../cli/packages.ts";
import {
  listed,
  MODULES,
  moduleRoot,
  notPassing,
  type Outcome,
  type Ring,
  readCases,
  readDifferences,
  readResults,
  runHere,
  table,
} from "./python-tests.ts";

const QUICK = [{ module: "test_epoll", ring: 0 }];
const LEAST = 0.98;

const cases = readCases();
const differences = readDifferences();
const columnOf = (ring: Ring) => (ring === 0 ? "ring0" : "ring3");

/** What is recorded of a module in a ring; undefined if it was not run there. */
function recorded(module: string, ring: Ring): Map<string, Outcome> | undefined {
  const column = columnOf(ring);
  const run = cases.filter((c) => c.module === module && c[column] !== undefined);
  return run.length === 0 ? undefined : new Map(run.map((c) => [c.name, c[column]!]));
}

const RUNS = MODULES.flatMap((module) => ([3, 0] as const).map((ring) => ({ module, ring }))).filter(
  ({ module, ring }) => recorded(module, ring) !== undefined,
);

describe("what is recorded", () => {
  it.each(RUNS)("$module in ring $ring: what does not pass is listed, and is little", ({ module, ring }) => {
    const outcomes = recorded(module, ring)!;
    expect(notPassing(cases, module, outcomes)).toEqual(listed(differences, module, ring));
    const passing = cases.filter((c) => c.module === module && c.native === "pass");
    expect(passing.length).toBeGreaterThan(0);
    expect(passing.filter((c) => c[columnOf(ring)] === "pass").length).toBeGreaterThanOrEqual(LEAST * passing.length);
  });

  it("every listed difference has one reason, the kernel's or KML's", () => {
    for (const d of differences)
      expect(
        [d.kernel, d.kml].filter((why) => why !== ""),
        d.name,
      ).toHaveLength(1);
    expect(differences.filter((d) => d.kml !== "" && d.ring === 3)).toEqual([]);
    expect(differences.filter((d) => recorded(d.module, d.ring) === undefined)).toEqual([]);
  });

  it("docs/programs.md has it", () => {
    const docs = readFileSync(fileURLToPath(new URL("../../docs/programs.md", import.meta.url)), "utf8");
    expect(docs).toContain(table(cases, differences).join("\n"));
  });
});

describe("the comparison", () => {
  const native = [
    { module: "test_x", name: "A.one", native: "pass" },
    { module: "test_x", name: "A.two", native: "pass" },
    { module: "test_x", name: "A.three", native: "skip" },
  ] as const;

  it("tells cases that fail, are skipped or never begin from those that pass", () => {
    const text = "begins test.test_x.A.one\npass test.test_x.A.one\nbegins test.test_x.A.two\n";
    expect(notPassing(native, "test_x", readResults("test_x", text))).toEqual(["A.two: none"]);
    expect(notPassing(native, "test_x", readResults("test_x", `${text}skip test.test_x.A.two`))).toEqual([
      "A.two: skip",
    ]);
    expect(notPassing(native, "test_x", new Map())).toEqual(["A.one: none", "A.two: none"]);
  });

  it("takes the worst of a case's parts", () => {
    const text = "begins test.test_x.A.one\nfail test.test_x.A.one\npass test.test_x.A.one\n";
    expect(readResults("test_x", text).get("A.one")).toBe("fail");
  });
});

const quick = ({ module, ring }: { module: string; ring: Ring }) =>
  QUICK.some((q) => q.module === module && q.ring === ring);
const live = process.env["KMLAB_SLOW"] ? RUNS : RUNS.filter(quick);

describe.runIf(hasPackages).each(live)("$module in ring $ring", ({ module, ring }) => {
  it("every case ends as recorded", { timeout: 3_600_000 }, async () => {
    const base = await moduleRoot(module);
    const { outcomes } = runHere(base, module, ring);
    base.close();
    expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(recorded(module, ring)!));
  });
});
