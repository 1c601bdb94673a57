// Whole instructions made of the quick routines, for whatever holds the stack: linear memory (kernel.ts) or the locals of
// compiled code (compile.ts). See ../layout.ts for what holds around them.
import { CF, lazyAux, lazyResult, ZF } from "../../flags.ts";
import { STATE_AUX, STATE_RESULT } from "../../state.ts";
import { type Code, i32, i64, type Local, select, seq } from "../../wasm/code.ts";
import { FPU_SW, MODE_FULL, MODE_MASKED, MODE_NEAREST, TAG_EMPTY, TAG_SPECIAL, TAG_ZERO } from "../layout.ts";
import { CONSTANTS } from "../register-forms.ts";
import { C0, C2, C3 } from "../state.ts";
import { noteExact, zero64 } from "./round.ts";

/** The routines that forms call, see arith.ts and convert.ts. */
export type Routine = "add" | "mul" | "div" | "root" | "com" | "ld32" | "ld64" | "st32" | "st64" | "ild" | "ist";

/** A value: code that puts its parts on the stack, as often as they are wanted. */
export interface Value {
  readonly sig: Code;
  readonly se: Code;
}

/** A register: ST(0), ST(1), the instruction's ST(i), or the one that a push would use. */
export type Register = 0 | 1 | "i" | "next";

/** The stack that a form works on. Nothing may be refused behind the first write. */
export interface QuickStack {
  /** Two pairs of locals: what routines answer goes here. */
  readonly sig: Local;
  readonly se: Local;
  call(routine: Routine, ...args: readonly Code[]): Code;
  /** ld64 of a host address into sig and se. */
  load64(host: Code): Code;
  /** Refuse the instruction when the i32 condition is not 0. */
  refuseIf(condition: Code): Code;
  /** Refuse unless FPU_MODE has these bits. */
  mode(bits: number): Code;
  /** Refuse when a fetched register is empty, or when it is not. */
  refuseEmpty(register: Register): Code;
  refuseHeld(register: Register): Code;
  /** Make registers readable by value(); once, at the start. */
  fetch(...registers: readonly Register[]): Code;
  value(register: Register): Value;
  /** Not before every register that is still wanted has been fetched; `value` must not be that of another register. */
  write(register: Register, value: Value): Code;
  exchange(): Code;
  push(): Code;
  pop(): Code;
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
   * Statements. `host`, evaluated any number of times, is the host address of a memory operand that lies in one page with
   * the access allowed.
   */
  code(stack: QuickStack, host: Code): Code;
}

type Body = (s: QuickStack, host: Code) => Code;

const none = i32.const(0);
/** i32: does the exponent word say that its register is empty? */
export const saysEmpty = (se: Code): Code => i32.eq(i32.and(se, i32.const(TAG_EMPTY)), i32.const(TAG_EMPTY));
const negated = (se: Code): Code => i32.xor(se, i32.const(0x8000));

/** The routine's answer in sig and se; refused when it refuses. */
const answered = (s: QuickStack, answer: Code): Code =>
  seq(answer, s.se.take, s.sig.take, s.refuseIf(i32.lts(s.se.get, none)));
const result = (s: QuickStack): Value => ({ sig: s.sig.get, se: s.se.get });

/** a op b by the reg field of D8, DA, DC, DE, as registerArithmetic has it, into sig and se. */
function binary(s: QuickStack, op: number, a: Value, b: Value): Code {
  const [left, right] = op === 5 || op === 7 ? [b, a] : [a, b];
  const routine = op === 1 ? "mul" : op < 6 ? "add" : "div";
  const se = op === 4 || op === 5 ? negated(right.se) : right.se;
  return seq(s.mode(MODE_FULL), answered(s, s.call(routine, left.sig, left.se, right.sig, se)));
}

/** com's answer in se. */
const compared = (s: QuickStack, a: Value, b: Value): Code =>
  seq(s.mode(MODE_MASKED), s.se.set(s.call("com", a.sig, a.se, b.sig, b.se)), s.refuseIf(i32.lts(s.se.get, none)));
const pops = (s: QuickStack, n: number): Code => seq(...Array.from({ length: n }, () => s.pop()));

function compare(s: QuickStack, a: Value, b: Value, n: number): Code {
  const others = i32.and(i32.load(none, FPU_SW), i32.const(~(C0 | C2 | C3)));
  return seq(compared(s, a, b), i32.store(none, i32.or(others, s.se.get), FPU_SW), noteExact, pops(s, n));
}

