// Quick sums, products, quotients and square roots of normal values (and zeros) at 64 bits of precision, to nearest even,
// and comparisons. The exact routines they answer for are ../arith.ts and ../roots.ts.
import {
  type Code,
  FunctionCode,
  I32,
  I64,
  i32,
  i64,
  type Local,
  returning,
  select,
  seq,
  when,
} from "../../wasm/code.ts";
import { TAG_EMPTY, TAG_ZERO } from "../layout.ts";
import {
  answer,
  BIAS,
  EXPONENT,
  isPlain,
  isSmooth,
  noteExact,
  ofPair,
  refuse,
  rounded,
  SIGN,
  shiftIn,
  zero64,
} from "./round.ts";

const LOW = i64.const(0xffff_ffffn);
const WORD = i64.const(32n);
const ONE = i64.const(1n);

const exactly = (sig: Code, se: Code): Code => seq(noteExact, answer(sig, se));
const zeroOf = (sign: Code): Code => exactly(zero64, i32.or(sign, i32.const(TAG_ZERO)));

/** add(a, b): the sum; for a difference the caller changes b's sign. */
export function addCode(): FunctionCode {
  const { f, sigA, seA, sigB, seB } = ofPair("add");
  const [lo, mask, x, wide, hi] = Array.from({ length: 5 }, () => f.local(I64));
  const [distance, mask32, xse, exp] = Array.from({ length: 4 }, () => f.local(I32));
  const zeros = seq(
    when(i32.eqz(isSmooth(i32.or(seA.get, seB.get))), refuse),
    // +0 but for two zeros of minus sign.
    when(i64.eqz(i64.or(sigA.get, sigB.get)), zeroOf(i32.and(i32.and(seA.get, seB.get), SIGN))),
    when(i64.eqz(sigA.get), exactly(sigB.get, seB.get)),
    exactly(sigA.get, seA.get),
  );
  // The larger magnitude first.
  const order = seq(
    distance.set(i32.sub(i32.and(seA.get, EXPONENT), i32.and(seB.get, EXPONENT))),
    mask32.set(
      i32.sub(
        i32.const(0),
        i32.or(i32.shru(distance.get, i32.const(31)), i32.and(i32.eqz(distance.get), i64.ltu(sigA.get, sigB.get))),
      ),
    ),
    mask.set(i64.extends(mask32.get)),
    x.set(i64.and(i64.xor(sigA.get, sigB.get), mask.get)),
    sigA.set(i64.xor(sigA.get, x.get)),
    sigB.set(i64.xor(sigB.get, x.get)),
    xse.set(i32.and(i32.xor(seA.get, seB.get), mask32.get)),
    seA.set(i32.xor(seA.get, xse.get)),
    seB.set(i32.xor(seB.get, xse.get)),
    distance.set(i32.sub(i32.xor(distance.get, mask32.get), mask32.get)),
  );
  // sigB:lo = sigB shifted right; 66 places or more leave only a sticky bit.
  const align = seq(
    wide.set(i64.extendu(distance.get)),
    when(
      i32.ltu(distance.get, i32.const(64)),
      seq(
        lo.set(i64.shl(i64.shl(sigB.get, ONE), i64.sub(i64.const(63n), wide.get))),
        sigB.set(i64.shru(sigB.get, wide.get)),
      ),
      seq(
        wide.set(i64.and(wide.get, ONE)),
        lo.set(
          select(
            i64.or(i64.shru(sigB.get, wide.get), i64.and(sigB.get, wide.get)),
            ONE,
            i32.ltu(distance.get, i32.const(66)),
          ),
        ),
        sigB.set(zero64),
      ),
    ),
  );
  const sum = seq(
    hi.set(i64.add(sigA.get, sigB.get)),
    when(
      i64.ltu(hi.get, sigA.get),
      seq(
        lo.set(i64.or(i64.or(i64.shru(lo.get, ONE), i64.and(lo.get, ONE)), i64.shl(hi.get, i64.const(63n)))),
        hi.set(i64.or(i64.shru(hi.get, ONE), i64.const(1n << 63n))),
        exp.set(i32.add(exp.get, i32.const(1))),
      ),
    ),
  );
  const difference = seq(
    hi.set(i64.sub(i64.sub(sigA.get, sigB.get), i64.extendu(i64.ne(lo.get, zero64)))),
    lo.set(i64.sub(zero64, lo.get)),
    when(
      i64.eqz(hi.get),
      seq(
        when(i64.eqz(lo.get), zeroOf(i32.const(0))),
        hi.set(lo.get),
        lo.set(zero64),
        exp.set(i32.sub(exp.get, i32.const(64))),
      ),
    ),
    wide.set(i64.clz(hi.get)),
    hi.set(shiftIn(hi.get, lo.get, wide.get)),
    lo.set(i64.shl(lo.get, wide.get)),
    exp.set(i32.sub(exp.get, i32.wrap(wide.get))),
  );
  f.body = seq(
    when(i32.eqz(isPlain(i32.or(seA.get, seB.get))), zeros),
    order,
    align,
    exp.set(i32.and(seA.get, EXPONENT)),
    when(i32.and(i32.xor(seA.get, seB.get), SIGN), difference, sum),
    rounded(f, hi, lo, exp, i32.and(seA.get, SIGN)),
  );
  return f;
}

