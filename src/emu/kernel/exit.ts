// The end of tasks: exit, what is left for the parent, orphans, and waiting for children (kernel/exit.c).
import { EAGAIN, ECHILD, EFAULT, EINVAL, ESRCH, SysError } from "./errno.ts";
import { exitRobustList, wakeClearedTid } from "./futex.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { pidfdTask } from "./pidfd.ts";
import { detach, EVENT, eventStop, releaseTracees, tellTracer, wantsEvent } from "./ptrace.ts";
import { NoReturn } from "./sched.ts";
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  SA_NOCLDWAIT,
  SI_KERNEL,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
} from "./signal.ts";
import { noUsage, SIG_IGN, type Task, type Usage } from "./task.ts";
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
function isOver(leader: Task): boolean {
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
  const pgrps = new Set<number>();
  for (const child of t.children) {
    child.parent = heir;
    heir.children.add(child);
    pgrps.add(child.signal.pgrp);
    if (child.pdeathsig !== 0) k.signals.sendGroup(child, k.signals.userInfo(t, child.pdeathsig));
    if (child.state === "zombie" && heir !== thread) notifyDeath(k, child);
  }
  t.children.clear();
  if (thread !== undefined) return;
  pgrps.add(t.signal.pgrp);
  for (const pgrp of pgrps) hangUpOrphans(k, pgrp);
}

/** A group that just lost its last tie to its session's shell and has stopped members is told so. */
function hangUpOrphans(k: Kernel, pgrp: number): void {
  if (!k.ids.isOrphanedPgrp(pgrp)) return;
  const stopped = [...k.tasks.values()].some((t) => t.signal.pgrp === pgrp && t.alive && t.jobStopped);
  if (!stopped) return;
  for (const signo of [SIGHUP, SIGCONT]) k.signals.sendPgrp(pgrp, { signo, code: SI_KERNEL, errno: 0 });
}

/** A process is all zombie: its parent gets the signal, or nobody wants to know. */
function notifyDeath(k: Kernel, leader: Task): void {
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
function release(k: Kernel, t: Task): void {
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
  if (options & WUNTRACED && signal.stopSignal !== 0 && !signal.stopReported) {
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
  for (;;) {
    const found = findChild(k, t, matches, options);
    if (found !== undefined || options & WNOHANG) return tell(found);
    const reason = yield { queues: [t.signal.childExit], interruptible: true };
    if (reason === "signal") return -ERESTARTSYS;
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
