// Ring 0 predicted from ring 3, scenario by scenario, against what a real KML kernel did with the same program.
import { describe, expect, it } from "vitest";
import { TraceRecorder } from "../../src/emu/capture/trace-recorder.ts";
import { comparePrediction } from "../../src/traces/compare-prediction.ts";
import { type EntryClass, predictRing0 } from "../../src/traces/predict.ts";
import { ACCESS, CAUSE, FLAG, KIND, NR, PATH, SITE } from "../../src/traces/schema/enums.ts";
import { emptyMeta, type Trace } from "../../src/traces/trace.ts";

const TOP = 0xbfff0000;
const PAGE = 4096;

/** A ring-3 (or ring-0) run of one task, told event by event. */
class Run {
  readonly r = new TraceRecorder();
  #clock = 0;
  readonly #ring: number;

  constructor(ring = 3) {
    this.#ring = ring;
    this.r.mm(0);
    this.r.task({ task: 0, tgid: 0, mm: 0, pid: 1, ring, comm: "t", exe: "/t" });
  }

  event(fields: {
    kind: number;
    nr: number;
    task?: number;
    site?: number;
    path?: number;
    sp?: number;
    addr?: number;
    flags?: number;
    cause?: number;
    ret?: number;
  }): number {
    this.#clock += 100;
    const { ret, task = 0, flags = 0, ...rest } = fields;
    const seq = this.r.enter({
      ...rest,
      task,
      flags,
      tIn: this.#clock,
      user: 50,
      ...(rest.addr === undefined ? {} : { access: ACCESS.w }),
    });
    this.r.leave(seq, { tOut: this.#clock + 50, kinstr: 50, blocked: 0, ret: ret ?? 0 });
    return seq;
  }

  call(nr: number, sp: number, flags = 0, site: number = SITE.vsyscall, task = 0): number {
    return this.event({ kind: KIND.syscall, nr, sp, flags, site, task, path: site === SITE.int80 ? PATH.A : PATH.B });
  }

  /** A page fault of the program; `missing`: the page it would push to is not there or not writable. */
  fault(addr: number, sp: number, flags: number, task = 0): void {
    this.event({ kind: KIND.fault, nr: 14, path: PATH.F, addr, sp, flags, task, cause: CAUSE.anon });
  }

  trace(): Trace {
    return this.r.finish({ ...emptyMeta("kmlab"), ring: this.#ring });
  }

  counts(): Partial<Record<EntryClass, number>> {
    const { counts } = predictRing0(this.trace());
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  }
}

describe("ways in", () => {
  it("follow from the site: vsyscall is direct or special, int 0x80 stays a trap, sigreturn is none", () => {
    const run = new Run();
    run.call(20, TOP);
    run.call(NR.clone, TOP);
    run.call(3, TOP, 0, SITE.int80);
    run.event({ kind: KIND.sigreturn, nr: NR.sigreturn, site: SITE.int80, path: PATH.A, sp: TOP });
    run.event({ kind: KIND.vdso, nr: 265, site: SITE.vsyscall, path: PATH.other, sp: TOP });
    run.event({ kind: KIND.irq, nr: 48, path: PATH.I, sp: TOP });
    expect(run.counts()).toEqual({ direct: 1, special: 1, int80: 1, sigreturn: 1, vdso: 1 });
  });
});

describe("stack growth", () => {
  it("by pushes: each new page starves once, and is no page fault (push 16: 16 double faults)", () => {
    const run = new Run();
    for (let page = 0; page < 16; page++) {
      const sp = TOP - page * PAGE;
      run.fault(sp - 4, sp, FLAG.stack | FLAG.esp_absent);
    }
    expect(run.counts()).toEqual({ starved: 16 });
  });

  it("by moves, with ESP in a present page: ordinary page faults (mov 16: none starves)", () => {
    const run = new Run();
    for (let page = 1; page <= 16; page++) run.fault(TOP - page * PAGE, TOP - 8, FLAG.stack);
    expect(run.counts()).toEqual({ fault: 16 });
  });

  it("of memory elsewhere: ordinary page faults", () => {
    const run = new Run();
    for (let page = 0; page < 16; page++) run.fault(0x8000000 + page * PAGE, TOP, 0);
    expect(run.counts()).toEqual({ fault: 16 });
  });

  it("by the stub's own pushes (call at a page's last bytes): each direct call starves, its later page fault is gone", () => {
    const run = new Run();
    for (let page = 0; page < 4; page++) {
      const sp = TOP - page * PAGE;
      run.call(20, sp, FLAG.esp_absent);
      run.fault(sp - 40, sp - 36, FLAG.stack);
    }
    expect(run.counts()).toEqual({ direct: 4, starved: 4 });
  });

  it("by int 0x80 (16 of each, none counted twice)", () => {
    const run = new Run();
    for (let page = 0; page < 16; page++) run.call(20, TOP - page * PAGE, FLAG.esp_absent, SITE.int80);
    expect(run.counts()).toEqual({ int80: 16, starved: 16 });
  });

  it("while another page faults: the push starves first, then the fault is delivered", () => {
    const run = new Run();
    run.fault(0x8000000, TOP, FLAG.esp_absent);
    run.fault(TOP - 4, TOP, FLAG.stack | FLAG.esp_absent);
    expect(run.counts()).toEqual({ starved: 1, fault: 1 });
  });
});

describe("fork", () => {
  /** A fork by `nr`, after which parent and child each write to the page under ESP, and to others above it. */
  function forked(nr: number, site: number, upper: number): Run {
    const run = new Run();
    const sp = TOP + 0x800;
    const seq = run.call(nr, sp, 0, site);
    run.r.mm(1, seq, 0);
    run.r.task({ task: 1, tgid: 1, mm: 1, parent: 0, pid: 2, spawnSeq: seq, ring: 3, comm: "t", exe: "/t" });
    run.event({ kind: KIND.spawn, nr: -1, task: 1, path: PATH.other });
    for (const task of [0, 1]) {
      run.fault(sp - 4, sp, FLAG.stack | FLAG.esp_cow, task);
      for (let page = 1; page <= upper; page++) {
        const at = sp + page * PAGE;
        run.fault(at - 4, at, FLAG.stack | FLAG.esp_cow, task);
      }
    }
    return run;
  }

  it("starves neither parent nor child: their ways out copy the page, one fault in the kernel each", () => {
    const run = forked(NR.clone, SITE.int80, 0);
    const { counts } = predictRing0(run.trace());
    expect(counts).toMatchObject({ starved: 0, "kernel-fault": 2, fault: 0 });
  });

  it("starves both at each other stack page they push to (forkdeep: 7 and 7)", () => {
    const { counts } = predictRing0(forked(NR.fork, SITE.vsyscall, 7).trace());
    expect(counts).toMatchObject({ special: 1, starved: 14, "kernel-fault": 2, fault: 0 });
  });
});

describe("comparison with a ring-0 trace", () => {
  function ring0(change: (run: Run) => void = () => {}): Trace {
    const run = new Run(0);
    run.event({ kind: KIND.syscall, nr: 20, site: SITE.vsyscall, path: PATH.C });
    run.event({ kind: KIND.syscall, nr: 3, site: SITE.int80, path: PATH.E });
    run.event({ kind: KIND.irq, nr: 48, path: PATH.J });
    change(run);
    run.event({ kind: KIND.fault, nr: 14, path: PATH.G, addr: 0x8000000, cause: CAUSE.anon });
    run.event({ kind: KIND.syscall, nr: 4, site: SITE.vsyscall, path: PATH.C });
    run.event({ kind: KIND.syscall, nr: 6, site: SITE.vsyscall, path: PATH.C });
    return run.trace();
  }

  function ring3(): Trace {
    const run = new Run();
    run.call(20, TOP);
    run.call(3, TOP, 0, SITE.int80);
    run.fault(0x8000000, TOP, 0);
    run.call(4, TOP);
    run.call(6, TOP);
    return run.trace();
  }

  it("finds none where there is none", () => {
    const { differences, predicted, seen } = comparePrediction(ring3(), ring0());
    expect(differences).toEqual([]);
    expect(seen).toEqual(predicted);
    expect(seen).toMatchObject({ direct: 3, int80: 1, fault: 1 });
  });

  it("names what came in addition, by task, place and address", () => {
    const trace = ring0((run) =>
      run.event({ kind: KIND.fault, nr: 14, path: PATH.H, addr: 0xbffe0ffc, cause: CAUSE.stack_grow }),
    );
    const { differences, explained } = comparePrediction(ring3(), trace);
    const note = "seq 3, address 0xbffe0ffc, stack_grow";
    expect(differences).toEqual([{ task: 0, at: 2, kind: "added", entry: "starved 14", reason: null, note }]);
    expect(explained).toBe(false);
  });

  it("names what is missing and what is another call", () => {
    const run = new Run(0);
    run.event({ kind: KIND.syscall, nr: 20, site: SITE.vsyscall, path: PATH.E });
    run.event({ kind: KIND.fault, nr: 14, path: PATH.G, addr: 0x8000000, cause: CAUSE.anon });
    run.event({ kind: KIND.syscall, nr: 4, site: SITE.vsyscall, path: PATH.C });
    run.event({ kind: KIND.syscall, nr: 6, site: SITE.vsyscall, path: PATH.C });
    const { differences } = comparePrediction(ring3(), run.trace());
    expect(differences.map(({ kind, entry }) => [kind, entry])).toEqual([
      ["added", "int80 20"],
      ["missing", "direct 20"],
      ["missing", "int80 3"],
    ]);
  });

  it("knows why an x87 instruction traps after a starvation, and why pages move with the stack", () => {
    const before = new Run();
    before.call(20, TOP + 64);
    before.fault(TOP - 4, TOP, FLAG.stack | FLAG.esp_absent);
    before.fault(0x8000000, TOP - 64, 0);
    before.call(20, TOP - 64);
    before.call(3, TOP - 64);
    const after = new Run(0);
    const direct = { kind: KIND.syscall, site: SITE.vsyscall, path: PATH.C };
    after.event({ ...direct, nr: 20, sp: TOP });
    after.event({ kind: KIND.fault, nr: 14, path: PATH.G, addr: 0x8000000 });
    after.event({ kind: KIND.fault, nr: 14, path: PATH.H, addr: TOP - 68 });
    after.event({ ...direct, nr: 20, sp: TOP });
    after.event({ kind: KIND.fault, nr: 7, path: PATH.G });
    after.event({ ...direct, nr: 3, sp: TOP });
    const { differences, explained } = comparePrediction(before.trace(), after.trace());
    expect(explained).toBe(true);
    const moved = differences.filter(({ kind }) => kind === "moved");
    expect(moved.length).toBeGreaterThan(0);
    for (const { reason } of moved) expect(reason).toMatch(/the stack begins 64 bytes lower in ring 0/);
    const rest = differences.filter(({ kind }) => kind !== "moved");
    expect(rest.map(({ kind, entry }) => [kind, entry])).toEqual([["added", "trap 7"]]);
    expect(rest[0].reason).toMatch(/sets CR0.TS/);
  });
});
