// A task and what a thread group shares: ids, credentials, signals, limits, kernel stack and saved kernel context.
import type { Seq } from "../capture/recorder.ts";
import type { Fpu } from "../cpu/fpu/state.ts";
import type { Timer } from "../machine/clock.ts";
import type { FilesStruct, FsStruct } from "./fs/files.ts";
import type { Tty } from "./fs/tty.ts";
import type { Mm } from "./mm/mm.ts";
import type { Trace } from "./ptrace.ts";
import type { Activity } from "./sched.ts";
import { type Wait, WaitQueue, type WakeReason } from "./wait.ts";

/** Bytes of a kernel stack; thread_info lies at its bottom. */
export const THREAD_SIZE = 8192;
/** Bytes left free above pt_regs at the top of a kernel stack. */
export const KSTACK_PADDING = 8;
/** Offset of the flags word in thread_info: what the exit paths test. */
export const TI_FLAGS = 8;

/** Bits of thread_info.flags (arch/x86/include/asm/thread_info.h; TIF_KU is KML's). */
export const TIF_SIGPENDING = 1 << 2;
export const TIF_NEED_RESCHED = 1 << 3;
export const TIF_RESTORE_SIGMASK = 1 << 20;
export const TIF_KU = 1 << 31;
/** The bits that send an exit path to its slow side (_TIF_ALLWORK_MASK without tracing). */
export const TIF_WORK_MASK = TIF_SIGPENDING | TIF_NEED_RESCHED;

export type TaskState = "running" | "interruptible" | "uninterruptible" | "stopped" | "zombie" | "dead";

/** A set of signals: bit n-1 stands for signal n. */
export type SigSet = bigint;

/** Who a task acts as (kernel/cred.c). */
export interface Creds {
  uid: number;
  euid: number;
  suid: number;
  fsuid: number;
  gid: number;
  egid: number;
  sgid: number;
  fsgid: number;
  groups: readonly number[];
  capEffective: bigint;
  capPermitted: bigint;
  capInheritable: bigint;
  capBounding: bigint;
  capAmbient: bigint;
}

/** Every capability of Linux 6.1 (CAP_CHECKPOINT_RESTORE = 40 is the last). */
export const CAP_ALL = (1n << 41n) - 1n;

/** Credentials of the first process. */
export function rootCreds(): Creds {
  const none = { uid: 0, euid: 0, suid: 0, fsuid: 0, gid: 0, egid: 0, sgid: 0, fsgid: 0 };
  const caps = { capEffective: CAP_ALL, capPermitted: CAP_ALL, capInheritable: 0n, capBounding: CAP_ALL };
  return { ...none, groups: [], ...caps, capAmbient: 0n };
}

/** What a signal carries to its handler (siginfo_t), by the fields that its code uses. */
export interface SigInfo {
  signo: number;
  /** SI_USER 0, SI_KERNEL 0x80, SI_QUEUE -1, SI_TIMER -2, SI_TKILL -6, or SEGV_*, CLD_*, ... */
  code: number;
  errno: number;
  pid?: number;
  uid?: number;
  /** si_status of SIGCHLD. */
  status?: number;
  /** si_utime, si_stime of SIGCHLD, in clock ticks (USER_HZ). */
  utime?: number;
  stime?: number;
  /** si_addr of SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP. */
  addr?: number;
  /** si_value, int32. */
  value?: number;
  /** si_timerid, si_overrun. */
  timerId?: number;
  overrun?: number;
  /** si_band, si_fd of SIGIO. */
  band?: number;
  fd?: number;
  /** Page-fault error code and trap number for the signal frame. */
  trapno?: number;
  errorCode?: number;
  /** The event that sent it, for trace edges. */
  from?: Seq;
}

/** Signals sent and not yet taken. */
export class Pending {
  set: SigSet = 0n;
  queue: SigInfo[] = [];
}

export const SIG_DFL = 0;
export const SIG_IGN = 1;

/** struct sigaction, kernel view. */
export interface SigAction {
  /** SIG_DFL, SIG_IGN or an address. */
  handler: number;
  flags: number;
  restorer: number;
  mask: SigSet;
}

/** The handlers of one or more tasks (CLONE_SIGHAND). */
export class Sighand {
  /** Indexed by signal number; entry 0 is unused. */
  actions: SigAction[];
  users = 1;
  /** Woken when a signal is sent to any of them: what reads of a signalfd wait on. */
  readonly signalfd = new WaitQueue();

