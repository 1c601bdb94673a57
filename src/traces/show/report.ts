// A summary as text for people: what was run, its tasks, where their time went, calls, files and faults, in a hundred columns.

import { limitsOf } from "../limits.ts";
import { KINDS } from "../schema/enums.ts";
import type { Trace, TraceMeta } from "../trace.ts";
import type { CallSummary } from "./call-counter.ts";
import type { Bin } from "./histogram.ts";
import type { Summary, TaskSummary } from "./summary.ts";
import { aligned, duration, type Emphasis, ending, grouped, share, sharedUnit, table } from "./table.ts";

/** Lists longer than this are cut, with a line that says so; files earlier. */
const ROWS = 25;
const FILE_ROWS = 10;
/** Characters of a task's name with its place in the tree, of a call's and a file's name, and of the longest bar. */
const NAME = 24;
const CALL = 17;
const LABEL = 52;
const BAR = 28;
/** Tasks deeper in the tree are indented no more. */
const DEEPEST = 8;

/** The metadata that tells a reader what was run. */
function machine(trace: Trace): string[] {
  const { meta } = trace;
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
  for (const warning of meta.warnings ?? []) lines.push(["warning", warning]);
  for (const { of, says } of limitsOf(trace)) lines.push([of, says]);
  const width = lines.reduce((most, [name]) => Math.max(most, name.length), 0);
  return lines.map(([name, text]) => `${name.padEnd(width)} ${text}`);
}

/** "vsyscall 333, int80 34", or the only one's name; nothing when nothing is known. */
function waysOf(counts: Readonly<Record<string, number>>): string {
  const ways = Object.entries(counts);
  if (ways.every(([name]) => name === "unknown")) return "";
  if (ways.length === 1) return ways[0][0];
  return ways.map(([name, count]) => `${name} ${grouped(count)}`).join(", ");
}

function cut<T>(rows: readonly T[], all: boolean, most = ROWS): { rows: readonly T[]; more: string[] } {
  if (all || rows.length <= most) return { rows, more: [] };
  return { rows: rows.slice(0, most), more: [`... and ${grouped(rows.length - most)} more (--all)`] };
}

