// Small made-up traces for tests: the same seed gives the same trace; every table has rows and every column some values.
import { TraceRecorder } from "../../src/emu/capture/trace-recorder.ts";
import { ACCESS, CAUSE, EDGE, FLAG, KIND, OBJECT, PATH, SITE, SOURCE } from "../../src/traces/schema/enums.ts";
import { emptyMeta, type Trace } from "../../src/traces/trace.ts";

export interface SyntheticOptions {
  readonly events?: number;
  readonly tasks?: number;
  readonly seed?: number;
  /** 3: ways A and B; 0: C and E. */
  readonly ring?: 0 | 3;
}

/** Numbers 0 .. 2^32-1 (xorshift32). */
export function randomNumbers(seed: number): () => number {
  let x = seed | 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const CALLS = [3, 4, 5, 6, 20, 78, 91, 192, 220, 295] as const;

/** A run of `tasks` processes forked from the first, that read, write, fault and wait for each other in turns. */
export function syntheticTrace(options: SyntheticOptions = {}): Trace {
  const { events = 200, tasks = 3, seed = 1, ring = 3 } = options;
  const random = randomNumbers(seed);
  const below = (n: number) => random() % n;
  const recorder = new TraceRecorder();
  let clock = 1000;
  recorder.mm(0);
  recorder.task({ task: 0, tgid: 0, mm: 0, pid: 100, ring, comm: "first", exe: "/bin/first" });
  recorder.exec(0, -1, 0, "/bin/first", ring);
  recorder.object({ obj: 0, type: OBJECT.file, size: 12345, label: "/etc/passwd" });
  recorder.object({ obj: 1, type: OBJECT.pipe, capacity: 65536, label: 'a "quoted", label\nof two lines' });
  for (let task = 1; task < tasks; task++) {
    const seq = recorder.enter({
      task: 0,
      kind: KIND.spawn,
      nr: 120,
      site: SITE.int80,
      path: PATH.A,
      tIn: clock,
      user: below(500),
    });
    recorder.mm(task, seq, 0);
    recorder.task({
      task,
      tgid: task,
      mm: task,
      parent: 0,
      pid: 100 + task,
      spawnSeq: seq,
      ring,
      comm: `child${task}`,
      exe: "/bin/child",
    });
    clock += 900;
    recorder.leave(seq, { tOut: clock, kinstr: 48, blocked: 0, ret: 100 + task });
  }
  const last = new Int32Array(tasks).fill(-1);
  while (recorder.length < events) {
    const task = below(tasks);
    const user = below(3000);
    clock += user;
    const inline = below(4) === 0;
    const path = ring === 3 ? (inline ? PATH.A : PATH.B) : inline ? PATH.E : PATH.C;
    const nr = CALLS[below(CALLS.length)];
    const tIn = clock;
    const seq = recorder.enter({
      task,
      kind: KIND.syscall,
      nr,
      site: inline ? SITE.int80 : SITE.vsyscall,
      path,
      tIn,
      user,
    });
    if (below(10) === 0) {
      clock += 40;
      fault(recorder, task, seq, clock, ring, random);
    }
    const bytes = below(5000);
    const waits = below(20) === 0;
    clock += 200 + bytes;
    if (nr === 3 || nr === 4) {
      recorder.set(seq, {
        bytes,
        obj: nr - 3,
        off: below(1 << 20),
        charge: 100,
        flags: waits ? FLAG.timing_sensitive : 0,
      });
      recorder.args(seq, `fd ${nr}, "x", ${bytes}`);
    }
    const other = last[below(tasks)];
    if (waits) recorder.edge(seq, other < 0 ? undefined : other, nr === 3 ? EDGE.data : EDGE.timer, below(9000));
    recorder.leave(seq, {
      tOut: clock,
      kinstr: 48 + below(4),
      blocked: waits ? 150 : 0,
      ret: below(30) === 0 ? -11 : bytes,
    });
    if (below(12) === 0) {
      const touched = recorder.userTotal[task];
      recorder.page({
        mm: task,
        task,
        epoch: Math.floor(clock / 1e6),
        instr: touched,
        obj: 0,
        index: below(40),
        access: ACCESS.r,
        source: SOURCE.user,
        dirty: false,
      });
    }
    last[task] = seq;
  }
  for (let task = 0; task < tasks; task++)
    recorder.mix(
      task,
      0,
      ring,
      Array.from({ length: 13 }, (_, i) => below(1000) + i),
    );
  for (let task = tasks - 1; task > 0; task--) {
    const seq = recorder.enter({
      task,
      kind: KIND.exit,
      nr: 252,
      site: SITE.int80,
      path: PATH.A,
      tIn: ++clock,
      user: 5,
    });
    recorder.taskExit(task, seq, task << 8);
    recorder.mmEnd(task, seq);
  }
  return recorder.finish({
    ...emptyMeta("kmlab"),
    hz: 100,
    epochInstr: 1_000_000,
    memory: 64 << 20,
    kernel: "kml-4.0",
    entry: "sysenter",
    ring,
    trusted: "all",
    seed,
    argv: ["first", "--flag", "an argument"],
    root: "sha256:0",
    ended: "exit 0",
  });
}

function fault(
  recorder: TraceRecorder,
  task: number,
  parent: number,
  tIn: number,
  ring: number,
  random: () => number,
): void {
  const seq = recorder.enter({
    task,
    kind: KIND.fault,
    nr: 14,
    path: ring === 3 ? PATH.F : PATH.G,
    tIn,
    parent,
    user: 0,
    addr: random(),
    access: ACCESS.w,
    cause: random() % 2 ? CAUSE.anon : CAUSE.cow,
    flags: FLAG.in_kernel,
  });
  recorder.leave(seq, { tOut: tIn + 30, kinstr: 60, blocked: 0 });
}
