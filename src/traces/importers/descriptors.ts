// Which object each file descriptor of a process stands for, followed through open, dup, pipe, fork, execve and close.

interface Descriptor {
  readonly obj: number;
  readonly closeOnExec: boolean;
}

/** The descriptors of a process; shared by its threads. */
export class Descriptors {
  readonly #open = new Map<number, Descriptor>();

  get(fd: number): number {
    return this.#open.get(fd)?.obj ?? -1;
  }
  set(fd: number, obj: number, closeOnExec: boolean): void {
    this.#open.set(fd, { obj, closeOnExec });
  }
  close(fd: number): void {
    this.#open.delete(fd);
  }
  duplicate(from: number, to: number, closeOnExec: boolean): void {
    const found = this.#open.get(from);
    if (found === undefined) this.#open.delete(to);
    else this.#open.set(to, { obj: found.obj, closeOnExec });
  }
  /** What a fork copies. */
  copyFrom(other: Descriptors): void {
    for (const [fd, descriptor] of other.#open) if (!this.#open.has(fd)) this.#open.set(fd, descriptor);
  }
  exec(): void {
    for (const [fd, { closeOnExec }] of this.#open) if (closeOnExec) this.#open.delete(fd);
  }
}

/** A pipe of the largest size, full of single bytes. */
const MOST_UNMATCHED = 1 << 20;

/** The bytes that went through one pipe: which write made which read possible. */
export class Flow {
  #written = 0;
  #read = 0;
  /** Writes whose bytes were not all read: where each one's end, and its event. */
  #writes: { readonly until: number; readonly event: number }[] = [];
  #reads: { readonly until: number; readonly event: number }[] = [];
  /** Something else moved bytes (splice, a program outside the trace): the count is worth nothing any more. */
  lost = false;

  /** A write of `bytes` ended; gives reads that ended before it was seen to. */
  write(event: number, bytes: number): { to: number; from: number }[] {
    if (this.lost || this.#isEndless(this.#writes)) return [];
    this.#written += bytes;
    this.#writes.push({ until: this.#written, event });
    return this.#match();
  }

  /** A read of `bytes` ended; none: nobody is left to write, and if nobody ever did, nothing brought it. */
  read(event: number, bytes: number): { to: number; from: number }[] {
    if (this.lost || (bytes === 0 && this.#written === 0) || this.#isEndless(this.#reads)) return [];
    this.#read += bytes;
    this.#reads.push({ until: this.#read, event });
    return this.#match();
  }

  /** More than any pipe or socket holds: the other end is outside the trace. */
  #isEndless(list: readonly unknown[]): boolean {
    if (list.length < MOST_UNMATCHED) return false;
    this.lost = true;
    this.#reads = [];
    this.#writes = [];
    return true;
  }

  /** Every read needs the write that brought its last byte. */
  #match(): { to: number; from: number }[] {
    const pairs: { to: number; from: number }[] = [];
    while (this.#reads.length > 0 && this.#reads[0].until <= this.#written) {
      const read = this.#reads.shift()!;
      let first = 0;
      while (this.#writes[first].until < read.until) first++;
      pairs.push({ to: read.event, from: this.#writes[first].event });
      if (first > 0) this.#writes = this.#writes.slice(first);
    }
    return pairs;
  }
}
