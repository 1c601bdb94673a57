// Waiting for children and for who is traced: wait4, waitpid, waitid (kernel/exit.c).
import { EAGAIN, ECHILD, EFAULT, EINVAL, ESRCH, SysError } from "./errno.ts";
import { isOver, notifyDeath, release } from "./exit.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { pidfdTask } from "./pidfd.ts";
import { detach } from "./ptrace.ts";
import { CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGCHLD, SIGCONT } from "./signal.ts";
import { noUsage, type Task, type Usage } from "./task.ts";
import { addUsage, encodeRusage } from "./usage.ts";
import { copyOut, writeU32 } from "./user.ts";
import { Retry, type Wait, type WakeReason } from "./wait.ts";

const WNOHANG = 1;
const WUNTRACED = 2;
const WEXITED = 4;
const WCONTINUED = 8;
const WNOWAIT = 0x0100_0000;
const WNOTHREAD = 0x2000_0000;
const WALL = 0x4000_0000;
const WCLONE = 0x8000_0000 | 0;
const ERESTARTSYS = 512;
const CLD_TRAPPED = 4;

/** Which children a wait is for. */
type Selector = (child: Task) => boolean;

/** What a wait found. */
interface Found {
  pid: number;
  /** wait status as wait4 gives it. */
  status: number;
  /** si_code and si_status as waitid gives them. */
  code: number;
  siStatus: number;
  uid: number;
  usage: Usage;
}

function selector(t: Task, pid: number): Selector {
  if (pid < -1) return (child) => child.signal.pgrp === -pid;
  if (pid === -1) return () => true;
  if (pid === 0) return (child) => child.signal.pgrp === t.signal.pgrp;
  return (child) => child.pid === pid;
}

/** Children of the process (of the thread alone with __WNOTHREAD), in order of birth. */
function childrenOf(t: Task, options: number): Task[] {
  const threads = options & WNOTHREAD ? [t] : [...t.signal.threads];
  return threads.flatMap((thread) => [...thread.children]);
}

/** Looks for a child that has something to tell. Undefined: not yet; ECHILD is thrown if there is no such child at all. */
function findChild(k: Kernel, t: Task, matches: Selector, options: number): Found | undefined {
  const { deadTracees } = t.signal;
  let any = deadTracees.length > 0;
  const dead = deadTracees.findIndex(({ pid }) => matches({ pid, signal: t.signal } as Task));
  if (dead >= 0 && options & WEXITED) {
    const [{ pid, status, uid }] = deadTracees.splice(dead, 1);
    return { pid, uid, usage: noUsage(), ...ended(status) };
  }
  for (const tracee of t.signal.tracees) {
    if (!matches(tracee)) continue;
    any = true;
    const found = traceeNews(k, t, tracee, options);
    if (found !== undefined) return found;
  }
  for (const child of childrenOf(t, options)) {
    const cloned = child.exitSignal !== SIGCHLD;
    if (!(options & WALL) && cloned !== ((options & WCLONE) !== 0)) continue;
    if (!matches(child)) continue;
    any = true;
    const found = childNews(k, t, child, options);
    if (found !== undefined) return found;
  }
  if (!any) throw new SysError(ECHILD);
  return undefined;
}

/** A wait status of who has ended, and what waitid says of it. */
function ended(status: number): { status: number; code: number; siStatus: number } {
  const killed = (status & 0x7f) !== 0;
  return { status, code: killed ? CLD_KILLED : CLD_EXITED, siStatus: killed ? status & 0x7f : (status >> 8) & 0xff };
}

/** What a traced task has to tell its tracer: a stop; its end, if it is no child of the tracer's. */
function traceeNews(k: Kernel, t: Task, tracee: Task, options: number): Found | undefined {
  const trace = tracee.trace!;
  const keep = (options & WNOWAIT) !== 0;
  const base = { pid: tracee.pid, uid: tracee.creds.uid, usage: k.processUsage(tracee) };
  if (trace.stop !== undefined && !trace.reported && tracee.alive) {
    if (!keep) trace.reported = true;
    const { code } = trace.stop;
    return { ...base, status: (code << 8) | 0x7f, code: CLD_TRAPPED, siStatus: code };
  }
  if (!isOver(tracee) || tracee.parent?.signal === t.signal || !(options & WEXITED)) return undefined;
  const found = { ...base, ...ended(tracee.exitCode) };
  if (!keep) {
    detach(k, tracee);
    notifyDeath(k, tracee);
  }
  return found;
}

