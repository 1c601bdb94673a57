// Do random scripts over random trees do in kmlab what they did natively? One way in per seed, all three with KMLAB_SLOW=1; `npm run diff` tries other seeds.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { writeTar } from "../../src/emu/rootfs/tar.ts";
import { argvOf, trialOf } from "./generate.ts";
import { imageTree, imageWithFiles, runGuest, WAYS } from "./guest.ts";
import { compact, differences } from "./outcome.ts";
import { RECORDED_SEEDS, readRecording, SEEDS_FILE } from "./recording.ts";
import { baseRoot } from "./suite.ts";

const base = await baseRoot("the recorded seeds");
if (base !== undefined) {
  const recording = readRecording(SEEDS_FILE)!;

  it("the seeds were recorded over this very root", () => {
    expect(recording.provenance.root, "run `npm run diff -- --record`").toBe(base.digest);
  });

  describe("seed", () => {
    it.each(Array.from({ length: RECORDED_SEEDS }, (_, i) => i + 1))("%i", (seed) => {
      const trial = trialOf(seed);
      const { of: _, ...native } = recording.runs[seed];
      const image = imageWithFiles(base, writeTar(trial.members));
      const before = imageTree(image);
      for (const way of process.env["KMLAB_SLOW"] ? WAYS : [WAYS[seed % WAYS.length]]) {
        const found = compact(runGuest(image, before, { argv: argvOf(trial) }, way));
        expect(differences(native, found), way.name).toEqual([]);
      }
    });
  });
}
