// The tasks that an importer meets: pids to dense numbers, who began whom, program images, how each ended.
import { ABI } from "../schema/enums.ts";
import type { MmRow, TaskRow } from "../schema/tables.ts";

/** A program in memory: what an execve makes and a fork copies. Its calls tell its ABI. */
export class Image {
  /** What it was forked from, which has the same ABI; null: not known. */
  from: Image | null = null;
  readonly votes = [0, 0, 0, 0];
  exe: string | null = null;

  /** The ABI of the image, from its own calls or those of what it was copied from. */
  abi(otherwise: number): number {
    let image: Image | null = this;
    for (let depth = 0; image !== null && depth < 10_000; depth++, image = image.from) {
      const { votes } = image;
      if (votes[ABI.i386] !== votes[ABI.x86_64]) return votes[ABI.i386] > votes[ABI.x86_64] ? ABI.i386 : ABI.x86_64;
    }
    return otherwise;
  }
}

interface Mm {
  from: Mm | null;
  created: number;
  end: number;
}

/** What the threads of a process share. */
export class Process {
  image: Image;
  mm: Mm;
  /** It runs in its parent's memory until it runs another program (vfork). */
  borrowed = false;
  constructor(image: Image, mm: Mm) {
    this.image = image;
    this.mm = mm;
  }
}

export class ImportedTask {
  readonly number: number;
  pid: number;
  process: Process;
  readonly firstMm: Mm;
  readonly firstImage: Image;
  leader: ImportedTask = this;
  parent: ImportedTask | null = null;
  /** Events: the one that began it, its last one; -1: none. */
  spawn = -1;
  last = -1;
  /** The event that it is in; -1: none. */
  open = -1;
  ended = false;
  status: number | null = null;
  comm: string | null = null;
  exe: string | null = null;

  constructor(number: number, pid: number, process: Process) {
    this.number = number;
    this.pid = pid;
    this.process = process;
    this.firstMm = process.mm;
    this.firstImage = process.image;
  }
}

/** What a call that begins a task said of it. */
export interface SpawnKind {
  /** A thread of the same process. */
  readonly thread: boolean;
  /** It runs in the same address space (vfork). */
  readonly sharesMemory: boolean;
}

export class ImportedTasks {
  readonly all: ImportedTask[] = [];
  readonly #live = new Map<number, ImportedTask>();
  readonly #lastOf = new Map<number, ImportedTask>();
  readonly #mms: Mm[] = [];

