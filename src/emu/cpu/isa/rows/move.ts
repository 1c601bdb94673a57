// Data movement: MOV and its kin, exchanges, extensions, conditional moves and sets, flag moves, decimal adjustment.

import { AF, CF, PF, SF, ZF } from "../../flags.ts";
import { EAX, EBX, ECX, EDX } from "../../state.ts";
import type { Row } from "../forms.ts";
import {
  add,
  and,
  bswap,
  constant,
  type Expr,
  eq,
  flag,
  isZero,
  leu,
  ltu,
  msb,
  mul,
  neg,
  or,
  shl,
  shr,
  sub,
  sx,
  xor,
  zx,
} from "../ir.ts";
import type { Sem } from "../sem.ts";
import { ALL, CONDITION_READS, CONDITIONS, hex, row, withSuffixes } from "./row.ts";

function mov(m: Sem): void {
  m.set(0, m.get(1));
}

function nothing(): void {}

const extend = (signed: boolean) => (m: Sem) => {
  const from = m.kind(1).size;
  const v = m.get(1);
  m.set(0, signed ? zx(m.size, sx(from, v)) : v);
};

function lea(m: Sem): void {
  m.set(0, zx(m.size, m.ea()));
}

function xchg(m: Sem): void {
  const d = m.open(0);
  const other = m.let(m.get(1));
  m.set(1, d.value);
  d.write(other);
}

function xadd(m: Sem): void {
  const d = m.open(0);
  const b = m.let(m.get(1));
  const r = m.let(zx(m.size, add(d.value, b)));
  m.set(1, d.value);
  d.write(r);
  m.flagsAdd(d.value, b, r);
}

function cmpxchg(m: Sem): void {
  const d = m.open(0);
  const a = m.let(m.acc());
  const r = m.let(zx(m.size, sub(a, d.value)));
  m.flagsSub(a, d.value, r);
  m.if(
    isZero(r),
    () => d.write(m.get(1)),
    () => {
      d.write(d.value);
      m.setAcc(d.value);
    },
  );
}

function cmpxchg8b(m: Sem): void {
  m.emit({ k: "probeWrite", bytes: 8, at: m.address() });
  const lo = m.load(32, m.address());
  const hi = m.load(32, m.address(4));
  const same = m.let(and(eq(lo, m.reg(EAX)), eq(hi, m.reg(EDX))));
  m.if(
    same,
    () => {
      m.store(32, m.address(), m.reg(EBX));
      m.store(32, m.address(4), m.reg(ECX));
    },
    () => {
      m.setReg(EAX, lo);
      m.setReg(EDX, hi);
    },
  );
  m.flagBits(ZF, shl(same, constant(6)));
}

/** CBW, CWDE: extend the accumulator within itself. */
function widenAcc(m: Sem): void {
  const half = m.size === 32 ? 16 : 8;
  m.setAcc(zx(m.size, sx(half, m.acc(half))));
}

/** CWD, CDQ: the accumulator's sign into DX or EDX. */
function signToDx(m: Sem): void {
  m.setReg(EDX, zx(m.size, neg(msb(m.size, m.acc()))), m.size);
}

function xlat(m: Sem): void {
  const off = add(m.reg(EBX), m.reg(EAX, 8));
  m.setReg(EAX, m.load(8, m.segAddr("op", m.asize === 16 ? zx(16, off) : off)), 8);
}

const cmov = (cc: number) => (m: Sem) => {
  const v = m.let(m.get(1));
  m.if({ k: "cond", cc }, () => m.set(0, v));
};

const setcc = (cc: number) => (m: Sem) => m.set(0, { k: "cond", cc });

function lahf(m: Sem): void {
  const flags = m.call("arithFlags");
  m.setReg(4, or(and(flags, constant(0xd5)), constant(2)), 8);
}

function sahf(m: Sem): void {
  m.flagBits(SF | ZF | AF | PF | CF, m.reg(4, 8));
}

const carry = (v: Expr) => (m: Sem) => m.emit({ k: "flagCf", v });
const direction = (v: 0 | 1) => (m: Sem) => m.emit({ k: "setDf", v });

/** 1 when a > b, unsigned. */
const above = (a: Expr, b: number): Expr => ltu(constant(b), a);

function daa(m: Sem): void {
  const al = m.let(m.acc(8));
  const low = m.let(or(above(and(al, constant(15)), 9), flag("af")));
  const high = m.let(or(above(al, 0x99), flag("cf")));
  const r = m.let(zx(8, add(add(al, mul(low, constant(6))), mul(high, constant(0x60)))));
  m.setAcc(r, 8);
  m.flagsResult(r, high, constant(0), low, 8);
}

function das(m: Sem): void {
  const al = m.let(m.acc(8));
  const low = m.let(or(above(and(al, constant(15)), 9), flag("af")));
  const high = m.let(or(above(al, 0x99), flag("cf")));
  const r = m.let(zx(8, sub(sub(al, mul(low, constant(6))), mul(high, constant(0x60)))));
  m.setAcc(r, 8);
  m.flagsResult(r, or(high, and(low, leu(al, constant(5)))), constant(0), low, 8);
}

const asciiAdjust = (combine: (a: Expr, b: Expr) => Expr) => (m: Sem) => {
  const ax = m.let(m.acc(16));
  const adjust = m.let(or(above(and(ax, constant(15)), 9), flag("af")));
  const r = m.let(and(combine(ax, mul(adjust, constant(0x106))), constant(0xff0f)));
  m.setAcc(r, 16);
  m.flagsResult(and(r, constant(0xff)), adjust, constant(0), adjust, 8);
};

