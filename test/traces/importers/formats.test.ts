// Every other format: its sample, its grammar, and what it cannot know.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CAUSE, EDGE, KIND, SITE } from "../../../src/traces/schema/enums.ts";
import { ROOT } from "../../cli/kmlab.ts";
import { callsOf, imported, importSample, snapshot, text } from "./samples.ts";

describe("samples", () => {
  it.each([
    ["perf-script-raw_syscalls", "perf-script", {}],
    ["perf-trace", "perf-trace", {}],
    // The sample was cut at 140 columns.
    ["perf-trace-f", "perf-trace", { "a call whose result is cut off": 20 }],
    ["ftrace-raw_syscalls-sched", "ftrace", {}],
    ["ftrace-syscalls", "ftrace", {}],
    ["trace-cmd-report", "trace-cmd", {}],
    // The traced ls printed into it.
    ["bpftrace-raw", "bpftrace", { "no line of the bpftrace program": 7 }],
    ["qemu-i386-strace", "qemu", {}],
    ["qemu-i386-strace-sh", "qemu", {}],
    ["strace-c", "counts", {}],
    ["perf-trace-s", "counts", {}],
  ])("%s is recognised as %s, and every line of it understood", (name, format, not) => {
    const { report } = importSample(`${name}.txt`);
    expect(report.format).toBe(format);
    expect(Object.fromEntries(report.notUnderstood.map(({ reason, count }) => [reason, count]))).toEqual(not);
    expect(report.unknownCalls.map(({ name: call }) => call)).toEqual([]);
  });

  it.each([
    "perf-script-raw_syscalls",
    "perf-trace-f",
    "ftrace-raw_syscalls-sched",
    "trace-cmd-report",
    "qemu-i386-strace-sh",
  ])("%s as it was", async (name) => {
    await expect(snapshot(importSample(`${name}.txt`))).toMatchFileSnapshot(
      join(ROOT, `test/fixtures/importers/${name}.snap`),
    );
  });

  it("ls traced by two tools makes the same calls, until it looks at where it prints to", () => {
    const names = (sample: string) =>
      callsOf(importSample(sample).trace, 0)
        .map((call) => call.slice(0, call.indexOf("=")))
        .slice(0, 136);
    const perf = names("perf-script-raw_syscalls.txt");
    expect(names("bpftrace-raw.txt")).toEqual(perf);
    expect(perf.length).toBe(136);
  });

  it("a trace without system calls is refused", () => {
    expect(() => importSample("lttng-ust-babeltrace2.txt")).toThrow(/there is no call in it; is this lttng/);
  });
});

const raw = (what: string) => `            bash-13387   [001] .....  ${what}\n`;

