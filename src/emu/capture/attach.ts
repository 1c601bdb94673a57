// Attaches a capture to a kernel: page touches, instruction mix, the epoch clock, and the metadata of the trace.

import { emptyMeta, type Trace, type TraceMeta } from "../../traces/trace.ts";
import type { ExitInfo, Kernel } from "../kernel/kernel.ts";
import { DEFAULT_SCHEDULER } from "../kernel/schedulers/schedulers.ts";
import { NS_PER_UNIT, type Timer } from "../machine/clock.ts";
import { MixCapture } from "./mix.ts";
import { PageCapture } from "./pages.ts";
import type { TraceRecorder } from "./trace-recorder.ts";

export const EPOCH_INSTR = 1_000_000;

/** Looks at an idle machine before they come more rarely than one an epoch: some seconds. */
const LONG_IDLE = 1000;

export interface CaptureOptions {
  /** Machine instructions an epoch. */
  readonly epochInstr?: number;
  /** Digest of the root file system. */
  readonly root?: string;
  /** Digests of what comes from the host, by name; may be filled in until finish(). */
  readonly inputs?: Record<string, string>;
}

export interface Capture {
  /** The trace, of a run that ended as `exit` says or is still going on. */
  finish(exit?: ExitInfo): Trace;
}

/** Starts capturing; call between making the kernel with `recorder` and running it. */
export function attachCapture(kernel: Kernel, recorder: TraceRecorder, options: CaptureOptions = {}): Capture {
  const { cpu, clock } = kernel;
  const epochInstr = options.epochInstr ?? EPOCH_INSTR;
  const pages = new PageCapture(kernel, recorder);
  const mix = new MixCapture(cpu, recorder);
  recorder.counter = cpu;
  cpu.onTlbFill = (la, pfn, write) => pages.filled(la, pfn, write);
  kernel.onKernelTouch = (task, la, pfn, write) => pages.copied(task, la, pfn, write);
  kernel.onCacheTouch = (task, obj, index, write) => pages.cacheTouched(task, obj, index, write);
  let seen = -1;
  let wait = 0;
  /** Looks in a row that found nothing executed since the one before. */
  let idle = 0;
  let look: Timer | undefined;
  const tick = () => {
    const epoch = Math.floor(cpu.icount / epochInstr);
    if (epoch > pages.epoch) {
      pages.beginEpoch(epoch);
      mix.beginEpoch(epoch);
    }
    // Time is never behind the instructions, so the next epoch cannot begin before this; while the machine idles none begins,
    // and it is looked for ever more rarely: a guest may sleep for months.
    const least = Math.ceil(epochInstr / 10);
    const left = (pages.epoch + 1) * epochInstr - cpu.icount;
    idle = cpu.icount === seen ? idle + 1 : 0;
    if (idle === 0) wait = Math.max(left, least);
    else wait = idle > LONG_IDLE ? 2 * wait : Math.min(2 * wait, epochInstr);
    seen = cpu.icount;
    look = clock.watch(clock.now() + wait, tick);
  };
  tick();
  recorder.onRunning = (task, ring) => mix.running(task, ring);
  recorder.onSwitch = () => {
    if (idle <= LONG_IDLE) return;
    // The next look would be as far away as the machine has slept.
    look?.cancel();
    seen = -1;
    tick();
  };
  return {
    finish: (exit) => {
      mix.flush();
      return recorder.finish(captureMeta(kernel, recorder.warnings, epochInstr, options, exit));
    },
  };
}

/** How a run ended, as `ended` says it. */
export function endedText(exit: ExitInfo | undefined): string | null {
  switch (exit?.kind) {
    case "exit":
      return `exit ${exit.code}`;
    case "signal":
      return `signal ${exit.signal}`;
    case "dead":
      return `dead: ${exit.reason}`;
    case "stopped":
      return exit.by === "interrupt" ? "interrupted" : `limit: ${exit.limit} ${exit.by}`;
    case "exec":
      return `not started: error ${exit.errno}`;
    default:
      return null;
  }
}

function captureMeta(
  kernel: Kernel,
  warnings: ReadonlySet<string>,
  epochInstr: number,
  options: CaptureOptions,
  exit?: ExitInfo,
): TraceMeta {
  const o = kernel.options;
  return {
    ...emptyMeta("kmlab"),
    clock: { unit: "instr", nsPerUnit: NS_PER_UNIT },
    cpuModel: kernel.cpu.model.name,
    hz: o.hz,
    epochInstr,
    memory: o.memoryMiB * 0x10_0000,
    kernel: o.kernel,
    entry: o.entry,
    ring: o.ring,
    trusted: o.trusted,
    seed: o.seed,
    argv: o.argv.map(String),
    root: options.root ?? null,
    inputs: { ...options.inputs },
    reproducible: !o.tty && !(exit?.kind === "stopped" && exit.by === "interrupt"),
    ended: endedText(exit),
    ...(o.scheduler === undefined || o.scheduler === DEFAULT_SCHEDULER ? {} : { scheduler: o.scheduler }),
    ...(warnings.size > 0 ? { warnings: [...warnings] } : {}),
  };
}