function aam(m: Sem): void {
  const base = m.let(m.get(0));
  const al = m.let(m.acc(8));
  const high = m.call("udiv8", al, base);
  const low = m.call("urem8", al, base);
  m.setAcc(or(low, shl(high, constant(8))), 16);
  m.flagsResult(low, constant(0), constant(0), constant(0), 8);
}

function aad(m: Sem): void {
  const ax = m.let(m.acc(16));
  const r = m.let(zx(8, add(ax, mul(shr(ax, constant(8)), m.get(0)))));
  m.setAcc(r, 16);
  m.flagsResult(r, constant(0), constant(0), constant(0), 8);
}

function salc(m: Sem): void {
  m.setReg(EAX, zx(8, neg(flag("cf"))), 8);
}

const BCD = { w: ALL } as const;

export const moveTable: readonly Row[] = [
  row("mov", "88", "Eb Gb", mov),
  row("mov", "89", "Ev Gv", mov),
  row("mov", "8a", "Gb Eb", mov),
  row("mov", "8b", "Gv Ev", mov),
  row("mov", "a0", "AL Ob", mov),
  row("mov", "a1", "eAX Ov", mov),
  row("mov", "a2", "Ob AL", mov),
  row("mov", "a3", "Ov eAX", mov),
  row("mov", "b0", "Zb Ib", mov),
  row("mov", "b8", "Zv Iv", mov),
  row("mov", "c6 /0", "Eb Ib", mov),
  row("mov", "c7 /0", "Ev Iv", mov),
  row("movzx", "0f b6", "Gv Eb", extend(false)),
  row("movzx", "0f b7", "Gv Ew", extend(false)),
  row("movsx", "0f be", "Gv Eb", extend(true)),
  row("movsx", "0f bf", "Gv Ew", extend(true)),
  row("lea", "8d", "Gv M", lea),
  row("nop", "90", "", nothing),
  row("xchg", "90", "Zv eAX", xchg, { skipFirst: true }),
  row("xchg", "86", "Eb Gb", xchg, { lock: true }),
  row("xchg", "87", "Ev Gv", xchg, { lock: true }),
  row("xadd", "0f c0", "Eb Gb", xadd, { lock: true, w: ALL }),
  row("xadd", "0f c1", "Ev Gv", xadd, { lock: true, w: ALL }),
  row("cmpxchg", "0f b0", "Eb Gb", cmpxchg, { lock: true, w: ALL }),
  row("cmpxchg", "0f b1", "Ev Gv", cmpxchg, { lock: true, w: ALL }),
  row("cmpxchg8b", "0f c7 /1", "Mq", cmpxchg8b, { lock: true, w: "Z" }),
  row("bswap", "0f c8", "Zd", (m) => m.set(0, bswap(m.get(0)))),
  row("cbw/cwde", "98", "", widenAcc, { v: true }),
  row("cwd/cdq", "99", "", signToDx, { v: true }),
  row("xlatb,xlat", "d7", "", xlat, { size: 8 }),
  ...CONDITIONS.map((cond, cc) =>
    row(withSuffixes("cmov", cond), `0f ${hex(0x40 + cc)}`, "Gv Ev", cmov(cc), { r: CONDITION_READS[cc >> 1] }),
  ),
  ...CONDITIONS.map((cond, cc) =>
    row(withSuffixes("set", cond), `0f ${hex(0x90 + cc)}`, "Eb", setcc(cc), { r: CONDITION_READS[cc >> 1] }),
  ),
  row("lahf", "9f", "", lahf, { r: "SZAPC", size: 8 }),
  row("sahf", "9e", "", sahf, { w: "SZAPC", size: 8 }),
  row("cmc", "f5", "", carry(xor(flag("cf"), constant(1))), { w: "C", r: "C" }),
  row("clc", "f8", "", carry(constant(0)), { w: "C" }),
  row("stc", "f9", "", carry(constant(1)), { w: "C" }),
  row("cld", "fc", "", direction(0), { w: "D" }),
  row("std", "fd", "", direction(1), { w: "D" }),
  row("salc", "d6", "", salc, { r: "C", size: 8 }),
  row("daa", "27", "", daa, { ...BCD, u: "O", r: "AC", size: 8 }),
  row("das", "2f", "", das, { ...BCD, u: "O", r: "AC", size: 8 }),
  row("aaa", "37", "", asciiAdjust(add), { ...BCD, u: "OSZP", r: "A", size: 8 }),
  row("aas", "3f", "", asciiAdjust(sub), { ...BCD, u: "OSZP", r: "A", size: 8 }),
  row("aam", "d4", "Ib", aam, { ...BCD, u: "OAC", cls: "div" }),
  row("aad", "d5", "Ib", aad, { ...BCD, u: "OAC", cls: "mul" }),
  // 0F 18 to 0F 1F are hint NOPs on every P6: PREFETCHh (its own rows), the long NOP, and what later became ENDBR32.
  ...[0, 1, 2, 3].map((digit) => row("hintnop18", `0f 18 /${digit}`, "Rv", nothing, { alias: true })),
  ...[4, 5, 6, 7].map((digit) => row("hintnop18", `0f 18 /${digit}`, "Ev", nothing, { alias: true })),
  ...[0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f].map((n) =>
    row(n === 0x1f ? "nop" : `hintnop${hex(n)}`, `0f ${hex(n)}`, "Ev Gv", nothing, { alias: n !== 0x1f }),
  ),
];
