// The whole question: exact cycles of small traces, sums, sites that stay traps, starvation, settings, and random traces.
import { describe, expect, test } from "vitest";
import { CheckFailed, InputError } from "../../src/errors.ts";
import { CAUSES } from "../../src/model/causes.ts";
import { modelData } from "../../src/model/data-node.ts";
import type { MachineChoice } from "../../src/model/machine-choice.ts";
import { type MadeTrace, makeTrace, randomTrace } from "../../src/model/made-traces.ts";
import { draw } from "../../src/model/random.ts";
import { whatifText } from "../../src/model/report.ts";
import { isResult, type MechanismResult, type WhatIfOptions, whatif } from "../../src/model/whatif.ts";
import { ABI, CAUSE, FLAG, FLAGS_UNKNOWN, KIND, SITE } from "../../src/traces/schema/enums.ts";
import type { Trace } from "../../src/traces/trace.ts";
import { nothingBut } from "./nothing-but.ts";

const data = modelData();
const FORK = 2;

function results(trace: Trace, options: WhatIfOptions): MechanismResult[] {
  return whatif(trace, data, { draws: 0, ...options }).mechanisms.filter(isResult);
}

function totals(
  made: MadeTrace,
  costs: Record<string, number>,
  mechanisms = ["int80", "sysenter", "kml", "kml-all", "free"],
): number[] {
  return results(makeTrace(made), { set: nothingBut(costs), mechanisms }).map(({ total }) => total);
}

describe("exact cycles of one call", () => {
  const vsyscall: MadeTrace = { tasks: 1, events: [{ task: 0 }] };
  const inline: MadeTrace = { tasks: 1, events: [{ task: 0, site: SITE.int80 }] };

  test("through the vsyscall page: the mechanism's own instruction", () => {
    const costs = { "hw.int_3to0": 1000, "hw.iret_3": 500, "hw.sysenter": 100, "hw.sysexit": 50 };
    expect(totals(vsyscall, costs)).toEqual([1500, 150, 0, 0, 0]);
  });

  test("an inline int 0x80 stays a trap under every mechanism; in ring 0 it enters from the same ring", () => {
    const costs = { "hw.int_3to0": 1000, "hw.iret_3": 500, "hw.int_0to0": 600, "hw.sysenter": 100 };
    expect(totals(inline, costs)).toEqual([1500, 1500, 600, 0, 0]);
  });

  test("pushes of the ways in: int80 8 + 0, sysenter 12 + 3 of the stub, direct 4", () => {
    expect(totals(vsyscall, { "i.push": 1 })).toEqual([8, 15, 4, 4, 0]);
  });

  test("segment loads: 3 in, none directly; fork directly: 3, because it needs the saved registers", () => {
    expect(totals(vsyscall, { "i.seg_load": 1 })).toEqual([3, 3, 0, 0, 0]);
    const fork = { tasks: 1, events: [{ task: 0, nr: FORK, kind: KIND.spawn }] };
    expect(totals(fork, { "i.seg_load": 1 })).toEqual([3, 3, 3, 3, 0]);
  });

  test("a return from a signal handler is a trap in ring 3 wherever it was, and none in ring 0", () => {
    const made = { tasks: 1, events: [{ task: 0, nr: 173, kind: KIND.sigreturn, site: SITE.int80 }] };
    expect(totals(made, { "hw.int_3to0": 1, "hw.int_0to0": 1, "hw.sysenter": 1 })).toEqual([1, 1, 0, 0, 0]);
  });

  test("the body is the same for all: 7 + 2 for each of 3 components + 1 a cold look-up", () => {
    const trace = makeTrace({ tasks: 1, events: [{ task: 0, nr: 5 }] });
    trace.events.components[0] = 3;
    trace.events.cold[0] = 1;
    const set = nothingBut({ "body.open.a": 7, "body.open.components": 2, "body.open.cold": 1 });
    expect(results(trace, { set }).map(({ total }) => total)).toEqual([14, 14, 14]);
  });

  test("bytes of a pipe are a pipe's, of a file a file's", () => {
    const made = makeTrace({ tasks: 1, events: [{ task: 0, nr: 3, bytes: 10, obj: 0 }] });
    const costs = { "body.read.copy": 1, "body.pipe.copy": 100 };
    const of = (type: "file" | "pipe") =>
      results(
        { ...made, objects: [{ obj: 0, type, capacity: null, size: null, label: null }] },
        { set: nothingBut(costs) },
      )[0].causes.copy;
    expect([of("file"), of("pipe")]).toEqual([10, 1000]);
  });
});

