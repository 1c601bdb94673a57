// A price list for the shapes of a trace: integer cycles by cause, for one processor, kernel, mechanism and set of draws.

import { SITE_SHARE } from "./call-sites.ts";
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { Prices } from "./prices.ts";
import { callRoute, type Mechanism, type Routes } from "./routes.ts";
import { RECORD, SHAPE_WORKS, type Shapes, TRAIT } from "./shapes.ts";

const BODY = CAUSE_INDEX["body"];
const COPY = CAUSE_INDEX["copy"];
const STACK_REPAIR = CAUSE_INDEX["stack-repair"];
const POLLUTION = CAUSE_INDEX["pollution"];
const FAULT_BODY = CAUSE_INDEX["fault-body"];

/** What each shape costs. */
export interface ShapeCosts {
  /** Cycles of a record from the end of its program instructions to its return. */
  readonly total: Float64Array;
  /** Of them, cycles after the point where it may have to wait. */
  readonly after: Float64Array;
  /** Of them, the body's own, and the copying. */
  readonly body: Float64Array;
  readonly copy: Float64Array;
  /** The rest is the way in and out: its number, and the cycles of each way by cause. */
  readonly way: Uint16Array;
  readonly ways: readonly Float64Array[];
  /** What returns of the program lose after a long body; part of `total` and of `after`. */
  readonly repair?: Float64Array;
  /** How much of a trap each way is: 1 a whole one, less in a batch, 0 none. */
  readonly traps?: readonly number[];
  /** What the program loses after a record, on average; part of `total` and of `after`. */
  readonly pollution?: Float64Array;
}

/** Adds, by cause, the cycles of every record whose shape is of a kind that counts; returns the sums. */
export function causesOf(
  shapes: Shapes,
  costs: ShapeCosts,
  counts: (kind: number) => boolean = () => true,
): Float64Array {
  const sums = new Float64Array(CAUSE_COUNT);
  const times = new Float64Array(costs.ways.length);
  for (let s = 0; s < shapes.length; s++) {
    const kind = shapes.kind[s];
    if (kind === RECORD.none || !counts(kind)) continue;
    const count = shapes.count[s];
    times[costs.way[s]] += count;
    sums[kind === RECORD.fault ? FAULT_BODY : BODY] += count * costs.body[s];
    sums[COPY] += count * costs.copy[s];
    if (costs.repair !== undefined) sums[STACK_REPAIR] += count * costs.repair[s];
    if (costs.pollution !== undefined) sums[POLLUTION] += count * costs.pollution[s];
  }
  costs.ways.forEach((way, number) => {
    for (let c = 0; c < CAUSE_COUNT; c++) sums[c] += times[number] * way[c];
  });
  return sums;
}

/** What the machine itself does. Cycles by cause, and their sums. */
export interface MachineCosts {
  readonly tickInUser: Float64Array;
  readonly tickInKernel: Float64Array;
  /** Of a tick in idle time; default: as in the kernel. */
  readonly tickInIdle?: Float64Array;
  /**
   * Of the idle loop's end, where idleness is a task of its own: then to go there is a switch and to come back another. Default:
   * it is none, and who ran last may go on without a switch.
   */
  readonly fromIdle?: Float64Array;
  readonly switch: Float64Array;
  readonly mmSwitch: Float64Array;
  readonly wake: Float64Array;
}

interface Way {
  readonly causes: Float64Array;
  readonly sum: number;
  readonly after: number;
  readonly trap: number;
  readonly repair: { readonly share: number; readonly most: number };
}

function rounded(cycles: Float64Array): Float64Array {
  return cycles.map((value) => Math.round(value));
}

function sumOf(cycles: Float64Array): number {
  return cycles.reduce((sum, value) => sum + value, 0);
}

/** Terms of a body in the order of a shape's works, after the constant; then what is charged as copying. */
const TERMS = ["a", "bytes", "pages", "components", "items", "cold", "copy"] as const;

