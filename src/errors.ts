// The two failures a user of kmlab can be shown: wrong input, and a check that did not hold.

/** Bad input or wrong usage: one line that says what, where (file, row, column, address) and what to do. Exit status 2. */
export class InputError extends Error {
  override readonly name = "InputError";
}

/** A check that ran to its end and did not hold (validate, verify, diff). Exit status 1. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";
}
