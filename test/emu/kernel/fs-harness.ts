// A kernel small enough to try the file system's calls on: a clock, frames, user memory, and tasks that run one body.
import { type EventFields, NullRecorder, type Recorder } from "../../../src/emu/capture/recorder.ts";
import { DEFAULT_MODEL } from "../../../src/emu/cpu/models.ts";
import { MemoryIo } from "../../../src/emu/host.ts";
import { CHARGES } from "../../../src/emu/kernel/charges.ts";
import { SysError } from "../../../src/emu/kernel/errno.ts";
import type { FileOps } from "../../../src/emu/kernel/fs/file.ts";
import { FsStruct } from "../../../src/emu/kernel/fs/files.ts";
import { type BindMount, Vfs } from "../../../src/emu/kernel/fs/vfs.ts";
import { defaultRlimits, type Kernel, type Sys } from "../../../src/emu/kernel/kernel.ts";
import { FrameAllocator } from "../../../src/emu/kernel/mm/frames.ts";
import { PageLists } from "../../../src/emu/kernel/mm/lru.ts";
import { Reclaim } from "../../../src/emu/kernel/mm/reclaim.ts";
import { ReverseMap } from "../../../src/emu/kernel/mm/rmap.ts";
import { Swap } from "../../../src/emu/kernel/mm/swap.ts";
import { VmStat } from "../../../src/emu/kernel/mm/vmstat.ts";
import { Random } from "../../../src/emu/kernel/random.ts";
import { Task } from "../../../src/emu/kernel/task.ts";
import { Retry, type Wait, type WakeReason } from "../../../src/emu/kernel/wait.ts";
import { Clock } from "../../../src/emu/machine/clock.ts";
import { Memory, RAM_BASE, USER_READ, USER_WRITE } from "../../../src/emu/machine/memory.ts";
import { type ImageEntry, imageFromBytes } from "../../../src/emu/rootfs/image.ts";

/** Where the harness' user memory lies. */
export const USER = 0x10_0000;
const USER_PAGES = 512;
/** Scratch areas of the calls below. */
const PATH_A = USER + 0x1000;
const PATH_B = USER + 0x3000;
export const BUF = USER + 0x10_000;

/** A file of the root image: text, or a link, or a directory (neither). */
export interface Seed {
  path: string;
  text?: string;
  size?: number;
  link?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  hardlink?: string;
}

const DIRS = ["/", "/etc", "/home", "/tmp", "/usr", "/usr/bin"];

function imageOf(seeds: Seed[]) {
  const entries: ImageEntry[] = DIRS.map((path) => ({
    path,
    mode: 0o040755,
    uid: 0,
    gid: 0,
    mtime: 1000,
    size: 0,
    offset: 0,
  }));
  const parts: { offset: number; bytes: Uint8Array }[] = [];
  let end = 0;
  for (const s of seeds) {
    const bytes = s.text !== undefined ? new TextEncoder().encode(s.text) : new Uint8Array(s.size ?? 0);
    if (s.text === undefined && s.size) for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 8)) & 255;
    const type =
      s.link !== undefined
        ? 0o120777
        : s.text !== undefined || s.size !== undefined || s.hardlink
          ? 0o100644
          : 0o040755;
    const e: ImageEntry = {
      path: s.path,
      mode: s.mode !== undefined ? (type & 0o170000) | s.mode : type,
      uid: s.uid ?? 0,
      gid: s.gid ?? 0,
      mtime: 1000,
      size: bytes.length,
      offset: bytes.length ? end : 0,
    };
    if (s.link !== undefined) {
      e.target = s.link;
      e.size = s.link.length;
    }
    if (s.hardlink) {
      e.hardlink = s.hardlink;
      const first = entries.find((x) => x.path === s.hardlink)!;
      e.size = first.size;
      e.offset = first.offset;
    }
    if (bytes.length) {
      parts.push({ offset: end, bytes });
      end += Math.ceil(bytes.length / 4096) * 4096;
    }
    entries.push(e);
  }
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const data = new Uint8Array(end);
  for (const p of parts) data.set(p.bytes, p.offset);
  return imageFromBytes({ digest: "0".repeat(64), entries, packages: [], dataBytes: end }, data);
}

/** A body in progress. */
export class Running {
  result: number | undefined;
  private generator: Generator<Wait, number, WakeReason> | undefined;
  private waiting: Wait | undefined;
  private readonly box: Box;
  private readonly task: Task;
  private readonly start: () => ReturnType<Sys>;
  private timer: { cancel(): void } | undefined;
  private readonly waiter = { exclusive: false, notify: () => this.wake("woken") };

