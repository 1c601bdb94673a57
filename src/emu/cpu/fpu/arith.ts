// Exact arithmetic on extended values: the operands' special cases, an exact intermediate, one rounding.
// Results and flags follow Intel SDM vol. 1, tables of the x87 chapter (NaN rules, zero and infinity operands).
import {
  BIAS,
  classify,
  DENORMAL,
  EXP_MAX,
  type F80,
  INFINITY,
  INTEGER_BIT,
  quiet,
  SNAN,
  setIndefinite,
  setInfinity,
  setZero,
  UNSUPPORTED,
  ZERO,
} from "./float80.ts";
import { DE, type FloatEnv, IE, RC_DOWN, roundToRegister, shiftRightJam, ZE } from "./round.ts";

/** Results of compare(). */
export const LESS = -1;
export const EQUAL = 0;
export const GREATER = 1;
export const UNORDERED = 2;

function isNormal(x: F80): boolean {
  return x.exp !== 0 && x.exp !== EXP_MAX && x.hi >= INTEGER_BIT;
}

/** An invalid operation: IE and the real indefinite. */
export function invalid(env: FloatEnv, out: F80): void {
  env.flags |= IE;
  setIndefinite(out);
}

/** NaN and unsupported operands of a two-operand operation. Returns true when `out` is final. */
export function specialPair(env: FloatEnv, out: F80, a: F80, b: F80): boolean {
  const ka = classify(a);
  const kb = classify(b);
  if (ka === UNSUPPORTED || kb === UNSUPPORTED) {
    invalid(env, out);
    return true;
  }
  const aNaN = ka > INFINITY;
  const bNaN = kb > INFINITY;
  if (!aNaN && !bNaN) return false;
  if (ka === SNAN || kb === SNAN) env.flags |= IE;
  let from = a;
  if (aNaN && bNaN) {
    if (ka !== kb) from = ka === SNAN ? b : a;
    else if (a.hi !== b.hi) from = a.hi > b.hi ? a : b;
    else if (a.lo !== b.lo) from = a.lo > b.lo ? a : b;
    else from = a.sign <= b.sign ? a : b;
  } else if (bNaN) from = b;
  out.copy(from);
  quiet(out);
  return true;
}

/** NaN and unsupported operand of a one-operand operation. Returns true when `out` is final. */
export function specialOne(env: FloatEnv, out: F80, a: F80): boolean {
  const kind = classify(a);
  if (kind === UNSUPPORTED) {
    invalid(env, out);
    return true;
  }
  if (kind <= INFINITY) return false;
  if (kind === SNAN) env.flags |= IE;
  out.copy(a);
  quiet(out);
  return true;
}

/** Bring a finite non-zero value's significand to env.hi:lo with bit 31 set; returns its (possibly negative) exponent. */
export function normalize(env: FloatEnv, x: F80): number {
  let hi = x.hi;
  let lo = x.lo;
  if (hi >= INTEGER_BIT && x.exp !== 0) {
    env.hi = hi;
    env.lo = lo;
    return x.exp;
  }
  let exp = x.exp || 1;
  if (hi === 0) {
    hi = lo;
    lo = 0;
    exp -= 32;
  }
  const shift = Math.clz32(hi);
  if (shift) {
    hi = ((hi << shift) | (lo >>> (32 - shift))) >>> 0;
    lo = (lo << shift) >>> 0;
    exp -= shift;
  }
  env.hi = hi;
  env.lo = lo;
  return exp;
}

