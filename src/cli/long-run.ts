// What the verbs that run a guest do beside it: progress on standard error, and Ctrl-C, which ends the run as a limit does.
import process from "node:process";
import cliProgress from "cli-progress";
import type { HostIo } from "../emu/host.ts";
import type { Kernel } from "../emu/kernel/kernel.ts";
import type { Limits, Pauses } from "../emu/long-run.ts";
import { InputError } from "../errors.ts";

/** What yargs makes of LONG_RUN_OPTIONS. */
export interface LongRunArguments {
  limitInstructions?: number;
  limitSeconds?: number;
  progress?: boolean;
}

/** Host milliseconds before progress is shown that nobody asked for: short runs have none. */
const QUIET_MS = 2000;
const REPORT_MS = 500;

/** The limits that were asked for. @throws InputError for a limit that is none */
export function limitsOf({ limitInstructions, limitSeconds }: LongRunArguments): Limits {
  if (limitInstructions !== undefined && !(Number.isSafeInteger(limitInstructions) && limitInstructions > 0))
    throw new InputError(`--limit-instructions ${limitInstructions}: give a whole number from 1`);
  if (limitSeconds !== undefined && !(limitSeconds > 0 && limitSeconds < 1e9))
    throw new InputError(`--limit-seconds ${limitSeconds}: give a number above 0, seconds of the guest's clock`);
  return { instructions: limitInstructions, seconds: limitSeconds };
}

/** Progress of one run, redrawn after whatever the guest writes. */
class Progress {
  private readonly bar: cliProgress.SingleBar;
  private readonly begun = performance.now();
  private readonly quiet: number;
  private shown = false;
  private at = this.begun;
  private instructions = 0;

  constructor(asked: boolean) {
    this.quiet = asked ? 0 : QUIET_MS;
    this.bar = new cliProgress.SingleBar({
      stream: process.stderr,
      noTTYOutput: true,
      notTTYSchedule: REPORT_MS,
      clearOnComplete: true,
      hideCursor: true,
      format: "{mips} MIPS, {millions} M instructions, {guest} s of guest time, {tasks} tasks",
    });
  }

  report(kernel: Kernel, now: number): void {
    if (now - this.begun < this.quiet || (this.shown && now - this.at < REPORT_MS)) return;
    const { icount } = kernel.cpu;
    const values = {
      mips: ((icount - this.instructions) / (now - this.at) / 1000).toFixed(1),
      millions: (icount / 1e6).toFixed(1),
      guest: (kernel.uptimeNs / 1e9).toFixed(2),
      tasks: [...kernel.tasks.values()].filter((t) => t !== kernel.init && t.alive).length,
    };
    this.at = now;
    this.instructions = icount;
    if (this.shown) this.bar.update(0, values);
    else this.bar.start(1, 0, values);
    this.shown = true;
  }

  hide(): void {
    if (this.shown) this.bar.stop();
    this.shown = false;
  }
}

/** Streams whose writes take away what is drawn on the same terminal. */
function around(host: HostIo, progress: Progress | undefined): HostIo {
  if (progress === undefined) return host;
  const { stdout, stderr } = host;
  return {
    ...host,
    stdout: (bytes) => {
      progress.hide();
      stdout(bytes);
    },
    stderr: (bytes) => {
      progress.hide();
      stderr(bytes);
    },
  };
}

/**
 * Does a run with progress, if that is asked for or standard error is a terminal, and an end at Ctrl-C; a second one ends the process at once.
 * @param run starts it with these streams and pauses
 */
export async function watched<T>(
  { progress: asked }: LongRunArguments,
  host: HostIo,
  run: (host: HostIo, pauses: Pauses) => Promise<T>,
): Promise<T> {
  // A guest's terminal is the guest's: nothing is drawn on it.
  const wanted = (asked ?? process.stderr.isTTY === true) && host.terminal === undefined;
  const progress = wanted ? new Progress(asked === true) : undefined;
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) process.exit(130);
    interrupted = true;
  };
  const others = process.listeners("SIGINT");
  process.removeAllListeners("SIGINT");
  process.on("SIGINT", interrupt);
  const pause = (kernel: Kernel) => {
    progress?.report(kernel, performance.now());
    return interrupted;
  };
  try {
    return await run(around(host, progress), { pause });
  } finally {
    progress?.hide();
    process.removeListener("SIGINT", interrupt);
    for (const other of others) process.on("SIGINT", other);
  }
}
