// From a ring-3 trace alone: what the same run would show in ring 0 of a KML kernel. Ways into the kernel follow from the
// call sites; starvation (the processor or the direct call's stub pushing on a stack page that is absent or read-only, a
// double fault) follows from the stack pointer and the state of its page, which every event carries in every ring.
import { ABI, FLAG, KIND, NR, NR_OF_X86_64, SITE } from "./schema/enums.ts";
import type { Trace } from "./trace.ts";

/** Calls that need the caller's saved registers: a direct call of them builds a frame first (path D). i386 numbers. */
export const SPECIAL_CALLS: ReadonlySet<number> = new Set([
  NR.fork,
  NR.execve,
  NR.sigsuspend,
  NR.iopl,
  NR.sigreturn,
  NR.clone,
  NR.rt_sigreturn,
  NR.rt_sigsuspend,
  NR.sigaltstack,
  NR.vfork,
  NR.execveat,
  NR.clone3,
]);

/** What an entry of a ring-0 run is, coarsely: what is predicted and compared. */
export type EntryClass =
  | "direct"
  | "special"
  | "int80"
  | "sysenter"
  | "sigreturn"
  | "starved"
  | "fault"
  | "kernel-fault"
  | "trap"
  | "vdso";

export interface PredictedEntry {
  readonly class: EntryClass;
  /** Call number or vector. */
  readonly nr: number;
  /** The ring-3 event it follows from. */
  readonly seq: number;
}

export interface Prediction {
  /** Entries of each task, in order. */
  readonly tasks: readonly (readonly PredictedEntry[])[];
  readonly counts: Readonly<Record<EntryClass, number>>;
}

/** Bytes below ESP that each way in pushes on the program's stack (kernel text: stubs, gates). */
export const PUSHED = { direct: 16, gate: 12, fault: 16 } as const;
/** The way out by POPF and RET writes EBP, EFLAGS and EIP below ESP. */
const POPF_WRITES = 12;
const PAGE_SHIFT = 12;

const pageOf = (address: number): number => Math.floor(address / 2 ** PAGE_SHIFT);

/** What ring 0 has done to the stack of one task that ring 3 has not (yet). */
class StackState {
  /** Pages that pushes of ring 0 have made present and writable before the program would have. */
  readonly early = new Set<number>();
  /** Pages that ways out have written below ESP since the stack was last copied or made. */
  readonly exited = new Set<number>();

  /** The stack's pages were just made or became copy-on-write. */
  reset(): void {
    this.early.clear();
    this.exited.clear();
  }

  /** Pages of [sp - bytes, sp). */
  static pages(sp: number, bytes: number): number[] {
    if (Number.isNaN(sp)) return [];
    const upper = pageOf(sp - 4);
    const lower = pageOf(sp - bytes);
    return upper === lower ? [upper] : [upper, lower];
  }

  exits(sp: number): void {
    for (const page of StackState.pages(sp, POPF_WRITES)) this.exited.add(page);
  }
}

/** None of any class. */
export const NO_COUNTS: Readonly<Record<EntryClass, number>> = {
  direct: 0,
  special: 0,
  int80: 0,
  sysenter: 0,
  sigreturn: 0,
  starved: 0,
  fault: 0,
  "kernel-fault": 0,
  trap: 0,
  vdso: 0,
};

/** Predicts the ring-0 run of a program from its ring-3 trace. Interrupts are left out: their moments depend on timing. */
export function predictRing0(trace: Trace): Prediction {
  const predictor = new Predictor(trace);
  for (let seq = 0; seq < trace.events.length; seq++) predictor.event(seq);
  return predictor.result();
}

/** As predictRing0, told entry by entry instead of collected: for long traces. */
export function visitRing0(trace: Trace, visit: (seq: number, entry: EntryClass) => void): void {
  const predictor = new Predictor(trace, visit);
  for (let seq = 0; seq < trace.events.length; seq++) predictor.event(seq);
}

/** How many entries of each class the ring-0 run would show. */
export function ring0Counts(trace: Trace): Readonly<Record<EntryClass, number>> {
  const predictor = new Predictor(trace, () => undefined);
  for (let seq = 0; seq < trace.events.length; seq++) predictor.event(seq);
  return predictor.result().counts;
}

class Predictor {
  readonly #visit: ((seq: number, entry: EntryClass) => void) | undefined;
  readonly #trace: Trace;
  readonly #tasks: PredictedEntry[][];
  readonly #stacks: StackState[];
  /** The task that each event created. */
  readonly #children: ReadonlyMap<number, number>;
  readonly #counts: Record<EntryClass, number> = { ...NO_COUNTS };

