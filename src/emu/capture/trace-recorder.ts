// The recorder behind `kmlab capture`: appends to typed arrays, cheap enough to leave the run's speed alone.
import { GrowingColumns, takeRows } from "../../traces/columns.ts";
import { ABI, OBJECT_TYPES } from "../../traces/schema/enums.ts";
import { type ExecRow, type MmRow, type ObjectRow, TABLES, type TaskRow } from "../../traces/schema/tables.ts";
import type { Trace, TraceMeta } from "../../traces/trace.ts";
import type {
  EventEnter,
  EventFields,
  EventLeave,
  ObjectInfo,
  PageTouch,
  Recorder,
  Seq,
  TaskStart,
} from "./recorder.ts";
import { NO_SEQ } from "./recorder.ts";

/** Bounds on what a run may make the host keep. A run that exceeds one goes on; its trace says what it lost. */
export interface RecorderLimits {
  events: number;
  edges: number;
  pages: number;
  /** Rows of mix, tasks, address spaces, execs and objects, each. */
  rows: number;
  /** Characters of argument text in all, and of one text. */
  argChars: number;
  textChars: number;
}

export const DEFAULT_LIMITS: RecorderLimits = {
  events: 10_000_000,
  edges: 10_000_000,
  pages: 20_000_000,
  rows: 1_000_000,
  argChars: 64 << 20,
  textChars: 4096,
};

const CLASS_KEYS = Object.keys(TABLES.mix.fields).slice(3) as Exclude<
  keyof typeof TABLES.mix.fields,
  "task" | "epoch" | "ring"
>[];
/** The largest nr an event holds; a call number beyond it (any int32 may be in EAX) is kept as this. */
const NR_TOO_LARGE = 0x7fffffff;

export class TraceRecorder implements Recorder {
  readonly enabled = true;
  /** Program instructions per task so far: the running total of `user`, by task number. */
  userTotal = new Float64Array(64);
  readonly #limits: RecorderLimits;
  readonly #tasks: TaskRow[] = [];
  readonly #mms = new Map<number, MmRow>();
  readonly #execs: ExecRow[] = [];
  readonly #objects = new Map<number, ObjectRow>();
  readonly #args = new Map<number, string>();
  readonly #events = new GrowingColumns(TABLES.events, 1 << 12, 0);
  readonly #edges = new GrowingColumns(TABLES.edges, 1 << 10);
  readonly #pages = new GrowingColumns(TABLES.pages, 1 << 10);
  readonly #mix = new GrowingColumns(TABLES.mix, 64);
  readonly #mixRow = new Map<string, number>();
  readonly #lost = new Map<string, number>();
  #argChars = 0;
  #epoch = -1;
  #order = 0;
  #finished = false;

  constructor(limits: Partial<RecorderLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Events so far. */
  get length(): number {
    return this.#events.length;
  }

  #full(table: string, rows: number, limit: number): boolean {
    if (rows < limit) return false;
    this.#lost.set(table, (this.#lost.get(table) ?? 0) + 1);
    return true;
  }

