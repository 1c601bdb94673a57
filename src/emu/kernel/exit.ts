// The end of tasks: exit, what is left for the parent, orphans (kernel/exit.c). Waiting for children is waitcalls.ts.
import { SysError } from "./errno.ts";
import { wakeClearedTid } from "./futex.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { detach, EVENT, eventStop, releaseTracees, tellTracer, wantsEvent } from "./ptrace.ts";
import { exitRobustList } from "./robust_list.ts";
import { NoReturn } from "./sched.ts";
import { CLD_EXITED, CLD_KILLED, SA_NOCLDWAIT, SI_KERNEL, SIGCHLD, SIGCONT, SIGHUP, SIGKILL } from "./signal.ts";
import { SIG_IGN, type Task } from "./task.ts";
import { addUsage } from "./usage.ts";
import { Retry, type Wait, type WakeReason } from "./wait.ts";

/** Ends a task. `status` is a wait status: code << 8, or a signal. Does not return. */
export function do_exit(k: Kernel, t: Task, status: number): never {
  const { signal } = t;
  const last = [...signal.threads].every((other) => other === t || !other.alive);
  exitMm(k, t);
  t.files?.release(k);
  t.files = undefined;
  if (t.fs) t.fs.users--;
  t.fs = undefined;
  t.sighand.users--;
  t.exitCode = signal.groupExit ?? status;
  t.exitSeq = t.seq;
  k.sched.accountSystem(t);
  addUsage(signal.usage, t.usage);
  if (last) {
    k.time.stopProcessTimers(signal);
    k.ipc.sem.exit(k, t);
    if (signal.tty !== undefined) k.vfs.sessionLeaderExit(k, signal.leader);
  }
  // A leader that ended before its group was killed reports what the group ended with.
  if (last && signal.groupExit !== undefined) signal.leader.exitCode = signal.groupExit;
  t.state = "zombie";
  k.recorder.taskExit(t.id, t.seq, t.exitCode);
  if (last) for (const tracee of releaseTracees(k, t)) if (tracee.isLeader && isOver(tracee)) notifyDeath(k, tracee);
  reparent(k, t);
  signal.threadGone.wakeAll(k.cause("child"));
  if (!t.isLeader) forgetThread(k, t);
  if (last) notifyDeath(k, signal.leader);
  freeStack(k, t);
  k.sched.forget(t);
  if (signal.leader === k.firstTask && last) k.firstTaskGone(signal.leader.exitCode);
  throw new NoReturn();
}

/** A thread that is not the leader leaves nothing behind, but for who traces it. */
function forgetThread(k: Kernel, t: Task): void {
  if (t.trace !== undefined) {
    const { tracer } = t.trace;
    tracer.signal.deadTracees.push({ pid: t.pid, status: t.exitCode, uid: t.creds.uid });
    tracer.signal.childExit.wakeAll(k.cause("child"));
  }
  release(k, t);
}

/** Whether every thread of a process has ended. */
export function isOver(leader: Task): boolean {
  return leader.state === "zombie" && [...leader.signal.threads].every((thread) => !thread.alive);
}

/** Ends a process: every thread of the task's group. Does not return. */
export function groupExit(k: Kernel, t: Task, status: number): never {
  const { signal } = t;
  if (signal.groupExit === undefined) {
    signal.groupExit = status;
    signal.groupExitFrom = t.seq;
    for (const other of signal.threads) if (other !== t) k.signals.poke(other, SIGKILL);
  }
  do_exit(k, t, signal.groupExit);
}

/** Lets go of the address space; the parent of a vfork may go on. */
export function exitMm(k: Kernel, t: Task): void {
  const { mm } = t;
  if (mm === undefined) return;
  quietly(() => exitRobustList(k, t));
  k.piFutexes.exit(t);
  if (t.clearChildTid !== 0) {
    if (mm.users > 1) quietly(() => wakeClearedTid(k, t));
    t.clearChildTid = 0;
  }
  dropMm(k, t);
}

/** As exitMm, without the notices to other threads (execve gives them itself). */
export function dropMm(k: Kernel, t: Task): void {
  const { mm } = t;
  if (mm === undefined) return;
  t.mm = undefined;
  if (t.signal.usage.maxRss < mm.peakRss) t.signal.usage.maxRss = mm.peakRss;
  if (k.loadedMm === mm) k.loadMm(undefined);
  if (mm.users === 1) {
    const pages = (mm.rss + mm.vmas.length) * k.charges.perPage;
    k.clock.charge(pages);
    k.recorder.chargeMore(t.seq, pages);
    k.recorder.mmEnd(mm.id, t.seq);
  }
  mm.release();
  t.vforkDone?.wakeAll(k.cause("spawn"));
  t.vforkDone = undefined;
}

