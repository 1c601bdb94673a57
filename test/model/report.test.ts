// What people see: numbers that line up and add up, and statuses that say whether checks held.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelData } from "../../src/model/data-node.ts";
import { randomTrace } from "../../src/model/made-traces.ts";
import { draw } from "../../src/model/random.ts";
import { whatifText } from "../../src/model/report.ts";
import { align, duration, grouped } from "../../src/model/text.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { readTrace, writeTrace } from "../../src/traces/node.ts";
import { kmlab, ROOT } from "../cli/kmlab.ts";

const data = modelData();

function someTrace() {
  let index = 0;
  return randomTrace(() => draw(2, "report", index++), 300, 3);
}

test("numbers in groups of three, times in readable units", () => {
  expect([0, 12, 999, 1000, -1234567].map(grouped)).toEqual(["0", "12", "999", "1 000", "-1 234 567"]);
  expect([2, 0.0025, 1.5e-6].map(duration)).toEqual(["2.000 s", "2.500 ms", "1.500 us"]);
  expect(
    align([
      ["a", "1"],
      ["long", "10"],
    ]),
  ).toEqual(["a      1", "long  10"]);
});

test("every printed column adds up to its printed sum", () => {
  const answer = whatif(someTrace(), data, { draws: 3, profiles: ["p4", "i486"] });
  const lines = whatifText(answer);
  const starts = lines.flatMap((line, at) => (line.startsWith("cycles ") ? [at] : []));
  expect(starts).toHaveLength(2);
  for (const start of starts) {
    const mechanisms = lines[start]
      .trim()
      .split(/\s{2,}/)
      .slice(1, -1);
    const end = lines.findIndex((line, at) => at > start && line.startsWith("  sum = total"));
    const numbers = (line: string) =>
      line
        .trim()
        .split(/\s{2,}/)
        .slice(1, 1 + mechanisms.length)
        .map((cell) => Number(cell.replaceAll(" ", "")));
    const sums = mechanisms.map(() => 0);
    for (const line of lines.slice(start + 1, end))
      numbers(line).forEach((cycles, column) => {
        sums[column] += cycles;
      });
    expect(sums).toEqual(numbers(lines[end]));
    expect(sums.every((sum) => sum > 0)).toBe(true);
  }
  expect(lines.filter((line) => line.startsWith("sysenter n/a: no SYSENTER"))).toHaveLength(1);
});

test("the terms between a table of counts and the replay are printed and add up", () => {
  const answer = whatif(someTrace(), data, { draws: 0 });
  const kml = answer.mechanisms.filter(isResult)[2];
  const line = whatifText(answer).find((text) => text.startsWith("a table of counts alone"))!;
  const [naive, replayed] = [...line.matchAll(/-?\d[\d ]*\d/g)].map(([digits]) => Number(digits.replaceAll(" ", "")));
  expect(naive + kml.residual.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(replayed);
});

test("kmlab whatif --json is the answer itself; validate ends with 1 when a trace does not fit", () => {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-model-"));
  try {
    const shipped = join(ROOT, "data", "traces", "find-ring3.kmtrace");
    const asked = kmlab(["whatif", shipped, "--json", "--no-break-even", "--draws", "2", "--profile", "i486,p4"]);
    expect(JSON.parse(asked.stdout)).toEqual(
      JSON.parse(JSON.stringify(whatif(readTrace(shipped), data, { draws: 2, profiles: ["i486", "p4"] }))),
    );
    const trace = readTrace(shipped);
    trace.events.kinstr.forEach((count, seq) => {
      trace.events.kinstr[seq] = count * 3;
      trace.events.user[seq] *= 2;
    });
    const wrong = join(folder, "wrong.kmtrace");
    writeTrace(wrong, trace);
    const checked = kmlab(["validate", wrong]);
    expect([checked.status, checked.stderr.trim()]).toEqual([
      1,
      "kmlab: validate: identity wrong, ways wrong did not hold",
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
