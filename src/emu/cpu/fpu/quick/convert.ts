// Quick conversions between values and the formats of memory: normal values and zeros that stay normal or zero.
// The exact routines they answer for are ../float80.ts and ../round.ts.
import { FunctionCode, I32, I64, i32, i64, returning, select, seq, when } from "../../wasm/code.ts";
import { FPU_CW, TAG_ZERO } from "../layout.ts";
import { BIAS, EXPONENT, isPlain, isSmooth, note, noteExact, refuse, SIGN, zero64 } from "./round.ts";

const ONE = i64.const(1n);
const TOP_BIT = i64.const(1n << 63n);
const none = i32.const(0);
/** Second result of a store: whether it is to be made. */
const yes = i32.const(1);

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

/** ld32(bits), ld64(bits): the value of a real; a single's bits are sign-extended. */
function loadReal(format: Format): FunctionCode {
  const f = new FunctionCode(`ld${format.name}`, [I64], [I64, I32]);
  const bits = f.param(0);
  const [exp, sign] = [f.local(I32), f.local(I32)];
  const width = BigInt(format.bytes * 8);
  f.body = seq(
    exp.set(i32.and(i32.wrap(i64.shru(bits.get, i64.const(format.fraction))), i32.const(format.most + 1))),
    sign.set(i32.and(i32.wrap(i64.shru(bits.get, i64.const(48n))), SIGN)),
    when(
      i32.geu(i32.sub(exp.get, i32.const(1)), i32.const(format.most)),
      seq(
        when(i64.ne(i64.shl(bits.get, i64.const(65n - width)), zero64), refuse),
        zero64,
        returning(i32.or(sign.get, i32.const(TAG_ZERO))),
      ),
    ),
    i64.or(i64.shl(bits.get, i64.const(63n - format.fraction)), TOP_BIT),
    i32.or(i32.add(exp.get, i32.const(BIAS - format.bias)), sign.get),
  );
  return f;
}

/** st32(value), st64(value): the bits of a real, rounded to nearest, and 1; or 0, 0. Notes C1 and PE. */
function storeReal(format: Format): FunctionCode {
  const f = new FunctionCode(`st${format.name}`, [I64, I32], [I64, I32]);
  const [sig, se] = [f.param(0), f.param(1)];
  const [bits, up, lost, sign] = [f.local(I64), f.local(I64), f.local(I64), f.local(I64)];
  const exp = f.local(I32);
  const drop = 63n - format.fraction;
  const half = 1n << (drop - 1n);
  const no = seq(zero64, returning(none));
  f.body = seq(
    sign.set(
      i64.shl(i64.extendu(i32.shru(i32.and(se.get, SIGN), i32.const(15))), i64.const(BigInt(format.bytes * 8 - 1))),
    ),
    when(i32.eqz(isPlain(se.get)), seq(when(i32.eqz(isSmooth(se.get)), no), noteExact, sign.get, returning(yes))),
    exp.set(i32.sub(i32.and(se.get, EXPONENT), i32.const(BIAS - format.bias + 1))),
    when(i32.geu(exp.get, i32.const(format.most)), no),
    lost.set(i64.and(sig.get, i64.const(2n * half - 1n))),
    up.set(
      i64.shru(
        i64.add(i64.add(lost.get, i64.const(half - 1n)), i64.and(i64.shru(sig.get, i64.const(drop)), ONE)),
        i64.const(drop),
      ),
    ),
    // The carry of the fraction goes into the exponent; the integer bit makes up for the exponent being one short.
    bits.set(
      i64.add(
        i64.add(i64.shl(i64.extendu(exp.get), i64.const(format.fraction)), i64.shru(sig.get, i64.const(drop))),
        up.get,
      ),
    ),
    when(i32.eq(i32.wrap(i64.shru(bits.get, i64.const(format.fraction))), i32.const(format.most + 1)), no),
    note(i32.wrap(up.get), lost.get),
    i64.or(bits.get, sign.get),
    yes,
  );
  return f;
}

/** ild(integer): the value of a signed integer. */
function loadInteger(): FunctionCode {
  const f = new FunctionCode("ild", [I64], [I64, I32]);
  const value = f.param(0);
  const [sign, count] = [f.local(I64), f.local(I64)];
  f.body = seq(
    when(i64.eqz(value.get), seq(zero64, returning(i32.const(TAG_ZERO)))),
    sign.set(i64.shrs(value.get, i64.const(63n))),
    value.set(i64.sub(i64.xor(value.get, sign.get), sign.get)),
    count.set(i64.clz(value.get)),
    i64.shl(value.get, count.get),
    i32.or(i32.sub(i32.const(BIAS + 63), i32.wrap(count.get)), i32.and(i32.wrap(sign.get), SIGN)),
  );
  return f;
}

/** ist(value, bits): rounded by the control word to a signed integer of so many bits, and 1; or 0, 0. Notes C1 and PE. */
function storeInteger(): FunctionCode {
  const f = new FunctionCode("ist", [I64, I32, I32], [I64, I32]);
  const [sig, se, bits] = [f.param(0), f.param(1), f.param(2)];
  const [lo, up] = [f.local(I64), f.local(I64)];
  const [shift, sign, rc] = [f.local(I32), f.local(I32), f.local(I32)];
  const wide = i64.extendu(shift.get);
  const no = seq(zero64, returning(none));
  f.body = seq(
    when(i32.eqz(isPlain(se.get)), seq(when(i32.eqz(isSmooth(se.get)), no), noteExact, zero64, returning(yes))),
    shift.set(i32.sub(i32.const(BIAS + 63), i32.and(se.get, EXPONENT))),
    // Magnitudes of 2^(bits-1) and more are for the exact routine.
    when(i32.lts(shift.get, i32.sub(i32.const(65), bits.get)), no),
    sign.set(i32.and(i32.shru(se.get, i32.const(15)), i32.const(1))),
    when(
      i32.ltu(shift.get, i32.const(64)),
      seq(lo.set(i64.shl(sig.get, i64.sub(i64.const(64n), wide))), sig.set(i64.shru(sig.get, wide))),
      // Below one: a half or more only with a shift of 64.
      seq(lo.set(select(sig.get, ONE, i32.eq(shift.get, i32.const(64)))), sig.set(zero64)),
    ),
    rc.set(i32.and(i32.shru(i32.load(none, FPU_CW), i32.const(10)), i32.const(3))),
    when(
      i32.eqz(rc.get),
      up.set(
        i64.extendu(i64.gtu(lo.get, i64.add(i64.add(lo.get, i64.const((1n << 63n) - 1n)), i64.and(sig.get, ONE)))),
      ),
      // Down (1) takes negative values away from zero, up (2) positive ones, 3 none.
      up.set(
        i64.extendu(
          i32.and(
            i32.or(
              i32.and(i32.eq(rc.get, i32.const(1)), sign.get),
              i32.and(i32.eq(rc.get, i32.const(2)), i32.eqz(sign.get)),
            ),
            i64.ne(lo.get, zero64),
          ),
        ),
      ),
    ),
    sig.set(i64.add(sig.get, up.get)),
    when(i64.ne(i64.shru(sig.get, i64.extendu(i32.sub(bits.get, i32.const(1)))), zero64), no),
    note(i32.wrap(up.get), lo.get),
    select(i64.sub(zero64, sig.get), sig.get, sign.get),
    yes,
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
  storeInteger(),
];
