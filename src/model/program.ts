// A trace made ready for replay: per task a line of records with their shapes, and the few records where tasks meet.
import { InputError } from "../errors.ts";
import { predictRing0 } from "../traces/predict.ts";
import { ABI, CAUSES, CLASSES, EDGE, FLAG, FLAGS_UNKNOWN, KIND, OBJECT, PATH, SITE } from "../traces/schema/enums.ts";
import { type Trace, UNKNOWN } from "../traces/trace.ts";
import { type Call, type ModelData, WORKS } from "./data.ts";
import { Names, RECORD, type Shapes, ShapeTable, TRAIT } from "./shapes.ts";

/** What a wait is for; decides what idle time is called. */
export const WAIT = { dependency: 0, timer: 1, device: 2 } as const;

/** Waits of the records, as columns, sorted by the record that waits. */
export interface Waits {
  readonly length: number;
  readonly target: Int32Array;
  /** The record that must have finished first; -1: nothing in the trace. */
  readonly source: Int32Array;
  readonly kind: Uint8Array;
  /** From the source's end, or from when the waiting record is ready itself. */
  readonly delayNs: Float64Array;
}

/** How many things of a trace had to be assumed, for the notes of an answer. */
export interface Assumed {
  /** Records whose call site the trace does not know: taken as vsyscall. */
  sites: number;
  /** Calls through another instruction of another ABI: taken as recompiled to a vsyscall call. */
  recompiled: number;
  /** Calls without a known number, name or body: "other". */
  unknownCalls: number;
  /** Records whose flags are not known: no starvation predicted there. */
  flags: number;
  /** Records without program instructions before them. */
  user: number;
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
  readonly shape: Int32Array;
  /** Program instructions before each record; nanoseconds, where the trace knows only times. */
  readonly user: Float64Array;
  readonly userUnit: "instr" | "ns";
  /** Which mix those instructions have. */
  readonly mixOf: Int32Array;
  /** Instructions by class, CLASSES.length numbers a mix; the last mix is the default one. */
  readonly mixes: Float64Array;
  readonly mixKnown: boolean;
  readonly shapes: Shapes;
  readonly waits: Waits;
  /** Records where a replay must stop, per task in order: they wait, are waited for, start a task or yield. */
  readonly stops: Int32Array;
  readonly yields: Uint8Array;
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
  for (const era of data.bodies.values()) {
    for (const { term } of era.get(name) ?? []) if (WORKS.includes(term)) mask |= bits[term];
  }
  return mask;
}

/** Kinds of events that a replay makes itself instead of copying them: timer interrupts and switches. */
function isReplaced(kind: number): boolean {
  return kind === KIND.irq || kind === KIND.switch;
}

/** The order in which each task's events end: an event that nests in another goes before it and takes its program instructions. */
function linearize(trace: Trace): {
  order: Int32Array;
  firstRecord: Int32Array;
  user: Float64Array;
  userUnit: "instr" | "ns";
} {
  const { events, tasks } = trace;
  const userUnit = knowsInstructions(trace) ? "instr" : "ns";
  const gapFrom = new Float64Array(tasks.length).fill(Number.NaN);
  const total = tasks.length;
  const firstRecord = new Int32Array(total + 1);
  for (let seq = 0; seq < events.length; seq++) {
    if (!isReplaced(events.kind[seq])) firstRecord[events.task[seq] + 1]++;
  }
  for (let t = 0; t < total; t++) firstRecord[t + 1] += firstRecord[t];
  const next = firstRecord.slice();
  const order = new Int32Array(firstRecord[total]);
  const user = new Float64Array(firstRecord[total]);
  const pending = new Float64Array(total);
  const open: number[][] = Array.from({ length: total }, () => []);
  const close = (task: number, seq: number): void => {
    if (isReplaced(events.kind[seq])) return;
    const record = next[task]++;
    order[record] = seq;
    user[record] = pending[task];
    pending[task] = 0;
  };
  for (let seq = 0; seq < events.length; seq++) {
    const task = events.task[seq];
    const parent = events.parent[seq];
    const stack = open[task];
    while (stack.length > 0 && stack[stack.length - 1] !== parent) close(task, stack.pop()!);
    if (userUnit === "instr") {
      if (events.user[seq] > 0) pending[task] += events.user[seq];
    } else {
      // Only times are known: the program ran between a task's return and its next entry, if nothing else did.
      const gap = (events.tIn[seq] - gapFrom[task]) * trace.meta.clock.nsPerUnit;
      if (parent < 0 && gap > 0) pending[task] += gap;
      gapFrom[task] = events.tOut[seq];
    }
    stack.push(seq);
  }
  for (let task = 0; task < total; task++) while (open[task].length > 0) close(task, open[task].pop()!);
  return { order, firstRecord, user, userUnit };
}

