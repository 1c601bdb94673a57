// The recorder: events in order of entry, open events without a return, bounds, unknown kept apart from 0, and its price.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { NO_SEQ, NullRecorder } from "../../../src/emu/capture/recorder.ts";
import { TraceRecorder } from "../../../src/emu/capture/trace-recorder.ts";
import { readTraceFrom } from "../../../src/traces/read.ts";
import { ACCESS, EDGE, FLAG, KIND, OBJECT, PATH, SITE, SOURCE } from "../../../src/traces/schema/enums.ts";
import { MemoryStore } from "../../../src/traces/store.ts";
import { emptyMeta, type Trace } from "../../../src/traces/trace.ts";
import { writeTraceTo } from "../../../src/traces/write.ts";

const META = emptyMeta("kmlab");

function recorder(limits = {}): TraceRecorder {
  const r = new TraceRecorder(limits);
  r.mm(0);
  r.task({ task: 0, tgid: 0, mm: 0, pid: 1, ring: 3, comm: "a", exe: "/a" });
  return r;
}

/** Written and read again: what the recorder gives must pass all checks of the reader. */
function stored(trace: Trace): Trace {
  const store = new MemoryStore();
  writeTraceTo(store, trace);
  return readTraceFrom(store);
}

const call = (tIn: number, user = 10) => ({
  task: 0,
  kind: KIND.syscall,
  nr: 3,
  site: SITE.vsyscall,
  path: PATH.B,
  tIn,
  user,
});

describe("events", () => {
  it("are numbered in order of entry, nested ones under their parent, across many blocks", () => {
    const r = recorder();
    for (let i = 0; i < 40_000; i++) {
      const outer = r.enter(call(i * 10));
      const inner = r.enter({
        task: 0,
        kind: KIND.fault,
        nr: 14,
        tIn: i * 10 + 2,
        parent: outer,
        user: 0,
        flags: FLAG.in_kernel,
      });
      if (inner !== outer + 1) throw new Error(`${inner} after ${outer}`);
      r.leave(inner, { tOut: i * 10 + 3, kinstr: 1, blocked: 0 });
      r.leave(outer, { tOut: i * 10 + 9, kinstr: 2, blocked: 0, ret: -i });
    }
    const { events } = stored(r.finish(META));
    expect(events.length).toBe(80_000);
    expect(events.parent[79_999]).toBe(79_998);
    expect(events.parent[79_998]).toBe(-1);
    expect(events.ret[79_998]).toBe(-39_999);
    expect(events.ret[79_999]).toBeNaN();
    expect(events.tOut[70_000]).toBe(350_009);
  });

  it("of a run that dies have no return and lose nothing else", () => {
    const r = recorder();
    const seq = r.enter(call(5));
    r.set(seq, { bytes: 0, obj: undefined, flags: FLAG.short });
    r.set(seq, { flags: FLAG.timing_sensitive, charge: 7 });
    const { events, tasks } = stored(r.finish({ ...META, ended: "dead: triple fault" }));
    expect(events.tOut[0]).toBeNaN();
    expect(events.kinstr[0]).toBeNaN();
    expect(events.bytes[0]).toBe(0);
    expect(events.items[0]).toBeNaN();
    expect(events.charge[0]).toBe(7);
    expect(events.flags[0]).toBe(FLAG.short | FLAG.timing_sensitive);
    expect(tasks[0].exitSeq).toBeNull();
  });

  it("keep any call number, address and result that a program can make", () => {
    const r = recorder();
    const numbers = [-1, -2147483648, 2147483647, 2147483646, 0, 1000];
    for (const nr of numbers) {
      const seq = r.enter({ ...call(1), nr, addr: -1, sp: -4096 });
      r.leave(seq, { tOut: 1, kinstr: 1, blocked: 0, ret: -38 });
    }
    const { events } = stored(r.finish(META));
    expect([...events.nr]).toEqual([2147483647, 2147483647, 2147483647, 2147483646, 0, 1000]);
    expect(events.addr[0]).toBe(0xffffffff);
    expect(events.sp[0]).toBe(0xfffff000);
  });

  it("keep numbers of any size, as they were set last", () => {
    const r = recorder();
    const large = 2 ** 40;
    const a = r.enter({ ...call(1), user: large });
    r.charge(a, large);
    r.leave(a, { tOut: large, kinstr: large + 1, blocked: 0xffff_fffe, ret: -large });
    const b = r.enter(call(3 * large));
    r.charge(b, large);
    r.charge(b, 7);
    r.leave(b, { tOut: 3 * large + 2, kinstr: 0, blocked: 0xffff_fffd, ret: 0x7fff_ffff });
    const { events } = stored(r.finish(META));
    expect([...events.user]).toEqual([large, call(0).user]);
    expect([...events.charge]).toEqual([large, 7]);
    expect([...events.tIn]).toEqual([1, 3 * large]);
    expect([...events.tOut]).toEqual([large, 3 * large + 2]);
    expect([...events.kinstr]).toEqual([large + 1, 0]);
    expect([...events.blocked]).toEqual([0xffff_fffe, 0xffff_fffd]);
    expect([...events.ret]).toEqual([-large, 0x7fff_ffff]);
  });

  it("never go back in time, whatever a probe counts back", () => {
    const r = recorder();
    r.leave(r.enter(call(100)), { tOut: 100, kinstr: 1, blocked: 0 });
    r.leave(r.enter(call(99)), { tOut: 98, kinstr: 1, blocked: 0 });
    const { events } = stored(r.finish(META));
    expect([...events.tIn]).toEqual([100, 100]);
    expect([...events.tOut]).toEqual([100, 100]);
  });
});

