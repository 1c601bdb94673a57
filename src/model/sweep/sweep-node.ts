// A sweep in a folder: what is known there is read, what is missing computed and added, and the table written when all is there.
import { createHash } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { CheckFailed, InputError } from "../../errors.ts";
import type { Result } from "./evaluate.ts";
import { keysOf, type Loaded, questionOf } from "./load-node.ts";
import type { Point } from "./plan.ts";
import { compute, type Work } from "./pool-node.ts";
import { Results } from "./results-node.ts";
import { ranges } from "./slurm.ts";
import { parameterColumns, sweepCsv } from "./table.ts";

/** Part `index` of `of`, from 1. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

export interface SweepOptions {
  readonly folder: string;
  readonly jobs: number;
  /** Only these runs, by number. */
  readonly only?: (run: number) => boolean;
  readonly shard?: Shard;
  /** Folders that have more results. */
  readonly from?: readonly string[];
  /** Compute nothing. */
  readonly collect?: boolean;
  readonly progress?: (done: number, of: number) => void;
}

export interface Swept {
  /** Runs of the experiment, and of this part of it. */
  readonly runs: number;
  readonly chosen: number;
  /** How many of the part were known before, and computed now. */
  readonly known: number;
  readonly computed: number;
  /** Lines of results that were torn or damaged. */
  readonly damaged: number;
  /** Chosen runs that have no replay. */
  readonly impossible: number;
  /** Where the table and what it rests on are; undefined while some runs are missing or only some were asked for. */
  readonly csv?: string;
  readonly metadata?: string;
  /** Rows of the runs of `only`. */
  readonly rows?: string;
}

/** The part of the experiment that is asked for: points by number, with the numbers of the runs. */
function isChosen({ only, shard }: SweepOptions, point: number, run: number): boolean {
  if (shard !== undefined && point % shard.of !== shard.index - 1) return false;
  return only === undefined || only(run);
}

/** Does a sweep, or goes on with one. The table has the same bytes however often it was interrupted and by however many it was computed. */
export async function sweep(loaded: Loaded, options: SweepOptions): Promise<Swept> {
  const { plan } = loaded;
  const { folder, shard } = options;
  const results = new Results();
  for (const place of [folder, ...(options.from ?? [])]) results.read(place);
  const keys = new Map<Point, readonly string[]>();
  const works: Work[] = [];
  const ordered = new Set<string>();
  let [chosen, missing] = [0, 0];
  plan.points.forEach((point, number) => {
    const question = questionOf(loaded, point);
    const own = keysOf(loaded, point, question);
    keys.set(point, own);
    const mine = point.runs.flatMap((run, index) => (isChosen(options, number, run.number) ? [index] : []));
    // Runs that differ only in variables which nothing depends on have one result.
    const absent = mine.filter((index) => results.get(own[index]) === undefined && !ordered.has(own[index]));
    for (const index of absent) ordered.add(own[index]);
    chosen += mine.length;
    missing += absent.length;
    if (absent.length === 0) return;
    const wanted = absent.map((index) => point.runs[index].mechanism);
    works.push({ trace: loaded.traces[point.trace], question, wanted, keys: absent.map((index) => own[index]) });
  });
  if (options.collect === true) refuseGaps(plan.points, (point, index) => results.get(keys.get(point)![index]));
  if (works.length > 0) {
    makeFolder(folder);
    results.open(folder, shard === undefined ? "all" : `shard-${shard.index}-of-${shard.of}`);
    let done = chosen - missing;
    options.progress?.(done, chosen);
    try {
      await compute(works, loaded.profiles, options.jobs, (entries) => {
        results.add(entries);
        done += entries.length;
        options.progress?.(done, chosen);
      });
    } finally {
      results.close();
    }
  }
  const resultOf = (point: Point, index: number): Result => results.get(keys.get(point)![index])!;
  const counts = { runs: plan.runs, chosen, known: chosen - missing, computed: missing, damaged: results.damaged };
  let impossible = 0;
  plan.points.forEach((point, number) => {
    point.runs.forEach((run, index) => {
      if (isChosen(options, number, run.number) && resultOf(point, index)[0] !== null) impossible++;
    });
  });
  const ids = loaded.traces.map(({ id }) => id);
  if (options.only !== undefined)
    return { ...counts, impossible, rows: sweepCsv(plan, ids, resultOf, (run) => options.only!(run)) };
  if (shard !== undefined) return { ...counts, impossible };
  const csv = join(folder, `${loaded.name}.csv`);
  const metadata = join(folder, `${loaded.name}.json`);
  const text = sweepCsv(plan, ids, resultOf);
  makeFolder(folder);
  writeWhole(csv, text);
  writeWhole(metadata, metadataText(loaded, text, impossible));
  return { ...counts, impossible, csv, metadata };
}

/** Which of so many shards have runs without a result in the folder, and how many runs have one. */
export function missingShards(loaded: Loaded, folder: string, of: number): { shards: number[]; known: number } {
  const results = new Results();
  results.read(folder);
  const shards = new Set<number>();
  let known = 0;
  loaded.plan.points.forEach((point, number) => {
    for (const key of keysOf(loaded, point)) {
      if (results.get(key) === undefined) shards.add((number % of) + 1);
      else known++;
    }
  });
  return { shards: [...shards].sort((a, b) => a - b), known };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new InputError(`${folder}: the folder cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Writes a file beside its name and renames it: nobody ever sees half of it. */
function writeWhole(path: string, text: string): void {
  const draft = `${path}.${process.pid}.new`;
  writeFileSync(draft, text);
  renameSync(draft, path);
}

/** Throws CheckFailed naming the runs that no shard has computed. */
function refuseGaps(points: readonly Point[], find: (point: Point, index: number) => Result | undefined): void {
  const gaps = points.flatMap((point) =>
    point.runs.filter((_, index) => find(point, index) === undefined).map(({ number }) => number),
  );
  // As many as fit a line.
  const words = ranges(gaps).split(",");
  const some = words.length > 12 ? `${words.slice(0, 12).join(",")},...` : words.join(",");
  if (gaps.length > 0)
    throw new CheckFailed(
      `${gaps.length} runs have no result yet: --only ${some}; run the shards that had them again, or the sweep without --collect`,
    );
}

/** What the table rests on. Nothing in it depends on how or when it was computed. */
function metadataText(loaded: Loaded, csv: string, impossible: number): string {
  const { name, about, hash, traces, plan, profiles, versions } = loaded;
  const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
  return `${JSON.stringify(
    {
      experiment: name,
      about,
      command: `kmlab sweep ${name}.yaml`,
      experimentSha256: hash,
      csvSha256: sha256(csv),
      versions: { kmlab: versions.kmlab, model: versions.model, node: process.version },
      tablesSha256: versions.tables,
      profiles: Object.fromEntries(profiles.map(([file, text]) => [file, sha256(text)])),
      traces: traces.map(({ trace, capture, id, argv }) => ({ trace, capture: capture || undefined, id, argv })),
      mechanisms: plan.mechanisms,
      parameters: parameterColumns(plan),
      draws: plan.draws,
      seeds: [...new Set(plan.points.map(({ values }) => values.get("seed") ?? 1))],
      runs: plan.runs,
      withoutReplay: impossible,
    },
    null,
    2,
  )}\n`;
}
