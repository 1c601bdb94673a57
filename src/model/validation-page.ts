// docs/validation.md: the rows of data/validation.csv beside the model, as a page. Made by `kmlab validate --markdown`.
import type { ModelData } from "./data.ts";
import { type Row, readRows } from "./published.ts";
import { type Comparison, compareAll, judge } from "./validate.ts";

/** +1.2 % */
function signed(percent: number): string {
  return `${percent >= 0 ? "+" : ""}${percent.toFixed(1)} %`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "/")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

function place({ profile, kernel, mechanism, call }: Comparison): string[] {
  return [profile, kernel, mechanism, call === "-" ? "(way only)" : call];
}

const one = (cycles: number): string => cycles.toFixed(1);

function testedRow(row: Comparison): string[] {
  const { bounds } = row;
  const range = bounds === null ? "" : `${one(bounds.low)} to ${one(bounds.high)}`;
  return [
    row.id,
    ...place(row),
    one(row.measured),
    one(row.predicted),
    signed(row.errorPercent),
    `${row.tolerancePercent} %`,
    range,
  ];
}

function savingRow({ id, saving }: Comparison): string[] {
  if (saving === null) return [];
  return [
    id,
    saving.against,
    one(saving.measured),
    one(saving.predicted),
    signed(saving.errorPercent),
    signed(saving.sameSavingErrorPercent),
  ];
}

/** Rows out of scope, by the reason. */
function outOfScope(rows: readonly Row[]): string[][] {
  const byReason = new Map<string, Row[]>();
  for (const row of rows) if (row.role === "out") byReason.set(row.reason, [...(byReason.get(row.reason) ?? []), row]);
  return [...byReason].map(([reason, all]) => [
    reason,
    `${all.length}`,
    [...new Set(all.map(({ source }) => source))].join("; "),
  ]);
}

/** Rows of data/memory-sizes.csv with their errors. */
function memoryRows(text: string): string[][] {
  const [, ...lines] = text.trimEnd().split("\n");
  // Where nothing was evicted the other rows say nothing more.
  const cells = lines.map((line) => line.split(","));
  const telling = cells.filter(
    ([, , what, seen, predicted]) => what === "evictions" || seen !== "0" || predicted !== "0",
  );
  return telling.map(([program, memory, what, seen, predicted]) => {
    const error = seen === predicted ? "0" : seen === "0" ? "" : signed((100 * (+predicted - +seen)) / +seen);
    return [program, memory, what, seen, predicted, error];
  });
}

/** Rows of data/schedulers-seen.csv: how many tasks end in the predicted order, and the end that is predicted worst. */
function schedulerRows(text: string): string[][] {
  const [, ...lines] = text.trimEnd().split("\n");
  return lines.map((line) => {
    const [program, hz, scheduler, tasks, inOrder, worst, seen, predicted] = line.split(",");
    return [program, hz, scheduler, `${inOrder} of ${tasks}`, seen, predicted, signed(+worst)];
  });
}

/** Texts of tables that captures by the emulator have filled. */
export interface CaptureTables {
  /** data/memory-sizes.csv. */
  readonly memory: string;
  /** data/schedulers-seen.csv. */
  readonly schedulers: string;
}

