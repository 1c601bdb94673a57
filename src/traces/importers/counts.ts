// Tables of counts: strace -c and perf trace -s. They know how often each call was made, and nothing of order.
import { InputError } from "../../errors.ts";
import { COUNTS_ONLY } from "../trace.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat } from "./format.ts";
import type { LineReader } from "./lines.ts";
import { ROW } from "./rows.ts";

/** More calls than this are not listed one by one. */
const MOST_CALLS = 20_000_000;

interface Row {
  readonly name: string;
  readonly calls: number;
  readonly errors: number;
}

const NAME = /^[a-z_][a-z_0-9]{0,39}$/;
const whole = (word: string): boolean => /^\d{1,12}$/.test(word);
const decimal = (word: string): boolean => /^\d+\.\d+$/.test(word);

/** "100.00    0.000003           0        37           close", with or without errors. */
function straceRow(words: readonly string[]): Row | undefined {
  if (words.length !== 5 && words.length !== 6) return undefined;
  const name = words[words.length - 1];
  if (!decimal(words[0]) || !decimal(words[1]) || !whole(words[2]) || !whole(words[3]) || !NAME.test(name))
    return undefined;
  if (words.length === 6 && !whole(words[4])) return undefined;
  return { name, calls: Number(words[3]), errors: words.length === 6 ? Number(words[4]) : 0 };
}

/** "openat    50     19     0.953     0.012     0.019     0.073      6.51%". */
function perfRow(words: readonly string[]): Row | undefined {
  const [name, calls, errors, ...times] = words;
  if (words.length !== 8 || !NAME.test(name) || !whole(calls) || !whole(errors)) return undefined;
  if (!times.slice(0, 4).every(decimal) || !/^\d+\.\d+%$/.test(times[4])) return undefined;
  return { name, calls: Number(calls), errors: Number(errors) };
}

/** " ls (11773), 662 events, 98.8%": the thread that the rows below are of. */
function threadOf(text: string): { comm: string; pid: number; events: number } | undefined {
  const match = /^ *(.+) \((\d{1,9})\), (\d{1,12}) events?, [\d.]+%/.exec(text);
  return match === null ? undefined : { comm: match[1], pid: Number(match[2]), events: Number(match[3]) };
}

const HEADINGS = /^(% time|syscall +calls|Summary of events:|[- ]+$|\(msec\))/;

function rowOf(text: string): Row | undefined {
  const words = text.trim().split(/\s+/);
  return straceRow(words) ?? perfRow(words);
}

function read(files: readonly LineReader[], into: ImportedEvents): Findings {
  let total = 0;
  let said = 0;
  let threads = 0;
  for (const file of files) {
    let task = into.tasks.of(1);
    let first = true;
    for (let text = file.next(); text !== undefined; text = file.next()) {
      const line = text.trim();
      const thread = threadOf(text);
      if (thread !== undefined) {
        if (first) into.tasks.rename(1, thread.pid);
        first = false;
        task = into.tasks.of(thread.pid);
        task.comm = thread.comm.slice(0, 64);
        // An entry and a return are two events; the first or the last one may stand alone.
        said += Math.floor(thread.events / 2);
        threads++;
        continue;
      }
      const row = rowOf(text);
      if (row === undefined) {
        if (line !== "" && !HEADINGS.test(line)) into.note("no row of a table of counts", file);
        continue;
      }
      if (row.name === "total") {
        said += row.calls;
        continue;
      }
      if (row.errors > row.calls) {
        into.note("more errors than calls", file);
        continue;
      }
      total += row.calls;
      if (total > MOST_CALLS)
        throw new InputError(`${file.where()}: more than ${MOST_CALLS} calls; trace a shorter run of the program`);
      for (let call = 0; call < row.calls; call++) {
        const event = into.enterNamed(task, row.name, 0);
        task.open = -1;
        // Which error is not said: -1, of the errors that there were.
        if (call < row.errors) into.at(event).ret[event & ROW] = -1;
      }
    }
  }
  into.tasks.endAll();
  const missing =
    said !== total && Math.abs(said - total) > threads
      ? `partial: the table's total is ${said === 0 ? "missing" : said}, its rows hold ${total}`
      : "none";
  return {
    fidelity: {
      times: COUNTS_ONLY,
      arguments: "none: counts only",
      sites: "none: counts only",
      loss: missing,
    },
    advice: ["strace -f -ttt -T -o FILE PROGRAM records the calls themselves, which can be replayed"],
    timed: false,
    abi: { otherwise: "x86_64", certain: false },
  };
}

export const COUNTS: ImportFormat = {
  id: "counts",
  is: "the table of strace -c or perf trace -s: whatif answers from counts alone",
  recognise: (lines) => {
    if (!lines.some((line) => HEADINGS.test(line.trim()))) return 0;
    return lines.filter((line) => rowOf(line) !== undefined).length;
  },
  read,
};
