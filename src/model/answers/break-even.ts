// Where a conclusion flips: at which cost of the trap, which rate of calls and which price of software protection a mechanism stops
// being worth its while.
import { InputError } from "../../errors.ts";
import type { Pair, Situation } from "../pair.ts";
import { callRoute, type Mechanism } from "../routes.ts";

/** A value now, and the value at which the conclusion flips; null: it does not, whatever the value. */
export interface Flip {
  readonly now: number;
  readonly flips: number | null;
}

/** Rate and protection are null when the trace knows no program time. */
export interface BreakEven {
  /**
   * Cycles that the processor itself takes for the base's way into the kernel and back (its `hw.` primitives; costs that are
   * factors of them scale along). Flips: where the mechanism takes as long as the base.
   */
  readonly trap: Flip;
  /** System calls a second of the base's time, when the program computes more or less between them. Flips: where the gain is 1 %. */
  readonly callRate: Flip | null;
  /** Added to the mechanism's program cycles for checks that replace the hardware's, as a share. Flips: where it takes as long as the base. */
  readonly protection: Flip | null;
}

/** A gain that is too small to be worth anything. */
export const WORTH = 1.01;

/** Replays that one search may take. */
const STEPS = 24;

/** How near to the root a search must come, relative to it. */
const NEAR = 1e-4;

/**
 * A root of a function that crosses zero once between `from` and `to`, by the Illinois variant of regula falsi; undefined when it
 * does not cross. Found roots are within NEAR of the true one, or as near as STEPS evaluations lead.
 */
export function crossing(f: (x: number) => number, from: number, to: number): number | undefined {
  let [a, b] = [from, to];
  let [fa, fb] = [f(a), f(b)];
  if (fa === 0) return a;
  if (fb === 0) return b;
  if (Math.sign(fa) === Math.sign(fb)) return undefined;
  let x = a;
  for (let step = 0, side = 0; step < STEPS && Math.abs(b - a) > NEAR * Math.max(Math.abs(a), Math.abs(b)); step++) {
    const before = x;
    x = (fa * b - fb * a) / (fa - fb);
    const fx = f(x);
    if (fx === 0 || Math.abs(x - before) <= (NEAR / 10) * Math.abs(x)) return x;
    if (Math.sign(fx) === Math.sign(fb)) {
      [b, fb] = [x, fx];
      if (side === -1) fa /= 2;
      side = -1;
    } else {
      [a, fa] = [x, fx];
      if (side === 1) fb /= 2;
      side = 1;
    }
  }
  return x;
}

/** Factors tried above 1 before a value is said never to flip. */
const MOST = 4096;

/** The factor in [0, MOST] at which f, given at 1, changes sign; null: nowhere. */
function flippingFactor(f: (factor: number) => number): number | null {
  return f(1) === 0 ? 1 : firstCrossing(f, 1, MOST);
}

/**
 * The first crossing above `from`, searched in ever longer steps up to `most`, or to where a machine no longer makes sense (one whose timer
 * ticks take longer than the time between them cannot be replayed); null: none.
 */
function firstCrossing(f: (x: number) => number, from: number, most: number): number | null {
  try {
    for (let low = 0, high = from; low < most; low = high, high *= 4) {
      const found = crossing(f, low, high);
      if (found !== undefined) return found;
    }
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
  }
  return null;
}

/** The hardware's primitives on the base's way, by key, with their cycles now. */
function trapPrimitives(pair: Pair, base: Mechanism): Map<string, number> {
  const prices = pair.prices();
  const site = { inline: false, special: false, args: 0, sigreturn: false };
  const keys = new Map<string, number>();
  for (const path of callRoute(prices.routes(base), site)) {
    for (const { primitive } of pair.kernel.paths.get(path.replace(/[?/].*$/, "")) ?? [])
      if (primitive.startsWith("hw.")) keys.set(primitive, prices.primitive(primitive));
  }
  return keys;
}

/** Where the conclusion about one mechanism of a pair flips. About two dozen replays. */
export function breakEven(pair: Pair, mechanism: Mechanism): BreakEven {
  const base = pair.possible[0];
  const span = (name: Mechanism, situation: Situation): number => pair.replay(name, situation).replayed.makespan;
  const { replayed, user } = pair.nominal(base);

  const trap = trapPrimitives(pair, base);
  const cycles = [...trap.values()].reduce((sum, value) => sum + value, 0);
  const scaled = (factor: number): Situation => ({
    set: new Map([...trap].map(([key, value]): [string, number] => [key, value * factor])),
  });
  const trapFactor =
    cycles > 0 ? flippingFactor((factor) => span(base, scaled(factor)) - span(mechanism, scaled(factor))) : null;

  const { calls } = pair.program.assumed;
  const rate = (makespan: number): number => (calls / makespan) * pair.mhz * 1e6;
  const hasUser = user.units.some((units) => units > 0);
  const apart = (factor: number): number =>
    span(base, { userFactor: factor }) - WORTH * span(mechanism, { userFactor: factor });
  const userFactor = hasUser ? flippingFactor(apart) : null;

  const gap = (share: number): number => replayed.makespan - span(mechanism, { userFactor: 1 + share });
  const protection = hasUser && gap(0) >= 0 ? firstCrossing(gap, 0.25, MOST) : null;
  return {
    trap: { now: Math.round(cycles), flips: trapFactor === null ? null : Math.round(cycles * trapFactor) },
    callRate: hasUser
      ? { now: rate(replayed.makespan), flips: userFactor === null ? null : rate(span(base, { userFactor })) }
      : null,
    protection: hasUser ? { now: 0, flips: protection } : null,
  };
}
