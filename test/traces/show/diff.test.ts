// Two traces counted side by side: the same has nothing to tell, and what is known to differ is what is said.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { FLAG, KIND } from "../../../src/traces/schema/enums.ts";
import { countDifference, countLines } from "../../../src/traces/show/diff.ts";
import { summarize } from "../../../src/traces/show/summary.ts";
import { ROOT } from "../../cli/kmlab.ts";
import { importSample } from "../importers/samples.ts";
import { syntheticTrace } from "../synthetic.ts";

const names = callNames();
const plain = (text: string): string => text;
const read = (name: string) => readTrace(join(ROOT, "data/traces", `${name}.kmtrace`));

describe.each(["pipe", "forks", "find", "cp"])("%s in ring 3 and in ring 0", (name) => {
  const [three, zero] = [read(`${name}-ring3`), read(`${name}-ring0`)];
  const { counts, tasks } = countDifference(three, zero, names);
  const row = (what: string) => counts.find((count) => count.what === what)?.values ?? [0, 0];

  test("every call of ring 3 is matched, and the ways in are others", () => {
    expect(tasks.every(({ calls, matched }) => calls[0] === matched && calls[1] === matched)).toBe(true);
    expect(row("calls")[0]).toBe(tasks.reduce((sum, { calls }) => sum + calls[0], 0));
    expect([row("entries by C")[0], row("entries by A")[1], row("entries by B")[1]]).toEqual([0, 0, 0]);
    expect(row("entries by C")[1]).toBeGreaterThan(0);
  });

  test("what is counted is what each trace's own summary says", () => {
    const summaries = [three, zero].map((trace) => summarize(trace, names));
    expect(row("program instructions")).toEqual(summaries.map(({ user }) => user));
    expect(row("switches")).toEqual(summaries.map(({ kinds }) => kinds.switch ?? 0));
    expect(row("faults")).toEqual(
      [three, zero].map(({ events }) => events.kind.filter((k) => k === KIND.fault).length),
    );
  });
});

test("a trace and itself have the same counts and match in every call", () => {
  const { counts, tasks } = countDifference(syntheticTrace({ events: 600 }), syntheticTrace({ events: 600 }), names);
  expect(counts.filter(({ values }) => values[0] !== values[1])).toEqual([]);
  expect(tasks.filter(({ calls, matched }) => calls[0] !== matched || calls[1] !== matched)).toEqual([]);
});

test("a call more and a call of another name: all others match", () => {
  const [one, two] = [syntheticTrace({ events: 600 }), syntheticTrace({ events: 600 })];
  const calls = [...two.events.kind.keys()].filter((seq) => two.events.kind[seq] === KIND.syscall);
  two.events.nr[calls[10]] = 24;
  two.events.kind[calls[20]] = KIND.irq;
  two.events.flags[calls[20]] |= FLAG.in_kernel;
  const { tasks, counts } = countDifference(one, two, names);
  const sum = (of: (task: (typeof tasks)[number]) => number): number => tasks.reduce((all, task) => all + of(task), 0);
  expect(sum(({ matched }) => matched)).toBe(sum(({ calls: [all] }) => all) - 2);
  expect(counts.find(({ what }) => what === "interrupts")?.values).toEqual([0, 1]);
});

test("what a tracer does not see is unknown, and not none", () => {
  const { trace } = importSample("strace-i386-busybox.txt");
  const { counts, tasks } = countDifference(read("find-ring3"), trace, names);
  for (const what of ["  from vsyscall", "entries by B", "faults", "  anon", "switches", "program instructions"])
    expect(counts.find((count) => count.what === what)?.values[1], what).toBe(null);
  const lines = countLines({ counts, tasks }, plain);
  expect(lines.find((line) => line.startsWith("faults"))).toMatch(/ unknown$/);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
});
