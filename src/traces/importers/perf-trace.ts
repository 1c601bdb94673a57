// perf trace: "  3.564 ( 0.024 ms): ls/11734 mmap(len: 8192, ...) = 0x7f58...", times in milliseconds since the start.
import { EDGE, FLAG } from "../schema/enums.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat } from "./format.ts";
import type { LineReader } from "./lines.ts";
import { errorNumber } from "./names.ts";
import { ROW } from "./rows.ts";
import { firstWord } from "./strace-text.ts";
import type { ImportedTask } from "./tasks.ts";

interface Line {
  /** Nanoseconds; NaN: "?". */
  readonly time: number;
  readonly duration: number;
  readonly comm: string;
  readonly pid: number;
  readonly name: string;
  readonly args: string;
  /** The end of a call whose beginning stood above. */
  readonly continued: boolean;
  /** Not yet returned. */
  readonly unfinished: boolean;
  /** undefined: the line is cut. */
  readonly result: string | undefined;
}

const MS = 1e6;

/** Takes a line apart; undefined: it is none of perf trace's. */
function lineOf(text: string): Line | undefined {
  const open = text.indexOf(" (");
  const close = open < 0 ? -1 : text.indexOf("): ", open);
  // Two lines that ran into each other are none.
  if (close < 0 || close - open > 24 || text.indexOf("): ", close + 3) >= 0) return undefined;
  const clock = text.slice(0, open).trim();
  const time = clock === "?" ? Number.NaN : Number(clock) * MS;
  if (clock === "" || (clock !== "?" && Number.isNaN(time))) return undefined;
  const span = text.slice(open + 2, close).trim();
  const duration = span.endsWith(" ms") ? Number(span.slice(0, -3)) * MS : Number.NaN;
  if (span !== "" && Number.isNaN(duration)) return undefined;
  let rest = text.slice(close + 3);
  const mark = " ... [continued]: ";
  const at = rest.indexOf(mark);
  const continued = at >= 0;
  const bracket = continued ? rest.indexOf("(", at + mark.length) : rest.indexOf("(");
  if (bracket < 0) return undefined;
  const nameFrom = continued ? at + mark.length : rest.lastIndexOf(" ", bracket) + 1;
  const who = rest.slice(0, continued ? at : nameFrom).trim();
  const slash = who.lastIndexOf("/");
  const pid = Number(who.slice(slash + 1));
  const name = rest.slice(nameFrom, bracket);
  if (!Number.isInteger(pid) || who === "" || !/^[a-z_0-9]{1,40}$/.test(name)) return undefined;
  rest = rest.slice(bracket + 1);
  const trimmed = rest.trimEnd();
  const unfinished = trimmed.endsWith("...") && !trimmed.includes(") = ");
  const end = resultAt(trimmed);
  return {
    time,
    duration,
    comm: slash < 0 ? "" : who.slice(0, slash),
    pid,
    name,
    args: rest.slice(0, end < 0 ? undefined : rest.lastIndexOf(")", end)),
    continued,
    unfinished,
    result: end < 0 ? undefined : trimmed.slice(end + 1).trim(),
  };
}

/** Where the "=" of the result stands, behind the last bracket that one stands behind; -1: nowhere. */
function resultAt(text: string): number {
  for (let at = text.lastIndexOf(")"); at >= 0; at = text.lastIndexOf(")", at - 1)) {
    let equals = at + 1;
    while (text[equals] === " ") equals++;
    if (text[equals] === "=") return equals;
    if (at === 0) break;
  }
  return -1;
}

/** "0x12", "-1 ENOENT (...)", "19088 (sh)", "-1 (unknown) (INTERNAL ERROR: strerror_r(512, ...": a number; NaN for "?". */
function resultOf(text: string): number {
  const word = firstWord(text);
  if (word === "" || word === "?") return Number.NaN;
  const value = Number(word);
  if (value !== -1) return value;
  const name = firstWord(text.slice(word.length).trim());
  if (name.startsWith("E")) return -errorNumber(name) || -1;
  const raw = text.indexOf("strerror_r(");
  return raw < 0 ? -1 : -Number.parseInt(text.slice(raw + 11), 10) || -1;
}

function finish(into: ImportedEvents, task: ImportedTask, event: number, line: Line): void {
  const at = event & ROW;
  const { name, args } = line;
  const { tIn, tOut } = into.at(event);
  if (line.duration >= 0) tOut[at] = tIn[at] + Math.round(line.duration);
  const ret = resultOf(line.result ?? "?");
  if (Number.isNaN(ret)) {
    if (task.open === event) task.open = -1;
    if (name === "exit_group" || name === "exit") {
      const code = Number.parseInt(args.slice(args.indexOf(":") + 1), 10);
      into.tasks.end(task, ((code || 0) & 0xff) * 256);
    }
    return;
  }
  into.leave(task, event, tOut[at], ret);
  if (ret === -11 || ret === -110) into.flag(event, FLAG.timing_sensitive);
  const kind = into.calls.class(name);
  if ((kind === "read" || kind === "write") && ret >= 0) into.moved(event, ret);
  if ((kind === "fork" || kind === "vfork") && ret > 0) {
    const thread = args.includes("THREAD") || name === "clone3";
    into.tasks.spawned(task, event, ret, {
      thread,
      sharesMemory: name === "vfork" || (!thread && /\bVM\b/.test(args)),
    });
  } else if (kind === "exec" && ret === 0) into.tasks.exec(task, event, null);
  else if (kind === "wait" && ret > 0) {
    const child = into.tasks.latest(ret);
    if (child !== undefined) into.depends(event, child, EDGE.child);
  }
}

function read(files: readonly LineReader[], into: ImportedEvents): Findings {
  let lost = 0;
  for (const file of files) {
    for (let text = file.next(); text !== undefined; text = file.next()) {
      const line = lineOf(text);
      if (line === undefined) {
        const count = /LOST (\d+) events/.exec(text);
        if (count !== null) lost += Number(count[1]);
        else if (text.trim() !== "") into.note("no line of perf trace", file);
        continue;
      }
      const task = into.tasks.of(line.pid);
      if (line.comm !== "" && !line.comm.startsWith(":")) task.comm = line.comm.slice(0, 64);
      if (line.continued) {
        const event = task.open;
        if (event >= 0 && into.nameOf(event) === line.name) finish(into, task, event, line);
        // The first line of a program is the end of its execve, a child's that of the call that made it.
        else if (!Number.isNaN(line.time)) into.orphans++;
        continue;
      }
      if (Number.isNaN(line.time)) {
        into.note("a call without a time", file);
        continue;
      }
      if (task.open >= 0) into.open++;
      const event = into.enterNamed(task, line.name, Math.round(line.time));
      if (line.unfinished) continue;
      if (line.result === undefined && line.name !== "exit_group" && line.name !== "exit")
        into.note("a call whose result is cut off", file);
      finish(into, task, event, line);
    }
  }
  return {
    fidelity: {
      times: "inflated: microseconds; the tracer adds about a microsecond to each call; waits inferred from long calls",
      arguments: "partial: sizes that results tell; descriptors' paths are not believed",
      sites: "none: no instruction pointers",
      loss: lost > 0 ? `partial: ${lost} events lost by the tracer's buffer` : "none",
    },
    advice: ["perf record -e raw_syscalls:*,sched:sched_switch and perf script know who waited"],
    timed: true,
    abi: { otherwise: "x86_64", certain: false },
  };
}

export const PERF_TRACE: ImportFormat = {
  id: "perf-trace",
  is: "perf trace",
  recognise: (lines) => lines.filter((text) => lineOf(text) !== undefined).length,
  read,
};
