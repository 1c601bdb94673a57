// A kernel with one task whose program is assembled on the spot: what the tests of the ways in run on. No files, no exec.

import type { EventEnter, EventFields, EventLeave, Recorder } from "../../../../src/emu/capture/recorder.ts";
import { assemble } from "../../../../src/emu/cpu/asm/assemble.ts";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { Entry, type EntryOptions } from "../../../../src/emu/kernel/entry/entry.ts";
import { KERNEL_BASE, VDSO_BASE, VVAR_BASE } from "../../../../src/emu/kernel/entry/layout.ts";
import { giveStack } from "../../../../src/emu/kernel/fork.ts";
import { defaultRlimits, Kernel, type KernelOptions } from "../../../../src/emu/kernel/kernel.ts";
import { Mm } from "../../../../src/emu/kernel/mm/mm.ts";
import {
  VM_EXEC,
  VM_GROWSDOWN,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_READ,
  VM_WRITE,
  Vma,
} from "../../../../src/emu/kernel/mm/vma.ts";
import { Task } from "../../../../src/emu/kernel/task.ts";
import { copyOut } from "../../../../src/emu/kernel/user.ts";
import { Machine } from "../../../../src/emu/machine/machine.ts";
import { type KIND, KINDS, PATHS, SITES } from "../../../../src/traces/schema/enums.ts";

export const TEXT = 0x0804_8000;
export const DATA = 0x0805_0000;
export const STACK_TOP = 0xbfff_f000;
const STACK_BYTES = 0x2_0000;
/** What a private mapping may become. */
const MAY = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

/** An event as it was told, names instead of numbers. */
export interface Event {
  task: number;
  kind: string;
  nr: number;
  site: string;
  path: string;
  user: number;
  kinstr: number;
  ret?: number;
  flags: number;
  addr?: number;
  parent?: number;
}

/** Keeps the events, and nothing else. */
export class EventList implements Recorder {
  readonly enabled = true;
  readonly watches = true;
  readonly events: Event[] = [];
  enter(e: EventEnter): number {
    this.events.push({
      task: e.task,
      kind: KINDS[e.kind],
      nr: e.nr ?? -1,
      site: SITES[e.site ?? 0],
      path: PATHS[e.path ?? 0],
      user: e.user,
      kinstr: -1,
      flags: e.flags ?? 0,
      addr: e.addr,
      parent: e.parent,
    });
    return this.events.length - 1;
  }
  set(seq: number, fields: EventFields): void {
    const event = this.events[seq];
    if (event !== undefined) event.flags |= fields.flags ?? 0;
  }
  leave(seq: number, end: EventLeave): void {
    const event = this.events[seq];
    if (event === undefined) return;
    event.kinstr = end.kinstr;
    event.ret = end.ret;
  }
  charge(): void {}
  chargeMore(): void {}
  task(): void {}
  taskExit(): void {}
  mm(): void {}
  mmEnd(): void {}
  exec(): void {}
  comm(): void {}
  edge(): void {}
  object(): void {}
  page(): void {}
  mix(): void {}
  running(): void {}
  readonly warnings: string[] = [];
  warning(text: string): void {
    this.warnings.push(text);
  }
  args(): void {}
  finish(): never {
    throw new Error("events are not a trace");
  }
}

export interface World {
  k: Kernel;
  machine: Machine;
  task: Task;
  recorder: EventList;
  /** Runs the program until the call numbered EXIT is made; its EBX is what comes back. */
  run(): number;
  /** A word of the program's memory. */
  word(addr: number): number;
}

/** Call that ends the run: exit_group. */
export const EXIT = 252;

export interface WorldOptions {
  kernel?: KernelOptions["kernel"];
  entry?: KernelOptions["entry"];
  ring: 0 | 3;
  vdsoClock?: boolean;
  /** Timer ticks a second; default 1000, so that spinning is short. */
  hz?: number;
  /** Default: keep the events. */
  recorder?: Recorder;
  options?: EntryOptions;
}

/** Symbols every program may use. */
export function programSymbols(k: Kernel, ku: boolean): Record<string, number> {
  return { vsyscall: k.entry.sysinfo(ku), data: DATA, vdso: VDSO_BASE };
}