describe("the kernel's tracer", () => {
  it("waits are what sched_switch says, and preemption of the program is no program time", () => {
    const sched = (from: number, state: string, to: number) =>
      `sched_switch: prev_comm=a prev_pid=${from} prev_prio=120 prev_state=${state} ==> next_comm=b next_pid=${to} next_prio=120`;
    const { trace } = imported([
      text(
        "# tracer: nop\n" +
          raw("5.000000: sys_enter: NR 0 (3, 7ffde601d1bc, 10, 0, 0, 0)") +
          raw(`5.000010: ${sched(13387, "S", 99)}`) +
          raw(`5.000050: ${sched(99, "R", 13387)}`) +
          raw("5.000060: sys_exit: NR 0 = 16") +
          raw(`5.000100: ${sched(13387, "R+", 99)}`) +
          raw(`5.000300: ${sched(99, "S", 13387)}`) +
          raw("5.000310: sys_enter: NR 3 (3, 0, 0, 0, 0, 0)") +
          raw("5.000311: sys_exit: NR 3 = 0"),
      ),
    ]);
    const { events, edges } = trace;
    expect([...events.kind]).toEqual([KIND.syscall, KIND.irq, KIND.syscall]);
    expect([...events.tIn]).toEqual([0, 100_000, 310_000]);
    expect([...events.tOut]).toEqual([60_000, 300_000, 311_000]);
    expect([...events.blocked].slice(0, 2)).toEqual([40_000, 200_000]);
    expect([...edges.to]).toEqual([0]);
    expect(events.bytes[0]).toBe(16);
    expect(events.cause[0]).toBe(CAUSE.unknown);
  });

  it("a ring buffer that was overwritten is a loss", () => {
    const { report } = imported([
      text(
        `# tracer: nop\n#\n# entries-in-buffer/entries-written: 29662/400000   #P:2\n${raw("5.0: sys_enter: NR 39 (0)")}${raw("5.1: sys_exit: NR 39 = 9")}`,
      ),
    ]);
    expect(report.fidelity.loss).toContain("370338 events lost");
  });

  it.each([
    [
      "perf with pid and tid",
      "Web Content 1/2 [003] 5.000001: raw_syscalls:sys_enter: NR 39 (7f65c7cb22a0, 0, 0, 0, 0, 0)",
      "perf-script",
    ],
    ["perf, an event a call", "ls 2 [003] 5.000001: syscalls:sys_enter_getpid:", "perf-script"],
    [
      "trace-cmd",
      "           ls-2     [003]     5.000001: sys_enter:            NR 39 (7f65c7cb22a0, 0, 0, 0, 0, 0)",
      "trace-cmd",
    ],
    ["trace-cmd, an event a call", "           ls-2     [003]     5.000001: sys_enter_getpid:     ", "trace-cmd"],
  ])("%s", (_, line, format) => {
    const { trace, report } = imported([text(`${line}\n`)]);
    expect(report.format).toBe(format);
    expect(trace.tasks[0].pid).toBe(2);
    expect(trace.events.cpu[0]).toBe(3);
    expect(callsOf(trace, 0)).toEqual(["getpid=?"]);
  });

  it("a result of other letters is no result", () => {
    const { report } = imported([
      text(`# tracer: nop\n${raw("5.0: sys_getpid()")}${raw("5.1: sys_getpid -> 0xffffffff\u00ffffffffe")}`),
    ]);
    expect(report.notUnderstood.map(({ count }) => count)).toEqual([1]);
  });

  it("results above the signed range are errors; a child begins where clone returned", () => {
    const { trace } = imported([
      text(
        "# tracer: nop\n" +
          raw("5.0: sys_openat(dfd: 0xffffff9c, filename: 0x7f65c7cb22a0, flags: 0, mode: 0)") +
          raw("5.1: sys_openat -> 0xfffffffffffffffe") +
          raw(
            "5.2: sys_clone(clone_flags: 0x1200011, newsp: 0, parent_tidptr: 0, child_tidptr: 0x7f65c7cb22a0, tls: 0)",
          ) +
          "            bash-14000   [000] .....  5.25: sys_clone -> 0x0\n" +
          raw("5.3: sys_clone -> 0x36b0"),
      ),
    ]);
    expect(callsOf(trace, 0)).toEqual(["openat=-2", "clone=14000"]);
    expect(trace.tasks.map(({ pid, parentTask }) => [pid, parentTask])).toEqual([
      [13387, null],
      [14000, 0],
    ]);
  });
});

describe("LTTng", () => {
  const line = (at: string, event: string, fields: string) =>
    `[17:02:57.${at}] (+0.000000778) host ${event}: { cpu_id = 2 }, { vpid = 5, vtid = 7, procname = "sh" }, { ${fields} }\n`;

  it("names, results, waits and the ABI of 32-bit programs", () => {
    const { trace, report } = imported([
      text(
        line("000000100", "syscall_entry_openat", 'dfd = -100, filename = "/x { ret = 9 }", flags = 0') +
          line("000000300", "syscall_exit_openat", "ret = -2") +
          line("000001000", "compat_syscall_entry_mmap2", "addr = 0x0") +
          line(
            "000001500",
            "sched_switch",
            'prev_comm = "sh", prev_tid = 7, prev_state = ( "TASK_INTERRUPTIBLE" : container = 1 ), next_tid = 0',
          ) +
          line(
            "000002500",
            "sched_switch",
            'prev_comm = "x", prev_tid = 0, prev_state = ( "TASK_RUNNING" : container = 0 ), next_tid = 7',
          ) +
          line("000003000", "compat_syscall_exit_mmap2", "ret = 4096"),
      ),
    ]);
    expect(report.format).toBe("lttng");
    expect(callsOf(trace, 0)[0]).toBe("openat=-2");
    expect([...trace.events.tIn]).toEqual([0, 900]);
    expect(trace.events.blocked[1]).toBe(1000);
    expect(trace.tasks[0].comm).toBe("sh");
  });

  it("without thread numbers it says which contexts to add", () => {
    const bare = "[17:02:57.1] (+?.?????????) host syscall_entry_read: { cpu_id = 2 }, { fd = 3 }\n";
    expect(() => imported([text(bare)])).toThrow(
      /made\.txt:1: calls without thread numbers; record with lttng add-context/,
    );
  });
});