/** hi:lo = a * b, all 128 bits. */
function product(f: FunctionCode, hi: Local, lo: Local, a: Code, b: Code): Code {
  const [al, ah, bl, bh, p0, t, u] = Array.from({ length: 7 }, () => f.local(I64));
  return seq(
    al.set(i64.and(a, LOW)),
    ah.set(i64.shru(a, WORD)),
    bl.set(i64.and(b, LOW)),
    bh.set(i64.shru(b, WORD)),
    p0.set(i64.mul(al.get, bl.get)),
    t.set(i64.add(i64.mul(ah.get, bl.get), i64.shru(p0.get, WORD))),
    u.set(i64.add(i64.mul(al.get, bh.get), i64.and(t.get, LOW))),
    hi.set(i64.add(i64.mul(ah.get, bh.get), i64.add(i64.shru(t.get, WORD), i64.shru(u.get, WORD)))),
    lo.set(i64.or(i64.shl(u.get, WORD), i64.and(p0.get, LOW))),
  );
}

/** mul(a, b). */
export function mulCode(): FunctionCode {
  const { f, sigA, seA, sigB, seB } = ofPair("mul");
  const [hi, lo, short] = [f.local(I64), f.local(I64), f.local(I64)];
  const exp = f.local(I32);
  const sign = i32.and(i32.xor(seA.get, seB.get), SIGN);
  f.body = seq(
    when(
      i32.eqz(isPlain(i32.or(seA.get, seB.get))),
      // One of them is zero, or this is not for here.
      seq(when(isSmooth(i32.or(seA.get, seB.get)), zeroOf(sign)), refuse),
    ),
    product(f, hi, lo, sigA.get, sigB.get),
    short.set(i64.xor(i64.shru(hi.get, i64.const(63n)), ONE)),
    hi.set(i64.or(i64.shl(hi.get, short.get), i64.and(i64.shru(lo.get, i64.const(63n)), short.get))),
    lo.set(i64.shl(lo.get, short.get)),
    exp.set(
      i32.sub(
        i32.add(i32.and(seA.get, EXPONENT), i32.and(seB.get, EXPONENT)),
        i32.add(i32.wrap(short.get), i32.const(BIAS - 1)),
      ),
    ),
    rounded(f, hi, lo, exp, sign),
  );
  return f;
}

/** div(a, b): a / b, two 32-bit digits of the quotient (Knuth, The Art of Computer Programming, vol. 2, 4.3.1 D). */
export function divCode(): FunctionCode {
  const { f, sigA, seA, sigB, seB } = ofPair("div");
  const [lo, q, rest, bh, bl, quotient] = Array.from({ length: 6 }, () => f.local(I64));
  const exp = f.local(I32);
  const sign = i32.and(i32.xor(seA.get, seB.get), SIGN);
  // sigA:below / sigB, one digit: q, and sigA becomes the remainder. At most two corrections.
  const correct = (below: Code): Code =>
    when(
      i32.or(
        i64.geu(q.get, i64.const(1n << 32n)),
        i64.gtu(i64.mul(q.get, bl.get), i64.or(i64.shl(rest.get, WORD), below)),
      ),
      seq(q.set(i64.sub(q.get, ONE)), rest.set(i64.add(rest.get, bh.get))),
    );
  const digit = (below: Code): Code =>
    seq(
      q.set(i64.divu(sigA.get, bh.get)),
      rest.set(i64.sub(sigA.get, i64.mul(q.get, bh.get))),
      correct(below),
      when(i64.ltu(rest.get, i64.const(1n << 32n)), correct(below)),
      sigA.set(i64.sub(i64.or(i64.shl(sigA.get, WORD), below), i64.mul(q.get, sigB.get))),
    );
  f.body = seq(
    when(
      i32.eqz(isPlain(i32.or(seA.get, seB.get))),
      seq(when(i32.and(isSmooth(seA.get), isPlain(seB.get)), zeroOf(sign)), refuse),
    ),
    exp.set(i32.add(i32.sub(i32.and(seA.get, EXPONENT), i32.and(seB.get, EXPONENT)), i32.const(BIAS))),
    when(
      i64.geu(sigA.get, sigB.get),
      seq(lo.set(i64.shl(sigA.get, i64.const(63n))), sigA.set(i64.shru(sigA.get, ONE))),
      seq(lo.set(zero64), exp.set(i32.sub(exp.get, i32.const(1)))),
    ),
    bh.set(i64.shru(sigB.get, WORD)),
    bl.set(i64.and(sigB.get, LOW)),
    digit(i64.shru(lo.get, WORD)),
    quotient.set(i64.shl(q.get, WORD)),
    digit(i64.and(lo.get, LOW)),
    quotient.set(i64.or(quotient.get, q.get)),
    // The remainder against the divisor as rounding bits: above a half, below it, nothing. A half cannot be: a quotient of
    // 65 bits ending in one times 64 bits has more bits than the dividend.
    lo.set(
      select(
        select(i64.const(-1n), ONE, i64.gtu(sigA.get, i64.sub(sigB.get, sigA.get))),
        zero64,
        i64.ne(sigA.get, zero64),
      ),
    ),
    rounded(f, quotient, lo, exp, sign),
  );
  return f;
}

