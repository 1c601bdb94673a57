// The emulator's own runs beside native ones: the same calls in the same order, but for differences that have a reason; and is
// anything that is really different found?
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { openImage } from "../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../../src/emu/run.ts";
import { toStrace } from "../../../src/traces/exporters/strace.ts";
import { importTrace } from "../../../src/traces/importers/import.ts";
import { textFile } from "../../../src/traces/importers/text-node.ts";
import { callNames, readTrace } from "../../../src/traces/node.ts";
import { KIND, SITE } from "../../../src/traces/schema/enums.ts";
import { readAllowed } from "../../../src/traces/sequence/allowed.ts";
import { compareSequences, type Difference } from "../../../src/traces/sequence/compare.ts";
import { sequenceLines } from "../../../src/traces/sequence/report.ts";
import type { Trace } from "../../../src/traces/trace.ts";
import { kmlab } from "../../cli/kmlab.ts";
import { hasPackages } from "../../cli/packages.ts";
import type { NativeRoot } from "../../programs/native.ts";
import { NATIVE_SAMPLES, nativeRoot, straced } from "./native-samples.ts";

const TABLE = "data/differences.csv";
const allowed = readAllowed(readFileSync(TABLE, "utf8"), TABLE);
const calls = callNames();
const compare = (one: Trace, two: Trace) => compareSequences(one, two, calls, allowed);
const strace = (file: string): Trace => importTrace([textFile(file)], calls).trace;
const text = (words: string) => {
  const bytes = new TextEncoder().encode(words);
  return importTrace([{ name: "strace", pieces: () => [bytes] }], calls).trace;
};
const sample = (name: string) => NATIVE_SAMPLES.find((one) => one.name === name)!;
const forks = readTrace("data/traces/forks-ring3.kmtrace");
const native = strace(sample("forks").file);
const { directory } = hasPackages ? await ensureRoot("base") : { directory: "" };
const unexplained = (differences: readonly Difference[]) => differences.filter(({ reason }) => reason === null);

describe("a native run beside the emulator's", () => {
  it("of a shell that forks: every task at its place, every difference with its reason", () => {
    const { tasks, differences } = compare(forks, native);
    expect(tasks.filter(({ task }) => !task.includes("handlers"))).toHaveLength(20);
    expect(unexplained(differences)).toEqual([]);
  });

  const root = hasPackages ? usableRoot() : undefined;
  afterAll(() => root?.close());
  it.runIf(root !== undefined)("recorded here and now, prints the same and calls the same", () => {
    for (const { argv } of NATIVE_SAMPLES) {
      const host = new MemoryIo();
      const { trace } = captureProgram({ image: openImage(directory), argv: [...argv], host });
      const { text: lines, stdout } = straced(root!, argv);
      expect(stdout).toBe(host.text("out"));
      expect(unexplained(compare(trace, text(lines)).differences)).toEqual([]);
    }
  });
});

/** A root on this host in which strace sees i386 programs run; undefined where one of the things that takes is not to be had. */
function usableRoot(): NativeRoot | undefined {
  if (!existsSync("/dev/shm") || spawnSync("strace", ["--version"]).status !== 0) return undefined;
  let root: NativeRoot;
  try {
    root = nativeRoot(directory);
  } catch {
    return undefined;
  }
  if (straced(root, ["true"]).text.includes("exit_group")) return root;
  root.close();
  return undefined;
}

/** A trace with other events: those of `keep`, and what `change` makes of the columns. */
function changed(trace: Trace, change: (columns: { nr: Int32Array; ret: Float64Array }) => void): Trace {
  const nr = Int32Array.from(trace.events.nr);
  const ret = Float64Array.from(trace.events.ret);
  change({ nr, ret });
  return { ...trace, events: { ...trace.events, nr, ret } as Trace["events"] };
}

