// npm run diff -- --seed N [--count K]: random trees and shell scripts, run natively and in kmlab three ways; a difference is shrunk to a small command.
// --actors: processes, threads, sockets, signals and groups instead (diff-actors.ts).
// --recorded compares with the recorded native runs (anywhere); --record makes that recording (root, a kernel that runs i386 programs).
import process from "node:process";
import yargs from "yargs";
import type { RootImage } from "../src/emu/rootfs/image.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { writeTar } from "../src/emu/rootfs/tar.ts";
import { CheckFailed, InputError } from "../src/errors.ts";
import { actorScript } from "../test/programs/actor/generate.ts";
import { ACTOR_SEEDS } from "../test/programs/actor/recording.ts";
import { argvOf, scriptOf, type Trial, trialOf } from "../test/programs/generate.ts";
import { imageTree, imageWithFiles, runGuest, WAYS, type Way } from "../test/programs/guest.ts";
import { NativeRoot } from "../test/programs/native.ts";
import { compact, differences, type Outcome } from "../test/programs/outcome.ts";
import {
  commandHash,
  provenanceHere,
  RECORDED_SEEDS,
  type Recording,
  readRecording,
  SEEDS_FILE,
  writeRecording,
} from "../test/programs/recording.ts";
import { shrink } from "../test/programs/shrink.ts";
import { compareActors, recordActors } from "./diff-actors.ts";

/** What a trial does natively; its files are put in place first. */
function runNative(native: NativeRoot, trial: Trial): Outcome {
  native.reset(writeTar(trial.members));
  return native.run({ argv: argvOf(trial) });
}

/** What a trial does in kmlab, one way. */
function runHere(base: RootImage, trial: Trial, way: Way): Outcome {
  const image = imageWithFiles(base, writeTar(trial.members));
  return runGuest(image, imageTree(image), { argv: argvOf(trial) }, way);
}

/** Lines that describe a trial so that it can be repeated by hand. */
function describe(trial: Trial): string {
  const files = trial.members.map(
    (m) => `  ${m.type ?? "file"} ${m.path} ${m.data ? `${m.data.length} bytes` : (m.link ?? "")}`,
  );
  return [
    `${trial.shell} -c:`,
    ...scriptOf(trial)
      .split("\n")
      .map((l) => `  ${l}`),
    "files:",
    ...files,
  ].join("\n");
}

async function record(): Promise<void> {
  const base = await ensureRoot("base");
  const native = new NativeRoot(base.directory);
  const recording: Recording = { provenance: provenanceHere(base.digest, native.folder), runs: {} };
  const unstable: string[] = [];
  try {
    for (let seed = 1; seed <= RECORDED_SEEDS; seed++) {
      const trial = trialOf(seed);
      const first = compact(runNative(native, trial));
      const changes = differences(first, compact(runNative(native, trial)));
      if (changes.length > 0) unstable.push(`seed ${seed}: ${changes.join("; ")}\n${describe(trial)}`);
      recording.runs[seed] = { of: commandHash({ argv: argvOf(trial) }), ...first };
    }
  } finally {
    native.close();
  }
  if (unstable.length > 0) throw new CheckFailed(`not the same twice, nothing recorded:\n${unstable.join("\n")}`);
  writeRecording(SEEDS_FILE, recording);
  process.stdout.write(`${RECORDED_SEEDS} seeds recorded in ${SEEDS_FILE}\n`);
}

/** A native root, or undefined where none can be made and the seeds are recorded. @throws InputError where neither is so */
function nativeIfPossible(directory: string, lastSeed: number): NativeRoot | undefined {
  try {
    return new NativeRoot(directory);
  } catch (error) {
    if (!(error instanceof InputError) || lastSeed > RECORDED_SEEDS) throw error;
    process.stderr.write(`diff: ${error.message}; comparing with the recorded native runs\n`);
    return undefined;
  }
}

async function compare(first: number, count: number, recorded: boolean): Promise<void> {
  const location = await ensureRoot("base");
  const base = openImage(location.directory);
  const native = recorded ? undefined : nativeIfPossible(location.directory, first + count - 1);
  const recording = native ? undefined : readRecording(SEEDS_FILE);
  if (!native && recording?.provenance.root !== base.digest) {
    throw new InputError(
      `${SEEDS_FILE}: not recorded over this base root; make it anew with \`npm run diff -- --record\``,
    );
  }
  let failed = 0;
  try {
    for (let seed = first; seed < first + count; seed++) {
      const trial = trialOf(seed);
      const run = recording?.runs[seed];
      if (!native && run?.of !== commandHash({ argv: argvOf(trial) })) {
        throw new InputError(`seed ${seed}: not in ${SEEDS_FILE}, or made by another generator; use --record`);
      }
      const { of: _, ...expected } = run ?? { of: "", ...compact(runNative(native!, trial)) };
      for (const way of WAYS) {
        const found = differences(expected, compact(runHere(base, trial, way)));
        if (found.length === 0) continue;
        failed++;
        process.stdout.write(`seed ${seed}, ${way.name}:\n  ${found.join("\n  ")}\n`);
        process.stdout.write(`${describe(native ? shrunk(native, base, trial, way) : trial)}\n`);
        break;
      }
    }
  } finally {
    native?.close();
  }
  if (failed > 0) throw new CheckFailed(`${failed} of ${count} seeds differ`);
  process.stdout.write(`${count} seeds agree, each ${WAYS.length} ways\n`);
}

function shrunk(native: NativeRoot, base: RootImage, trial: Trial, way: Way): Trial {
  const fails = (smaller: Trial) => {
    const expected = runNative(native, smaller);
    return (
      differences(expected, runHere(base, smaller, way)).length > 0 &&
      differences(expected, runNative(native, smaller)).length === 0
    );
  };
  return fails(trial) ? shrink(trial, fails) : trial;
}

const options = await yargs(process.argv.slice(2))
  .scriptName("npm run diff --")
  .strict()
  .option("seed", { type: "number", default: 1, describe: "first seed" })
  .option("count", { type: "number", describe: "how many seeds (default 1; all that are recorded with --recorded)" })
  .option("recorded", { type: "boolean", default: false, describe: "compare with the recorded native runs" })
  .option("record", { type: "boolean", default: false, describe: "record the native runs of the first seeds" })
  .option("actors", { type: "boolean", default: false, describe: "scripts for actors instead of shells" })
  .option("show", { type: "boolean", default: false, describe: "print the seed's files and script, run nothing" })
  .parseAsync();
try {
  const { seed, recorded, actors } = options;
  const count = options.count ?? (recorded ? (actors ? ACTOR_SEEDS : RECORDED_SEEDS) - seed + 1 : 1);
  if (!(Number.isInteger(seed) && seed >= 0 && Number.isInteger(count) && count > 0))
    throw new InputError("--seed and --count are whole numbers");
  if (options.show && actors) process.stdout.write(actorScript(seed).script);
  else if (actors && options.record) recordActors();
  else if (actors) compareActors(seed, count, recorded);
  else if (options.show) process.stdout.write(`${describe(trialOf(seed))}\n`);
  else if (options.record) await record();
  else await compare(seed, count, recorded);
} catch (error) {
  if (!(error instanceof InputError || error instanceof CheckFailed)) throw error;
  process.stderr.write(`diff: ${error.message}\n`);
  process.exitCode = error instanceof CheckFailed ? 1 : 2;
}
