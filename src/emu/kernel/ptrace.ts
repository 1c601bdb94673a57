// ptrace: a process that stops others at their signals, system calls, forks and execs, and looks into them (kernel/ptrace.c).
//
// The ways in by gate and by SYSENTER look at the calls of a traced task; KML's direct call does not, so a tracer sees nothing
// of the direct calls of a ring-0 program.
import { PT, TIF_LOOK_AT_CALLS, TIF_NOTIFY_RESUME } from "./entry/layout.ts";
import { EINVAL, EIO, EPERM, ESRCH, SysError } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { mayAccess } from "./pidfd.ts";
import { decodeSigInfo, encodeSigInfo, SI_USER, SIGCHLD, SIGKILL, SIGSTOP, SIGTRAP } from "./signal.ts";
import { SIG_IGN, type SigInfo, type Task } from "./task.ts";
import { copyIn, copyOut, readU32, TASK_SIZE, writeU32 } from "./user.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const REQUEST = {
  TRACEME: 0,
  PEEKTEXT: 1,
  PEEKDATA: 2,
  PEEKUSR: 3,
  POKETEXT: 4,
  POKEDATA: 5,
  POKEUSR: 6,
  CONT: 7,
  KILL: 8,
  SINGLESTEP: 9,
  GETREGS: 12,
  SETREGS: 13,
  ATTACH: 16,
  DETACH: 17,
  SYSCALL: 24,
  SETOPTIONS: 0x4200,
  GETEVENTMSG: 0x4201,
  GETSIGINFO: 0x4202,
  SETSIGINFO: 0x4203,
  GETREGSET: 0x4204,
  SETREGSET: 0x4205,
  GET_SYSCALL_INFO: 0x420e,
} as const;
const O_SYSGOOD = 1;
const O_EXITKILL = 0x10_0000;
const O_MASK = 0x30_00ff;
export const EVENT = { FORK: 1, VFORK: 2, CLONE: 3, EXEC: 4, VFORK_DONE: 5, EXIT: 6 } as const;
const CLD_TRAPPED = 4;
const NT_PRSTATUS = 1;
const AUDIT_ARCH_I386 = 0x4000_0003;
const ENOSYS = 38;
const NR_EXECVE = 11;
const EFLAGS_TF = 0x100;
/** What a program may set of its flags: CF PF AF ZF SF TF DF OF NT RF AC. */
const USER_FLAGS = 0x0005_4dd5;

/** What a tracee is stopped by. */
interface Stop {
  /** Signal, with 0x80 for a system call or an event in the second byte. */
  readonly code: number;
  readonly info: SigInfo | undefined;
  readonly where: "signal" | "entry" | "exit" | "event";
}

/** A task that is traced. */
export class Trace {
  readonly tracer: Task;
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

  enter(k: Kernel, t: Task, stop: Stop): void {
    this.stop = stop;
    this.reported = false;
    this.injected = 0;
    tellTracer(k, t, CLD_TRAPPED, stop.code & 0x7f);
  }

