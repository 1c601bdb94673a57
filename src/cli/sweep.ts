// kmlab sweep: an experiment file gone through run by run, on all CPUs, resumable, as one table.
import { availableParallelism } from "node:os";
import process from "node:process";
import type { Argv } from "yargs";
import { InputError } from "../errors.ts";
import { experimentName, type Loaded, loadExperiment, shippedExperiments } from "../model/sweep/load-node.ts";
import { type Shard, type Swept, sweep } from "../model/sweep/sweep-node.ts";
import { parameterColumns, parameters } from "../model/sweep/table.ts";
import type { ScenarioCapture } from "../model/sweep/traces-node.ts";
import { aligned } from "../traces/show/table.ts";
import { runsBar } from "./progress-bar.ts";
import { captureMissing, scenarioFolder } from "./sweep-scenarios.ts";
import { MOST_SHARDS, runOnSlurm, shardScript } from "./sweep-slurm.ts";

interface SweepArguments {
  experiment?: string;
  output?: string;
  list: boolean;
  only?: string;
  jobs?: number;
  shard?: string;
  collect?: string[];
  engine: string;
  shards: number;
  "dry-run": boolean;
  json: boolean;
}

const MOST_JOBS = 256;

/** "3,7-9" as a test of numbers; each must be a run. */
function chosenRuns(text: string, runs: number): (run: number) => boolean {
  const wrong = `--only ${text}: write numbers of runs from 1 to ${runs}, as 3,7-9; --list shows them`;
  const parts = text.split(",").map((word) => {
    const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(word.trim()) ?? [];
    const range = [Number(from), Number(to ?? from)];
    if (from === undefined || range[0] < 1 || range[1] > runs || range[0] > range[1]) throw new InputError(wrong);
    return range;
  });
  return (run) => parts.some(([from, to]) => run >= from && run <= to);
}

/** "2/4": the second of four parts. */
function shardOf(text: string): Shard {
  const [, index, of] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index === undefined || Number(index) < 1 || Number(index) > Number(of))
    throw new InputError(`--shard ${text}: write I/N, with I from 1 to N`);
  return { index: Number(index), of: Number(of) };
}

function jobsOf(jobs: number | undefined): number {
  if (jobs === undefined) return availableParallelism();
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > MOST_JOBS)
    throw new InputError(`--jobs ${jobs}: write a whole number from 1 to ${MOST_JOBS}`);
  return jobs;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function table(rows: readonly (readonly string[])[], numbers: readonly boolean[]): string {
  return aligned([...rows], [...numbers], (text) => text).join("\n");
}

/** Every run with its number and its parameters. */
function listRuns({ plan }: Loaded, chosen: (run: number) => boolean, json: boolean): void {
  const columns = parameterColumns(plan);
  const rows = plan.points.flatMap((point) =>
    point.runs.filter(({ number }) => chosen(number)).map((run) => parameters(plan, point, run)),
  );
  if (json) {
    const runs = rows.map((row) => Object.fromEntries(columns.map((name, index) => [name, row[index]])));
    print(JSON.stringify(runs, null, 2));
    return;
  }
  const numbers = columns.map((_, index) => rows.every((row) => typeof row[index] === "number"));
  print(table([columns, ...rows.map((row) => row.map(String))], numbers));
}

/** What became of a sweep, in words. */
function said(swept: Swept, folder: string, shard: string | undefined): string[] {
  const { runs, chosen, known, computed, damaged, impossible, csv } = swept;
  const lines = [`${chosen} of ${runs} runs: ${known} were known, ${computed} computed now`];
  if (impossible > 0) lines.push(`${impossible} of them cannot be replayed; the column "missing" says why`);
  if (damaged > 0) lines.push(`${damaged} damaged lines in ${folder}/results were left out`);
  if (csv !== undefined) lines.push(`${csv}, ${swept.metadata}`);
  else if (shard !== undefined) lines.push(`when all shards are done: kmlab sweep with --collect and this -o`);
  return lines;
}

