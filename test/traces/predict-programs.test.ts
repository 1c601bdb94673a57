// The prediction on Debian's programs: from the ring-3 trace alone, every entry of the ring-0 run, in its place.
import { afterAll, describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../src/emu/run.ts";
import { comparePrediction } from "../../src/traces/compare-prediction.ts";
import { hasPackages } from "../cli/packages.ts";

const DIRECTORIES = ["/usr/bin", "/bin"];
const PATH = DIRECTORIES.join(":");
/** What ring 0 makes of PATH: given to the ring-3 run too, so that both begin with the same stack. */
const TRUSTED_PATH = [...DIRECTORIES.map((dir) => `/trusted${dir}`), PATH].join(":");

const RUNS = [
  ["find", "/usr"],
  ["cp", "-a", "/etc", "/tmp/copy"],
  ["sh", "-c", "ls -lR /etc | sort | sha256sum; for i in 1 2 3; do (exit $i); echo $?; done"],
  [
    "bash",
    "-c",
    "trap 'echo caught' USR1; kill -USR1 $$; (sleep 1; echo late) & wait; tar cf - /etc | gzip | tar tzf - | wc -l",
  ],
];

/** What the mechanism itself changes, beyond the ways in. */
const KNOWN = [
  /^the task switch of a double fault sets CR0\.TS/,
  /^the vsyscall page is first executed at another moment/,
];

describe.runIf(hasPackages)("what ring 3 predicts is what ring 0 shows", async () => {
  const image = hasPackages ? openImage((await ensureRoot("base")).directory) : undefined;
  afterAll(() => image?.close());

  it.each(RUNS.map((argv) => ({ argv })))("$argv", ({ argv }) => {
    const [ring3, ring0] = ([3, 0] as const).map((ring) => {
      const env = [`PATH=${ring === 0 ? PATH : TRUSTED_PATH}`];
      return captureProgram({ image: image!, argv, ring, env, host: new MemoryIo() }).trace;
    });
    const { predicted, seen, differences } = comparePrediction(ring3, ring0);
    expect(differences.filter(({ reason }) => !KNOWN.some((known) => known.test(reason ?? "")))).toEqual([]);
    expect({ ...seen, trap: 0 }).toEqual({ ...predicted, trap: 0 });
    expect(seen.direct).toBeGreaterThan(100);
    expect(seen.starved).toBeGreaterThan(0);
  });
});