/** Does any event say how many instructions the program executed before it? */
function knowsInstructions(trace: Trace): boolean {
  const { user } = trace.events;
  if (trace.meta.clock.unit === "instr") return true;
  for (let seq = 0; seq < user.length; seq++) if (user[seq] >= 0) return true;
  return false;
}

/** Gives every record the number of its mix: the epoch its task was in when it had executed that share of its instructions. */
function findMixes(trace: Trace, firstRecord: Int32Array, user: Float64Array, fallback: Float64Array) {
  const { mix, tasks } = trace;
  const columns = CLASSES.map(
    (name) => mix[name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) as "alu"],
  );
  const width = CLASSES.length;
  const rows: number[][] = Array.from({ length: tasks.length }, () => []);
  for (let row = 0; row < mix.length; row++) if (mix.task[row] >= 0) rows[mix.task[row]]?.push(row);
  const mixes: number[] = [];
  const mixOf = new Int32Array(user.length);
  const sum = new Float64Array(width);
  let known = false;
  for (let task = 0; task < tasks.length; task++) {
    const epochs = new Map<number, Float64Array>();
    for (const row of rows[task].sort((a, b) => mix.epoch[a] - mix.epoch[b])) {
      const counts = epochs.get(mix.epoch[row]) ?? new Float64Array(width);
      for (let c = 0; c < width; c++) counts[c] += columns[c][row] > 0 ? columns[c][row] : 0;
      epochs.set(mix.epoch[row], counts);
    }
    const ends: number[] = [];
    const numbers: number[] = [];
    let total = 0;
    for (const counts of epochs.values()) {
      const instructions = counts.reduce((a, b) => a + b, 0);
      if (instructions === 0) continue;
      total += instructions;
      ends.push(total);
      numbers.push(mixes.length / width);
      for (let c = 0; c < width; c++) {
        mixes.push(counts[c]);
        sum[c] += counts[c];
      }
      known = true;
    }
    const [from, to] = [firstRecord[task], firstRecord[task + 1]];
    let all = 0;
    for (let r = from; r < to; r++) all += user[r];
    let done = 0;
    let at = 0;
    for (let r = from; r < to; r++) {
      while (at < ends.length - 1 && done * total > ends[at] * all) at++;
      mixOf[r] = numbers.length > 0 ? numbers[at] : -1;
      done += user[r];
    }
  }
  const last = mixes.length / width;
  for (let r = 0; r < mixOf.length; r++) if (mixOf[r] < 0) mixOf[r] = last;
  mixes.push(...(known ? sum : fallback));
  return { mixOf, mixes: Float64Array.from(mixes), known };
}

