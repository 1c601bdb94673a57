// Lockstep with the real processor, instruction by instruction:
//   npx tsx scripts/native-cpu/vectors.ts --live [REGEXP]   run here natively and in the emulator, show what differs
//   npx tsx scripts/native-cpu/vectors.ts --record          write test/fixtures/cpu/vectors.txt.gz
// Needs an x86 Linux host with gcc -m32, and the right to map low pages (root).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { disassemble } from "../../src/emu/cpu/disasm.ts";
import { INSTRUCTION, VECTORS, type Vector, vectorOf } from "./vector-cases.ts";
import { toLine } from "./vector-fixture.ts";
import { allGroups, type Group } from "./vector-groups.ts";
import { differences, hashOutcome, isUndecided, masked, opOf } from "./vector-masks.ts";
import { buildRunner, processor, runNative } from "./vector-native.ts";
import { byInterpreter, emulate } from "./vector-run.ts";
import { type Outcome, VectorWorld } from "./vector-world.ts";

const FIXTURES = fileURLToPath(new URL("../../test/fixtures/cpu", import.meta.url));
/** Groups per run of the native program. */
const BATCH = 128;
const SHOWN_PER_GROUP = 2;

function* batches(groups: readonly Group[], runner: string): Generator<readonly [Group, Vector[], Outcome[]]> {
  for (let at = 0; at < groups.length; at += BATCH) {
    const part = groups.slice(at, at + BATCH);
    const vectors = part.map((group) => Array.from({ length: VECTORS }, (_, v) => vectorOf(group, v)));
    const outcomes = runNative(runner, vectors.flat());
    for (const [i, group] of part.entries()) {
      yield [group, vectors[i], outcomes.slice(i * VECTORS, (i + 1) * VECTORS)];
    }
  }
}

/** The real processor's masked outcome, or null when the manual decides nothing about it. */
function decided(vector: Vector, out: Outcome): Outcome | null {
  const op = opOf(vector);
  if (op === null || isUndecided(vector, op, out)) return null;
  return masked(vector, op, out);
}

function record(runner: string): void {
  const lines: string[] = [];
  let compared = 0;
  for (const [group, vectors, outcomes] of batches(allGroups(), runner)) {
    const hashes = new Uint16Array(VECTORS);
    for (let v = 0; v < VECTORS; v++) {
      const want = decided(vectors[v], outcomes[v]);
      if (want === null) continue;
      hashes[v] = hashOutcome(want);
      compared++;
    }
    lines.push(toLine(group.key, hashes));
  }
  const header = `# ${lines.length} groups, ${compared} vectors executed by ${processor()}, user mode, 32-bit code; scripts/native-cpu/vectors.ts`;
  const packed = gzipSync(`${[header, ...lines].join("\n")}\n`, { level: 9 });
  mkdirSync(FIXTURES, { recursive: true });
  writeFileSync(join(FIXTURES, "vectors.txt.gz"), packed);
  process.stdout.write(`${lines.length} groups, ${compared} vectors, ${packed.length} bytes\n`);
}

function live(runner: string, only: RegExp): void {
  const world = new VectorWorld();
  let compared = 0;
  let undecided = 0;
  let wrong = 0;
  let wrongGroups = 0;
  const groups = allGroups().filter((group) => only.test(group.key));
  for (const [group, vectors, outcomes] of batches(groups, runner)) {
    let here = 0;
    for (let v = 0; v < VECTORS; v++) {
      const vector = vectors[v];
      const want = decided(vector, outcomes[v]);
      if (want === null) {
        undecided++;
        continue;
      }
      compared++;
      const got = emulate(world, vector, byInterpreter);
      if (got === null) continue;
      const found = differences(want, got);
      if (found.length === 0) continue;
      wrong++;
      if (here++ === 0) wrongGroups++;
      if (here > SHOWN_PER_GROUP) continue;
      const code = Buffer.from(vector.code).toString("hex");
      const text = disassemble(vector.code, INSTRUCTION).text;
      process.stdout.write(`${group.key} #${v}: ${code} ${text}: ${found.join("; ")}\n`);
    }
  }
  process.stdout.write(
    `${groups.length} groups, ${compared} vectors compared, ${undecided} undecided, ${wrong} differ in ${wrongGroups} groups\n`,
  );
}

const directory = mkdtempSync(join(tmpdir(), "native-cpu-"));
try {
  const runner = buildRunner(directory);
  if (process.argv[2] === "--record") record(runner);
  else live(runner, new RegExp(process.argv[3] ?? ""));
} finally {
  rmSync(directory, { recursive: true });
}