function childNews(k: Kernel, t: Task, child: Task, options: number): Found | undefined {
  const { signal } = child;
  const keep = (options & WNOWAIT) !== 0;
  const base = { pid: child.pid, uid: child.creds.uid, usage: k.processUsage(child) };
  if (isOver(child)) {
    if (!(options & WEXITED) || (child.trace && child.trace.tracer.signal !== t.signal)) return undefined;
    k.edge(t, { from: child.exitSeq >= 0 ? child.exitSeq : undefined, kind: "child" });
    const found = { ...base, ...ended(child.exitCode) };
    if (!keep) reap(k, t, child);
    return found;
  }
  if (
    options & WUNTRACED &&
    signal.stopSignal !== 0 &&
    !signal.stopReported &&
    child.trace?.tracer.signal !== t.signal
  ) {
    if (!keep) signal.stopReported = true;
    return { ...base, status: (signal.stopSignal << 8) | 0x7f, code: CLD_STOPPED, siStatus: signal.stopSignal };
  }
  if (options & WCONTINUED && signal.continued) {
    if (!keep) signal.continued = false;
    return { ...base, status: 0xffff, code: CLD_CONTINUED, siStatus: SIGCONT };
  }
  return undefined;
}

function reap(k: Kernel, t: Task, child: Task): void {
  const { childrenUsage } = t.signal;
  addUsage(childrenUsage, child.signal.usage);
  addUsage(childrenUsage, child.signal.childrenUsage);
  child.parent?.children.delete(child);
  release(k, child);
}

function* waitForChild(
  k: Kernel,
  t: Task,
  matches: Selector,
  options: number,
  tell: (found: Found | undefined) => number,
): Generator<Wait, number, WakeReason> {
  for (let interrupted = false; ; ) {
    // A child's end comes with a signal: who is woken by that looks for the child first (do_wait in kernel/exit.c).
    const found = findChild(k, t, matches, options);
    if (found !== undefined || options & WNOHANG) return tell(found);
    if (interrupted) return -ERESTARTSYS;
    interrupted = (yield { queues: [t.signal.childExit], interruptible: true }) === "signal";
  }
}

export const sys_wait4: Sys = (k, t, pid, status, options, rusage): SysResult => {
  if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL)) return -EINVAL;
  if (pid === -0x8000_0000) return -ESRCH;
  return waitForChild(k, t, selector(t, pid), options | WEXITED, (found) => {
    if (found === undefined) return 0;
    try {
      if (status !== 0) writeU32(k, t, status, found.status);
      if (rusage !== 0) copyOut(k, t, rusage, encodeRusage(k, found.usage));
    } catch (e) {
      if (e instanceof SysError || e instanceof Retry) return -EFAULT;
      throw e;
    }
    return found.pid;
  });
};

export const sys_waitpid: Sys = (k, t, pid, status, options, _d, e, f) =>
  sys_wait4(k, t, pid, status, options, 0, e, f);

const P_ALL = 0;
const P_PID = 1;
const P_PGID = 2;
const P_PIDFD = 3;

export const sys_waitid: Sys = (k, t, which, id, infop, options, rusage): SysResult => {
  if (options & ~(WNOHANG | WNOWAIT | WEXITED | WUNTRACED | WCONTINUED | WNOTHREAD | WCLONE | WALL)) return -EINVAL;
  if (!(options & (WEXITED | WUNTRACED | WCONTINUED))) return -EINVAL;
  let matches: Selector;
  let wait = options;
  let blocks = true;
  if (which === P_ALL) matches = () => true;
  else if (which === P_PID && id > 0) matches = (child) => child.pid === id;
  else if (which === P_PGID && id >= 0) matches = (child) => child.signal.pgrp === (id === 0 ? t.signal.pgrp : id);
  else if (which === P_PIDFD && id >= 0) {
    const { leader, file } = pidfdTask(t, id);
    matches = (child) => child === leader;
    if (file.nonblock) wait = options | WNOHANG;
    blocks = !file.nonblock;
  } else return -EINVAL;
  return waitForChild(k, t, matches, wait, (found) => {
    if (found === undefined && !blocks && !(options & WNOHANG)) return -EAGAIN;
    const info = new Uint8Array(24);
    const view = new DataView(info.buffer);
    if (found !== undefined) {
      const words = [SIGCHLD, 0, found.code, found.pid, found.uid, found.siStatus];
      for (const [i, word] of words.entries()) view.setInt32(4 * i, word, true);
    }
    if (infop !== 0) copyOut(k, t, infop, info);
    if (found !== undefined && rusage !== 0) copyOut(k, t, rusage, encodeRusage(k, found.usage));
    return 0;
  });
};