  constructor(box: Box, task: Task, start: () => ReturnType<Sys>) {
    this.box = box;
    this.task = task;
    this.start = start;
    this.step("woken");
  }

  get blocked(): boolean {
    return this.result === undefined;
  }

  /** A signal comes. */
  interrupt(): void {
    if (this.waiting?.interruptible) this.wake("signal");
  }

  private wake(reason: WakeReason): boolean {
    if (!this.waiting) return false;
    for (const q of this.waiting.queues) q.remove(this.waiter);
    this.timer?.cancel();
    this.waiting = undefined;
    this.box.ready.push(() => this.step(reason));
    return true;
  }

  private step(reason: WakeReason): void {
    this.box.k.current = this.task;
    let wait: Wait;
    try {
      if (!this.generator) {
        const r = this.start();
        if (typeof r === "number") {
          this.result = r;
          return;
        }
        this.generator = r;
      }
      const next = this.generator.next(reason);
      if (next.done) {
        this.result = next.value;
        return;
      }
      wait = next.value;
    } catch (e) {
      if (e instanceof SysError) {
        this.result = -e.errno;
        return;
      }
      if (!(e instanceof Retry)) throw e;
      this.generator = undefined;
      wait = e.wait;
    }
    this.waiting = wait;
    for (const q of wait.queues) q.add(this.waiter);
    if (wait.deadline !== undefined) this.timer = this.box.k.clock.at(wait.deadline, () => this.wake("timeout"));
  }
}

/** Everything a test needs: a kernel, its first task, and calls by name with strings for paths. */
export class Box {
  readonly k: Kernel;
  readonly t: Task;
  readonly io: MemoryIo;
  readonly ready: (() => void)[] = [];
  readonly signals: number[] = [];
  /** Edges that the trace would have: [to task, from seq, kind]. */
  readonly edges: { from: number | undefined; kind: string }[] = [];
  /** What the trace would say of the call in progress, fields of one call joined (flags or-ed). */
  fields: EventFields = {};
  /** Page-cache touches. */
  readonly touches: { obj: number; index: number; write: boolean }[] = [];
  private nextObject = 0;

  constructor(
    seeds: Seed[] = [],
    options: { memoryMiB?: number; input?: string; binds?: BindMount[]; tty?: boolean; record?: boolean } = {},
  ) {
    const memory = new Memory((options.memoryMiB ?? 16) << 20);
    const counter = { icount: 0 };
    this.io = new MemoryIo(new TextEncoder().encode(options.input ?? ""));
    const clock = new Clock(counter);
    const frames = new FrameAllocator(memory.ramBytes, 4 << 20, () => {});
    const lists = new PageLists(frames.total);
    frames.onFree = (pfn) => lists.forget(pfn);
    const vm = new VmStat();
    const swap = new Swap({ frames, lists, vm, u8: memory.u8, ramBase: RAM_BASE, reads() {} }, 0);
    const tasks = new Map<number, Task>();
    const t = new Task(1000, 0, undefined, defaultRlimits());
    tasks.set(1000, t);
    this.t = t;
    const part = {
      memory,
      clock,
      frames,
      lists,
      swap,
      vm,
      oomKills: [],
      mms: new Map(),
      rmap: new ReverseMap(frames.total),
      pageTables: { held: 0 },
      tasks,
      cpu: { invalidateFrame() {}, model: DEFAULT_MODEL },
      options: { hz: 100, seed: 1, tty: options.tty ?? false, aslr: false, cold: true, host: this.io },
      recorder: options.record ? this.recording() : new NullRecorder(),
      random: new Random(1),
      nsPerUnit: 2,
      charges: CHARGES,
      current: t,
      ids: { object: () => this.nextObject++, isOrphanedPgrp: () => false },
      signals: {
        send: (_t: Task, info: { signo: number }) => this.signals.push(info.signo),
        sendPgrp: (_p: number, info: { signo: number }) => this.signals.push(info.signo),
        userInfo: (_t: Task, signo: number) => ({ signo, code: 0, errno: 0 }),
        pendingFor: () => false,
      },
      sched: { switches: 0 },
      onCacheTouch: (_t: Task, obj: number, index: number, write: boolean) => this.touches.push({ obj, index, write }),
      uptimeNs: 0,
      units: (ns: number) => Math.ceil(ns / 2),
      realtime: () => ({ sec: 1_798_761_600 + Math.floor((clock.now() * 2) / 1e9), nsec: (clock.now() * 2) % 1e9 }),
      cause: (kind: string) => ({ kind, from: this.k.current.seq }),
      edge: (_t: Task, cause: { from?: number; kind: string }) =>
        this.edges.push({ from: cause.from, kind: cause.kind }),
      processUsage: (x: Task) => x.usage,
      entry: {},
    };
    const mm = { users: 1 };
    const k = part as unknown as Kernel;
    this.k = Object.assign(k, { reclaim: new Reclaim(k) });
    this.k.loadedMm = mm as never;
    t.mm = mm as never;
    for (let p = 0; p < USER_PAGES; p++) {
      const la = USER + p * 4096;
      for (const array of [USER_READ, USER_WRITE]) memory.tlb[array][la >>> 12] = RAM_BASE + 0x10_0000 + p * 4096 - la;
    }
    this.k.vfs = new Vfs(this.k, imageOf(seeds), options.binds ?? []);
    // There are no threads of the kernel here.
    Object.assign(this.k.vfs.writeBack, { dirtied() {}, throttle: () => null });
    swap.device = this.k.vfs.cache.store.device;
    const root = this.k.vfs.root();
    t.fs = new FsStruct(root, root);
    t.files = this.k.vfs.standardFiles(this.k);
  }

