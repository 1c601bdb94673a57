// System V message queues (ipc/msg.c).
import { E2BIG, EAGAIN, EIDRM, EINVAL, ENOMEM, ENOMSG, EPERM, ERESTARTNOHAND } from "../errno.ts";
import { finish } from "../fs/read_write.ts";
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, copyOut, readI32, tryTouch } from "../user.ts";
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

const MSGMNI = 32_000;
const MSGMAX = 8192;
const MSGMNB = 16_384;
const MSG_NOERROR = 0o10000;
const MSG_EXCEPT = 0o20000;
const MSG_COPY = 0o40000;
const [MSG_STAT, MSG_INFO, MSG_STAT_ANY] = [11, 12, 13];
/** Bytes that all queues of a machine may hold: host memory. */
const MAX_BYTES = 32 << 20;

interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
  /** The event that sent it, for the trace. */
  readonly from: number;
}

class MsgQueue {
  readonly perm: IpcPerm;
  readonly messages: Message[] = [];
  bytes = 0;
  limit = MSGMNB;
  stime = 0;
  rtime = 0;
  ctime: number;
  lspid = 0;
  lrpid = 0;
  /** Where receivers and senders wait. */
  readonly arrived = new WaitQueue();
  readonly room = new WaitQueue();

  constructor(perm: IpcPerm, now: number) {
    this.perm = perm;
    this.ctime = now;
  }

  /** Index of the message that a receive wants; -1 if there is none. */
  find(type: number, flags: number): number {
    const { messages } = this;
    if (flags & MSG_COPY) return type < messages.length ? type : -1;
    if (type === 0) return messages.length > 0 ? 0 : -1;
    if (type > 0) return messages.findIndex((m) => (m.type === type) === !(flags & MSG_EXCEPT));
    const most = type === -0x8000_0000 ? 0x7fff_ffff : -type;
    let best = -1;
    for (const [i, m] of messages.entries()) if (m.type <= most && (best < 0 || m.type < messages[best].type)) best = i;
    return best;
  }
}

/** All queues of the machine. */
export class MessageQueues {
  readonly table = new IpcTable<MsgQueue>(MSGMNI);

  bytes(): number {
    return this.table.all().reduce((sum, q) => sum + q.bytes, 0);
  }

  /** /proc/sysvipc/msg. */
  text(): string {
    const head =
      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n";
    const row = (q: MsgQueue) => {
      const p = q.perm;
      const ids = [q.lspid, q.lrpid, p.uid, p.gid, p.cuid, p.cgid].map((n) => column(n, 5)).join(" ");
      const times = [q.stime, q.rtime, q.ctime].map((n) => column(n, 10)).join(" ");
      return `${column(p.key, 10)} ${column(p.id, 10)}  ${column(p.mode, 4, 8)}  ${column(q.bytes, 10)} ${column(q.messages.length, 10)} ${ids} ${times}\n`;
    };
    return head + this.table.all().map(row).join("");
  }
}

/** msgget(key, flags). */
export const sys_msgget: Sys = (k, t, key, flags) =>
  k.ipc.msg.table.get(
    t,
    key,
    flags,
    () => 0,
    () => new MsgQueue(new IpcPerm(t, key, flags), k.realtime().sec),
  );

/** msgsnd(queue, message, bytes of its text, flags). */
export const sys_msgsnd: Sys = (k, t, id, addr, size, flags): SysResult => {
  const type = readI32(k, t, addr);
  if (size > MSGMAX || size < 0 || id < 0 || type < 1) return -EINVAL;
  const bytes = copyIn(k, t, addr + 4, size);
  return send(k, t, k.ipc.msg.table.at(id), { type, bytes, from: t.seq }, flags);
};

function* send(k: Kernel, t: Task, q: MsgQueue, m: Message, flags: number): Generator<Wait, number, WakeReason> {
  for (;;) {
    if (q.perm.deleted) return -EIDRM;
    demand(t, q.perm, S_IWUGO);
    if (m.bytes.length + q.bytes <= q.limit && q.messages.length + 1 <= q.limit) break;
    if (flags & IPC_NOWAIT) return -EAGAIN;
    const why = yield { queues: [q.room], interruptible: true };
    if (q.perm.deleted) return -EIDRM;
    if (why === "signal") return -ERESTARTNOHAND;
  }
  if (k.ipc.msg.bytes() + m.bytes.length > MAX_BYTES) return -ENOMEM;
  q.messages.push(m);
  q.bytes += m.bytes.length;
  q.lspid = t.tgid;
  q.stime = k.realtime().sec;
  q.arrived.wakeAll(k.cause("data"));
  return 0;
}

/** msgrcv(queue, message, bytes of its text, type, flags). */
export const sys_msgrcv: Sys = (k, t, id, addr, size, type, flags): SysResult => {
  if (id < 0 || size < 0) return -EINVAL;
  if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))) return -EINVAL;
  return receive(k, t, k.ipc.msg.table.at(id), { addr, size, type, flags });
};

