// The values of one parameter of an experiment: a number, a list, a range with even steps or factors, or an expression over others.
import { z } from "zod";
import { InputError } from "../../errors.ts";
import { type Expression, parseExpression } from "./expression.ts";

/** Values to go through, or an expression that gives one. */
export type Values =
  | { readonly list: readonly number[]; readonly expression?: undefined }
  | { readonly list?: undefined; readonly expression: Expression };

const FORMS =
  "write a number, a list, an expression, or a range: {from: A, to: B} with steps: N, by: STEP or factor: F (steps: N, scale: log for even ratios)";

/** Most values of a range. */
const MOST = 100_000;

const RANGE = z.strictObject({
  from: z.number(),
  to: z.number(),
  steps: z.int().optional(),
  by: z.number().optional(),
  factor: z.number().optional(),
  scale: z.enum(["linear", "log"]).optional(),
});

/** Twelve digits: 0.1 x 3 is 0.3. */
function clean(value: number): number {
  return Number(value.toPrecision(12));
}

/** How many steps of a size lead from 0 to a distance, the last one reached within rounding. */
function whole(distance: number): number {
  return Math.floor(distance + 1e-9) + 1;
}

/** All values of a range. Throws InputError for one that is empty or cannot be gone through. */
function rangeValues({ from, to, steps, by, factor, scale }: z.infer<typeof RANGE>): number[] {
  const ways = [steps, by, factor].filter((way) => way !== undefined);
  if (ways.length !== 1) throw new InputError("a range has one of steps, by and factor");
  if (from > to) throw new InputError(`from ${from} to ${to} there is nothing; write the smaller number first`);
  if (scale !== undefined && steps === undefined) throw new InputError("scale goes with steps");
  const log = factor !== undefined || scale === "log";
  if (log && from <= 0) throw new InputError(`from ${from}: ratios need numbers above 0`);
  if (factor !== undefined && factor <= 1) throw new InputError(`factor ${factor}: it must be more than 1`);
  if (by !== undefined && by <= 0) throw new InputError(`by ${by}: it must be more than 0`);
  if (steps !== undefined && (steps < 1 || (steps === 1 && from !== to)))
    throw new InputError(`steps ${steps}: write at least 2, for both ends`);
  const count =
    steps ?? (by !== undefined ? whole((to - from) / by) : whole(Math.log(to / from) / Math.log(factor ?? Number.NaN)));
  if (count > MOST) throw new InputError(`${count} values are too many; at most ${MOST}`);
  return Array.from({ length: count }, (_, i) => {
    if (by !== undefined) return clean(from + i * by);
    if (factor !== undefined) return clean(from * factor ** i);
    if (i === count - 1) return to;
    const part = i / (count - 1);
    return clean(log ? from * (to / from) ** part : from + (to - from) * part);
  });
}

/** What is wrong with a value that is none, and where in it. */
class Refused extends InputError {
  readonly path: readonly PropertyKey[];
  constructor(message: string, path: readonly PropertyKey[] = []) {
    super(message);
    this.path = path;
  }
}

function listValues(items: readonly unknown[]): number[] {
  if (items.length === 0) throw new Refused(`an empty list has no values; ${FORMS}`);
  return items.map((item, index) => {
    if (typeof item !== "number" || !Number.isFinite(item)) throw new Refused("lists hold numbers", [index]);
    if (items.indexOf(item) !== index) throw new Refused(`${item} is there twice`, [index]);
    return item;
  });
}

function readValues(value: unknown): Values {
  if (typeof value === "number" && Number.isFinite(value)) return { list: [value] };
  if (typeof value === "string") return { expression: parseExpression(value) };
  if (Array.isArray(value)) return { list: listValues(value) };
  if (typeof value !== "object" || value === null) throw new Refused(FORMS);
  const parsed = RANGE.safeParse(value);
  if (parsed.success) return { list: rangeValues(parsed.data) };
  const [issue] = parsed.error.issues;
  if (issue.code === "unrecognized_keys")
    throw new Refused(`no such key in a range; there are ${Object.keys(RANGE.shape).join(", ")}`, [issue.keys[0]]);
  throw new Refused(`${issue.message}; ${FORMS}`, issue.path);
}

/** Any of these, in a file. */
export const VALUES = z.unknown().transform((value, context): Values => {
  try {
    return readValues(value);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const path = error instanceof Refused ? [...error.path] : [];
    context.issues.push({ code: "custom", message: error.message, input: value, path });
    return z.NEVER;
  }
});