describe("page faults and starvation", () => {
  const fault = (flags: number, sp: number, addr: number): Trace => {
    const trace = makeTrace({
      tasks: 1,
      events: [{ task: 0, kind: KIND.fault, nr: 14, cause: CAUSE.stack_grow, flags }],
    });
    trace.events.sp[0] = sp;
    trace.events.addr[0] = addr;
    return trace;
  };
  const costs = { "hw.fault_3to0": 1000, "hw.fault_0to0": 100, "hw.task_gate": 10_000, "body.fault.anon.a": 7 };

  test("a fault off the stack: from ring 3, from ring 0", () => {
    const [int80, , kml] = results(fault(0, 0xbfff0000, 0x8050000), { set: nothingBut(costs) });
    expect([int80.total, kml.total]).toEqual([1007, 107]);
    expect(kml.causes.starvation).toBe(0);
  });

  test("a push on an absent stack page is a double fault in ring 0", () => {
    const [int80, sysenter, kml] = results(fault(FLAG.stack | FLAG.esp_absent, 0xbfff0000, 0xbffefffc), {
      set: nothingBut(costs),
    });
    expect([int80.total, sysenter.total, kml.total]).toEqual([1007, 1007, 10_107]);
    expect(kml.causes).toMatchObject({ starvation: 10_000, "fault-path": 100, "fault-body": 7 });
  });

  test("in the kernel's own code a fault is the same under every mechanism", () => {
    const trace = fault(FLAG.in_kernel, 0xbfff0000, 0x8050000);
    expect(results(trace, { set: nothingBut(costs) }).map(({ total }) => total)).toEqual([107, 107, 107]);
  });
});

