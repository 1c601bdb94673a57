// What `kmlab run --paths` counts: each way's figures for one passage, the same on every tier, and nothing lost between ways.
import { describe, expect, it } from "vitest";
import { type PathCount, PathCounter } from "../../../src/emu/capture/path-counter.ts";
import { TALLY, TIERS } from "../../../src/emu/cpu/state.ts";
import { MemoryIo } from "../../../src/emu/host.ts";
import { TIMER_IRQ } from "../../../src/emu/machine/machine.ts";
import { runProgram } from "../../../src/emu/run.ts";
import { type World, type WorldOptions, watchLabel, world } from "../kernel/entry/harness.ts";
import { programImage } from "../kernel/entry/programs.ts";

const EXIT = "\nmov eax, 252\nint 0x80\n";

function counted(source: string, o: WorldOptions, before: (w: World) => void = () => {}) {
  const counter = new PathCounter();
  const w = world(source + EXIT, { ...o, recorder: counter });
  counter.attach(w.k.cpu);
  before(w);
  w.run();
  return { w, counts: counter.counts() };
}

/** A way's figures: times, instructions, descriptors, pushes, levels, drops, tasks, ports. */
const figures = (counts: readonly PathCount[], path: string): number[] => {
  const p = counts.find((row) => row.path === path);
  return p === undefined ? [] : [p.count, p.instructions, p.descriptors, p.pushes, p.levels, p.drops, p.tasks, p.ports];
};

/** What one more passage adds: the source with n + 1 of them less the source with n. */
function one(path: string, source: (n: number) => string, o: WorldOptions, before?: (w: World) => void): number[] {
  const [few, more] = [2, 3].map((n) => figures(counted(source(n), o, before).counts, path));
  return more.map((cell, i) => cell - few[i]);
}

const getpid = (how: string) => (n: number) => `mov edi, vsyscall\n${`mov eax, 20\n${how}\n`.repeat(n)}`;
const touch = (n: number) => Array.from({ length: n }, (_, i) => `mov dword [data+${0x1000 * (i + 1)}], 1\n`).join("");
const starve = (n: number) =>
  `mov ebx, esp\n${Array.from({ length: n }, (_, i) => `mov esp, data+${0x2000 * (i + 2)}\npush eax\n`).join("")}mov esp, ebx`;

// INT loads CS and SS, the frame pushes five; DS and ES are loaded on the way in and out, FS with a null selector, IRET
// loads CS and SS. EAX or the vector is pushed, then eleven by SAVE_ALL, then the CALL of the body.
describe("one passage: times, instructions, descriptors, pushes, levels, TLB drops, task switches, ports", () => {
  it.each([
    ["A", "int 0x80 in ring 3", getpid("int 0x80"), { ring: 3, kernel: "linux" }, [1, 49, 8, 18, 2, 0, 0, 0]],
    ["A", "the same on a KML kernel", getpid("int 0x80"), { ring: 3 }, [1, 47, 8, 18, 2, 0, 0, 0]],
    // SYSENTER and SYSEXIT load no descriptors; the stub pushes three and the program's CALL one, software makes the frame.
    ["B", "SYSENTER", getpid("call edi"), { ring: 3, kernel: "linux" }, [1, 58, 2, 22, 2, 0, 0, 0]],
    // The program's CALL, four of the stub, one word for no argument, the CALL of the body.
    ["C", "a direct call", getpid("call edi"), { ring: 0 }, [1, 21, 0, 7, 0, 0, 0, 0]],
    ["C", "a direct call of 2003", getpid("call edi"), { ring: 0, kernel: "kml-2003" }, [1, 15, 0, 5, 0, 0, 0, 0]],
    ["E", "int 0x80 in ring 0", getpid("int 0x80"), { ring: 0 }, [1, 73, 5, 21, 0, 0, 0, 0]],
    ["F", "a page fault in ring 3", touch, { ring: 3, kernel: "linux" }, [1, 58, 8, 18, 2, 0, 0, 0]],
    ["G", "a page fault in ring 0", touch, { ring: 0 }, [1, 76, 6, 22, 0, 0, 0, 0]],
    // Each task switch: the TSS's own descriptor, CS, SS, DS and ES (GS too in a program that has one); then as G's way in and out.
    ["H", "the same without a stack", starve, { ring: 0 }, [1, 327, 14, 46, 0, 2, 2, 6]],
  ] as const)("%s, %s", (path, _what, source, o, expected) => {
    expect(one(path, source, o)).toEqual(expected);
  });

  it.each([
    ["I", 3, "linux", [1, 53, 8, 18, 2, 0, 0, 0]],
    ["J", 0, "kml-4.0", [1, 71, 5, 21, 0, 0, 0, 0]],
  ] as const)("%s, an interrupt", (path, ring, kernel, expected) => {
    const spin = (n: number) => `mov ecx, ${2000 * n}\nspin:\ndec ecx\njnz spin`;
    const pulses = (w: World) => {
      watchLabel(w, "ret_from_fork", () => {
        for (let n = 1; n < 20; n++) w.k.clock.at(w.k.clock.now() + 4700 * n, () => w.machine.pic.pulse(TIMER_IRQ));
      });
    };
    const [few, more] = [2, 3].map((n) => figures(counted(spin(n), { ring, kernel, hz: 100 }, pulses).counts, path));
    expect(more[0] - few[0]).toBe(1);
    expect(more.map((cell, i) => cell - few[i])).toEqual(expected);
  });
});

