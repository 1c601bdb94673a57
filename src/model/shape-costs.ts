// A price list for the shapes of a trace: integer cycles by cause, for one processor, kernel, mechanism and set of draws.
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { Prices } from "./prices.ts";
import { callRoute, faultRoute, type Mechanism, switchRoute, tickRoute } from "./routes.ts";
import { RECORD, SHAPE_WORKS, type Shapes, TRAIT } from "./shapes.ts";

/** What each shape costs. */
export interface ShapeCosts {
  /** Cycles of a record from the end of its program instructions to its return. */
  readonly total: Float64Array;
  /** Of them, cycles after the point where it may have to wait. */
  readonly after: Float64Array;
  /** Cycles by cause, CAUSE_COUNT a shape; they add up to `total`. */
  readonly causes: Float64Array;
}

/** What the machine itself does. Cycles by cause, and their sums. */
export interface MachineCosts {
  readonly tickInUser: Float64Array;
  readonly tickInKernel: Float64Array;
  readonly switch: Float64Array;
  readonly mmSwitch: Float64Array;
  readonly wake: Float64Array;
}

interface Way {
  readonly causes: Float64Array;
  readonly after: number;
}

function rounded(cycles: Float64Array): Float64Array {
  return cycles.map((value) => Math.round(value));
}

const BODY = CAUSE_INDEX["body"];
const COPY = CAUSE_INDEX["copy"];
const FAULT_BODY = CAUSE_INDEX["fault-body"];

/** The paths of one kind of shape. */
function wayOf(prices: Prices, mechanism: Mechanism, kind: number, traits: number, args: number): Way {
  let route: readonly string[] = [];
  if (kind === RECORD.call) {
    route = callRoute(mechanism, {
      inline: (traits & TRAIT.inline) !== 0,
      special: (traits & TRAIT.special) !== 0,
      args,
      sigreturn: (traits & TRAIT.sigreturn) !== 0,
      starves: (traits & TRAIT.starves) !== 0,
    });
  } else if (kind === RECORD.fault) {
    route = faultRoute(mechanism, (traits & TRAIT.inKernel) !== 0, (traits & TRAIT.starves) !== 0);
  }
  const after = prices.paths(route, args, true).reduce((sum, cycles) => sum + cycles, 0);
  return { causes: rounded(prices.paths(route, args)), after: Math.round(after) };
}

/** Prices every shape. */
export function shapeCosts(shapes: Shapes, prices: Prices, mechanism: Mechanism): ShapeCosts {
  const n = shapes.length;
  const total = new Float64Array(n);
  const after = new Float64Array(n);
  const causes = new Float64Array(n * CAUSE_COUNT);
  const ways = new Map<number, Way>();
  const coefficients = shapes.classes.map((name) => [
    prices.body(name, "a"),
    prices.body(name, "bytes"),
    prices.body(name, "pages"),
    prices.body(name, "components"),
    prices.body(name, "items"),
    prices.body(name, "cold"),
    prices.body(name, "copy"),
  ]);
  for (let s = 0; s < n; s++) {
    const kind = shapes.kind[s];
    if (kind === RECORD.none) continue;
    const key = (kind * 256 + shapes.traits[s]) * 256 + shapes.args[s];
    let way = ways.get(key);
    if (way === undefined) {
      way = wayOf(prices, mechanism, kind, shapes.traits[s], shapes.args[s]);
      ways.set(key, way);
    }
    const at = s * CAUSE_COUNT;
    causes.set(way.causes, at);
    const c = coefficients[shapes.class[s]];
    const w = s * SHAPE_WORKS;
    const [bytes, pages, components, items, cold] = shapes.work.subarray(w, w + SHAPE_WORKS);
    const body = c[0] + c[1] * bytes + c[2] * pages + c[3] * components + c[4] * items + c[5] * cold;
    causes[at + (kind === RECORD.fault ? FAULT_BODY : BODY)] += Math.round(body);
    causes[at + COPY] += Math.round(c[6] * bytes);
    let sum = 0;
    for (let i = 0; i < CAUSE_COUNT; i++) sum += causes[at + i];
    total[s] = sum;
    after[s] = Math.min(sum, way.after);
  }
  return { total, after, causes };
}

/** Prices what the machine itself does. */
export function machineCosts(prices: Prices, mechanism: Mechanism): MachineCosts {
  const tick = (inKernel: boolean): Float64Array => {
    const cycles = prices.paths([tickRoute(mechanism, inKernel)]);
    cycles[CAUSE_INDEX["tick-body"]] += prices.body("tick", "a");
    return rounded(cycles);
  };
  const extra = switchRoute(mechanism);
  const present = (names: readonly string[]): string[] => names.filter((name) => prices.kernel.paths.has(name));
  const task = prices.paths(present(extra.task));
  task[CAUSE_INDEX["switch"]] += prices.body("switch", "a");
  const mm = prices.paths(present(extra.mm));
  mm[CAUSE_INDEX["mm-switch"]] += prices.body("mm_switch", "a");
  const wake = new Float64Array(CAUSE_COUNT);
  wake[CAUSE_INDEX["switch"]] = prices.body("block_wake", "a");
  return {
    tickInUser: tick(false),
    tickInKernel: tick(true),
    switch: rounded(task),
    mmSwitch: rounded(mm),
    wake: rounded(wake),
  };
}
