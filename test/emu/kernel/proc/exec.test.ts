// What execve makes of files that are damaged, foreign or strange: an error or a signal, never the kernel's end.
import { describe, expect, it } from "vitest";
import { Random } from "../../../../src/emu/kernel/random.ts";
import { fixture, run, runBriefly } from "./image.ts";

const ENOENT = 2;
const ENOEXEC = 8;
const EACCES = 13;
const ELOOP = 40;
const E_MACHINE = 18;
const E_PHENTSIZE = 42;
const E_PHNUM = 44;

const program = fixture("processes");

function changed(at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(program);
  new DataView(copy.buffer).setUint16(at, value, true);
  return copy;
}

function text(s: string): Uint8Array {
  return new TextEncoder().encode(s);
}

/** The errno with which the first program could not be executed. */
function errnoOf(bytes: Uint8Array, more: Record<string, Uint8Array> = {}): number | undefined {
  const { exit } = run({ "/bin/x": bytes, ...more }, ["/bin/x"]);
  return exit.kind === "exec" ? exit.errno : undefined;
}

describe("the first program cannot be executed", () => {
  it.each([
    ["an empty file", new Uint8Array(0), ENOEXEC],
    ["text", text("words\n"), ENOEXEC],
    ["a header cut short", program.subarray(0, 40), ENOEXEC],
    ["another machine's", changed(E_MACHINE, 62), ENOEXEC],
    ["64-bit program headers", changed(E_PHENTSIZE, 56), ENOEXEC],
    ["no program headers", changed(E_PHNUM, 0), ENOEXEC],
    ["an object file", changed(16, 1), ENOEXEC],
    ["a script without an interpreter", text("#!\n"), ENOEXEC],
    ["a script whose interpreter is not there", text("#!/bin/none\n"), ENOENT],
    ["a script whose interpreter is a directory", text("#!/bin\n"), EACCES],
  ])("%s", (_what, bytes, errno) => {
    expect(errnoOf(bytes)).toBe(errno);
  });

  it("a script that interprets itself", () => {
    expect(errnoOf(text("#!/bin/x\n"))).toBe(ELOOP);
  });

  it("a name that is not there, a file that is not executable", () => {
    const status = (argv: string[]) => run({ "/bin/x.txt": text("x") }, argv).status;
    expect([status(["none"]), status(["/bin/none"]), status(["/bin/x.txt"])]).toEqual([127, 127, 126]);
  });
});

it("hands a script's line, its name and its words on", () => {
  const files = { "/bin/processes": program, "/bin/s": text("#! /bin/processes script  \nrest") };
  const { out, exit } = run(files, ["/bin/s", "word"]);
  // argc, and the last character of argv[2]: the script's own name
  expect(out).toBe("script 4 115\n");
  expect(exit).toEqual({ kind: "exit", code: 4 });
});

it("tells the program what it was called", () => {
  const { out } = run({ "/bin/processes": program }, ["another name", "child", "x"], { env: ["PATH=/bin"] });
  expect(out).toBe("");
  const called = run({ "/bin/processes": program }, ["processes", "child", "x"], { env: ["PATH=/none:/bin"] });
  expect(called.out).toBe("child 3 120 1\n");
});

it("survives any damage to a program, in both rings", () => {
  const random = new Random(20260101);
  const ends = new Set<string>();
  for (let i = 0; i < 80; i++) {
    const bytes = Uint8Array.from(program);
    // The headers, and sometimes the code.
    const span = i % 3 === 0 ? bytes.length : 120;
    for (let n = 1 + (random.u32() % 4); n > 0; n--) bytes[random.u32() % span] = random.u32();
    const exit = runBriefly({ "/bin/x": bytes }, ["/bin/x", "child", "x"], i % 2 === 0 ? 3 : 0, 1_000_000);
    ends.add(exit.kind);
    if (exit.kind === "dead") expect(exit.reason).not.toContain("kernel bug");
  }
  expect([...ends]).toContain("exec");
  expect([...ends]).toContain("exit");
});
