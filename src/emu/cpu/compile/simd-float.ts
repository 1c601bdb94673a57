// Floating-point vector operations as WebAssembly's, where these give the same bits and MXCSR stays as it is: no NaN and no
// denormal goes in, what comes out is a normal number of no extreme exponent or a zero that is exact, and where rounding
// may happen it is to nearest with PE noted and masked (VectorCode.quick). All else leaves the region before the
// instruction.
import type { VectorBytes } from "../isa/ir.ts";
import type { VectorCode } from "./simd.ts";
import { shuffle } from "./simd-integer.ts";

/** Numbers of the instructions for one width of lanes. */
interface Width {
  readonly bytes: 4 | 8;
  readonly least: number;
  /** Patterns shifted left by one, their upper 32 bits: of the least normal number, and of infinity. */
  readonly leastBits: number;
  readonly infinityBits: number;
  readonly extract: number;
  readonly replace: number;
  readonly abs: number;
  readonly nearest: number;
  readonly allTrue: number;
  readonly less: number;
  readonly most: number;
  /** Equal, unequal, less, greater, less or equal, greater or equal; of vectors, and of scalars. */
  readonly compare: number;
  readonly compareScalar: number;
  readonly lane: Readonly<Record<string, number>>;
  readonly scalar: Readonly<Record<string, number>>;
}

const SINGLE: Width = {
  bytes: 4,
  least: 2 ** -126,
  leastBits: 0x0100_0000,
  infinityBits: 0xff00_0000,
  extract: 0x1f,
  replace: 0x20,
  abs: 0xe0,
  nearest: 0x6a,
  allTrue: 0xa3,
  less: 0xea,
  most: 0xeb,
  compare: 0x41,
  compareScalar: 0x5b,
  lane: { add: 0xe4, sub: 0xe5, mul: 0xe6, div: 0xe7, sqrt: 0xe3 },
  scalar: { add: 0x92, sub: 0x93, mul: 0x94, div: 0x95, sqrt: 0x91, nearest: 0x90 },
};
const DOUBLE: Width = {
  bytes: 8,
  least: 2 ** -1022,
  leastBits: 0x0020_0000,
  infinityBits: 0xffe0_0000,
  extract: 0x21,
  replace: 0x22,
  abs: 0xec,
  nearest: 0x94,
  allTrue: 0xc3,
  less: 0xf6,
  most: 0xf7,
  compare: 0x47,
  compareScalar: 0x61,
  lane: { add: 0xf0, sub: 0xf1, mul: 0xf2, div: 0xf3, sqrt: 0xef },
  scalar: { add: 0xa0, sub: 0xa1, mul: 0xa2, div: 0xa3, sqrt: 0x9f, nearest: 0x9e },
};
const EQ = 0;
const NE = 1;
const LT = 2;
const GT = 3;
const LE = 4;
const GE = 5;

const AND = 0x4e;
const OR = 0x50;
const XOR = 0x51;
const ANY_TRUE = 0x53;
const EXTRACT_INTEGER = 0x1b;
const BITS_OF_DOUBLE = 0xbd;
const ALL_LANES = 0xf;
const TWO_31 = 2 ** 31;

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

const widthOf = (bytes: number): Width => (bytes === 8 ? DOUBLE : SINGLE);

/** `d` = `d` op `s` over `bytes` bytes; operands are locals. */
export function floatOperation(v: VectorCode, op: string, d: number, s: number, bytes: VectorBytes, imm: number): void {
  const [name, from, to] = op.split(".");
  if (to !== undefined) {
    convert(v, name, from, to, d, s, bytes);
    return;
  }
  const w = from === "f64" ? DOUBLE : SINGLE;
  const code = new FloatCode(v, w, bytes === w.bytes);
  if (name === "min" || name === "max") code.choose(name, d, s);
  else if (name === "cmp") code.compare(d, s, imm & 7);
  else if (name === "sqrt") code.root(d, s);
  else if (name === "addsub") {
    code.flipEven(s, v.temporary(2));
    code.arithmetic("add", d, d, v.temporary(2));
  } else if (name[0] === "h") {
    code.neighbours(d, s, 0, v.temporary(2));
    code.neighbours(d, s, 1, v.temporary(3));
    code.arithmetic(name.slice(1), d, v.temporary(2), v.temporary(3));
  } else code.arithmetic(name, d, d, s);
}

