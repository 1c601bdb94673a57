// New tasks: fork, vfork, clone, clone3 (kernel/fork.c).

import { TIF_LOOK_AT_CALLS } from "./entry/layout.ts";
import { E2BIG, EAGAIN, EFAULT, EINVAL, ENOMEM, ENOSYS, SysError } from "./errno.ts";
import type { Kernel, Sys, SysResult } from "./kernel.ts";
import { outOfMemory } from "./mm/oom.ts";
import { ownStack } from "./mm/touched-stack.ts";
import { newPidfd } from "./pidfd.ts";
import { EVENT, eventStop, traceChild, wantsEvent } from "./ptrace.ts";
import { SIG_DFL, SIG_IGN, Sighand, type SignalStruct, Task, THREAD_SIZE, TIF_KU } from "./task.ts";
import { readTls, writeTls } from "./tls.ts";
import { copyIn, TASK_SIZE, touch, writeU32 } from "./user.ts";
import { Retry, type Wait, WaitQueue, type WakeReason } from "./wait.ts";

const CSIGNAL = 0xff;
const CLONE_VM = 0x100;
const CLONE_FS = 0x200;
const CLONE_FILES = 0x400;
const CLONE_SIGHAND = 0x800;
const CLONE_PIDFD = 0x1000;
const CLONE_DETACHED = 0x40_0000;
const CLONE_VFORK = 0x4000;
const CLONE_PARENT = 0x8000;
const CLONE_THREAD = 0x1_0000;
const CLONE_NEWNS = 0x2_0000;
const CLONE_SETTLS = 0x8_0000;
const CLONE_PARENT_SETTID = 0x10_0000;
const CLONE_CHILD_CLEARTID = 0x20_0000;
const CLONE_CHILD_SETTID = 0x100_0000;
const CLONE_NEWCGROUP = 0x200_0000;
/** Everything that asks for a name space of its own. */
const CLONE_NEW = CLONE_NEWNS | CLONE_NEWCGROUP | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000;
/** Bit 32 of clone3's flags. */
const CLONE_CLEAR_SIGHAND_HIGH = 1;
const SIGCHLD = 17;
/** Tasks a machine may have: kernel stacks are real memory. */
const MAX_TASKS = 4096;

/** What a clone is asked for. */
interface CloneArgs {
  flags: number;
  /** The high word of clone3's flags. */
  flagsHigh: number;
  exitSignal: number;
  /** The child's stack pointer; 0: the parent's. */
  stack: number;
  /** Address of a struct user_desc. */
  tls: number;
  parentTid: number;
  childTid: number;
  /** Where CLONE_PIDFD puts the descriptor. */
  pidfd: number;
}

/**
 * A kernel stack: two frames with thread_info at the bottom.
 * @throws SysError(ENOMEM), Retry while a process that was killed for it goes
 */
export function giveStack(k: Kernel, t: Task): void {
  let pfn = k.frames.takePair();
  if (pfn < 0) pfn = k.reclaim.makePair();
  if (pfn < 0) {
    const victim = outOfMemory(k, k.current);
    if (victim === undefined || victim === k.current) throw new SysError(ENOMEM);
    throw new Retry({ queues: [], deadline: k.clock.now() + k.units(1e9 / k.options.hz), interruptible: false });
  }
  k.memory.u8.fill(0, k.pageTables.host(pfn), k.pageTables.host(pfn) + THREAD_SIZE);
  t.kstackPfn = pfn;
  k.entry.initThread(t);
}

function checkFlags(k: Kernel, flags: number): number {
  if ((flags & (CLONE_SIGHAND | CLONE_VM)) === CLONE_SIGHAND) return -EINVAL;
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND)) === CLONE_THREAD) return -EINVAL;
  if (flags & CLONE_NEW || (flags & CLONE_PIDFD && flags & (CLONE_THREAD | CLONE_DETACHED))) return -EINVAL;
  if (k.tasks.size >= MAX_TASKS) return -EAGAIN;
  return 0;
}

function newSignal(parent: Task, child: Task): void {
  const { signal } = child;
  const from = parent.signal;
  signal.rlimits = from.rlimits.map((limit) => ({ ...limit }));
  signal.pgrp = from.pgrp;
  signal.session = from.session;
  signal.tty = from.tty;
  signal.oomScoreAdj = from.oomScoreAdj;
}

/** What the child takes over by value. */
function inherit(parent: Task, child: Task): void {
  child.comm = parent.comm;
  child.exe = parent.exe;
  child.blocked = parent.blocked;
  child.creds = { ...parent.creds };
  child.tls.set(parent.tls);
  child.ku = parent.ku;
  child.nice = parent.nice;
  child.policy = parent.policy;
  child.rtPriority = parent.rtPriority;
  child.dumpable = parent.dumpable;
  child.keepCaps = parent.keepCaps;
  child.noNewPrivs = parent.noNewPrivs;
  child.seccompStrict = parent.seccompStrict;
  child.timerSlack = parent.timerSlack;
  child.personality = parent.personality;
  child.execHeap = parent.execHeap;
  child.ioprio = parent.ioprio;
}

