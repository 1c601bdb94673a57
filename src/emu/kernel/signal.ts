// Signals: sending, queues, masks, what is delivered next, default actions and job control (kernel/signal.c).
// Building the frame for a handler is entry/'s.
import { EAGAIN } from "./errno.ts";
import { do_exit, groupExit } from "./exit.ts";
import type { Kernel } from "./kernel.ts";
import {
  type Pending,
  RLIM_INFINITY,
  RLIMIT,
  SIG_DFL,
  SIG_IGN,
  type SigAction,
  type SigInfo,
  type SigSet,
  type Task,
  TIF_SIGPENDING,
} from "./task.ts";
import type { Wait } from "./wait.ts";

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
export const SIGRTMIN = 32;
export const NSIG = 64;

export const SA_NOCLDSTOP = 1;
export const SA_NOCLDWAIT = 2;
export const SA_SIGINFO = 4;
export const SA_RESTORER = 0x0400_0000;
export const SA_ONSTACK = 0x0800_0000;
export const SA_RESTART = 0x1000_0000;
export const SA_NODEFER = 0x4000_0000;
export const SA_RESETHAND = 0x8000_0000 | 0;

export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_QUEUE = -1;
export const SI_TIMER = -2;
export const SI_TKILL = -6;
export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

/** The bit of a signal in a set. */
export function bit(signo: number): SigSet {
  return 1n << BigInt(signo - 1);
}

function setOf(...signals: number[]): SigSet {
  return signals.reduce((set, signo) => set | bit(signo), 0n);
}

const STOP_SET = setOf(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);
const IGNORED_BY_DEFAULT = setOf(SIGCHLD, SIGCONT, SIGWINCH, SIGURG);
const SYNCHRONOUS = setOf(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS);
const CONT = bit(SIGCONT);
/** Their default action would leave a core; a process that they kill dies when a thread takes them, not before. */
const DUMPS_CORE = setOf(SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ);
/** What can be neither caught, blocked nor ignored. */
export const UNBLOCKABLE = setOf(SIGKILL, SIGSTOP);

function lowest(set: SigSet): number {
  for (let signo = 1; signo <= NSIG; signo++) if (set & bit(signo)) return signo;
  return 0;
}

/** A signal to deliver to a handler, with the action as it was when the signal was taken. */
export interface Delivery {
  readonly info: SigInfo;
  readonly action: SigAction;
}

export class Signals {
  private readonly k: Kernel;

  constructor(k: Kernel) {
    this.k = k;
  }

  /** Whether the task must look at its signals before it returns to its program. */
  pendingFor(t: Task): boolean {
    const { signal } = t;
    if (this.fatalPending(t) || (signal.stopSignal !== 0 && !t.jobStopped)) return true;
    if (t.trace?.trap && t.trace.stop === undefined) return true;
    return ((t.pending.set | signal.pending.set) & ~t.blocked) !== 0n;
  }

  /** Whether it is about to be ended. */
  fatalPending(t: Task): boolean {
    const { groupExit: ends, execTask } = t.signal;
    if (ends !== undefined || (execTask !== undefined && execTask !== t)) return true;
    return (t.pending.set & bit(SIGKILL)) !== 0n;
  }

  /** Brings TIF_SIGPENDING up to date. */
  recalc(t: Task): void {
    if (this.pendingFor(t)) this.k.setThreadFlag(t, TIF_SIGPENDING);
    else this.k.clearThreadFlag(t, TIF_SIGPENDING);
  }

  /** Replaces the mask of blocked signals. */
  setBlocked(t: Task, set: SigSet): void {
    const newly = set & ~t.blocked;
    t.blocked = set & ~UNBLOCKABLE;
    this.recalc(t);
    // What this thread no longer takes may be for another.
    if (newly & t.signal.pending.set) for (const other of t.signal.threads) if (other !== t) this.poke(other, 0);
  }

  /** A sigsuspend-like call is over without a handler: the old mask comes back. */
  restoreSavedMask(t: Task): void {
    if (t.savedSigmask === undefined) return;
    const set = t.savedSigmask;
    t.savedSigmask = undefined;
    this.setBlocked(t, set);
  }

