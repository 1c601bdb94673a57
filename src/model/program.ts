// A trace made ready for replay: per task a line of records with their shapes, and the few records where tasks meet.
import { InputError } from "../errors.ts";
import { ABI, CAUSES, FLAG, FLAGS_UNKNOWN, KIND, OBJECT, SITE } from "../traces/schema/enums.ts";
import { cannotReplay, type Trace } from "../traces/trace.ts";
import { kernelTime } from "./anchored.ts";
import { WORKS } from "./bodies.ts";
import type { Call } from "./calls.ts";
import type { ModelData } from "./data.ts";
import { type Amounts, linearize } from "./lines.ts";
import { findMixes, type MixStretches } from "./mixes.ts";
import { DEFAULT_COMPONENTS } from "./prices.ts";
import { ring0Traits } from "./ring0.ts";
import { findSegments, type Segments } from "./segments.ts";
import { Names, RECORD, type ShapeBase, type ShapeNumbers, type Shapes, ShapeTable, TRAIT } from "./shapes.ts";
import { findMeetings, findWaits, type Meetings, type Waits } from "./waits.ts";

/** How many things of a trace had to be assumed, for the notes of an answer. */
export interface Assumed {
  /** Calls whose site the trace does not know: some of each are taken as calls through the vsyscall page (call-sites.ts). */
  sites: number;
  /** Calls through another instruction of another ABI: taken as recompiled to a vsyscall call. */
  recompiled: number;
  /** Calls without a known number, name or body: "other". */
  unknownCalls: number;
  /** Records whose flags are not known: no starvation predicted there. */
  flags: number;
  /** Timing-sensitive calls. */
  timingSensitive: number;
  calls: number;
  faults: number;
  inlineCalls: number;
  /** Recorded interrupts and switches, which a replay makes itself. */
  replaced: number;
}

/** Task numbers, record ranges and mixes of one trace. Records of task t are firstRecord[t] .. firstRecord[t+1]-1, in order. */
export interface Program {
  readonly trace: string;
  readonly tasks: number;
  readonly records: number;
  readonly firstRecord: Int32Array;
  /** The process (address space) of each task, as a task number. */
  readonly process: Int32Array;
  /** The record whose end starts the task; -1: there from the start. */
  readonly startedBy: Int32Array;
  /** The event of each record. */
  readonly seq: Int32Array;
  readonly shape: ShapeNumbers;
  /** Program instructions before each record; nanoseconds, where the trace knows only times. */
  readonly user: Amounts;
  readonly userUnit: "instr" | "ns";
  /** Nanoseconds that the calls of an untraced run took, where they are known better than from tables. */
  readonly kernelNs?: number;
  /** Instructions by class, CLASSES.length numbers a mix; the last mix is the default one. */
  readonly mixes: Float64Array;
  readonly mixKnown: boolean;
  readonly stretches: MixStretches;
  readonly shapes: Shapes;
  readonly waits: Waits;
  /** Where tasks meet. */
  readonly meetings: Meetings;
  /** Stretches of records whose sums a replay keeps. */
  readonly segments: Segments;
  readonly assumed: Assumed;
}

/** Classes whose body depends on the object behind the descriptor. */
const BY_OBJECT: Readonly<Record<number, string>> = {
  [OBJECT.pipe]: "pipe",
  [OBJECT.socket]: "socket",
  [OBJECT.device]: "device",
};

const FAULT_CLASS: Readonly<Record<string, string>> = {
  unknown: "fault.anon",
  anon: "fault.anon",
  stack_grow: "fault.anon",
  file: "fault.file",
  cow: "fault.cow",
  swap: "fault.major",
  major: "fault.major",
  prot: "fault.bad",
  bad: "fault.bad",
};

const ENOSYS = 38;

/** Which works any era's body of a class depends on, as bits: 1 bytes, 2 pages, 4 components, 8 items, 16 cold. */
function workMask(data: ModelData, name: string): number {
  const bits = { a: 0, bytes: 1, copy: 1, pages: 2, components: 4, items: 8, cold: 16 } as const;
  let mask = 0;
  // A call with a body of its own on one machine has its class's on the others.
  for (const own of new Set([name, data.calls.get(name)?.class ?? name])) {
    for (const era of data.bodies.values()) {
      for (const { term } of era.get(own) ?? []) if (WORKS.includes(term)) mask |= bits[term];
    }
  }
  return mask;
}