  private recording(): Recorder {
    const set = (_seq: number, f: EventFields) => {
      this.fields = { ...this.fields, ...f, flags: (this.fields.flags ?? 0) | (f.flags ?? 0) };
    };
    return Object.assign(new NullRecorder(), { enabled: true, set }) as unknown as Recorder;
  }

  /** Another task of the machine. */
  task(pid: number, files = this.t.files!.clone()): Task {
    const t = new Task(pid, pid, undefined, defaultRlimits());
    t.mm = this.t.mm;
    t.fs = this.t.fs!.clone();
    t.files = files;
    t.seq = pid;
    this.k.tasks.set(pid, t);
    return t;
  }

  /** Starts a body; it may be blocked afterwards. */
  start(task: Task, fn: Sys, ...args: (number | string)[]): Running {
    const words = args.map((a, i) =>
      typeof a === "number" ? a : this.string(a, i < 2 ? PATH_A + 0x1000 * i : PATH_B + 0x1000 * (i - 2)),
    );
    this.fields = {};
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = words;
    const run = new Running(this, task, () => fn(this.k, task, a, b, c, d, e, f));
    this.settle();
    return run;
  }

  /** Runs what became ready. */
  settle(): void {
    for (let next = this.ready.shift(); next; next = this.ready.shift()) next();
  }

  /** Runs a body to its end, letting time pass while it waits. */
  call(fn: Sys, ...args: (number | string)[]): number {
    return this.callAs(this.t, fn, ...args);
  }

  callAs(task: Task, fn: Sys, ...args: (number | string)[]): number {
    const run = this.start(task, fn, ...args);
    while (run.blocked) {
      const next = this.k.clock.next();
      if (next === Number.POSITIVE_INFINITY) throw new Error("the call waits for ever");
      this.k.clock.jumpTo(next);
      this.k.clock.fireDue();
      this.settle();
    }
    return run.result!;
  }

  /** Lets everything that is due happen. */
  idle(): void {
    for (let next = this.k.clock.next(); next !== Number.POSITIVE_INFINITY; next = this.k.clock.next()) {
      this.k.clock.jumpTo(next);
      this.k.clock.fireDue();
      this.settle();
    }
  }

  private host(addr: number): number {
    return RAM_BASE + 0x10_0000 + (addr - USER);
  }

  bytes(addr: number, n: number): Uint8Array {
    return this.k.memory.u8.subarray(this.host(addr), this.host(addr) + n);
  }

  text(addr: number, n: number): string {
    return String.fromCharCode(...this.bytes(addr, n));
  }

  put(addr: number, bytes: Uint8Array | string): void {
    this.k.memory.u8.set(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes, this.host(addr));
  }

  string(s: string, at: number): number {
    this.put(at, `${s}\0`);
    return at;
  }

  u32(addr: number): number {
    return this.k.memory.view.getUint32(this.host(addr), true);
  }

  setU32(addr: number, value: number): void {
    this.k.memory.view.setUint32(this.host(addr), value, true);
  }

  /** Operations of an open descriptor. */
  ops(fd: number): FileOps {
    return this.t.files!.get(fd)!.ops;
  }
}
