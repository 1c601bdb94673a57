// A ring-0 trace beside what a ring-3 trace of the same program predicts of it: every difference named, with its reason where the rules of
// the mechanism have one.
import { type EntryClass, NO_COUNTS, type PredictedEntry, PUSHED, predictRing0 } from "./predict.ts";
import { ACCESS, CAUSE, CAUSES, FLAG, KIND, PATH, PATHS } from "./schema/enums.ts";
import type { Trace } from "./trace.ts";

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