function copySighand(parent: Task, child: Task, args: CloneArgs): void {
  if (args.flags & CLONE_SIGHAND) {
    child.sighand = parent.sighand;
    child.sighand.users++;
    return;
  }
  child.sighand = new Sighand(parent.sighand.actions);
  if (!(args.flagsHigh & CLONE_CLEAR_SIGHAND_HIGH)) return;
  for (const action of child.sighand.actions) if (action.handler !== SIG_IGN) action.handler = SIG_DFL;
}

/** Shares or copies the address space. @throws SysError(ENOMEM) */
function copyMm(k: Kernel, parent: Task, child: Task, flags: number): void {
  const { mm } = parent;
  if (mm === undefined) return;
  if (flags & CLONE_VM) {
    mm.users++;
    child.mm = mm;
    return;
  }
  child.mm = mm.fork(k.ids.mm());
  k.recorder.mm(child.mm.id, parent.seq, mm.id);
  const pages = (child.mm.rss + mm.vmas.length) * k.charges.perPage;
  k.clock.charge(pages);
  k.recorder.chargeMore(parent.seq, pages);
}

/** Writes the child's number into its own memory, as its first act (schedule_tail). */
class SetChildTid {
  private readonly k: Kernel;
  private readonly child: Task;
  private readonly addr: number;

  constructor(k: Kernel, child: Task, addr: number) {
    this.k = k;
    this.child = child;
    this.addr = addr;
  }

  step(): Wait | undefined {
    try {
      writeU32(this.k, this.child, this.addr, this.child.pid);
    } catch (e) {
      if (e instanceof Retry) return e.wait;
      if (!(e instanceof SysError)) throw e;
    }
    return undefined;
  }
}

/** Makes a task; it runs once it is woken. @throws SysError */
function copyProcess(k: Kernel, parent: Task, args: CloneArgs): Task {
  const { flags } = args;
  const tls = flags & CLONE_SETTLS ? readTls(k, parent, args.tls) : undefined;
  const pid = k.ids.pid();
  if (pid < 0) throw new SysError(EAGAIN);
  const thread = (flags & CLONE_THREAD) !== 0;
  const shared: SignalStruct | undefined = thread ? parent.signal : undefined;
  const child = new Task(pid, k.ids.task(), shared);
  try {
    giveStack(k, child);
    copyMm(k, parent, child, flags);
  } catch (e) {
    parent.signal.threads.delete(child);
    if (child.kstackPfn >= 0) for (const pfn of [child.kstackPfn, child.kstackPfn + 1]) k.frames.put(pfn);
    throw e;
  }
  if (!thread) newSignal(parent, child);
  inherit(parent, child);
  copySighand(parent, child, args);
  if (flags & CLONE_FILES) parent.files!.users++;
  child.files = flags & CLONE_FILES ? parent.files : parent.files?.clone();
  if (flags & CLONE_FS) parent.fs!.users++;
  child.fs = flags & CLONE_FS ? parent.fs : parent.fs?.clone();
  if (!(flags & CLONE_VM) || flags & CLONE_VFORK) child.altStack = { ...parent.altStack };
  if (flags & CLONE_CHILD_CLEARTID) child.clearChildTid = args.childTid;
  child.exitSignal = thread ? 0 : args.exitSignal;
  child.startTime = k.clock.now();
  child.accounted = child.startTime;
  if (!thread) {
    const father = flags & CLONE_PARENT ? parent.signal.leader.parent : parent;
    child.parent = father;
    father?.children.add(child);
  }
  if (tls !== undefined) writeTls(child, tls.entry, tls.low, tls.high);
  k.entry.copyThread(parent, child, args.stack);
  if (k.options.touchedStack && child.ku && !(flags & CLONE_VM)) {
    const sp = k.entry.userStackPointer(parent);
    ownStack(k, parent, sp);
    ownStack(k, child, sp);
  }
  if (child.ku) k.setThreadFlag(child, TIF_KU);
  if (child.seccompStrict) k.setThreadFlag(child, TIF_LOOK_AT_CALLS);
  if (flags & CLONE_CHILD_SETTID) child.activity = new SetChildTid(k, child, args.childTid);
  k.tasks.set(pid, child);
  k.forks++;
  return child;
}

function tellRecorder(k: Kernel, parent: Task, child: Task): void {
  if (!k.recorder.enabled) return;
  k.recorder.task({
    task: child.id,
    tgid: child.signal.leader.id,
    mm: child.mm?.id ?? -1,
    parent: parent.id,
    pid: child.pid,
    spawnSeq: parent.seq,
    ring: child.ku ? 0 : 3,
    comm: child.comm,
    exe: child.exe,
  });
}

