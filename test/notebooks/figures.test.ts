// kmlab figures: draws, gives the same bytes twice, judges as data/claims.csv was committed, and says when it does not.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allowed, claimTable, judge, readClaims } from "../../notebooks/claims.ts";
import { FIGURES } from "../../notebooks/figures.ts";
import { InputError } from "../../src/errors.ts";
import { kmlab, ROOT } from "../cli/kmlab.ts";

const text = readFileSync(join(ROOT, "data", "claims.csv"), "utf8");
const claims = readClaims(text);
const [example] = claims;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-figures-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("kmlab figures", () => {
  it("draws, with tables, evidence and the committed verdicts, the same twice", () => {
    const words = ["figures", "--quick", "--only", "1,3", "-o", folder];
    const first = kmlab(words);
    expect(`${first.status} ${first.stderr}`).toBe("0 ");
    const read = () => readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]);
    const files = new Map(read() as [string, string][]);
    expect([...files.keys()].sort()).toEqual(
      ["01-latency", "03-call-rate"].flatMap((id) =>
        [".csv", ".json", ".pdf", ".svg", ".tex"].map((kind) => id + kind),
      ),
    );
    expect(kmlab(words).stdout).toBe(first.stdout);
    expect(new Map(read() as [string, string][])).toEqual(files);

    const evidence = JSON.parse(files.get("03-call-rate.json")!);
    expect(evidence.traces["find-ring3"]).toMatch(/^[0-9a-f]{64}$/);
    expect(evidence.tables).toMatch(/^[0-9a-f]{64}$/);
    expect(evidence.command).toBe("kmlab figures --only 3 --quick");
    for (const { verdict, committed } of evidence.claims) expect(verdict).toBe(committed);
    expect(files.get("03-call-rate.svg")).toMatch(/^<svg .*system calls per second.*<\/svg>\n$/s);
    expect(files.get("03-call-rate.svg")).not.toMatch(/NaN|undefined/);

    expect(kmlab([...words, "--check"]).status).toBe(0);
    writeFileSync(join(folder, "01-latency.csv"), "1");
    const damaged = kmlab([...words, "--check"]);
    expect(`${damaged.status} ${damaged.stderr.trim()}`).toBe(
      `1 kmlab: figures: 01-latency.csv in ${folder} differ from what was computed`,
    );
  });

  it("draws what README.md shows (scripts/figures-page.ts puts it there)", () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const shown = [...readme.matchAll(/docs\/figures\/((\d+)-[\w-]+\.svg)/g)];
    expect(shown).toHaveLength(3);
    const numbers = shown.map(([, , number]) => Number(number)).join();
    expect(kmlab(["figures", "--quick", "--only", numbers, "-o", folder]).status).toBe(0);
    for (const [path, name] of shown)
      expect(readFileSync(join(ROOT, path), "utf8")).toBe(readFileSync(join(folder, name), "utf8"));
  });

  it("refuses a figure that there is not", () => {
    const { status, stderr } = kmlab(["figures", "--only", "99", "-o", folder]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^kmlab: --only 99: there are figures 1, /);
  });
});

describe("claims", () => {
  it("each belongs to a figure, and each figure has its number once", () => {
    const numbers = FIGURES.map(({ number }) => number);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const { figure } of claims.filter((claim) => claim.figure !== null)) expect(numbers).toContain(figure);
  });

  it("are judged by where the whole interval lies", () => {
    const claim = { ...example, relation: "equals", number: 100, tolerancePercent: 10 } as const;
    const of = (low: number, high: number) => judge(claim, { low, high, value: (low + high) / 2 });
    expect([of(90, 110), of(89, 100), of(100, 111), of(111, 120), of(80, 89), of(80, 120)]).toEqual([
      "holds",
      "undecided",
      "undecided",
      "refuted",
      "refuted",
      "undecided",
    ]);
    expect(allowed({ ...claim, relation: "at-most" })).toEqual({ from: Number.NEGATIVE_INFINITY, to: 110 });
    expect(judge({ ...claim, relation: "at-least" }, { low: 90, high: 1e9, value: 1e3 })).toBe("holds");
  });

  it.each([
    ["verdict", text.replace(/holds\n/, "perhaps\n"), /verdict is one of holds, refuted, undecided, not tested/],
    [
      "test of nothing",
      text.replace(/holds\n/, "not tested\n"),
      /what no figure tests is "not tested", and nothing else is/,
    ],
    ["relation", text.replace(",equals,", ",near,"), /relation is one of equals, at-least, at-most/],
    ["id", text + text.split("\n").slice(1).join("\n"), /an id is there twice/],
  ])("refuses a bad %s", (_, bad, why) => {
    expect(() => readClaims(bad)).toThrow(InputError);
    expect(() => readClaims(bad)).toThrow(why);
  });

  it("docs/figures.md has them all", () => {
    expect(readFileSync(join(ROOT, "docs", "figures.md"), "utf8")).toContain(claimTable(claims));
  });
});
