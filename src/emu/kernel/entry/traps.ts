// What the kernel does about exceptions: page faults of programs and of its own entry code, signals for the others.
import { CAUSE } from "../../../traces/schema/enums.ts";
import { MF, XM } from "../../cpu/fault.ts";
import { CR0_TS } from "../../cpu/mmu.ts";
import { groupExit } from "../exit.ts";
import { floatExceptionCode } from "../fpu.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import { handle_mm_fault } from "../mm/fault.ts";
import { SI_KERNEL, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGTRAP } from "../signal.ts";
import type { SigInfo, Task } from "../task.ts";
import { Retry } from "../wait.ts";
import type { Entry } from "./entry.ts";
import { EFLAGS, KU_CS, PT } from "./layout.ts";
import type { PtRegs } from "./regs.ts";

const PF_PROTECTION = 1;
const PF_WRITE = 2;
const PF_USER = 4;

const FPE_INTDIV = 1;
const ILL_ILLOPN = 2;
const TRAP_BRKPT = 1;
const TRAP_TRACE = 2;
const TRAP_HWBKPT = 4;
/** DR6: breakpoints, and single step. */
const DR6_TRAPS = 0xf;
const DR6_STEP = 0x4000;
const DR6_CLEAR = 0xffff_0ff0 | 0;
const BUS_ADRALN = 1;

/** Signal and si_code of the exceptions that have one; what floating-point exceptions say is in the registers. */
const SIGNALS: Readonly<Record<number, readonly [signo: number, code: number]>> = {
  0: [SIGFPE, FPE_INTDIV],
  1: [SIGTRAP, TRAP_TRACE],
  3: [SIGTRAP, SI_KERNEL],
  4: [SIGSEGV, SI_KERNEL],
  5: [SIGSEGV, SI_KERNEL],
  6: [SIGILL, ILL_ILLOPN],
  9: [SIGFPE, SI_KERNEL],
  10: [SIGSEGV, SI_KERNEL],
  11: [SIGBUS, SI_KERNEL],
  12: [SIGBUS, SI_KERNEL],
  13: [SIGSEGV, SI_KERNEL],
  16: [SIGFPE, 0],
  17: [SIGBUS, BUS_ADRALN],
  19: [SIGFPE, 0],
};
/** Exceptions whose siginfo names the instruction. */
const WITH_ADDRESS = new Set([0, 6, MF, XM]);

/** What the last exception of a task said: the signal frame shows it. */
export interface Trap {
  vector: number;
  errorCode: number;
  cr2: number;
}

export const NO_TRAP: Trap = { vector: 0, errorCode: 0, cr2: 0 };

export class Traps {
  private readonly k: Kernel;
  private readonly entry: Entry;
  private readonly last = new WeakMap<Task, Trap>();

  constructor(k: Kernel, entry: Entry) {
    this.k = k;
    this.entry = entry;
  }

  lastTrap(t: Task): Trap {
    return this.last.get(t) ?? NO_TRAP;
  }

  /**
   * The body of an exception.
   * @param frame linear address of pt_regs, as guest code gave it
   * @param errorCode the processor's, or 0
   */
  trap(vector: number, frame: number, errorCode: number): void {
    const k = this.k;
    const t = k.current;
    const regs = this.entry.regsAt(frame);
    if (regs === undefined) {
      k.sched.perform(() => groupExit(k, t, SIGKILL), nothing);
      return;
    }
    const user = regs.userMode;
    if (user) k.sched.accountUser(t);
    if (vector === 14) this.pageFault(t, regs, errorCode | (regs.get(PT.CS) === KU_CS.EXCEPTION ? PF_USER : 0));
    else if (vector === 7) k.cpu.cr0 &= ~CR0_TS;
    else if (!user) this.kernelTrap(t, regs, vector, errorCode);
    else this.signal(t, regs, vector, errorCode);
  }

  private pageFault(t: Task, regs: PtRegs, errorCode: number): void {
    const { k } = this;
    const la = k.cpu.cr2 >>> 0;
    const user = regs.userMode;
    const write = (errorCode & PF_WRITE) !== 0;
    const handle = (): SysResult => {
      const result = handle_mm_fault(k, t, la, write, user);
      if (result.kind === "wait") throw new Retry(result.wait);
      const { seq } = t;
      k.clock.charge(k.charges.fault);
      k.recorder.chargeMore(seq, k.charges.fault);
      if (result.kind === "ok") {
        const cause = CAUSE[result.cause];
        k.recorder.set(seq, result.obj >= 0 ? { cause, obj: result.obj, off: result.off } : { cause });
        return 0;
      }
      k.recorder.set(seq, { cause: CAUSE[result.cause] });
      if (!user) return this.fixUp(t, regs, result.info.signo);
      const code = (result.info.errorCode ?? errorCode) & (PF_PROTECTION | PF_WRITE);
      this.last.set(t, { vector: 14, errorCode: code | PF_USER, cr2: la | 0 });
      k.signals.force(t, result.info);
      return 0;
    };
    k.sched.perform(handle, () => k.sched.accountSystem(t));
  }