/** Operations on lanes of one width: on the lowest, or on all. */
class FloatCode {
  private readonly v: VectorCode;
  private readonly w: Width;
  private readonly scalar: boolean;

  constructor(v: VectorCode, w: Width, scalar: boolean) {
    this.v = v;
    this.w = w;
    this.scalar = scalar;
  }

  private get lanes(): number {
    return this.scalar ? 1 : ALL_LANES;
  }

  /** Push the lowest lane. */
  lane(local: number): void {
    this.v.asm.get(local);
    this.v.asm.vector(this.w.extract, 0);
  }

  /** Push the lowest lane's upper 32 bits without the sign: the pattern shifted left by one. */
  private bits(local: number): void {
    const { asm } = this.v;
    if (this.w.bytes === 4) {
      asm.get(local);
      asm.vector(EXTRACT_INTEGER, 0);
      asm.const(1);
      asm.op("shl");
      return;
    }
    this.lane(local);
    asm.plain(BITS_OF_DOUBLE);
    asm.const64(31);
    asm.op("shr64");
    asm.op("wrap");
  }

  /** Push the lowest lane's upper 32 bits. */
  private upper(local: number): void {
    const { asm } = this.v;
    asm.get(local);
    asm.vector(EXTRACT_INTEGER, this.w.bytes === 8 ? 1 : 0);
  }

  /** Push a number: as it is, or in all lanes. */
  private number(value: number): void {
    const { asm } = this.v;
    const { bytes } = this.w;
    if (this.scalar) {
      asm.constFloat(value, bytes);
      return;
    }
    const pattern = bytes === 8 ? new Float64Array(2).fill(value) : new Float32Array(4).fill(value);
    asm.constVector(new Uint8Array(pattern.buffer));
  }

  /** Push a comparison of what two functions push: 0 or 1, or a vector of masks. */
  private holds(relation: number, a: () => void, b: () => void): void {
    a();
    b();
    if (this.scalar) this.v.asm.plain(this.w.compareScalar + relation);
    else this.v.asm.vector(this.w.compare + relation);
  }

  private value(local: number): () => void {
    return this.scalar ? () => this.lane(local) : () => this.v.asm.get(local);
  }

  /** Push the magnitudes of all lanes. */
  private magnitude(local: number): () => void {
    return () => {
      this.v.asm.get(local);
      this.v.asm.vector(this.w.abs);
    };
  }

  private isZero(local: number): void {
    this.holds(EQ, this.value(local), () => this.number(0));
  }

  private both(): void {
    if (this.scalar) this.v.asm.op("and");
    else this.v.asm.vector(AND);
  }

  private either(): void {
    if (this.scalar) this.v.asm.op("or");
    else this.v.asm.vector(OR);
  }

  /** Leave unless what is pushed holds, in all lanes. */
  private require(condition: () => void): void {
    const { asm } = this.v;
    this.v.leaveIf(() => {
      condition();
      if (!this.scalar) asm.vector(this.w.allTrue);
      asm.op("eqz");
    });
  }

  /** Leave when a lane is a denormal number. */
  private noDenormal(local: number): void {
    const { lanes, v, w } = this;
    const { asm } = v;
    if ((v.plainLanes(local, w.bytes) & lanes) === lanes) return;
    if (this.scalar && v.pushLoaded(local, w.bytes - 4)) {
      asm.const(w.infinityBits >>> 1);
      asm.op("and");
      asm.op("eqz");
    } else if (this.scalar) {
      this.bits(local);
      asm.const(w.leastBits);
      asm.op("ltu");
    } else {
      this.holds(LT, this.magnitude(local), () => this.number(w.least));
      asm.vector(ANY_TRUE);
    }
    asm.if();
    v.leaveIf(() => {
      this.holds(NE, this.value(local), () => this.number(0));
      if (this.scalar) return;
      this.holds(LT, this.magnitude(local), () => this.number(w.least));
      asm.vector(AND);
      asm.vector(ANY_TRUE);
    });
    asm.end();
  }

