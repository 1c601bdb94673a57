// The IR of a decoded operation, and what the compiler wants to know of it before it emits code: registers, flags, ways
// to leave in its middle, how it transfers control.
import { ARITH } from "../flags.ts";
import { KEYS_PER_FORM, type Op, specOf } from "../isa/decode.ts";
import type { Expr, RegRef, Stmt } from "../isa/ir.ts";
import { Sem, type Spec } from "../isa/sem.ts";
import { ECX } from "../state.ts";
import { KIND_DEC, KIND_INC, KIND_ROL, KIND_ROR, sizeIndex } from "./layout.ts";
import { isVectorOperation, slotOf, VECTOR_CALLS } from "./simd.ts";
import { x87Operand } from "./x87.ts";

/** Helpers that regions do themselves. */
const KNOWN_CALLS = new Set([
  "udiv32",
  "urem32",
  "idiv32",
  "irem32",
  "udiv16",
  "urem16",
  "idiv16",
  "irem16",
  "udiv8",
  "urem8",
  "idiv8",
  "irem8",
  "modu",
  "arithFlags",
  "flagsImage",
  ...VECTOR_CALLS,
]);
/** Calls that change the vector register they name first. */
const CHANGING = new Set(["fromGeneral", "insertWord"]);
const SHIFTS = /^(sh[lr]d?|sal|sar)$/;
const ROTATES = /^ro[lr]$/;
const DIVISIONS = /^[ui](div|rem)/;

/** Facts about one specialisation of a form. */
export interface Meaning {
  readonly stmts: readonly Stmt[];
  readonly spec: Spec;
  /** Can a region do it? */
  supported: boolean;
  /** Named registers read and written, as bit masks; operand slots likewise (bit 0 read, bit 1 written). */
  reads: number;
  writes: number;
  slotA: number;
  slotB: number;
  /** The same for vector registers; does it belong to simd.ts? */
  vectorA: number;
  vectorB: number;
  vector: boolean;
  /** Something before its flags are set may make the region leave. */
  exits: boolean;
  /** Looks at flags; to keep those that it does not change is none. */
  readsFlags: boolean;
  /** Sets all six, whatever happens; does so when its immediate count is not 0. */
  setsFlags: boolean;
  shifts: boolean;
  /** Rotates 32 bits, by one or an immediate count: the kind of the flags it then leaves, else 0. */
  turns: number;
  /** Changes flags in some way. */
  touchesFlags: boolean;
  /** INC and DEC of a 32-bit register: the kind of their flags, else 0. */
  step: number;
  /** Ends in a transfer whatever happens; transfers to a computed place; pushes a return address. */
  always: boolean;
  computed: boolean;
  calls: boolean;
  /** The opcode of an x87 instruction, else 0. */
  x87: number;
  /** REP MOVS and REP STOS: done whole, or not at all. */
  repeat: "" | "movs" | "stos";
}

const known = new Map<number, Meaning>();

export function meaningOf(op: Op): Meaning {
  const id = op.form.id * KEYS_PER_FORM + op.key;
  let meaning = known.get(id);
  if (meaning === undefined) {
    meaning = analyse(op);
    known.set(id, meaning);
  }
  return meaning;
}

/** Can a region do this instruction? */
export function isSupported(op: Op, meaning: Meaning): boolean {
  return meaning.supported && (meaning.x87 === 0 || x87Operand(meaning.x87, op.imm2) !== null);
}

function analyse(op: Op): Meaning {
  const spec = specOf(op.key);
  const m = new Sem(op.form, spec);
  op.form.sem(m);
  const meaning: Meaning = {
    stmts: m.stmts,
    spec,
    supported: !(op.form.branch && op.form.size === 16) && !op.form.sync && !spec.nonFlat && !spec.stack16,
    reads: 0,
    writes: 0,
    slotA: 0,
    slotB: 0,
    vectorA: 0,
    vectorB: 0,
    vector: false,
    exits: false,
    readsFlags: false,
    setsFlags: false,
    shifts: false,
    turns: 0,
    touchesFlags: false,
    step: 0,
    always: m.stmts.at(-1)?.k === "jump",
    computed: false,
    calls: false,
    x87: 0,
    repeat: "",
  };
  if (op.form.string && spec.rep !== 0) {
    const name = op.form.names[0].slice(0, 4);
    if ((name === "movs" || name === "stos") && !spec.addr16 && !spec.segmented) meaning.repeat = name;
    else meaning.supported = false;
    meaning.reads |= 1 << ECX;
    meaning.writes |= 1 << ECX;
  }
  const possible = meaning.supported;
  for (const s of m.stmts) visit(s, meaning, true);
  // Of memory: no register holds the result.
  if (meaning.slotA !== 3) meaning.step = 0;
  const { form } = op;
  const counted = m.stmts.find((s) => s.k === "if");
  if (form.immBytes !== 0 && SHIFTS.test(form.names[0]) && counted?.k === "if")
    meaning.shifts = counted.no.some((s) => s.k === "flagsResult");
  const known = counted === undefined || form.immBytes !== 0;
  if (known && form.size === 32 && meaning.slotA === 3 && ROTATES.test(form.names[0]))
    meaning.turns = form.names[0] === "rol" ? KIND_ROL : KIND_ROR;
  const last = m.stmts.at(-1);
  if (last?.k === "call" && last.fn === "x87" && last.args[0].k === "const") {
    meaning.x87 = last.args[0].v;
    meaning.supported = possible;
    meaning.exits = true;
    // FCOMI and its kin.
    meaning.touchesFlags = (meaning.x87 & 0xfb) === 0xdb;
  }
  return meaning;
}

