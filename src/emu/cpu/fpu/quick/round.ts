// What the quick routines share: operands and results as values, rounding of a 128-bit significand to nearest even at 64
// bits, and the flags. A value is a significand (i64) and an exponent word (i32: exponent, sign, tag; see ../layout.ts).
import { type Code, FunctionCode, I32, I64, i32, i64, type Local, returning, seq, when } from "../../wasm/code.ts";
import { FPU_C1, FPU_PE, TAG_EMPTY, TAG_SPECIAL } from "../layout.ts";

const none = i32.const(0);
export const zero64 = i64.const(0n);
export const BIAS = 0x3fff;
export const EXPONENT = i32.const(0x7fff);
export const SIGN = i32.const(0x8000);
/** The exponent word of no value: the case is for the exact routines, nothing has been done. */
export const REFUSED = -1;

/** Answer with a value. */
export const answer = (sig: Code, se: Code): Code => seq(sig, returning(se));
export const refuse: Code = answer(zero64, i32.const(REFUSED));

export const isPlain = (se: Code): Code => i32.eqz(i32.and(se, i32.const(TAG_EMPTY)));
/** Neither empty nor special: a normal number or zero. */
export const isSmooth = (se: Code): Code => i32.eqz(i32.and(se, i32.const(TAG_SPECIAL)));

/** Set C1 (an i32, 0 or 1), and PE too when the 64-bit `lost` is not 0. */
export const note = (up: Code, lost: Code): Code =>
  seq(i32.store(none, up, FPU_C1), i64.store(none, i64.or(i64.load(none, FPU_PE), lost), FPU_PE));
/** Clear C1. */
export const noteExact: Code = i32.store(none, none, FPU_C1);

/** The bits of two words as one 128-bit value shifted left by n of 0..63: the upper word. */
export const shiftIn = (hi: Code, lo: Code, n: Code): Code =>
  i64.or(i64.shl(hi, n), i64.shru(i64.shru(lo, i64.const(1n)), i64.sub(i64.const(63n), n)));

/** A routine of two values: its function and the locals of its parameters. */
export function ofPair(name: string): { f: FunctionCode; sigA: Local; seA: Local; sigB: Local; seB: Local } {
  const f = new FunctionCode(name, [I64, I32, I64, I32], [I64, I32]);
  return { f, sigA: f.param(0), seA: f.param(1), sigB: f.param(2), seB: f.param(3) };
}

/**
 * Round hi:lo (hi with its top bit set; lo's lowest bit sticky) to nearest even and answer with exponent `exp` and `sign`
 * (0 or 0x8000), the flags noted; refuse when the exponent is out of range.
 */
export function rounded(f: FunctionCode, hi: Local, lo: Local, exp: Local, sign: Code): Code {
  const up = f.local(I32);
  return seq(
    // lo + (half - 1) + odd carries when lo is above a half, or a half and hi odd.
    up.set(i64.gtu(lo.get, i64.add(i64.add(lo.get, i64.const((1n << 63n) - 1n)), i64.and(hi.get, i64.const(1n))))),
    hi.set(i64.add(hi.get, i64.extendu(up.get))),
    when(i64.eqz(hi.get), seq(hi.set(i64.const(1n << 63n)), exp.set(i32.add(exp.get, i32.const(1))))),
    when(i32.geu(i32.sub(exp.get, i32.const(1)), i32.const(0x7ffe)), refuse),
    note(up.get, lo.get),
    hi.get,
    i32.or(exp.get, sign),
  );
}
