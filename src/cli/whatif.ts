// kmlab whatif: a trace replayed under other ways into the kernel.
import type { CommandModule } from "yargs";
import { InputError } from "../errors.ts";
import { countsAnswer, countsTables, countsText } from "../model/answers/counts.ts";
import { TARGETS } from "../model/choices.ts";
import { modelData, readDataFile, withProfileFiles } from "../model/data-node.ts";
import type { MachineChoice } from "../model/machine-choice.ts";
import { whatifText } from "../model/report.ts";
import { whatifCsv } from "../model/report-csv.ts";
import { readRoutes } from "../model/routes.ts";
import { withoutVdso } from "../model/vdso.ts";
import { whatif } from "../model/whatif.ts";
import { limitLines, needCapture, needTimes } from "../traces/limits.ts";
import { readTrace } from "../traces/node.ts";
import { EDGE } from "../traces/schema/enums.ts";
import { cannotReplay, restsOnCounts } from "../traces/trace.ts";
import { CONDITION_OPTIONS, type ConditionArguments, conditionsOf } from "./condition-options.ts";
import { list, MACHINE_OPTIONS, machineOf, settings, targetOf, wholeNumber } from "./model-options.ts";

interface WhatIfArguments extends ConditionArguments, MachineChoice {
  trace: string;
  mech?: string;
  profile?: string;
  kernel?: string;
  target?: string;
  set: string[];
  draws?: number;
  seed: number;
  "break-even": boolean;
  vdso?: string;
  request?: string;
  arrivals?: string;
  csv: boolean;
  json: boolean;
}

const mechanisms = () => readRoutes(readDataFile("kernels/mechanisms.csv"));

/** What only a replay can answer. */
const REPLAY_OPTIONS = ["csv", "request", "arrivals", "scheduler", "cpus", "disk", "memory", "reclaim"] as const;

export const command: CommandModule<object, WhatIfArguments> = {
  command: "whatif <trace>",
  describe: "replay a trace under other ways into the kernel",
  builder: (yargs) =>
    yargs
      .positional("trace", { type: "string", demandOption: true, describe: "trace folder NAME.kmtrace" })
      .option("mech", {
        type: "string",
        requiresArg: true,
        describe: `ways in, the first is compared with: ${[...mechanisms().keys()].join(", ")}`,
      })
      .option("profile", { type: "string", requiresArg: true, describe: "processors, as p4,pentium (default p4)" })
      .option("kernel", {
        type: "string",
        requiresArg: true,
        describe: "software eras, as kml-4.0,kml-2003 (default kml-4.0)",
      })
      .option("target", {
        choices: TARGETS,
        requiresArg: true,
        describe: "what the program is taken as compiled for; x86-64: zen4, kml-6.18-amd64, syscall,kml-amd64,ukl",
      })
      .options(CONDITION_OPTIONS)
      .option("set", {
        type: "string",
        array: true,
        nargs: 1,
        default: [],
        describe: "KEY=VALUE: set a cost in cycles, or mhz, hz, quantum_us (of scheduler rr)",
      })
      .options(MACHINE_OPTIONS)
      .option("draws", { type: "number", requiresArg: true, describe: "sets of parameter draws behind each interval" })
      .option("seed", { type: "number", requiresArg: true, default: 1, describe: "seed of the draws" })
      .option("break-even", {
        type: "boolean",
        default: true,
        describe: "search where the conclusions flip (--no-break-even: do not)",
      })
      .option("vdso", {
        choices: ["on", "off"],
        requiresArg: true,
        describe: "off: clock calls that the vDSO answered become system calls",
      })
      .option("request", { type: "string", requiresArg: true, describe: "a server's requests, as accept..close" })
      .option("arrivals", {
        type: "string",
        requiresArg: true,
        describe: "how requests come when the trace does not hold their clients: closed, or open:RATE a second",
      })
      .option("csv", { type: "boolean", default: false, describe: "print a row a mechanism" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" })
      .epilogue([...mechanisms().values()].map(({ id, meaning }) => `${id}: ${meaning}`).join("\n")) as never,
  handler: (args) => {
    const set = settings(args.set);
    if (args.json && args.csv) throw new InputError("--json and --csv: choose one");
    const read = readTrace(args.trace);
    const trace = args.vdso === "off" ? withoutVdso(read) : read;
    const data = withProfileFiles(modelData(), list(args.profile));
    const draws = args.draws === undefined ? undefined : wholeNumber("draws", args.draws, 100_000);
    const seed = wholeNumber("seed", args.seed);
    const question = {
      mechanisms: list(args.mech),
      profiles: list(args.profile),
      kernels: list(args.kernel),
      target: targetOf(args, trace),
      conditions: conditionsOf(args),
      set,
    };
    const counts = restsOnCounts(trace.meta) ? countsAnswer(trace, data, { ...question, draws, seed }) : undefined;
    const why = cannotReplay(trace.meta);
    if (why !== undefined && counts !== undefined) {
      for (const option of REPLAY_OPTIONS) if (args[option]) needTimes(trace.meta, `--${option}`);
      process.stdout.write(`${args.json ? JSON.stringify({ counts }, null, 2) : countsText(counts, why).join("\n")}\n`);
      return;
    }
    if (args.disk === "seek" && !trace.edges.kind.includes(EDGE.device))
      needCapture(trace.meta, "--disk seek", "which waits were for a disk");
    const result = whatif(trace, data, {
      ...question,
      machine: machineOf(args),
      breakEven: args["break-even"],
      request: args.request,
      arrivals: args.arrivals,
      draws,
      seed,
    });
    const text = args.json
      ? JSON.stringify({ ...result, ...(counts === undefined ? {} : { counts }) }, null, 2)
      : args.csv
        ? whatifCsv(result)
        : [...whatifText(result), ...(counts === undefined ? [] : ["", ...countsTables(counts)])].join("\n");
    if (args.csv) for (const line of limitLines(result.limits, result.source)) process.stderr.write(`kmlab: ${line}\n`);
    process.stdout.write(`${text}\n`);
  },
};
