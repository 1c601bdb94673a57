// What a native strace -i predicts beside what the emulator's own trace of the same command does: cycles saved, speed-up, interval.
//
// The native trace is anchored to what `time` would say on the processor asked about, which here is the model's: an untraced run by int80
// as the emulator's trace replays it.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../src/emu/run.ts";
import { bodyFactor, kernelTime, withBodies } from "../../src/model/anchored.ts";
import { modelData } from "../../src/model/data-node.ts";
import { Prices } from "../../src/model/prices.ts";
import { compile } from "../../src/model/program.ts";
import { causesOf, shapeCosts } from "../../src/model/shape-costs.ts";
import { isResult, type MechanismResult, whatif } from "../../src/model/whatif.ts";
import type { Anchor } from "../../src/traces/importers/anchor.ts";
import { importTrace } from "../../src/traces/importers/import.ts";
import { textFile } from "../../src/traces/importers/text-node.ts";
import { callNames } from "../../src/traces/node.ts";
import type { Trace } from "../../src/traces/trace.ts";
import { hasPackages } from "../cli/packages.ts";
import { NATIVE_SAMPLES } from "../traces/sequence/native-samples.ts";

const data = modelData();
const { directory } = hasPackages ? await ensureRoot("base") : { directory: "" };
const strace = (file: string, anchor: Anchor): Trace => importTrace([textFile(file)], callNames(), { anchor }).trace;

/** int80, then kml. */
function ask(trace: Trace, profile: string, draws: number): MechanismResult[] {
  return whatif(trace, data, { mechanisms: ["int80", "kml"], profiles: [profile], draws }).mechanisms.filter(isResult);
}
const sum = (of: Readonly<Record<string, number>>) => Object.values(of).reduce((all, cycles) => all + cycles, 0);

/** What `time` says of a replay. */
function timeOf({ causes, total, seconds }: MechanismResult): Required<Anchor> {
  const idle = sum(Object.fromEntries(Object.entries(causes).filter(([cause]) => cause.startsWith("idle"))));
  const of = (cycles: number) => (cycles * seconds) / total;
  return { real: seconds, user: of(causes.user), sys: of(total - causes.user - idle) };
}

describe.runIf(hasPackages).each(NATIVE_SAMPLES.filter(({ name }) => name !== "forks"))(
  "a native trace of $name",
  ({ argv, file }) => {
    const emulated = captureProgram({ image: openImage(directory), argv: [...argv], host: new MemoryIo() }).trace;

    it("saves as many cycles within 5 %, with the same speed-up within 2 points", () => {
      const own = ask(emulated, "p4", 0);
      const [, kml] = ask(strace(file, timeOf(own[0])), "p4", 0);
      expect(Math.abs(sum(kml.saved) / sum(own[1].saved) - 1)).toBeLessThan(0.05);
      expect(Math.abs(kml.speedup.value - own[1].speedup.value)).toBeLessThan(0.02);
    });

    it("on one measured machine has an interval no wider than a quarter of the saving", () => {
      const own = ask(emulated, "p4-lkml2002", 0);
      const [base, kml] = ask(strace(file, timeOf(own[0])), "p4-lkml2002", 100);
      const [low, high] = [kml.speedup.low, kml.speedup.high].map((speedup) => base.total * (1 - 1 / speedup));
      expect(high - low).toBeGreaterThan(0);
      expect((high - low) / sum(kml.saved)).toBeLessThan(0.25);
      expect(Math.abs(kml.speedup.value - own[1].speedup.value)).toBeLessThan(0.02);
    });
  },
);

describe("a trace with an untraced run's times", () => {
  const [{ file }] = NATIVE_SAMPLES;
  const anchor = { real: 0.002, user: 0.0008, sys: 0.001 };
  const anchored = strace(file, anchor);

  it("takes that long by the base, whatever the tables say of its calls", () => {
    for (const profile of ["p4", "p4-lkml2002"]) {
      const [{ causes, total, seconds }] = ask(anchored, profile, 0);
      expect((causes.user * seconds) / total).toBeCloseTo(anchor.user, 6);
      expect(((total - causes.user) * seconds) / total).toBeCloseTo(anchor.sys, 5);
    }
    const { notes } = whatif(anchored, data, { draws: 0 });
    expect(notes.filter((note) => note.startsWith("system time is the untraced run's: calls by int80"))).toHaveLength(
      1,
    );
  });

  it("says so only where the system time was given", () => {
    expect(kernelTime(anchored)! / 1e9).toBeCloseTo(anchor.sys, 6);
    expect(kernelTime(strace(file, { real: 0.002, user: 0.0008 }))).toBeUndefined();
  });

  it("scales bodies alone, up or down, and not below nothing", () => {
    const { shapes } = compile(anchored, data);
    const prices = new Prices(data, data.profiles.get("p4")!, data.kernels.get("kml-4.0")!);
    const costs = shapeCosts(shapes, prices, "int80");
    const cycles = (of: typeof costs) => causesOf(shapes, of).reduce((all, part) => all + part, 0);
    const all = cycles(costs);
    for (const asked of [1.5 * all, 0.9 * all]) {
      const scaled = withBodies(shapes, costs, bodyFactor(shapes, costs, asked));
      expect(cycles(scaled) / asked).toBeCloseTo(1, 3);
      expect(scaled.ways).toBe(costs.ways);
    }
    expect(bodyFactor(shapes, costs, 0)).toBe(0);
  });
});
