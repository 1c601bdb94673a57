// The parts of a summary: states of tasks add up, bins hold what falls into them, the tree is the tasks', and a page is readable.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { makeColumns } from "../../../src/traces/columns.ts";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { KIND } from "../../../src/traces/schema/enums.ts";
import { TABLES } from "../../../src/traces/schema/tables.ts";
import { bins, Histogram } from "../../../src/traces/show/histogram.ts";
import { report } from "../../../src/traces/show/report.ts";
import { timesOf } from "../../../src/traces/show/states.ts";
import { summarize } from "../../../src/traces/show/summary.ts";
import { ending, sharedUnit, table } from "../../../src/traces/show/table.ts";
import { taskTree } from "../../../src/traces/show/task-tree.ts";
import { emptyMeta, emptyTrace, type Trace } from "../../../src/traces/trace.ts";
import { importSample } from "../importers/samples.ts";
import { syntheticTrace } from "../synthetic.ts";

const names = callNames();
const plain = (text: string): string => text;
const folder = fileURLToPath(new URL("../../../data/traces", import.meta.url));
const captured: [string, Trace][] = readdirSync(folder)
  .filter((name) => name.endsWith(".kmtrace"))
  .map((name) => [name, readTrace(join(folder, name))]);
const others: [string, Trace][] = [
  "strace-edge-ttt-T.txt",
  "strace-python-threads.txt",
  "perf-script-raw_syscalls.txt",
  "ftrace-raw_syscalls-sched.txt",
  "qemu-i386-strace-sh.txt",
  "strace-c.txt",
].map((name) => [name, importSample(name).trace]);

describe.each([
  ...captured,
  ...others,
  ["made", syntheticTrace({ events: 3000, tasks: 5 })] as [string, Trace],
])("%s", (_, trace) => {
  const summary = summarize(trace, names);

  it("every event belongs to a task of the tree, parents stand before their children", () => {
    const shown = new Set<number>();
    for (const { task, parent, depth } of summary.tasks) {
      expect(depth > 0).toBe(parent !== null && shown.has(parent));
      shown.add(task);
    }
    expect([...trace.events.task].every((task) => shown.has(task))).toBe(true);
    expect(shown.size).toBe(summary.tasks.length);
  });

  it("states add up to lives, and waits to what tasks waited", () => {
    let waited = 0;
    for (const { times } of summary.tasks) {
      if (times === null) continue;
      const { life, program, kernel, ready } = times;
      expect(Math.min(program, kernel, times.waited, ready)).toBeGreaterThanOrEqual(0);
      expect(program + kernel + times.waited + ready).toBeCloseTo(life, 6);
      waited += times.waited;
    }
    expect(summary.waits.reduce((sum, { time }) => sum + time, 0)).toBeCloseTo(waited, 6);
  });

  it("files have the calls and faults that name them", () => {
    const { obj, kind } = trace.events;
    const about = [...obj].filter((number, seq) => number >= 0 && kind[seq] !== KIND.switch && kind[seq] !== KIND.irq);
    const counted = summary.files.reduce((sum, { calls, faults }) => sum + calls + faults, 0);
    expect(counted).toBe(about.length);
  });

  it("the report fits a hundred columns", () => {
    const [, ...tables] = report(trace, summary, plain, true).split("\n\n");
    for (const line of tables.join("\n").split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  });
});

test("a captured task's program time is its instructions, and it is never ready in a run of one task", () => {
  const [, find] = captured.find(([name]) => name === "find-ring3.kmtrace")!;
  const { tasks } = timesOf(find);
  const { task, user } = find.events;
  for (const [number, { program }] of tasks.entries())
    expect(program).toBe(
      [...user].reduce((sum, count, seq) => sum + (task[seq] === number && count > 0 ? count : 0), 0),
    );
});

test("a task that others' turns interrupt within a call is ready there, not in the kernel", () => {
  const trace = emptyTrace(emptyMeta("kmlab"));
  const events = makeColumns(TABLES.events, 4);
  events.task.set([0, 0, 1, 0]);
  events.kind.set([KIND.switch, KIND.syscall, KIND.switch, KIND.switch]);
  events.cpu.fill(0);
  events.parent.set([-1, -1, -1, 1]);
  events.tIn.set([0, 100, 300, 800]);
  events.tOut.set([0, 1000, 300, 800]);
  events.user.fill(0);
  events.user[1] = 100;
  events.blocked[1] = 150;
  const task = {
    mm: null,
    parentTask: null,
    spawnSeq: null,
    exitSeq: null,
    status: null,
    ring: 3,
    comm: "t",
    exe: null,
  };
  const tasks = [0, 1].map((number) => ({ ...task, task: number, tgidTask: number, pid: number + 1 }));
  const [first] = timesOf({ ...trace, tasks, events }).tasks;
  expect(first).toEqual({ life: 1000, program: 100, kernel: 400, waited: 150, ready: 350 });
});

test("bins: each time falls into the one whose bounds hold it, and none is lost", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(1000), fc.maxSafeNat(), fc.constantFrom(0, 1, 2, 3, 10, 30, 31, 1e9, 3e14, 4e14))),
      (times) => {
        const histogram = new Histogram();
        for (const time of times) histogram.add(time);
        histogram.add(Number.NaN);
        const found = bins(histogram);
        for (const { above, upTo, counts } of found)
          expect(counts[0]).toBe(times.filter((time) => (time > above || above === 0) && time <= upTo).length);
        expect(found.reduce((sum, { counts }) => sum + counts[0], 0)).toBe(times.length);
        expect(found.length === 0 || (found[0].counts[0] > 0 && found.at(-1)!.counts[0] > 0)).toBe(true);
      },
    ),
  );
});

test("a chain of a hundred thousand forks is a tree", () => {
  const tasks = Array.from({ length: 100_000 }, (_, task) => ({ task, parentTask: task === 0 ? null : task - 1 }));
  const tree = taskTree(
    tasks as unknown as Trace["tasks"],
    tasks.map(() => true),
  );
  expect(tree.every(({ task, depth }, index) => task === index && depth === index)).toBe(true);
});

test("a table leaves out columns that say nothing, and names keep their ends", () => {
  const columns = [
    { heading: "name", cell: (row: string[]) => row[0], always: true },
    { heading: "empty", cell: () => "" },
    { heading: "n", cell: (row: string[]) => row[1], isNumber: true },
  ];
  expect(
    table(
      [
        ["a", "10"],
        ["", "7"],
      ],
      columns,
      plain,
    ),
  ).toEqual(["name   n", "a     10", "       7"]);
  expect(ending("/a/long/path/to/libc.so", 12)).toBe("...o/libc.so");
  expect([sharedUnit(9e6).unit, sharedUnit(1e7).unit, sharedUnit(1e10).unit]).toEqual(["us", "ms", "s"]);
  expect(sharedUnit(1e7).text(1_234_567_890_123)).toBe("1,234,567.890");
});
