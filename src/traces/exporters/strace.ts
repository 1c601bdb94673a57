// A trace as strace -f -T --absolute-timestamps=unix,ns would have printed it: calls, signals and ends of all tasks in one text. Faults, interrupts and switches are none
// of strace's, nor is where a call was made.
import { errorName, isRestart, signalName } from "../importers/names.ts";
import { KIND } from "../schema/enums.ts";
import type { Trace } from "../trace.ts";
import type { CallName } from "./recorded.ts";

/** Where a trace's clock begins, in seconds since 1970, for times that look like a clock's: 2027-01-01. */
const EPOCH = 1_798_761_600;

/** What comes first of lines with one time. */
const PHASE = { entry: 0, resumed: 1, signal: 2, end: 3 } as const;

interface Line {
  readonly time: number;
  readonly seq: number;
  readonly phase: number;
  readonly pid: number;
  readonly text: string;
}

const CALLS: ReadonlySet<number> = new Set([KIND.syscall, KIND.spawn, KIND.exec, KIND.exit, KIND.sigreturn]);

/** Calls that end their task. */
const ENDS: ReadonlySet<string> = new Set(["exit", "exit_group"]);

/** The text of a trace, a line at a time. `nameOf` names calls. */
export function* toStrace(trace: Trace, nameOf: CallName): Generator<string> {
  const { meta } = trace;
  const found = lines(trace, nameOf).sort((a, b) => a.time - b.time || a.seq - b.seq || a.phase - b.phase);
  for (const { time, pid, text } of found) yield `${pid} ${clock(Math.round(time * meta.clock.nsPerUnit))} ${text}\n`;
}

/** Seconds and nanoseconds since 1970. */
function clock(ns: number): string {
  const seconds = Math.floor(ns / 1e9);
  return `${EPOCH + seconds}.${(ns - seconds * 1e9).toString().padStart(9, "0")}`;
}

/** "= 3 <0.000012>", or nothing but a question mark for what did not return. */
function result(trace: Trace, seq: number, name: string): string {
  const { ret, tIn, tOut } = trace.events;
  if (ENDS.has(name) || Number.isNaN(tOut[seq])) return " = ?";
  const seconds = ((tOut[seq] - tIn[seq]) * trace.meta.clock.nsPerUnit) / 1e9;
  const time = ` <${seconds.toFixed(9)}>`;
  const value = ret[seq];
  if (Number.isNaN(value)) return ` = ?${time}`;
  if (isRestart(value)) return ` = ? ${errorName(-value)}${time}`;
  return value < 0 && value >= -4095 ? ` = -1 ${errorName(-value)}${time}` : ` = ${value}${time}`;
}

/** How a task ended, from its wait status. */
function endText(status: number): string {
  const signal = status & 0x7f;
  if (signal === 0) return `+++ exited with ${status >> 8} +++`;
  return `+++ killed by ${signalName(signal)}${(status & 0x80) !== 0 ? " (core dumped)" : ""} +++`;
}

function lines(trace: Trace, nameOf: CallName): Line[] {
  const { events, tasks } = trace;
  const ends = new Map<number, string>();
  for (const { exitSeq, status } of tasks) if (exitSeq !== null && status !== null) ends.set(exitSeq, endText(status));
  // The first call of another task after each event: a call that ends later than that is printed in two halves.
  const nextOther = new Float64Array(events.length).fill(Number.POSITIVE_INFINITY);
  const next = new Map<number, number>();
  for (let seq = events.length - 1; seq >= 0; seq--) {
    for (const [task, time] of next) if (task !== events.task[seq]) nextOther[seq] = Math.min(nextOther[seq], time);
    if (CALLS.has(events.kind[seq]) && events.nr[seq] >= 0) next.set(events.task[seq], events.tIn[seq]);
  }
  const found: Line[] = [];
  for (let seq = 0; seq < events.length; seq++) {
    const pid = tasks[events.task[seq]]?.pid ?? events.task[seq];
    const add = (time: number, phase: number, text: string): void => {
      found.push({ time, seq, phase, pid, text });
    };
    const { [seq]: begun } = events.tIn;
    const over = Number.isNaN(events.tOut[seq]) ? begun : events.tOut[seq];
    if (events.kind[seq] === KIND.signal) {
      const parent = events.parent[seq];
      const name = signalName(events.nr[seq]);
      const time = parent >= 0 && !Number.isNaN(events.tOut[parent]) ? events.tOut[parent] : begun;
      add(time, PHASE.signal, `--- ${name} {si_signo=${name}} ---`);
    } else if (CALLS.has(events.kind[seq]) && events.nr[seq] >= 0) {
      const name = nameOf(events.nr[seq], events.abi[seq]);
      const args = trace.args.get(seq) ?? "";
      if (nextOther[seq] < over) {
        add(begun, PHASE.entry, `${name}(${args} <unfinished ...>`);
        add(over, PHASE.resumed, `<... ${name} resumed>)${result(trace, seq, name)}`);
      } else add(begun, PHASE.entry, `${name}(${args})${result(trace, seq, name)}`);
    }
    const end = ends.get(seq);
    if (end !== undefined) add(over, PHASE.end, end);
  }
  return found;
}
