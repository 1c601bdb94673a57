// The small typed language in which instructions say what they do. Values are int32; narrower ones are zero-extended.
// Expressions are pure; everything that can fault or change state is a statement, executed in order. Rule kept by every
// instruction: no register, flag or memory changes before the last statement that can fault.

export type Size = 8 | 16 | 32;

export type BinOp =
  | "add"
  | "sub"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr"
  | "sar"
  | "mul"
  | "mulhu"
  | "mulhs"
  | "eq"
  | "ne"
  | "ltu"
  | "leu"
  | "lts"
  | "les";
export type UnOp = "not" | "neg" | "sx8" | "sx16" | "zx8" | "zx16" | "bswap" | "ctz" | "clz" | "isZero";

/** Register operand slots of a decoded instruction: "a" is ModRM.rm or the opcode's register, "b" is ModRM.reg. */
export type Slot = "a" | "b";

/** A general register: named by the instruction's meaning, or by one of its operand slots. */
export type RegRef = { readonly fixed: number } | { readonly slot: Slot };

export type Flag = "cf" | "pf" | "af" | "zf" | "sf" | "of" | "df";

export type Expr =
  | { readonly k: "const"; readonly v: number }
  /** Immediates, sign-extended to 32 bits at decode; `index` is the number in slot "b" (segment, control, debug registers). */
  | { readonly k: "field"; readonly f: "imm" | "imm2" | "index" }
  | { readonly k: "reg"; readonly reg: RegRef; readonly size: Size }
  | { readonly k: "tmp"; readonly id: number }
  | { readonly k: "bin"; readonly op: BinOp; readonly a: Expr; readonly b: Expr }
  | { readonly k: "un"; readonly op: UnOp; readonly a: Expr }
  | { readonly k: "flag"; readonly f: Flag }
  /** One of the 16 conditions of Jcc, as 0 or 1. */
  | { readonly k: "cond"; readonly cc: number }
  /** Offset of the following instruction, and of the target of a direct branch. */
  | { readonly k: "next" }
  | { readonly k: "target" }
  /** The memory operand's offset in its segment. */
  | { readonly k: "ea" }
  /** A vector register operand (XMM or MMX): its byte offset in the state block. */
  | { readonly k: "vreg"; readonly slot: Slot }
  /** The selector in a segment register. */
  | { readonly k: "sel"; readonly seg: number };

/** Which segment an access goes through: the decoded one (with its override), or a fixed one. */
export type SegRef = "op" | number;

export interface Addr {
  readonly seg: SegRef;
  readonly off: Expr;
}

export type Stmt =
  | { readonly k: "let"; readonly id: number; readonly e: Expr }
  | { readonly k: "load"; readonly id: number; readonly size: Size; readonly at: Addr }
  | { readonly k: "store"; readonly size: Size; readonly at: Addr; readonly e: Expr }
  /** Linear address of a memory operand, its segment checked for `bytes` bytes (0: not checked). */
  | { readonly k: "linear"; readonly id: number; readonly at: Addr; readonly bytes: number; readonly write: boolean }
  /** Check that a store will succeed, without storing. */
  | { readonly k: "probeWrite"; readonly bytes: number; readonly at: Addr }
  /** Open a cell for read-modify-write: write-translation first, then the load into `id`. */
  | { readonly k: "open"; readonly id: number; readonly size: Size; readonly at: Addr }
  /** Store into the cell opened as `id`. */
  | { readonly k: "close"; readonly id: number; readonly size: Size; readonly e: Expr }
  | { readonly k: "setReg"; readonly reg: RegRef; readonly size: Size; readonly e: Expr }
  /** All six flags of an addition or subtraction with the given operands and result (adc, sbb too). */
  | { readonly k: "flagsAdd" | "flagsSub"; readonly size: Size; readonly a: Expr; readonly b: Expr; readonly r: Expr }
  /** INC and DEC: as add or sub of 1 with result r, CF kept. */
  | { readonly k: "flagsInc" | "flagsDec"; readonly size: Size; readonly r: Expr }
  /** ZF SF PF of a result; CF, OF, AF as given (0 or 1). */
  | {
      readonly k: "flagsResult";
      readonly size: Size;
      readonly r: Expr;
      readonly cf: Expr;
      readonly of: Expr;
      readonly af: Expr;
    }
  /** CF and OF only. */
  | { readonly k: "flagsCfOf"; readonly cf: Expr; readonly of: Expr }
  | { readonly k: "flagCf"; readonly v: Expr }
  /** Any arithmetic flags: those in `mask` come from `v` (EFLAGS positions). */
  | { readonly k: "flagBits"; readonly mask: number; readonly v: Expr }
  /** Direction flag. */
  | { readonly k: "setDf"; readonly v: 0 | 1 }
  | { readonly k: "if"; readonly c: Expr; readonly yes: readonly Stmt[]; readonly no: readonly Stmt[] }
  /** Near transfer to an offset in CS; ends the instruction. `direct`: it is the decoded target. */
  | { readonly k: "jump"; readonly to: Expr; readonly direct: boolean }
  /** A named helper (helpers.ts); with `id`, its result. Pure helpers change nothing but may fault. */
  | { readonly k: "call"; readonly id: number; readonly fn: string; readonly args: readonly Expr[] }
  | { readonly k: "raise"; readonly vector: number; readonly code: Expr }
  /** Memory to the state block at byte offset `to`; `aligned`: #GP(0) unless 16-byte aligned; `wide`: clear up to 16 bytes. */
  | {
      readonly k: "vload";
      readonly bytes: VectorBytes;
      readonly at: Addr;
      readonly aligned: boolean;
      readonly to: Expr;
      readonly wide: boolean;
    }
  /** State block at byte offset `from` to memory, complete or not at all. */
  | {
      readonly k: "vstore";
      readonly bytes: VectorBytes;
      readonly at: Addr;
      readonly aligned: boolean;
      readonly from: Expr;
    }
  /**
   * A vector operation (simd/operations.ts) on byte offsets in the state block: `d` becomes `d` op `s` over `bytes` bytes.
   * `op` names operation and lanes, as "add.f64" or "addsat.u8". It may raise #XM, having changed MXCSR only.
   */
  | {
      readonly k: "vec";
      readonly op: string;
      readonly d: Expr;
      readonly s: Expr;
      readonly bytes: VectorBytes;
      readonly imm: Expr;
    };