  leave(k: Kernel): void {
    this.stop = undefined;
    this.resumed.wakeAll(k.cause("signal"));
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

function attach(t: Task, tracer: Task, options = 0): Trace {
  const trace = new Trace(tracer);
  trace.options = options;
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
  trace.leave(k);
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

function setMode(k: Kernel, t: Task, mode: Trace["mode"]): void {
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
    k.signals.send(t, { signo: injected, code: SI_USER, errno: 0, pid: 0, uid: 0 });
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
  else k.signals.send(t, { signo: SIGTRAP, code: SI_USER, errno: 0, pid: t.tgid, uid: t.creds.uid });
}

/** Whether the tracer wants to know of an event. */
export function wantsEvent(t: Task, event: number): boolean {
  return t.trace !== undefined && (t.trace.options & (1 << event)) !== 0;
}

/** A child of a traced task whose tracer follows: it is traced too, and begins with a stop. */
export function traceChild(k: Kernel, parent: Task, child: Task): void {
  const { trace } = parent;
  if (trace === undefined) return;
  attach(child, trace.tracer, trace.options);
  k.signals.send(child, { signo: SIGSTOP, code: SI_USER, errno: 0, pid: 0, uid: 0 });
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

/** The same call on its way out. */
export function* traceExit(k: Kernel, t: Task): Generator<Wait, void, WakeReason> {
  const { trace } = t;
  if (!trace?.exitDue) return;
  trace.exitDue = false;
  if (trace.mode === "syscall") yield* syscallStop(k, t, "exit");
}

/** The 17 words of struct user_regs_struct: as pt_regs, with GS, and CS without what KML keeps in its upper half. */
function registers(k: Kernel, t: Task): Int32Array {
  const regs = k.entry.regs(t);
  const words = Int32Array.from({ length: PT.BYTES / 4 }, (_, i) => regs.get(4 * i));
  for (const at of [PT.DS, PT.ES, PT.FS, PT.CS, PT.OLDSS]) words[at / 4] &= 0xffff;
  words[PT.GS / 4] = t.context.sel[5] & 0xffff;
  return words;
}

function setRegister(k: Kernel, t: Task, offset: number, value: number): void {
  const regs = k.entry.regs(t);
  // Segments stay as they are: what a bad selector does is the program's own affair.
  if ([PT.DS, PT.ES, PT.FS, PT.GS, PT.CS, PT.OLDSS].some((at) => at === offset)) return;
  if (offset === PT.EFLAGS) regs.set(offset, (regs.get(offset) & ~USER_FLAGS) | (value & USER_FLAGS));
  else regs.set(offset, value);
}

/** struct ptrace_syscall_info. */
function syscallInfo(k: Kernel, t: Task): Uint8Array {
  const { stop } = t.trace!;
  const regs = registers(k, t);
  const word = (offset: number) => BigInt(regs[offset / 4] >>> 0);
  const bytes = new Uint8Array(stop?.where === "entry" ? 80 : stop?.where === "exit" ? 33 : 24);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, AUDIT_ARCH_I386, true);
  view.setBigUint64(8, word(PT.EIP), true);
  view.setBigUint64(16, word(PT.OLDESP), true);
  if (stop?.where === "entry") {
    bytes[0] = 1;
    const args = [PT.ORIG_EAX, PT.EBX, PT.ECX, PT.EDX, PT.ESI, PT.EDI, PT.EBP];
    for (const [i, at] of args.entries()) view.setBigUint64(24 + 8 * i, word(at), true);
  } else if (stop?.where === "exit") {
    bytes[0] = 2;
    const result = regs[PT.EAX / 4];
    view.setBigInt64(24, BigInt(result), true);
    bytes[32] = result < 0 && result >= -4095 ? 1 : 0;
  }
  return bytes;
}

/** Lets a stopped task go on. */
function resume(k: Kernel, t: Task, mode: Trace["mode"], signo: number): number {
  if (signo < 0 || signo > 64) return -EIO;
  const trace = t.trace!;
  trace.injected = signo;
  setMode(k, t, mode);
  trace.leave(k);
  return 0;
}

function attachTo(k: Kernel, t: Task, target: Task): number {
  if (target.signal === t.signal || target === k.init || target.trace !== undefined) return -EPERM;
  if (!mayAccess(k, t, target)) return -EPERM;
  attach(target, t);
  k.signals.send(target, { signo: SIGSTOP, code: SI_USER, errno: 0, pid: 0, uid: 0 });
  return 0;
}

/** GETREGSET and SETREGSET of the general registers: data is a struct iovec. */
function regset(k: Kernel, t: Task, target: Task, type: number, iov: number, write: boolean): number {
  if (type !== NT_PRSTATUS) return -EINVAL;
  const [base, room] = [readU32(k, t, iov), readU32(k, t, iov + 4)];
  if (room % 4 !== 0) return -EINVAL;
  const bytes = new Uint8Array(registers(k, target).buffer);
  const n = Math.min(room, bytes.length);
  if (write)
    for (const [i, word] of new Int32Array(copyIn(k, t, base, n).buffer).entries()) setRegister(k, target, 4 * i, word);
  else copyOut(k, t, base, bytes.subarray(0, n));
  writeU32(k, t, iov + 4, n);
  return 0;
}

/** A word of a stopped task's memory. @throws SysError(EIO) if there is none */
function atTracee<T>(addr: number, access: () => T): T {
  if (addr >>> 0 > TASK_SIZE - 4) throw new SysError(EIO);
  try {
    return access();
  } catch (e) {
    throw e instanceof SysError ? new SysError(EIO) : e;
  }
}

/** ptrace(request, pid, address, data). PTRACE_SEIZE and what comes with it are not there: EIO, as before Linux 3.4. */
export const sys_ptrace: Sys = (k, t, request, pid, addr, data): SysResult => {
  if (request === REQUEST.TRACEME) {
    const parent = t.signal.leader.parent;
    if (t.trace !== undefined || parent === undefined || parent === k.init) return -EPERM;
    attach(t, parent);
    return 0;
  }
  const target = k.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (request === REQUEST.ATTACH) return target.alive ? attachTo(k, t, target) : -EPERM;
  const { trace } = target;
  if (trace === undefined || trace.tracer.signal !== t.signal) return -ESRCH;
  if (request === REQUEST.KILL) {
    k.signals.send(target, { signo: SIGKILL, code: SI_USER, errno: 0, pid: 0, uid: 0 });
    return 0;
  }
  if (trace.stop === undefined) return -ESRCH;
  switch (request) {
    case REQUEST.CONT:
      return resume(k, target, "cont", data);
    case REQUEST.SYSCALL:
      return resume(k, target, "syscall", data);
    case REQUEST.SINGLESTEP:
      // The way back into ring 0 cannot keep TF until the program's first instruction.
      return target.ku ? -EIO : resume(k, target, "step", data);
    case REQUEST.DETACH: {
      if (data < 0 || data > 64) return -EIO;
      const { held } = trace;
      trace.injected = data;
      detach(k, target);
      if (data !== 0)
        k.signals.send(target, held?.signo === data ? held : { signo: data, code: SI_USER, errno: 0, pid: 0, uid: 0 });
      return 0;
    }
    default:
      return look(k, t, target, trace, request, addr, data);
  }
};

/** The requests that read and change a stopped task. */
function look(k: Kernel, t: Task, target: Task, trace: Trace, request: number, addr: number, data: number): number {
  switch (request) {
    case REQUEST.PEEKTEXT:
    case REQUEST.PEEKDATA:
      writeU32(
        k,
        t,
        data,
        atTracee(addr, () => readU32(k, target, addr)),
      );
      return 0;
    case REQUEST.POKETEXT:
    case REQUEST.POKEDATA:
      atTracee(addr, () => writeU32(k, target, addr, data));
      return 0;
    case REQUEST.PEEKUSR:
      if (addr & 3 || addr < 0 || addr >= 284) return -EIO;
      writeU32(k, t, data, addr < PT.BYTES ? registers(k, target)[addr / 4] : 0);
      return 0;
    case REQUEST.POKEUSR:
      if (addr & 3 || addr < 0 || addr >= PT.BYTES) return -EIO;
      setRegister(k, target, addr, data);
      return 0;
    case REQUEST.GETREGS:
      copyOut(k, t, data, new Uint8Array(registers(k, target).buffer));
      return 0;
    case REQUEST.SETREGS:
      for (const [i, word] of new Int32Array(copyIn(k, t, data, PT.BYTES).buffer).entries())
        setRegister(k, target, 4 * i, word);
      return 0;
    case REQUEST.GETREGSET:
    case REQUEST.SETREGSET:
      return regset(k, t, target, addr, data, request === REQUEST.SETREGSET);
    case REQUEST.SETOPTIONS:
      if (data & ~O_MASK) return -EINVAL;
      trace.options = data;
      return 0;
    case REQUEST.GETEVENTMSG:
      writeU32(k, t, data, trace.message);
      return 0;
    case REQUEST.GETSIGINFO:
      if (trace.stop?.info === undefined) return -EINVAL;
      copyOut(k, t, data, encodeSigInfo(trace.stop.info));
      return 0;
    case REQUEST.SETSIGINFO:
      if (trace.held !== undefined) trace.held = decodeSigInfo(copyIn(k, t, data, 128));
      return 0;
    case REQUEST.GET_SYSCALL_INFO: {
      const bytes = syscallInfo(k, target);
      copyOut(k, t, data, bytes.subarray(0, Math.min(addr >>> 0, bytes.length)));
      return bytes.length;
    }
    default:
      return -EIO;
  }
}
