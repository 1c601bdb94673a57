// The kernel's root object: what every subsystem finds the others through, and the run from boot to the first program's end.
import { EDGE } from "../../traces/schema/enums.ts";
import type { Recorder } from "../capture/recorder.ts";
import type { Cpu } from "../cpu/cpu.ts";
import type { HostIo } from "../host.ts";
import { type Clock, NS_PER_UNIT } from "../machine/clock.ts";
import type { Machine } from "../machine/machine.ts";
import type { Memory } from "../machine/memory.ts";
import type { RootImage } from "../rootfs/image.ts";
import { CHARGES, type Charges } from "./charges.ts";
import { BOOT_TIME_MS, FIRST_PID } from "./constants.ts";
import { Entry } from "./entry/entry.ts";
import { FIRST_FREE_FRAME } from "./entry/layout.ts";
import { spawnInit } from "./exec/init.ts";
import { objectOf } from "./fs/trace.ts";
import { type BindMount, Vfs } from "./fs/vfs.ts";
import { Futexes } from "./futex.ts";
import { PiFutexes } from "./futex_pi.ts";
import { Ids } from "./ids.ts";
import { Ipc } from "./ipc/sysv.ts";
import { FrameAllocator } from "./mm/frames.ts";
import { PageLists } from "./mm/lru.ts";
import type { Mm } from "./mm/mm.ts";
import type { OomKill } from "./mm/oom.ts";
import { PageTables } from "./mm/pagetable.ts";
import { Reclaim } from "./mm/reclaim.ts";
import { ReverseMap } from "./mm/rmap.ts";
import { Swap } from "./mm/swap.ts";
import type { Vma } from "./mm/vma.ts";
import { VmStat } from "./mm/vmstat.ts";
import { Random } from "./random.ts";
import { Scheduler, type SysResult } from "./sched.ts";
import type { SchedulerName } from "./schedulers/schedulers.ts";
import { Signals } from "./signal.ts";
import { type CpuTimes, RLIM_INFINITY, RLIMIT, type Rlimit, Task, TI_FLAGS, type Usage } from "./task.ts";
import { Timers } from "./time.ts";
import { addUsage } from "./usage.ts";
import type { WakeCause } from "./wait.ts";
import { NmiWatchdog } from "./watchdog.ts";

export { BOOT_TIME_MS, FIRST_PID } from "./constants.ts";
export type { SysResult } from "./sched.ts";
/** A system call's body: arguments are int32; errors as -errno or SysError. */
export type Sys = (k: Kernel, t: Task, a: number, b: number, c: number, d: number, e: number, f: number) => SysResult;

export interface KernelOptions {
  /** Which entry mechanism: none of KML's, 4.0's as intended, 4.0's with its published bugs, or the direct call of 2003. */
  kernel: "linux" | "kml-4.0" | "kml-4.0-published" | "kml-2003";
  /** How the vsyscall page enters from ring 3. */
  entry: "int80" | "sysenter";
  /** Ring of the first program; 0 also puts /trusted entries first in PATH. */
  ring: 0 | 3;
  /** Whether the first program's children may run in ring 0 too. */
  trusted: "all" | "program";
  memoryMiB: number;
  /** Size of the swap area; default: twice the memory. */
  swapMiB?: number;
  /** Seed of everything random in the guest. */
  seed: number;
  /** Timer interrupts a second. */
  hz: number;
  /** Who runs when; default: this kernel's own way. */
  scheduler?: SchedulerName;
  /** NMIs look after the timer's interrupts. */
  nmiWatchdog?: boolean;
  argv: string[];
  env: string[];
  cwd: string;
  /** Whether the vDSO's clock functions read the clock without a call. */
  vdsoClock: boolean;
  /** Whether the standard streams are a terminal. */
  tty: boolean;
  /** The stacks of ring-0 programs are made present, and their own after fork, before anything is pushed there. */
  touchedStack?: boolean;
  /** Seeded random load addresses; fixed ones if false. */
  aslr: boolean;
  /** Files of the root image are read from the disk when first touched; else they are in the page cache from the start. */
  cold?: boolean;
  host: HostIo;
  /** Say where in kmlab a failure of the kernel itself happened. */
  debug?: boolean;
}

