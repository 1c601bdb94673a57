// D9 F0-FF: roots, remainders, scaling and the transcendental functions, with their stack checks.

import { BIAS, classify, type F80, setIndefinite } from "./float80.ts";
import { BEFORE, finish } from "./operate.ts";
import { extract, remainder, roundToIntegral, scale, sqrt } from "./roots.ts";
import { C2, type Fpu } from "./state.ts";
import { atan2, exp2MinusOne, logTimes, logTimesPlusOne, sineCosine, tangent } from "./transcendental.ts";

/** The sixteen functions of D9 F0-FF. */
export function functions(fpu: Fpu, n: number): void {
  if (n === 6 || n === 7) {
    // FDECSTP, FINCSTP
    fpu.top = (fpu.top + (n === 6 ? 7 : 1)) & 7;
    fpu.setC1(0);
    return;
  }
  const needsTwo = n === 1 || n === 3 || n === 5 || n === 8 || n === 9 || n === 13;
  if (fpu.isEmpty(0) || (needsTwo && fpu.isEmpty(1))) {
    underflow(fpu, n);
    return;
  }
  const env = fpu.env;
  const x = fpu.st(0);
  const out = fpu.result;
  switch (n) {
    case 0:
      exp2MinusOne(env, out, x);
      finish(fpu, 0);
      return;
    case 1:
      logTimes(env, out, x, fpu.st(1));
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 2:
      tangentForm(fpu);
      return;
    case 3:
      atan2(env, out, fpu.st(1), x);
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 4:
      extract(env, fpu.second, out, x);
      // The exponent replaces ST(0), the significand is pushed.
      pushSecond(fpu, fpu.second, out);
      return;
    case 5:
    case 8:
      remainderForm(fpu, n === 5);
      return;
    case 9:
      logTimesPlusOne(env, out, x, fpu.st(1));
      if (finish(fpu, 1)) fpu.pop();
      return;
    case 10:
      sqrt(env, out, x);
      finish(fpu, 0);
      return;
    case 11:
      if (!fpu.isEmpty(7)) {
        clearC2(fpu);
        overflowPair(fpu);
        return;
      }
      if (sineCosine(env, fpu.second, out, x)) {
        clearC2(fpu);
        pushSecond(fpu, fpu.second, out);
      } else outOfRange(fpu);
      return;
    case 12:
      roundToIntegral(env, out, x);
      finish(fpu, 0);
      return;
    case 13:
      scale(env, out, x, fpu.st(1));
      finish(fpu, 0);
      return;
    default: {
      const inRange = n === 14 ? sineCosine(env, out, null, x) : sineCosine(env, null, out, x);
      if (!inRange) {
        outOfRange(fpu);
        return;
      }
      clearC2(fpu);
      finish(fpu, 0);
    }
  }
}

function clearC2(fpu: Fpu): void {
  fpu.sw &= ~C2;
}

/** FSIN, FCOS, FSINCOS, FPTAN of an operand of 2^63 or more: C2, nothing else. */
function outOfRange(fpu: Fpu): void {
  fpu.setC1(0);
  fpu.sw |= C2;
}

/** Functions that report in C2: FPTAN, FPREM1, FPREM, FSINCOS, FSIN, FCOS. */
const HAS_C2 = (1 << 2) | (1 << 5) | (1 << 8) | (1 << 11) | (1 << 14) | (1 << 15);

/** Stack underflow of a function: the masked answer goes where the result would have gone. */
function underflow(fpu: Fpu, n: number): void {
  if (HAS_C2 & (1 << n)) fpu.sw &= ~C2;
  if (!fpu.stackFault(false)) return;
  setIndefinite(fpu.result);
  const popping = n === 1 || n === 3 || n === 9;
  const dest = popping ? 1 : 0;
  fpu.st(dest).copy(fpu.result);
  fpu.markUsed(dest);
  if (popping) fpu.pop();
  if (n === 2 || n === 4 || n === 11) fpu.push(fpu.result);
}

/** No room for a second result: both are the indefinite. */
function overflowPair(fpu: Fpu): void {
  if (!fpu.stackFault(true)) return;
  setIndefinite(fpu.result);
  fpu.st(0).copy(fpu.result);
  fpu.push(fpu.result);
}

/** Replace ST(0) by `first` and push `pushed`. */
function pushSecond(fpu: Fpu, first: F80, pushed: F80): void {
  const env = fpu.env;
  if (!fpu.isEmpty(7)) {
    overflowPair(fpu);
    return;
  }
  if (env.flags & ~env.masks & BEFORE) {
    fpu.record(env.flags & BEFORE, 0);
    return;
  }
  fpu.st(0).copy(first);
  fpu.push(pushed);
  fpu.record(env.flags, env.up);
}

function tangentForm(fpu: Fpu): void {
  if (!fpu.isEmpty(7)) {
    clearC2(fpu);
    overflowPair(fpu);
    return;
  }
  const env = fpu.env;
  if (!tangent(env, fpu.second, fpu.st(0))) {
    outOfRange(fpu);
    return;
  }
  clearC2(fpu);
  // A NaN answers itself twice; a number is followed by 1.0.
  if (classify(fpu.second) > 3) fpu.result.copy(fpu.second);
  else fpu.result.set(0, BIAS, 0x8000_0000, 0);
  pushSecond(fpu, fpu.second, fpu.result);
}

function remainderForm(fpu: Fpu, nearest: boolean): void {
  const { partial, quotient } = remainder(fpu.env, fpu.result, fpu.st(0), fpu.st(1), nearest);
  fpu.sw &= ~C2;
  if (!finish(fpu, 0)) return;
  if (partial) fpu.sw |= C2;
  if (quotient < 0) return;
  fpu.setConditions((quotient >> 2) & 1, partial ? 1 : 0, (quotient >> 1) & 1);
  fpu.setC1(quotient & 1);
}
