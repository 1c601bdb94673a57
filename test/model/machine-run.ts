// Replays made traces with given costs, both ways, which must agree; for tests of the machine.
import { expect } from "vitest";
import { CAUSE_COUNT, CAUSE_INDEX } from "../../src/model/causes.ts";
import { modelData } from "../../src/model/data-node.ts";
import { type MadeTrace, makeTrace } from "../../src/model/made-traces.ts";
import type { Observer } from "../../src/model/observer.ts";
import { compile } from "../../src/model/program.ts";
import { type MachineTimes, type Replayed, replay } from "../../src/model/replay.ts";
import { userCycles } from "../../src/model/user-cycles.ts";
import { CLASSES } from "../../src/traces/schema/enums.ts";
import type { Trace } from "../../src/traces/trace.ts";

const data = modelData();

/** What one record costs, of that after its waiting point, and what the machine charges. */
export interface Costs {
  readonly call?: number;
  readonly after?: number;
  readonly tickUser?: number;
  readonly tickKernel?: number;
  readonly switch?: number;
  readonly mm?: number;
  readonly wake?: number;
}

function one(cause: keyof typeof CAUSE_INDEX, cycles = 0): Float64Array {
  const list = new Float64Array(CAUSE_COUNT);
  list[CAUSE_INDEX[cause]] = cycles;
  return list;
}

/** What happened in a replay, as lines: time, what, CPU, task, more. */
class Log implements Observer {
  readonly lines: string[] = [];
  run(time: number, cpu: number, task: number, place: number): void {
    this.lines.push(`${time} run ${cpu} ${task} ${place}`);
  }
  stop(time: number, cpu: number, task: number, place: number, why: number): void {
    this.lines.push(`${time} stop ${cpu} ${task} ${place} ${why}`);
  }
  ready(time: number, task: number, wait: number, by: number): void {
    this.lines.push(`${time} ready ${task} ${wait} ${by}`);
  }
}

/** Replays a trace with one cycle an instruction at 1000 MHz, both ways, which must agree in every event. */
export function runTrace(
  trace: Trace,
  costs: Costs,
  times: Partial<MachineTimes> = {},
  options: { scheduler?: string; cpus?: number } = {},
): Replayed {
  const program = compile(trace, data);
  const n = program.shapes.length;
  const call = costs.call ?? 0;
  const fill = (cycles: number) => new Float64Array(n).fill(cycles);
  const shapes = {
    total: fill(call),
    after: fill(costs.after ?? 0),
    body: fill(call),
    copy: fill(0),
    way: new Uint16Array(n),
    ways: [new Float64Array(CAUSE_COUNT)],
  };
  const machine = {
    tickInUser: one("irq-path", costs.tickUser),
    tickInKernel: one("tick-body", costs.tickKernel),
    switch: one("switch", costs.switch),
    mmSwitch: one("mm-switch", costs.mm),
    wake: one("switch", costs.wake),
  };
  const user = userCycles(program, new Float64Array(CLASSES.length).fill(1), 1);
  const all = { tickCycles: 0, firstTick: 0, quantumCycles: 2 ** 40, cyclesPerNs: 1, ...times };
  const [log, each] = [new Log(), new Log()];
  const coalesced = replay(program, user, shapes, machine, all, { ...options, observer: log });
  expect(replay(program, user, shapes, machine, all, { ...options, perRecord: true, observer: each })).toEqual(
    coalesced,
  );
  expect(each.lines).toEqual(log.lines);
  expect(coalesced.causes.reduce((sum, cycles) => sum + cycles, 0)).toBe(coalesced.makespan * (options.cpus ?? 1));
  return coalesced;
}

/** The same of a trace made to order. */
export function run(
  made: MadeTrace,
  costs: Costs,
  times: Partial<MachineTimes> = {},
  options: { scheduler?: string; cpus?: number } = {},
): Replayed {
  return runTrace(makeTrace(made), costs, times, options);
}
