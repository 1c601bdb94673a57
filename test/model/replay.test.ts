// The machine on small programs, cycle by cycle: every expected number is worked out by hand in the test's name or comment.
import { describe, expect, test } from "vitest";
import { bareReplay } from "../../src/model/bare-replay.ts";
import { CAUSE_INDEX } from "../../src/model/causes.ts";
import { modelData } from "../../src/model/data-node.ts";
import { GETPID, type MadeTrace, makeTrace } from "../../src/model/made-traces.ts";
import { compile } from "../../src/model/program.ts";
import type { Replayed } from "../../src/model/replay.ts";
import { TaskLines } from "../../src/model/task-lines.ts";
import { userCycles } from "../../src/model/user-cycles.ts";
import { CLASSES, EDGE, KIND } from "../../src/traces/schema/enums.ts";
import { run } from "./machine-run.ts";

const data = modelData();
const YIELD = 158;

const cause = (replayed: Replayed, name: keyof typeof CAUSE_INDEX): number => replayed.causes[CAUSE_INDEX[name]];

describe("one task", () => {
  test("runs its instructions and its calls: 100 + 50 + 30 + 50", () => {
    const { makespan, causes } = run(
      {
        tasks: 1,
        events: [
          { task: 0, user: 100 },
          { task: 0, user: 30 },
        ],
      },
      { call: 50 },
    );
    expect(makespan).toBe(230);
    expect(causes[CAUSE_INDEX["user"]]).toBe(130);
    expect(causes[CAUSE_INDEX["body"]]).toBe(100);
  });

  test("sleeps: 10 + 40 of a call, the deadline 1000 later, 10 to wake, 10 of the way out, 5 + 50", () => {
    const events = [
      { task: 0, user: 10 },
      { task: 0, user: 5 },
    ];
    const result = run(
      { tasks: 1, events, edges: [{ to: 0, kind: EDGE.timer, delay: 1000 }] },
      { call: 50, after: 10, wake: 10 },
    );
    expect(result.makespan).toBe(10 + 40 + 1000 + 10 + 10 + 5 + 50);
    expect(cause(result, "idle-timer")).toBe(1000);
    expect(result.blocks).toBe(1);
  });

  test("waits for a device: idle-io; for something outside: idle-dependency", () => {
    const events = [{ task: 0, user: 10 }];
    const io = run({ tasks: 1, events, edges: [{ to: 0, kind: EDGE.device, delay: 77 }] }, {});
    expect([io.makespan, cause(io, "idle-io")]).toEqual([87, 77]);
    const outside = run({ tasks: 1, events, edges: [{ to: 0, kind: EDGE.data, delay: 77 }] }, {});
    expect([outside.makespan, cause(outside, "idle-dependency")]).toEqual([87, 77]);
  });

  test("a wait that is over before it begins costs nothing", () => {
    // The deadline counts from event 0's end: 10 + 90 is 100; the second record is ready at 10 + 200.
    const events = [
      { task: 0, user: 10 },
      { task: 0, user: 200 },
    ];
    const result = run({ tasks: 1, events, edges: [{ to: 1, from: 0, kind: EDGE.timer, delay: 90 }] }, {});
    expect([result.makespan, result.blocks]).toEqual([210, 0]);
  });
});