/** Makes a trace ready for replay. */
export function compile(trace: Trace, data: ModelData): Program {
  const { events, tasks } = trace;
  const total = tasks.length;
  if (events.length === 0) throw new InputError("the trace has no events; capture or import one that has");
  const { order, firstRecord, user, userUnit } = linearize(trace);
  const records = order.length;
  const names = new Names();
  const classes = new Names();
  const table = new ShapeTable();
  const shape = new Int32Array(records);
  const recordOf = new Int32Array(events.length).fill(-1);
  const assumed: Assumed = {
    sites: 0,
    recompiled: 0,
    unknownCalls: 0,
    flags: 0,
    user: 0,
    timingSensitive: 0,
    calls: 0,
    faults: 0,
    inlineCalls: 0,
    replaced: events.length - records,
  };
  const objectType = new Uint8Array(trace.objects.reduce((most, { obj }) => Math.max(most, obj), -1) + 1);
  for (const { obj, type } of trace.objects) objectType[obj] = type === null ? 0 : OBJECT[type];
  const inRing0 = ring0Traits(trace);
  const bases = new Map<number, number>();
  const masks: number[] = [];
  const yields = new Uint8Array(records);

  /** The base of a record, by everything that decides it. */
  const baseOf = (key: number, make: () => { base: Parameters<ShapeTable["addBase"]>[0] }): number => {
    let base = bases.get(key);
    if (base === undefined) {
      const made = make().base;
      base = table.addBase(made);
      bases.set(key, base);
      masks[base] = workMask(data, classes.list[made.class]);
    }
    return base;
  };

  for (let record = 0; record < records; record++) {
    const seq = order[record];
    recordOf[seq] = record;
    const kind = events.kind[seq];
    const flags = events.flags[seq];
    const known = flags !== FLAGS_UNKNOWN;
    if (!known) assumed.flags++;
    if (known && (flags & FLAG.timing_sensitive) !== 0) assumed.timingSensitive++;
    if (Number.isNaN(events.user[seq])) assumed.user++;
    const nr = events.nr[seq];
    const abi = events.abi[seq];
    const site = events.site[seq];
    const obj = events.obj[seq];
    const type = obj >= 0 && obj < objectType.length ? objectType[obj] : 0;
    const ring0 = inRing0[seq];
    const inKernel = (known ? (flags & FLAG.in_kernel) !== 0 : kind === KIND.fault && events.parent[seq] >= 0) ? 1 : 0;
    const missing = events.ret[seq] === -ENOSYS ? 1 : 0;
    const cause = events.cause[seq];
    const low = (((((kind * 4 + abi) * 6 + site) * 8 + type) * 256 + ring0) * 2 + inKernel) * 2 + missing;
    const key = (low * 16 + cause) * 4096 + (nr < 0 || nr > 4094 ? 4095 : nr);
    const base = baseOf(key, () => {
      const traits = inKernel * TRAIT.inKernel + ring0;
      if (kind === KIND.fault) {
        const name = FAULT_CLASS[CAUSES[cause]];
        return {
          base: {
            kind: RECORD.fault,
            name: names.of(name),
            class: classes.of(name),
            args: 0,
            traits,
          },
        };
      }
      if (kind === KIND.signal) {
        return {
          base: { kind: RECORD.signal, name: names.of("signal"), class: classes.of("sig_deliver"), args: 0, traits },
        };
      }
      if (kind === KIND.vdso) {
        return { base: { kind: RECORD.vdso, name: names.of("vdso"), class: classes.of("vdso"), args: 0, traits } };
      }
      const number = nr >= 0 ? (abi === ABI.x86_64 || abi === ABI.x32 ? data.x86_64 : data.i386).get(nr) : undefined;
      const call: Call = number ?? { name: nr < 0 ? "unknown" : `call ${nr}`, args: 6, special: false, class: "other" };
      if (nr < 0 && (kind === KIND.exit || kind === KIND.spawn)) {
        // Killed, or the first return of a new task: there was no call.
        return { base: { kind: RECORD.none, name: names.of("no call"), class: classes.of("null"), args: 0, traits } };
      }
      const own = [...data.bodies.values()].some((era) => era.has(call.name)) || isFitted(data, call.name);
      let name = missing === 1 ? "null" : own ? call.name : call.class;
      if ((name === "read" || name === "write") && BY_OBJECT[type] !== undefined) name = BY_OBJECT[type];
      const sigreturn = kind === KIND.sigreturn ? TRAIT.sigreturn : 0;
      const inline = site === SITE.int80 ? TRAIT.inline : 0;
      return {
        base: {
          kind: RECORD.call,
          name: names.of(call.name),
          class: classes.of(name),
          args: call.args,
          traits: traits | inline | sigreturn | (call.special ? TRAIT.special : 0),
        },
      };
    });
    if (kind === KIND.fault) assumed.faults++;
    else if (kind !== KIND.signal && kind !== KIND.vdso && (nr >= 0 || kind === KIND.syscall)) {
      assumed.calls++;
      if (site === SITE.unknown) assumed.sites++;
      else if (site === SITE.int80) assumed.inlineCalls++;
      else if (site !== SITE.vsyscall && site !== SITE.direct) assumed.recompiled++;
    }
    const mask = masks[base];
    const bytes = (mask & 1) === 0 ? 0 : events.bytes[seq] >= 0 ? events.bytes[seq] : Math.max(0, events.ret[seq] || 0);
    const pages = (mask & 2) === 0 ? 0 : Math.max(0, events.pages[seq]);
    const components = (mask & 4) === 0 ? 0 : events.components[seq] >= 0 ? events.components[seq] : 3;
    const items = (mask & 8) === 0 ? 0 : events.items[seq] >= 0 ? events.items[seq] : 1;
    const cold = (mask & 16) === 0 ? 0 : Math.max(0, events.cold[seq]);
    shape[record] = table.of(base, bytes, pages, components, items, cold);
  }
  const shapes = table.finish(names.list, classes.list);
  for (let s = 0; s < shapes.length; s++) {
    if (shapes.kind[s] === RECORD.call && shapes.classes[shapes.class[s]] === "other")
      assumed.unknownCalls += shapes.count[s];
  }
  for (let record = 0; record < records; record++) {
    if (shapes.classes[shapes.class[shape[record]]] === "yield") yields[record] = 1;
  }

  const startedBy = new Int32Array(total).fill(-1);
  const process = new Int32Array(total);
  for (let task = 0; task < total; task++) {
    const { spawnSeq, tgidTask } = tasks[task];
    process[task] = tgidTask ?? task;
    if (spawnSeq !== null && spawnSeq >= 0 && spawnSeq < recordOf.length) startedBy[task] = recordOf[spawnSeq];
  }
  const waits = findWaits(trace, recordOf);
  const stops = findStops(records, waits, startedBy, yields);
  const { mixOf, mixes, known } = findMixes(trace, firstRecord, user, data.mix);
  return {
    trace: trace.meta.id,
    tasks: total,
    records,
    firstRecord,
    process,
    startedBy,
    seq: order,
    shape,
    user,
    userUnit,
    mixOf,
    mixes,
    mixKnown: known,
    shapes,
    waits,
    stops,
    yields,
    assumed,
  };
}

