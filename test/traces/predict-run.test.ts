// The prediction on real runs: programs that starve, fork and grow their stacks in every way, in ring 3 and in ring 0.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { captureProgram } from "../../src/emu/run.ts";
import { comparePrediction } from "../../src/traces/compare-prediction.ts";
import type { Trace } from "../../src/traces/trace.ts";
import { programImage } from "../emu/kernel/entry/programs.ts";

const PATH = "/usr/bin:/bin";
/** What ring 0 makes of PATH: given to the ring-3 run too, so that both stacks begin at the same address. */
const TRUSTED_PATH = "/trusted/usr/bin:/trusted/bin:/usr/bin:/bin";

function capture(argv: string[], ring: 0 | 3): Trace {
  return captureProgram({
    image: programImage(),
    argv: [`/bin/${argv[0]}`, ...argv.slice(1)],
    host: new MemoryIo(),
    kernel: "kml-4.0",
    ring,
    env: [`PATH=${ring === 0 ? PATH : TRUSTED_PATH}`],
    cwd: "/",
    memoryMiB: 64,
  }).trace;
}

const RUNS = [
  ["stk", "push", "16"],
  ["stk", "mov", "16"],
  ["stk", "submov", "16"],
  ["stk", "rec", "2000"],
  ["stk", "heap", "16"],
  ["stk", "call", "16"],
  ["stk", "callat8", "16"],
  ["stk", "int80", "16"],
  ["frk", "fork", "5"],
  ["frk", "fork80", "5"],
  ["frk", "vfork", "5"],
  ["frk", "thread", "5"],
  ["frk", "forkdeep", "8"],
];

describe("what ring 3 predicts is what ring 0 shows", () => {
  it.each(RUNS)("%s %s %s", (...argv) => {
    const comparison = comparePrediction(capture(argv, 3), capture(argv, 0));
    expect(comparison.seen.direct + comparison.seen.int80).toBeGreaterThan(0);
    const other = comparison.differences.filter(
      ({ reason }) => !reason?.startsWith("the vsyscall page is first executed"),
    );
    expect(other).toEqual([]);
    expect(comparison.seen).toEqual(comparison.predicted);
  });
});
