// Strict seccomp: a task that may only read, write and leave. The gates look at each call; KML's direct call does not.

import { EAX } from "../cpu/cpu.ts";
import { TIF_LOOK_AT_CALLS } from "./entry/layout.ts";
import { EFAULT, EINVAL } from "./errno.ts";
import { groupExit } from "./exit.ts";
import type { Kernel, Sys } from "./kernel.ts";
import { traceEntry } from "./ptrace.ts";
import { SIGKILL } from "./signal.ts";
import type { Task } from "./task.ts";

/** prctl's and seccomp's numbers for it. */
export const SECCOMP_MODE_STRICT = 1;
const SECCOMP_SET_MODE_STRICT = 0;

/** exit, read, write, sigreturn, rt_sigreturn. */
const ALLOWED: readonly number[] = [1, 3, 4, 119, 173];

/** From now on the ways in by gate and by SYSENTER look at the task's calls. */
export function strictSeccomp(k: Kernel, t: Task): 0 {
  t.seccompStrict = true;
  k.setThreadFlag(t, TIF_LOOK_AT_CALLS);
  return 0;
}

/** A way in shows a call before it is made; what is not allowed kills. */
export function lookAtCall(k: Kernel, t: Task, nr: number): void {
  if (t.trace !== undefined) {
    traceEntry(k, t, (wanted) => {
      k.cpu.r[EAX] = wanted;
    });
    return;
  }
  if (!t.seccompStrict || ALLOWED.includes(nr)) return;
  k.sched.perform(
    () => groupExit(k, t, SIGKILL),
    () => {},
  );
}

/** seccomp(operation, flags, args): only strict mode; a filter is refused. */
export const sys_seccomp: Sys = (k, t, operation, flags, args) => {
  if (operation === SECCOMP_SET_MODE_STRICT && flags === 0 && args === 0) return strictSeccomp(k, t);
  return args === 0 ? -EFAULT : -EINVAL;
};
