// What kmlab/traces is: traces read, written and made of other tools' files, for programs that import it.
export { type CallTable, parseCalls } from "./calls.ts";
export { type ImportOptions, type ImportReport, importTrace } from "./importers/import.ts";
export type { TextSource } from "./importers/lines.ts";
export { readTraceFrom } from "./read.ts";
export * from "./schema/enums.ts";
export { MemoryStore, type TraceSink, type TraceSource } from "./store.ts";
export type * from "./trace.ts";
export { UNKNOWN } from "./trace.ts";
export { writeTraceTo } from "./write.ts";
