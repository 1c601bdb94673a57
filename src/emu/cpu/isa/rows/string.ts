// String instructions: what one iteration does. The engines repeat it under REP, one iteration per counted instruction.
import { EDI, EDX, ES, ESI } from "../../state.ts";
import type { Row } from "../forms.ts";
import { add, constant, type Expr, flag, shl, sub, zx } from "../ir.ts";
import type { Sem } from "../sem.ts";
import { ALL, row } from "./row.ts";

/** Bytes by which ESI and EDI move: negative when DF is set. */
function stride(m: Sem): Expr {
  const shift = m.size === 32 ? 2 : m.size === 16 ? 1 : 0;
  return m.let(sub(constant(m.size >> 3), shl(flag("df"), constant(shift + 1))));
}

function advance(m: Sem, register: number, by: Expr): void {
  m.setReg(register, add(m.reg(register, m.asize), by), m.asize);
}

const source = (m: Sem) => m.segAddr("op", m.reg(ESI, m.asize));
const dest = (m: Sem) => m.segAddr(ES, m.reg(EDI, m.asize));

function movs(m: Sem): void {
  const v = m.load(m.size, source(m));
  m.store(m.size, dest(m), v);
  const by = stride(m);
  advance(m, ESI, by);
  advance(m, EDI, by);
}

function cmps(m: Sem): void {
  const a = m.load(m.size, source(m));
  const b = m.load(m.size, dest(m));
  const by = stride(m);
  advance(m, ESI, by);
  advance(m, EDI, by);
  m.flagsSub(a, b, m.let(zx(m.size, sub(a, b))));
}

function stos(m: Sem): void {
  m.store(m.size, dest(m), m.acc());
  advance(m, EDI, stride(m));
}

function lods(m: Sem): void {
  m.setAcc(m.load(m.size, source(m)));
  advance(m, ESI, stride(m));
}

function scas(m: Sem): void {
  const a = m.let(m.acc());
  const b = m.load(m.size, dest(m));
  advance(m, EDI, stride(m));
  m.flagsSub(a, b, m.let(zx(m.size, sub(a, b))));
}

function ins(m: Sem): void {
  const port = m.let(m.reg(EDX, 16));
  m.call("checkIo", port, constant(m.size >> 3));
  m.emit({ k: "probeWrite", bytes: m.size >> 3, at: dest(m) });
  m.store(m.size, dest(m), m.call("portIn", port, constant(m.size >> 3)));
  advance(m, EDI, stride(m));
}

function outs(m: Sem): void {
  const port = m.let(m.reg(EDX, 16));
  m.call("checkIo", port, constant(m.size >> 3));
  const v = m.load(m.size, source(m));
  m.call("portOut", port, constant(m.size >> 3), v);
  advance(m, ESI, stride(m));
}

const PLAIN = { rep: "rep", cls: "string_iter", r: "D" } as const;
const COMPARE = { rep: "repcc", cls: "string_iter", w: ALL, r: "D" } as const;
const IO = { rep: "rep", cls: "string_iter", sync: true, r: "D" } as const;

export const stringTable: readonly Row[] = [
  row("movsb", "a4", "", movs, { ...PLAIN, size: 8 }),
  row("movsw/movsd", "a5", "", movs, { ...PLAIN, v: true }),
  row("cmpsb", "a6", "", cmps, { ...COMPARE, size: 8 }),
  row("cmpsw/cmpsd", "a7", "", cmps, { ...COMPARE, v: true }),
  row("stosb", "aa", "", stos, { ...PLAIN, size: 8 }),
  row("stosw/stosd", "ab", "", stos, { ...PLAIN, v: true }),
  row("lodsb", "ac", "", lods, { ...PLAIN, size: 8 }),
  row("lodsw/lodsd", "ad", "", lods, { ...PLAIN, v: true }),
  row("scasb", "ae", "", scas, { ...COMPARE, size: 8 }),
  row("scasw/scasd", "af", "", scas, { ...COMPARE, v: true }),
  row("insb", "6c", "", ins, { ...IO, size: 8 }),
  row("insw/insd", "6d", "", ins, { ...IO, v: true }),
  row("outsb", "6e", "", outs, { ...IO, size: 8 }),
  row("outsw/outsd", "6f", "", outs, { ...IO, v: true }),
];
