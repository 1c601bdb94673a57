// The calls about signals: actions, masks, pending, waiting, sending (kernel/signal.c, arch/x86 compatibility).

import { PT } from "./entry/layout.ts";
import { EAGAIN, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND, ESRCH } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { bit, decodeSigInfo, encodeSigInfo, NSIG, SI_TKILL, SI_USER, SIGKILL, SIGSTOP, UNBLOCKABLE } from "./signal.ts";
import { SIG_DFL, SIG_IGN, type SigAction, type SigInfo, type SigSet, type Task } from "./task.ts";
import { deadlineOf, readTimespec32, readTimespec64, type Timespec, validTimespec } from "./time.ts";
import { copyIn, copyOut } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const SIG_BLOCK = 0;
const SIG_UNBLOCK = 1;
const SIG_SETMASK = 2;
const SIGSET_BYTES = 8;
const SS_ONSTACK = 1;
const SS_DISABLE = 2;
const SS_AUTODISARM = 0x8000_0000 | 0;
const MINSIGSTKSZ = 2048;
/** Flags that sigaction keeps; unknown ones read back as 0 (SA_UNSUPPORTED tells programs so). */
const SA_KNOWN = 0xd800_0807 | 0x0400_0000 | 0;

function readSet(k: Kernel, t: Task, addr: number): SigSet {
  return new DataView(copyIn(k, t, addr, SIGSET_BYTES).buffer).getBigUint64(0, true);
}

function setBytes(set: SigSet): Uint8Array {
  const bytes = new Uint8Array(SIGSET_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, set, true);
  return bytes;
}

/** Installs an action; what is now ignored and pending goes. */
function setAction(t: Task, signo: number, action: SigAction): void {
  t.sighand.actions[signo] = { ...action, mask: action.mask & ~UNBLOCKABLE };
  const ignoredByDefault = [17, 18, 23, 28].includes(signo);
  if (action.handler !== SIG_IGN && !(action.handler === SIG_DFL && ignoredByDefault)) return;
  for (const pending of [t.signal.pending, ...[...t.signal.threads].map((thread) => thread.pending)]) {
    pending.set &= ~bit(signo);
    pending.queue = pending.queue.filter((info) => info.signo !== signo);
  }
}

function badAction(signo: number, changes: boolean): boolean {
  return signo < 1 || signo > NSIG || (changes && (signo === SIGKILL || signo === SIGSTOP));
}

export const sys_rt_sigaction: Sys = (k, t, signo, act, oact, size) => {
  if (size !== SIGSET_BYTES || badAction(signo, act !== 0)) return -EINVAL;
  const old = t.sighand.actions[signo];
  const next = act === 0 ? undefined : new DataView(copyIn(k, t, act, 20).buffer);
  if (oact !== 0) {
    const bytes = new Uint8Array(20);
    const view = new DataView(bytes.buffer);
    for (const [at, word] of [old.handler, old.flags, old.restorer].entries()) view.setInt32(4 * at, word, true);
    view.setBigUint64(12, old.mask, true);
    copyOut(k, t, oact, bytes);
  }
  if (next !== undefined) {
    setAction(t, signo, {
      handler: next.getUint32(0, true),
      flags: next.getInt32(4, true) & SA_KNOWN,
      restorer: next.getUint32(8, true),
      mask: next.getBigUint64(12, true),
    });
  }
  return 0;
};

/** The old layout: handler, 32-bit mask, flags, restorer. */
export const sys_sigaction: Sys = (k, t, signo, act, oact) => {
  if (badAction(signo, act !== 0)) return -EINVAL;
  const old = t.sighand.actions[signo];
  const next = act === 0 ? undefined : new Int32Array(copyIn(k, t, act, 16).buffer);
  if (oact !== 0) {
    const words = Int32Array.of(old.handler, Number(BigInt.asIntN(32, old.mask)), old.flags, old.restorer);
    copyOut(k, t, oact, new Uint8Array(words.buffer));
  }
  if (next !== undefined) {
    setAction(t, signo, {
      handler: next[0] >>> 0,
      mask: BigInt(next[1] >>> 0),
      flags: next[2] & SA_KNOWN,
      restorer: next[3] >>> 0,
    });
  }
  return 0;
};

export const sys_signal: Sys = (_k, t, signo, handler) => {
  if (badAction(signo, true)) return -EINVAL;
  const old = t.sighand.actions[signo].handler;
  // SA_ONESHOT | SA_NOMASK
  setAction(t, signo, { handler: handler >>> 0, flags: 0xc000_0000 | 0, restorer: 0, mask: 0n });
  return old | 0;
};

function changedMask(how: number, old: SigSet, set: SigSet): SigSet | undefined {
  if (how === SIG_BLOCK) return old | set;
  if (how === SIG_UNBLOCK) return old & ~set;
  return how === SIG_SETMASK ? set : undefined;
}

