// Rounding of exact intermediate results to the formats of the x87: extended (with precision control), double, single and
// integers; and the flags that rounding raises. Source: Intel SDM vol. 1, "Floating-point exceptions".
import {
  BIAS,
  classify,
  EXP_MAX,
  type F80,
  INFINITY,
  INTEGER_BIT,
  isNaN80,
  SNAN,
  UNSUPPORTED,
  ZERO,
} from "./float80.ts";

// Exception flags, as in the status word; masks are the same bits of the control word.
export const IE = 1;
export const DE = 2;
export const ZE = 4;
export const OE = 8;
export const UE = 16;
export const PE = 32;
/** Stack fault: set together with IE. */
export const SF = 64;

/** Rounding control. */
export const RC_NEAREST = 0;
export const RC_DOWN = 1;
export const RC_UP = 2;
export const RC_ZERO = 3;

/** How results are rounded, which exceptions are masked, and what the operation under way has raised. */
export class FloatEnv {
  /** Rounding control, RC_*. */
  rc = RC_NEAREST;
  /** Precision of register results in bits: 24, 53 or 64. */
  precision = 64;
  /** Masked exceptions. */
  masks = 0x3f;
  /** Flags raised by the operation under way. */
  flags = 0;
  /** The last rounding was upwards in magnitude: C1. */
  up = 0;
  // A rounding in progress: significand words, and rounding bits below them.
  hi = 0;
  lo = 0;
  ext = 0;
  inexact = false;
}

/** How much an unmasked overflow or underflow moves the exponent of a register result. */
const SCALE = 0x6000;

/** Shift hi:lo:ext right by `count`, keeping every bit that falls off as a sticky bit. */
export function shiftRightJam(env: FloatEnv, count: number): void {
  let { hi, lo, ext } = env;
  let n = count;
  if (n >= 96) {
    ext = (hi | lo | ext) === 0 ? 0 : 1;
    hi = 0;
    lo = 0;
    n = 0;
  }
  while (n >= 32) {
    ext = lo | (ext === 0 ? 0 : 1);
    lo = hi;
    hi = 0;
    n -= 32;
  }
  if (n > 0) {
    const lost = ext << (32 - n);
    ext = (ext >>> n) | (lo << (32 - n)) | (lost === 0 ? 0 : 1);
    lo = (lo >>> n) | (hi << (32 - n));
    hi = hi >>> n;
  }
  env.hi = hi >>> 0;
  env.lo = lo >>> 0;
  env.ext = ext >>> 0;
}

/**
 * Round hi:lo:ext to `precision` bits of the 64, in place.
 * @returns true when the significand carried out (it is then 0 with the carry lost)
 */
function roundSignificand(env: FloatEnv, sign: number, precision: number): boolean {
  let odd: number;
  let half: number;
  let rest: number;
  if (precision === 64) {
    odd = env.lo & 1;
    half = env.ext >>> 31;
    rest = env.ext << 1;
  } else if (precision === 53) {
    odd = env.lo & 0x800;
    half = env.lo & 0x400;
    rest = (env.lo & 0x3ff) | env.ext;
    env.lo = (env.lo & ~0x7ff) >>> 0;
  } else {
    odd = env.hi & 0x100;
    half = env.hi & 0x80;
    rest = (env.hi & 0x7f) | env.lo | env.ext;
    env.hi = (env.hi & ~0xff) >>> 0;
    env.lo = 0;
  }
  env.ext = 0;
  env.inexact = (half | rest) !== 0;
  env.up = 0;
  if (!env.inexact || !roundsUp(env.rc, sign, half, rest, odd)) return false;
  env.up = 1;
  if (precision === 64) {
    env.lo = (env.lo + 1) >>> 0;
    if (env.lo !== 0) return false;
    env.hi = (env.hi + 1) >>> 0;
  } else if (precision === 53) {
    env.lo = (env.lo + 0x800) >>> 0;
    if (env.lo !== 0) return false;
    env.hi = (env.hi + 1) >>> 0;
  } else {
    env.hi = (env.hi + 0x100) >>> 0;
  }
  return env.hi === 0;
}

/** Does an inexact value round up in magnitude? `half`, `rest`, `odd` are non-zero when set. */
function roundsUp(rc: number, sign: number, half: number, rest: number, odd: number): boolean {
  if (rc === RC_NEAREST) return half !== 0 && (rest | odd) !== 0;
  if (rc === RC_DOWN) return sign === 1;
  return rc === RC_UP && sign === 0;
}

