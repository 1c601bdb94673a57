// Shapes: what a record costs depends only on what it is (call, site, object) and how much work it did. Equal records share a
// shape, so that a price list has one entry per shape and a replay one look-up per record.

/** What kinds of records a replay has. */
export const RECORD = { call: 0, fault: 1, signal: 2, vdso: 3, none: 4 } as const;

/**
 * Bits of a shape. Those from `starves` to `noFault` hold what a ring-0 run shows at this record: the stack page is absent or read-only (cowStack)
 * when something is pushed on it; the kernel itself takes the fault on its way out; there is no plain fault (any more).
 */
export const TRAIT = {
  inline: 1,
  special: 2,
  sigreturn: 4,
  inKernel: 8,
  starves: 16,
  cowStack: 32,
  faultsInside: 64,
  noFault: 128,
  exitWork: 256,
  /** Nobody knows whether it is inline: `site.vsyscall` of it is taken as not. */
  unsited: 512,
} as const;

/** Work of a shape, in the order kept: bytes, pages, components, items, cold. */
export const SHAPE_WORKS = 5;

/** The shape of each record. */
export type ShapeNumbers = Uint16Array | Int32Array;

/** The shapes of one trace, as columns. */
export interface Shapes {
  readonly length: number;
  readonly kind: Uint8Array;
  /** Index into `names`. */
  readonly name: Uint16Array;
  /** Index into `classes`. */
  readonly class: Uint16Array;
  readonly args: Uint8Array;
  readonly traits: Uint16Array;
  /** SHAPE_WORKS numbers a shape. */
  readonly work: Float64Array;
  /** How many records have it. */
  readonly count: Float64Array;
  readonly names: readonly string[];
  readonly classes: readonly string[];
}

/** Numbers names in order of first sight. */
export class Names {
  readonly list: string[] = [];
  readonly #numbers = new Map<string, number>();
  of(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.list.length;
      this.list.push(name);
      this.#numbers.set(name, number);
    }
    return number;
  }
}

/** What is the same for all records of one call at one kind of site with one kind of object. */
export interface ShapeBase {
  readonly kind: number;
  readonly name: number;
  readonly class: number;
  readonly args: number;
  readonly traits: number;
}

/** Collects shapes: an open hash table over columns that grow. */
export class ShapeTable {
  readonly #bases: ShapeBase[] = [];
  #base = new Int32Array(1024);
  #work = new Float64Array(1024 * SHAPE_WORKS);
  #count = new Float64Array(1024);
  #length = 0;
  #slots = new Int32Array(4096).fill(-1);
  readonly #bits = new Float64Array(1);
  readonly #words = new Int32Array(this.#bits.buffer);

  /** Numbers a base. */
  addBase(base: ShapeBase): number {
    return this.#bases.push(base) - 1;
  }

  #hash(base: number, a: number, b: number, c: number, d: number, e: number): number {
    this.#bits[0] = a;
    let h = Math.imul(base + 1, 0x9e3779b1) ^ Math.imul(this.#words[0] ^ this.#words[1], 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15) ^ (b * 0x27d4eb2f), 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 13) ^ (c * 0x165667b1) ^ (d * 0x2545f491) ^ (e * 0x5bd1e995), 0x27d4eb2f);
    return (h ^ (h >>> 16)) >>> 0;
  }

  /** The shape of a record with this base and this work; counts it. */
  of(base: number, bytes: number, pages: number, components: number, items: number, cold: number): number {
    let at = this.#hash(base, bytes, pages, components, items, cold) & (this.#slots.length - 1);
    for (;;) {
      const shape = this.#slots[at];
      if (shape < 0) break;
      const w = shape * SHAPE_WORKS;
      const work = this.#work;
      if (
        this.#base[shape] === base &&
        work[w] === bytes &&
        work[w + 1] === pages &&
        work[w + 2] === components &&
        work[w + 3] === items &&
        work[w + 4] === cold
      ) {
        this.#count[shape]++;
        return shape;
      }
      at = (at + 1) & (this.#slots.length - 1);
    }
    if (this.#length === this.#base.length) this.#grow();
    const shape = this.#length++;
    this.#slots[at] = shape;
    this.#base[shape] = base;
    this.#work.set([bytes, pages, components, items, cold], shape * SHAPE_WORKS);
    this.#count[shape] = 1;
    if (this.#length * 2 > this.#slots.length) this.#rehash();
    return shape;
  }

  #grow(): void {
    const base = new Int32Array(this.#base.length * 2);
    base.set(this.#base);
    this.#base = base;
    const work = new Float64Array(this.#work.length * 2);
    work.set(this.#work);
    this.#work = work;
    const count = new Float64Array(this.#count.length * 2);
    count.set(this.#count);
    this.#count = count;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const work = this.#work;
    for (let shape = 0; shape < this.#length; shape++) {
      const w = shape * SHAPE_WORKS;
      let at =
        this.#hash(this.#base[shape], work[w], work[w + 1], work[w + 2], work[w + 3], work[w + 4]) & (slots.length - 1);
      while (slots[at] >= 0) at = (at + 1) & (slots.length - 1);
      slots[at] = shape;
    }
    this.#slots = slots;
  }

  /** The finished columns. */
  finish(names: readonly string[], classes: readonly string[]): Shapes {
    const n = this.#length;
    const bases = Array.from(this.#base.subarray(0, n), (base) => this.#bases[base]);
    return {
      length: n,
      kind: Uint8Array.from(bases, (base) => base.kind),
      name: Uint16Array.from(bases, (base) => base.name),
      class: Uint16Array.from(bases, (base) => base.class),
      args: Uint8Array.from(bases, (base) => base.args),
      traits: Uint16Array.from(bases, (base) => base.traits),
      work: this.#work.slice(0, n * SHAPE_WORKS),
      count: this.#count.slice(0, n),
      names,
      classes,
    };
  }
}
