// The small captures that come with kmlab in data/traces, each in ring 3 and in ring 0: `npm run record-traces` makes them.

/** Names of the traces (NAME-ring3.kmtrace, NAME-ring0.kmtrace) and what was run. */
export const SHIPPED_TRACES: readonly { readonly name: string; readonly argv: readonly string[] }[] = [
  { name: "find", argv: ["find", "/etc", "-size", "+1k"] },
  { name: "cp", argv: ["cp", "-a", "/etc", "/tmp/copy"] },
];
