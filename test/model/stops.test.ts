// Calls that a tracer or job control stops halfway: who waits for the stop goes on from there, the call only when it is let go.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { captureProgram } from "../../src/emu/run.ts";
import { modelData } from "../../src/model/data-node.ts";
import { identityReplay } from "../../src/model/identity.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { EDGE } from "../../src/traces/schema/enums.ts";
import { imageOf } from "../emu/kernel/proc/image.ts";
import { run } from "./machine-run.ts";

const data = modelData();
const [EXIT, WAIT4, PTRACE] = [1, 114, 26];

/** Task 1 works and exits; task 0 waits for the stop on the way in, lets it go on and waits for its end. */
const stoppedExit = {
  tasks: 2,
  events: [
    { task: 1, user: 1000, tOut: 1 },
    { task: 0, nr: WAIT4, tOut: 3 },
    { task: 1, nr: EXIT },
    { task: 0, user: 200, nr: PTRACE, tOut: 4 },
    { task: 0, nr: WAIT4, tOut: 9 },
  ],
  edges: [
    { to: 1, from: 2, kind: EDGE.child },
    { to: 2, from: 3, kind: EDGE.signal },
    { to: 4, from: 2, kind: EDGE.child },
  ],
};

test("who waits for a stop waits for the call before it, who waits for the end for the stopped call", () => {
  // Both begin (50 + 1050); the exit's work comes before its stop, then the tracer (200 + 50) and what it waits for last (50).
  expect(run(stoppedExit, { call: 50 }).makespan).toBe(50 + 1050 + 50 + 250 + 50);
});

test("an end that waits for what the waiting task had already begun is refused", () => {
  const [wait, ...others] = stoppedExit.events;
  const events = [wait, { ...others[0], tOut: 8 }, ...others.slice(1)];
  expect(() => run({ ...stoppedExit, events }, { call: 50 })).toThrow(/the trace waits for itself/);
});

/** Captures a program of test/fixtures/calls, which checks by itself what its tracees do. */
function capture(name: string, ring: 0 | 3) {
  const bytes = new Uint8Array(readFileSync(new URL(`../fixtures/calls/${name}`, import.meta.url)));
  const image = imageOf({ [`/bin/${name}`]: bytes });
  return captureProgram({ image, argv: [`/bin/${name}`], host: new MemoryIo(), memoryMiB: 64, cwd: "/", ring }).trace;
}

describe.each([
  ["stops at calls, signals, forks and execs, and a detach", "ptrace", 3],
  ["stops at calls, signals, forks and execs, and a detach", "ptrace", 0],
  ["PTRACE_SEIZE, PTRACE_INTERRUPT and job control", "seize", 3],
  ["PTRACE_SEIZE, PTRACE_INTERRUPT and job control", "seize", 0],
  ["single steps", "steps", 3],
  ["breakpoints", "watch", 3],
] as const)("%s (%s, ring %i)", (_what, name, ring) => {
  const trace = capture(name, ring);
  test("takes as long when it is replayed with its own costs as it took", () => {
    const { recorded, replayed } = identityReplay(trace, data);
    expect(Math.abs(replayed - recorded) / recorded).toBeLessThan(1e-3);
  });
  test("can be asked what if, in parts as well as record by record", () => {
    const options = { draws: 0, profiles: ["p4"], mechanisms: ["int80", "sysenter", "kml"] };
    const answer = whatif(trace, data, options);
    expect(answer.mechanisms.filter(isResult).map(({ mechanism }) => mechanism)).toEqual(options.mechanisms);
    expect(whatif(trace, data, { ...options, perRecord: true })).toEqual(answer);
  });
});
