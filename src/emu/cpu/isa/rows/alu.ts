// Arithmetic and logic on registers and memory: two-operand ALU, INC/DEC, NOT/NEG, TEST, multiplication, division.
import { EAX, EDX } from "../../state.ts";
import type { Row } from "../forms.ts";
import {
  add,
  and,
  constant,
  type Expr,
  mul,
  mulhs,
  mulhu,
  ne,
  neg,
  not,
  or,
  sar,
  shl,
  shr,
  sub,
  sx,
  xor,
  zx,
} from "../ir.ts";
import type { Sem } from "../sem.ts";
import { ALL, hex, row } from "./row.ts";

type Combine = (m: Sem, a: Expr, b: Expr) => Expr;

const logic =
  (op: (a: Expr, b: Expr) => Expr): Combine =>
  (m, a, b) => {
    const r = m.let(op(a, b));
    m.flagsLogic(r);
    return r;
  };

const sum =
  (carry: boolean): Combine =>
  (m, a, b) => {
    const total = carry ? add(add(a, b), { k: "flag", f: "cf" }) : add(a, b);
    const r = m.let(zx(m.size, total));
    m.flagsAdd(a, b, r);
    return r;
  };

const difference =
  (borrow: boolean): Combine =>
  (m, a, b) => {
    const rest = borrow ? sub(sub(a, b), { k: "flag", f: "cf" }) : sub(a, b);
    const r = m.let(zx(m.size, rest));
    m.flagsSub(a, b, r);
    return r;
  };

const twoOperand = (combine: Combine) => (m: Sem) => {
  const d = m.open(0);
  const b = m.let(m.get(1));
  d.write(combine(m, d.value, b));
};

const compare = (combine: Combine) => (m: Sem) => {
  const a = m.let(m.get(0));
  const b = m.let(m.get(1));
  combine(m, a, b);
};

const ALU: readonly (readonly [string, Combine, boolean])[] = [
  ["add", sum(false), true],
  ["or", logic(or), true],
  ["adc", sum(true), true],
  ["sbb", difference(true), true],
  ["and", logic(and), true],
  ["sub", difference(false), true],
  ["xor", logic(xor), true],
  ["cmp", difference(false), false],
];

function aluRows(): Row[] {
  return ALU.flatMap(([name, combine, writes], n) => {
    const sem = writes ? twoOperand(combine) : compare(combine);
    const carries = name === "adc" || name === "sbb";
    const options = {
      w: ALL,
      u: name === "or" || name === "and" || name === "xor" ? "A" : "",
      r: carries ? "C" : "",
    };
    const locked = { ...options, lock: writes };
    const base = n * 8;
    return [
      row(name, `83 /${n}`, "Ev Ibs", sem, locked),
      row(name, hex(base + 4), "AL Ib", sem, options),
      row(name, hex(base + 5), "eAX Iv", sem, options),
      row(name, hex(base), "Eb Gb", sem, locked),
      row(name, hex(base + 1), "Ev Gv", sem, locked),
      row(name, hex(base + 2), "Gb Eb", sem, options),
      row(name, hex(base + 3), "Gv Ev", sem, options),
      row(name, `80 /${n}`, "Eb Ib", sem, locked),
      row(name, `81 /${n}`, "Ev Iv", sem, locked),
      row(name, `82 /${n}`, "Eb Ib", sem, { ...locked, alias: true }),
    ];
  });
}

function test(m: Sem): void {
  const a = m.let(m.get(0));
  m.flagsLogic(m.let(and(a, m.get(1))));
}

const step = (up: boolean) => (m: Sem) => {
  const d = m.open(0);
  const r = m.let(zx(m.size, add(d.value, constant(up ? 1 : -1))));
  d.write(r);
  m.emit({ k: up ? "flagsInc" : "flagsDec", size: m.size, r });
};

function notOp(m: Sem): void {
  const d = m.open(0);
  d.write(zx(m.size, not(d.value)));
}

function negOp(m: Sem): void {
  const d = m.open(0);
  const r = m.let(zx(m.size, neg(d.value)));
  d.write(r);
  m.flagsSub(constant(0), d.value, r);
}

/** AX, DX:AX or EDX:EAX = product; CF and OF say that the upper half matters. */
const widening = (signed: boolean) => (m: Sem) => {
  const size = m.size;
  const b = m.let(m.get(0));
  if (size === 32) {
    const a = m.let(m.acc());
    const lo = m.let(mul(a, b));
    const hi = m.let(signed ? mulhs(a, b) : mulhu(a, b));
    m.setReg(EAX, lo);
    m.setReg(EDX, hi);
    const over = m.let(ne(hi, signed ? sar(lo, constant(31)) : constant(0)));
    m.flagsResult(lo, over, over);
    return;
  }
  const extend = (e: Expr) => (signed ? sx(size, e) : e);
  const product = m.let(mul(extend(m.acc()), extend(b)));
  if (size === 8) m.setReg(EAX, zx(16, product), 16);
  else {
    m.setReg(EAX, zx(16, product), 16);
    m.setReg(EDX, shr(product, constant(16)), 16);
  }
  const over = m.let(ne(product, signed ? sx(size, product) : zx(size, product)));
  m.flagsResult(m.let(zx(size, product)), over, over);
};

