// The shipped traces replayed by several ways into the kernel: what several figures show of them.

import { isResult, type MechanismResult, type WhatIfOptions, whatif } from "../src/model/whatif.ts";
import { SHIPPED_TRACES } from "../src/shipped-traces.ts";
import { KIND } from "../src/traces/schema/enums.ts";
import type { Trace } from "../src/traces/trace.ts";
import type { Lab } from "./lab.ts";

/** A program with its replays. */
export interface Replays {
  readonly program: string;
  /** System calls in the trace. */
  readonly calls: number;
  readonly results: readonly MechanismResult[];
}

/** Records that are calls. */
export function callsOf({ events }: Trace): number {
  return events.kind.reduce((sum, kind) => sum + (kind === KIND.syscall ? 1 : 0), 0);
}

/** Replays of every shipped program, captured in ring 3. */
export function replays(lab: Lab, options: WhatIfOptions): Replays[] {
  return SHIPPED_TRACES.map(({ name }) => {
    const trace = lab.trace(`${name}-ring3`);
    return lab.kept(`${name} ${JSON.stringify({ ...options, set: [...(options.set ?? [])] })}`, () => {
      const { mechanisms } = whatif(trace, lab.data, { draws: lab.draws, seed: lab.seed, ...options });
      return { program: name, calls: callsOf(trace), results: mechanisms.filter(isResult) };
    });
  });
}