  constructor(actions?: readonly SigAction[]) {
    this.actions = actions
      ? actions.map((a) => ({ ...a }))
      : Array.from({ length: 65 }, () => ({ handler: SIG_DFL, flags: 0, restorer: 0, mask: 0n }));
  }
}

/** Numbers of the resource limits. */
export const RLIMIT = {
  CPU: 0,
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  RSS: 5,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  AS: 9,
  LOCKS: 10,
  SIGPENDING: 11,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
  RTTIME: 15,
} as const;
export const RLIM_INFINITY = Number.POSITIVE_INFINITY;

/** Soft and hard limit in the unit of the resource (bytes, files, ...), RLIM_INFINITY for none. */
export interface Rlimit {
  cur: number;
  max: number;
}

/** Processor time in clock units. */
export interface CpuTimes {
  user: number;
  system: number;
}

/** getrusage's counts. */
export interface Usage extends CpuTimes {
  minorFaults: number;
  majorFaults: number;
  voluntarySwitches: number;
  involuntarySwitches: number;
  /** Largest resident set, in pages. */
  maxRss: number;
}

export function noUsage(): Usage {
  return {
    user: 0,
    system: 0,
    minorFaults: 0,
    majorFaults: 0,
    voluntarySwitches: 0,
    involuntarySwitches: 0,
    maxRss: 0,
  };
}

/** An interval timer (ITIMER_*) in clock units; 0 = disarmed. */
export interface IntervalTimer {
  interval: number;
  expires: number;
  timer?: Timer;
}

/** A POSIX timer (timer_create). */
export interface PosixTimer extends IntervalTimer {
  id: number;
  clockId: number;
  notify: number;
  signo: number;
  value: number;
  tid: number;
  overrun: number;
  pending: boolean;
}

/** What the threads of a process share (struct signal_struct). */
export class SignalStruct {
  leader: Task;
  readonly threads = new Set<Task>();
  readonly pending = new Pending();
  /** Parents sleep here in wait4. */
  readonly childExit = new WaitQueue();
  pgrp = 0;
  session = 0;
  /** The controlling terminal. */
  tty: Tty | undefined;
  /** Whether this is the session's leader. */
  sessionLeader = false;
  rlimits: Rlimit[];
  /** wait status of the whole group once it exits; undefined while it lives. */
  groupExit: number | undefined;
  /** The event that decided groupExit. */
  groupExitFrom: Seq | undefined;
  /** The task that runs execve and ends the others, if any, and where it waits for them. */
  execTask: Task | undefined;
  readonly threadGone = new WaitQueue();
  /** Job control: stopped by this signal (0: not), and what wait4 has not been told yet. */
  stopSignal = 0;
  stopReported = true;
  continued = false;
  readonly continueQueue = new WaitQueue();
  /** Ended threads' usage and waited-for children's. */
  usage = noUsage();
  childrenUsage = noUsage();
  itimerReal: IntervalTimer = { interval: 0, expires: 0 };
  itimerVirtual: IntervalTimer = { interval: 0, expires: 0 };
  itimerProf: IntervalTimer = { interval: 0, expires: 0 };
  readonly posixTimers = new Map<number, PosixTimer>();
  nextTimerId = 0;
  /** Tasks that this process traces, and traced threads that ended without its asking yet. */
  readonly tracees = new Set<Task>();
  readonly deadTracees: { pid: number; status: number; uid: number }[] = [];
  childSubreaper = false;
  oomScoreAdj = 0;
  /** Killed for lack of memory; its end is waited for. */
  oomVictim = false;
  /** Set when a child of this process has execed: setpgid refuses it. */
  execed = false;

  constructor(leader: Task, rlimits: Rlimit[]) {
    this.leader = leader;
    this.rlimits = rlimits;
    this.threads.add(leader);
  }
}

/** Register state of a task that is not on the CPU, as it was right after the kcall it gave the CPU up in. */
export interface KernelContext {
  eip: number;
  eflags: number;
  cpl: number;
  inhibit: boolean;
  readonly r: Int32Array;
  readonly sel: Int32Array;
  readonly base: Int32Array;
  readonly limit: Uint32Array;
  readonly attr: Int32Array;
  /** Undefined: as FNINIT leaves it. */
  fpu: Fpu | undefined;
  /** XMM registers and MXCSR (Simd.save); undefined: as a program finds them. */
  simd: Int32Array | undefined;
}

export function newKernelContext(): KernelContext {
  return {
    eip: 0,
    eflags: 2,
    cpl: 0,
    inhibit: false,
    r: new Int32Array(8),
    sel: new Int32Array(6),
    base: new Int32Array(6),
    limit: new Uint32Array(6),
    attr: new Int32Array(6),
    fpu: undefined,
    simd: undefined,
  };
}

