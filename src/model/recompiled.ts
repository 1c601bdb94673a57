// A trace of one instruction set asked about on another: each call becomes the one that the other's C library would make.
//
// data/recompiled.csv has the calls whose name differs; all others have the same name in both tables. A call without a counterpart
// stays what it is, with its own body: leaving it out would leave out what the program did.
import { InputError } from "../errors.ts";
import { ABI, KIND, SITE } from "../traces/schema/enums.ts";
import type { Trace } from "../traces/trace.ts";
import type { Call } from "./calls.ts";
import type { ModelData } from "./data.ts";
import type { Kernel } from "./kernels.ts";

/** What became of a trace's calls; most frequent first. */
export interface Recompiled {
  readonly from: "i386" | "x86-64";
  readonly to: "i386" | "x86-64";
  /** All calls of the other instruction set. */
  readonly calls: number;
  /** Calls that have another name there. */
  readonly renamed: readonly { readonly call: string; readonly other: string; readonly count: number }[];
  /** Calls without a counterpart. */
  readonly kept: readonly { readonly call: string; readonly count: number }[];
}

const ENOSYS = 38;
const NONE = -1;

/** The number of each call in the table it becomes a call of. */
class Mapping {
  readonly #names: ReadonlyMap<string, string>;
  readonly #from: ReadonlyMap<number, Call>;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #known = new Map<number, number>();
  readonly #target: string;

  constructor(data: ModelData, from: "i386" | "x86_64") {
    this.#names = data.recompiled[from];
    this.#from = data[from];
    const to = from === "i386" ? data.x86_64 : data.i386;
    this.#numbers = new Map([...to].map(([nr, { name }]) => [name, nr]));
    this.#target = from === "i386" ? "x86-64" : "i386";
  }

  name(nr: number): string {
    return this.#from.get(nr)?.name ?? `call ${nr}`;
  }

  other(nr: number): string {
    return this.#names.get(this.name(nr)) ?? this.name(nr);
  }

  /** NONE: no counterpart. Throws InputError for a call that no table has, which the kernel nevertheless did. */
  number(nr: number, missing: boolean): number {
    let number = this.#known.get(nr);
    if (number === undefined) {
      number = this.#numbers.get(this.other(nr)) ?? NONE;
      this.#known.set(nr, number);
    }
    if (number === NONE && !missing && !this.#from.has(nr))
      throw new InputError(
        `call ${nr} is in no table of calls, so nobody knows what it would be on ${this.#target}; ask about the trace's own instruction set`,
      );
    return number;
  }
}

/** The trace as its program's calls would be on the kernels' instruction set; as it is when they have no single one, or it is of that. */
export function recompiledFor(
  trace: Trace,
  data: ModelData,
  kernels: readonly Kernel[],
): { readonly trace: Trace; readonly recompiled: Recompiled | null } {
  const targets = new Set(kernels.map(({ target }) => target));
  const old = targets.has("i386");
  if (targets.size !== 1) return { trace, recompiled: null };
  const isOther = (abi: number): boolean => (abi === ABI.x86_64) === old && abi !== ABI.x32;
  const { events } = trace;
  const calls = (seq: number): boolean => isOther(events.abi[seq]) && events.nr[seq] >= 0 && hasCall(events.kind[seq]);
  if (!events.abi.some((abi, seq) => abi !== ABI.unknown && calls(seq))) return { trace, recompiled: null };
  const mapping = new Mapping(data, old ? "x86_64" : "i386");
  const [nr, abi, site] = [events.nr.slice(), events.abi.slice(), events.site.slice()];
  const counts = new Map<number, number>();
  for (let seq = 0; seq < events.length; seq++) {
    if (!calls(seq)) continue;
    const own = events.nr[seq];
    counts.set(own, (counts.get(own) ?? 0) + 1);
    const number = mapping.number(own, events.ret[seq] === -ENOSYS);
    if (number === NONE) continue;
    nr[seq] = number;
    abi[seq] = old ? ABI.i386 : ABI.x86_64;
    // Where an i386 program would call from is as unknown as if nobody had looked.
    if (old) site[seq] = SITE.unknown;
  }
  const all = [...counts].map(([own, count]) => ({ own, call: mapping.name(own), other: mapping.other(own), count }));
  all.sort((a, b) => b.count - a.count || a.own - b.own);
  const kept = all.filter(({ own }) => mapping.number(own, true) === NONE);
  const recompiled: Recompiled = {
    from: old ? "x86-64" : "i386",
    to: old ? "i386" : "x86-64",
    calls: all.reduce((sum, { count }) => sum + count, 0),
    renamed: all
      .filter((row) => row.call !== row.other && !kept.includes(row))
      .map(({ call, other, count }) => ({ call, other, count })),
    kept: kept.map(({ call, count }) => ({ call, count })),
  };
  const arch = old ? "i386" : "x86_64";
  return { trace: { ...trace, meta: { ...trace.meta, arch }, events: { ...events, nr, abi, site } }, recompiled };
}

/** Kinds of events whose number is a call's. */
function hasCall(kind: number): boolean {
  return kind !== KIND.fault && kind !== KIND.irq && kind !== KIND.signal && kind !== KIND.switch;
}

/** Lines for the head of an answer. */
export function recompiledLines(recompiled: Recompiled | null): string[] {
  if (recompiled === null) return [];
  const { from, to, calls, renamed, kept } = recompiled;
  const list = (rows: readonly string[]): string =>
    rows.length > 8 ? `${rows.slice(0, 8).join(", ")} and ${rows.length - 8} more` : rows.join(", ");
  const other = renamed.reduce((sum, { count }) => sum + count, 0);
  const lines = [
    `${from} calls taken as those that glibc 2.36 makes on ${to}, as many with as much program between them: ${other} of ${calls} by another name` +
      (other === 0 ? "" : ` (${list(renamed.map((row) => `${row.call} -> ${row.other} ${row.count}`))})`),
  ];
  if (kept.length > 0)
    lines.push(
      `without a counterpart on ${to}, kept with their own bodies: ${kept.map(({ call, count }) => `${call} ${count}`).join(", ")}`,
    );
  return lines;
}
