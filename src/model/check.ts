// What every check of the model says of itself.

/** One check: what it says, what was found, whether it holds. */
export interface Check {
  readonly id: string;
  readonly says: string;
  readonly found: string;
  readonly holds: boolean;
}