describe("timer ticks", () => {
  const work = { tasks: 1, events: [{ task: 0, user: 100 }] };

  test("every 30 cycles, 7 each: at 30, 60, 90, 120 in 100 cycles of work", () => {
    // Work left after the ticks at 30, 60, 90, 120: 70, 47, 24, 1; the last cycle runs from 127 to 128.
    const result = run(work, { tickUser: 7 }, { tickCycles: 30, firstTick: 30 });
    expect([result.makespan, result.ticks]).toEqual([128, 4]);
  });

  test("a tick in the very cycle in which the work ends comes first; one cycle later it does not come", () => {
    expect(run(work, { tickUser: 7 }, { tickCycles: 1000, firstTick: 100 }).makespan).toBe(107);
    expect(run(work, { tickUser: 7 }, { tickCycles: 1000, firstTick: 101 }).makespan).toBe(100);
  });

  test("in the kernel from the first cycle of the record, in the program up to it", () => {
    const events = [{ task: 0, user: 100 }];
    const at = (firstTick: number): number =>
      run({ tasks: 1, events }, { call: 50, tickUser: 7, tickKernel: 3 }, { tickCycles: 1000, firstTick }).makespan;
    expect(at(100)).toBe(157);
    expect(at(101)).toBe(153);
    expect(at(149)).toBe(153);
    expect(at(150)).toBe(157);
  });

  test("interrupt idle time, which they shorten", () => {
    // Idle from 10 to 1010: ticks at 100, 200 ... 1000 take 5 each.
    const events = [{ task: 0, user: 10 }];
    const edges = [{ to: 0, kind: EDGE.device, delay: 1000 }];
    const result = run({ tasks: 1, events, edges }, { tickKernel: 5 }, { tickCycles: 100, firstTick: 100 });
    expect([result.makespan, result.ticks]).toEqual([1010, 10]);
    expect(cause(result, "idle-io")).toBe(950);
  });

  test("a wake-up during an idle tick waits for the tick's end", () => {
    const events = [
      { task: 0, user: 10 },
      { task: 0, user: 1 },
    ];
    const edges = [{ to: 0, kind: EDGE.device, delay: 92 }];
    const result = run({ tasks: 1, events, edges }, { tickKernel: 5 }, { tickCycles: 100, firstTick: 100 });
    // Ready at 102, the CPU is free at 105.
    expect(result.makespan).toBe(106);
    expect(cause(result, "idle-io")).toBe(90);
  });
});

describe("two tasks", () => {
  const pair = (a: number, b: number): MadeTrace => ({
    tasks: 2,
    events: [
      { task: 0, user: a },
      { task: 1, user: b },
    ],
  });

  test("the quantum ends at Q, not at Q - 1: work of Q ends in it, Q + 1 needs a second turn", () => {
    const finish = (a: number): number[] => [...run(pair(a, 50), {}, { quantumCycles: 100 }).finished];
    expect(finish(99)).toEqual([99, 149]);
    expect(finish(100)).toEqual([100, 150]);
    expect(finish(101)).toEqual([151, 150]);
  });

  test("a switch costs; to another address space it costs more; back again as well", () => {
    // 0: 0..100 | 10 + 5 | 1: 115..165 | 15 | 0: 180..230
    const result = run(pair(150, 50), { switch: 10, mm: 5 }, { quantumCycles: 100 });
    expect([...result.finished]).toEqual([230, 165]);
    expect([result.switches, cause(result, "switch"), cause(result, "mm-switch")]).toEqual([2, 20, 10]);
  });

  test("alone, a task keeps the CPU over its quantum", () => {
    const result = run({ tasks: 1, events: [{ task: 0, user: 1000 }] }, { switch: 10 }, { quantumCycles: 100 });
    expect([result.makespan, result.switches]).toEqual([1000, 0]);
  });

  test("in the kernel the switch waits for the way out", () => {
    // Task 0: 90 user, 50 kernel, 10 user. The quantum ends at 100, in the kernel; the switch comes at 140.
    const made = {
      tasks: 2,
      events: [
        { task: 0, user: 90 },
        { task: 1, user: 5 },
        { task: 0, user: 10 },
      ],
    };
    const result = run(made, { call: 50 }, { quantumCycles: 100 });
    expect([...result.finished]).toEqual([140 + 55 + 60, 195]);
  });

  test("a yield goes to the end of the queue, after its own way out", () => {
    const made = {
      tasks: 2,
      events: [
        { task: 0, nr: YIELD, user: 10 },
        { task: 1, user: 5 },
        { task: 0, user: 1 },
      ],
    };
    expect([...run(made, { call: 50 }).finished]).toEqual([60 + 55 + 51, 115]);
  });

  test("a child starts when its parent's fork has done its work, and runs when the CPU is free", () => {
    const made: MadeTrace = {
      tasks: 2,
      spawnedBy: [undefined, 0],
      events: [
        { task: 0, kind: KIND.spawn, nr: 2, user: 10 },
        { task: 1, user: 5 },
        { task: 0, user: 20 },
      ],
    };
    expect([...run(made, { call: 50, after: 10 }).finished]).toEqual([60 + 70, 130 + 55]);
  });

  test("a reader waits for its writer; the writer's record must be done, not its way out", () => {
    // Task 0 reads at once: 5 + 40, waits. Task 1: 45 + 100 + 40 = 185 tells, its way out ends at 195 and it is over; task 0: 195 + 10.
    const made: MadeTrace = {
      tasks: 2,
      events: [
        { task: 0, user: 5 },
        { task: 1, user: 100 },
      ],
      edges: [{ to: 0, from: 1, kind: EDGE.data }],
    };
    const result = run(made, { call: 50, after: 10 });
    expect([...result.finished]).toEqual([205, 195]);
    expect(result.blocks).toBe(1);
  });

  test("no wait when the writer was first", () => {
    const made: MadeTrace = {
      tasks: 2,
      events: [
        { task: 0, user: 5 },
        { task: 1, user: 100 },
      ],
      edges: [{ to: 1, from: 0, kind: EDGE.data }],
    };
    const result = run(made, { call: 50, after: 10 });
    expect([[...result.finished], result.blocks]).toEqual([[55, 205], 0]);
  });

  test("a deadline that passes while another runs ends when the CPU is free", () => {
    const made: MadeTrace = {
      tasks: 2,
      events: [
        { task: 0, user: 5 },
        { task: 1, user: 100 },
      ],
      edges: [{ to: 0, kind: EDGE.timer, delay: 50 }],
    };
    expect([...run(made, {}).finished]).toEqual([105, 105]);
  });
});

