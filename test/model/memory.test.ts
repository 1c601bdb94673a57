// Memory: replacement on random touches, faults that a lack of it makes, and that nothing else of a trace changes.
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputError } from "../../src/errors.ts";
import { modelData } from "../../src/model/data-node.ts";
import { makeTrace } from "../../src/model/made-traces.ts";
import { withMemory } from "../../src/model/memory/limited.ts";
import { largestWorkingSet, MISS, page } from "../../src/model/memory/paging.ts";
import { makeReplacement, RECLAIMS, type Reclaim } from "../../src/model/memory/replacement.ts";
import { isResult, whatif } from "../../src/model/whatif.ts";
import { makeColumns } from "../../src/traces/columns.ts";
import { readTrace } from "../../src/traces/node.ts";
import { ACCESS, KIND, SOURCE } from "../../src/traces/schema/enums.ts";
import { TABLES } from "../../src/traces/schema/tables.ts";
import type { Trace } from "../../src/traces/trace.ts";

/** How often a policy must load, and that it never holds more than it has frames. */
function loads(reclaim: Reclaim, touches: readonly number[], frames: number): number {
  const policy = makeReplacement(reclaim, 40, frames);
  const resident = new Set<number>();
  let count = 0;
  for (const touched of touches) {
    if (resident.has(touched)) policy.touch(touched, "mapped");
    else {
      if (resident.size === frames) {
        const victim = policy.evict();
        expect(resident.delete(victim)).toBe(true);
      }
      policy.load(touched, touched % 3 === 0, "mapped");
      resident.add(touched);
      count++;
    }
  }
  return count;
}

