// strace: text of strace -f -o FILE with any of -t -tt -ttt -r -T -i -n -y -yy -v -X, several files of -ff, or what it printed to stderr.
import { ABI, FLAG, SITE } from "../schema/enums.ts";
import { CallMeaning } from "./call-meaning.ts";
import type { ImportedEvents } from "./events.ts";
import type { Findings, ImportFormat } from "./format.ts";
import type { LineReader } from "./lines.ts";
import { isRestart, signalNumber } from "./names.ts";
import { ROW } from "./rows.ts";
import { CallSites } from "./sites.ts";
import { CLOCK, SAYS, StraceLine } from "./strace-line.ts";
import type { ImportedTask } from "./tasks.ts";

const DAY = 86_400;
/** The pid of the task whose lines carry none. */
const NO_PID = -1;

/** Signals without a handler are never seen to end: no more than this many are remembered for a task. */
const MOST_SIGNALS = 64;

/** A call that was not seen to end yet. */
interface Pending {
  event: number;
  readonly name: string;
  readonly args: string;
}

/** One file and the time of its lines. */
class Cursor {
  readonly file: LineReader;
  readonly pid: number;
  readonly line = new StraceLine();
  text: string | undefined;
  /** Nanoseconds since the first second of the trace; does not fall within a file. */
  time = 0;
  #base: { seconds: number } | undefined;
  #last = Number.NEGATIVE_INFINITY;
  #days = 0;

  constructor(file: LineReader, pid: number, base: { seconds: number }) {
    this.file = file;
    this.pid = pid;
    this.#base = base;
  }

  /** Reads the next line and its time. */
  advance(into: ImportedEvents): void {
    this.text = this.file.next();
    if (this.text === undefined) return;
    const { line } = this;
    line.read(this.text);
    if (line.clock === CLOCK.none) return;
    const raw = line.seconds * 1e9 + line.nanos;
    if (line.clock === CLOCK.relative) {
      this.time += raw;
      return;
    }
    let seconds = line.seconds;
    if (line.clock === CLOCK.day) {
      if (this.#last - (seconds + this.#days * DAY) > DAY / 2) this.#days++;
      seconds += this.#days * DAY;
    }
    const base = this.#base!;
    if (Number.isNaN(base.seconds)) base.seconds = seconds;
    const time = (seconds - base.seconds) * 1e9 + line.nanos;
    if (time < this.time && this.#last !== Number.NEGATIVE_INFINITY) into.backwards++;
    else this.time = time;
    this.#last = seconds;
  }
}

/** Reads the lines of all files in order of time. */
class StraceReader {
  readonly into: ImportedEvents;
  readonly meaning: CallMeaning;
  readonly sites: CallSites;
  readonly #pending = new Map<ImportedTask, Pending>();
  /** Signals that a task was sent and whose handler was not seen to return. */
  readonly #signals = new Map<ImportedTask, number[]>();
  readonly #interrupted = new Map<ImportedTask, string>();
  /** Tasks that strace said it attached to. */
  readonly #attached = new Set<number>();
  /** The task whose lines carry no pid, once its pid is known. */
  #leader: number | undefined;
  times = 0;
  durations = 0;
  exits = 0;
  clock: number = CLOCK.none;
  stderr = false;

  constructor(into: ImportedEvents) {
    this.into = into;
    this.meaning = new CallMeaning(into);
    this.sites = new CallSites();
  }

  /** Whose line it is. */
  #task(pid: number, filePid: number): ImportedTask {
    const { tasks } = this.into;
    if (pid >= 0) {
      if (this.stderr && this.#leader === undefined && !this.#attached.has(pid)) {
        this.#leader = pid;
        if (tasks.find(NO_PID) !== undefined) tasks.rename(NO_PID, pid);
      }
      return tasks.find(pid) ?? this.#begin(pid);
    }
    if (filePid >= 0) return tasks.find(filePid) ?? this.#begin(filePid);
    // Without -o a line carries no pid while there is only one task.
    const living = this.stderr ? tasks.living() : [];
    return living.length === 1 ? living[0] : tasks.of(this.#leader ?? NO_PID);
  }

  /** A task that is seen before the call that makes it has ended: its maker is known if only one such call is open. */
  #begin(pid: number): ImportedTask {
    const task = this.into.tasks.of(pid);
    let maker: ImportedTask | undefined;
    let makers = 0;
    for (const [other, { name }] of this.#pending) {
      if (!(name === "clone" || name === "clone3" || name === "fork" || name === "vfork")) continue;
      maker = other;
      makers++;
    }
    if (makers === 1 && maker !== undefined && maker !== task) this.meaning.inherit(maker, task);
    return task;
  }

  read(cursor: Cursor): void {
    const { line } = cursor;
    const text = cursor.text!;
    if (line.clock !== CLOCK.none) {
      this.times++;
      this.clock = line.clock;
    }
    if (text.endsWith(" attached") && /strace: Process \d+ attached$/.test(text)) {
      this.#attach(cursor, text);
      return;
    }
    if (text.startsWith("[pid")) this.stderr = true;
    switch (line.says) {
      case SAYS.call:
      case SAYS.unfinished:
        this.#call(cursor);
        break;
      case SAYS.resumed:
        this.#resume(cursor);
        break;
      case SAYS.signal:
        this.#signal(cursor);
        break;
      case SAYS.exited:
        this.#end(cursor, (line.value & 0xff) * 256);
        break;
      case SAYS.killed:
        this.#end(cursor, signalNumber(line.name) + line.value);
        break;
      case SAYS.superseded:
        this.#supersede(cursor);
        break;
      case SAYS.nothing:
        this.#strange(cursor, text);
    }
  }

  #signal(cursor: Cursor): void {
    const { line } = cursor;
    const task = this.#task(line.pid, cursor.pid);
    const event = this.into.signalled(task, signalNumber(line.name), cursor.time);
    const list = this.#signals.get(task) ?? [];
    this.#signals.set(task, list);
    list.push(event);
    if (list.length > MOST_SIGNALS) list.shift();
  }

