// Round robin: one queue, first in, first out, each task for a quantum; nobody takes the CPU from anybody before.
import type { Task } from "../task.ts";
import type { Policy, PolicyMachine } from "./policy.ts";

const QUANTUM_NS = 100_000_000;

export class RoundRobin implements Policy {
  private readonly queue: Task[] = [];
  readonly quantum: number;

  constructor(machine: PolicyMachine) {
    this.quantum = QUANTUM_NS / machine.nsPerUnit;
  }

  get length(): number {
    return this.queue.length;
  }

  has(t: Task): boolean {
    return this.queue.includes(t);
  }

  add(t: Task): boolean {
    this.queue.push(t);
    return false;
  }

  remove(t: Task): void {
    const at = this.queue.indexOf(t);
    if (at >= 0) this.queue.splice(at, 1);
  }

  take(): Task | undefined {
    return this.queue.shift();
  }

  start(): void {}

  stop(): void {}

  tick(): boolean {
    return false;
  }

  forget(): void {}
}
