// Programs that ask for too much, or in ring 0 wreck the machine: they end, the run says how, and kmlab goes on.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import type { ExitInfo } from "../../../../src/emu/kernel/kernel.ts";
import { captureProgram } from "../../../../src/emu/run.ts";
import { fixture, imageOf, run } from "./image.ts";

const SIGILL = 4;
const SIGKILL = 9;
const SIGSEGV = 11;

function end(how: string, ring: 0 | 3, memoryMiB = 16): { exit: ExitInfo; out: string } {
  const { exit, out } = run({ "/bin/hostile": fixture("hostile") }, ["/bin/hostile", how], { ring, memoryMiB });
  return { exit, out };
}

function killed(signal: number): ExitInfo {
  return { kind: "signal", signal, core: false };
}

describe.each([3, 0] as const)("in ring %i", (ring) => {
  it("a program that takes all memory is killed", () => {
    expect(end("memory", ring).exit).toEqual(killed(SIGKILL));
  });

  it("a stack without end is a segmentation fault", () => {
    expect(end("stack", ring).exit).toEqual(killed(SIGSEGV));
  });

  it("threads without end are refused", () => {
    expect(end("threads", ring, 128)).toEqual({ exit: { kind: "exit", code: 1 }, out: "threads refused 1\n" });
  });

  it("a program that waits for nothing is a dead machine", () => {
    const reason = "every task waits for something that will never happen";
    expect(end("sleep", ring).exit).toEqual({ kind: "dead", reason });
  });
});

it("waiting for nothing ends a capture too, although it looks at the clock", () => {
  const image = imageOf({ "/bin/hostile": fixture("hostile") });
  const { trace } = captureProgram({ image, argv: ["/bin/hostile", "sleep"], host: new MemoryIo(), cwd: "/" });
  expect(trace.meta.ended).toBe("dead: every task waits for something that will never happen");
});

it("forks without end are refused", () => {
  const { exit, out } = end("forks", 3, 256);
  expect(exit).toEqual({ kind: "exit", code: 1 });
  expect(out).toBe("forks refused 1\n");
});

it("forks that leave no memory end in a kill", () => {
  expect(end("forks", 3).exit).toEqual(killed(SIGKILL));
});

it("a ring-0 program may halt the machine", () => {
  expect(end("halt", 0).exit).toEqual({ kind: "dead", reason: "processor halted with interrupts off" });
});

it("a ring-0 program may overwrite its page tables: only it is lost", () => {
  const { exit } = end("tables", 0);
  expect(exit.kind).toBe("signal");
  expect([SIGILL, SIGSEGV, SIGKILL]).toContain(exit.kind === "signal" ? exit.signal : 0);
});
