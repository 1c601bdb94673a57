// kmlab diff: how two traces differ.
import process from "node:process";
import type { CommandModule } from "yargs";
import { CheckFailed } from "../errors.ts";
import { compareTraces, differenceLines } from "../traces/compare.ts";
import { readTrace } from "../traces/node.ts";

interface DiffOptions {
  one: string;
  two: string;
  json: boolean;
}

export const command: CommandModule<object, DiffOptions> = {
  command: "diff <one> <two>",
  describe: "compare two traces",
  builder: (yargs) =>
    yargs
      .positional("one", { type: "string", demandOption: true, describe: "a .kmtrace folder" })
      .positional("two", { type: "string", demandOption: true, describe: "another" })
      .option("json", { type: "boolean", default: false, describe: "the differences as JSON" })
      .example(
        "kmlab diff a.kmtrace b.kmtrace",
        "identity, metadata, rows of each table, the first event that differs",
      ),
  handler: ({ one, two, json }) => {
    const difference = compareTraces(readTrace(one), readTrace(two));
    if (json) process.stdout.write(`${JSON.stringify(difference, null, 2)}\n`);
    else if (difference.same) process.stdout.write(`the same trace: ${difference.ids[0]}\n`);
    else process.stdout.write(`${differenceLines(difference).join("\n")}\n`);
    if (!difference.same) throw new CheckFailed(`${one} and ${two} differ`);
  },
};
