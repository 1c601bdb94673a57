// What all calls of one number have in common: how many, from where, by which way, how long.
import { PATHS, SITES } from "../schema/enums.ts";

export interface CallSummary {
  readonly nr: number;
  readonly name: string;
  readonly count: number;
  readonly errors: number;
  /** Instructions on the ways in and out, all calls together; null where the trace does not know them. */
  readonly kinstr: number | null;
  /** Clock units from entry to return, all calls together. */
  readonly time: number;
  /** Clock units, all calls together. */
  readonly blocked: number | null;
  readonly bytes: number | null;
  /** How many came from each kind of site, and took each way. */
  readonly sites: Readonly<Record<string, number>>;
  readonly paths: Readonly<Record<string, number>>;
}

/** Counts by the names they are of, the most frequent first, without those that are 0. */
export function named(counts: ArrayLike<number>, names: readonly string[]): Record<string, number> {
  const found = names.map((name, index) => [name, counts[index]] as const).filter(([, count]) => count > 0);
  return Object.fromEntries(found.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)));
}

export class CallCounter {
  readonly nr: number;
  readonly name: string;
  #count = 0;
  #errors = 0;
  #time = 0;
  // NaN as long as no call's is known.
  #kinstr = Number.NaN;
  #blocked = Number.NaN;
  #bytes = Number.NaN;
  readonly #sites = new Float64Array(SITES.length);
  readonly #paths = new Float64Array(PATHS.length);

  constructor(nr: number, name: string) {
    this.nr = nr;
    this.name = name;
  }

  /** One call; NaN: not known. */
  add(failed: boolean, kinstr: number, blocked: number, bytes: number, time: number, site: number, path: number): void {
    this.#count++;
    if (failed) this.#errors++;
    this.#time += time;
    if (kinstr >= 0) this.#kinstr = (this.#kinstr || 0) + kinstr;
    if (blocked >= 0) this.#blocked = (this.#blocked || 0) + blocked;
    if (bytes >= 0) this.#bytes = (this.#bytes || 0) + bytes;
    this.#sites[site]++;
    this.#paths[path]++;
  }

  summary(): CallSummary {
    const known = (value: number): number | null => (Number.isNaN(value) ? null : value);
    return {
      nr: this.nr,
      name: this.name,
      count: this.#count,
      errors: this.#errors,
      kinstr: known(this.#kinstr),
      time: this.#time,
      blocked: known(this.#blocked),
      bytes: known(this.#bytes),
      sites: named(this.#sites, SITES),
      paths: named(this.#paths, PATHS),
    };
  }
}
