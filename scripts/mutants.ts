// Seeds errors in the meaning of instructions and counts those that the recorded vectors catch: npm run mutants
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { caughtBy } from "./native-cpu/mutants.ts";
import { MUTATIONS } from "./native-cpu/mutations.ts";
import { fromText } from "./native-cpu/vector-fixture.ts";
import { VectorWorld } from "./native-cpu/vector-world.ts";

const packed = readFileSync(new URL("../test/fixtures/cpu/vectors.txt.gz", import.meta.url));
const recorded = fromText(gunzipSync(packed).toString());
const world = new VectorWorld();
let caught = 0;
for (const mutation of MUTATIONS) {
  const by = caughtBy(mutation, recorded, world);
  if (by !== null) caught++;
  process.stdout.write(
    `${by === null ? "NOT CAUGHT" : "caught"}  ${mutation.name}${by === null ? "" : `  by ${by}`}\n`,
  );
}
process.stdout.write(`${caught} of ${MUTATIONS.length} caught\n`);
process.exitCode = caught === MUTATIONS.length ? 0 : 1;
