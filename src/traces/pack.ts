// Packs one column into the narrowest unsigned integers that hold its values, and unpacks it again.
import type { Column } from "./columns.ts";
import { makeColumn } from "./columns.ts";
import type { Holding } from "./schema/field.ts";

/**
 * How a column is packed. same: every cell is `low` (or unknown, when low is null); u8, u16, u32: value - low + 1, and 0 for
 * unknown; d8, d16, d32: difference to the cell above, for columns without unknowns that never fall; f64: the values
 * themselves (what 32 bits cannot hold); raw: the array's own bytes (enumerations, flags).
 */
export interface Packed {
  readonly how: "same" | "u8" | "u16" | "u32" | "d8" | "d16" | "d32" | "f64" | "raw";
  readonly low: number | null;
  readonly bytes: number;
  /** Column whose value is to be added. */
  readonly relativeTo?: string;
  /** Checksum of the packed bytes. */
  readonly check: number;
}

type PackedBytes = { readonly packed: Omit<Packed, "check">; readonly bytes: Uint8Array };

const WIDTHS = [
  { bits: 8, make: (n: number) => new Uint8Array(n) },
  { bits: 16, make: (n: number) => new Uint16Array(n) },
  { bits: 32, make: (n: number) => new Uint32Array(n) },
] as const;

function bytesOf(array: Uint8Array | Uint16Array | Uint32Array | Float64Array | Int32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Packs `column`; where `base` is given, cells are packed as their difference to it. */
export function pack(hold: Holding, column: Column, base?: Float64Array): PackedBytes {
  if (Array.isArray(column)) throw new Error("a large table has no text column");
  if (hold === "enum" || hold === "flags") {
    const bytes = bytesOf(column);
    return { packed: { how: "raw", low: null, bytes: bytes.length }, bytes };
  }
  const numbers = column as Int32Array | Float64Array;
  // Of what is unknown: negative in whole numbers, NaN in others, as is what is counted from a base.
  const differences = base === undefined ? numbers : differencesTo(numbers, base);
  const whole = differences instanceof Int32Array;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let step = 0;
  let climbs = column.length > 0;
  let all = true;
  let before = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < differences.length; i++) {
    const value = differences[i];
    if (whole ? value < 0 : Number.isNaN(value)) {
      all = false;
      continue;
    }
    if (value < low) low = value;
    if (value > high) high = value;
    if (value < before) climbs = false;
    else if (i > 0 && value - before > step) step = value - before;
    before = value;
  }
  climbs &&= all;
  if (low === Number.POSITIVE_INFINITY)
    return { packed: { how: "same", low: null, bytes: 0 }, bytes: new Uint8Array(0) };
  if (all && low === high && base === undefined)
    return { packed: { how: "same", low, bytes: 0 }, bytes: new Uint8Array(0) };
  const width = WIDTHS.find(({ bits }) => high - low + 1 < 2 ** bits);
  const stepWidth = climbs && base === undefined ? WIDTHS.find(({ bits }) => step < 2 ** bits) : undefined;
  if (stepWidth !== undefined && stepWidth.bits < (width?.bits ?? 64)) {
    const packed = stepWidth.make(column.length);
    for (let i = 1; i < numbers.length; i++) packed[i] = numbers[i] - numbers[i - 1];
    return { packed: { how: `d${stepWidth.bits}`, low, bytes: packed.byteLength }, bytes: bytesOf(packed) };
  }
  if (width === undefined) {
    const plain = Float64Array.from(differences);
    return { packed: { how: "f64", low: null, bytes: plain.byteLength }, bytes: bytesOf(plain) };
  }
  const packed = width.make(column.length);
  for (let i = 0; i < differences.length; i++) {
    const value = differences[i];
    packed[i] = (whole ? value < 0 : Number.isNaN(value)) ? 0 : value - low + 1;
  }
  return { packed: { how: `u${width.bits}`, low, bytes: packed.byteLength }, bytes: bytesOf(packed) };
}

function differencesTo(column: Int32Array | Float64Array, base: Float64Array): Float64Array {
  const differences = new Float64Array(column.length);
  for (let i = 0; i < column.length; i++) differences[i] = column[i] - base[i];
  return differences;
}

/** The column of `length` cells again. `bytes` must begin at a multiple of 8 of its buffer. */
export function unpack(hold: Holding, packed: Packed, bytes: Uint8Array, length: number, base?: Float64Array): Column {
  const { buffer, byteOffset } = bytes;
  if (hold === "enum") return new Uint8Array(buffer, byteOffset, length);
  if (hold === "flags") return new Uint16Array(buffer, byteOffset, length);
  if (packed.how === "same") {
    const column = makeColumn(hold, length) as Float64Array | Int32Array;
    return packed.low === null ? column : column.fill(packed.low);
  }
  if (packed.how === "f64") return addBase(new Float64Array(buffer, byteOffset, length), hold, base);
  const bits = packed.how.slice(1);
  const cells =
    bits === "8"
      ? new Uint8Array(buffer, byteOffset, length)
      : bits === "16"
        ? new Uint16Array(buffer, byteOffset, length)
        : new Uint32Array(buffer, byteOffset, length);
  const column = hold === "id" || hold === "small" ? new Int32Array(length) : new Float64Array(length);
  const low = packed.low ?? 0;
  if (packed.how.startsWith("d")) {
    let value = low;
    for (let i = 0; i < length; i++) {
      value += cells[i];
      column[i] = value;
    }
    return column;
  }
  // Widened by the host first, so that each loop sees one kind of array.
  column.set(cells);
  const add = low - 1;
  if (column instanceof Int32Array) for (let i = 0; i < length; i++) column[i] = column[i] === 0 ? -1 : column[i] + add;
  else for (let i = 0; i < length; i++) column[i] = column[i] === 0 ? Number.NaN : column[i] + add;
  return addBase(column, hold, base);
}

function addBase(column: Float64Array | Int32Array, hold: Holding, base: Float64Array | undefined): Column {
  if (base !== undefined) for (let i = 0; i < column.length; i++) column[i] += base[i];
  else if (hold === "id" || hold === "small") return column instanceof Int32Array ? column : Int32Array.from(column);
  return column;
}
