// When vector instructions may run, and how they meet the other registers: availability checks, the MMX registers that lie
// in the x87's, masks and lanes to and from general registers, MXCSR, masked stores. Called by the instruction table.
import type { Cpu } from "../cpu.ts";
import { GP, MF, NM, raise, UD } from "../fault.ts";
import { SLOT_SE } from "../fpu/layout.ts";
import { ES } from "../fpu/state.ts";
import { CR0_EM, CR0_NE, CR0_TS, CR4_OSFXSR, translateForWrite, writeSlow8 } from "../mmu.ts";

/** SSE instructions: #UD by CR0.EM or without CR4.OSFXSR, #NM by CR0.TS. */
export function checkSse(cpu: Cpu): number {
  if (cpu.cr0 & CR0_EM || !(cpu.cr4 & CR4_OSFXSR)) raise(cpu, UD);
  if (cpu.cr0 & CR0_TS) raise(cpu, NM);
  return 0;
}

/** MMX instructions: #UD by CR0.EM, #NM by CR0.TS, #MF when an x87 exception waits. */
export function checkMmx(cpu: Cpu): number {
  if (cpu.cr0 & CR0_EM) raise(cpu, UD);
  if (cpu.cr0 & CR0_TS) raise(cpu, NM);
  if (cpu.fpu.sw & ES && cpu.cr0 & CR0_NE) raise(cpu, MF);
  return 0;
}

/** An MMX instruction completes: TOP is 0 and no register is empty. */
export function enterMmx(cpu: Cpu): number {
  cpu.fpu.top = 0;
  cpu.fpu.used = 0xff;
  return 0;
}

/** An MMX instruction that wrote the register at byte offset `at` completes: its exponent and sign become all ones. */
export function wroteMmx(cpu: Cpu, at: number): number {
  cpu.simd.i32[(at + SLOT_SE) >> 2] = 0xffff;
  return enterMmx(cpu);
}

/** EMMS: all registers empty. */
export function emms(cpu: Cpu): number {
  cpu.fpu.top = 0;
  cpu.fpu.used = 0;
  return 0;
}

/** A general register's value into the low lane at byte offset `to`, zeros above it. */
export function fromGeneral(cpu: Cpu, to: number, value: number): number {
  const at = to >> 2;
  cpu.simd.i32[at] = value;
  cpu.simd.i32[at + 1] = 0;
  cpu.simd.i32[at + 2] = 0;
  cpu.simd.i32[at + 3] = 0;
  return 0;
}

/** The 32-bit lane at byte offset `from`. */
export function toGeneral(cpu: Cpu, from: number): number {
  return cpu.simd.i32[from >> 2];
}

/** PINSRW: word `index` of the `bytes` at byte offset `to`. */
export function insertWord(cpu: Cpu, to: number, value: number, index: number, bytes: number): number {
  cpu.simd.i16[(to >> 1) + (index & ((bytes >> 1) - 1))] = value;
  return 0;
}

/** PEXTRW. */
export function extractWord(cpu: Cpu, from: number, index: number, bytes: number): number {
  return cpu.simd.u16[(from >> 1) + (index & ((bytes >> 1) - 1))];
}

/** Sign bits of the lanes of `width` bytes: PMOVMSKB, MOVMSKPS, MOVMSKPD. */
export function signMask(cpu: Cpu, from: number, bytes: number, width: number): number {
  const { i8 } = cpu.simd;
  let mask = 0;
  for (let i = 0; i < bytes / width; i++) if (i8[from + width * (i + 1) - 1] < 0) mask |= 1 << i;
  return mask;
}

/** LDMXCSR: reserved bits are #GP(0). */
export function loadMxcsr(cpu: Cpu, value: number): number {
  if (value & ~cpu.simd.mxcsrMask) raise(cpu, GP, 0);
  cpu.simd.mxcsr = value;
  return 0;
}

/** MASKMOVQ, MASKMOVDQU: the bytes of `from` whose mask byte has its top bit set, after all of them were checked. */
export function maskedStore(cpu: Cpu, la: number, from: number, mask: number, bytes: number): number {
  const { u8, i8 } = cpu.simd;
  const user = cpu.cpl === 3;
  for (let i = 0; i < bytes; i++) if (i8[mask + i] < 0) translateForWrite(cpu, (la + i) | 0, 1, user);
  for (let i = 0; i < bytes; i++) if (i8[mask + i] < 0) writeSlow8(cpu, (la + i) | 0, u8[from + i], user);
  return 0;
}

/** MONITOR and MWAIT at CPL 0 do nothing here but check their operands: the wait ends at once, as the manual allows. */
export function monitor(cpu: Cpu, extensions: number): number {
  if (cpu.cpl !== 0) raise(cpu, UD);
  if (extensions !== 0) raise(cpu, GP, 0);
  return 0;
}
