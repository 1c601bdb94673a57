// kmlab validate: the model against published and measured numbers, and against closed forms.
import { basename } from "node:path";
import type { CommandModule } from "yargs";
import { CheckFailed } from "../errors.ts";
import { modelData, readDataFile } from "../model/data-node.ts";
import { align } from "../model/text.ts";
import { type Comparison, validate } from "../model/validate.ts";
import { readTrace, SUFFIX } from "../traces/node.ts";

/** +1.23 % */
export function signed(percent: number): string {
  return `${percent >= 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

function verdict({ role, holds, tolerancePercent }: Comparison): string {
  if (role === "test") return `${holds ? "holds" : "FAILS"} (within ${tolerancePercent} %)`;
  return role === "fit" ? "fitted" : "not fitted, not judged";
}

/** The comparisons as a table. */
export function comparisonTable(rows: readonly Comparison[]): string[] {
  const table = [["", "processor", "kernel", "way", "call", "measured", "model", "error", ""]];
  for (const row of rows) {
    const { id, profile, kernel, mechanism, call, measured, predicted, errorPercent } = row;
    table.push([
      id,
      profile,
      kernel,
      mechanism,
      call === "-" ? "(way only)" : call,
      measured.toFixed(1),
      predicted.toFixed(1),
      signed(errorPercent),
      verdict(row),
    ]);
  }
  return align(table);
}

export const command: CommandModule<object, { json: boolean; traces: string[] }> = {
  command: "validate [traces..]",
  describe: "check the model against published and measured numbers",
  builder: (yargs) =>
    yargs
      .positional("traces", { type: "string", array: true, default: [], describe: "traces to check the model on, too" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" }) as never,
  handler: ({ json, traces }) => {
    const named = traces.map((path) => ({ name: basename(path, SUFFIX), trace: readTrace(path) }));
    const result = validate(modelData(), readDataFile("validation.csv"), named);
    if (json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    else {
      const lines = ["calls, in cycles", "", ...comparisonTable(result.comparisons), "", "savings, in cycles", ""];
      const savings = [
        ["", "against", "measured", "model", "error", "if nothing were saved", "if every call saved the same"],
      ];
      for (const { id, saving } of result.comparisons) {
        if (saving === null) continue;
        const { against, measured, predicted, errorPercent, noSavingErrorPercent, sameSavingErrorPercent } = saving;
        savings.push([
          id,
          against,
          measured.toFixed(1),
          predicted.toFixed(1),
          signed(errorPercent),
          signed(noSavingErrorPercent),
          signed(sameSavingErrorPercent),
        ]);
      }
      lines.push(...align(savings), "", "the machine", "");
      for (const { id, says, found, holds } of result.checks)
        lines.push(`${holds ? "holds" : "FAILS"}  ${id}: ${says}`, `       found ${found}`);
      process.stdout.write(`${lines.join("\n")}\n`);
    }
    const failed = [
      ...result.comparisons.filter(({ holds }) => holds === false).map(({ id }) => id),
      ...result.checks.filter(({ holds }) => !holds).map(({ id }) => id),
    ];
    if (failed.length > 0) throw new CheckFailed(`validate: ${failed.join(", ")} did not hold`);
  },
};