describe("what an answer holds", () => {
  const numbers = (seed: number) => {
    let index = 0;
    return () => draw(seed, "test", index++);
  };

  test("causes add up to totals, savings to differences, residuals to what lies between naive and replayed", () => {
    const answer = results(randomTrace(numbers(3), 400, 3), {
      profiles: ["p4", "i486"],
      mechanisms: ["int80", "sysenter", "kml"],
    });
    expect(answer).toHaveLength(5);
    for (const result of answer) {
      const base = answer.find(({ profile, mechanism }) => profile === result.profile && mechanism === result.base)!;
      const add = (cycles: Readonly<Record<string, number>>) => CAUSES.reduce((sum, cause) => sum + cycles[cause], 0);
      expect(add(result.causes)).toBe(result.total);
      expect(add(result.saved)).toBe(base.total - result.total);
      const naive = base.total - base.total / result.naive;
      const between = result.residual.reduce((sum, { cycles }) => sum + cycles, 0);
      expect(naive + between).toBeCloseTo(base.total - result.total, 3);
    }
  });

  test("several CPUs: never slower than one by much, causes of all of them, and a note that it is an upper bound", () => {
    const trace = randomTrace(numbers(5), 300, 4);
    const [one] = results(trace, { draws: 0 });
    const machine = { scheduler: "goodness", cpus: 3 };
    const answer = whatif(trace, data, { draws: 0, machine });
    const three = answer.mechanisms.filter(isResult)[0];
    expect(three.total).toBeLessThan(one.total);
    expect(Object.values(three.causes).reduce((sum, cycles) => sum + cycles, 0)).toBe(3 * three.total);
    expect([answer.cpus, three.scheduler, one.scheduler]).toEqual([3, "goodness", "cfs"]);
    expect(answer.notes.some((note) => note.includes("upper bound of what they gain"))).toBe(true);
    expect(whatifText(answer).join("\n")).toContain("sum = 3 CPUs x total");
  });

  test("a machine that cannot be is refused", () => {
    const trace = randomTrace(numbers(5), 50, 2);
    const ask =
      (machine: MachineChoice, set = new Map<string, number>()) =>
      () =>
        whatif(trace, data, { machine, set, draws: 0 });
    expect(ask({ cpus: 0 })).toThrow(/0 CPUs: write a whole number/);
    expect(ask({ cpus: 1.5 })).toThrow(InputError);
    expect(ask({ scheduler: "fifo" })).toThrow(/no scheduler "fifo"; there are rr, goodness, o1, cfs/);
    expect(ask({ scheduler: "cfs" }, new Map([["quantum_us", 5]]))).toThrow(/choose scheduler rr/);
  });

  test("on random traces coalesced replay equals replay record by record, with ticks, switches and waits", () => {
    let [ticks, switches, blocks] = [0, 0, 0];
    for (let seed = 0; seed < 25; seed++) {
      const trace = randomTrace(numbers(seed), 300, 1 + (seed % 6));
      const set = new Map([
        ["hz", [0, 1000, 5000][seed % 3]],
        ["quantum_us", [5, 40, 100_000][seed % 3]],
      ]);
      const machine = { scheduler: "rr", cpus: 1 + (seed % 2) };
      const options = { set, machine, mechanisms: ["int80", "kml"], profiles: [seed % 2 === 0 ? "p4" : "pentium"] };
      const answer = results(trace, options);
      expect(results(trace, { ...options, perRecord: true }), `seed ${seed}`).toEqual(answer);
      for (const result of answer) {
        ticks += result.ticks;
        switches += result.switches;
        blocks += result.blocks;
      }
    }
    expect(Math.min(ticks, switches, blocks)).toBeGreaterThan(100);
  });

  test("the speed-up lies in its interval, and the same seed gives the same interval", () => {
    const trace = randomTrace(numbers(5), 300, 2);
    const ask = (seed: number) => whatif(trace, data, { draws: 40, seed }).mechanisms.filter(isResult);
    const kml = ask(1)[2];
    expect(kml.speedup.low).toBeLessThan(kml.speedup.high);
    expect(kml.speedup.low <= kml.speedup.value && kml.speedup.value <= kml.speedup.high).toBe(true);
    expect(ask(1)).toEqual(ask(1));
    expect(ask(2)[2].speedup).not.toEqual(kml.speedup);
    expect(ask(1)[0].speedup).toEqual({ value: 1, low: 1, high: 1 });
  });

  test("with calls alone, Amdahl's law is the replay", () => {
    const events = Array.from({ length: 50 }, (_, seq) => ({ task: 0, user: seq * 10 }));
    for (const { speedup, amdahl } of results(makeTrace({ tasks: 1, events }), { set: new Map([["hz", 0]]) })) {
      expect(amdahl).toBe(speedup.value);
    }
  });

  test("n/a where the processor lacks the way in", () => {
    const { mechanisms } = whatif(randomTrace(numbers(1), 50, 1), data, { profiles: ["i386"], draws: 0 });
    expect(mechanisms.map((entry) => (isResult(entry) ? "result" : entry.missing))).toEqual([
      "result",
      "n/a: no SYSENTER before the Pentium II",
      "result",
    ]);
  });

  test("more than 5 % timing-sensitive calls make it a fixed-path replay", () => {
    const events = Array.from({ length: 100 }, (_, seq) => ({ task: 0, flags: seq < 6 ? FLAG.timing_sensitive : 0 }));
    const notes = (list: typeof events) =>
      whatif(makeTrace({ tasks: 1, events: list }), data, { draws: 0 }).notes.join();
    expect(notes(events)).toContain("fixed-path replay: 6.0 %");
    expect(notes(events.slice(1))).toContain("fixed-path");
    expect(notes(events.map((event, seq) => ({ ...event, flags: seq < 5 ? FLAG.timing_sensitive : 0 })))).not.toContain(
      "fixed-path",
    );
  });
});

