// kmlab sweep as a user runs it: the same bytes whatever is killed, however many threads and shards; parts, lists and damage.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kmlab, ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-sweep-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = join(root, "trap.yaml");
const RUNS = 2 * 2 * 25 * 3;
const whole = join(root, "whole");

beforeAll(() => {
  writeFileSync(
    file,
    `traces: [find-ring3, forks-ring3]
profiles: [pentium, p4]
mechanisms: [int80, kml, sysenter]
set:
  hw.int_3to0: {from: 10, to: 1000, steps: 25, scale: log}
  hw.iret_3: hw.int_3to0 / 2
draws: 12
`,
  );
  const { status, stdout, stderr } = sweep("whole", "--jobs", "1");
  expect(`${status} ${stderr}`).toBe("0 ");
  expect(stdout).toContain(`${RUNS} of ${RUNS} runs: 0 were known, ${RUNS} computed now`);
});

function sweep(folder: string, ...words: string[]) {
  return kmlab(["sweep", file, "-o", join(root, folder), ...words]);
}

function text(folder: string, name: string): string {
  return readFileSync(join(root, folder, name), "utf8");
}

/** All lines of a folder's results. */
function results(folder: string): string[] {
  const dir = join(root, folder, "results");
  if (!existsSync(dir)) return [];
  return readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), "utf8").split("\n").filter(Boolean));
}

/** The tables of two folders are the same, byte by byte. */
function expectSame(folder: string): void {
  expect(text(folder, "trap.csv") === readFileSync(join(whole, "trap.csv"), "utf8")).toBe(true);
  expect(text(folder, "trap.json")).toBe(readFileSync(join(whole, "trap.json"), "utf8"));
}

/** Starts a sweep and kills it as soon as it has kept so many results; how many it had kept when it was dead. */
async function killed(folder: string, after: number): Promise<number> {
  const words = [join(ROOT, "bin/kmlab.mjs"), "sweep", file, "-o", join(root, folder), "--jobs", "2"];
  const child = spawn(process.execPath, words, { stdio: "ignore" });
  const ended = once(child, "exit");
  while (child.exitCode === null && results(folder).length < after) await new Promise((go) => setTimeout(go, 1));
  child.kill("SIGKILL");
  expect((await ended)[1]).toBe("SIGKILL");
  return results(folder).length;
}

