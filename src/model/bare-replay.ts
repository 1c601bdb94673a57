// A machine on which nothing costs anything but the program's own instructions: for checks with a known answer.
import { CLASSES } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import { CAUSE_COUNT } from "./causes.ts";
import type { ModelData } from "./data.ts";
import { compile, type Program } from "./program.ts";
import { type MachineTimes, type Replayed, type ReplayOptions, replay } from "./replay.ts";
import type { MachineCosts, ShapeCosts } from "./shape-costs.ts";
import { userCycles } from "./user-cycles.ts";

/** Replays with no cost but the program's own instructions, one cycle each at 1000 MHz. */
export function bareReplay(
  trace: Trace,
  data: ModelData,
  times: Partial<MachineTimes> = {},
  perRecord = false,
): Replayed {
  return bareReplayOf(compile(trace, data), times, { perRecord });
}

/** The same of a prepared trace. */
export function bareReplayOf(
  program: Program,
  times: Partial<MachineTimes> = {},
  options: ReplayOptions = {},
): Replayed {
  const n = program.shapes.length;
  const nothing = new Float64Array(CAUSE_COUNT);
  const zeros = () => new Float64Array(n);
  const costs: ShapeCosts = {
    total: zeros(),
    after: zeros(),
    body: zeros(),
    copy: zeros(),
    way: new Uint16Array(n),
    ways: [nothing],
  };
  const machine: MachineCosts = {
    tickInUser: nothing,
    tickInKernel: nothing,
    switch: nothing,
    mmSwitch: nothing,
    wake: nothing,
  };
  const user = userCycles(program, new Float64Array(CLASSES.length).fill(1), 1);
  const all: MachineTimes = {
    tickCycles: 0,
    firstTick: 0,
    quantumCycles: 2 ** 50,
    cyclesPerNs: 1,
    ...times,
  };
  return replay(program, user, costs, machine, all, options);
}
