// The emulated kernel and the model have schedulers of the same names: from a capture under the kernel's own, the model says when each
// task ends under the others, and captures under those show it.
import { describe, expect, test } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import type { SchedulerName } from "../../src/emu/kernel/schedulers/schedulers.ts";
import { captureProgram } from "../../src/emu/run.ts";
import { modelData } from "../../src/model/data-node.ts";
import { identityReplay } from "../../src/model/identity.ts";
import { scheduledCaptures } from "../../src/model/scheduler-counterfactual.ts";
import type { Trace } from "../../src/traces/trace.ts";
import { imageOf } from "../emu/kernel/proc/image.ts";
import { type Cruncher, crunchers } from "../guest/mix.ts";

const data = modelData();

const captures = new Map<string, Trace>();

/** Captured once for all tests. */
function capture(mix: readonly Cruncher[], hz: number, scheduler: SchedulerName): Trace {
  const key = JSON.stringify([mix, hz, scheduler]);
  const known = captures.get(key);
  if (known !== undefined) return known;
  const image = imageOf({ "/bin/mix": crunchers(mix) });
  const machine = { image, argv: ["/bin/mix"], host: new MemoryIo(), memoryMiB: 16, cwd: "/" };
  const { trace } = captureProgram({ ...machine, hz, scheduler });
  expect(trace.meta.ended).toBe("exit 0");
  captures.set(key, trace);
  return trace;
}

const millions = (...each: number[]): Cruncher[] => each.map((n) => ({ millions: n }));

/** The tasks in the order of some times. */
const order = (rows: readonly { what: string }[], time: (index: number) => number): string[] =>
  rows
    .map((row, index) => ({ what: row.what, at: time(index) }))
    .sort((a, b) => a.at - b.at)
    .map(({ what }) => what);

describe.each([
  [100, millions(60, 40, 80, 25)],
  [1000, millions(30, 20, 40, 12)],
])("at %i Hz", (hz, mix) => {
  const own = capture(mix, hz, "emulator");

  test.each([
    "rr",
    "goodness",
    "o1",
  ] as const)("%s ends tasks when and in the order in which the model says", (scheduler) => {
    const other = capture(mix, hz, scheduler);
    expect(other.meta.scheduler).toBe(scheduler);
    const rows = scheduledCaptures(
      [
        { name: "own", trace: own },
        { name: "other", trace: other },
      ],
      data,
    );
    expect(rows).toHaveLength(mix.length + 1);
    // Each within a tenth of a millisecond of the 120 to 410 that they take.
    for (const row of rows) expect(Math.abs(row.predicted - row.seen), row.what).toBeLessThan(50_000);
    expect(order(rows, (i) => rows[i].predicted)).toEqual(order(rows, (i) => rows[i].seen));
  });

  test("the schedulers differ, so that this says something", () => {
    const ends = ["emulator", "rr", "goodness", "o1"].map((scheduler) => {
      const trace = capture(mix, hz, scheduler as SchedulerName);
      return JSON.stringify(trace.events.tIn.slice(-20));
    });
    expect(new Set(ends).size).toBe(4);
  });

  test("a capture under the kernel's own scheduler replays as it was", () => {
    const { recorded, replayed, most } = identityReplay(own, data);
    expect(Math.abs(replayed - recorded)).toBeLessThan(1000);
    expect(most).toBeLessThan(1000);
  });
});
