// Ready tasks, first in, first out.

/** A queue whose head moves on; what it leaves behind is dropped now and then. */
export class RunQueue {
  readonly #tasks: number[] = [];
  #head = 0;

  get empty(): boolean {
    return this.#head === this.#tasks.length;
  }

  push(task: number): void {
    this.#tasks.push(task);
  }

  /** Takes the first task; undefined when there is none. */
  shift(): number | undefined {
    if (this.empty) return undefined;
    const task = this.#tasks[this.#head++];
    if (this.empty) {
      this.#tasks.length = 0;
      this.#head = 0;
    } else if (this.#head > 1024 && this.#head * 2 > this.#tasks.length) {
      this.#tasks.splice(0, this.#head);
      this.#head = 0;
    }
    return task;
  }
}
