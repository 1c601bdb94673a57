// Seeded errors: each says which rows it befalls and what it does to their meaning in the IR, or to a helper. A mutation is
// data; nothing in the emulator changes but what the plain evaluator is told the table says.
import type { Cpu } from "../../src/emu/cpu/cpu.ts";
import { type Meaning, tableMeaning } from "../../src/emu/cpu/interp/naive.ts";
import type { Op } from "../../src/emu/cpu/isa/decode.ts";
import type { Form } from "../../src/emu/cpu/isa/forms.ts";
import type { BinOp, Expr, Stmt, UnOp } from "../../src/emu/cpu/isa/ir.ts";

type HelperFunction = (cpu: Cpu, ...args: number[]) => number;

export interface Mutation {
  readonly name: string;
  /** First names of the rows that it befalls. */
  readonly rows: RegExp;
  /** Narrower: which forms, by their operands and size. */
  readonly forms?: (form: Form) => boolean;
  readonly expr?: (e: Expr) => Expr;
  /** What a statement becomes; null drops it. */
  readonly stmt?: (s: Stmt) => readonly Stmt[];
  readonly helper?: readonly [string, (original: HelperFunction) => HelperFunction];
}

function mapExpr(e: Expr, f: (e: Expr) => Expr): Expr {
  if (e.k === "bin") return f({ ...e, a: mapExpr(e.a, f), b: mapExpr(e.b, f) });
  if (e.k === "un") return f({ ...e, a: mapExpr(e.a, f) });
  return f(e);
}

/** Every expression in a statement; IR objects are plain, so that fields can be walked by name. */
function mapFields(s: Stmt, f: (e: Expr) => Expr, of: (list: readonly Stmt[]) => readonly Stmt[]): Stmt {
  const out: Record<string, unknown> = { ...s };
  for (const key of ["e", "a", "b", "r", "cf", "of", "af", "v", "c", "to", "code", "from", "d", "s", "imm"]) {
    const value = out[key];
    if (typeof value === "object" && value !== null && "k" in value) out[key] = mapExpr(value as Expr, f);
  }
  if ("at" in s) out.at = { seg: s.at.seg, off: mapExpr(s.at.off, f) };
  if (s.k === "call") out.args = s.args.map((a) => mapExpr(a, f));
  if (s.k === "if") {
    out.yes = of(s.yes);
    out.no = of(s.no);
  }
  return out as unknown as Stmt;
}

function rewrite(list: readonly Stmt[], m: Mutation): readonly Stmt[] {
  return list.flatMap((s) => {
    const inner = mapFields(s, m.expr ?? ((e) => e), (l) => rewrite(l, m));
    return m.stmt ? m.stmt(inner) : [inner];
  });
}

/** What the table would mean with this error in it. */
export function meaningOf(m: Mutation): Meaning {
  const cache = new Map<string, readonly Stmt[]>();
  const irOf = (op: Op): readonly Stmt[] => {
    const right = tableMeaning.irOf(op);
    if (!m.rows.test(op.form.names[0]) || !(m.forms?.(op.form) ?? true)) return right;
    const key = `${op.form.id} ${op.key}`;
    const found = cache.get(key) ?? rewrite(right, m);
    cache.set(key, found);
    return found;
  };
  if (!m.helper) return { irOf, helpers: tableMeaning.helpers };
  const [name, change] = m.helper;
  const changed = change(tableMeaning.helpers[name] as HelperFunction);
  return { irOf, helpers: { ...tableMeaning.helpers, [name]: changed } };
}

const FLAG: Readonly<Record<string, number>> = { C: 1, P: 4, A: 0x10, Z: 0x40, S: 0x80, O: 0x800 };

/** A flag always comes out 0 or 1. */
function stuck(rows: RegExp, letter: string, value: 0 | 1): Mutation {
  const mask = FLAG[letter];
  const after: Stmt = { k: "flagBits", mask, v: { k: "const", v: value ? mask : 0 } };
  const stmt = (s: Stmt) => (/^flag/.test(s.k) ? [s, after] : [s]);
  return { name: `${rows.source}: ${letter}F always ${value}`, rows, stmt };
}

function operation(rows: RegExp, from: BinOp, to: BinOp): Mutation {
  const expr = (e: Expr): Expr => (e.k === "bin" && e.op === from ? { ...e, op: to } : e);
  return { name: `${rows.source}: ${from} becomes ${to}`, rows, expr };
}

function unary(rows: RegExp, from: UnOp, to: UnOp): Mutation {
  const expr = (e: Expr): Expr => (e.k === "un" && e.op === from ? { ...e, op: to } : e);
  return { name: `${rows.source}: ${from} becomes ${to}`, rows, expr };
}

