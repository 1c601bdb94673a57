// npm run record-native: runs every case of test/programs on this host's kernel, in a chroot of the base root, and records what it did.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { InputError } from "../src/errors.ts";
import { CASES } from "../test/programs/cases.ts";
import { fixtureTar } from "../test/programs/fixture.ts";
import { NativeRoot } from "../test/programs/native.ts";
import { differences } from "../test/programs/outcome.ts";
import {
  CASES_FILE,
  commandHash,
  FIXTURE_TAR,
  provenanceHere,
  type Recording,
  writeRecording,
} from "../test/programs/recording.ts";

/** Writes the fixture's archive if its generator gives other bytes than the committed one. */
function refreshFixture(): void {
  const tar = fixtureTar();
  if (existsSync(FIXTURE_TAR) && Buffer.compare(gunzipSync(readFileSync(FIXTURE_TAR)), tar) === 0) return;
  writeFileSync(FIXTURE_TAR, gzipSync(tar, { level: 9 }));
  process.stderr.write(`${FIXTURE_TAR}: written anew\n`);
}

async function record(pattern: string | undefined): Promise<void> {
  refreshFixture();
  const base = await ensureRoot("base");
  const tar = gunzipSync(readFileSync(FIXTURE_TAR));
  const native = new NativeRoot(base.directory);
  const recording: Recording = { provenance: provenanceHere(base.digest, native.folder), runs: {} };
  let unstable = 0;
  try {
    for (const c of CASES.filter(({ name }) => pattern === undefined || name.includes(pattern))) {
      if (recording.runs[c.name]) throw new InputError(`${c.name}: two cases of this name`);
      native.reset(tar);
      const first = native.run(c);
      native.reset(tar);
      const second = native.run(c);
      const changes = differences(first, second);
      if (changes.length > 0) {
        unstable++;
        process.stderr.write(`${c.name}: not the same twice: ${changes.join("; ")}\n`);
      }
      if (pattern !== undefined) process.stdout.write(`${JSON.stringify({ ...c, ...first }, null, 1)}\n`);
      recording.runs[c.name] = { of: commandHash(c), ...first };
    }
  } finally {
    native.close();
  }
  if (unstable > 0) throw new InputError(`${unstable} cases are not deterministic; nothing recorded`);
  if (pattern === undefined) writeRecording(CASES_FILE, recording);
  process.stderr.write(
    `${Object.keys(recording.runs).length} cases ${pattern === undefined ? `recorded in ${CASES_FILE}` : "run"}\n`,
  );
}

try {
  await record(process.argv[2]);
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`record-native: ${error.message}\n`);
  process.exitCode = 2;
}