/** a + b, or a - b with `negateB` 1. */
export function add(env: FloatEnv, out: F80, a: F80, b: F80, negateB: number): void {
  const bothNormal = isNormal(a) && isNormal(b);
  if (!bothNormal && specialPair(env, out, a, b)) return;
  const signB = b.sign ^ negateB;
  if (!bothNormal) {
    const ka = classify(a);
    const kb = classify(b);
    if (ka === INFINITY || kb === INFINITY) {
      if (ka === kb && a.sign !== signB) {
        invalid(env, out);
        return;
      }
      if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
      setInfinity(out, ka === INFINITY ? a.sign : signB);
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === ZERO || kb === ZERO) {
      if (ka === kb) {
        setZero(out, a.sign === signB ? a.sign : env.rc === RC_DOWN ? 1 : 0);
        return;
      }
      // The other operand, rounded to the precision in force.
      const other = ka === ZERO ? b : a;
      const sign = ka === ZERO ? signB : a.sign;
      const exp = normalize(env, other);
      env.ext = 0;
      roundToRegister(env, out, sign, exp);
      return;
    }
  }
  let ea = normalize(env, a);
  let ah = env.hi;
  let al = env.lo;
  let eb = normalize(env, b);
  let bh = env.hi;
  let bl = env.lo;
  let sign = a.sign;
  const subtract = a.sign !== signB;
  if (ea < eb || (ea === eb && (ah < bh || (ah === bh && al < bl)))) {
    const exp = ea;
    const high = ah;
    const low = al;
    ea = eb;
    ah = bh;
    al = bl;
    eb = exp;
    bh = high;
    bl = low;
    sign = signB;
  }
  env.hi = bh;
  env.lo = bl;
  env.ext = 0;
  if (ea !== eb) shiftRightJam(env, ea - eb);
  if (!subtract) {
    const low = al + env.lo;
    const high = ah + env.hi + (low > 0xffff_ffff ? 1 : 0);
    env.lo = low >>> 0;
    env.hi = high >>> 0;
    if (high > 0xffff_ffff) {
      shiftRightJam(env, 1);
      env.hi = (env.hi | INTEGER_BIT) >>> 0;
      ea++;
    }
  } else {
    const ext = -env.ext;
    const low = al - env.lo - (ext < 0 ? 1 : 0);
    const high = ah - env.hi - (low < 0 ? 1 : 0);
    env.ext = ext >>> 0;
    env.lo = low >>> 0;
    env.hi = high >>> 0;
    if ((env.hi | env.lo | env.ext) === 0) {
      setZero(out, env.rc === RC_DOWN ? 1 : 0);
      return;
    }
    ea -= shiftLeftToNormal(env);
  }
  roundToRegister(env, out, sign, ea);
}

/** Shift env.hi:lo:ext (not zero) left until bit 31 of hi is set; returns by how much. */
function shiftLeftToNormal(env: FloatEnv): number {
  let count = 0;
  while (env.hi === 0) {
    env.hi = env.lo;
    env.lo = env.ext;
    env.ext = 0;
    count += 32;
  }
  const shift = Math.clz32(env.hi);
  if (shift) {
    env.hi = ((env.hi << shift) | (env.lo >>> (32 - shift))) >>> 0;
    env.lo = ((env.lo << shift) | (env.ext >>> (32 - shift))) >>> 0;
    env.ext = (env.ext << shift) >>> 0;
  }
  return count + shift;
}

/** Upper 32 bits of the product of two unsigned words. */
function mulHigh(a: number, b: number): number {
  const low = a * (b & 0xffff);
  const high = a * (b >>> 16) + Math.floor(low / 0x1_0000);
  return Math.floor(high / 0x1_0000);
}

/** a * b. */
export function mul(env: FloatEnv, out: F80, a: F80, b: F80): void {
  const sign = a.sign ^ b.sign;
  if (!isNormal(a) || !isNormal(b)) {
    if (specialPair(env, out, a, b)) return;
    const ka = classify(a);
    const kb = classify(b);
    if (ka === INFINITY || kb === INFINITY) {
      if (ka === ZERO || kb === ZERO) invalid(env, out);
      else {
        if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
        setInfinity(out, sign);
      }
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === ZERO || kb === ZERO) {
      setZero(out, sign);
      return;
    }
  }
  const ea = normalize(env, a);
  const { hi: ah, lo: al } = env;
  const eb = normalize(env, b);
  const { hi: bh, lo: bl } = env;
  // 128-bit product in words p3..p0, columns summed as doubles (each below 2^35).
  const p0 = Math.imul(al, bl) >>> 0;
  const c1 = mulHigh(al, bl) + (Math.imul(ah, bl) >>> 0) + (Math.imul(al, bh) >>> 0);
  const p1 = c1 >>> 0;
  const c2 = mulHigh(ah, bl) + mulHigh(al, bh) + (Math.imul(ah, bh) >>> 0) + (c1 - p1) / 0x1_0000_0000;
  const p2 = c2 >>> 0;
  const p3 = mulHigh(ah, bh) + (c2 - p2) / 0x1_0000_0000;
  env.hi = p3;
  env.lo = p2;
  env.ext = (p1 | (p0 === 0 ? 0 : 1)) >>> 0;
  let exp = ea + eb - BIAS + 1;
  if (env.hi < INTEGER_BIT) {
    env.hi = ((env.hi << 1) | (env.lo >>> 31)) >>> 0;
    env.lo = ((env.lo << 1) | (p1 >>> 31)) >>> 0;
    env.ext = ((p1 << 1) | (p0 === 0 ? 0 : 1)) >>> 0;
    exp--;
  }
  roundToRegister(env, out, sign, exp);
}