describe("what differs", () => {
  const { events } = native;
  const ofName = (name: string, from = 0) =>
    events.nr.findIndex((nr, seq) => seq >= from && events.kind[seq] === KIND.syscall && calls.name(nr, 1) === name);
  const found = (other: Trace) => unexplained(compare(native, other).differences);

  it("is nothing between a run and itself, whatever its pids, addresses and times", () => {
    const pids = readFileSync(sample("forks").file, "utf8")
      .replaceAll(/^\d+ +(\d+)/gm, (line, time: string) => line.replace(time, String(Number(time) + 5000)))
      .replaceAll("0xf7", "0xf6");
    const { differences, tasks } = compare(native, text(pids));
    expect(differences).toEqual([]);
    expect(tasks.every(({ ones, twos, same }) => ones === twos && ones === same)).toBe(true);
  });

  it.each(["cp", "find", "forks", "pipe"])("is nothing between %s and what strace would have printed of it", (name) => {
    const trace = readTrace(`data/traces/${name}-ring3.kmtrace`);
    const printed = [...toStrace(trace, (nr, abi) => calls.name(nr, abi))].join("");
    const { differences, tasks } = compare(trace, text(printed));
    expect(differences).toEqual([]);
    expect(tasks.reduce((sum, { same }) => sum + same, 0)).toBeGreaterThan(300);
  });

  it("is a call that only one makes", () => {
    const at = ofName("chdir");
    const other = changed(native, ({ nr }) => nr.fill(20, at, at + 1));
    expect(found(other)).toMatchObject([
      { task: "sh/1/2 sh", kind: "call", call: "chdir", two: null },
      { task: "sh/1/2 sh", kind: "call", call: "getpid", one: null },
    ]);
  });

  it("is another end of the same call: an error, or a number", () => {
    const at = ofName("chdir");
    const failed = changed(native, ({ ret }) => ret.fill(-2, at, at + 1));
    expect(found(failed)).toMatchObject([{ kind: "error", call: "chdir", what: "0 and ENOENT" }]);
    const write = ofName("write");
    const longer = changed(native, ({ ret }) => ret.fill(99, write, write + 1));
    expect(found(longer)).toMatchObject([{ kind: "result", call: "write", what: `${events.ret[write]} and 99` }]);
    const pid = ofName("clone");
    expect(found(changed(native, ({ ret }) => ret.fill(4321, pid, pid + 1)))).toEqual([]);
  });

  it("is the place that a call is made from", () => {
    const at = ofName("chdir");
    const site = Uint8Array.from(events.site);
    site[at] = SITE.int80;
    const other = { ...native, events: { ...events, site } as Trace["events"] };
    expect(found(other)).toMatchObject([{ kind: "site", call: "chdir", what: "vsyscall and int80" }]);
    site[at] = SITE.unknown;
    expect(found(other)).toEqual([]);
  });

  it("is a task that only one has", () => {
    const one = text(
      '10 execve("/bin/sh", ["sh"], []) = 0\n10 fork() = 11\n11 getpid() = 11\n11 exit_group(0) = ?\n10 exit_group(0) = ?\n',
    );
    const two = text('10 execve("/bin/sh", ["sh"], []) = 0\n10 fork() = 11\n10 exit_group(0) = ?\n');
    expect(unexplained(compare(one, two).differences)).toMatchObject([
      { task: "sh/1 sh", kind: "task", what: "only in the first, with 2 calls" },
    ]);
  });

  it("is not explained where a row does not hold: the loader's searches are not the program's", () => {
    const late = 'openat(AT_FDCWD, "x", O_RDONLY) = -1 ENOENT (No such file)';
    const start = (more: string) => `10 execve("/bin/sh", ["sh"], []) = 0\n${more}`;
    const plain = "10 set_thread_area({entry_number=-1}) = 0\n10 brk(NULL) = 0x1000\n";
    expect(unexplained(compare(text(start(plain)), text(start(`10 ${late}\n${plain}`))).differences)).toEqual([]);
    expect(unexplained(compare(text(start(plain)), text(start(`${plain}10 ${late}\n`))).differences)).toHaveLength(1);
  });

  it("is said in words", () => {
    const at = ofName("chdir");
    const comparison = compare(
      native,
      changed(native, ({ ret }) => ret.fill(-2, at, at + 1)),
    );
    const lines = sequenceLines(comparison);
    expect(lines).toContain("1 difference without one");
    expect(lines.at(-1)).toBe("not the same calls");
    expect(lines.some((line) => /^ {2}sh\/1\/2 sh: chdir ends otherwise, call \d+ of the first/.test(line))).toBe(true);
  });
});

describe("kmlab compare", () => {
  it("takes traces and other tools' files; 0 when all is explained, 1 when not, 2 for what cannot be compared", () => {
    const both = ["data/traces/forks-ring3.kmtrace", sample("forks").file];
    const ran = kmlab(["compare", ...both]);
    expect([ran.status, ran.stdout]).toEqual([0, expect.stringContaining("but for differences that have a reason")]);
    const other = kmlab(["compare", "data/traces/cp-ring3.kmtrace", sample("forks").file, "--json"]);
    expect(other.status).toBe(1);
    expect(JSON.parse(other.stdout).explained).toBe(false);
    const counts = kmlab(["compare", both[0], "data/samples/strace-c.txt"]);
    expect([counts.status, counts.stderr]).toEqual([2, expect.stringContaining("needs the calls in their order")]);
    expect(kmlab(["compare", ...both, "--allow", "data/calls.csv"]).stderr).toMatch(/data\/calls.csv:2: kind is ""/);
  });
});
