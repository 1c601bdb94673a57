// Counterfactuals: from a ring-3 trace by SYSENTER alone, what the same program's captures by int 0x80 and in ring 0 must show.

import { seenClass } from "../traces/compare-prediction.ts";
import { type EntryClass, predictRing0 } from "../traces/predict.ts";
import { CAUSE, KIND, PATH } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";

/** How a program was captured. */
export type Capture = "sysenter" | "int80" | "ring0";

/** One count of a capture beside what another capture predicts of it. */
export interface Counterfactual {
  readonly program: string;
  /** The capture that is predicted: by its way in, or by its scheduler. */
  readonly capture: string;
  readonly what: string;
  readonly predicted: number;
  readonly seen: number;
  /** Of what was seen; infinite when nothing was. */
  readonly errorPercent: number;
  readonly tolerancePercent: number;
  readonly holds: boolean;
}

/** Largest errors: of ways in, starvation and faults that need no disk; of faults that need it. */
const ENTRY_PERCENT = 2;
const MAJOR_PERCENT = 10;

type Counts = Map<string, number>;

const add = (counts: Counts, what: string): void => {
  counts.set(what, (counts.get(what) ?? 0) + 1);
};

/** The name of a fault that was taken. */
function faultName(trace: Trace, seq: number): string {
  return trace.events.cause[seq] === CAUSE.major ? "major faults" : "minor faults";
}

/** Ways in whose names differ between the rings. */
const ENTRIES: ReadonlySet<EntryClass> = new Set([
  "direct",
  "special",
  "int80",
  "sysenter",
  "sigreturn",
  "starved",
  "vdso",
]);

/** What ring 0 must show. A starved push and the fault that it becomes are one of each. */
function predictedInRing0(trace: Trace): Counts {
  const counts: Counts = new Map();
  for (const task of predictRing0(trace).tasks) {
    for (const { class: entry, seq } of task) {
      if (ENTRIES.has(entry)) add(counts, entry);
      else if (entry === "fault" || entry === "kernel-fault")
        add(counts, trace.events.kind[seq] === KIND.fault ? faultName(trace, seq) : "minor faults");
    }
  }
  return counts;
}

function seenInRing0(trace: Trace): Counts {
  const counts: Counts = new Map();
  for (let seq = 0; seq < trace.events.length; seq++) {
    const entry = seenClass(trace, seq);
    if (entry === undefined) continue;
    if (ENTRIES.has(entry)) add(counts, entry);
    else if (entry !== "trap") add(counts, faultName(trace, seq));
  }
  return counts;
}

/** Ways of a ring-3 trace; `vsyscall`: what calls through the vsyscall page are counted as. */
function waysIn(trace: Trace, vsyscall: string): Counts {
  const counts: Counts = new Map();
  const { kind, nr, path } = trace.events;
  for (let seq = 0; seq < trace.events.length; seq++) {
    if (kind[seq] === KIND.fault) add(counts, faultName(trace, seq));
    else if (kind[seq] === KIND.vdso) add(counts, "vdso");
    else if (kind[seq] === KIND.sigreturn) add(counts, "sigreturn");
    else if (nr[seq] >= 0 && (path[seq] === PATH.A || path[seq] === PATH.B))
      add(counts, path[seq] === PATH.B ? vsyscall : "int80");
  }
  return counts;
}

function compared(program: string, capture: Capture, predicted: Counts, seen: Counts): Counterfactual[] {
  const names = [...new Set([...predicted.keys(), ...seen.keys()])].sort();
  return names.map((what) => {
    const [p, s] = [predicted.get(what) ?? 0, seen.get(what) ?? 0];
    const errorPercent = p === s ? 0 : (100 * (p - s)) / s;
    const tolerancePercent = what === "major faults" ? MAJOR_PERCENT : ENTRY_PERCENT;
    const holds = Math.abs(errorPercent) <= tolerancePercent;
    return { program, capture, what, predicted: p, seen: s, errorPercent, tolerancePercent, holds };
  });
}

/** How a trace was captured; undefined: not by the emulator, under a scheduler other than its own, or in a way that is not compared. */
export function captureOf(trace: Trace): Capture | undefined {
  const { ring, entry, scheduler } = trace.meta;
  if (scheduler !== undefined) return undefined;
  if (ring === 0) return "ring0";
  if (ring !== 3) return undefined;
  return entry === "sysenter" || entry === "int80" ? entry : undefined;
}

/** Compares every capture of a program with what its capture by SYSENTER predicts. */
export function counterfactuals(traces: readonly { readonly name: string; readonly trace: Trace }[]): Counterfactual[] {
  return traces
    .filter(({ trace }) => captureOf(trace) === "sysenter")
    .flatMap(({ name, trace }) => {
      const same = JSON.stringify(trace.meta.argv);
      const others = traces.filter((other) => other.trace !== trace && JSON.stringify(other.trace.meta.argv) === same);
      return others.flatMap((other) => {
        const capture = captureOf(other.trace);
        if (capture === "ring0") return compared(name, capture, predictedInRing0(trace), seenInRing0(other.trace));
        if (capture === "int80")
          return compared(name, capture, waysIn(trace, "int80"), waysIn(other.trace, "sysenter"));
        return [];
      });
    });
}

/** Two captures of one command in the same machine, but for its memory or its scheduler. */
export function sameBut(what: "memory" | "scheduler", a: Trace, b: Trace): boolean {
  const machine = ({ meta }: Trace) => {
    const { argv, ring, entry, kernel, hz, seed } = meta;
    return JSON.stringify([argv, ring, entry, kernel, hz, seed, what === "memory" ? meta.scheduler : meta.memory]);
  };
  return machine(a) === machine(b);
}
