// The samples of data/samples as importers read them, and what came of one as text that can be compared.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type ImportOptions, type ImportReport, importTrace } from "../../../src/traces/importers/import.ts";
import type { TextSource } from "../../../src/traces/importers/lines.ts";
import { reportLines } from "../../../src/traces/importers/report.ts";
import { callNames } from "../../../src/traces/node.ts";
import { readTraceFrom } from "../../../src/traces/read.ts";
import { EDGE_KINDS, FLAGS, FLAGS_UNKNOWN, KIND, KINDS } from "../../../src/traces/schema/enums.ts";
import { MemoryStore } from "../../../src/traces/store.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { writeTraceTo } from "../../../src/traces/write.ts";
import { ROOT } from "../../cli/kmlab.ts";

export const calls = callNames();

export function sampleBytes(name: string): Uint8Array {
  // A Buffer would share its memory with what is sliced from it.
  return new Uint8Array(readFileSync(join(ROOT, "data/samples", name)));
}

/** Bytes as a file to import, given in pieces of `size`. */
export function source(name: string, bytes: Uint8Array, size = 4096): TextSource {
  return {
    name,
    *pieces() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}

export function text(content: string, name = "made.txt"): TextSource {
  return source(name, new TextEncoder().encode(content));
}

/** Imports files, and reads the trace back through all checks of the reader. */
export function imported(
  sources: readonly TextSource[],
  options: ImportOptions = {},
): { trace: Trace; report: ImportReport } {
  const { trace, report } = importTrace(sources, calls, options);
  const store = new MemoryStore();
  writeTraceTo(store, trace);
  return { trace: readTraceFrom(store), report };
}

export function importSample(names: string | readonly string[], options: ImportOptions = {}) {
  const list = typeof names === "string" ? [names] : names;
  return imported(
    list.map((name) => source(basename(name), sampleBytes(name))),
    options,
  );
}

/** Calls of each task in order, as name=result. */
export function callsOf({ events }: Trace, task: number): string[] {
  const list: string[] = [];
  for (let seq = 0; seq < events.length; seq++) {
    const kind = events.kind[seq];
    if (events.task[seq] !== task || (kind !== KIND.syscall && kind !== KIND.sigreturn)) continue;
    const name = events.nr[seq] < 0 ? "?" : calls.name(events.nr[seq], events.abi[seq]);
    list.push(`${name}=${Number.isNaN(events.ret[seq]) ? "?" : events.ret[seq]}`);
  }
  return list;
}

function flagNames(bits: number): string {
  return bits === FLAGS_UNKNOWN ? "" : FLAGS.filter((_, bit) => bits & (1 << bit)).join("|") || "-";
}

/** What came of an import, as lines: the report, tasks, every event, edges. Pids become task numbers, addresses "high". */
export function snapshot({ trace, report }: { trace: Trace; report: ImportReport }): string {
  const { events, edges, tasks } = trace;
  const taskOf = new Map(tasks.map(({ pid, task }) => [pid, task]));
  const result = (ret: number): string => {
    if (Number.isNaN(ret)) return "?";
    return ret > 0xffffff ? "high" : taskOf.has(ret) ? `task ${taskOf.get(ret)}` : String(ret);
  };
  const lines = [...reportLines(report), ""];
  for (const t of tasks)
    lines.push(
      `task ${t.task} of ${t.tgidTask} from ${t.parentTask ?? "-"} by ${t.spawnSeq ?? "-"} to ${t.exitSeq ?? "-"} status ${t.status ?? "-"} ${t.comm ?? "-"} ${t.exe ?? "-"}`,
    );
  lines.push("");
  for (let seq = 0; seq < events.length; seq++) {
    const kind = events.kind[seq];
    const call = kind === KIND.syscall || kind === KIND.sigreturn;
    const name = call ? (events.nr[seq] < 0 ? "?" : calls.name(events.nr[seq], events.abi[seq])) : KINDS[kind];
    const cells = [
      `${seq}`,
      `${events.task[seq]}`,
      `${events.tIn[seq]}..${Number.isNaN(events.tOut[seq]) ? "" : events.tOut[seq]}`,
      call ? `${name} ${["", "i386", "x86_64"][events.abi[seq]]} ${events.site[seq]}` : `${name} ${events.nr[seq]}`,
      result(events.ret[seq]),
      ...(events.blocked[seq] > 0 ? [`waited ${events.blocked[seq]}`] : []),
      ...(events.obj[seq] >= 0 ? [`obj ${events.obj[seq]}`] : []),
      ...(events.bytes[seq] >= 0 ? [`bytes ${events.bytes[seq]}`] : []),
      ...(events.components[seq] >= 0 ? [`names ${events.components[seq]}`] : []),
      flagNames(events.flags[seq]),
    ];
    lines.push(cells.join(" ").trimEnd());
  }
  lines.push("");
  for (let row = 0; row < edges.length; row++)
    lines.push(`edge ${edges.to[row]} <- ${edges.from[row]} ${EDGE_KINDS[edges.kind[row]]} ${edges.delay[row]}`);
  return `${lines.join("\n")}\n`;
}