describe("the other tables", () => {
  it("hold tasks, address spaces, execs, objects, edges, pages and mix", () => {
    const r = recorder();
    const fork = r.enter({ ...call(1), nr: 120 });
    r.mm(5, fork, 0);
    r.task({ task: 1, tgid: 1, mm: 5, parent: 0, pid: 2, spawnSeq: fork, ring: 3, comm: "b", exe: "/b" });
    const exec = r.enter({ ...call(2), task: 1, nr: 11 });
    r.mm(2, exec);
    r.mmEnd(5, exec);
    r.exec(1, exec, 2, "/bin/c", 0);
    r.comm(1, "renamed");
    r.object({ obj: 9, type: OBJECT.pipe, capacity: 65536 });
    r.object({ obj: 4, type: OBJECT.file, size: 3, label: "/x" });
    const late = r.enter({ ...call(3), task: 1 });
    r.edge(late, fork, EDGE.futex, 12);
    r.edge(exec, undefined, EDGE.device, 5);
    r.edge(fork, late, EDGE.data);
    r.page({ task: 1, mm: 2, epoch: 0, instr: 4, index: 8, access: ACCESS.w, source: SOURCE.user, dirty: true });
    r.page({ task: 1, epoch: 0, instr: 4, obj: 4, index: 0, access: ACCESS.r, source: SOURCE.cache, dirty: false });
    r.page({ task: 0, mm: 0, epoch: 3, instr: 9, index: 8, access: ACCESS.x, source: SOURCE.copy, dirty: false });
    r.mix(1, 0, 0, new Float64Array(13).fill(2));
    r.mix(1, 0, 0, new Float64Array(13).fill(3));
    r.taskExit(1, late, 9);
    const t = stored(r.finish(META));
    expect(t.tasks[1]).toMatchObject({
      task: 1,
      spawnSeq: fork,
      exitSeq: late,
      status: 9,
      comm: "renamed",
      exe: "/bin/c",
    });
    expect(t.mms).toEqual([
      { mm: 0, createdSeq: null, fromMm: null, endSeq: null },
      { mm: 2, createdSeq: exec, fromMm: null, endSeq: null },
      { mm: 5, createdSeq: fork, fromMm: 0, endSeq: exec },
    ]);
    expect(t.execs).toEqual([{ task: 1, seq: exec, mm: 2, exe: "/bin/c", ring: 0 }]);
    expect(t.objects.map(({ obj, type }) => [obj, type])).toEqual([
      [4, "file"],
      [9, "pipe"],
    ]);
    expect([...t.edges.to]).toEqual([fork, exec, late]);
    expect([...t.edges.from]).toEqual([late, -1, fork]);
    expect([...t.edges.delay]).toEqual([Number.NaN, 5, 12]);
    expect([...t.pages.order]).toEqual([0, 1, 0]);
    expect([...t.pages.dirty]).toEqual([1, 0, 0]);
    expect(t.mix.length).toBe(1);
    expect(t.mix.priv[0]).toBe(5);
  });

  it("give a row to tasks they were never told of", () => {
    const r = new TraceRecorder();
    r.task({ task: 2, tgid: 2, mm: 0, pid: 1000, ring: 3, comm: "a", exe: "/a" });
    r.mm(0);
    expect(stored(r.finish(META)).tasks.map(({ task, comm }) => [task, comm])).toEqual([
      [0, null],
      [1, null],
      [2, "a"],
    ]);
  });
});

