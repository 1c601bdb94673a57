// Whole instructions made of the quick routines: code for WebAssembly that is 1 when the instruction has been done and 0
// when the exact path must do it. See ../layout.ts for what holds around them.
import { CF, lazyAux, lazyResult, ZF } from "../../flags.ts";
import { STATE_AUX, STATE_RESULT } from "../../state.ts";
import { type Code, choose, I32, i32, i64, type Local, select, seq } from "../../wasm/code.ts";
import {
  EMPTY,
  FPU_MODE,
  FPU_REGS,
  FPU_SCRATCH,
  FPU_SW,
  FPU_TOP,
  MODE_MASKED,
  MODE_NEAREST,
  SLOT_SE,
} from "../layout.ts";
import { CONSTANTS } from "../register-forms.ts";
import { C0, C1, C2, C3 } from "../state.ts";
import { exponentWord, noteExact, significand, writeSlot, zero64 } from "./round.ts";

/** The routines that forms call, see arith.ts and convert.ts. */
export type Routine =
  | "add"
  | "mul"
  | "div"
  | "root"
  | "com"
  | "ld32"
  | "ld64"
  | "st32"
  | "st64"
  | "ild"
  | "ist16"
  | "ist32"
  | "ist64";

/** Where a form's code is put. */
export interface QuickContext {
  /** Holds the word at FPU_TOP; the code keeps both up to date. */
  readonly top: Local;
  /** An i32 local to use freely. */
  readonly temporary: Local;
  call(routine: Routine, ...args: readonly Code[]): Code;
}

/** A form that has quick code. */
export interface QuickForm {
  /** The same for forms that differ in ST(i) only. */
  readonly name: string;
  /** Bytes of the memory operand, 0 for register forms. */
  readonly bytes: number;
  /** The memory operand is written. */
  readonly writes: boolean;
  /** It sets the arithmetic flags, as STATE_RESULT and STATE_AUX. */
  readonly setsFlags: boolean;
  /**
   * An i32 expression. `operand` is evaluated any number of times: 16 * i of ST(i), or the host address of a memory operand
   * that lies in one page with the access allowed.
   */
  code(context: QuickContext, operand: Code): Code;
}

const none = i32.const(0);
const scratch = i32.const(FPU_SCRATCH);
const SE_EMPTY = i32.const(EMPTY);

const slot = (top: Code): Code => i32.add(i32.and(top, i32.const(0x70)), i32.const(FPU_REGS));
const st = (c: QuickContext, i16: Code): Code => slot(i32.add(c.top.get, i16));
const st0 = (c: QuickContext): Code => i32.add(c.top.get, i32.const(FPU_REGS));
/** The slot that a push will use. */
const next = (c: QuickContext): Code => slot(i32.sub(c.top.get, i32.const(16)));

const isEmpty = (at: Code): Code => i32.and(exponentWord(at), SE_EMPTY);
const isHeld = (at: Code): Code => i32.eqz(isEmpty(at));
const hasMode = (bits: number): Code => i32.eq(i32.and(i32.load(none, FPU_MODE), i32.const(bits)), i32.const(bits));
/** Statements if the condition holds, and whether it did. */
const provided = (condition: Code, ...statements: readonly Code[]): Code =>
  choose(I32, condition, seq(...statements, i32.const(1)), i32.const(0));

const setTop = (c: QuickContext, value: Code): Code =>
  i32.store(none, c.top.tee(i32.and(value, i32.const(0x70))), FPU_TOP);
const pop = (c: QuickContext): Code =>
  seq(i32.store8(st0(c), i32.const(1), SLOT_SE + 2), setTop(c, i32.add(c.top.get, i32.const(16))));
const push = (c: QuickContext): Code => setTop(c, i32.sub(c.top.get, i32.const(16)));
const copySlot = (to: Code, from: Code): Code => writeSlot(to, significand(from), exponentWord(from));

type Body = (c: QuickContext, operand: Code) => Code;

/** dst = a op b by the reg field of D8, DA, DC, DE; the code of registerArithmetic. */
function binary(c: QuickContext, op: number, dst: Code, a: Code, b: Code): Code {
  if (op === 0) return c.call("add", dst, a, b, none);
  if (op === 1) return c.call("mul", dst, a, b);
  const [left, right] = op & 1 ? [b, a] : [a, b];
  if (op < 6) return c.call("add", dst, left, right, i32.const(0x8000));
  return c.call("div", dst, left, right);
}