  constructor(trace: Trace, visit?: (seq: number, entry: EntryClass) => void) {
    this.#trace = trace;
    this.#visit = visit;
    this.#tasks = trace.tasks.map(() => []);
    this.#stacks = trace.tasks.map(() => new StackState());
    this.#children = new Map(
      trace.tasks.flatMap(({ task, spawnSeq }) => (spawnSeq === null ? [] : [[spawnSeq, task]])),
    );
  }

  result(): Prediction {
    return { tasks: this.#tasks, counts: this.#counts };
  }

  #add(seq: number, entry: EntryClass, nr: number): void {
    if (this.#visit !== undefined) this.#visit(seq, entry);
    else this.#tasks[this.#trace.events.task[seq]].push({ class: entry, nr, seq });
    this.#counts[entry]++;
  }

  event(seq: number): void {
    const e = this.#trace.events;
    switch (e.kind[seq]) {
      case KIND.syscall:
      case KIND.spawn:
      case KIND.exec:
      case KIND.exit:
      case KIND.sigreturn:
        this.#call(seq);
        break;
      case KIND.fault:
        this.#fault(seq);
        break;
      case KIND.vdso:
        this.#add(seq, "vdso", e.nr[seq]);
        break;
    }
  }

  #call(seq: number): void {
    const e = this.#trace.events;
    const nr = e.nr[seq];
    const stack = this.#stacks[e.task[seq]];
    // The first return of a new task is no entry: its way out writes below ESP as its parent's does.
    if (nr < 0) {
      stack.exits(e.sp[seq]);
      return;
    }
    const entry = ring0Class(e.kind[seq], e.site[seq], nr, e.abi[seq]);
    // The processor's own pushes fail before the entry, the stub's after it.
    if (entry === "int80") this.#starve(seq, PUSHED.gate);
    this.#add(seq, entry, nr);
    if (entry !== "int80") this.#starve(seq, PUSHED.direct);
    const own = i386Number(nr, e.abi[seq]);
    if (e.ret[seq] >= 0 && (own === NR.execve || own === NR.execveat)) stack.reset();
    else if (entry !== "direct" && entry !== "sysenter") this.#wayOut(seq, own);
  }

  /** A way out through the common code, which writes below ESP; after a fork the page is copy-on-write there. */
  #wayOut(seq: number, nr: number): void {
    const e = this.#trace.events;
    const stack = this.#stacks[e.task[seq]];
    if (nr === NR.fork || nr === NR.clone || nr === NR.clone3) {
      stack.reset();
      const child = this.#children.get(seq);
      if (child !== undefined) this.#stacks[child].exits(e.sp[seq]);
    }
    stack.exits(e.sp[seq]);
  }

  /** The entry of `seq` pushes `bytes` below ESP: a starvation if a page there is absent or read-only. */
  #starve(seq: number, bytes: number): boolean {
    const e = this.#trace.events;
    if ((e.flags[seq] & (FLAG.esp_absent | FLAG.esp_cow)) === 0) return false;
    const stack = this.#stacks[e.task[seq]];
    const pages = StackState.pages(e.sp[seq], bytes);
    if (pages.length > 0 && pages.every((page) => stack.early.has(page) || this.#absorbed(stack, page, seq)))
      return false;
    for (const page of pages) stack.early.add(page);
    this.#add(seq, "starved", 14);
    return true;
  }

  /** A way out has written to the page since it was made: the kernel took the fault, inside, and the page is there. */
  #absorbed(stack: StackState, page: number, seq: number): boolean {
    if (!stack.exited.has(page)) return false;
    this.#add(seq, "kernel-fault", 14);
    stack.exited.delete(page);
    stack.early.add(page);
    return true;
  }

  #fault(seq: number): void {
    const e = this.#trace.events;
    const nr = e.nr[seq];
    if (e.flags[seq] & FLAG.in_kernel) {
      this.#add(seq, "kernel-fault", nr);
      return;
    }
    const stack = this.#stacks[e.task[seq]];
    const page = pageOf(e.addr[seq]);
    if (nr === 14 && e.flags[seq] & FLAG.stack && (stack.early.has(page) || this.#absorbed(stack, page, seq))) {
      stack.early.delete(page);
      return;
    }
    const starved = this.#starve(seq, PUSHED.fault);
    // The starved push was to the very page that the program asked for: mapping it serves both.
    if (starved && StackState.pages(e.sp[seq], PUSHED.fault).includes(page) && nr === 14) {
      stack.early.delete(page);
      return;
    }
    this.#add(seq, nr === 14 ? "fault" : "trap", nr);
  }
}

/** The class in ring 0 of a call made at a site of that kind. */
function ring0Class(kind: number, site: number, nr: number, abi: number): EntryClass {
  if (kind === KIND.sigreturn) return "sigreturn";
  if (site === SITE.int80) return "int80";
  if (site === SITE.sysenter) return "sysenter";
  return SPECIAL_CALLS.has(i386Number(nr, abi)) ? "special" : "direct";
}

/** The call as one of NR; -1: none of them. */
function i386Number(nr: number, abi: number): number {
  if (abi === ABI.i386 || abi === ABI.unknown) return nr;
  return abi === ABI.x86_64 ? (NR_OF_X86_64.get(nr) ?? -1) : -1;
}