/** The page, for the tables and the text of data/validation.csv. */
export function validationPage(data: ModelData, text: string, { memory, schedulers }: CaptureTables): string {
  const rows = readRows(text);
  const all = compareAll(data, text, true);
  const of = (role: string): Comparison[] => all.filter((row) => row.role === role);
  const tested = of("test");
  const count = (role: string): number => rows.filter((row) => row.role === role).length;
  const reasons = new Map(rows.map(({ id, reason }) => [id, reason]));
  const sources = new Map<string, string[]>();
  for (const { id, role, source } of rows)
    if (role !== "out") sources.set(source, [...(sources.get(source) ?? []), id]);
  const lines = [
    "# Published numbers",
    "",
    "Made by `npx --no kmlab validate --markdown`; do not edit. Roles and tolerances are those of `data/validation.csv`, frozen before any fit on these rows was made; sums of some of them had been made by hand",
    "before that. Cycles; errors of the prediction. Intervals: 90 % of 200 draws of every cost from its range, fits solved again in each. The model's limits are in [model.md](model.md).",
    "",
    `${rows.length} rows: ${count("fit")} fitted, ${count("test")} tested, ${count("beside")} shown beside, ${count("out")} out of scope.`,
    "",
    "## What was asked",
    "",
    ...table(
      ["over the tested rows", "found", ""],
      judge(all).map(({ says, found, unit, reached }) => [
        says,
        `${found.toFixed(1)} ${unit}`,
        reached ? "reached" : "missed",
      ]),
    ),
    "",
    "Most calls alone save the same by the model and by the null model: what two ways in cost does not depend on the body, but for the returns after a trap, which are mispredicted the longer the more the kernel did. That term",
    "(`rsb.user_share`) was added after the tested rows had been seen; it is fitted on dup and close, which are none of them. So were the rules that no fitted total is known better than 5 %, and that the path of a call measured alone has three components.",
    "Model and null model part further on programs: calls that stay traps, faults, starvation. Half of the rows outside their intervals are processors that bear the name of a fitted one, under other kernels.",
    "",
    "## Tested",
    "",
    ...table(
      ["row", "processor", "kernel", "way", "call", "measured", "model", "error", "tolerance", "interval"],
      tested.map(testedRow),
    ),
    "",
    "## Savings of tested rows",
    "",
    ...table(
      ["row", "against", "measured", "model", "error", "if every call saved the same"],
      tested.map(savingRow).filter((row) => row.length > 0),
    ),
    "",
    "## Beside: out of scope, shown all the same",
    "",
    ...table(
      ["row", "processor", "kernel", "way", "call", "measured", "model", "error", "why"],
      of("beside").map((row) => [
        row.id,
        ...place(row),
        one(row.measured),
        one(row.predicted),
        signed(row.errorPercent),
        reasons.get(row.id) ?? "",
      ]),
    ),
    "",
    "## Other amounts of memory",
    "",
    "From a capture in 128 MiB alone, with page touches every 50,000 instructions, what the same program's captures on smaller emulated machines show (`npm run record-memory-sizes`): the model has the emulated kernel's lists",
    "and read-ahead (`--reclaim linux-4.0`), no other knowledge of it. Whether a program fits is predicted, and where a program swaps, what goes to swap and is waited for, within a quarter (but not the few pages of `cat`). How often",
    "files are waited for, and evictions, most of which are of pages that were only read ahead, are an order of magnitude: a few frames more or less decide whether code is still there when it is called again.",
    "",
    ...table(["program", "memory", "", "captured", "predicted", "error"], memoryRows(memory)),
    "",
    "## Other schedulers",
    "",
    "From a capture under the emulated kernel's own scheduler alone, when each task ends in captures of the same program under others (`npm run record-schedulers`), in clock units; the end that is predicted worst. Model and emulator",
    "have schedulers of the same names, written apart. Tasks that only compute end when and in the order in which the model says. Of the pipelines, whose processes wake each other, one capture of nine goes another way: at 250 Hz under o1 a pipeline has its turn earlier than predicted; why is not known.",
    "",
    ...table(["program", "Hz", "scheduler", "in order", "captured", "predicted", "error"], schedulerRows(schedulers)),
    "",
    "## Fitted",
    "",
    ...table(
      ["row", "processor", "kernel", "way", "call", "measured", "why"],
      of("fit").map((row) => [row.id, ...place(row), one(row.measured), reasons.get(row.id) ?? ""]),
    ),
    "",
    "## Out of scope",
    "",
    ...table(["why", "rows", "sources"], outOfScope(rows)),
    "",
    "## Sources of the rows above",
    "",
    ...table(
      ["source", "rows"],
      [...sources].map(([source, ids]) => [source, ids.join(", ")]),
    ),
    "",
  ];
  return lines.join("\n");
}
