// One CPU of the machine: what it runs, and how its idle time and the ticks in it are counted.
import { type Charge, IDLE_DEPENDENCY } from "./ledger.ts";
import type { Alarm } from "./loop.ts";

/** A CPU. The machine moves its fields; idle stretches it counts itself. */
export class Cpu {
  readonly id: number;
  /** Who has it, and who had it last; -1: nobody. */
  current = -1;
  last = -1;
  /** From when the current task's work counts, and at which place of its line that was. */
  startedAt = 0;
  startPlace = 0;
  /** The current task must leave at the end of its record. */
  mustSwitch = false;
  /** It must leave as soon as it is where it can. */
  wanted = false;
  /** It went to a task that stands for idleness. */
  wasIdle = false;
  /** When idleness began: the CPU is free from then on. */
  idleFrom = 0;
  /** Idle time before ticks within one idle stretch, whose cause is known only at its end. */
  #heldIdle = 0;
  nextTick: number;
  ticks = 0;
  /** End of work that must be looked at, end of a slice, timer tick. */
  readonly stop: Alarm;
  readonly slice: Alarm;
  readonly tick: Alarm;

  constructor(id: number, firstTick: number, stop: Alarm, slice: Alarm, tick: Alarm) {
    this.id = id;
    this.nextTick = firstTick;
    this.stop = stop;
    this.slice = slice;
    this.tick = tick;
  }

  /** The ticks of an idle stretch up to `time`, that one included or not: counted together instead of simulated one by one. */
  passIdleTicks(time: number, included: boolean, tickCycles: number, tick: Charge, sums: Float64Array): void {
    const due = (): boolean => this.nextTick < time || (included && this.nextTick === time);
    // The CPU may still be busy with an earlier tick.
    while (due() && this.idleFrom > this.nextTick) {
      this.ticks++;
      this.idleFrom += tick.to(sums);
      this.nextTick += tickCycles;
    }
    if (!due()) return;
    const span = time - this.nextTick;
    const count = included ? Math.floor(span / tickCycles) + 1 : Math.ceil(span / tickCycles);
    this.ticks += count;
    tick.to(sums, count);
    this.#heldIdle += this.nextTick - this.idleFrom + (count - 1) * (tickCycles - tick.sum);
    this.idleFrom = this.nextTick + (count - 1) * tickCycles + tick.sum;
    this.nextTick += count * tickCycles;
  }

  /** Idleness ends: its time goes to a cause. */
  endIdle(now: number, cause: number, sums: Float64Array): void {
    sums[cause] += this.#heldIdle + Math.max(0, now - this.idleFrom);
    this.#heldIdle = 0;
    this.idleFrom = Math.max(now, this.idleFrom);
  }

  /** The run is over: what idleness is left belongs to nobody; a tick that would end later is taken back so far. */
  finish(end: number, tick: Charge, sums: Float64Array): void {
    if (this.idleFrom > end) tick.takeBack(sums, this.idleFrom - end);
    this.endIdle(Math.max(end, this.idleFrom), IDLE_DEPENDENCY, sums);
  }
}