  /** Leave when a lane of either is a NaN or denormal. */
  private comparable(p: number, q: number): void {
    const { v, lanes, w } = this;
    const known = v.plainLanes(p, w.bytes) & v.plainLanes(q, w.bytes) & lanes;
    if (this.scalar) {
      // Infinities need not be compared here.
      this.finite(p);
      if (q !== p) this.finite(q);
      return;
    }
    this.noDenormal(p);
    if (q !== p) this.noDenormal(q);
    if (known !== lanes) {
      this.require(() => {
        this.holds(EQ, this.value(p), this.value(p));
        if (q === p) return;
        this.holds(EQ, this.value(q), this.value(q));
        this.both();
      });
    }
    this.isPlain(p);
    this.isPlain(q);
  }

  /** The lanes in question have been seen to be plain. */
  private isPlain(local: number): void {
    const { v, w } = this;
    v.changed(local, w.bytes, v.plainLanes(local, w.bytes) | this.lanes);
  }

  /** Put the result, a vector in `from`, into `d`. */
  private put(d: number, from: number): void {
    const { asm } = this.v;
    asm.get(from);
    asm.set(d);
  }

  /** Push `d` with the scalar on top of it as its lowest lane. */
  private replace(): void {
    this.v.asm.vector(this.w.replace, 0);
  }

  /** Leave unless every lane of a result is normal, or zero and `zero` holds. */
  private result(r: number, zero: (() => void) | null): void {
    const { asm } = this.v;
    const { w } = this;
    // The least exponent may be what rounding made of less.
    if (this.scalar) {
      this.bits(r);
      asm.const(2 * w.leastBits);
      asm.op("sub");
      asm.const(w.infinityBits - 2 * w.leastBits);
      asm.op("geu");
    } else {
      this.normal(r);
      asm.vector(w.allTrue);
      asm.op("eqz");
    }
    asm.if();
    this.require(() => {
      this.isZero(r);
      if (zero !== null) {
        zero();
        this.both();
      }
      if (this.scalar) return;
      this.normal(r);
      asm.vector(OR);
    });
    asm.end();
  }

  /** Push which lanes have neither an extreme exponent nor none. */
  private normal(local: number): void {
    const { least } = this.w;
    this.holds(GE, this.magnitude(local), () => this.number(2 * least));
    this.holds(LT, this.magnitude(local), () => this.number(Number.POSITIVE_INFINITY));
    this.v.asm.vector(AND);
  }

  /** `d` = `p` op `q`. */
  arithmetic(name: string, d: number, p: number, q: number): void {
    const { v, w } = this;
    const { asm } = v;
    v.quick();
    this.noDenormal(p);
    if (q !== p) this.noDenormal(q);
    const r = v.temporary(1);
    if (this.scalar) {
      asm.get(d);
      this.lane(p);
      this.lane(q);
      asm.plain(w.scalar[name]);
      this.replace();
    } else {
      asm.get(p);
      asm.get(q);
      asm.vector(w.lane[name]);
    }
    asm.set(r);
    // A sum is zero only where that is exact.
    let zero: (() => void) | null = null;
    if (name === "div") zero = () => this.isZero(p);
    else if (name === "mul") {
      zero = () => {
        this.isZero(p);
        this.isZero(q);
        this.either();
      };
    }
    this.result(r, zero);
    this.isPlain(q);
    this.put(d, r);
    this.isPlain(d);
  }

  root(d: number, s: number): void {
    const { v, w } = this;
    const { asm } = v;
    v.quick();
    if (this.scalar) {
      // Positive and normal by its upper bits, or zero.
      this.upper(s);
      asm.const(w.leastBits >>> 1);
      asm.op("sub");
      asm.const((w.infinityBits - w.leastBits) >>> 1);
      asm.op("geu");
      asm.if();
      this.require(() => this.isZero(s));
      asm.end();
    } else {
      this.require(() => {
        this.holds(GE, this.value(s), () => this.number(w.least));
        this.holds(LT, this.value(s), () => this.number(Number.POSITIVE_INFINITY));
        this.both();
        this.isZero(s);
        this.either();
      });
    }
    if (this.scalar) {
      asm.get(d);
      this.lane(s);
      asm.plain(w.scalar["sqrt"]);
      this.replace();
    } else {
      asm.get(s);
      asm.vector(w.lane["sqrt"]);
    }
    asm.set(d);
    this.isPlain(s);
    this.isPlain(d);
  }

  /** MIN and MAX: the second operand when neither is smaller or larger. */
  choose(name: string, d: number, s: number): void {
    const { v, w } = this;
    const { asm } = v;
    this.comparable(d, s);
    const pick = () => {
      asm.get(s);
      asm.get(d);
      asm.vector(name === "min" ? w.less : w.most);
    };
    if (this.scalar) asm.get(d);
    pick();
    if (this.scalar) {
      asm.vector(w.extract, 0);
      this.replace();
    }
    asm.set(d);
    this.isPlain(d);
  }

