// Runs a program natively, instruction by instruction, and in the emulator beside it, and shows the first difference:
//   npx tsx scripts/lockstep.ts [--limit N] [--cpu MODEL] [--root DIR] -- PROGRAM ARG...
//   npx tsx scripts/lockstep.ts --all                 all programs of the table, written to test/fixtures/cpu/lockstep.csv
// Needs an x86 Linux host, root, gcc -m32, and an i386 Debian root: a directory, or the packages that kmlab has cached.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuidWords } from "../src/emu/cpu/cpuid.ts";
import { cpuModel } from "../src/emu/cpu/models.ts";
import { Follower } from "./lockstep/follow.ts";
import { processor } from "./native-cpu/vector-native.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const TABLE = join(here, "../test/fixtures/cpu/lockstep.csv");

/** CPU model, most instructions, command. */
const PROGRAMS: readonly (readonly [string, number, string])[] = [
  ["pentium2", 200_000, "/bin/sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); x=\"$x$i\"; done; echo $x'"],
  ["pentium4", 200_000, "/bin/ls -lR /usr/bin"],
  ["core2", 200_000, "/usr/bin/sort -r /usr/lib/i386-linux-gnu/perl-base/POSIX.pm"],
  ["core2", 400_000, "/bin/gzip -c /usr/lib/i386-linux-gnu/perl-base/POSIX.pm"],
  ["pentium2", 300_000, "/usr/bin/sha256sum /bin/ls"],
  ["pentium4", 500_000, "/usr/bin/perl -e '$s+=sqrt($_)*sin($_)/($_+1) for 1..2000; print $s'"],
  ["core2", 600_000, "/usr/bin/python3.11 -S -E -c 'print(sum(i*i/7 for i in range(2000)))'"],
  ["pentium2", 400_000, "/usr/bin/mawk 'BEGIN{for(i=1;i<3000;i++)s+=log(i)*exp(-i/100)+i^0.5;print s}'"],
  ["pentium3", 200_000, "/usr/bin/find /usr -name '*a*'"],
];

function option(name: string): string | null {
  const at = process.argv.indexOf(name);
  return at >= 0 ? (process.argv[at + 1] ?? null) : null;
}

/** A root made of the packages that kmlab has fetched. */
function unpackRoot(into: string): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const packages = join(cache, "kmlab/packages");
  if (!existsSync(packages)) throw new Error("no cached packages: give --root, or run a program with kmlab first");
  for (const name of readdirSync(packages)) execFileSync("dpkg-deb", ["-x", join(packages, name), into]);
  return into;
}

/** What the program shall learn from CPUID: leaves 0 to 31 and 0x80000000 to 7, subleaves 0 to 3. */
function cpuids(model: string): Buffer {
  const words: number[] = [];
  for (const base of [0, 0x8000_0000]) {
    for (let leaf = base; leaf < base + (base ? 8 : 32); leaf++) {
      for (let sub = 0; sub < 4; sub++) words.push(leaf, sub, ...cpuidWords(cpuModel(model), leaf | 0, sub));
    }
  }
  return Buffer.from(Uint32Array.from(words).buffer);
}

async function follow(
  tracer: string,
  root: string,
  model: string,
  limit: number,
  command: readonly string[],
): Promise<Follower> {
  const child = spawn(tracer, [root, String(limit), ...command], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(cpuids(model));
  const follower = new Follower(model);
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    const all = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    rest = all.subarray(follower.feed(all));
    if (follower.difference !== null) break;
  }
  child.kill();
  return follower;
}

/** Words of a shell-like line with single quotes. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2]);
}

function tell(command: string, follower: Follower): void {
  const { instructions, systemCalls, fpStates, pages, approximations } = follower.counts;
  process.stdout.write(
    `${command}: ${instructions} instructions, ${fpStates} x87 and SIMD states, ${pages} pages, ${systemCalls} system calls, ${approximations} approximations taken over\n`,
  );
  if (follower.difference !== null) process.stdout.write(`first difference: ${follower.difference}\n`);
}

const directory = mkdtempSync(join(tmpdir(), "lockstep-"));
let failed = false;
try {
  const tracer = join(directory, "tracer");
  execFileSync("gcc", ["-m32", "-O2", "-static", "-Wall", "-o", tracer, join(here, "lockstep/tracer.c")]);
  const root = option("--root") ?? unpackRoot(join(directory, "root"));
  mkdirSync(join(root, "dev"), { recursive: true });
  if (process.argv.includes("--all")) {
    const rows = [`command,cpu,instructions,fp_states,pages,system_calls,approximations,processor`];
    for (const [model, limit, command] of PROGRAMS) {
      const follower = await follow(tracer, root, model, limit, wordsOf(command));
      tell(command, follower);
      failed ||= follower.difference !== null;
      const { instructions, fpStates, pages, systemCalls, approximations } = follower.counts;
      const quoted = `"${command.replaceAll('"', '""')}"`;
      rows.push([quoted, model, instructions, fpStates, pages, systemCalls, approximations, processor()].join(","));
    }
    if (!failed) writeFileSync(TABLE, `${rows.join("\n")}\n`);
  } else {
    const at = process.argv.indexOf("--");
    const command = process.argv.slice(at + 1);
    if (at < 0 || command.length === 0)
      throw new Error("usage: lockstep.ts [--limit N] [--cpu MODEL] -- PROGRAM ARG...");
    const follower = await follow(
      tracer,
      root,
      option("--cpu") ?? "pentium2",
      Number(option("--limit") ?? 200_000),
      command,
    );
    tell(command.join(" "), follower);
    failed = follower.difference !== null;
  }
} finally {
  rmSync(directory, { recursive: true });
}
process.exitCode = failed ? 1 : 0;
