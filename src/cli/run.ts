// kmlab run: a program in the emulated kernel, with its own streams and status.
import process from "node:process";
import type { Argv } from "yargs";
import { runProgram } from "../emu/run.ts";
import { type GuestArguments, guestRun, reportEnd } from "./guest.ts";
import { GUEST_OPTIONS } from "./guest-options.ts";

export const command = {
  command: "run",
  describe: "run a program in the emulated kernel",
  builder: (yargs: Argv): Argv =>
    yargs
      .usage("kmlab run [OPTION...] PROGRAM [ARG...]")
      .options(GUEST_OPTIONS)
      .example("kmlab run ls -l /usr", "in ring 3, by sysenter")
      .example("kmlab run --ring 0 ls -l /usr", "in kernel mode: its calls are calls"),
  handler: async (args: GuestArguments): Promise<void> => {
    const options = await guestRun(args);
    const run = runProgram(options);
    reportEnd(run, options.argv, args.missing);
    process.exitCode = run.status;
  },
};
