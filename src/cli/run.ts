// kmlab run: a program in the emulated kernel, with its own streams and status.
import process from "node:process";
import type { Argv } from "yargs";
import { runProgramWithPauses } from "../emu/run.ts";
import { type GuestArguments, guestRun, reportEnd } from "./guest.ts";
import { RUN_OPTIONS } from "./guest-options.ts";
import { watched } from "./long-run.ts";
import { pathTable } from "./paths.ts";

export const command = {
  command: "run",
  describe: "run a program in the emulated kernel",
  builder: (yargs: Argv): Argv =>
    yargs
      .usage("kmlab run [OPTION...] PROGRAM [ARG...]")
      .options(RUN_OPTIONS)
      .example("kmlab run ls -l /usr", "in ring 3, by sysenter")
      .example("kmlab run --ring 0 --paths sh -c 'ls | wc -l'", "and what the processor did on each way in")
      .example("kmlab run --ring 0 ls -l /usr", "in kernel mode: its calls are calls"),
  handler: async (args: GuestArguments & { paths: boolean; touchStack: boolean }): Promise<void> => {
    const options = { ...(await guestRun(args)), paths: args.paths, touchedStack: args.touchStack };
    const run = await watched(args, options.host, (host, pauses) => runProgramWithPauses({ ...options, host }, pauses));
    reportEnd(run, options.argv, args.missing);
    if (run.paths !== undefined) process.stderr.write(pathTable(run.paths));
    process.exitCode = run.status;
  },
};
