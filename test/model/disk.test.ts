// The disk: seek, rotation, transfer, queue and buffer by hand, and replays that take their device waits from it.
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelData } from "../../src/model/data-node.ts";
import { Disk, type DiskTimes } from "../../src/model/disk.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { readTrace } from "../../src/traces/node.ts";

/** A turn of 1000 ns passes 1000 bytes; seeks of 100 ns and more; a stroke of 30 000 bytes, files on all of it. */
const TIMES: DiskTimes = {
  commandNs: 10,
  bufferedNs: 3,
  trackNs: 100,
  seekNs: 500,
  turnNs: 1000,
  nsPerByte: 1,
  stroke: 30_000,
  span: 30_000,
  ahead: 50,
};

const at = (offset: number, bytes: number) => ({ place: 0, offset, bytes });

describe("one request", () => {
  test("at the arm, under the head after the command: command and transfer alone", () => {
    // At 10 ns byte 10 of a track passes.
    expect(new Disk({ ...TIMES, trackNs: 0, seekNs: 0 }, 1).complete(0, at(10, 20))).toBe(30);
  });

  test("a byte that has just passed comes a turn later", () => {
    expect(new Disk({ ...TIMES, trackNs: 0, seekNs: 0 }, 1).complete(0, at(9, 20))).toBe(10 + 999 + 20);
  });

  test("a third of the stroke takes the average seek", () => {
    const disk = new Disk(TIMES, 1);
    expect(disk.seek(10_000)).toBe(500);
    expect(disk.seek(0)).toBe(0);
    expect(disk.seek(1)).toBeGreaterThan(100);
    // 10 + 500 = 510: byte 0 of the track passes at 1000.
    expect(disk.complete(0, at(10_000, 7))).toBe(1007);
  });
});

test("requests queue; what was read on behind the last is in the buffer", () => {
  const disk = new Disk({ ...TIMES, trackNs: 0, seekNs: 0 }, 1);
  expect(disk.complete(0, at(10, 20))).toBe(30);
  expect(disk.complete(5, at(30, 20))).toBe(33);
  expect(disk.complete(5, at(80, 40))).toBe(33 + 3 + 20);
  expect([disk.requests, disk.buffered]).toEqual([3, 1]);
});

test("a request never completes before it is made, nor before those before it", () => {
  const request = fc.record({
    wait: fc.nat(5000),
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    bytes: fc.integer({ min: 1, max: 3000 }),
  });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 40 }), fc.constantFrom(0.5, 1, 2.4), (requests, rate) => {
      const disk = new Disk(TIMES, rate);
      let [now, last] = [0, 0];
      for (const { wait, place, bytes } of requests) {
        now += wait;
        const end = disk.complete(now, { place, offset: 0, bytes });
        expect(end).toBeGreaterThanOrEqual(Math.max(now, last));
        last = end;
      }
    }),
    { seed: 4, numRuns: 200 },
  );
});

describe("a captured program that reads from the disk", () => {
  const data = modelData();
  const trace = readTrace(fileURLToPath(new URL("../../data/traces/pipe-ring3.kmtrace", import.meta.url)));
  const idle = (set: [string, number][], disk = "seek"): number => {
    const options = { mechanisms: ["int80"], draws: 0, machine: { disk }, set: new Map(set) };
    const [only] = whatif(trace, data, options).mechanisms;
    return isResult(only) ? only.causes["idle-io"] : Number.NaN;
  };

  test("record by record as coalesced, on any disk and any number of CPUs", () => {
    for (const cpus of [1, 2]) {
      const options = { mechanisms: ["int80", "kml"], draws: 0, machine: { disk: "seek", cpus } };
      expect(whatif(trace, data, { ...options, perRecord: true })).toEqual(whatif(trace, data, options));
    }
  });

  test("slower seeks, more waiting; a free disk, none", () => {
    expect(idle([["disk.seek", 20_000]])).toBeGreaterThan(idle([]));
    const free = ["command", "buffered", "track", "seek", "turn", "byte"].map((key): [string, number] => [
      `disk.${key}`,
      key === "turn" ? 1e-3 : key === "byte" ? 1e-6 : 0,
    ]);
    expect(idle(free)).toBeLessThan(0.01 * idle([]));
  });

  test("the recorded times are another disk's", () => {
    expect(idle([], "ideal")).not.toBe(idle([]));
    expect(() => idle([], "tape")).toThrow(/no disk "tape"; there are ideal, seek/);
  });
});