/** FCOMI and its kin: the flags that stand for greater, less and equal. */
function compareToFlags(s: QuickStack, n: number): Code {
  const word = (of: (flags: number) => number): Code =>
    select(select(i32.const(of(CF)), i32.const(of(ZF)), i32.and(s.se.get, i32.const(C0))), i32.const(of(0)), s.se.get);
  return seq(
    s.fetch(0, "i"),
    compared(s, s.value(0), s.value("i")),
    i32.store(none, word(lazyResult), STATE_RESULT * 4),
    i32.store(none, word(lazyAux), STATE_AUX * 4),
    pops(s, n),
  );
}

/** The operand of a memory form into sig and se. */
function operand(s: QuickStack, opcode: number, host: Code): Code {
  if (opcode === 0xd8) return answered(s, s.call("ld32", i64.load32s(host)));
  if (opcode === 0xdc) return seq(s.load64(host), s.refuseIf(i32.lts(s.se.get, none)));
  return answered(s, s.call("ild", opcode === 0xda ? i64.load32s(host) : i64.load16s(host)));
}

/** Room for a push, then what is pushed in sig and se, then the push. */
const pushing =
  (mode: number, load: Body): Body =>
  (s, host) =>
    seq(s.mode(mode), s.fetch("next"), s.refuseHeld("next"), load(s, host), s.push(), s.write(0, result(s)), noteExact);

/** A store of ST(0): the routine answers with the bits. */
const storing =
  (bytes: 2 | 4 | 8, mode: number, routine: Routine, n: number): Body =>
  (s, host) => {
    const { sig, se } = s.value(0);
    const write =
      bytes === 8
        ? i64.store(host, s.sig.get)
        : bytes === 4
          ? i32.store(host, i32.wrap(s.sig.get))
          : i32.store16(host, i32.wrap(s.sig.get));
    const call = routine === "ist" ? s.call(routine, sig, se, i32.const(8 * bytes)) : s.call(routine, sig, se);
    return seq(s.mode(mode), s.fetch(0), call, s.se.take, s.sig.take, s.refuseIf(i32.eqz(s.se.get)), write, pops(s, n));
  };

function storeExtended(s: QuickStack, host: Code): Code {
  const { sig, se } = s.value(0);
  return seq(
    s.mode(MODE_MASKED),
    s.fetch(0),
    s.refuseEmpty(0),
    i64.store(host, sig),
    i32.store16(host, se, 8),
    s.pop(),
    noteExact,
  );
}

/** m80fp: normal numbers and zeros. */
function loadExtended(s: QuickStack, host: Code): Code {
  const exp = i32.and(s.se.get, i32.const(0x7fff));
  const isNormal = i32.and(i32.ltu(i32.sub(exp, i32.const(1)), i32.const(0x7ffe)), i64.lts(s.sig.get, zero64));
  const isZero = i32.and(i32.eqz(exp), i64.eqz(s.sig.get));
  return seq(
    s.sig.set(i64.load(host)),
    s.se.set(i32.load16u(host, 8)),
    s.se.set(i32.or(s.se.get, select(none, select(i32.const(TAG_ZERO), i32.const(TAG_SPECIAL), isZero), isNormal))),
  );
}

function moveTo(s: QuickStack, n: number): Code {
  const { sig, se } = s.value(0);
  return seq(
    s.mode(MODE_MASKED),
    s.fetch(0),
    s.refuseEmpty(0),
    s.sig.set(sig),
    s.se.set(se),
    s.write("i", result(s)),
    pops(s, n),
    noteExact,
  );
}

function loadConstant(n: number): Body {
  const [exp, hi, lo] = CONSTANTS[n];
  // 1 and 0 are the same in every rounding mode.
  return pushing(n === 0 || n === 6 ? MODE_MASKED : MODE_MASKED | MODE_NEAREST, (s) =>
    seq(s.sig.set(i64.const((BigInt(hi) << 32n) | BigInt(lo))), s.se.set(i32.const(n === 6 ? TAG_ZERO : exp))),
  );
}

