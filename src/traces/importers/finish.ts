// The trace of an import that has read its sources: events in order of time with their numbers, ABIs, sites and waits, in pieces.
import { gathered, makeColumns, rowsFrom } from "../columns.ts";
import { ABI, EDGE as EDGE_KIND, FLAG, KIND, SITE } from "../schema/enums.ts";
import { type EdgeColumns, type EventColumns, TABLES, type TaskRow } from "../schema/tables.ts";
import { emptyMeta, type Fidelity, type Trace, type TraceStream } from "../trace.ts";
import type { EventBlock, ImportedEvents } from "./events.ts";
import { inOrder } from "./order.ts";
import { BLOCK_ROWS, type Layout, PagedRows, ROW, type Spill } from "./rows.ts";
import { Waits } from "./waits.ts";

const NOTHING_KNOWN: Fidelity = { times: "none", arguments: "none", sites: "none", loss: "none", abi: "none" };

/** Waits that something outside the trace ended. */
const OUTSIDE = { to: ["i32", -1], kind: ["u8", 0], delay: ["f64", 0] } as const satisfies Layout;

/** Rows of a piece of the trace. */
const PIECE_ROWS = 1 << 16;

export interface FinishOptions {
  /** The format's name. */
  readonly source: string;
  /** The ABI of images that do not tell theirs. */
  readonly otherwise: number;
  /** False: times are no times. */
  readonly timed: boolean;
  /** Sites of the places that calls were made from, by their numbers. */
  readonly sites?: Uint8Array;
  readonly spill?: Spill;
}

/** A finished import: the trace, and how many events it has. */
type Finished = { readonly trace: TraceStream; readonly events: number };

class Finisher {
  readonly #into: ImportedEvents;
  readonly #options: FinishOptions;
  readonly #waits: Waits;
  readonly #outside: PagedRows<typeof OUTSIDE>;
  #numberOf: Int32Array = new Int32Array(0);
  /** Events that stand are in order already, and all stand. */
  #inOrder = true;
  /** The source said of some call how long it waited. */
  #told = false;
  #mostCpu = 0;
  #long = 0;
  #first = 0;
  events = 0;

  constructor(into: ImportedEvents, options: FinishOptions) {
    this.#into = into;
    this.#options = options;
    this.#waits = new Waits(into.calls);
    this.#outside = new PagedRows(OUTSIDE, options.spill);
  }

