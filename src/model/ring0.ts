// What each event of a trace would be in ring 0: seen in a ring-0 trace, predicted from any other.
import { visitRing0 } from "../traces/predict.ts";
import { FLAG, FLAGS_UNKNOWN, KIND, PATH } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { TRAIT } from "./shapes.ts";

/** Did program code of this trace run in ring 0? */
export function isRing0(trace: Trace): boolean {
  const { path, length } = trace.events;
  for (let seq = 0; seq < length; seq++) {
    const way = path[seq];
    if (way === PATH.C || way === PATH.D || way === PATH.E || way === PATH.G || way === PATH.H) return true;
  }
  return false;
}

/** What each event is in ring 0, as TRAIT bits: seen in a ring-0 trace, predicted from any other. */
export function ring0Traits(trace: Trace): Uint8Array {
  const { events } = trace;
  const traits = new Uint8Array(events.length);
  const cow = (seq: number): number => {
    const flags = events.flags[seq];
    return flags !== FLAGS_UNKNOWN && (flags & FLAG.esp_cow) !== 0 ? TRAIT.cowStack : 0;
  };
  if (isRing0(trace)) {
    for (let seq = 0; seq < events.length; seq++) {
      if (events.kind[seq] === KIND.fault && events.path[seq] === PATH.H)
        traits[seq] = TRAIT.starves | TRAIT.noFault | cow(seq);
    }
    return traits;
  }
  if (!mentionsStack(events)) return traits;
  for (let seq = 0; seq < events.length; seq++) {
    const flags = events.flags[seq];
    const inside = flags !== FLAGS_UNKNOWN && (flags & FLAG.in_kernel) !== 0;
    if (events.kind[seq] === KIND.fault && !inside) traits[seq] = TRAIT.noFault;
  }
  visitRing0(trace, (seq, entry) => {
    if (entry === "starved") traits[seq] |= TRAIT.starves | cow(seq);
    else if (entry === "fault" || entry === "trap") traits[seq] &= ~TRAIT.noFault;
    else if (entry === "kernel-fault" && !(events.flags[seq] & FLAG.in_kernel)) {
      traits[seq] |= TRAIT.faultsInside | cow(seq);
    }
  });
  return traits;
}

/** Is anything in the trace about the stack's pages? Otherwise ring 0 faults where ring 3 does. */
function mentionsStack(events: Trace["events"]): boolean {
  const about = FLAG.esp_absent | FLAG.esp_cow | FLAG.stack;
  for (let seq = 0; seq < events.length; seq++) {
    if (events.flags[seq] !== FLAGS_UNKNOWN && (events.flags[seq] & about) !== 0) return true;
  }
  return false;
}