/** kernel_clone: makes a task, starts it, and with CLONE_VFORK waits until it has execed or ended. */
function kernelClone(k: Kernel, t: Task, args: CloneArgs): SysResult {
  const { flags } = args;
  const error = checkFlags(k, flags);
  if (error !== 0) return error;
  if (flags & CLONE_PARENT_SETTID) touch(k, t, args.parentTid, 4, true);
  if (flags & CLONE_PIDFD) touch(k, t, args.pidfd, 4, true);
  const child = copyProcess(k, t, args);
  if (flags & CLONE_PIDFD) writeU32(k, t, args.pidfd, newPidfd(k, t, child, 0));
  if (flags & CLONE_PARENT_SETTID) writeU32(k, t, args.parentTid, child.pid);
  tellRecorder(k, t, child);
  const vfork = (flags & CLONE_VFORK) !== 0;
  const event = vfork ? EVENT.VFORK : args.exitSignal === SIGCHLD ? EVENT.FORK : EVENT.CLONE;
  const traced = wantsEvent(t, event);
  if (traced) traceChild(k, t, child);
  k.sched.wakeUpNew(child);
  if (vfork) child.vforkDone = new WaitQueue();
  if (traced) return tracedClone(k, t, child, event);
  return child.vforkDone ? waitForVfork(child.vforkDone, child.pid) : child.pid;
}

function* waitForVfork(queue: WaitQueue, pid: number): Generator<Wait, number, WakeReason> {
  yield { queues: [queue], interruptible: false, killable: true };
  return pid;
}

/** The tracer is told of the child before its parent goes on, and again when a vfork is over. */
function* tracedClone(k: Kernel, t: Task, child: Task, event: number): Generator<Wait, number, WakeReason> {
  const { pid, vforkDone } = child;
  yield* eventStop(k, t, event, pid);
  if (vforkDone && child.vforkDone === vforkDone) yield* waitForVfork(vforkDone, pid);
  if (vforkDone && wantsEvent(t, EVENT.VFORK_DONE)) yield* eventStop(k, t, EVENT.VFORK_DONE, pid);
  return pid;
}

function simple(flags: number): CloneArgs {
  return { flags, flagsHigh: 0, exitSignal: SIGCHLD, stack: 0, tls: 0, parentTid: 0, childTid: 0, pidfd: 0 };
}

export const sys_fork: Sys = (k, t) => kernelClone(k, t, simple(0));
export const sys_vfork: Sys = (k, t) => kernelClone(k, t, simple(CLONE_VFORK | CLONE_VM));

/** Here the place of CLONE_PIDFD's descriptor is that of CLONE_PARENT_SETTID. */
export const sys_clone: Sys = (k, t, flags, stack, parentTid, tls, childTid) => {
  if (flags & CLONE_PIDFD && flags & CLONE_PARENT_SETTID) return -EINVAL;
  return kernelClone(k, t, {
    flags: flags & ~CSIGNAL,
    flagsHigh: 0,
    exitSignal: flags & CSIGNAL,
    stack: stack >>> 0,
    tls: tls >>> 0,
    parentTid: parentTid >>> 0,
    childTid: childTid >>> 0,
    pidfd: parentTid >>> 0,
  });
};

const CLONE_ARGS_SIZE_VER0 = 64;
const PAGE = 4096;

export const sys_clone3: Sys = (k, t, addr, size) => {
  const bytes = size >>> 0;
  if (bytes > PAGE) return -E2BIG;
  if (bytes < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  const data = copyIn(k, t, addr, bytes);
  const view = new DataView(data.buffer);
  const low = (at: number) => view.getUint32(at, true);
  const high = (at: number) => view.getUint32(at + 4, true);
  for (let at = 88; at < bytes; at++) if (data[at] !== 0) return -E2BIG;
  if (bytes >= 80 && low(72) !== 0) return -EINVAL;
  const flags = low(0);
  if (flags & CSIGNAL || high(0) & ~3 || low(32) & ~CSIGNAL || high(32)) return -EINVAL;
  if (flags & (CLONE_THREAD | CLONE_PARENT) && low(32) !== 0) return -EINVAL;
  if (high(0) & 2) return -ENOSYS;
  const stack = low(40);
  const stackSize = low(48);
  if ((stack === 0) !== (stackSize === 0)) return -EINVAL;
  if (stack + stackSize > TASK_SIZE) return -EFAULT;
  return kernelClone(k, t, {
    flags: flags | 0,
    flagsHigh: high(0),
    exitSignal: low(32),
    stack: stack === 0 ? 0 : stack + stackSize,
    tls: low(56),
    parentTid: low(24),
    childTid: low(16),
    pidfd: low(8),
  });
};

export const sys_unshare: Sys = (_k, t, flags) => {
  if (flags & CLONE_NEW) return -EINVAL;
  if (flags & CLONE_FILES && t.files && t.files.users > 1) {
    const copy = t.files.clone();
    t.files.users--;
    t.files = copy;
  }
  if (flags & CLONE_FS && t.fs && t.fs.users > 1) {
    const copy = t.fs.clone();
    t.fs.users--;
    t.fs = copy;
  }
  return 0;
};