  finish(): Finished {
    const { source, timed } = this.#options;
    const { tasks, objects } = this.#into;
    this.#resolve();
    this.#number();
    const { tasks: rows, mms, numberOf } = tasks.rows((event) => this.#seqOf(event));
    this.#numberOf = numberOf;
    for (const task of tasks.all) if (task.open >= 0 && !task.ended) this.#into.open++;
    this.#numberEdges();
    this.#into.rows.settle();
    this.#into.edges.settle();
    if (timed && !this.#told) this.#sample();
    const trace: TraceStream = {
      meta: this.#meta(source, rows),
      tasks: rows,
      mms,
      execs: [],
      objects,
      events: { pieces: () => this.#eventPieces() },
      edges: { pieces: () => this.#edgePieces() },
      pages: makeColumns(TABLES.pages, 0),
      mix: makeColumns(TABLES.mix, 0),
      args: new Map(),
    };
    return { trace, events: this.events };
  }

  #meta(source: string, tasks: readonly TaskRow[]): Trace["meta"] {
    const meta = emptyMeta(source, NOTHING_KNOWN);
    meta.clock = { unit: "ns", nsPerUnit: 1 };
    meta.reproducible = false;
    meta.ring = 3;
    meta.kernel = "linux";
    meta.arch = this.#long > 0 ? "x86_64" : "i386";
    meta.cpus = this.#mostCpu + 1;
    // The command and how it ended, as far as the calls tell.
    const first = tasks.find(({ parentTask }) => parentTask === null);
    if (first === undefined) return meta;
    if (first.exe !== null) meta.argv = [first.exe];
    else if (first.comm !== null) meta.argv = [first.comm];
    const { status } = first;
    if (status !== null) meta.ended = status & 0x7f ? `signal ${status & 0x7f}` : `exit ${status >> 8}`;
    return meta;
  }

  /** Names become numbers, calls get the ABI of their image and the site of their place; what will be the first event is found. */
  #resolve(): void {
    const into = this.#into;
    const { rows } = into;
    const abis = into.abiOfImages(this.#options.otherwise);
    const { sites } = this.#options;
    let last = Number.NEGATIVE_INFINITY;
    let first = Number.POSITIVE_INFINITY;
    for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
      const block = rows.block(from);
      const length = Math.min(BLOCK_ROWS, rows.length - from);
      const { kind, tIn, abi, nr, site, cpu } = block;
      for (let at = 0; at < length; at++) {
        if (kind[at] === KIND.unknown) {
          this.#inOrder = false;
          continue;
        }
        this.events++;
        if (tIn[at] < last) this.#inOrder = false;
        last = tIn[at];
        if (last < first) first = last;
        if (block.blocked[at] >= 0) this.#told = true;
        if (cpu[at] > this.#mostCpu) this.#mostCpu = cpu[at];
        if (kind[at] !== KIND.syscall && kind[at] !== KIND.sigreturn) continue;
        if (abi[at] === ABI.unknown) abi[at] = abis[block.image[at]];
        nr[at] = into.numberOf(nr[at], abi[at]);
        this.#long += abi[at] === ABI.x86_64 ? 1 : abi[at] === ABI.i386 ? -1 : 0;
        if (abi[at] === ABI.x86_64) site[at] = SITE.syscall64;
        else if (sites !== undefined) site[at] = sites[block.pointer[at]];
      }
    }
    this.#first = first;
  }

  /** Events in order; where they came so, their own numbers are their places. */
  *#ordered(): Generator<number> {
    const { rows } = this.#into;
    if (this.#inOrder) for (let event = 0; event < rows.length; event++) yield event;
    else yield* inOrder(rows, ({ kind, tIn }, at) => (kind[at] === KIND.unknown ? Number.NaN : tIn[at]));
  }

  #number(): void {
    if (this.#inOrder) return;
    let seq = 0;
    for (const event of this.#ordered()) this.#into.at(event).seq[event & ROW] = seq++;
  }

  #seqOf(event: number): number {
    return this.#inOrder ? event : this.#into.at(event).seq[event & ROW];
  }

  /** Edges get the numbers that events have in the trace; those of which one end does not stand are left out. */
  #numberEdges(): void {
    const { edges, tasks } = this.#into;
    for (let row = 0; row < edges.length; row++) {
      const block = edges.block(row);
      const at = row & ROW;
      const event = block.to[at];
      const cause = block.from[at] >= 0 ? block.from[at] : tasks.all[-1 - block.from[at]].last;
      const to = this.#seqOf(event);
      const from = cause < 0 ? -1 : this.#seqOf(cause);
      const stands = to >= 0 && from >= 0 && to !== from;
      block.to[at] = stands ? to : -1;
      block.from[at] = from;
      if (stands) this.#into.at(event).caused[event & ROW] = 1;
    }
  }

  /** How long an event took, as the trace has its times. */
  #duration({ tIn, tOut }: EventBlock, at: number): number {
    return Math.round(tOut[at] - this.#first) - Math.round(tIn[at] - this.#first);
  }

  #sample(): void {
    for (const event of this.#ordered()) {
      const block = this.#into.at(event);
      const at = event & ROW;
      if (block.kind[at] !== KIND.syscall) continue;
      if (this.#waits.sample(block.nr[at], block.abi[at], this.#duration(block, at))) break;
    }
    this.#waits.sampled();
  }

  *#eventPieces(): Generator<EventColumns> {
    const most = Math.min(PIECE_ROWS, this.events);
    const piece = makeColumns(TABLES.events, most);
    this.#outside.length = 0;
    let length = 0;
    let seq = 0;
    for (const event of this.#ordered()) {
      const block = this.#into.at(event);
      const at = event & ROW;
      piece.task[length] = this.#numberOf[block.task[at]];
      piece.kind[length] = block.kind[at];
      piece.tIn[length] = Math.max(0, Math.round(block.tIn[at] - this.#first));
      piece.tOut[length] = Math.max(piece.tIn[length], Math.round(block.tOut[at] - this.#first));
      piece.nr[length] = block.nr[at];
      piece.abi[length] = block.abi[at];
      piece.site[length] = block.site[at];
      piece.cpu[length] = block.cpu[at];
      piece.ret[length] = block.ret[at];
      piece.obj[length] = block.obj[at];
      piece.bytes[length] = block.bytes[at];
      piece.components[length] = block.components[at];
      piece.blocked[length] = block.blocked[at];
      piece.flags[length] = block.flags[at];
      if (this.#options.timed && block.kind[at] === KIND.syscall)
        this.#wait(piece, length, seq, block.caused[at] === 1);
      length++;
      seq++;
      if (length === most) {
        yield piece;
        length = 0;
      }
    }
    if (length > 0) yield rowsFrom(TABLES.events, piece, 0, length);
  }

  /** The wait of a call: as the source told it, else inferred; who ended it stands outside unless it is known. */
  #wait(piece: EventColumns, at: number, seq: number, caused: boolean): void {
    const { nr, abi, blocked, flags, obj, tIn, tOut, ret } = piece;
    const { objects } = this.#into;
    if (!this.#told && !(obj[at] >= 0 && objects[obj[at]].type === "file")) {
      const wait = this.#waits.inferred(nr[at], abi[at], tOut[at] - tIn[at]);
      if (wait >= 0) {
        blocked[at] = wait;
        flags[at] = (flags[at] & 0x7fff) | FLAG.inferred;
      }
    }
    if (!(blocked[at] > 0) || caused) return;
    const row = this.#outside.append();
    const block = this.#outside.block(row);
    block.to[row & ROW] = seq;
    block.kind[row & ROW] = this.#waits.reason(nr[at], abi[at], ret[at]);
    block.delay[row & ROW] = blocked[at];
  }

  /** Edges by what waits: those whose cause is known, and those from outside, which no event has both of. */
  *#edgePieces(): Generator<EdgeColumns> {
    const most = Math.min(PIECE_ROWS, this.#into.edges.length + this.#outside.length);
    const piece = makeColumns(TABLES.edges, most);
    let length = 0;
    for (const { to, from, kind, delay } of this.#edges()) {
      piece.to[length] = to;
      piece.from[length] = from;
      piece.kind[length] = kind;
      piece.delay[length] = delay;
      length++;
      if (length < most) continue;
      yield piece;
      length = 0;
    }
    if (length > 0) yield rowsFrom(TABLES.edges, piece, 0, length);
  }

  *#edges(): Generator<{ to: number; from: number; kind: number; delay: number }> {
    const outside = this.#outside;
    let row = 0;
    const upTo = function* (limit: number) {
      for (; row < outside.length; row++) {
        const { to, kind, delay } = outside.block(row);
        const at = row & ROW;
        if (to[at] > limit) return;
        yield { to: to[at], from: -1, kind: kind[at], delay: delay[at] };
      }
    };
    let group: { to: number; from: number; kind: number; delay: number }[] = [];
    for (const edge of this.#certain()) {
      if (group.length > 0 && edge.to !== group[0].to) {
        yield* group.sort((a, b) => a.from - b.from);
        group = [];
      }
      if (group.length === 0) yield* upTo(edge.to);
      group.push(edge);
    }
    yield* group.sort((a, b) => a.from - b.from);
    yield* upTo(Number.POSITIVE_INFINITY);
  }

  *#certain(): Generator<{ to: number; from: number; kind: number; delay: number }> {
    const { edges } = this.#into;
    for (const row of inOrder(edges, ({ to }, at) => (to[at] < 0 ? Number.NaN : to[at]))) {
      const { to, from, kind } = edges.block(row);
      const at = row & ROW;
      yield { to: to[at], from: from[at], kind: kind[at] || EDGE_KIND.data, delay: Number.NaN };
    }
  }
}

/** The trace of what `into` was told. Its pieces may be asked for as often as wanted, the events' before the edges'. */
export function finishImport(into: ImportedEvents, options: FinishOptions): Finished {
  return new Finisher(into, options).finish();
}

/** A trace in pieces as a trace in memory. */
export function assembled(stream: TraceStream): Trace {
  const events = gathered(TABLES.events, stream.events.pieces());
  return { ...stream, events, edges: gathered(TABLES.edges, stream.edges.pieces()) };
}