describe("bounds", () => {
  it("end the recording, not the run, and the trace says what it lost", () => {
    const r = recorder({ events: 3, pages: 1, edges: 1, argChars: 5, textChars: 10 });
    const seqs = Array.from({ length: 5 }, (_, i) => r.enter(call(i)));
    expect(seqs).toEqual([0, 1, 2, NO_SEQ, NO_SEQ]);
    for (const seq of seqs) {
      r.set(seq, { bytes: 4 });
      r.edge(seq, 0, EDGE.data);
      r.args(seq, "a text longer than ten");
      r.leave(seq, { tOut: 9, kinstr: 1, blocked: 0 });
      r.page({ task: 0, epoch: 0, instr: 0, index: 1, access: ACCESS.r, source: SOURCE.user, dirty: false });
    }
    const t = stored(r.finish(META));
    expect(t.events.length).toBe(3);
    expect(t.args.get(0)).toBe("a text lon...");
    expect(t.args.size).toBe(1);
    expect(t.meta.fidelity.loss).toMatch(/^partial: .*2 rows of events .*; .*pages/);
  });
});

describe("what a full recorder did not keep", () => {
  it("is unknown to the rows that name it, and the trace can be read", () => {
    const r = new TraceRecorder({ rows: 1, events: 6 });
    r.mm(0);
    r.mm(1);
    r.task({ task: 0, tgid: 0, mm: 0, pid: 1, ring: 3, comm: "a", exe: "/a" });
    r.task({ task: 1, tgid: 1, mm: 1, parent: 0, pid: 2, ring: 3, comm: "b", exe: "/b" });
    r.exec(1, -1, 1, "/c", 3);
    r.object({ obj: 0, type: OBJECT.file });
    r.object({ obj: 1, type: OBJECT.file });
    const first = r.enter({ ...call(1), obj: 0 });
    const second = r.enter({ ...call(2), task: 1, obj: 1 });
    r.edge(first, 17, EDGE.data);
    for (const mm of [0, 1])
      r.page({
        mm,
        task: mm,
        epoch: 0,
        instr: 0,
        obj: mm,
        index: 1,
        access: ACCESS.r,
        source: SOURCE.user,
        dirty: false,
      });
    const t = stored(r.finish(META));
    expect(t.tasks.map(({ comm }) => comm)).toEqual(["a", null]);
    expect([...t.events.obj]).toEqual([0, -1]);
    expect([...t.edges.from]).toEqual([-1]);
    expect([...t.pages.mm]).toEqual([0, -1]);
    expect([...t.pages.obj]).toEqual([0, -1]);
    expect(t.execs).toEqual([]);
    expect(second).toBe(1);
    expect(t.meta.fidelity.loss).toMatch(/1 rows of mms .*; 1 rows of tasks .*; 1 rows of execs|1 rows of objects/);
  });
});

describe("progress", () => {
  it("counts the program's instructions between events by the machine's counter", () => {
    const r = recorder();
    const counter = { icount: 1000 };
    r.counter = counter;
    const seq = r.enter(call(1, 400));
    expect(r.progress(0, true)).toBe(400);
    counter.icount = 1100;
    r.leave(seq, { tOut: 2, kinstr: 1, blocked: 0 });
    counter.icount = 1130;
    expect(r.progress(0, false)).toBe(430);
    expect(r.progress(0, true)).toBe(400);
  });

  it("tells when another task runs, at entries and returns", () => {
    const r = recorder();
    r.mm(1);
    r.task({ task: 1, tgid: 1, mm: 1, parent: 0, pid: 2, ring: 0, comm: "b", exe: "/b" });
    const seen: number[][] = [];
    r.onRunning = (task, ring) => void seen.push([task, ring]);
    const a = r.enter(call(1));
    const b = r.enter({ ...call(2), task: 1 });
    r.leave(a, { tOut: 3, kinstr: 1, blocked: 0 });
    r.leave(b, { tOut: 4, kinstr: 1, blocked: 0 });
    expect(seen).toEqual([
      [0, 3],
      [1, 0],
      [0, 3],
      [1, 0],
    ]);
  });
});

it("a NullRecorder takes everything and gives nothing", () => {
  const r = new NullRecorder();
  expect(r.enter({ task: 1, kind: KIND.syscall, tIn: 0, user: 0 })).toBe(NO_SEQ);
  expect(() => r.finish()).toThrow("records nothing");
});

it("costs well under a microsecond of processor time an event", () => {
  const r = recorder();
  const { syscall: kind } = KIND;
  const { vsyscall: site } = SITE;
  const { B: path } = PATH;
  const run = (events: number) => {
    const begin = process.cpuUsage();
    for (let i = 0; i < events; i++) {
      const seq = r.enter({ task: 0, kind, nr: 3, site, path, tIn: i, user: 10 });
      r.set(seq, { bytes: i, charge: 100 });
      r.leave(seq, { tOut: i, kinstr: 48, blocked: 0, ret: i });
    }
    const { user, system } = process.cpuUsage(begin);
    return ((user + system) * 1e3) / events;
  };
  const best = Math.min(...Array.from({ length: 8 }, () => run(40_000)));
  expect(best).toBeLessThan(1000);
});
