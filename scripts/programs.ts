// npm run programs: every scenario in ring 3 and in ring 0, each compared with what it prints natively.
// npm run programs -- [NAME...] [--record] [--traces FOLDER] [--save]: record what they print on this host; keep the traces; keep the counts in
// data/programs.csv and the small traces in data/traces/scenarios.
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MemoryIo } from "../src/emu/host.ts";
import type { OpenImage } from "../src/emu/rootfs/image-node.ts";
import { captureProgram } from "../src/emu/run.ts";
import { type ProgramRow, readProgramRows, writeProgramRows } from "../src/program-rows-node.ts";
import {
  expectedFile,
  readScenario,
  type Scenario,
  scenarioBase,
  scenarioImage,
  scenarioNames,
  scenarioOptions,
  scenarioRate,
  scenarioTar,
} from "../src/scenarios-node.ts";
import { callNames, SUFFIX, writeTrace } from "../src/traces/node.ts";
import { PATHS } from "../src/traces/schema/enums.ts";
import { summarize } from "../src/traces/show/summary.ts";
import { aligned, grouped } from "../src/traces/show/table.ts";
import { NativeRoot } from "../test/programs/native.ts";

/** Double faults through the task gate: no stack to push on. */
const STARVED = PATHS.indexOf("H");

const RINGS = [3, 0] as const;
const HEADING = "scenario ring verdict instructions calls vsyscall int80 starved wall-s cpu-s rate trace-MB".split(" ");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    record: { type: "boolean", default: false },
    traces: { type: "string" },
    save: { type: "boolean", default: false },
  },
});

/** Where small traces are kept, and how large one may be there. */
const KEPT = fileURLToPath(new URL("../data/traces/scenarios/", import.meta.url));
const KEPT_BYTES = 500_000;

/** Size of a trace's files, without the cache that reading it leaves. */
function traceBytes(folder: string): number {
  const names = readdirSync(folder).filter((name) => !name.startsWith("."));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Runs a scenario on this host and keeps what it printed. */
function record(scenario: Scenario, base: OpenImage): void {
  const native = new NativeRoot(base);
  try {
    native.reset(scenarioTar(scenario));
    const { status, out, err } = native.execute({ argv: scenario.argv }, { environment: scenario.environment });
    if (status !== 0) throw new Error(`${scenario.name} ended natively with ${status}: ${out}${err}`);
    writeFileSync(expectedFile(scenario), out);
  } finally {
    native.close();
  }
}

/** Runs a scenario in a ring: the cells of its row, and whether it printed what it should. */
function measure(
  scenario: Scenario,
  base: OpenImage,
  ring: 0 | 3,
): { cells: string[]; passed: boolean; row: ProgramRow } {
  const host = new MemoryIo();
  const begun = process.cpuUsage();
  const started = performance.now();
  const run = captureProgram({ ...scenarioOptions(scenario), image: scenarioImage(base, scenario), host, ring });
  const { user, system } = process.cpuUsage(begun);
  const seconds = (user + system) / 1e6;
  const wallSeconds = (performance.now() - started) / 1000;
  const [out, err] = [host.text("out"), host.text("err")];
  const passed = run.status === 0 && out === scenario.expected;
  if (!passed) process.stderr.write(`${scenario.name}, ring ${ring}: status ${run.status}\n${out}\n${err}\n`);
  const summary = summarize(run.trace, callNames());
  const { value: rate, unit } = scenarioRate(scenario, out + err) ?? { value: undefined, unit: "" };
  const { path } = run.trace.events;
  let starved = 0;
  for (let i = 0; i < path.length; i++) if (path[i] === STARVED) starved++;
  let bytes: number | undefined;
  if (values.traces !== undefined || values.save) {
    const name = `${scenario.name}-ring${ring}${SUFFIX}`;
    const folder = join(values.traces ?? KEPT, name);
    writeTrace(folder, run.trace);
    bytes = traceBytes(folder);
    if (values.traces === undefined && bytes > KEPT_BYTES) rmSync(folder, { recursive: true });
  }
  const row: ProgramRow = {
    scenario: scenario.name,
    ring,
    same: passed,
    instructions: run.instructions,
    calls: summary.calls.reduce((n, call) => n + call.count, 0),
    vsyscall: summary.sites["vsyscall"] ?? 0,
    int80: summary.sites["int80"] ?? 0,
    starved,
    bytes,
    rate: rate === undefined ? "" : `${rate} ${unit}/s`,
  };
  const cells = [
    row.scenario,
    String(ring),
    passed ? "same" : "DIFFERS",
    ...[row.instructions, row.calls, row.vsyscall, row.int80, row.starved].map(grouped),
    wallSeconds.toFixed(1),
    seconds.toFixed(1),
    row.rate,
    bytes === undefined ? "" : (bytes / 1e6).toFixed(2),
  ];
  return { passed, cells, row };
}

const rows: string[][] = [];
let failed = 0;
for (const name of positionals.length > 0 ? positionals : scenarioNames()) {
  const base = await scenarioBase(readScenario(name));
  if (values.record) {
    record(readScenario(name), base);
    base.close();
    process.stderr.write(`${name}: recorded\n`);
    continue;
  }
  for (const ring of RINGS) {
    const { cells, passed, row } = measure(readScenario(name), base, ring);
    if (values.save) writeProgramRows([...readProgramRows(), row]);
    process.stderr.write(`${cells.join(" ")}\n`);
    rows.push(cells);
    if (!passed) failed++;
  }
  base.close();
}
if (!values.record) {
  const right = HEADING.map((_, i) => i === 1 || i > 2);
  process.stdout.write(`${aligned([HEADING, ...rows], right, (text) => text).join("\n")}\n`);
}
process.exitCode = failed > 0 ? 1 : 0;
