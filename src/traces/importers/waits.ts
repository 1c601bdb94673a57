// Waits that a tracer does not tell: inferred from how long calls took that may wait, and marked so.
import type { CallTable } from "../calls.ts";
import { EDGE } from "../schema/enums.ts";

/** What each class of calls waits for; calls of other classes are taken as never waiting. */
const WAITS_FOR: Readonly<Record<string, number>> = {
  sleep: EDGE.timer,
  wait: EDGE.child,
  poll: EDGE.data,
  futex: EDGE.futex,
  sig_wait: EDGE.signal,
  vfork: EDGE.child,
  read: EDGE.data,
  write: EDGE.space,
  socket: EDGE.data,
};

/** A call that takes this many times as long as most calls do has waited. */
const LONGER = 4;
/** And no less than this, in nanoseconds: what a tracer's own delays amount to. */
const LEAST_NS = 50_000;
/** Calls whose durations say what most calls take. */
const SAMPLE = 4096;

/** A class of calls as far as waiting goes. */
interface Waiting {
  readonly why: number | undefined;
  readonly polls: boolean;
}

export class Waits {
  readonly #calls: CallTable;
  readonly #classes = new Map<number, Waiting>();
  readonly #durations: number[] = [];
  /** What a call takes that does not wait. */
  typical = 0;

  constructor(calls: CallTable) {
    this.#calls = calls;
  }

  #of(nr: number, abi: number): Waiting {
    const key = nr * 4 + abi;
    let found = this.#classes.get(key);
    if (found === undefined) {
      const kind = nr < 0 ? "other" : this.#calls.class(this.#calls.name(nr, abi));
      found = { why: WAITS_FOR[kind], polls: kind === "poll" };
      this.#classes.set(key, found);
    }
    return found;
  }

  /** Takes the duration of a call into the sample; true once there are enough. */
  sample(nr: number, abi: number, duration: number): boolean {
    if (duration >= 0 && this.#of(nr, abi).why === undefined) this.#durations.push(duration);
    return this.#durations.length >= SAMPLE;
  }

  /** The sample is taken: its median is what most calls take. */
  sampled(): void {
    this.#durations.sort((a, b) => a - b);
    this.typical = this.#durations[this.#durations.length >> 1] ?? 0;
  }

  /** How long a call that took `duration` has waited; NaN: nothing says that it did. */
  inferred(nr: number, abi: number, duration: number): number {
    if (this.#of(nr, abi).why === undefined || !(duration > Math.max(LONGER * this.typical, LEAST_NS)))
      return Number.NaN;
    return Math.round(duration - this.typical);
  }

  /** What a call that waited has waited for. */
  reason(nr: number, abi: number, ret: number): number {
    const { why, polls } = this.#of(nr, abi);
    return polls && ret === 0 ? EDGE.timer : (why ?? EDGE.device);
  }
}
