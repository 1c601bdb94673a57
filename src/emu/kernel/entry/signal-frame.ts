// The stack frames that signal handlers see and return through, in ring 3 and in ring 0 (arch/x86/kernel/signal.c).
import { type Cpu, GS } from "../../cpu/cpu.ts";
import { GuestFault } from "../../cpu/fault.ts";
import { fnsave, frstor, fxsave } from "../../cpu/fpu/save.ts";
import { CR0_TS } from "../../cpu/mmu.ts";
import { loadSegment } from "../../cpu/segments.ts";
import { NEEDS_SSE } from "../../cpu/state.ts";
import { EFAULT, SysError } from "../errno.ts";
import { clearFpu } from "../fpu.ts";
import type { Kernel } from "../kernel.ts";
import { bit, type Delivery, encodeSigInfo, SA_NODEFER, SA_ONSTACK, SA_RESTORER, SA_SIGINFO } from "../signal.ts";
import type { AltStack, SigSet, Task } from "../task.ts";
import { copyIn, copyOut, touch } from "../user.ts";
import { EFLAGS, KU_CS, PT, SELECTOR } from "./layout.ts";
import type { PtRegs } from "./regs.ts";

const SS_ONSTACK = 1;
const SS_DISABLE = 2;

/** struct sigcontext: word index of each field. */
export const SC = {
  GS: 0,
  FS: 1,
  ES: 2,
  DS: 3,
  EDI: 4,
  ESI: 5,
  EBP: 6,
  ESP: 7,
  EBX: 8,
  EDX: 9,
  ECX: 10,
  EAX: 11,
  TRAPNO: 12,
  ERR: 13,
  EIP: 14,
  CS: 15,
  EFLAGS: 16,
  ESP_AT_SIGNAL: 17,
  SS: 18,
  FPSTATE: 19,
  OLDMASK: 20,
  CR2: 21,
  WORDS: 22,
} as const;

/** Offsets in struct sigframe (handlers without SA_SIGINFO). */
const FRAME = { RETURN: 0, SIG: 4, SC: 8, EXTRAMASK: 720, RETCODE: 724, BYTES: 732 } as const;
/** Offsets in struct rt_sigframe. */
const RT = {
  RETURN: 0,
  SIG: 4,
  PINFO: 8,
  PUC: 12,
  INFO: 16,
  UC: 144,
  UC_STACK: 152,
  SC: 164,
  SIGMASK: 252,
  RETCODE: 260,
  BYTES: 268,
} as const;
/** struct _fpstate_32: the FSAVE image with status and magic, then the FXSAVE image. */
const FP = { STATUS: 108, FXSAVE: 112, MXCSR: 136, XMM: 272, BYTES: 624 } as const;

/** EFLAGS that a sigreturn restores. */
const FIX_EFLAGS = EFLAGS.AC | EFLAGS.RF | EFLAGS.DF | EFLAGS.TF | 0x8d5; // OF and the arithmetic flags
/** pop eax; mov eax, 119; int 0x80, and the same without the pop for rt_sigreturn: only debuggers look at it. */
const RETCODE = Uint8Array.of(0x58, 0xb8, 0x77, 0, 0, 0, 0xcd, 0x80);
const RT_RETCODE = Uint8Array.of(0xb8, 0xad, 0, 0, 0, 0xcd, 0x80, 0);

/** What a frame needs to know of the kernel. */
export interface FrameContext {
  readonly k: Kernel;
  /** Addresses that handlers return to. */
  readonly restorer: { sigreturn: number; rtSigreturn: number };
  /** The same in ring 0: in kernel text, whatever SA_RESTORER says. */
  readonly kuRestorer: { sigreturn: number; rtSigreturn: number };
  /** A handler entered from an interrupt frame gets the program's EFLAGS. */
  readonly handlerFlags: boolean;
  /** Number, error code and address of the task's last trap. */
  lastTrap(t: Task): { vector: number; errorCode: number; cr2: number };
}

function onAltStack(alt: AltStack, sp: number): boolean {
  return alt.size > 0 && sp >>> 0 > alt.sp >>> 0 && (sp >>> 0) - (alt.sp >>> 0) <= alt.size;
}