const MOST_MESSAGES = 100;

/** How a run ended. */
export type ExitInfo =
  | { kind: "exit"; code: number }
  | { kind: "signal"; signal: number; core: boolean }
  /** The machine will never run again; `bug`: kmlab itself failed, and where. */
  | { kind: "dead"; reason: string; bug?: string }
  /** It was to run no further: a limit, or somebody's wish. */
  | { kind: "stopped"; by: "instructions" | "seconds" | "interrupt"; limit?: number }
  | { kind: "exec"; errno: number; path: string };

export class Kernel {
  readonly options: KernelOptions;
  readonly machine: Machine;
  readonly cpu: Cpu;
  readonly memory: Memory;
  readonly clock: Clock;
  readonly recorder: Recorder;
  /** ns per clock unit. */
  readonly nsPerUnit = NS_PER_UNIT;
  readonly charges: Charges = CHARGES;
  readonly frames: FrameAllocator;
  readonly pageTables: PageTables;
  /** What is known of each frame: its lists, its mappings; and what became of pages. */
  readonly lists: PageLists;
  readonly rmap: ReverseMap;
  readonly swap: Swap;
  readonly reclaim: Reclaim;
  readonly vm = new VmStat();
  /** Address spaces by the frame of their page directory. */
  readonly mms = new Map<number, Mm>();
  /** Processes that were killed for lack of memory. */
  readonly oomKills: OomKill[] = [];
  readonly ids: Ids;
  readonly random: Random;
  readonly sched: Scheduler;
  readonly signals: Signals;
  readonly futexes = new Futexes();
  readonly piFutexes = new PiFutexes(this);
  readonly ipc = new Ipc();
  readonly time: Timers;
  /** By pid; zombies included. */
  readonly tasks = new Map<number, Task>();
  /** Pid 1: takes orphans and forgets them when they end. */
  readonly init: Task;
  readonly idle: Task;
  current: Task;
  /** The address space that CR3 holds; undefined: the kernel's own. */
  loadedMm: Mm | undefined;
  /** Mounted by boot(). */
  vfs!: Vfs;
  entry!: Entry;
  /** Calls made to numbers without a body. */
  readonly missing = new Map<number, number>();
  /** Set when the first program is gone. */
  exitInfo: ExitInfo | undefined;
  /** The first program. */
  firstTask: Task | undefined;
  /** Whether the first program's own execve is behind us (--trusted program). */
  firstExecDone = false;
  /** Tasks made since boot: /proc/stat. */
  forks = 0;
  /** What the kernel has said of things that went wrong. */
  readonly messages: string[] = [];
  watchdog: NmiWatchdog | undefined;
  /** Called when the kernel itself touches a user page on the slow path; set by a capture. */
  onKernelTouch: ((t: Task, la: number, pfn: number, write: boolean) => void) | null = null;
  /** Called when a call touches a page of a file's cache; set by a capture. */
  onCacheTouch: ((t: Task, obj: number, index: number, write: boolean) => void) | null = null;
  nodename = "kmlab";
  domainname = "(none)";

