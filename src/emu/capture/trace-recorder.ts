// The recorder behind `kmlab capture`: appends to typed arrays, cheap enough to leave the run's speed alone.
import { GrowingColumns, takeRows } from "../../traces/columns.ts";
import { ABI, KIND, OBJECT_TYPES } from "../../traces/schema/enums.ts";
import { type ExecRow, type MmRow, type ObjectRow, TABLES, type TaskRow } from "../../traces/schema/tables.ts";
import type { Trace, TraceMeta } from "../../traces/trace.ts";
import { BYTE, EventRows, WORD } from "./event-rows.ts";
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
  events: 5_000_000,
  edges: 5_000_000,
  pages: 10_000_000,
  rows: 1_000_000,
  argChars: 64 << 20,
  textChars: 4096,
};

const CLASS_KEYS = Object.keys(TABLES.mix.fields).slice(3) as Exclude<
  keyof typeof TABLES.mix.fields,
  "task" | "epoch" | "ring"
>[];
/** Linux cuts the names of tasks here. */
const COMM_CHARS = 15;
/** The largest nr an event holds; a call number beyond it (any int32 may be in EAX) is kept as this. */
const NR_TOO_LARGE = 0x7fffffff;

function number(nr: number): number {
  return nr >= 0 && nr < NR_TOO_LARGE ? nr : NR_TOO_LARGE;
}

/** A guest can make more of them than anybody reads. */
const MOST_WARNINGS = 20;

