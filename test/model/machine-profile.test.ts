// A profile of a machine from its micro-benchmarks: what is solved, what is predicted, what is doubted, and its file.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ModelData } from "../../src/model/data.ts";
import { modelData } from "../../src/model/data-node.ts";
import {
  type Builds,
  calibrateMachine,
  PREDICTED_CALLS,
  profileTable,
  readMeasured,
} from "../../src/model/machine-profile.ts";
import { impossible, Prices } from "../../src/model/prices.ts";
import { readProfileFile } from "../../src/model/profiles.ts";
import { kmlab } from "../cli/kmlab.ts";

const data = modelData();

/** Ticks of a machine whose core runs at twice its counter's rate. */
function ticks(more: Record<string, number> = {}): string {
  const common = {
    tsc_mhz: 1500,
    dependent_add: 0.5,
    hypervisor: 0,
    cpuid: 100,
    getpid: 200,
    getpid_return: 260,
    stat: 1200,
  };
  const calls = Object.fromEntries(PREDICTED_CALLS.map((call, index) => [call, 220 + 100 * index]));
  const all = { ...common, load: 1, push_pop: 1, call_ret: 2, ...calls, ...more };
  return Object.entries(all)
    .map(([name, value]) => `${name},${value},${value * 1.01}\n`)
    .join("");
}
const builds = (more32: Record<string, number> = {}, more64: Record<string, number> = {}): Builds => ({
  m32: readMeasured(ticks({ int80: 400, ...more32 })),
  m64: readMeasured(ticks(more64)),
});

function pricesOf(made: Builds, kernel: string): { prices: Prices; all: ModelData } {
  const { profile } = calibrateMachine(data, made);
  const all = { ...data, profiles: new Map([...data.profiles, [profile.id, profile]]) };
  return { prices: new Prices(all, profile, data.kernels.get(kernel)!), all };
}

test("ticks become core cycles by the chain of additions, and the clock is the core's", () => {
  const { profile } = calibrateMachine(data, builds());
  expect(profile.mhz).toBe(3000);
  expect(profile.costs.get("i.call")).toMatchObject({ value: 2, range: "measured" });
  expect(profile.costs.get("cpi.load")).toMatchObject({ range: "assumed" });
});

test("the empty call by each way is reached, in every build", () => {
  const old = pricesOf(builds(), "linux-6.18").prices;
  expect(old.nullCall(old.kernel, "sysenter", "getpid")).toBeCloseTo(400, 6);
  expect(old.nullCall(old.kernel, "int80", "getpid")).toBeCloseTo(800, 6);
  const long = pricesOf(builds(), "linux-6.18-amd64").prices;
  expect(long.nullCall(long.kernel, "syscall", "getpid", true)).toBeCloseTo(400, 6);
  expect(long.nullCall(long.kernel, "syscall", "getpid")).toBeCloseTo(520, 6);
});

test("ten calls are predicted in each build, none of which is fitted on", () => {
  const { predictions, profile, medianErrorPercent } = calibrateMachine(data, builds());
  expect(PREDICTED_CALLS).toHaveLength(10);
  expect(predictions).toHaveLength(20);
  for (const { call, low, high, predicted, measured, errorPercent } of predictions) {
    expect(["getpid", "stat"]).not.toContain(call);
    expect(low <= predicted && predicted <= high, call).toBe(true);
    expect(errorPercent).toBeCloseTo((100 * (predicted - measured)) / measured, 9);
  }
  expect(profile.fits.every(({ call }) => call === "getpid")).toBe(true);
  expect(medianErrorPercent).toBeGreaterThan(0);
});

describe("doubts", () => {
  const notes = (made: Builds) => calibrateMachine(data, made).notes.join("\n");

  test("an INT as slow as CPUID in a guest is said to be intercepted, and only there", () => {
    const slow = { int80: 8000, cpuid: 7000, hypervisor: 1 };
    expect(notes(builds(slow, { hypervisor: 1 }))).toMatch(
      /INT n is probably intercepted by the hypervisor: .* 40 times/,
    );
    expect(notes(builds({ int80: 500, cpuid: 7000, hypervisor: 1 }))).not.toMatch(/intercepted/);
    expect(notes(builds())).toBe("");
  });

  test("without 32-bit code INT and SYSENTER stay unknown", () => {
    const made: Builds = { m64: readMeasured(ticks()) };
    expect(notes(made)).toMatch(/no 32-bit build/);
    const { prices } = pricesOf(made, "linux-6.18");
    for (const mechanism of ["int80", "sysenter"]) expect(impossible(prices, mechanism)).toMatch(/^unknown: /);
  });
});

