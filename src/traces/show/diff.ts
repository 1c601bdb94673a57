// How two traces differ in what people count: calls that match, ways in, faults, switches, instructions, time.
import type { CallTable } from "../calls.ts";
import { EDGE_KINDS, PATHS, SITES } from "../schema/enums.ts";
import { align } from "../sequence/align.ts";
import { TaskCalls } from "../sequence/calls.ts";
import { matchTasks } from "../sequence/tasks.ts";
import { cannotReplay, type Trace } from "../trace.ts";
import { type Summary, summarize } from "./summary.ts";
import { duration, type Emphasis, grouped, table } from "./table.ts";

/** Differences of a task that are looked for; beyond them its calls count as not matched. */
const MOST = 20_000;

/** One count in both traces; null: that one does not know it. */
export interface CountPair {
  readonly what: string;
  readonly values: readonly [number | null, number | null];
  /** Nanoseconds; other counts are numbers of things. */
  readonly isTime: boolean;
}

/** A task of each trace at one place of the tree; null: only the other has one. */
export interface MatchedTask {
  readonly task: string;
  readonly calls: readonly [number, number];
  /** Calls of the same name in the same order. */
  readonly matched: number;
}

export interface CountDifference {
  readonly counts: readonly CountPair[];
  readonly tasks: readonly MatchedTask[];
}

/** Names of calls as numbers, the same in both traces. */
class CallNumbers {
  readonly #numbers = new Map<string, number>();
  of(calls: TaskCalls, task: number | null): Int32Array {
    if (task === null) return new Int32Array(0);
    return Int32Array.from(calls.of(task), (seq) => {
      const name = calls.name(seq);
      let number = this.#numbers.get(name);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(name, number);
      }
      return number;
    });
  }
}

function matchedTasks(one: Trace, two: Trace, table: CallTable): MatchedTask[] {
  const [ones, twos] = [new TaskCalls(one, table, false), new TaskCalls(two, table, false)];
  const numbers = new CallNumbers();
  return matchTasks(ones, twos).map(({ one: first, two: second, place }) => {
    const [a, b] = [numbers.of(ones, first), numbers.of(twos, second)];
    const { gaps, cut } = align(a, b, MOST);
    const last = gaps.at(-1);
    const known = cut && last !== undefined ? last.one + last.ones : a.length;
    const matched = known - gaps.reduce((sum, gap) => sum + gap.ones, 0);
    return { task: place, calls: [a.length, b.length], matched };
  });
}

/** All that is counted of one trace, by what it is called. */
function countsOf(trace: Trace, summary: Summary): Map<string, { value: number | null; isTime: boolean }> {
  const found = new Map<string, { value: number | null; isTime: boolean }>();
  const count = (what: string, value: number | null): void => void found.set(what, { value, isTime: false });
  const { events, meta } = trace;
  const timed = cannotReplay(meta) === undefined;
  const time = (what: string, units: number): void =>
    void found.set(what, { value: timed ? units * meta.clock.nsPerUnit : null, isTime: true });
  count(
    "calls",
    summary.calls.reduce((sum, call) => sum + call.count, 0),
  );
  // A source that never tells a site, a way or a fault does not see them.
  const sites = Object.keys(summary.sites).some((site) => site !== SITES[0]);
  for (const site of SITES.slice(1)) count(`  from ${site}`, sites ? (summary.sites[site] ?? 0) : null);
  const paths = new Float64Array(PATHS.length);
  for (let seq = 0; seq < events.length; seq++) paths[events.path[seq]]++;
  const ways = paths.some((entries, path) => path > 0 && entries > 0);
  PATHS.forEach((path, number) => {
    if (number > 0) count(`entries by ${path}`, ways ? paths[number] : null);
  });
  const inside = meta.source === "kmlab" || summary.faults.length > 0;
  const seen = (value: number): number | null => (inside ? value : null);
  count("faults", seen(summary.faults.reduce((sum, fault) => sum + fault.count, 0)));
  for (const { cause, count: faults } of summary.faults) count(`  ${cause}`, faults);
  count("switches", seen(summary.kinds.switch ?? 0));
  count("interrupts", seen(summary.kinds.irq ?? 0));
  count("signals", summary.kinds.signal ?? 0);
  const waits = new Float64Array(EDGE_KINDS.length);
  for (let edge = 0; edge < trace.edges.length; edge++) waits[trace.edges.kind[edge]]++;
  count("dependencies", trace.edges.length);
  EDGE_KINDS.forEach((kind, number) => {
    count(`  on ${kind}`, waits[number]);
  });
  count("program instructions", summary.user);
  count("instructions on the ways", summary.kinstr);
  time("from first to last", summary.time);
  time("waited, all tasks", summary.blocked);
  return found;
}

