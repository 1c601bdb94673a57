// kmlab import: another tool's trace becomes one of kmlab's.
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import process from "node:process";
import type { CommandModule } from "yargs";
import { InputError } from "../errors.ts";
import { readAnchor } from "../traces/importers/anchor.ts";
import { FORMATS } from "../traces/importers/formats.ts";
import { importStream } from "../traces/importers/import.ts";
import { readNames } from "../traces/importers/numbers.ts";
import { reportLines } from "../traces/importers/report.ts";
import { spillTo } from "../traces/importers/scratch-node.ts";
import { textFile } from "../traces/importers/text-node.ts";
import { callNames, checkTarget, discardUnfinished, SUFFIX, writeTrace } from "../traces/node.ts";
import { interruptible } from "./interrupt.ts";

interface ImportArguments {
  file: string[];
  format?: string;
  output?: string;
  abi?: "i386" | "x86_64";
  anchor?: string;
  columns?: string;
  names?: string;
  json: boolean;
}

/** NAME.kmtrace in the current folder, for a file NAME.txt; of several files of -ff, without the pid. */
function target(files: readonly string[], output: string | undefined): string {
  const name = output ?? (files[0] === "-" ? "stdin" : basename(files[0]).replace(/\.[A-Za-z0-9]{1,10}$/, ""));
  return name.endsWith(SUFFIX) ? name : `${name}${SUFFIX}`;
}

/** "time=when,nr=number": which column of a CSV holds what. */
function columnMap(words: string | undefined): Map<string, string> | undefined {
  if (words === undefined) return undefined;
  const map = new Map<string, string>();
  for (const word of words.split(",")) {
    const at = word.indexOf("=");
    if (at <= 0 || at === word.length - 1)
      throw new InputError(`--columns ${words}: write WHAT=HEADING,..., as in time=t,pid=task,call=name`);
    map.set(word.slice(0, at), word.slice(at + 1));
  }
  return map;
}

function namesIn(path: string): string[] {
  try {
    return readNames(readFileSync(path, "utf8"));
  } catch (error) {
    throw new InputError(`--names ${path}: ${(error as Error).message}`);
  }
}

export const command: CommandModule<object, ImportArguments> = {
  command: "import <file..>",
  describe: "make a trace of another tool's",
  builder: (yargs) =>
    yargs
      .positional("file", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "files of one run; - is standard input",
      })
      .option("format", {
        choices: FORMATS.map(({ id }) => id),
        requiresArg: true,
        describe: "what wrote it (default: recognised from the first lines)",
      })
      .option("output", { alias: "o", type: "string", requiresArg: true, describe: "NAME.kmtrace" })
      .option("abi", {
        choices: ["i386", "x86_64"] as const,
        requiresArg: true,
        describe: "whose call numbers, where the file does not tell",
      })
      .option("anchor", {
        type: "string",
        requiresArg: true,
        describe: "real=S,user=S,sys=S: what `time` said of an untraced run; times are scaled to it",
      })
      .option("columns", {
        type: "string",
        requiresArg: true,
        describe: "of a plain CSV: which column holds what, as time=t,pid=task,call=name",
      })
      .option("names", {
        type: "string",
        requiresArg: true,
        describe: "of sequences of numbers: a file of the names of calls, one a line from 0, or number and name",
      })
      .option("json", { type: "boolean", default: false, describe: "the report as JSON" })
      .example("kmlab import -o server.kmtrace strace.txt", "then: kmlab whatif server.kmtrace")
      .epilogue(FORMATS.map(({ id, is }) => `${id}: ${is}`).join("\n")) as never,
  handler: (args) => {
    // yargs takes a lone "-" for an option without a name.
    const files = process.argv.slice(3).includes("-") ? [...args.file.filter((name) => name !== "-"), "-"] : args.file;
    if (files.length === 0) throw new InputError("name at least one file to import; - is standard input");
    const trace = target(files, args.output);
    checkTarget(trace);
    const options = {
      format: args.format,
      abi: args.abi,
      anchor: args.anchor === undefined ? undefined : readAnchor(args.anchor),
      columns: columnMap(args.columns),
      names: args.names === undefined ? undefined : namesIn(args.names),
    };
    discardUnfinished(trace);
    const { id, report } = interruptible(
      () => {
        const imported = importStream(files.map(textFile), callNames(), options, spillTo(dirname(resolve(trace))));
        return { id: writeTrace(trace, imported.trace), report: imported.report };
      },
      () => discardUnfinished(trace),
    );
    const text = args.json ? JSON.stringify({ trace, id, ...report }, null, 2) : reportLines(report).join("\n");
    process.stdout.write(`${text}\n`);
    process.stderr.write(`kmlab: ${trace} (${id.slice(0, 16)})\n`);
  },
};
