// Expressions of an experiment: numbers, words and truth, names, arithmetic, comparisons. They are parsed and walked, never run as code.
import jsep from "jsep";
import { InputError } from "../../errors.ts";

/** A number, a word, or yes and no. */
export type Value = number | string | boolean;

/** Looks up a name. */
export type Lookup = (name: string) => Value;

export interface Expression {
  readonly text: string;
  /** The names that it depends on. */
  readonly names: ReadonlySet<string>;
  /** Throws InputError where it has no value: a word added, a division by 0. */
  readonly value: (lookup: Lookup) => Value;
}

jsep.addUnaryOp("not");
jsep.addBinaryOp("or", 1);
jsep.addBinaryOp("and", 2);

const NUMBERS: Readonly<Record<string, (a: number, b: number) => Value>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a % b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const FUNCTIONS: Readonly<Record<string, (...numbers: number[]) => number>> = {
  min: Math.min,
  max: Math.max,
  round: (a) => Math.round(a),
  floor: (a) => Math.floor(a),
  ceil: (a) => Math.ceil(a),
  sqrt: (a) => Math.sqrt(a),
  log2: (a) => Math.log2(a),
};

const OPERATORS = `${Object.keys(NUMBERS).join(" ")} == != and or not`;

type Node = jsep.Expression;
type Walk = (lookup: Lookup) => Value;

function shown(value: Value): string {
  return typeof value === "string" ? `the word "${value}"` : String(value);
}

/** One text being made into something that can be walked. */
class Parser {
  readonly text: string;
  readonly names = new Set<string>();

  constructor(text: string) {
    this.text = text;
  }

  fail(what: string): never {
    throw new InputError(`"${this.text}": ${what}`);
  }

  #number(walk: Walk, what: string): (lookup: Lookup) => number {
    return (lookup) => {
      const value = walk(lookup);
      return typeof value === "number" ? value : this.fail(`${what} takes numbers, not ${shown(value)}`);
    };
  }

  #truth(walk: Walk, what: string): (lookup: Lookup) => boolean {
    return (lookup) => {
      const value = walk(lookup);
      return typeof value === "boolean" ? value : this.fail(`${what} takes comparisons, not ${shown(value)}`);
    };
  }

  /** A name; names with dots are several identifiers to the parser. */
  #name(node: Node): string | undefined {
    if (node.type === "Identifier") return node["name"] as string;
    if (node.type !== "MemberExpression" || node["computed"] === true) return undefined;
    const left = this.#name(node["object"] as Node);
    const right = this.#name(node["property"] as Node);
    return left === undefined || right === undefined ? undefined : `${left}.${right}`;
  }

  walk(node: Node): Walk {
    const name = this.#name(node);
    if (name !== undefined) {
      this.names.add(name);
      return (lookup) => lookup(name);
    }
    switch (node.type) {
      case "Literal": {
        const value = node["value"];
        if (typeof value !== "number" && typeof value !== "string" && typeof value !== "boolean")
          return this.fail(`${String(node["raw"])} is no number`);
        return () => value;
      }
      case "UnaryExpression":
        return this.#unary(node["operator"] as string, this.walk(node["argument"] as Node));
      case "BinaryExpression":
        return this.#binary(
          node["operator"] as string,
          this.walk(node["left"] as Node),
          this.walk(node["right"] as Node),
        );
      case "CallExpression":
        return this.#call(node);
      default:
        return this.fail(`write numbers, names and ${OPERATORS}`);
    }
  }

  #unary(operator: string, walk: Walk): Walk {
    if (operator === "-") {
      const number = this.#number(walk, operator);
      return (lookup) => -number(lookup);
    }
    if (operator !== "not" && operator !== "!") return this.fail(`no operator ${operator}; there are ${OPERATORS}`);
    const truth = this.#truth(walk, operator);
    return (lookup) => !truth(lookup);
  }

  #binary(operator: string, left: Walk, right: Walk): Walk {
    if (operator === "==" || operator === "!=") {
      return (lookup) => {
        const [a, b] = [left(lookup), right(lookup)];
        if (typeof a !== typeof b) this.fail(`${shown(a)} and ${shown(b)} are never equal`);
        return (a === b) === (operator === "==");
      };
    }
    if (operator === "and" || operator === "or" || operator === "&&" || operator === "||") {
      const [a, b] = [this.#truth(left, operator), this.#truth(right, operator)];
      const all = operator === "and" || operator === "&&";
      return all ? (lookup) => a(lookup) && b(lookup) : (lookup) => a(lookup) || b(lookup);
    }
    if (!Object.hasOwn(NUMBERS, operator)) return this.fail(`no operator ${operator}; there are ${OPERATORS}`);
    const apply = NUMBERS[operator];
    const [a, b] = [this.#number(left, operator), this.#number(right, operator)];
    return (lookup) => apply(a(lookup), b(lookup));
  }

  #call(node: Node): Walk {
    const name = this.#name(node["callee"] as Node) ?? "";
    if (!Object.hasOwn(FUNCTIONS, name))
      return this.fail(`no function ${name}; there are ${Object.keys(FUNCTIONS).join(", ")}`);
    const numbers = (node["arguments"] as Node[]).map((argument) => this.#number(this.walk(argument), name));
    if (numbers.length === 0) return this.fail(`${name}() of nothing`);
    return (lookup) => FUNCTIONS[name](...numbers.map((number) => number(lookup)));
  }
}

/** Throws InputError for text that is no expression. */
export function parseExpression(text: string): Expression {
  const parser = new Parser(text);
  let tree: Node;
  try {
    tree = jsep(text);
  } catch (error) {
    return parser.fail((error as Error).message);
  }
  const walk = parser.walk(tree);
  const value: Walk = (lookup) => {
    const found = walk(lookup);
    return typeof found === "number" && !Number.isFinite(found) ? parser.fail("has no finite value") : found;
  };
  return { text, names: parser.names, value };
}
