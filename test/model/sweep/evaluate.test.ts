// The numbers of a run: those that whatif gives for the same question, whichever mechanisms are asked for together.
import { describe, expect, it } from "vitest";
import { CAUSES } from "../../../src/model/causes.ts";
import { modelData } from "../../../src/model/data-node.ts";
import {
  evaluate,
  type PointQuestion,
  prepare,
  RESULT_COLUMNS,
  type Result,
} from "../../../src/model/sweep/evaluate.ts";
import { isResult, whatif } from "../../../src/model/whatif.ts";
import { readTrace } from "../../../src/traces/node.ts";

const data = modelData();
const trace = readTrace("data/traces/pipe-ring3.kmtrace");
const QUESTION: PointQuestion = {
  profile: "p4",
  kernel: "kml-4.0",
  conditions: {},
  machine: {},
  set: [],
  draws: 3,
  seed: 7,
  mechanisms: ["int80", "sysenter", "kml", "syscall"],
};

function answer(question: PointQuestion, wanted: readonly string[] = question.mechanisms): Result[] {
  return evaluate(prepare(trace, data, data.kernels.get(question.kernel)!, question.machine), data, question, wanted);
}

function cell(result: Result, column: (typeof RESULT_COLUMNS)[number]): string | number | null {
  return result[RESULT_COLUMNS.indexOf(column)];
}

describe("a run", () => {
  it.each<[string, Partial<PointQuestion>]>([
    ["as it is", {}],
    ["another processor", { profile: "i486", kernel: "kml-2003" }],
    [
      "a machine and costs",
      {
        machine: { scheduler: "rr", cpus: 2 },
        set: [
          ["hz", 100],
          ["hw.int_3to0", 50],
        ],
      },
    ],
    ["conditions", { conditions: { protection: "sfi", pollution: true } }],
    ["little memory", { machine: { memory: 3, reclaim: "lru" } }],
    ["recompiled", { profile: "zen4", kernel: "kml-6.18-amd64", mechanisms: ["syscall", "kml-amd64"] }],
  ])("has the numbers of whatif: %s", (_, change) => {
    const question = { ...QUESTION, ...change };
    const { mechanisms } = whatif(trace, data, {
      ...question,
      profiles: [question.profile],
      kernels: [question.kernel],
      set: new Map(question.set),
    });
    const results = answer(question);
    expect(mechanisms.filter(isResult).length).toBeGreaterThan(1);
    mechanisms.forEach((entry, index) => {
      const result = results[index];
      if (!isResult(entry)) {
        expect(cell(result, "missing")).toBe(entry.missing);
        expect(result.filter((value) => value !== null)).toEqual([entry.missing]);
        return;
      }
      expect(cell(result, "total")).toBe(entry.total);
      expect(cell(result, "base")).toBe(entry.base);
      expect([cell(result, "speedup"), cell(result, "low"), cell(result, "high")]).toEqual(
        Object.values(entry.speedup),
      );
      expect([cell(result, "amdahl"), cell(result, "naive")]).toEqual([entry.amdahl, entry.naive]);
      expect(CAUSES.map((cause) => cell(result, cause))).toEqual(Object.values(entry.causes));
    });
  });

  it("is the same whichever are wanted with it", () => {
    const all = answer(QUESTION);
    QUESTION.mechanisms.forEach((mechanism, index) => {
      expect(answer(QUESTION, [mechanism])).toEqual([all[index]]);
    });
  });

  it("that cannot be replayed says why", () => {
    const [int80, kml] = answer({ ...QUESTION, set: [["hz", 1e9]], mechanisms: ["int80", "kml"] });
    expect(cell(int80, "missing")).toMatch(/^n\/a: a timer tick takes \d+ cycles and comes every \d+: /);
    expect(cell(kml, "total")).toBeNull();
  });
});
