// Bookkeeping of the ways in for the trace: which events are open for a task, which instructions belong to them and which
// to the program, and where each begins and ends. It only listens (CPU probes and the kcalls); nothing depends on it.
import { FLAG, KIND } from "../../../traces/schema/enums.ts";
import type { EventEnter, EventLeave, Recorder, Seq } from "../../capture/recorder.ts";
import type { Cpu } from "../../cpu/cpu.ts";
import type { Clock } from "../../machine/clock.ts";
import { MAX_ERRNO } from "../errno.ts";
import type { Task } from "../task.ts";

/** Where an event's instructions are being executed. */
export type Phase = "stub" | "kernel" | "vdso";

/** An entry as the probe at its first instruction sees it. */
export interface Opening {
  kind: number;
  nr: number;
  site?: number;
  path: number;
  phase: Phase;
  /** Instructions that belong to it although they have retired already (the call, the int). */
  before: number;
  flags: number;
  addr?: number;
  /** The program's ESP, behind what the call itself pushed. */
  sp?: number;
  access?: number;
}

/** An open event. */
export interface PathEvent {
  seq: Seq;
  kind: number;
  nr: number;
  path: number;
  phase: Phase;
  /** The task's instruction count when it began. */
  start: number;
  /** Instructions since then that are not its own: nested events, bodies, signal handlers. */
  excluded: number;
  ret: number | undefined;
  /** Waits of the enclosing event, put back at the end. */
  outerBlocked: number;
  /** A handler runs in the middle of it since this instruction; -1: no. */
  suspendedAt: number;
}

/** Events that have ended are used again. */
class Pool {
  private readonly free: PathEvent[] = [];

  take(): PathEvent {
    return (
      this.free.pop() ?? {
        seq: -1,
        kind: 0,
        nr: 0,
        path: 0,
        phase: "kernel",
        start: 0,
        excluded: 0,
        ret: undefined,
        outerBlocked: 0,
        suspendedAt: -1,
      }
    );
  }

  give(event: PathEvent): void {
    this.free.push(event);
  }
}

class TaskPaths {
  /** Instructions executed while the task was on the CPU, up to the last switch. */
  executed = 0;
  /** Open events, innermost last. */
  readonly open: PathEvent[] = [];
  /** The last of them. */
  top: PathEvent | undefined;
  /** Program instructions not yet given to an event, up to userFrom. */
  user = 0;
  /** The task's instruction count when the program last went on. */
  userFrom = 0;
  handlerComing = false;
  /** The program goes on at the INT of a call to be made again. */
  restarting = false;
  /** Address of an INT that makes a call again, once; 0: none. */
  restartAt = 0;
}

export class Paths {
  private readonly recorder: Recorder;
  private readonly cpu: Cpu;
  private readonly clock: Clock;
  private readonly tasks = new Map<Task, TaskPaths>();
  private task: Task;
  private now: TaskPaths;
  private switchedIn = 0;
  private readonly pool = new Pool();
  // What the recorder is told with; it keeps neither.
  private readonly told: EventEnter = { task: 0, kind: 0, tIn: 0, user: 0 };
  private readonly ended: EventLeave = { tOut: 0, kinstr: 0, blocked: 0 };
  constructor(recorder: Recorder, cpu: Cpu, clock: Clock, idle: Task) {
    this.recorder = recorder;
    this.cpu = cpu;
    this.clock = clock;
    this.task = idle;
    this.now = this.of(idle);
  }

  private of(t: Task): TaskPaths {
    let paths = this.tasks.get(t);
    if (paths === undefined) {
      paths = new TaskPaths();
      this.tasks.set(t, paths);
    }
    return paths;
  }

  /** Another task has the CPU from the instruction behind the current kcall on. */
  switchTo(t: Task): void {
    const icount = this.cpu.icount + 1;
    this.now.executed += icount - this.switchedIn;
    this.switchedIn = icount;
    if (!this.task.alive) this.tasks.delete(this.task);
    this.task = t;
    this.now = this.of(t);
  }

  /** Instructions the current task has executed, kernel and program. */
  private count(): number {
    return this.now.executed + this.cpu.icount - this.switchedIn;
  }

  /** Program instructions of the current task since its last event. */
  get userSince(): number {
    return this.now.user + (this.inProgram ? this.count() - this.now.userFrom : 0);
  }

  private get inProgram(): boolean {
    const top = this.top;
    return top === undefined || top.suspendedAt >= 0;
  }

  /** The innermost open event of the current task. */
  get top(): PathEvent | undefined {
    return this.now.top;
  }

  /** The current instruction belongs to the program's half of an event. */
  get inStub(): boolean {
    const { top } = this;
    return top !== undefined && top.phase === "stub" && top.suspendedAt < 0;
  }

  /** The innermost event has just begun: its first instruction faulted and is executed again. */
  restarted(before: number): boolean {
    const { top } = this;
    return top !== undefined && top.suspendedAt < 0 && this.count() - top.start - top.excluded <= before;
  }

