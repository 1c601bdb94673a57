// strace's text of a capture, read back by the importer, has the same calls: number, result, task and time of each.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { toStrace } from "../../../src/traces/exporters/strace.ts";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { imported, text } from "../importers/samples.ts";

const folder = fileURLToPath(new URL("../../../data/traces", import.meta.url));
const names = callNames();
const textOf = (trace: Trace): string => [...toStrace(trace, (nr, abi) => names.name(nr, abi))].join("");

/** Every call and signal by pid, in order: number, result, when it began and ended, from the first on. */
function calls(trace: Trace): Map<number, string[]> {
  const { events, tasks, meta } = trace;
  const ns = (units: number): number => Math.round((units - first) * meta.clock.nsPerUnit);
  let first = Number.NaN;
  const found = new Map<number, string[]>();
  for (let seq = 0; seq < events.length; seq++) {
    const kind = events.kind[seq];
    if (
      kind !== KIND.signal &&
      (kind === KIND.vdso || !(events.nr[seq] >= 0) || kind === KIND.fault || kind === KIND.irq)
    )
      continue;
    if (Number.isNaN(first)) first = events.tIn[seq];
    const pid = tasks[events.task[seq]].pid ?? -1;
    const span = kind === KIND.signal ? "" : `${ns(events.tIn[seq])}..${ns(events.tOut[seq])}`;
    found.set(pid, [...(found.get(pid) ?? []), `${events.nr[seq]} ${events.ret[seq]} ${span}`]);
  }
  return found;
}

describe.each(["find-ring3", "cp-int80", "forks-ring3", "forks-ring0", "pipe-ring3"])("%s", (name) => {
  const trace = readTrace(join(folder, `${name}.kmtrace`));
  const { trace: back, report } = imported([text(textOf(trace))]);

  test("every line is understood, every task ends as it did", () => {
    expect(report.notUnderstood).toEqual([]);
    const ends = ({ tasks }: Trace) =>
      new Map(tasks.filter(({ pid }) => calls(trace).has(pid ?? -1)).map(({ pid, status }) => [pid, status]));
    expect(ends(back)).toEqual(ends(trace));
  });

  test("the calls of each task come back", () => {
    const [one, two] = [calls(trace), calls(back)];
    expect([...two.keys()].sort()).toEqual([...one.keys()].sort());
    for (const [pid, list] of one) expect(two.get(pid), `pid ${pid}`).toEqual(list);
  });
});
