// The end of kmlab import in words: what was read, what was not understood, what the source cannot know and which tool would.
import { grouped } from "../show/table.ts";
import type { ImportReport } from "./import.ts";

const SHOWN = 8;

function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** Lines for people. */
export function reportLines(report: ImportReport): string[] {
  const { notUnderstood, unknownCalls, fidelity } = report;
  const files = report.files === 1 ? "" : ` of ${report.files} files`;
  const lines = [
    `${report.format}: ${counted(report.lines, "line")}${files}, ${counted(report.events, "event")} of ${counted(report.tasks, "task")}`,
  ];
  for (const { reason, count, first } of notUnderstood.slice(0, SHOWN))
    lines.push(`not understood: ${counted(count, "line")}, ${reason} (first ${first})`);
  if (unknownCalls.length > 0) {
    const names = unknownCalls.slice(0, SHOWN).map(({ name, count }) => `${name} ${count}`);
    lines.push(`calls in no table: ${names.join(", ")}`);
  }
  for (const [what, text] of Object.entries(fidelity)) lines.push(`${what}: ${text}`);
  for (const advice of report.advice) lines.push(`better: ${advice}`);
  return lines;
}
