// perf script, tracefs (ftrace) and trace-cmd report: three tools that print the same events of the kernel's tracer.
import { ABI, type ABIS } from "../schema/enums.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat } from "./format.ts";
import { EVENT, KernelLine } from "./kernel-line.ts";
import type { LineReader } from "./lines.ts";
import { abiOfAddresses, Pairs } from "./pairs.ts";

/** How many lines are looked at for the ABI. */
const LOOKED_AT = 1000;

/** The ABI of numbered calls, and how it is known. */
export function abiOfFiles(
  files: readonly LineReader[],
  into: ImportedEvents,
): { abi: number; findings: Findings["abi"] } {
  if (into.abi !== ABI.unknown) return { abi: into.abi, findings: { otherwise: "x86_64", certain: false } };
  const told = files.some((file) => abiOfAddresses(file.peek(LOOKED_AT)) === ABI.x86_64);
  const otherwise: (typeof ABIS)[number] = "x86_64";
  return { abi: ABI[otherwise], findings: { otherwise, certain: told } };
}

/** What a source that records entries, returns and maybe switches is worth. */
export function tracerFindings(
  pairs: Pairs,
  lost: number,
  abi: Findings["abi"],
  clock: string,
  advice: readonly string[],
): Findings {
  const waits =
    pairs.switches > 0
      ? "waits from sched_switch"
      : "waits inferred from long calls; preemption is not seen and counts as program time";
  return {
    fidelity: {
      times: `inflated: ${clock}; the tracer adds up to a microsecond to each call; ${waits}`,
      arguments: "partial: sizes that results tell; no objects, no paths",
      sites: "none: no instruction pointers",
      loss: lost > 0 ? `partial: ${lost} events lost by the tracer's buffer` : "none",
    },
    advice: [
      ...(pairs.switches > 0 ? [] : ["with sched:sched_switch recorded too, waits and preemption are known"]),
      ...(lost > 0
        ? ["a larger buffer (perf record -m 16M, trace-cmd record -b 65536, buffer_size_kb) loses no events"]
        : []),
      ...advice,
    ],
    timed: true,
    abi,
  };
}

function read(files: readonly LineReader[], into: ImportedEvents): Findings {
  const { abi, findings } = abiOfFiles(files, into);
  const pairs = new Pairs(into, abi);
  const line = new KernelLine();
  let lost = 0;
  for (const file of files) {
    for (let text = file.next(); text !== undefined; text = file.next()) {
      const kind = line.read(text);
      if (kind === EVENT.lost) {
        lost += line.lost;
        continue;
      }
      if (kind === EVENT.none) {
        lost += overwritten(text);
        if (!isAside(text)) into.note("no event of the kernel's tracer", file);
        continue;
      }
      const t = pairs.time(line.seconds, line.nanos);
      if (kind === EVENT.enter) pairs.enter(line.pid, line.comm, line.call, t, line.cpu, line.args, line.text);
      else if (kind === EVENT.leave) pairs.leave(line.pid, line.comm, line.call, t, line.ret);
      else if (kind === EVENT.switch) pairs.switched(t, line.from, line.state, line.to);
    }
  }
  return tracerFindings(pairs, lost, findings, "microseconds of the kernel's own clock", []);
}

/** Headings, empty lines and remarks between events. */
function isAside(text: string): boolean {
  const line = text.trim();
  return (
    line === "" || line.startsWith("#") || /^(cpus=\d+|version = \d+|CPU \d+ is empty|CPU:\d+ |trace-cmd: )/.test(line)
  );
}

/** "# entries-in-buffer/entries-written: 29662/400000": the older ones were overwritten. */
function overwritten(text: string): number {
  const mark = "entries-in-buffer/entries-written:";
  const at = text.indexOf(mark);
  if (at < 0) return 0;
  const [kept, written] = text
    .slice(at + mark.length)
    .trim()
    .split(/[/\s]+/)
    .map(Number);
  return written > kept ? written - kept : 0;
}

function recogniser(fits: (line: KernelLine, text: string) => boolean): ImportFormat["recognise"] {
  const line = new KernelLine();
  return (lines) =>
    lines.filter((text) => {
      const kind = line.read(text);
      return kind !== EVENT.none && kind !== EVENT.lost && fits(line, text);
    }).length;
}

export const PERF_SCRIPT: ImportFormat = {
  id: "perf-script",
  is: "perf script, of perf record -e raw_syscalls:* or syscalls:*, and sched:sched_switch",
  recognise: recogniser(({ dashed }) => !dashed),
  read,
};

/** Before trace-cmd report: its lines have no header, tracefs's have one. */
export const FTRACE: ImportFormat = {
  id: "ftrace",
  is: "the file trace of tracefs, with raw_syscalls or syscalls/*, and sched_switch",
  recognise: (lines) =>
    lines.some((text) => text.startsWith("# tracer:")) ? recogniser(({ dashed }) => dashed)(lines) : 0,
  read,
};

export const TRACE_CMD: ImportFormat = {
  id: "trace-cmd",
  is: "trace-cmd report",
  recognise: recogniser(({ dashed }) => dashed),
  read,
};
