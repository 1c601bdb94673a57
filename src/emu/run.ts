// One guest run, from a root image and a command line to its end: what `kmlab run`, `kmlab capture` and the tests call.
import type { Trace } from "../traces/trace.ts";
import { attachCapture } from "./capture/attach.ts";
import { type PathCount, PathCounter } from "./capture/path-counter.ts";
import { NullRecorder } from "./capture/recorder.ts";
import { TraceRecorder } from "./capture/trace-recorder.ts";
import { cpuModel } from "./cpu/models.ts";
import type { Tier } from "./cpu/state.ts";
import type { HostIo } from "./host.ts";
import type { BindMount } from "./kernel/fs/vfs.ts";
import { type ExitInfo, Kernel, type KernelOptions } from "./kernel/kernel.ts";
import { syscallName } from "./kernel/syscalls.ts";
import { type Limits, limit, type Pauses, runWithPauses } from "./long-run.ts";
import { Machine } from "./machine/machine.ts";
import type { RootImage } from "./rootfs/image.ts";

/** The environment of a guest program unless it is told another: the same on every host. */
export const DEFAULT_ENV: readonly string[] = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  "HOME=/root",
  "LC_ALL=C",
];

/** What to run, and in which machine. Everything has a fixed default, so that a run depends on nothing of the host. */
export interface RunOptions {
  image: RootImage;
  argv: string[];
  host: HostIo;
  /** Added to DEFAULT_ENV; NAME=VALUE, later ones win. */
  env?: string[];
  cwd?: string;
  /** Default 3. */
  ring?: 0 | 3;
  trusted?: "all" | "program";
  /** Default: kml-4.0 in ring 0, linux in ring 3. */
  kernel?: KernelOptions["kernel"];
  entry?: KernelOptions["entry"];
  memoryMiB?: number;
  /** Default: twice the memory; 0: none. */
  swapMiB?: number;
  /** Name of a processor model (CPU_NAMES); default pentium2. */
  cpu?: string;
  /** What executes instructions; nothing that a run gives depends on it. */
  tier?: Tier;
  seed?: number;
  hz?: number;
  scheduler?: KernelOptions["scheduler"];
  nmiWatchdog?: boolean;
  vdsoClock?: boolean;
  tty?: boolean;
  aslr?: boolean;
  /** Begin with an empty page cache; default: with the root image in it. */
  cold?: boolean;
  binds?: BindMount[];
  /** Digests of what came from the host, for the trace's metadata. */
  inputs?: Record<string, string>;
  /** Ring-0 programs find their stacks present and, after fork, their own: fewer double faults. */
  touchedStack?: boolean;
  /** Count what the processor does on each way into the kernel (runProgram). */
  paths?: boolean;
  /** Machine instructions an epoch of the trace's page touches and mix (default 1,000,000). */
  epochInstr?: number;
  /** Instructions after which the machine counts as dead; default: never. */
  instructionLimit?: number;
  /** Where the run ends if the program has not. */
  limits?: Limits;
  /** Called when the machine is ready to run. */
  attach?: (kernel: Kernel) => void;
}

/** A run's end. */
export interface RunResult {
  exit: ExitInfo;
  /** What a shell would report: the exit status, 128 + signal, 123 limit, 124 dead machine, 126 not executable, 127 not found, 130 interrupted. */
  status: number;
  /** Calls that the kernel does not have, by name, with their counts. */
  missing: { nr: number; name: string; count: number }[];
  /** Retired instructions. */
  instructions: number;
  /** The ways into the kernel that were taken, if they were to be counted. */
  paths?: PathCount[];
  /** The machine after the run, for a look at its files. */
  kernel: Kernel;
}

export interface CaptureResult extends RunResult {
  trace: Trace;
}

const ENOENT = 2;

/** What kmlab gives where it has failed itself, where a limit has ended the run, and where it was interrupted. */
const STATUS = { failed: 125, dead: 124, limit: 123, interrupted: 130 } as const;

/** The status that a shell, and so `kmlab run`, gives for an end. */
export function statusOf(exit: ExitInfo): number {
  switch (exit.kind) {
    case "exit":
      return exit.code;
    case "signal":
      return 128 + exit.signal;
    case "dead":
      return exit.bug === undefined ? STATUS.dead : STATUS.failed;
    case "stopped":
      return exit.by === "interrupt" ? STATUS.interrupted : STATUS.limit;
    case "exec":
      return exit.errno === ENOENT ? 127 : 126;
  }
}

