// Differences between runs of one program that have a reason: data/differences.csv, a row for each kind of difference.
import Papa from "papaparse";
import { InputError } from "../../errors.ts";

/**
 * Where a difference may stand for a row to hold. launch: the very first call of the run; loader: before a program's thread area is set;
 * proc: about a file below /proc; pipe: about a pipe; interrupted: a signal ended the call; handler: made by a signal's handler; moved: the other run makes
 * as many of them, earlier or later, or in a handler.
 */
export const PLACES = ["anywhere", "launch", "loader", "proc", "pipe", "interrupted", "handler", "moved"] as const;
export type Place = (typeof PLACES)[number];

/** alias: one call has the names of others; call: a call that one run alone makes; error, result, site: what calls of both gave, or where they were made. */
export const KINDS = ["alias", "call", "error", "result", "site"] as const;

export interface Allowed {
  readonly kind: (typeof KINDS)[number];
  readonly calls: ReadonlySet<string>;
  readonly place: Place;
  readonly reason: string;
}

/** Reads the table, given as text; `name` says where it is from. */
export function readAllowed(text: string, name: string): Allowed[] {
  const { data, errors } = Papa.parse<Record<string, string>>(text, { header: true, skipEmptyLines: true });
  if (errors.length > 0) throw new InputError(`${name}: ${errors[0].message}`);
  return data.map(({ kind, calls, where, reason }, index) => {
    const at = `${name}:${index + 2}`;
    const wrong = (what: string, value: string | undefined, right: readonly string[]): InputError =>
      new InputError(`${at}: ${what} is "${value ?? ""}"; it is one of ${right.join(", ")}`);
    if (!KINDS.some((known) => known === kind)) throw wrong("kind", kind, KINDS);
    if (!PLACES.some((known) => known === where)) throw wrong("where", where, PLACES);
    if (calls === undefined || calls.trim() === "") throw new InputError(`${at}: calls is empty; name at least one`);
    if (reason === undefined || reason.trim() === "")
      throw new InputError(`${at}: no reason; why may runs differ in this?`);
    return { kind: kind as Allowed["kind"], calls: new Set(calls.trim().split(/\s+/)), place: where as Place, reason };
  });
}

/** Calls that are one under several names: the first of its row for every one of them. */
export function aliases(allowed: readonly Allowed[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { kind, calls } of allowed) {
    if (kind !== "alias") continue;
    const [first] = calls;
    for (const name of calls) found.set(name, first);
  }
  return found;
}
