// The programs that were run on a real KML 4.0 kernel: its event counts, row by row (windows between MARK(1) and MARK(2)).
import { describe, expect, it } from "vitest";
import { FLAG } from "../../../../src/traces/schema/enums.ts";
import { between, type ProgramRun, runProgram } from "./programs.ts";

interface Counts {
  /** Double faults. */
  df: number;
  /** Page faults with the user's stack pointer that arrived as such. */
  pf: number;
  /** Page faults in the kernel's way out. */
  kernel: number;
}

function counts(run: ProgramRun): Counts {
  const faults = between(run, 1, 2).filter((event) => event.kind === "fault" && event.nr === 14);
  const of = (path: string) => faults.filter((event) => event.path === path).length;
  return { df: of("H"), pf: of("F") + of("G"), kernel: of("other") };
}

/** Entries between the MARKs, by path and call number. */
function entries(run: ProgramRun, path: string, nr?: number): number {
  const wanted = (event: { kind: string; path: string; nr: number }) =>
    (event.kind === "syscall" || event.kind === "sigreturn") &&
    event.path === path &&
    (nr === undefined || event.nr === nr);
  return between(run, 1, 2).filter(wanted).length;
}

/** What the real kernel ran the programs with. */
const ENV = ["PATH=/trusted:/bin", "HOME=/", "LC_ALL=C"];

function run(command: string, ring: 0 | 3, hz = 100): ProgramRun {
  const result = runProgram(command.split(" "), { ring, env: ENV, hz });
  expect(result.exit).toEqual({ kind: "exit", code: 0 });
  return result;
}

describe("first touches of the stack in ring 0", () => {
  const rows: readonly (readonly [command: string, counts: Counts])[] = [
    ["stk push 16", { df: 16, pf: 0, kernel: 0 }],
    ["stk mov 16", { df: 0, pf: 16, kernel: 0 }],
    ["stk submov 16", { df: 8, pf: 8, kernel: 0 }],
    ["stk rec 2000", { df: 50, pf: 0, kernel: 0 }],
    ["stk heap 16", { df: 0, pf: 16, kernel: 0 }],
    ["stk call 16", { df: 16, pf: 0, kernel: 0 }],
    ["stk callat8 16", { df: 16, pf: 0, kernel: 0 }],
    ["stk int80 16", { df: 16, pf: 0, kernel: 0 }],
  ];
  it.each(rows)("%s", (command, expected) => {
    expect(counts(run(command, 0))).toEqual(expected);
  });

  it.each([
    "stk push 16",
    "stk rec 2000",
    "stk heap 16",
    "stk call 16",
  ])("%s in ring 3: as many plain faults", (command) => {
    const ring0 = rows.find(([row]) => row === command)![1];
    expect(counts(run(command, 3))).toEqual({ df: 0, pf: ring0.df + ring0.pf, kernel: 0 });
  });

  it("each direct call of the rows that starve is one call", () => {
    for (const command of ["stk call 16", "stk callat8 16"]) expect(entries(run(command, 0), "C", 20)).toBe(16);
    expect(entries(run("stk int80 16", 0), "E", 20)).toBe(16);
    expect(entries(run("stk call 16", 3), "B", 20)).toBe(16);
  });

  it("the ring-3 run says where the ring-0 run starves", () => {
    const ring3 = between(run("stk push 16", 3), 1, 2).filter(
      (event) => event.flags & (FLAG.esp_absent | FLAG.esp_cow),
    );
    expect(ring3).toHaveLength(counts(run("stk push 16", 0)).df);
  });
});

describe("processes and threads", () => {
  it("fork x 5: no starvation, one fault a process in the kernel's way out", () => {
    const ring0 = run("frk fork 5", 0);
    expect(counts(ring0)).toEqual({ df: 0, pf: 16, kernel: 10 });
    expect(entries(ring0, "D", 2)).toBe(5);
    expect(entries(ring0, "C", 114)).toBe(5);
    expect(entries(ring0, "C", 252)).toBe(5);
    expect(counts(run("frk fork 5", 3))).toEqual({ df: 0, pf: 26, kernel: 0 });
  });

  it("fork by int 0x80 x 5", () => {
    const ring0 = run("frk fork80 5", 0);
    expect(counts(ring0)).toEqual({ df: 0, pf: 10, kernel: 10 });
    expect(entries(ring0, "E")).toBe(15);
  });

  it("vfork x 5", () => {
    const ring0 = run("frk vfork 5", 0);
    expect(counts(ring0)).toEqual({ df: 0, pf: 1, kernel: 0 });
    expect(entries(ring0, "E")).toBe(10);
    expect(counts(run("frk vfork 5", 3))).toEqual({ df: 0, pf: 1, kernel: 0 });
  });

  it("thread x 5: the way out touches each new stack", () => {
    const ring0 = run("frk thread 5", 0);
    expect(counts(ring0)).toEqual({ df: 0, pf: 0, kernel: 5 });
    expect(entries(ring0, "E", 120)).toBe(5);
    expect(entries(ring0, "C", 1)).toBe(5);
    expect(counts(run("frk thread 5", 3))).toEqual({ df: 0, pf: 5, kernel: 0 });
  });

  it("forkdeep 8: parent and child starve in every upper page", () => {
    // How many pages nine frames of 4,048 bytes span depends on where in its page the program's stack begins; that of the
    // real run is not known. With the stack begun in the upper eighth of a page both rings give the real kernel's row.
    const env = [`P=${"x".repeat(3840)}`];
    const deep = (ring: 0 | 3) => counts(runProgram(["frk", "forkdeep", "8"], { ring, env }));
    expect(deep(0)).toEqual({ df: 8 + 14, pf: 4, kernel: 2 });
    expect(deep(3)).toEqual({ df: 0, pf: 4 + 8 + 15, kernel: 0 });
  });

  it.each([
    "frk fork 5",
    "frk thread 3",
    "sig",
  ])("%s: user instructions are the same by int 0x80 and by sysenter", (command) => {
    const user = (entry: "int80" | "sysenter") =>
      runProgram(command.split(" "), { ring: 3, kernel: "linux", entry, env: ENV }).events.map((event) => event.user);
    const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);
    expect(sum(user("int80"))).toBe(sum(user("sysenter")));
    expect(sum(user("int80"))).toBeGreaterThan(500);
  });
});

describe("interrupts", () => {
  it("lost with an absent stack page are replayed and make the page present", () => {
    // Three spins of 700,000 instructions, at 1000 ticks a second: a tick falls into each.
    const ring0 = run("stk irq 3 350", 0, 1000);
    expect(ring0.text).toContain("pages made present by interrupts=0x00000003");
    const lost = ring0.events.filter((event) => event.kind === "irq" && event.path === "K");
    expect(lost).toHaveLength(3);
    expect(run("stk irq 3 350", 3, 1000).text).toContain("pages made present by interrupts=0x00000000");
  });

  it("preempt ring-0 programs that make no calls", () => {
    for (const ring of [0, 3] as const) {
      const two = run("two 3000", ring, 1000);
      expect(two.text).toContain("parent done");
      expect(two.text).toContain("child done");
      const spins = two.events.filter((event) => event.kind === "irq" && event.flags & FLAG.exit_work);
      expect(spins.length).toBeGreaterThan(0);
    }
  });
});
