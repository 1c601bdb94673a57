// The 8254 timer as a bare image programs it: channel 0 on IRQ 0, channel 2 behind port 61; modes 0, 2 and 3, binary
// counting (Intel 8254 data sheet). A kernel of ours has its own, simpler timer: see pit.ts.
import { type Clock, RANK, type Timer, UNITS_PER_SECOND } from "./clock.ts";
import { PIT_HZ } from "./pit.ts";

/** Port numbers of the timer and of the gate of its channel 2. */
export const PIT8254_PORTS: readonly number[] = [0x40, 0x41, 0x42, 0x43, 0x61];

const GATE_PORT = 0x61;
const COMMAND_PORT = 0x43;

/** One counter: what it holds follows from the time since it was loaded. */
class Channel {
  private readonly clock: Clock;
  private mode = 3;
  private reload = 0x1_0000;
  /** Clock units at which counting began; -1 before the first load. */
  private since = -1;
  private access = 3;
  private low = -1;
  private latched = -1;
  private highNext = false;
  /** Called when the count was loaded. */
  onLoad: (() => void) | null = null;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Counting has begun. */
  get counts(): boolean {
    return this.since >= 0;
  }

  get periodic(): boolean {
    return this.mode === 2 || this.mode === 3;
  }

  /** Clock units at which the output rises for the n-th time, n from 1. */
  rise(n: number): number {
    return this.since + Math.ceil((n * this.reload * UNITS_PER_SECOND) / PIT_HZ);
  }

  /** How often the output has risen. */
  rises(): number {
    const n = Math.floor(this.elapsed() / this.reload);
    return this.periodic ? n : Math.min(n, 1);
  }

  /** The level of the output. */
  output(): boolean {
    if (!this.periodic) return this.rises() > 0;
    return this.mode === 2 || (this.elapsed() % this.reload) * 2 < this.reload;
  }

  /** The gate rises: counting begins anew. */
  restart(): void {
    if (this.counts) this.since = this.clock.now();
  }

  command(value: number): void {
    const access = (value >> 4) & 3;
    this.highNext = false;
    if (access === 0) {
      if (this.latched < 0) this.latched = this.count();
      return;
    }
    this.access = access;
    this.mode = (value >> 1) & 7;
    // Modes 6 and 7 are 2 and 3.
    if (this.mode > 5) this.mode -= 4;
    this.low = -1;
    this.since = -1;
  }

  write(value: number): void {
    if (this.access === 1) this.load(value);
    else if (this.access === 2) this.load(value << 8);
    else if (this.low < 0) this.low = value;
    else {
      this.load(this.low | (value << 8));
      this.low = -1;
    }
  }

  read(): number {
    const count = this.latched >= 0 ? this.latched : this.count();
    const high = this.access === 2 || (this.access === 3 && this.highNext);
    if (this.access === 3) this.highNext = !this.highNext;
    if (this.access !== 3 || !this.highNext) this.latched = -1;
    return high ? (count >> 8) & 0xff : count & 0xff;
  }

  private load(value: number): void {
    this.reload = value === 0 ? 0x1_0000 : value;
    this.since = this.clock.now();
    this.onLoad?.();
  }

  /** Input clocks since counting began. */
  private elapsed(): number {
    return this.since < 0 ? 0 : Math.floor(((this.clock.now() - this.since) * PIT_HZ) / UNITS_PER_SECOND);
  }

  private count(): number {
    const past = this.elapsed();
    if (this.mode === 3) return (this.reload - ((2 * past) % this.reload)) & 0xfffe;
    return (this.periodic ? this.reload - (past % this.reload) : this.reload - past) & 0xffff;
  }
}

export class Pit8254 {
  private readonly clock: Clock;
  private readonly channels: readonly Channel[];
  private timer: Timer | undefined;
  private gate = 0;

  /** @param tick raises IRQ 0 */
  constructor(clock: Clock, tick: () => void) {
    this.clock = clock;
    this.channels = [0, 1, 2].map(() => new Channel(clock));
    this.channels[0].onLoad = () => this.schedule(tick);
  }

  read(port: number): number {
    if (port === COMMAND_PORT) return 0xff;
    if (port !== GATE_PORT) return this.channels[port & 3].read();
    // Bit 4 toggles with the memory refresh, here every 7500 clock units (15 microseconds).
    const refresh = Math.floor(this.clock.now() / 7500) & 1;
    return this.gate | (refresh << 4) | (this.channels[2].output() ? 0x20 : 0);
  }

  write(port: number, value: number): void {
    if (port === GATE_PORT) {
      if (value & ~this.gate & 1) this.channels[2].restart();
      this.gate = value & 3;
    } else if (port !== COMMAND_PORT) this.channels[port & 3].write(value);
    else if (value >> 6 < 3) {
      this.channels[value >> 6].command(value);
      if (value >> 6 === 0 && value & 0x30) this.timer?.cancel();
    }
  }

  private schedule(tick: () => void): void {
    this.timer?.cancel();
    const channel = this.channels[0];
    this.timer = this.clock.at(
      channel.rise(channel.rises() + 1),
      () => {
        tick();
        if (channel.periodic) this.schedule(tick);
      },
      RANK.device,
    );
  }
}
