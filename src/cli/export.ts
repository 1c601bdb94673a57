// kmlab export: a trace, or a replay of it, in other tools' formats.

import { once } from "node:events";
import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { finished } from "node:stream/promises";
import type { CommandModule } from "yargs";
import { InputError } from "../errors.ts";
import {
  checkSet,
  defaultKernel,
  defaultProfile,
  pickKernels,
  pickMechanisms,
  pickProfiles,
} from "../model/choices.ts";
import { modelData } from "../model/data-node.ts";
import type { MachineChoice } from "../model/machine-choice.ts";
import { onMemory } from "../model/memory/memory.ts";
import { Pair } from "../model/pair.ts";
import { compile } from "../model/program.ts";
import { recompiledFor } from "../model/recompiled.ts";
import { replayedScene } from "../model/scene.ts";
import { toFolded } from "../traces/exporters/folded.ts";
import { toPerfetto } from "../traces/exporters/perfetto.ts";
import { recordedScene } from "../traces/exporters/recorded.ts";
import type { Scene } from "../traces/exporters/scene.ts";
import { toSpeedscope } from "../traces/exporters/speedscope.ts";
import { toStrace } from "../traces/exporters/strace.ts";
import { limitLines, limitsOf, needOrder, needTimes } from "../traces/limits.ts";
import { callNames, readTrace } from "../traces/node.ts";
import type { Trace, TraceMeta } from "../traces/trace.ts";
import { list, MACHINE_OPTIONS, machineOf, settings } from "./model-options.ts";

const FORMATS = {
  perfetto: (scene: Scene): Iterable<string> => toPerfetto(scene),
  speedscope: (scene: Scene): Iterable<string> => [toSpeedscope(scene)],
  folded: (scene: Scene, other?: Scene): Iterable<string> => [toFolded(scene, other)],
} as const;

/** A folder of tables, and a text, of the trace itself. */
const PARQUET = "parquet";
const STRACE = "strace";

interface ExportArguments extends MachineChoice {
  trace: string;
  to: keyof typeof FORMATS | typeof PARQUET | typeof STRACE;
  output?: string;
  mech?: string;
  profile?: string;
  kernel?: string;
  set: string[];
}

/** The trace; what it cannot tell goes to standard error, since no other format has a place for that. */
function load(name: string, needs: (meta: TraceMeta) => void = () => {}): Trace {
  const trace = readTrace(name);
  needs(trace.meta);
  for (const line of limitLines(limitsOf(trace), trace.meta.source)) process.stderr.write(`kmlab: ${line}\n`);
  return trace;
}

/** The scenes that are asked for: the trace as recorded, or a replay by each mechanism. */
function scenes(args: ExportArguments): Scene[] {
  const recorded = load(args.trace, (meta) => needTimes(meta, `--to ${args.to}`));
  const names = list(args.mech);
  if (names === undefined) {
    const calls = callNames();
    return [recordedScene(recorded, (nr, abi) => calls.name(nr, abi))];
  }
  const data = modelData();
  const mechanisms = pickMechanisms(data, names);
  // A way of 64-bit programs is asked about on a 64-bit machine, unless another one is named.
  const target = data.mechanisms.get(mechanisms[0])?.target === "x86-64" ? "x86-64" : undefined;
  const [profile] = pickProfiles(data, [args.profile ?? defaultProfile(target)]);
  const [kernel] = pickKernels(data, [args.kernel ?? defaultKernel(data, profile, target)]);
  const set = settings(args.set);
  checkSet(data, [profile], [kernel], set);
  const machine = machineOf(args);
  const { trace } = onMemory(recompiledFor(recorded, data, [kernel]).trace, machine);
  const pair = new Pair(compile(trace, data), data, profile, kernel, mechanisms, set, machine);
  for (const [mechanism, why] of pair.missing)
    throw new InputError(`${mechanism} on ${profile.id} under ${kernel.id}: ${why}`);
  return mechanisms.map((mechanism) => replayedScene(pair, mechanism, trace));
}

/** Writes text as it comes, waiting for whoever reads it. */
async function write(chunks: Iterable<string>, file: string | undefined): Promise<void> {
  const out = file === undefined ? process.stdout : createWriteStream(file);
  const failed = file === undefined ? undefined : finished(out as ReturnType<typeof createWriteStream>);
  try {
    let text = "";
    for (const chunk of chunks) {
      text += chunk;
      if (text.length < 65_536) continue;
      if (!out.write(text)) await Promise.race([once(out, "drain"), ...(failed === undefined ? [] : [failed])]);
      text = "";
    }
    if (file === undefined) out.write(text);
    else out.end(text);
    await failed;
  } catch (error) {
    throw new InputError(`${file ?? "standard output"}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Writes a trace as strace would have printed it. */
async function writeText({ trace, output, mech }: ExportArguments): Promise<void> {
  if (mech !== undefined) throw new InputError("--to strace is the trace as it was recorded, without --mech");
  const calls = callNames();
  const recorded = load(trace, (meta) => needOrder(meta, "--to strace"));
  await write(
    toStrace(recorded, (nr, abi) => calls.name(nr, abi)),
    output,
  );
}

/** Writes a trace's tables as files of a folder. */
async function writeTables({ trace, output, mech }: ExportArguments): Promise<void> {
  if (output === undefined) throw new InputError("--to parquet writes a file for each table: name a folder with -o");
  if (mech !== undefined) throw new InputError("--to parquet is the trace as it was recorded, without --mech");
  const { toParquet } = await import("../traces/exporters/parquet.ts");
  try {
    mkdirSync(output, { recursive: true });
    toParquet(load(trace), (name) => (bytes) => writeFileSync(join(output, name), bytes));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${output}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const command: CommandModule<object, ExportArguments> = {
  command: "export <trace>",
  describe: "write a trace, or a replay of it, in another tool's format",
  builder: (yargs) =>
    yargs
      .positional("trace", { type: "string", demandOption: true, describe: "trace folder NAME.kmtrace" })
      .option("to", {
        choices: [...Object.keys(FORMATS), STRACE, PARQUET],
        demandOption: true,
        describe: "the format",
      })
      .option("output", {
        alias: "o",
        type: "string",
        requiresArg: true,
        describe: "file (default: standard output); parquet: folder",
      })
      .option("mech", {
        type: "string",
        requiresArg: true,
        describe:
          "a replay by this way in instead of what was recorded; two, as int80,kml, for a differential flame graph",
      })
      .option("profile", { type: "string", requiresArg: true, describe: "the processor (default p4)" })
      .option("kernel", { type: "string", requiresArg: true, describe: "the software era (default kml-4.0)" })
      .option("set", { type: "string", array: true, nargs: 1, default: [], describe: "KEY=VALUE, as in whatif" })
      .options(MACHINE_OPTIONS) as never,
  handler: async (args) => {
    if (args.to === PARQUET) return writeTables(args);
    if (args.to === STRACE) return writeText(args);
    const [one, two, more] = scenes(args);
    if (more !== undefined || (two !== undefined && args.to !== "folded"))
      throw new InputError(`--mech ${args.mech}: ${args.to} takes ${args.to === "folded" ? "one or two" : "one"}`);
    await write(FORMATS[args.to](one, two), args.output);
  },
};
