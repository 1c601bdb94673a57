// ptrace: a process that stops others at their signals, system calls, forks and execs, and looks into them (kernel/ptrace.c).
//
// The ways in by gate and by SYSENTER look at the calls of a traced task; KML's direct call does not, so of the direct calls of a
// ring-0 program a tracer sees the ends only.
import { PT, TIF_LOOK_AT_CALLS, TIF_NOTIFY_RESUME } from "./entry/layout.ts";
import { EIO } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { SI_KERNEL, SI_USER, SIGCHLD, SIGKILL, SIGSTOP, SIGTRAP } from "./signal.ts";
import { SIG_IGN, type SigInfo, type Task } from "./task.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const O_SYSGOOD = 1;
const O_EXITKILL = 0x10_0000;
export const EVENT = { FORK: 1, VFORK: 2, CLONE: 3, EXEC: 4, VFORK_DONE: 5, EXIT: 6, STOP: 128 } as const;
const CLD_TRAPPED = 4;
const CLD_STOPPED = 5;
const ENOSYS = 38;
const NR_EXECVE = 11;
const EFLAGS_TF = 0x100;

/** What a tracee is stopped by. */
interface Stop {
  /** Signal, with 0x80 for a system call or an event in the second byte. */
  readonly code: number;
  readonly info: SigInfo | undefined;
  readonly where: "signal" | "entry" | "exit" | "event" | "group";
}

/** A task that is traced. */
export class Trace {
  readonly tracer: Task;
  /** PTRACE_SEIZE: attached without a stop; then stops by job control and PTRACE_INTERRUPT are events of their own. */
  seized = false;
  /** A stop of that kind is due. */
  trap = false;
  /** PTRACE_LISTEN: stopped, but the next change of the group's stop is told. */
  listening = false;
  options = 0;
  mode: "cont" | "syscall" | "step" = "cont";
  stop: Stop | undefined;
  /** The tracer has been told of the stop. */
  reported = false;
  message = 0;
  /** A call was looked at on its way in: look at it on its way out too. */
  exitDue = false;
  /** The signal that the tracer decides about, and what it said. */
  held: SigInfo | undefined;
  injected = 0;
  private readonly resumed = new WaitQueue();

  constructor(tracer: Task) {
    this.tracer = tracer;
  }

  /** What a stopped task waits for. */
  get wait(): Wait {
    return { queues: [this.resumed], interruptible: false, killable: true, stopped: true };
  }

  enter(k: Kernel, t: Task, stop: Stop, why = CLD_TRAPPED): void {
    this.stop = stop;
    this.reported = false;
    this.injected = 0;
    tellTracer(k, t, why, stop.code & 0x7f);
  }

  leave(k: Kernel, t: Task): void {
    this.stop = undefined;
    this.listening = false;
    this.resumed.wakeAll(k.cause("signal"));
    // It may have been stopped by job control before it was traced.
    t.signal.continueQueue.wakeAll(k.cause("signal"));
  }

  /** The stop of job control, or the one that was asked for (do_jobctl_trap). */
  enterTrap(k: Kernel, t: Task): void {
    const { stopSignal } = t.signal;
    this.trap = false;
    this.listening = false;
    if (!this.seized) {
      this.enter(k, t, { code: stopSignal, info: undefined, where: "group" }, CLD_STOPPED);
      return;
    }
    const signo = stopSignal === 0 ? SIGTRAP : stopSignal;
    const code = signo | (EVENT.STOP << 8);
    const info = { signo, code, errno: 0, pid: t.pid, uid: t.creds.uid };
    this.enter(k, t, { code, info, where: "group" }, CLD_STOPPED);
  }

  /** A stop of job control ends or the tracer wants one: told at once to who listens, else when the task next looks. */
  notify(k: Kernel, t: Task): void {
    this.trap = true;
    if (this.listening) this.enterTrap(k, t);
    else if (this.stop === undefined) k.signals.poke(t, 0);
  }

  /** PTRACE_LISTEN. */
  listen(k: Kernel, t: Task): number {
    if (!this.seized || this.stop === undefined || this.stop.code >> 8 !== EVENT.STOP) return -EIO;
    if (this.trap) this.enterTrap(k, t);
    else this.listening = true;
    return 0;
  }

  /** The tracer has let a stopped task go on: the signal it is to get; undefined: none. */
  decided(t: Task): SigInfo | undefined {
    const info = this.held!;
    this.held = undefined;
    const signo = this.injected;
    if (signo === 0) return undefined;
    if (signo === info.signo) return info;
    return { signo, code: SI_USER, errno: 0, pid: this.tracer.tgid, uid: t.creds.uid };
  }
}

/** SIGCHLD for the tracer, and its wait. */
export function tellTracer(k: Kernel, t: Task, code: number, status: number): void {
  const { tracer } = t.trace!;
  const action = tracer.sighand.actions[SIGCHLD];
  if (action.handler !== SIG_IGN && !(action.flags & 1)) {
    k.signals.sendGroup(tracer.signal.leader, { ...k.signals.childInfo(t, code, status), pid: t.pid });
  }
  tracer.signal.childExit.wakeAll(k.cause("child"));
}

export function attach(t: Task, tracer: Task, options = 0, seized = false): Trace {
  const trace = new Trace(tracer);
  trace.options = options;
  trace.seized = seized;
  t.trace = trace;
  tracer.signal.tracees.add(t);
  return trace;
}

/** The task is traced no longer; if it was stopped it goes on. */
export function detach(k: Kernel, t: Task): void {
  const { trace } = t;
  if (trace === undefined) return;
  trace.tracer.signal.tracees.delete(t);
  setMode(k, t, "cont");
  t.trace = undefined;
  // What job control has stopped stays so; who went on nevertheless stops now.
  if (t.signal.stopSignal !== 0 && trace.stop === undefined) t.jobStopped = false;
  if (t.alive) k.signals.recalc(t);
  trace.leave(k, t);
}