  #mm(from: Mm | null, created: number): Mm {
    const mm = { from, created, end: -1 };
    this.#mms.push(mm);
    return mm;
  }

  /** The living task of a pid, made when it is new. */
  of(pid: number): ImportedTask {
    return this.#live.get(pid) ?? this.#make(pid);
  }

  #make(pid: number): ImportedTask {
    const task = new ImportedTask(this.all.length, pid, new Process(new Image(), this.#mm(null, -1)));
    this.all.push(task);
    this.#live.set(pid, task);
    this.#lastOf.set(pid, task);
    return task;
  }

  /** The living task of a pid, if there is one. */
  find(pid: number): ImportedTask | undefined {
    return this.#live.get(pid);
  }

  /** The task that had the pid last, living or not. */
  latest(pid: number): ImportedTask | undefined {
    return this.#lastOf.get(pid);
  }

  living(): ImportedTask[] {
    return [...this.#live.values()];
  }

  /** `event` of `parent` began the task of `pid`, which may have been seen before that event ended. */
  spawned(parent: ImportedTask, event: number, pid: number, kind: SpawnKind): ImportedTask {
    let child = this.#live.get(pid);
    // A child that came and went while its parent was still in the call (vfork).
    const gone = this.#lastOf.get(pid);
    if (child === undefined && gone !== undefined && gone.spawn < 0 && gone.last > event) child = gone;
    // A task that something else began, or an ancestor, cannot have been begun here: the pid is in use again.
    if (child !== undefined && (child === parent || child.spawn >= 0 || isAncestor(child, parent))) child = undefined;
    child ??= this.#make(pid);
    child.spawn = event;
    child.parent = parent;
    if (kind.thread) {
      child.leader = parent.leader;
      child.process = parent.process;
    } else {
      child.firstImage.from ??= parent.process.image;
      child.process.borrowed = kind.sharesMemory && child.process.mm === child.firstMm;
      child.firstMm.from = parent.process.mm;
      child.firstMm.created = event;
    }
    child.comm ??= parent.comm;
    child.exe ??= parent.exe;
    return child;
  }

  /** The process of `task` runs another program from here on. */
  exec(task: ImportedTask, event: number, exe: string | null): void {
    const { process } = task;
    if (!process.borrowed) process.mm.end = event;
    process.borrowed = false;
    const before = process.image;
    process.image = new Image();
    process.image.exe = exe;
    // All that is known of a program that does nothing but run another one: it is taken as that one's kind.
    if (before.from === null && before.votes[ABI.i386] === before.votes[ABI.x86_64]) before.from = process.image;
    process.mm = this.#mm(null, event);
    if (exe !== null) {
      task.exe = exe;
      task.comm = exe.slice(exe.lastIndexOf("/") + 1).slice(0, 15);
    }
  }

  /** A task is no more. */
  end(task: ImportedTask, status: number | null): void {
    task.ended = true;
    if (status !== null) task.status = status;
    if (this.#live.get(task.pid) === task) this.#live.delete(task.pid);
    for (const [pid, other] of this.#live) if (other === task) this.#live.delete(pid);
  }

  /** The source holds whole tasks without saying how they ended. */
  endAll(): void {
    for (const task of this.all) this.end(task, null);
  }

  /** A thread that runs an execve takes the pid of its process; whoever had it is no more. */
  takeOver(task: ImportedTask, pid: number): void {
    const old = this.#live.get(pid);
    if (old !== undefined && old !== task) this.end(old, 0);
    this.#live.delete(task.pid);
    this.#live.set(pid, task);
    this.#lastOf.set(pid, task);
  }

  /** The pid of a task becomes known. */
  rename(from: number, to: number): void {
    const task = this.#live.get(from);
    if (task === undefined || this.#live.has(to)) return;
    this.#live.delete(from);
    task.pid = to;
    this.#live.set(to, task);
    this.#lastOf.set(to, task);
  }

  /** Rows of tasks and address spaces. `seq` gives the number of an event as it will stand in the trace, -1 for none. */
  rows(seq: (event: number) => number): { tasks: TaskRow[]; mms: MmRow[]; numberOf: Int32Array } {
    const numberOf = new Int32Array(this.all.length).fill(-1);
    const order: ImportedTask[] = [];
    for (const task of this.all) {
      const line: ImportedTask[] = [];
      for (let t: ImportedTask | null = task; t !== null && numberOf[t.number] < 0 && !line.includes(t); t = t.parent)
        line.push(t);
      while (line.length > 0) {
        const next = line.pop()!;
        numberOf[next.number] = order.length;
        order.push(next);
      }
    }
    const known = (event: number): number | null => {
      const at = event < 0 ? -1 : seq(event);
      return at < 0 ? null : at;
    };
    const mmOf = new Map<Mm, number>();
    const mms: MmRow[] = [];
    const mmNumber = (mm: Mm): number => {
      const found = mmOf.get(mm);
      if (found !== undefined) return found;
      const from: number | null = mm.from === null ? null : mmNumber(mm.from);
      const number = mms.length;
      mmOf.set(mm, number);
      mms.push({ mm: number, createdSeq: known(mm.created), fromMm: from, endSeq: known(mm.end) });
      return number;
    };
    const tasks = order.map((t, task): TaskRow => {
      const first = t.leader === t ? t.firstMm : t.process.mm;
      return {
        task,
        tgidTask: numberOf[t.leader.number],
        mm: mmNumber(first),
        parentTask: t.parent === null ? null : numberOf[t.parent.number],
        pid: t.pid < 0 ? null : t.pid,
        spawnSeq: known(t.spawn),
        exitSeq: t.ended ? known(t.last) : null,
        status: t.status,
        ring: 3,
        comm: t.comm,
        exe: t.exe,
      };
    });
    return { tasks, mms, numberOf };
  }
}

function isAncestor(task: ImportedTask, of: ImportedTask): boolean {
  let at: ImportedTask | null = of;
  for (let depth = 0; at !== null && depth < 100_000; depth++, at = at.parent) if (at === task) return true;
  return false;
}