describe("CSV", () => {
  it("headings are recognised, cells that hold no number are said", () => {
    const { trace, report } = imported([
      text('time,pid,syscall,ret,duration_us\n1.5,7,read,10,12\n1.6,7,"openat",3,5\n1.7,7,close,x,1\n1.8,7,close\n'),
    ]);
    expect(report.format).toBe("csv");
    expect(callsOf(trace, 0)).toEqual(["read=10", "openat=3"]);
    expect([...trace.events.tOut]).toEqual([12_000, 100_005_000]);
    expect(report.notUnderstood.map(({ reason }) => reason)).toEqual([
      "a cell that is no number",
      "another number of columns than the heading",
    ]);
  });

  it("other headings are named by --columns", () => {
    const made = text("when;what\n");
    const other = () => text("when,what\n5,read\n");
    expect(() => imported([made], { format: "csv" })).toThrow(/made\.txt:1: no column holds a call/);
    const columns = new Map([
      ["time_ns", "when"],
      ["call", "what"],
    ]);
    expect(callsOf(imported([other()], { format: "csv", columns }).trace, 0)).toEqual(["read=?"]);
    expect(() => imported([other()], { format: "csv", columns: new Map([["call", "no"]]) })).toThrow(
      /there is no column no/,
    );
  });
});

describe("counts", () => {
  it("each call as often as the table says, errors too, and a total that does not fit is said", () => {
    const { trace } = importSample("strace-c.txt");
    const list = callsOf(trace, 0);
    expect(list.length).toBe(331);
    expect(list.filter((call) => call === "close=?").length).toBe(37);
    expect(list.filter((call) => call.endsWith("=-1")).length).toBe(102);
    const table =
      "% time     seconds  usecs/call     calls    errors syscall\n100.00 0.1 1 37 close\n100.00 0.1 1 38 2 total\n";
    expect(imported([text(table)]).report.fidelity.loss).toContain("total is 38, its rows hold 37");
  });
});

describe("--anchor", () => {
  const two = () =>
    text(
      "7 1.000000 getpid() = 7 <0.000100>\n7 1.001100 getpid() = 7 <0.000100>\n7 1.002200 getpid() = 7 <0.000100>\n",
    );
  const gaps = ({ events }: ReturnType<typeof imported>["trace"]) => {
    let [user, sys] = [0, 0];
    for (let seq = 0; seq < events.length; seq++) {
      sys += events.tOut[seq] - events.tIn[seq];
      if (seq > 0) user += events.tIn[seq] - events.tOut[seq - 1];
    }
    return { user, sys };
  };

  it("scales program time and calls to what time said", () => {
    const { trace } = imported([two()], { anchor: { user: 0.0005, sys: 0.00006 } });
    expect(gaps(trace)).toEqual({ user: 500_000, sys: 60_000 });
    expect(trace.meta.fidelity.times).toMatch(/^partial: scaled to an untraced run of user 0.0005 s, sys 0.00006 s/);
  });

  it("scales waits so that real time fits", () => {
    const made = text(
      "7 1.0 getpid() = 7 <0.001>\n7 1.002 nanosleep(0x1, NULL) = 0 <0.101>\n7 1.104 getpid() = 7 <0.001>\n",
    );
    const { events, edges } = imported([made], { anchor: { real: 0.05, user: 0.001, sys: 0.0015 } }).trace;
    expect(events.tOut[2]).toBe(50_000_000);
    expect(events.blocked[1]).toBe(47_500_000);
    expect([...edges.delay]).toEqual([47_500_000]);
    expect([...edges.kind]).toEqual([EDGE.timer]);
  });

  it("spreads them evenly where the source has no times", () => {
    const { events } = imported([text("20 20 20\n")], { anchor: { user: 0.2, sys: 0.3 } }).trace;
    expect([...events.tIn]).toEqual([0, 200_000_000, 400_000_000]);
    expect([...events.tOut]).toEqual([100_000_000, 300_000_000, 500_000_000]);
  });
});

it("64-bit programs call by SYSCALL, whatever wrote the trace", () => {
  const { events } = importSample("perf-script-raw_syscalls.txt").trace;
  expect(new Set(events.site)).toEqual(new Set([SITE.syscall64]));
});
