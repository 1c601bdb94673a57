// What importers build a trace with: events as they are met, tasks, objects, edges, and what was not understood.
import { type CallTable, onlyAbi } from "../calls.ts";
import { ABI, FLAGS_UNKNOWN, KIND, type OBJECT_TYPES } from "../schema/enums.ts";
import type { ObjectRow } from "../schema/tables.ts";
import type { LineReader } from "./lines.ts";
import { type Block, type Layout, PagedRows, ROW, type Spill } from "./rows.ts";
import { type ImportedTask, ImportedTasks } from "./tasks.ts";

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

/** What importers know of an event; the other columns of the table stay unknown. */
const EVENT = {
  tIn: ["f64", Number.NaN],
  tOut: ["f64", Number.NaN],
  ret: ["f64", Number.NaN],
  bytes: ["f64", Number.NaN],
  blocked: ["f64", Number.NaN],
  task: ["i32", -1],
  nr: ["i32", -1],
  cpu: ["i32", -1],
  obj: ["i32", -1],
  components: ["i32", -1],
  /** Of its program, and of where the call was made (0: not known). */
  image: ["i32", 0],
  pointer: ["i32", 0],
  /** Its number in the trace, which is known at the end. */
  seq: ["i32", -1],
  flags: ["u16", FLAGS_UNKNOWN],
  kind: ["u8", KIND.unknown],
  abi: ["u8", ABI.unknown],
  site: ["u8", 0],
  /** 1: who ended its wait is known. */
  caused: ["u8", 0],
} as const satisfies Layout;

/** An event that could not end before another one (from >= 0), or before the end of a task (-1 - its number). */
const EDGE = { to: ["i32", -1], from: ["i32", -1], kind: ["u8", 0] } as const satisfies Layout;

export type EventRows = PagedRows<typeof EVENT>;
export type EventBlock = Block<typeof EVENT>;
export type EdgeRows = PagedRows<typeof EDGE>;

export class ImportedEvents {
  readonly calls: CallTable;
  readonly tasks = new ImportedTasks();
  readonly rows: EventRows;
  readonly edges: EdgeRows;
  readonly objects: ObjectRow[] = [];
  readonly notUnderstood = new Map<string, NotUnderstood>();
  /** The ABI of every call, when the user or the format says it; else unknown. */
  readonly abi: number;
  /** Times as read that stood before the time of the line above them in the same file. */
  backwards = 0;
  /** Calls that were never seen to end, and ends of calls never seen to begin. */
  open = 0;
  orphans = 0;
  #lastImage: object | undefined;
  #lastImageNumber = 0;
  readonly #imageNumbers = new Map<object, number>();
  readonly #images: ImportedTask["process"]["image"][] = [];
  readonly #names: string[] = [];
  readonly #nameNumbers = new Map<string, number>();
  readonly #nameAbi: number[] = [];
  readonly #objectOf = new Map<string, number>();

  /** With `spill`, what does not fit the memory goes there. */
  constructor(calls: CallTable, abi: number, spill?: Spill) {
    this.calls = calls;
    this.abi = abi;
    this.rows = new PagedRows(EVENT, spill);
    this.edges = new PagedRows(EDGE, spill);
  }

