// strace: every combination of options of the samples, and each rule that its text needs.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { splitArguments } from "../../../src/traces/importers/strace-text.ts";
import { ABI, EDGE, FLAG, KIND, SITE } from "../../../src/traces/schema/enums.ts";
import { ROOT } from "../../cli/kmlab.ts";
import { callsOf, imported, importSample, snapshot, text } from "./samples.ts";

const ff = readdirSync(join(ROOT, "data/samples")).filter((name) => name.startsWith("strace-ff.out."));

describe("samples", () => {
  it.each([
    "edge-ttt-T",
    "edge-yy-v",
    "edge-r",
    "edge-tt-i-n-Xraw",
    "filtered",
    "truncated",
    "stderr-pid-brackets",
    "i386-busybox",
    "mixed-abi",
    "python-threads",
    "C-combined",
  ])("%s: every line is understood", (name) => {
    const { report } = importSample(`strace-${name}.txt`);
    expect(report.format).toBe("strace");
    expect(report.notUnderstood).toEqual([]);
  });

  it.each(["edge-ttt-T", "edge-tt-i-n-Xraw", "i386-busybox", "filtered", "truncated"])("%s as it was", async (name) => {
    await expect(snapshot(importSample(`strace-${name}.txt`))).toMatchFileSnapshot(
      join(ROOT, `test/fixtures/importers/strace-${name}.snap`),
    );
  });

  it("one program traced in five ways makes the same calls in each of its tasks", () => {
    const shapes = (names: string | string[]) => {
      const { trace } = importSample(names);
      const mapped = trace.tasks.map(({ task, parentTask, status, exe }) => ({
        parentTask,
        status,
        exe,
        calls: callsOf(trace, task).map((call) => call.slice(0, call.indexOf("="))),
      }));
      return mapped;
    };
    const plain = shapes("strace-edge-yy-v.txt");
    for (const other of ["strace-edge-r.txt", "strace-edge-tt-i-n-Xraw.txt", "strace-stderr-pid-brackets.txt"])
      expect(shapes(other)).toEqual(plain);
    expect(shapes(ff)).toEqual(plain);
  });

  it("the fork tree, exec by a thread that is not the leader, and how each task ended", () => {
    const { tasks } = importSample("strace-edge-ttt-T.txt").trace;
    expect(tasks.map(({ tgidTask, parentTask, status }) => [tgidTask, parentTask, status])).toEqual([
      [0, null, 3 * 256],
      [1, 0, 7 * 256],
      [2, 0, 11],
      [3, 0, 9],
      [4, 0, 0],
      [4, 4, 0],
      [6, 0, 0],
      [6, 6, 0],
      [8, 0, 0],
      [0, 0, 3 * 256],
    ]);
    expect(tasks[7].exe).toBe("/bin/echo");
    expect(tasks[6].exe).toBe("/home/user/edge");
  });

  it("a process may change its ABI at an execve", () => {
    const { trace } = importSample("strace-mixed-abi.txt");
    const abis = trace.tasks.map(({ task }) => {
      const used = new Set<number>();
      for (let seq = 0; seq < trace.events.length; seq++)
        if (trace.events.task[seq] === task && trace.events.kind[seq] === KIND.syscall) used.add(trace.events.abi[seq]);
      return [...used].sort();
    });
    expect(abis).toEqual([[ABI.x86_64], [ABI.i386, ABI.x86_64], [ABI.x86_64]]);
  });

  it("restarted calls are two entries, the second one marked; a handler that ran is a signal", () => {
    const { events } = importSample("strace-edge-ttt-T.txt").trace;
    const restarted = events.flags.filter((bits) => bits !== 0x8000 && bits & FLAG.restart).length;
    expect(restarted).toBe(2);
    expect(events.kind.filter((kind) => kind === KIND.signal).length).toBe(2);
    expect(events.kind.filter((kind) => kind === KIND.sigreturn).length).toBe(2);
  });

  it("reads depend on the writes that filled the pipe, waits on the child's end", () => {
    const { trace } = importSample("strace-edge-ttt-T.txt");
    const certain = [...trace.edges.kind].filter((_, row) => trace.edges.from[row] >= 0);
    expect(certain.filter((kind) => kind === EDGE.data).length).toBe(1);
    expect(certain.filter((kind) => kind === EDGE.child).length).toBe(6);
  });
});

const line = (what: string) => imported([text(`10 1.000000 ${what}\n10 1.000100 getpid() = 10 <0.000001>\n`)]).trace;
const resultOf = (what: string) => callsOf(line(what), 0)[0];