/** The whole report. `all`: no list is cut. */
export function report(trace: Trace, summary: Summary, bold: Emphasis, all = false): string {
  const { meta } = trace;
  const parts = [
    machine(trace),
    totals(meta, summary),
    taskTable(summary, bold, all),
    timeTable(meta, summary, bold, all),
    callTable(meta, summary, bold, all),
    faultTable(summary, bold),
    fileTable(meta, summary, bold, all),
    histogram(summary.histogram, bold),
    ring0Lines(summary, bold),
  ];
  return `${parts
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function totals(meta: TraceMeta, summary: Summary): string[] {
  const { unit, nsPerUnit } = meta.clock;
  const kinds = KINDS.filter((kind) => summary.kinds[kind]).map((kind) => `${grouped(summary.kinds[kind]!)} ${kind}`);
  const { user, kinstr, edges, pages, epochs } = summary;
  const time = `${grouped(summary.time)} ${unit} from first to last, ${duration(summary.time * nsPerUnit)} at the nominal clock`;
  return [
    `${grouped(summary.events)} events: ${kinds.join(", ")}`,
    ...(user === null ? [] : [`${grouped(user)} program instructions, ${grouped(kinstr)} on the ways in and out`]),
    ...(summary.tasks.some(({ times }) => times !== null)
      ? [unit === "ns" ? `${duration(summary.time)} from first to last` : time]
      : ["no times"]),
    `${grouped(edges)} edges, ${grouped(pages)} page touches in ${grouped(epochs)} epochs`,
  ];
}

/** A task's name where it stands in the tree; threads in braces. */
function inTree({ depth, comm, thread }: TaskSummary): string {
  const name = thread ? `{${comm ?? ""}}` : (comm ?? "");
  return `${"  ".repeat(Math.min(depth, DEEPEST))}${name}`.slice(0, NAME);
}

/** Empty for what is unknown, and for 0 where that is what most rows have. */
const orNothing = (count: number): string => (count === 0 ? "" : grouped(count));

function taskTable(summary: Summary, bold: Emphasis, all: boolean): string[] {
  const { rows, more } = cut(summary.tasks, all);
  const lines = table<TaskSummary>(
    rows,
    [
      { heading: "task", cell: ({ task }) => String(task), isNumber: true },
      { heading: "pid", cell: ({ pid }) => (pid === null ? "" : String(pid)), isNumber: true },
      { heading: "name", cell: inTree, always: true },
      { heading: "ring", cell: ({ ring }) => (ring === null ? "" : String(ring)), isNumber: true },
      { heading: "calls", cell: ({ calls }) => grouped(calls), isNumber: true },
      { heading: "errors", cell: ({ errors }) => orNothing(errors), isNumber: true },
      { heading: "faults", cell: ({ faults }) => orNothing(faults), isNumber: true },
      { heading: "program instr", cell: ({ user }) => grouped(user), isNumber: true },
      { heading: "end", cell: ({ status }) => ended(status) },
    ],
    bold,
  );
  return [...lines, ...more];
}

function ended(wait: number | null): string {
  if (wait === null) return "";
  return wait & 0x7f ? `signal ${wait & 0x7f}` : `exit ${wait >> 8}`;
}

/** Where each task's time went, and what all of them waited for. */
function timeTable(meta: TraceMeta, summary: Summary, bold: Emphasis, all: boolean): string[] {
  const { nsPerUnit } = meta.clock;
  const timed = summary.tasks.flatMap((task) => (task.times === null ? [] : [{ ...task, times: task.times }]));
  if (timed.length === 0) return [];
  const { rows, more } = cut(timed, all);
  const { unit, text } = sharedUnit(rows.reduce((most, { times }) => Math.max(most, times.life), 0) * nsPerUnit);
  const part = (units: number): string => (units === 0 ? "" : text(units * nsPerUnit));
  type Row = (typeof rows)[number];
  const column = (heading: string, of: keyof Row["times"]) => ({
    heading,
    cell: ({ times }: Row) => part(times[of]),
    isNumber: true,
  });
  const lines = table<Row>(
    rows,
    [
      { heading: `time in ${unit}`, cell: inTree, always: true },
      column("from first to last", "life"),
      column(meta.clock.unit === "instr" ? "program" : "program or ready", "program"),
      column("kernel", "kernel"),
      column("waits", "waited"),
      column("ready, or switched to", "ready"),
    ],
    bold,
  );
  const waits = summary.waits.map(({ why, time }) => `${why} ${duration(time * nsPerUnit)}`);
  return [...lines, ...more, ...(waits.length === 0 ? [] : [`waited for: ${waits.join(", ")}`])];
}

function callTable(meta: TraceMeta, summary: Summary, bold: Emphasis, all: boolean): string[] {
  const { rows, more } = cut(summary.calls, all);
  const total = summary.calls.reduce((sum, call) => sum + call.count, 0);
  if (total === 0) return [];
  const { nsPerUnit } = meta.clock;
  const timed = summary.tasks.some(({ times }) => times !== null);
  const { text } = sharedUnit(0);
  const each = ({ time, blocked, count }: CallSummary): string =>
    timed && time > 0 ? text(((time - (blocked ?? 0)) * nsPerUnit) / count) : "";
  const unit = sharedUnit(rows.reduce((most, { blocked }) => Math.max(most, blocked ?? 0), 0) * nsPerUnit);
  const lines = table<CallSummary>(
    rows,
    [
      { heading: "call", cell: ({ name }) => ending(name, CALL), always: true },
      { heading: "count", cell: ({ count }) => grouped(count), isNumber: true },
      { heading: "%", cell: ({ count }) => share(count, total), isNumber: true },
      { heading: "fail", cell: ({ errors }) => orNothing(errors), isNumber: true },
      { heading: "us each", cell: each, isNumber: true },
      {
        heading: `${unit.unit} waited`,
        cell: ({ blocked }) => (blocked ? unit.text(blocked * nsPerUnit) : ""),
        isNumber: true,
      },
      {
        heading: "instr",
        cell: ({ kinstr, count }) => (kinstr === null ? "" : grouped(Math.round(kinstr / count))),
        isNumber: true,
      },
      { heading: "site", cell: ({ sites }) => waysOf(sites) },
      { heading: "path", cell: ({ paths }) => waysOf(paths) },
    ],
    bold,
  );
  const sites = waysOf(summary.sites);
  return [
    ...lines,
    ...more,
    sites === "" ? `${grouped(total)} calls, from unknown sites` : `${grouped(total)} calls by site: ${sites}`,
  ];
}

function faultTable(summary: Summary, bold: Emphasis): string[] {
  if (summary.faults.length === 0) return [];
  const cells = summary.faults.map((f) => [f.cause, grouped(f.count), grouped(f.inKernel), grouped(f.onStack)]);
  return aligned([["fault", "count", "in kernel", "on stack"], ...cells], [false, true, true, true], bold);
}

/** The files, pipes and sockets that most calls and faults are about. */
function fileTable(meta: TraceMeta, summary: Summary, bold: Emphasis, all: boolean): string[] {
  if (summary.files.length === 0) return [];
  const { rows, more } = cut(summary.files, all, FILE_ROWS);
  const { nsPerUnit } = meta.clock;
  const unit = sharedUnit(rows.reduce((most, { waited }) => Math.max(most, waited), 0) * nsPerUnit);
  const lines = table<(typeof rows)[number]>(
    rows,
    [
      { heading: "file", cell: ({ label, obj }) => ending(label ?? `object ${obj}`, LABEL), always: true },
      { heading: "type", cell: ({ type }) => type ?? "" },
      { heading: "calls", cell: ({ calls }) => orNothing(calls), isNumber: true },
      { heading: "faults", cell: ({ faults }) => orNothing(faults), isNumber: true },
      { heading: "bytes", cell: ({ bytes }) => grouped(bytes), isNumber: true },
      {
        heading: `${unit.unit} waited`,
        cell: ({ waited }) => (waited ? unit.text(waited * nsPerUnit) : ""),
        isNumber: true,
      },
    ],
    bold,
  );
  return [...lines, ...more];
}

/** Bars of how often calls and faults took how long, and the program between them. */
function histogram(of: readonly Bin[], bold: Emphasis): string[] {
  if (of.length === 0) return [];
  const most = [0, 1].map((side) => of.reduce((largest, { counts }) => Math.max(largest, counts[side]), 1));
  // What is there shows, however little it is.
  const bar = (count: number, side: number): string =>
    count === 0 ? "" : "#".repeat(Math.max(1, Math.round((BAR * count) / most[side])));
  const digits = most.map((count) => grouped(count).length);
  const rows = of.map(({ upTo, counts }) => [
    upTo === Number.POSITIVE_INFINITY ? "more" : round(upTo),
    ...counts.map((count, side) => `${orNothing(count).padStart(digits[side])} ${bar(count, side)}`),
  ]);
  const heading = ["up to", "calls and faults took it", "the program ran between two"];
  return aligned([heading, ...rows], [true, false, false], bold);
}

/** 1, 3, 10, ... nanoseconds in their unit. */
function round(ns: number): string {
  const [unit, size] = ns >= 1e9 ? ["s", 1e9] : ns >= 1e6 ? ["ms", 1e6] : ns >= 1e3 ? ["us", 1e3] : ["ns", 1];
  return `${grouped(ns / (size as number))} ${unit}`;
}

function ring0Lines(summary: Summary, bold: Emphasis): string[] {
  if (summary.ring0 === null) return [];
  const counts = Object.entries(summary.ring0).filter(([, count]) => count > 0);
  const cells = counts.map(([name, count]) => [name, grouped(count)]);
  return aligned([["predicted in ring 0", "count"], ...cells], [false, true], bold);
}
