// Runs vectors on this machine's processor through vector-runner.c, in batches.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FX_BYTES, INSTRUCTION, type Vector, WINDOW_BYTES } from "./vector-cases.ts";
import type { Outcome } from "./vector-world.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const CODE_BYTES = 16;
const IN_BYTES = CODE_BYTES + 8 + 36 + WINDOW_BYTES + FX_BYTES;
const OUT_WORDS = 20;
const OUT_BYTES = 4 * OUT_WORDS + WINDOW_BYTES + FX_BYTES;
const SIGTRAP = 5;

/** Compile vector-runner.c into a directory; needs gcc -m32. Returns the program's path. */
export function buildRunner(directory: string): string {
  const runner = join(directory, "vector-runner");
  const flags = ["-m32", "-O1", "-static", "-fno-stack-protector", "-Wall"];
  execFileSync("gcc", [...flags, "-o", runner, join(here, "vector-runner.c")]);
  return runner;
}

/** What identifies this machine's processor. */
export function processor(): string {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1] ?? "?";
  return `${field("vendor_id")} family ${field("cpu family")} model ${field("model")} stepping ${field("stepping")}`;
}

function toRecord(vector: Vector): Uint8Array {
  const record = new Uint8Array(IN_BYTES);
  const view = new DataView(record.buffer);
  record.set(vector.code);
  view.setUint32(CODE_BYTES, vector.code.length, true);
  view.setUint32(CODE_BYTES + 4, vector.group.fp ? 1 : 0, true);
  for (let i = 0; i < 8; i++) view.setUint32(CODE_BYTES + 8 + 4 * i, vector.regs[i], true);
  view.setUint32(CODE_BYTES + 40, vector.eflags, true);
  record.set(vector.window, CODE_BYTES + 44);
  record.set(vector.fx, CODE_BYTES + 44 + WINDOW_BYTES);
  return record;
}

/** Did the instruction complete, and where does that leave EIP? */
function completion(vector: Vector, signal: number, trap: number, eip: number): number | null {
  if (signal !== SIGTRAP) return null;
  const end = INSTRUCTION + vector.code.length;
  if (vector.group.fp) return trap === 3 && eip === end + 8 ? end : null;
  if (trap === 1) return eip;
  // A load of SS holds the trap off until the INT3 behind has executed.
  return trap === 3 && eip === end + 1 && vector.code.at(-1) !== 0xcc ? end : null;
}

function fromRecord(bytes: Uint8Array, n: number, vector: Vector): Outcome {
  const at = n * OUT_BYTES;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, OUT_BYTES);
  const word = (index: number) => view.getUint32(4 * index, true);
  const done = completion(vector, word(0), word(1), word(12));
  const trap = done === null ? word(1) : -1;
  return {
    trap,
    error: done === null ? word(2) : 0,
    cr2: trap === 14 ? word(3) : 0,
    regs: Uint32Array.from({ length: 8 }, (_, i) => word(4 + i)),
    eip: done ?? word(12),
    eflags: word(13),
    segs: Array.from({ length: 6 }, (_, i) => word(14 + i)),
    window: bytes.slice(at + 80, at + 80 + WINDOW_BYTES),
    fx: bytes.slice(at + 80 + WINDOW_BYTES, at + OUT_BYTES),
  };
}

/** What the real processor does with each vector. */
export function runNative(runner: string, vectors: readonly Vector[]): Outcome[] {
  const input = Buffer.concat(vectors.map(toRecord));
  const { stdout, status, signal } = spawnSync(runner, { input, maxBuffer: 2 ** 30 });
  const output = new Uint8Array(stdout.buffer, stdout.byteOffset, stdout.length);
  const got = Math.floor(output.length / OUT_BYTES);
  if (status !== 0 || got !== vectors.length) {
    const stuck = vectors[got];
    const code = stuck ? Buffer.from(stuck.code).toString("hex") : "";
    throw new Error(`runner stopped with ${status ?? signal} after ${got} vectors, at ${stuck?.group.key} ${code}`);
  }
  return vectors.map((vector, n) => fromRecord(output, n, vector));
}
