// npm run bench:tiers [-- --json]: guest MIPS of every engine on the same programs, interleaved in one process.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { TIERS, type Tier } from "../src/emu/cpu/state.ts";
import { MemoryIo } from "../src/emu/host.ts";
import { openHostDir } from "../src/emu/kernel/fs/hostdir-node.ts";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { runProgram } from "../src/emu/run.ts";
import { crc32, fibonacci, getpidLoop, sieve } from "./bench/guest-programs.ts";

const ROUNDS = 3;

/** A program of adjustable length: `least` is what its start costs, `slow` and `quick` are for the oracle and the others. */
interface Work {
  readonly name: string;
  readonly least: number;
  readonly slow: number;
  readonly quick: number;
  readonly argv: (length: number) => string[];
}

const scratch = mkdtempSync(join(tmpdir(), "kmlab-tiers-"));
const image = openImage((await ensureRoot("base")).directory);

/** The guest's path of a made program. */
function program(name: string, bytes: Uint8Array): string[] {
  writeFileSync(join(scratch, name), bytes);
  chmodSync(join(scratch, name), 0o755);
  return [`/mnt/${name}`];
}

const made = (
  name: string,
  make: (n: number) => Uint8Array,
  [least, slow, quick]: readonly [number, number, number],
): Work => ({
  name,
  least,
  slow,
  quick,
  argv: (n) => program(`${name}-${n}`.replaceAll(" ", "-"), make(n)),
});
const shell = (
  name: string,
  script: (n: number) => string,
  [least, slow, quick]: readonly [number, number, number],
): Work => ({
  name,
  least,
  slow,
  quick,
  argv: (n) => ["sh", "-c", script(n)],
});

const WORKS: readonly Work[] = [
  made("sieve", sieve, [1, 2, 60]),
  made("fibonacci", fibonacci, [2, 16, 30]),
  made("crc32", crc32, [1, 2, 100]),
  made("getpid by sysenter", (n) => getpidLoop(n, "vsyscall"), [1, 5000, 400_000]),
  shell("gzip of zeros", (n) => `head -c ${n} /dev/zero | gzip -6`, [1, 20_000, 4_000_000]),
  shell("sha256sum", (n) => `head -c ${n} /dev/zero | sha256sum`, [1, 10_000, 4_000_000]),
  shell("shell loop", (n) => `i=0; while [ $i -lt ${n} ]; do i=$((i+1)); done`, [1, 300, 30_000]),
];

interface Measure {
  readonly instructions: number;
  readonly seconds: number;
}

function measure(argv: readonly string[], tier: Tier): Measure {
  const binds = [{ host: openHostDir(scratch, false), guest: "/mnt", writable: false }];
  const before = process.cpuUsage();
  const { instructions } = runProgram({ image, argv: [...argv], host: new MemoryIo(), binds, tier });
  const { user, system } = process.cpuUsage(before);
  return { instructions, seconds: (user + system) / 1e6 };
}

const rows: { work: string; mips: Record<Tier, number> }[] = [];
for (const { name, least, slow, quick, argv } of WORKS) {
  const mips = {} as Record<Tier, number>;
  const whole = {} as Record<Tier, number>;
  const start = {} as Record<Tier, number>;
  for (let round = 0; round < ROUNDS; round++) {
    for (const tier of TIERS) {
      if (tier === "oracle" && round > 0) continue;
      const base = measure(argv(least), tier);
      const run = measure(argv(tier === "oracle" ? slow : quick), tier);
      whole[tier] = Math.min(whole[tier] ?? Infinity, run.seconds);
      start[tier] = Math.min(start[tier] ?? Infinity, base.seconds);
      mips[tier] = (run.instructions - base.instructions) / (whole[tier] - start[tier]) / 1e6;
    }
  }
  rows.push({ work: name, mips });
}
rmSync(scratch, { recursive: true, force: true });

if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows)}\n`);
else {
  const columns = TIERS.map((tier) => tier.padStart(10)).join("");
  process.stdout.write(`${"guest MIPS".padEnd(20)}${columns}  compile : interpret\n`);
  for (const { work, mips } of rows) {
    const cells = TIERS.map((tier) => mips[tier].toFixed(mips[tier] < 10 ? 2 : 0).padStart(10)).join("");
    process.stdout.write(`${work.padEnd(20)}${cells}  ${(mips.compile / mips.interpret).toFixed(1)}\n`);
  }
}