/** Compares the counts of two traces, and the calls of their tasks. */
export function countDifference(one: Trace, two: Trace, calls: CallTable): CountDifference {
  const [a, b] = [one, two].map((trace) => countsOf(trace, summarize(trace, calls)));
  const order = new Map([...a, ...b]);
  // Causes of faults that only the second has stand with the others.
  const names = [...order.keys()].filter((name) => a.has(name));
  for (const name of order.keys()) if (!a.has(name)) names.splice(names.indexOf("switches"), 0, name);
  const counts = names.map((what): CountPair => {
    const [first, second] = [a.get(what), b.get(what)];
    // A cause that one has no fault of: none, unless it does not see faults at all.
    const value = (side: typeof first, of: typeof a): number | null =>
      side === undefined ? (of.get("faults")?.value === null ? null : 0) : side.value;
    return { what, values: [value(first, a), value(second, b)], isTime: (first ?? second)?.isTime === true };
  });
  const known = counts.filter(({ values }) => values.some((value) => value !== null && value !== 0));
  return { counts: known, tasks: matchedTasks(one, two, calls) };
}

/** The counts as a table, and the tasks whose calls are not all matched. */
export function countLines({ counts, tasks }: CountDifference, bold: Emphasis): string[] {
  const text = (value: number | null, isTime: boolean): string =>
    value === null ? "unknown" : isTime ? duration(value) : grouped(value);
  const change = ({ values: [one, two], isTime }: CountPair): string => {
    if (one === null || two === null || one === two) return "";
    const sign = two > one ? "+" : "-";
    return `${sign}${text(Math.abs(two - one), isTime)}${one === 0 ? "" : ` (${sign}${((100 * Math.abs(two - one)) / one).toFixed(1)} %)`}`;
  };
  const lines = table(
    counts,
    [
      { heading: "", cell: ({ what }: CountPair) => what, always: true },
      { heading: "one", cell: ({ values, isTime }) => text(values[0], isTime), isNumber: true },
      { heading: "two", cell: ({ values, isTime }) => text(values[1], isTime), isNumber: true },
      { heading: "change", cell: change },
    ],
    bold,
  );
  const sum = (of: (task: MatchedTask) => number): number => tasks.reduce((all, task) => all + of(task), 0);
  const matched = sum(({ matched: same }) => same);
  lines.push(
    "",
    `calls that match, task by task and in order: ${grouped(matched)} of ${grouped(sum(({ calls }) => calls[0]))} and ${grouped(sum(({ calls }) => calls[1]))}`,
  );
  const unmatched = tasks.filter(({ calls, matched: same }) => same < Math.max(...calls));
  if (unmatched.length === 0) return lines;
  const shown = unmatched.slice(0, 20);
  lines.push(
    ...table(
      shown,
      [
        { heading: "task", cell: ({ task }: MatchedTask) => task, always: true },
        { heading: "calls in one", cell: ({ calls }) => grouped(calls[0]), isNumber: true },
        { heading: "in two", cell: ({ calls }) => grouped(calls[1]), isNumber: true },
        { heading: "matched", cell: ({ matched: same }) => grouped(same), isNumber: true },
      ],
      bold,
    ),
  );
  if (unmatched.length > shown.length) lines.push(`... and ${unmatched.length - shown.length} more`);
  return lines;
}
