// The formats that kmlab import reads, and which of them a file is in.
import { InputError } from "../../errors.ts";
import { BPFTRACE } from "./bpftrace.ts";
import { COUNTS } from "./counts.ts";
import { CSV } from "./csv.ts";
import type { ImportFormat } from "./format.ts";
import { FTRACE, PERF_SCRIPT, TRACE_CMD } from "./kernel-trace.ts";
import type { LineReader } from "./lines.ts";
import { LTTNG } from "./lttng.ts";
import { NUMBERS } from "./numbers.ts";
import { PERF_TRACE } from "./perf-trace.ts";
import { QEMU } from "./qemu.ts";
import { STRACE } from "./strace.ts";

/** In order: of two that recognise as many lines the earlier one is taken. */
export const FORMATS: readonly ImportFormat[] = [
  STRACE,
  QEMU,
  PERF_TRACE,
  PERF_SCRIPT,
  FTRACE,
  TRACE_CMD,
  BPFTRACE,
  LTTNG,
  NUMBERS,
  CSV,
  COUNTS,
];

const LOOKED_AT = 200;

/** The format of a name. */
export function formatNamed(name: string): ImportFormat {
  const found = FORMATS.find(({ id }) => id === name);
  if (found === undefined)
    throw new InputError(
      `--format ${name}: there is no such format; there are ${FORMATS.map(({ id }) => id).join(", ")}`,
    );
  return found;
}

/** The format that most of the first lines are in. */
export function recognise(file: LineReader): ImportFormat {
  const lines = file.peek(LOOKED_AT).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new InputError(`${file.name}:1: it holds no lines; give the file that the tool wrote`);
  let best: ImportFormat | undefined;
  let most = 0;
  for (const format of FORMATS) {
    const count = format.recognise(lines);
    if (count > most) {
      most = count;
      best = format;
    }
  }
  if (best === undefined)
    throw new InputError(
      `${file.name}:1: no format that kmlab reads is recognised in its first lines; name one by --format: ${FORMATS.map(({ id }) => id).join(", ")}`,
    );
  return best;
}
