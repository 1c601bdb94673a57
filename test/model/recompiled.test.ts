// Programs asked about on another instruction set: every call becomes one of its table, or is said to have none.
import { describe, expect, test } from "vitest";
import { modelData, readDataFile } from "../../src/model/data-node.ts";
import { recompiledFor, recompiledLines } from "../../src/model/recompiled.ts";

import { whatifText } from "../../src/model/report.ts";
import { readTable } from "../../src/model/table.ts";
import { whatif } from "../../src/model/whatif.ts";
import { makeColumns } from "../../src/traces/columns.ts";
import { ABI, KIND, SITE } from "../../src/traces/schema/enums.ts";
import { TABLES } from "../../src/traces/schema/tables.ts";
import { emptyMeta, emptyTrace, type Trace } from "../../src/traces/trace.ts";
import { kmlab } from "../cli/kmlab.ts";
import { importSample } from "../traces/importers/samples.ts";
import { syntheticTrace } from "../traces/synthetic.ts";

const data = modelData();
const I386 = [data.kernels.get("kml-4.0")!];
const X86_64 = [data.kernels.get("kml-6.18-amd64")!];
const rows = readTable("recompiled.csv", readDataFile("recompiled.csv"));

/** A trace of calls with these numbers. */
function traceOf(abi: number, numbers: readonly number[], ret = 0): Trace {
  const trace = emptyTrace({ ...emptyMeta("made"), arch: abi === ABI.i386 ? "i386" : "x86_64" });
  const events = makeColumns(TABLES.events, numbers.length);
  events.task.fill(0);
  events.kind.fill(KIND.syscall);
  events.nr.set(numbers);
  events.abi.fill(abi);
  events.site.fill(SITE.syscall64);
  events.ret.fill(ret);
  numbers.forEach((_, seq) => {
    events.tIn[seq] = 1000 * seq;
    events.tOut[seq] = 1000 * seq + 100;
    events.user[seq] = 900;
  });
  const task = { task: 0, tgidTask: 0, mm: null, parentTask: null, pid: 1, spawnSeq: null, exitSeq: null };
  return { ...trace, events, tasks: [{ ...task, status: null, ring: 3, comm: "made", exe: null }] };
}

const SIDES = [
  ["x86_64", ABI.x86_64, ABI.i386, data.x86_64, data.i386, I386],
  ["i386", ABI.i386, ABI.x86_64, data.i386, data.x86_64, X86_64],
] as const;

describe.each(SIDES)("calls of %s", (name, abi, other, own, there, kernels) => {
  const theirs = new Set([...there.values()].map((call) => call.name));
  const listed = rows.filter((row) => row.text("abi") === name);

  test("the table has calls that exist, each once, and only what the name does not say", () => {
    const known = new Set([...own.values()].map((call) => call.name));
    for (const row of listed) {
      expect(known.has(row.text("call")), row.where).toBe(true);
      expect(row.text("other") === "" || theirs.has(row.text("other")), row.where).toBe(true);
      expect(row.text("other")).not.toBe(row.text("call"));
      expect(row.text("basis")).toMatch(/^(seen|read|as [a-z]+: )/);
    }
    expect(new Set(listed.map((row) => row.text("call"))).size).toBe(listed.length);
  });

  test("every call of the kernel's table becomes one of the other's, or is listed as having none", () => {
    const numbers = [...own.keys()];
    const { trace, recompiled } = recompiledFor(traceOf(abi, numbers), data, kernels);
    const none = listed.filter((row) => row.text("other") === "").map((row) => row.text("call"));
    expect(recompiled?.kept.map(({ call }) => call).sort()).toEqual(none.sort());
    expect(recompiled?.calls).toBe(numbers.length);
    numbers.forEach((nr, seq) => {
      const call = own.get(nr)!.name;
      if (none.includes(call)) {
        expect([trace.events.nr[seq], trace.events.abi[seq]]).toEqual([nr, abi]);
        return;
      }
      const wanted = listed.find((row) => row.text("call") === call)?.text("other") ?? call;
      expect(trace.events.abi[seq]).toBe(other);
      expect(there.get(trace.events.nr[seq])?.name).toBe(wanted);
    });
  });

  test("a call of no table is refused, unless the kernel did not have it either", () => {
    expect(() => recompiledFor(traceOf(abi, [3, 5000]), data, kernels)).toThrow(/^call 5000 is in no table of calls/);
    const { recompiled } = recompiledFor(traceOf(abi, [3, 5000], -38), data, kernels);
    expect(recompiled?.kept).toEqual([{ call: "call 5000", count: 1 }]);
  });
});

test("a trace of the kernels' own instruction set stays what it is", () => {
  const trace = syntheticTrace();
  expect(recompiledFor(trace, data, I386)).toEqual({ trace, recompiled: null });
  expect(recompiledFor(trace, data, [...I386, ...X86_64])).toEqual({ trace, recompiled: null });
  expect(recompiledLines(null)).toEqual([]);
});

test("sites of 64-bit calls are unknown on i386, so the share of the vsyscall page counts", () => {
  const { trace } = importSample("strace-python-threads.txt");
  const result = whatif(trace, data, { target: "i386", draws: 2 });
  expect(result.notes.join("\n")).toMatch(/call site unknown for 100 % of the calls/);
  const [, head] = whatifText(result);
  expect(head).toMatch(/^x86-64 calls taken as those that glibc 2.36 makes on i386.*: \d+ of \d+ by another name/);
  const byName = new Map(result.recompiled?.renamed.map((row) => [row.call, row.other]));
  expect(byName.get("newfstatat")).toBe("statx");
  expect(byName.get("mmap")).toBe("mmap2");
});

test("the same records with the same program between them, so that only bodies and ways in differ", () => {
  const made = syntheticTrace({ events: 500 });
  const there = recompiledFor(made, data, X86_64).trace;
  const { nr: _nr, abi: _abi, ...rest } = there.events;
  expect(made.events).toMatchObject(rest);
  const back = recompiledFor(there, data, I386).trace;
  expect(whatif(back, data, { draws: 0 }).records).toBe(whatif(made, data, { draws: 0 }).records);
});

test("what has no counterpart stands at the head of the answer, with counts", () => {
  const kexec = 320;
  const lines = whatifText(whatif(traceOf(ABI.x86_64, [39, kexec, kexec, 39]), data, { target: "i386", draws: 0 }));
  expect(lines[2]).toBe("without a counterpart on i386, kept with their own bodies: kexec_file_load 2");
});

test("a target that does not exist is refused in a line", () => {
  const { status, stderr } = kmlab(["whatif", "data/traces/find-ring3.kmtrace", "--target", "arm"]);
  expect([status, stderr.trimEnd().split("\n").length]).toEqual([2, 1]);
});
