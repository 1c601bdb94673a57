// Every ring-0 case in kmlab against what QEMU printed, where it departs from the manual against the manual.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { CASES } from "./cases/all.ts";
import { DEPARTURES } from "./departures.ts";
import { expected } from "./expected.ts";
import type { Case } from "./harness.ts";
import { runKmlab } from "./kmlab.ts";
import { caseHash, differences, type Log, readLog } from "./log.ts";

const FIXTURE = join(import.meta.dirname, "..", "..", "fixtures", "ring0", "qemu.log.gz");
const recorded = readLog(gunzipSync(readFileSync(FIXTURE)).toString());

/** What is wrong, case by case. */
function wrong(cases: readonly Case[], log: Log): string[] {
  return cases.flatMap((c) => {
    const found = differences(log.get(c.name), expected(c.name, recorded.get(c.name)?.events ?? []));
    return found.length > 0 ? [`${c.name}: ${found.join(" ")}`] : [];
  });
}

describe("the cases", () => {
  it("have names of their own, and are those that were recorded (else: npm run ring0 -- --record)", () => {
    expect(new Set(CASES.map((c) => c.name)).size).toBe(CASES.length);
    expect(CASES.filter((c) => recorded.get(c.name)?.hash !== caseHash(c)).map((c) => c.name)).toEqual([]);
  });

  it("departures from the manual are of cases there are, once, and are departures", () => {
    const names = DEPARTURES.flatMap(({ cases }) => Object.keys(cases));
    expect(new Set(names).size).toBe(names.length);
    const none = names.filter((name) => {
      const events = recorded.get(name)?.events;
      return events === undefined || differences(events, expected(name, events)).length === 0;
    });
    expect(none).toEqual([]);
  });
});

describe("kmlab does as the manual says", () => {
  it("in every case", () => {
    expect(wrong(CASES, runKmlab(CASES))).toEqual([]);
  });

  it.runIf(process.env["KMLAB_SLOW"])("with hot regions in WebAssembly", () => {
    expect(wrong(CASES, runKmlab(CASES, "compile"))).toEqual([]);
  });

  it.runIf(process.env["KMLAB_SLOW"])("in the plain evaluator, every tenth case", () => {
    const some = CASES.filter((_, i) => i % 10 === 0);
    expect(wrong(some, runKmlab(some, "oracle"))).toEqual([]);
  });
});
