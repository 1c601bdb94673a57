// The named helpers that the IR calls: system semantics of the neighbouring files (segments, gates, far, mmu, debug,
// cpuid, fpu) under one roof, and the few operations that JavaScript has no operator for. Every engine uses these.
import { type Cpu, CS, EBP, ESP, SS, STATE_AUX, STATE_CODE, STATE_EFLAGS, STATE_RESULT } from "../cpu.ts";
import { cpuid, rdmsr, rdpmc, rdtsc, wrmsr } from "../cpuid.ts";
import { noteIoBreakpoint, readDr, writeDr } from "../debug.ts";
import { callFar, jmpFar, retFar } from "../far.ts";
import { BP, DB, DE, GP, OF, raise, UD } from "../fault.ts";
import { AC, ARITH, arithFromLazy, DF, ID, IF, IOPL, lazyAux, lazyResult, NT, RF, TF, VIF, VIP, VM } from "../flags.ts";
import { checkReady, fpuExec, fwait, noteOperand } from "../fpu/fpu.ts";
import { fxrstor, fxsave } from "../fpu/save.ts";
import { interrupt } from "../gates.ts";
import { invlpg, lmsw, readCr, readSlow16, readSlow32, writeCr, writeSlow16, writeSlow32 } from "../mmu.ts";
import { iret, sysenter, sysexit } from "../returns.ts";
import { arpl, checkLimit, lar, lldt, loadSegment, loadTable, lsl, ltr, storeTable, verr, verw } from "../segments.ts";
import {
  checkMmx,
  checkSse,
  emms,
  enterMmx,
  extractWord,
  fromGeneral,
  insertWord,
  loadMxcsr,
  maskedStore,
  monitor,
  signMask,
  toGeneral,
  wroteMmx,
} from "../simd/access.ts";
import { compareFlags } from "../simd/compare.ts";
import { scalarToInteger } from "../simd/convert.ts";
import { TALLY } from "../state.ts";
import { checkIoPermission } from "../tasks.ts";

/** Helpers take the processor and int32 values, and give an int32. */
export type Helper = (cpu: Cpu, ...args: number[]) => number;

function flagOf(v: boolean): number {
  return v ? 1 : 0;
}

function opsize(size: number): 16 | 32 {
  return size === 16 ? 16 : 32;
}

function bytesOf(n: number): 1 | 2 | 4 {
  return n === 1 ? 1 : n === 2 ? 2 : 4;
}

/** Quotient of the unsigned 64-bit hi:lo by d; #DE when d is 0 or it needs more than 32 bits. Exact: every step stays below 2^48. */
function udiv32(cpu: Cpu, hi: number, lo: number, d: number): number {
  const divisor = d >>> 0;
  const high = hi >>> 0;
  if (high >= divisor) raise(cpu, DE);
  if (high === 0) return ((lo >>> 0) / divisor) | 0;
  const upper = high * 0x1_0000 + (lo >>> 16);
  const q1 = Math.floor(upper / divisor);
  const lower = (upper - q1 * divisor) * 0x1_0000 + (lo & 0xffff);
  return ((q1 << 16) + Math.floor(lower / divisor)) | 0;
}

function urem32(cpu: Cpu, hi: number, lo: number, d: number): number {
  return (lo - Math.imul(udiv32(cpu, hi, lo, d), d)) | 0;
}

/** Signed division by way of magnitudes; the quotient must fit 32 bits signed. */
function idiv32(cpu: Cpu, hi: number, lo: number, d: number): number {
  const negative = hi < 0;
  const highAbs = negative ? (~hi + (lo === 0 ? 1 : 0)) | 0 : hi;
  const lowAbs = negative ? -lo | 0 : lo;
  const q = udiv32(cpu, highAbs, lowAbs, d < 0 ? -d | 0 : d) >>> 0;
  const minus = negative !== d < 0;
  if (q > (minus ? 0x8000_0000 : 0x7fff_ffff)) raise(cpu, DE);
  return (minus ? -q : q) | 0;
}

function irem32(cpu: Cpu, hi: number, lo: number, d: number): number {
  return (lo - Math.imul(idiv32(cpu, hi, lo, d), d)) | 0;
}

/** n / d for a dividend of up to 32 bits; #DE when d is 0 or the quotient exceeds `max`. */
function udivNarrow(cpu: Cpu, n: number, d: number, max: number): number {
  if (d === 0) raise(cpu, DE);
  const q = Math.floor((n >>> 0) / d);
  if (q > max) raise(cpu, DE);
  return q;
}