/** a / b. */
export function div(env: FloatEnv, out: F80, a: F80, b: F80): void {
  const sign = a.sign ^ b.sign;
  if (!isNormal(a) || !isNormal(b)) {
    if (specialPair(env, out, a, b)) return;
    const ka = classify(a);
    const kb = classify(b);
    if ((ka === INFINITY && kb === INFINITY) || (ka === ZERO && kb === ZERO)) {
      invalid(env, out);
      return;
    }
    if (kb === ZERO && ka !== INFINITY) {
      env.flags |= ZE;
      setInfinity(out, sign);
      return;
    }
    if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
    if (ka === INFINITY) {
      setInfinity(out, sign);
      return;
    }
    if (ka === ZERO || kb === INFINITY) {
      setZero(out, sign);
      return;
    }
  }
  const ea = normalize(env, a);
  let { hi: rh, lo: rl } = env;
  const eb = normalize(env, b);
  const { hi: bh, lo: bl } = env;
  let exp = ea - eb + BIAS;
  let top = 0;
  if (rh < bh || (rh === bh && rl < bl)) {
    // Make the quotient's first bit a one: shift the dividend up into a 65th bit.
    top = rh >>> 31;
    rh = ((rh << 1) | (rl >>> 31)) >>> 0;
    rl = (rl << 1) >>> 0;
    exp--;
  }
  let high = 0;
  let low = 0;
  for (let word = 0; word < 2; word++) {
    let q = 0;
    for (let bit = 0; bit < 32; bit++) {
      q <<= 1;
      if (top === 1 || rh > bh || (rh === bh && rl >= bl)) {
        const rest = rl - bl;
        rh = (rh - bh - (rest < 0 ? 1 : 0)) >>> 0;
        rl = rest >>> 0;
        q |= 1;
      }
      top = rh >>> 31;
      rh = ((rh << 1) | (rl >>> 31)) >>> 0;
      rl = (rl << 1) >>> 0;
    }
    high = low;
    low = q >>> 0;
  }
  env.hi = high;
  env.lo = low;
  // What remains (already doubled) against the divisor gives the next bit; the rest is sticky.
  const half = top === 1 || rh > bh || (rh === bh && rl >= bl);
  const exactHalf = top === 0 && rh === bh && rl === bl;
  const nothing = (top | rh | rl) === 0;
  env.ext = half ? (exactHalf ? 0x8000_0000 : 0x8000_0001) : nothing ? 0 : 1;
  roundToRegister(env, out, sign, exp);
}

/**
 * Order two values; NaNs and unsupported formats are unordered. IE for signalling and unsupported operands, and for quiet
 * NaNs too when `ordered`; DE for denormals.
 */
export function compare(env: FloatEnv, a: F80, b: F80, ordered: boolean): number {
  const ka = classify(a);
  const kb = classify(b);
  if (ka > INFINITY || kb > INFINITY) {
    if (ordered || ka >= SNAN || kb >= SNAN) env.flags |= IE;
    return UNORDERED;
  }
  if (ka === DENORMAL || kb === DENORMAL) env.flags |= DE;
  if (ka === ZERO && kb === ZERO) return EQUAL;
  if (ka === ZERO) return b.sign ? GREATER : LESS;
  if (kb === ZERO || a.sign !== b.sign) return a.sign ? LESS : GREATER;
  const magnitude =
    (a.exp || 1) - (b.exp || 1) || (a.hi > b.hi ? 1 : a.hi < b.hi ? -1 : a.lo > b.lo ? 1 : a.lo < b.lo ? -1 : 0);
  if (magnitude === 0) return EQUAL;
  return magnitude > 0 !== (a.sign === 1) ? GREATER : LESS;
}
