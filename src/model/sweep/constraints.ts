// Conditions that the runs of an experiment must meet; those that leave no run are refused with what they were asked of.
import { InputError } from "../../errors.ts";
import type { Where } from "../../yaml.ts";
import type { Mechanism } from "../routes.ts";
import { type Expression, parseExpression, type Value } from "./expression.ts";
import { type At, checkName } from "./expressions.ts";

/** What a constraint saw of one parameter. */
interface Seen {
  low: number;
  high: number;
  readonly words: Set<string>;
}

interface Constraint {
  readonly path: readonly PropertyKey[];
  readonly expression: Expression;
  readonly seen: Map<string, Seen>;
  /** Runs that it and all before it allowed. */
  left: number;
}

export class Constraints {
  readonly #all: Constraint[];
  readonly #at: At;
  #combinations = 0;

  /** Throws InputError for text that is no expression and names that are none. */
  constructor(texts: readonly string[], names: readonly string[], at: At) {
    this.#at = at;
    this.#all = texts.map((text, index) => {
      const path = ["constraints", index];
      const expression = at(path, () => parseExpression(text));
      for (const name of expression.names) at(path, () => checkName(expression, name, names));
      return { path, expression, seen: new Map(), left: 0 };
    });
  }

  /** The mechanisms by which a combination is wanted. */
  allow(values: ReadonlyMap<string, Value>, mechanisms: readonly Mechanism[]): Mechanism[] {
    return mechanisms.filter((mechanism) => {
      this.#combinations++;
      const lookup = (name: string): Value => (name === "mechanism" ? mechanism : values.get(name)!);
      return this.#all.every((constraint) => {
        const { path, expression, seen } = constraint;
        for (const name of expression.names) see(seen, name, lookup(name));
        const holds = this.#at(path, () => {
          const value = expression.value(lookup);
          if (typeof value !== "boolean")
            throw new InputError(`"${expression.text}" is ${value}, and a constraint holds or not; compare it`);
          return value;
        });
        if (holds) constraint.left++;
        return holds;
      });
    });
  }

  /** Throws InputError when no run is left, at the constraint that took the last one. */
  checkLeft(where: Where): void {
    const at = this.#all.findIndex(({ left }) => left === 0);
    if (at < 0) return;
    const { path, expression, seen } = this.#all[at];
    const before = at === 0 ? this.#combinations : this.#all[at - 1].left;
    const others = at === 0 ? "" : ` that the constraints before it leave`;
    const ranges = [...seen].map(([name, range]) => `${name} is ${shown(range)}`).join(", ");
    throw new InputError(
      `${where(path)}: "${expression.text}" holds for none of the ${before} runs${others}: there ${ranges || "it is always false"}`,
    );
  }
}

function see(seen: Map<string, Seen>, name: string, value: Value): void {
  let range = seen.get(name);
  if (range === undefined) {
    range = { low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY, words: new Set() };
    seen.set(name, range);
  }
  if (typeof value === "number") {
    range.low = Math.min(range.low, value);
    range.high = Math.max(range.high, value);
  } else range.words.add(String(value));
}

function shown({ low, high, words }: Seen): string {
  if (words.size > 0) return [...words].join(" or ");
  return low === high ? `${low}` : `${low} to ${high}`;
}
