// The summary counts what is there: every event once, nothing that is unknown as 0; and the report and the comparison say it.
import { describe, expect, it } from "vitest";
import { compareTraces, differenceLines } from "../../../src/traces/compare.ts";
import { callNames } from "../../../src/traces/node.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import { report } from "../../../src/traces/show/report.ts";
import { summarize } from "../../../src/traces/show/summary.ts";
import { aligned, grouped } from "../../../src/traces/show/table.ts";
import { exampleTrace } from "../example.ts";
import { syntheticTrace } from "../synthetic.ts";

const names = callNames();
const plain = (text: string) => text;

describe("summarize", () => {
  it("counts every event once", () => {
    const trace = syntheticTrace({ events: 2000, tasks: 4 });
    const summary = summarize(trace, names);
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const { kind } = trace.events;
    const calls = [...kind].filter((k) => k === KIND.syscall || k === KIND.spawn || k === KIND.exit).length;
    const faults = [...kind].filter((k) => k === KIND.fault).length;
    expect(summary.events).toBe(trace.events.length);
    expect(sum(Object.values(summary.kinds))).toBe(trace.events.length);
    expect(sum(summary.calls.map(({ count }) => count))).toBe(calls);
    expect(sum(summary.tasks.map((task) => task.calls))).toBe(calls);
    expect(sum(Object.values(summary.sites))).toBe(calls);
    expect(sum(summary.faults.map(({ count }) => count))).toBe(faults);
    expect(sum(summary.tasks.map((task) => task.faults))).toBe(faults);
    expect(sum(summary.tasks.map(({ user }) => user!))).toBe(sum([...trace.events.user]));
    expect(summary.user).toBe(sum([...trace.events.user]));
    for (const call of summary.calls) {
      expect(sum(Object.values(call.sites))).toBe(call.count);
      expect(sum(Object.values(call.paths))).toBe(call.count);
      const errors = [...trace.events.nr].filter((nr, i) => nr === call.nr && trace.events.ret[i] < 0).length;
      expect(call.errors).toBe(errors);
    }
  });

  it("keeps unknown apart from 0", () => {
    const { calls } = summarize(exampleTrace(), names);
    const exit = calls.find(({ name }) => name === "exit_group");
    expect(exit).toMatchObject({ count: 2, errors: 0, kinstr: null, blocked: null, bytes: null });
    expect(calls.find(({ name }) => name === "wait4")).toMatchObject({ blocked: 0, bytes: null });
  });
});

describe("the report", () => {
  it("cuts long lists and says so", () => {
    const trace = syntheticTrace({ events: 400, tasks: 40 });
    const summary = summarize(trace, names);
    expect(report(trace, summary, plain)).toContain("... and 15 more (--all)");
    expect(report(trace, summary, plain, true)).not.toContain("(--all)");
  });

  it("names what the source could not know", () => {
    const trace = exampleTrace();
    trace.meta.fidelity.times = "none: the source has no clock";
    trace.meta.fidelity.loss = "partial: 7 events lost";
    const text = report(trace, summarize(trace, names), plain);
    expect(text).toMatch(/^times +none: the source has no clock$/m);
    expect(text).toMatch(/^loss +partial: 7 events lost$/m);
    expect(text).toMatch(/^no times$/m);
    expect(text).not.toContain("abi ");
  });

  it("aligns words to the left and numbers to the right, and groups digits", () => {
    expect(
      aligned(
        [
          ["a", "n"],
          ["long", "7"],
          ["b", "12,345"],
        ],
        [false, true],
        (t) => `*${t}*`,
      ),
    ).toEqual(["*a          n*", "long       7", "b     12,345"]);
    expect([grouped(1234567), grouped(999), grouped(0), grouped(null)]).toEqual(["1,234,567", "999", "0", ""]);
  });
});

describe("the comparison of two traces", () => {
  it("finds nothing between a trace and itself", () => {
    const difference = compareTraces(syntheticTrace(), syntheticTrace());
    expect(difference).toMatchObject({ same: true, meta: [], tables: [] });
    expect(differenceLines(difference)).toEqual([]);
  });

  it("finds each kind of difference", () => {
    const [one, two] = [syntheticTrace(), syntheticTrace()];
    two.events.user[5]++;
    two.events.flags[9] ^= 1;
    two.meta.kernel = "linux";
    const third = { ...two, objects: two.objects.slice(0, 1), args: new Map([...two.args, [0, "more"]]) };
    const difference = compareTraces(one, third);
    expect(difference.same).toBe(false);
    expect(difference.meta).toEqual([{ column: "kernel", values: ['"kml-4.0"', '"linux"'] }]);
    const events = difference.tables.find(({ table }) => table === "events");
    expect(events).toMatchObject({ different: 2, first: { row: 6 } });
    expect(events?.first?.cells).toEqual([
      { column: "user", values: [String(one.events.user[5]), String(one.events.user[5] + 1)] },
    ]);
    expect(difference.tables.find(({ table }) => table === "objects")).toMatchObject({
      rows: [2, 1],
      different: 0,
      first: null,
    });
    expect(differenceLines(difference).join("\n")).toMatch(
      /kernel: "kml-4.0" and "linux"\nevents: \d+ rows, 2 of those in both differ\n {2}first at event 5: user/,
    );
  });
});
