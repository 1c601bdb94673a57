// Floating-point and vector state of tasks: x87 and MMX, XMM and MXCSR, kept with a task's other registers while it is off
// the CPU; what exceptions of it mean (arch/x86/kernel/fpu).
import type { Cpu } from "../cpu/cpu.ts";
import { MF } from "../cpu/fault.ts";
import { Fpu } from "../cpu/fpu/state.ts";
import { MXCSR_FLAGS, MXCSR_MASK_SHIFT } from "../cpu/simd/state.ts";
import { NEEDS_SSE } from "../cpu/state.ts";
import type { KernelContext } from "./task.ts";

const FPE_FLTDIV = 3;
const FPE_FLTOVF = 4;
const FPE_FLTUND = 5;
const FPE_FLTRES = 6;
const FPE_FLTINV = 7;
/** Exception flags of the x87 and of MXCSR and the si_code of each, the first found counting. */
const CODES: readonly (readonly [flags: number, code: number])[] = [
  [0x01, FPE_FLTINV],
  [0x04, FPE_FLTDIV],
  [0x08, FPE_FLTOVF],
  // Denormal operand, underflow.
  [0x12, FPE_FLTUND],
  [0x20, FPE_FLTRES],
];

/** Copies the CPU's state into a task's context. */
export function saveFpu(cpu: Cpu, c: KernelContext): void {
  c.fpu ??= new Fpu();
  c.fpu.copyFrom(cpu.fpu);
  if (cpu.features & NEEDS_SSE) c.simd = cpu.simd.save(c.simd);
}

/** Puts a task's state on the CPU. */
export function loadFpu(cpu: Cpu, c: KernelContext): void {
  if (c.fpu) cpu.fpu.copyFrom(c.fpu);
  else cpu.fpu.init();
  if (c.simd) cpu.simd.load(c.simd);
  else cpu.simd.init();
}

/** What a program begins with, and a signal handler: everything empty and zero, all exceptions masked. */
export function clearFpu(cpu: Cpu): void {
  cpu.fpu.init();
  for (const register of cpu.fpu.regs) register.set(0, 0, 0, 0);
  cpu.simd.init();
}

/** si_code of SIGFPE for #MF or #XM, 0 when no unmasked exception can be seen (fpu__exception_code). */
export function floatExceptionCode(cpu: Cpu, vector: number): number {
  const csr = cpu.simd.mxcsr;
  const raised = vector === MF ? cpu.fpu.sw & ~cpu.fpu.cw : csr & ~(csr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;
  return CODES.find(([flags]) => raised & flags)?.[1] ?? 0;
}
