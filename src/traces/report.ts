// A summary as text for people: aligned tables, numbers with thin separators, nothing that needs colour to be understood.
import { KINDS } from "./schema/enums.ts";
import type { Summary } from "./summary.ts";
import type { Trace, TraceMeta } from "./trace.ts";

/** How headings are marked: by escape codes on a terminal, by nothing elsewhere. */
export type Emphasis = (text: string) => string;

/** 1234567 -> 1,234,567; null -> "". */
export function grouped(value: number | null): string {
  return value === null ? "" : String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Columns separated by two blanks; those of numbers to the right. The first row is the heading. */
export function aligned(rows: readonly (readonly string[])[], right: readonly boolean[], bold: Emphasis): string[] {
  const width = right.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row, index) => {
    const cells = row.map((cell, column) =>
      right[column] ? cell.padStart(width[column]) : cell.padEnd(width[column]),
    );
    const line = cells.join("  ").trimEnd();
    return index === 0 ? bold(line) : line;
  });
}

/** Nanoseconds in the unit that fits. */
function duration(ns: number): string {
  if (ns >= 1e9) return `${(ns / 1e9).toFixed(3)} s`;
  return ns >= 1e6 ? `${(ns / 1e6).toFixed(3)} ms` : `${(ns / 1e3).toFixed(3)} us`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? "" : `${((100 * part) / whole).toFixed(1)} %`;
}

/** The metadata that tells a reader what was run. */
function machine(meta: TraceMeta): string[] {
  const ring = meta.ring === null ? "" : `, ring ${meta.ring}`;
  const kernel =
    meta.kernel === null ? "unknown kernel" : `${meta.kernel} by ${meta.entry ?? "an unknown entry"}${ring}`;
  const lines = [
    ["command", meta.argv.join(" ")],
    ["ended", meta.ended ?? "unknown"],
    ["kernel", kernel],
    [
      "machine",
      `${meta.arch}, ${meta.cpus} CPU${meta.cpus === 1 ? "" : "s"}${meta.cpuModel ? ` (${meta.cpuModel})` : ""}${meta.memory === null ? "" : `, ${grouped(meta.memory / 2 ** 20)} MiB`}`,
    ],
    ["source", `${meta.source}, schema ${meta.schema}${meta.reproducible ? "" : ", not reproducible"}`],
    ["trace", meta.id],
  ];
  const flaws = Object.entries(meta.fidelity).filter(
    ([, text]) => !/^(exact|none)\b/.test(text) || text.startsWith("none:"),
  );
  for (const [what, text] of flaws) lines.push([what, text]);
  return lines.map(([name, text]) => `${name.padEnd(8)} ${text}`);
}

function waysOf(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${grouped(count)}`)
    .join(", ");
}

/** Lists longer than this are cut, with a line that says so. */
const ROWS = 25;

function cut<T>(rows: readonly T[], all: boolean): { rows: readonly T[]; more: string[] } {
  if (all || rows.length <= ROWS) return { rows, more: [] };
  return { rows: rows.slice(0, ROWS), more: [`... and ${rows.length - ROWS} more (--all)`] };
}

/** The whole report. `all`: no list is cut. */
export function report(trace: Trace, summary: Summary, bold: Emphasis, all = false): string {
  const { meta } = trace;
  const unit = meta.clock.unit;
  const kinds = KINDS.filter((kind) => summary.kinds[kind]).map((kind) => `${grouped(summary.kinds[kind]!)} ${kind}`);
  const out = [
    ...machine(meta),
    "",
    `${grouped(summary.events)} events: ${kinds.join(", ")}`,
    `${grouped(summary.user)} program instructions, ${grouped(summary.kinstr)} on the ways in and out`,
    `${grouped(summary.time)} ${unit} from first to last, ${duration(summary.time * meta.clock.nsPerUnit)} at the nominal clock; ${grouped(summary.blocked)} waited`,
    `${grouped(summary.edges)} edges, ${grouped(summary.pages)} page touches in ${grouped(summary.epochs)} epochs`,
    "",
    ...taskTable(summary, bold, all),
    "",
    ...callTable(summary, bold, all),
  ];
  if (summary.faults.length > 0) out.push("", ...faultTable(summary, bold));
  if (summary.ring0 !== null) out.push("", ...ring0Lines(summary, bold));
  return `${out.join("\n")}\n`;
}

function taskTable(summary: Summary, bold: Emphasis, all: boolean): string[] {
  const { rows, more } = cut(summary.tasks, all);
  const cells = rows.map((t) => [
    String(t.task),
    t.pid === null ? "" : String(t.pid),
    t.comm ?? "",
    t.ring === null ? "" : String(t.ring),
    grouped(t.calls),
    grouped(t.faults),
    grouped(t.user),
    grouped(t.blocked),
    status(t.status),
  ]);
  const heading = ["task", "pid", "name", "ring", "calls", "faults", "program instr", "waited", "end"];
  return [...aligned([heading, ...cells], [true, true, false, true, true, true, true, true, false], bold), ...more];
}

function status(wait: number | null): string {
  if (wait === null) return "";
  return wait & 0x7f ? `signal ${wait & 0x7f}` : `exit ${wait >> 8}`;
}

function callTable(summary: Summary, bold: Emphasis, all: boolean): string[] {
  const { rows, more } = cut(summary.calls, all);
  const total = summary.calls.reduce((sum, call) => sum + call.count, 0);
  const cells = rows.map((call) => [
    call.name,
    grouped(call.count),
    share(call.count, total),
    call.errors === 0 ? "" : grouped(call.errors),
    grouped(call.kinstr),
    grouped(call.blocked),
    waysOf(call.sites),
    waysOf(call.paths),
  ]);
  const heading = ["call", "count", "share", "errors", "path instr", "waited", "site", "path"];
  const table = aligned([heading, ...cells], [false, true, true, true, true, true, false, false], bold);
  return [...table, ...more, `${grouped(total)} calls by site: ${waysOf(summary.sites)}`];
}

function faultTable(summary: Summary, bold: Emphasis): string[] {
  const cells = summary.faults.map((f) => [f.cause, grouped(f.count), grouped(f.inKernel), grouped(f.onStack)]);
  return aligned([["fault", "count", "in kernel", "on stack"], ...cells], [false, true, true, true], bold);
}

function ring0Lines(summary: Summary, bold: Emphasis): string[] {
  const counts = Object.entries(summary.ring0!).filter(([, count]) => count > 0);
  const cells = counts.map(([name, count]) => [name, grouped(count)]);
  return [...aligned([["predicted in ring 0", "count"], ...cells], [false, true], bold)];
}
