// Floating-point vector operations as WebAssembly's, by name. Where rounding may happen it is to nearest with PE noted and
// masked (VectorCode.quick). What does not give the same bits leaves the region before the instruction.
import type { VectorBytes } from "../isa/ir.ts";
import { arithmetic, choose, compare, flipEven, neighbours, root } from "./float-arithmetic.ts";
import { FloatCode } from "./float-code.ts";
import { convert } from "./float-convert.ts";
import { DOUBLE, LT, NE, SINGLE, widthOf } from "./float-widths.ts";
import type { VectorCode } from "./simd.ts";

const ARITHMETIC = /^(add|sub|mul|div|sqrt|min|max|cmp|hadd|hsub|addsub)\.(f32|f64)$/;
const CONVERSIONS = new Set([
  "cvt.i32.f32",
  "cvt.i32.f64",
  "cvt.f32.f64",
  "cvt.f64.f32",
  "cvt.f32.i32",
  "cvtt.f32.i32",
  "cvt.f64.i32",
  "cvtt.f64.i32",
]);

/** Can a region do this operation? */
export function isFloatOperation(op: string): boolean {
  return ARITHMETIC.test(op) || CONVERSIONS.has(op);
}

/** `d` = `d` op `s` over `bytes` bytes; operands are locals. */
export function floatOperation(v: VectorCode, op: string, d: number, s: number, bytes: VectorBytes, imm: number): void {
  const [name, from, to] = op.split(".");
  if (to !== undefined) {
    convert(v, name, from, to, d, s, bytes);
    return;
  }
  const w = from === "f64" ? DOUBLE : SINGLE;
  const code = new FloatCode(v, w, bytes === w.bytes);
  if (name === "min" || name === "max") choose(code, name, d, s);
  else if (name === "cmp") compare(code, d, s, imm & 7);
  else if (name === "sqrt") root(code, d, s);
  else if (name === "addsub") {
    flipEven(code, s, v.temporary(2));
    arithmetic(code, "add", d, d, v.temporary(2));
  } else if (name[0] === "h") {
    neighbours(code, d, s, 0, v.temporary(2));
    neighbours(code, d, s, 1, v.temporary(3));
    arithmetic(code, name.slice(1), d, v.temporary(2), v.temporary(3));
  } else arithmetic(code, name, d, d, s);
}

/** COMIS, UCOMIS: leave unless both are ordered, ... */
export function prepareComparison(v: VectorCode, d: number, s: number, bytes: 4 | 8): void {
  new FloatCode(v, widthOf(bytes), true).comparable(d, s);
}

/** ... then push whether they are unequal, or the first is less. */
export function pushRelation(v: VectorCode, name: "ne" | "lt", d: number, s: number, bytes: 4 | 8): void {
  const code = new FloatCode(v, widthOf(bytes), true);
  code.holds(name === "ne" ? NE : LT, code.value(d), code.value(s));
}
