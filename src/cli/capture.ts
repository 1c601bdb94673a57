// kmlab capture: a run that leaves its trace.
import { basename } from "node:path";
import process from "node:process";
import type { Argv } from "yargs";
import { captureProgramWithPauses } from "../emu/run.ts";
import { InputError } from "../errors.ts";
import { checkTarget, SUFFIX, writeTrace } from "../traces/node.ts";
import { type GuestArguments, guestRun, reportEnd } from "./guest.ts";
import { CAPTURE_OPTIONS } from "./guest-options.ts";
import { watched } from "./long-run.ts";

interface CaptureArguments extends GuestArguments {
  output?: string;
  repeat: number;
  json: boolean;
}

/** Where run `i` of `repeat` goes: NAME.kmtrace, or NAME-1.kmtrace, NAME-2.kmtrace, ... */
function target(args: CaptureArguments, program: string, i: number): string {
  const name = args.output ?? `${basename(program)}${SUFFIX}`;
  if (args.repeat === 1) return name.endsWith(SUFFIX) ? name : `${name}${SUFFIX}`;
  return `${name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name}-${i + 1}${SUFFIX}`;
}

export const command = {
  command: "capture",
  describe: "run a program and keep its trace",
  builder: (yargs: Argv): Argv =>
    yargs
      .usage("kmlab capture [-o NAME.kmtrace] [OPTION...] PROGRAM [ARG...]")
      .options(CAPTURE_OPTIONS)
      .example("kmlab capture -o find.kmtrace find /usr", "then: kmlab whatif find.kmtrace"),
  handler: async (args: CaptureArguments): Promise<void> => {
    if (!Number.isInteger(args.repeat) || args.repeat < 1 || args.repeat > 1000)
      throw new InputError(`--repeat ${args.repeat}: give a whole number from 1 to 1000`);
    const options = await guestRun(args);
    const written: { trace: string; id: string; status: number }[] = [];
    for (let i = 0; i < args.repeat; i++) {
      const trace = target(args, options.argv[0], i);
      checkTarget(trace);
      const seed = args.seed + i;
      const run = await watched(args, options.host, (host, pauses) =>
        captureProgramWithPauses({ ...options, host, seed }, pauses),
      );
      reportEnd(run, options.argv, args.missing);
      written.push({ trace, id: writeTrace(trace, run.trace), status: run.status });
      process.exitCode = run.status;
      if (run.exit.kind === "stopped" && run.exit.by === "interrupt") break;
    }
    if (args.json) process.stdout.write(`${JSON.stringify({ traces: written })}\n`);
    else for (const { trace, id } of written) process.stderr.write(`kmlab: ${trace} (${id.slice(0, 16)})\n`);
  },
};
