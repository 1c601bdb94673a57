// Critical paths: known ones of small traces, and sums on random ones.
import { describe, expect, test } from "vitest";
import type { CriticalPath } from "../../../src/model/answers/critical-path.ts";
import { modelData } from "../../../src/model/data-node.ts";
import { type MadeTrace, makeTrace, randomTrace } from "../../../src/model/made-traces.ts";
import { draw } from "../../../src/model/random.ts";
import { isResult, type WhatIfOptions, whatif } from "../../../src/model/whatif.ts";
import { EDGE, KIND } from "../../../src/traces/schema/enums.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { nothingBut } from "../nothing-but.ts";

const data = modelData();
const CLONE = 120;
/** One cycle an instruction, 1,000 a call's body, nothing else. */
const COSTS = nothingBut({ mhz: 1000, "body.getpid.a": 1000, ...cpi(1) });

function cpi(value: number): Record<string, number> {
  const keys = [...data.profiles.get("p4")!.costs.keys()].filter((key) => key.startsWith("cpi."));
  return Object.fromEntries(keys.map((key) => [key, value]));
}

function paths(trace: Trace, options: WhatIfOptions): { path: CriticalPath; total: number }[] {
  const found = whatif(trace, data, { draws: 0, ...options }).mechanisms.filter(isResult);
  return found.map(({ criticalPath, total }) => ({ path: criticalPath!, total }));
}

function path(made: MadeTrace): CriticalPath {
  return paths(makeTrace(made), { mechanisms: ["free"], set: COSTS })[0].path;
}

const nothing = { program: 0, kernel: 0, ticks: 0, queued: 0, device: 0, timer: 0, dependency: 0 };

describe("known paths", () => {
  test("one task: its work", () => {
    expect(path({ tasks: 1, events: [{ task: 0, user: 500 }] })).toEqual({
      ...nothing,
      program: 500,
      kernel: 1000,
      hops: 0,
      tasks: [{ task: 0, cycles: 1500 }],
    });
  });

  test("a deadline of 5,000 ns after 500 instructions and a call of 1,000 cycles", () => {
    const made: MadeTrace = {
      tasks: 1,
      events: [
        { task: 0, user: 500 },
        { task: 0, user: 70 },
      ],
      edges: [{ to: 0, kind: EDGE.timer, delay: 5000 }],
    };
    expect(path(made)).toMatchObject({ program: 570, kernel: 2000, timer: 5000, queued: 0, hops: 0 });
  });

  test("a reader of what another task writes late: the path is the writer's", () => {
    const made: MadeTrace = {
      tasks: 2,
      spawnedBy: [undefined, 0],
      events: [
        { task: 0, kind: KIND.spawn, nr: CLONE },
        { task: 0, user: 20 },
        { task: 1, user: 30_000 },
        { task: 0, user: 10 },
      ],
      edges: [{ to: 1, from: 2, kind: EDGE.data }],
    };
    // The reader's last 10 instructions and call, and the writer's work, which had to wait until the reader had asked.
    expect(path(made)).toEqual({
      ...nothing,
      program: 30_000 + 10,
      kernel: 2000,
      queued: 20 + 1000,
      hops: 2,
      tasks: [
        { task: 1, cycles: 31_000 },
        { task: 0, cycles: 1010 },
      ],
    });
  });

  test("two tasks that only compute take turns: the later one's path holds the other's time as waiting for the CPU", () => {
    const made: MadeTrace = {
      tasks: 2,
      spawnedBy: [undefined, 0],
      events: [
        { task: 0, kind: KIND.spawn, nr: CLONE },
        { task: 0, user: 4000 },
        { task: 1, user: 7000 },
      ],
    };
    expect(path(made)).toMatchObject({ program: 7000, kernel: 1000, queued: 5000, hops: 1, tasks: [{ task: 1 }] });
  });
});

test("on random traces every path adds up to the makespan, with ticks, turns, deadlines and waits on it", () => {
  let counter = 0;
  const random = (): number => draw(11, "paths", counter++);
  const seen = { ...nothing, hops: 0 };
  for (let round = 0; round < 12; round++) {
    const trace = randomTrace(random, 400, 1 + (round % 5));
    for (const { path: found, total } of paths(trace, {
      machine: { scheduler: "rr" },
      set: new Map([
        ["quantum_us", 20],
        ["hz", 8000],
      ]),
    })) {
      const { program, kernel, ticks, queued, device, timer, dependency } = found;
      expect(program + kernel + ticks + queued + device + timer + dependency).toBe(total);
      expect(found.tasks.reduce((sum, { cycles }) => sum + cycles, 0)).toBe(program + kernel);
      for (const key of Object.keys(seen) as (keyof typeof seen)[]) {
        expect(found[key]).toBeGreaterThanOrEqual(0);
        seen[key] += found[key];
      }
    }
  }
  for (const [part, sum] of Object.entries(seen)) if (part !== "dependency") expect(sum, part).toBeGreaterThan(0);
});