function number(rows: RegExp, from: number, to: number, forms?: (form: Form) => boolean): Mutation {
  const expr = (e: Expr): Expr => (e.k === "const" && e.v === from ? { ...e, v: to } : e);
  return { name: `${rows.source}: constant ${from} becomes ${to}`, rows, expr, forms };
}

function without(rows: RegExp, kind: Stmt["k"]): Mutation {
  return { name: `${rows.source}: no ${kind}`, rows, stmt: (s) => (s.k === kind ? [] : [s]) };
}

/** A statement's field takes another value. */
function field(rows: RegExp, kind: Stmt["k"], change: Readonly<Record<string, unknown>>): Mutation {
  const stmt = (s: Stmt) => [s.k === kind ? ({ ...s, ...change } as Stmt) : s];
  return { name: `${rows.source}: ${kind} with ${JSON.stringify(change)}`, rows, stmt };
}

function vector(rows: RegExp, from: string, to: string): Mutation {
  const stmt = (s: Stmt) => [s.k === "vec" && s.op === from ? { ...s, op: to } : s];
  return { name: `${rows.source}: ${from} becomes ${to}`, rows, stmt };
}

function helper(
  rows: RegExp,
  what: string,
  fn: string,
  change: (original: HelperFunction) => HelperFunction,
): Mutation {
  return { name: `${rows.source}: ${what}`, rows, helper: [fn, change] };
}

/** An x87 instruction goes wrong when its escape and ModRM are these. */
function x87(
  what: string,
  is: (opcode: number, modrm: number) => boolean,
  act: (cpu: Cpu, run: (modrm: number) => void, modrm: number) => void,
): Mutation {
  const change = (original: HelperFunction): HelperFunction => {
    return (cpu, opcode, modrm, la, size) => {
      if (!is(opcode, modrm)) return original(cpu, opcode, modrm, la, size);
      act(cpu, (m) => void original(cpu, opcode, m, la, size), modrm);
      return 0;
    };
  };
  return helper(/^esc/, `x87: ${what}`, "x87", change);
}

const arithmetic = (opcode: number) => opcode === 0xd8 || opcode === 0xdc;
const digit = (modrm: number) => (modrm >> 3) & 7;

/** The control word is another during the instruction. */
const under = (change: (cw: number) => number) => (cpu: Cpu, run: (modrm: number) => void, modrm: number) => {
  const { cw } = cpu.fpu;
  cpu.fpu.setCw(change(cw));
  try {
    run(modrm);
  } finally {
    cpu.fpu.setCw(cw);
  }
};

