// What importers build a trace with: events in columns as they are met, tasks, objects, edges, and what was not understood.
import { type CallTable, onlyAbi } from "../calls.ts";
import { GrowingColumns, makeColumns, takeRows } from "../columns.ts";
import { ABI, EDGE, KIND, type OBJECT_TYPES, SITE } from "../schema/enums.ts";
import { type ObjectRow, TABLES } from "../schema/tables.ts";
import { emptyMeta, type Fidelity, type Trace } from "../trace.ts";
import type { LineReader } from "./lines.ts";
import { type ImportedTask, ImportedTasks } from "./tasks.ts";
import { inferWaits } from "./waits.ts";

/** Numbers below this in the column of call numbers stand for names whose ABI is not known yet. */
const NAMED = -2;
/** More distinct names than any kernel has calls: what comes after is no call's name. */
const MOST_NAMES = 4096;

/** A kind of line that was not understood. */
export interface NotUnderstood {
  readonly reason: string;
  count: number;
  /** The first one, as file:row. */
  readonly first: string;
}

interface EdgeRow {
  readonly to: number;
  /** An event, or the end of a task. */
  readonly from: number | ImportedTask;
  readonly kind: number;
}

export class ImportedEvents {
  readonly calls: CallTable;
  readonly tasks = new ImportedTasks();
  readonly events = new GrowingColumns(TABLES.events, 4096);
  readonly objects: ObjectRow[] = [];
  readonly notUnderstood = new Map<string, NotUnderstood>();
  /** The ABI of every call, when the user or the format says it; else unknown. */
  readonly abi: number;
  /** Times as read that stood before the time of the line above them in the same file. */
  backwards = 0;
  /** Calls that were never seen to end, and ends of calls never seen to begin. */
  open = 0;
  orphans = 0;
  #image = new Int32Array(4096);
  #imageNumbers = new Map<object, number>();
  readonly #images: ImportedTask["process"]["image"][] = [];
  readonly #names: string[] = [];
  readonly #nameNumbers = new Map<string, number>();
  readonly #nameAbi: number[] = [];
  readonly #objectOf = new Map<string, number>();
  readonly #edges: EdgeRow[] = [];

  constructor(calls: CallTable, abi: number) {
    this.calls = calls;
    this.abi = abi;
  }

  /** The last line of a file stops in its middle. */
  cut = false;

  /** Counts the line read last, which says nothing to us. */
  note(reason: string, file: LineReader): void {
    if (file.unended) {
      this.cut = true;
      return;
    }
    const known = this.notUnderstood.get(reason);
    if (known === undefined) this.notUnderstood.set(reason, { reason, count: 1, first: file.where() });
    else known.count++;
  }

