// What a trace of another tool cannot tell stands at the head of every answer, and what it cannot answer is refused with what could.
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { countsAnswer, countsText } from "../../src/model/answers/counts.ts";
import { modelData } from "../../src/model/data-node.ts";
import { whatifText } from "../../src/model/report.ts";
import { sensitivityText } from "../../src/model/sensitivity/report.ts";
import { sensitivity } from "../../src/model/sensitivity/sensitivity.ts";
import { whatif } from "../../src/model/whatif.ts";
import { importTrace } from "../../src/traces/importers/import.ts";
import { textFile } from "../../src/traces/importers/text-node.ts";
import { limitLines, limitsOf, needOrder, needTimes } from "../../src/traces/limits.ts";
import { callNames, readTrace, writeTrace } from "../../src/traces/node.ts";
import { cannotReplay, type Trace } from "../../src/traces/trace.ts";
import { kmlab } from "../cli/kmlab.ts";

const data = modelData();
const calls = callNames();
const imported = (name: string): Trace => importTrace([textFile(`data/samples/${name}.txt`)], calls).trace;
const samples = readdirSync("data/samples").filter((name) => name.endsWith(".txt") && !name.startsWith("lttng"));
const own = readTrace("data/traces/find-ring3.kmtrace");

/** What each kind of sample does not know; `sites` only where there are calls of 32-bit programs. */
const LIMITS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(bpftrace|ftrace-raw|trace-cmd)/, ["times", "arguments", "loss"]],
  [/^(ftrace-syscalls|perf-script)/, ["times", "arguments"]],
  [/^perf-trace-f/, ["times", "arguments", "loss", "abi"]],
  [/^qemu-i386-strace-sh/, ["times", "arguments", "sites", "loss"]],
  [/^qemu/, ["times", "arguments", "sites"]],
  [/^strace-(i386|mixed|native)/, ["times", "arguments", "sites", "abi"]],
  [/^strace-(filtered|truncated)/, ["times", "arguments", "loss", "abi"]],
  [/^(strace|perf-trace)/, ["times", "arguments", "abi"]],
];

describe("limits", () => {
  it.each(samples)("of %s", (file) => {
    const trace = imported(file.replace(".txt", ""));
    const limits = limitsOf(trace);
    const [, expected] = LIMITS.find(([name]) => name.test(file))!;
    expect(limits.map(({ of }) => of)).toEqual(expected);
    const times = limits[0].says;
    if (times.startsWith("inflated"))
      expect(times).toMatch(/; [\d,]+ calls, so by (more than|up to) [\d.]+ m?s of [\d.]+ m?s$/);
    const heads = limitLines(limits, trace.meta.source);
    const options = { mechanisms: ["int80", "kml"], draws: 0 };
    const answer =
      cannotReplay(trace.meta) === undefined
        ? whatifText(whatif(trace, data, options))
        : countsText(countsAnswer(trace, data, options), "");
    expect(answer.join("\n")).toContain(heads.join("\n"));
  });

  it("of a capture are none, and so are its heads", () => {
    expect(limitsOf(own)).toEqual([]);
    expect(limitLines([], "kmlab")).toEqual([]);
    expect(whatifText(whatif(own, data, { draws: 0 })).join("\n")).not.toContain("could not tell");
  });

  it("of times say by how much they are too long", () => {
    const [{ says }] = limitsOf(imported("strace-native-find"));
    expect(says).toMatch(/311 calls, so by more than 3.110 ms of \d+\.\d+ ms$/);
  });

  it("stand at the head of a sensitivity answer too, which asks a 64-bit program on a 64-bit machine", () => {
    const trace = imported("strace-truncated");
    const result = sensitivity(trace, data, { target: "x86-64", walks: 1, rows: 2 });
    expect([result.profile, result.base]).toEqual(["zen4", "syscall"]);
    const heads = limitLines(result.limits, "strace");
    expect(heads.some((line) => line.startsWith("  loss: partial: the last line is cut"))).toBe(true);
    expect(sensitivityText(result).slice(1, 1 + heads.length)).toEqual(heads);
  });
});

/** The one line that a command ends with that cannot answer. */
function refused(words: string[]): string {
  const { status, stderr, stdout } = kmlab(words);
  expect([status, stdout, stderr.trim().split("\n").length]).toEqual([2, "", 1]);
  return stderr;
}

describe("refusals", () => {
  const counts = imported("strace-c").meta;
  const untimed = imported("qemu-i386-strace").meta;

  it("name the tool and the options that would answer", () => {
    expect(() => needTimes(untimed, "a timeline")).toThrow(
      /^a timeline needs times, and the trace has none \(qemu -strace prints no times\): strace -f -ttt -T -i -o FILE PROGRAM, or perf record .*--anchor user=S,sys=S/,
    );
    expect(() => needOrder(counts, "compare")).toThrow(/^compare needs the calls in their order.*strace -f -ttt -T -i/);
    expect(() => needOrder(untimed, "compare")).not.toThrow();
    expect(() => needTimes(own.meta, "a timeline")).not.toThrow();
    expect(() => sensitivity(imported("qemu-i386-strace"), data)).toThrow(/strace -f -ttt -T -i .*--anchor/);
  });

  it("are one line of status 2; what can be exported says on standard error what it cannot tell", () => {
    const [table, lines] = ["build/limits-counts.kmtrace", "build/limits-qemu.kmtrace"];
    writeTrace(table, imported("strace-c"));
    writeTrace(lines, imported("qemu-i386-strace"));
    for (const words of [
      [table, "--to", "perfetto"],
      [table, "--to", "strace"],
      [lines, "--to", "folded"],
    ])
      refused(["export", ...words]);
    for (const option of ["--csv", "--cpus=2", "--request=read..close", "--memory=8"])
      expect(refused(["whatif", table, option])).toMatch(/needs times, and the trace has none \(counts only/);
    expect(refused(["validate", lines])).toMatch(
      /a trace of qemu does not hold .*; that of kmlab capture PROGRAM does/,
    );
    writeTrace("build/limits-find.kmtrace", imported("strace-native-find"));
    expect(refused(["whatif", "build/limits-find.kmtrace", "--disk", "seek"])).toContain("which waits were for a disk");

    const { status, stderr, stdout } = kmlab(["export", lines, "--to", "strace"]);
    expect([status, stderr]).toEqual([
      0,
      expect.stringContaining("kmlab:   times: none: qemu -strace prints no times"),
    ]);
    expect(stdout).toContain(" brk() = ?");
    const diff = kmlab(["diff", lines, "data/traces/find-ring3.kmtrace"]);
    expect([diff.status, diff.stdout]).toEqual([1, expect.stringContaining("what qemu could not tell exactly:")]);
    expect(kmlab(["show", lines]).stdout).toMatch(/\ntimes +none: qemu -strace prints no times\n/);
  });
});