/** Did program code of this trace run in ring 0? */
export function isRing0(trace: Trace): boolean {
  const { path, length } = trace.events;
  for (let seq = 0; seq < length; seq++) {
    const way = path[seq];
    if (way === PATH.C || way === PATH.D || way === PATH.E || way === PATH.G || way === PATH.H) return true;
  }
  return false;
}

/** What each event is in ring 0, as TRAIT bits: seen in a ring-0 trace, predicted from any other. */
function ring0Traits(trace: Trace): Uint8Array {
  const { events } = trace;
  const traits = new Uint8Array(events.length);
  const cow = (seq: number): number => {
    const flags = events.flags[seq];
    return flags !== FLAGS_UNKNOWN && (flags & FLAG.esp_cow) !== 0 ? TRAIT.cowStack : 0;
  };
  if (isRing0(trace)) {
    for (let seq = 0; seq < events.length; seq++) {
      if (events.kind[seq] === KIND.fault && events.path[seq] === PATH.H)
        traits[seq] = TRAIT.starves | TRAIT.noFault | cow(seq);
    }
    return traits;
  }
  if (!mentionsStack(events)) return traits;
  for (let seq = 0; seq < events.length; seq++) {
    const flags = events.flags[seq];
    const inside = flags !== FLAGS_UNKNOWN && (flags & FLAG.in_kernel) !== 0;
    if (events.kind[seq] === KIND.fault && !inside) traits[seq] = TRAIT.noFault;
  }
  for (const entries of predictRing0(trace).tasks) {
    for (const { class: entry, seq } of entries) {
      if (entry === "starved") traits[seq] |= TRAIT.starves | cow(seq);
      else if (entry === "fault" || entry === "trap") traits[seq] &= ~TRAIT.noFault;
      else if (entry === "kernel-fault" && !(events.flags[seq] & FLAG.in_kernel))
        traits[seq] |= TRAIT.faultsInside | cow(seq);
    }
  }
  return traits;
}

