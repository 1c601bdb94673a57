// kmlab validate: the model against published and measured numbers, and against closed forms.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandModule } from "yargs";
import { CheckFailed, InputError } from "../errors.ts";
import type { Counterfactual } from "../model/counterfactual.ts";
import { modelData, readDataFile } from "../model/data-node.ts";
import { align } from "../model/text.ts";
import { type Comparison, validate } from "../model/validate.ts";
import { validationPage } from "../model/validation-page.ts";
import { needCapture } from "../traces/limits.ts";
import { readTrace, SUFFIX } from "../traces/node.ts";
import type { Trace } from "../traces/trace.ts";

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

/** Programs and ways down, counts predicted for counts seen across. */
function counterfactualTable(rows: readonly Counterfactual[]): string[] {
  const whats = [...new Set(rows.map(({ what }) => what))].sort();
  const table = [["", "predicts", ...whats]];
  for (const key of new Set(rows.map(({ program, capture }) => `${program} ${capture}`))) {
    const of = rows.filter(({ program, capture }) => `${program} ${capture}` === key);
    const cell = (name: string): string => {
      const row = of.find(({ what }) => what === name);
      if (row === undefined) return "";
      return `${row.predicted}${row.predicted === row.seen ? "" : ` for ${row.seen}`}${row.holds ? "" : " FAILS"}`;
    };
    table.push([of[0].program, of[0].capture, ...whats.map(cell)]);
  }
  const worst = rows.reduce((most, { errorPercent }) => Math.max(most, Math.abs(errorPercent)), 0);
  return [
    ...align(table, [0, 1]),
    `a number alone is both predicted and seen; largest error ${worst.toFixed(1)} % (ways in, starvation, minor faults within 2 %, major faults within 10 %)`,
  ];
}

function load(path: string): { name: string; trace: Trace } {
  const trace = readTrace(path);
  needCapture(trace.meta, `validate ${path}`, "what each way in cost, which a replay is compared with");
  return { name: basename(path, SUFFIX), trace };
}

/** The captures that come with kmlab. */
function shipped(): { name: string; trace: Trace }[] {
  const folder = fileURLToPath(new URL("../../data/traces", import.meta.url));
  return readdirSync(folder)
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => load(join(folder, name)));
}

function readRowsFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new InputError(`--rows ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export const command: CommandModule<object, { json: boolean; markdown: boolean; rows?: string; traces: string[] }> = {
  command: "validate [traces..]",
  describe: "check the model against published and measured numbers",
  builder: (yargs) =>
    yargs
      .positional("traces", { type: "string", array: true, default: [], describe: "traces to check the model on, too" })
      .option("json", { type: "boolean", default: false, describe: "print JSON" })
      .option("rows", {
        type: "string",
        requiresArg: true,
        describe: "a table of measured numbers in place of data/validation.csv, with its columns",
      })
      .option("markdown", { type: "boolean", default: false, describe: "print docs/validation.md" }) as never,
  handler: ({ json, markdown, rows, traces }) => {
    const text = rows === undefined ? readDataFile("validation.csv") : readRowsFile(rows);
    if (markdown) {
      const captured = { memory: readDataFile("memory-sizes.csv"), schedulers: readDataFile("schedulers-seen.csv") };
      process.stdout.write(validationPage(modelData(), text, captured));
      return;
    }
    const named = traces.map(load);
    const result = validate(modelData(), text, named, named.length > 0 ? named : shipped());
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
      lines.push(...align(savings), "", "the rows that nothing was fitted on", "");
      for (const { says, found, unit, reached } of result.targets)
        lines.push(`${reached ? "reached" : "missed "}  ${says}: ${found.toFixed(1)} ${unit}`);
      lines.push("", "the machine", "");
      for (const { id, says, found, holds } of result.checks)
        lines.push(`${holds ? "holds" : "FAILS"}  ${id}: ${says}`, `       found ${found}`);
      if (result.counterfactuals.length > 0)
        lines.push("", "from the capture by SYSENTER alone", "", ...counterfactualTable(result.counterfactuals));
      process.stdout.write(`${lines.join("\n")}\n`);
    }
    const failed = [
      ...result.comparisons.filter(({ holds }) => holds === false).map(({ id }) => id),
      ...result.checks.filter(({ holds }) => !holds).map(({ id }) => id),
      ...result.counterfactuals
        .filter(({ holds }) => !holds)
        .map(({ program, capture, what }) => `${what} of ${program} by ${capture}`),
    ];
    if (failed.length > 0) throw new CheckFailed(`validate: ${failed.join(", ")} did not hold`);
  },
};