  #append(task: ImportedTask, t: number): number {
    this.events.reserve();
    const index = this.events.length++;
    const { columns } = this.events;
    columns.task[index] = task.number;
    columns.tIn[index] = t;
    if (index >= this.#image.length) {
      const more = new Int32Array(Math.ceil(this.#image.length * 1.5));
      more.set(this.#image);
      this.#image = more;
    }
    const { image } = task.process;
    let number = this.#imageNumbers.get(image);
    if (number === undefined) {
      number = this.#images.length;
      this.#images.push(image);
      this.#imageNumbers.set(image, number);
    }
    this.#image[index] = number;
    return index;
  }

  /** A call begins, known by its name. Gives the number of its event. */
  enterNamed(task: ImportedTask, name: string, t: number): number {
    let number = this.#nameNumbers.get(name);
    if (number === undefined && this.#names.length < MOST_NAMES) {
      number = this.#names.length;
      this.#names.push(name);
      this.#nameNumbers.set(name, number);
      this.#nameAbi.push(onlyAbi(this.calls, name));
    }
    const event = this.#append(task, t);
    const { columns } = this.events;
    columns.kind[event] = isSigreturn(name) ? KIND.sigreturn : KIND.syscall;
    if (number !== undefined) {
      columns.nr[event] = NAMED - number;
      task.process.image.votes[this.#nameAbi[number]]++;
    }
    task.open = event;
    task.last = event;
    return event;
  }

  /** A call begins, known by its number in ABI `abi`. */
  enterNumbered(task: ImportedTask, nr: number, abi: number, t: number): number {
    const event = this.#append(task, t);
    const { columns } = this.events;
    columns.kind[event] = isSigreturn(this.calls.name(nr, abi)) ? KIND.sigreturn : KIND.syscall;
    columns.nr[event] = Math.min(nr, 0x7fffffff);
    columns.abi[event] = abi;
    task.open = event;
    task.last = event;
    return event;
  }

  /** The call of an event ended with a result; `t` may be NaN: nobody knows when. */
  leave(task: ImportedTask, event: number, t: number, ret: number): void {
    const { columns } = this.events;
    columns.tOut[event] = t < columns.tIn[event] ? columns.tIn[event] : t;
    columns.ret[event] = Number.isSafeInteger(ret) ? ret : Number.NaN;
    if (task.open === event) task.open = -1;
  }

  /** Something other than a call, over at `until`. */
  happened(task: ImportedTask, kind: number, nr: number, t: number, until: number): number {
    const event = this.#append(task, t);
    const { columns } = this.events;
    columns.kind[event] = kind;
    columns.nr[event] = nr;
    columns.tOut[event] = until;
    task.last = event;
    return event;
  }

  /** A signal is sent to a task: an event only once its handler is seen to return. */
  signalled(task: ImportedTask, signal: number, t: number): number {
    const { last } = task;
    const event = this.happened(task, KIND.unknown, signal, t, t);
    task.last = last;
    return event;
  }

  /** The handler of a signal ran. */
  handled(event: number): void {
    this.events.columns.kind[event] = KIND.signal;
  }

  /** Sets bits among an event's flags; those that nobody knows are taken as not set from here on. */
  flag(event: number, bits: number): void {
    const { flags } = this.events.columns;
    flags[event] = (flags[event] & 0x7fff) | bits;
  }

  /** The object of a type and a name of its own. */
  object(type: (typeof OBJECT_TYPES)[number], key: string, label: string | null): number {
    const id = `${type} ${key}`;
    let obj = this.#objectOf.get(id);
    if (obj === undefined) {
      obj = this.objects.length;
      this.#objectOf.set(id, obj);
      this.objects.push({ obj, type: type === "unknown" ? null : type, capacity: null, size: null, label });
    }
    return obj;
  }

  /** `to` could not end before `from`: an event, or the end of a task. */
  depends(to: number, from: number | ImportedTask, kind: number): void {
    this.#edges.push({ to, from, kind });
  }

  /** The name of an event's call: as read, or by its number. */
  nameOf(event: number): string {
    const { nr, abi } = this.events.columns;
    if (nr[event] <= NAMED) return this.#names[NAMED - nr[event]];
    return nr[event] < 0 ? "unknown" : this.calls.name(nr[event], abi[event]);
  }

  /** Names whose number no table has, with how often each was called. */
  #unknownNames = new Map<string, number>();
  get unknownNames(): ReadonlyMap<string, number> {
    return this.#unknownNames;
  }

  /**
   * The trace: events in order of time, times from 0, numbers dense. `otherwise` is the ABI of images that do not tell theirs;
   * `timed` false: times are no times.
   */
  finish(source: string, otherwise: number, timed: boolean): Trace {
    const events = this.events;
    const { columns } = events;
    const order = this.#order();
    const seqOf = new Int32Array(events.length).fill(-1);
    for (let seq = 0; seq < order.length; seq++) seqOf[order[seq]] = seq;
    this.#resolve(otherwise);
    const { tasks, mms, numberOf } = this.tasks.rows((event) => seqOf[event]);
    for (let event = 0; event < events.length; event++) columns.task[event] = numberOf[columns.task[event]];
    const inOrder = order.length === events.length && order.every((event, seq) => event === seq);
    const sorted = takeRows(TABLES.events, columns, order.length, inOrder ? undefined : order);
    const first = sorted.length > 0 ? sorted.tIn[0] : 0;
    for (let seq = 0; seq < sorted.length; seq++) {
      sorted.tIn[seq] = Math.max(0, Math.round(sorted.tIn[seq] - first));
      sorted.tOut[seq] = Math.max(sorted.tIn[seq], Math.round(sorted.tOut[seq] - first));
    }
    for (const task of this.tasks.all) if (task.open >= 0 && !task.ended) this.open++;
    const meta = emptyMeta(source, NOTHING_KNOWN);
    meta.clock = { unit: "ns", nsPerUnit: 1 };
    meta.reproducible = false;
    meta.ring = 3;
    meta.kernel = "linux";
    meta.arch = isMostly64(sorted.abi) ? "x86_64" : "i386";
    const trace: Trace = {
      meta,
      tasks,
      mms,
      execs: [],
      objects: this.objects,
      events: sorted,
      edges: makeColumns(TABLES.edges, 0),
      pages: makeColumns(TABLES.pages, 0),
      mix: makeColumns(TABLES.mix, 0),
      args: new Map(),
    };
    const certain = this.#edges
      .map(({ to, from, kind }) => ({
        to: seqOf[to],
        from: typeof from === "number" ? (from < 0 ? -1 : seqOf[from]) : from.last < 0 ? -1 : seqOf[from.last],
        kind,
      }))
      .filter(({ to, from }) => to >= 0 && from >= 0 && from !== to);
    return timed ? inferWaits(trace, certain, this.calls) : withEdges(trace, certain);
  }

  /** Events that stand, in order of time; those of one time as they came. */
  #order(): Int32Array {
    const { length, columns } = this.events;
    const kept = new Int32Array(length);
    let count = 0;
    let sorted = true;
    for (let event = 0; event < length; event++) {
      if (columns.kind[event] === KIND.unknown) continue;
      if (count > 0 && columns.tIn[kept[count - 1]] > columns.tIn[event]) sorted = false;
      kept[count++] = event;
    }
    const order = kept.slice(0, count);
    if (!sorted) order.sort((a, b) => columns.tIn[a] - columns.tIn[b] || a - b);
    return order;
  }

  /** Names become numbers, images have an ABI, calls of 64-bit programs come by SYSCALL. */
  #resolve(otherwise: number): void {
    const { columns, length } = this.events;
    const abis = this.#images.map((image) => (this.abi === ABI.unknown ? image.abi(otherwise) : this.abi));
    for (let event = 0; event < length; event++) {
      const kind = columns.kind[event];
      if (kind !== KIND.syscall && kind !== KIND.sigreturn) continue;
      if (columns.abi[event] === ABI.unknown) columns.abi[event] = abis[this.#image[event]];
      const abi = columns.abi[event];
      if (columns.nr[event] <= NAMED) {
        const name = this.#names[NAMED - columns.nr[event]];
        const nr = this.calls.number(name, abi);
        if (nr < 0) this.#unknown(name);
        columns.nr[event] = nr;
      } else if (!this.calls.has(columns.nr[event], abi)) this.#unknown(`call ${columns.nr[event]}`);
      if (abi === ABI.x86_64) columns.site[event] = SITE.syscall64;
    }
  }

  #unknown(name: string): void {
    const known = this.#unknownNames.get(name);
    if (known !== undefined || this.#unknownNames.size < MOST_NAMES) this.#unknownNames.set(name, (known ?? 0) + 1);
  }

  /** Number of the image that an event's program belongs to. */
  imageOf(event: number): number {
    return this.#image[event];
  }
}

/** Edges of a trace, in order of what waits. */
export function withEdges(trace: Trace, rows: readonly { to: number; from: number; kind: number }[]): Trace {
  const sorted = [...rows].sort((a, b) => a.to - b.to || a.from - b.from);
  const edges = makeColumns(TABLES.edges, sorted.length);
  for (const [row, { to, from, kind }] of sorted.entries()) {
    edges.to[row] = to;
    edges.from[row] = from;
    edges.kind[row] = kind === EDGE.unknown ? EDGE.data : kind;
  }
  return { ...trace, edges };
}

/** Are most calls of a trace those of 64-bit programs? */
function isMostly64(abis: Uint8Array): boolean {
  let long = 0;
  for (const abi of abis) long += abi === ABI.x86_64 ? 1 : abi === ABI.i386 ? -1 : 0;
  return long > 0;
}

function isSigreturn(name: string): boolean {
  return name === "rt_sigreturn" || name === "sigreturn";
}

const NOTHING_KNOWN: Fidelity = { times: "none", arguments: "none", sites: "none", loss: "none", abi: "none" };