/** IMUL with a destination register: operand `d` = operand `x` * operand `y`, truncated. */
const truncating = (x: number, y: number) => (m: Sem) => {
  const a = m.let(m.get(x));
  const b = m.let(m.get(y));
  if (m.size === 32) {
    const lo = m.let(mul(a, b));
    const over = m.let(ne(mulhs(a, b), sar(lo, constant(31))));
    m.set(0, lo);
    m.flagsResult(lo, over, over);
    return;
  }
  const product = m.let(mul(sx(16, a), sx(16, b)));
  const over = m.let(ne(product, sx(16, product)));
  const r = m.let(zx(16, product));
  m.set(0, r);
  m.flagsResult(r, over, over);
};

/** Quotient and remainder of AX, DX:AX or EDX:EAX; #DE when the divisor is 0 or the quotient does not fit. */
const division = (signed: boolean) => (m: Sem) => {
  const d = m.let(m.get(0));
  const s = signed ? "i" : "u";
  if (m.size === 32) {
    const lo = m.let(m.reg(EAX));
    const hi = m.let(m.reg(EDX));
    const q = m.call(`${s}div32`, hi, lo, d);
    const r = m.call(`${s}rem32`, hi, lo, d);
    m.setReg(EAX, q);
    m.setReg(EDX, r);
    return;
  }
  const narrow = m.size === 8;
  const dividend = narrow ? m.reg(EAX, 16) : or(m.reg(EAX, 16), shl(m.reg(EDX, 16), constant(16)));
  const n = m.let(narrow && signed ? sx(16, dividend) : dividend);
  const q = m.call(`${s}div${m.size}`, n, d);
  const r = m.call(`${s}rem${m.size}`, n, d);
  if (narrow) m.setReg(EAX, or(and(q, constant(0xff)), shl(and(r, constant(0xff)), constant(8))), 16);
  else {
    m.setReg(EAX, zx(16, q), 16);
    m.setReg(EDX, zx(16, r), 16);
  }
};

const INC = { w: "OSZAP", lock: true };
const MUL = { w: ALL, u: "SZAP", cls: "mul" } as const;
const DIV = { w: ALL, u: ALL, cls: "div" } as const;

export const aluTable: readonly Row[] = [
  ...aluRows(),
  row("test", "84", "Eb Gb", test, { w: ALL, u: "A" }),
  row("test", "85", "Ev Gv", test, { w: ALL, u: "A" }),
  row("test", "a8", "AL Ib", test, { w: ALL, u: "A" }),
  row("test", "a9", "eAX Iv", test, { w: ALL, u: "A" }),
  row("test", "f6 /0", "Eb Ib", test, { w: ALL, u: "A" }),
  row("test", "f7 /0", "Ev Iv", test, { w: ALL, u: "A" }),
  row("test", "f6 /1", "Eb Ib", test, { w: ALL, u: "A", alias: true }),
  row("test", "f7 /1", "Ev Iv", test, { w: ALL, u: "A", alias: true }),
  row("inc", "40", "Zv", step(true), { w: "OSZAP" }),
  row("dec", "48", "Zv", step(false), { w: "OSZAP" }),
  row("inc", "fe /0", "Eb", step(true), INC),
  row("dec", "fe /1", "Eb", step(false), INC),
  row("inc", "ff /0", "Ev", step(true), INC),
  row("dec", "ff /1", "Ev", step(false), INC),
  row("not", "f6 /2", "Eb", notOp, { lock: true }),
  row("not", "f7 /2", "Ev", notOp, { lock: true }),
  row("neg", "f6 /3", "Eb", negOp, { w: ALL, lock: true }),
  row("neg", "f7 /3", "Ev", negOp, { w: ALL, lock: true }),
  row("mul", "f6 /4", "Eb", widening(false), MUL),
  row("mul", "f7 /4", "Ev", widening(false), MUL),
  row("imul", "f6 /5", "Eb", widening(true), MUL),
  row("imul", "f7 /5", "Ev", widening(true), MUL),
  row("imul", "0f af", "Gv Ev", truncating(0, 1), MUL),
  row("imul", "6b", "Gv Ev Ibs", truncating(1, 2), MUL),
  row("imul", "69", "Gv Ev Iv", truncating(1, 2), MUL),
  row("div", "f6 /6", "Eb", division(false), DIV),
  row("div", "f7 /6", "Ev", division(false), DIV),
  row("idiv", "f6 /7", "Eb", division(true), DIV),
  row("idiv", "f7 /7", "Ev", division(true), DIV),
];