/** sigaltstack. */
export interface AltStack {
  sp: number;
  size: number;
  flags: number;
}

export class Task {
  /** Changes only when a thread execs and takes its leader's. */
  pid: number;
  readonly tgid: number;
  /** Dense trace id, never reused. */
  readonly id: number;
  comm = "";
  /** Path of the executable as the trace and /proc show it. */
  exe = "";
  state: TaskState = "running";
  /** Parent for wait4 (the group leader's matters). */
  parent: Task | undefined;
  readonly children = new Set<Task>();
  /** The signal the parent gets at exit (SIGCHLD, or 0 for a thread). */
  exitSignal = 17;
  /** wait status, once a zombie. */
  exitCode = 0;
  /** Its last event. */
  exitSeq: Seq = -1;
  mm: Mm | undefined;
  files: FilesStruct | undefined;
  fs: FsStruct | undefined;
  sighand: Sighand = new Sighand();
  signal: SignalStruct;
  blocked: SigSet = 0n;
  /** The mask to bring back when a sigsuspend-like call ends (TIF_RESTORE_SIGMASK). */
  savedSigmask: SigSet | undefined;
  /** Blocked signals that it waits for (sigtimedwait): they wake it, and do nothing else. */
  awaited: SigSet = 0n;
  readonly pending = new Pending();
  altStack: AltStack = { sp: 0, size: 0, flags: 2 };
  creds: Creds = rootCreds();
  /** The three TLS descriptors of set_thread_area: low and high word of each. */
  readonly tls = new Uint32Array(6);
  /** Linear address of the kernel stack's lowest byte, its first frame, and the stack pointer at entry from user mode. */
  kstackBase = 0;
  kstackPfn = -1;
  esp0 = 0;
  readonly context: KernelContext = newKernelContext();
  /** Calls other than read, write, exit and sigreturn kill it. */
  seccompStrict = false;
  /** TIF_KU: runs in ring 0. */
  ku = false;
  /** Our copy of thread_info.flags; the one in guest memory is only what guest code tests. */
  flags = 0;
  /** What the kernel is doing for the task while it is off the CPU; undefined: guest code goes on. */
  activity: Activity | undefined;
  /** How its last wait ended. */
  wakeReason: WakeReason | undefined;
  /** Current event of the trace: entry in progress, else -1. */
  seq: Seq = -1;
  /** Clock units waited within the current event. */
  blockedUnits = 0;
  /** Clock up to which processor time has been accounted to usage. */
  accounted = 0;
  readonly usage = noUsage();
  startTime = 0;
  /** When it was last put on the CPU (clock units). */
  dispatched = 0;
  /** set_tid_address / CLONE_CHILD_CLEARTID. */
  clearChildTid = 0;
  robustList = 0;
  /** Parent waiting in vfork for this task's exec or exit. */
  vforkDone: WaitQueue | undefined;
  /** sched_setscheduler values, remembered only. */
  nice = 0;
  policy = 0;
  rtPriority = 0;
  /** Real-time priority of who waits for a lock that it has; 0: none. */
  boost = 0;
  /** prctl values. */
  pdeathsig = 0;
  dumpable = 1;
  keepCaps = false;
  noNewPrivs = false;
  timerSlack = 50_000;
  personality = 0;
  /** What restart_syscall does. */
  restartBlock: (() => number | Generator<Wait, number, WakeReason>) | undefined;
  /** Stopped by job control. */
  jobStopped = false;
  /** Who traces it, and how. */
  trace: Trace | undefined;
  /** DR0 to DR7 as its tracer set them; DR6 as it last was told. */
  debug: Int32Array | undefined;
  /** The page it faults on had to be waited for. */
  faultWaited = false;
  /** Its program's heap is executable (no PT_GNU_STACK). */
  execHeap = false;
  /** Number of the system call in progress, -1 outside one. */
  syscall = -1;
  /** The call that it made last, over or not. */
  lastCall = -1;
  ioprio = 0;

  constructor(pid: number, id: number, signal?: SignalStruct, rlimits: Rlimit[] = []) {
    this.pid = pid;
    this.tgid = signal ? signal.leader.pid : pid;
    this.id = id;
    this.signal = signal ?? new SignalStruct(this, rlimits);
    if (signal) signal.threads.add(this);
  }

  get isLeader(): boolean {
    return this.pid === this.tgid;
  }

  get alive(): boolean {
    return this.state !== "zombie" && this.state !== "dead";
  }
}
