// Page touches: the first of each page in each epoch, in order, seen where the CPU fills its page arrays. At the start of an
// epoch the arrays are dropped, so that every page still in use is seen again.
import { ACCESS, SOURCE } from "../../traces/schema/enums.ts";
import type { Cpu } from "../cpu/cpu.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { Task } from "../kernel/task.ts";
import type { TraceRecorder } from "./trace-recorder.ts";

/** From here up linear addresses are the kernel's. */
const TASK_SIZE = 0xc000_0000;
/** Below an instruction pointer the program runs, in whatever ring; at or above it the kernel's guest code does. */
const isKernelCode = (eip: number): boolean => eip >>> 0 >= TASK_SIZE;

/** What this needs of the kernel. */
export type PageHost = Pick<Kernel, "current" | "loadedMm" | "objectOf"> & { readonly cpu: Cpu };

export class PageCapture {
  epoch = 0;
  readonly #host: PageHost;
  readonly #recorder: TraceRecorder;
  /** Pages seen in this epoch: (mm, page) to 1 read, 3 written. */
  readonly #seen = new Map<number, number>();

  constructor(host: PageHost, recorder: TraceRecorder) {
    this.#host = host;
    this.#recorder = recorder;
  }

  /** A new epoch begins: forget what was seen and have the CPU fill its arrays anew. */
  beginEpoch(epoch: number): void {
    this.epoch = epoch;
    this.#seen.clear();
    this.#host.cpu.memory.dropEntries(false);
  }

  /** The CPU filled an entry for linear address `la`, whose frame is `pfn`. */
  filled(la: number, pfn: number, write: boolean): void {
    const linear = la >>> 0;
    if (linear >= TASK_SIZE) return;
    const eip = this.#host.cpu.eip >>> 0;
    const kernel = isKernelCode(eip);
    const fetch = !write && linear >>> 12 === eip >>> 12;
    this.#touch(this.#host.current, linear, pfn, write, fetch, kernel);
  }

  /** A kernel body read or wrote user memory. */
  copied(task: Task, la: number, pfn: number, write: boolean): void {
    this.#touch(task, la >>> 0, pfn, write, false, true);
  }

  /** A call touched a page of the page cache; every touch is kept, in order. */
  cacheTouched(task: Task, obj: number, index: number, write: boolean): void {
    const { epoch } = this;
    const instr = this.#recorder.progress(task.id, true);
    const access = write ? ACCESS.w : ACCESS.r;
    this.#recorder.page({ task: task.id, epoch, instr, obj, index, access, source: SOURCE.cache, dirty: write });
  }

  #touch(task: Task, linear: number, pfn: number, write: boolean, fetch: boolean, kernel: boolean): void {
    const mm = task.mm ?? this.#host.loadedMm;
    if (mm === undefined) return;
    const key = mm.id * 0x10_0000 + (linear >>> 12);
    const before = this.#seen.get(key) ?? 0;
    const after = before | (write ? 3 : 1);
    if (after === before) return;
    this.#seen.set(key, after);
    const vma = mm.vmas.find(linear);
    if (vma === undefined || linear < vma.start) return;
    const index = vma.indexOf(linear);
    // A private page that was copied on write is no longer the file's.
    const cached = vma.mapping?.cached(index)?.pfn === pfn;
    const obj = cached ? this.#host.objectOf(vma) : -1;
    this.#recorder.page({
      mm: mm.id,
      task: task.id,
      epoch: this.epoch,
      instr: this.#recorder.progress(task.id, kernel),
      obj: obj < 0 ? undefined : obj,
      index: obj < 0 ? linear >>> 12 : index,
      access: write ? ACCESS.w : fetch ? ACCESS.x : ACCESS.r,
      source: kernel ? SOURCE.copy : SOURCE.user,
      dirty: write,
    });
  }
}
