// What `kmlab run --paths` counts: each way's figures for one passage, the same on every tier, and nothing lost between ways.
import { describe, expect, it } from "vitest";
import type { PathCount } from "../../../src/emu/capture/path-counter.ts";
import { TALLY, TIERS } from "../../../src/emu/cpu/state.ts";
import { MemoryIo } from "../../../src/emu/host.ts";
import { runProgram } from "../../../src/emu/run.ts";
import { programImage } from "../kernel/entry/programs.ts";
import { call, counted, figures, onePassage, PASSAGES, starve, touch } from "./passages.ts";

const getpid = (how: string) => call(20, how);

// INT loads CS and SS, the frame pushes five; DS and ES are loaded on the way in and out, FS with a null selector, IRET
// loads CS and SS. EAX or the vector is pushed, then eleven by SAVE_ALL, then the CALL of the body. SYSENTER and SYSEXIT load no
// descriptors; the vsyscall page pushes three and the program's CALL one. A direct call: that CALL, four of the stub, one word
// where there is no argument, the CALL of the body. A double fault: for each task switch the TSS's own descriptor, CS, SS, DS, ES.
const EXPECTED: readonly (readonly number[])[] = [
  [1, 49, 8, 18, 2, 0, 0, 0],
  [1, 47, 8, 18, 2, 0, 0, 0],
  [1, 58, 2, 22, 2, 0, 0, 0],
  [1, 21, 0, 7, 0, 0, 0, 0],
  [1, 22, 0, 8, 0, 0, 0, 0],
  [1, 15, 0, 5, 0, 0, 0, 0],
  [1, 81, 4, 22, 0, 0, 0, 0],
  [1, 73, 5, 21, 0, 0, 0, 0],
  [1, 58, 8, 18, 2, 0, 0, 0],
  [1, 52, 8, 18, 2, 0, 0, 0],
  [1, 76, 6, 22, 0, 0, 0, 0],
  [1, 327, 14, 46, 0, 2, 2, 6],
  [1, 53, 8, 18, 2, 0, 0, 0],
  [1, 51, 8, 18, 2, 0, 0, 0],
  [1, 71, 5, 21, 0, 0, 0, 0],
];

describe("one passage: times, instructions, descriptors, pushes, levels, TLB drops, task switches, ports", () => {
  it.each(
    PASSAGES.map((passage, i) => [passage.path, passage.what, passage.kernel, passage, EXPECTED[i]] as const),
  )("%s, %s, %s", (_path, _what, _kernel, passage, expected) => {
    expect(onePassage(passage)).toEqual(expected);
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
