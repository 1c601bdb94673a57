// The 8254 timer, channel 0, as far as a kernel with a periodic tick sees it: a pulse on IRQ 0 every 1/HZ second.
import { type Clock, RANK, type Timer, UNITS_PER_SECOND } from "./clock.ts";

/** Frequency of the 8254's input, in Hz. */
export const PIT_HZ = 1_193_182;

/** Port numbers the timer answers. */
export const PIT_PORTS: readonly number[] = [0x40, 0x41, 0x42, 0x43];

export class Pit {
  /** Clock units between two ticks. */
  readonly period: number;
  private readonly clock: Clock;
  private readonly tick: () => void;
  private timer: Timer | undefined;
  private latchHigh = false;
  /** Called at each tick, before its interrupt. */
  onTick: (() => void) | null = null;

  /**
   * @param hz ticks a second
   * @param tick raises IRQ 0
   */
  constructor(clock: Clock, hz: number, tick: () => void) {
    this.clock = clock;
    this.period = Math.max(1, Math.round(UNITS_PER_SECOND / hz));
    this.tick = tick;
  }

  /** Begin to tick, at whole multiples of the period. */
  start(): void {
    this.stop();
    const next = (Math.floor(this.clock.now() / this.period) + 1) * this.period;
    this.timer = this.clock.at(
      next,
      () => {
        this.timer = undefined;
        this.start();
        this.onTick?.();
        this.tick();
      },
      RANK.device,
    );
  }

  /** No ticks until start(): nothing runs that they could preempt. */
  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  get running(): boolean {
    return this.timer !== undefined;
  }

  /** The counter of channel 0, low byte then high byte. Other channels stand still. */
  read(port: number): number {
    if (port !== 0x40) return 0;
    const reload = Math.round((this.period * PIT_HZ) / UNITS_PER_SECOND);
    const past = ((this.clock.now() % this.period) * PIT_HZ) / UNITS_PER_SECOND;
    const count = Math.max(0, reload - Math.floor(past));
    this.latchHigh = !this.latchHigh;
    return this.latchHigh ? count & 0xff : (count >> 8) & 0xff;
  }

  /** Mode and reload values are ignored: the tick rate is the machine's. A command starts a fresh latch. */
  write(port: number): void {
    if (port === 0x43) this.latchHigh = false;
  }
}