  private ignored(t: Task, signo: number): boolean {
    if (t.blocked & bit(signo) || t.trace !== undefined) return false;
    const { handler } = t.sighand.actions[signo];
    return handler === SIG_IGN || (handler === SIG_DFL && (IGNORED_BY_DEFAULT & bit(signo)) !== 0n);
  }

  /** Sends to one thread. @returns 0, or -EAGAIN if the queue of a real-time signal is full */
  send(t: Task, info: SigInfo): number {
    return this.deliver(t, t.pending, info, false);
  }

  /** Sends to a process: whichever of its threads takes it. */
  sendGroup(t: Task, info: SigInfo): number {
    return this.deliver(t, t.signal.pending, info, true);
  }

  /** Sends to every process of a group; the number it reached. */
  sendPgrp(pgrp: number, info: SigInfo): number {
    let reached = 0;
    for (const t of [...this.k.tasks.values()]) {
      if (!t.isLeader || t.signal.pgrp !== pgrp || t === this.k.init) continue;
      if (t.state === "dead") continue;
      this.sendGroup(t, { ...info });
      reached++;
    }
    return reached;
  }

  /** A signal the program caused itself (fault): cannot be ignored or blocked; if it is, it kills. */
  force(t: Task, info: SigInfo): void {
    const action = t.sighand.actions[info.signo];
    if (action.handler === SIG_IGN || t.blocked & bit(info.signo)) {
      action.handler = SIG_DFL;
      t.blocked &= ~bit(info.signo);
    }
    this.send(t, info);
  }

  private deliver(t: Task, queue: Pending, info: SigInfo, group: boolean): number {
    const { signo } = info;
    if (signo === 0 || !t.signal.leader.signal || t.state === "dead" || t === this.k.init) return 0;
    info.from ??= this.k.current.seq >= 0 ? this.k.current.seq : undefined;
    this.prepare(t, signo);
    if (signo !== SIGKILL && this.ignored(t, signo)) return 0;
    if (signo < SIGRTMIN && queue.set & bit(signo)) return 0;
    if (signo >= SIGRTMIN && (info.code < 0 || info.band !== undefined)) {
      if (queue.queue.length >= Math.min(t.signal.rlimits[RLIMIT.SIGPENDING]?.cur ?? RLIM_INFINITY, 65536))
        return -EAGAIN;
    }
    queue.queue.push(info);
    queue.set |= bit(signo);
    if (!t.sighand.signalfd.empty) t.sighand.signalfd.wakeAll({ from: info.from, kind: "signal" });
    this.complete(t, signo, group);
    return 0;
  }

  /** Stop and continue signals cancel each other; SIGCONT continues at once. */
  private prepare(t: Task, signo: number): void {
    const { signal } = t;
    if (STOP_SET & bit(signo)) this.flush(t, CONT);
    else if (signo === SIGCONT) {
      this.flush(t, STOP_SET);
      this.cont(t);
    } else if (signo === SIGKILL && signal.stopSignal !== 0) this.unstop(t);
  }

  private flush(t: Task, set: SigSet): void {
    const drop = (pending: Pending) => {
      if (!(pending.set & set)) return;
      pending.set &= ~set;
      pending.queue = pending.queue.filter((info) => !(bit(info.signo) & set));
    };
    drop(t.signal.pending);
    for (const thread of t.signal.threads) drop(thread.pending);
  }

  private unstop(t: Task): void {
    const { signal } = t;
    signal.stopSignal = 0;
    for (const thread of signal.threads) {
      thread.jobStopped = false;
      this.recalc(thread);
    }
    signal.continueQueue.wakeAll(this.k.cause("signal"));
  }

  private cont(t: Task): void {
    const { signal } = t;
    const wasStopped = signal.stopSignal !== 0 && [...signal.threads].some((thread) => thread.jobStopped);
    if (signal.stopSignal !== 0) this.unstop(t);
    for (const thread of signal.threads) if (thread.trace?.seized) thread.trace.notify(this.k, thread);
    if (!wasStopped) return;
    signal.continued = true;
    signal.stopReported = true;
    this.notifyParent(t, CLD_CONTINUED, SIGCONT);
  }

