// kmlab validate as a command: 0 when every frozen tolerance holds, 1 when one is broken, 2 for a table that is none.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kmlab, ROOT } from "./kmlab.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-validate-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const rows = readFileSync(join(ROOT, "data", "validation.csv"), "utf8");
function validateRows(text: string) {
  const path = join(folder, "rows.csv");
  writeFileSync(path, text);
  const { status, stdout, stderr } = kmlab(["validate", "--rows", path]);
  return { status, stdout, line: stderr.trim() };
}

test("the frozen rows hold, and what was asked of their medians is printed", () => {
  const { status, stdout, line } = validateRows(rows);
  expect([status, line]).toEqual([0, ""]);
  expect(stdout).toMatch(/reached {2}median error of the total, 36 rows: at most 5 %: \d/);
  expect(stdout).toMatch(/(reached|missed ) {2}totals that lie within 90 % of the draws: at least 80 %: \d/);
});

test("a tolerance that is broken ends with 1", () => {
  const { status, line, stdout } = validateRows(
    rows.replace("gettimeofday,,820,cycles,,5,", "gettimeofday,,920,cycles,,5,"),
  );
  expect([status, line]).toEqual([1, "kmlab: validate: maeda-gettimeofday-sysenter did not hold"]);
  expect(stdout).toMatch(/FAILS \(within 5 %\)/);
});

test.each([
  ["gettimeofday,,820,", "gettimeofday,,-820,", /maeda-gettimeofday-sysenter: value is "-820"; write a number/],
  ["gettimeofday,,820,", "gettimeofday,,NaN,", /maeda-gettimeofday-sysenter: value is "NaN"; write a number/],
  ["p4-maeda2003,linux-2.5,sysenter,gettimeofday", "p5,linux-2.5,sysenter,gettimeofday", /no p5 or linux-2\.5/],
  ["linux-2.5,sysenter,gettimeofday", "linux-2.5,telepathy,gettimeofday", /no mechanism "telepathy"/],
  [/^.*$/s, "id,role\nx,test\n", /column reason is missing/],
])("nonsense is one line and status 2: %s", (from, to, message) => {
  const { status, line } = validateRows(rows.replace(from, to));
  expect(status).toBe(2);
  expect(line).toMatch(message);
  expect(line.split("\n")).toHaveLength(1);
});

test("a table that is not there is one line and status 2", () => {
  const { status, stderr } = kmlab(["validate", "--rows", join(folder, "none.csv")]);
  expect(status).toBe(2);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});
