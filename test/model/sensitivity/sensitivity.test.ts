// What an answer hangs on: parameters with ranges, the order of mechanisms, and questions that make no sense.
import { describe, expect, test } from "vitest";
import { InputError } from "../../../src/errors.ts";
import { modelData } from "../../../src/model/data-node.ts";
import { type MadeEvent, makeTrace } from "../../../src/model/made-traces.ts";
import { orderingText, sensitivityText } from "../../../src/model/sensitivity/report.ts";
import { sensitivity, THE_REST } from "../../../src/model/sensitivity/sensitivity.ts";
import { whatif } from "../../../src/model/whatif.ts";

const data = modelData();
const calls = Array.from({ length: 50 }, (): MadeEvent => ({ task: 0, user: 200 }));
const trace = makeTrace({ tasks: 1, events: calls });
const few = { walks: 4, rows: 16, factors: 3 };

describe("a program of empty calls", () => {
  const result = sensitivity(trace, data, few);

  test("the speed-ups are whatif's own", () => {
    const answer = whatif(trace, data, { draws: 0 }).mechanisms.slice(1);
    expect(result.mechanisms.map(({ speedup }) => speedup)).toEqual(
      answer.map((entry) => ("speedup" in entry ? entry.speedup.value : undefined)),
    );
  });

  test("hang first on the published totals that the trap was fitted on", () => {
    for (const { tornado, morris } of result.mechanisms) {
      expect(tornado[0].parameter).toBe("group.machine");
      expect(morris[0].parameter).toBe("group.machine");
    }
    const group = result.parameters.find(({ name }) => name === "group.machine");
    expect(group?.ranges.map(({ low, high }) => [low, high])).toEqual([
      [432, 641],
      [1080, 1761],
    ]);
  });

  test("a tornado's ends are whatif's answers with that cost at the end of its range", () => {
    const { low, high } = data.profiles.get("p4")!.costs.get("cpi.alu")!;
    const speedup = (value: number): number => {
      const set = new Map([["cpi.alu", value]]);
      const entry = whatif(trace, data, { draws: 0, set, mechanisms: ["int80", "kml"] }).mechanisms[1];
      return "speedup" in entry ? entry.speedup.value : 0;
    };
    const bar = result.mechanisms[1].tornado.find(({ parameter }) => parameter === "cpi.alu")!;
    expect([bar.low, bar.high]).toEqual([speedup(low), speedup(high)]);
  });

  test("has three factors of its own and the rest, and one line about the order", () => {
    const [{ sobol }] = result.mechanisms;
    expect(sobol.length).toBe(4);
    expect(sobol.some(({ factor }) => factor === THE_REST)).toBe(true);
    const { order, broken, runs } = result.ordering;
    expect([order, broken]).toEqual([["kml", "sysenter", "int80"], 0]);
    expect(runs).toBeGreaterThan(4 * result.parameters.length);
    expect(sensitivityText(result).at(-1)).toMatch(/^the ordering kml < sysenter < int80 .* holds for all/);
  });

  test("is the same every time, and another with another seed", () => {
    expect(sensitivity(trace, data, few)).toEqual(result);
    expect(sensitivity(trace, data, { ...few, seed: 2 }).mechanisms).not.toEqual(result.mechanisms);
  });
});

test("an order that depends on the costs is said not to hold, and which pair breaks it", () => {
  const [{ total: trap }, { total: fast }] = whatif(trace, data, { draws: 0 }).mechanisms.filter((m) => "total" in m);
  const at = data.profiles.get("p4")!;
  expect(trap).toBeGreaterThan(fast);
  const each = Math.round((trap - fast) / 50) + 100;
  const set = new Map([["hw.sysexit", each]]);
  const { ordering } = sensitivity(trace, data, { ...few, set, mechanisms: ["int80", "sysenter"], profile: at.id });
  expect(ordering.broken).toBeGreaterThan(0);
  expect(ordering.broken).toBeLessThan(ordering.runs);
  expect(ordering.pairs.length).toBe(1);
  expect(orderingText(ordering)).toMatch(/does not hold .* is faster than .* in \d+\.\d %$/);
});

test("questions that make no sense are refused", () => {
  const ask = (options: object) => () => sensitivity(trace, data, { ...few, ...options });
  expect(ask({ mechanisms: ["kml"] })).toThrow(/nothing to compare/);
  expect(ask({ mechanisms: ["int80", "sysenter"], profile: "i486" })).toThrow(/nothing to compare on i486.*n\/a/);
  for (const bad of [{ rows: 0 }, { walks: 1.5 }, { factors: Number.NaN }, { profile: "p9" }, { kernel: "os2" }])
    expect(ask(bad)).toThrow(InputError);
  expect(ask({ set: new Map([["hw.sysenter", -1]]) })).toThrow(/not negative/);
});
