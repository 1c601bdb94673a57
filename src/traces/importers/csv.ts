// Plain CSV with a heading: one row a call; --columns says which column holds what, where its heading does not.
import Papa from "papaparse";
import { InputError } from "../../errors.ts";
import { ABI } from "../schema/enums.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat, ReadOptions } from "./format.ts";
import type { LineReader } from "./lines.ts";
import { ROW } from "./rows.ts";

/** What a column may hold; times in seconds unless the name says another unit. */
const HOLDS: Readonly<Record<string, readonly string[]>> = {
  time: ["time", "timestamp", "start", "time_s", "ts"],
  time_ms: ["time_ms", "start_ms"],
  time_us: ["time_us", "start_us"],
  time_ns: ["time_ns", "start_ns", "nsecs"],
  duration: ["duration", "dur", "elapsed", "duration_s"],
  duration_ms: ["duration_ms", "elapsed_ms"],
  duration_us: ["duration_us", "elapsed_us"],
  duration_ns: ["duration_ns", "elapsed_ns"],
  pid: ["tid", "pid", "task", "thread"],
  call: ["call", "syscall", "name", "syscall_name"],
  nr: ["nr", "number", "syscall_nr", "id"],
  ret: ["ret", "result", "return", "retval"],
  bytes: ["bytes", "size"],
  comm: ["comm", "command", "process"],
  blocked_ns: ["blocked_ns"],
};
const UNITS = { "": 1e9, _ms: 1e6, _us: 1e3, _ns: 1 } as const;

type Columns = ReadonlyMap<string, number>;

/** Which column holds what, by its heading or as the user says. */
function columnsOf(heading: readonly string[], given: ReadOptions["columns"], where: string): Columns {
  const places = new Map<string, number>();
  const names = heading.map((name) => name.trim().toLowerCase());
  for (const [what, words] of Object.entries(HOLDS)) {
    const at = words.map((word) => names.indexOf(word)).find((index) => index >= 0);
    if (at !== undefined) places.set(what, at);
  }
  for (const [what, name] of given ?? []) {
    if (HOLDS[what] === undefined)
      throw new InputError(`--columns ${what}=${name}: a column holds one of ${Object.keys(HOLDS).join(", ")}`);
    const at = names.indexOf(name.trim().toLowerCase());
    if (at < 0) throw new InputError(`${where}: there is no column ${name}; there are ${heading.join(", ")}`);
    places.set(what, at);
  }
  if (!places.has("call") && !places.has("nr"))
    throw new InputError(`${where}: no column holds a call; say which with --columns call=HEADING or nr=HEADING`);
  return places;
}

class CsvReader {
  readonly into: ImportedEvents;
  readonly #columns: Columns;
  #base = Number.NaN;
  timed = false;
  durations = false;

  constructor(into: ImportedEvents, columns: Columns) {
    this.into = into;
    this.#columns = columns;
  }

