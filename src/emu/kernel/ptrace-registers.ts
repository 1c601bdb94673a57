// The registers of a traced task as its tracer sees and changes them: general, x87 and SSE, debug (arch/x86/kernel/ptrace.c).
import { writeDr } from "../cpu/debug.ts";
import { fnsave, frstor, fxrstor, fxsave } from "../cpu/fpu/save.ts";
import { NEEDS_SSE } from "../cpu/state.ts";
import { EFLAGS, PT } from "./entry/layout.ts";
import { EINVAL, EIO, ENODEV } from "./errno.ts";
import { loadFpu, saveFpu } from "./fpu.ts";
import type { Kernel } from "./kernel.ts";
import { newKernelContext, type Task } from "./task.ts";
import { copyIn, copyOut, readU32, TASK_SIZE, touch, writeU32 } from "./user.ts";

const NT_PRSTATUS = 1;
const NT_PRFPREG = 2;
const NT_X86_XSTATE = 0x202;
const NT_PRXFPREG = 0x46e6_2b7f;
const FSAVE_BYTES = 108;
const FXSAVE_BYTES = 512;
/** struct user of i386, and where its debug registers lie. */
export const USER_BYTES = 284;
export const DEBUG_REGISTERS = 252;
/** What a program may set of its flags: CF PF AF ZF SF TF DF OF NT RF AC. */
const USER_FLAGS = 0x0005_4dd5;

/** The 17 words of struct user_regs_struct: as pt_regs, with GS, and CS without what KML keeps in its upper half. */
export function registers(k: Kernel, t: Task): Int32Array {
  const regs = k.entry.regs(t);
  const words = Int32Array.from({ length: PT.BYTES / 4 }, (_, i) => regs.get(4 * i));
  for (const at of [PT.DS, PT.ES, PT.FS, PT.CS, PT.OLDSS]) words[at / 4] &= 0xffff;
  // The step that the tracer asked for is not the program's doing.
  if (t.trace?.mode === "step") words[PT.EFLAGS / 4] &= ~EFLAGS.TF;
  words[PT.GS / 4] = t.context.sel[5] & 0xffff;
  return words;
}

export function setRegister(k: Kernel, t: Task, offset: number, value: number): void {
  const regs = k.entry.regs(t);
  // Segments stay as they are: what a bad selector does is the program's own affair.
  if ([PT.DS, PT.ES, PT.FS, PT.GS, PT.CS, PT.OLDSS].some((at) => at === offset)) return;
  if (offset === PT.EFLAGS) regs.set(offset, (regs.get(offset) & ~USER_FLAGS) | (value & USER_FLAGS));
  else regs.set(offset, value);
}

/** The x87's registers as FSAVE, or all as FXSAVE has them, to the tracer's memory or from it. */
export function floatRegisters(k: Kernel, t: Task, target: Task, at: number, extended: boolean, write: boolean): void {
  const { cpu } = k;
  const bytes = extended ? FXSAVE_BYTES : FSAVE_BYTES;
  touch(k, t, at, bytes, !write);
  if (t.mm !== undefined) k.pageTables.repair(t.mm.pgd, at, bytes);
  const own = newKernelContext();
  saveFpu(cpu, own);
  loadFpu(cpu, target.context);
  try {
    if (!write) {
      if (extended) fxsave(cpu, at);
      else fnsave(cpu, at, 32);
    } else {
      if (extended) fxrstor(cpu, at);
      else frstor(cpu, at, 32);
      saveFpu(cpu, target.context);
    }
  } finally {
    loadFpu(cpu, own);
  }
}

/** GETREGSET and SETREGSET: data is a struct iovec. */
export function regset(k: Kernel, t: Task, target: Task, type: number, iov: number, write: boolean): number {
  const float = type === NT_PRFPREG || (type === NT_PRXFPREG && (k.cpu.features & NEEDS_SSE) !== 0);
  if (type !== NT_PRSTATUS && !float) return type === NT_PRXFPREG || type === NT_X86_XSTATE ? -ENODEV : -EINVAL;
  const [base, room] = [readU32(k, t, iov), readU32(k, t, iov + 4)];
  if (room % 4 !== 0) return -EINVAL;
  if (float) {
    const whole = type === NT_PRFPREG ? FSAVE_BYTES : FXSAVE_BYTES;
    if (room < whole) return -EINVAL;
    floatRegisters(k, t, target, base, type === NT_PRXFPREG, write);
    writeU32(k, t, iov + 4, whole);
    return 0;
  }
  const bytes = new Uint8Array(registers(k, target).buffer);
  const n = Math.min(room, bytes.length);
  if (write)
    for (const [i, word] of new Int32Array(copyIn(k, t, base, n).buffer).entries()) setRegister(k, target, 4 * i, word);
  else copyOut(k, t, base, bytes.subarray(0, n));
  writeU32(k, t, iov + 4, n);
  return 0;
}

/** A word of struct user behind the general registers: a debug register, or 0. */
export function debugRegister(target: Task, addr: number): number {
  return addr < DEBUG_REGISTERS ? 0 : (target.debug?.[(addr - DEBUG_REGISTERS) / 4] ?? 0);
}

/** Sets a debug register of a stopped task: breakpoints below the kernel, on instructions, writes or accesses. */
export function setDebugRegister(target: Task, n: number, value: number): number {
  if (n === 4 || n === 5) return -EIO;
  if (n < 4 && value >>> 0 >= TASK_SIZE) return -EINVAL;
  // As with single steps, #DB cannot tell a ring-0 program from the kernel.
  if (target.ku && n === 7 && value & 0xff) return -EIO;
  // Neither breakpoints on ports, nor instructions longer than a byte, nor eight bytes.
  if (n === 7)
    for (let i = 0; i < 4; i++) {
      if (((value >>> (2 * i)) & 3) === 0) continue;
      const [type, length] = [(value >>> (16 + 4 * i)) & 3, (value >>> (18 + 4 * i)) & 3];
      if (type === 2 || length === 2 || (type === 0 && length !== 0)) return -EINVAL;
    }
  target.debug ??= new Int32Array(8);
  target.debug[n] = value;
  return 0;
}

/** Puts a task's breakpoints on the processor, all of them enabled globally: task gates leave those alone. */
export function loadDebugRegisters(k: Kernel, debug: Int32Array | undefined): void {
  const { cpu } = k;
  const wanted = debug?.[7] ?? 0;
  let enables = 0;
  for (let i = 0; i < 4; i++) if ((wanted >>> (2 * i)) & 3) enables |= 2 << (2 * i);
  const dr7 = (wanted & 0xffff_0000) | enables | 0x400;
  if (enables === 0 && (cpu.dr[7] & 0xff) === 0) return;
  for (let i = 0; i < 4; i++) writeDr(cpu, i, debug?.[i] ?? 0);
  writeDr(cpu, 7, dr7);
}
