// One line of the kernel's tracer as perf script, tracefs and trace-cmd print it: who, which processor, when, which event, with what.
import { hexWord, signedResult } from "./pairs.ts";
import { fraction } from "./strace-text.ts";

export const EVENT = { none: 0, enter: 1, leave: 2, switch: 3, other: 4, lost: 5 } as const;

/** The parts of the line read last. */
export class KernelLine {
  event: number = EVENT.none;
  comm = "";
  pid = -1;
  cpu = -1;
  seconds = 0;
  nanos = 0;
  /** The call: a number, or a name. */
  call: number | string = -1;
  args: number[] = [];
  /** What stands behind the call's name. */
  text = "";
  ret = Number.NaN;
  /** Of a switch: who leaves, in which state, who comes. Of a loss: how many. */
  from = 0;
  state = "";
  to = 0;
  lost = 0;
  /** Does the thread stand before its number with a dash (tracefs), or behind a blank (perf)? */
  dashed = false;

  /** Takes a line apart; says what it is. */
  read(text: string): number {
    this.event = EVENT.none;
    this.lost = lostEvents(text);
    if (this.lost >= 0) {
      this.event = EVENT.lost;
      return this.event;
    }
    const rest = this.#head(text);
    if (rest >= 0) this.event = this.#event(text.slice(rest));
    return this.event;
  }

  /** "comm-pid [cpu] flags time: " or "comm pid [cpu] time: ": where the event begins; -1: no such line. */
  #head(text: string): number {
    for (let open = text.indexOf("["); open >= 0; open = text.indexOf("[", open + 1)) {
      const close = text.indexOf("]", open);
      if (close < 0) return -1;
      const cpu = digits(text, open + 1, close);
      if (Number.isNaN(cpu) || close - open > 6) continue;
      const at = this.#time(text, close + 1);
      if (at < 0 || !this.#who(text.slice(0, open))) continue;
      this.cpu = cpu;
      return at;
    }
    return -1;
  }