describe("traces of other tools", () => {
  /** Two calls of an x86-64 program as strace sees them: times in nanoseconds, nothing else. */
  const strace = (): Trace => {
    const trace = makeTrace({
      tasks: 1,
      events: [
        { task: 0, nr: 39 },
        { task: 0, nr: 35 },
      ],
    });
    const { events } = trace;
    for (const seq of [0, 1]) {
      events.user[seq] = Number.NaN;
      events.abi[seq] = ABI.x86_64;
      events.site[seq] = SITE.syscall64;
      events.flags[seq] = FLAGS_UNKNOWN;
    }
    events.tIn.set([1000, 6000]);
    events.tOut.set([2000, 9000]);
    events.blocked[1] = 2500;
    return {
      ...trace,
      meta: {
        ...trace.meta,
        clock: { unit: "ns", nsPerUnit: 1 },
        fidelity: { ...trace.meta.fidelity, times: "inflated: strace" },
      },
    };
  };

  test("program time is the gaps, waits are the recorded ones: 4 us and 2.5 us at 2800 MHz", () => {
    const [int80] = results(strace(), { set: nothingBut({}) });
    expect(int80.causes.user).toBe(4000 * 2.8);
    expect(int80.causes["idle-dependency"]).toBe(2500 * 2.8);
    expect(int80.total).toBe(6500 * 2.8);
  });

  test("calls are named by their own ABI's numbers, taken as recompiled, and the answer says what it rests on", () => {
    const answer = whatif(strace(), data, { draws: 0 });
    expect(answer.mechanisms.filter(isResult)[2].calls.map(({ name }) => name)).toEqual(["getpid", "nanosleep"]);
    const notes = answer.notes.join("\n");
    for (const said of ["gaps between calls", "call site unknown for 100 %", "the trace shows no page faults"])
      expect(notes).toContain(said);
    expect(answer.limits).toMatchObject([{ of: "times", says: "inflated: strace" }]);
    expect(answer.recompiled).toEqual({ from: "x86-64", to: "i386", calls: 2, renamed: [], kept: [] });
  });
});

test("work at the way out: a direct call with a signal waiting makes a frame as a special one does", () => {
  const event = (flags: number): MadeTrace => ({ tasks: 1, events: [{ task: 0, flags }] });
  expect(totals(event(0), { "i.seg_load": 1, "i.pop_seg": 1 })).toEqual([6, 4, 0, 0, 0]);
  expect(totals(event(FLAG.exit_work), { "i.seg_load": 1, "i.pop_seg": 1 })).toEqual([6, 4, 6, 6, 0]);
});

describe("what cannot be asked is said in one line", () => {
  const trace = makeTrace({ tasks: 1, events: [{ task: 0 }] });
  const ask = (options: WhatIfOptions) => () => whatif(trace, data, { draws: 0, ...options });

  test.each<[WhatIfOptions, RegExp]>([
    [{ set: new Map([["hw.sysenter", -1]]) }, /^hw\.sysenter=-1: .*hw\.sysexit/],
    [{ set: new Map([["hw.sysenter", Number.NaN]]) }, /^hw\.sysenter=NaN/],
    [{ set: new Map([["hw.magic", 1]]) }, /"hw\.magic"; there are .*hw\.sysenter/],
    [{ set: new Map([["mhz", 0]]) }, /^mhz=0/],
    [{ set: new Map([["body.tick.a", 1e9]]) }, /timer tick takes/],
    [{ profiles: ["p7"] }, /no profile "p7"; there are i386/],
    [{ profiles: ["p6"] }, /no data for profile p6: neither Intel/],
    [{ kernels: ["hurd"] }, /no kernel "hurd"/],
    [{ mechanisms: [] }, /name at least one mechanism/],
    [{ profiles: [] }, /name at least one profile/],
    [{ mechanisms: ["magic"] }, /no mechanism "magic"; there are int80/],
  ])("%o", (options, message) => {
    expect(ask(options)).toThrow(InputError);
    expect(ask(options)).toThrow(message);
    expect(() => {
      try {
        ask(options)();
      } catch (error) {
        expect((error as Error).message).not.toContain("\n");
        throw new CheckFailed("thrown");
      }
    }).toThrow(CheckFailed);
  });
});