describe("kmlab sweep", () => {
  it("writes a row a run with every parameter", () => {
    const lines = text("whole", "trap.csv").trimEnd().split("\n");
    expect(lines.length).toBe(1 + RUNS);
    expect(lines[0]).toMatch(
      /^run,trace,profile,kernel,hw\.int_3to0,hw\.iret_3,mechanism,trace_id,draws,missing,base,total,seconds,speedup,low,high,/,
    );
    expect(lines[2]).toMatch(/^2,find-ring3,pentium,kml-4\.0,10,5,kml,[0-9a-f]{64},12,,int80,\d+,0\.\d+,1\.\d+,/);
    expect(lines[3]).toMatch(/^3,find-ring3,pentium,kml-4\.0,10,5,sysenter,[0-9a-f]{64},12,n\/a: /);
    const about = JSON.parse(text("whole", "trap.json"));
    expect(about).toMatchObject({ experiment: "trap", runs: RUNS, withoutReplay: RUNS / 6, draws: 12, seeds: [1] });
    expect(about.traces.map(({ id }: { id: string }) => id)).toEqual([
      ...new Set(lines.slice(1).map((l) => l.split(",")[7])),
    ]);
  });

  it("killed twice and gone on with it has the same bytes; nothing is computed twice, nothing lost", async () => {
    const first = await killed("killed", 20);
    const second = await killed("killed", first + 20);
    expect(second).toBeLessThan(RUNS);
    const { stdout } = sweep("killed", "--jobs", "2", "--json");
    const end = JSON.parse(stdout);
    expect(end.known + end.computed).toBe(RUNS);
    expect(end.known).toBeGreaterThanOrEqual(second - 2);
    const keys = results("killed").map((line) => line.slice(17, 85));
    expect(new Set(keys).size).toBe(keys.length);
    expectSame("killed");
  });

  it("in shards, collected, has the same bytes; a missing shard is named", () => {
    for (const shard of ["1/3", "3/3"]) expect(sweep("shards", "--shard", shard).status).toBe(0);
    expect(existsSync(join(root, "shards", "trap.csv"))).toBe(false);
    const early = sweep("shards", "--collect");
    expect(early.status).toBe(1);
    expect(early.stderr).toMatch(/^kmlab: \d+ runs have no result yet: --only 4-6,13-15,/);
    expect(sweep("elsewhere", "--shard", "2/3").status).toBe(0);
    expect(sweep("shards", "--collect", join(root, "elsewhere"), "--json").stdout).toContain('"computed": 0');
    expectSame("shards");
  });

  it("computes torn and damaged results again, and no others", () => {
    expect(sweep("torn", "--collect", whole).status).toBe(0);
    const all = join(whole, "results", "all.results");
    const lines = readFileSync(all, "utf8");
    const damaged = lines.replace(/[0-9](?=\]\n)/, (digit) => String((Number(digit) + 1) % 10)).slice(0, -30);
    expect(sweep("torn", "--only", "1", "--jobs", "1").status).toBe(0);
    writeFileSync(join(root, "torn", "results", "all.results"), damaged);
    expect(JSON.parse(sweep("torn", "--json").stdout)).toMatchObject({ known: RUNS - 2, computed: 2, damaged: 2 });
    expectSame("torn");
    expect(JSON.parse(sweep("torn", "--json").stdout)).toMatchObject({ known: RUNS, computed: 0 });
  });

  it("lists runs and computes some", () => {
    const list = sweep("none", "--list", "--only", "3,7-9").stdout.trimEnd().split("\n");
    expect(list.map((line) => line.trim().split(/\s+/)[0])).toEqual(["run", "3", "7", "8", "9"]);
    expect(existsSync(join(root, "none"))).toBe(false);
    const rows = sweep("some", "--only", "3,7-9", "--jobs", "1").stdout;
    const expected = text("whole", "trap.csv").split("\n");
    expect(rows).toBe(`${[0, 3, 7, 8, 9].map((n) => expected[n]).join("\n")}\n`);
    expect(JSON.parse(sweep("none", "--list", "--only", "2", "--json").stdout)).toEqual([
      {
        run: 2,
        trace: "find-ring3",
        profile: "pentium",
        kernel: "kml-4.0",
        "hw.int_3to0": 10,
        "hw.iret_3": 5,
        mechanism: "kml",
      },
    ]);
  });

  it.each([
    [["--only", "0"], `--only 0: write numbers of runs from 1 to ${RUNS}`],
    [["--only", "3-"], "--only 3-: write numbers of runs"],
    [["--shard", "3/2"], "--shard 3/2: write I/N"],
    [["--jobs", "0"], "--jobs 0: write a whole number"],
    [["--shard", "1/2", "--collect"], "--shard: it goes with neither"],
  ])("refuses %s", (words, message) => {
    const { status, stderr } = sweep("none", ...words);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it.runIf(hasPackages)("captures scenarios once, and goes on from them", () => {
    const shells = join(root, "shells.yaml");
    writeFileSync(shells, "traces:\n  - {scenario: shell, ring: 0}\n  - find-ring3\nmechanisms: [int80, kml]\n");
    const go = (...words: string[]) => kmlab(["sweep", shells, "-o", join(root, "shells"), "--json", ...words]);
    expect(JSON.parse(go("--list").stdout).map(({ trace }: { trace: string }) => trace)).toContain("shell-ring0");
    expect(existsSync(join(root, "shells"))).toBe(false);
    expect(JSON.parse(go().stdout)).toMatchObject({ runs: 4, computed: 4, impossible: 0 });
    const about = JSON.parse(text("shells", "shells.json"));
    expect(about.traces[0]).toMatchObject({ trace: "shell-ring0", argv: ["sh", "run.sh"] });
    expect(JSON.parse(go().stdout)).toMatchObject({ known: 4, computed: 0 });
    writeFileSync(shells, "traces:\n  - {scenario: shall}\n");
    expect(go("--list").stderr).toMatch(/shells\.yaml:2:6: traces\.0\.scenario: no scenario shall; there are apache, /);
  });

  it("names file and line of what is wrong with an experiment", () => {
    const bad = join(root, "bad.yaml");
    writeFileSync(bad, "traces: find-ring3\nmechanism: kml\n");
    const { status, stderr } = kmlab(["sweep", bad]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      `kmlab: ${bad}:2:1: mechanism: no such key here; there are about, traces, mechanisms, profiles, kernels, target, conditions, machine, set, variables, constraints, seeds, draws\n`,
    );
  });
});
