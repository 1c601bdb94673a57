// npm run bench:model: how many records a second the function behind `kmlab whatif` replays, what it keeps of each, and how both
// change with length. Exit 1 below a floor. `--long` adds a hundred million records, within 3 GiB.
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bareReplayOf } from "../src/model/bare-replay.ts";
import { modelData } from "../src/model/data-node.ts";
import { loadTrace } from "../src/model/made-load.ts";
import { compile } from "../src/model/program.ts";
import { readTrace } from "../src/traces/node.ts";
import { ask, best, replayRate, residentBytes } from "./bench/model.ts";

const TASKS = 8;
const MILLION = 1e6;
const RECORDS = 2_000_000;
/** Records a second, in millions, at a share of records that wait. */
const FLOORS = { 0.01: { whatif: 20, bare: 30 }, 0.1: { whatif: 8, bare: 11 } } as const;
/** Draws behind the cost of a replay by length. */
const DRAWS = 10;
const MOST_BYTES = 24;
const MOST_MEMORY = 3 * 2 ** 30;
const TRACES = ["find-ring3", "pipe-ring3"] as const;

interface Rates {
  readonly whatif: number;
  readonly once: number;
  readonly bare: number;
}

interface Length {
  readonly records: number;
  readonly prepareNs: number;
  readonly replayNs: number;
  readonly bytes: number;
  readonly peak: number;
}

/** Millions of records a second at one share of waiting records. */
function rates(blocking: number): Rates {
  const { recordsPerSecond, recordsPerSecondOnce } = replayRate(RECORDS, 20, blocking, 3);
  const program = compile(loadTrace({ records: RECORDS, tasks: TASKS, blocking }), modelData());
  const bare = RECORDS / best(7, () => void bareReplayOf(program, { quantumCycles: 1e7 }));
  return { whatif: recordsPerSecond / MILLION, once: recordsPerSecondOnce / MILLION, bare: bare / MILLION };
}

/** What one length costs: in a process of its own, so that its memory is its own. */
function length(records: number): Length {
  // What the compilers of the host need is not the load's.
  const warm = loadTrace({ records: 200_000, tasks: TASKS, blocking: 0.01 });
  for (let run = 0; run < 3; run++) ask(warm, 5);
  const runs = Math.max(1, Math.min(20, Math.round(MILLION / records)));
  const trace = loadTrace({ records, tasks: TASKS, blocking: 0.01 });
  const bytes = { kept: 0 };
  const prepare = best(runs, () => {
    bytes.kept = residentBytes(compile(trace, modelData())) / records;
  });
  const mechanisms = ["int80", "kml"];
  const none = best(runs, () => ask(trace, 0, mechanisms));
  const some = best(runs, () => ask(trace, DRAWS, mechanisms));
  return {
    records,
    prepareNs: (prepare / records) * 1e9,
    replayNs: (Math.max(0, some - none) / (DRAWS * mechanisms.length * records)) * 1e9,
    bytes: bytes.kept,
    peak: process.resourceUsage().maxRSS * 1024,
  };
}

/** A measurement in a process of its own. */
function apart<T>(words: readonly string[]): T {
  const self = fileURLToPath(import.meta.url);
  const run = spawnSync(process.execPath, [...process.execArgv, self, ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 24,
  });
  if (run.status !== 0) throw new Error(`${words.join(" ")}: ${run.stderr}`);
  return JSON.parse(run.stdout) as T;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** A captured trace: how long one of many replays takes. So short ones are mostly pricing. */
function captured(name: string): string {
  const trace = readTrace(fileURLToPath(new URL(`../data/traces/${name}.kmtrace`, import.meta.url)));
  const program = compile(trace, modelData());
  ask(trace, 20);
  const replays = 3 * 201;
  const seconds = best(5, () => ask(trace, 200));
  const rate = (program.records * replays) / seconds / MILLION;
  const each = (seconds / replays) * 1e6;
  return `${name.padEnd(11)} ${program.records} records, ${program.meetings.record.length} where tasks meet: ${each.toFixed(0)} us a replay, ${rate.toFixed(1)} M records/s`;
}

function main(long: boolean): number {
  const missed: string[] = [];
  const floor = (what: string, value: number, least: number): string => {
    if (value < least) missed.push(`${what}: ${value.toFixed(1)}, floor ${least}`);
    return `${value.toFixed(1)} (floor ${least})`;
  };
  say("million records replayed a second of CPU time, 8 tasks, round robin");
  for (const blocking of [0.01, 0.1] as const) {
    const found = apart<Rates>(["--rates", `${blocking}`]);
    const share = `${100 * blocking} % wait`;
    say(
      `  ${share.padEnd(10)} whatif ${floor(`whatif, ${share}`, found.whatif, FLOORS[blocking].whatif)}; asked without draws, preparing included, ${found.once.toFixed(1)}; bare replay ${floor(`bare, ${share}`, found.bare, FLOORS[blocking].bare)}`,
    );
  }
  say("captured traces, whatif");
  for (const name of TRACES) say(`  ${captured(name)}`);
  say("by length, 1 % wait");
  for (const records of [1e4, 1e5, 1e6, 1e7, ...(long ? [1e8] : [])]) {
    const found = apart<Length>(["--length", `${records}`]);
    if (records >= 1e5 && found.bytes > MOST_BYTES)
      missed.push(`${records} records: ${found.bytes.toFixed(1)} bytes each, at most ${MOST_BYTES}`);
    if (found.peak > MOST_MEMORY) missed.push(`${records} records: ${found.peak} bytes in all, at most ${MOST_MEMORY}`);
    say(
      `  ${records.toExponential(0)} records: ${found.prepareNs.toFixed(0)} ns a record to prepare, ${found.replayNs.toFixed(0)} ns to replay; ${found.bytes.toFixed(1)} bytes kept of each (at most ${MOST_BYTES}), the process ${(found.peak / 2 ** 20).toFixed(0)} MiB at most`,
    );
  }
  for (const line of missed) say(`MISSED ${line}`);
  return missed.length === 0 ? 0 : 1;
}

const [mode, value] = process.argv.slice(2);
if (mode === "--rates") process.stdout.write(JSON.stringify(rates(Number(value))));
else if (mode === "--length") process.stdout.write(JSON.stringify(length(Number(value))));
else if (mode === undefined || mode === "--long") process.exitCode = main(mode === "--long");
else {
  process.stderr.write(`bench:model: no option ${mode}; there is --long\n`);
  process.exitCode = 2;
}
