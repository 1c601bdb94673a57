// Checks of the machine against queueing theory: customers that come at random and want the CPU, one after the other.
import { EDGE } from "../traces/schema/enums.ts";
import { bareReplayOf } from "./bare-replay.ts";
import type { Check } from "./check.ts";
import type { ModelData } from "./data.ts";
import { makeTrace } from "./made-traces.ts";
import { type Observer, STOP } from "./observer.ts";
import { compile } from "./program.ts";
import { draw } from "./random.ts";

const CUSTOMERS = 40_000;
/** Mean work of a customer, in cycles. */
const SERVICE = 1000;
const LOAD = 0.7;

/** A number from an exponential distribution with mean 1: the n-th of a named stream. */
function exponential(stream: string, n: number): number {
  return -Math.log(1 - draw(7, stream, n));
}

/** Counts who is there, over time: ready for the CPU or on it. */
class Census implements Observer {
  #present = 0;
  #since = 0;
  /** Sum of presence x cycles. */
  area = 0;
  end = 0;

  #count(time: number, change: number): void {
    this.area += this.#present * (time - this.#since);
    this.#since = time;
    this.#present += change;
    this.end = time;
  }

  ready(time: number): void {
    this.#count(time, 1);
  }

  run(): void {}

  stop(time: number, _cpu: number, _task: number, _place: number, why: number): void {
    if (why === STOP.wait || why === STOP.exit) this.#count(time, -1);
  }
}

interface Queue {
  /** Mean cycles from arrival to end, less the own work. */
  readonly meanWait: number;
  readonly meanTime: number;
  /** Mean number of customers present, and customers a cycle, over the whole run. */
  readonly present: number;
  readonly rate: number;
}

/** One server, first come, first served. */
function simulate(data: ModelData, work: (customer: number) => number): Queue {
  const events = [];
  const edges = [];
  const arrivals: number[] = [];
  const works: number[] = [];
  let now = 0;
  for (let task = 0; task < CUSTOMERS; task++) {
    now += exponential("arrivals", task) * (SERVICE / LOAD);
    arrivals.push(Math.round(now));
    works.push(Math.round(work(task)));
    edges.push({ to: 2 * task, kind: EDGE.timer, delay: Math.round(now) });
    events.push({ task, user: 0 }, { task, user: works[task] });
  }
  const census = new Census();
  const program = compile(makeTrace({ tasks: CUSTOMERS, events, edges }), data);
  const { finished } = bareReplayOf(program, {}, { observer: census });
  let time = 0;
  let wait = 0;
  for (let task = 0; task < CUSTOMERS; task++) {
    time += finished[task] - arrivals[task];
    wait += finished[task] - arrivals[task] - works[task];
  }
  return {
    meanWait: wait / CUSTOMERS,
    meanTime: time / CUSTOMERS,
    present: census.area / census.end,
    rate: CUSTOMERS / census.end,
  };
}

function near(id: string, what: string, theory: number, found: number, percent: number): Check {
  return {
    id,
    says: `${what}: ${theory.toFixed(0)} cycles, within ${percent} %`,
    found: `${found.toFixed(0)} cycles over ${CUSTOMERS} customers`,
    holds: Math.abs(found - theory) <= (percent / 100) * theory,
  };
}

/** M/D/1: the mean wait is rho D / (2 (1 - rho)); M/M/1: the mean time is S / (1 - rho); Little: L = lambda W, exactly. */
export function queueingChecks(data: ModelData): Check[] {
  const same = simulate(data, () => SERVICE);
  const random = simulate(data, (customer) => exponential("work", customer) * SERVICE);
  const little = random.rate * random.meanTime;
  return [
    near("m-d-1", `mean wait in an M/D/1 queue at load ${LOAD}`, (LOAD * SERVICE) / (2 * (1 - LOAD)), same.meanWait, 5),
    near("m-m-1", `mean time in an M/M/1 queue at load ${LOAD}`, SERVICE / (1 - LOAD), random.meanTime, 5),
    {
      id: "little",
      says: "Little's law: the mean number of customers present is their rate times their mean time, exactly",
      found: `${random.present.toFixed(6)} present, ${little.toFixed(6)} by the law`,
      holds: Math.abs(random.present - little) <= 1e-9 * little,
    },
  ];
}
