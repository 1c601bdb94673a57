// A way into the kernel step by step, in the order of its lines in the tables: what the figures of single calls and faults draw.
import { CAUSES } from "../src/model/causes.ts";
import type { Prices } from "../src/model/prices.ts";

/** Consecutive cycles of one kind. */
export interface Step {
  readonly path: string;
  readonly phase: "entry" | "work" | "exit";
  readonly cause: string;
  readonly primitive: string;
  readonly from: number;
  readonly to: number;
}

/** The steps of a route with so many arguments, around work that takes so many cycles; paths that the kernel lacks and may are left out. */
export function steps(prices: Prices, route: readonly string[], args: number, work: number): Step[] {
  const paths = route.map((word) => word.split("/")[0].replace("?", ""));
  const list: Step[] = [];
  let at = 0;
  const add = (path: string, phase: Step["phase"], cause: string, primitive: string, cycles: number): void => {
    if (cycles <= 0) return;
    list.push({ path, phase, cause, primitive, from: at, to: at + cycles });
    at += cycles;
  };
  const walk = (path: string, exit: boolean): void => {
    for (const item of prices.kernel.paths.get(path) ?? []) {
      if (item.exit !== exit) continue;
      const amount = item.count + item.perArgument * args;
      const cycles = amount > 0 ? amount * prices.primitive(item.primitive) : 0;
      add(path, exit ? "exit" : "entry", CAUSES[item.cause], item.primitive, cycles);
    }
  };
  for (const path of paths) walk(path, false);
  add("", "work", "body", "", work);
  for (const path of paths.toReversed()) walk(path, true);
  return list;
}
