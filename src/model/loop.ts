// The clock and the event list of the model: simjs behind integer cycles, pooled events and a fixed order of ties.
//
// What simjs does wrong and this module does not: it loses the first event beyond the end of a run, lets cancelled events move
// the clock, keeps them in the list, accepts negative and NaN delays, and allocates three objects an event.
import { type QueueEntry, type Simulator, simulator } from "./simjs.ts";

/**
 * What happens first when several things happen in the same cycle: devices, the timer interrupt and then the deadlines it finds due,
 * wake-ups and ends of work, dispatching; within a rank, what was asked for first.
 */
export const RANK = { device: 0, tick: 1, timer: 2, wakeup: 3, dispatch: 4 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

/** Serial numbers below a rank: 2^48 events in one run. */
const RANK_STEP = 2 ** 48;

/** Something that can be asked for again and again; only its latest request counts (a generation, instead of cancelling). */
export interface Alarm {
  readonly rank: Rank;
  /** Asks for `fire(argument)` at `time`; forgets an earlier request. */
  set(time: number): void;
  /** Forgets the request. */
  clear(): void;
}

class Entry implements QueueEntry {
  deliverAt = 0;
  order = 0;
  cancelled = false;
  readonly loop: EventLoop;
  readonly alarm: AlarmImplementation;
  generation = 0;
  constructor(loop: EventLoop, alarm: AlarmImplementation) {
    this.loop = loop;
    this.alarm = alarm;
  }
  deliver(): void {
    this.alarm.spare.push(this);
    this.alarm.pending = false;
    this.alarm.fire();
  }
}

class AlarmImplementation implements Alarm {
  readonly rank: Rank;
  readonly fire: () => void;
  readonly loop: EventLoop;
  readonly spare: Entry[] = [];
  generation = 0;
  pending = false;
  constructor(loop: EventLoop, rank: Rank, fire: () => void) {
    this.loop = loop;
    this.rank = rank;
    this.fire = fire;
  }
  set(time: number): void {
    this.generation++;
    this.pending = true;
    const entry = this.spare.pop() ?? new Entry(this.loop, this);
    entry.generation = this.generation;
    this.loop.insert(entry, time, this.rank);
  }
  clear(): void {
    if (!this.pending) return;
    this.generation++;
    this.pending = false;
  }
}

/** Integer cycles from 0. */
export class EventLoop {
  readonly #sim: Simulator = simulator();
  #serial = 0;

  /** The current cycle. */
  get now(): number {
    return this.#sim.simTime;
  }

  /** A new alarm that calls `fire` at the times it is set to. */
  alarm(rank: Rank, fire: () => void): Alarm {
    return new AlarmImplementation(this, rank, fire);
  }

  /** For alarms only. */
  insert(entry: QueueEntry, time: number, rank: Rank): void {
    if (!Number.isSafeInteger(time) || time < this.#sim.simTime) {
      throw new RangeError(
        `event at ${time}, but the clock is at ${this.#sim.simTime} and cycles are integers up to 2^53`,
      );
    }
    entry.deliverAt = time;
    this.#sim.queue.order = rank * RANK_STEP + this.#serial++;
    this.#sim.queue.insert(entry);
  }

  /** The time of the next event that still counts; Infinity when there is none. Drops what was forgotten. */
  next(): number {
    const { queue } = this.#sim;
    for (;;) {
      const first = queue.data[0] as Entry | undefined;
      if (first === undefined) return Number.POSITIVE_INFINITY;
      if (first.generation === first.alarm.generation) return first.deliverAt;
      queue.remove();
      first.alarm.spare.push(first);
    }
  }

  /**
   * Delivers every event up to and including `until`, then stands at `until` (at the last event, when that is Infinity).
   * Events beyond stay in the list.
   */
  run(until: number = Number.POSITIVE_INFINITY): void {
    while (this.next() <= until && this.next() !== Number.POSITIVE_INFINITY) this.#sim.step();
    if (until !== Number.POSITIVE_INFINITY && until > this.#sim.simTime) this.#sim.simTime = until;
  }

  /** Delivers one event; false when there is none. */
  step(): boolean {
    if (this.next() === Number.POSITIVE_INFINITY) return false;
    return this.#sim.step();
  }
}
