// The calls of the programs that people ask about first, in the emulator and natively: which differences there are is written down, and each
// has its reason. Those of programs that need more packages are looked for with KMLAB_SLOW.
import { readFileSync } from "node:fs";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../../src/emu/host.ts";
import { openImage } from "../../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../../src/emu/rootfs/roots-node.ts";
import { captureProgram } from "../../../src/emu/run.ts";
import { importTrace } from "../../../src/traces/importers/import.ts";
import { textFile } from "../../../src/traces/importers/text-node.ts";
import { callNames } from "../../../src/traces/node.ts";
import { readAllowed } from "../../../src/traces/sequence/allowed.ts";
import { compareSequences } from "../../../src/traces/sequence/compare.ts";
import { hasPackages } from "../../cli/packages.ts";
import { NATIVE_SAMPLES, type NativeSample, PROGRAM_SAMPLES } from "./native-samples.ts";

const TABLE = "data/differences.csv";
const FOUND = "test/fixtures/sequences/differences";
const allowed = readAllowed(readFileSync(TABLE, "utf8"), TABLE);
const calls = callNames();
const samples = [...NATIVE_SAMPLES, ...PROGRAM_SAMPLES];
const quick = samples.filter(({ packages }) => packages === undefined);

/** "COUNT KIND CALL: REASON", a line for each kind of difference, after how many calls of each task are the same. */
async function differences({ argv, file, packages = [], cpu }: NativeSample): Promise<string[]> {
  const { directory, index } = await ensureRoot(packages);
  const image = openImage(directory, index);
  const { trace } = captureProgram({ image, argv: [...argv], cpu, host: new MemoryIo() });
  image.close();
  const { tasks, differences: found } = compareSequences(
    trace,
    importTrace([textFile(file)], calls).trace,
    calls,
    allowed,
  );
  const lines = new Map<string, number>();
  for (const { kind, call, reason } of found) {
    const line = `${kind} ${call}: ${reason ?? "UNEXPLAINED"}`;
    lines.set(line, (lines.get(line) ?? 0) + 1);
  }
  const total = (key: "ones" | "twos" | "same") => tasks.reduce((sum, task) => sum + task[key], 0);
  return [
    `${tasks.length} tasks, ${total("ones")} calls, natively ${total("twos")}, the same ${total("same")}`,
    ...[...lines].map(([line, count]) => `${count} ${line}`).sort(),
  ];
}

describe.runIf(hasPackages)("the calls of a program, here and natively", () => {
  it.each(process.env["KMLAB_SLOW"] ? samples : quick)("$name", { timeout: 300_000 }, async (sample) => {
    const lines = await differences(sample);
    expect(lines.filter((line) => line.endsWith("UNEXPLAINED"))).toEqual([]);
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`../../../${FOUND}/${sample.name}.txt`);
  });

  it("no row of the table is there for nothing", () => {
    const written = samples.map(({ name }) => readFileSync(`${FOUND}/${name}.txt`, "utf8")).join("");
    const unused = allowed.filter(({ kind, reason }) => kind !== "alias" && !written.includes(reason));
    expect(unused.map(({ reason }) => reason)).toEqual([]);
  });
});
