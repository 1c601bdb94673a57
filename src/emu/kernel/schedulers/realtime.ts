// Tasks of SCHED_FIFO and SCHED_RR, which every scheduler runs before all others: a queue a priority, and a quantum for SCHED_RR.
import type { Task } from "../task.ts";

const SCHED_FIFO = 1;
const SCHED_RR = 2;
/** RR_TIMESLICE. */
export const RR_QUANTUM_NS = 100_000_000;

export function isRealtime(t: Task): boolean {
  return t.boost > 0 || t.policy === SCHED_FIFO || t.policy === SCHED_RR;
}

/** How urgent a task is, with what it has from others; 0: it is an ordinary one. */
export function priorityOf(t: Task): number {
  return Math.max(t.boost, t.policy === SCHED_FIFO || t.policy === SCHED_RR ? t.rtPriority : 0);
}

export class RealtimeQueue {
  /** Next one first. */
  private readonly queue: Task[] = [];
  private readonly quantum: number;

  constructor(nsPerUnit: number) {
    this.quantum = RR_QUANTUM_NS / nsPerUnit;
  }

  get length(): number {
    return this.queue.length;
  }

  has(t: Task): boolean {
    return this.queue.includes(t);
  }

  /** Puts a task behind its equals, or, if it was interrupted by a higher one, before them. */
  add(t: Task, first: boolean): void {
    const after = (other: Task) => (first ? priorityOf(other) <= priorityOf(t) : priorityOf(other) < priorityOf(t));
    const at = this.queue.findIndex(after);
    this.queue.splice(at < 0 ? this.queue.length : at, 0, t);
  }

  remove(t: Task): void {
    const at = this.queue.indexOf(t);
    if (at >= 0) this.queue.splice(at, 1);
  }

  take(): Task | undefined {
    return this.queue.shift();
  }

  /** Is a task ready that runs before this one? */
  beats(t: Task): boolean {
    return this.queue.length > 0 && (!isRealtime(t) || priorityOf(this.queue[0]) > priorityOf(t));
  }

  /** Whether a task that has run so long makes room for its equals. */
  spent(t: Task, ran: number): boolean {
    return (
      t.policy === SCHED_RR && ran >= this.quantum && this.queue.some((other) => priorityOf(other) >= priorityOf(t))
    );
  }
}
