// --anchor: times of a traced run stretched so that they add up to what `time` said of an untraced one.
import { InputError } from "../../errors.ts";
import { KIND } from "../schema/enums.ts";
import { type Trace, UNTRACED_RUN } from "../trace.ts";

/** Seconds. */
export interface Anchor {
  readonly real?: number;
  readonly user: number;
  readonly sys?: number;
}

/** Reads "real=1.2,user=0.8,sys=0.3"; user must be there. */
export function readAnchor(words: string): Anchor {
  const found = new Map<string, number>();
  for (const word of words.split(",")) {
    const [key, text] = word.split("=");
    const seconds = Number(text);
    if (!["real", "user", "sys"].includes(key) || text === undefined || text === "" || !(seconds >= 0) || seconds > 1e6)
      throw new InputError(`--anchor ${words}: write real=S,user=S,sys=S with what time said, in seconds`);
    found.set(key, seconds);
  }
  const user = found.get("user");
  if (user === undefined) throw new InputError(`--anchor ${words}: user=S is missing: the program's own time`);
  return { real: found.get("real"), user, sys: found.get("sys") };
}

/** What a moment of the trace counts as: some program ran; else some call did; else all waited. */
const STATE = { user: 0, call: 1, wait: 2 } as const;

interface Moment {
  readonly at: number;
  /** Added to the numbers of programs and of calls that run from here on. */
  readonly user: number;
  readonly call: number;
}

/** Where every task begins and stops to run its program, and each call to run and to wait. */
function moments({ events }: Trace): Moment[] {
  const list: Moment[] = [];
  const last = new Map<number, number>();
  for (let seq = 0; seq < events.length; seq++) {
    if (events.parent[seq] >= 0) continue;
    const task = events.task[seq];
    const [from, to] = [events.tIn[seq], events.tOut[seq]];
    const since = last.get(task);
    if (since !== undefined && since < from)
      list.push({ at: since, user: 1, call: 0 }, { at: from, user: -1, call: 0 });
    last.set(task, to);
    if (events.kind[seq] !== KIND.syscall && events.kind[seq] !== KIND.sigreturn) continue;
    const began = from + Math.max(0, events.blocked[seq] || 0);
    if (began < to) list.push({ at: began, user: 0, call: 1 }, { at: to, user: 0, call: -1 });
  }
  return list.sort((a, b) => a.at - b.at);
}

/** Scales every stretch of time by what it was: programs run, calls, waits. Order and nesting stay. */
export function anchored(trace: Trace, anchor: Anchor, timed: boolean): Trace {
  const ns = {
    user: anchor.user * 1e9,
    sys: (anchor.sys ?? Number.NaN) * 1e9,
    real: (anchor.real ?? Number.NaN) * 1e9,
  };
  const said = Object.entries(anchor)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} ${value} s`)
    .join(", ");
  const list = timed ? moments(trace) : [];
  const edges: number[] = [];
  const state: number[] = [];
  // Programs' time in each state, as the tasks count it, and the calls' while no program runs.
  let [users, userHeld, callInUser, callAlone, waits] = [0, 0, 0, 0, 0];
  let [user, call] = [0, 0];
  for (const [index, moment] of list.entries()) {
    const length = index === 0 ? 0 : moment.at - list[index - 1].at;
    if (length > 0) {
      const kind = user > 0 ? STATE.user : call > 0 ? STATE.call : STATE.wait;
      edges.push(list[index - 1].at);
      state.push(kind);
      if (kind === STATE.user) {
        users += user * length;
        userHeld += length;
        callInUser += call * length;
      } else if (kind === STATE.call) callAlone += call * length;
      else waits += length;
    }
    user += moment.user;
    call += moment.call;
  }
  if (users <= 0) return evenly(trace, ns.user, ns.sys, said);
  const byUser = ns.user / users;
  const bySys =
    Number.isNaN(ns.sys) || callAlone === 0 ? byUser : Math.max(0, (ns.sys - callInUser * byUser) / callAlone);
  const running = userHeld * byUser + callAlone * bySys;
  const byReal = Number.isNaN(ns.real) || waits === 0 ? 1 : Math.max(0, (ns.real - running) / waits);
  const factor = [byUser, bySys, byReal];
  const starts = Float64Array.from(edges);
  const warped = new Float64Array(starts.length + 1);
  for (let i = 0; i < starts.length; i++) {
    const end = i + 1 < starts.length ? starts[i + 1] : list[list.length - 1].at;
    warped[i + 1] = warped[i] + (end - starts[i]) * factor[state[i]];
  }
  const warp = (t: number): number => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= t) low = middle;
      else high = middle - 1;
    }
    return warped[low] + Math.max(0, t - starts[low]) * factor[state[low]];
  };
  const { events, edges: depends } = trace;
  const scaledWait = new Map<number, number>();
  const origin = warp(0);
  for (let seq = 0; seq < events.length; seq++) {
    const from = events.tIn[seq];
    const to = events.tOut[seq];
    const newFrom = warp(from);
    if (events.blocked[seq] > 0) {
      events.blocked[seq] = Math.round(warp(from + events.blocked[seq]) - newFrom);
      scaledWait.set(seq, events.blocked[seq]);
    }
    events.tIn[seq] = Math.round(newFrom - origin);
    events.tOut[seq] = Math.max(events.tIn[seq], Math.round(warp(to) - origin));
  }
  for (let row = 0; row < depends.length; row++) {
    const wait = scaledWait.get(depends.to[row]);
    if (depends.from[row] < 0 && wait !== undefined) depends.delay[row] = wait;
  }
  const parts = [
    `program time x ${byUser.toPrecision(3)}`,
    ...(anchor.sys === undefined ? [] : [`calls x ${bySys.toPrecision(3)}`]),
    ...(anchor.real === undefined ? [] : [`waits x ${byReal.toPrecision(3)}`]),
  ];
  trace.meta.fidelity.times = `partial: scaled to an ${UNTRACED_RUN} ${said} (${parts.join(", ")})`;
  return trace;
}

/** A source without times: program and kernel time are spread evenly over the calls, one after another. */
function evenly(trace: Trace, user: number, sys: number, said: string): Trace {
  const { events } = trace;
  const gap = user / events.length;
  const call = (Number.isNaN(sys) ? 0 : sys) / events.length;
  // The first gap stands before the first call, where a replay does not look: it begins with the call.
  const between = events.length > 1 ? user / (events.length - 1) : gap;
  for (let seq = 0; seq < events.length; seq++) {
    events.tIn[seq] = Math.round(seq * (between + call));
    events.tOut[seq] = events.tIn[seq] + Math.round(call);
  }
  trace.meta.fidelity.times = `partial: an ${UNTRACED_RUN} ${said}, spread evenly over the calls`;
  return trace;
}
