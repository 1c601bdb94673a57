// The parameters behind an answer: every named draw that a pair of processor and kernel asks for, with its range and source.
import type { Pair, Situation } from "../pair.ts";
import { type Draws, NOMINAL } from "../random.ts";
import type { Ranged } from "../ranges.ts";

/** Where in its period the timer starts; no cost, but drawn like one. */
export const TIMER_PHASE = "timer phase";

/** Something that is drawn. */
export interface Parameter {
  readonly name: string;
  /** What it stands for and who says so: one row of a table, several that are drawn together, none for the timer's phase. */
  readonly ranges: readonly Pick<Ranged, "value" | "low" | "high" | "source">[];
}

/** Finds them by asking: one nominal replay of every mechanism, listening to the names that are drawn. */
export function parametersOf(pair: Pair): Parameter[] {
  const names = new Set<string>();
  const listen: Draws = (name) => {
    names.add(name);
    return NOMINAL(name);
  };
  pair.makespans({ draws: listen });
  const found = [...names].map((name): Parameter => ({ name, ranges: rangesOf(pair, name) }));
  const wide = found.filter(({ ranges }) => ranges.some(({ low, high }) => low < high));
  return [...wide, { name: TIMER_PHASE, ranges: [] }];
}

/** The rows that a draw's name belongs to (see Prices). */
function rangesOf(pair: Pair, name: string): Parameter["ranges"] {
  const { profile, data } = pair;
  const cost = profile.costs.get(name) ?? data.parameters.get(name);
  if (cost !== undefined) return [pick(cost)];
  const change = data.hypervisor?.changes.get(name.replace(/^hypervisor /, ""));
  if (change !== undefined) return [pick(change)];
  const fits = profile.fits.filter(({ solves, group }) => name === `fit.${solves[0]}` || name === `group.${group}`);
  if (fits.length > 0) return fits.map(pick);
  const [era, key] = name.split(" ");
  const [, body, term] = key?.match(/^body\.(.+)\.([a-z]+)$/) ?? [];
  const row = data.bodies
    .get(era)
    ?.get(body)
    ?.find((candidate) => candidate.term === term);
  return row === undefined ? [] : [pick(row)];
}

function pick({ value, low, high, source }: Ranged): Parameter["ranges"][number] {
  return { value, low, high, source };
}

/** The situation in which each parameter is at a place of its range: 0 its low end, 1/2 its value, 1 its high end. */
export function situationAt(parameters: readonly Parameter[], u: Float64Array): Situation {
  const places = new Map(parameters.map(({ name }, index) => [name, u[index]]));
  // The phase goes round: the middle is the nominal one, a whole period before the first tick.
  const phase = ((places.get(TIMER_PHASE) ?? 0.5) + 0.5) % 1;
  return { draws: (name) => places.get(name) ?? NOMINAL(name), phase: phase === 0 ? 1 : phase };
}
