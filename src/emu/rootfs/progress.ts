// How long work says how far it is.

/** Told about one piece of work at a time. */
export interface Progress {
  /** @param total in units, or bytes */
  begin(what: string, total: number, unit?: "bytes"): void;
  at(done: number): void;
  end(): void;
  /** A line for the user in between ("waiting for ..."). */
  note?(text: string): void;
}
