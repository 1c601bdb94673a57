// npm run bench:emu: whole programs on the real processor, in qemu-i386 and in kmlab, taking turns in one run.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import Papa from "papaparse";
import { openImage } from "../src/emu/rootfs/image-node.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { unpackImage } from "../src/emu/rootfs/unpack-node.ts";
import { InputError } from "../src/errors.ts";
import { type CallCost, callCosts } from "./bench/calls.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const LAUNCHER = join(HERE, "../bin/kmlab.mjs");
const FILES = 100_000;
const MEGABYTE = 1 << 20;
const IMAGE = "bench";

interface Workload {
  readonly name: string;
  /** What runs, by its paths in the root. */
  readonly argv: readonly string[];
  /** Options of kmlab besides. */
  readonly options?: readonly string[];
  /** Times native that kmlab may take. */
  readonly atMost: number;
}

const WORKLOADS: readonly Workload[] = [
  { name: "sieve", argv: ["/bench/sieve", "150"], atMost: 4 },
  { name: "intmix", argv: ["/bench/intmix", "60000"], atMost: 4 },
  { name: "gzip", argv: ["/usr/bin/gzip", "-6", "-c", "/bench/data16"], atMost: 5 },
  { name: "sha256sum", argv: ["/usr/bin/sha256sum", "/bench/data64"], atMost: 6 },
  { name: "python3", argv: ["/usr/bin/python3.11", "-S", "-E", "/bench/loop.py", "1500000"], atMost: 12 },
  { name: "perl", argv: ["/usr/bin/perl", "/bench/loop.pl", "2500000"], atMost: 12 },
  { name: "ls", argv: ["/usr/bin/ls", "-lR", "/bench/tree"], options: ["--cold"], atMost: 8 },
  { name: "find", argv: ["/usr/bin/find", "/bench/tree", "-size", "+1k"], options: ["--cold"], atMost: 8 },
  { name: "nbody-x87", argv: ["/bench/nbody-x87", "2000000"], atMost: 30 },
  { name: "nbody-sse2", argv: ["/bench/nbody-sse2", "4000000"], options: ["--cpu", "pentium4"], atMost: 9 },
];

const PYTHON = `import sys
n = int(sys.argv[1]); d = {}; s = 0
for i in range(n):
    k = i & 1023
    d[k] = d.get(k, 0) + i
    s += len(str(i)) if i & 7 == 0 else (i ^ s) & 255
print(s, d[5])
`;
const PERL = `my $n = shift; my (%d, $s); $s = 0;
for my $i (0 .. $n - 1) { my $k = $i & 1023; $d{$k} += $i; $s += ($i & 7) == 0 ? length("$i") : ($i ^ $s) & 255; }
print "$s $d{5}\\n";
`;

/** CPU seconds of a command and all that it starts, from the shell's own account; undefined when it fails. */
function cpuSeconds(argv: readonly string[]): number | undefined {
  const script = '"$@" > /dev/null; status=$?; times; exit $status';
  const run = spawnSync("sh", ["-c", script, "sh", ...argv], { encoding: "utf8" });
  if (run.status !== 0) {
    process.stderr.write(`${argv.join(" ")}: ${run.stderr}`);
    return undefined;
  }
  const times =
    run.stdout
      .trim()
      .split("\n")
      .at(-1)
      ?.matchAll(/(\d+)m([\d.]+)s/g) ?? [];
  return [...times].reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
}

function run(tool: string, args: readonly string[]): boolean {
  return spawnSync(tool, args, { stdio: "ignore" }).status === 0;
}

