// Conversions between integers, singles and doubles in compiled code.
import type { VectorBytes } from "../isa/ir.ts";
import { FloatCode } from "./float-code.ts";
import { ALL_LANES, DOUBLE, EQ, EXTRACT_INTEGER, SINGLE, type Width, widthOf } from "./float-widths.ts";
import type { VectorCode } from "./simd.ts";
import { shuffle } from "./simd-integer.ts";

/** Bytes 8 to 15 of one lane's vector: both singles that are converted lie in the lower half. */
const LOWER_TWICE = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7];

/** CVT between numbers of 32-bit integers and floating point. */
export function convert(
  v: VectorCode,
  name: string,
  from: string,
  to: string,
  d: number,
  s: number,
  bytes: VectorBytes,
): void {
  const { asm } = v;
  const r = v.temporary(1);
  if (from === "i32") {
    const scalar = bytes === (to === "f64" ? 8 : 4);
    const w = to === "f64" ? DOUBLE : SINGLE;
    if (to === "f32") v.quick();
    if (scalar) asm.get(d);
    asm.get(s);
    if (scalar) {
      asm.vector(EXTRACT_INTEGER, 0);
      asm.plain(to === "f64" ? 0xb7 : 0xb2);
      asm.vector(w.replace, 0);
    } else asm.vector(to === "f64" ? 0xfe : 0xfa);
    asm.set(d);
    v.changed(d, w.bytes, scalar ? 1 : ALL_LANES);
  } else if (to === "i32") toIntegers(v, name === "cvtt", widthOf(from === "f64" ? 8 : 4), d, s, bytes);
  else if (to === "f64") {
    const scalar = bytes === 8;
    const code = new FloatCode(v, SINGLE, true);
    code.finite(s);
    if (scalar) {
      asm.get(d);
      code.lane(s);
      asm.plain(0xbb);
      asm.vector(DOUBLE.replace, 0);
    } else {
      // The second operand likewise, from the lowest lane.
      asm.get(s);
      asm.get(s);
      shuffle(
        asm,
        Array.from({ length: 16 }, (_, i) => 4 + (i & 3)),
      );
      asm.set(r);
      v.changed(r);
      code.finite(r);
      asm.get(s);
      asm.vector(0x5f);
    }
    asm.set(d);
    v.changed(d, 8, scalar ? 1 : ALL_LANES);
  } else {
    v.quick();
    const scalar = bytes === 4;
    const code = new FloatCode(v, SINGLE, scalar);
    if (scalar) {
      asm.get(d);
      new FloatCode(v, DOUBLE, true).lane(s);
      asm.plain(0xb6);
      asm.vector(SINGLE.replace, 0);
      asm.set(r);
      code.result(r, () => {
        new FloatCode(v, DOUBLE, true).lane(s);
        asm.constFloat(0, 8);
        asm.plain(DOUBLE.compareScalar + EQ);
      });
    } else {
      asm.get(s);
      asm.vector(0x5e);
      // Both results in both halves, so that all lanes are of them.
      asm.set(r);
      asm.get(r);
      asm.get(r);
      shuffle(asm, LOWER_TWICE);
      asm.set(r);
      code.result(r, () => {
        asm.get(s);
        asm.constVector(new Uint8Array(16));
        asm.vector(DOUBLE.compare + EQ);
        asm.set(v.temporary(2));
        asm.get(v.temporary(2));
        asm.get(v.temporary(2));
        shuffle(asm, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);
      });
    }
    asm.get(r);
    if (!scalar) {
      asm.get(d);
      shuffle(
        asm,
        Array.from({ length: 16 }, (_, i) => (i < 8 ? i : 16 + i)),
      );
    }
    asm.set(d);
    v.changed(d, 4, scalar ? 1 : 3);
  }
}

/** CVT(T)PS2DQ, CVT(T)PD2DQ. */
function toIntegers(v: VectorCode, truncate: boolean, w: Width, d: number, s: number, bytes: VectorBytes): void {
  const { asm } = v;
  const r = v.temporary(1);
  v.quick();
  asm.get(s);
  if (!truncate) asm.vector(w.nearest);
  asm.set(r);
  new FloatCode(v, w, false).inRange(r);
  asm.get(r);
  asm.vector(w.bytes === 8 ? 0xfc : 0xf8);
  if (bytes === 8) {
    asm.get(d);
    shuffle(
      asm,
      Array.from({ length: 16 }, (_, i) => (i < 8 ? i : 16 + i)),
    );
  }
  asm.set(d);
  v.changed(d);
}

/** CVT(T)SS2SI, CVT(T)SD2SI: push the integer. */
export function scalarToInteger(v: VectorCode, s: number, bytes: 4 | 8, truncate: boolean): void {
  const { asm } = v;
  const w = widthOf(bytes);
  const code = new FloatCode(v, w, true);
  v.quick();
  let from = s;
  if (!truncate) {
    from = v.temporary(1);
    asm.get(s);
    asm.vector(w.nearest);
    asm.set(from);
  }
  code.inRange(from);
  code.lane(from);
  asm.plain(bytes === 8 ? 0xaa : 0xa8);
}
