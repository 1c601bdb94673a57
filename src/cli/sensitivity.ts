// kmlab sensitivity: which costs an answer hangs on, and whether the ordering of the mechanisms is sure.
import process from "node:process";
import type { CommandModule } from "yargs";
import { TARGETS } from "../model/choices.ts";
import { modelData, withProfileFiles } from "../model/data-node.ts";
import type { MachineChoice } from "../model/machine-choice.ts";
import { sensitivityText } from "../model/sensitivity/report.ts";
import { sensitivity } from "../model/sensitivity/sensitivity.ts";
import { readTrace } from "../traces/node.ts";
import { CONDITION_OPTIONS, type ConditionArguments, conditionsOf } from "./condition-options.ts";
import { list, MACHINE_OPTIONS, machineOf, settings, targetOf, wholeNumber } from "./model-options.ts";
import { runsBar } from "./progress-bar.ts";

interface SensitivityArguments extends ConditionArguments, MachineChoice {
  trace: string;
  mech?: string;
  profile?: string;
  kernel?: string;
  target?: string;
  set: string[];
  walks: number;
  rows: number;
  factors: number;
  seed: number;
  json: boolean;
}

export const command: CommandModule<object, SensitivityArguments> = {
  command: "sensitivity <trace>",
  describe: "say which costs an answer hangs on",
  builder: (yargs) =>
    yargs
      .positional("trace", { type: "string", demandOption: true, describe: "trace folder NAME.kmtrace" })
      .option("mech", { type: "string", requiresArg: true, describe: "ways in, the first is compared with" })
      .option("profile", { type: "string", requiresArg: true, describe: "the processor (default p4)" })
      .option("kernel", { type: "string", requiresArg: true, describe: "the software era (default kml-4.0)" })
      .option("target", {
        choices: TARGETS,
        requiresArg: true,
        describe: "what the program is taken as compiled for, as in whatif",
      })
      .option("set", { type: "string", array: true, nargs: 1, default: [], describe: "KEY=VALUE, as in whatif" })
      .options(CONDITION_OPTIONS)
      .options(MACHINE_OPTIONS)
      .option("walks", { type: "number", requiresArg: true, default: 10, describe: "walks of Morris's screening" })
      .option("rows", { type: "number", requiresArg: true, default: 256, describe: "rows of Sobol's sampling" })
      .option("factors", {
        type: "number",
        requiresArg: true,
        default: 8,
        describe: "parameters with indices of their own",
      })
      .option("seed", { type: "number", requiresArg: true, default: 1, describe: "seed of walks and samples" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" }) as never,
  handler: (args) => {
    const bar = runsBar();
    try {
      const trace = readTrace(args.trace);
      const result = sensitivity(trace, withProfileFiles(modelData(), list(args.profile)), {
        mechanisms: list(args.mech),
        profile: args.profile,
        kernel: args.kernel,
        target: targetOf(args, trace),
        conditions: conditionsOf(args),
        set: settings(args.set),
        machine: machineOf(args),
        walks: args.walks,
        rows: args.rows,
        factors: args.factors,
        seed: wholeNumber("seed", args.seed),
        progress: bar?.at,
      });
      const text = args.json ? JSON.stringify(result, null, 2) : sensitivityText(result).join("\n");
      bar?.end();
      process.stdout.write(`${text}\n`);
    } finally {
      bar?.end();
    }
  },
};