/** User memory that is gone at exit is nobody's error. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (e) {
    if (!(e instanceof SysError) && !(e instanceof Retry)) throw e;
  }
}

/** Children get a new parent: another thread, a subreaper, or init. */
function reparent(k: Kernel, t: Task): void {
  const thread = [...t.signal.threads].find((other) => other !== t && other.alive);
  let heir = thread;
  for (let p = t.signal.leader.parent; heir === undefined && p !== undefined; p = p.signal.leader.parent) {
    if (p.signal.childSubreaper && p.alive) heir = p;
  }
  heir ??= k.init;
  for (const child of t.children) {
    child.parent = heir;
    heir.children.add(child);
    if (child.pdeathsig !== 0) k.signals.sendGroup(child, k.signals.userInfo(t, child.pdeathsig));
    if (heir === thread) continue;
    if (child.state === "zombie") notifyDeath(k, child);
    hangUpOrphans(k, child, t);
  }
  t.children.clear();
  const { leader } = t.signal;
  if (thread === undefined && leader.parent !== undefined) hangUpOrphans(k, leader, leader.parent);
}

/** A process is no longer its parent's child. If that was the last tie of its group to their session, stopped members are told so. */
function hangUpOrphans(k: Kernel, child: Task, parent: Task): void {
  const { pgrp, session } = child.signal;
  if (parent.signal.pgrp === pgrp || parent.signal.session !== session) return;
  if (!k.ids.isOrphanedPgrp(pgrp)) return;
  const stopped = [...k.tasks.values()].some((t) => t.signal.pgrp === pgrp && t.alive && t.jobStopped);
  if (!stopped) return;
  for (const signo of [SIGHUP, SIGCONT]) k.signals.sendPgrp(pgrp, { signo, code: SI_KERNEL, errno: 0 });
}

/** A process is all zombie: its parent gets the signal, or nobody wants to know. */
export function notifyDeath(k: Kernel, leader: Task): void {
  const { parent, trace } = leader;
  // The tracer first; the parent learns of it when the tracer has.
  if (trace !== undefined && trace.tracer.signal !== parent?.signal) {
    const killed = (leader.exitCode & 0x7f) !== 0;
    tellTracer(k, leader, killed ? CLD_KILLED : CLD_EXITED, killed ? leader.exitCode & 0x7f : leader.exitCode >> 8);
    return;
  }
  if (parent === undefined || parent === k.init) {
    leader.parent?.children.delete(leader);
    if (leader !== k.firstTask) release(k, leader);
    return;
  }
  const status = leader.exitCode;
  const killed = (status & 0x7f) !== 0;
  const info = k.signals.childInfo(
    leader,
    killed ? CLD_KILLED : CLD_EXITED,
    killed ? status & 0x7f : (status >> 8) & 0xff,
  );
  const action = parent.sighand.actions[SIGCHLD];
  const ignored = action.handler === SIG_IGN;
  const autoreap = leader.exitSignal === SIGCHLD && (ignored || (action.flags & SA_NOCLDWAIT) !== 0);
  if (leader.exitSignal !== 0 && !(leader.exitSignal === SIGCHLD && ignored)) {
    k.signals.sendGroup(parent, { ...info, signo: leader.exitSignal });
  }
  if (autoreap) {
    parent.children.delete(leader);
    release(k, leader);
  }
  parent.signal.childExit.wakeAll(k.cause("child"));
}

/** Forgets a dead task for good. */
export function release(k: Kernel, t: Task): void {
  detach(k, t);
  t.state = "dead";
  k.tasks.delete(t.pid);
  t.signal.threads.delete(t);
  freeStack(k, t);
}

function freeStack(k: Kernel, t: Task): void {
  if (t.kstackPfn < 0) return;
  k.frames.put(t.kstackPfn);
  k.frames.put(t.kstackPfn + 1);
  t.kstackPfn = -1;
}

/** A call that ends a task; a tracer that asked for it is told before. */
function ends(k: Kernel, t: Task, status: number, end: (k: Kernel, t: Task, status: number) => never): SysResult {
  return wantsEvent(t, EVENT.EXIT) ? tracedEnd(k, t, status, end) : end(k, t, status);
}

function* tracedEnd(
  k: Kernel,
  t: Task,
  status: number,
  end: (k: Kernel, t: Task, status: number) => never,
): Generator<Wait, number, WakeReason> {
  yield* eventStop(k, t, EVENT.EXIT, status);
  return end(k, t, status);
}

export const sys_exit: Sys = (k, t, code) => ends(k, t, (code & 0xff) << 8, do_exit);
export const sys_exit_group: Sys = (k, t, code) => ends(k, t, (code & 0xff) << 8, groupExit);
