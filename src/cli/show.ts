// kmlab show: what is in a trace.

import process from "node:process";
import type { CommandModule } from "yargs";
import { callNames, readTrace } from "../traces/node.ts";
import { report } from "../traces/show/report.ts";
import { summarize } from "../traces/show/summary.ts";
import { bold } from "./bold.ts";

interface ShowOptions {
  trace: string;
  json: boolean;
  all: boolean;
}

export const command: CommandModule<object, ShowOptions> = {
  command: "show <trace>",
  describe: "say what is in a trace",
  builder: (yargs) =>
    yargs
      .positional("trace", { type: "string", demandOption: true, describe: "a .kmtrace folder" })
      .option("json", { type: "boolean", default: false, describe: "the same as JSON" })
      .option("all", { type: "boolean", default: false, describe: "cut no list short" })
      .example("kmlab show ls.kmtrace", "tasks, calls by site and way in, faults, and what ring 0 would show"),
  handler: ({ trace: dir, json, all }) => {
    const trace = readTrace(dir);
    const summary = summarize(trace, callNames());
    process.stdout.write(
      json ? `${JSON.stringify({ meta: trace.meta, ...summary }, null, 2)}\n` : report(trace, summary, bold, all),
    );
  },
};
