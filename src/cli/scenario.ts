// kmlab scenario: a workload that comes with kmlab, in one command: its packages, its script, and whether it printed what it prints natively.
import process from "node:process";
import type { Argv } from "yargs";
import type { HostIo } from "../emu/host.ts";
import { type CaptureResult, captureProgramWithPauses, type RunResult, runProgramWithPauses } from "../emu/run.ts";
import { CheckFailed, InputError } from "../errors.ts";
import {
  readScenario,
  SCENARIO_PLACE,
  type Scenario,
  scenarioImage,
  scenarioNames,
  scenarioOptions,
  scenarioRate,
} from "../scenarios-node.ts";
import { checkTarget, SUFFIX, writeTrace } from "../traces/node.ts";
import { aligned } from "../traces/show/table.ts";
import { type GuestArguments, guestRun, reportEnd } from "./guest.ts";
import { GUEST_OPTIONS, type GuestOption, LONG_RUN_OPTIONS } from "./guest-options.ts";
import { watched } from "./long-run.ts";

interface ScenarioArguments extends GuestArguments {
  name?: string;
  output?: string;
}

const { ring, trusted, kernel, entry, tier, cold, seed, missing } = GUEST_OPTIONS;

const SCENARIO_OPTIONS = {
  ring,
  trusted,
  kernel,
  entry,
  tier,
  cold,
  seed,
  missing,
  ...LONG_RUN_OPTIONS,
  output: { type: "string", alias: "o", describe: "keep the trace under this name" },
} as const satisfies Record<string, GuestOption>;

/** The host's streams, with what went through them kept. */
function keeping(host: HostIo): { host: HostIo; printed: () => { out: string; all: string } } {
  const out: Uint8Array[] = [];
  const all: Uint8Array[] = [];
  const text = (parts: Uint8Array[]) => new TextDecoder().decode(Buffer.concat(parts));
  return {
    host: {
      ...host,
      stdin: host.stdin,
      stdout(bytes) {
        out.push(bytes.slice());
        all.push(bytes.slice());
        host.stdout(bytes);
      },
      stderr(bytes) {
        all.push(bytes.slice());
        host.stderr(bytes);
      },
    },
    printed: () => ({ out: text(out), all: text(all) }),
  };
}

/** The first line in which two outputs differ. */
function firstDifference(expected: string, found: string): string {
  const a = expected.split("\n");
  const b = found.split("\n");
  const i = a.findIndex((line, n) => line !== b[n]);
  const at = i < 0 ? a.length : i;
  return `line ${at + 1} is ${JSON.stringify(b[at] ?? "missing")}, natively ${JSON.stringify(a[at] ?? "missing")}`;
}

function list(): void {
  const rows = scenarioNames().map((name) => [name, readScenario(name).about]);
  process.stdout.write(
    `${aligned([["scenario", "what it does"], ...rows], [false, false], (text) => text).join("\n")}\n`,
  );
}

async function runScenario(args: ScenarioArguments, scenario: Scenario): Promise<void> {
  const options = await guestRun({
    ...args,
    package: [...scenario.packages],
    first: scenario.first,
    cpu: GUEST_OPTIONS.cpu.default,
    memory: GUEST_OPTIONS.memory.default,
    cwd: SCENARIO_PLACE,
    vdsoClock: true,
    interactive: false,
    tty: false,
    "--": [...scenario.argv],
  });
  const { host, printed } = keeping(options.host);
  const all = { ...options, ...scenarioOptions(scenario), host, image: scenarioImage(options.image, scenario) };
  const target = args.output?.endsWith(SUFFIX) ? args.output : args.output && `${args.output}${SUFFIX}`;
  if (target !== undefined) checkTarget(target);
  const begin = target === undefined ? runProgramWithPauses : captureProgramWithPauses;
  const run: RunResult & Partial<CaptureResult> = await watched(args, host, (streams, pauses) =>
    begin({ ...all, host: streams }, pauses),
  );
  reportEnd(run, options.argv, args.missing);
  if (target !== undefined && run.trace !== undefined)
    process.stderr.write(`kmlab: ${target} (${writeTrace(target, run.trace).slice(0, 16)})\n`);
  process.exitCode = run.status;
  const text = printed();
  const rate = scenarioRate(scenario, text.all);
  if (rate !== undefined) process.stderr.write(`kmlab: ${rate.value} ${rate.unit} a second of guest time\n`);
  if (run.status !== 0) return;
  if (scenario.expected !== undefined && text.out !== scenario.expected)
    throw new CheckFailed(
      `${scenario.name}: standard output is not the native one: ${firstDifference(scenario.expected, text.out)}`,
    );
  if (scenario.expected !== undefined) process.stderr.write("kmlab: standard output is the native one\n");
}

export const command = {
  command: "scenario [name]",
  describe: "run a workload that comes with kmlab, servers with their clients",
  builder: (yargs: Argv): Argv =>
    yargs
      .usage("kmlab scenario [NAME] [OPTION...]")
      .positional("name", { type: "string", describe: "which; without one, they are listed" })
      .options(SCENARIO_OPTIONS)
      .example("kmlab scenario apache --ring 0", "Apache and its load generator in kernel mode"),
  handler: async (args: ScenarioArguments): Promise<void> => {
    if (args.name === undefined) {
      if (args.output !== undefined) throw new InputError("-o: name the scenario to capture");
      list();
    } else await runScenario(args, readScenario(args.name));
  },
};
