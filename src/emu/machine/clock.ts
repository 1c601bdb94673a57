// The virtual clock: retired instructions plus charges, and the events that fall due on it.

/** Nominal rate of the clock: 500 MHz. Written into every trace. */
export const NS_PER_UNIT = 2;
export const UNITS_PER_SECOND = 1_000_000_000 / NS_PER_UNIT;

/** Who goes first when events fall due at the same time: device, timer, wake-up, dispatch, then order of creation. */
export const RANK = { device: 0, timer: 1, wakeup: 2, dispatch: 3 } as const;
export type Rank = (typeof RANK)[keyof typeof RANK];

/** An event that has been scheduled. */
export interface Timer {
  /** When it falls due, in clock units. */
  readonly time: number;
  /** Whether it is still to come. */
  readonly pending: boolean;
  /** Take it back; harmless if it has fired. */
  cancel(): void;
}

/** Events to come that somebody in the machine may wait for. */
interface Awaited {
  count: number;
  /** How many have fired. */
  fired: number;
}

class ClockEvent implements Timer {
  readonly time: number;
  readonly rank: number;
  readonly order: number;
  readonly fire: () => void;
  /** Undefined for those of onlookers. */
  private readonly awaited: Awaited | undefined;
  pending = true;

  constructor(time: number, rank: number, order: number, fire: () => void, awaited: Awaited | undefined) {
    this.time = time;
    this.rank = rank;
    this.order = order;
    this.fire = fire;
    this.awaited = awaited;
    if (awaited) awaited.count++;
  }

  cancel(): void {
    this.over();
  }

  /** It is due. */
  happen(): void {
    if (this.awaited) this.awaited.fired++;
    this.over();
    this.fire();
  }

  private over(): void {
    if (this.pending && this.awaited) this.awaited.count--;
    this.pending = false;
  }
}

function before(a: ClockEvent, b: ClockEvent): boolean {
  if (a.time !== b.time) return a.time < b.time;
  if (a.rank !== b.rank) return a.rank < b.rank;
  return a.order < b.order;
}

/** The part of a CPU that the clock needs. */
export interface InstructionCounter {
  readonly icount: number;
}

export class Clock {
  private readonly counter: InstructionCounter;
  private readonly heap: ClockEvent[] = [];
  private readonly awaited: Awaited = { count: 0, fired: 0 };
  private charged = 0;
  private created = 0;
  /** Called when the time of the next event may have come nearer than the CPU was told to run. */
  onNearer: (() => void) | null = null;

  constructor(counter: InstructionCounter) {
    this.counter = counter;
  }

  /** The time in clock units: an integer that never decreases. */
  now(): number {
    return this.counter.icount + this.charged;
  }

  /** Nanoseconds since the machine was switched on. */
  nowNs(): number {
    return this.now() * NS_PER_UNIT;
  }

  /** Everything that passed without instructions: charges and idle time. */
  get charges(): number {
    return this.charged;
  }

  /** Let time pass without instructions: what a kernel body or a device costs. */
  charge(units: number): void {
    if (!(units > 0)) return;
    this.charged += Math.round(units);
    this.onNearer?.();
  }

  /** Call fire at a time (at once, if that has passed: when the machine next looks). */
  at(time: number, fire: () => void, rank: Rank = RANK.timer): Timer {
    return this.add(time, fire, rank, this.awaited);
  }

  /** As at(), for somebody who only looks on: a machine in which nothing else is to come is not waiting for anything. */
  watch(time: number, fire: () => void): Timer {
    return this.add(time, fire, RANK.timer, undefined);
  }

  /** Whether an event is to come that is no onlooker's. */
  get expecting(): boolean {
    return this.awaited.count > 0;
  }

  /** How many events have fired that were no onlooker's. */
  get fired(): number {
    return this.awaited.fired;
  }

  private add(time: number, fire: () => void, rank: Rank, awaited: Awaited | undefined): Timer {
    const event = new ClockEvent(Math.max(Math.round(time), this.now()), rank, this.created++, fire, awaited);
    this.push(event);
    if (this.heap[0] === event) this.onNearer?.();
    return event;
  }

  /** Time of the next event; Infinity if there is none. */
  next(): number {
    while (this.heap.length > 0 && !this.heap[0].pending) this.pop();
    return this.heap.length > 0 ? this.heap[0].time : Number.POSITIVE_INFINITY;
  }

  /** Fire what is due. Returns how many events fired. */
  fireDue(): number {
    let fired = 0;
    while (this.next() <= this.now()) {
      const event = this.pop();
      event.happen();
      fired++;
    }
    return fired;
  }

  /** Nothing runs: let time pass until `time`. */
  jumpTo(time: number): void {
    const delta = time - this.now();
    if (delta > 0 && Number.isFinite(delta)) this.charged += delta;
  }

  private push(event: ClockEvent): void {
    const heap = this.heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  private pop(): ClockEvent {
    const heap = this.heap;
    const top = heap[0];
    const last = heap.pop()!;
    const n = heap.length;
    if (n === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= n) break;
      if (child + 1 < n && before(heap[child + 1], heap[child])) child++;
      if (!before(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
