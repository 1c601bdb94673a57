// Does every row of the instruction table, in every form and under every prefix, do what a real processor did? The fixture
// holds 16 bits per vector: of the registers, flags, segments, memory, x87 state and fault that it left behind.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { caughtBy } from "../../../scripts/native-cpu/mutants.ts";
import { MUTATIONS } from "../../../scripts/native-cpu/mutations.ts";
import { VECTORS, vectorOf } from "../../../scripts/native-cpu/vector-cases.ts";
import { fromText } from "../../../scripts/native-cpu/vector-fixture.ts";
import { allGroups } from "../../../scripts/native-cpu/vector-groups.ts";
import { agrees, byInterpreter, byOracle } from "../../../scripts/native-cpu/vector-run.ts";
import { VectorWorld } from "../../../scripts/native-cpu/vector-world.ts";
import { STATE_RAN } from "../../../src/emu/cpu/compile/layout.ts";
import type { Cpu } from "../../../src/emu/cpu/cpu.ts";

/** Without KMLAB_SLOW: one vector in so many, another one in each group; of those, one in so many by the oracle and by single steps. */
const STRIDE = process.env.KMLAB_SLOW ? 1 : 16;
const OTHERS = 4;
const REGION_STRIDE = process.env.KMLAB_SLOW ? 1 : 13;
/** In STATE_RAN: no region has run. */
const NO_REGION = -1;
const SHOWN = 10;
const TIMEOUT_MS = 900_000;

const packed = readFileSync(new URL("../../fixtures/cpu/vectors.txt.gz", import.meta.url));
const recorded = fromText(gunzipSync(packed).toString());
const groups = allGroups();

test("the fixture covers the table", () => {
  const missing = groups.filter((group) => !recorded.has(group.key)).map((group) => group.key);
  // After a change of the table: npx tsx scripts/native-cpu/vectors.ts --record, on an x86 Linux host.
  expect(missing).toEqual([]);
  const decided = [...recorded.values()].reduce((n, hashes) => n + hashes.filter((h) => h !== 0).length, 0);
  expect(decided).toBeGreaterThan(340_000);
});

/** A load of SS holds the single-step trap off. */
function loadsSs(key: string): boolean {
  return /^(mov 8e|pop 17|lss) /.test(key);
}

/** With TF set, as the real processor was stepped: every instruction ends in #DB. */
function bySteps(cpu: Cpu): void {
  cpu.setEflags(cpu.getEflags() | 0x100);
  cpu.run(cpu.icount + 1);
}

test(
  "the engines agree with the processor",
  () => {
    const world = new VectorWorld();
    const wrong: string[] = [];
    groups.forEach((group, n) => {
      const hashes = recorded.get(group.key);
      if (hashes === undefined) return;
      for (let v = n % STRIDE; v < VECTORS; v += STRIDE) {
        const vector = vectorOf(group, v);
        if (!agrees(world, vector, hashes[v], byInterpreter)) wrong.push(`${group.key} #${v}`);
        if ((n + v) % OTHERS !== 0) continue;
        if (!agrees(world, vector, hashes[v], byOracle)) wrong.push(`oracle: ${group.key} #${v}`);
        if (group.fp || loadsSs(group.key)) continue;
        if (!agrees(world, vector, hashes[v], bySteps)) wrong.push(`by TF: ${group.key} #${v}`);
      }
    });
    expect(wrong.slice(0, SHOWN)).toEqual([]);
  },
  TIMEOUT_MS,
);

/** Regions say that they ran once somebody has asked for the mix. */
function counting(): VectorWorld {
  const world = new VectorWorld("compile");
  world.cpu.mix.flush();
  return world;
}

test(
  "compiled regions agree with the processor",
  () => {
    let world = counting();
    const wrong: string[] = [];
    let inRegions = 0;
    let made = 0;
    for (let n = 0; n < groups.length; n += REGION_STRIDE) {
      const v = n % VECTORS;
      // Regions are few, and each vector makes one.
      if (++made % 1000 === 0) world = counting();
      const { state } = world.cpu;
      state[STATE_RAN] = NO_REGION;
      const hash = recorded.get(groups[n].key)?.[v] ?? 0;
      if (!agrees(world, vectorOf(groups[n], v), hash, byInterpreter)) wrong.push(`${groups[n].key} #${v}`);
      if (state[STATE_RAN] !== NO_REGION) inRegions++;
    }
    expect(wrong.slice(0, SHOWN)).toEqual([]);
    // The others end in the interpreter: they fault, or regions leave them to it.
    expect(inRegions).toBeGreaterThan((0.3 * groups.length) / REGION_STRIDE);
  },
  TIMEOUT_MS,
);

test(
  "seeded errors are caught",
  () => {
    const world = new VectorWorld();
    const seeded = process.env.KMLAB_SLOW ? MUTATIONS : MUTATIONS.filter((_, n) => n % 6 === 0);
    const escaped = seeded.filter((m) => caughtBy(m, recorded, world) === null).map((m) => m.name);
    expect(MUTATIONS.length).toBeGreaterThanOrEqual(50);
    expect(escaped).toEqual([]);
  },
  TIMEOUT_MS,
);