/**
 * Round an exact non-zero result to an extended register, with precision control, overflow and underflow.
 * env.hi (bit 31 set), env.lo, env.ext hold the significand; `exp` is biased and may be out of range.
 */
export function roundToRegister(env: FloatEnv, out: F80, sign: number, exp: number, precision = env.precision): void {
  let e = exp;
  if (e <= 0) {
    const { hi, lo, ext } = env;
    // Tiny after rounding: would the result, with an unbounded exponent, still lie below the normal range?
    const carried = roundSignificand(env, sign, precision);
    const tiny = e < 0 || !carried;
    env.hi = hi;
    env.lo = lo;
    env.ext = ext;
    if (tiny && !(env.masks & UE)) {
      env.flags |= UE;
      e += SCALE;
      // FSCALE can go further than the scaled exponent reaches.
      if (e <= 0) {
        env.flags |= PE;
        env.up = 0;
        out.set(sign, 0, 0, 0);
        return;
      }
    } else {
      shiftRightJam(env, 1 - e);
      roundSignificand(env, sign, precision);
      if (env.inexact) env.flags |= tiny ? UE | PE : PE;
      out.set(sign, env.hi >= INTEGER_BIT ? 1 : 0, env.hi, env.lo);
      return;
    }
  }
  if (roundSignificand(env, sign, precision)) {
    env.hi = INTEGER_BIT;
    e++;
  }
  if (e >= EXP_MAX) {
    env.flags |= OE;
    if (env.masks & OE) {
      env.flags |= PE;
      overflowResult(env, out, sign, precision);
      return;
    }
    e -= SCALE;
    if (e >= EXP_MAX) {
      env.flags |= PE;
      env.up = 1;
      out.set(sign, EXP_MAX, INTEGER_BIT, 0);
      return;
    }
  }
  if (env.inexact) env.flags |= PE;
  out.set(sign, e, env.hi, env.lo);
}

/** Does a masked overflow answer infinity (else the largest finite number)? */
function overflowsToInfinity(rc: number, sign: number): boolean {
  return rc === RC_NEAREST || (rc === RC_DOWN && sign === 1) || (rc === RC_UP && sign === 0);
}

function overflowResult(env: FloatEnv, out: F80, sign: number, precision: number): void {
  if (overflowsToInfinity(env.rc, sign)) {
    env.up = 1;
    out.set(sign, EXP_MAX, INTEGER_BIT, 0);
    return;
  }
  env.up = 0;
  if (precision === 64) out.set(sign, EXP_MAX - 1, 0xffff_ffff, 0xffff_ffff);
  else if (precision === 53) out.set(sign, EXP_MAX - 1, 0xffff_ffff, 0xffff_f800);
  else out.set(sign, EXP_MAX - 1, 0xffff_ff00, 0);
}

/** A stored result that its format's flags forbid to store (unmasked): the instruction leaves memory and stack alone. */
export function storeRefused(env: FloatEnv): boolean {
  return (env.flags & ~env.masks & (IE | OE | UE)) !== 0;
}

interface Format {
  readonly bits: number;
  readonly bias: number;
  readonly expMax: number;
}
const SINGLE: Format = { bits: 24, bias: 127, expMax: 0xff };
const DOUBLE: Format = { bits: 53, bias: 1023, expMax: 0x7ff };

/** Round a register value to a double: env.hi and env.lo receive the two words. */
export function toDouble(env: FloatEnv, x: F80): void {
  toFormat(env, x, DOUBLE);
}

/** Round a register value to a single: env.hi receives the word. */
export function toSingle(env: FloatEnv, x: F80): void {
  toFormat(env, x, SINGLE);
}

/** Put sign, format exponent and the significand in env.hi:lo (bit 31 of hi = integer bit) together as memory words. */
function assemble(env: FloatEnv, f: Format, sign: number, exp: number): void {
  const { hi, lo } = env;
  if (f.bits === 24) {
    env.hi = ((sign << 31) | (exp << 23) | ((hi >>> 8) & 0x7f_ffff)) >>> 0;
  } else {
    env.hi = ((sign << 31) | (exp << 20) | ((hi >>> 11) & 0xf_ffff)) >>> 0;
    env.lo = ((hi << 21) | (lo >>> 11)) >>> 0;
  }
}

