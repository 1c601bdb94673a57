// The model against numbers: published and measured calls (what is fitted and what is tested is frozen in data/validation.csv),
// and checks that must hold whatever the costs are (closed forms, conservation, identity).
import { InputError } from "../errors.ts";
import type { Trace } from "../traces/trace.ts";
import type { ModelData } from "./data.ts";
import { Prices } from "./prices.ts";
import { callRoute, type Mechanism } from "./routes.ts";
import { readTable } from "./table.ts";
import { traceChecks } from "./trace-checks.ts";
import { type Check, verificationChecks } from "./verify.ts";

/** fit: used to solve a cost, so its error says nothing; test: predicted, must lie within its tolerance; beside: shown, not judged. */
export type Role = "fit" | "test" | "beside";

/** One measured call and what the model says of it. Cycles. */
export interface Comparison {
  readonly id: string;
  readonly role: Role;
  readonly profile: string;
  readonly kernel: string;
  readonly mechanism: string;
  readonly call: string;
  readonly measured: number;
  readonly predicted: number;
  /** Of the total, in percent of the measured one. */
  readonly errorPercent: number;
  readonly tolerancePercent: number | null;
  /** Against the other mechanism of the same machine; null where nothing was measured to compare with. */
  readonly saving: {
    readonly against: string;
    readonly measured: number;
    readonly predicted: number;
    readonly errorPercent: number;
    /** Error on the saving of the null models: nothing is saved; every call saves what an empty one saves. */
    readonly noSavingErrorPercent: number;
    readonly sameSavingErrorPercent: number;
  } | null;
  readonly holds: boolean | null;
  readonly source: string;
}

export interface Validation {
  readonly comparisons: readonly Comparison[];
  readonly checks: readonly Check[];
  readonly holds: boolean;
}

function percent(predicted: number, measured: number): number {
  return (100 * (predicted - measured)) / measured;
}

/** Cycles of a call ("-": of the way in and out alone). */
function predict(data: ModelData, profile: string, kernel: string, mechanism: string, call: string): number {
  const processor = data.profiles.get(profile);
  const era = data.kernels.get(kernel);
  if (processor === undefined || era === undefined) throw new InputError(`validation.csv: no ${profile} or ${kernel}`);
  const prices = new Prices(data, processor, era);
  if (call !== "-") return prices.nullCall(era, mechanism as Mechanism, call);
  const site = { inline: mechanism === "int80", special: false, args: 0, sigreturn: false };
  return prices.paths(callRoute(mechanism as Mechanism, site)).reduce((sum, cycles) => sum + cycles, 0);
}

/** Compares every row of data/validation.csv, given as text. */
export function compareAll(data: ModelData, text: string): Comparison[] {
  return readTable("validation.csv", text).map((row): Comparison => {
    const [profile, kernel, mechanism, call] = ["profile", "kernel", "mechanism", "call"].map((name) => row.text(name));
    const role = row.text("role");
    if (role !== "fit" && role !== "test" && role !== "beside")
      throw new InputError(`${row.where}: role is fit, test or beside`);
    const measured = row.required("measured");
    const predicted = predict(data, profile, kernel, mechanism, call);
    const errorPercent = percent(predicted, measured);
    const tolerance = row.number("tolerance_percent") ?? null;
    if (role === "test" && tolerance === null) throw new InputError(`${row.where}: a test has a tolerance`);
    let saving: Comparison["saving"] = null;
    const against = row.text("saving_against");
    if (against !== "") {
      const [otherKernel, otherMechanism] = against.split(" ");
      const other = predict(data, profile, otherKernel, otherMechanism, call);
      const observed = row.required("saving_measured");
      const difference = Math.abs(predicted - other);
      const empty = Math.abs(
        predict(data, profile, kernel, mechanism, "getpid") -
          predict(data, profile, otherKernel, otherMechanism, "getpid"),
      );
      saving = {
        against,
        measured: observed,
        predicted: difference,
        errorPercent: percent(difference, observed),
        noSavingErrorPercent: -100,
        sameSavingErrorPercent: percent(empty, observed),
      };
    }
    return {
      id: row.text("id"),
      role,
      profile,
      kernel,
      mechanism,
      call,
      measured,
      predicted,
      errorPercent,
      tolerancePercent: tolerance,
      saving,
      holds: role === "test" ? Math.abs(errorPercent) <= (tolerance ?? 0) : null,
      source: row.text("source"),
    };
  });
}

/** Everything that is checked: the rows of data/validation.csv given as text, the machine, and traces if there are any. */
export function validate(
  data: ModelData,
  text: string,
  traces: readonly { name: string; trace: Trace }[] = [],
): Validation {
  const comparisons = compareAll(data, text);
  const checks = [...verificationChecks(data), ...traceChecks(traces, data)];
  const holds = comparisons.every((row) => row.holds !== false) && checks.every((check) => check.holds);
  return { comparisons, checks, holds };
}