  /** Flags, if any, then "seconds.fraction:". */
  #time(text: string, from: number): number {
    let at = from;
    for (let word = 0; word < 2; word++) {
      while (text[at] === " ") at++;
      let end = at;
      while (end < text.length && text[end] !== " ") end++;
      if (text[end - 1] === ":") {
        const dot = text.indexOf(".", at);
        const seconds = digits(text, at, dot);
        if (dot > at && dot < end && !Number.isNaN(seconds) && !Number.isNaN(digits(text, dot + 1, end - 1))) {
          this.seconds = seconds;
          this.nanos = fraction(text, dot + 1, end - 1);
          while (text[end] === " ") end++;
          return end;
        }
      }
      if (end - at > 8) return -1;
      at = end;
    }
    return -1;
  }

  /** The thread: its name may hold anything, its number stands last. */
  #who(head: string): boolean {
    let who = head.trim();
    // "(tgid)" of tracefs with its option record-tgid.
    if (who.endsWith(")")) who = who.slice(0, who.lastIndexOf("(")).trimEnd();
    let at = who.length;
    while (at > 0 && who.charCodeAt(at - 1) >= 48 && who.charCodeAt(at - 1) <= 57) at--;
    if (at === who.length || at === 0) return false;
    this.pid = Number(who.slice(at));
    const before = who[at - 1];
    this.dashed = before === "-";
    if (before === "/") {
      // perf script -F comm,pid,tid: "comm pid/tid".
      const blank = who.lastIndexOf(" ");
      if (blank < 0) return false;
      this.comm = who.slice(0, blank).trim();
      return true;
    }
    if (before !== "-" && before !== " ") return false;
    this.comm = who.slice(0, at - 1).trim();
    return this.pid < 2 ** 31;
  }

  #event(rest: string): number {
    let event = rest;
    for (const group of ["raw_syscalls:", "syscalls:", "sched:"])
      if (event.startsWith(group)) event = event.slice(group.length);
    if (event.startsWith("sched_switch:")) return this.#switch(event.slice(13).trim());
    if (event.startsWith("sys_enter: ") || event.startsWith("sys_exit: ")) return this.#raw(event);
    const colon = event.indexOf(":");
    const isEvent = colon > 0 && isName(event.slice(0, colon));
    if (isEvent && event.startsWith("sys_enter_")) return this.#named(event.slice(10), EVENT.enter);
    if (isEvent && event.startsWith("sys_exit_")) return this.#named(event.slice(9), EVENT.leave);
    if (event.startsWith("sys_")) return this.#function(event.slice(4));
    return EVENT.other;
  }

  /** "sys_enter: NR 12 (0, 7f, ...)", "sys_exit: NR 12 = -2". */
  #raw(event: string): number {
    const nr = event.indexOf("NR ");
    if (nr < 0) return EVENT.none;
    const blank = event.indexOf(" ", nr + 3);
    const number = digits(event, nr + 3, blank);
    if (Number.isNaN(number)) {
      // A call of which the tracer knows no number: -1.
      return event.startsWith("NR -1", nr) ? EVENT.other : EVENT.none;
    }
    this.call = number;
    this.text = "";
    if (event.startsWith("sys_exit")) {
      const equals = event.indexOf("= ", blank);
      this.ret = equals < 0 ? Number.NaN : Number(event.slice(equals + 2));
      return equals < 0 || Number.isNaN(this.ret) ? EVENT.none : EVENT.leave;
    }
    const open = event.indexOf("(", blank);
    if (open < 0 || !event.trimEnd().endsWith(")")) return EVENT.none;
    this.args = event
      .slice(open + 1, event.lastIndexOf(")"))
      .split(",")
      .map((word) => hexWord(word.trim()));
    return EVENT.enter;
  }

  /** "openat: dfd: 0xffffff9c, ..." and "openat: 0x3". */
  #named(event: string, kind: number): number {
    const colon = event.indexOf(":");
    const name = (colon < 0 ? event : event.slice(0, colon)).trim();
    const text = colon < 0 ? "" : event.slice(colon + 1).trim();
    if (!isName(name)) return EVENT.none;
    this.call = name;
    if (kind === EVENT.enter) this.#words(text);
    else {
      this.ret = signedResult(text);
      if (Number.isNaN(this.ret)) return EVENT.none;
    }
    return kind;
  }

  /** "openat(dfd: 0xffffff9c, ...)" and "openat -> 0x3". */
  #function(event: string): number {
    const arrow = event.indexOf(" -> ");
    const open = event.indexOf("(");
    if (open > 0 && (arrow < 0 || open < arrow)) {
      this.call = event.slice(0, open);
      if (!isName(this.call) || !event.trimEnd().endsWith(")")) return EVENT.none;
      this.#words(event.slice(open + 1, event.lastIndexOf(")")));
      return EVENT.enter;
    }
    if (arrow < 0) return EVENT.none;
    this.call = event.slice(0, arrow);
    this.ret = signedResult(event.slice(arrow + 4).trim());
    return isName(this.call) && !Number.isNaN(this.ret) ? EVENT.leave : EVENT.none;
  }

  #words(text: string): void {
    this.text = text;
    this.args = text.split(",").map((word) => {
      const value = word.slice(word.indexOf(":") + 1).trim();
      return value.startsWith("0x") ? hexWord(value) : Number(value === "" ? Number.NaN : value);
    });
  }

  /** "prev_comm=a prev_pid=1 ... prev_state=R ==> next_comm=b next_pid=2 ..." or "a:1 [120] R ==> b:2 [120]". */
  #switch(text: string): number {
    const arrow = text.indexOf(" ==> ");
    if (arrow < 0) return EVENT.none;
    const [left, right] = [text.slice(0, arrow), text.slice(arrow + 5)];
    // What else ends such a line is of a second one that ran into it.
    if (right.includes(" ==> ") || !/( \[\d+\]|next_prio=-?\d+)$/.test(right)) return EVENT.none;
    const state = left.lastIndexOf(left.includes("prev_state=") ? "=" : " ");
    this.state = left.slice(state + 1).trim();
    this.from = left.includes("prev_pid=") ? behind(left, "prev_pid=") : shortPid(left);
    this.to = right.includes("next_pid=") ? behind(right, "next_pid=") : shortPid(right);
    return Number.isInteger(this.from) && Number.isInteger(this.to) && this.state !== "" ? EVENT.switch : EVENT.none;
  }
}

function shortPid(text: string): number {
  const bracket = text.lastIndexOf(" [");
  const head = bracket < 0 ? text : text.slice(0, bracket);
  return Number.parseInt(head.slice(head.lastIndexOf(":") + 1), 10);
}

function behind(text: string, mark: string): number {
  const at = text.lastIndexOf(mark);
  return at < 0 ? Number.NaN : Number.parseInt(text.slice(at + mark.length), 10);
}

/** The digits between two places as a number; NaN when there is anything else, or nothing. */
export function digits(text: string, from: number, to: number): number {
  if (to <= from || to - from > 15) return Number.NaN;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function isName(word: string): boolean {
  return /^[a-z_0-9]{1,40}$/.test(word);
}

/** How many events a line says were lost; -1: it says no such thing. */
function lostEvents(text: string): number {
  const at = text.indexOf("LOST ");
  const dropped = text.indexOf("EVENTS DROPPED");
  if (at < 0 && dropped < 0) return -1;
  if (at >= 0) {
    const count = Number.parseInt(text.slice(at + 5), 10);
    return / events?\b/i.test(text.slice(at)) && count >= 0 ? count : -1;
  }
  const count = Number.parseInt(text.slice(text.indexOf("[") + 1), 10);
  return count >= 0 ? count : 1;
}
