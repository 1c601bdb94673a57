// System calls that are about the entry side itself: returns from signal handlers, I/O privilege.
import { EFAULT, EINVAL, EPERM, SysError } from "../errno.ts";
import type { Kernel, Sys } from "../kernel.ts";
import { SI_KERNEL, SIGSEGV } from "../signal.ts";
import type { Task } from "../task.ts";
import { EFLAGS, PT, TIF_NOTIFY_RESUME } from "./layout.ts";
import type { PtRegs } from "./regs.ts";
import { returnFromFrame, returnFromRtFrame } from "./signal-frame.ts";

function sigreturn(k: Kernel, t: Task, restore: (k: Kernel, t: Task, regs: PtRegs) => number): number {
  // Every register comes back: SYSEXIT could not do that.
  k.setThreadFlag(t, TIF_NOTIFY_RESUME);
  try {
    return restore(k, t, k.entry.regs(t));
  } catch (e) {
    if (!(e instanceof SysError) || e.errno !== EFAULT) throw e;
    k.signals.force(t, { signo: SIGSEGV, code: SI_KERNEL, errno: 0 });
    return 0;
  }
}

export const sys_sigreturn: Sys = (k, t) => sigreturn(k, t, returnFromFrame);

export const sys_rt_sigreturn: Sys = (k, t) => sigreturn(k, t, returnFromRtFrame);

/** iopl(level): which ring may use IN, OUT, CLI and STI. */
export const sys_iopl: Sys = (k, t, level) => {
  if (level < 0 || level > 3) return -EINVAL;
  const regs = k.entry.regs(t);
  const old = (regs.get(PT.EFLAGS) & EFLAGS.IOPL) >>> 12;
  if (level > old && !k.ids.capable(t, "SYS_RAWIO")) return -EPERM;
  regs.set(PT.EFLAGS, (regs.get(PT.EFLAGS) & ~EFLAGS.IOPL) | (level << 12));
  return 0;
};
