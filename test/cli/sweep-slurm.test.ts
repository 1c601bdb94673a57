// kmlab sweep --engine slurm: the script, and shards that fail and are submitted again; on a real Slurm where it is installed (slow).
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quoted, ranges } from "../../src/model/sweep/slurm.ts";
import { kmlab, ROOT } from "./kmlab.ts";

const root = mkdtempSync(join(tmpdir(), "kmlab-slurm-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = join(root, "an experiment.yaml");
const bin = join(root, "bin");

/** A command that stands in for one of Slurm's. */
function pretend(name: string, code: string): void {
  writeFileSync(join(bin, name), `#!${process.execPath}\n${code}\n`, { mode: 0o755 });
}

/** A Slurm that runs an array's tasks in turn; the first submission loses its second task. */
const SBATCH = `
const { spawnSync } = require("node:child_process");
const { appendFileSync, readFileSync, existsSync } = require("node:fs");
const log = ${JSON.stringify(join(root, "submitted"))};
const first = !existsSync(log);
const list = process.argv.find((word) => word.startsWith("--array=")).slice(8);
appendFileSync(log, list + "\\n");
for (const part of list.split(",")) {
  const [from, to = from] = part.split("-").map(Number);
  for (let id = from; id <= to; id++)
    if (!(first && id === 2 || process.env.BROKEN))
      spawnSync("sh", [process.argv.at(-1)], { env: { ...process.env, SLURM_ARRAY_TASK_ID: String(id) } });
}
console.log("7;cluster");`;

beforeAll(() => {
  mkdirSync(bin);
  writeFileSync(file, "traces: find-ring3\nset: {hz: [0, 100, 250, 1000]}\n");
  pretend("sbatch", SBATCH);
  pretend("squeue", "process.exitCode = 1;");
});

function sweep(folder: string, words: string[], env: Record<string, string> = {}) {
  return kmlab(["sweep", file, "-o", join(root, folder), ...words], env);
}

const PATH = `${bin}${delimiter}${process.env["PATH"]}`;

describe("kmlab sweep --engine slurm", () => {
  it("prints the script and does nothing", () => {
    const { stdout } = sweep("none", ["--engine", "slurm", "--dry-run", "--shards", "3", "--jobs", "2"]);
    expect(stdout.split("\n").slice(0, 5)).toEqual([
      "#!/bin/sh",
      "#SBATCH --job-name='kmlab-an experiment'",
      "#SBATCH --array=1-3",
      "#SBATCH --ntasks=1",
      "#SBATCH --cpus-per-task=2",
    ]);
    expect(stdout).toContain(`sweep '${file}' -o ${join(root, "none")} --jobs 2 --shard "$SLURM_ARRAY_TASK_ID/3"\n`);
    expect(existsSync(join(root, "none"))).toBe(false);
  });

  it("submits what failed again, and has the bytes of a local sweep", () => {
    const { status, stderr } = sweep("array", ["--engine", "slurm", "--shards", "3"], { PATH });
    expect(stderr).toBe("kmlab: job 7: 3 of 3 shards\nkmlab: job 7: 1 of 3 shards\n");
    expect(status).toBe(0);
    expect(readFileSync(join(root, "submitted"), "utf8")).toBe("1-3\n2\n");
    expect(sweep("local", []).status).toBe(0);
    for (const name of ["an experiment.csv", "an experiment.json"])
      expect(readFileSync(join(root, "array", name), "utf8")).toBe(readFileSync(join(root, "local", name), "utf8"));
  });

  it("gives up in the end, and says where to look", () => {
    const { status, stderr } = sweep("lost", ["--engine", "slurm", "--shards", "2"], { PATH, BROKEN: "1" });
    expect(status).toBe(1);
    expect(stderr).toContain(
      `kmlab: shards 1-2 failed 3 times; what they said is in ${join(root, "lost", "slurm", "1.log")}`,
    );
  });

  it.each([
    [["--dry-run"], "--dry-run prints what --engine slurm would submit; add it"],
    [["--engine", "slurm", "--only", "1"], "--engine slurm: it goes with none of"],
    [["--engine", "slurm", "--shards", "0"], "--shards 0: write a whole number from 1"],
  ])("refuses %s", (words, message) => {
    const { status, stderr } = sweep("none", words);
    expect(`${status} ${stderr}`).toContain(`2 kmlab: ${message}`);
  });

  it("says so where there is no Slurm", () => {
    const empty = join(root, "empty");
    mkdirSync(empty);
    const { status, stderr } = sweep("nowhere", ["--engine", "slurm"], { PATH: empty });
    expect(`${status} ${stderr}`).toBe(
      "2 kmlab: sbatch: there is no Slurm here; leave out --engine, or run --shard I/N by other means\n",
    );
  });

  it("writes words and numbers as Slurm reads them", () => {
    expect(["a-b/c.d", "a b", "it's"].map(quoted)).toEqual(["a-b/c.d", "'a b'", "'it'\\''s'"]);
    expect(ranges([1, 2, 3, 7, 9, 10])).toBe("1-3,7,9-10");
  });
});

const installed = spawnSync("sh", ["-c", "command -v slurmctld slurmd sbatch munged"]).status === 0;

describe.runIf(process.env["KMLAB_SLOW"] === "1" && installed)("a real Slurm", () => {
  const place = join(root, "cluster");
  const script = (name: string): string => join(ROOT, "scripts", "slurm", name);
  beforeAll(() => {
    const start = spawnSync("bash", [script("start.sh"), place], { encoding: "utf8" });
    expect(`${start.status} ${start.status === 0 ? "" : start.stderr}`).toBe("0 ");
  });
  afterAll(() => {
    spawnSync("bash", [script("stop.sh"), place]);
  });

  it("gives the same table as a local sweep", () => {
    const env = { SLURM_CONF: join(place, "slurm.conf") };
    const { status, stderr } = sweep("real", ["--engine", "slurm", "--shards", "2"], env);
    expect(`${status} ${stderr}`).toMatch(/^0 kmlab: job \d+: 2 of 2 shards\n$/);
    expect(sweep("beside", []).status).toBe(0);
    const table = (folder: string): string => readFileSync(join(root, folder, "an experiment.csv"), "utf8");
    expect(table("real")).toBe(table("beside"));
  });
});
