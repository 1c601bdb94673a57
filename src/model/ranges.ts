// A cost is a value with a range, a kind of range and a source. A row without a range gets one by a stated rule.
import { InputError } from "../errors.ts";
import type { TableRow } from "./table.ts";

/**
 * How a number is known, and the rule for a row that gives no range of its own:
 * exact: a manual's clocks, exact when warm; read: seen in the named source, 5 %; secondary: in a table that copies another, 10 %;
 * memory: recalled, 20 %; measured and assumed: the row must give its range; fitted: solved for, its range comes from what it is fitted on;
 * none: there is no such thing on this processor; unknown: nobody published it. Both are refused when they are needed.
 */
export const RANGE_RULES = {
  exact: 0,
  read: 0.05,
  secondary: 0.1,
  memory: 0.2,
  measured: undefined,
  assumed: undefined,
  fitted: undefined,
  none: undefined,
  unknown: undefined,
} as const;
export type RangeKind = keyof typeof RANGE_RULES;

/** A number that is known within bounds; value null: not known at all. */
export interface Ranged {
  readonly value: number | null;
  readonly low: number;
  readonly high: number;
  readonly range: RangeKind;
  readonly source: string;
}

/** Reads `value, low, high, range, source` (value's column name may differ), applying the rules. */
export function readRanged(row: TableRow, column = "value"): Ranged {
  const kind = row.text("range");
  if (!Object.hasOwn(RANGE_RULES, kind)) {
    throw new InputError(`${row.where}: range is "${kind}"; it is one of ${Object.keys(RANGE_RULES).join(", ")}`);
  }
  const range = kind as RangeKind;
  const source = row.text("source");
  if (source === "") throw new InputError(`${row.where}: no source`);
  const value = row.number(column);
  if (value === undefined) {
    if (range !== "none" && range !== "unknown" && range !== "fitted") {
      throw new InputError(`${row.where}: ${column} is empty; its range is then none, unknown or fitted`);
    }
    return { value: null, low: Number.NaN, high: Number.NaN, range, source };
  }
  const share = RANGE_RULES[range];
  if (share === undefined && (row.number("low") === undefined || row.number("high") === undefined)) {
    throw new InputError(`${row.where}: a ${range} value gives its own low and high`);
  }
  const low = row.number("low") ?? value - value * (share ?? 0);
  const high = row.number("high") ?? value + value * (share ?? 0);
  if (low > value || high < value) throw new InputError(`${row.where}: ${low} <= ${value} <= ${high} does not hold`);
  return { value, low, high, range, source };
}

/** The number at a place u in [0, 1) of its range: low at 0, the value at 1/2, high towards 1, evenly on each side. */
export function within({ value, low, high }: Ranged, u: number): number {
  const middle = value ?? Number.NaN;
  return u < 0.5 ? low + (middle - low) * 2 * u : middle + (high - middle) * (2 * u - 1);
}
