// Imports other tools' traces: picks the format, reads, builds the trace, and says what the source could not know.
import { InputError } from "../../errors.ts";
import type { CallTable } from "../calls.ts";
import { ABI, type ABIS } from "../schema/enums.ts";
import type { Trace, TraceStream } from "../trace.ts";
import { type Anchor, anchored } from "./anchor.ts";
import { ImportedEvents } from "./events.ts";
import { assembled, finishImport } from "./finish.ts";
import type { Findings, ImportFormat, ReadOptions } from "./format.ts";
import { formatNamed, recognise } from "./formats.ts";
import { LineReader, type TextSource } from "./lines.ts";
import type { Spill } from "./rows.ts";

export interface ImportOptions extends ReadOptions {
  readonly format?: string;
  readonly abi?: (typeof ABIS)[number];
  /** `time` of an untraced run, in seconds. */
  readonly anchor?: Anchor;
}

/** What was read, and what was not. */
export interface ImportReport {
  readonly format: string;
  readonly files: number;
  readonly lines: number;
  readonly events: number;
  readonly tasks: number;
  readonly notUnderstood: readonly { readonly reason: string; readonly count: number; readonly first: string }[];
  /** Calls whose names are in no table. */
  readonly unknownCalls: readonly { readonly name: string; readonly count: number }[];
  readonly fidelity: Trace["meta"]["fidelity"];
  readonly advice: readonly string[];
}

/** Reads files of one format into one trace. Throws InputError, as file:row, when nothing in them is understood. */
export function importTrace(
  sources: readonly TextSource[],
  calls: CallTable,
  options: ImportOptions = {},
): { trace: Trace; report: ImportReport } {
  const { trace, report } = importStream(sources, calls, options);
  return { trace: assembled(trace), report };
}

/** The same with a trace in pieces, for sources that are too long for the memory; what does not fit it goes to `spill`. */
export function importStream(
  sources: readonly TextSource[],
  calls: CallTable,
  options: ImportOptions = {},
  spill?: Spill,
): { trace: TraceStream; report: ImportReport } {
  const files = sources.map((source) => new LineReader(source));
  if (files.length === 0) throw new InputError("name at least one file to import");
  const format = options.format === undefined ? recognise(files[0]) : formatNamed(options.format);
  const into = new ImportedEvents(calls, ABI[options.abi ?? "unknown"], spill);
  const found = format.read(files, into, options);
  const lines = files.reduce((sum, { row }) => sum + row, 0);
  const notUnderstood = [...into.notUnderstood.values()].sort((a, b) => b.count - a.count);
  const bad = notUnderstood.reduce((sum, { count }) => sum + count, 0);
  refuseRubbish(files, format, into, bad, lines);
  const { events, trace } = finishImport(into, {
    source: format.id,
    otherwise: ABI[options.abi ?? found.abi.otherwise],
    timed: found.timed,
    sites: found.sites,
    spill,
  });
  if (events === 0)
    throw new InputError(`${files[0].name}:${files[0].row}: there is no call in it; is this ${format.id}?`);
  const fidelity = {
    ...found.fidelity,
    loss: lossOf(found, into, bad, files),
    abi: abiOf(found, into, options),
  };
  Object.assign(trace.meta.fidelity, fidelity);
  const advice =
    options.anchor === undefined ? found.advice : found.advice.filter((line) => !line.startsWith("--anchor"));
  return {
    // Stretching times needs them all.
    trace: options.anchor === undefined ? trace : inPieces(anchored(assembled(trace), options.anchor, found.timed)),
    report: {
      format: format.id,
      files: files.length,
      lines,
      events,
      tasks: trace.tasks.length,
      notUnderstood,
      unknownCalls: [...into.unknownNames].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count),
      fidelity: trace.meta.fidelity,
      advice,
    },
  };
}

/** A trace in memory as one in pieces, of which there is one. */
function inPieces(trace: Trace): TraceStream {
  return { ...trace, events: { pieces: () => [trace.events] }, edges: { pieces: () => [trace.edges] } };
}

/** A file of which most lines say nothing is another format's, or damaged. */
function refuseRubbish(
  files: readonly LineReader[],
  format: ImportFormat,
  into: ImportedEvents,
  bad: number,
  lines: number,
): void {
  const [first] = [...into.notUnderstood.values()];
  if (first !== undefined && bad * 2 > lines)
    throw new InputError(
      `${first.first}: ${first.reason}, and so for ${bad} of ${lines} lines; is this ${format.id}? --format names another`,
    );
  if (into.rows.length === 0)
    throw new InputError(
      `${first?.first ?? `${files[0].name}:${Math.max(1, files[0].row)}`}: there is no call in it; is this ${format.id}?`,
    );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function lossOf(found: Findings, into: ImportedEvents, bad: number, files: readonly LineReader[]): string {
  const long = files.reduce((sum, file) => sum + file.long, 0);
  const strange = files.reduce((sum, file) => sum + file.strange, 0);
  const unended = !found.unendedLines && files.some((file) => file.unended);
  const running = into.tasks.all.filter(({ ended }) => !ended).length;
  const parts = [
    ...(found.fidelity.loss === "none" ? [] : [found.fidelity.loss.replace(/^(partial|none): /, "")]),
    ...(into.backwards > 0 ? [`the clock went back ${counted(into.backwards, "time")}`] : []),
    ...(into.cut
      ? ["the last line is cut"]
      : unended
        ? ["the last line has no line feed: its end may be missing"]
        : []),
    ...(strange > 0 ? [`${counted(strange, "line")} with bytes that are no text`] : []),
    ...(bad > 0 ? [`${counted(bad, "line")} not understood`] : []),
    ...(long > 0 ? [`the middle of ${counted(long, "line")} too long to keep`] : []),
    ...(into.orphans > 0 ? [`the beginning of ${counted(into.orphans, "call")}`] : []),
    ...(into.open > 0 ? [`the end of ${counted(into.open, "call")}`] : []),
    ...(running > 0 && running < into.tasks.all.length ? [`the end of ${counted(running, "task")}`] : []),
    ...(running > 0 && running === into.tasks.all.length ? ["the end of every task"] : []),
  ];
  return parts.length === 0 ? "none" : `partial: ${parts.join("; ")}`;
}

function abiOf(found: Findings, into: ImportedEvents, { abi }: ImportOptions): string {
  if (abi !== undefined) return `exact: ${abi}, as --abi says`;
  if (found.abi.certain) return `exact: ${found.abi.otherwise}, told by the format`;
  const untold = into.tasks.all.filter(({ process }) => process.image.abi(ABI.unknown) === ABI.unknown).length;
  const unknown = into.unknownNames.size > 0 ? `; ${into.unknownNames.size} names in no table` : "";
  if (untold === 0) return `partial: inferred from calls and addresses that one ABI alone has${unknown}`;
  const which = untold === into.tasks.all.length ? "nothing tells it" : `${untold} tasks do not tell it`;
  return `partial: ${which}; taken as ${found.abi.otherwise} (--abi says another)${unknown}`;
}
