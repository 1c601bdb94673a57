// An experiment file made ready: read, checked, its traces found, its runs numbered and each given the hash of what it depends on.
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../../errors.ts";
import { modelData } from "../data-node.ts";
import type { PointQuestion } from "./evaluate.ts";
import { type Experiment, readExperiment } from "./experiment.ts";
import { makePlan, type Plan, type Point } from "./plan.ts";
import { conditionsOf, machineOf } from "./question.ts";
import { type CaptureFolder, type ExperimentTrace, findTraces } from "./traces-node.ts";
import { type Versions, versions } from "./versions-node.ts";
import { withProfiles } from "./worker-node.ts";

const SHIPPED = fileURLToPath(new URL("../../../data/experiments/", import.meta.url));
const SUFFIX = ".yaml";

export interface Loaded {
  /** The file's name without its folder and suffix. */
  readonly name: string;
  readonly about: string;
  /** SHA-256 of the file. */
  readonly hash: string;
  readonly traces: readonly ExperimentTrace[];
  readonly plan: Plan;
  /** Processors that are files: name and text. */
  readonly profiles: readonly (readonly [name: string, text: string])[];
  readonly versions: Versions;
  /** Keys of settings among the plan's columns. */
  readonly settings: readonly string[];
}

/** Experiments that come with kmlab: name and what they are about. */
export function shippedExperiments(): [name: string, about: string][] {
  return readdirSync(SHIPPED)
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((file) => {
      const { experiment } = readExperiment(readFileSync(join(SHIPPED, file), "utf8"), file);
      return [file.slice(0, -SUFFIX.length), experiment.about ?? ""];
    });
}

/** What an experiment is called, by its file. */
export function experimentName(file: string): string {
  return basename(file).replace(/\.ya?ml$/, "");
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(`${what}: it cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/**
 * Loads an experiment by its file, or by the name of one that comes with kmlab.
 * @param captureFolder where captures of scenarios are; without it, experiments have none
 * @throws InputError with file, line and what is allowed
 */
export function loadExperiment(word: string, captureFolder?: CaptureFolder): Loaded {
  const shipped = join(SHIPPED, word.endsWith(SUFFIX) ? word : `${word}${SUFFIX}`);
  const isShipped = !existsSync(word) && !word.includes("/") && existsSync(shipped);
  const file = isShipped ? shipped : word;
  if (!existsSync(file))
    throw new InputError(
      `${word}: there is no such experiment; kmlab has ${shippedExperiments()
        .map(([name]) => name)
        .join(", ")}`,
    );
  const text = readText(file, word);
  const { experiment, where } = readExperiment(text, isShipped ? `data/experiments/${basename(shipped)}` : word);
  const beside = dirname(file);
  const traces = findTraces(experiment, where, beside, captureFolder);
  const profiles = (experiment.profiles ?? []).flatMap((name, index): [string, string][] =>
    name.endsWith(".csv") ? [[name, readText(join(beside, name), `${where(["profiles", index])}: ${name}`)]] : [],
  );
  const plan = makePlan(asked(experiment, traces), where, withProfiles(modelData(), profiles), traces);
  return {
    name: experimentName(file),
    about: experiment.about ?? "",
    hash: sha256(text),
    traces,
    plan,
    profiles,
    versions: versions(),
    settings: Object.keys(experiment.set),
  };
}

/** An experiment with 64-bit programs that names nothing of the machine asks about a 64-bit one, as whatif does. */
function asked(experiment: Experiment, traces: readonly ExperimentTrace[]): Experiment {
  const { target, mechanisms, profiles, kernels } = experiment;
  const named = target ?? mechanisms ?? profiles ?? kernels;
  const is64 = traces.every(({ arch }) => arch === "x86_64");
  return named === undefined && is64 ? { ...experiment, target: "x86-64" } : experiment;
}

/** What the model is asked at a point. */
export function questionOf({ plan, settings }: Loaded, { values }: Point): PointQuestion {
  return {
    profile: values.get("profile") as string,
    kernel: values.get("kernel") as string,
    conditions: conditionsOf(values),
    machine: machineOf(values),
    set: settings.map((key) => [key, values.get(key) as number]),
    draws: plan.draws,
    seed: plan.draws === 0 ? 1 : ((values.get("seed") as number | undefined) ?? 1),
    mechanisms: plan.mechanisms,
  };
}

/**
 * Names what a run's result depends on: trace, question, tables and model, nothing else. Of the mechanisms only those up to its own
 * count, as the base is one of them.
 */
export function keysOf(loaded: Loaded, point: Point, question = questionOf(loaded, point)): string[] {
  const { versions: version, traces, profiles } = loaded;
  const { mechanisms, set, ...rest } = question;
  const file = profiles.find(([name]) => name === question.profile)?.[1];
  const sorted = [...set].sort(([a], [b]) => (a < b ? -1 : 1));
  const common = [version.model, version.tables, file ?? null, traces[point.trace].id, rest, sorted];
  return point.runs.map(({ mechanism }) =>
    sha256(JSON.stringify([...common, mechanisms.slice(0, mechanisms.indexOf(mechanism) + 1)])),
  );
}
