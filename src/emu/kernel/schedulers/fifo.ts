// One queue, first in, first out: what schedulers without priorities of their own have in common.
import type { Task } from "../task.ts";
import type { Policy, Ready } from "./policy.ts";

export abstract class Fifo implements Policy {
  /** Next one first. */
  protected readonly queue: Task[] = [];

  get length(): number {
    return this.queue.length;
  }

  has(t: Task): boolean {
    return this.queue.includes(t);
  }

  add(t: Task, _why: Ready, _current: Task | undefined): boolean {
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

  tick(_t: Task): boolean {
    return false;
  }

  forget(): void {}
}
