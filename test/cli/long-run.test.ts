// Runs that are ended: by a limit, by Ctrl-C, by a failure of kmlab's own. Each leaves a complete trace, a line and its own status.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { internalError } from "../../src/cli/guest.ts";
import { MemoryIo } from "../../src/emu/host.ts";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import { captureProgram, captureProgramWithPauses, type RunOptions, runProgram } from "../../src/emu/run.ts";
import { writeTrace } from "../../src/traces/node.ts";
import { imageOf } from "../emu/kernel/proc/image.ts";
import { longProgram } from "../guest/long.ts";
import { kmlab, ROOT } from "./kmlab.ts";

const folder = mkdtempSync(join(tmpdir(), "kmlab-long-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const trace = (name: string) => join(folder, `${name}.kmtrace`);
const LOOP = "echo ready; while :; do :; done";

function meta(name: string): Record<string, unknown> {
  return JSON.parse(kmlab(["show", trace(name), "--json"]).stdout).meta;
}

describe("limits", () => {
  it.each([
    ["instructions", "1000000", "kmlab: limit reached after 1000000 instructions"],
    ["seconds", "0.01", "kmlab: limit of 0.01 seconds of guest time reached"],
  ])("--limit-%s: status 123, one line, the same complete trace on any tier", (what, value, line) => {
    const ids = (["interpret", "compile"] as const).map((tier) => {
      const name = `${what}-${tier}`;
      const words = ["--root", "base", "--tier", tier, `--limit-${what}`, value, "-o", trace(name)];
      const run = kmlab(["capture", ...words, "sh", "-c", LOOP]);
      expect(run).toMatchObject({ status: 123, stdout: "ready\n" });
      expect(run.stderr).toContain(line);
      return meta(name);
    });
    expect(ids[0]).toMatchObject({ ended: `limit: ${value} ${what}`, reproducible: true });
    expect(ids[1]).toEqual(ids[0]);
  });

  it("that are not reached change nothing", () => {
    const words = ["--root", "base", "--limit-instructions", "100000000", "--limit-seconds", "100"];
    expect(kmlab(["run", ...words, "sh", "-c", "exit 7"])).toEqual({ status: 7, stdout: "", stderr: "" });
  });

  it.each([
    ["--limit-instructions", "0"],
    ["--limit-instructions", "1.5"],
    ["--limit-seconds", "-1"],
  ])("%s %s is refused", (option, value) => {
    expect(kmlab(["run", option, value, "true"])).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(new RegExp(`^kmlab: ${option} ${value}: give a`)),
    });
  });
});

/** Starts kmlab with an endless loop, presses Ctrl-C when it has said that, and gives its status and what it said. */
async function interruptedAfter(words: string[], stream: "stdout" | "stderr", line: RegExp) {
  const child = spawn(process.execPath, [join(ROOT, "bin/kmlab.mjs"), ...words, "sh", "-c", LOOP], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  let asked = false;
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (bytes) => {
      said[name] += bytes;
      if (asked || !line.test(said[stream])) return;
      asked = true;
      child.kill("SIGINT");
    });
  }
  const [status, signal] = await once(child, "close");
  return { ...said, status, signal };
}

it("Ctrl-C ends a capture with a complete trace and status 130", async () => {
  const run = await interruptedAfter(["capture", "--root", "base", "-o", trace("interrupted")], "stdout", /^ready\n/);
  expect(run).toMatchObject({ status: 130, signal: null, stdout: "ready\n" });
  expect(run.stderr).toMatch(/^kmlab: interrupted after \d+ instructions\n/);
  expect(meta("interrupted")).toMatchObject({ ended: "interrupted", reproducible: false });
});

it("progress says how fast, how far and how many", async () => {
  const words = ["run", "--root", "base", "--progress", "--limit-instructions", "4000000000"];
  const progress = /[\d.]+ MIPS, [\d.]+ M instructions, [\d.]+ s of guest time, 1 tasks/;
  const run = await interruptedAfter(words, "stderr", progress);
  expect(run).toMatchObject({ status: 130, stdout: "ready\n", stderr: expect.stringMatching(progress) });
});

describe("in the library", () => {
  const options = (): RunOptions => ({
    image: imageOf({ "/bin/long": longProgram(20) }),
    argv: ["/bin/long"],
    host: new MemoryIo(),
    memoryMiB: 32,
    cwd: "/",
  });

  it("pauses change nothing in a trace", async () => {
    let pauses = 0;
    const pause = () => {
      pauses++;
      return false;
    };
    const paused = await captureProgramWithPauses(options(), { every: 0, pause });
    const whole = captureProgram(options());
    expect(pauses).toBeGreaterThan(1);
    expect(paused.status).toBe(0);
    expect(writeTrace(trace("paused"), paused.trace)).toBe(writeTrace(trace("whole"), whole.trace));
  });

  it("a failure of kmlab's own has its own status, and tells what the guest was doing and how to see it again", () => {
    const attach = (kernel: Kernel) => {
      kernel.clock.at(200_000, () => {
        throw new Error("as if kmlab had failed");
      });
    };
    const run = runProgram({ ...options(), attach });
    expect(run.status).toBe(125);
    const { exit } = run;
    if (exit.kind !== "dead" || exit.bug === undefined) throw new Error(`ended otherwise: ${JSON.stringify(exit)}`);
    const text = internalError(run, exit.bug, ["run", "--ring", "0", "sh", "-c", "it's broken"]);
    expect(text).toContain("kmlab: internal error: Error: as if kmlab had failed\n    at ");
    expect(text).toMatch(
      /\nafter \d+ instructions, at \d+ on the clock; (task \d+ \(long\)|nobody) runs, in ring \d\n/,
    );
    expect(text).toMatch(/\n {2}eax [\da-f]{8} {2}ecx /);
    expect(text).toMatch(/\n {2}task 1000 \(long\), process 1000: \w+, last call \w+\n/);
    expect(text).toMatch(/\nkmlab: to see it again: kmlab run --ring 0 sh -c 'it'\\''s broken'\n$/);
  });
});