/** The root that every contender sees, with the programs and their inputs in /bench. */
async function makeRoot(folder: string): Promise<string> {
  const location = await ensureRoot(["perl-base", "python3-minimal"]);
  const root = join(folder, "root");
  const image = openImage(location.directory);
  unpackImage(image, root);
  image.close();
  const bench = join(root, "bench");
  mkdirSync(bench);
  for (const [name, flags] of [
    ["sieve", []],
    ["intmix", []],
    ["nbody-x87", ["-mfpmath=387"]],
    ["nbody-sse2", ["-msse2", "-mfpmath=sse"]],
  ] as const) {
    const source = join(HERE, "bench/programs", `${name.split("-")[0]}.c`);
    const base = ["-m32", "-O2", "-march=i686", "-static", ...flags, "-o", join(bench, name), source, "-lm"];
    if (!run("gcc", base)) throw new InputError("gcc -m32 is not here; bench:emu needs gcc-multilib");
  }
  writeFileSync(join(bench, "loop.py"), PYTHON);
  writeFileSync(join(bench, "loop.pl"), PERL);
  writeFileSync(join(bench, "data16"), text(16 * MEGABYTE));
  writeFileSync(join(bench, "data64"), text(64 * MEGABYTE));
  for (let i = 0; i < FILES; i++) {
    const directory = join(bench, "tree", `${Math.floor(i / 5000)}`, `${Math.floor(i / 100) % 50}`);
    if (i % 100 === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file${i}`), i % 10 === 0 ? "x".repeat(2000) : "");
  }
  return root;
}

/** Text that compresses as prose does: words of a fixed pseudo-random sequence. */
function text(bytes: number): Uint8Array {
  const words = Array.from({ length: 4096 }, (_, i) => ((i * 2654435761) >>> 0).toString(36));
  const out = Buffer.alloc(bytes);
  let at = 0;
  for (let x = 1; at < bytes; x = (Math.imul(x, 1103515245) + 12345) >>> 0)
    at += out.write(`${words[(x >>> 12) & (x >>> 20) & 4095]} `, at);
  return out;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
const spread = (values: readonly number[]) => (Math.max(...values) - Math.min(...values)) / median(values) / 2;

interface Figures {
  readonly native: number[];
  readonly qemu: number[];
  readonly kmlab: number[];
}

/** One turn of every contender. */
function turn(root: string, workload: Workload, start: number, figures: Figures): void {
  const [program, ...rest] = workload.argv;
  const native = cpuSeconds(["chroot", root, ...workload.argv]);
  if (native === undefined)
    throw new InputError(`${workload.name}: does not run here natively; bench:emu needs root and an i386 kernel`);
  figures.native.push(native);
  // qemu-i386 looks for absolute paths under -L first.
  const qemu = cpuSeconds([
    "qemu-i386",
    "-L",
    root,
    join(root, program),
    ...rest.map((word) => word.replace(/^\/bench/, join(root, "bench"))),
  ]);
  if (qemu !== undefined) figures.qemu.push(qemu);
  const kmlab = cpuSeconds([
    process.execPath,
    LAUNCHER,
    "run",
    "--root",
    IMAGE,
    ...(workload.options ?? []),
    ...workload.argv,
  ]);
  if (kmlab === undefined) throw new InputError(`${workload.name}: kmlab run failed`);
  figures.kmlab.push(kmlab - start);
}

const recorded = new Map(
  Papa.parse<{ workload: string; warm: string; cold: string }>(
    readFileSync(join(HERE, "../data/bench/v86.csv"), "utf8"),
    { header: true, comments: "#", skipEmptyLines: true },
  ).data.map((row) => [row.workload, `${row.warm} (${row.cold})`]),
);

const option = (name: string) => process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
const repeat = Number(option("repeat") ?? 3);
const only = option("only")?.split(",");
const folder = mkdtempSync(join(tmpdir(), "kmlab-bench-"));
const lines: string[] = [];
const ratio = (values: readonly number[], native: number) =>
  values.length === 0 ? "-" : `${(median(values) / native).toFixed(1)} ±${(100 * spread(values)).toFixed(0)} %`;
let missed = 0;
try {
  const root = await makeRoot(folder);
  const tar = join(folder, "root.tar");
  if (!run("tar", ["-C", root, "--sort=name", "-cf", tar, "."])) throw new InputError("tar failed");
  process.env["XDG_CACHE_HOME"] = join(folder, "cache");
  const imported = spawnSync(process.execPath, [LAUNCHER, "rootfs", "import", tar, "--name", IMAGE], {
    encoding: "utf8",
  });
  if (imported.status !== 0) throw new InputError(`kmlab rootfs import: ${imported.stderr}`);
  const start = () => cpuSeconds([process.execPath, LAUNCHER, "run", "--root", IMAGE, "/usr/bin/true"]) ?? 0;
  const starts = Array.from({ length: repeat }, start);
  const node = median(Array.from({ length: repeat }, () => cpuSeconds([process.execPath, "-e", "0"]) ?? 0));
  lines.push(
    "| | native, s | qemu-i386 | v86 recorded, warm (cold) | kmlab | kmlab at most |",
    "|---|---|---|---|---|---|",
  );
  for (const workload of WORKLOADS.filter(({ name }) => only?.includes(name) ?? true)) {
    const figures: Figures = { native: [], qemu: [], kmlab: [] };
    for (let i = 0; i < repeat; i++) turn(root, workload, median(starts), figures);
    const native = median(figures.native);
    const reached = median(figures.kmlab) / native <= workload.atMost;
    if (!reached) missed++;
    lines.push(
      `| ${workload.name} | ${native.toFixed(2)} | ${ratio(figures.qemu, native)} | ${recorded.get(workload.name) ?? "-"} | ${ratio(figures.kmlab, native)} | ${workload.atMost}${reached ? "" : ", missed"} |`,
    );
    process.stderr.write(`${lines.at(-1)}\n`);
  }
  lines.push("", "| | CPU time |", "|---|---|");
  lines.push(`| node alone | ${(1000 * node).toFixed(0)} ms |`);
  lines.push(`| kmlab run /usr/bin/true, all of it, in this root | ${(1000 * median(starts)).toFixed(0)} ms |`);
  for (const cost of callCosts(repeat)) lines.push(callLine(cost));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(
  `Node ${process.versions.node}, medians of ${repeat} turns, half the range beside them.\n\n${lines.join("\n")}\n`,
);
process.exitCode = missed === 0 ? 0 : 1;

function callLine({ way, captured, plain }: CallCost): string {
  const microseconds = (seconds: number) => (seconds * 1e6).toFixed(2);
  return `| getpid, ${way}, captured (without capture) | ${microseconds(captured)} (${microseconds(plain)}) us |`;
}
