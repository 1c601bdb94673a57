// What the kernel does when memory is short, or dirty for long: seen in the events of Debian's own programs.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { openImage } from "../../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../../src/emu/rootfs/roots-node.ts";
import { page } from "../../../../src/model/memory/paging.ts";
import { CAUSE, KIND } from "../../../../src/traces/schema/enums.ts";
import { hasPackages } from "../../../cli/packages.ts";
import { type Audited, audited, tally } from "./machines.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;

const of =
  ({ trace }: Audited, kind: number) =>
  (seq: number): boolean =>
    trace.events.kind[seq] === kind;

describe.runIf(hasPackages)("programs", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;
  const shell = (script: string) => ({ image: image!, argv: ["sh", "-c", script], env: [] });
  const writes = (run: Audited) => tally(run.trace, of(run, KIND.writeback), run.trace.events.cause);

  it("print the same whatever memory they have, in both rings, and the small machines evict", () => {
    const script = SLOW
      ? "find /etc /usr/lib -type f | sort -r | head -300 | xargs cat | md5sum; expr $(ls / | wc -l) + 1"
      : "cat $(find /usr/lib -name 'lib*.so*' -type f | sort -r | head -12) | md5sum";
    const runs = (SLOW ? [4, 8, 16, 64] : [4, 64]).flatMap((memoryMiB) =>
      ([3, 0] as const).map((ring) => audited({ ...shell(script), memoryMiB, ring }, SLOW ? 20 : 100)),
    );
    expect(new Set(runs.map(({ out, status }) => `${out} ${status}`)).size).toBe(1);
    expect(runs[0].out).toMatch(/^[0-9a-f]{32} /);
    expect(runs.flatMap(({ wrong }) => wrong)).toEqual([]);
    const evicted = runs.map(({ kernel }) => kernel.lists.evicted);
    expect(Math.min(...evicted.slice(0, 2))).toBeGreaterThan(200);
    expect(evicted.slice(-2)).toEqual([0, 0]);
  });

  it("a file that was written goes to the disk by itself within 35 seconds, once", () => {
    const run = audited(shell("echo some words > /tmp/x; sleep 29; sleep 7; echo end"), 10);
    expect([run.out, run.wrong]).toEqual(["end\n", []]);
    expect([...writes(run)]).toEqual([[CAUSE.age, 1]]);
    const { events } = run.trace;
    const seq = events.kind.indexOf(KIND.writeback);
    const seconds = (events.tIn[seq] * run.trace.meta.clock.nsPerUnit) / 1e9;
    expect(seconds).toBeGreaterThanOrEqual(30);
    expect(seconds).toBeLessThan(35.1);
    expect(run.kernel.vfs.cache.dirty).toBe(0);
  });

  it("too much of what is dirty is written before its time, and its writer waits", () => {
    const run = audited(
      {
        ...shell(
          "cat /usr/lib/i386-linux-gnu/libc.so.6 > /tmp/x; cmp /tmp/x /lib/i386-linux-gnu/libc.so.6 && echo same",
        ),
        memoryMiB: 8,
      },
      50,
    );
    expect([run.out, run.wrong]).toEqual(["same\n", []]);
    expect(writes(run).get(CAUSE.limit)).toBeGreaterThan(100);
  });

  it("who holds most is killed when nothing can be freed, and the others go on", () => {
    const hog = "(x=$(cat /usr/bin/[a-d]*); echo never) & wait $!; echo status $?";
    const run = audited({ ...shell(hog), memoryMiB: 4, swapMiB: 1 }, 500);
    expect([run.out, run.status, run.wrong]).toEqual(["status 137\n", 0, []]);
    expect(run.kernel.oomKills.map(({ comm }) => comm)).toEqual(["sh"]);
    expect(run.kernel.oomKills[0].anonKib).toBeGreaterThan(1000);
    expect([...tally(run.trace, of(run, KIND.oom), run.trace.events.kind).values()]).toEqual([1]);
    expect(run.kernel.swap.used).toBe(0);
  });

  it("exact LRU over the pages that a program touched never faults more with more frames", () => {
    const { trace } = audited({ ...shell("ls -lR /usr/share | sort | tail -1"), epochInstr: 20_000 }, 1e9);
    const faults: number[] = [];
    for (let frames = 200; frames <= 700; frames += 100) faults.push(page(trace, frames, "lru").misses.length);
    expect(faults[0]).toBeGreaterThan(faults[faults.length - 1]);
    expect(faults).toEqual([...faults].sort((a, b) => b - a));
  });
});
