// Lanes of floating-point numbers in compiled code: what is pushed of them, and what the region is left for. No NaN and no
// denormal goes in, what comes out is a normal number of no extreme exponent or a zero that is exact, so that WebAssembly
// gives the same bits and MXCSR stays as it is.
import {
  ALL_LANES,
  AND,
  ANY_TRUE,
  BITS_OF_DOUBLE,
  EQ,
  EXTRACT_INTEGER,
  GE,
  GT,
  LT,
  NE,
  OR,
  TWO_31,
  type Width,
} from "./float-widths.ts";
import type { VectorCode } from "./simd.ts";

/** Lanes of one width: the lowest, or all. */
export class FloatCode {
  readonly v: VectorCode;
  readonly w: Width;
  readonly scalar: boolean;

  constructor(v: VectorCode, w: Width, scalar: boolean) {
    this.v = v;
    this.w = w;
    this.scalar = scalar;
  }

  get lanes(): number {
    return this.scalar ? 1 : ALL_LANES;
  }

  /** Push the lowest lane. */
  lane(local: number): void {
    this.v.asm.get(local);
    this.v.asm.vector(this.w.extract, 0);
  }

  /** Push the lowest lane's upper 32 bits without the sign: the pattern shifted left by one. */
  bits(local: number): void {
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
  upper(local: number): void {
    const { asm } = this.v;
    asm.get(local);
    asm.vector(EXTRACT_INTEGER, this.w.bytes === 8 ? 1 : 0);
  }

  /** Push a number: as it is, or in all lanes. */
  number(value: number): void {
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
  holds(relation: number, a: () => void, b: () => void): void {
    a();
    b();
    if (this.scalar) this.v.asm.plain(this.w.compareScalar + relation);
    else this.v.asm.vector(this.w.compare + relation);
  }

  value(local: number): () => void {
    return this.scalar ? () => this.lane(local) : () => this.v.asm.get(local);
  }

  /** Push the magnitudes of all lanes. */
  magnitude(local: number): () => void {
    return () => {
      this.v.asm.get(local);
      this.v.asm.vector(this.w.abs);
    };
  }

  isZero(local: number): void {
    this.holds(EQ, this.value(local), () => this.number(0));
  }

  both(): void {
    if (this.scalar) this.v.asm.op("and");
    else this.v.asm.vector(AND);
  }

  either(): void {
    if (this.scalar) this.v.asm.op("or");
    else this.v.asm.vector(OR);
  }

  /** Leave unless what is pushed holds, in all lanes. */
  require(condition: () => void): void {
    const { asm } = this.v;
    this.v.leaveIf(() => {
      condition();
      if (!this.scalar) asm.vector(this.w.allTrue);
      asm.op("eqz");
    });
  }

  /** Leave when a lane is a denormal number. */
  noDenormal(local: number): void {
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
  comparable(p: number, q: number): void {
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

  /** The lanes in question have been seen to be plain. */
  isPlain(local: number): void {
    const { v, w } = this;
    v.changed(local, w.bytes, v.plainLanes(local, w.bytes) | this.lanes);
  }

  /** Push `d` with the scalar on top of it as its lowest lane. */
  replace(): void {
    this.v.asm.vector(this.w.replace, 0);
  }

  /** Leave unless every lane of a result is normal, or zero and `zero` holds. */
  result(r: number, zero: (() => void) | null): void {
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
  normal(local: number): void {
    const { least } = this.w;
    this.holds(GE, this.magnitude(local), () => this.number(2 * least));
    this.holds(LT, this.magnitude(local), () => this.number(Number.POSITIVE_INFINITY));
    this.v.asm.vector(AND);
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
