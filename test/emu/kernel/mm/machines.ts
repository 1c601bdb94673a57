// Runs in little memory whose books are checked while they go on.
import { MemoryIo } from "../../../../src/emu/host.ts";
import { Kernel } from "../../../../src/emu/kernel/kernel.ts";
import { auditMemory } from "../../../../src/emu/kernel/mm/audit.ts";
import { captureProgram, type RunOptions } from "../../../../src/emu/run.ts";
import type { Trace } from "../../../../src/traces/trace.ts";

/** A run's outcome, with what its books showed. */
export interface Audited {
  out: string;
  status: number;
  trace: Trace;
  kernel: Kernel;
  /** How often the books were checked, and the first thing that was wrong. */
  audits: number;
  wrong: string[];
}

/**
 * Captures a run and checks the machine's memory after every n-th entry into the kernel, and at its end.
 * @param every n
 */
export function audited(options: Omit<RunOptions, "host">, every: number): Audited {
  const host = new MemoryIo();
  const { boot } = Kernel.prototype;
  const seen = { audits: 0, wrong: [] as string[] };
  let entries = 0;
  // The machine is made inside; its kernel is met where it boots.
  Kernel.prototype.boot = function (this: Kernel, ...args) {
    boot.apply(this, args);
    const { machine } = this;
    const hooks = machine.hooks!;
    machine.hooks = {
      ...hooks,
      kcall: (n) => {
        hooks.kcall(n);
        if (++entries % every !== 0 || seen.wrong.length > 0) return;
        seen.audits++;
        seen.wrong = auditMemory(this);
      },
    };
  };
  try {
    const { trace, kernel, status } = captureProgram({ ...options, host });
    if (seen.wrong.length === 0) seen.wrong = auditMemory(kernel);
    return { out: host.text("out"), status, trace, kernel, ...seen };
  } finally {
    Kernel.prototype.boot = boot;
  }
}

/** How often each value of a column occurs among the events that `of` takes. */
export function tally(trace: Trace, of: (seq: number) => boolean, column: Uint8Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (let seq = 0; seq < trace.events.length; seq++)
    if (of(seq)) counts.set(column[seq], (counts.get(column[seq]) ?? 0) + 1);
  return counts;
}
