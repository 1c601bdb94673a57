// Schedulers: what each decides on small programs worked out by hand, and what holds for all of them on random ones.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type MadeTrace, randomTrace } from "../../src/model/made-traces.ts";
import { draw } from "../../src/model/random.ts";
import { SCHEDULERS } from "../../src/model/schedulers/schedulers.ts";
import { EDGE } from "../../src/traces/schema/enums.ts";
import { run, runTrace } from "./machine-run.ts";

describe("all schedulers", () => {
  test("record by record as coalesced, and CPUs x makespan = causes, on random traces", () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.nat(1e6),
          tasks: fc.integer({ min: 1, max: 6 }),
          cpus: fc.integer({ min: 1, max: 4 }),
          scheduler: fc.constantFrom(...SCHEDULERS),
          call: fc.constantFrom(0, 1, 700),
          after: fc.constantFrom(0, 1),
          tickCycles: fc.constantFrom(0, 20_011, 1_000_003),
          quantumCycles: fc.constantFrom(5000, 100_003, 2 ** 40),
          switch: fc.constantFrom(0, 1500),
        }),
        ({ seed, tasks, cpus, scheduler, call, after, tickCycles, quantumCycles, switch: cost }) => {
          let index = 0;
          const trace = randomTrace(() => draw(seed, "scheduler", index++), 120, tasks);
          const costs = {
            call,
            after: after * Math.floor(call / 3),
            tickUser: 90,
            tickKernel: 70,
            switch: cost,
            mm: 40,
            wake: 300,
          };
          runTrace(trace, costs, { tickCycles, firstTick: tickCycles, quantumCycles }, { scheduler, cpus });
        },
      ),
      { numRuns: 1200, seed: 1 },
    );
  });

  test.each(SCHEDULERS)("%s: with as many CPUs as tasks all end when they would alone", (scheduler) => {
    const events = [100, 250, 30].map((user, task) => ({ task, user: user * 1000 }));
    const { finished, causes, makespan } = run({ tasks: 3, events }, {}, {}, { scheduler, cpus: 3 });
    expect([...finished]).toEqual([100_000, 250_000, 30_000]);
    expect(causes.reduce((sum, cycles) => sum + cycles, 0)).toBe(3 * makespan);
  });

  test.each(SCHEDULERS)("%s: no CPU is idle while a task is ready", (scheduler) => {
    const events = Array.from({ length: 8 }, (_, task) => ({ task, user: 50_000_000 }));
    const { makespan } = run(
      { tasks: 8, events },
      {},
      { tickCycles: 1_000_000, firstTick: 1_000_000, quantumCycles: 3e6 },
      { scheduler, cpus: 2 },
    );
    // 400 million cycles on two CPUs, and at most one slice of one task at the end alone.
    expect(makespan).toBeGreaterThanOrEqual(200_000_000);
    expect(makespan).toBeLessThanOrEqual(250_000_000);
  });
});

/** Two tasks that only compute. */
const pair = (a: number, b: number): MadeTrace => ({
  tasks: 2,
  events: [
    { task: 0, user: a },
    { task: 1, user: b },
  ],
});

/** 1000 MHz, 100 ticks a second. */
const TICKS = { tickCycles: 10_000_000, firstTick: 10_000_000 };

describe("goodness", () => {
  test("a counter is 6 ticks at 100 Hz; who has none left makes room, and all are filled up when all are out", () => {
    // Ticks at 10 ms: task 0 runs 60 ms, task 1 60 ms; then both get 6 again, the one of the loaded address space goes on.
    const { finished } = run(pair(100_000_000, 70_000_000), {}, TICKS, { scheduler: "goodness" });
    expect([...finished]).toEqual([170_000_000, 130_000_000]);
  });
});

/** A sleeper that wakes after `sleep` ns and works for `work` cycles, beside a task that only computes. */
const sleeper = (sleep: number, work: number): MadeTrace => ({
  tasks: 2,
  events: [
    { task: 0, user: 0 },
    { task: 1, user: 200_000_000 },
    { task: 0, user: work },
  ],
  edges: [{ to: 0, kind: EDGE.timer, delay: sleep }],
});

describe("who wakes takes the CPU", () => {
  test("goodness: at once, having more ticks left than who has computed meanwhile", () => {
    // Both have 6; the other has used 2 of its by 25 ms.
    const { finished } = run(sleeper(25_000_000, 1000), {}, TICKS, { scheduler: "goodness" });
    expect(finished[0]).toBe(25_001_000);
  });

  test("goodness: not from its equal", () => {
    // At 5 ms no tick has come: the loaded address space is one better. The other's 6 ticks are over at 60 ms.
    const { finished } = run(sleeper(5_000_000, 1000), {}, TICKS, { scheduler: "goodness" });
    expect(finished[0]).toBe(60_001_000);
  });

  test("o1: at once, with the bonus of its sleep; and the other goes on then", () => {
    const { finished } = run(sleeper(50_000_000, 1000), {}, TICKS, { scheduler: "o1" });
    expect([...finished]).toEqual([50_001_000, 200_001_000]);
  });

  test("cfs: at once, when it is owed more than 1 ms", () => {
    const { finished } = run(sleeper(25_000_000, 1000), {}, TICKS, { scheduler: "cfs" });
    expect(finished[0]).toBe(25_001_000);
  });

  test("emulator: when the other has run a millisecond, and not before", () => {
    expect(run(sleeper(1_000_000, 1000), {}, TICKS, { scheduler: "emulator" }).finished[0]).toBe(1_001_000);
    // Else at the first tick behind 3 ms.
    expect(run(sleeper(999_999, 1000), {}, TICKS, { scheduler: "emulator" }).finished[0]).toBe(10_001_000);
  });

  test("rr: never; it waits for the end of the quantum", () => {
    const quantum = { quantumCycles: 30_000_000 };
    expect(run(sleeper(1_000_000, 1000), {}, quantum, { scheduler: "rr" }).finished[0]).toBe(30_001_000);
  });

  test("in the kernel only on the way out: a call of 10 ms keeps the CPU", () => {
    const made: MadeTrace = {
      tasks: 2,
      events: [
        { task: 0, user: 0 },
        { task: 1, user: 20_000_000 },
        { task: 0, user: 1000 },
        { task: 1, user: 1000 },
      ],
      edges: [{ to: 0, kind: EDGE.timer, delay: 25_000_000 }],
    };
    // 0 calls until 10 ms and sleeps until 35; 1 computes from 10 to 30 and is in its call until 40; then 0 ends its own.
    const { finished } = run(made, { call: 10_000_000 }, {}, { scheduler: "cfs" });
    expect(finished[0]).toBe(40_000_000 + 1000 + 10_000_000);
  });
});

describe("o1", () => {
  test("a time slice is 100 ms; then the others of the active array run", () => {
    const { finished } = run(pair(150_000_000, 120_000_000), {}, TICKS, { scheduler: "o1" });
    expect([...finished]).toEqual([250_000_000, 270_000_000]);
  });
});

describe("cfs", () => {
  test("two tasks share 6 ms: with ticks of 1 ms each runs 4 ms, the first tick after its 3", () => {
    // A slice is over when more than 3 ms have passed: at the tick of 4 ms.
    const ticks = { tickCycles: 1_000_000, firstTick: 1_000_000 };
    const { finished } = run(pair(6_000_000, 6_000_000), {}, ticks, { scheduler: "cfs" });
    // 0: 0..4, 1: 4..8, 0: 8..10, 1: 10..12.
    expect([...finished]).toEqual([10_000_000, 12_000_000]);
  });
});