interface Wanted {
  addr: number;
  size: number;
  type: number;
  flags: number;
}

function* receive(k: Kernel, t: Task, q: MsgQueue, want: Wanted): Generator<Wait, number, WakeReason> {
  const { addr, size, type, flags } = want;
  for (;;) {
    if (q.perm.deleted) return -EIDRM;
    demand(t, q.perm, S_IRUGO);
    const at = q.find(type, flags);
    if (at >= 0) {
      const m = q.messages[at];
      if (m.bytes.length > size && !(flags & MSG_NOERROR)) return -E2BIG;
      const n = Math.min(size, m.bytes.length);
      // Pages that have to be waited for may let another receiver in: look again.
      const error = yield* finish(() => tryTouch(k, t, addr, 4 + n, true));
      if (q.perm.deleted || q.messages[at] !== m) continue;
      if (!(flags & MSG_COPY)) take(k, t, q, at);
      // Lost, as in Linux.
      if (error !== 0) return error;
      if (m.from >= 0) k.edge(t, { from: m.from, kind: "data" });
      const out = new Uint8Array(4 + n);
      new DataView(out.buffer).setInt32(0, m.type, true);
      out.set(m.bytes.subarray(0, n), 4);
      copyOut(k, t, addr, out);
      return n;
    }
    if (flags & IPC_NOWAIT) return -ENOMSG;
    const why = yield { queues: [q.arrived], interruptible: true };
    if (q.perm.deleted) return -EIDRM;
    if (why === "signal" && q.find(type, flags) < 0) return -ERESTARTNOHAND;
  }
}

function take(k: Kernel, t: Task, q: MsgQueue, at: number): void {
  const [m] = q.messages.splice(at, 1);
  q.bytes -= m.bytes.length;
  q.lrpid = t.tgid;
  q.rtime = k.realtime().sec;
  q.room.wakeAll(k.cause("space"));
}

/** struct msqid64_ds or msqid_ds. */
function msgBytes(q: MsgQueue, wide: boolean): Uint8Array {
  const perm = permFields(q.perm, wide);
  const n = q.messages.length;
  if (wide) {
    const times = [q.stime, q.rtime, q.ctime].flatMap(wideTime);
    return struct([...perm, ...times, q.bytes, n, q.limit, q.lspid, q.lrpid], 88);
  }
  const shorts = [q.bytes, n, q.limit, q.lspid, q.lrpid].map((x): readonly [number, 2] => [Math.min(x, 0xffff), 2]);
  return struct([...perm, 0, 0, q.stime, q.rtime, q.ctime, q.bytes, q.limit, ...shorts], 56);
}

/** struct msginfo. */
function msgInfo(k: Kernel, cmd: number): Uint8Array {
  const { msg } = k.ipc;
  const headers = () => msg.table.all().reduce((sum, q) => sum + q.messages.length, 0);
  const [pool, map, headersMost] =
    cmd === MSG_INFO ? [msg.table.size, headers(), msg.bytes()] : [(MSGMNI * MSGMNB) / 1024, MSGMNB, MSGMNB];
  return struct([pool, map, MSGMAX, MSGMNB, MSGMNI, 16, headersMost, 0xffff], 32);
}

/**
 * msgctl(queue, command, argument).
 * @param wide the structs of IPC_64
 */
export function msgctl(k: Kernel, t: Task, id: number, cmd: number, arg: number, wide: boolean): number {
  const { table } = k.ipc.msg;
  if (id < 0 || cmd < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case MSG_INFO:
      copyOut(k, t, arg, msgInfo(k, cmd));
      return table.highest;
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
      return ipcStat(k, t, table, { id, cmd, arg, any: cmd === MSG_STAT_ANY }, (o) => msgBytes(o, wide));
    case IPC_SET: {
      const bytes = copyIn(k, t, arg, wide ? 88 : 56);
      const view = new DataView(bytes.buffer);
      const limit = wide ? view.getUint32(68, true) : view.getUint32(40, true) || view.getUint16(48, true);
      const q = table.at(id);
      demandOwner(k, t, q.perm);
      if (limit > MSGMNB && !k.ids.capable(t, "SYS_RESOURCE")) return -EPERM;
      setPerm(k, t, q.perm, arg, wide);
      q.limit = limit;
      q.ctime = k.realtime().sec;
      q.room.wakeAll(k.cause("space"));
      q.arrived.wakeAll(k.cause("data"));
      return 0;
    }
    case IPC_RMID: {
      const q = table.at(id);
      demandOwner(k, t, q.perm);
      table.remove(q);
      for (const queue of [q.room, q.arrived]) queue.wakeAll(k.cause("data"));
      return 0;
    }
    default:
      return -EINVAL;
  }
}

export const sys_msgctl: Sys = (k, t, id, cmd, arg) => msgctl(k, t, id, cmd, arg, true);
