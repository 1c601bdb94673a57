// Rows of an import under way: typed columns in blocks of 4,096 rows, of which a few are in memory and the others on the host's
// disk, so that a source of any length needs the same memory. Any row may be looked at and changed at any time.

const ARRAYS = { f64: Float64Array, i32: Int32Array, u16: Uint16Array, u8: Uint8Array } as const;
type Held = keyof typeof ARRAYS;

/** The columns of a kind of row: how a cell is held, and what a new row's holds. */
export type Layout = Readonly<Record<string, readonly [Held, number]>>;

/** The rows of a block, by column. */
export type Block<L extends Layout> = { readonly [K in keyof L]: InstanceType<(typeof ARRAYS)[L[K][0]]> };

const SHIFT = 12;
export const BLOCK_ROWS = 1 << SHIFT;
/** A row's place in its block is its number & ROW. */
export const ROW = BLOCK_ROWS - 1;

/** A file of the host's that nobody else sees. */
export interface Scratch {
  write(at: number, bytes: Uint8Array): void;
  read(at: number, into: Uint8Array): void;
}

/** Where rows go that do not stay in memory, and how many blocks do: enough for the calls that are open at a time to lie in. */
export interface Spill {
  readonly file: () => Scratch;
  readonly blocks: number;
}

interface Resident<L extends Layout> {
  readonly bytes: Uint8Array;
  readonly columns: Block<L>;
  used: number;
}

export class PagedRows<L extends Layout> {
  length = 0;
  readonly #layout: L;
  readonly #spill: Spill | undefined;
  readonly #blockBytes: number;
  readonly #resident = new Map<number, Resident<L>>();
  #file: Scratch | undefined;
  #clock = 0;
  #last = -1;
  #lastColumns!: Block<L>;
  /** Nothing is changed any more: what leaves memory is on the disk already. */
  #settled = false;

  /** Without `spill` everything stays in memory. */
  constructor(layout: L, spill?: Spill) {
    this.#layout = layout;
    this.#spill = spill;
    const widths = Object.values(layout).map(([held]) => ARRAYS[held].BYTES_PER_ELEMENT);
    this.#blockBytes = widths.reduce((sum, width) => sum + width, 0) * BLOCK_ROWS;
  }

  /** The block of a row; good until another one is asked for. */
  block(row: number): Block<L> {
    const number = row >>> SHIFT;
    return number === this.#last ? this.#lastColumns : this.#find(number);
  }

  /** Makes a row; gives its number. */
  append(): number {
    const row = this.length++;
    if ((row & ROW) === 0) this.#find(row >>> SHIFT, true);
    return row;
  }

  /** From here on rows are only read. */
  settle(): void {
    if (this.#file !== undefined && !this.#settled)
      for (const [number, { bytes }] of this.#resident) this.#file.write(number * this.#blockBytes, bytes);
    this.#settled = true;
  }

  #find(number: number, fresh = false): Block<L> {
    let found = this.#resident.get(number);
    if (found === undefined) {
      found = this.#room();
      if (fresh) this.#clear(found.columns);
      else this.#file!.read(number * this.#blockBytes, found.bytes);
      this.#resident.set(number, found);
    }
    found.used = ++this.#clock;
    this.#last = number;
    this.#lastColumns = found.columns;
    return found.columns;
  }

  /** A block to fill: the one that was looked at longest ago goes to the disk. */
  #room(): Resident<L> {
    if (this.#spill === undefined || this.#resident.size < this.#spill.blocks) return this.#make();
    let oldest = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const [number, { used }] of this.#resident) {
      if (used >= least) continue;
      least = used;
      oldest = number;
    }
    const out = this.#resident.get(oldest)!;
    this.#resident.delete(oldest);
    this.#file ??= this.#spill.file();
    if (!this.#settled) this.#file.write(oldest * this.#blockBytes, out.bytes);
    return out;
  }

  #make(): Resident<L> {
    const buffer = new ArrayBuffer(this.#blockBytes);
    let at = 0;
    const columns: Record<string, Float64Array | Int32Array | Uint16Array | Uint8Array> = {};
    // The widest first, so that every column begins where its cells may.
    const widest = Object.entries(this.#layout).sort(
      ([, [a]], [, [b]]) => ARRAYS[b].BYTES_PER_ELEMENT - ARRAYS[a].BYTES_PER_ELEMENT,
    );
    for (const [key, [held]] of widest) {
      const column = new ARRAYS[held](buffer, at, BLOCK_ROWS);
      at += column.byteLength;
      columns[key] = column;
    }
    return { bytes: new Uint8Array(buffer), columns: columns as unknown as Block<L>, used: 0 };
  }

  #clear(columns: Block<L>): void {
    for (const [key, [, empty]] of Object.entries(this.#layout)) columns[key].fill(empty);
  }
}