  /** A line that is none of strace's, or half of one. */
  #strange({ file, line }: Cursor, text: string): void {
    if (text.trim() === "" || isTableRow(text)) return;
    const reason = line.name === "" ? "no line of strace" : "a call whose line does not end as it should";
    this.into.note(reason, file);
  }

  /** Without -o strace says in the middle of a line that it attached to the new task; the line goes on below. */
  #attach(cursor: Cursor, text: string): void {
    this.stderr = true;
    const at = text.lastIndexOf("strace: Process ");
    this.#attached.add(Number.parseInt(text.slice(at + 16), 10));
    const half = text.slice(0, at);
    if (half.trim() === "") return;
    const next = cursor.file.peek(1)[0];
    const goesOn = next !== undefined && /^( <unfinished \.\.\.>| =>|,|\))/.test(next);
    cursor.line.read(goesOn ? half + cursor.file.next()! : `${half} <unfinished ...>`);
    cursor.text = half;
    if (cursor.line.says === SAYS.call || cursor.line.says === SAYS.unfinished) this.#call(cursor);
  }

  #call(cursor: Cursor): void {
    const { line } = cursor;
    const { into } = this;
    const task = this.#task(line.pid, cursor.pid);
    this.#forget(task);
    const event = into.enterNamed(task, line.name, cursor.time);
    if (line.name.startsWith("exit")) this.exits++;
    if (line.nr >= 0) this.#numbered(task, event, line);
    else if (line.name.startsWith("syscall_0x"))
      into.at(event).nr[event & ROW] = Number(line.name.slice(8)) & 0x7fffffff;
    if (line.ip !== "") into.at(event).pointer[event & ROW] = this.sites.note(into.imageOf(event), line.ip, line.name);
    this.#vote(task, line);
    const again = this.#interrupted.get(task);
    if (again !== undefined && line.name !== "rt_sigreturn" && line.name !== "sigreturn") {
      if (line.name === again || line.name === "restart_syscall") into.flag(event, FLAG.restart);
      this.#interrupted.delete(task);
    }
    if (line.says === SAYS.unfinished) {
      this.meaning.begun(task, event, line.name, line.args);
      this.#pending.set(task, { event, name: line.name, args: line.args });
      return;
    }
    const until = line.duration >= 0 ? cursor.time + line.duration : Number.NaN;
    this.#finish(task, event, line.name, line.args, until, line);
  }

  /** With -n the number is said: where the two ABIs have this number for different calls, that tells the ABI. */
  #numbered(task: ImportedTask, event: number, line: StraceLine): void {
    const { calls } = this.into;
    const fits = [ABI.i386, ABI.x86_64].filter((abi) => calls.number(line.name, abi) === line.nr);
    if (fits.length === 1) task.process.image.votes[fits[0]] += 4;
    else if (fits.length === 0) this.into.at(event).nr[event & ROW] = line.nr;
  }

  /** Addresses above 4 GiB are of 64-bit programs. */
  #vote(task: ImportedTask, line: StraceLine): void {
    const long = line.ret > 0xffffffff || (line.ip.length === 16 && !line.ip.startsWith("00000000"));
    if (long) task.process.image.votes[ABI.x86_64]++;
  }

  #resume(cursor: Cursor): void {
    const { line, file } = cursor;
    const task = this.#task(line.pid, cursor.pid);
    const pending = this.#pending.get(task);
    if (pending === undefined || pending.name !== line.name) {
      this.into.note("a call resumed that was not begun", file);
      this.into.orphans++;
      return;
    }
    this.#pending.delete(task);
    const start = this.into.at(pending.event).tIn[pending.event & ROW];
    const until = line.duration >= 0 ? start + line.duration : line.clock === CLOCK.none ? Number.NaN : cursor.time;
    this.#finish(task, pending.event, line.name, pending.args + line.args, until, line);
  }

  #finish(task: ImportedTask, event: number, name: string, args: string, until: number, line: StraceLine): void {
    const { into } = this;
    const returned = !Number.isNaN(line.ret);
    if (line.duration >= 0) this.durations++;
    if (isRestart(line.ret)) this.#interrupted.set(task, name);
    // "?": the task died in the call, or left by it.
    if (!returned) {
      if (task.open === event) task.open = -1;
      if (line.duration >= 0 && name !== "exit" && name !== "exit_group") into.at(event).tOut[event & ROW] = until;
      return;
    }
    into.leave(task, event, until, line.ret);
    if (line.says === SAYS.call) this.meaning.begun(task, event, name, args);
    this.meaning.ended(task, event, name, args, line.ret, line.after);
    this.#vote(task, line);
    if (name === "rt_sigreturn" || name === "sigreturn") {
      const signal = this.#signals.get(task)?.pop();
      if (signal !== undefined) into.handled(signal);
    }
  }

  /** The last call of a task that begins another one never ended. */
  #forget(task: ImportedTask): void {
    const pending = this.#pending.get(task);
    if (pending === undefined) return;
    this.#pending.delete(task);
    this.into.open++;
  }

  #end(cursor: Cursor, status: number): void {
    const task = this.#task(cursor.line.pid, cursor.pid);
    this.#pending.delete(task);
    this.#signals.delete(task);
    task.open = -1;
    this.into.tasks.end(task, status);
  }

  /** `superseded by execve in pid N`: this pid goes to task N, with the execve that it is in. */
  #supersede(cursor: Cursor): void {
    const { tasks } = this.into;
    const heir = tasks.find(cursor.line.value);
    const pid = cursor.line.pid >= 0 ? cursor.line.pid : cursor.pid;
    if (heir === undefined || pid < 0) return;
    const old = tasks.find(pid);
    if (old !== undefined) this.#pending.delete(old);
    tasks.takeOver(heir, pid);
  }
}