  /** An event begins at the instruction about to execute (or `before` instructions earlier). */
  enter(o: Opening): PathEvent {
    const { now, task } = this;
    let start = this.count() - o.before;
    let user = 0;
    const { top } = this;
    if (this.inProgram) {
      // A call whose target page was absent has been counted with the fault.
      start = Math.max(start, now.userFrom);
      user = now.user + start - now.userFrom;
      now.user = 0;
    }
    const told = this.told;
    told.task = task.id;
    told.kind = o.kind;
    told.nr = o.nr;
    told.site = o.site;
    told.path = o.path;
    told.tIn = this.clock.now() - o.before;
    told.parent = top !== undefined && top.suspendedAt < 0 ? top.seq : undefined;
    told.user = user;
    told.addr = o.addr;
    told.sp = o.sp;
    told.access = o.access;
    told.flags = o.flags;
    const event = this.pool.take();
    event.seq = this.recorder.enter(told);
    event.kind = o.kind;
    event.nr = o.nr;
    event.path = o.path;
    event.phase = o.phase;
    event.start = start;
    event.excluded = 0;
    event.ret = undefined;
    event.outerBlocked = task.blockedUnits;
    event.suspendedAt = -1;
    now.open.push(event);
    now.top = event;
    task.seq = event.seq;
    task.blockedUnits = 0;
    return event;
  }

  /** The innermost event ends with the instruction about to execute (behind = 1) or has ended (behind = 0). */
  leave(behind: 0 | 1): void {
    const { now, task } = this;
    const event = now.open.pop();
    if (event === undefined) return;
    now.top = now.open.length > 0 ? now.open[now.open.length - 1] : undefined;
    const end = this.count() + behind;
    const instructions = end - event.start - event.excluded;
    const ended = this.ended;
    ended.tOut = this.clock.now() + behind;
    ended.kinstr = instructions;
    ended.blocked = task.blockedUnits;
    ended.ret = event.ret;
    this.recorder.leave(event.seq, ended);
    task.blockedUnits = event.outerBlocked;
    this.closed(event, end);
    this.pool.give(event);
  }

  /** What follows the end of an event: its parent goes on, or a handler begins or ends, or the program goes on. */
  private closed(event: PathEvent, end: number): void {
    const { now, task } = this;
    const { top } = this;
    if (top === undefined) {
      now.userFrom = end;
      now.handlerComing = false;
      task.seq = -1;
      return;
    }
    task.seq = top.seq;
    if (event.kind === KIND.sigreturn && top.suspendedAt >= 0) {
      top.excluded += end - top.suspendedAt;
      top.suspendedAt = -1;
    } else if (top.suspendedAt >= 0) now.userFrom = end;
    else {
      top.excluded += end - event.start;
      if (now.handlerComing) {
        top.suspendedAt = end;
        now.userFrom = end;
      }
    }
    now.handlerComing = false;
  }

  /** Instructions of the current event that stand for a C body. */
  exclude(instructions: number): void {
    const { top } = this;
    if (top !== undefined) top.excluded += instructions;
  }

  /** The program will go on in the vsyscall page, at its beginning, with a call to be made again. */
  expectRestart(): void {
    this.now.restarting = true;
  }

  /** Whether the vsyscall page was entered so; asked once. */
  takeRestart(): boolean {
    const { restarting } = this.now;
    this.now.restarting = false;
    return restarting;
  }

  /** The call interrupted last will be made again by the INT at this address, now or after its handler. */
  restartAt(eip: number): void {
    this.now.restartAt = eip | 0;
  }

  /** Whether the INT at this address makes a call again. */
  isRestart(eip: number): boolean {
    if (this.now.restartAt === 0 || this.now.restartAt !== (eip | 0)) return false;
    this.now.restartAt = 0;
    return true;
  }

  /** The result of the current event's call: EAX, as a signed number. */
  returns(result: number): void {
    const { top } = this;
    if (top !== undefined) top.ret = result < -MAX_ERRNO ? result >>> 0 : result;
  }

  /** A signal's handler will run when the current event returns to the program. */
  signal(signo: number): void {
    const { task, now, top } = this;
    now.handlerComing = true;
    if (top === undefined) return;
    const tIn = this.clock.now();
    const seq = this.recorder.enter({ task: task.id, kind: KIND.signal, nr: signo, tIn, parent: top.seq, user: 0 });
    this.recorder.leave(seq, { tOut: tIn, kinstr: 0, blocked: 0 });
    this.recorder.set(top.seq, { flags: FLAG.exit_work });
  }

  /** Whether the innermost event is a return into an event that a handler suspended. */
  resumesSuspended(): boolean {
    const { open } = this.now;
    const top = open[open.length - 1];
    return top?.kind === KIND.sigreturn && open.length > 1 && open[open.length - 2].suspendedAt >= 0;
  }
}
