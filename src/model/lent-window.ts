// A window for a library that needs one while it loads: imported before that library, taken back by who imports both.

export const scope = globalThis as { window?: { Sim?: unknown } };

/** There was no window before. */
export const lent = scope.window === undefined;
if (lent) scope.window = {};