/** A row of the summary that -C appends: "100.00    0.000003           0        37           close". */
function isTableRow(text: string): boolean {
  const words = text.trim().split(/\s+/);
  return words.length >= 5 && words.length <= 6 && words.slice(0, 4).every((word) => /^[\d.]+$/.test(word));
}

/** The pid that a file of -ff ends with; -1: none. */
function pidOfName(name: string): number {
  const dot = name.lastIndexOf(".");
  const pid = dot < 0 ? Number.NaN : Number(name.slice(dot + 1));
  return Number.isInteger(pid) && dot + 1 < name.length ? pid : -1;
}

/** Reads whichever file has the earliest line, as long as it has. */
function merge(cursors: Cursor[], reader: StraceReader): void {
  const { into } = reader;
  for (const cursor of cursors) cursor.advance(into);
  let open = cursors.filter(({ text }) => text !== undefined);
  while (open.length > 0) {
    let first = open[0];
    for (const cursor of open) if (cursor.time < first.time) first = cursor;
    let next = Number.POSITIVE_INFINITY;
    for (const cursor of open) if (cursor !== first && cursor.time < next) next = cursor.time;
    while (first.text !== undefined && first.time <= next) {
      reader.read(first);
      first.advance(into);
    }
    if (first.text === undefined) open = open.filter((cursor) => cursor !== first);
  }
}