/** com's answer in the temporary; is it one? */
const compared = (c: QuickContext, a: Code, b: Code): Code =>
  choose(I32, hasMode(MODE_MASKED), i32.ges(c.temporary.tee(c.call("com", a, b)), none), none);
const pops = (c: QuickContext, n: number): Code => seq(...Array.from({ length: n }, () => pop(c)));

function compare(c: QuickContext, a: Code, b: Code, n: number): Code {
  const others = i32.and(i32.load(none, FPU_SW), i32.const(~(C0 | C1 | C2 | C3)));
  return provided(compared(c, a, b), i32.store(none, i32.or(others, c.temporary.get), FPU_SW), pops(c, n));
}

/** FCOMI and its kin: the flags that stand for greater, less and equal. */
function compareToFlags(c: QuickContext, b: Code, n: number): Code {
  const t = c.temporary.get;
  const word = (of: (flags: number) => number): Code =>
    select(select(i32.const(of(CF)), i32.const(of(ZF)), i32.and(t, i32.const(C0))), i32.const(of(0)), t);
  return provided(
    compared(c, st0(c), b),
    i32.store(none, word(lazyResult), STATE_RESULT * 4),
    i32.store(none, word(lazyAux), STATE_AUX * 4),
    pops(c, n),
  );
}

/** The operand of a memory form into a slot: 1 when it could be. */
function operandInto(c: QuickContext, opcode: number, dst: Code, host: Code): Code {
  if (opcode === 0xd8) return c.call("ld32", dst, host);
  if (opcode === 0xdc) return c.call("ld64", dst, host);
  if (opcode === 0xda) return c.call("ild", dst, i64.load32s(host));
  return c.call("ild", dst, i64.load16s(host));
}

/** Room for a push, then a load into the slot that it will use, then the push. */
const pushing =
  (mode: number, load: Body): Body =>
  (c, operand) =>
    provided(
      choose(I32, i32.and(hasMode(mode), i32.ne(isEmpty(next(c)), none)), load(c, operand), none),
      push(c),
      noteExact,
    );
const storing =
  (routine: Routine, n: number): Body =>
  (c, host) =>
    n ? provided(c.call(routine, st0(c), host), pops(c, n)) : c.call(routine, st0(c), host);
/** Statements when the given slots hold values; C1 is cleared. */
const moving = (held: readonly Code[], ...statements: readonly Code[]): Code =>
  provided(
    held.map(isHeld).reduce((a, b) => i32.and(a, b), hasMode(MODE_MASKED)),
    ...statements,
    noteExact,
  );

function exchange(c: QuickContext, i16: Code): Code {
  const [a, b] = [st0(c), st(c, i16)];
  // By way of the scratch slot, so that no 64-bit local is needed.
  return moving([a, b], copySlot(scratch, a), copySlot(a, b), copySlot(b, scratch));
}

function loadConstant(n: number): Body {
  const [exp, hi, lo] = CONSTANTS[n];
  const sig = i64.const((BigInt(hi) << 32n) | BigInt(lo));
  // 1 and 0 are the same in every rounding mode.
  return pushing(n === 0 || n === 6 ? MODE_MASKED : MODE_MASKED | MODE_NEAREST, (c) =>
    seq(writeSlot(next(c), sig, i32.const(exp)), i32.const(1)),
  );
}

function memoryForm(opcode: number, op: number): { bytes: number; writes?: boolean; code: Body } | null {
  if (opcode === 0xd8 || opcode === 0xda || opcode === 0xdc || opcode === 0xde) {
    const bytes = opcode === 0xdc ? 8 : opcode === 0xde ? 2 : 4;
    const then = (c: QuickContext): Code =>
      op === 2 || op === 3 ? compare(c, st0(c), scratch, op - 2) : binary(c, op, st0(c), st0(c), scratch);
    return { bytes, code: (c, host) => choose(I32, operandInto(c, opcode, scratch, host), then(c), none) };
  }
  const load = (bytes: number, body: Body) => ({ bytes, code: pushing(MODE_MASKED, body) });
  const store = (bytes: number, routine: Routine) => ({
    bytes,
    writes: true,
    code: storing(routine, op === 2 ? 0 : 1),
  });
  switch (opcode * 8 + op) {
    case 0xd9 * 8:
      return load(4, (c, host) => c.call("ld32", next(c), host));
    case 0xdd * 8:
      return load(8, (c, host) => c.call("ld64", next(c), host));
    case 0xdb * 8:
      return load(4, (c, host) => c.call("ild", next(c), i64.load32s(host)));
    case 0xdf * 8:
      return load(2, (c, host) => c.call("ild", next(c), i64.load16s(host)));
    case 0xdf * 8 + 5:
      return load(8, (c, host) => c.call("ild", next(c), i64.load(host)));
    case 0xdb * 8 + 5:
      return load(10, (c, host) => seq(writeSlot(next(c), i64.load(host), i32.load16u(host, 8)), i32.const(1)));
    case 0xd9 * 8 + 2:
    case 0xd9 * 8 + 3:
      return store(4, "st32");
    case 0xdd * 8 + 2:
    case 0xdd * 8 + 3:
      return store(8, "st64");
    case 0xdb * 8 + 2:
    case 0xdb * 8 + 3:
      return store(4, "ist32");
    case 0xdf * 8 + 2:
    case 0xdf * 8 + 3:
      return store(2, "ist16");
    case 0xdf * 8 + 7:
      return store(8, "ist64");
    case 0xdb * 8 + 7:
      return {
        bytes: 10,
        writes: true,
        code: (c, host) =>
          moving([st0(c)], i64.store(host, significand(st0(c))), i32.store16(host, exponentWord(st0(c)), 8), pop(c)),
      };
    default:
      return null;
  }
}

