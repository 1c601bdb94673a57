// One answer: whatever engine runs a stream, and wherever a fault, a tick, a breakpoint or the end of a budget falls, the
// end is that of the oracle: registers, flags, x87, memory, CR2, instruction count, mix, and every exception on the way.
import process from "node:process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TIERS } from "../../../../src/emu/cpu/cpu.ts";
import { changedTables, difference, imageOf, LIMIT, OneWorld, type Outcome, type Plan } from "./one-world.ts";
import { type Stream, streams } from "./streams.ts";

const SLOW = process.env["KMLAB_SLOW"] !== undefined;
/** Where the slow suite's numbers begin; each value tries other streams. */
const SEED = Number(process.env["KMLAB_SEED"] ?? 1);
const RUNS = SLOW ? 6000 : 150;
const CUT_RUNS = SLOW ? 200 : 10;

interface Contender {
  readonly name: string;
  readonly world: OneWorld;
}

/** Every engine but the oracle, also with every block made a function at once. */
const contenders: readonly Contender[] = TIERS.filter((tier) => tier !== "oracle").flatMap((tier) => {
  const eager = new OneWorld(tier);
  Object.assign(eager.cpu.engine, { hot: 0, regionHot: 0 });
  // And the quick routines of the x87 are used from the first instruction on.
  eager.cpu.fpu.executed = 1e9;
  return [
    { name: tier, world: new OneWorld(tier) },
    { name: `${tier}, compiled at once`, world: eager },
  ];
});
const oracle = new OneWorld("oracle");

const whole: Plan = { ticks: [], cuts: [] };

/** Fails, but for streams that write their page tables, when a contender's outcome is not the oracle's. */
function agree(stream: Stream, image: Uint8Array, plan: Plan, expected: Outcome): void {
  if (changedTables(image, expected)) return;
  for (const { name, world } of contenders) {
    const outcome = world.run(stream, image, plan);
    const found = difference(expected, outcome) || cutDifference(expected, outcome);
    if (found) throw new Error(`${name}, plan ${JSON.stringify(plan)}: ${found}\n${stream.text}`);
  }
}

function cutDifference(a: Outcome, b: Outcome): string {
  if (b.cuts.length === 0) return "";
  const at = b.cuts.findIndex((cut) => !a.cuts.includes(cut));
  return at < 0 ? "" : `cut: none of the oracle's is ${b.cuts[at]}`;
}

const check = (numRuns: number, arbitrary: fc.Arbitrary<Stream>, test: (stream: Stream) => void) =>
  fc.assert(fc.property(arbitrary, test), { numRuns, seed: SEED, endOnFailure: false });

describe("one answer", { timeout: 1_800_000 }, () => {
  it("to a stream run whole", () => {
    check(RUNS, streams(24), (stream) => {
      const image = imageOf(stream);
      agree(stream, image, whole, oracle.run(stream, image, whole));
    });
  });

  it("to a stream with ticks", () => {
    const plans = fc.uniqueArray(fc.integer({ min: 1, max: LIMIT }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(streams(16), plans, (stream, ticks) => {
        const image = imageOf(stream);
        const plan = { ticks, cuts: [] };
        agree(stream, image, plan, oracle.run(stream, image, plan));
      }),
      { numRuns: RUNS, seed: SEED },
    );
  });

  it("wherever a budget ends or a tick comes", () => {
    check(CUT_RUNS, streams(8), (stream) => {
      const image = imageOf(stream);
      const everywhere = Array.from({ length: LIMIT }, (_, i) => i + 1);
      const cut = oracle.run(stream, image, { ticks: [], cuts: everywhere });
      expect(difference(cut, oracle.run(stream, image, whole))).toBe("");
      const last = Math.min(cut.state.get("icount") as number, 60);
      for (let at = 1; at <= last; at++) {
        agree(stream, image, { ticks: [], cuts: [at] }, cut);
        const ticked = { ticks: [at], cuts: [] };
        agree(stream, image, ticked, oracle.run(stream, image, ticked));
      }
    });
  });

  it("is asked of streams that do something", () => {
    let faults = 0;
    let retired = 0;
    const kinds = new Set<string>();
    check(100, streams(24), (stream) => {
      const { log, state } = oracle.run(stream, imageOf(stream), whole);
      faults += log.length;
      retired += state.get("icount") as number;
      for (const entry of log) kinds.add(entry.split(" ")[0]);
    });
    expect(retired).toBeGreaterThan(2000);
    expect(faults).toBeGreaterThan(100);
    expect(kinds.size).toBeGreaterThan(5);
  });
});
