// A program that uses more memory than there is prints what it prints where there is enough, while pages go and come; and at every
// step of it the kernel's books of frames, mappings, slots and pages add up.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { runProgram } from "../../../../src/emu/run.ts";
import { CAUSE, KIND, PATH } from "../../../../src/traces/schema/enums.ts";
import { fixture, imageOf } from "../proc/image.ts";
import { type Audited, audited, tally } from "./machines.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
const native = new TextDecoder().decode(fixture("paging.txt"));

const paging = (ring: 0 | 3, pages: number) => ({
  image: imageOf({ "/bin/paging": fixture("paging") }),
  argv: ["/bin/paging", String(pages)],
  ring,
  cwd: "/",
  env: [],
});

/** Every fault, eviction, write and read of the kernel's own counts is an event, with its page and its cause. */
function eventsSay({ trace, kernel }: Audited): void {
  const { events } = trace;
  const of = (kind: number) => (seq: number) => events.kind[seq] === kind;
  const { lists, vm } = kernel;
  const sum = (counts: Map<number, number>, ...causes: number[]) =>
    causes.reduce((n, cause) => n + (counts.get(cause) ?? 0), 0);
  const all = (counts: Map<number, number>) => sum(counts, ...counts.keys());
  const faults = tally(trace, of(KIND.fault), events.cause);
  expect(sum(faults, CAUSE.swap, CAUSE.major)).toBe(vm.pgmajfault);
  expect(all(faults) - sum(faults, CAUSE.bad)).toBe(vm.pgfault);
  const evictions = tally(trace, of(KIND.evict), events.cause);
  expect([...evictions.keys()].every((cause) => cause === CAUSE.anon || cause === CAUSE.file)).toBe(true);
  expect(all(evictions)).toBe(lists.evicted);
  const writes = tally(trace, of(KIND.writeback), events.cause);
  expect(sum(writes, CAUSE.swap)).toBe(vm.pswpout);
  expect(all(writes) * 4).toBe(vm.pgpgout);
  const reads = tally(trace, of(KIND.swapin), events.cause);
  expect(all(reads)).toBe(vm.pswpin);
  expect(sum(reads, CAUSE.ahead)).toBe(vm.swap_ra);
  for (let seq = 0; seq < events.length; seq++) {
    if (events.kind[seq] !== KIND.evict && events.kind[seq] !== KIND.swapin) continue;
    if (!(events.off[seq] >= 0) || events.obj[seq] < 0) expect.fail(`event ${seq} names no page`);
  }
}

describe.each([3, 0] as const)("in ring %i", (ring) => {
  const run = audited({ ...paging(ring, 1000), memoryMiB: 4, swapMiB: 16 }, SLOW ? 10 : 200);

  it("memory of every kind holds what was written", () => {
    expect(`${run.out}status ${run.status}\n`).toBe(native);
    expect(run.kernel.oomKills).toEqual([]);
    expect(run.kernel.lists.evicted).toBeGreaterThan(10_000);
  });

  it("the books add up at every step", () => {
    expect(run.wrong).toEqual([]);
    expect(run.audits).toBeGreaterThan(100);
  });

  it("the events are what happened", () => eventsSay(run));

  it("everything is given back", () => {
    const { frames, swap, vfs } = run.kernel;
    expect(frames.managed - frames.free).toBe(vfs.cache.cached + 1);
    expect(swap.used).toBe(0);
  });

  it("a push on a stack page that is in swap starves in ring 0 and is a fault in ring 3", () => {
    const { events } = run.trace;
    const ways = tally(
      run.trace,
      (seq) => events.kind[seq] === KIND.fault && events.cause[seq] === CAUSE.swap && events.path[seq] !== 0,
      events.path,
    );
    if (ring === 0) expect(ways.get(PATH.H)).toBeGreaterThan(10);
    else expect([...ways.keys()]).toEqual([PATH.F]);
  });
});

it("a run that is captured is the run that is not, and every tier makes the same one", () => {
  const few = { ...paging(3, 750), memoryMiB: 4, swapMiB: 8 };
  const captured = audited(few, 1e9);
  const { kernel, instructions } = runProgram({ ...few, host: new MemoryIo() });
  const books = (k: typeof kernel) => ({ clock: k.clock.now(), vm: { ...k.vm }, evicted: k.lists.evicted });
  expect(books(kernel)).toEqual(books(captured.kernel));
  expect(instructions).toBe(captured.kernel.cpu.icount);
  for (const tier of SLOW ? (["oracle", "interpret"] as const) : (["interpret"] as const)) {
    const other = runProgram({ ...few, host: new MemoryIo(), tier });
    expect(books(other.kernel)).toEqual(books(kernel));
    expect(other.instructions).toBe(instructions);
  }
});

describe.runIf(SLOW)("with more", () => {
  it.each(
    [8, 16].flatMap((mib) => ([3, 0] as const).map((ring) => ({ mib, ring }))),
  )("$mib MiB and as much to hold again as 64 MiB do, ring $ring", ({ mib, ring }) => {
    const pages = mib * 250;
    const ample = new MemoryIo();
    runProgram({ ...paging(ring, pages), memoryMiB: 64, host: ample });
    const run = audited({ ...paging(ring, pages), memoryMiB: mib }, 10);
    expect(run.out).toBe(ample.text("out"));
    expect(run.wrong).toEqual([]);
    eventsSay(run);
  });
});
