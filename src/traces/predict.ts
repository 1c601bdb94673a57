// From a ring-3 trace alone: what the same run would show in ring 0 of a KML kernel. Ways into the kernel follow from the
// call sites; starvation (the processor or the direct call's stub pushing on a stack page that is absent or read-only, a
// double fault) follows from the stack pointer and the state of its page, which every event carries in every ring.
import { ABI, ACCESS, CAUSE, CAUSES, FLAG, KIND, NR, PATH, PATHS, SITE } from "./schema/enums.ts";
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
const PUSHED = { direct: 16, gate: 12, fault: 16 } as const;
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

const NO_COUNTS: Readonly<Record<EntryClass, number>> = {
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
    if (!numbersI386(e.abi[seq])) return;
    if (e.ret[seq] >= 0 && (nr === NR.execve || nr === NR.execveat)) stack.reset();
    else if (entry !== "direct" && entry !== "sysenter") this.#wayOut(seq, nr);
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
  return SPECIAL_CALLS.has(nr) && numbersI386(abi) ? "special" : "direct";
}

/** Whether call numbers are those of NR. */
function numbersI386(abi: number): boolean {
  return abi === ABI.i386 || abi === ABI.unknown;
}

/** The class that an event of a ring-0 trace shows; undefined for what is not compared (interrupts, switches, first returns). */
export function seenClass(trace: Trace, seq: number): EntryClass | undefined {
  const e = trace.events;
  switch (e.kind[seq]) {
    case KIND.sigreturn:
      return "sigreturn";
    case KIND.vdso:
      return "vdso";
    case KIND.fault:
      if (e.path[seq] === PATH.H) return "starved";
      if (e.flags[seq] & FLAG.in_kernel) return "kernel-fault";
      return e.nr[seq] === 14 ? "fault" : "trap";
    case KIND.syscall:
    case KIND.spawn:
    case KIND.exec:
    case KIND.exit:
      if (e.nr[seq] < 0) return undefined;
      return CLASS_OF_PATH[PATHS[e.path[seq]]];
    default:
      return undefined;
  }
}

const CLASS_OF_PATH: Readonly<Record<string, EntryClass>> = {
  A: "int80",
  B: "sysenter",
  C: "direct",
  D: "special",
  E: "int80",
};

/** One difference between what was predicted and what a ring-0 trace shows. */
export interface Difference {
  readonly task: number;
  /** Place in the task's sequence of entries. */
  readonly at: number;
  /** added: seen, not predicted; missing: predicted, not seen; moved: both, but at another place. */
  readonly kind: "added" | "missing" | "moved";
  /** Class and number of the entry. */
  readonly entry: string;
  /** Why, where the rules of the mechanism say so; else null. */
  readonly reason: string | null;
  /** What the trace itself says of the event. */
  readonly note: string;
}

export interface Comparison {
  readonly predicted: Readonly<Record<EntryClass, number>>;
  readonly seen: Readonly<Record<EntryClass, number>>;
  readonly differences: readonly Difference[];
  /** Whether every difference has a reason. */
  readonly explained: boolean;
}

const VECTOR_NM = 7;

/** Compares the prediction from `ring3` with what `ring0`, a run of the same program, shows; every difference is named. */
export function comparePrediction(ring3: Trace, ring0: Trace): Comparison {
  const prediction = predictRing0(ring3);
  const seen = ring0.tasks.map(() => [] as PredictedEntry[]);
  const counts: Record<EntryClass, number> = { ...NO_COUNTS };
  for (let seq = 0; seq < ring0.events.length; seq++) {
    const entry = seenClass(ring0, seq);
    if (entry === undefined) continue;
    seen[ring0.events.task[seq]].push({ class: entry, nr: ring0.events.nr[seq], seq });
    counts[entry]++;
  }
  const differences: Difference[] = [];
  for (let task = 0; task < Math.max(seen.length, prediction.tasks.length); task++) {
    const [one, two] = [prediction.tasks[task] ?? [], seen[task] ?? []];
    differences.push(...nameDifferences(task, align(one, two), two, ring3, ring0));
  }
  return {
    predicted: prediction.counts,
    seen: counts,
    differences,
    explained: differences.every((d) => d.reason !== null),
  };
}

interface Unmatched {
  readonly at: number;
  readonly predicted?: PredictedEntry;
  readonly seen?: PredictedEntry;
}

/** Says of each unmatched entry what it is; one that stands unmatched on both sides has only moved. */
function nameDifferences(
  task: number,
  unmatched: readonly Unmatched[],
  seen: readonly PredictedEntry[],
  ring3: Trace,
  ring0: Trace,
): Difference[] {
  const missing = new Map<string, number>();
  for (const { predicted: p } of unmatched) if (p) missing.set(key(p), (missing.get(key(p)) ?? 0) + 1);
  const moved = new Map<string, number>();
  const result: Difference[] = [];
  const why = reasons(task, seen, ring3, ring0);
  for (const { at, seen: s } of unmatched) {
    if (s === undefined) continue;
    const left = missing.get(key(s)) ?? 0;
    if (left > 0) {
      missing.set(key(s), left - 1);
      moved.set(key(s), (moved.get(key(s)) ?? 0) + 1);
    }
    const kind = left > 0 ? "moved" : "added";
    result.push({ task, at, kind, entry: key(s), reason: why(kind, s), note: note(ring0, s) });
  }
  for (const { at, predicted: p } of unmatched) {
    if (p === undefined) continue;
    const left = moved.get(key(p)) ?? 0;
    if (left > 0) moved.set(key(p), left - 1);
    else result.push({ task, at, kind: "missing", entry: key(p), reason: why("missing", p), note: note(ring3, p) });
  }
  return result;
}