describe("traces that cannot be replayed", () => {
  test("two records that wait for each other are reported, not waited for", () => {
    const made: MadeTrace = {
      tasks: 2,
      events: [
        { task: 0, user: 5 },
        { task: 1, user: 5 },
      ],
      edges: [
        { to: 0, from: 1, kind: EDGE.data },
        { to: 1, from: 0, kind: EDGE.data },
      ],
    };
    expect(() => bareReplay(makeTrace(made), data)).toThrow(/waits for itself/);
  });

  test("a delay beyond the clock", () => {
    const made = { tasks: 1, events: [{ task: 0, user: 1 }], edges: [{ to: 0, kind: EDGE.timer, delay: 2 ** 53 - 1 }] };
    expect(() => bareReplay(makeTrace(made), data)).toThrow(/event 0 waits until cycle .* beyond 2\^52/);
  });

  test("more instructions than the clock has cycles, and more ticks than anyone waits for", () => {
    const long = makeTrace({ tasks: 1, events: [{ task: 0, user: 2 ** 53 - 1 }] });
    expect(() => bareReplay(long, data)).toThrow(/too long for exact sums/);
    const ticking = makeTrace({ tasks: 1, events: [{ task: 0, user: 1e9 }] });
    expect(() => bareReplay(ticking, data, { tickCycles: 10, firstTick: 10 })).toThrow(/lower hz/);
  });

  test("no events", () => {
    expect(() => compile(makeTrace({ tasks: 1, events: [] }), data)).toThrow(/no events/);
  });
});

test("an event nested in a call goes before it, with the program's instructions before both", () => {
  const events = [
    { task: 0, nr: GETPID, user: 100 },
    { task: 0, kind: KIND.fault, nr: 14, parent: 0, user: 0, cause: 1 },
    { task: 0, nr: GETPID, user: 7 },
  ];
  const program = compile(makeTrace({ tasks: 1, events }), data);
  expect([...program.seq]).toEqual([1, 0, 2]);
  expect([...program.user]).toEqual([100, 0, 7]);
});

test("program cycles are counted on running totals: 3 records of 1 instruction at 1.5 cycles are 1, 3, 4", () => {
  const events = [
    { task: 0, user: 1 },
    { task: 0, user: 1 },
    { task: 0, user: 1 },
  ];
  const program = compile(makeTrace({ tasks: 1, events }), data);
  const user = userCycles(program, new Float64Array(CLASSES.length).fill(1.5), 1);
  const n = program.shapes.length;
  const nothing = { total: new Float64Array(n), after: new Float64Array(n), body: new Float64Array(n) };
  const lines = new TaskLines(program, user, { ...nothing, copy: nothing.body, way: new Uint16Array(n), ways: [] });
  expect([0, 1, 2].map((record) => lines.end(0, record))).toEqual([1, 3, 4]);
  expect(user.total(0)).toBe(4);
});
