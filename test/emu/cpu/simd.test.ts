// What the vectors of a real processor cannot say: the approximations, whose results differ between processors, against the
// manual's bound; the quick paths of the arithmetic against the exact ones, with random operands of all exponents.
import { describe, expect, it } from "vitest";
import { DOUBLE, exactAdd, exactDivide, exactMultiply, exactRoot, SINGLE } from "../../../src/emu/cpu/simd/exact.ts";
import { doubleBits, singleBits } from "../../../src/emu/cpu/simd/float.ts";
import { vectorOperations } from "../../../src/emu/cpu/simd/operations.ts";
import { MXCSR_INIT, Simd, XMM_BYTES } from "../../../src/emu/cpu/simd/state.ts";
import { Random } from "./isa/bench-machine.ts";

const A = XMM_BYTES;
const B = XMM_BYTES + 16;

function fresh(): Simd {
  return new Simd(new ArrayBuffer(0x1_0000), 0xffff, () => {
    throw new Error("an exception is unmasked");
  });
}

describe.each([
  ["rcp.f32", (v: number) => 1 / v],
  ["rsqrt.f32", (v: number) => 1 / Math.sqrt(v)],
] as const)("%s", (op, exact) => {
  const x = fresh();
  const approximate = (bits: number): number => {
    x.u32[B >> 2] = bits;
    vectorOperations[op](x, A, B, 4, 0);
    return x.u32[A >> 2];
  };

  it("is within 1.5 * 2^-12 of the truth and raises nothing", () => {
    const random = new Random(1);
    let worst = 0;
    for (let n = 0; n < 20_000; n++) {
      const bits = ((1 + random.below(op === "rcp.f32" ? 252 : 254)) << 23) | (random.next() & 0x7f_ffff);
      approximate(bits);
      const truth = exact(x.f32[B >> 2]);
      worst = Math.max(worst, Math.abs(x.f32[A >> 2] / truth - 1));
    }
    expect(worst).toBeLessThanOrEqual(1.5 * 2 ** -12);
    expect(x.mxcsr).toBe(MXCSR_INIT);
  });

  it("knows zeros, denormals, infinities, NaNs and negative numbers", () => {
    for (const sign of [0, 0x8000_0000]) {
      expect(approximate(sign)).toBe((sign | 0x7f80_0000) >>> 0);
      expect(approximate((sign | 1) >>> 0)).toBe((sign | 0x7f80_0000) >>> 0);
      expect(approximate((sign | 0x7fa0_0000) >>> 0)).toBe((sign | 0x7fe0_0000) >>> 0);
    }
    expect(approximate(0x7f80_0000)).toBe(0);
    expect(approximate(0xff80_0000)).toBe(op === "rcp.f32" ? 0x8000_0000 : 0xffc0_0000);
    expect(approximate(0xc000_0000) === 0xffc0_0000).toBe(op === "rsqrt.f32");
  });
});

/** A pattern whose exponent is near another's or anywhere, its fraction full or almost empty. */
function operand(random: Random, wide: boolean, near: number): readonly [number, number] {
  const spread = random.below(4) === 0 ? random.below(1 << 16) : random.below(60) - 30;
  const sparse = random.below(3) === 0;
  const low = sparse ? 0 : random.next();
  const fraction = sparse ? 1 << random.below(20) : random.next();
  const exponent = wide ? (near + spread) & 0x7ff : (near + spread) & 0xff;
  const sign = random.next() & 0x8000_0000;
  if (wide) return [low, sign | (exponent << 20) | (fraction & 0xf_ffff)];
  return [sign | (exponent << 23) | (fraction & 0x7f_ffff), 0];
}

describe("quick arithmetic answers as the exact one does", () => {
  const exact = { add: exactAdd, sub: exactAdd, mul: exactMultiply, div: exactDivide, sqrt: exactRoot } as const;
  it.each(Object.keys(exact) as (keyof typeof exact)[])("%s", (name) => {
    const x = fresh();
    const random = new Random(name.length + name.charCodeAt(0));
    const wrong: string[] = [];
    for (let n = 0; n < 4000; n++) {
      const wide = (n & 1) === 1;
      const near = random.below(wide ? 0x800 : 0x100);
      const [format, bitsAt] = wide ? ([DOUBLE, doubleBits] as const) : ([SINGLE, singleBits] as const);
      for (const at of [A, B]) [x.i32[at >> 2], x.i32[(at >> 2) + 1]] = operand(random, wide, near);
      // PE set now and then: then nobody looks whether a result was exact.
      const csr = MXCSR_INIT | (random.below(4) === 0 ? 0x20 : 0) | (random.below(4) << 13);
      const [a, b] = [bitsAt(x, A), bitsAt(x, B)];
      x.mxcsr = csr;
      x.begin();
      const want =
        name === "sqrt"
          ? exactRoot(x, format, b)
          : name === "mul" || name === "div"
            ? exact[name](x, format, a, b)
            : exactAdd(x, format, a, b, name === "sub");
      x.finish();
      const flags = x.mxcsr;
      x.mxcsr = csr;
      vectorOperations[`${name}.${wide ? "f64" : "f32"}`](x, A, B, wide ? 8 : 4, 0);
      if (bitsAt(x, A) !== want || x.mxcsr !== flags)
        wrong.push(`${a.toString(16)} ${b.toString(16)} mxcsr ${csr.toString(16)}`);
    }
    expect(wrong).toEqual([]);
  });
});
