// Integer vector operations of 128 bits as WebAssembly's, by the names of the instruction table. All are exact; where the
// two differ (counts beyond a lane's width, indices beyond the last byte, one product) the difference is made good here.
import type { Assembler } from "./assembler.ts";

/** Operands of one operation; the result is left on the stack. */
export interface VectorOperands {
  readonly asm: Assembler;
  d(): void;
  s(): void;
  readonly imm: number;
  /** Two locals to use. */
  readonly first: number;
  readonly second: number;
}

type Emit = (o: VectorOperands) => void;

const SHUFFLE = 0x0d;
const EXTRACT_WIDE = 0x1d;
const SPLAT = 0x11;
const AND = 0x4e;
const XOR = 0x51;
const BYTES = 16;
const each = <T>(f: (i: number) => T): T[] => Array.from({ length: BYTES }, (_, i) => f(i));

/** Bytes of the two vectors on the stack, 0 to 15 the lower one's. */
export function shuffle(asm: Assembler, lanes: readonly number[]): void {
  asm.vector(SHUFFLE, ...lanes);
}

const zero = (asm: Assembler): void => asm.constVector(new Uint8Array(BYTES));
const words = (asm: Assembler, value: number): void =>
  asm.constVector(Uint8Array.from(each((i) => value >> (8 * (i & 1)))));

const plain =
  (opcode: number): Emit =>
  ({ asm, d, s }) => {
    d();
    s();
    asm.vector(opcode);
  };

/** Lanes of `d` (0 to 15) and `s`. */
const pick =
  (lane: (i: number, imm: number) => number): Emit =>
  ({ asm, d, s, imm }) => {
    d();
    s();
    shuffle(
      asm,
      each((i) => lane(i, imm)),
    );
  };

const unpack = (bytes: number, from: 0 | 8): Emit =>
  pick((i) => {
    const n = Math.floor(i / (2 * bytes));
    return from + n * bytes + (i % bytes) + (Math.floor(i / bytes) & 1 ? 16 : 0);
  });

/** Two bits of an immediate choose a lane of `bytes`, counted from byte `from`, for the n-th lane of the result. */
const chosen = (imm: number, n: number, bytes: number, i: number): number =>
  ((imm >> (2 * n)) & 3) * bytes + (i % bytes);

const chooseWords = (from: 0 | 8): Emit =>
  pick((i, imm) => 16 + (i >> 3 === from >> 3 ? from + chosen(imm, (i - from) >> 1, 2, i) : i));

/** Bytes from the n-th on of what `low` and `high` push, zeros behind them. */
function window(asm: Assembler, low: () => void, high: () => void, n: number): void {
  if (n >= 2 * BYTES) {
    zero(asm);
    return;
  }
  if (n < BYTES) low();
  high();
  if (n >= BYTES) zero(asm);
  shuffle(
    asm,
    each((i) => (n % BYTES) + i),
  );
}

/** A shift of lanes of `bits` by the number in `s`, or by the immediate. */
function shift(opcode: number, bits: number, arithmetic: boolean): { byCount: Emit; byImmediate: Emit } {
  return {
    byCount: ({ asm, d, s }) => {
      const count = () => {
        s();
        asm.vector(EXTRACT_WIDE, 0);
      };
      const small = () => {
        count();
        asm.const64(bits);
        asm.op("ltu64");
      };
      d();
      count();
      asm.op("wrap");
      if (arithmetic) {
        asm.const(bits - 1);
        small();
        asm.op("select");
      }
      asm.vector(opcode);
      if (arithmetic) return;
      asm.const(0);
      small();
      asm.op("sub");
      asm.vector(SPLAT);
      asm.vector(AND);
    },
    byImmediate: ({ asm, d, imm }) => {
      if (imm >= bits && !arithmetic) {
        zero(asm);
        return;
      }
      d();
      asm.const(Math.min(imm, bits - 1));
      asm.vector(opcode);
    },
  };
}

const SHIFTS = {
  "shl.i16": shift(0x8b, 16, false),
  "shr.i16": shift(0x8d, 16, false),
  "sar.i16": shift(0x8c, 16, true),
  "shl.i32": shift(0xab, 32, false),
  "shr.i32": shift(0xad, 32, false),
  "sar.i32": shift(0xac, 32, true),
  "shl.i64": shift(0xcb, 64, false),
  "shr.i64": shift(0xcd, 64, false),
};