/** sas_ss_flags: what sigaltstack and uc_stack show. */
export function altStackFlags(alt: AltStack, sp: number): number {
  if (alt.size === 0) return SS_DISABLE;
  return onAltStack(alt, sp) ? SS_ONSTACK : 0;
}

function stackTop(t: Task, sp: number, flags: number): number {
  const alt = t.altStack;
  if (!(flags & SA_ONSTACK) || alt.size === 0 || onAltStack(alt, sp)) return sp >>> 0;
  return ((alt.sp >>> 0) + alt.size) >>> 0;
}

/** The saved user state as sigcontext words. */
function sigcontext(c: FrameContext, t: Task, regs: PtRegs, fpstate: number, mask: SigSet): Uint32Array {
  const words = new Uint32Array(SC.WORDS);
  const trap = c.lastTrap(t);
  words[SC.GS] = c.k.cpu.sel[GS] & 0xffff;
  words[SC.FS] = regs.get(PT.FS) & 0xffff;
  words[SC.ES] = regs.get(PT.ES) & 0xffff;
  words[SC.DS] = regs.get(PT.DS) & 0xffff;
  words[SC.EDI] = regs.get(PT.EDI);
  words[SC.ESI] = regs.get(PT.ESI);
  words[SC.EBP] = regs.get(PT.EBP);
  words[SC.ESP] = regs.get(PT.OLDESP);
  words[SC.EBX] = regs.get(PT.EBX);
  words[SC.EDX] = regs.get(PT.EDX);
  words[SC.ECX] = regs.get(PT.ECX);
  words[SC.EAX] = regs.get(PT.EAX);
  words[SC.TRAPNO] = trap.vector;
  words[SC.ERR] = trap.errorCode;
  words[SC.EIP] = regs.get(PT.EIP);
  // Widened: the high half says how a ring-0 program is to be returned to.
  words[SC.CS] = regs.get(PT.CS);
  words[SC.EFLAGS] = regs.get(PT.EFLAGS);
  words[SC.ESP_AT_SIGNAL] = regs.get(PT.OLDESP);
  words[SC.SS] = regs.get(PT.OLDSS) & 0xffff;
  words[SC.FPSTATE] = fpstate;
  words[SC.OLDMASK] = Number(mask & 0xffff_ffffn);
  words[SC.CR2] = trap.cr2;
  return words;
}

/** Stores the FPU's state for the handler's frame and gives the handler a fresh one. */
function saveFpu(cpu: Cpu, at: number): void {
  cpu.cr0 &= ~CR0_TS;
  fxsave(cpu, (at + FP.FXSAVE) | 0);
  fnsave(cpu, at | 0, 32);
  clearFpu(cpu);
}

/**
 * The FPU's state from a frame: the x87's from its FSAVE image, MXCSR and the XMM registers from its FXSAVE image, as the
 * kernel folds them on i386; bits that MXCSR does not have are dropped.
 */
function restoreFpu(k: Kernel, t: Task, at: number): void {
  const { cpu } = k;
  cpu.cr0 &= ~CR0_TS;
  frstor(cpu, at | 0, 32);
  if (!(cpu.features & NEEDS_SSE)) return;
  const words = new Int32Array(33);
  const xmm = copyIn(k, t, at + FP.XMM, 128);
  const view = new DataView(xmm.buffer, xmm.byteOffset);
  for (let i = 0; i < 32; i++) words[i] = view.getInt32(4 * i, true);
  const mxcsr = copyIn(k, t, at + FP.MXCSR, 4);
  words[32] = new DataView(mxcsr.buffer, mxcsr.byteOffset).getInt32(0, true) & cpu.simd.mxcsrMask;
  cpu.simd.load(words);
}

function maskBytes(mask: SigSet): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, mask, true);
  return bytes;
}

/** EFLAGS of the interrupted program: an interrupt frame of a ring-0 program left them on the user's stack. */
function handlerEflags(c: FrameContext, t: Task, regs: PtRegs): number {
  let flags = regs.get(PT.EFLAGS);
  if (c.handlerFlags && regs.get(PT.CS) === KU_CS.INTERRUPT) {
    const frame = copyIn(c.k, t, regs.get(PT.OLDESP), 12);
    flags = new DataView(frame.buffer, frame.byteOffset).getInt32(8, true);
  }
  return flags & ~(EFLAGS.DF | EFLAGS.RF | EFLAGS.TF);
}

