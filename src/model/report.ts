// A what-if answer as a table for people: causes down, mechanisms across, every column with its sum.

import { limitLines } from "../traces/limits.ts";
import { breakEvenLines, pathTable, requestTable } from "./answers/report.ts";
import { CAUSES } from "./causes.ts";
import { recompiledLines } from "./recompiled.ts";
import { align, duration, grouped } from "./text.ts";
import { isResult, type MechanismResult, type WhatIfResult } from "./whatif.ts";

function times(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(3)}x` : "no bound";
}

function causeTable(results: readonly MechanismResult[], draws: number, cpus: number): string[] {
  const rows: string[][] = [["cycles", ...results.map(({ mechanism }) => mechanism), `of ${results[0].mechanism}`]];
  const widest = results[0];
  for (const cause of CAUSES) {
    if (results.every(({ causes }) => causes[cause] === 0)) continue;
    const share = (100 * widest.causes[cause]) / (cpus * widest.total);
    rows.push([`  ${cause}`, ...results.map(({ causes }) => grouped(causes[cause])), `${share.toFixed(1)} %`]);
  }
  const sum = cpus === 1 ? "  sum = total" : `  sum = ${cpus} CPUs x total`;
  rows.push([sum, ...results.map(({ total }) => grouped(cpus * total)), "100.0 %"]);
  if (cpus > 1) rows.push(["  total", ...results.map(({ total }) => grouped(total)), ""]);
  rows.push(["time", ...results.map(({ seconds }) => duration(seconds)), ""]);
  rows.push(["speed-up", ...results.map(({ speedup }) => times(speedup.value)), ""]);
  if (draws > 0) {
    const bounds = results.map(({ speedup: { low, high } }) =>
      low === high ? "" : `${low.toFixed(3)}..${high.toFixed(3)}`,
    );
    rows.push(["  90 % of draws", ...bounds, ""]);
  }
  rows.push(["  Amdahl", ...results.map(({ amdahl }) => times(amdahl)), ""]);
  rows.push(["  counts alone", ...results.map(({ naive }) => times(naive)), ""]);
  return align(rows);
}

function gainTable({ mechanism, base, calls, saved, residual }: MechanismResult): string[] {
  const all = Object.values(saved).reduce((sum, cycles) => sum + cycles, 0);
  const lines = [`what ${mechanism} saves against ${base}, in cycles`];
  const naive = all - residual.reduce((sum, { cycles }) => sum + cycles, 0);
  // What all calls save is the first term: waiting and starvation may eat more than that up.
  const ofCalls = naive + (residual[0]?.cycles ?? 0);
  const rows = [["  call", "calls", `${base} a call`, "saved a call", "saved", "of all calls"]];
  for (const { name, count, costPerCall, savedPerCall, saved: cycles } of calls) {
    const share = ofCalls === 0 ? "" : `${((100 * cycles) / ofCalls).toFixed(1)} %`;
    rows.push([`  ${name}`, grouped(count), costPerCall.toFixed(0), savedPerCall.toFixed(0), grouped(cycles), share]);
  }
  lines.push(...align(rows));
  lines.push(
    `a table of counts alone would say ${grouped(naive)} saved, the replay says ${grouped(all)}; between them`,
  );
  lines.push(
    ...align(residual.map(({ what, cycles }) => [`  ${what}`, cycles > 0 ? `+${grouped(cycles)}` : grouped(cycles)])),
  );
  return lines;
}

/** The whole answer as lines. */
export function whatifText(result: WhatIfResult): string[] {
  const what = result.argv.length > 0 ? result.argv.join(" ") : `trace ${result.trace.slice(0, 12)}`;
  const tasks = `${result.tasks} task${result.tasks === 1 ? "" : "s"}`;
  const lines = [
    `${what}: ${grouped(result.records)} records of ${tasks}, replayed on ${result.cpus === 1 ? "one CPU" : `${result.cpus} CPUs`}`,
    ...recompiledLines(result.recompiled),
    ...limitLines(result.limits, result.source),
  ];
  const pairs = new Map<string, (typeof result.mechanisms)[number][]>();
  for (const entry of result.mechanisms) {
    const key = `${entry.profile} ${entry.kernel}`;
    pairs.set(key, [...(pairs.get(key) ?? []), entry]);
  }
  for (const entries of pairs.values()) {
    const { profile, kernel } = entries[0];
    const results = entries.filter(isResult);
    const scheduler = results[0]?.scheduler;
    lines.push(
      `on ${profile} (${result.names[profile]}), kernel ${kernel} (${result.names[kernel]}${scheduler === undefined ? "" : `, scheduler ${scheduler}`})`,
      "",
    );
    if (results.length > 0) {
      for (const table of [
        causeTable(results, result.draws, result.cpus),
        requestTable(results),
        pathTable(results, (task) => result.taskNames[task] || `task ${task}`),
      ])
        if (table.length > 0) lines.push(...table, "");
    }
    const missing = new Map<string, string[]>();
    for (const entry of entries) {
      if (!isResult(entry)) missing.set(entry.missing, [...(missing.get(entry.missing) ?? []), entry.mechanism]);
    }
    for (const [why, mechanisms] of missing) lines.push(`${mechanisms.join(", ")} ${why}`, "");
    const last = results[results.length - 1];
    if (results.length > 1) {
      lines.push(...gainTable(last), "");
      if (last.breakEven !== undefined) lines.push(...breakEvenLines(last), "");
    }
  }
  for (const note of result.notes) lines.push(`note: ${note}`);
  lines.push(
    `${result.draws} draws of the costs and of the timer's phase, seed ${result.seed}; trace ${result.trace.slice(0, 12)}`,
  );
  return lines;
}