export const MUTATIONS: readonly Mutation[] = [
  stuck(/^add$/, "C", 0),
  stuck(/^sub$/, "A", 0),
  stuck(/^adc$/, "O", 0),
  stuck(/^sbb$/, "Z", 0),
  stuck(/^cmp$/, "S", 0),
  stuck(/^xor$/, "P", 1),
  stuck(/^inc$/, "C", 0),
  stuck(/^neg$/, "C", 1),
  stuck(/^shl$/, "C", 0),
  stuck(/^daa$/, "A", 0),
  operation(/^adc$/, "add", "sub"),
  operation(/^sar$/, "sar", "shr"),
  operation(/^(mul)$/, "mulhu", "mulhs"),
  operation(/^rol$/, "shl", "sar"),
  operation(/^bound$/, "lts", "ltu"),
  operation(/^das$/, "leu", "ltu"),
  operation(/^and$/, "and", "or"),
  unary(/^movsx$/, "sx8", "zx8"),
  unary(/^cbw$/, "sx8", "zx8"),
  unary(/^imul$/, "sx16", "zx16"),
  unary(/^bsf$/, "ctz", "clz"),
  unary(/^cwd$|^cdq$/, "neg", "not"),
  number(/^shl$/, 31, 15),
  number(/^ror$/, 31, 63, (form) => form.size === 32),
  number(/^rcl$/, 9, 8, (form) => form.size === 8),
  number(/^daa$/, 0x99, 0x9a),
  number(/^aaa$/, 0x106, 6),
  number(/^lahf$/, 2, 0),
  number(/^cmpxchg8b$/, 4, 8),
  without(/^cmpxchg8b$/, "probeWrite"),
  number(/^enter$/, 31, 15),
  without(/^std$/, "setDf"),
  number(/^div$/, 16, 15, (form) => form.size === 16),
  field(/^movs[bwd]$/, "store", { at: { seg: "op", off: { k: "reg", reg: { fixed: 7 }, size: 32 } } }),
  field(/^lods[bwd]$/, "load", { at: { seg: 0, off: { k: "reg", reg: { fixed: 6 }, size: 32 } } }),
  field(/^cmov/, "setReg", { size: 8 }),
  field(/^cmpxchg$/, "close", { e: { k: "reg", reg: { fixed: 0 }, size: 32 } }),
  { name: "jcc: conditions inverted for cc 12", rows: /^jl$/, expr: (e) => (e.k === "cond" ? { ...e, cc: 13 } : e) },
  { name: "setcc: ZF left out of be", rows: /^setbe$/, expr: (e) => (e.k === "cond" ? { ...e, cc: 2 } : e) },
  {
    name: "lea: one too much",
    rows: /^lea$/,
    expr: (e) => (e.k === "ea" ? { k: "bin", op: "add", a: e, b: { k: "const", v: 1 } } : e),
  },
  {
    name: "call: returns to itself",
    rows: /^call$/,
    expr: (e) => (e.k === "next" ? { k: "bin", op: "sub", a: e, b: { k: "const", v: 1 } } : e),
  },
  helper(/^(div|aam)$/, "no #DE for 0", "udiv8", (f) => (cpu, n, d) => (d === 0 ? 0 : f(cpu, n, d))),
  helper(/^idiv$/, "no #DE when the quotient does not fit", "idiv16", (f) => (cpu, n, d) => {
    const divisor = (d << 16) >> 16;
    const fits = divisor !== 0 && Math.abs(n / divisor) < 0x8000;
    return fits || divisor === 0 ? f(cpu, n, d) : 0;
  }),
  helper(/^(hlt|lgdt|lidt|lmsw|clts|mov)$/, "no check of privilege", "requireRing0", () => () => 0),
  helper(/^(in|out)/, "no check of I/O permission", "checkIo", () => () => 0),
  helper(/^popf/, "POPF changes IOPL", "setFlagsImage", () => (cpu, v) => {
    cpu.setEflags(v);
    return 0;
  }),
  helper(/^verr$/, "VERR admits everything", "verr", () => () => 1),
  helper(/^mov$/, "a null selector in SS", "loadSegment", (f) => (cpu, seg, sel) => {
    return seg === 2 && (sel & ~3) === 0 ? 0 : f(cpu, seg, sel);
  }),
  x87(
    "rounding control ignored",
    arithmetic,
    under((cw) => cw & ~0xc00),
  ),
  x87(
    "precision control ignored",
    arithmetic,
    under((cw) => cw | 0x300),
  ),
  x87(
    "FIST truncates",
    (opcode, modrm) => opcode === 0xdb && modrm < 0xc0 && digit(modrm) === 2,
    under((cw) => cw | 0xc00),
  ),
  x87(
    "FADDP does not pop",
    (opcode, modrm) => opcode === 0xde && modrm >= 0xc0 && digit(modrm) === 0,
    (cpu, run, modrm) => {
      const { top, used } = cpu.fpu;
      run(modrm);
      cpu.fpu.top = top;
      cpu.fpu.used = used;
    },
  ),
  x87(
    "C1 lost",
    (opcode) => opcode === 0xd8,
    (cpu, run, modrm) => {
      run(modrm);
      cpu.fpu.setC1(0);
    },
  ),
  x87(
    "precision exception lost",
    (opcode) => opcode === 0xdc,
    (cpu, run, modrm) => {
      const { sw } = cpu.fpu;
      run(modrm);
      cpu.fpu.sw = (cpu.fpu.sw & ~0x20) | (sw & 0x20);
    },
  ),
  x87(
    "FSUB is FSUBR",
    (opcode, modrm) => opcode === 0xd8 && digit(modrm) === 4,
    (_cpu, run, modrm) => run(modrm | 8),
  ),
  x87(
    "FCMOVB takes E's condition",
    (opcode, modrm) => opcode === 0xda && modrm >= 0xc0 && digit(modrm) === 0,
    (_cpu, run, modrm) => run(modrm | 8),
  ),
  vector(/^paddb$/, "add.i8", "add.i16"),
  vector(/^pmulhw$/, "mulhi.i16", "mulhi.u16"),
  vector(/^minps$/, "min.f32", "max.f32"),
  vector(/^paddusb$/, "addsat.u8", "addsat.i8"),
  vector(/^(punpcklwd)$/, "unpacklo.i16", "unpackhi.i16"),
  vector(/^sqrtsd$/, "sqrt.f64", "mov.v"),
  field(/^movaps$/, "vload", { aligned: false }),
  helper(/^ldmxcsr$/, "reserved bits of MXCSR", "loadMxcsr", (f) => (cpu, v) => f(cpu, v & 0xffff)),
];