/**
 * Puts a handler's frame on the user's stack and points the saved registers at the handler.
 * @param mask what sigreturn brings back
 * @throws SysError(EFAULT) if the stack cannot hold it; Retry before anything was changed
 */
export function setUpFrame(c: FrameContext, t: Task, regs: PtRegs, d: Delivery, mask: SigSet): void {
  const { k } = c;
  const { action, info } = d;
  const rt = (action.flags & SA_SIGINFO) !== 0;
  const size = rt ? RT.BYTES : FRAME.BYTES;
  const sp = regs.get(PT.OLDESP);
  const top = stackTop(t, sp, action.flags);
  const fpstate = ((top - (FP.BYTES - FP.FXSAVE)) & ~63) - FP.FXSAVE;
  const frame = (((fpstate - size + 4) & ~15) - 4) | 0;
  if (onAltStack(t.altStack, sp) && !onAltStack(t.altStack, frame)) throw new SysError(EFAULT);
  const eflags = handlerEflags(c, t, regs);
  touch(k, t, frame, top - (frame >>> 0), true);

  const returnTo = t.ku
    ? rt
      ? c.kuRestorer.rtSigreturn
      : c.kuRestorer.sigreturn
    : action.flags & SA_RESTORER
      ? action.restorer
      : rt
        ? c.restorer.rtSigreturn
        : c.restorer.sigreturn;
  const context = sigcontext(c, t, regs, fpstate >>> 0, mask);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number) => view.setUint32(at, value >>> 0, true);
  const putContext = (at: number) => {
    for (const [i, word] of context.entries()) put(at + 4 * i, word);
  };
  if (rt) {
    put(RT.PINFO, frame + RT.INFO);
    put(RT.PUC, frame + RT.UC);
    bytes.set(encodeSigInfo(info), RT.INFO);
    put(RT.UC_STACK, t.altStack.sp);
    put(RT.UC_STACK + 4, altStackFlags(t.altStack, sp));
    put(RT.UC_STACK + 8, t.altStack.size);
    putContext(RT.SC);
    bytes.set(maskBytes(mask), RT.SIGMASK);
    bytes.set(RT_RETCODE, RT.RETCODE);
  } else {
    putContext(FRAME.SC);
    bytes.set(maskBytes(mask).subarray(4), FRAME.EXTRAMASK);
    bytes.set(RETCODE, FRAME.RETCODE);
  }
  put(FRAME.RETURN, returnTo);
  put(FRAME.SIG, info.signo);
  copyOut(k, t, frame, bytes);
  const { status } = k.cpu.fpu;
  if (t.mm !== undefined) k.pageTables.repair(t.mm.pgd, fpstate, FP.BYTES);
  saveFpu(k.cpu, fpstate);
  copyOut(k, t, fpstate + FP.STATUS, Uint8Array.of(status, status >> 8, 0, 0));

  regs.set(PT.OLDESP, frame);
  regs.set(PT.EIP, action.handler);
  regs.set(PT.EAX, info.signo);
  regs.set(PT.EDX, rt ? frame + RT.INFO : 0);
  regs.set(PT.ECX, rt ? frame + RT.UC : 0);
  regs.set(PT.EFLAGS, eflags);
  for (const offset of [PT.DS, PT.ES]) regs.set(offset, SELECTOR.USER_DS);
  regs.set(PT.OLDSS, t.ku ? SELECTOR.KERNEL_DS : SELECTOR.USER_DS);
  regs.set(PT.CS, t.ku ? KU_CS.EXCEPTION : SELECTOR.USER_CS);
  let blocked = t.blocked | action.mask;
  if (!(action.flags & SA_NODEFER)) blocked |= bit(info.signo);
  k.signals.setBlocked(t, blocked);
}

/** Saved CS that a sigreturn may put back: a ring-3 task stays in ring 3, a ring-0 one in a form its exit path knows. */
function safeCs(t: Task, saved: number): number {
  if (t.ku && (saved === KU_CS.INTERRUPT || saved === KU_CS.EXCEPTION)) return saved;
  return t.ku ? KU_CS.EXCEPTION : (saved & 0xffff) | 3;
}

