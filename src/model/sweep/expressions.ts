// Parameters of an experiment that follow from others: checked for names and circles once, computed for every combination.
import { InputError } from "../../errors.ts";
import type { Expression, Value } from "./expression.ts";

/** Runs something, and says of what goes wrong where that is in the file. */
export type At = <T>(path: readonly PropertyKey[], work: () => T) => T;

interface Entry {
  readonly path: readonly PropertyKey[];
  readonly expression: Expression;
  readonly check: (value: number) => void;
}

export class Expressions {
  readonly #entries = new Map<string, Entry>();
  readonly #order: string[] = [];
  readonly #at: At;

  constructor(at: At) {
    this.#at = at;
  }

  add(name: string, path: readonly PropertyKey[], expression: Expression, check: (value: number) => void): void {
    this.#entries.set(name, { path, expression, check });
  }

  /** Finds an order to compute them in. Throws InputError for unknown names and circles. */
  check(columns: readonly string[]): void {
    for (const name of this.#entries.keys()) this.#visit(name, [], columns);
  }

  #visit(name: string, above: readonly string[], columns: readonly string[]): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || this.#order.includes(name)) return;
    this.#at(entry.path, () => {
      if (above.includes(name))
        throw new InputError(`"${entry.expression.text}": it depends on itself, by ${[...above, name].join(" and ")}`);
    });
    for (const other of entry.expression.names) {
      this.#at(entry.path, () => checkName(entry.expression, other, columns));
      this.#visit(other, [...above, name], columns);
    }
    this.#order.push(name);
  }

  /** All values, those that follow from others too. */
  complete(given: Map<string, Value>): ReadonlyMap<string, Value> {
    for (const name of this.#order) {
      const { path, expression, check } = this.#entries.get(name)!;
      this.#at(path, () => {
        const value = expression.value((other) => given.get(other)!);
        if (typeof value !== "number") throw new InputError(`"${expression.text}" is ${value}, which is no number`);
        check(value);
        given.set(name, value);
      });
    }
    return given;
  }
}

/** Throws InputError for a name that an expression cannot use. */
export function checkName({ text }: Expression, name: string, columns: readonly string[]): void {
  if (!columns.includes(name))
    throw new InputError(`"${text}": no parameter ${name} here; there are ${columns.join(", ")}`);
}
