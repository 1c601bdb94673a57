// Compiles and runs the micro-benchmarks of data/calibrate with the local gcc.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import { type Builds, type Measured, readMeasured } from "./machine-profile.ts";

const SOURCE = fileURLToPath(new URL("../../data/calibrate/machine.c", import.meta.url));

/** Longest that a compilation or a run may take, in milliseconds. */
const PATIENCE = 60_000;

/** Measures the machine at hand. Throws InputError with one line when it cannot be done here. */
export function measureMachine(): Builds {
  if (process.platform !== "linux" || (process.arch !== "x64" && process.arch !== "ia32"))
    throw new InputError(
      `calibrate --machine runs on Linux on x86 processors, not on ${process.platform} ${process.arch}`,
    );
  const folder = mkdtempSync(join(tmpdir(), "kmlab-calibrate-"));
  try {
    return { m32: build(folder, ["-m32", "-fno-pie", "-no-pie"]), m64: build(folder, ["-m64"]) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One build's numbers; undefined when it cannot be compiled or run, as 32-bit code without its libraries. */
function build(folder: string, options: readonly string[]): Measured | undefined {
  const program = join(folder, `machine${options[0]}`);
  const gcc = spawnSync("gcc", ["-O2", ...options, "-o", program, SOURCE], { encoding: "utf8", timeout: PATIENCE });
  if (gcc.error !== undefined)
    throw new InputError(
      "calibrate --machine needs gcc, which was not found: install gcc, and gcc-multilib for 32-bit calls",
    );
  if (gcc.status !== 0) return undefined;
  const run = spawnSync(program, [], { encoding: "utf8", timeout: PATIENCE });
  return run.status === 0 ? readMeasured(run.stdout) : undefined;
}