function reloadGs(cpu: Cpu, selector: number): void {
  try {
    loadSegment(cpu, GS, selector);
  } catch (e) {
    if (!(e instanceof GuestFault)) throw e;
    loadSegment(cpu, GS, 0);
  }
}

/** Puts the registers of a sigcontext back. @returns EAX */
function restoreContext(k: Kernel, t: Task, regs: PtRegs, words: Uint32Array): number {
  const fpstate = words[SC.FPSTATE];
  if (fpstate !== 0) {
    const size = k.cpu.features & NEEDS_SSE ? FP.BYTES : FP.FXSAVE;
    touch(k, t, fpstate, size, false);
    if (t.mm !== undefined) k.pageTables.repair(t.mm.pgd, fpstate, size);
  }
  const word = (i: number) => words[i] | 0;
  reloadGs(k.cpu, words[SC.GS] & 0xffff);
  const selectors: [number, number][] = [
    [PT.FS, SC.FS],
    [PT.ES, SC.ES],
    [PT.DS, SC.DS],
  ];
  for (const [to, from] of selectors) regs.set(to, word(from) & 0xffff);
  const plain: [number, number][] = [
    [PT.EDI, SC.EDI],
    [PT.ESI, SC.ESI],
    [PT.EBP, SC.EBP],
    [PT.OLDESP, SC.ESP],
    [PT.EBX, SC.EBX],
    [PT.EDX, SC.EDX],
    [PT.ECX, SC.ECX],
    [PT.EAX, SC.EAX],
    [PT.EIP, SC.EIP],
  ];
  for (const [to, from] of plain) regs.set(to, word(from));
  regs.set(PT.CS, safeCs(t, word(SC.CS)));
  regs.set(PT.OLDSS, t.ku ? SELECTOR.KERNEL_DS : (word(SC.SS) & 0xffff) | 3);
  regs.set(PT.EFLAGS, (regs.get(PT.EFLAGS) & ~FIX_EFLAGS) | (word(SC.EFLAGS) & FIX_EFLAGS));
  // No system call to restart.
  regs.set(PT.ORIG_EAX, -1);
  if (fpstate !== 0) {
    restoreFpu(k, t, fpstate);
  }
  return word(SC.EAX);
}

function contextAt(bytes: Uint8Array, at: number): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Uint32Array.from({ length: SC.WORDS }, (_, i) => view.getUint32(at + 4 * i, true));
}

/** sigreturn: the frame lies below the user's ESP, behind the words that the way here popped. @returns EAX */
export function returnFromFrame(k: Kernel, t: Task, regs: PtRegs): number {
  const at = (regs.get(PT.OLDESP) - 8) | 0;
  const bytes = copyIn(k, t, at, FRAME.BYTES);
  const words = contextAt(bytes, FRAME.SC);
  const extra = new DataView(bytes.buffer, bytes.byteOffset).getUint32(FRAME.EXTRAMASK, true);
  k.signals.setBlocked(t, BigInt(words[SC.OLDMASK]) | (BigInt(extra) << 32n));
  return restoreContext(k, t, regs, words);
}

/** rt_sigreturn. @returns EAX */
export function returnFromRtFrame(k: Kernel, t: Task, regs: PtRegs): number {
  const at = (regs.get(PT.OLDESP) - 4) | 0;
  const bytes = copyIn(k, t, at, RT.BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  k.signals.setBlocked(t, view.getBigUint64(RT.SIGMASK, true));
  const result = restoreContext(k, t, regs, contextAt(bytes, RT.SC));
  const flags = view.getUint32(RT.UC_STACK + 4, true);
  if (!onAltStack(t.altStack, regs.get(PT.OLDESP))) {
    if (flags & SS_DISABLE) t.altStack = { sp: 0, size: 0, flags: SS_DISABLE };
    else {
      t.altStack = { sp: view.getUint32(RT.UC_STACK, true), size: view.getUint32(RT.UC_STACK + 8, true), flags: 0 };
    }
  }
  return result;
}
