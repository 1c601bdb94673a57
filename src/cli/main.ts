// The command line: registers one short file per verb and turns failures into one line and a status.
import process from "node:process";
import yargs, { type CommandModule } from "yargs";
import { CheckFailed, InputError } from "../errors.ts";
import { separateGuest } from "./guest-words.ts";

/** Verbs whose words after the first non-option belong to the guest program. */
const GUEST_VERBS = ["run", "capture"] as const;

const HELP: ReadonlySet<string> = new Set(["-h", "--help", "help"]);

/** Loads a verb's module only when it is asked for, so that `kmlab --help` and `kmlab run` start quickly. */
const VERBS: Record<string, { describe: string; load: () => Promise<{ command: object }> }> = {
  run: { describe: "run a program in the emulated kernel", load: () => import("./run.ts") },
  capture: { describe: "run a program and keep its trace", load: () => import("./capture.ts") },
  scenario: {
    describe: "run a workload that comes with kmlab, servers with their clients",
    load: () => import("./scenario.ts"),
  },
  machine: { describe: "boot a multiboot image on the bare machine", load: () => import("./machine.ts") },
  rootfs: { describe: "fetch and list the guest's packages", load: () => import("./rootfs.ts") },
  import: { describe: "make a trace of another tool's", load: () => import("./import.ts") },
  show: { describe: "say what is in a trace", load: () => import("./show.ts") },
  diff: { describe: "compare two traces", load: () => import("./diff.ts") },
  compare: {
    describe: "compare the calls of two runs of one program, task by task",
    load: () => import("./compare.ts"),
  },
  export: {
    describe: "write a trace, or a replay of it, in another tool's format",
    load: () => import("./export.ts"),
  },
  anonymize: {
    describe: "replace paths, arguments and names of a trace",
    load: () => import("./anonymize.ts"),
  },
  whatif: { describe: "replay a trace under other ways into the kernel", load: () => import("./whatif.ts") },
  sensitivity: { describe: "say which costs an answer hangs on", load: () => import("./sensitivity.ts") },
  sweep: { describe: "go through an experiment's values, run by run", load: () => import("./sweep.ts") },
  figures: { describe: "draw the figures, each with its evidence and verdicts", load: () => import("./figures.ts") },
  validate: { describe: "check the model against published and measured numbers", load: () => import("./validate.ts") },
  starvation: {
    describe: "measure stack starvation in ring 0 and price it",
    load: () => import("./starvation.ts"),
  },
  calibrate: { describe: "print what is fitted, on what, with residuals", load: () => import("./calibrate.ts") },
  tour: { describe: "the whole job once: capture, replay, answer", load: () => import("./tour.ts") },
};

/** Ends the process with a status once standard output has been handed over; a closed pipe ends quietly. */
function finish(status: number): void {
  process.exitCode = status;
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.on("SIGINT", () => process.exit(130));

async function main(words: string[]): Promise<void> {
  const verb = words.find((word) => !word.startsWith("-"));
  const isGuestVerb = (GUEST_VERBS as readonly string[]).includes(verb ?? "");
  const failed = isGuestVerb ? 125 : 2;
  const chosen = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  const parser = yargs()
    .scriptName("kmlab")
    .usage(
      "kmlab VERB [OPTION...]\n\nA laboratory for Kernel Mode Linux: what would system calls that are calls do to your program?",
    )
    .strict()
    .recommendCommands()
    .demandCommand(1, "name a verb; see kmlab --help")
    .parserConfiguration({ "populate--": true, "parse-positional-numbers": false })
    // yargs lays its help out before every command, asked for or not; unwrapped that costs little.
    .wrap(words.some((word) => HELP.has(word)) ? Math.min(110, process.stdout.columns ?? 110) : null)
    .alias("h", "help")
    .fail((message, error) => {
      throw error ?? new InputError(message);
    });
  for (const [name, { describe }] of Object.entries(VERBS)) {
    if (chosen === undefined || name !== verb) parser.command(name, describe);
  }
  try {
    if (chosen !== undefined) parser.command((await chosen.load()).command as CommandModule);
    await parser.parseAsync(isGuestVerb ? separateGuest(words) : words);
  } catch (error) {
    if (error instanceof CheckFailed) {
      process.stderr.write(`kmlab: ${error.message}\n`);
      return finish(1);
    }
    if (error instanceof InputError || (error instanceof Error && error.name === "YError")) {
      process.stderr.write(`kmlab: ${error.message.split("\n").join(" ")}\n`);
      return finish(failed);
    }
    process.stderr.write(
      `kmlab: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    finish(failed === 2 ? 1 : failed);
  }
}

void main(process.argv.slice(2));