function toFormat(env: FloatEnv, x: F80, f: Format): void {
  env.hi = x.hi;
  env.lo = x.lo;
  env.ext = 0;
  const scaled = x.exp - BIAS + f.bias;
  if (scaled > 0 && scaled < f.expMax - 1 && x.hi >= INTEGER_BIT) {
    const carried = roundSignificand(env, x.sign, f.bits);
    if (carried) env.hi = INTEGER_BIT;
    if (env.inexact) env.flags |= PE;
    assemble(env, f, x.sign, carried ? scaled + 1 : scaled);
    return;
  }
  const kind = classify(x);
  if (kind === UNSUPPORTED) {
    env.flags |= IE;
    env.hi = 0xc000_0000;
    env.lo = 0;
    assemble(env, f, 1, f.expMax);
    return;
  }
  if (isNaN80(x)) {
    if (kind === SNAN) env.flags |= IE;
    env.hi = (env.hi | 0x4000_0000) >>> 0;
    assemble(env, f, x.sign, f.expMax);
    return;
  }
  if (kind === INFINITY || kind === ZERO) {
    assemble(env, f, x.sign, kind === ZERO ? 0 : f.expMax);
    return;
  }
  // An extended denormal is far below both formats: normalising it would change nothing.
  let e = scaled;
  if (e <= 0) {
    const carried = roundSignificand(env, x.sign, f.bits);
    const tiny = e < 0 || !carried;
    env.hi = x.hi;
    env.lo = x.lo;
    env.ext = 0;
    if (tiny && !(env.masks & UE)) {
      env.flags |= UE;
      roundSignificand(env, x.sign, f.bits);
      if (env.inexact) env.flags |= PE;
      return;
    }
    shiftRightJam(env, 1 - e);
    roundSignificand(env, x.sign, f.bits);
    if (env.inexact) env.flags |= tiny ? UE | PE : PE;
    assemble(env, f, x.sign, env.hi >= INTEGER_BIT ? 1 : 0);
    return;
  }
  if (roundSignificand(env, x.sign, f.bits)) {
    env.hi = INTEGER_BIT;
    e++;
  }
  if (e >= f.expMax) {
    env.flags |= OE;
    if (!(env.masks & OE)) {
      if (env.inexact) env.flags |= PE;
      return;
    }
    env.flags |= PE;
    const infinite = overflowsToInfinity(env.rc, x.sign);
    env.up = infinite ? 1 : 0;
    env.hi = infinite ? INTEGER_BIT : 0xffff_ffff;
    env.lo = infinite ? 0 : 0xffff_ffff;
    assemble(env, f, x.sign, infinite ? f.expMax : f.expMax - 1);
    return;
  }
  if (env.inexact) env.flags |= PE;
  assemble(env, f, x.sign, e);
}

/**
 * Round a finite value to an integer magnitude in env.hi:lo (unsigned 64 bits), setting PE and C1.
 * @returns false when the magnitude does not fit 64 bits (nothing is set then)
 */
export function toMagnitude(env: FloatEnv, x: F80): boolean {
  env.hi = x.hi;
  env.lo = x.lo;
  env.ext = 0;
  env.inexact = false;
  env.up = 0;
  if ((x.hi | x.lo) === 0) return true;
  const shift = BIAS + 63 - (x.exp || 1);
  if (shift < 0) return false;
  if (shift > 0) shiftRightJam(env, shift);
  if (roundSignificand(env, x.sign, 64)) return false;
  return true;
}

/** FIST: round to a signed integer of 16, 32 or 64 bits in env.hi:lo (two's complement); out of range is IE and the integer indefinite. */
export function toInteger(env: FloatEnv, x: F80, bits: 16 | 32 | 64): void {
  const kind = classify(x);
  let fits = kind !== UNSUPPORTED && x.exp !== EXP_MAX && toMagnitude(env, x);
  if (fits) {
    const { hi, lo } = env;
    if (bits === 64) fits = hi < INTEGER_BIT || (x.sign === 1 && hi === INTEGER_BIT && lo === 0);
    else fits = hi === 0 && lo < 2 ** (bits - 1) + x.sign;
  }
  if (!fits) {
    env.flags |= IE;
    env.up = 0;
    env.hi = bits === 64 ? INTEGER_BIT : 0xffff_ffff;
    env.lo = bits === 64 ? 0 : bits === 32 ? INTEGER_BIT : 0xffff_8000;
    return;
  }
  if (env.inexact) env.flags |= PE;
  if (x.sign) {
    env.lo = -env.lo >>> 0;
    env.hi = (~env.hi + (env.lo === 0 ? 1 : 0)) >>> 0;
  }
}