export const sys_rt_sigprocmask: Sys = (k, t, how, set, oset, size) => {
  if (size !== SIGSET_BYTES) return -EINVAL;
  const old = t.blocked;
  let next: SigSet | undefined;
  if (set !== 0) {
    next = changedMask(how, old, readSet(k, t, set));
    if (next === undefined) return -EINVAL;
  }
  if (oset !== 0) copyOut(k, t, oset, setBytes(old));
  if (next !== undefined) k.signals.setBlocked(t, next);
  return 0;
};

export const sys_sigprocmask: Sys = (k, t, how, set, oset) => {
  const old = t.blocked;
  let next: SigSet | undefined;
  if (set !== 0) {
    const word = BigInt(new Uint32Array(copyIn(k, t, set, 4).buffer)[0]);
    next = how === SIG_SETMASK ? (old & ~0xffff_ffffn) | word : changedMask(how, old, word);
    if (next === undefined) return -EINVAL;
  }
  if (oset !== 0) copyOut(k, t, oset, setBytes(old).subarray(0, 4));
  if (next !== undefined) k.signals.setBlocked(t, next);
  return 0;
};

export const sys_sgetmask: Sys = (_k, t) => Number(BigInt.asIntN(32, t.blocked));
export const sys_ssetmask: Sys = (k, t, mask) => {
  const old = Number(BigInt.asIntN(32, t.blocked));
  k.signals.setBlocked(t, BigInt(mask >>> 0));
  return old;
};

function pendingSet(t: Task): SigSet {
  return (t.pending.set | t.signal.pending.set) & t.blocked;
}

export const sys_rt_sigpending: Sys = (k, t, set, size) => {
  if (size >>> 0 > SIGSET_BYTES) return -EINVAL;
  copyOut(k, t, set, setBytes(pendingSet(t)).subarray(0, size));
  return 0;
};

export const sys_sigpending: Sys = (k, t, set) => {
  copyOut(k, t, set, setBytes(pendingSet(t)).subarray(0, 4));
  return 0;
};

/** Waits for a signal under another mask; the old one comes back after the handler. */
function* suspend(k: Kernel, t: Task, mask: SigSet): Generator<Wait, number, WakeReason> {
  t.savedSigmask = t.blocked;
  k.signals.setBlocked(t, mask);
  for (;;) {
    const reason = yield { queues: [], interruptible: true };
    if (reason === "signal") return -ERESTARTNOHAND;
  }
}

export const sys_rt_sigsuspend: Sys = (k, t, set, size): SysResult =>
  size === SIGSET_BYTES ? suspend(k, t, readSet(k, t, set)) : -EINVAL;

export const sys_sigsuspend: Sys = (k, t, _a, _b, mask): SysResult => suspend(k, t, BigInt(mask >>> 0));

function* timedWait(
  k: Kernel,
  t: Task,
  set: SigSet,
  infoAddr: number,
  deadline: number | undefined,
): Generator<Wait, number, WakeReason> {
  const wanted = set & ~UNBLOCKABLE;
  const take = (): number => {
    const info = k.signals.take(t, wanted);
    if (info === undefined) return 0;
    k.signals.recalc(t);
    if (info.from !== undefined) k.edge(t, { from: info.from, kind: "signal" });
    if (infoAddr !== 0) copyOut(k, t, infoAddr, encodeSigInfo(info));
    return info.signo;
  };
  const now = take();
  if (now !== 0) return now;
  if (deadline !== undefined && deadline <= k.clock.now()) return -EAGAIN;
  // While it waits the signals are let through, so that one of them wakes it.
  const saved = t.blocked;
  t.awaited = wanted & saved;
  t.blocked &= ~wanted;
  k.signals.recalc(t);
  const reason = yield { queues: [new WaitQueue()], deadline, interruptible: true };
  t.blocked = saved;
  t.awaited = 0n;
  const signo = take();
  k.signals.recalc(t);
  if (signo !== 0) return signo;
  return reason === "timeout" ? -EAGAIN : -EINTR;
}

function sigtimedwait(
  k: Kernel,
  t: Task,
  set: number,
  info: number,
  timeout: number,
  size: number,
  read: (k: Kernel, t: Task, addr: number) => Timespec,
): SysResult {
  if (size !== SIGSET_BYTES) return -EINVAL;
  const wanted = readSet(k, t, set);
  let deadline: number | undefined;
  if (timeout !== 0) {
    const time = read(k, t, timeout);
    if (!validTimespec(time)) return -EINVAL;
    deadline = deadlineOf(k, 1, time, false);
  }
  return timedWait(k, t, wanted, info, deadline);
}

export const sys_rt_sigtimedwait: Sys = (k, t, set, info, timeout, size) =>
  sigtimedwait(k, t, set, info, timeout, size, readTimespec32);
export const sys_rt_sigtimedwait_time64: Sys = (k, t, set, info, timeout, size) =>
  sigtimedwait(k, t, set, info, timeout, size, readTimespec64);

/**
 * sigaltstack without the copies: entry/ calls it with the program's stack pointer too.
 * @returns 0 or -errno
 */
