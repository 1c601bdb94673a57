// The model on the captures that come with kmlab: it reproduces them, and ring 3 predicts ring 0.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { modelData } from "../../src/model/data-node.ts";
import { identityReplay } from "../../src/model/identity.ts";
import { traceChecks } from "../../src/model/trace-checks.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { readTrace } from "../../src/traces/node.ts";
import { EDGE, KIND } from "../../src/traces/schema/enums.ts";

const data = modelData();
const folder = fileURLToPath(new URL("../../data/traces", import.meta.url));
const traces = readdirSync(folder)
  .filter((name) => name.endsWith(".kmtrace"))
  .map((name) => ({ name, trace: readTrace(join(folder, name)) }));

test("there are captures in both rings", () => {
  expect(traces.length).toBeGreaterThanOrEqual(2);
  expect(new Set(traces.map(({ trace }) => trace.meta.ring))).toEqual(new Set([0, 3]));
});

/** Where one task after the other runs, the order of work leaves no choice. */
const alone = traces.filter(({ trace }) => new Set(trace.events.task).size === 1);

describe.each(traces)("$name", ({ trace }) => {
  test("replayed with its own costs comes back in the very cycles, or close to them where tasks meet", () => {
    const { recorded, replayed, times, switches, most } = identityReplay(trace, data);
    expect(times.all).toBeGreaterThan(0.9 * trace.events.length);
    const ticks = trace.events.kind.includes(KIND.irq) && trace.edges.length === 0;
    if (!ticks && (trace.edges.length === 0 || (trace.meta.ring === 3 && !trace.edges.kind.includes(EDGE.device)))) {
      // Every entry, every return and every switch in its very cycle.
      expect([replayed, times.exact, switches.exact, most]).toEqual([recorded, times.all, switches.all, 0]);
    } else {
      // Every switch is there, in its order: none is further off than what some unrecorded instructions and one fault add up to.
      // Where one task runs on and on, a tick within a fault moves what comes after it by a fault's length at most.
      if (!ticks) expect(switches.all).toBeGreaterThan(50);
      expect(Math.abs(replayed - recorded) / recorded).toBeLessThan(1e-5);
      expect(most / recorded).toBeLessThan(1e-3);
    }
  });
});

describe.each(alone)("$name", ({ trace }) => {
  test("more work, more time: a replay with an instruction added everywhere is longer by as many", () => {
    const entered = (seq: number): boolean => trace.events.user[seq] >= 0 && trace.events.kind[seq] !== KIND.switch;
    const added = {
      ...trace,
      events: { ...trace.events, user: trace.events.user.map((count, seq) => (entered(seq) ? count + 1 : count)) },
    };
    const events = trace.events.user.filter((_, seq) => entered(seq)).length;
    const longer = identityReplay(added, data).replayed - identityReplay(trace, data).replayed;
    expect(longer).toBeGreaterThan(0.95 * events);
    expect(longer).toBeLessThanOrEqual(events);
  });
});

describe.each(traces)("$name", ({ trace }) => {
  test("kernel mode pays, int 0x80 least, and coalesced replay is replay record by record", () => {
    const options = { draws: 0, profiles: ["p4", "i486"], mechanisms: ["int80", "sysenter", "kml", "kml-all"] };
    const answer = whatif(trace, data, options);
    expect(whatif(trace, data, { ...options, perRecord: true })).toEqual(answer);
    for (const profile of options.profiles) {
      const totals = answer.mechanisms
        .filter(isResult)
        .filter((result) => result.profile === profile)
        .map(({ total }) => total);
      expect(totals).toEqual([...totals].sort((a, b) => b - a));
    }
  });
});

test("ways in are as long as the emulator's, and a ring-3 trace predicts its ring-0 one", () => {
  const checks = traceChecks(traces, data);
  expect(checks.filter(({ holds }) => !holds)).toEqual([]);
  for (const kind of ["identity", "ways", "counterfactual"])
    expect(
      checks.some(({ id }) => id.startsWith(kind)),
      kind,
    ).toBe(true);
});
