// kmlab calibrate: what is fitted, on what, and what is left over.
import type { CommandModule } from "yargs";
import { calibrate } from "../model/calibrate.ts";
import { modelData, readDataFile } from "../model/data-node.ts";
import { align } from "../model/text.ts";
import { comparisonTable, signed } from "./validate.ts";

export const command: CommandModule<object, { json: boolean }> = {
  command: "calibrate",
  describe: "print what is fitted, on what, with residuals",
  builder: (yargs) => yargs.option("json", { type: "boolean", default: false, describe: "print JSON" }) as never,
  handler: ({ json }) => {
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
