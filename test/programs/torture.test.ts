// Programs whose machine is disturbed at random instruction boundaries: ticks, NMIs, faults and signals more than any machine has. Their
// output is what it is undisturbed, no interrupt is lost, and the machine keeps nothing. 10^7 instructions; scripts/torture.ts runs
// as many as one likes. KMLAB_SEED chooses other seeds.
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { imageOf } from "../emu/kernel/proc/image.ts";
import { longProgram } from "../guest/long.ts";
import { CASES } from "./cases.ts";
import { imageTree, imageWithFiles, WAYS } from "./guest.ts";
import { CASES_FILE, FIXTURE_TAR, readRecording } from "./recording.ts";
import { baseRoot } from "./suite.ts";
import { Torture, type Tortured, tortureLong } from "./torture.ts";

const SEED = Number(process.env["KMLAB_SEED"] ?? 1);
const ROUNDS = 18;
const DISTANCES = [5000, 500];

function expectUnharmed(run: Tortured, least: number): void {
  expect(run.wrong).toEqual([]);
  expect(run.disturbances).toBeGreaterThan(least);
}

describe(`seed ${SEED}`, async () => {
  const long = imageOf({ "/bin/long": longProgram(ROUNDS) });

  it.each(WAYS)("a program with children, pipes, handlers and x87 state, $name", (way) => {
    for (const mean of DISTANCES) expectUnharmed(tortureLong(long, way, SEED, mean), 400);
  });

  const base = await baseRoot("disturbed programs");
  if (base === undefined) return;
  const image = imageWithFiles(base, gunzipSync(readFileSync(FIXTURE_TAR)));
  const torture = new Torture(image, imageTree(image));
  const { runs } = readRecording(CASES_FILE)!;
  const some = CASES.filter((_, index) => index % 120 === SEED % 120);

  it.each(WAYS)("$name: Debian's programs do what they did natively", (way) => {
    for (const c of some) {
      const { of: _, ...native } = runs[c.name];
      expectUnharmed(torture.run(c, way, native, SEED, 1000), 100);
    }
  });
});
