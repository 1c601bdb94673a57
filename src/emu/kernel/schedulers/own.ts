// The scheduler of this kernel unless another is asked for: one queue, slices of 3 ms looked at in ticks, and a sleeper goes on at once
// unless the current task only just started (as CFS: half of 6 ms, 1 ms). Among tasks of different nice values slices are longer in
// proportion to CFS's weights.
import type { Task } from "../task.ts";
import { Fifo } from "./fifo.ts";
import { niceOf, type PolicyMachine, type Ready } from "./policy.ts";

/** Shortest time on the CPU before a tick or a wake-up takes it away. */
const MIN_SLICE_NS = 3_000_000;
const WAKEUP_GRANULARITY_NS = 1_000_000;
/** Each step of nice is a quarter more or less (kernel/sched/core.c: sched_prio_to_weight). */
const WEIGHT_STEP = 1.25;

export class OwnScheduler extends Fifo {
  private readonly machine: PolicyMachine;
  private readonly minSlice: number;
  private readonly tickUnits: number;
  private readonly wakeupGranularity: number;

  constructor(machine: PolicyMachine) {
    super();
    this.machine = machine;
    this.minSlice = MIN_SLICE_NS / machine.nsPerUnit;
    this.tickUnits = 1e9 / machine.nsPerUnit / machine.hz;
    this.wakeupGranularity = WAKEUP_GRANULARITY_NS / machine.nsPerUnit;
  }

  override add(t: Task, why: Ready, current: Task | undefined): boolean {
    const owed =
      why === "woken" &&
      current !== undefined &&
      this.queue.length === 0 &&
      this.machine.clock.now() - current.dispatched >= this.wakeupGranularity;
    this.queue.push(t);
    return owed;
  }

  override tick(t: Task): boolean {
    return this.queue.length > 0 && this.machine.clock.now() - t.dispatched >= this.slice(t);
  }

  /** Clock units that a task may have while others are ready. */
  private slice(t: Task): number {
    let nicest = niceOf(t);
    for (const other of this.queue) nicest = Math.max(nicest, niceOf(other));
    const levels = nicest - niceOf(t);
    return levels === 0 ? this.minSlice : Math.max(this.minSlice, this.tickUnits) * WEIGHT_STEP ** levels;
  }
}
