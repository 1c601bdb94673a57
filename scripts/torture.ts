// Runs programs while their machine is disturbed at random instruction boundaries (test/guest/injector.ts), for as many instructions as
// asked: a program that runs long, in both rings, by every way into the kernel, under every scheduler, and now and then a case of test/programs, whose native
// output is known. Ends with 1 if an output, an interrupt or a frame was wrong; every fault is printed with the seed that shows it.
//
//   npx tsx scripts/torture.ts [instructions=1e9] [mean distance=10000] [first seed=1]

import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { SCHEDULER_NAMES } from "../src/emu/kernel/schedulers/schedulers.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { imageOf } from "../test/emu/kernel/proc/image.ts";
import { longProgram } from "../test/guest/long.ts";
import { CASES } from "../test/programs/cases.ts";
import { imageTree, imageWithFiles, WAYS } from "../test/programs/guest.ts";
import { CASES_FILE, FIXTURE_TAR, readRecording } from "../test/programs/recording.ts";
import { Torture, tortureLong } from "../test/programs/torture.ts";

/** About 90 million instructions each. */
const ROUNDS = 900;

const [instructions = 1e9, mean = 10_000, first = 1] = process.argv.slice(2).map(Number);
const base = openImage((await ensureRoot("base")).directory);
const image = imageWithFiles(base, gunzipSync(readFileSync(FIXTURE_TAR)));
const torture = new Torture(image, imageTree(image));
const native = readRecording(CASES_FILE)!.runs;
const long = imageOf({ "/bin/long": longProgram(ROUNDS) });

let done = 0;
let disturbances = 0;
let programs = 0;
let faults = 0;
const began = performance.now();
for (let seed = first; done < instructions; seed++) {
  const way = WAYS[seed % WAYS.length];
  const c = CASES[(seed * 7) % CASES.length];
  const { of: _, ...outcome } = native[c.name];
  const scheduler = SCHEDULER_NAMES[seed % SCHEDULER_NAMES.length];
  const hz = [100, 250, 1000][seed % 5] ?? 100;
  for (const run of [tortureLong(long, way, seed, mean, { scheduler, hz }), torture.run(c, way, outcome, seed, mean)]) {
    done += run.instructions;
    disturbances += run.disturbances;
    programs++;
    faults += run.wrong.length;
    for (const what of run.wrong) console.log(what);
  }
  if (seed % 10 === 0) {
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(
      `seeds ${first} to ${seed}: ${done} instructions, ${disturbances} disturbances, ${programs} runs, ${faults} faults, ${seconds} s`,
    );
  }
}
console.log(`${done} instructions, ${disturbances} disturbances, ${programs} runs, ${faults} faults`);
process.exitCode = faults > 0 ? 1 : 0;