export function setAltStack(t: Task, sp: number, flags: number, size: number, userSp: number): number {
  if (onAltStack(t, userSp)) return -EPERM;
  const mode = flags & ~SS_AUTODISARM;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  if (mode === SS_DISABLE) t.altStack = { sp: 0, size: 0, flags };
  else if (size < MINSIGSTKSZ) return -ENOMEM;
  else t.altStack = { sp, size, flags };
  return 0;
}

/** Whether a stack pointer lies on the alternate stack. */
export function onAltStack(t: Task, userSp: number): boolean {
  const { sp, size, flags } = t.altStack;
  if (flags & SS_AUTODISARM) return false;
  const at = userSp >>> 0;
  return at > sp && at - sp <= size;
}

/** ss_flags as a program sees them. */
export function altStackFlags(t: Task, userSp: number): number {
  const { size, flags } = t.altStack;
  const state = size === 0 ? SS_DISABLE : onAltStack(t, userSp) ? SS_ONSTACK : 0;
  return state | (flags & SS_AUTODISARM);
}

export const sys_sigaltstack: Sys = (k, t, next, old) => {
  const userSp = k.entry.regs(t).get(PT.OLDESP);
  const request = next === 0 ? undefined : new Int32Array(copyIn(k, t, next, 12).buffer);
  const before = Int32Array.of(t.altStack.sp, altStackFlags(t, userSp), t.altStack.size);
  if (request !== undefined) {
    const error = setAltStack(t, request[0] >>> 0, request[1], request[2] >>> 0, userSp);
    if (error !== 0) return error;
  }
  if (old !== 0) copyOut(k, t, old, new Uint8Array(before.buffer));
  return 0;
};

export const sys_kill: Sys = (k, t, pid, signo) => {
  if (signo < 0 || signo > NSIG) return -EINVAL;
  const targets = [...k.tasks.values()].filter((other) => {
    if (!other.isLeader || other.state === "dead") return false;
    if (pid > 0) return other.tgid === pid;
    if (pid === 0) return other.signal.pgrp === t.signal.pgrp && other !== k.init;
    if (pid === -1) return other !== k.init && other.signal !== t.signal;
    return other.signal.pgrp === -pid && other !== k.init;
  });
  // A thread's number names its process too.
  const thread = pid > 0 && targets.length === 0 ? k.tasks.get(pid) : undefined;
  if (thread) targets.push(thread.signal.leader);
  if (targets.length === 0) return -ESRCH;
  let denied = 0;
  for (const target of targets) {
    if (!k.signals.permitted(t, target, signo)) denied++;
    else if (signo !== 0 && [...target.signal.threads].some((thread) => thread.alive))
      k.signals.sendGroup(target, k.signals.userInfo(t, signo, SI_USER));
  }
  return denied === targets.length ? -EPERM : 0;
};

function killThread(k: Kernel, t: Task, tgid: number, tid: number, signo: number, info: SigInfo): number {
  if (tid <= 0 || signo < 0 || signo > NSIG) return -EINVAL;
  const target = k.tasks.get(tid);
  if (target === undefined || !target.alive || (tgid > 0 && target.tgid !== tgid)) return -ESRCH;
  if (!k.signals.permitted(t, target, signo)) return -EPERM;
  return signo === 0 ? 0 : k.signals.send(target, info);
}

export const sys_tkill: Sys = (k, t, tid, signo) =>
  killThread(k, t, 0, tid, signo, k.signals.userInfo(t, signo, SI_TKILL));

export const sys_tgkill: Sys = (k, t, tgid, tid, signo) =>
  tgid <= 0 ? -EINVAL : killThread(k, t, tgid, tid, signo, k.signals.userInfo(t, signo, SI_TKILL));

/** A siginfo of the caller's making: it may not look like the kernel's or like kill's unless it goes to itself. */
function ownInfo(k: Kernel, t: Task, addr: number, signo: number, self: boolean): SigInfo | number {
  const info = { ...decodeSigInfo(copyIn(k, t, addr, 128)), signo };
  return (info.code >= 0 || info.code === SI_TKILL) && !self ? -EPERM : info;
}

export const sys_rt_sigqueueinfo: Sys = (k, t, pid, signo, addr) => {
  const target = k.tasks.get(pid)?.signal.leader;
  const info = ownInfo(k, t, addr, signo, pid === t.tgid);
  if (typeof info === "number") return info;
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (target === undefined) return -ESRCH;
  if (!k.signals.permitted(t, target, signo)) return -EPERM;
  return signo === 0 ? 0 : k.signals.sendGroup(target, info);
};

export const sys_rt_tgsigqueueinfo: Sys = (k, t, tgid, tid, signo, addr) => {
  if (tgid <= 0) return -EINVAL;
  const info = ownInfo(k, t, addr, signo, tgid === t.tgid);
  return typeof info === "number" ? info : killThread(k, t, tgid, tid, signo, info);
};
