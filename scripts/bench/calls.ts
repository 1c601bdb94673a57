// What a system call costs the emulator, with and without capture, by way into the kernel.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { MemoryIo } from "../../src/emu/host.ts";
import { openHostDir } from "../../src/emu/kernel/fs/hostdir-node.ts";
import { openImage } from "../../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../../src/emu/rootfs/roots-node.ts";
import { captureProgram, type RunOptions, runProgram } from "../../src/emu/run.ts";
import { getpidLoop } from "./guest-programs.ts";

const CALLS = 1_000_000;
const WAYS = [
  ["direct", { ring: 0 }],
  ["sysenter", { entry: "sysenter" }],
  ["int80", { entry: "int80" }],
] as const;

/** CPU seconds a getpid. */
export interface CallCost {
  readonly way: (typeof WAYS)[number][0];
  readonly captured: number;
  readonly plain: number;
}

/** CPU seconds of this process that `work` takes. */
export function seconds(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The best of `times` runs each, after the cost of a program that makes one call has been taken off. */
export async function callCosts(times: number): Promise<CallCost[]> {
  const scratch = mkdtempSync(join(tmpdir(), "kmlab-calls-"));
  const image = openImage((await ensureRoot("base")).directory);
  const guest = (name: string, bytes: Uint8Array, more: Partial<RunOptions>): RunOptions => {
    writeFileSync(join(scratch, name), bytes);
    chmodSync(join(scratch, name), 0o755);
    const binds = [{ host: openHostDir(scratch, false), guest: "/mnt", writable: false }];
    return { image, argv: [`/mnt/${name}`], host: new MemoryIo(), binds, ...more };
  };
  const best = (work: () => void) => Math.min(...Array.from({ length: times }, () => seconds(work)));
  const costs = WAYS.map(([way, more]) => {
    const few = guest("few", getpidLoop(1, "vsyscall"), more);
    const many = guest("many", getpidLoop(CALLS, "vsyscall"), more);
    const cost = (run: (options: RunOptions) => unknown) => (best(() => run(many)) - best(() => run(few))) / CALLS;
    return { way, plain: cost(runProgram), captured: cost(captureProgram) };
  });
  rmSync(scratch, { recursive: true, force: true });
  return costs;
}