export class TraceRecorder implements Recorder {
  readonly enabled = true;
  readonly watches = true;
  readonly warnings = new Set<string>();
  /** Program instructions per task so far: the running total of `user`, by task number. */
  userTotal = new Float64Array(64);
  /** The machine's instruction counter, where there is one: makes progress() exact between events. */
  counter: { readonly icount: number } | null = null;
  /** Called when events show that another task runs than before. */
  onRunning: ((task: number, ring: number) => void) | null = null;
  /** Called at every context switch. */
  onSwitch: (() => void) | null = null;
  readonly #limits: RecorderLimits;
  readonly #tasks: TaskRow[] = [];
  readonly #mms = new Map<number, MmRow>();
  readonly #execs: ExecRow[] = [];
  readonly #objects = new Map<number, ObjectRow>();
  readonly #args = new Map<number, string>();
  readonly #events = new EventRows();
  readonly #edges = new GrowingColumns(TABLES.edges, 1 << 10);
  readonly #pages = new GrowingColumns(TABLES.pages, 1 << 10);
  readonly #mix = new GrowingColumns(TABLES.mix, 64);
  readonly #mixRow = new Map<string, number>();
  readonly #lost = new Map<string, number>();
  /** counter at each task's last return to its program. */
  #returnedAt = new Float64Array(64).fill(Number.NaN);
  /** Ring of each task's program now. */
  readonly #rings: number[] = [];
  #running = -1;
  #lastIn = 0;
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
      mm: known(start.mm),
      parentTask: known(start.parent),
      pid: start.pid,
      spawnSeq: known(start.spawnSeq),
      exitSeq: null,
      status: null,
      ring: start.ring,
      comm: this.#text(start.comm),
      exe: this.#text(start.exe),
    };
    this.#rings[start.task] = start.ring;
    if (start.task >= this.userTotal.length) {
      const larger = new Float64Array(Math.max(start.task + 1, this.userTotal.length * 2));
      larger.set(this.userTotal);
      this.userTotal = larger;
      const returned = new Float64Array(larger.length).fill(Number.NaN);
      returned.set(this.#returnedAt);
      this.#returnedAt = returned;
    }
  }

  /**
   * Program instructions that `task` has executed: up to its last event if it is `inKernel`, else up to now (within the few
   * instructions of the way back to the program).
   */
  progress(task: number, inKernel: boolean): number {
    const total = this.userTotal[task] ?? 0;
    if (inKernel || this.counter === null) return total;
    const now = this.counter.icount;
    // A task just created has not returned from anything yet.
    if (Number.isNaN(this.#returnedAt[task])) this.#returnedAt[task] = now;
    return total + now - this.#returnedAt[task];
  }

  #runs(task: number): void {
    this.#running = task;
    this.onRunning?.(task, this.#rings[task] ?? 3);
  }

  taskExit(task: number, seq: Seq, status: number): void {
    const row = this.#tasks[task];
    if (row === undefined) return;
    row.exitSeq = known(seq);
    row.status = status;
  }

  mm(id: number, createdSeq?: Seq, fromMm?: number): void {
    if (this.#full("mms", this.#mms.size, this.#limits.rows)) return;
    this.#mms.set(id, { mm: id, createdSeq: known(createdSeq), fromMm: known(fromMm), endSeq: null });
  }

  mmEnd(id: number, seq: Seq): void {
    const row = this.#mms.get(id);
    if (row !== undefined) row.endSeq = known(seq);
  }

  exec(task: number, seq: Seq, mm: number, exe: string, ring: number): void {
    const path = this.#text(exe);
    const row = this.#tasks[task];
    if (row !== undefined) {
      row.exe = path;
      row.comm = path.slice(path.lastIndexOf("/") + 1, path.length).slice(0, COMM_CHARS);
      // The first program has no address space before its execve.
      row.mm ??= mm;
    }
    if (this.#rings[task] !== ring) this.#running = -1;
    this.#rings[task] = ring;
    if (this.#full("execs", this.#execs.length, this.#limits.rows)) return;
    this.#execs.push({ task, seq: known(seq), mm, exe: path, ring });
  }

  running(): void {
    this.onSwitch?.();
  }

  warning(text: string): void {
    if (this.warnings.size < MOST_WARNINGS) this.warnings.add(text);
  }

  comm(task: number, comm: string): void {
    const row = this.#tasks[task];
    if (row !== undefined) row.comm = this.#text(comm);
  }

  enter(event: EventEnter): Seq {
    const seq = this.#events.length;
    this.userTotal[event.task] += event.user;
    if (event.task !== this.#running) this.#runs(event.task);
    if (this.#full("events", seq, this.#limits.events)) return NO_SEQ;
    const events = this.#events;
    // Entries are numbered in order of time; an instruction counted back from a probe must not undo that.
    const tIn = event.tIn > this.#lastIn ? event.tIn : this.#lastIn;
    this.#lastIn = tIn;
    const block = events.append(tIn);
    const at = events.at(seq);
    block.timeIn(at, tIn);
    block.number(at, WORD.task, event.task);
    block.byte(at, BYTE.kind, event.kind);
    block.byte(at, BYTE.abi, event.abi ?? ABI.i386);
    block.number(at, WORD.user, event.user);
    // A wild call number is kept as too large; elsewhere a negative one means that there is none.
    if (event.nr !== undefined && (event.nr >= 0 || event.kind === KIND.syscall))
      block.number(at, WORD.nr, number(event.nr));
    if (event.site !== undefined) block.byte(at, BYTE.site, event.site);
    if (event.path !== undefined) block.byte(at, BYTE.path, event.path);
    if (event.parent !== undefined && event.parent >= 0) block.number(at, WORD.parent, event.parent);
    if (event.flags !== undefined) block.flag(at, event.flags);
    if (event.obj !== undefined) block.sparse(at, "obj", event.obj);
    if (event.off !== undefined) block.sparse(at, "off", event.off);
    if (event.addr !== undefined) block.sparse(at, "addr", event.addr >>> 0);
    if (event.sp !== undefined) block.number(at, WORD.sp, event.sp >>> 0);
    if (event.access !== undefined) block.byte(at, BYTE.access, event.access);
    if (event.cause !== undefined) block.byte(at, BYTE.cause, event.cause);
    return seq;
  }

  set(seq: Seq, fields: EventFields): void {
    const events = this.#events;
    if (seq < 0 || seq >= events.length) return;
    const block = events.of(seq);
    const at = events.at(seq);
    if (fields.bytes !== undefined) block.sparse(at, "bytes", fields.bytes);
    if (fields.obj !== undefined) block.sparse(at, "obj", fields.obj);
    if (fields.off !== undefined) block.sparse(at, "off", fields.off);
    if (fields.items !== undefined) block.sparse(at, "items", fields.items);
    if (fields.components !== undefined) block.sparse(at, "components", fields.components);
    if (fields.pages !== undefined) block.sparse(at, "pages", fields.pages);
    if (fields.cold !== undefined) block.sparse(at, "cold", fields.cold);
    if (fields.charge !== undefined) block.number(at, WORD.charge, fields.charge);
    if (fields.flags !== undefined) block.flag(at, fields.flags);
    if (fields.cause !== undefined) block.byte(at, BYTE.cause, fields.cause);
    if (fields.addr !== undefined) block.sparse(at, "addr", fields.addr >>> 0);
    if (fields.access !== undefined) block.byte(at, BYTE.access, fields.access);
    if (fields.path !== undefined) block.byte(at, BYTE.path, fields.path);
    if (fields.nr !== undefined) block.number(at, WORD.nr, number(fields.nr));
  }

  charge(seq: Seq, units: number): void {
    const events = this.#events;
    if (seq >= 0 && seq < events.length) events.of(seq).number(events.at(seq), WORD.charge, units);
  }

  chargeMore(seq: Seq, units: number): void {
    const events = this.#events;
    if (seq >= 0 && seq < events.length) events.of(seq).more(events.at(seq), WORD.charge, units);
  }

  leave(seq: Seq, end: EventLeave): void {
    const events = this.#events;
    if (seq < 0 || seq >= events.length) return;
    const block = events.of(seq);
    const at = events.at(seq);
    block.timeOut(at, end.tOut);
    block.number(at, WORD.kinstr, end.kinstr);
    block.number(at, WORD.blocked, end.blocked);
    if (end.ret !== undefined) block.result(at, end.ret);
    const task = block.task(at);
    if (task !== this.#running) this.#runs(task);
    if (this.counter !== null) this.#returnedAt[task] = this.counter.icount;
  }

  edge(to: Seq, from: Seq | undefined, kind: number, delay?: number): void {
    if (to < 0 || to >= this.#events.length) return;
    const table = this.#edges;
    // The wake-up and the call that it completes may name the same cause: one edge.
    const known = table.columns;
    for (let row = table.length - 1; row >= 0 && row >= table.length - 8 && known.to[row] === to; row--) {
      if (known.from[row] === (from ?? NO_SEQ) && known.kind[row] === kind) return;
    }
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
    const events = this.#events.decode();
    const pages = this.#pages.cut();
    const mix = this.#mix.cut();
    forget(edges.from, (seq) => seq < events.length);
    for (const obj of [events.obj, pages.obj]) forget(obj, (id) => this.#objects.has(id));
    forget(pages.mm, (id) => this.#mms.has(id));
    const mmOrNull = (id: number | null) => (id !== null && this.#mms.has(id) ? id : null);
    const tasks = Math.max(this.#tasks.length, ...[events, pages, mix].map(({ task }) => 1 + largest(task)));
    return {
      meta: loss.length === 0 ? meta : { ...meta, fidelity: { ...meta.fidelity, loss: `partial: ${loss.join("; ")}` } },
      tasks: Array.from({ length: tasks }, (_, task) => {
        const row = this.#tasks[task] ?? unknownTask(task);
        return { ...row, mm: mmOrNull(row.mm) };
      }),
      mms: [...this.#mms.values()].map((row) => ({ ...row, fromMm: mmOrNull(row.fromMm) })).sort((a, b) => a.mm - b.mm),
      execs: this.#execs.filter(({ mm }) => this.#mms.has(mm)),
      objects: [...this.#objects.values()].sort((a, b) => a.obj - b.obj),
      events,
      edges,
      pages,
      mix,
      args: new Map([...this.#args].sort((a, b) => a[0] - b[0])),
    };
  }
}

/** A task that was never told of: the kernel's own, which run no program. */
function unknownTask(task: number): TaskRow {
  const nothing = { tgidTask: null, mm: null, parentTask: null, pid: null, spawnSeq: null, exitSeq: null };
  return { task, ...nothing, status: null, ring: null, comm: null, exe: null };
}

function known(seq: Seq | undefined): Seq | null {
  return seq === undefined || seq < 0 ? null : seq;
}

/** Rows of the edges in order of their target, as they came for one target. */
function byTarget(edges: GrowingColumns<typeof TABLES.edges>): Int32Array {
  const to = edges.columns.to;
  return Int32Array.from({ length: edges.length }, (_, row) => row).sort((a, b) => to[a] - to[b] || a - b);
}

/** What a full recorder was told of and did not keep is unknown to the rows that name it. */
function forget(ids: Int32Array, kept: (id: number) => boolean): void {
  for (let i = 0; i < ids.length; i++) if (ids[i] >= 0 && !kept(ids[i])) ids[i] = NO_SEQ;
}

function largest(ids: Int32Array): number {
  let result = -1;
  for (const id of ids) if (id > result) result = id;
  return result;
}