/** A process ends: whom it traced goes on, or ends with it. */
export function releaseTracees(k: Kernel, t: Task): Task[] {
  const tracees = [...t.signal.tracees];
  for (const tracee of tracees) {
    const { held, options } = tracee.trace!;
    if (options & O_EXITKILL) k.signals.send(tracee, { signo: SIGKILL, code: 0x80, errno: 0 });
    detach(k, tracee);
    if (held !== undefined && tracee.alive) k.signals.send(tracee, held);
  }
  return tracees;
}

export function setMode(k: Kernel, t: Task, mode: Trace["mode"]): void {
  t.trace!.mode = mode;
  if (mode === "syscall" || t.seccompStrict) k.setThreadFlag(t, TIF_LOOK_AT_CALLS);
  else k.clearThreadFlag(t, TIF_LOOK_AT_CALLS);
  if (t.kstackPfn < 0) return;
  const regs = k.entry.regs(t);
  const flags = regs.get(PT.EFLAGS);
  regs.set(PT.EFLAGS, mode === "step" ? flags | EFLAGS_TF : flags & ~EFLAGS_TF);
}

/** Stops the current task until its tracer lets it go on. */
function* stopped(k: Kernel, t: Task, stop: Stop): Generator<Wait, number, WakeReason> {
  const { trace } = t;
  if (trace === undefined) return 0;
  trace.enter(k, t, stop);
  while (trace.stop !== undefined) {
    const why = yield trace.wait;
    if (why === "signal") trace.stop = undefined;
  }
  const { injected } = trace;
  trace.injected = 0;
  if (injected !== 0 && t.trace === trace)
    k.signals.send(t, { signo: injected, code: SI_KERNEL, errno: 0, pid: 0, uid: 0 });
  return 0;
}

/** An event of its own (a fork, an exec) stops a task whose tracer asked for it. */
export function* eventStop(k: Kernel, t: Task, event: number, message: number): Generator<Wait, number, WakeReason> {
  const { trace } = t;
  if (trace === undefined) return 0;
  trace.message = message;
  const code = SIGTRAP | (event << 8);
  return yield* stopped(k, t, {
    code,
    where: "event",
    info: { signo: SIGTRAP, code, errno: 0, pid: t.pid, uid: t.creds.uid },
  });
}

/** A traced task has a new program: an event if the tracer asked for it, else a SIGTRAP. */
export function* traceExec(k: Kernel, t: Task): Generator<Wait, void, WakeReason> {
  // The call's way out still looks like execve's.
  k.entry.regs(t).set(PT.ORIG_EAX, NR_EXECVE);
  k.entry.regs(t).set(PT.EAX, -ENOSYS);
  if (wantsEvent(t, EVENT.EXEC)) yield* eventStop(k, t, EVENT.EXEC, t.pid);
  else if (!t.trace?.seized)
    k.signals.send(t, { signo: SIGTRAP, code: SI_USER, errno: 0, pid: t.tgid, uid: t.creds.uid });
}

/** Whether the tracer wants to know of an event. */
export function wantsEvent(t: Task, event: number): boolean {
  return t.trace !== undefined && (t.trace.options & (1 << event)) !== 0;
}

/** A child of a traced task whose tracer follows: it is traced too, and begins with a stop. */
export function traceChild(k: Kernel, parent: Task, child: Task): void {
  const { trace } = parent;
  if (trace === undefined) return;
  const own = attach(child, trace.tracer, trace.options, trace.seized);
  if (trace.seized) own.notify(k, child);
  else k.signals.send(child, { signo: SIGSTOP, code: SI_USER, errno: 0, pid: 0, uid: 0 });
}

function syscallStop(k: Kernel, t: Task, where: "entry" | "exit"): Generator<Wait, number, WakeReason> {
  const trace = t.trace!;
  const code = SIGTRAP | (trace.options & O_SYSGOOD ? 0x80 : 0);
  trace.message = where === "entry" ? 1 : 2;
  return stopped(k, t, { code, where, info: { signo: SIGTRAP, code, errno: 0, pid: t.pid, uid: t.creds.uid } });
}

/** A way in shows a call of a traced task before it is made. @param done gets the number that is to be called */
export function traceEntry(k: Kernel, t: Task, done: (nr: number) => void): void {
  const { trace } = t;
  if (trace?.mode !== "syscall") return;
  const regs = k.entry.regs(t);
  regs.set(PT.EAX, -ENOSYS);
  trace.exitDue = true;
  k.setThreadFlag(t, TIF_NOTIFY_RESUME);
  k.sched.perform(
    () => syscallStop(k, t, "entry"),
    () => {
      k.setThreadFlag(t, TIF_NOTIFY_RESUME);
      done(regs.get(PT.ORIG_EAX));
    },
  );
}

/**
 * A call that no way in has shown: KML's direct calls look at nothing on their way in, but tracing is among the work that their
 * way out tests for, so that a tracer sees the end of a call it has not seen begin.
 */
export function traceDirectExit(k: Kernel, t: Task): void {
  const { trace } = t;
  if (!t.ku || trace === undefined || trace.mode !== "syscall" || trace.exitDue) return;
  trace.exitDue = true;
  k.setThreadFlag(t, TIF_NOTIFY_RESUME);
}

/** A call on its way out. */
export function* traceExit(k: Kernel, t: Task): Generator<Wait, void, WakeReason> {
  const { trace } = t;
  if (!trace?.exitDue) return;
  trace.exitDue = false;
  if (trace.mode === "syscall") yield* syscallStop(k, t, "exit");
}
