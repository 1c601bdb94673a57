// The x87 environment and state in memory: FNSTENV, FLDENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR.
// Source: Intel SDM vol. 1, "x87 FPU execution environment" (protected-mode formats), and FXSAVE in vol. 2.
import type { Cpu } from "../cpu.ts";
import { GP, NM, raise } from "../fault.ts";
import { CR0_EM, CR0_TS, CR4_OSFXSR } from "../mmu.ts";
import { MXCSR_DAZ } from "../simd/state.ts";
import { NEEDS_SSE, STATE_XMM } from "../state.ts";
import {
  checkLoad,
  checkStore,
  load16,
  load32,
  loadExtended,
  store8,
  store16,
  store32,
  storeExtended,
} from "./access.ts";
import type { Fpu } from "./state.ts";

const ENV32_BYTES = 28;
const ENV16_BYTES = 14;
const FXSAVE_BYTES = 512;
const XMM_WORDS = 32;

function writeEnvironment(cpu: Cpu, fpu: Fpu, la: number, opsize: 16 | 32): void {
  const at = (offset: number) => (la + offset) | 0;
  if (opsize === 32) {
    const reserved = 0xffff_0000;
    store32(cpu, at(0), reserved | fpu.cw);
    store32(cpu, at(4), reserved | fpu.status);
    store32(cpu, at(8), reserved | fpu.tagWord);
    store32(cpu, at(12), fpu.fip);
    store32(cpu, at(16), fpu.fcs | (fpu.fop << 16));
    store32(cpu, at(20), fpu.fdp);
    store32(cpu, at(24), reserved | fpu.fds);
  } else {
    const words = [fpu.cw, fpu.status, fpu.tagWord, fpu.fip, fpu.fcs, fpu.fdp, fpu.fds];
    for (let i = 0; i < words.length; i++) store16(cpu, at(2 * i), words[i]);
  }
}

function readEnvironment(cpu: Cpu, fpu: Fpu, la: number, opsize: 16 | 32): void {
  const at = (offset: number) => (la + offset) | 0;
  if (opsize === 32) {
    fpu.setCw(load16(cpu, at(0)));
    fpu.status = load16(cpu, at(4));
    fpu.tagWord = load16(cpu, at(8));
    fpu.fip = load32(cpu, at(12));
    fpu.fcs = load16(cpu, at(16));
    fpu.fop = load16(cpu, at(18)) & 0x7ff;
    fpu.fdp = load32(cpu, at(20));
    fpu.fds = load16(cpu, at(24));
  } else {
    fpu.setCw(load16(cpu, at(0)));
    fpu.status = load16(cpu, at(2));
    fpu.tagWord = load16(cpu, at(4));
    fpu.fip = load16(cpu, at(6));
    fpu.fcs = load16(cpu, at(8));
    fpu.fop = 0;
    fpu.fdp = load16(cpu, at(10));
    fpu.fds = load16(cpu, at(12));
  }
}

function environmentBytes(opsize: 16 | 32): number {
  return opsize === 32 ? ENV32_BYTES : ENV16_BYTES;
}

/** FNSTENV: store the environment, then mask all exceptions. */
export function fnstenv(cpu: Cpu, la: number, opsize: 16 | 32): void {
  const fpu = cpu.fpu;
  checkStore(cpu, la, environmentBytes(opsize));
  writeEnvironment(cpu, fpu, la, opsize);
  fpu.setCw(fpu.cw | 0x3f);
}

/** FLDENV. */
export function fldenv(cpu: Cpu, la: number, opsize: 16 | 32): void {
  checkLoad(cpu, la, environmentBytes(opsize));
  readEnvironment(cpu, cpu.fpu, la, opsize);
}

/** FNSAVE: environment and the registers in stack order, then FNINIT. */
export function fnsave(cpu: Cpu, la: number, opsize: 16 | 32): void {
  const fpu = cpu.fpu;
  const size = environmentBytes(opsize);
  checkStore(cpu, la, size + 80);
  writeEnvironment(cpu, fpu, la, opsize);
  for (let i = 0; i < 8; i++) storeExtended(cpu, (la + size + 10 * i) | 0, fpu.st(i));
  fpu.init();
}