const key = (entry: PredictedEntry): string => `${entry.class} ${entry.nr}`;

/** What the rules of the mechanism say about a difference in a task; null: nothing. */
function reasons(
  task: number,
  seen: readonly PredictedEntry[],
  ring3: Trace,
  ring0: Trace,
): (kind: Difference["kind"], entry: PredictedEntry) => string | null {
  const shift = stackShift(task, ring3, ring0);
  const untrusted = ring0.execs.filter((exec) => exec.task === task && exec.ring === 3).map(({ exe }) => exe ?? "?");
  if (ring0.tasks[task]?.ring === 3) untrusted.push(ring0.tasks[task].exe ?? "?");
  const firstStarved = seen.find((entry) => entry.class === "starved")?.seq ?? Number.POSITIVE_INFINITY;
  return (kind, entry) => {
    if (kind === "added" && entry.class === "trap" && entry.nr === VECTOR_NM && firstStarved < entry.seq)
      return "the task switch of a double fault sets CR0.TS: the next x87 instruction traps";
    if (untrusted.length > 0)
      return `${untrusted[0]} ran in ring 3: not an executable of /trusted (a script runs the interpreter that its #! names)`;
    if (kind === "moved" && entry.class === "fault" && inVsyscallPage(ring0, entry.seq))
      return "the vsyscall page is first executed at another moment: a trap returns through it, a direct call does not";
    const paging = entry.class === "fault" || entry.class === "kernel-fault" || entry.class === "starved";
    if (shift !== 0 && (paging || kind === "moved"))
      return `the stack begins ${Math.abs(shift)} bytes ${shift < 0 ? "lower" : "higher"} in ring 0 (other arguments or environment), so data lie in other pages`;
    return null;
  };
}

/** How much higher the stack pointer of a task's first event is in ring 0. */
function stackShift(task: number, ring3: Trace, ring0: Trace): number {
  const [one, two] = [ring3, ring0].map(({ events: e }) => {
    for (let seq = 0; seq < e.length; seq++) if (e.task[seq] === task && !Number.isNaN(e.sp[seq])) return e.sp[seq];
    return Number.NaN;
  });
  // Within these bytes the ways in differ by what they have pushed already.
  return Math.abs(two - one) > PUSHED.direct ? two - one : 0;
}

/** A page that is executed and belongs to no file is the vsyscall page. */
function inVsyscallPage({ events: e }: Trace, seq: number): boolean {
  return e.access[seq] === ACCESS.x && e.cause[seq] === CAUSE.file && e.obj[seq] < 0;
}

/** How far ahead to look for the place where two sequences meet again. */
const LOOK_AHEAD = 64;

/** What of two sequences has no partner in the other when both are read from the start. */
function align(predicted: readonly PredictedEntry[], seen: readonly PredictedEntry[]): Unmatched[] {
  const same = (p: PredictedEntry | undefined, s: PredictedEntry | undefined) =>
    p?.class === s?.class && p?.nr === s?.nr;
  const unmatched: Unmatched[] = [];
  let i = 0;
  let j = 0;
  while (i < predicted.length || j < seen.length) {
    if (i < predicted.length && j < seen.length && same(predicted[i], seen[j])) {
      i++;
      j++;
      continue;
    }
    const [skipPredicted, skipSeen] = nextMeeting(predicted, i, seen, j, same);
    for (let k = 0; k < skipPredicted; k++) unmatched.push({ at: i + k, predicted: predicted[i + k] });
    for (let k = 0; k < skipSeen; k++) unmatched.push({ at: j + k, seen: seen[j + k] });
    i += skipPredicted;
    j += skipSeen;
  }
  return unmatched;
}

/** The fewest entries to pass over on either side until two in a row agree again. */
function nextMeeting(
  predicted: readonly PredictedEntry[],
  i: number,
  seen: readonly PredictedEntry[],
  j: number,
  same: (p: PredictedEntry | undefined, s: PredictedEntry | undefined) => boolean,
): [number, number] {
  const leftP = predicted.length - i;
  const leftS = seen.length - j;
  for (let total = 1; total <= Math.min(2 * LOOK_AHEAD, leftP + leftS); total++) {
    for (let a = Math.min(total, leftP); a >= 0; a--) {
      const b = total - a;
      if (b > leftS) break;
      const end = a === leftP || b === leftS;
      if (
        end
          ? a === leftP && b === leftS
          : same(predicted[i + a], seen[j + b]) && same(predicted[i + a + 1], seen[j + b + 1])
      )
        return [a, b];
    }
  }
  return [Math.min(1, leftP), Math.min(1, leftS)];
}

function note(trace: Trace, { seq }: PredictedEntry): string {
  const e = trace.events;
  const parts = [`seq ${seq}`];
  if (e.kind[seq] === KIND.fault) {
    if (!Number.isNaN(e.addr[seq])) parts.push(`address 0x${e.addr[seq].toString(16)}`);
    if (e.cause[seq] !== CAUSE.unknown) parts.push(CAUSES[e.cause[seq]]);
  }
  return parts.join(", ");
}
