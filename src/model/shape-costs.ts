// A price list for the shapes of a trace: integer cycles by cause, for one processor, kernel, mechanism and set of draws.
import { CAUSE_COUNT, CAUSE_INDEX } from "./causes.ts";
import type { Prices } from "./prices.ts";
import { callRoute, faultRoute, inRing0, type Mechanism, STARVED_ROUTE, switchRoute, tickRoute } from "./routes.ts";
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

function sumOf(cycles: Float64Array): number {
  return cycles.reduce((sum, value) => sum + value, 0);
}

/** Terms of a body in the order of a shape's works, after the constant; then what is charged as copying. */
const TERMS = ["a", "bytes", "pages", "components", "items", "cold", "copy"] as const;

const BODY = CAUSE_INDEX["body"];
const COPY = CAUSE_INDEX["copy"];
const FAULT_BODY = CAUSE_INDEX["fault-body"];

/** The paths of one kind of shape, and the faults that come with it. */
function wayOf(prices: Prices, mechanism: Mechanism, shapes: Shapes, shape: number): Way {
  const traits = shapes.traits[shape];
  const args = shapes.args[shape];
  const has = (trait: number): boolean => (traits & trait) !== 0;
  const ring0 = inRing0(mechanism);
  const isFault = shapes.kind[shape] === RECORD.fault;
  const causes = new Float64Array(CAUSE_COUNT);
  let after = 0;
  const add = (route: readonly string[], pushed = 0): void => {
    const cycles = rounded(prices.paths(route, pushed));
    for (let c = 0; c < CAUSE_COUNT; c++) causes[c] += cycles[c];
    after = Math.round(sumOf(prices.paths(route, pushed, true)));
  };
  if (ring0) {
    // Whatever is pushed on an absent stack page has its fault first; then comes what the program asked for.
    const own = isFault ? shapes.classes[shapes.class[shape]] : has(TRAIT.cowStack) ? "fault.cow" : "fault.anon";
    if (has(TRAIT.starves)) {
      add(STARVED_ROUTE);
      causes[FAULT_BODY] += Math.round(prices.body(own, "a"));
    }
    if (has(TRAIT.faultsInside)) {
      add(faultRoute(mechanism, true));
      causes[FAULT_BODY] += Math.round(prices.body(own, "a"));
    }
  }
  if (shapes.kind[shape] === RECORD.call) {
    add(
      callRoute(mechanism, {
        inline: has(TRAIT.inline),
        special: has(TRAIT.special),
        args,
        sigreturn: has(TRAIT.sigreturn),
      }),
      args,
    );
  } else if (isFault && !(ring0 && has(TRAIT.noFault))) {
    add(faultRoute(mechanism, has(TRAIT.inKernel)));
  }
  return { causes, after };
}

/** Prices every shape. */
export function shapeCosts(shapes: Shapes, prices: Prices, mechanism: Mechanism): ShapeCosts {
  const n = shapes.length;
  const total = new Float64Array(n);
  const after = new Float64Array(n);
  const causes = new Float64Array(n * CAUSE_COUNT);
  const ways = new Map<number, Way>();
  const ring0 = inRing0(mechanism);
  const coefficients = shapes.classes.map((name) => {
    const own = prices.bodyOf(name);
    return TERMS.map((term) => prices.body(own, term));
  });
  for (let s = 0; s < n; s++) {
    const kind = shapes.kind[s];
    if (kind === RECORD.none) continue;
    const key = ((shapes.class[s] * 8 + kind) * 256 + shapes.traits[s]) * 256 + shapes.args[s];
    let way = ways.get(key);
    if (way === undefined) {
      way = wayOf(prices, mechanism, shapes, s);
      ways.set(key, way);
    }
    const at = s * CAUSE_COUNT;
    causes.set(way.causes, at);
    if (!(kind === RECORD.fault && ring0 && (shapes.traits[s] & TRAIT.noFault) !== 0)) {
      const c = coefficients[shapes.class[s]];
      const { work } = shapes;
      const w = s * SHAPE_WORKS;
      const body =
        c[0] + c[1] * work[w] + c[2] * work[w + 1] + c[3] * work[w + 2] + c[4] * work[w + 3] + c[5] * work[w + 4];
      causes[at + (kind === RECORD.fault ? FAULT_BODY : BODY)] += Math.round(body);
      causes[at + COPY] += Math.round(c[6] * work[w]);
    }
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