  constructor(options: KernelOptions, machine: Machine, recorder: Recorder) {
    this.options = options;
    this.machine = machine;
    this.cpu = machine.cpu;
    this.memory = machine.memory;
    this.clock = machine.clock;
    this.recorder = recorder;
    this.random = new Random(options.seed);
    this.ids = new Ids(this, FIRST_PID);
    this.frames = new FrameAllocator(this.memory.ramBytes, FIRST_FREE_FRAME * 4096, (pfn) =>
      this.cpu.invalidateFrame(pfn),
    );
    this.lists = new PageLists(this.frames.total);
    this.frames.onFree = (pfn) => this.lists.forget(pfn);
    this.rmap = new ReverseMap(this.frames.total);
    this.pageTables = new PageTables(this.memory, this.frames, this.rmap, this.lists);
    this.swap = new Swap(
      {
        frames: this.frames,
        lists: this.lists,
        vm: this.vm,
        u8: this.memory.u8,
        ramBase: this.memory.ramBase,
        reads: (slot, ahead) => this.reclaim.noteSwapIn(slot, ahead),
      },
      (options.swapMiB ?? 2 * options.memoryMiB) * 0x10_0000,
    );
    this.reclaim = new Reclaim(this);
    this.sched = new Scheduler(this);
    this.signals = new Signals(this);
    this.time = new Timers(this);
    this.idle = new Task(0, this.ids.task(), undefined, defaultRlimits());
    this.idle.comm = "swapper";
    this.init = new Task(1, this.ids.task(), undefined, defaultRlimits());
    this.init.comm = "init";
    this.init.state = "uninterruptible";
    this.tasks.set(1, this.init);
    this.current = this.idle;
  }

  /** Nanoseconds since boot. */
  get uptimeNs(): number {
    return this.clock.now() * this.nsPerUnit;
  }

  /** Clock units of a time in ns, rounded up. */
  units(ns: number): number {
    return Math.ceil(ns / this.nsPerUnit);
  }

  /** CLOCK_REALTIME: seconds since 1970 and nanoseconds. */
  realtime(): { sec: number; nsec: number } {
    const ns = this.uptimeNs;
    return { sec: BOOT_TIME_MS / 1000 + Math.floor(ns / 1e9), nsec: ns % 1e9 };
  }

  /** Sets a bit of a task's thread_info.flags, also in guest memory, where the exit paths test it. */
  setThreadFlag(t: Task, bit: number): void {
    t.flags |= bit;
    this.mirrorFlags(t);
  }

  clearThreadFlag(t: Task, bit: number): void {
    t.flags &= ~bit;
    this.mirrorFlags(t);
  }

  private mirrorFlags(t: Task): void {
    if (t.kstackPfn >= 0) this.memory.writePhys32(t.kstackPfn * 4096 + TI_FLAGS, t.flags);
  }

  /** Records that the task's current event depended on `cause`. */
  edge(t: Task, cause: WakeCause): void {
    if (t.seq >= 0) this.recorder.edge(t.seq, cause.from, EDGE[cause.kind], cause.delay);
  }

  /** A cause that names the current task's event. */
  cause(kind: WakeCause["kind"], delay?: number): WakeCause {
    return { from: this.current.seq >= 0 ? this.current.seq : undefined, kind, delay };
  }

  /** Puts an address space on the CPU; undefined: the kernel's own. */
  loadMm(mm: Mm | undefined): void {
    this.loadedMm = mm;
    this.pageTables.load(this.cpu, mm?.pgd);
    this.entry.loadCr3(this.cpu.cr3);
  }

  /** Processor time of a process, ended threads included, in clock units. */
  processTimes(t: Task): CpuTimes {
    const { user, system } = this.processUsage(t);
    return { user, system };
  }

  /** What a process has used so far. */
  processUsage(t: Task): Usage {
    const sum = { ...t.signal.usage };
    for (const thread of t.signal.threads) if (thread.alive) addUsage(sum, thread.usage);
    sum.maxRss = Math.max(sum.maxRss, t.mm?.peakRss ?? 0);
    return sum;
  }

  /** The trace's number for what an area maps; -1 for anonymous memory and when nothing is recorded. */
  objectOf(vma: Vma): number {
    return vma.file === undefined || !this.recorder.enabled ? -1 : objectOf(this, vma.file.inode, vma.file.path);
  }

  /** A file lost its pages from `first` on: every address space that maps it must fault again. */
  unmapFile(mapping: { readonly vmas: Set<unknown> }, first: number): void {
    for (const mm of mapping.vmas) (mm as Mm).unmapMapping(mapping, first);
  }