/** The upper halves of products: both halves of the lanes multiplied to 32 bits. */
const high =
  (low: number, upper: number): Emit =>
  ({ asm, d, s }) => {
    for (const opcode of [low, upper]) {
      d();
      s();
      asm.vector(opcode);
    }
    shuffle(
      asm,
      each((i) => 4 * (i >> 1) + 2 + (i & 1)),
    );
  };

/** PMULUDQ. */
const multiplyWide: Emit = ({ asm, d, s }) => {
  for (const operand of [d, s]) {
    operand();
    operand();
    shuffle(
      asm,
      each((i) => (i < 8 ? i + 4 * (i >> 2) : i)),
    );
  }
  asm.vector(0xde);
};

/** PMULHRSW: only -32768 squared differs. */
const multiplyRound: Emit = ({ asm, d, s }) => {
  d();
  s();
  asm.vector(0x82);
  for (const operand of [d, s]) {
    operand();
    words(asm, 0x8000);
    asm.vector(0x2d);
  }
  asm.vector(AND);
  asm.vector(XOR);
};

/** PMADDUBSW: even and odd products, added with saturation. */
const multiplyAddBytes: Emit = ({ asm, d, s }) => {
  d();
  words(asm, 0xff);
  asm.vector(AND);
  s();
  asm.const(8);
  asm.vector(0x8b);
  asm.const(8);
  asm.vector(0x8c);
  asm.vector(0x95);
  d();
  asm.const(8);
  asm.vector(0x8d);
  s();
  asm.const(8);
  asm.vector(0x8c);
  asm.vector(0x95);
  asm.vector(0x8f);
};

/** PSADBW. */
const differences: Emit = ({ asm, d, s, first }) => {
  for (const opcode of [0x79, 0x77]) {
    d();
    s();
    asm.vector(opcode);
  }
  asm.vector(0x71);
  asm.vector(0x7d);
  asm.vector(0x7f);
  asm.set(first);
  asm.get(first);
  asm.const(32);
  asm.vector(0xcd);
  asm.get(first);
  asm.vector(0xae);
  asm.constVector(Uint8Array.from(each((i) => ((i & 7) < 4 ? 0xff : 0))));
  asm.vector(AND);
};

/** PSIGN: negated where `s` is negative, zero where it is zero. */
const sign =
  (less: number, subtract: number, differ: number): Emit =>
  ({ asm, d, s, first, second }) => {
    s();
    zero(asm);
    asm.vector(less);
    asm.set(first);
    s();
    zero(asm);
    asm.vector(differ);
    asm.set(second);
    d();
    asm.get(first);
    asm.vector(XOR);
    asm.get(first);
    asm.vector(subtract);
    asm.get(second);
    asm.vector(AND);
  };

/** Neighbours: even lanes of `d` and `s`, then odd ones, and an operation on them. */
const neighbours =
  (bytes: 2 | 4, opcode: number): Emit =>
  ({ asm, d, s }) => {
    for (const odd of [0, 1]) {
      d();
      s();
      shuffle(
        asm,
        each((i) => 2 * i - (i % bytes) + bytes * odd),
      );
    }
    asm.vector(opcode);
  };

const unary =
  (opcode: number): Emit =>
  ({ asm, s }) => {
    s();
    asm.vector(opcode);
  };