  /** Chooses the thread that takes a signal and wakes it; a signal that kills the process does so at once. */
  private complete(t: Task, signo: number, group: boolean): void {
    const wants = (x: Task) =>
      x.alive && (signo === SIGKILL || !(x.blocked & bit(signo) || (x.jobStopped && x.trace === undefined)));
    const taker = wants(t) ? t : group ? [...t.signal.threads].find(wants) : undefined;
    if (taker === undefined) return;
    const { handler } = taker.sighand.actions[signo];
    const kills = signo === SIGKILL || (handler === SIG_DFL && !((STOP_SET | IGNORED_BY_DEFAULT) & bit(signo)));
    const atOnce = signo === SIGKILL || !(taker.trace !== undefined || (DUMPS_CORE | taker.awaited) & bit(signo));
    if (kills && atOnce && taker.signal.groupExit === undefined) {
      taker.signal.groupExit = signo;
      taker.signal.groupExitFrom = this.k.current.seq;
      for (const thread of taker.signal.threads) this.poke(thread, SIGKILL);
      return;
    }
    this.poke(taker, signo);
  }

  /** Makes a thread look at its signals: sets its flag and ends a sleep that signals end. */
  poke(t: Task, signo: number): void {
    if (!t.alive) return;
    this.recalc(t);
    if (!this.pendingFor(t)) return;
    this.k.sched.signalWake(t, this.k.cause("signal"), signo === SIGKILL || this.fatalPending(t));
  }

  /** Takes a pending signal that is in `set` off the queues; undefined if there is none. */
  take(t: Task, set: SigSet): SigInfo | undefined {
    for (const pending of [t.pending, t.signal.pending]) {
      const ready = pending.set & set;
      if (ready === 0n) continue;
      const signo = lowest(pending === t.pending && ready & SYNCHRONOUS ? ready & SYNCHRONOUS : ready);
      const at = pending.queue.findIndex((info) => info.signo === signo);
      const [info] = at >= 0 ? pending.queue.splice(at, 1) : [{ signo, code: SI_USER, errno: 0, pid: 0, uid: 0 }];
      if (!pending.queue.some((other) => other.signo === signo)) pending.set &= ~bit(signo);
      if (info.timerId !== undefined) {
        const timer = t.signal.posixTimers.get(info.timerId);
        if (timer) {
          info.overrun = timer.overrun;
          timer.overrun = 0;
          timer.pending = false;
        }
      }
      return info;
    }
    return undefined;
  }

  /**
   * The next signal for a handler, before the task returns to its program; default actions are carried out on the way.
   * @returns a delivery; undefined if nothing is left; a Wait if the task is stopped: wait, then ask again
   * @throws NoReturn if the process ends
   */
  next(t: Task): Delivery | Wait | undefined {
    for (;;) {
      const { signal } = t;
      if (signal.groupExit !== undefined) {
        const from = signal.groupExitFrom;
        if (from !== undefined && from !== t.seq) this.k.edge(t, { from, kind: "signal" });
        do_exit(this.k, t, signal.groupExit);
      }
      // Another thread's execve ends this one.
      if (signal.execTask !== undefined && signal.execTask !== t) do_exit(this.k, t, 0);
      const { trace } = t;
      if (trace?.stop !== undefined) return trace.wait;
      if (signal.stopSignal !== 0 && !(trace && t.jobStopped)) return this.stop(t);
      if (trace?.trap) {
        trace.enterTrap(this.k, t);
        return trace.wait;
      }
      const decided = trace?.held !== undefined;
      const info = decided ? trace.decided(t) : this.take(t, ~t.blocked);
      this.recalc(t);
      if (info === undefined) {
        if (decided) continue;
        return undefined;
      }
      if (trace && !decided && info.signo !== SIGKILL) {
        trace.held = info;
        trace.message = 0;
        trace.enter(this.k, t, { code: info.signo, info, where: "signal" });
        return trace.wait;
      }
      if (info.from !== undefined) this.k.edge(t, { from: info.from, kind: "signal" });
      const action = t.sighand.actions[info.signo];
      if (action.handler === SIG_IGN && info.signo !== SIGKILL) continue;
      if (action.handler !== SIG_DFL && info.signo !== SIGKILL) {
        const copy = { ...action };
        if (action.flags & SA_RESETHAND) action.handler = SIG_DFL;
        return { info, action: copy };
      }
      if (IGNORED_BY_DEFAULT & bit(info.signo)) continue;
      if (STOP_SET & bit(info.signo)) {
        if (info.signo !== SIGSTOP && this.k.ids.isOrphanedPgrp(signal.pgrp)) continue;
        this.beginStop(t, info.signo);
        continue;
      }
      groupExit(this.k, t, info.signo);
    }
  }