  #text(text: string): string {
    return text.length > this.#limits.textChars ? `${text.slice(0, this.#limits.textChars)}...` : text;
  }

  task(start: TaskStart): void {
    if (this.#full("tasks", this.#tasks.length, this.#limits.rows)) return;
    this.#tasks[start.task] = {
      task: start.task,
      tgidTask: start.tgid,
      mm: start.mm,
      parentTask: start.parent ?? null,
      pid: start.pid,
      spawnSeq: known(start.spawnSeq),
      exitSeq: null,
      status: null,
      ring: start.ring,
      comm: this.#text(start.comm),
      exe: this.#text(start.exe),
    };
    if (start.task >= this.userTotal.length) {
      const larger = new Float64Array(Math.max(start.task + 1, this.userTotal.length * 2));
      larger.set(this.userTotal);
      this.userTotal = larger;
    }
  }

  taskExit(task: number, seq: Seq, status: number): void {
    const row = this.#tasks[task];
    if (row === undefined) return;
    row.exitSeq = known(seq);
    row.status = status;
  }

  mm(id: number, createdSeq?: Seq, fromMm?: number): void {
    if (this.#full("mms", this.#mms.size, this.#limits.rows)) return;
    this.#mms.set(id, { mm: id, createdSeq: known(createdSeq), fromMm: fromMm ?? null, endSeq: null });
  }

  mmEnd(id: number, seq: Seq): void {
    const row = this.#mms.get(id);
    if (row !== undefined) row.endSeq = known(seq);
  }

  exec(task: number, seq: Seq, mm: number, exe: string, ring: number): void {
    const path = this.#text(exe);
    const row = this.#tasks[task];
    if (row !== undefined) row.exe = path;
    if (this.#full("execs", this.#execs.length, this.#limits.rows)) return;
    this.#execs.push({ task, seq: known(seq), mm, exe: path, ring });
  }

  comm(task: number, comm: string): void {
    const row = this.#tasks[task];
    if (row !== undefined) row.comm = this.#text(comm);
  }

  enter(event: EventEnter): Seq {
    const table = this.#events;
    const seq = table.length;
    this.userTotal[event.task] += event.user;
    if (seq >= this.#limits.events) {
      this.#full("events", seq, this.#limits.events);
      return NO_SEQ;
    }
    if (seq === table.capacity) table.reserve();
    table.length = seq + 1;
    const c = table.columns;
    c.task[seq] = event.task;
    c.cpu[seq] = 0;
    c.kind[seq] = event.kind;
    c.abi[seq] = event.abi ?? ABI.i386;
    c.tIn[seq] = event.tIn;
    c.user[seq] = event.user;
    if (event.nr !== undefined) c.nr[seq] = event.nr >= 0 && event.nr < NR_TOO_LARGE ? event.nr : NR_TOO_LARGE;
    if (event.site !== undefined) c.site[seq] = event.site;
    if (event.path !== undefined) c.path[seq] = event.path;
    if (event.parent !== undefined) c.parent[seq] = event.parent;
    if (event.flags !== undefined) c.flags[seq] = event.flags;
    if (event.obj !== undefined) c.obj[seq] = event.obj;
    if (event.off !== undefined) c.off[seq] = event.off;
    if (event.addr !== undefined) c.addr[seq] = event.addr >>> 0;
    if (event.access !== undefined) c.access[seq] = event.access;
    if (event.cause !== undefined) c.cause[seq] = event.cause;
    return seq;
  }

  set(seq: Seq, fields: EventFields): void {
    if (seq < 0 || seq >= this.#events.length) return;
    const c = this.#events.columns;
    if (fields.bytes !== undefined) c.bytes[seq] = fields.bytes;
    if (fields.obj !== undefined) c.obj[seq] = fields.obj;
    if (fields.off !== undefined) c.off[seq] = fields.off;
    if (fields.items !== undefined) c.items[seq] = fields.items;
    if (fields.components !== undefined) c.components[seq] = fields.components;
    if (fields.pages !== undefined) c.pages[seq] = fields.pages;
    if (fields.cold !== undefined) c.cold[seq] = fields.cold;
    if (fields.charge !== undefined) c.charge[seq] = fields.charge;
    if (fields.flags !== undefined) c.flags[seq] |= fields.flags;
    if (fields.cause !== undefined) c.cause[seq] = fields.cause;
    if (fields.addr !== undefined) c.addr[seq] = fields.addr >>> 0;
    if (fields.access !== undefined) c.access[seq] = fields.access;
    if (fields.path !== undefined) c.path[seq] = fields.path;
    if (fields.nr !== undefined) c.nr[seq] = fields.nr >= 0 && fields.nr < NR_TOO_LARGE ? fields.nr : NR_TOO_LARGE;
  }

  leave(seq: Seq, end: EventLeave): void {
    if (seq < 0 || seq >= this.#events.length) return;
    const c = this.#events.columns;
    c.tOut[seq] = end.tOut;
    c.kinstr[seq] = end.kinstr;
    c.blocked[seq] = end.blocked;
    if (end.ret !== undefined) c.ret[seq] = end.ret;
  }

  edge(to: Seq, from: Seq | undefined, kind: number, delay?: number): void {
    if (to < 0 || to >= this.#events.length) return;
    const table = this.#edges;
    if (this.#full("edges", table.length, this.#limits.edges)) return;
    table.reserve();
    const row = table.length++;
    const c = table.columns;
    c.to[row] = to;
    c.from[row] = from ?? NO_SEQ;
    c.kind[row] = kind;
    if (delay !== undefined) c.delay[row] = delay;
  }

  object(object: ObjectInfo): void {
    if (!this.#objects.has(object.obj) && this.#full("objects", this.#objects.size, this.#limits.rows)) return;
    this.#objects.set(object.obj, {
      obj: object.obj,
      type: OBJECT_TYPES[object.type] === "unknown" ? null : (OBJECT_TYPES[object.type] as ObjectRow["type"]),
      capacity: object.capacity ?? null,
      size: object.size ?? null,
      label: object.label === undefined ? null : this.#text(object.label),
    });
  }

  page(touch: PageTouch): void {
    const table = this.#pages;
    if (this.#full("pages", table.length, this.#limits.pages)) return;
    if (touch.epoch !== this.#epoch) {
      this.#epoch = touch.epoch;
      this.#order = 0;
    }
    table.reserve();
    const row = table.length++;
    const c = table.columns;
    if (touch.mm !== undefined) c.mm[row] = touch.mm;
    c.task[row] = touch.task;
    c.epoch[row] = touch.epoch;
    c.order[row] = this.#order++;
    c.instr[row] = touch.instr;
    if (touch.obj !== undefined) c.obj[row] = touch.obj;
    c.index[row] = touch.index;
    c.access[row] = touch.access;
    c.source[row] = touch.source;
    c.dirty[row] = touch.dirty ? 1 : 0;
  }

  mix(task: number, epoch: number, ring: number, counts: ArrayLike<number>): void {
    const table = this.#mix;
    const key = `${task},${epoch},${ring}`;
    let row = this.#mixRow.get(key);
    const c = () => table.columns;
    if (row === undefined) {
      if (this.#full("mix", table.length, this.#limits.rows)) return;
      table.reserve();
      row = table.length++;
      this.#mixRow.set(key, row);
      c().task[row] = task;
      c().epoch[row] = epoch;
      c().ring[row] = ring;
      for (const name of CLASS_KEYS) c()[name][row] = 0;
    }
    for (let i = 0; i < CLASS_KEYS.length; i++) c()[CLASS_KEYS[i]][row] += counts[i] ?? 0;
  }

  args(seq: Seq, text: string): void {
    if (seq < 0 || seq >= this.#events.length) return;
    if (this.#argChars > this.#limits.argChars) {
      this.#full("args", 1, 0);
      return;
    }
    const kept = this.#text(text);
    this.#argChars += kept.length;
    this.#args.set(seq, kept);
  }

  finish(meta: TraceMeta): Trace {
    if (this.#finished) throw new Error("a recorder finishes once");
    this.#finished = true;
    const loss = [...this.#lost].map(([table, rows]) => `${rows} rows of ${table} beyond the limit of the capture`);
    const edges = takeRows(TABLES.edges, this.#edges.columns, this.#edges.length, byTarget(this.#edges));
    dropForwardReferences(edges.from, this.#events.length);
    return {
      meta: loss.length === 0 ? meta : { ...meta, fidelity: { ...meta.fidelity, loss: `partial: ${loss.join("; ")}` } },
      tasks: this.#tasks,
      mms: [...this.#mms.values()].sort((a, b) => a.mm - b.mm),
      execs: this.#execs,
      objects: [...this.#objects.values()].sort((a, b) => a.obj - b.obj),
      events: this.#events.cut(),
      edges,
      pages: this.#pages.cut(),
      mix: this.#mix.cut(),
      args: new Map([...this.#args].sort((a, b) => a[0] - b[0])),
    };
  }
}

function known(seq: Seq | undefined): Seq | null {
  return seq === undefined || seq < 0 ? null : seq;
}

/** Rows of the edges in order of their target, as they came for one target. */
function byTarget(edges: GrowingColumns<typeof TABLES.edges>): Int32Array {
  const to = edges.columns.to;
  return Int32Array.from({ length: edges.length }, (_, row) => row).sort((a, b) => to[a] - to[b] || a - b);
}

/** An edge from an event that a full recorder never kept is an edge from outside. */
function dropForwardReferences(from: Int32Array, events: number): void {
  for (let i = 0; i < from.length; i++) if (from[i] >= events) from[i] = NO_SEQ;
}