/** By the names of simd/operations.ts. */
export const integerOperations: Readonly<Record<string, Emit>> = {
  "add.i8": plain(0x6e),
  "add.i16": plain(0x8e),
  "add.i32": plain(0xae),
  "add.i64": plain(0xce),
  "sub.i8": plain(0x71),
  "sub.i16": plain(0x91),
  "sub.i32": plain(0xb1),
  "sub.i64": plain(0xd1),
  "addsat.i8": plain(0x6f),
  "addsat.u8": plain(0x70),
  "addsat.i16": plain(0x8f),
  "addsat.u16": plain(0x90),
  "subsat.i8": plain(0x72),
  "subsat.u8": plain(0x73),
  "subsat.i16": plain(0x92),
  "subsat.u16": plain(0x93),
  "mullo.i16": plain(0x95),
  "mulhi.i16": high(0xbc, 0xbd),
  "mulhi.u16": high(0xbe, 0xbf),
  "mulround.i16": multiplyRound,
  "mulwide.u32": multiplyWide,
  "muladd.i16": plain(0xba),
  "muladd.u8i8": multiplyAddBytes,
  "sad.u8": differences,
  "avg.u8": plain(0x7b),
  "avg.u16": plain(0x9b),
  "min.u8": plain(0x77),
  "max.u8": plain(0x79),
  "min.i16": plain(0x96),
  "max.i16": plain(0x98),
  "eq.i8": plain(0x23),
  "eq.i16": plain(0x2d),
  "eq.i32": plain(0x37),
  "gt.i8": plain(0x27),
  "gt.i16": plain(0x31),
  "gt.i32": plain(0x3b),
  "and.v": plain(AND),
  "andnot.v": ({ asm, d, s }) => {
    s();
    d();
    asm.vector(0x4f);
  },
  "or.v": plain(0x50),
  "xor.v": plain(XOR),
  "hadd.i16": neighbours(2, 0x8e),
  "hadd.i32": neighbours(4, 0xae),
  "haddsat.i16": neighbours(2, 0x8f),
  "hsub.i16": neighbours(2, 0x91),
  "hsub.i32": neighbours(4, 0xb1),
  "hsubsat.i16": neighbours(2, 0x92),
  "sign.i8": sign(0x25, 0x71, 0x24),
  "sign.i16": sign(0x2f, 0x91, 0x2e),
  "sign.i32": sign(0x39, 0xb1, 0x38),
  "abs.i8": unary(0x60),
  "abs.i16": unary(0x80),
  "abs.i32": unary(0xa0),
  ...Object.fromEntries(Object.entries(SHIFTS).map(([name, { byCount }]) => [name, byCount])),
  ...Object.fromEntries(Object.entries(SHIFTS).map(([name, { byImmediate }]) => [`imm-${name}`, byImmediate])),
  "imm-shr.v": ({ asm, d, imm }) => window(asm, d, () => zero(asm), Math.min(imm, BYTES)),
  "imm-shl.v": ({ asm, d, imm }) => window(asm, () => zero(asm), d, BYTES - Math.min(imm, BYTES)),
  "align.v": ({ asm, d, s, imm }) => window(asm, s, d, imm),
  "movz.i64": ({ asm, s }) => {
    s();
    zero(asm);
    shuffle(
      asm,
      each((i) => (i < 8 ? i : 16 + i)),
    );
  },
  "zerohigh.v": ({ asm, d }) => {
    d();
    zero(asm);
    shuffle(
      asm,
      each((i) => (i < 8 ? i : 16 + i)),
    );
  },
  "unpacklo.i8": unpack(1, 0),
  "unpacklo.i16": unpack(2, 0),
  "unpacklo.i32": unpack(4, 0),
  "unpacklo.i64": unpack(8, 0),
  "unpackhi.i8": unpack(1, 8),
  "unpackhi.i16": unpack(2, 8),
  "unpackhi.i32": unpack(4, 8),
  "unpackhi.i64": unpack(8, 8),
  "pack.i16i8": plain(0x65),
  "pack.i16u8": plain(0x66),
  "pack.i32i16": plain(0x85),
  "shuf.i32": pick((i, imm) => 16 + chosen(imm, i >> 2, 4, i)),
  "shuflo.i16": chooseWords(0),
  "shufhi.i16": chooseWords(8),
  "shuf2.f32": pick((i, imm) => (i < 8 ? 0 : 16) + chosen(imm, i >> 2, 4, i)),
  "shuf2.f64": pick((i, imm) => (i < 8 ? 8 * (imm & 1) : 16 + 8 * ((imm >> 1) & 1)) + (i & 7)),
  "shuf.i8": ({ asm, d, s }) => {
    d();
    s();
    asm.constVector(new Uint8Array(BYTES).fill(0x8f));
    asm.vector(AND);
    asm.vector(0x0e);
  },
  "dupeven.f32": pick((i) => 16 + (i & 8) + (i & 3)),
  "dupodd.f32": pick((i) => 16 + (i & 8) + 4 + (i & 3)),
  "dup.f64": pick((i) => 16 + (i & 7)),
};
