// The rows of data/validation.csv: published and measured numbers, each with its frozen role, and what the model says of it.
import { InputError } from "../errors.ts";
import type { ModelData } from "./data.ts";
import { Prices } from "./prices.ts";
import { type Draws, NOMINAL } from "./random.ts";
import { readTable } from "./table.ts";

/**
 * fit: used to solve a cost, so its error says nothing; test: predicted, must lie within its tolerance; beside: out of scope, shown
 * all the same; out: out of scope, with the reason.
 */
export const ROLES = ["fit", "test", "beside", "out"] as const;
export type Role = (typeof ROLES)[number];

/** One number that somebody published or measured. */
export interface Row {
  readonly id: string;
  readonly role: Role;
  /** Why it has that role; "" for a test. */
  readonly reason: string;
  /** Where the model finds it; "" for a row that it has no way to predict. */
  readonly profile: string;
  readonly kernel: string;
  readonly mechanism: string;
  /** Calls, as open+close; "-" is the way in and out alone. */
  readonly call: string;
  /** The trap instruction stands in the program itself: no stub, no return after it. */
  readonly inline: boolean;
  readonly value: string;
  readonly unit: string;
  readonly mhz: number | undefined;
  readonly tolerance: number | undefined;
  /** The row that it is compared with for the saving, by id; "". */
  readonly against: string;
  readonly source: string;
  readonly what: string;
  readonly confidence: string;
}

/** What of a row a prediction needs. */
export type Predictable = Pick<Row, "id" | "profile" | "kernel" | "mechanism" | "call" | "inline">;

/** Reads the table, given as text. Throws InputError for a role or a tolerance that is missing. */
export function readRows(text: string): Row[] {
  const rows = readTable("validation.csv", text).map((row): Row => {
    const role = row.text("role") as Role;
    if (!ROLES.includes(role)) throw new InputError(`${row.where}: role is ${ROLES.join(", ")}`);
    const reason = row.text("reason");
    if (role === "out" && reason === "") throw new InputError(`${row.where}: a row out of scope says why`);
    const source = row.text("source");
    if (source === "") throw new InputError(`${row.where}: no source`);
    const tolerance = row.number("tolerance_percent");
    if (role === "test" && tolerance === undefined) throw new InputError(`${row.where}: a test has a tolerance`);
    return {
      id: row.text("id"),
      role,
      reason,
      profile: row.text("profile"),
      kernel: row.text("kernel"),
      mechanism: row.text("mechanism"),
      call: row.text("call"),
      inline: row.text("site") === "inline",
      value: row.text("value"),
      unit: row.text("unit"),
      mhz: row.number("mhz"),
      tolerance,
      against: row.text("saving_against"),
      source,
      what: [row.text("benchmark"), row.text("config")].filter((part) => part !== "").join(", "),
      confidence: row.text("confidence"),
    };
  });
  const ids = new Map(rows.map((row) => [row.id, row]));
  if (ids.size !== rows.length) throw new InputError("validation.csv: an id is there twice");
  for (const { id, against } of rows)
    if (against !== "" && !ids.has(against)) throw new InputError(`validation.csv: ${id} is compared with no row`);
  return rows;
}

const PER_UNIT: Readonly<Record<string, number>> = { ns: 1e-3, us: 1 };

/** A row's number in cycles: times are taken at the clock that the source gives, else at the profile's. */
export function cyclesOf(row: Row, data: ModelData): number {
  const value = Number(row.value);
  if (!(value >= 0)) throw new InputError(`validation.csv: ${row.id}: value is "${row.value}"; write a number`);
  if (row.unit === "cycles") return value;
  const us = PER_UNIT[row.unit];
  if (us === undefined) throw new InputError(`validation.csv: ${row.id}: ${row.unit} are no cycles`);
  return value * us * (row.mhz ?? data.profiles.get(row.profile)?.mhz ?? Number.NaN);
}

/** Does the model have something to say of this row? */
export function isPredicted(row: Row): boolean {
  return row.role !== "out" && row.profile !== "";
}

/** Cycles that the model predicts for a row, with costs as published or as drawn; `call` replaces the row's own. */
export function predictRow(data: ModelData, row: Predictable, from: Draws = NOMINAL, call: string = row.call): number {
  const processor = data.profiles.get(row.profile);
  const era = data.kernels.get(row.kernel);
  if (processor === undefined || era === undefined)
    throw new InputError(`validation.csv: ${row.id}: no ${row.profile} or ${row.kernel}`);
  const prices = new Prices(data, processor, era, from);
  return prices.nullCall(era, row.mechanism, call, row.inline || row.mechanism === "int80");
}