test("its file is read back as the same processor", () => {
  const { all, prices } = pricesOf(builds(), "linux-6.18-amd64");
  const table = profileTable(all, prices.profile);
  const again = readProfileFile("here.csv", table, data.profiles.get("zen4")!);
  expect(again).toMatchObject({ mhz: 3000, guest: false, like: "zen4" });
  const read = new Prices(data, again, prices.kernel);
  expect(impossible(read, "kml-amd64")).toMatch(/has no kml-amd64/);
  for (const name of ["getpid", "stat", "read"])
    expect(read.nullCall(prices.kernel, "syscall", name)).toBeCloseTo(
      prices.nullCall(prices.kernel, "syscall", name),
      2,
    );
});

describe("nonsense is one line", () => {
  test.each([
    ["getpid,-5,200", /printed "getpid,-5,200", which is no measurement/],
    ["getpid,nan,200", /no measurement/],
    ["", /did not measure tsc_mhz/],
  ])("measured: %s", (line, message) => {
    expect(() => readMeasured(line)).toThrow(message);
  });

  const good = profileTable(data, { ...data.profiles.get("zen4")!, fits: [] });
  test.each([
    [/^hw\.iret_0,[^,]*/m, "hw.iret_0,-3", /value is -3; costs and counts are not negative/],
    [/^hw\.iret_0,[^,]*/m, "hw.iret_0,NaN", /value is "NaN"; write a number/],
    [/^(i\.load,[^,]*,[^,]*,[^,]*,[^,]*,[^,]*,).*$/m, "$1", /no source/],
    [/^mhz,.*\n/m, "", /no row mhz/],
    [/^i\.alu,.*\n/m, "", /no row i\.alu/],
  ])("a profile's file: %s", (from, to, message) => {
    expect(good.replace(from, to)).not.toBe(good);
    expect(() => readProfileFile("x.csv", good.replace(from, to), data.profiles.get("zen4")!)).toThrow(message);
  });
});

test("kmlab whatif --profile FILE.csv: the file's processor, and one line for a file that is none", () => {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-profile-"));
  try {
    const path = join(folder, "mine.csv");
    const good = profileTable(data, { ...data.profiles.get("zen4")!, guest: false, fits: [] });
    const asked = (text: string) => {
      writeFileSync(path, text);
      const { status, stdout, stderr } = kmlab([
        "whatif",
        "data/traces/find-ring3.kmtrace",
        "--profile",
        path,
        "--mech",
        "kml,free",
      ]);
      return { status, stdout, lines: stderr.trim().split("\n") };
    };
    expect(asked(good)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(`on ${path} (from a file, 3648 MHz)`),
    });
    for (const [from, to, message] of [
      [/^i\.load,[^,]*/m, "i.load,-1", "value is -1; costs and counts are not negative"],
      [/^i\.load,[^,]*/m, "i.load,NaN", 'value is "NaN"; write a number'],
      [/^i\.load,.*$/m, "i.load,1,1,1,measured,,", "no source"],
      [/^mhz,.*\n/m, "", "no row mhz"],
    ] as const) {
      const { status, lines } = asked(good.replace(from, to));
      expect([status, lines.length]).toEqual([2, 1]);
      expect(lines[0]).toContain(message);
    }
    expect(kmlab(["whatif", "data/traces/find-ring3.kmtrace", "--profile", join(folder, "none.csv")]).status).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describe("kmlab calibrate --machine", () => {
  const folder = mkdtempSync(join(tmpdir(), "kmlab-no-gcc-"));

  test("without gcc: one line that says what to install", () => {
    try {
      const { status, stderr } = kmlab(["calibrate", "--machine"], { PATH: folder });
      expect([status, stderr.trim()]).toEqual([
        2,
        "kmlab: calibrate --machine needs gcc, which was not found: install gcc, and gcc-multilib for 32-bit calls",
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("-o without --machine is refused", () => {
    expect(kmlab(["calibrate", "-o", "x.csv"])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/give both/),
    });
  });

  const hasGcc = spawnSync("gcc", ["--version"]).status === 0;
  test.runIf(hasGcc)("with gcc: this machine, ten calls predicted with their errors", () => {
    const { status, stdout } = kmlab(["calibrate", "--machine", "--json"]);
    expect(status).toBe(0);
    const { predictions, profile } = JSON.parse(stdout);
    expect(predictions.length % 10).toBe(0);
    expect(predictions.length).toBeGreaterThan(0);
    for (const { errorPercent } of predictions) expect(Number.isFinite(errorPercent)).toBe(true);
    expect(profile.mhz).toBeGreaterThan(100);
  });
});
