// The clock and the event list of the model: simjs behind integer cycles, pooled events and a fixed order of ties.
//
// What simjs does wrong and this module does not: it loses the first event beyond the end of a run, lets cancelled events move
// the clock, keeps them in the list, accepts negative and NaN delays, and allocates three objects an event.
import { type QueueEntry, type Simulator, simulator } from "./simjs.ts";

/**
 * What happens first when several things happen in the same cycle: devices, the timer interrupt and then the deadlines it finds due,
 * ends of work and wake-ups, dispatching; within a rank, the alarm that was made first, then those that queue, as they were set.
 */
export const RANK = { device: 0, tick: 1, timer: 2, wakeup: 3, dispatch: 4 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

/** Alarms below a rank. */
const RANK_STEP = 2 ** 48;
/** Alarms with a place of their own. */
const FIRST_QUEUED = 2 ** 20;
const NEVER = Number.POSITIVE_INFINITY;

/** Something that can be asked for again and again; only its latest request counts. */
export interface Alarm {
  readonly rank: Rank;
  /** Asks for `fire()` at `time`; forgets an earlier request. */
  set(time: number): void;
  /** Forgets the request. */
  clear(): void;
}

/** An entry of the event list: at its time its alarm rings, or is put off, or was forgotten. */
class Entry implements QueueEntry {
  deliverAt = 0;
  order = 0;
  cancelled = false;
  alarm: RealAlarm;
  constructor(alarm: RealAlarm) {
    this.alarm = alarm;
  }
  deliver(): void {
    this.alarm.ring();
  }
}

/** Has at most one entry in the list that counts. One that lies before the request stays and is put off when its time comes. */
class RealAlarm implements Alarm {
  readonly rank: Rank;
  order: number;
  readonly #first: number;
  readonly #queued: boolean;
  readonly #fire: () => void;
  readonly #loop: EventLoop;
  /** When it is to ring. */
  time = NEVER;
  /** The entry that counts. */
  entry: Entry | undefined;
  /** One that does not wait in the list. */
  spare: Entry | undefined;

  constructor(loop: EventLoop, rank: Rank, order: number, fire: () => void, queued: boolean) {
    this.#first = order;
    this.#queued = queued;
    this.#loop = loop;
    this.rank = rank;
    this.order = order;
    this.#fire = fire;
  }

  set(time: number): void {
    this.#loop.check(time);
    this.time = time;
    if (this.#queued) this.order = this.#first + this.#loop.place();
    else if (this.entry !== undefined && this.entry.deliverAt <= time) return;
    const entry = this.spare ?? new Entry(this);
    this.spare = undefined;
    this.entry = entry;
    this.#loop.insert(entry, time, this.order);
  }

  clear(): void {
    this.time = NEVER;
  }

  ring(): void {
    this.spare = this.entry;
    this.entry = undefined;
    this.time = NEVER;
    this.#loop.rank = this.rank;
    this.#fire();
  }
}

/** Integer cycles from 0. */
export class EventLoop {
  readonly #sim: Simulator = simulator();
  #alarms = 0;
  #queued = 0;
  /** The rank of what happens or happened last. */
  rank: Rank = RANK.device;

  /** The current cycle. */
  get now(): number {
    return this.#sim.simTime;
  }

  /** A new alarm that calls `fire` at the times it is set to. `queued`: behind the others of its rank, as it was set. */
  alarm(rank: Rank, fire: () => void, queued = false): Alarm {
    return new RealAlarm(this, rank, rank * RANK_STEP + (queued ? 0 : this.#alarms++), fire, queued);
  }

  /** For alarms only: the place of the next that is set, behind all that have a place of their own. */
  place(): number {
    return FIRST_QUEUED + this.#queued++;
  }

  /** For alarms only: refuses the past and what is no number of cycles. */
  check(time: number): void {
    if (Number.isSafeInteger(time) && time >= this.#sim.simTime) return;
    throw new RangeError(
      `event at ${time}, but the clock is at ${this.#sim.simTime} and cycles are integers up to 2^53`,
    );
  }

  /** For alarms only. */
  insert(entry: QueueEntry, time: number, order: number): void {
    entry.deliverAt = time;
    this.#sim.queue.order = order;
    this.#sim.queue.insert(entry);
  }

  /** The time of the next event that still counts; Infinity when there is none. Drops or puts off what comes before it. */
  next(): number {
    const { queue } = this.#sim;
    for (;;) {
      const first = queue.data[0] as Entry | undefined;
      if (first === undefined) return NEVER;
      const { alarm } = first;
      if (first === alarm.entry && first.deliverAt === alarm.time) return first.deliverAt;
      queue.remove();
      if (first !== alarm.entry) alarm.spare ??= first;
      else if (alarm.time === NEVER) {
        alarm.entry = undefined;
        alarm.spare = first;
      } else this.insert(first, alarm.time, alarm.order);
    }
  }

  /**
   * Delivers every event up to and including `until`, then stands at `until` (at the last event, when that is Infinity).
   * Events beyond stay in the list.
   */
  run(until: number = NEVER): void {
    while (this.next() <= until && this.next() !== NEVER) this.#sim.step();
    if (until !== NEVER && until > this.#sim.simTime) this.#sim.simTime = until;
  }

  /** Delivers one event; false when there is none. */
  step(): boolean {
    if (this.next() === NEVER) return false;
    return this.#sim.step();
  }
}
