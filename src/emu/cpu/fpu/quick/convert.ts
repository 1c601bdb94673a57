// Quick conversions between slots and the formats of memory: normal values and zeros that stay normal or zero.
// The exact routines they answer for are ../float80.ts and ../round.ts.
import { FunctionCode, I32, I64, i32, i64, select, seq, when } from "../../wasm/code.ts";
import { FPU_CW, MODE_MASKED, MODE_NEAREST } from "../layout.ts";
import {
  BIAS,
  done,
  exponentWord,
  isNormal,
  isZero,
  leave,
  needMode,
  note,
  noteExact,
  significand,
  writeSlot,
  zero64,
} from "./round.ts";

const ONE = i64.const(1n);
const TOP_BIT = i64.const(1n << 63n);

interface Format {
  readonly name: string;
  readonly bytes: 4 | 8;
  /** Fraction bits, exponent bias, largest exponent of a number. */
  readonly fraction: bigint;
  readonly bias: number;
  readonly most: number;
}
const SINGLE: Format = { name: "32", bytes: 4, fraction: 23n, bias: 127, most: 0xfe };
const DOUBLE: Format = { name: "64", bytes: 8, fraction: 52n, bias: 1023, most: 0x7fe };

/** ld32(dst, host), ld64(dst, host): the real at a host address. */
function loadReal(format: Format): FunctionCode {
  const f = new FunctionCode(`ld${format.name}`, [I32, I32]);
  const [dst, host] = [f.param(0).get, f.param(1).get];
  const bits = f.local(I64);
  const [exp, sign] = [f.local(I32), f.local(I32)];
  const width = BigInt(format.bytes * 8);
  f.body = seq(
    // Sign-extended from 32 bits, so that bit 63 is the sign of either.
    bits.set(format.bytes === 8 ? i64.load(host) : i64.load32s(host)),
    exp.set(i32.and(i32.wrap(i64.shru(bits.get, i64.const(format.fraction))), i32.const(format.most + 1))),
    sign.set(i32.and(i32.wrap(i64.shru(bits.get, i64.const(48n))), i32.const(0x8000))),
    when(
      i32.ltu(i32.sub(exp.get, i32.const(1)), i32.const(format.most)),
      seq(
        writeSlot(
          dst,
          i64.or(i64.shl(bits.get, i64.const(63n - format.fraction)), TOP_BIT),
          i32.or(i32.add(exp.get, i32.const(BIAS - format.bias)), sign.get),
        ),
        done,
      ),
    ),
    when(i64.ne(i64.shl(bits.get, i64.const(65n - width)), zero64), leave),
    writeSlot(dst, zero64, sign.get),
    i32.const(1),
  );
  return f;
}

/** st32(a, host), st64(a, host): round to nearest and write at a host address. Notes C1 and PE. */
function storeReal(format: Format): FunctionCode {
  const f = new FunctionCode(`st${format.name}`, [I32, I32]);
  const [a, host] = [f.param(0).get, f.param(1).get];
  const [sig, value, up, lost] = [f.local(I64), f.local(I64), f.local(I64), f.local(I64)];
  const [se, exp] = [f.local(I32), f.local(I32)];
  const write = (bits: typeof zero64) => (format.bytes === 8 ? i64.store(host, bits) : i32.store(host, i32.wrap(bits)));
  const drop = 63n - format.fraction;
  const half = 1n << (drop - 1n);
  const signBit = i64.shl(
    i64.extendu(i32.shru(i32.and(se.get, i32.const(0x8000)), i32.const(15))),
    i64.const(BigInt(format.bytes * 8 - 1)),
  );
  f.body = seq(
    needMode(MODE_MASKED | MODE_NEAREST),
    sig.set(significand(a)),
    se.set(exponentWord(a)),
    when(isZero(sig.get, se.get), seq(write(signBit), noteExact, done)),
    when(i32.eqz(isNormal(sig.get, se.get)), leave),
    exp.set(i32.sub(i32.and(se.get, i32.const(0x7fff)), i32.const(BIAS - format.bias))),
    when(i32.eqz(i32.ltu(i32.sub(exp.get, i32.const(1)), i32.const(format.most))), leave),
    lost.set(i64.and(sig.get, i64.const(2n * half - 1n))),
    up.set(
      i64.shru(
        i64.add(i64.add(lost.get, i64.const(half - 1n)), i64.and(i64.shru(sig.get, i64.const(drop)), ONE)),
        i64.const(drop),
      ),
    ),
    // The carry of the fraction goes into the exponent; the integer bit is the one that 2^fraction * (exp - 1) leaves out.
    value.set(
      i64.add(
        i64.add(
          i64.shl(i64.extendu(i32.sub(exp.get, i32.const(1))), i64.const(format.fraction)),
          i64.shru(sig.get, i64.const(drop)),
        ),
        up.get,
      ),
    ),
    when(i32.eq(i32.wrap(i64.shru(value.get, i64.const(format.fraction))), i32.const(format.most + 1)), leave),
    write(i64.or(value.get, signBit)),
    note(i32.wrap(up.get), i64.ne(lost.get, zero64)),
    i32.const(1),
  );
  return f;
}

