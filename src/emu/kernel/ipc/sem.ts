// System V semaphores: sets that several operations change at once or not at all (ipc/sem.c).
//
// Who must wait is kept in order; whenever a value changes the waiting operations are tried anew and done on behalf of their
// tasks, so that nobody overtakes.
import { E2BIG, EAGAIN, EFBIG, EIDRM, EINTR, EINVAL, ENOSPC, ERANGE, SysError } from "../errno.ts";
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import type { SignalStruct, Task } from "../task.ts";
import { deadlineOf, readTimespec32, readTimespec64, type Timespec, validTimespec } from "../time.ts";
import { copyIn, copyOut } from "../user.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";
import {
  column,
  demand,
  demandOwner,
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  IpcPerm,
  IpcTable,
  ipcStat,
  permFields,
  S_IRUGO,
  S_IWUGO,
  setPerm,
  struct,
  wideTime,
} from "./table.ts";

const SEMMNI = 32_000;
const SEMMSL = 32_000;
const SEMMNS = 1_024_000_000;
const SEMOPM = 500;
const SEMVMX = 32_767;
const SEM_UNDO = 0x1000;
/** Semaphores that a machine may have: host memory. */
const MAX_SEMS = 1 << 20;
const [GETPID, GETVAL, GETALL, , GETZCNT, SETVAL, SETALL, SEM_STAT, SEM_INFO, SEM_STAT_ANY] = [
  11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
];

interface SemOp {
  num: number;
  op: number;
  flags: number;
}

/** Operations that wait. */
interface Pending {
  readonly t: Task;
  readonly ops: readonly SemOp[];
  readonly queue: WaitQueue;
  /** The operation that could not be done. */
  blocking: SemOp;
  /** Set when it is over: 0 or -errno. */
  result: number | undefined;
}

class SemSet {
  readonly perm: IpcPerm;
  readonly values: Int32Array;
  readonly pids: Int32Array;
  otime = 0;
  ctime: number;
  pending: Pending[] = [];
  /** What a process' end adds to each value (SEM_UNDO). */
  readonly undo = new Map<SignalStruct, Int32Array>();

  constructor(perm: IpcPerm, count: number, now: number) {
    this.perm = perm;
    this.values = new Int32Array(count);
    this.pids = new Int32Array(count);
    this.ctime = now;
  }

  /** Does all operations or none. @returns 0, -errno, or the one that has to wait */
  attempt(t: Task, ops: readonly SemOp[]): number | SemOp {
    const { values } = this;
    const after = new Map<number, number>();
    const adjust = new Map<number, number>();
    const undo = this.undo.get(t.signal);
    for (const o of ops) {
      const now = after.get(o.num) ?? values[o.num];
      const next = now + o.op;
      if ((o.op === 0 && now !== 0) || next < 0) return o;
      if (next > SEMVMX) return -ERANGE;
      if (o.flags & SEM_UNDO) {
        const adj = (adjust.get(o.num) ?? undo?.[o.num] ?? 0) - o.op;
        if (adj < -SEMVMX - 1 || adj > SEMVMX) return -ERANGE;
        adjust.set(o.num, adj);
      }
      after.set(o.num, next);
    }
    for (const [num, value] of after) values[num] = value;
    for (const { num } of ops) this.pids[num] = t.tgid;
    if (adjust.size > 0) {
      const adj = undo ?? new Int32Array(values.length);
      for (const [num, value] of adjust) adj[num] = value;
      this.undo.set(t.signal, adj);
    }
    return 0;
  }

  /** A value changed: whoever can go on now is done, those that wait for zero first. */
  update(k: Kernel): void {
    for (let again = true; again; ) {
      again = false;
      const inOrder = [...this.pending].sort((a, b) => Number(alters(a.ops)) - Number(alters(b.ops)));
      for (const p of inOrder) {
        const r = this.attempt(p.t, p.ops);
        if (typeof r !== "number") {
          p.blocking = r;
          continue;
        }
        if (r === 0) this.otime = k.realtime().sec;
        this.finish(k, p, r);
        again = r === 0 && alters(p.ops);
        if (again) break;
      }
    }
  }

