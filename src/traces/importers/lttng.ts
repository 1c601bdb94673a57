// LTTng kernel traces as babeltrace2 prints them: "[time] (+delta) host syscall_entry_NAME: { cpu_id = 0 }, { vtid = 1, ... }, { ... }".
import { InputError } from "../../errors.ts";
import { ABI } from "../schema/enums.ts";
import type { ImportFormat } from "./format.ts";
import { digits } from "./kernel-line.ts";
import { tracerFindings } from "./kernel-trace.ts";
import { Pairs } from "./pairs.ts";
import { fraction } from "./strace-text.ts";

const DAY = 86_400;

interface Line {
  readonly seconds: number;
  readonly nanos: number;
  readonly ofDay: boolean;
  readonly event: string;
  /** Everything behind the event's name. */
  readonly fields: string;
}

/** Takes a line apart; undefined: it is none of babeltrace's. */
function lineOf(text: string): Line | undefined {
  if (text[0] !== "[") return undefined;
  const close = text.indexOf("]");
  if (close < 0 || close > 40) return undefined;
  const clock = text.slice(1, close);
  const dot = clock.indexOf(".");
  if (dot < 0) return undefined;
  const parts = clock.slice(Math.max(0, clock.lastIndexOf(" ") + 1), dot).split(":");
  const numbers = parts.map((part) => digits(part, 0, part.length));
  if (numbers.some(Number.isNaN) || (parts.length !== 1 && parts.length !== 3)) return undefined;
  const seconds = parts.length === 1 ? numbers[0] : numbers[0] * 3600 + numbers[1] * 60 + numbers[2];
  let at = close + 1;
  if (text.startsWith(" (+", at)) at = text.indexOf(")", at) + 1;
  const brace = text.indexOf(": {", at);
  if (at <= 0 || brace < 0) return undefined;
  const event = text.slice(text.lastIndexOf(" ", brace) + 1, brace);
  return {
    seconds,
    nanos: fraction(clock, dot + 1, clock.length),
    ofDay: parts.length === 3,
    event,
    fields: text.slice(brace + 2),
  };
}

/** A number among the fields: "name = 12"; NaN: it is not there. */
function field(fields: string, name: string): number {
  for (let at = fields.indexOf(`${name} = `); at >= 0; at = fields.indexOf(`${name} = `, at + 1)) {
    if (at === 0 || " {".includes(fields[at - 1])) {
      const word = fields.slice(at + name.length + 3);
      return word.startsWith("0x") || word.startsWith("0X")
        ? Number.parseInt(word.slice(2), 16)
        : Number.parseInt(word, 10);
    }
  }
  return Number.NaN;
}

function textField(fields: string, name: string): string {
  const mark = `${name} = "`;
  const at = fields.indexOf(mark);
  return at < 0 ? "" : fields.slice(at + mark.length, fields.indexOf('"', at + mark.length));
}

/** A scheduler's state: 0, or ( "TASK_RUNNING" : container = 0 ), is ready to run. */
function stateOf(fields: string): string {
  const at = fields.indexOf("prev_state = ");
  const rest = at < 0 ? "" : fields.slice(at + 13);
  return rest.startsWith("0") || rest.includes("TASK_RUNNING") ? "R" : "S";
}

const ENTRIES = ["syscall_entry_", "compat_syscall_entry_", "compat_sys_", "sys_"];
const EXITS = ["syscall_exit_", "compat_syscall_exit_"];

export const LTTNG: ImportFormat = {
  id: "lttng",
  is: "babeltrace2 of an LTTng kernel trace with the contexts vpid, vtid and procname",
  recognise: (lines) => lines.filter((text) => lineOf(text) !== undefined).length,
  read: (files, into) => {
    const pairs = new Pairs(into, into.abi);
    let lost = 0;
    let days = 0;
    let last = Number.NEGATIVE_INFINITY;
    for (const file of files) {
      for (let text = file.next(); text !== undefined; text = file.next()) {
        const line = lineOf(text);
        if (line === undefined) {
          const count = /discarded (\d+) events/.exec(text);
          if (count !== null) lost += Number(count[1]);
          else if (text.trim() !== "") into.note("no event of babeltrace", file);
          continue;
        }
        const { event, fields } = line;
        const seconds = line.seconds + days * DAY;
        if (line.ofDay && last - seconds > DAY / 2) days++;
        last = line.seconds + days * DAY;
        const t = pairs.time(last, line.nanos);
        if (event === "sched_switch") {
          pairs.switched(t, field(fields, "prev_tid"), stateOf(fields), field(fields, "next_tid"));
          continue;
        }
        const entry = ENTRIES.find((prefix) => event.startsWith(prefix));
        const exit = EXITS.find((prefix) => event.startsWith(prefix)) ?? (event === "exit_syscall" ? event : undefined);
        if (entry === undefined && exit === undefined) continue;
        const tid = [field(fields, "vtid"), field(fields, "tid"), field(fields, "vpid"), field(fields, "pid")].find(
          (number) => number >= 0,
        );
        if (tid === undefined)
          throw new InputError(
            `${file.where()}: calls without thread numbers; record with lttng add-context --kernel -t vpid -t vtid -t procname`,
          );
        const comm = textField(fields, "procname");
        const compat = event.startsWith("compat_");
        const task = pairs.task(tid, comm);
        task.process.image.votes[compat ? ABI.i386 : ABI.x86_64] += entry === undefined ? 0 : 4;
        const payload = fields.slice(fields.lastIndexOf("{"));
        if (exit !== undefined) {
          const open = task.open;
          const name = exit === event ? (open < 0 ? "" : into.nameOf(open)) : event.slice(exit.length);
          pairs.leave(tid, comm, name, t, field(payload, "ret"));
        } else {
          const flags = field(payload, "clone_flags");
          const cpu = field(fields, "cpu_id");
          pairs.enter(tid, comm, event.slice(entry!.length), t, cpu >= 0 && cpu < 4096 ? cpu : -1, [
            Number.isNaN(flags) ? field(payload, "error_code") : flags,
          ]);
        }
      }
    }
    return tracerFindings(pairs, lost, { otherwise: "x86_64", certain: false }, "nanoseconds", [
      "lttng add-context --kernel -t vpid -t vtid -t procname names the threads",
    ]);
  },
};
