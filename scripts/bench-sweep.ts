// npm run bench:sweep [-- --runs N --records N --jobs N]: a sweep over a long trace, undisturbed and killed twice on the way. Exit 1 when the
// tables differ by a byte, something was computed twice, or the runs take more than a quarter of an hour of the threads' time.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadTrace } from "../src/model/made-load.ts";
import { makeColumns } from "../src/traces/columns.ts";
import { writeTrace } from "../src/traces/node.ts";
import { TABLES } from "../src/traces/schema/tables.ts";
import type { Trace } from "../src/traces/trace.ts";

const MINUTES = 15;
const MECHANISMS = ["int80", "sysenter", "kml", "kml-all"];
/** Clock ticks a second of /proc/PID/stat. */
const CLOCK_TICKS = 100;
const POLL_MS = 100;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10000" },
    records: { type: "string", default: "1000000" },
    jobs: { type: "string", default: "2" },
  },
});
const side = Math.round(Math.sqrt(Number(values.runs) / MECHANISMS.length));
const runs = side * side * MECHANISMS.length;
const root = mkdtempSync(join(tmpdir(), "kmlab-bench-sweep-"));
const experiment = join(root, "long.yaml");
const launcher = fileURLToPath(new URL("../bin/kmlab.mjs", import.meta.url));

/** One process's share of a sweep. */
interface Part {
  readonly wall: number;
  readonly cpu: number;
  readonly peak: number;
}

/** The load of bench:model with columns as files have them. */
function fileTrace(records: number): Trace {
  const load = loadTrace({ records, tasks: 8, blocking: 0.01 });
  const events = makeColumns(TABLES.events, records);
  for (const key of ["task", "nr", "user", "bytes", "kind", "abi", "site"] as const) events[key].set(load.events[key]);
  events.tIn.set(Float64Array.from({ length: records }, (_, seq) => seq));
  const edges = makeColumns(TABLES.edges, load.edges.length);
  for (const key of ["to", "from", "kind", "delay"] as const) edges[key].set(load.edges[key]);
  const tasks = load.tasks.map((task) => ({ ...task, mm: null }));
  return { ...load, tasks, events, edges };
}

/** Processor seconds and most memory in MiB of a process that lives; undefined: it does not. */
function usage(pid: number): { cpu: number; peak: number } | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    // A process that has ended and was not waited for has no memory any more.
    if (peak === undefined) return undefined;
    return { cpu: (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS, peak: Number(peak) / 1024 };
  } catch {
    return undefined;
  }
}

function results(folder: string): string[] {
  const dir = join(folder, "results");
  if (!existsSync(dir)) return [];
  return readdirSync(dir).flatMap((name) => readFileSync(join(dir, name), "utf8").split("\n").filter(Boolean));
}

/** Sweeps, until the end or until so many results are kept, and then kills. */
async function part(folder: string, until = Number.POSITIVE_INFINITY): Promise<Part> {
  const began = performance.now();
  const child = spawn(process.execPath, [launcher, "sweep", experiment, "-o", folder, "--jobs", values.jobs], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(child, "exit");
  let last = { cpu: 0, peak: 0 };
  while (child.exitCode === null && child.signalCode === null) {
    last = usage(child.pid!) ?? last;
    if (until < runs && results(folder).length >= until) child.kill("SIGKILL");
    await Promise.race([ended, new Promise((go) => setTimeout(go, POLL_MS))]);
  }
  if (until >= runs && child.exitCode !== 0) throw new Error(`the sweep ended with ${child.exitCode}`);
  return { wall: (performance.now() - began) / 1000, ...last };
}

function say(what: string, parts: readonly Part[]): number {
  const sum = (of: (one: Part) => number): number => parts.reduce((all, one) => all + of(one), 0);
  const cpu = sum((one) => one.cpu);
  const peak = Math.max(...parts.map((one) => one.peak));
  process.stdout.write(
    `  ${what}: ${cpu.toFixed(0)} s of CPU time, ${sum((one) => one.wall).toFixed(0)} s in all, ${((runs * Number(values.records)) / cpu / 1e6).toFixed(0)} M records/s of CPU time, ${peak.toFixed(0)} MiB at most\n`,
  );
  return cpu;
}

async function main(): Promise<number> {
  process.stdout.write(`${runs} runs over ${values.records} records, ${values.jobs} threads\n`);
  writeTrace(join(root, "load.kmtrace"), fileTrace(Number(values.records)));
  writeFileSync(
    experiment,
    `traces: ./load
mechanisms: [${MECHANISMS.join(", ")}]
set:
  hw.int_3to0: {from: 10, to: 2000, steps: ${side}, scale: log}
  kernel.cpi: {from: 0.5, to: 4, steps: ${side}}
`,
  );
  const [whole, killed] = [join(root, "whole"), join(root, "killed")];
  const cpu = say("undisturbed", [await part(whole)]);
  const first = await part(killed, runs / 3);
  const atFirst = results(killed).length;
  const second = await part(killed, (2 * runs) / 3);
  const atSecond = results(killed).length;
  say(`killed with ${atFirst} and ${atSecond} results`, [first, second, await part(killed)]);
  const same = ["long.csv", "long.json"].every((name) =>
    readFileSync(join(whole, name)).equals(readFileSync(join(killed, name))),
  );
  const keys = results(killed).map((line) => line.slice(17, 85));
  const twice = keys.length - new Set(keys).size;
  process.stdout.write(
    `  tables ${same ? "have the same bytes" : "DIFFER"}; ${twice} results computed twice, ${keys.length - runs} lines torn\n`,
  );
  return same && twice === 0 && cpu <= MINUTES * 60 * Number(values.jobs) ? 0 : 1;
}

try {
  process.exitCode = await main();
} finally {
  rmSync(root, { recursive: true, force: true });
}