/** Does this instruction set all six flags, whatever happens? */
export function setsFlags(op: Op, meaning: Meaning): boolean {
  return meaning.setsFlags || (meaning.shifts && (op.imm & 31) !== 0);
}

/** The kind of flags that a rotate by a known count leaves, or 0. */
export function turns(op: Op, meaning: Meaning): number {
  return op.form.immBytes === 0 || (op.imm & 31) !== 0 ? meaning.turns : 0;
}

function visitReg(reg: RegRef, size: number, bits: number, m: Meaning): void {
  // A narrow write keeps the rest.
  const access = bits === 2 && size !== 32 ? 3 : bits;
  if ("slot" in reg) {
    if (reg.slot === "a") m.slotA |= access;
    else m.slotB |= access;
    return;
  }
  const n = size === 8 ? reg.fixed & 3 : reg.fixed;
  if (access & 1) m.reads |= 1 << n;
  if (access & 2) m.writes |= 1 << n;
}

function visitExpr(e: Expr, m: Meaning): void {
  switch (e.k) {
    case "reg":
      visitReg(e.reg, e.size, 1, m);
      break;
    case "flag":
      if (e.f !== "df") m.readsFlags = true;
      break;
    case "cond":
      m.readsFlags = true;
      break;
    case "next":
      m.calls = true;
      break;
    case "bin":
      visitExpr(e.a, m);
      visitExpr(e.b, m);
      break;
    case "un":
      visitExpr(e.a, m);
  }
}

function visit(s: Stmt, m: Meaning, top: boolean): void {
  switch (s.k) {
    case "let":
      visitExpr(s.e, m);
      break;
    case "load":
    case "open":
    case "probeWrite":
      visitExpr(s.at.off, m);
      m.exits = true;
      break;
    case "linear":
      visitExpr(s.at.off, m);
      m.exits = true;
      m.supported = false;
      break;
    case "store":
      visitExpr(s.at.off, m);
      visitExpr(s.e, m);
      m.exits = true;
      break;
    case "close":
      visitExpr(s.e, m);
      break;
    case "setReg":
      visitExpr(s.e, m);
      visitReg(s.reg, s.size, 2, m);
      break;
    case "flagsAdd":
    case "flagsSub":
      for (const e of [s.a, s.b, s.r]) visitExpr(e, m);
      setsAll(m, top);
      break;
    case "flagsResult":
      for (const e of [s.r, s.cf, s.of, s.af]) visitExpr(e, m);
      setsAll(m, top);
      break;
    case "flagsInc":
    case "flagsDec":
      visitExpr(s.r, m);
      m.touchesFlags = true;
      if (s.size === 32) m.step = (s.k === "flagsInc" ? KIND_INC : KIND_DEC) + sizeIndex(32);
      break;
    case "flagsCfOf":
      visitExpr(s.cf, m);
      visitExpr(s.of, m);
      m.touchesFlags = true;
      break;
    case "flagBits":
      visitExpr(s.v, m);
      if ((s.mask & ARITH) === ARITH) setsAll(m, top);
      else m.readsFlags = true;
      m.touchesFlags = true;
      break;
    case "flagCf":
      visitExpr(s.v, m);
      m.touchesFlags = true;
      break;
    case "if":
      visitExpr(s.c, m);
      for (const inner of s.yes) visit(inner, m, false);
      for (const inner of s.no) visit(inner, m, false);
      break;
    case "jump":
      visitExpr(s.to, m);
      if (!s.direct) m.computed = true;
      break;
    case "call":
      for (const e of s.args) visitExpr(e, m);
      if (!KNOWN_CALLS.has(s.fn)) m.supported = false;
      if (DIVISIONS.test(s.fn)) m.exits = true;
      if (VECTOR_CALLS.has(s.fn)) {
        m.vector = true;
        m.exits = true;
        for (const [i, e] of s.args.entries()) visitVector(e, i === 0 && CHANGING.has(s.fn) ? 3 : 1, m);
      }
      if (s.fn === "arithFlags" || s.fn === "flagsImage") m.readsFlags = true;
      break;
    case "vload":
      visitExpr(s.at.off, m);
      visitVector(s.to, 2, m);
      break;
    case "vstore":
      visitExpr(s.at.off, m);
      visitVector(s.from, 1, m);
      break;
    case "vec":
      if (!isVectorOperation(s.op, s.bytes)) m.supported = false;
      visitVector(s.d, 3, m);
      visitVector(s.s, 1, m);
      break;
    case "raise":
      m.exits = true;
      m.supported = false;
  }
}

/** Vector registers changed are read too: halves and lanes are kept. */
function visitVector(place: Expr, bits: number, m: Meaning): void {
  const slot = slotOf(place);
  if (slot === "a") m.vectorA |= bits;
  else if (slot === "b") m.vectorB |= bits;
}

function setsAll(m: Meaning, top: boolean): void {
  m.touchesFlags = true;
  if (top) m.setsFlags = true;
}

/** Do any of these statements look at or change flags? */
export function concernsFlags(stmts: readonly Stmt[]): boolean {
  const m: Meaning = {
    stmts,
    spec: specOf(0),
    supported: true,
    reads: 0,
    writes: 0,
    slotA: 0,
    slotB: 0,
    vectorA: 0,
    vectorB: 0,
    vector: false,
    exits: false,
    readsFlags: false,
    setsFlags: false,
    shifts: false,
    turns: 0,
    touchesFlags: false,
    step: 0,
    always: false,
    computed: false,
    calls: false,
    x87: 0,
    repeat: "",
  };
  for (const s of stmts) visit(s, m, false);
  return m.readsFlags || m.touchesFlags;
}

/** Number of the register that a register of some size is part of. */
export function fullRegister(index: number, size: number): number {
  return size === 8 ? index >> 2 : size === 16 ? index >> 1 : index;
}
