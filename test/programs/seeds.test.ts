// Do random scripts over random trees do in kmlab what they did natively? The seeds are recorded; `npm run diff` tries others.
import process from "node:process";
import { describe, expect, it } from "vitest";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { writeTar } from "../../src/emu/rootfs/tar.ts";
import { argvOf, trialOf } from "./generate.ts";
import { imageTree, imageWithFiles, runGuest, WAYS } from "./guest.ts";
import { compact, differences } from "./outcome.ts";
import { RECORDED_SEEDS, readRecording, SEEDS_FILE } from "./recording.ts";

const recording = readRecording(SEEDS_FILE);
const location = await ensureRoot("base").catch((error: Error) => {
  process.stderr.write(`test/programs: no packages to run: ${error.message}\n`);
  return undefined;
});

if (location === undefined) {
  it("the recorded seeds need the base root's packages", (context) => {
    if (process.env["CI"]) expect.fail("no packages to run; under CI that is a failure");
    context.skip("no packages to run");
  });
} else {
  const base = openImage(location.directory);

  it("the seeds were recorded over this very root", () => {
    expect(recording?.provenance.root).toBe(base.digest);
  });

  describe("seed", () => {
    it.each(Array.from({ length: RECORDED_SEEDS }, (_, i) => i + 1))("%i", (seed) => {
      const trial = trialOf(seed);
      const { of: _, ...native } = recording!.runs[seed];
      const image = imageWithFiles(base, writeTar(trial.members));
      const before = imageTree(image);
      for (const way of WAYS) {
        const found = compact(runGuest(image, before, { argv: argvOf(trial) }, way));
        expect(differences(native, found), way.name).toEqual([]);
      }
    });
  });
}