  /** The columns that hold an event, at the place event & ROW; good until another event is asked for. */
  at(event: number): EventBlock {
    return this.rows.block(event);
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
    const event = this.rows.append();
    const block = this.rows.block(event);
    const at = event & ROW;
    block.task[at] = task.number;
    block.tIn[at] = t;
    const { image } = task.process;
    if (image !== this.#lastImage) {
      this.#lastImage = image;
      let number = this.#imageNumbers.get(image);
      if (number === undefined) {
        number = this.#images.length;
        this.#images.push(image);
        this.#imageNumbers.set(image, number);
      }
      this.#lastImageNumber = number;
    }
    block.image[at] = this.#lastImageNumber;
    return event;
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
    const block = this.rows.block(event);
    block.kind[event & ROW] = isSigreturn(name) ? KIND.sigreturn : KIND.syscall;
    if (number !== undefined) {
      block.nr[event & ROW] = NAMED - number;
      task.process.image.votes[this.#nameAbi[number]]++;
    }
    task.open = event;
    task.last = event;
    return event;
  }

  /** A call begins, known by its number in ABI `abi`. */
  enterNumbered(task: ImportedTask, nr: number, abi: number, t: number): number {
    const event = this.#append(task, t);
    const block = this.rows.block(event);
    block.kind[event & ROW] = isSigreturn(this.calls.name(nr, abi)) ? KIND.sigreturn : KIND.syscall;
    block.nr[event & ROW] = Math.min(nr, 0x7fffffff);
    block.abi[event & ROW] = abi;
    task.open = event;
    task.last = event;
    return event;
  }

  /** The call of an event ended with a result; `t` may be NaN: nobody knows when. */
  leave(task: ImportedTask, event: number, t: number, ret: number): void {
    const block = this.rows.block(event);
    const at = event & ROW;
    block.tOut[at] = t < block.tIn[at] ? block.tIn[at] : t;
    block.ret[at] = Number.isSafeInteger(ret) ? ret : Number.NaN;
    if (task.open === event) task.open = -1;
  }

  /** Something other than a call, over at `until`. */
  happened(task: ImportedTask, kind: number, nr: number, t: number, until: number): number {
    const event = this.#append(task, t);
    const block = this.rows.block(event);
    block.kind[event & ROW] = kind;
    block.nr[event & ROW] = nr;
    block.tOut[event & ROW] = until;
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
    this.at(event).kind[event & ROW] = KIND.signal;
  }

  /** Sets bits among an event's flags; those that nobody knows are taken as not set from here on. */
  flag(event: number, bits: number): void {
    const { flags } = this.at(event);
    flags[event & ROW] = (flags[event & ROW] & 0x7fff) | bits;
  }

  /** Bytes that a call moved. */
  moved(event: number, bytes: number): void {
    this.at(event).bytes[event & ROW] = bytes;
  }

  /** The object that a call is about. */
  about(event: number, obj: number): void {
    this.at(event).obj[event & ROW] = obj;
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
    const row = this.edges.append();
    const block = this.edges.block(row);
    block.to[row & ROW] = to;
    block.from[row & ROW] = typeof from === "number" ? from : -1 - from.number;
    block.kind[row & ROW] = kind;
  }

  /** The name of an event's call: as read, or by its number. */
  nameOf(event: number): string {
    const { nr, abi } = this.at(event);
    const number = nr[event & ROW];
    if (number <= NAMED) return this.#names[NAMED - number];
    return number < 0 ? "unknown" : this.calls.name(number, abi[event & ROW]);
  }

  /** Names whose number no table has, with how often each was called. */
  #unknownNames = new Map<string, number>();
  get unknownNames(): ReadonlyMap<string, number> {
    return this.#unknownNames;
  }

  /** How an image's ABI is taken: as it tells, else `otherwise`. */
  abiOfImages(otherwise: number): number[] {
    return this.#images.map((image) => (this.abi === ABI.unknown ? image.abi(otherwise) : this.abi));
  }

  /** The number of an event's call in `abi`, of a name or a number; -1: the ABI has no such call, which is counted. */
  numberOf(nr: number, abi: number): number {
    if (nr > NAMED) {
      if (!this.calls.has(nr, abi)) this.#unknown(`call ${nr}`);
      return nr;
    }
    const name = this.#names[NAMED - nr];
    const number = this.calls.number(name, abi);
    if (number < 0) this.#unknown(name);
    return number;
  }

  #unknown(name: string): void {
    const known = this.#unknownNames.get(name);
    if (known !== undefined || this.#unknownNames.size < MOST_NAMES) this.#unknownNames.set(name, (known ?? 0) + 1);
  }

  /** Number of the image that an event's program belongs to. */
  imageOf(event: number): number {
    return this.rows.block(event).image[event & ROW];
  }
}

function isSigreturn(name: string): boolean {
  return name === "rt_sigreturn" || name === "sigreturn";
}