/** ild(dst, value): a signed integer. */
function loadInteger(): FunctionCode {
  const f = new FunctionCode("ild", [I32, I64]);
  const dst = f.param(0).get;
  const value = f.param(1);
  const [sign, count] = [f.local(I64), f.local(I64)];
  f.body = seq(
    when(i64.eqz(value.get), seq(writeSlot(dst, zero64, i32.const(0)), done)),
    sign.set(i64.shrs(value.get, i64.const(63n))),
    value.set(i64.sub(i64.xor(value.get, sign.get), sign.get)),
    count.set(i64.clz(value.get)),
    writeSlot(
      dst,
      i64.shl(value.get, count.get),
      i32.or(i32.sub(i32.const(BIAS + 63), i32.wrap(count.get)), i32.and(i32.wrap(sign.get), i32.const(0x8000))),
    ),
    i32.const(1),
  );
  return f;
}

/** ist16(a, host), ist32, ist64: round by the control word to a signed integer. Notes C1 and PE. */
function storeInteger(bits: 16 | 32 | 64): FunctionCode {
  const f = new FunctionCode(`ist${bits}`, [I32, I32]);
  const [a, host] = [f.param(0).get, f.param(1).get];
  const [sig, lo, up] = [f.local(I64), f.local(I64), f.local(I64)];
  const [se, shift, sign, rc] = [f.local(I32), f.local(I32), f.local(I32), f.local(I32)];
  const write = (value: typeof zero64) =>
    bits === 64
      ? i64.store(host, value)
      : bits === 32
        ? i32.store(host, i32.wrap(value))
        : i32.store16(host, i32.wrap(value));
  const wide = i64.extendu(shift.get);
  f.body = seq(
    needMode(MODE_MASKED),
    sig.set(significand(a)),
    se.set(exponentWord(a)),
    when(isZero(sig.get, se.get), seq(write(zero64), noteExact, done)),
    when(i32.eqz(isNormal(sig.get, se.get)), leave),
    shift.set(i32.sub(i32.const(BIAS + 63), i32.and(se.get, i32.const(0x7fff)))),
    // Magnitudes of 2^(bits-1) and more are for the exact routine.
    when(i32.lts(shift.get, i32.const(65 - bits)), leave),
    sign.set(i32.and(i32.shru(se.get, i32.const(15)), i32.const(1))),
    when(
      i32.ltu(shift.get, i32.const(64)),
      seq(lo.set(i64.shl(sig.get, i64.sub(i64.const(64n), wide))), sig.set(i64.shru(sig.get, wide))),
      // Below one: a half or more only with a shift of 64.
      seq(lo.set(select(sig.get, ONE, i32.eq(shift.get, i32.const(64)))), sig.set(zero64)),
    ),
    rc.set(i32.and(i32.shru(i32.load(i32.const(0), FPU_CW), i32.const(10)), i32.const(3))),
    when(
      i32.eqz(rc.get),
      up.set(i64.shru(i64.add(i64.sub(lo.get, ONE), i64.and(sig.get, ONE)), i64.const(63n))),
      // Down (1) takes negative values away from zero, up (2) positive ones, 3 none.
      up.set(
        i64.extendu(
          i32.or(
            i32.and(i32.eq(rc.get, i32.const(1)), sign.get),
            i32.and(i32.eq(rc.get, i32.const(2)), i32.eqz(sign.get)),
          ),
        ),
      ),
    ),
    up.set(i64.and(up.get, i64.extendu(i64.ne(lo.get, zero64)))),
    sig.set(i64.add(sig.get, up.get)),
    when(i64.ne(i64.shru(sig.get, i64.const(BigInt(bits - 1))), zero64), leave),
    when(sign.get, sig.set(i64.sub(zero64, sig.get))),
    write(sig.get),
    note(i32.wrap(up.get), i64.ne(lo.get, zero64)),
    i32.const(1),
  );
  return f;
}

/** All of them. */
export const conversions = (): FunctionCode[] => [
  loadReal(SINGLE),
  loadReal(DOUBLE),
  storeReal(SINGLE),
  storeReal(DOUBLE),
  loadInteger(),
  storeInteger(16),
  storeInteger(32),
  storeInteger(64),
];
