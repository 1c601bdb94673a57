// Where the recorder keeps events while a program runs: blocks of typed arrays that never move, zero meaning unknown, so that
// a column nobody writes costs no memory and growing copies nothing. decode() makes the columns of the schema out of them.
import { type Column, makeColumn } from "../../traces/columns.ts";
import type { Field } from "../../traces/schema/field.ts";
import { type EventColumns, TABLES } from "../../traces/schema/tables.ts";

const SHIFT = 15;
/** Events a block. */
export const ROWS = 1 << SHIFT;
const MASK = ROWS - 1;
/** Marks, above the bits of FLAGS, that ret is known: every value of ret means something. */
const RET_KNOWN = 0x4000;

/** Columns that most events leave unknown: a block has one from the first cell on that is known. */
const NO_SPARSE = {
  bytes: null,
  items: null,
  components: null,
  pages: null,
  cold: null,
  obj: null,
  off: null,
  addr: null,
};
export type SparseKey = keyof typeof NO_SPARSE;

/** One block. Every column but ret and the enumerations holds its value plus one. */
export class EventChunk {
  readonly task = new Int32Array(ROWS);
  readonly cpu = new Int32Array(ROWS);
  readonly parent = new Int32Array(ROWS);
  readonly kind = new Uint8Array(ROWS);
  readonly nr = new Int32Array(ROWS);
  readonly abi = new Uint8Array(ROWS);
  readonly site = new Uint8Array(ROWS);
  readonly path = new Uint8Array(ROWS);
  readonly tIn = new Float64Array(ROWS);
  readonly tOut = new Float64Array(ROWS);
  readonly user = new Float64Array(ROWS);
  readonly kinstr = new Float64Array(ROWS);
  readonly charge = new Float64Array(ROWS);
  readonly blocked = new Float64Array(ROWS);
  readonly ret = new Float64Array(ROWS);
  readonly flags = new Uint16Array(ROWS);
  readonly sp = new Float64Array(ROWS);
  readonly access = new Uint8Array(ROWS);
  readonly cause = new Uint8Array(ROWS);
  readonly sparse: Record<SparseKey, Float64Array | null> = { ...NO_SPARSE };

  setRet(at: number, ret: number): void {
    this.ret[at] = ret;
    this.flags[at] |= RET_KNOWN;
  }

  setSparse(key: SparseKey, at: number, value: number): void {
    const { sparse } = this;
    let cells = sparse[key];
    if (cells === null) {
      cells = new Float64Array(ROWS);
      sparse[key] = cells;
    }
    cells[at] = value + 1;
  }
}

type Cells = Int32Array | Float64Array | Uint8Array | Uint16Array;

export class EventChunks {
  readonly #chunks: EventChunk[] = [];
  length = 0;

  /** The block that holds event `seq`; its place there is seq & (ROWS - 1). */
  of(seq: number): EventChunk {
    return this.#chunks[seq >> SHIFT];
  }

  /** Makes room for one event more and gives the block it goes to; its number is the length before. */
  append(): EventChunk {
    const seq = this.length++;
    if ((seq & MASK) === 0) this.#chunks.push(new EventChunk());
    return this.#chunks[seq >> SHIFT];
  }

  decode(): EventColumns {
    const columns: Record<string, Column | number> = { length: this.length };
    for (const [key, field] of Object.entries(TABLES.events.fields) as [string, Field][]) {
      if (field.hold === "row") continue;
      const column = makeColumn(field.hold, this.length) as Cells;
      for (let from = 0; from < this.length; from += ROWS) {
        const chunk = this.#chunks[from >> SHIFT];
        const cells = key in chunk.sparse ? chunk.sparse[key as SparseKey] : (chunk[key as keyof EventChunk] as Cells);
        const rows = Math.min(ROWS, this.length - from);
        if (cells !== null) decodeCells(key, field, cells, chunk.flags, column.subarray(from, from + rows));
      }
      columns[key] = column;
    }
    return columns as unknown as EventColumns;
  }
}

function decodeCells(key: string, field: Field, cells: Cells, flags: Uint16Array, column: Cells): void {
  const rows = column.length;
  if (key === "ret") {
    for (let i = 0; i < rows; i++) if (flags[i] & RET_KNOWN) column[i] = cells[i];
  } else if (field.hold === "enum") {
    column.set(cells.subarray(0, rows));
  } else if (field.hold === "flags") {
    for (let i = 0; i < rows; i++) column[i] = cells[i] & ~RET_KNOWN;
  } else if (cells instanceof Int32Array) {
    lessOneInt(cells, column as Int32Array);
  } else {
    lessOne(cells as Float64Array, column);
  }
}

// One loop for each kind of array, so that each stays specialised.

function lessOneInt(cells: Int32Array, column: Int32Array): void {
  for (let i = 0; i < column.length; i++) if (cells[i] !== 0) column[i] = cells[i] - 1;
}

function lessOne(cells: Float64Array, column: Cells): void {
  for (let i = 0; i < column.length; i++) if (cells[i] !== 0) column[i] = cells[i] - 1;
}
