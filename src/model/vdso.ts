// What a kernel without a vDSO would see: clock calls that the program answered itself become system calls.
import { InputError } from "../errors.ts";
import { FLAGS_UNKNOWN, KIND, SITE } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";

/** `trace` with every vDSO call made a system call. Throws InputError when the trace could not see them. */
export function withoutVdso(trace: Trace): Trace {
  const { events } = trace;
  if (!events.kind.includes(KIND.vdso)) {
    const seen =
      trace.meta.source === "kmlab"
        ? "makes no vDSO calls"
        : `is of ${trace.meta.source}, which does not see vDSO calls`;
    throw new InputError(
      `--vdso off: the trace ${seen}; kmlab capture sees them, and with --no-vdso-clock makes them system calls`,
    );
  }
  const kind = events.kind.slice();
  const site = events.site.slice();
  const flags = events.flags.slice();
  for (let seq = 0; seq < events.length; seq++) {
    if (kind[seq] !== KIND.vdso) continue;
    kind[seq] = KIND.syscall;
    site[seq] = SITE.vsyscall;
    if (flags[seq] === FLAGS_UNKNOWN) flags[seq] = 0;
  }
  return { ...trace, events: { ...events, kind, site, flags } };
}