  #cell(row: readonly string[], what: string): string {
    const at = this.#columns.get(what);
    return at === undefined ? "" : (row[at] ?? "").trim();
  }

  /** A number; NaN: the cell is empty; undefined: it holds something else. */
  #number(row: readonly string[], what: string): number | undefined {
    const text = this.#cell(row, what);
    if (text === "") return Number.NaN;
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }

  /** A time in nanoseconds, from whichever column has it; the same in seconds and their fractions loses nothing. */
  #nanos(row: readonly string[], what: "time" | "duration"): number | undefined {
    for (const [suffix, unit] of Object.entries(UNITS)) {
      if (!this.#columns.has(what + suffix)) continue;
      const value = this.#number(row, what + suffix);
      if (value === undefined || value < 0) return undefined;
      if (what === "duration") return value * unit;
      if (Number.isNaN(value)) return value;
      if (Number.isNaN(this.#base)) this.#base = value;
      return Math.round((value - this.#base) * unit);
    }
    return Number.NaN;
  }

  /** Why a row says nothing; "": it was a call. */
  row(row: readonly string[], headings: number): string {
    if (row.length !== headings) return "another number of columns than the heading";
    const { into } = this;
    const [time, duration] = [this.#nanos(row, "time"), this.#nanos(row, "duration")];
    const [pid, nr, ret, bytes] = ["pid", "nr", "ret", "bytes"].map((what) => this.#number(row, what));
    const blocked = this.#number(row, "blocked_ns");
    if ([time, duration, pid, nr, ret, bytes, blocked].includes(undefined)) return "a cell that is no number";
    const name = this.#cell(row, "call").replace(/^(sys_|__x64_sys_|__ia32_sys_)/, "");
    if (name === "" && !(nr! >= 0 && Number.isInteger(nr!))) return "no call";
    if (name !== "" && !/^[A-Za-z_0-9]{1,40}$/.test(name)) return "no call's name";
    if (!Number.isNaN(pid!) && !(Number.isInteger(pid!) && pid! >= 0 && pid! < 2 ** 31)) return "no thread's number";
    if (Number.isNaN(time!) && this.timed) return "no time";
    const task = into.tasks.of(Number.isNaN(pid!) ? 1 : pid!);
    const comm = this.#cell(row, "comm");
    if (comm !== "") task.comm = comm.slice(0, 64);
    const t = Number.isNaN(time!) ? 0 : time!;
    const abi = into.abi === ABI.unknown ? ABI.x86_64 : into.abi;
    const event = name === "" ? into.enterNumbered(task, nr!, abi, t) : into.enterNamed(task, name, t);
    if (!Number.isNaN(time!)) this.timed = true;
    if (duration! >= 0) this.durations = true;
    into.leave(task, event, this.timed ? t + Math.round(duration!) : Number.NaN, ret!);
    if (bytes! >= 0) into.moved(event, Math.round(bytes!));
    if (blocked! >= 0) into.at(event).blocked[event & ROW] = Math.round(blocked!);
    task.open = -1;
    return "";
  }
}

function read(files: readonly LineReader[], into: ImportedEvents, options: ReadOptions): Findings {
  let [timed, durations] = [false, false];
  for (const file of files) {
    const first = file.next() ?? "";
    const heading = Papa.parse<string[]>(first).data[0] ?? [];
    const reader = new CsvReader(into, columnsOf(heading, options.columns, file.where()));
    for (let text = file.next(); text !== undefined; text = file.next()) {
      if (text.trim() === "") continue;
      const row = text.includes('"') ? (Papa.parse<string[]>(text).data[0] ?? []) : text.split(",");
      const why = reader.row(row, heading.length);
      if (why !== "") into.note(why, file);
    }
    timed ||= reader.timed;
    durations ||= reader.durations;
  }
  into.tasks.endAll();
  return {
    fidelity: {
      times: timed
        ? durations
          ? "partial: as the file says; waits inferred from long calls"
          : "partial: times of entry only"
        : "none: no column holds a time",
      arguments: "partial: results and sizes, where columns hold them",
      sites: "none: no column for them",
      loss: "none",
    },
    advice:
      timed && durations ? [] : ["columns time and duration (seconds, or time_us, duration_ns ...) make times known"],
    timed,
    abi: { otherwise: "x86_64", certain: false },
  };
}

export const CSV: ImportFormat = {
  id: "csv",
  is: "CSV with a heading, a row a call: time, duration, pid, call or nr, ret, bytes, comm; --columns names others",
  recognise: (lines) => {
    const heading = lines[0].split(",").map((name) => name.trim().toLowerCase());
    const known = heading.filter((name) => Object.values(HOLDS).some((words) => words.includes(name)));
    const calls = [...HOLDS["call"], ...HOLDS["nr"]].some((name) => heading.includes(name));
    return heading.length > 1 && known.length > 1 && calls ? lines.length : 0;
  },
  read,
};
