// kmlab calibrate: what is fitted, on what, and what is left over; with --machine, a profile of the machine it runs on.
import { writeFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import { InputError } from "../errors.ts";
import { calibrate } from "../model/calibrate.ts";
import { modelData, readDataFile } from "../model/data-node.ts";
import { measureMachine } from "../model/machine-node.ts";
import { calibrateMachine, type MachineCalibration, profileTable } from "../model/machine-profile.ts";
import { align } from "../model/text.ts";
import { comparisonTable, signed } from "./validate.ts";

/** What was measured and what it predicts, as lines. */
function machineText({ profile, predictions, medianErrorPercent, notes }: MachineCalibration): string[] {
  const measured = [["measured", "cycles", "to"]];
  for (const { key, value, high, range } of profile.costs.values())
    if (range === "measured" && value !== null) measured.push([key, value.toFixed(2), high.toFixed(2)]);
  for (const { solves, value, high } of profile.fits)
    measured.push([`getpid, for ${solves.join(" + ")}`, (value ?? 0).toFixed(1), high.toFixed(1)]);
  const table = [["predicted, not fitted", "build", "measured", "model", "90 % of draws", "error"]];
  for (const { call, build, measured: cycles, predicted, low, high, errorPercent } of predictions)
    table.push([
      call,
      build === "m32" ? "32-bit" : "64-bit",
      cycles.toFixed(0),
      predicted.toFixed(0),
      `${low.toFixed(0)}..${high.toFixed(0)}`,
      signed(errorPercent),
    ]);
  return [
    `${profile.name}, ${profile.mhz} MHz, in core cycles`,
    "",
    ...align(measured),
    "",
    ...align(table),
    `median error ${medianErrorPercent.toFixed(1)} %`,
    ...notes.map((note) => `note: ${note}`),
    `note: ${profile.note}`,
  ];
}

function calibrateHere(json: boolean, out: string | undefined): void {
  const data = modelData();
  const result = calibrateMachine(data, measureMachine());
  if (out !== undefined) {
    try {
      writeFileSync(out, profileTable(data, result.profile));
    } catch (error) {
      throw new InputError(`-o ${out}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const { profile, ...rest } = result;
  const text = json
    ? JSON.stringify({ ...rest, profile: { ...profile, costs: [...profile.costs.values()] } }, null, 2)
    : machineText(result).join("\n");
  process.stdout.write(`${text}\n`);
}

export const command: CommandModule<object, { json: boolean; machine: boolean; out?: string }> = {
  command: "calibrate",
  describe: "print what is fitted, on what, with residuals",
  builder: (yargs) =>
    yargs
      .option("json", { type: "boolean", default: false, describe: "print JSON" })
      .option("machine", {
        type: "boolean",
        default: false,
        describe: "measure the machine it runs on instead (needs gcc), and predict ten calls",
      })
      .option("out", {
        alias: "o",
        type: "string",
        requiresArg: true,
        describe: "with --machine: write its costs to a file that whatif --profile FILE.csv reads",
      }) as never,
  handler: ({ json, machine, out }) => {
    if (machine) {
      calibrateHere(json, out);
      return;
    }
    if (out !== undefined) throw new InputError("-o writes what --machine measures; give both");
    const result = calibrate(modelData(), readDataFile("validation.csv"));
    if (json) {
      process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
      return;
    }
    const table = [["processor", "solved", "from", "total", "fit", "residual", "cycles", "90 % of draws"]];
    for (const { profile, solves, kernel, mechanism, call, target, reached, value, low, high } of result.fitted) {
      const from = `${call} by ${mechanism}, ${kernel}`;
      table.push([
        profile,
        solves,
        from,
        `${target}`,
        reached.toFixed(1),
        signed((100 * (reached - target)) / target),
        value.toFixed(1),
        `${low.toFixed(0)}..${high.toFixed(0)}`,
      ]);
    }
    const rest = result.comparisons.filter(({ role }) => role !== "fit");
    const lines = [
      "fitted, in cycles",
      "",
      ...align(table),
      "",
      "predicted with what was fitted",
      "",
      ...comparisonTable(rest),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  },
};