describe("one line", () => {
  it.each([
    [String.raw`write(4, "a) = 5 \"<unfinished ...>\", (", 30) = 30 <0.000008>`, "write=30"],
    ["close(3)        = 0", "close=0"],
    [`access("/x", R_OK) = -1 ENOENT (No such file or directory) <0.000010>`, "access=-2"],
    ["brk(NULL) = 0x560eb7b45000", `brk=${0x560eb7b45000}`],
    ["fcntl(3</a (b>, F_GETFD) = 0x1 (flags FD_CLOEXEC) <0.000010>", "fcntl=1"],
    [`read(3<TCP:[1.2.3.4:5->6.7.8.9:10]>, "x", 1) = 1`, "read=1"],
    [`write(1</dev/null<char 1:3>>, "x", 1) = 1 <0.1>`, "write=1"],
    ["poll(NULL, 0, 5) = 0 (Timeout) <0.005144>", "poll=0"],
    ["exit_group(3)   = ?", "exit_group=?"],
    ["wait4(9, 0x7ffc, 0, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.020149>", "wait4=-512"],
    ["syscall_0x3e7(0x1, 0x2) = -1 ENOSYS (Function not implemented)", "call 999=-38"],
    ["clone3({flags=CLONE_VM, stack=0x1} => {parent_tid=[11]}, 88) = 11 <0.000100>", "clone3=11"],
    ["mmap(NULL, 1<<20, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7000", "mmap=28672"],
    ["utimensat(1, NULL, [{tv_sec=1 /* 2020-01-01T00:00:00)+0000 */}], 0) = 0", "utimensat=0"],
  ])("%s", (what, expected) => {
    expect(resultOf(what)).toBe(expected);
  });

  it("splits arguments at the commas between them only", () => {
    expect(splitArguments(String.raw`3</a,b>, "c,\"d", {e, [f, g]}, 4`)).toEqual([
      "3</a,b>",
      String.raw`"c,\"d"`,
      "{e, [f, g]}",
      "4",
    ]);
  });
});

describe("pipes", () => {
  it("a read of a pipe that nobody wrote into depends on no write", () => {
    const lines = ["pipe2([3, 4], 0) = 0", "close(4) = 0", 'read(3, "", 10) = 0'];
    const { trace } = imported([text(lines.map((what, i) => `10 1.00000${i} ${what} <0.000001>\n`).join(""))]);
    expect(trace.edges.length).toBe(0);
  });
});

describe("times", () => {
  it("are from the first line on, in nanoseconds, with -T also of return; waits are inferred and marked", () => {
    const { events } = imported([
      text(
        "7 1700000000.000001 getpid() = 7 <0.000002>\n7 1700000000.500000 nanosleep({tv_sec=1, tv_nsec=0}, NULL) = 0 <1.000102>\n",
      ),
    ]).trace;
    expect([...events.tIn]).toEqual([0, 499_999_000]);
    expect([...events.tOut]).toEqual([2000, 1_500_101_000]);
    expect(events.blocked[1]).toBe(1_000_100_000);
    expect(events.flags[1] & FLAG.inferred).toBe(FLAG.inferred);
  });

  it("a clock that goes back does not move lines; it is said", () => {
    const { trace, report } = imported([text("7 100000000.5 getpid() = 7\n7 100000000.2 getuid() = 0\n")]);
    expect(callsOf(trace, 0)).toEqual(["getpid=7", "getuid=0"]);
    expect(report.fidelity.loss).toContain("the clock went back 1 time");
  });

  it("of day run over midnight", () => {
    const { events } = imported([text("7 23:59:59.900000 getpid() = 7\n7 00:00:00.100000 getuid() = 0\n")]).trace;
    expect([...events.tIn]).toEqual([0, 200_000_000]);
  });
});

describe("sites", () => {
  const at = (pointer: string, call: string) => `9 1.0 [${pointer}] ${call} = 0\n`;
  it("many different calls from one address of an i386 program are the vsyscall page, others int 0x80", () => {
    const { events } = imported([
      text(
        at("f7f10549", "mmap2(NULL)") +
          at("f7f10549", "close(3)") +
          at("f7f10549", "read(3)") +
          at("f7e0aaaa", "set_thread_area({})"),
      ),
    ]).trace;
    expect([...events.site]).toEqual([SITE.vsyscall, SITE.vsyscall, SITE.vsyscall, SITE.int80]);
  });
});

describe("what cannot be imported is one line", () => {
  it.each([
    ["", /made\.txt:1: it holds no lines/],
    ["hello\nworld\n", /made\.txt:1: no format/],
    [`7 getpid() = 7\n${"rubbish\n".repeat(9)}`, /made\.txt:2: no line of strace, and so for 9 of 10 lines/],
    ["7 +++ exited with 0 +++\n", /made\.txt:1: there is no call/],
  ])("%j", (content, message) => {
    expect(() => imported([text(content)])).toThrow(message);
  });
});
