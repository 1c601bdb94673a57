// What the operators of the IR give for int32 operands: how the oracle evaluates them, and the compiler what is constant.
import type { BinOp, UnOp } from "./ir.ts";

/** The value of a unary operator; operand and result are int32. */
export function unary(op: UnOp, a: number): number {
  switch (op) {
    case "not":
      return ~a;
    case "neg":
      return -a | 0;
    case "sx8":
      return (a << 24) >> 24;
    case "sx16":
      return (a << 16) >> 16;
    case "zx8":
      return a & 0xff;
    case "zx16":
      return a & 0xffff;
    case "bswap":
      return new DataView(new Int32Array([a]).buffer).getInt32(0, false);
    case "ctz": {
      let n = 0;
      while (n < 32 && !((a >>> n) & 1)) n++;
      return n;
    }
    case "clz": {
      let n = 0;
      while (n < 32 && !((a >>> (31 - n)) & 1)) n++;
      return n;
    }
    case "isZero":
      return a === 0 ? 1 : 0;
  }
}

/** The value of a binary operator; shift counts are taken modulo 32. */
export function binary(op: BinOp, a: number, b: number): number {
  switch (op) {
    case "add":
      return (a + b) | 0;
    case "sub":
      return (a - b) | 0;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return a << b;
    case "shr":
      return (a >>> b) | 0;
    case "sar":
      return a >> b;
    case "mul":
      return Number(BigInt.asIntN(32, BigInt(a) * BigInt(b)));
    case "mulhu":
      return Number(BigInt.asIntN(32, (BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n));
    case "mulhs":
      return Number(BigInt.asIntN(32, (BigInt(a) * BigInt(b)) >> 32n));
    case "eq":
      return a === b ? 1 : 0;
    case "ne":
      return a !== b ? 1 : 0;
    case "ltu":
      return a >>> 0 < b >>> 0 ? 1 : 0;
    case "leu":
      return a >>> 0 <= b >>> 0 ? 1 : 0;
    case "lts":
      return a < b ? 1 : 0;
    case "les":
      return a <= b ? 1 : 0;
  }
}
