// Runs the programs of test/fixtures/kml in a whole kernel, and cuts the windows between their MARKs out of the events.
import { readFileSync } from "node:fs";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { Kernel, type KernelOptions } from "../../../../src/emu/kernel/kernel.ts";
import { Machine } from "../../../../src/emu/machine/machine.ts";
import { type ImageEntry, type RootImage, S_IFDIR, S_IFREG } from "../../../../src/emu/rootfs/image.ts";
import { type Event, EventList } from "./harness.ts";

const FIXTURES = new URL("../../../fixtures/kml/", import.meta.url);
const PROGRAMS = ["stk", "frk", "odd", "cnt", "two", "hif", "regs", "sig"] as const;
const MARK_PAGE = 0x0810_0000;
const MARKS = 32;

/** Scripts in /bin, by the interpreter that they name. */
const SCRIPTS = { "script-trusted": "#!/trusted/bin/regs\n", "script-plain": "#!/bin/regs\n" } as const;

/** A root with nothing but the test programs and two scripts in /bin. */
export function programImage(): RootImage {
  const entry = (path: string, mode: number, size: number, offset: number): ImageEntry => ({
    path,
    mode,
    uid: 0,
    gid: 0,
    mtime: 0,
    size,
    offset,
  });
  const files: { name: string; bytes: Uint8Array }[] = PROGRAMS.map((name) => ({
    name,
    bytes: readFileSync(new URL(name, FIXTURES)),
  }));
  for (const [name, text] of Object.entries(SCRIPTS)) files.push({ name, bytes: new TextEncoder().encode(text) });
  const entries = ["/", "/bin", "/dev", "/proc", "/root", "/tmp", "/trusted"].map((path) =>
    entry(path, S_IFDIR | 0o755, 0, 0),
  );
  const blob = new Uint8Array(files.length * 0x4000);
  for (const [i, { name, bytes }] of files.entries()) {
    blob.set(bytes, i * 0x4000);
    entries.push(entry(`/bin/${name}`, S_IFREG | 0o755, bytes.length, i * 0x4000));
  }
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  return {
    digest: "test",
    entries,
    read: (offset, length) => {
      const out = new Uint8Array(length);
      out.set(blob.subarray(offset, offset + length));
      return out;
    },
  };
}

/** What a run left. */
export interface ProgramRun {
  kernel: Kernel;
  /** stdout and stderr. */
  text: string;
  events: readonly Event[];
  /** Index of the first event behind each execution of a MARK, in order. */
  marks: readonly { mark: number; at: number }[];
  exit: ReturnType<Kernel["run"]>;
}

class MarkedEvents extends EventList {
  afterLeave: () => void = () => {};
  override leave(seq: number, end: Parameters<EventList["leave"]>[1]): void {
    super.leave(seq, end);
    this.afterLeave();
  }
}

/** Runs /bin/argv[0]. @param booted called before the first instruction */
export function runProgram(
  argv: string[],
  o: Partial<KernelOptions> & { ring: 0 | 3 },
  booted: (kernel: Kernel) => void = () => {},
): ProgramRun {
  const host = new MemoryIo();
  const machine = new Machine({ ramBytes: 64 << 20, hz: o.hz ?? 100 });
  const recorder = new MarkedEvents();
  const kernel = new Kernel(
    {
      kernel: "kml-4.0",
      entry: "sysenter",
      trusted: "all",
      memoryMiB: 64,
      seed: 1,
      hz: 100,
      argv: [`/bin/${argv[0]}`, ...argv.slice(1)],
      env: ["HOME=/"],
      cwd: "/",
      vdsoClock: true,
      tty: false,
      aslr: false,
      host,
      ...o,
    },
    machine,
    recorder,
  );
  kernel.boot(programImage());
  const marks: { mark: number; at: number }[] = [];
  // The MARKs' page is known once it is mapped; their probes must be there before they are first executed.
  recorder.afterLeave = () => {
    const mm = kernel.current.mm;
    const pte = mm === undefined ? 0 : kernel.pageTables.get(mm.pgd, MARK_PAGE);
    if (pte === 0 || kernel.cpu.probes.has((pte & ~0xfff) >>> 0)) return;
    for (let mark = 0; mark < MARKS; mark++) {
      kernel.cpu.probes.set(((pte & ~0xfff) >>> 0) + 16 * mark, () => {
        marks.push({ mark, at: recorder.events.length });
      });
    }
  };
  booted(kernel);
  const exit = kernel.run();
  return { kernel, text: host.text("out") + host.text("err"), events: recorder.events, marks, exit };
}

/** The events between the last MARK(from) before MARK(to) and that MARK. */
export function between(run: ProgramRun, from: number, to: number): readonly Event[] {
  const end = run.marks.findIndex(({ mark }) => mark === to);
  if (end < 0) throw new Error(`the program never reached MARK(${to})`);
  const start = run.marks.slice(0, end).findLast(({ mark }) => mark === from);
  if (start === undefined) throw new Error(`the program never reached MARK(${from})`);
  return run.events.slice(start.at, run.marks[end].at);
}