function idivNarrow(cpu: Cpu, n: number, d: number, max: number): number {
  if (d === 0) raise(cpu, DE);
  const q = Math.trunc(n / d);
  if (q > max || q < -max - 1) raise(cpu, DE);
  return q;
}

const sx8 = (v: number) => (v << 24) >> 24;
const sx16 = (v: number) => (v << 16) >> 16;

/** The six arithmetic flags at their EFLAGS positions. */
function arithFlags(cpu: Cpu): number {
  return arithFromLazy(cpu.state[STATE_RESULT], cpu.state[STATE_AUX]);
}

/** Arithmetic flags in `mask` from `v`. */
export function setArithFlags(cpu: Cpu, mask: number, v: number): number {
  const flags = (arithFlags(cpu) & ~mask) | (v & mask);
  cpu.state[STATE_RESULT] = lazyResult(flags);
  cpu.state[STATE_AUX] = lazyAux(flags);
  return 0;
}

/** POPF: what the privilege level lets through. */
function setFlagsImage(cpu: Cpu, v: number, size: number): number {
  const old = cpu.getEflags();
  let mask = ARITH | TF | DF | NT | AC | ID;
  if (cpu.cpl === 0) mask |= IOPL;
  if (cpu.cpl <= (old & IOPL) >> 12) mask |= IF;
  if (size === 16) mask &= 0xffff;
  const cleared = size === 16 ? RF : RF | VIP | VIF;
  cpu.setEflags((old & ~(mask | cleared)) | (v & mask));
  return 0;
}

function enterNested(cpu: Cpu, size: number, alloc: number, level: number): number {
  const bytes = size >> 3;
  const user = cpu.cpl === 3;
  const mask = cpu.attr[SS] & 0x4000 ? -1 : 0xffff;
  const read = size === 16 ? readSlow16 : readSlow32;
  const write = size === 16 ? writeSlow16 : writeSlow32;
  const at = (off: number): number => {
    checkLimit(cpu, SS, off >>> 0, bytes);
    return (cpu.base[SS] + off) | 0;
  };
  let sp = (cpu.r[ESP] - bytes) & mask;
  const frame = sp;
  write(cpu, at(sp), cpu.r[EBP], user);
  let bp = cpu.r[EBP];
  for (let i = 1; i < level; i++) {
    bp = (bp - bytes) & mask;
    sp = (sp - bytes) & mask;
    write(cpu, at(sp), read(cpu, at(bp), user), user);
  }
  sp = (sp - bytes) & mask;
  write(cpu, at(sp), frame, user);
  sp = (sp - alloc) & mask;
  cpu.r[EBP] = size === 16 ? (cpu.r[EBP] & 0xffff_0000) | (frame & 0xffff) : frame;
  cpu.r[ESP] = (cpu.r[ESP] & ~mask) | sp;
  return 0;
}

/** CLI and STI: allowed when CPL <= IOPL. */
function requireIopl(cpu: Cpu): void {
  if (cpu.cpl > (cpu.state[STATE_EFLAGS] & IOPL) >> 12) raise(cpu, GP, 0);
}