/** The paths of one kind of shape, and the faults that come with it. */
function wayOf(prices: Prices, routes: Routes, shapes: Shapes, shape: number, noUring: boolean): Omit<Way, "sum"> {
  const traits = shapes.traits[shape];
  const args = shapes.args[shape];
  const has = (trait: number): boolean => (traits & trait) !== 0;
  const { ring0 } = routes;
  const isFault = shapes.kind[shape] === RECORD.fault;
  const causes = new Float64Array(CAUSE_COUNT);
  let [after, trap] = [0, 0];
  let repair = { share: 0, most: 0 };
  const add = (route: readonly string[], pushed = 0): void => {
    const cycles = rounded(prices.paths(route, pushed));
    for (let c = 0; c < CAUSE_COUNT; c++) causes[c] += cycles[c];
    after = Math.round(sumOf(prices.paths(route, pushed, true)));
    trap = prices.trapShare(route);
    repair = prices.repair(route);
  };
  /** Two routes, `share` of the calls by the first. */
  const mix = (two: readonly (readonly string[])[], share: number): void => {
    const parts = [share, 1 - share];
    const of = (value: (route: readonly string[]) => number): number =>
      two.reduce((sum, route, index) => sum + parts[index] * value(route), 0);
    const ways = two.map((route) => prices.paths(route, args));
    for (let c = 0; c < CAUSE_COUNT; c++) causes[c] += Math.round(parts[0] * ways[0][c] + parts[1] * ways[1][c]);
    after = Math.round(of((route) => sumOf(prices.paths(route, args, true))));
    trap = of((route) => prices.trapShare(route));
    const most = Math.max(...two.map((route) => prices.repair(route).most));
    repair = { share: of((route) => prices.repair(route).share), most };
  };
  if (ring0) {
    // Whatever is pushed on an absent stack page has its fault first; then comes what the program asked for.
    const own = isFault ? shapes.classes[shapes.class[shape]] : has(TRAIT.cowStack) ? "fault.cow" : "fault.anon";
    if (has(TRAIT.starves)) {
      add(routes.starved);
      causes[FAULT_BODY] += Math.round(prices.body(own, "a"));
    }
    if (has(TRAIT.faultsInside)) {
      add(routes.faultInKernel);
      causes[FAULT_BODY] += Math.round(prices.body(own, "a"));
    }
  }
  if (shapes.kind[shape] === RECORD.call) {
    const made = (inline: boolean): readonly string[] =>
      callRoute(routes, {
        inline,
        special: has(TRAIT.special),
        args,
        sigreturn: has(TRAIT.sigreturn),
        exitWork: has(TRAIT.exitWork),
        noUring,
      });
    const [direct, trapped] = [made(false), made(true)];
    if (!has(TRAIT.unsited) || direct === trapped) add(has(TRAIT.inline) ? trapped : direct, args);
    else {
      mix([direct, trapped], prices.primitive(SITE_SHARE));
    }
  } else if (isFault && !(ring0 && has(TRAIT.noFault))) {
    add(has(TRAIT.inKernel) ? routes.faultInKernel : routes.fault);
  }
  return { causes, after, trap, repair };
}

/** Prices every shape. */
export function shapeCosts(shapes: Shapes, prices: Prices, mechanism: Mechanism): ShapeCosts {
  const n = shapes.length;
  const total = new Float64Array(n);
  const after = new Float64Array(n);
  const body = new Float64Array(n);
  const copy = new Float64Array(n);
  const way = new Uint16Array(n);
  const repair = new Float64Array(n);
  const found: Way[] = [];
  const numbers = new Map<number, number>();
  const routes = prices.routes(mechanism);
  const { ring0 } = routes;
  const noUring = shapes.names.map((name) => routes.onlyUring && !prices.data.uring.has(name));
  const coefficients = shapes.classes.map((name) => {
    const own = prices.bodyOf(name);
    return TERMS.map((term) => prices.body(own, term));
  });
  const { work } = shapes;
  for (let s = 0; s < n; s++) {
    const kind = shapes.kind[s];
    if (kind === RECORD.none) continue;
    const traits = shapes.traits[s];
    const key =
      ((((kind === RECORD.fault ? shapes.class[s] : 0) * 8 + kind) * 1024 + traits) * 8 + shapes.args[s]) * 2 +
      (noUring[shapes.name[s]] ? 1 : 0);
    let number = numbers.get(key);
    if (number === undefined) {
      const made = wayOf(prices, routes, shapes, s, noUring[shapes.name[s]]);
      number = found.push({ ...made, sum: sumOf(made.causes) }) - 1;
      numbers.set(key, number);
    }
    way[s] = number;
    const gone = kind === RECORD.fault && ring0 && (traits & TRAIT.noFault) !== 0;
    if (!gone) {
      const c = coefficients[shapes.class[s]];
      const w = s * SHAPE_WORKS;
      body[s] = Math.round(
        c[0] + c[1] * work[w] + c[2] * work[w + 1] + c[3] * work[w + 2] + c[4] * work[w + 3] + c[5] * work[w + 4],
      );
      copy[s] = Math.round(c[6] * work[w]);
    }
    const { share, most } = found[number].repair;
    if (share > 0) repair[s] = Math.round(share * Math.min(body[s] + copy[s], most));
    total[s] = found[number].sum + body[s] + copy[s] + repair[s];
    after[s] = Math.min(total[s], found[number].after + repair[s]);
  }
  return {
    total,
    after,
    body,
    copy,
    way,
    repair,
    ways: found.map(({ causes }) => causes),
    traps: found.map(({ trap }) => trap),
  };
}

/** The same with what each shape's records cost the program after them. */
export function withPollution(costs: ShapeCosts, pollution: Float64Array | undefined): ShapeCosts {
  if (pollution === undefined) return costs;
  const add = (cycles: Float64Array): Float64Array => cycles.map((value, s) => value + pollution[s]);
  return { ...costs, total: add(costs.total), after: add(costs.after), pollution };
}

/** Prices what the machine itself does. */
export function machineCosts(prices: Prices, mechanism: Mechanism): MachineCosts {
  const routes = prices.routes(mechanism);
  const tick = (route: readonly string[]): Float64Array => {
    const cycles = prices.paths(route);
    cycles[CAUSE_INDEX["tick-body"]] += prices.body("tick", "a");
    return rounded(cycles);
  };
  const task = prices.paths(routes.switch);
  task[CAUSE_INDEX["switch"]] += prices.body("switch", "a");
  const mm = prices.paths(routes.mmSwitch);
  mm[CAUSE_INDEX["mm-switch"]] += prices.body("mm_switch", "a");
  const wake = new Float64Array(CAUSE_COUNT);
  wake[CAUSE_INDEX["switch"]] = prices.body("block_wake", "a");
  return {
    tickInUser: tick(routes.tick),
    tickInKernel: tick(routes.tickInKernel),
    switch: rounded(task),
    mmSwitch: rounded(mm),
    wake: rounded(wake),
  };
}