  private signal(t: Task, regs: PtRegs, vector: number, errorCode: number): void {
    const { k } = this;
    const entry = SIGNALS[vector];
    if (entry === undefined) return;
    const float = vector === MF || vector === XM;
    const [signo] = entry;
    const code = float ? floatExceptionCode(k.cpu, vector) : vector === 1 ? this.debugCode(t, regs) : entry[1];
    // Spurious: the program tries again (math_error).
    if (float && code === 0) return;
    this.last.set(t, { vector, errorCode, cr2: this.lastTrap(t).cr2 });
    const info: SigInfo = { signo, code, errno: 0, trapno: vector, errorCode };
    if (WITH_ADDRESS.has(vector) || vector === 1) info.addr = regs.get(PT.EIP);
    else if (code === SI_KERNEL) info.addr = undefined;
    k.signals.force(t, info);
    k.sched.accountSystem(t);
  }

  /** What a debug exception was for; the task's own DR6 keeps it. */
  private debugCode(t: Task, regs: PtRegs): number {
    const { dr } = this.k.cpu;
    const dr6 = dr[6];
    dr[6] = DR6_CLEAR;
    // An instruction that was to stop is executed when the task goes on.
    for (let n = 0; n < 4; n++)
      if ((dr6 >>> n) & 1 && ((dr[7] >>> (16 + 4 * n)) & 3) === 0) regs.set(PT.EFLAGS, regs.get(PT.EFLAGS) | EFLAGS.RF);
    if (t.debug) t.debug[6] = dr6 & (DR6_TRAPS | DR6_STEP);
    return dr6 & DR6_STEP ? TRAP_TRACE : dr6 & DR6_TRAPS ? TRAP_HWBKPT : TRAP_BRKPT;
  }

  /** An exception in the kernel's own code: one of the places that may, or the task has wrecked its kernel side. */
  private kernelTrap(t: Task, regs: PtRegs, vector: number, errorCode: number): void {
    const { k } = this;
    if (vector === 1) {
      // Single step through SYSENTER, or a breakpoint on what the kernel reads: the kernel itself is not stepped.
      k.cpu.dr[6] = DR6_CLEAR;
      regs.set(PT.EFLAGS, regs.get(PT.EFLAGS) & ~EFLAGS.TF);
      return;
    }
    k.sched.perform(() => this.fixUp(t, regs, vector === 13 || errorCode !== 0 ? SIGSEGV : SIGKILL), nothing);
  }

  /**
   * The kernel's entry code met bad user values: a selector that cannot be popped, a stack that cannot be written, an IRET
   * that cannot be done. @returns a result for the driver; does not return if there is no remedy
   */
  private fixUp(t: Task, regs: PtRegs, signo: number): number {
    const k = this.k;
    const entry = this.entry;
    const { text } = entry;
    const eip = regs.get(PT.EIP);
    const outer = entry.regs(t);
    if (text.selectorPops.has(eip)) {
      // The faulting POP's slot lies where the kernel's ESP pointed: just above this same-ring frame.
      k.memory.writePhys32(regs.at + PT.OLDESP, 0);
      return 0;
    }
    if (eip === text.symbols["sysenter_fs"]) {
      outer.set(PT.FS, 0);
      return 0;
    }
    if (eip === text.symbols["sysenter_arg6"]) {
      regs.set(PT.EIP, text.symbols["syscall_fault"]);
      return 0;
    }
    if (eip === text.symbols["irq_return"]) {
      const saved = Array.from({ length: PT.ORIG_EAX / 4 }, (_, i) => regs.get(4 * i));
      for (const [i, word] of saved.entries()) outer.set(4 * i, word);
      outer.set(PT.ORIG_EAX, -1);
    } else if (!text.userStackAccesses.has(eip)) groupExit(k, t, SIGKILL);
    this.last.set(t, { vector: 13, errorCode: 0, cr2: k.cpu.cr2 });
    k.signals.force(t, { signo, code: SI_KERNEL, errno: 0 });
    entry.resumeUserspace(t);
    return 0;
  }
}

function nothing(): void {}
