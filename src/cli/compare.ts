// kmlab compare: the calls of two runs of one program, task by task.
import { readFileSync, statSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { CommandModule } from "yargs";
import { CheckFailed, InputError } from "../errors.ts";
import { FORMATS } from "../traces/importers/formats.ts";
import { importTrace } from "../traces/importers/import.ts";
import { textFile } from "../traces/importers/text-node.ts";
import { limitLines, limitsOf, needOrder } from "../traces/limits.ts";
import { callNames, readTrace } from "../traces/node.ts";
import { type Allowed, readAllowed } from "../traces/sequence/allowed.ts";
import { compareSequences } from "../traces/sequence/compare.ts";
import { sequenceLines } from "../traces/sequence/report.ts";
import type { Trace } from "../traces/trace.ts";

interface CompareArguments {
  one: string;
  two: string;
  format?: string;
  allow?: string;
  all: boolean;
  json: boolean;
}

/** A trace, or another tool's file made into one. */
function run(path: string, format: string | undefined): Trace {
  const isFile = path === "-" || statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  const trace = isFile ? importTrace([textFile(path)], callNames(), { format }).trace : readTrace(path);
  needOrder(trace.meta, `${path}: compare`);
  return trace;
}

/** What is compared, and what of it is not known that could make a difference. */
function heads(names: readonly [string, string], runs: readonly [Trace, Trace]): string[] {
  return (["first", "second"] as const).flatMap((which, index) => {
    const limits = limitsOf(runs[index]).filter(({ of }) => of !== "times" && of !== "arguments");
    return [`${which}: ${names[index]}`, ...limitLines(limits, runs[index].meta.source)];
  });
}

/** The differences that have a reason: those that come with kmlab, then the user's own. */
function allowed(file: string | undefined): Allowed[] {
  const own = fileURLToPath(new URL("../../data/differences.csv", import.meta.url));
  const known = readAllowed(readFileSync(own, "utf8"), "data/differences.csv");
  if (file === undefined) return known;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new InputError(`--allow ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return [...known, ...readAllowed(text, file)];
}

export const command: CommandModule<object, CompareArguments> = {
  command: "compare <one> <two>",
  describe: "compare the calls of two runs of one program, task by task",
  builder: (yargs) =>
    yargs
      .positional("one", { type: "string", demandOption: true, describe: "a .kmtrace folder, or another tool's file" })
      .positional("two", { type: "string", demandOption: true, describe: "another" })
      .option("format", {
        choices: FORMATS.map(({ id }) => id),
        requiresArg: true,
        describe: "what wrote the file (default: recognised)",
      })
      .option("allow", {
        type: "string",
        requiresArg: true,
        describe: "more differences that have a reason, as data/differences.csv has them",
      })
      .option("all", { type: "boolean", default: false, describe: "cut no list short" })
      .option("json", { type: "boolean", default: false, describe: "the comparison as JSON" })
      .example("kmlab compare find.kmtrace strace.txt", "status 1 when a difference has no known reason") as never,
  handler: ({ one, two, format, allow, all, json }) => {
    const rules = allowed(allow);
    const runs = [run(one, format), run(two, format)] as const;
    const comparison = compareSequences(...runs, callNames(), rules);
    const text = json
      ? JSON.stringify(comparison, null, 2)
      : [...heads([one, two], runs), ...sequenceLines(comparison, all)].join("\n");
    process.stdout.write(`${text}\n`);
    if (!comparison.explained) {
      const open = comparison.differences.filter(({ reason }) => reason === null).length;
      throw new CheckFailed(
        `${open} ${open === 1 ? "difference" : "differences"} between ${one} and ${two} without a known reason`,
      );
    }
  },
};
