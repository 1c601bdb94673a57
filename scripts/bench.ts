// npm run bench: speeds of the emulator, the capture and the replay, each with what it is compared to.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryIo } from "../src/emu/host.ts";
import { openHostDir } from "../src/emu/kernel/fs/hostdir-node.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { type RunOptions, runProgram } from "../src/emu/run.ts";
import { callCosts, seconds } from "./bench/calls.ts";
import { crc32, fibonacci, sieve } from "./bench/guest-programs.ts";
import { replayRate } from "./bench/model.ts";

interface Row {
  what: string;
  value: number;
  unit: string;
  /** The least that must be reached, if there is one. */
  atLeast?: number;
  compared: string;
}

const scratch = mkdtempSync(join(tmpdir(), "kmlab-bench-"));
const image = openImage((await ensureRoot("base")).directory);
const rows: Row[] = [];

function guest(name: string, bytes: Uint8Array, more: Partial<RunOptions> = {}): RunOptions {
  writeFileSync(join(scratch, name), bytes);
  chmodSync(join(scratch, name), 0o755);
  return {
    image,
    argv: [`/mnt/${name}`],
    host: new MemoryIo(),
    binds: [{ host: openHostDir(scratch, false), guest: "/mnt", writable: false }],
    ...more,
  };
}

/** Seconds a program takes natively, or undefined where i386 programs do not run. */
function natively(name: string): number | undefined {
  const started = process.hrtime.bigint();
  const run = spawnSync(join(scratch, name), { stdio: "ignore" });
  return run.status === 0 ? Number(process.hrtime.bigint() - started) / 1e9 : undefined;
}

const best = (times: number, measure: () => number) => Math.min(...Array.from({ length: times }, measure));

for (const [name, bytes] of [
  ["sieve", sieve(20)],
  ["fibonacci", fibonacci(27)],
  ["crc32", crc32(60)],
] as const) {
  const options = guest(name, bytes);
  let instructions = 0;
  const time = best(3, () =>
    seconds(() => {
      const run = runProgram(options);
      instructions = run.instructions;
      if (run.status > 0 && run.exit.kind !== "exit") throw new Error(`${name}: ${JSON.stringify(run.exit)}`);
    }),
  );
  const native = natively(name);
  rows.push({
    what: `guest MIPS, ${name}`,
    value: instructions / time / 1e6,
    unit: "MIPS",
    atLeast: 40,
    compared: native === undefined ? "no native i386 here" : `${(time / native).toFixed(0)} times native`,
  });
}

const LEAST = { direct: 1, sysenter: 0.4, int80: 0.4 } as const;
for (const { way, captured, plain } of callCosts(5)) {
  rows.push({
    what: `getpid a second, ${way}, captured`,
    value: 1e-6 / captured,
    unit: "M/s",
    atLeast: LEAST[way],
    compared: `${(1e-6 / plain).toFixed(2)} M/s without capture`,
  });
  rows.push({
    what: `capture's own cost a call, ${way}`,
    value: (captured - plain) * 1e9,
    unit: "ns",
    compared: `${(plain * 1e9).toFixed(0)} ns for the call`,
  });
}

const replay = replayRate();
rows.push({
  what: "records replayed a second",
  value: replay.recordsPerSecond / 1e6,
  unit: "M/s",
  atLeast: 10,
  compared: replay.compared,
});

const launcher = fileURLToPath(new URL("../bin/kmlab.mjs", import.meta.url));
const whole = (words: string[]) =>
  best(5, () => {
    const started = process.hrtime.bigint();
    spawnSync(process.execPath, [launcher, ...words], { stdio: "ignore" });
    return Number(process.hrtime.bigint() - started) / 1e6;
  });
const bare = best(5, () => {
  const started = process.hrtime.bigint();
  spawnSync(process.execPath, ["-e", "0"], { stdio: "ignore" });
  return Number(process.hrtime.bigint() - started) / 1e6;
});
rows.push({
  what: "whole process, kmlab run /bin/true",
  value: whole(["run", "/bin/true"]),
  unit: "ms",
  compared: `${bare.toFixed(0)} ms for node alone, ${whole(["--version"]).toFixed(0)} ms for kmlab --version`,
});
rmSync(scratch, { recursive: true, force: true });

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  const width = Math.max(...rows.map((row) => row.what.length));
  for (const { what, value, unit, atLeast, compared } of rows) {
    const floor = atLeast === undefined ? "" : value >= atLeast ? `  >= ${atLeast}` : `  BELOW ${atLeast}`;
    const figure = value >= 100 ? value.toFixed(0) : value.toFixed(2);
    process.stdout.write(
      `${what.padEnd(width)}  ${figure.padStart(8)} ${unit.padEnd(4)}${floor.padEnd(12)}  ${compared}\n`,
    );
  }
}
process.exitCode = rows.every(({ value, atLeast }) => atLeast === undefined || value >= atLeast) ? 0 : 1;
