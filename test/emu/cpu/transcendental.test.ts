// The x87's functions against references of 400 bits: the error in units of the last place, to nearest, and monotony.
// FSIN, FCOS and FPTAN reduce with the 66-bit pi that the processors have: the reference takes the same multiple of it.
import { describe, expect, test } from "vitest";
import { F80 } from "../../../src/emu/cpu/fpu/float80.ts";
import { FloatEnv } from "../../../src/emu/cpu/fpu/round.ts";
import {
  atan2,
  exp2MinusOne,
  logTimes,
  logTimesPlusOne,
  sineCosine,
  tangent,
} from "../../../src/emu/cpu/fpu/transcendental.ts";
import { Random } from "./isa/bench-machine.ts";
import { angle, expm1, LN2, ln, ONE, P, PI, sincos, ulps } from "./reference.ts";

const ARGUMENTS = process.env["KMLAB_SLOW"] ? 100_000 : 2000;
/** The manual promises less than one; these are rounded once from many more bits. */
const BOUND = 0.5001;
const BIAS = 0x3fff;
const HALF_PI_66 = 0xc_90fd_aa22_168c_234cn << BigInt(P - 67);

const significand = (x: F80): bigint => (BigInt(x.hi) << 32n) | BigInt(x.lo);
const scaled = (m: bigint, by: number): bigint => (by >= 0 ? m << BigInt(by) : m >> BigInt(-by));
const fixed = (x: F80): bigint => (x.sign ? -1n : 1n) * scaled(significand(x), x.exp - BIAS - 63 + P);

/** A number with an exponent from a range; every fourth has few digits. */
function number(random: Random, [least, most]: readonly [number, number], signed = true): F80 {
  const exp = BIAS + least + random.below(most - least + 1);
  const few = random.below(4) === 0;
  const hi = (random.next() | 0x8000_0000) & (few ? 0xfff0_0000 : -1);
  return new F80(signed ? random.below(2) : 0, exp, hi >>> 0, few ? 0 : random.next() >>> 0);
}

interface Tried {
  readonly name: string;
  /** Arguments at random. */
  arguments(random: Random): F80[];
  compute(env: FloatEnv, out: F80, x: readonly F80[]): void;
  reference(x: readonly F80[]): bigint;
}

/** Quadrant and rest by the processors' pi. */
function reduced(x: F80): { quadrant: number; s: bigint; c: bigint } {
  const value = fixed(x);
  const turns = (value < 0n ? value - HALF_PI_66 / 2n : value + HALF_PI_66 / 2n) / HALF_PI_66;
  const { s, c } = sincos(value - turns * HALF_PI_66);
  return { quadrant: Number(((turns % 4n) + 4n) % 4n), s, c };
}
const turned = ({ quadrant, s, c }: ReturnType<typeof reduced>, by: number): bigint =>
  [s, c, -s, -c][(quadrant + by) & 3];

/** log2 of a positive number. */
function log2(value: bigint): bigint {
  const k = value.toString(2).length - 1 - P;
  return BigInt(k) * ONE + (ln(k >= 0 ? value >> BigInt(k) : value << BigInt(-k)) << BigInt(P)) / LN2;
}

/** A wide range now and then: most arguments are of ordinary size. */
const angles = (random: Random): F80[] => [number(random, random.below(8) ? [-20, 8] : [-60, 62])];