function memoryForm(opcode: number, op: number): { bytes: number; writes?: boolean; code: Body } | null {
  if (opcode === 0xd8 || opcode === 0xda || opcode === 0xdc || opcode === 0xde) {
    const bytes = opcode === 0xdc ? 8 : opcode === 0xde ? 2 : 4;
    const then: Body = (s) =>
      op === 2 || op === 3
        ? compare(s, s.value(0), result(s), op - 2)
        : seq(binary(s, op, s.value(0), result(s)), s.write(0, result(s)));
    return { bytes, code: (s, host) => seq(s.fetch(0), operand(s, opcode, host), then(s, host)) };
  }
  const load = (bytes: number, body: Body) => ({ bytes, code: pushing(MODE_MASKED, body) });
  const integer = (bytes: number, read: (host: Code) => Code) =>
    load(bytes, (s, host) => answered(s, s.call("ild", read(host))));
  const n = op === 2 ? 0 : 1;
  const store = (bytes: 2 | 4 | 8, mode: number, routine: Routine) => ({
    bytes,
    writes: true,
    code: storing(bytes, mode, routine, n),
  });
  switch (opcode * 8 + op) {
    case 0xd9 * 8:
      return load(4, (s, host) => operand(s, 0xd8, host));
    case 0xdd * 8:
      return load(8, (s, host) => operand(s, 0xdc, host));
    case 0xdb * 8:
      return integer(4, i64.load32s);
    case 0xdf * 8:
      return integer(2, i64.load16s);
    case 0xdf * 8 + 5:
      return integer(8, i64.load);
    case 0xdb * 8 + 5:
      return load(10, loadExtended);
    case 0xd9 * 8 + 2:
    case 0xd9 * 8 + 3:
      return store(4, MODE_NEAREST, "st32");
    case 0xdd * 8 + 2:
    case 0xdd * 8 + 3:
      return store(8, MODE_NEAREST, "st64");
    case 0xdb * 8 + 2:
    case 0xdb * 8 + 3:
      return store(4, MODE_MASKED, "ist");
    case 0xdf * 8 + 2:
    case 0xdf * 8 + 3:
      return store(2, MODE_MASKED, "ist");
    case 0xdf * 8 + 7:
      return store(8, MODE_MASKED, "ist");
    case 0xdb * 8 + 7:
      return { bytes: 10, writes: true, code: storeExtended };
    default:
      return null;
  }
}

/** ST(0) op ST(i) into a register. */
const arithmetic =
  (op: number, to: 0 | "i", n: number): Body =>
  (s) =>
    seq(s.fetch(0, "i"), binary(s, op, s.value(0), s.value("i")), s.write(to, result(s)), pops(s, n));
const comparison =
  (with_: 1 | "i", n: number): Body =>
  (s) =>
    seq(s.fetch(0, with_), compare(s, s.value(0), s.value(with_), n));

function registerForm(opcode: number, modrm: number): Body | null {
  const op = (modrm >>> 3) & 7;
  switch (opcode) {
    case 0xd8:
      return op === 2 || op === 3 ? comparison("i", op - 2) : arithmetic(op, 0, 0);
    case 0xdc:
      return op === 2 || op === 3 ? null : arithmetic(op, "i", 0);
    case 0xde:
      if (modrm === 0xd9) return comparison(1, 2);
      return op === 2 || op === 3 ? null : arithmetic(op, "i", 1);
    case 0xda:
      return modrm === 0xe9 ? comparison(1, 2) : null;
    case 0xdb:
    case 0xdf:
      return op === 5 || op === 6 ? (s) => compareToFlags(s, opcode === 0xdf ? 1 : 0) : null;
    case 0xdd:
      if (op === 2 || op === 3) return (s) => moveTo(s, op - 2);
      return op === 4 || op === 5 ? comparison("i", op - 4) : null;
    case 0xd9:
      if (op === 0)
        return pushing(MODE_MASKED, (s) => {
          const v = s.value("i");
          return seq(s.fetch("i"), s.refuseEmpty("i"), s.sig.set(v.sig), s.se.set(v.se));
        });
      if (op === 1)
        return (s) =>
          seq(s.mode(MODE_MASKED), s.fetch(0, "i"), s.refuseEmpty(0), s.refuseEmpty("i"), s.exchange(), noteExact);
      return oneRegister(modrm);
    default:
      return null;
  }
}

/** D9 E0-FF. */
function oneRegister(modrm: number): Body | null {
  const held = (s: QuickStack): Code => seq(s.mode(MODE_MASKED), s.fetch(0), s.refuseEmpty(0));
  if (modrm === 0xe0 || modrm === 0xe1) {
    const sign = (se: Code): Code => (modrm === 0xe0 ? negated(se) : i32.and(se, i32.const(~0x8000)));
    return (s) =>
      seq(held(s), s.sig.set(s.value(0).sig), s.se.set(sign(s.value(0).se)), s.write(0, result(s)), noteExact);
  }
  if (modrm === 0xe4)
    return (s) => seq(s.fetch(0), compare(s, s.value(0), { sig: zero64, se: i32.const(TAG_ZERO) }, 0));
  if (modrm >= 0xe8 && modrm <= 0xee) return loadConstant(modrm - 0xe8);
  if (modrm !== 0xfa) return null;
  return (s) =>
    seq(
      s.mode(MODE_FULL),
      s.fetch(0),
      answered(s, s.call("root", s.value(0).sig, s.value(0).se)),
      s.write(0, result(s)),
    );
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