describe("replacement", () => {
  const touches = fc.array(fc.integer({ min: 0, max: 39 }), { maxLength: 300 });

  test("exact LRU never loads more with more frames", () => {
    fc.assert(
      fc.property(touches, fc.integer({ min: 1, max: 20 }), (list, frames) => {
        expect(loads("lru", list, frames + 1)).toBeLessThanOrEqual(loads("lru", list, frames));
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("LRU is what a list by last use says", () => {
    fc.assert(
      fc.property(touches, fc.integer({ min: 1, max: 20 }), (list, frames) => {
        let recent: number[] = [];
        let count = 0;
        for (const touched of list) {
          if (!recent.includes(touched)) count++;
          recent = [touched, ...recent.filter((other) => other !== touched)].slice(0, frames);
        }
        expect(loads("lru", list, frames)).toBe(count);
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  test("any policy gives up a page that it holds, and with frames for all none", () => {
    fc.assert(
      fc.property(touches, fc.constantFrom(...RECLAIMS), fc.integer({ min: 1, max: 40 }), (list, reclaim, frames) => {
        const distinct = new Set(list).size;
        const count = loads(reclaim, list, frames);
        expect(count).toBeGreaterThanOrEqual(distinct);
        if (frames >= distinct) expect(count).toBe(distinct);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  test("two lists: files that are read once do not push out what programs use; LRU lets them", () => {
    // Pages 0, 3, 6 are anonymous; files go by.
    const list = [0, 3, 6, ...[1, 2, 4, 5, 7, 8, 10, 11, 13, 14], 0, 3, 6];
    expect(loads("two-list", list, 6)).toBe(13);
    expect(loads("lru", list, 6)).toBe(16);
  });
});

/** One task that touches pages of one file and its own, an epoch a touch, in front of equal calls. */
function touching(rows: readonly { page: number; file?: boolean; write?: boolean; call?: boolean }[]): Trace {
  const events = rows.map(() => ({ task: 0, user: 100 }));
  const made = makeTrace({ tasks: 1, events });
  const pages = makeColumns(TABLES.pages, rows.length);
  rows.forEach(({ page: index, file = false, write = false, call = false }, row) => {
    pages.mm[row] = call ? -1 : 0;
    pages.task[row] = 0;
    pages.epoch[row] = row;
    pages.order[row] = 0;
    pages.instr[row] = call ? (row + 1) * 100 : row * 100 + 40;
    pages.obj[row] = file || call ? 0 : -1;
    pages.index[row] = index;
    pages.access[row] = write ? ACCESS.w : ACCESS.r;
    pages.source[row] = call ? SOURCE.cache : SOURCE.user;
    pages.dirty[row] = write ? 1 : 0;
  });
  const file = { obj: 0, type: "file" as const, capacity: null, size: 1 << 20, label: "file" };
  return { ...made, objects: [file], mms: [{ mm: 0, createdSeq: null, fromMm: null, endSeq: null }], pages };
}

describe("faults for lack of memory", () => {
  test("of files, of swapped pages, of zeros and of calls; what was written is written back", () => {
    const trace = touching([
      { page: 1, write: true },
      { page: 2, file: true },
      { page: 3 },
      { page: 1 },
      { page: 2, file: true },
      { page: 3 },
      { page: 9, call: true },
      { page: 2, call: true },
      { page: 9, call: true },
    ]);
    // One frame: every page is gone when it is touched again.
    const { misses, evictions, written } = page(trace, 1, "lru");
    expect(misses.map(({ kind }) => kind)).toEqual([MISS.swap, MISS.file, MISS.minor, MISS.cache, MISS.cache]);
    expect([evictions, written]).toEqual([8, 1]);
    const { trace: limited } = withMemory(trace, 1 / 256, "lru");
    expect([...limited.events.user]).toEqual([100, 100, 100, 40, 60, 40, 60, 40, 60, 100, 100, 100]);
    expect([...limited.events.kind].filter((kind) => kind === KIND.fault).length).toBe(3);
    expect([...limited.edges.to]).toEqual([3, 5, 10, 11]);
  });

  test("what one epoch needs must be there", () => {
    const trace = touching([{ page: 1 }, { page: 2 }]);
    trace.pages.epoch[1] = 0;
    trace.pages.order[1] = 1;
    expect(largestWorkingSet(trace)).toBe(2);
    expect(() => page(trace, 1, "lru")).toThrow(/use 0.01 MiB within one epoch/);
    expect(page(trace, 2, "lru").misses).toEqual([]);
  });
});

describe("captured programs", () => {
  const data = modelData();
  const load = (name: string) =>
    readTrace(fileURLToPath(new URL(`../../data/traces/${name}.kmtrace`, import.meta.url)));
  const sums = (trace: Trace): number[] => {
    const of = trace.tasks.map(() => 0);
    for (let seq = 0; seq < trace.events.length; seq++) of[trace.events.task[seq]] += trace.events.user[seq] || 0;
    return of;
  };

  test.each(["pipe-ring3", "pipe-ring0"])("%s: the programs' own work and their waits for each other stay", (name) => {
    const trace = load(name);
    const least = largestWorkingSet(trace);
    for (const reclaim of RECLAIMS) {
      const { trace: limited, paging } = withMemory(trace, least / 256, reclaim);
      expect(paging.misses.length).toBeGreaterThan(20);
      expect(sums(limited)).toEqual(sums(trace));
      const inserted = paging.misses.filter(({ kind }) => kind !== MISS.cache).length;
      expect(limited.events.length).toBe(trace.events.length + inserted);
      for (let e = 0; e < limited.edges.length; e++) expect(limited.edges.to[e]).toBeLessThan(limited.events.length);
    }
    const counts = [least, least + 100, least + 300, 1e6].map((frames) => page(trace, frames, "lru").misses.length);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect(counts[3]).toBe(0);
  });

  test("less memory, more time; enough, as much as without a word; record by record as coalesced", () => {
    const trace = load("pipe-ring3");
    const least = largestWorkingSet(trace) / 256;
    const ask = (machine: object, perRecord = false) =>
      whatif(trace, data, { mechanisms: ["int80", "kml"], draws: 0, machine, perRecord });
    const total = (machine: object): number => ask(machine).mechanisms.filter(isResult)[0].total;
    const machine = { memory: least, reclaim: "lru", disk: "seek" };
    expect(ask(machine, true)).toEqual(ask(machine));
    expect(total({ memory: least })).toBeGreaterThan(total({ memory: 64 }));
    expect(total({ memory: 64 })).toBe(total({}));
    const { memory, notes } = ask(machine);
    expect(memory?.faults.file).toBeGreaterThan(0);
    expect(notes[0]).toMatch(/^memory of .* MiB \(lru\) makes \d+ faults/);
  });

  test("nonsense is refused", () => {
    const trace = load("find-ring3");
    const ask = (machine: object) => () => whatif(trace, data, { draws: 0, machine });
    expect(ask({ memory: 0 })).toThrow(InputError);
    expect(ask({ memory: Number.NaN })).toThrow(InputError);
    expect(ask({ memory: 0.5 })).toThrow(/within one epoch of the trace/);
    expect(ask({ memory: 8, reclaim: "fifo" })).toThrow(/no reclaim "fifo"; there are two-list, lru/);
    expect(ask({ reclaim: "lru" })).toThrow(/says nothing without --memory/);
    const made = makeTrace({ tasks: 1, events: [{ task: 0 }] });
    expect(() => whatif(made, data, { machine: { memory: 8 } })).toThrow(/does not say which pages/);
  });
});
