// Tools that record entries and returns apart: each return finds its entry by thread; scheduler events say who waited.
import { ABI, EDGE, FLAG, KIND } from "../schema/enums.ts";
import type { ImportedEvents } from "./events.ts";
import { ROW } from "./rows.ts";
import type { ImportedTask } from "./tasks.ts";

const CLONE_VM = 0x100;
const CLONE_THREAD = 0x10000;

/** A call by its number, or by its name. */
export type CallId = number | string;

/** Numbers as kernel tracers print them: hexadecimal with or without 0x, signed decimal. */
export function hexWord(word: string): number {
  return Number.parseInt(word.startsWith("0x") ? word.slice(2) : word, 16);
}

/** A result that a tracer printed as an unsigned 64-bit word, as the signed number that it is. */
export function signedResult(word: string): number {
  if (!word.startsWith("0x")) return Number(word);
  if (!/^0x[0-9a-f]{1,16}$/i.test(word)) return Number.NaN;
  if (word.length === 18 && word.startsWith("0xffffffff")) return Number(BigInt.asIntN(64, BigInt(word)));
  if (word.length === 10 && word.startsWith("0xfffff")) return Number.parseInt(word.slice(2), 16) - 2 ** 32;
  return Number.parseInt(word.slice(2), 16);
}

export class Pairs {
  readonly into: ImportedEvents;
  /** ABI of numbered calls; unknown: named ones tell. */
  readonly abi: number;
  switches = 0;
  #base = Number.NaN;
  #last = Number.NEGATIVE_INFINITY;
  readonly #args = new Map<ImportedTask, readonly number[]>();
  readonly #text = new Map<ImportedTask, string>();
  /** Since when each thread is off its processor, and whether it waits. */
  readonly #off = new Map<ImportedTask, { since: number; waits: boolean }>();

  constructor(into: ImportedEvents, abi: number) {
    this.into = into;
    this.abi = abi;
  }

  /** A time in nanoseconds as the trace counts it: small numbers, whatever the source's clock began at. */
  time(seconds: number, nanos: number): number {
    if (Number.isNaN(this.#base)) this.#base = seconds;
    const t = (seconds - this.#base) * 1e9 + nanos;
    if (t < this.#last) this.into.backwards++;
    this.#last = t;
    return t;
  }

  task(pid: number, comm: string): ImportedTask {
    const task = this.into.tasks.of(pid);
    if (comm !== "" && comm !== "<...>") task.comm = comm.slice(0, 64);
    return task;
  }

  #name(call: CallId, abi: number): string {
    return typeof call === "string" ? call : this.into.calls.name(call, abi);
  }

  /** An entry. `args` are its words, `text` what is printed of them. */
  enter(pid: number, comm: string, call: CallId, t: number, cpu: number, args: readonly number[], text = ""): void {
    const { into } = this;
    const task = this.task(pid, comm);
    // The last call ended without being seen to: lost, or the task left by it.
    if (task.open >= 0) into.open++;
    const event =
      typeof call === "string" ? into.enterNamed(task, call, t) : into.enterNumbered(task, call, this.abi, t);
    if (cpu >= 0) into.at(event).cpu[event & ROW] = cpu;
    this.#args.set(task, args);
    this.#text.set(task, text);
    const name = this.#name(call, this.abi);
    if (name === "exit" || name === "exit_group") {
      // It never returns: the last that is seen of the task (and of its process).
      task.open = -1;
      into.tasks.end(task, args.length > 0 && args[0] >= 0 ? (args[0] & 0xff) * 256 : null);
    }
  }

  /** A return. One whose entry was not recorded tells no more than that the task was there. */
  leave(pid: number, comm: string, call: CallId, t: number, ret: number): void {
    const { into } = this;
    const known = into.tasks.find(pid);
    const task = this.task(pid, comm);
    const event = task.open;
    const name = this.#name(call, this.abi);
    if (event < 0 || into.nameOf(event) !== name) {
      // A new task's first return is that of the call that made it; the first record of a program that of its execve.
      const first = known === undefined || task.last < 0;
      if (!(first && (name.startsWith("clone") || name.includes("fork") || name.startsWith("execve")))) into.orphans++;
      return;
    }
    this.#wakes(task, t);
    into.leave(task, event, t, ret);
    if (ret === -11 || ret === -110) into.flag(event, FLAG.timing_sensitive);
    this.#means(task, event, name, ret);
  }

  #means(task: ImportedTask, event: number, name: string, ret: number): void {
    const { into } = this;
    const kind = into.calls.class(name);
    if ((kind === "read" || kind === "write") && ret >= 0) into.moved(event, ret);
    if (kind === "fork" || kind === "vfork") {
      if (!(ret > 0)) return;
      const text = this.#text.get(task) ?? "";
      const flags = name === "clone" ? (this.#args.get(task)?.[0] ?? 0) : 0;
      // The flags of clone3 lie in memory: the C library makes threads by it.
      const thread = (flags & CLONE_THREAD) !== 0 || text.includes("THREAD") || (name === "clone3" && text === "");
      const child = into.tasks.spawned(task, event, ret, {
        thread,
        sharesMemory: name === "vfork" || (!thread && (flags & CLONE_VM) !== 0),
      });
      child.comm ??= task.comm;
    } else if (kind === "exec" && ret === 0) into.tasks.exec(task, event, null);
    else if (kind === "wait" && ret > 0) {
      const child = into.tasks.latest(ret);
      if (child !== undefined) into.depends(event, child, EDGE.child);
    }
  }

  /** The processor goes from one thread to another. `state` is R for a thread that could have gone on. */
  switched(t: number, from: number, state: string, to: number): void {
    this.switches++;
    const old = from > 0 ? this.into.tasks.find(from) : undefined;
    if (old !== undefined) this.#off.set(old, { since: t, waits: !state.startsWith("R") });
    const next = to > 0 ? this.into.tasks.find(to) : undefined;
    if (next !== undefined) this.#wakes(next, t);
  }

  /** A thread runs again: what it waited belongs to the call that it is in; else another thread had its processor. */
  #wakes(task: ImportedTask, t: number): void {
    const off = this.#off.get(task);
    if (off === undefined) return;
    this.#off.delete(task);
    if (!(t > off.since)) return;
    const { into } = this;
    if (task.open >= 0) {
      const { blocked } = into.at(task.open);
      if (off.waits) blocked[task.open & ROW] = (blocked[task.open & ROW] || 0) + (t - off.since);
      return;
    }
    const event = into.happened(task, KIND.irq, -1, off.since, t);
    into.at(event).blocked[event & ROW] = t - off.since;
    into.flag(event, FLAG.inferred);
  }
}

/** The ABI that numbers tell: addresses above 4 GiB are of 64-bit programs; unknown when there are none. */
export function abiOfAddresses(lines: readonly string[]): number {
  for (const line of lines) {
    for (const word of line.split(/[\s,()={}]+/)) {
      const hex = word.startsWith("0x") || word.startsWith("0X") ? word.slice(2) : word;
      if (/^[0-9a-fA-F]{9,16}$/.test(hex) && !/^\d+$/.test(hex)) return ABI.x86_64;
      if (/^\d{11,16}$/.test(hex) && Number(hex) > 0xffffffff && line.includes(` ${hex}`) && / (= |exit)/.test(line))
        return ABI.x86_64;
    }
  }
  return ABI.unknown;
}
