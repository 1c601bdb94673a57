// kmlab sweep --engine slurm: the shards as a job array, waited for; shards that left runs without a result are submitted again.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CheckFailed, InputError } from "../errors.ts";
import type { Loaded } from "../model/sweep/load-node.ts";
import { experimentName } from "../model/sweep/load-node.ts";
import { ranges, slurmScript } from "../model/sweep/slurm.ts";
import { missingShards } from "../model/sweep/sweep-node.ts";

export interface SlurmSweep {
  /** The experiment, as it was named. */
  readonly file: string;
  readonly folder: string;
  readonly shards: number;
  readonly threads: number;
}

export const MOST_SHARDS = 10_000;

const LAUNCHER = fileURLToPath(new URL("../../bin/kmlab.mjs", import.meta.url));
const POLL_MS = 1000;
/** How often a shard is submitted before it is given up. */
const ROUNDS = 3;

/** Logs of the shards. */
function logFolder(folder: string): string {
  return join(resolve(folder), "slurm");
}

export function shardScript({ file, folder, shards, threads }: SlurmSweep): string {
  const experiment = existsSync(file) ? resolve(file) : file;
  const sweep = ["sweep", experiment, "-o", resolve(folder), "--jobs", `${threads}`];
  return slurmScript({
    name: experimentName(file),
    words: [process.execPath, LAUNCHER, ...sweep],
    shards,
    threads,
    log: join(logFolder(folder), "%a.log"),
  });
}

/** What one of Slurm's commands prints. */
function slurm(command: string, words: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8" });
  if (error !== undefined)
    throw new InputError(
      `${command}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no Slurm here; leave out --engine, or run --shard I/N by other means" : error.message}`,
    );
  if (status !== 0) throw new InputError(`${command} ${words.join(" ")} ended with ${status}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Does a job still wait or run? A job that Slurm has forgotten does not. */
function isAlive(job: string): boolean {
  const { status, stdout } = spawnSync("squeue", ["--noheader", "--jobs", job, "--format", "%i"], { encoding: "utf8" });
  return status === 0 && stdout.trim() !== "";
}

/**
 * Submits all shards that have runs without a result, until none has.
 * @throws CheckFailed when some still have after several rounds; InputError when there is no Slurm
 */
export async function runOnSlurm(
  loaded: Loaded,
  job: SlurmSweep,
  progress?: (done: number, of: number) => void,
): Promise<void> {
  const { folder, shards } = job;
  const logs = logFolder(folder);
  mkdirSync(logs, { recursive: true });
  const script = join(logs, "sweep.sbatch");
  writeFileSync(script, shardScript(job));
  let { shards: missing } = missingShards(loaded, folder, shards);
  for (let round = 0; round < ROUNDS && missing.length > 0; round++) {
    const id = slurm("sbatch", ["--parsable", `--array=${ranges(missing)}`, script]).split(";")[0];
    process.stderr.write(`kmlab: job ${id}: ${missing.length} of ${shards} shards\n`);
    while (isAlive(id)) {
      await wait(POLL_MS);
      progress?.(missingShards(loaded, folder, shards).known, loaded.plan.runs);
    }
    missing = missingShards(loaded, folder, shards).shards;
  }
  if (missing.length > 0)
    throw new CheckFailed(
      `shards ${ranges(missing)} failed ${ROUNDS} times; what they said is in ${join(logs, `${missing[0]}.log`)} and beside it`,
    );
}