/** FRSTOR. */
export function frstor(cpu: Cpu, la: number, opsize: 16 | 32): void {
  const fpu = cpu.fpu;
  const size = environmentBytes(opsize);
  checkLoad(cpu, la, size + 80);
  readEnvironment(cpu, fpu, la, opsize);
  for (let i = 0; i < 8; i++) loadExtended(cpu, (la + size + 10 * i) | 0, fpu.st(i));
}

function checkFx(cpu: Cpu, la: number): void {
  if (cpu.cr0 & (CR0_EM | CR0_TS)) raise(cpu, NM);
  if (la & 15) raise(cpu, GP, 0);
}

/** Offsets in the FXSAVE image. */
const FX = { MXCSR: 24, MXCSR_MASK: 28, ST: 32, XMM: 160 } as const;

/** Are the XMM registers and MXCSR part of the image? */
function hasXmm(cpu: Cpu): boolean {
  return (cpu.features & NEEDS_SSE) !== 0 && (cpu.cr4 & CR4_OSFXSR) !== 0;
}

/** FXSAVE: x87 state, reserved bytes of it as zeros; with SSE, MXCSR and the XMM registers. The rest is left alone. */
export function fxsave(cpu: Cpu, la: number): void {
  checkFx(cpu, la);
  checkStore(cpu, la, FXSAVE_BYTES);
  const fpu = cpu.fpu;
  const at = (offset: number) => (la + offset) | 0;
  store16(cpu, at(0), fpu.cw);
  store16(cpu, at(2), fpu.status);
  store16(cpu, at(4), fpu.used);
  store16(cpu, at(6), fpu.fop);
  store32(cpu, at(8), fpu.fip);
  store32(cpu, at(12), fpu.fcs);
  store32(cpu, at(16), fpu.fdp);
  store32(cpu, at(20), fpu.fds);
  for (let i = 0; i < 8; i++) {
    const slot = FX.ST + 16 * i;
    storeExtended(cpu, at(slot), fpu.st(i));
    for (let b = 10; b < 16; b++) store8(cpu, at(slot + b), 0);
  }
  if (!hasXmm(cpu)) return;
  const { simd } = cpu;
  store32(cpu, at(FX.MXCSR), simd.mxcsr);
  // Processors without DAZ write 0, which stands for the mask without it.
  store32(cpu, at(FX.MXCSR_MASK), simd.mxcsrMask & MXCSR_DAZ ? simd.mxcsrMask : 0);
  for (let i = 0; i < XMM_WORDS; i++) store32(cpu, at(FX.XMM + 4 * i), simd.i32[STATE_XMM + i]);
}

/** FXRSTOR. Reserved bits of MXCSR are #GP(0). */
export function fxrstor(cpu: Cpu, la: number): void {
  checkFx(cpu, la);
  checkLoad(cpu, la, FXSAVE_BYTES);
  const fpu = cpu.fpu;
  const at = (offset: number) => (la + offset) | 0;
  if (hasXmm(cpu)) {
    const mxcsr = load32(cpu, at(FX.MXCSR));
    if (mxcsr & ~cpu.simd.mxcsrMask) raise(cpu, GP, 0);
    cpu.simd.mxcsr = mxcsr;
    for (let i = 0; i < XMM_WORDS; i++) cpu.simd.i32[STATE_XMM + i] = load32(cpu, at(FX.XMM + 4 * i));
  }
  fpu.setCw(load16(cpu, at(0)));
  fpu.status = load16(cpu, at(2));
  fpu.used = load16(cpu, at(4)) & 0xff;
  fpu.fop = load16(cpu, at(6)) & 0x7ff;
  fpu.fip = load32(cpu, at(8));
  fpu.fcs = load16(cpu, at(12));
  fpu.fdp = load32(cpu, at(16));
  fpu.fds = load16(cpu, at(20));
  for (let i = 0; i < 8; i++) loadExtended(cpu, at(FX.ST + 16 * i), fpu.st(i));
}
