// kmlab diff: how two traces differ.
import process from "node:process";
import type { CommandModule } from "yargs";
import { CheckFailed, InputError } from "../errors.ts";
import { compareTraces, differenceLines } from "../traces/compare.ts";
import { type Comparison, comparePrediction, type Difference } from "../traces/compare-prediction.ts";
import { limitLines, limitsOf } from "../traces/limits.ts";
import { callNames, readTrace } from "../traces/node.ts";
import { countDifference, countLines } from "../traces/show/diff.ts";
import { aligned } from "../traces/show/table.ts";
import type { Trace } from "../traces/trace.ts";
import { bold } from "./bold.ts";

interface DiffOptions {
  one: string;
  two: string;
  ring0: boolean;
  json: boolean;
}

/** Differences of one task with one reason share a line, which names the first; those without a reason get one each. */
function differenceGroups(differences: readonly Difference[]): string[] {
  const groups = new Map<string, Difference[]>();
  for (const [index, d] of differences.entries()) {
    const name = d.reason === null ? String(index) : `${d.task} ${d.kind} ${d.reason}`;
    groups.set(name, [...(groups.get(name) ?? []), d]);
  }
  return [...groups.values()].map(([first, ...more]) => {
    const others = more.length === 0 ? "" : ` and ${more.length} more ${first.kind}`;
    const where = `task ${first.task}, entry ${first.at}: ${first.entry} ${first.kind} (${first.note})${others}`;
    return `${where}: ${first.reason ?? "no rule explains it"}`;
  });
}

/** What was predicted and what was seen, by class, and each difference with its reason. */
function predictionLines({ predicted, seen, differences }: Comparison): string[] {
  const classes = Object.keys(predicted).filter((name) => counts(name).some((count) => count > 0));
  function counts(name: string): number[] {
    return [predicted, seen].map((side) => (side as Record<string, number>)[name]);
  }
  const rows = classes.map((name) => [name, ...counts(name).map(String)]);
  return [
    ...aligned([["entry", "predicted", "seen"], ...rows], [false, true, true], (text) => text),
    ...differenceGroups(differences),
  ];
}

function comparePredicted(one: string, two: string, json: boolean): void {
  const [ring3, ring0] = [readTrace(one), readTrace(two)];
  if (ring3.meta.ring !== 3 || ring0.meta.ring !== 0)
    throw new InputError(`--ring0: ${one} must be a ring-3 trace and ${two} a ring-0 trace of the same program`);
  const comparison = comparePrediction(ring3, ring0);
  const text = json ? JSON.stringify(comparison, null, 2) : predictionLines(comparison).join("\n");
  process.stdout.write(`${text}\n`);
  if (!comparison.explained) throw new CheckFailed(`${two} is not what ${one} predicts`);
}

/** What the traces could not tell, where there is such a thing. */
function heads(names: readonly [string, string], traces: readonly [Trace, Trace]): string[] {
  return traces.flatMap((trace, index) => {
    const lines = limitLines(limitsOf(trace), trace.meta.source);
    return lines.length === 0 ? [] : [`${names[index]}:`, ...lines];
  });
}

export const command: CommandModule<object, DiffOptions> = {
  command: "diff <one> <two>",
  describe: "compare two traces",
  builder: (yargs) =>
    yargs
      .positional("one", { type: "string", demandOption: true, describe: "a .kmtrace folder" })
      .positional("two", { type: "string", demandOption: true, describe: "another" })
      .option("ring0", {
        type: "boolean",
        default: false,
        describe: "compare what the first, of ring 3, predicts for ring 0 with the second, of ring 0",
      })
      .option("json", { type: "boolean", default: false, describe: "the differences as JSON" })
      .example(
        "kmlab diff a.kmtrace b.kmtrace",
        "what each counts, calls that match, metadata, rows of each table, the first event that differs",
      ),
  handler: ({ one, two, ring0, json }) => {
    if (ring0) return comparePredicted(one, two, json);
    const traces = [readTrace(one), readTrace(two)] as const;
    const difference = compareTraces(...traces);
    const counted = countDifference(...traces, callNames());
    if (json) process.stdout.write(`${JSON.stringify({ ...difference, ...counted }, null, 2)}\n`);
    else if (difference.same) process.stdout.write(`the same trace: ${difference.ids[0]}\n`);
    else
      process.stdout.write(
        `${[...heads([one, two], traces), ...countLines(counted, bold), "", ...differenceLines(difference)].join("\n")}\n`,
      );
    if (!difference.same) throw new CheckFailed(`${one} and ${two} differ`);
  },
};