/** Is anything in the trace about the stack's pages? Otherwise ring 0 faults where ring 3 does. */
function mentionsStack(events: Trace["events"]): boolean {
  const about = FLAG.esp_absent | FLAG.esp_cow | FLAG.stack;
  for (let seq = 0; seq < events.length; seq++) {
    if (events.flags[seq] !== FLAGS_UNKNOWN && (events.flags[seq] & about) !== 0) return true;
  }
  return false;
}

/** Is the body of this call solved for on some processor? */
function isFitted(data: ModelData, name: string): boolean {
  const key = `body.${name}.a`;
  for (const { fits } of data.profiles.values()) if (fits.some((fit) => fit.solves.includes(key))) return true;
  return false;
}

/** What records wait for: the edges between tasks, deadlines and devices; without any edges, the recorded waits themselves. */
function findWaits(trace: Trace, recordOf: Int32Array): Waits {
  const { edges, events, meta } = trace;
  const target: number[] = [];
  const source: number[] = [];
  const kind: number[] = [];
  const delayNs: number[] = [];
  const nsPerUnit = meta.clock.nsPerUnit;
  for (let e = 0; e < edges.length; e++) {
    const to = edges.to[e] >= 0 ? recordOf[edges.to[e]] : -1;
    if (to < 0 || edges.kind[e] === EDGE.spawn) continue;
    const fromSeq = edges.from[e];
    const from = fromSeq >= 0 ? recordOf[fromSeq] : -1;
    const timed = edges.kind[e] === EDGE.timer || edges.kind[e] === EDGE.device;
    const sameTask = fromSeq >= 0 && events.task[fromSeq] === events.task[edges.to[e]];
    if (sameTask && (!timed || from >= to)) continue;
    let delay = edges.delay[e] * nsPerUnit;
    if (!(delay >= 0)) {
      const blocked = events.blocked[edges.to[e]];
      delay = fromSeq === UNKNOWN && blocked > 0 ? blocked * nsPerUnit : 0;
    }
    if (from < 0 && delay === 0) continue;
    target.push(to);
    source.push(from);
    kind.push(
      edges.kind[e] === EDGE.timer ? WAIT.timer : edges.kind[e] === EDGE.device ? WAIT.device : WAIT.dependency,
    );
    delayNs.push(delay);
  }
  if (edges.length === 0) {
    for (let seq = 0; seq < events.length; seq++) {
      if (!(events.blocked[seq] > 0) || recordOf[seq] < 0) continue;
      target.push(recordOf[seq]);
      source.push(-1);
      kind.push(WAIT.dependency);
      delayNs.push(events.blocked[seq] * nsPerUnit);
    }
  }
  const sorted = target.map((_, index) => index).sort((a, b) => target[a] - target[b] || a - b);
  return {
    length: sorted.length,
    target: Int32Array.from(sorted, (index) => target[index]),
    source: Int32Array.from(sorted, (index) => source[index]),
    kind: Uint8Array.from(sorted, (index) => kind[index]),
    delayNs: Float64Array.from(sorted, (index) => delayNs[index]),
  };
}

/** Records where a replay must stop, in order. */
function findStops(records: number, waits: Waits, startedBy: Int32Array, yields: Uint8Array): Int32Array {
  const marks = yields.slice();
  for (let w = 0; w < waits.length; w++) {
    marks[waits.target[w]] = 1;
    if (waits.source[w] >= 0) marks[waits.source[w]] = 1;
  }
  for (const record of startedBy) if (record >= 0) marks[record] = 1;
  let length = 0;
  for (let r = 0; r < records; r++) length += marks[r];
  const stops = new Int32Array(length);
  let at = 0;
  for (let r = 0; r < records; r++) if (marks[r] === 1) stops[at++] = r;
  return stops;
}