  /** CMPcc: predicates 0 to 3, and 4 to 7 their opposites; operands are ordered. */
  compare(d: number, s: number, predicate: number): void {
    const { v, w } = this;
    const { asm } = v;
    this.comparable(d, s);
    const relation = [EQ, LT, LE, NE, NE, GE, GT, EQ][predicate];
    const against = (predicate & 3) === 3 ? d : s;
    if (this.scalar) {
      asm.get(d);
      asm.get(against);
      asm.vector(w.compare + relation);
      asm.get(d);
      const { bytes } = w;
      shuffle(
        asm,
        Array.from({ length: 16 }, (_, i) => (i < bytes ? i : 16 + i)),
      );
    } else {
      asm.get(d);
      asm.get(against);
      asm.vector(w.compare + relation);
    }
    asm.set(d);
    v.changed(d);
  }

  /** COMIS and UCOMIS of numbers: ready to be turned into flags. */
  ordered(d: number, s: number): void {
    this.comparable(d, s);
  }

  /** Push whether the lowest lanes are unequal, or the first is less. */
  relation(name: "ne" | "lt", d: number, s: number): void {
    this.holds(name === "ne" ? NE : LT, this.value(d), this.value(s));
  }

  /** `to` = `s`, the signs of its even lanes changed: ADDSUB adds that. */
  flipEven(s: number, to: number): void {
    const { asm } = this.v;
    const { bytes } = this.w;
    asm.get(s);
    asm.constVector(Uint8Array.from({ length: 16 }, (_, i) => (i % (2 * bytes) === bytes - 1 ? 0x80 : 0)));
    asm.vector(XOR);
    asm.set(to);
    this.v.changed(to);
  }

  /** Even or odd lanes of `d`, then of `s`. */
  neighbours(d: number, s: number, odd: 0 | 1, to: number): void {
    const { asm } = this.v;
    const { bytes } = this.w;
    asm.get(d);
    asm.get(s);
    shuffle(
      asm,
      Array.from({ length: 16 }, (_, i) => 2 * i - (i % bytes) + bytes * odd),
    );
    asm.set(to);
    this.v.changed(to);
  }

  /** Leave unless a result of narrowing is normal, or zero as its operand is; in the lowest lane. */
  narrowed(r: number, operandIsZero: () => void): void {
    this.result(r, operandIsZero);
  }

  /** Leave unless the lowest lane is zero or a normal number, or an infinity that has been let pass before. */
  finite(local: number): void {
    const { asm } = this.v;
    const { w } = this;
    if (this.v.plainLanes(local, w.bytes) & 1) return;
    this.bits(local);
    asm.const(w.leastBits);
    asm.op("sub");
    asm.const(w.infinityBits - w.leastBits);
    asm.op("geu");
    asm.if();
    this.require(() => this.isZero(local));
    asm.end();
    this.isPlain(local);
  }

  /** Leave unless the magnitudes are below 2^31, whole numbers or not. */
  inRange(local: number): void {
    this.require(() => {
      if (this.scalar) {
        this.lane(local);
        this.number(-TWO_31);
        this.v.asm.plain(this.w.compareScalar + GT);
        this.lane(local);
        this.number(TWO_31);
        this.v.asm.plain(this.w.compareScalar + LT);
        this.both();
      } else this.holds(LT, this.magnitude(local), () => this.number(TWO_31));
    });
  }
}

/** Bytes 8 to 15 of one lane's vector: both singles that are converted lie in the lower half. */
const LOWER_TWICE = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7];

function convert(
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
      code.narrowed(r, () => {
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
      code.narrowed(r, () => {
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

/** COMIS, UCOMIS: leave unless both are ordered, ... */
export function prepareComparison(v: VectorCode, d: number, s: number, bytes: 4 | 8): void {
  new FloatCode(v, widthOf(bytes), true).ordered(d, s);
}

/** ... then push whether they are unequal, or the first is less. */
export function pushRelation(v: VectorCode, name: "ne" | "lt", d: number, s: number, bytes: 4 | 8): void {
  new FloatCode(v, widthOf(bytes), true).relation(name, d, s);
}
