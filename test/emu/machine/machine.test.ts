// Clock, interrupt controllers and timer: order of events, priorities, end of interrupt, ticks.
import { describe, expect, it } from "vitest";
import { Clock, RANK } from "../../../src/emu/machine/clock.ts";
import { Pic8259 } from "../../../src/emu/machine/pic.ts";
import { Pit } from "../../../src/emu/machine/pit.ts";

function setUp() {
  const counter = { icount: 0 };
  return { counter, clock: new Clock(counter) };
}

describe("clock", () => {
  it("is instructions plus charges", () => {
    const { counter, clock } = setUp();
    counter.icount = 100;
    clock.charge(7);
    expect(clock.now()).toBe(107);
    clock.charge(-5);
    expect(clock.now()).toBe(107);
  });

  it("fires at the very unit, not the one before", () => {
    const { counter, clock } = setUp();
    const fired: number[] = [];
    clock.at(10, () => fired.push(clock.now()));
    counter.icount = 9;
    expect(clock.fireDue()).toBe(0);
    counter.icount = 10;
    expect(clock.fireDue()).toBe(1);
    expect(fired).toEqual([10]);
  });

  it("orders equal times by rank, then by creation", () => {
    const { clock } = setUp();
    const order: string[] = [];
    clock.at(5, () => order.push("dispatch"), RANK.dispatch);
    clock.at(5, () => order.push("timer 1"));
    clock.at(5, () => order.push("device"), RANK.device);
    clock.at(5, () => order.push("timer 2"));
    clock.at(5, () => order.push("wakeup"), RANK.wakeup);
    clock.at(4, () => order.push("earlier"), RANK.dispatch);
    clock.jumpTo(5);
    clock.fireDue();
    expect(order).toEqual(["earlier", "device", "timer 1", "timer 2", "wakeup", "dispatch"]);
  });

  it("does not wait for what onlookers wait for", () => {
    const { clock } = setUp();
    let looked = 0;
    clock.watch(5, () => looked++);
    expect(clock.expecting).toBe(false);
    const timer = clock.at(7, () => {});
    clock.at(6, () => {});
    expect(clock.expecting).toBe(true);
    expect(clock.next()).toBe(5);
    clock.jumpTo(6);
    clock.fireDue();
    expect([looked, clock.fired, clock.expecting]).toEqual([1, 1, true]);
    timer.cancel();
    timer.cancel();
    expect(clock.expecting).toBe(false);
  });

  it("keeps a large heap in order and forgets cancelled events", () => {
    const { clock } = setUp();
    const seen: number[] = [];
    let state = 1;
    const timers = [];
    for (let i = 0; i < 500; i++) {
      state = (state * 48271) % 2147483647;
      const time = state % 997;
      timers.push(clock.at(time, () => seen.push(time)));
    }
    const dropped = timers.filter((_, i) => i % 5 === 0);
    for (const timer of dropped) timer.cancel();
    clock.jumpTo(1000);
    clock.fireDue();
    expect(seen).toHaveLength(400);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(dropped.every((timer) => !timer.pending)).toBe(true);
    expect(clock.next()).toBe(Number.POSITIVE_INFINITY);
  });

  it("tells of a nearer event and of a charge", () => {
    const { clock } = setUp();
    let told = 0;
    clock.onNearer = () => told++;
    clock.at(100, () => {});
    clock.at(200, () => {});
    expect(told).toBe(1);
    clock.charge(1);
    expect(told).toBe(2);
  });
});

function pics() {
  const intr = { level: false };
  const pic = new Pic8259((level) => {
    intr.level = level;
  });
  for (const [port, base, icw3] of [
    [0x20, 0x30, 4],
    [0xa0, 0x38, 2],
  ] as const) {
    pic.write(port, 0x11);
    for (const value of [base, icw3, 1, 0]) pic.write(port + 1, value);
  }
  return { pic, intr };
}

describe("8259 pair", () => {
  it("delivers by priority and keeps lower lines out until the end of interrupt", () => {
    const { pic, intr } = pics();
    pic.pulse(4);
    pic.pulse(1);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x31);
    expect(intr.level).toBe(false);
    pic.pulse(0);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x30);
    pic.write(0x20, 0x20);
    expect(intr.level).toBe(false);
    pic.write(0x20, 0x20);
    expect(intr.level).toBe(true);
    expect(pic.acknowledge()).toBe(0x34);
  });

  it("masks a line, and remembers its request", () => {
    const { pic, intr } = pics();
    pic.write(0x21, 0x01);
    pic.pulse(0);
    expect(intr.level).toBe(false);
    expect(pic.read(0x21)).toBe(1);
    pic.write(0x21, 0);
    expect(intr.level).toBe(true);
  });

  it("puts a slave's line in service on both chips", () => {
    const { pic, intr } = pics();
    pic.pulse(14);
    expect(pic.acknowledge()).toBe(0x3e);
    for (const port of [0x20, 0xa0]) pic.write(port, 0x0b);
    expect(pic.read(0x20)).toBe(0x04);
    expect(pic.read(0xa0)).toBe(0x40);
    pic.write(0xa0, 0x20);
    pic.write(0x20, 0x62);
    expect(pic.read(0x20)).toBe(0);
    expect(pic.read(0xa0)).toBe(0);
    expect(intr.level).toBe(false);
  });

  it("reads requests or lines in service, as OCW3 chose", () => {
    const { pic } = pics();
    pic.pulse(3);
    pic.write(0x20, 0x0a);
    expect(pic.read(0x20)).toBe(0x08);
    pic.write(0x20, 0x0b);
    expect(pic.read(0x20)).toBe(0);
    pic.acknowledge();
    expect(pic.read(0x20)).toBe(0x08);
  });

  it("answers a request that is gone with line 7", () => {
    const { pic } = pics();
    expect(pic.acknowledge()).toBe(0x37);
  });
});

describe("timer", () => {
  it("ticks at whole multiples of its period, also after a pause", () => {
    const { clock } = setUp();
    const ticks: number[] = [];
    const pit = new Pit(clock, 100, () => ticks.push(clock.now()));
    expect(pit.period).toBe(5_000_000);
    pit.start();
    clock.jumpTo(5_000_000);
    clock.fireDue();
    clock.jumpTo(7_000_000);
    pit.stop();
    clock.jumpTo(23_000_000);
    expect(clock.fireDue()).toBe(0);
    pit.start();
    clock.jumpTo(25_000_000);
    clock.fireDue();
    expect(ticks).toEqual([5_000_000, 25_000_000]);
  });

  it("counts down channel 0", () => {
    const { clock } = setUp();
    const pit = new Pit(clock, 100, () => {});
    const read = () => {
      pit.write(0x43);
      return pit.read(0x40) | (pit.read(0x40) << 8);
    };
    expect(read()).toBe(11932);
    clock.jumpTo(2_500_000);
    expect(read()).toBe(11932 - 5965);
  });
});
