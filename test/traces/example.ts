// The worked example of docs/trace-format.md: a shell forks, its child waits for a line in a pipe, reads it and writes it out.
import { TraceRecorder } from "../../src/emu/capture/trace-recorder.ts";
import { ACCESS, CAUSE, EDGE, FLAG, KIND, OBJECT, PATH, SITE, SOURCE } from "../../src/traces/schema/enums.ts";
import { emptyMeta, type Trace } from "../../src/traces/trace.ts";

const STACK = 0xbffff000;

export function exampleTrace(): Trace {
  const r = new TraceRecorder();
  r.mm(0);
  r.task({ task: 0, tgid: 0, mm: 0, pid: 1000, ring: 3, comm: "sh", exe: "/bin/sh" });
  r.exec(0, -1, 0, "/bin/sh", 3);
  r.object({ obj: 0, type: OBJECT.pipe, capacity: 65536, label: "pipe:[1]" });
  r.object({ obj: 1, type: OBJECT.file, size: 1831184, label: "/bin/sh" });

  // fork, made inline with int 0x80: a trap in every ring.
  const fork = r.enter({
    task: 0,
    kind: KIND.syscall,
    nr: 120,
    site: SITE.int80,
    path: PATH.A,
    tIn: 5000,
    user: 5000,
    sp: STACK + 0xe00,
    flags: 0,
  });
  r.mm(1, fork, 0);
  r.task({ task: 1, tgid: 1, mm: 1, parent: 0, pid: 1001, spawnSeq: fork, ring: 3, comm: "sh", exe: "/bin/sh" });
  r.set(fork, { pages: 40, charge: 4000 });
  r.leave(fork, { tOut: 9050, kinstr: 50, blocked: 0, ret: 1001 });
  r.args(fork, "CLONE_CHILD_SETTID|CLONE_CHILD_CLEARTID|SIGCHLD");

  // The parent's next push finds its stack page copy-on-write. In ring 0 the way out of fork would have copied it already.
  const cow = r.enter({
    task: 0,
    kind: KIND.fault,
    nr: 14,
    path: PATH.F,
    tIn: 9055,
    user: 5,
    addr: STACK + 0xdfc,
    sp: STACK + 0xe00,
    access: ACCESS.w,
    cause: CAUSE.cow,
    flags: FLAG.stack | FLAG.esp_cow,
  });
  r.set(cow, { charge: 600 });
  r.leave(cow, { tOut: 9707, kinstr: 52, blocked: 0 });

  // The child reads from the empty pipe and waits; the parent goes on.
  r.page({
    mm: 1,
    task: 1,
    epoch: 0,
    instr: 0,
    obj: 1,
    index: 17,
    access: ACCESS.x,
    source: SOURCE.user,
    dirty: false,
  });
  const read = r.enter({
    task: 1,
    kind: KIND.syscall,
    nr: 3,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 9900,
    user: 120,
    sp: STACK + 0xd00,
    flags: 0,
  });
  r.set(read, { obj: 0 });
  r.args(read, "0, 0x5655a000, 1024");
  const write = r.enter({
    task: 0,
    kind: KIND.syscall,
    nr: 4,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 10300,
    user: 400,
    sp: STACK + 0xd40,
    flags: 0,
  });
  r.set(write, { obj: 0, bytes: 6, charge: 250 });
  r.edge(read, write, EDGE.data);
  r.leave(write, { tOut: 10600, kinstr: 50, blocked: 0, ret: 6 });
  r.args(write, '1, "hello\\n", 6');
  r.set(read, { bytes: 6, charge: 250 });
  r.leave(read, { tOut: 10900, kinstr: 50, blocked: 650, ret: 6 });

  const out = r.enter({
    task: 1,
    kind: KIND.syscall,
    nr: 4,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 11000,
    user: 100,
    sp: STACK + 0xd00,
    flags: 0,
  });
  r.set(out, { bytes: 6, charge: 250 });
  r.leave(out, { tOut: 11300, kinstr: 50, blocked: 0, ret: 6 });
  const exit = r.enter({
    task: 1,
    kind: KIND.syscall,
    nr: 252,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 11350,
    user: 50,
    sp: STACK + 0xd80,
    flags: 0,
  });
  r.taskExit(1, exit, 0);
  r.mmEnd(1, exit);

  // The parent waits for its child, then ends too: neither call returns to the program after that.
  const wait = r.enter({
    task: 0,
    kind: KIND.syscall,
    nr: 114,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 11500,
    user: 60,
    sp: STACK + 0xd40,
    flags: 0,
  });
  r.edge(wait, exit, EDGE.child);
  r.leave(wait, { tOut: 11750, kinstr: 50, blocked: 0, ret: 1001 });
  const end = r.enter({
    task: 0,
    kind: KIND.syscall,
    nr: 252,
    site: SITE.vsyscall,
    path: PATH.B,
    tIn: 11800,
    user: 50,
    sp: STACK + 0xd80,
    flags: 0,
  });
  r.taskExit(0, end, 0);

  for (const task of [0, 1]) r.mix(task, 0, 3, [900, 2, 1, 700, 500, 400, 30, 40, 0, 0, 12, 3, 0]);
  return r.finish({
    ...emptyMeta("kmlab"),
    cpuModel: "pentium2",
    hz: 100,
    epochInstr: 1_000_000,
    memory: 256 << 20,
    kernel: "linux",
    entry: "sysenter",
    ring: 3,
    trusted: "all",
    seed: 1,
    argv: ["sh", "-c", "echo hello | cat"],
    root: "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    ended: "exit 0",
  });
}