  private finish(k: Kernel, p: Pending, result: number): void {
    this.pending = this.pending.filter((other) => other !== p);
    p.result = result;
    p.queue.wakeAll(k.cause("lock"));
  }

  destroy(k: Kernel): void {
    for (const p of [...this.pending]) this.finish(k, p, -EIDRM);
    this.undo.clear();
  }

  /** Tasks that wait for a semaphore to grow, or to become zero. */
  waiters(num: number, zero: boolean): number {
    return this.pending.filter(({ blocking: b }) => b.num === num && (b.op === 0) === zero).length;
  }

  /** SETVAL and SETALL forget what is to be undone. */
  set(num: number, value: number): void {
    this.values[num] = value;
    for (const adj of this.undo.values()) adj[num] = 0;
  }
}

function alters(ops: readonly SemOp[]): boolean {
  return ops.some(({ op }) => op !== 0);
}

/** All sets of the machine. */
export class Semaphores {
  readonly table = new IpcTable<SemSet>(SEMMNI);

  used(): number {
    return this.table.all().reduce((sum, set) => sum + set.values.length, 0);
  }

  /** A process is gone: what it wanted undone is undone. */
  exit(k: Kernel, t: Task): void {
    for (const set of this.table.all()) {
      const adj = set.undo.get(t.signal);
      if (adj === undefined) continue;
      set.undo.delete(t.signal);
      for (const [num, n] of adj.entries()) {
        if (n === 0) continue;
        set.values[num] = Math.min(SEMVMX, Math.max(0, set.values[num] + n));
        set.pids[num] = t.tgid;
      }
      set.otime = k.realtime().sec;
      set.update(k);
    }
  }

  /** /proc/sysvipc/sem. */
  text(): string {
    const head = "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
    const row = ({ perm: p, values, otime, ctime }: SemSet) =>
      `${column(p.key, 10)} ${column(p.id, 10)}  ${column(p.mode, 4, 8)} ${column(values.length, 10)} ` +
      `${[p.uid, p.gid, p.cuid, p.cgid].map((n) => column(n, 5)).join(" ")} ${column(otime, 10)} ${column(ctime, 10)}\n`;
    return head + this.table.all().map(row).join("");
  }
}

/** semget(key, count, flags). */
export const sys_semget: Sys = (k, t, key, count, flags) => {
  if (count < 0 || count > SEMMSL) return -EINVAL;
  const { sem } = k.ipc;
  return sem.table.get(
    t,
    key,
    flags,
    (set) => (count > set.values.length ? -EINVAL : 0),
    () => {
      if (count === 0) throw new SysError(EINVAL);
      if (sem.used() + count > MAX_SEMS) throw new SysError(ENOSPC);
      return new SemSet(new IpcPerm(t, key, flags), count, k.realtime().sec);
    },
  );
};

function semop(k: Kernel, t: Task, id: number, addr: number, count: number, time: Timespec | undefined): SysResult {
  if (count < 1 || id < 0) return -EINVAL;
  if (count > SEMOPM) return -E2BIG;
  const view = new DataView(copyIn(k, t, addr, 6 * count).buffer);
  if (time && !validTimespec(time)) return -EINVAL;
  const ops: SemOp[] = [];
  for (let at = 0; at < 6 * count; at += 6) {
    const [num, flags] = [view.getUint16(at, true), view.getUint16(at + 4, true)];
    ops.push({ num, op: view.getInt16(at + 2, true), flags });
  }
  const set = k.ipc.sem.table.at(id);
  if (ops.some(({ num }) => num >= set.values.length)) return -EFBIG;
  demand(t, set.perm, alters(ops) ? S_IWUGO : S_IRUGO);
  const r = set.attempt(t, ops);
  if (r === 0) {
    set.otime = k.realtime().sec;
    if (alters(ops)) set.update(k);
  }
  if (typeof r === "number") return r;
  if (r.flags & IPC_NOWAIT) return -EAGAIN;
  const deadline = time && deadlineOf(k, 1, time, false);
  const p: Pending = { t, ops, queue: new WaitQueue(), blocking: r, result: undefined };
  set.pending.push(p);
  return semwait(set, p, deadline);
}