  private beginStop(t: Task, signo: number): void {
    const { signal } = t;
    signal.stopSignal = signo;
    signal.continued = false;
    for (const thread of signal.threads) if (thread !== t) this.poke(thread, signo);
  }

  private stop(t: Task): Wait {
    const { signal, trace } = t;
    const first = !t.jobStopped;
    t.jobStopped = true;
    this.recalc(t);
    trace?.enterTrap(this.k, t);
    if (first && [...signal.threads].every((thread) => thread.jobStopped || !thread.alive)) {
      signal.stopReported = false;
      // A tracer that is the parent has been told.
      if (trace?.tracer.signal !== signal.leader.parent?.signal) this.notifyParent(t, CLD_STOPPED, signal.stopSignal);
    }
    if (trace) return trace.wait;
    return { queues: [signal.continueQueue], interruptible: false, killable: true, stopped: true };
  }

  /** SIGCHLD for a stop or a continuation, and parents in wait4. */
  private notifyParent(t: Task, code: number, status: number): void {
    const { leader } = t.signal;
    const { parent } = leader;
    if (parent === undefined) return;
    const action = parent.sighand.actions[SIGCHLD];
    if (action.handler !== SIG_IGN && !(action.flags & SA_NOCLDSTOP)) {
      this.sendGroup(parent, this.childInfo(leader, code, status));
    }
    parent.signal.childExit.wakeAll(this.k.cause("child"));
  }

  /** What SIGCHLD says of a child. */
  childInfo(child: Task, code: number, status: number): SigInfo {
    const { user, system } = this.k.processTimes(child);
    const ticks = (units: number) => Math.floor((units * this.k.nsPerUnit) / 1e7);
    const uid = child.creds.uid;
    return { signo: SIGCHLD, code, errno: 0, pid: child.tgid, uid, status, utime: ticks(user), stime: ticks(system) };
  }

  /** What kill() and its kin say of the sender. */
  userInfo(sender: Task, signo: number, code: number = SI_USER): SigInfo {
    return { signo, code, errno: 0, pid: sender.tgid, uid: sender.creds.uid };
  }

  /** Whether `sender` may signal `target` (kill_ok_by_cred; SIGCONT within a session). */
  permitted(sender: Task, target: Task, signo: number): boolean {
    if (sender.signal === target.signal || this.k.ids.capable(sender, "KILL")) return true;
    const { euid, uid } = sender.creds;
    const { uid: targetUid, suid } = target.creds;
    if (euid === targetUid || euid === suid || uid === targetUid || uid === suid) return true;
    return signo === SIGCONT && sender.signal.session === target.signal.session;
  }
}

/** struct siginfo of i386 (128 bytes). */
export function encodeSigInfo(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(128);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number | undefined) => view.setInt32(at, value ?? 0, true);
  put(0, info.signo);
  put(4, info.errno);
  put(8, info.code);
  if (info.addr !== undefined) put(12, info.addr | 0);
  else if (info.code === SI_TIMER) {
    put(12, info.timerId);
    put(16, info.overrun);
    put(20, info.value);
  } else if (info.band !== undefined) {
    put(12, info.band);
    put(16, info.fd);
  } else {
    put(12, info.pid);
    put(16, info.uid);
    if (info.signo === SIGCHLD && info.status !== undefined) {
      put(20, info.status);
      put(24, info.utime);
      put(28, info.stime);
    } else put(20, info.value);
  }
  return bytes;
}

/** The other way, for rt_sigqueueinfo. */
export function decodeSigInfo(bytes: Uint8Array): SigInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number) => view.getInt32(at, true);
  return { signo: word(0), errno: word(4), code: word(8), pid: word(12), uid: word(16), value: word(20) };
}