function straceTimes(reader: StraceReader): string {
  if (reader.times === 0) return "none: strace ran without -ttt";
  if (reader.durations === 0)
    return "partial: times of entry, and of return where another task came between (strace without -T); inflated by the tracer's stops";
  const second = reader.clock === CLOCK.day ? ", of day" : "";
  return `inflated: microseconds${second}; every call is stopped twice by the tracer, which adds more than 10 us to the time around it`;
}

function findings(reader: StraceReader): Findings {
  const { sites, into } = reader;
  const pointers = sites.known;
  const advice: string[] = [];
  if (reader.times === 0 || reader.durations === 0)
    advice.push("strace -f -ttt -T -o FILE PROGRAM knows when calls began and ended");
  if (pointers === 0) advice.push("strace -i knows from where i386 programs call (vsyscall page or int 0x80)");
  if (reader.stderr) advice.push("strace -o FILE keeps what the program prints out of the trace");
  if (reader.times > 0)
    advice.push("--anchor real=S,user=S,sys=S with what `time` says of an untraced run scales the times");
  const left = into.tasks.all.some(({ ended, status }) => ended && status !== null && (status & 0x7f) === 0);
  const loss = [...(left && reader.exits === 0 ? ["calls that strace was told to leave out (-e)"] : [])];
  return {
    fidelity: {
      times: straceTimes(reader),
      arguments: "partial: sizes and objects as far as the text tells",
      sites:
        pointers > 0
          ? "partial: from instruction pointers; the vsyscall page is where most different calls come from"
          : "none: strace ran without -i",
      loss: loss.length === 0 ? "none" : `partial: ${loss.join("; ")}`,
    },
    advice,
    timed: reader.times > 0,
    sites: sites.resolve((site) => SITE[site]),
    abi: { otherwise: "x86_64", certain: false },
  };
}

export const STRACE: ImportFormat = {
  id: "strace",
  is: "strace -f -ttt -T -o FILE, with or without -i -n -y -r -tt; several files of -ff",
  recognise: (lines) => {
    const line = new StraceLine();
    let count = 0;
    for (const text of lines) {
      const says = line.read(text);
      if (says !== SAYS.nothing && says !== SAYS.aside) count++;
    }
    return count;
  },
  read: (files, into) => {
    const base = { seconds: Number.NaN };
    const several = files.length > 1;
    const reader = new StraceReader(into);
    const cursors = files.map((file) => {
      const own = pidOfName(file.name);
      const first = new StraceLine();
      first.read(file.peek(1)[0] ?? "");
      const named = first.pid >= 0;
      return new Cursor(file, !named && (several || own > 0) ? own : -1, base);
    });
    merge(cursors, reader);
    return findings(reader);
  },
};
