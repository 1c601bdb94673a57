// A root with nothing but given files in it, and a run of one of them: what the tests of processes run on.
import { readFileSync } from "node:fs";
import { NullRecorder } from "../../../../src/emu/capture/recorder.ts";
import { MemoryIo } from "../../../../src/emu/host.ts";
import { type ExitInfo, Kernel } from "../../../../src/emu/kernel/kernel.ts";
import { Machine } from "../../../../src/emu/machine/machine.ts";
import { type ImageEntry, type RootImage, S_IFDIR, S_IFREG } from "../../../../src/emu/rootfs/image.ts";
import { type RunOptions, type RunResult, runProgram } from "../../../../src/emu/run.ts";

const FIXTURES = new URL("../../../fixtures/proc/", import.meta.url);
const DIRECTORIES = ["/", "/bin", "/dev", "/etc", "/proc", "/root", "/tmp"];
const PAGE = 4096;

/** A program or text of test/fixtures/proc. */
export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(name, FIXTURES));
}

/** An image of files by path; all may be executed unless their path ends in ".txt". */
export function imageOf(files: Readonly<Record<string, Uint8Array>>): RootImage {
  const common = { uid: 0, gid: 0, mtime: 0 };
  const entries: ImageEntry[] = DIRECTORIES.map((path) => ({
    ...common,
    path,
    mode: S_IFDIR | 0o755,
    size: 0,
    offset: 0,
  }));
  const blobs: { at: number; bytes: Uint8Array }[] = [];
  let end = 0;
  for (const [path, bytes] of Object.entries(files)) {
    const mode = S_IFREG | (path.endsWith(".txt") ? 0o644 : 0o755);
    entries.push({ ...common, path, mode, size: bytes.length, offset: end });
    blobs.push({ at: end, bytes });
    end += Math.ceil(bytes.length / PAGE) * PAGE;
  }
  const data = new Uint8Array(end);
  for (const { at, bytes } of blobs) data.set(bytes, at);
  entries.sort((a, b) => (a.path < b.path ? -1 : 1));
  const read = (offset: number, length: number) => {
    const out = new Uint8Array(length);
    out.set(data.subarray(offset, offset + length));
    return out;
  };
  return { digest: "", entries, read };
}

/** A run and what it wrote to standard output. */
export function run(
  files: Readonly<Record<string, Uint8Array>>,
  argv: string[],
  how: Partial<RunOptions> = {},
): RunResult & { out: string } {
  const host = new MemoryIo();
  const result = runProgram({ image: imageOf(files), argv, host, memoryMiB: 64, cwd: "/", env: [], ...how });
  return { ...result, out: host.text("out") };
}

/** A run that is stopped after so many clock units if it has not ended by then. */
export function runBriefly(
  files: Readonly<Record<string, Uint8Array>>,
  argv: string[],
  ring: 0 | 3,
  units: number,
): ExitInfo {
  const machine = new Machine({ ramBytes: 16 << 20, hz: 100 });
  const options = { entry: "sysenter", ring, trusted: "all", memoryMiB: 16, seed: 1, hz: 100, cwd: "/" } as const;
  const fixed = { env: [], vdsoClock: true, tty: false, aslr: false, host: new MemoryIo() };
  const kernel = new Kernel(
    { ...options, ...fixed, kernel: ring === 0 ? "kml-4.0" : "linux", argv },
    machine,
    new NullRecorder(),
  );
  kernel.boot(imageOf(files));
  machine.clock.at(units, () => machine.stop());
  return kernel.run();
}