function* semwait(set: SemSet, p: Pending, deadline: number | undefined): Generator<Wait, number, WakeReason> {
  try {
    const why = yield { queues: [p.queue], interruptible: true, deadline };
    if (p.result !== undefined) return p.result;
    return why === "timeout" ? -EAGAIN : -EINTR;
  } finally {
    set.pending = set.pending.filter((other) => other !== p);
  }
}

/** semtimedop(set, operations, count, timeout), by the layout of its time. */
export function semtimedop32(k: Kernel, t: Task, id: number, addr: number, count: number, time: number): SysResult {
  return semop(k, t, id, addr, count, time === 0 ? undefined : readTimespec32(k, t, time));
}
export const sys_semtimedop_time64: Sys = (k, t, id, addr, count, time) =>
  semop(k, t, id, addr, count, time === 0 ? undefined : readTimespec64(k, t, time));

/** struct seminfo; semusz and semaem say what is used with SEM_INFO. */
function semInfo(k: Kernel, cmd: number): Uint8Array {
  const { sem } = k.ipc;
  const [sets, sems] = cmd === SEM_INFO ? [sem.table.size, sem.used()] : [20, SEMVMX];
  return struct([SEMMNS, SEMMNI, SEMMNS, SEMMNS, SEMMSL, SEMOPM, SEMOPM, sets, SEMVMX, sems], 40);
}

/** struct semid64_ds or semid_ds. */
function semBytes(set: SemSet, wide: boolean): Uint8Array {
  const perm = permFields(set.perm, wide);
  if (!wide) return struct([...perm, set.otime, set.ctime, 0, 0, 0, 0, [set.values.length, 2]], 44);
  return struct([...perm, ...wideTime(set.otime), ...wideTime(set.ctime), set.values.length], 64);
}

/**
 * semctl(set, number, command, argument).
 * @param wide the structs of IPC_64
 */
export function semctl(k: Kernel, t: Task, id: number, num: number, cmd: number, arg: number, wide: boolean): number {
  const { table } = k.ipc.sem;
  if (id < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case SEM_INFO:
      copyOut(k, t, arg, semInfo(k, cmd));
      return table.highest;
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
      return ipcStat(k, t, table, { id, cmd, arg, any: cmd === SEM_STAT_ANY }, (o) => semBytes(o, wide));
    case IPC_SET: {
      const set = table.at(id);
      setPerm(k, t, set.perm, arg, wide);
      set.ctime = k.realtime().sec;
      return 0;
    }
    case IPC_RMID: {
      const set = table.at(id);
      demandOwner(k, t, set.perm);
      table.remove(set);
      set.destroy(k);
      return 0;
    }
    default:
      return semValues(k, t, id, num, cmd, arg);
  }
}

/** The commands about values. */
function semValues(k: Kernel, t: Task, id: number, num: number, cmd: number, arg: number): number {
  if (cmd < GETPID || cmd > SETALL) return -EINVAL;
  const set = k.ipc.sem.table.at(id);
  const count = set.values.length;
  if (cmd === SETVAL) {
    if (arg > SEMVMX || arg < 0) return -ERANGE;
    if (num < 0 || num >= count) return -EINVAL;
    demand(t, set.perm, S_IWUGO);
    set.set(num, arg);
    set.pids[num] = t.tgid;
    set.ctime = k.realtime().sec;
    set.update(k);
    return 0;
  }
  demand(t, set.perm, cmd === SETALL ? S_IWUGO : S_IRUGO);
  if (cmd === GETALL) {
    copyOut(k, t, arg, new Uint8Array(Uint16Array.from(set.values).buffer));
    return 0;
  }
  if (cmd === SETALL) {
    const values = new Uint16Array(copyIn(k, t, arg, 2 * count).buffer);
    if (values.some((value) => value > SEMVMX)) return -ERANGE;
    for (const [i, value] of values.entries()) {
      set.set(i, value);
      set.pids[i] = t.tgid;
    }
    set.ctime = k.realtime().sec;
    set.update(k);
    return 0;
  }
  if (num < 0 || num >= count) return -EINVAL;
  if (cmd === GETVAL) return set.values[num];
  if (cmd === GETPID) return set.pids[num];
  return set.waiters(num, cmd === GETZCNT);
}

export const sys_semctl: Sys = (k, t, id, num, cmd, arg) => semctl(k, t, id, num, cmd, arg, true);
