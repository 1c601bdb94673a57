// Where cycles go: the one list of causes. For each mechanism, CPUs x makespan is their sum, exactly.

export const CAUSES = [
  "user",
  "pollution",
  "stub",
  "entry-hw",
  "save",
  "segment",
  "exit-hw",
  "stack-repair",
  "body",
  "copy",
  "fault-path",
  "fault-body",
  "starvation",
  "irq-path",
  "tick-body",
  "switch",
  "mm-switch",
  "idle-io",
  "idle-timer",
  "idle-dependency",
] as const;
export type Cause = (typeof CAUSES)[number];
export const CAUSE_COUNT = CAUSES.length;

/** Number of a cause in arrays of cycles. */
export const CAUSE_INDEX = Object.freeze(Object.fromEntries(CAUSES.map((name, index) => [name, index]))) as Readonly<
  Record<Cause, number>
>;

/** What each cause holds, for tables and documents. */
export const CAUSE_MEANING: Readonly<Record<Cause, string>> = {
  user: "the program's own instructions",
  pollution: "user code slowed by cold caches after a trap",
  stub: "the call into and out of the vsyscall page",
  "entry-hw": "the processor's own work on the way in (INT, SYSENTER)",
  save: "saving and restoring registers, checks, dispatch",
  segment: "segment register pushes, loads and pops",
  "exit-hw": "the processor's own work on the way out (IRET, SYSEXIT)",
  "stack-repair": "returns mispredicted after a trap",
  body: "the system calls' own work",
  copy: "bytes copied between program and kernel",
  "fault-path": "the way into and out of page faults",
  "fault-body": "page fault handling",
  starvation: "double faults because the stack page was not there",
  "irq-path": "the way into and out of timer ticks",
  "tick-body": "timer tick handling",
  switch: "context switches and wake-ups",
  "mm-switch": "address space changes",
  "idle-io": "waiting for a device",
  "idle-timer": "waiting for a deadline",
  "idle-dependency": "waiting for another task or the outside",
};