  /**
   * Lays out the kernel, mounts the root and makes the first task; nothing runs yet.
   * @param binds host directories in the guest's tree
   */
  boot(image: RootImage, binds: readonly BindMount[] = []): void {
    this.entry = new Entry(this);
    this.vfs = new Vfs(this, image, binds);
    this.swap.device = this.vfs.cache.store.device;
    this.pageTables.makeRoom = () => this.reclaim.makeRoom();
    this.reclaim.start();
    this.entry.startIdle(this.idle);
    if (this.options.nmiWatchdog) this.watchdog = new NmiWatchdog(this);
    spawnInit(this);
    this.machine.pit.start();
  }

  /** An entry that led to a frame is gone: its reference goes, and what nobody else has or can find again is free. */
  putMapped(pfn: number): void {
    const { frames, swap } = this;
    frames.put(pfn);
    const slot = swap.slotOf[pfn];
    if (slot >= 0 && this.lists.page[pfn] === undefined && frames.refs(pfn) === 1 && swap.users(slot) === 0)
      swap.uncache(pfn);
    this.reclaim.putBack(pfn);
  }

  /** Whether a page of private memory may be written in place: nobody else maps it or will find it in swap. */
  isOnlyUser(pfn: number): boolean {
    const slot = this.swap.slotOf[pfn];
    return slot < 0 ? this.frames.refs(pfn) === 1 : this.frames.refs(pfn) === 2 && this.swap.users(slot) === 0;
  }

  /** A message of the kernel: for whoever ran the program, and for readers of its trace. */
  say(text: string): void {
    if (this.messages.length >= MOST_MESSAGES) return;
    this.messages.push(text);
    this.recorder.warning(text);
  }

  /** The first program is gone: the run is over. */
  firstTaskGone(status: number): void {
    const signal = status & 0x7f;
    this.end(
      signal === 0
        ? { kind: "exit", code: (status >> 8) & 0xff }
        : { kind: "signal", signal, core: (status & 0x80) !== 0 },
    );
  }

  /** The run is over; the first reason counts. */
  end(exit: ExitInfo): void {
    this.exitInfo ??= exit;
    this.machine.stop();
  }

  /** Runs until the first program is gone or the machine is dead. Never throws for anything a guest does. */
  run(): ExitInfo {
    try {
      if (this.exitInfo === undefined) this.machine.run();
    } catch (e) {
      if (!(e instanceof Error)) throw e;
      const reason = `kernel bug: ${e.message}${this.options.debug ? `\n${e.stack}` : ""}`;
      this.exitInfo = { kind: "dead", reason, bug: e.stack ?? e.message };
    }
    return this.exitInfo ?? { kind: "dead", reason: this.machine.dead ?? "the machine stopped" };
  }
}

/** Limits of the first program, as a Debian login has them. */
export function defaultRlimits(): Rlimit[] {
  const all: Rlimit[] = Array.from({ length: 16 }, () => ({ cur: RLIM_INFINITY, max: RLIM_INFINITY }));
  all[RLIMIT.STACK] = { cur: 8 << 20, max: RLIM_INFINITY };
  all[RLIMIT.CORE] = { cur: 0, max: RLIM_INFINITY };
  all[RLIMIT.NPROC] = { cur: 4096, max: 4096 };
  all[RLIMIT.NOFILE] = { cur: 1024, max: 1_048_576 };
  all[RLIMIT.MEMLOCK] = { cur: 8 << 20, max: 8 << 20 };
  all[RLIMIT.SIGPENDING] = { cur: 4096, max: 4096 };
  all[RLIMIT.MSGQUEUE] = { cur: 819_200, max: 819_200 };
  all[RLIMIT.NICE] = { cur: 0, max: 0 };
  all[RLIMIT.RTPRIO] = { cur: 0, max: 0 };
  return all;
}
