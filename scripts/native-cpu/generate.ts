// Records what this machine's processor does with x87 instructions and runs of others, as fixtures for the emulator's tests:
//   npx tsx scripts/native-cpu/generate.ts              write test/fixtures/cpu/{x87,sequence}.txt.gz
//   npx tsx scripts/native-cpu/generate.ts explore 7    compare the emulator with the processor on cases of seed 7
// Needs an x86 Linux host with gcc -m32.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { NativeBench } from "./bench.ts";
import { type Case, fromRecords, inputsOf, type Outputs, toLine, toRecord } from "./cases.ts";
import { differences, isUndecided } from "./compare.ts";
import { sequenceCases } from "./sequences.ts";
import { x87Cases } from "./x87-forms.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const fixtures = join(here, "../../test/fixtures/cpu");

/** Compile runner.c into a directory. */
function buildRunner(directory: string): string {
  const runner = join(directory, "runner");
  execFileSync("gcc", ["-m32", "-O1", "-static", "-Wall", "-o", runner, join(here, "runner.c")]);
  return runner;
}

/** Execute cases on the real processor. */
function execute(runner: string, cases: readonly Case[]): Outputs[] {
  const { stdout, status } = spawnSync(runner, { input: Buffer.concat(cases.map(toRecord)), maxBuffer: 2 ** 30 });
  const outputs = cases.map((_, n) => fromRecords(stdout, n));
  if (status !== 0 || outputs.includes(null)) throw new Error(`runner stopped early, status ${status}`);
  return outputs as Outputs[];
}

/** What identifies the processor measured. */
function processor(): string {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1] ?? "?";
  return `${field("vendor_id")} family ${field("cpu family")} model ${field("model")} stepping ${field("stepping")}`;
}

function record(runner: string): void {
  mkdirSync(fixtures, { recursive: true });
  for (const [name, cases] of [
    ["x87", x87Cases(1, 1)],
    ["sequence", sequenceCases(1, 1)],
  ] as const) {
    const outputs = execute(runner, cases);
    const lines = cases
      .map((c, n) => (isUndecided(c, inputsOf(c), outputs[n]) ? "" : toLine(c, outputs[n])))
      .filter((line) => line !== "");
    const header = `# ${name}: ${lines.length} cases executed by ${processor()}, user mode, 32-bit code; scripts/native-cpu/generate.ts`;
    const packed = gzipSync(`${[header, ...lines].join("\n")}\n`, { level: 9 });
    writeFileSync(join(fixtures, `${name}.txt.gz`), packed);
    process.stdout.write(`${name}: ${lines.length} cases, ${packed.length} bytes\n`);
  }
}

function explore(runner: string, seed: number): void {
  const bench = new NativeBench();
  for (const cases of [x87Cases(seed, 1), sequenceCases(seed, 1)]) {
    const outputs = execute(runner, cases);
    let wrong = 0;
    cases.forEach((c, n) => {
      const inputs = inputsOf(c);
      if (isUndecided(c, inputs, outputs[n])) return;
      bench.load(c.code, inputs, c.kind);
      const most = c.kind === "sequence" ? c.code.length + 2 : 1;
      const got = bench.outputs((cpu) => cpu.run(cpu.icount + most), c.kind);
      const found = differences(c, outputs[n], got);
      if (found.length === 0) return;
      wrong++;
      process.stdout.write(`${Buffer.from(c.code).toString("hex")} seed ${c.seed}: ${found.join("; ")}\n`);
    });
    process.stdout.write(`${wrong} of ${cases.length} differ\n`);
  }
}

const directory = mkdtempSync(join(tmpdir(), "native-cpu-"));
try {
  const runner = buildRunner(directory);
  if (process.argv[2] === "explore") explore(runner, Number(process.argv[3] ?? 1));
  else record(runner);
} finally {
  rmSync(directory, { recursive: true });
}