/** NAME=VALUE words, the last of each name. */
function environment(words: readonly string[]): string[] {
  return [...new Map(words.map((word) => [word.split("=", 1)[0], word])).values()];
}

function prepare(options: RunOptions, recorder: NullRecorder | TraceRecorder): Kernel {
  const ring = options.ring ?? 3;
  const memoryMiB = options.memoryMiB ?? 256;
  const hz = options.hz ?? 100;
  const machine = new Machine({
    ramBytes: memoryMiB * 0x10_0000,
    hz,
    cpuModel: options.cpu === undefined ? undefined : cpuModel(options.cpu),
    tier: options.tier,
  });
  const kernel = new Kernel(
    {
      kernel: options.kernel ?? (ring === 0 ? "kml-4.0" : "linux"),
      entry: options.entry ?? "sysenter",
      ring,
      trusted: options.trusted ?? "all",
      memoryMiB,
      swapMiB: options.swapMiB,
      seed: options.seed ?? 1,
      hz,
      scheduler: options.scheduler,
      nmiWatchdog: options.nmiWatchdog,
      argv: options.argv,
      env: environment([...DEFAULT_ENV, ...(options.env ?? [])]),
      cwd: options.cwd ?? "/root",
      vdsoClock: options.vdsoClock ?? true,
      tty: options.tty ?? false,
      touchedStack: options.touchedStack ?? false,
      aslr: options.aslr ?? false,
      cold: options.cold ?? false,
      host: options.host,
    },
    machine,
    recorder,
  );
  if (options.instructionLimit !== undefined) machine.instructionLimit = options.instructionLimit;
  kernel.boot(options.image, options.binds ?? []);
  if (options.limits) limit(kernel, options.limits);
  options.attach?.(kernel);
  return kernel;
}

function result(kernel: Kernel, exit: ExitInfo): RunResult {
  kernel.vfs.flushBinds();
  const missing = [...kernel.missing].map(([nr, count]) => ({ nr, name: syscallName(nr), count }));
  return {
    exit,
    status: statusOf(exit),
    missing: missing.sort((a, b) => b.count - a.count || a.nr - b.nr),
    instructions: kernel.cpu.icount,
    kernel,
  };
}

/** A run that is ready, and what makes its result of its end. */
interface Begun<Result> {
  readonly kernel: Kernel;
  readonly finish: (exit: ExitInfo) => Result;
}

function beginRun(options: RunOptions): Begun<RunResult> {
  const counter = options.paths ? new PathCounter() : undefined;
  const kernel = prepare(options, counter ?? new NullRecorder());
  counter?.attach(kernel.cpu);
  return { kernel, finish: (exit) => ({ ...result(kernel, exit), paths: counter?.counts() }) };
}

function beginCapture(options: RunOptions): Begun<CaptureResult> {
  const recorder = new TraceRecorder();
  const kernel = prepare(options, recorder);
  const inputs: Record<string, string> = { ...options.inputs };
  const capture = attachCapture(kernel, recorder, {
    root: options.image.digest,
    inputs,
    epochInstr: options.epochInstr,
  });
  const finish = (exit: ExitInfo): CaptureResult => {
    if (kernel.vfs.streams.bytesRead > 0) inputs["stdin"] = kernel.vfs.streams.digest.hex();
    return { ...result(kernel, exit), trace: capture.finish(exit) };
  };
  return { kernel, finish };
}

/** Runs a program to its end. */
export function runProgram(options: RunOptions): RunResult {
  const { kernel, finish } = beginRun(options);
  return finish(kernel.run());
}

/** As runProgram, with pauses for what else there is to do. */
export async function runProgramWithPauses(options: RunOptions, pauses: Pauses): Promise<RunResult> {
  const { kernel, finish } = beginRun(options);
  return finish(await runWithPauses(kernel, pauses));
}

/** Runs a program to its end and keeps its trace; whatever ends the run, the trace is complete up to there. */
export function captureProgram(options: RunOptions): CaptureResult {
  const { kernel, finish } = beginCapture(options);
  return finish(kernel.run());
}

/** As captureProgram, with pauses. */
export async function captureProgramWithPauses(options: RunOptions, pauses: Pauses): Promise<CaptureResult> {
  const { kernel, finish } = beginCapture(options);
  return finish(await runWithPauses(kernel, pauses));
}
