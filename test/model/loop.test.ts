// The event loop: order of ties, forgotten alarms, runs that stop in between, and no window left behind by simjs.
import { describe, expect, test } from "vitest";
import { EventLoop, RANK } from "../../src/model/loop.ts";

describe("the event loop", () => {
  test("leaves no window behind", () => {
    expect("window" in globalThis).toBe(false);
  });

  test("orders ties: device, tick, timer, wake-up, dispatch, then as asked for", () => {
    const loop = new EventLoop();
    const seen: string[] = [];
    const names = ["dispatch", "wakeup", "timer", "tick", "device"] as const;
    for (const name of names) loop.alarm(RANK[name], () => seen.push(`${name} 1`)).set(10);
    for (const name of names) loop.alarm(RANK[name], () => seen.push(`${name} 2`)).set(10);
    loop.run();
    expect(seen).toEqual(
      ["device", "tick", "timer", "wakeup", "dispatch"].flatMap((name) => [`${name} 1`, `${name} 2`]),
    );
    expect(loop.now).toBe(10);
  });

  test("a forgotten alarm neither fires nor moves the clock", () => {
    const loop = new EventLoop();
    const seen: number[] = [];
    const alarm = loop.alarm(RANK.timer, () => seen.push(loop.now));
    alarm.set(100);
    alarm.clear();
    loop.alarm(RANK.timer, () => seen.push(loop.now)).set(1);
    loop.run();
    expect(seen).toEqual([1]);
    expect(loop.now).toBe(1);
    expect(loop.next()).toBe(Number.POSITIVE_INFINITY);
  });

  test("setting an alarm again forgets the earlier time", () => {
    const loop = new EventLoop();
    const seen: number[] = [];
    const alarm = loop.alarm(RANK.timer, () => seen.push(loop.now));
    alarm.set(5);
    alarm.set(9);
    alarm.set(7);
    loop.run();
    expect(seen).toEqual([7]);
  });

  test("a run that ends early loses nothing and stands at its end", () => {
    const loop = new EventLoop();
    const seen: number[] = [];
    for (const time of [3, 10, 11]) loop.alarm(RANK.timer, () => seen.push(loop.now)).set(time);
    loop.run(10);
    expect(seen).toEqual([3, 10]);
    expect(loop.now).toBe(10);
    loop.run();
    expect(seen).toEqual([3, 10, 11]);
  });

  test("an alarm may set itself again while it fires", () => {
    const loop = new EventLoop();
    const seen: number[] = [];
    const alarm = loop.alarm(RANK.tick, () => {
      seen.push(loop.now);
      if (seen.length < 3) alarm.set(loop.now + 4);
    });
    alarm.set(4);
    loop.run();
    expect(seen).toEqual([4, 8, 12]);
  });

  test.each([Number.NaN, -1, 0.5, 2 ** 60, Number.POSITIVE_INFINITY])("refuses an event at %d", (time) => {
    const loop = new EventLoop();
    expect(() => loop.alarm(RANK.timer, () => undefined).set(time)).toThrow(/cycles are integers/);
  });

  test("refuses the past", () => {
    const loop = new EventLoop();
    loop.run(10);
    expect(() => loop.alarm(RANK.timer, () => undefined).set(9)).toThrow(/clock is at 10/);
  });
});
