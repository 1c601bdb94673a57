// Sums, products, quotients, roots, minima and comparisons of floating-point lanes in compiled code.
import type { FloatCode } from "./float-code.ts";
import { EQ, GE, GT, LE, LT, NE, XOR } from "./float-widths.ts";
import { shuffle } from "./simd-integer.ts";

/** `d` = `p` op `q`. */
export function arithmetic(c: FloatCode, name: string, d: number, p: number, q: number): void {
  const { v, w } = c;
  const { asm } = v;
  v.quick();
  c.noDenormal(p);
  if (q !== p) c.noDenormal(q);
  const r = v.temporary(1);
  if (c.scalar) {
    asm.get(d);
    c.lane(p);
    c.lane(q);
    asm.plain(w.scalar[name]);
    c.replace();
  } else {
    asm.get(p);
    asm.get(q);
    asm.vector(w.lane[name]);
  }
  asm.set(r);
  // A sum is zero only where that is exact.
  let zero: (() => void) | null = null;
  if (name === "div") zero = () => c.isZero(p);
  else if (name === "mul") {
    zero = () => {
      c.isZero(p);
      c.isZero(q);
      c.either();
    };
  }
  c.result(r, zero);
  c.isPlain(q);
  asm.get(r);
  asm.set(d);
  c.isPlain(d);
}

/** `d` = the root of `s`. */
export function root(c: FloatCode, d: number, s: number): void {
  const { v, w } = c;
  const { asm } = v;
  v.quick();
  if (c.scalar) {
    // Positive and normal by its upper bits, or zero.
    c.upper(s);
    asm.const(w.leastBits >>> 1);
    asm.op("sub");
    asm.const((w.infinityBits - w.leastBits) >>> 1);
    asm.op("geu");
    asm.if();
    c.require(() => c.isZero(s));
    asm.end();
  } else {
    c.require(() => {
      c.holds(GE, c.value(s), () => c.number(w.least));
      c.holds(LT, c.value(s), () => c.number(Number.POSITIVE_INFINITY));
      c.both();
      c.isZero(s);
      c.either();
    });
  }
  if (c.scalar) {
    asm.get(d);
    c.lane(s);
    asm.plain(w.scalar["sqrt"]);
    c.replace();
  } else {
    asm.get(s);
    asm.vector(w.lane["sqrt"]);
  }
  asm.set(d);
  c.isPlain(s);
  c.isPlain(d);
}

/** `d` = a vector on the lanes in question, of operands that can be compared. */
function compared(c: FloatCode, d: number, s: number, push: () => void): void {
  const { asm } = c.v;
  c.comparable(d, s);
  if (c.scalar) asm.get(d);
  push();
  if (c.scalar) {
    asm.vector(c.w.extract, 0);
    c.replace();
  }
  asm.set(d);
}

/** MIN and MAX: the second operand when neither is smaller or larger. */
export function choose(c: FloatCode, name: string, d: number, s: number): void {
  const { asm } = c.v;
  compared(c, d, s, () => {
    asm.get(s);
    asm.get(d);
    asm.vector(name === "min" ? c.w.less : c.w.most);
  });
  c.isPlain(d);
}

/** CMPcc: predicates 0 to 3, and 4 to 7 their opposites; operands are ordered. */
export function compare(c: FloatCode, d: number, s: number, predicate: number): void {
  const { asm } = c.v;
  const relation = [EQ, LT, LE, NE, NE, GE, GT, EQ][predicate];
  compared(c, d, s, () => {
    asm.get(d);
    asm.get((predicate & 3) === 3 ? d : s);
    asm.vector(c.w.compare + relation);
  });
  c.v.changed(d);
}

/** `to` = `s`, the signs of its even lanes changed: ADDSUB adds that. */
export function flipEven(c: FloatCode, s: number, to: number): void {
  const { asm } = c.v;
  const { bytes } = c.w;
  asm.get(s);
  asm.constVector(Uint8Array.from({ length: 16 }, (_, i) => (i % (2 * bytes) === bytes - 1 ? 0x80 : 0)));
  asm.vector(XOR);
  asm.set(to);
  c.v.changed(to);
}

/** Even or odd lanes of `d`, then of `s`. */
export function neighbours(c: FloatCode, d: number, s: number, odd: 0 | 1, to: number): void {
  const { asm } = c.v;
  const { bytes } = c.w;
  asm.get(d);
  asm.get(s);
  shuffle(
    asm,
    Array.from({ length: 16 }, (_, i) => 2 * i - (i % bytes) + bytes * odd),
  );
  asm.set(to);
  c.v.changed(to);
}
