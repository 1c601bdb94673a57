// npm run record-entry-kinds: which calls of real programs do not go through the vsyscall page, as `strace -i` sees it on this
// host's kernel, in a chroot of the base root. Needs root, strace, and a kernel that runs i386 programs.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SYSCALLS } from "../src/emu/kernel/syscalls.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { unpackImage } from "../src/emu/rootfs/unpack-node.ts";
import { DEFAULT_ENV } from "../src/emu/run.ts";
import {
  ENTRY_KINDS_COMMANDS,
  ENTRY_KINDS_ENV,
  ENTRY_KINDS_FILE,
  type EntryKinds,
} from "../test/emu/capture/entry-kinds.ts";

const PAGE_MASK = 0xfffff000;
const folder = mkdtempSync(join(tmpdir(), "kmlab-entry-kinds-"));
const root = join(folder, "root");

/** Runs words in the chroot without address randomisation; `strace` words go before. */
function chrooted(argv: readonly string[], before: readonly string[] = [], env: readonly string[] = []): string {
  const inside = [
    "chroot",
    root,
    "/usr/bin/env",
    "-i",
    "-C",
    "/root",
    ...DEFAULT_ENV,
    ...ENTRY_KINDS_ENV,
    ...env,
    ...argv,
  ];
  const mounted = ["-m", "sh", "-c", `mount -t proc proc ${root}/proc && exec "$@"`, "sh"];
  const ran = spawnSync("unshare", [...mounted, "setarch", "-R", ...before, ...inside], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  if (ran.status !== 0) throw new Error(`${argv.join(" ")}: ${ran.stderr || ran.error?.message}`);
  return ran.stdout;
}

const sorted = (counts: Record<string, number>) => Object.fromEntries(Object.entries(counts).sort());

try {
  const { directory, digest } = await ensureRoot("base");
  const image = openImage(directory);
  unpackImage(image, root);
  image.close();
  const shown = /AT_SYSINFO:\s+0x([0-9a-f]+)/.exec(chrooted(["/bin/true"], [], ["LD_SHOW_AUXV=1"]));
  if (!shown) throw new Error("the loader did not show AT_SYSINFO");
  const vsyscallPage = (Number.parseInt(shown[1], 16) & PAGE_MASK) >>> 0;
  const programs = ENTRY_KINDS_COMMANDS.map((argv) => {
    const file = join(folder, "strace");
    chrooted(argv, ["strace", "-i", "-n", "-qq", "-o", file]);
    const all = readFileSync(file, "utf8").split("\n");
    // env and chroot before the program are not its own: its calls begin behind its execve, and that is env's.
    const started = all.findLastIndex((line) => /\] execve\(/.test(line));
    const inline: Record<string, number> = {};
    const direct: Record<string, number> = {};
    for (const line of all.slice(started + 1)) {
      const call = /^\[ *(\d+)\] \[([0-9a-f]+)\] \w+\(/.exec(line);
      if (!call) continue;
      const counts = (Number.parseInt(call[2], 16) & PAGE_MASK) >>> 0 === vsyscallPage ? direct : inline;
      const { name } = SYSCALLS[Number(call[1])]!;
      counts[name] = (counts[name] ?? 0) + 1;
    }
    return { argv: [...argv], int80: sorted(inline), direct: sorted(direct) };
  });
  const tool = spawnSync("strace", ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
  const record: EntryKinds = { root: digest, kernel: release(), tool, programs };
  writeFileSync(ENTRY_KINDS_FILE, `${JSON.stringify(record, null, 2)}\n`);
  process.stdout.write(`${ENTRY_KINDS_FILE}: ${programs.length} programs\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
