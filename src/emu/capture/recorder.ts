// The recorder's contract: what the emulated kernel tells about a run. NullRecorder is the one that listens to nothing.
import type { EdgeKind } from "../../traces/schema/enums.ts";
import type { Trace, TraceMeta } from "../../traces/trace.ts";

/** Number of an event, in order of entry. NullRecorder and a recorder that is full give NO_SEQ, which every method ignores. */
export type Seq = number;
export const NO_SEQ: Seq = -1;

/** A new task. Numbers are the kernel's dense trace ids (0, 1, 2, ...), never reused. */
export interface TaskStart {
  task: number;
  tgid: number;
  mm: number;
  parent?: number;
  pid: number;
  spawnSeq?: Seq;
  ring: number;
  comm: string;
  exe: string;
}

/** An entry. Enumerated fields take the numbers of src/traces/schema/enums.ts (KIND.syscall, SITE.vsyscall, PATH.C, ...). */
export interface EventEnter {
  task: number;
  kind: number;
  /** Call number, vector or signal. */
  nr?: number;
  /** ABI.i386 when left out. */
  abi?: number;
  site?: number;
  path?: number;
  /** Clock. */
  tIn: number;
  /** The open event it interrupts or nests in. */
  parent?: Seq;
  /** Program instructions of this task since its last event, path instructions excluded. */
  user: number;
  obj?: number;
  off?: number;
  addr?: number;
  /** The program's ESP, behind what the call itself pushed. */
  sp?: number;
  access?: number;
  cause?: number;
  /** FLAG bits. */
  flags?: number;
}

/** What becomes known while an event is open. Numbers replace what was there, except flags, which are or-ed in. */
export interface EventFields {
  nr?: number;
  obj?: number;
  off?: number;
  bytes?: number;
  items?: number;
  components?: number;
  pages?: number;
  cold?: number;
  charge?: number;
  cause?: number;
  addr?: number;
  access?: number;
  path?: number;
  flags?: number;
}

export interface EventLeave {
  /** Clock. */
  tOut: number;
  /** Instructions on the way in and out. */
  kinstr: number;
  /** Clock units of all waits. */
  blocked: number;
  ret?: number;
}

export interface ObjectInfo {
  obj: number;
  /** OBJECT.file, OBJECT.pipe, ... */
  type: number;
  capacity?: number;
  size?: number;
  label?: string;
}

export interface PageTouch {
  /** Left out: a page-cache page touched by the kernel. */
  mm?: number;
  task: number;
  epoch: number;
  /** Program instructions the task had executed. */
  instr: number;
  obj?: number;
  /** Page number in the object, or the linear page number. */
  index: number;
  access: number;
  source: number;
  dirty: boolean;
}

export interface Recorder {
  /** False: nothing is kept; callers may skip the work of finding out. */
  readonly enabled: boolean;
  /** Whether it is told of the ways into the kernel: enter() and leave() of what the entry code's probes see. */
  readonly watches: boolean;
  task(start: TaskStart): void;
  /** seq: the task's last event; status: wait status. */
  taskExit(task: number, seq: Seq, status: number): void;
  mm(id: number, createdSeq?: Seq, fromMm?: number): void;
  mmEnd(id: number, seq: Seq): void;
  /** A successful execve; the first program's has NO_SEQ. */
  exec(task: number, seq: Seq, mm: number, exe: string, ring: number): void;
  /** The task's name, when prctl or a write to /proc changed it. */
  comm(task: number, comm: string): void;
  enter(event: EventEnter): Seq;
  set(seq: Seq, fields: EventFields): void;
  /** set() of the field that every call has. @param units clock units */
  charge(seq: Seq, units: number): void;
  /** More of it: what a body was charged beyond its fixed part. */
  chargeMore(seq: Seq, units: number): void;
  /** An event that never returns (exit, a killed task, a dead machine) is simply not left. */
  leave(seq: Seq, end: EventLeave): void;
  /** `to` could not complete before `from` (undefined: outside the trace); delay in clock units. */
  edge(to: Seq, from: Seq | undefined, kind: EdgeKind, delay?: number): void;
  object(object: ObjectInfo): void;
  page(touch: PageTouch): void;
  /** Counts per class in the order of CLASSES; the array is copied. Several calls for one (task, epoch, ring) add up. */
  mix(task: number, epoch: number, ring: number, counts: ArrayLike<number>): void;
  /** This task has the processor from here on; 0 and up, the idle task too. */
  running(task: number): void;
  /** Something about the run that its events do not show; the same text counts once. */
  warning(text: string): void;
  /** Argument text for people. */
  args(seq: Seq, text: string): void;
  /** The trace up to here; events still open have no t_out. May be called at any moment, once. */
  finish(meta: TraceMeta): Trace;
}

/** Keeps nothing; finish() gives an empty trace's worth of refusal. */
export class NullRecorder implements Recorder {
  readonly enabled: boolean = false;
  readonly watches: boolean = false;
  task(): void {}
  taskExit(_task: number): void {}
  mm(): void {}
  mmEnd(): void {}
  exec(): void {}
  comm(): void {}
  enter(_event: EventEnter): Seq {
    return NO_SEQ;
  }
  set(): void {}
  charge(): void {}
  chargeMore(): void {}
  leave(_seq: Seq, _end: EventLeave): void {}
  edge(): void {}
  object(): void {}
  page(): void {}
  mix(): void {}
  running(_task: number): void {}
  warning(): void {}
  args(): void {}
  finish(): Trace {
    throw new Error("a NullRecorder records nothing");
  }
}
