// Runs that may be long: limits in the guest's own terms, pauses in which the host sees to other things, and an end from outside. None of it
// changes what the guest does before its end.
import type { ExitInfo, Kernel } from "./kernel/kernel.ts";

/** Where a run ends if its program has not ended before: both depend on the guest alone, so that the end is the same on any host. */
export interface Limits {
  /** Retired instructions of the machine. */
  readonly instructions?: number;
  /** Seconds of the guest's clock. */
  readonly seconds?: number;
}

/** What the host does while a run pauses. */
export interface Pauses {
  /** Host milliseconds between two pauses, about. */
  readonly every?: number;
  /** Called in a pause, when waiting events of the host have been seen to; true ends the run. */
  pause(kernel: Kernel): boolean;
}

/** Clock units between two looks at the host's clock: some milliseconds. */
const LOOK_UNITS = 1_000_000;
const PAUSE_MS = 100;

/** Sets a machine's limits; call before it runs. */
export function limit(kernel: Kernel, { instructions, seconds }: Limits): void {
  const { clock, cpu } = kernel;
  if (seconds !== undefined)
    clock.watch(kernel.units(seconds * 1e9), () => kernel.end({ kind: "stopped", by: "seconds", limit: seconds }));
  if (instructions === undefined) return;
  // Time is never behind the instructions: the limit is not reached before this. While the machine idles it is looked for ever more rarely.
  let seen = -1;
  let wait = 0;
  const look = () => {
    const left = instructions - cpu.icount;
    if (left <= 0) {
      kernel.end({ kind: "stopped", by: "instructions", limit: instructions });
      return;
    }
    wait = cpu.icount === seen ? Math.max(left, 2 * wait) : left;
    seen = cpu.icount;
    clock.watch(clock.now() + wait, look);
  };
  look();
}

/** Runs a machine to its end, with pauses unless it has the host's terminal. */
export async function runWithPauses(kernel: Kernel, { every = PAUSE_MS, pause }: Pauses): Promise<ExitInfo> {
  const { clock, machine } = kernel;
  // Interrupts are keys then, and the host sleeps when the guest does.
  if (kernel.options.host.terminal !== undefined) return kernel.run();
  let last = performance.now();
  let paused = false;
  const look = () => {
    clock.watch(clock.now() + LOOK_UNITS, look);
    if (performance.now() - last < every) return;
    paused = true;
    machine.stop();
  };
  look();
  for (;;) {
    paused = false;
    const exit = kernel.run();
    if (!paused || kernel.exitInfo !== undefined || machine.dead !== null) return exit;
    await new Promise((resolve) => setTimeout(resolve));
    if (pause(kernel)) kernel.end({ kind: "stopped", by: "interrupt" });
    last = performance.now();
  }
}