const TRIED: readonly Tried[] = [
  {
    name: "FSIN",
    arguments: angles,
    compute: (env, out, [x]) => void sineCosine(env, out, null, x),
    reference: ([x]) => turned(reduced(x), 0),
  },
  {
    name: "FCOS",
    arguments: angles,
    compute: (env, out, [x]) => void sineCosine(env, null, out, x),
    reference: ([x]) => turned(reduced(x), 1),
  },
  {
    name: "FPTAN",
    arguments: angles,
    compute: (env, out, [x]) => void tangent(env, out, x),
    reference: ([x]) => {
      const r = reduced(x);
      return (turned(r, 0) << BigInt(P)) / turned(r, 1);
    },
  },
  {
    name: "FPATAN",
    arguments: (random) => {
      const exp = random.below(40) - 20;
      return [number(random, [-12, 12]), number(random, [-12, 12])].map(
        (x) => new F80(x.sign, x.exp + exp, x.hi, x.lo),
      );
    },
    compute: (env, out, [y, x]) => atan2(env, out, y, x),
    reference: ([y, x]) => {
      const shift = BIAS - Math.max(y.exp, x.exp);
      return angle(scaled(fixed(y), shift), scaled(fixed(x), shift));
    },
  },
  {
    name: "F2XM1",
    arguments: (random) => [number(random, [random.below(4) ? -10 : -60, -1])],
    compute: (env, out, [x]) => exp2MinusOne(env, out, x),
    reference: ([x]) => expm1((fixed(x) * LN2) >> BigInt(P)),
  },
  {
    name: "FYL2X",
    arguments: (random) => [number(random, random.below(3) ? [-2, 1] : [-100, 100], false), number(random, [-8, 8])],
    compute: (env, out, [x, y]) => logTimes(env, out, x, y),
    reference: ([x, y]) => (log2(fixed(x)) * fixed(y)) >> BigInt(P),
  },
  {
    name: "FYL2XP1",
    arguments: (random) => [number(random, [random.below(3) ? -12 : -60, -3]), number(random, [-8, 8])],
    compute: (env, out, [x, y]) => logTimesPlusOne(env, out, x, y),
    reference: ([x, y]) => (log2(ONE + fixed(x)) * fixed(y)) >> BigInt(P),
  },
];

describe("the functions of the x87", () => {
  test.each(TRIED)("$name errs by less than the manual's bound", ({ name, arguments: some, compute, reference }) => {
    const env = new FloatEnv();
    const out = new F80();
    const random = new Random(1);
    let most = 0;
    for (let n = 0; n < ARGUMENTS; n++) {
      const x = some(random);
      const want = reference(x);
      env.flags = 0;
      compute(env, out, x);
      if (want === 0n) continue;
      const error = ulps(out.sign, out.exp - BIAS, significand(out), want);
      if (error > most) most = error;
    }
    process.stdout.write(`${name}: ${most.toFixed(4)} units in the last place at most, of ${ARGUMENTS} arguments\n`);
    expect(most).toBeLessThan(BOUND);
    expect(most).toBeGreaterThan(0.4);
  });

  test("are monotone over neighbouring arguments", () => {
    const env = new FloatEnv();
    const [before, out] = [new F80(), new F80()];
    const one = new F80(0, BIAS, 0x8000_0000, 0);
    const falling: string[] = [];
    const random = new Random(2);
    for (const [name, compute, exp] of [
      ["FSIN", (x: F80) => sineCosine(env, out, null, x), BIAS - 1],
      ["FPTAN", (x: F80) => tangent(env, out, x), BIAS - 2],
      ["FPATAN", (x: F80) => atan2(env, out, x, one), BIAS + 1],
      ["F2XM1", (x: F80) => exp2MinusOne(env, out, x), BIAS - 3],
      ["FYL2X", (x: F80) => logTimes(env, out, x, one), BIAS + 2],
      ["FYL2XP1", (x: F80) => logTimesPlusOne(env, out, x, one), BIAS - 4],
    ] as const) {
      for (let series = 0; series < 4; series++) {
        const start = ((random.next() | 0x8000_0000) & ~0xffff) >>> 0;
        before.set(1, BIAS, 0x8000_0000, 0);
        for (let lo = 0; lo < 60; lo++) {
          compute(new F80(0, exp, start, lo));
          const order = out.exp - before.exp || out.hi - before.hi || out.lo - before.lo;
          if (before.sign === 0 && order < 0) falling.push(`${name} ${start.toString(16)} ${lo}`);
          before.copy(out);
        }
      }
    }
    expect(falling).toEqual([]);
  });

  test("2^63 and more is out of range for the circular functions, and changes nothing", () => {
    const env = new FloatEnv();
    const out = new F80(0, 1, 2, 3);
    const x = new F80(1, BIAS + 63, 0x8000_0000, 0);
    expect(sineCosine(env, out, null, x)).toBe(false);
    expect(tangent(env, out, x)).toBe(false);
    expect([out.sign, out.exp, out.hi, out.lo]).toEqual([0, 1, 2, 3]);
    expect(sineCosine(env, out, null, new F80(1, BIAS + 62, 0xffff_ffff, 0xffff_ffff))).toBe(true);
  });

  test("the reference knows pi", () => {
    expect((PI >> BigInt(P - 64)).toString(16)).toBe("3243f6a8885a308d3");
  });
});