/** Bytes of a vector operand. */
export type VectorBytes = 2 | 4 | 8 | 16;

export const constant = (v: number): Expr => ({ k: "const", v: v | 0 });

function isConst(e: Expr, v?: number): boolean {
  return e.k === "const" && (v === undefined || e.v === v);
}

function bin(op: BinOp, a: Expr, b: Expr): Expr {
  return { k: "bin", op, a, b };
}

export const add = (a: Expr, b: Expr): Expr =>
  isConst(b, 0) ? a : a.k === "const" && b.k === "const" ? constant(a.v + b.v) : bin("add", a, b);
export const sub = (a: Expr, b: Expr): Expr => (isConst(b, 0) ? a : bin("sub", a, b));
export const and = (a: Expr, b: Expr): Expr => (isConst(b, -1) ? a : bin("and", a, b));
export const or = (a: Expr, b: Expr): Expr => bin("or", a, b);
export const xor = (a: Expr, b: Expr): Expr => bin("xor", a, b);
/** Shift counts are taken modulo 32. */
export const shl = (a: Expr, b: Expr): Expr => (isConst(b, 0) ? a : bin("shl", a, b));
export const shr = (a: Expr, b: Expr): Expr => (isConst(b, 0) ? a : bin("shr", a, b));
export const sar = (a: Expr, b: Expr): Expr => bin("sar", a, b);
export const mul = (a: Expr, b: Expr): Expr => bin("mul", a, b);
export const mulhu = (a: Expr, b: Expr): Expr => bin("mulhu", a, b);
export const mulhs = (a: Expr, b: Expr): Expr => bin("mulhs", a, b);
export const eq = (a: Expr, b: Expr): Expr => bin("eq", a, b);
export const ne = (a: Expr, b: Expr): Expr => bin("ne", a, b);
export const ltu = (a: Expr, b: Expr): Expr => bin("ltu", a, b);
export const leu = (a: Expr, b: Expr): Expr => bin("leu", a, b);
export const lts = (a: Expr, b: Expr): Expr => bin("lts", a, b);
export const not = (a: Expr): Expr => ({ k: "un", op: "not", a });
export const neg = (a: Expr): Expr => ({ k: "un", op: "neg", a });
export const bswap = (a: Expr): Expr => ({ k: "un", op: "bswap", a });
export const ctz = (a: Expr): Expr => ({ k: "un", op: "ctz", a });
export const clz = (a: Expr): Expr => ({ k: "un", op: "clz", a });
export const isZero = (a: Expr): Expr => ({ k: "un", op: "isZero", a });
/** Zero-extend from `size`. */
export const zx = (size: Size, a: Expr): Expr => (size === 32 ? a : { k: "un", op: size === 8 ? "zx8" : "zx16", a });
/** Sign-extend from `size`. */
export const sx = (size: Size, a: Expr): Expr => (size === 32 ? a : { k: "un", op: size === 8 ? "sx8" : "sx16", a });
/** Bit `n` of a value, as 0 or 1. */
export const bit = (a: Expr, n: Expr): Expr => and(shr(a, n), constant(1));
/** The sign bit of a value of `size` bits, as 0 or 1. */
export const msb = (size: Size, a: Expr): Expr =>
  size === 32 ? shr(a, constant(31)) : and(shr(a, constant(size - 1)), constant(1));
export const flag = (f: Flag): Expr => ({ k: "flag", f });