function registerForm(opcode: number, modrm: number): Body | null {
  const op = (modrm >>> 3) & 7;
  switch (opcode) {
    case 0xd8:
      if (op === 2 || op === 3) return (c, i) => compare(c, st0(c), st(c, i), op - 2);
      return (c, i) => binary(c, op, st0(c), st0(c), st(c, i));
    case 0xdc:
      return op === 2 || op === 3 ? null : (c, i) => binary(c, op, st(c, i), st0(c), st(c, i));
    case 0xde:
      if (modrm === 0xd9) return (c) => compare(c, st0(c), st(c, i32.const(16)), 2);
      return op === 2 || op === 3 ? null : (c, i) => provided(binary(c, op, st(c, i), st0(c), st(c, i)), pop(c));
    case 0xda:
      return modrm === 0xe9 ? (c) => compare(c, st0(c), st(c, i32.const(16)), 2) : null;
    case 0xdb:
    case 0xdf:
      return op === 5 || op === 6 ? (c, i) => compareToFlags(c, st(c, i), opcode === 0xdf ? 1 : 0) : null;
    case 0xdd:
      if (op === 2) return (c, i) => moving([st0(c)], copySlot(st(c, i), st0(c)));
      if (op === 3) return (c, i) => moving([st0(c)], copySlot(st(c, i), st0(c)), pop(c));
      return op === 4 || op === 5 ? (c, i) => compare(c, st0(c), st(c, i), op - 4) : null;
    case 0xd9:
      if (op === 0) return pushing(MODE_MASKED, (c, i) => provided(isHeld(st(c, i)), copySlot(next(c), st(c, i))));
      if (op === 1) return exchange;
      return oneRegister(modrm);
    default:
      return null;
  }
}

/** D9 E0-FF. */
function oneRegister(modrm: number): Body | null {
  if (modrm === 0xe0 || modrm === 0xe1) {
    const sign = (se: Code): Code =>
      modrm === 0xe0 ? i32.xor(se, i32.const(0x8000)) : i32.and(se, i32.const(~0x8000));
    return (c) => moving([st0(c)], i32.store(st0(c), sign(exponentWord(st0(c))), SLOT_SE));
  }
  if (modrm === 0xe4) return (c) => seq(writeSlot(scratch, zero64, none), compare(c, st0(c), scratch, 0));
  if (modrm >= 0xe8 && modrm <= 0xee) return loadConstant(modrm - 0xe8);
  return modrm === 0xfa ? (c) => c.call("root", st0(c), st0(c)) : null;
}

/** The quick code of an instruction, or null when it has none. */
export function quickForm(opcode: number, modrm: number): QuickForm | null {
  const op = (modrm >>> 3) & 7;
  const hex = opcode.toString(16);
  if (modrm < 0xc0) {
    const form = memoryForm(opcode, op);
    return form && { name: `${hex}/${op}`, writes: false, setsFlags: false, ...form };
  }
  const code = registerForm(opcode, modrm);
  if (code === null) return null;
  const fixed = (opcode === 0xd9 && op >= 4) || modrm === 0xd9 || modrm === 0xe9;
  const setsFlags = (opcode === 0xdb || opcode === 0xdf) && (op === 5 || op === 6);
  return { name: `${hex} ${(fixed ? modrm : modrm & 0xf8).toString(16)}`, bytes: 0, writes: false, setsFlags, code };
}
