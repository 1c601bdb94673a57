// npm run bench:import: what importing costs a line, and whether memory grows with length; opening and showing a long trace.
// Every measurement is a process of its own. `--long` adds a strace of 100 million lines (10 GB), which needs 12 GB of disk.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { importStream } from "../src/traces/importers/import.ts";
import { spillTo } from "../src/traces/importers/scratch-node.ts";
import { callNames, readTrace, writeTrace } from "../src/traces/node.ts";
import { report } from "../src/traces/show/report.ts";
import { summarize } from "../src/traces/show/summary.ts";
import { MAKERS, madeSource } from "./bench/made-lines.ts";

const MILLION = 1e6;

interface Measured {
  readonly megabytes?: number;
  readonly read?: number;
  readonly write?: number;
  readonly open?: number;
  readonly show?: number;
  /** MiB. */
  readonly peak: number;
}

function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function peak(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Reads and writes a made file; what making it takes is measured before and taken off. */
function measureImport(format: string, lines: number, dir: string): Measured {
  const before = cpu();
  let bytes = 0;
  for (const piece of madeSource(format, lines).pieces()) bytes += piece.length;
  const made = cpu();
  const { trace } = importStream([madeSource(format, lines)], callNames(), {}, spillTo(tmpdir()));
  const read = cpu();
  writeTrace(dir, trace);
  return { megabytes: bytes / 1e6, read: read - made - (made - before), write: cpu() - read, peak: peak() };
}

function measureShow(dir: string): Measured {
  const before = cpu();
  const trace = readTrace(dir);
  const open = cpu();
  const text = report(trace, summarize(trace, callNames()), (word) => word, false);
  if (text.length === 0) throw new Error("show said nothing");
  return { open: open - before, show: cpu() - before, peak: peak() };
}

function inChild(...words: string[]): Measured {
  const run = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), "--measure", ...words],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (run.status !== 0) throw new Error(`${words.join(" ")}: status ${run.status}`);
  return JSON.parse(run.stdout) as Measured;
}

function line(cells: readonly string[]): void {
  process.stdout.write(`${cells.map((cell, index) => (index === 0 ? cell.padEnd(14) : cell.padStart(13))).join("")}\n`);
}

function main(long: boolean): void {
  const root = mkdtempSync(join(tmpdir(), "kmlab-bench-import-"));
  try {
    const dir = join(root, "made.kmtrace");
    const row = (format: string, lines: number): void => {
      const { megabytes, read, write, peak: most } = inChild("import", format, String(lines), dir);
      const rate = (seconds: number): string => (lines / MILLION / seconds).toFixed(2);
      line([format, String(lines / MILLION), megabytes!.toFixed(0), rate(read!), rate(read! + write!), String(most)]);
    };
    process.stdout.write(
      "millions of lines a second of CPU time, reading alone and with the trace written; peak memory\n",
    );
    line(["format", "M lines", "MB", "read", "read+write", "peak, MiB"]);
    for (const format of Object.keys(MAKERS)) row(format, MILLION);
    for (const lines of [0.1, 1, 10, ...(long ? [100] : [])]) row("strace", lines * MILLION);
    const { open, show, peak: most } = inChild("show", dir);
    process.stdout.write(
      `the last trace: opened in ${open!.toFixed(3)} s, shown in ${show!.toFixed(2)} s, ${most} MiB\n`,
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const words = process.argv.slice(2);
if (words[0] === "--measure") {
  const measured = words[1] === "show" ? measureShow(words[2]) : measureImport(words[2], Number(words[3]), words[4]);
  process.stdout.write(JSON.stringify(measured));
} else main(words.includes("--long"));