export const helpers = {
  requireRing0: (cpu: Cpu): number => {
    if (cpu.cpl !== 0) raise(cpu, GP, 0);
    return 0;
  },
  checkCsLimit: (cpu: Cpu, to: number): number => {
    if (to >>> 0 > cpu.limit[CS]) raise(cpu, GP, 0);
    return 0;
  },
  udiv32,
  urem32,
  idiv32,
  irem32,
  udiv8: (cpu: Cpu, n: number, d: number): number => udivNarrow(cpu, n, d, 0xff),
  urem8: (_cpu: Cpu, n: number, d: number): number => (n >>> 0) % d,
  idiv8: (cpu: Cpu, n: number, d: number): number => idivNarrow(cpu, n, sx8(d), 0x7f),
  irem8: (_cpu: Cpu, n: number, d: number): number => (n % sx8(d)) | 0,
  udiv16: (cpu: Cpu, n: number, d: number): number => udivNarrow(cpu, n, d, 0xffff),
  urem16: (_cpu: Cpu, n: number, d: number): number => (n >>> 0) % d,
  idiv16: (cpu: Cpu, n: number, d: number): number => idivNarrow(cpu, n, sx16(d), 0x7fff),
  irem16: (_cpu: Cpu, n: number, d: number): number => (n % sx16(d)) | 0,
  modu: (_cpu: Cpu, n: number, d: number): number => (n >>> 0) % d,
  arithFlags,
  flagsImage: (cpu: Cpu): number => cpu.getEflags() & ~(VM | RF),
  setFlagsImage,
  enterNested,
  selector: (cpu: Cpu, seg: number): number => {
    if (seg > 5) raise(cpu, UD);
    return cpu.sel[seg] & 0xffff;
  },
  loadSegment: (cpu: Cpu, seg: number, selector: number): number => {
    if (seg === CS || seg > 5) raise(cpu, UD);
    loadSegment(cpu, seg, selector);
    if (seg === SS) cpu.inhibit = true;
    return 0;
  },
  callFar: (cpu: Cpu, sel: number, off: number, size: number): number => {
    callFar(cpu, sel, off, opsize(size));
    return 0;
  },
  jmpFar: (cpu: Cpu, sel: number, off: number, size: number): number => {
    jmpFar(cpu, sel, off, opsize(size));
    return 0;
  },
  retFar: (cpu: Cpu, size: number, release: number): number => {
    retFar(cpu, opsize(size), release);
    return 0;
  },
  int3: (cpu: Cpu): number => {
    interrupt(cpu, BP, "int3", -1);
    return 0;
  },
  intN: (cpu: Cpu, vector: number): number => {
    interrupt(cpu, vector, "software", -1);
    return 0;
  },
  into: (cpu: Cpu): number => {
    interrupt(cpu, OF, "software", -1);
    return 0;
  },
  int1: (cpu: Cpu): number => {
    interrupt(cpu, DB, "hardware", -1);
    return 0;
  },
  iret: (cpu: Cpu, size: number): number => {
    iret(cpu, opsize(size));
    return 0;
  },
  sysenter: (cpu: Cpu): number => {
    sysenter(cpu);
    return 0;
  },
  sysexit: (cpu: Cpu): number => {
    sysexit(cpu);
    return 0;
  },
  /** The reserved instruction: only where kernel text was recorded at boot. */
  kcall: (cpu: Cpu, n: number): number => {
    const frame = (cpu.state[STATE_CODE] - cpu.memory.ramBase) >>> 12;
    if (cpu.memory.kernelText[frame] !== 1) raise(cpu, UD);
    cpu.host.kcall(n);
    return 0;
  },
  checkIo: (cpu: Cpu, port: number, bytes: number): number => {
    checkIoPermission(cpu, port, bytesOf(bytes));
    return 0;
  },
  portIn: (cpu: Cpu, port: number, bytes: number): number => {
    noteIoBreakpoint(cpu, port, bytes);
    cpu.tally[TALLY.ports]++;
    return cpu.host.inPort(port, bytesOf(bytes)) | 0;
  },
  portOut: (cpu: Cpu, port: number, bytes: number, value: number): number => {
    noteIoBreakpoint(cpu, port, bytes);
    cpu.tally[TALLY.ports]++;
    cpu.host.outPort(port, bytesOf(bytes), value);
    return 0;
  },
  larVisible: (cpu: Cpu, sel: number): number => flagOf(lar(cpu, sel) !== -1),
  lar: (cpu: Cpu, sel: number): number => lar(cpu, sel),
  lslVisible: (cpu: Cpu, sel: number): number => flagOf(lsl(cpu, sel) !== -1),
  lsl: (cpu: Cpu, sel: number): number => lsl(cpu, sel) | 0,
  verr: (cpu: Cpu, sel: number): number => flagOf(verr(cpu, sel)),
  verw: (cpu: Cpu, sel: number): number => flagOf(verw(cpu, sel)),
  arpl: (_cpu: Cpu, a: number, b: number): number => arpl(a, b),
  sldt: (cpu: Cpu): number => cpu.ldtSel & 0xffff,
  str: (cpu: Cpu): number => cpu.trSel & 0xffff,
  lldt: (cpu: Cpu, sel: number): number => {
    lldt(cpu, sel);
    return 0;
  },
  ltr: (cpu: Cpu, sel: number): number => {
    ltr(cpu, sel);
    return 0;
  },
  sgdt: (cpu: Cpu, la: number): number => {
    storeTable(cpu, "gdt", la);
    return 0;
  },
  sidt: (cpu: Cpu, la: number): number => {
    storeTable(cpu, "idt", la);
    return 0;
  },
  lgdt: (cpu: Cpu, la: number, size: number): number => {
    loadTable(cpu, "gdt", la, opsize(size));
    return 0;
  },
  lidt: (cpu: Cpu, la: number, size: number): number => {
    loadTable(cpu, "idt", la, opsize(size));
    return 0;
  },
  cr0: (cpu: Cpu): number => cpu.cr0 | 0,
  lmsw: (cpu: Cpu, v: number): number => {
    lmsw(cpu, v);
    return 0;
  },
  invlpg: (cpu: Cpu, la: number): number => {
    invlpg(cpu, la);
    return 0;
  },
  clts: (cpu: Cpu): number => {
    cpu.cr0 &= ~8;
    return 0;
  },
  readCr: (cpu: Cpu, n: number): number => readCr(cpu, n) | 0,
  writeCr: (cpu: Cpu, n: number, v: number): number => {
    writeCr(cpu, n, v);
    return 0;
  },
  readDr: (cpu: Cpu, n: number): number => readDr(cpu, n) | 0,
  writeDr: (cpu: Cpu, n: number, v: number): number => {
    writeDr(cpu, n, v);
    return 0;
  },
  wrmsr: (cpu: Cpu): number => {
    wrmsr(cpu);
    return 0;
  },
  rdmsr: (cpu: Cpu): number => {
    rdmsr(cpu);
    return 0;
  },
  rdtsc: (cpu: Cpu): number => {
    rdtsc(cpu);
    return 0;
  },
  rdpmc: (cpu: Cpu): number => {
    rdpmc(cpu);
    return 0;
  },
  cpuid: (cpu: Cpu): number => {
    cpuid(cpu);
    return 0;
  },
  hlt: (cpu: Cpu): number => {
    cpu.halted = true;
    return 0;
  },
  cli: (cpu: Cpu): number => {
    requireIopl(cpu);
    cpu.state[STATE_EFLAGS] &= ~IF;
    return 0;
  },
  sti: (cpu: Cpu): number => {
    requireIopl(cpu);
    if (!(cpu.state[STATE_EFLAGS] & IF)) cpu.inhibit = true;
    cpu.state[STATE_EFLAGS] |= IF;
    return 0;
  },
  fwait: (cpu: Cpu): number => {
    fwait(cpu);
    return 0;
  },
  x87: (cpu: Cpu, opcode: number, modrm: number, la: number, size: number): number => {
    fpuExec(cpu, opcode, modrm, la, opsize(size));
    return 0;
  },
  x87Ready: (cpu: Cpu, opcode: number, modrm: number): number => {
    checkReady(cpu, opcode, modrm);
    return 0;
  },
  x87Operand: (cpu: Cpu, opcode: number, modrm: number, off: number): number => {
    noteOperand(cpu, opcode, modrm, off);
    return 0;
  },
  fxsave: (cpu: Cpu, la: number): number => {
    fxsave(cpu, la);
    return 0;
  },
  fxrstor: (cpu: Cpu, la: number): number => {
    fxrstor(cpu, la);
    return 0;
  },
  checkSse,
  checkMmx,
  enterMmx,
  emms,
  fromGeneral,
  toGeneral,
  wroteMmx,
  insertWord,
  extractWord,
  signMask,
  loadMxcsr,
  maskedStore,
  monitor,
  compareFlags: (cpu: Cpu, d: number, s: number, width: number, anyNaN: number): number =>
    compareFlags(cpu.simd, d, s, width === 4 ? 4 : 8, anyNaN !== 0),
  scalarToInteger: (cpu: Cpu, s: number, width: number, truncate: number): number =>
    scalarToInteger(cpu.simd, s, width === 8, truncate !== 0),
  bswap: (v: number): number => (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24),
  /** High word of the unsigned product. */
  mulhu: (a: number, b: number): number => {
    const al = a & 0xffff;
    const ah = a >>> 16;
    const bl = b & 0xffff;
    const bh = b >>> 16;
    const low = al * bl;
    const mid = ah * bl + (low >>> 16);
    const mid2 = al * bh + (mid % 0x1_0000);
    return (ah * bh + Math.floor(mid / 0x1_0000) + Math.floor(mid2 / 0x1_0000)) | 0;
  },
  /** High word of the signed product. */
  mulhs: (a: number, b: number): number => {
    const high = helpers.mulhu(a, b);
    return (high - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
  },
};
