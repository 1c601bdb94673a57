// What a trace cannot tell, for the head of every answer; and what would, for those who ask it all the same.
import { InputError } from "../errors.ts";
import { ABI, KIND, SITE } from "./schema/enums.ts";
import { COUNTS_ONLY, type Fidelity, type Trace, type TraceMeta } from "./trace.ts";

/** One thing that a trace does not know, or not exactly. */
export interface Limit {
  readonly of: keyof Fidelity;
  readonly says: string;
}

/** Nanoseconds that a tool adds to each call, and whether it is at least or at most so many. */
const ADDED: Readonly<Record<string, { readonly ns: number; readonly by: "more than" | "up to" }>> = {
  strace: { ns: 10_000, by: "more than" },
  "perf-trace": { ns: 1000, by: "up to" },
  "perf-script": { ns: 1000, by: "up to" },
  "trace-cmd": { ns: 1000, by: "up to" },
  ftrace: { ns: 1000, by: "up to" },
  bpftrace: { ns: 1000, by: "up to" },
  lttng: { ns: 1000, by: "up to" },
};

/** What is not known of a trace; nothing for a capture. */
export function limitsOf(trace: Trace): Limit[] {
  const { fidelity, source } = trace.meta;
  const { calls, unknown, old } = countCalls(trace);
  const limits: Limit[] = [];
  const add = (of: keyof Fidelity, says: string): void => void limits.push({ of, says });
  const added = ADDED[source];
  if (isFlawed(fidelity.times)) {
    const much =
      fidelity.times.startsWith("inflated") && added !== undefined
        ? `; ${grouped(calls)} calls, so by ${added.by} ${milliseconds(calls * added.ns)} of ${milliseconds(span(trace))}`
        : "";
    add("times", `${fidelity.times}${much}`);
  }
  if (isFlawed(fidelity.arguments)) add("arguments", fidelity.arguments);
  // Calls of 64-bit programs all come by one instruction: nobody need see where.
  if (old > 0 && isFlawed(fidelity.sites))
    add(
      "sites",
      unknown > 0 && unknown < old ? `${fidelity.sites}; unknown for ${unknown} of ${old} calls` : fidelity.sites,
    );
  if (fidelity.loss !== "none") add("loss", fidelity.loss);
  if (isFlawed(fidelity.abi)) add("abi", fidelity.abi);
  return limits;
}

function isFlawed(text: string): boolean {
  return !/^exact\b/.test(text);
}

function countCalls({ events }: Trace): { calls: number; old: number; unknown: number } {
  let [calls, old, unknown] = [0, 0, 0];
  for (let seq = 0; seq < events.length; seq++) {
    const kind = events.kind[seq];
    if (kind !== KIND.syscall && kind !== KIND.sigreturn) continue;
    calls++;
    if (events.abi[seq] === ABI.x86_64 || events.abi[seq] === ABI.x32) continue;
    old++;
    if (events.site[seq] === SITE.unknown) unknown++;
  }
  return { calls, old, unknown };
}

/** Nanoseconds from the first event to the last, of all tasks that run beside each other once. */
function span({ events, meta }: Trace): number {
  let last = 0;
  for (let seq = 0; seq < events.length; seq++) last = Math.max(last, events.tIn[seq], events.tOut[seq] || 0);
  return (last - (events.length > 0 ? events.tIn[0] : 0)) * meta.clock.nsPerUnit;
}

function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function milliseconds(ns: number): string {
  return ns >= 1e9 ? `${(ns / 1e9).toFixed(3)} s` : `${(ns / 1e6).toFixed(3)} ms`;
}

/** The limits as lines below an answer's first; none when there are none. */
export function limitLines(limits: readonly Limit[], source: string): string[] {
  if (limits.length === 0) return [];
  return [`what ${source} could not tell exactly:`, ...limits.map(({ of, says }) => `  ${of}: ${says}`)];
}

/** How to record what a question needs, in words. */
const RECORD = "strace -f -ttt -T -i -o FILE PROGRAM, or perf record -e raw_syscalls:* and perf script,";

/** Refuses what needs times of a trace that has none. */
export function needTimes({ fidelity: { times } }: TraceMeta, what: string): void {
  if (times.startsWith("none"))
    throw new InputError(
      `${what} needs times, and the trace has none (${times.replace(/^none:? */, "")}): ${RECORD} records them; kmlab import --anchor user=S,sys=S spreads those of an untraced run`,
    );
}

/** Refuses what needs the order of calls of a trace that has only counts. */
export function needOrder({ fidelity: { times } }: TraceMeta, what: string): void {
  if (times === COUNTS_ONLY)
    throw new InputError(`${what} needs the calls in their order, and the trace has only counts: ${RECORD} records it`);
}

/** Refuses what only the emulator's own traces hold; `missing`: what another tool's does not. */
export function needCapture({ source }: TraceMeta, what: string, missing: string): void {
  if (source !== "kmlab")
    throw new InputError(`${what}: a trace of ${source} does not hold ${missing}; that of kmlab capture PROGRAM does`);
}
