// What the quick routines share: reading slots, deciding that operands are plain, rounding a 128-bit significand to
// nearest even at 64 bits, writing the result with its flags.
import { type Code, type FunctionCode, I32, I64, i32, i64, type Local, returning, seq, when } from "../../wasm/code.ts";
import { EMPTY, FPU_MODE, FPU_SW, SLOT_SE } from "../layout.ts";
import { PE } from "../round.ts";
import { C1 } from "../state.ts";

/** A case for the exact routines. */
export const leave: Code = returning(i32.const(0));
export const done: Code = returning(i32.const(1));
export const zero64 = i64.const(0n);
export const BIAS = 0x3fff;

export const significand = (slot: Code): Code => i64.load(slot);
export const exponentWord = (slot: Code): Code => i32.load(slot, SLOT_SE);
/** Write a slot (not empty). */
export const writeSlot = (slot: Code, sig: Code, se: Code): Code =>
  seq(i64.store(slot, sig), i32.store(slot, se, SLOT_SE));

/** Leave unless FPU_MODE has these bits. */
export const needMode = (bits: number): Code =>
  when(i32.ne(i32.and(i32.load(i32.const(0), FPU_MODE), i32.const(bits)), i32.const(bits)), leave);

/** i32: is the value in sig and se normal (and its slot not empty)? */
export const isNormal = (sig: Code, se: Code): Code =>
  i32.and(
    i32.ltu(i32.sub(i32.and(se, i32.const(EMPTY | 0x7fff)), i32.const(1)), i32.const(0x7ffe)),
    i64.lts(sig, zero64),
  );

/** i32: is the value zero (and its slot not empty)? */
export const isZero = (sig: Code, se: Code): Code =>
  i32.and(i32.eqz(i32.and(se, i32.const(EMPTY | 0x7fff))), i64.eqz(sig));

/** Set C1 to `up` and PE to PE or `inexact` (i32 values, 0 or 1). */
export const note = (up: Code, inexact: Code): Code =>
  i32.store(
    i32.const(0),
    i32.or(
      i32.or(i32.and(i32.load(i32.const(0), FPU_SW), i32.const(~C1)), i32.shl(up, i32.const(Math.log2(C1)))),
      i32.shl(inexact, i32.const(Math.log2(PE))),
    ),
    FPU_SW,
  );

/** Clear C1. */
export const noteExact: Code = i32.store(i32.const(0), i32.and(i32.load(i32.const(0), FPU_SW), i32.const(~C1)), FPU_SW);

/** The bits of two words as one 64-bit value shifted left by n of 0..63: the upper word. */
export const shiftIn = (hi: Code, lo: Code, n: Code): Code =>
  i64.or(i64.shl(hi, n), i64.shru(i64.shru(lo, i64.const(1n)), i64.sub(i64.const(63n), n)));

/** The operands of a two-operand routine, read into locals. */
export interface Pair {
  readonly sigA: Local;
  readonly sigB: Local;
  readonly seA: Local;
  readonly seB: Local;
  readonly read: Code;
}

/** Operands of a routine (dst, a, b, ...). */
export function pair(f: FunctionCode, first = 1): Pair {
  const [sigA, sigB] = [f.local(I64), f.local(I64)];
  const [seA, seB] = [f.local(I32), f.local(I32)];
  const [a, b] = [f.param(first).get, f.param(first + 1).get];
  const read = seq(
    sigA.set(significand(a)),
    seA.set(exponentWord(a)),
    sigB.set(significand(b)),
    seB.set(exponentWord(b)),
  );
  return { sigA, sigB, seA, seB, read };
}

/**
 * Round hi:lo (hi with its top bit set; lo's lowest bit sticky) to nearest even, write it to the slot in parameter 0 with
 * exponent `exp` and `sign` (0 or 0x8000), note the flags, and answer 1; leave when the exponent is out of range.
 */
export function roundAndWrite(f: FunctionCode, hi: Local, lo: Local, exp: Local, sign: Code): Code {
  const up = f.local(I64);
  const inexact = f.local(I32);
  return seq(
    inexact.set(i64.ne(lo.get, zero64)),
    // lo - 1 + odd has its top bit set when lo is above a half, or a half and hi odd; or when lo is 0.
    up.set(
      i64.and(
        i64.shru(i64.add(i64.sub(lo.get, i64.const(1n)), i64.and(hi.get, i64.const(1n))), i64.const(63n)),
        i64.extendu(inexact.get),
      ),
    ),
    hi.set(i64.add(hi.get, up.get)),
    when(i64.eqz(hi.get), seq(hi.set(i64.const(1n << 63n)), exp.set(i32.add(exp.get, i32.const(1))))),
    when(i32.eqz(i32.ltu(i32.sub(exp.get, i32.const(1)), i32.const(0x7ffe))), leave),
    writeSlot(f.param(0).get, hi.get, i32.or(exp.get, sign)),
    note(i32.wrap(up.get), inexact.get),
    i32.const(1),
  );
}