/** root(a): the square root, by digits of 32 bits (Zimmermann, Karatsuba Square Root). */
export function rootCode(): FunctionCode {
  const f = new FunctionCode("root", [I64, I32], [I64, I32]);
  const [sig, se] = [f.param(0), f.param(1)];
  const [n1, n0, s, r, q, hi, lo] = Array.from({ length: 7 }, () => f.local(I64));
  const exp = f.local(I32);
  f.body = seq(
    when(
      i32.and(se.get, i32.const(TAG_EMPTY | 0x8000)),
      seq(when(i32.and(isSmooth(se.get), i64.eqz(sig.get)), exactly(zero64, se.get)), refuse),
    ),
    exp.set(i32.sub(se.get, i32.const(BIAS))),
    // n1:n0, of which the root has 64 bits: the significand times 2^63 or 2^64.
    when(
      i32.and(exp.get, i32.const(1)),
      seq(n1.set(sig.get), n0.set(zero64)),
      seq(n1.set(i64.shru(sig.get, ONE)), n0.set(i64.shl(sig.get, i64.const(63n)))),
    ),
    // s: root of n1 (32 bits), r: what is left.
    s.set(i64.rootGuess(n1.get)),
    when(i64.gtu(s.get, LOW), s.set(LOW)),
    when(i64.gtu(i64.mul(s.get, s.get), n1.get), s.set(i64.sub(s.get, ONE))),
    r.set(i64.sub(n1.get, i64.mul(s.get, s.get))),
    // The second digit, one too large at most.
    q.set(i64.divu(i64.or(i64.shl(r.get, i64.const(31n)), i64.shru(n0.get, i64.const(33n))), s.get)),
    when(i64.gtu(q.get, LOW), q.set(LOW)),
    s.set(i64.or(i64.shl(s.get, WORD), q.get)),
    product(f, hi, lo, s.get, s.get),
    when(
      i32.or(i64.gtu(hi.get, n1.get), i32.and(i64.eq(hi.get, n1.get), i64.gtu(lo.get, n0.get))),
      seq(s.set(i64.sub(s.get, ONE)), product(f, hi, lo, s.get, s.get)),
    ),
    // The remainder is at most 2s: 65 bits, in r:lo. Above s it rounds up; a half cannot be.
    r.set(i64.sub(i64.sub(n1.get, hi.get), i64.extendu(i64.ltu(n0.get, lo.get)))),
    lo.set(i64.sub(n0.get, lo.get)),
    lo.set(
      select(
        i64.const(-1n),
        i64.extendu(i64.ne(lo.get, zero64)),
        i32.or(i64.ne(r.get, zero64), i64.gtu(lo.get, s.get)),
      ),
    ),
    exp.set(i32.add(i32.shrs(exp.get, i32.const(1)), i32.const(BIAS))),
    rounded(f, s, lo, exp, i32.const(0)),
  );
  return f;
}

/** com(a, b): 0, C0 or C3 in their places when a is greater, less, equal; -1 for a case that is not for here. */
export function comCode(): FunctionCode {
  const f = new FunctionCode("com", [I64, I32, I64, I32]);
  const [sigA, seA, sigB, seB] = [f.param(0), f.param(1), f.param(2), f.param(3)];
  const [expA, expB] = [f.local(I32), f.local(I32)];
  const less = i32.const(0x100);
  const greater = i32.const(0);
  const equal = i32.const(0x4000);
  f.body = seq(
    when(i32.eqz(isSmooth(i32.or(seA.get, seB.get))), returning(i32.const(-1))),
    when(
      i32.and(i32.xor(seA.get, seB.get), SIGN),
      returning(select(equal, select(less, greater, i32.and(seA.get, SIGN)), i64.eqz(i64.or(sigA.get, sigB.get)))),
    ),
    expA.set(i32.and(seA.get, EXPONENT)),
    expB.set(i32.and(seB.get, EXPONENT)),
    when(i32.and(i32.eq(expA.get, expB.get), i64.eq(sigA.get, sigB.get)), returning(equal)),
    select(
      less,
      greater,
      i32.xor(
        i32.or(i32.lts(expA.get, expB.get), i32.and(i32.eq(expA.get, expB.get), i64.ltu(sigA.get, sigB.get))),
        i32.shru(i32.and(seA.get, SIGN), i32.const(15)),
      ),
    ),
  );
  return f;
}
