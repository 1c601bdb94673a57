// Where conclusions flip: at the values found, they do.
import { describe, expect, test } from "vitest";
import { crossing, WORTH } from "../../../src/model/answers/break-even.ts";
import { modelData } from "../../../src/model/data-node.ts";
import { type MadeEvent, makeTrace } from "../../../src/model/made-traces.ts";
import { isResult, type MechanismResult, type WhatIfOptions, whatif } from "../../../src/model/whatif.ts";
import { SITE } from "../../../src/traces/schema/enums.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { nothingBut } from "../nothing-but.ts";

const data = modelData();

function results(trace: Trace, options: WhatIfOptions): MechanismResult[] {
  return whatif(trace, data, { draws: 0, mechanisms: ["int80", "kml"], ...options }).mechanisms.filter(isResult);
}

describe("a crossing", () => {
  test("of curves that bend either way is found; without one there is none", () => {
    for (const f of [(x: number) => x ** 3 - 2, (x: number) => 2 - x ** 3, (x: number) => 1 - 2 / x ** 3])
      expect(Math.abs(crossing(f, 0.5, 10)! - Math.cbrt(2))).toBeLessThan(2e-3);
    expect(crossing((x) => x + 1, 0, 4)).toBeUndefined();
    expect([crossing((x) => x, 0, 4), crossing((x) => x - 4, 0, 4)]).toEqual([0, 4]);
  });
});

describe("a hundred calls of 1,000 cycles of trap among 10,000 program instructions each", () => {
  const events = Array.from({ length: 100 }, (): MadeEvent => ({ task: 0, user: 10_000 }));
  const trace = makeTrace({ tasks: 1, events });
  const set = nothingBut({
    "hw.int_3to0": 600,
    "hw.iret_3": 400,
    "i.jmp_mem": 50,
    "cpi.alu": 1,
    "cpi.load": 1,
    mhz: 1000,
  });
  const [int80, kml] = results(trace, { set, breakEven: true });
  const { trap } = kml.breakEven!;
  const [callRate, protection] = [kml.breakEven!.callRate!, kml.breakEven!.protection!];

  test("the base has none", () => {
    expect(int80.breakEven).toBeUndefined();
  });

  test("the trap: ring 0 gains while the hardware takes more than what the direct call adds", () => {
    expect(trap.now).toBe(1000);
    const factor = trap.flips! / trap.now;
    const at = (by: number) =>
      results(trace, { set: new Map([...set, ["hw.int_3to0", 600 * by], ["hw.iret_3", 400 * by]]) }).map(
        (r) => r.total,
      );
    expect(at(factor * 1.1)[0]).toBeGreaterThan(at(factor * 1.1)[1]);
    expect(at(factor * 0.9)[0]).toBeLessThan(at(factor * 0.9)[1]);
  });

  test("the rate of calls: at it, the gain is one in a hundred", () => {
    expect(callRate.now).toBeCloseTo((100 / int80.total) * 1e9, 6);
    const user = 1e9 / callRate.flips! - int80.total / 100 + int80.causes.user / 100;
    const cpi = user / 10_000 / (int80.causes.user / 1e6);
    const slower = new Map([...set].map(([k, v]): [string, number] => [k, k.startsWith("cpi.") ? v * cpi : v]));
    const [, there] = results(trace, { set: slower });
    expect(there.speedup.value).toBeCloseTo(WORTH, 3);
  });

  test("protection: at it, ring 0 takes as long as the trap", () => {
    expect(protection.flips).toBeCloseTo((int80.total - kml.total) / kml.causes.user, 3);
  });

  test("a trace without program time has neither a rate nor a price of protection", () => {
    const [, only] = results(makeTrace({ tasks: 1, events: [{ task: 0 }] }), { set, breakEven: true });
    expect(only.breakEven).toMatchObject({ callRate: null, protection: null, trap: { now: 1000 } });
  });

  test("calls that stay traps gain nothing at any value", () => {
    const inline = makeTrace({ tasks: 1, events: [{ task: 0, site: SITE.int80, user: 10 }] });
    const costs = nothingBut({ "hw.int_3to0": 1000, "hw.iret_3": 1000, "hw.int_0to0": 2000, "cpi.alu": 1 });
    const [, same] = results(inline, { set: costs, breakEven: true });
    expect(same.speedup.value).toBe(1);
    expect(same.breakEven!.callRate?.flips).toBeNull();
  });
});