/** The most call numbers that a base's key tells apart. */
const NUMBERS = 511;

/** The bases looked up last, by key: most records have one of a few. */
class RecentBases {
  readonly #keys = new Float64Array(1024).fill(-1);
  readonly #bases = new Int32Array(1024);
  /** `slot`: any number made of the same things. -1: not among them. */
  base(key: number, slot: number): number {
    return this.#keys[slot] === key ? this.#bases[slot] : -1;
  }
  keep(key: number, slot: number, base: number): void {
    this.#keys[slot] = key;
    this.#bases[slot] = base;
  }
}

/** Turns events into shapes, and counts what had to be assumed. */
class Shaper {
  readonly #trace: Trace;
  readonly #data: ModelData;
  readonly #names = new Names();
  readonly #classes = new Names();
  readonly #table = new ShapeTable();
  readonly #bases = new Map<number, number>();
  readonly #masks: number[] = [];
  readonly #objectType: Uint8Array;
  readonly #ring0: Uint8Array;
  /** Is this call number an execve? */
  readonly #execs32: Uint8Array;
  readonly #execs64: Uint8Array;
  readonly #recent = new RecentBases();
  readonly assumed: Assumed;

  constructor(trace: Trace, data: ModelData, replaced: number) {
    this.#trace = trace;
    this.#data = data;
    this.#ring0 = ring0Traits(trace);
    const execs = (table: ReadonlyMap<number, Call>): Uint8Array => {
      const marks = new Uint8Array(NUMBERS + 1);
      for (const [nr, call] of table) if (call.class === "exec" && nr <= NUMBERS) marks[nr] = 1;
      return marks;
    };
    this.#execs32 = execs(data.i386);
    this.#execs64 = execs(data.x86_64);
    this.#objectType = new Uint8Array(trace.objects.reduce((most, { obj }) => Math.max(most, obj), -1) + 1);
    for (const { obj, type } of trace.objects) this.#objectType[obj] = type === null ? 0 : OBJECT[type];
    this.assumed = {
      sites: 0,
      recompiled: 0,
      unknownCalls: 0,
      flags: 0,
      timingSensitive: 0,
      calls: 0,
      faults: 0,
      inlineCalls: 0,
      replaced,
    };
  }

  /** The shape of an event. */
  of(seq: number): number {
    const { events } = this.#trace;
    const kind = events.kind[seq];
    const flags = events.flags[seq];
    const known = flags !== FLAGS_UNKNOWN;
    const nr = events.nr[seq];
    const abi = events.abi[seq];
    const site = events.site[seq];
    const obj = events.obj[seq];
    const type = obj >= 0 && obj < this.#objectType.length ? this.#objectType[obj] : 0;
    const inside = known ? (flags & FLAG.in_kernel) !== 0 : kind === KIND.fault && events.parent[seq] >= 0;
    const missing = events.ret[seq] === -ENOSYS;
    // A successful execve takes the long way out, as if a signal waited: the registers to return to are new.
    const work = (known && (flags & FLAG.exit_work) !== 0) || (events.ret[seq] >= 0 && this.#isExec(nr, abi));
    const cause = events.cause[seq];
    const ring0 = this.#ring0[seq];
    this.#count(kind, site, nr, known ? flags : undefined);
    // 1 + 4 + 2 + 3 + 3 + 4 + 1 + 1 + 4 + 9 bits.
    const things = (((kind << 2) | abi) << 6) | (site << 3) | type;
    const how = (((((ring0 >> 4) << 1) | (inside ? 1 : 0)) << 1) | (missing ? 1 : 0)) * 16 + cause;
    const key = ((work ? 1 << 22 : 0) | (things << 10) | how) * 512 + (nr < 0 || nr > NUMBERS ? NUMBERS : nr);
    const slot = (things ^ (how * 11) ^ (nr * 5)) & 1023;
    let base = this.#recent.base(key, slot);
    if (base < 0) {
      base = this.#bases.get(key) ?? -1;
      if (base >= 0) this.#recent.keep(key, slot, base);
    }
    if (base < 0) {
      const made = this.#base(
        kind,
        abi,
        site,
        type,
        nr,
        cause,
        missing,
        ring0 | (inside ? TRAIT.inKernel : 0) | (work ? TRAIT.exitWork : 0),
      );
      base = this.#table.addBase(made);
      this.#bases.set(key, base);
      this.#masks[base] = workMask(this.#data, this.#classes.list[made.class]);
    }
    const mask = this.#masks[base];
    const bytes = (mask & 1) === 0 ? 0 : events.bytes[seq] >= 0 ? events.bytes[seq] : Math.max(0, events.ret[seq] || 0);
    const pages = (mask & 2) === 0 ? 0 : Math.max(0, events.pages[seq]);
    const components = (mask & 4) === 0 ? 0 : events.components[seq] >= 0 ? events.components[seq] : DEFAULT_COMPONENTS;
    const items = (mask & 8) === 0 ? 0 : events.items[seq] >= 0 ? events.items[seq] : 1;
    const cold = (mask & 16) === 0 ? 0 : Math.max(0, events.cold[seq]);
    return this.#table.of(base, bytes, pages, components, items, cold);
  }