describe("what is counted", () => {
  it("is all that the processor did", () => {
    const { w, counts } = counted(`${getpid("call edi")(50)}${getpid("int 0x80")(50)}${touch(5)}${starve(5)}`, {
      ring: 0,
    });
    const sum = (of: (p: PathCount) => number) => counts.reduce((total, p) => total + of(p), 0);
    const { tally } = w.k.cpu;
    expect(sum((p) => p.descriptors)).toBe(tally[TALLY.descriptors]);
    expect(sum((p) => p.tasks)).toBe(tally[TALLY.tasks]);
    expect(sum((p) => p.ports)).toBe(tally[TALLY.ports]);
    expect(sum((p) => p.levels)).toBe(tally[TALLY.levels]);
    // The fifty CALLs are the program's own instructions.
    expect(sum((p) => p.pushes)).toBe(tally[TALLY.pushes] + 50);
  });

  it("leaves out what is nobody's: a program's own segment loads", () => {
    const load = "mov eax, 0x7b\nmov gs, eax\n";
    const { counts } = counted(`${load.repeat(3)}${getpid("call edi")(2)}`, { ring: 0 });
    expect(counts.at(-1)).toMatchObject({ path: "none", descriptors: 3 });
    expect(figures(counts, "C")[2]).toBe(0);
  });

  it.each([
    [["stk", "push", "16"], 0],
    [["frk", "fork", "5"], 0],
    [["frk", "fork", "5"], 3],
    [["sig"], 0],
    [["stk", "heap", "2000"], 0],
  ] as const)("%j in ring %i is the same on every tier", (argv, ring) => {
    const image = programImage();
    const tables = TIERS.map(
      (tier) =>
        runProgram({
          image,
          argv: [`/bin/${argv[0]}`, ...argv.slice(1)],
          host: new MemoryIo(),
          ring,
          tier,
          paths: true,
          memoryMiB: 32,
        }).paths,
    );
    expect(tables[1]).toEqual(tables[0]);
    expect(tables[2]).toEqual(tables[0]);
    expect(tables[0]!.length).toBeGreaterThan(3);
  });

  it("hot code as well: ways compiled as one function", () => {
    const loop = (n: number) =>
      `mov edi, vsyscall\nmov esi, ${n}\nagain:\nmov eax, 20\ncall edi\nmov eax, 20\nint 0x80\ndec esi\njnz again`;
    const { counts } = counted(loop(5000), { ring: 0, hz: 100 });
    expect(figures(counts, "C").slice(0, 4)).toEqual([5000, 5000 * 21 - 1, 0, 5000 * 7]);
    const [times, instructions, descriptors, pushes] = figures(counts, "E");
    // The last, which ends the run, has not come back: its frame was pushed.
    expect([times, instructions]).toEqual([5001, 5000 * 73]);
    expect([descriptors - 5000 * 5, pushes - 5000 * 21]).toEqual([3, 21]);
  });
});
