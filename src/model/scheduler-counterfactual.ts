// Counterfactuals of schedulers: from a capture under the emulated kernel's own scheduler, when each task of the same program's capture
// under another one must end.
import { KIND } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { type Counterfactual, sameBut } from "./counterfactual.ts";
import type { ModelData } from "./data.ts";
import { endsUnder } from "./identity.ts";

/** Largest error of the time at which a task ends. */
const END_PERCENT = 2;
const NR_EXIT = 1;
const NR_EXIT_GROUP = 252;

/** When each task called for its end; undefined: it never did. */
function endsSeen({ events, tasks }: Trace): (number | undefined)[] {
  const ends: (number | undefined)[] = new Array(tasks.length).fill(undefined);
  for (let seq = 0; seq < events.length; seq++) {
    const nr = events.nr[seq];
    const exits = events.kind[seq] === KIND.syscall && (nr === NR_EXIT || nr === NR_EXIT_GROUP);
    if (exits) ends[events.task[seq]] = events.tIn[seq];
  }
  return ends;
}

/** Compares every capture under a scheduler by name with what the capture under the kernel's own predicts. */
export function scheduledCaptures(
  traces: readonly { readonly name: string; readonly trace: Trace }[],
  data: ModelData,
): Counterfactual[] {
  const rows: Counterfactual[] = [];
  for (const { name, trace } of traces) {
    if (trace.meta.source !== "kmlab" || trace.meta.scheduler !== undefined) continue;
    for (const other of traces) {
      const { scheduler } = other.trace.meta;
      if (scheduler === undefined || !sameBut("scheduler", trace, other.trace)) continue;
      const predicted = endsUnder(trace, data, scheduler);
      endsSeen(other.trace).forEach((seen, task) => {
        if (seen === undefined || task >= predicted.length) return;
        const errorPercent = (100 * (predicted[task] - seen)) / seen;
        const holds = Math.abs(errorPercent) <= END_PERCENT;
        const row = { program: name, capture: scheduler, what: `end of task ${task}`, seen, errorPercent, holds };
        rows.push({ ...row, predicted: predicted[task], tolerancePercent: END_PERCENT });
      });
    }
  }
  return rows;
}