  #count(kind: number, site: number, nr: number, flags: number | undefined): void {
    const { assumed } = this;
    if (flags === undefined) assumed.flags++;
    else if ((flags & FLAG.timing_sensitive) !== 0) assumed.timingSensitive++;
    if (kind === KIND.fault) assumed.faults++;
    else if (kind !== KIND.signal && kind !== KIND.vdso && (nr >= 0 || kind === KIND.syscall)) {
      assumed.calls++;
      if (site === SITE.unknown) assumed.sites++;
      else if (site === SITE.int80) assumed.inlineCalls++;
      else if (site !== SITE.vsyscall && site !== SITE.direct) assumed.recompiled++;
    }
  }

  #isExec(nr: number, abi: number): boolean {
    return (
      nr >= 0 && nr <= NUMBERS && (abi === ABI.x86_64 || abi === ABI.x32 ? this.#execs64 : this.#execs32)[nr] === 1
    );
  }

  #plain(kind: number, name: string, body: string, traits: number): ShapeBase {
    return { kind, name: this.#names.of(name), class: this.#classes.of(body), args: 0, traits };
  }

  #base(
    kind: number,
    abi: number,
    site: number,
    type: number,
    nr: number,
    cause: number,
    missing: boolean,
    traits: number,
  ): ShapeBase {
    if (kind === KIND.fault) {
      const name = FAULT_CLASS[CAUSES[cause]];
      return this.#plain(RECORD.fault, name, name, traits);
    }
    if (kind === KIND.signal) return this.#plain(RECORD.signal, "signal", "sig_deliver", traits);
    if (kind === KIND.vdso) return this.#plain(RECORD.vdso, "vdso", "vdso", traits);
    // Killed, or the first return of a new task: there was no call.
    if (nr < 0 && kind !== KIND.syscall && kind !== KIND.sigreturn)
      return this.#plain(RECORD.none, "no call", "null", traits);
    const call = callOf(this.#data, nr, abi);
    let body = missing ? "null" : hasOwnBody(this.#data, call.name) ? call.name : call.class;
    if ((body === "read" || body === "write") && BY_OBJECT[type] !== undefined) body = BY_OBJECT[type];
    return {
      kind: RECORD.call,
      name: this.#names.of(call.name),
      class: this.#classes.of(body),
      args: call.args,
      traits:
        traits |
        (site === SITE.int80 ? TRAIT.inline : 0) |
        (site === SITE.unknown ? TRAIT.unsited : 0) |
        (kind === KIND.sigreturn ? TRAIT.sigreturn : 0) |
        (call.special ? TRAIT.special : 0),
    };
  }

  finish(): Shapes {
    const shapes = this.#table.finish(this.#names.list, this.#classes.list);
    for (let s = 0; s < shapes.length; s++) {
      const other = shapes.kind[s] === RECORD.call && shapes.classes[shapes.class[s]] === "other";
      if (other) this.assumed.unknownCalls += shapes.count[s];
    }
    return shapes;
  }
}

/** A call by number; one of its own for a number that is not known. */
function callOf(data: ModelData, nr: number, abi: number): Call {
  const table = abi === ABI.x86_64 || abi === ABI.x32 ? data.x86_64 : data.i386;
  return table.get(nr) ?? { name: nr < 0 ? "unknown" : `call ${nr}`, args: 6, special: false, class: "other" };
}

/** Does some kernel or processor know the body of this very call? */
function hasOwnBody(data: ModelData, name: string): boolean {
  for (const era of data.bodies.values()) if (era.has(name)) return true;
  const key = `body.${name}.a`;
  for (const { fits } of data.profiles.values()) if (fits.some((fit) => fit.solves.includes(key))) return true;
  return false;
}

/** The shape of every record, in the narrowest array that holds their numbers. */
function shapeNumbers(shaper: Shaper, recordOf: Int32Array, records: number): ShapeNumbers {
  let numbers: ShapeNumbers = new Uint16Array(records);
  for (let seq = 0; seq < recordOf.length; seq++) {
    if (recordOf[seq] < 0) continue;
    const shape = shaper.of(seq);
    if (shape > 0xffff && numbers instanceof Uint16Array) numbers = Int32Array.from(numbers);
    numbers[recordOf[seq]] = shape;
  }
  return numbers;
}

/** Makes a trace ready for replay; `counted`: only for what counts permit. */
export function compile(trace: Trace, data: ModelData, counted = false): Program {
  const { events, tasks } = trace;
  const why = counted ? undefined : cannotReplay(trace.meta);
  if (why !== undefined)
    throw new InputError(
      `${why}; strace -f -ttt -T -i -o FILE PROGRAM records what a replay needs, kmlab import --anchor user=S,sys=S spreads the times of an untraced run, and kmlab whatif answers from counts`,
    );
  if (events.length === 0) throw new InputError("the trace has no events; capture or import one that has");
  const { order, firstRecord, user, userUnit } = linearize(trace);
  const records = order.length;
  const shaper = new Shaper(trace, data, events.length - records);
  const recordOf = new Int32Array(events.length).fill(-1);
  for (let record = 0; record < records; record++) recordOf[order[record]] = record;
  const shape = shapeNumbers(shaper, recordOf, records);
  const shapes = shaper.finish();
  const startedBy = new Int32Array(tasks.length).fill(-1);
  const process = new Int32Array(tasks.length);
  for (let task = 0; task < tasks.length; task++) {
    const { spawnSeq, tgidTask } = tasks[task];
    process[task] = tgidTask ?? task;
    if (spawnSeq !== null && spawnSeq >= 0 && spawnSeq < recordOf.length) startedBy[task] = recordOf[spawnSeq];
  }
  const { stretches, mixes, known } = findMixes(trace, firstRecord, user, data.mix);
  const lines = {
    trace: trace.meta.id,
    tasks: tasks.length,
    records,
    firstRecord,
    process,
    startedBy,
    seq: order,
    shape,
    user,
    userUnit,
    kernelNs: kernelTime(trace),
    mixes,
    mixKnown: known,
    stretches,
    shapes,
    assumed: shaper.assumed,
  };
  return withWaits(lines, findWaits(trace, recordOf, order));
}

/** The same records, waiting for something else: where tasks meet, and what a replay keeps sums of, follow from the waits. */
export function withWaits(lines: Omit<Program, "waits" | "meetings" | "segments">, waits: Waits): Program {
  const { firstRecord, shape, shapes, startedBy, stretches, user } = lines;
  const yielding = Uint8Array.from(shapes.class, (number) => (shapes.classes[number] === "yield" ? 1 : 0));
  const meetings = findMeetings(firstRecord, waits, startedBy, shape, yielding);
  return { ...lines, waits, meetings, segments: findSegments(firstRecord, user, stretches, meetings.record) };
}