/** A machine whose first program is `source`, in the ring asked for. */
export function world(source: string, o: WorldOptions): World {
  const hz = o.hz ?? 1000;
  const kernelOptions: KernelOptions = {
    kernel: o.kernel ?? "kml-4.0",
    entry: o.entry ?? "sysenter",
    ring: o.ring,
    trusted: "all",
    memoryMiB: 16,
    seed: 1,
    hz,
    argv: [],
    env: [],
    cwd: "/",
    vdsoClock: o.vdsoClock ?? true,
    tty: false,
    aslr: false,
    host: new MemoryIo(),
  };
  const machine = new Machine({ ramBytes: 16 << 20, hz });
  const recorder = new EventList();
  const k = new Kernel(kernelOptions, machine, o.recorder ?? recorder);
  // Of what boot() mounts only the terminal is asked for, by the idle task: nobody types.
  k.vfs = { console: { idle: () => false } } as never;
  k.entry = new Entry(k, o.options);
  k.entry.startIdle(k.idle);
  const task = new Task(100, k.ids.task(), undefined, defaultRlimits());
  k.tasks.set(task.pid, task);
  task.ku = o.ring === 0;
  giveStack(k, task);
  const mm = new Mm(k, k.ids.mm());
  task.mm = mm;
  const { vdso, vvar } = k.entry.vdsoPages;
  mm.addVma(new Vma(TEXT, TEXT + 0x4000, VM_READ | VM_EXEC | VM_WRITE | MAY, TEXT >>> 12));
  mm.addVma(new Vma(DATA, DATA + 0x4_0000, VM_READ | VM_WRITE | MAY, DATA >>> 12));
  mm.addVma(
    new Vma(
      STACK_TOP - STACK_BYTES,
      STACK_TOP,
      VM_READ | VM_WRITE | VM_GROWSDOWN | MAY,
      (STACK_TOP - STACK_BYTES) >>> 12,
    ),
  );
  mm.addVma(new Vma(VVAR_BASE, VVAR_BASE + 4096, VM_READ, 0, undefined, undefined, { name: "[vvar]", pfns: vvar }));
  mm.addVma(
    new Vma(VDSO_BASE, VDSO_BASE + 4096, VM_READ | VM_EXEC, 0, undefined, undefined, { name: "[vdso]", pfns: vdso }),
  );
  k.loadMm(mm);
  const { bytes } = assemble(source, { origin: TEXT, symbols: programSymbols(k, task.ku) });
  k.current = task;
  copyOut(k, task, TEXT, bytes);
  copyOut(k, task, STACK_TOP - 64, new Uint8Array(64));
  k.current = k.idle;
  k.entry.startThread(task, TEXT, STACK_TOP - 64);
  k.sched.wakeUpNew(task);
  recorder.events.length = 0;
  return {
    k,
    machine,
    task,
    recorder,
    run: () => {
      let status: number | undefined;
      const hooks = machine.hooks!;
      const { kcall } = hooks;
      machine.hooks = {
        ...hooks,
        kcall: (n) => {
          if (n === 0x20 && k.cpu.r[0] === EXIT) {
            status = k.cpu.r[3];
            machine.stop();
            return;
          }
          kcall(n);
        },
      };
      machine.run();
      if (status === undefined)
        throw new Error(`machine stopped: ${machine.dead}, eip ${(k.cpu.eip >>> 0).toString(16)}`);
      return status;
    },
    word: (addr) => {
      const pte = k.pageTables.get(mm.pgd, addr);
      return k.memory.readPhys32((pte & ~0xfff) + (addr & 0xfff)) | 0;
    },
  };
}

/** Calls `listener` before each execution of a label of the kernel's text, beside whoever listens there already. */
export function watchLabel(w: World, label: string, listener: () => void): void {
  const at = w.k.entry.text.symbols[label];
  if (at === undefined) throw new Error(`no label ${label} in this kernel's text`);
  watch(w, (at >>> 0) - KERNEL_BASE, listener);
}

/** The same for a physical address. */
export function watch(w: World, physical: number, listener: () => void): void {
  const { probes } = w.k.cpu;
  const before = probes.get(physical);
  probes.set(physical, () => {
    before?.();
    listener();
  });
}

/** The events of one kind. */
export function ofKind(events: readonly Event[], kind: keyof typeof KIND): Event[] {
  return events.filter((event) => event.kind === kind);
}
