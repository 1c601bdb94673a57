// What a system call costs the emulator, with and without capture, by way into the kernel.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
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

/**
 * The best of `times` runs each, after the cost of a program that makes one call has been taken off. Each way has a process
 * of its own, as a captured program has: what V8 has learned of one does not slow the next.
 */
export function callCosts(times: number): CallCost[] {
  return WAYS.map(([way]) => {
    const child = spawnSync(
      process.execPath,
      [...process.execArgv, fileURLToPath(import.meta.url), way, String(times)],
      {
        encoding: "utf8",
      },
    );
    if (child.status !== 0) throw new Error(`getpid, ${way}: ${child.stderr}`);
    return JSON.parse(child.stdout) as CallCost;
  });
}

async function callCost(wanted: string, times: number): Promise<CallCost> {
  const found = WAYS.find(([name]) => name === wanted);
  if (found === undefined) throw new Error(`no way into the kernel: ${wanted}`);
  const [way, more] = found;
  const scratch = mkdtempSync(join(tmpdir(), "kmlab-calls-"));
  const image = openImage((await ensureRoot("base")).directory);
  const guest = (name: string, bytes: Uint8Array): RunOptions => {
    writeFileSync(join(scratch, name), bytes);
    chmodSync(join(scratch, name), 0o755);
    const binds = [{ host: openHostDir(scratch, false), guest: "/mnt", writable: false }];
    return { image, argv: [`/mnt/${name}`], host: new MemoryIo(), binds, ...more };
  };
  const few = guest("few", getpidLoop(1, "vsyscall"));
  const many = guest("many", getpidLoop(CALLS, "vsyscall"));
  const best = (work: () => void) => Math.min(...Array.from({ length: times }, () => seconds(work)));
  const cost = (run: (options: RunOptions) => unknown) => (best(() => run(many)) - best(() => run(few))) / CALLS;
  const costs = { way, captured: cost(captureProgram), plain: cost(runProgram) };
  rmSync(scratch, { recursive: true, force: true });
  return costs;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(await callCost(process.argv[2], Number(process.argv[3]))));
}
