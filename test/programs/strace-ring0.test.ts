// strace of a program in ring 0, with KMLAB_SLOW: traps show whole, of direct calls only the ends, which strace takes in pairs.
import process from "node:process";
import { expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import { runProgram } from "../../src/emu/run.ts";
import { readScenario, scenarioBase } from "../../src/scenarios-node.ts";
import { hasPackages } from "../cli/packages.ts";

it.runIf(hasPackages && process.env["KMLAB_SLOW"])("shows whole traps and half of the direct calls", async () => {
  const base = await scenarioBase(readScenario("strace"));
  const host = new MemoryIo();
  // Found by PATH, cat is the one below /trusted.
  const argv = ["/usr/bin/strace", "cat", "/etc/hostname"];
  const { status } = runProgram({ image: base, argv, host, ring: 0, memoryMiB: 64, cwd: "/", env: [] });
  base.close();
  expect([status, host.text("out")]).toEqual([0, "kml\n"]);
  const lines = host.text("err").trimEnd().split("\n");
  expect(lines[0]).toMatch(/^execve\("\/trusted\/usr\/bin\/cat", \["cat", "\/etc\/hostname"\], .*\) = 0$/);
  // The dynamic linker enters by int 0x80.
  expect(lines.find((line) => line.includes("libc.so.6") && line.includes("= 3"))).toMatch(/^openat\(AT_FDCWD, /);
  // What each direct call is said to return is what the next one did: openat's line has statx's 0, write's has the second read's.
  expect(lines.slice(-6)).toEqual([
    'openat(AT_FDCWD, "/etc/hostname", O_RDONLY|O_LARGEFILE) = 0',
    "fadvise64_64(3, 0, 0, POSIX_FADV_SEQUENTIAL) = 4",
    'write(1, "kml\\n", 4)                    = 0',
    "close(3)                                = 0",
    "close(2)                                = ?",
    "+++ exited with 0 +++",
  ]);
});