/** Throws InputError for options that do not go together. */
function checkEngine(args: SweepArguments): void {
  const slurm = args.engine === "slurm";
  if (slurm && (args.list || args.only !== undefined || args.shard !== undefined || args.collect !== undefined))
    throw new InputError("--engine slurm: it goes with none of --list, --only, --shard and --collect");
  if (!slurm && args["dry-run"]) throw new InputError("--dry-run prints what --engine slurm would submit; add it");
  if (!Number.isInteger(args.shards) || args.shards < 1 || args.shards > MOST_SHARDS)
    throw new InputError(`--shards ${args.shards}: write a whole number from 1 to ${MOST_SHARDS}`);
}

async function run(args: SweepArguments, word: string): Promise<void> {
  const folder = args.output ?? `${experimentName(word)}.sweep`;
  const wanted = new Map<string, ScenarioCapture>();
  const load = (): Loaded =>
    loadExperiment(word, (capture) => {
      const place = scenarioFolder(folder, capture);
      wanted.set(place, capture);
      return place;
    });
  const planned = load();
  checkEngine(args);
  const engine = { file: word, folder, shards: args.shards, threads: args.jobs === undefined ? 1 : jobsOf(args.jobs) };
  if (args["dry-run"]) {
    process.stdout.write(shardScript(engine));
    return;
  }
  const loaded = !args.list && captureMissing(wanted) ? load() : planned;
  const only = args.only === undefined ? undefined : chosenRuns(args.only, loaded.plan.runs);
  if (args.list) {
    listRuns(loaded, only ?? (() => true), args.json);
    return;
  }
  if (args.shard !== undefined && (args.collect !== undefined || only !== undefined))
    throw new InputError("--shard: it goes with neither --collect nor --only");
  const bar = runsBar();
  try {
    if (args.engine === "slurm") await runOnSlurm(loaded, engine, bar?.at);
    const swept = await sweep(loaded, {
      folder,
      jobs: jobsOf(args.jobs),
      only,
      shard: args.shard === undefined ? undefined : shardOf(args.shard),
      collect: args.collect !== undefined || args.engine === "slurm",
      from: args.collect,
      progress: bar?.at,
    });
    bar?.end();
    const { rows, ...counts } = swept;
    if (args.json) print(JSON.stringify({ folder, ...counts }, null, 2));
    else if (rows !== undefined) process.stdout.write(rows);
    else print(said(swept, folder, args.shard).join("\n"));
  } finally {
    bar?.end();
  }
}

export const command = {
  command: "sweep [experiment]",
  describe: "go through an experiment's values, run by run",
  builder: (yargs: Argv): Argv =>
    yargs
      .usage("kmlab sweep [EXPERIMENT] [OPTION...]")
      .positional("experiment", {
        type: "string",
        describe: "a YAML file, or one that comes with kmlab; without one, those are listed",
      })
      .option("output", {
        type: "string",
        alias: "o",
        requiresArg: true,
        describe: "folder of results, table and metadata (default EXPERIMENT.sweep)",
      })
      .option("list", { type: "boolean", default: false, describe: "number the runs and end" })
      .option("only", { type: "string", requiresArg: true, describe: "these runs, as 3,7-9; prints their rows" })
      .option("jobs", { type: "number", requiresArg: true, describe: "threads (default: one a CPU)" })
      .option("shard", { type: "string", requiresArg: true, describe: "I/N: the I-th of N parts, as 2/4" })
      .option("collect", {
        type: "string",
        array: true,
        describe: "only write the table, of the results in -o and in these folders",
      })
      .option("engine", {
        choices: ["local", "slurm"],
        default: "local",
        requiresArg: true,
        describe: "slurm: the shards are a job array of a cluster",
      })
      .option("shards", { type: "number", requiresArg: true, default: 10, describe: "tasks of the job array" })
      .option("dry-run", { type: "boolean", default: false, describe: "print the script of the job array and end" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" })
      .example("kmlab sweep trap-cost --jobs 4 -o build/trap-cost", "an experiment that comes with kmlab"),
  handler: async (args: SweepArguments): Promise<void> => {
    if (args.experiment !== undefined) await run(args, args.experiment);
    else print(table([["experiment", "what it asks"], ...shippedExperiments()], [false, false]));
  },
};
