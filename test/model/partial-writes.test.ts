// A write longer than its pipe and the read that lets it end: neither waits for the other's end, and what is behind them keeps its order.
import { expect, test } from "vitest";
import { EDGE } from "../../src/traces/schema/enums.ts";
import { run } from "./machine-run.ts";

const [READ, WRITE] = [3, 4];

/** Task 0 works and writes; task 1 reads before that write ends. `ends`: when the write returned in the recording. */
function pipe(ends: number) {
  return {
    tasks: 2,
    events: [
      { task: 0, user: 1000, tOut: 1 },
      { task: 0, nr: WRITE, tOut: ends },
      { task: 1, nr: READ, tOut: 50 },
      { task: 0, user: 70, tOut: ends + 1 },
    ],
    edges: [
      { to: 1, from: 2, kind: EDGE.data },
      { to: 2, from: 1, kind: EDGE.data },
    ],
  };
}

test("a read that ended within the write waits for the call before it, the write for the read", () => {
  // The reader waits for the first call (1000 + 50), reads with the write's work on the one CPU (50 + 50), and the last call takes 70 + 50.
  const { makespan, blocks } = run(pipe(100), { call: 50 });
  expect(makespan).toBe(1000 + 50 + 50 + 50 + 70 + 50);
  expect(blocks).toBeGreaterThan(0);
});

test("calls that really wait for each other's end are still refused", () => {
  expect(() => run(pipe(50), { call: 50 })).toThrow(/the trace waits for itself/);
});
