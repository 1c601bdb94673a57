// POSIX message queues: named queues with priorities, opened as files (ipc/mqueue.c).
import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EINVAL,
  EMFILE,
  EMSGSIZE,
  ENAMETOOLONG,
  ENOENT,
  ENOSPC,
  EPERM,
  ERESTARTSYS,
  ETIMEDOUT,
  SysError,
} from "../errno.ts";
import { AnonInode, AnonSuper } from "../fs/anon.ts";
import {
  MAY_READ,
  MAY_WRITE,
  NAME_MAX,
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  S_IFREG,
} from "../fs/const.ts";
import type { File, FileOps } from "../fs/file.ts";
import { permission } from "../fs/namei.ts";
import { nofile } from "../fs/open.ts";
import { finish } from "../fs/read_write.ts";
import { textOps } from "../fs/text.ts";
import type { Kernel, Sys, SysResult } from "../kernel.ts";
import { RLIMIT, type Task } from "../task.ts";
import { CLOCK_REALTIME, deadlineOf, TIME32, TIME64, type TimespecCodec, validTimespec } from "../time.ts";
import { copyIn, copyOut, readString, tryTouch, writeU32 } from "../user.ts";
import { type Wait, WaitQueue, type WakeReason } from "../wait.ts";

const MQUEUE_MAGIC = 0x1980_0202;
/** The limits of /proc/sys/fs/mqueue, and those of CAP_SYS_RESOURCE. */
export const MQ_LIMITS = { msg_default: 10, msg_max: 10, msgsize_default: 8192, msgsize_max: 8192, queues_max: 256 };
const HARD_MSGMAX = 65_536;
const HARD_MSGSIZEMAX = 16 << 20;
const PRIO_MAX = 32_768;
const SI_MESGQ = -3;
const SIGEV_SIGNAL = 0;
const SIGEV_NONE = 1;
/** Kernel bytes per message that count against RLIMIT_MSGQUEUE (a pointer and a node). */
const PER_MESSAGE = 4 + 24;

interface Message {
  readonly bytes: Uint8Array;
  readonly prio: number;
  readonly from: number;
}

class Queue {
  readonly inode: AnonInode;
  readonly maxMsg: number;
  readonly msgSize: number;
  /** Highest priority first, in order of arrival among equals. */
  readonly messages: Message[] = [];
  readonly arrived = new WaitQueue();
  readonly room = new WaitQueue();
  /** Receivers that wait: a notification is for who does not. */
  receivers = 0;
  notify: { t: Task; signo: number; value: number; how: number } | undefined;
  readonly uid: number;
  readonly charged: number;

  constructor(inode: AnonInode, maxMsg: number, msgSize: number) {
    this.inode = inode;
    this.maxMsg = maxMsg;
    this.msgSize = msgSize;
    this.uid = inode.uid;
    this.charged = maxMsg * (msgSize + PER_MESSAGE);
  }
}

/** The queues of a machine, by name. */
export class PosixQueues {
  readonly sb = new AnonSuper(19, "mqueue", MQUEUE_MAGIC, 2);
  readonly queues = new Map<string, Queue>();
}

const text = textOps((_k, _t, file) => {
  const q = queueOf(file);
  const bytes = q.messages.reduce((sum, m) => sum + m.bytes.length, 0);
  const n = q.notify;
  const of = (value: number, width: number) => String(value).padEnd(width);
  return `QSIZE:${of(bytes, 10)} NOTIFY:${of(n?.how ?? 0, 5)} SIGNO:${of(n?.how === SIGEV_SIGNAL ? n.signo : 0, 5)} NOTIFY_PID:${of(n?.t.tgid ?? 0, 6)}\n`;
});

const queueOps: FileOps = {
  ...text,
  poll: (_k, file) => {
    const q = queueOf(file);
    const mask =
      (q.messages.length > 0 ? POLLIN | POLLRDNORM : 0) | (q.messages.length < q.maxMsg ? POLLOUT | POLLWRNORM : 0);
    return { mask, queues: [q.arrived, q.room] };
  },
};

class QueueInode extends AnonInode {
  queue: Queue | undefined;
}

function queueOf(file: File): Queue {
  return (file.inode as QueueInode).queue!;
}

/** The queue of a descriptor that was opened for it. @throws SysError(EBADF) */
function fileOf(t: Task, fd: number, access: "read" | "write" | "any"): File {
  const file = t.files!.get(fd);
  if (!(file?.inode instanceof QueueInode)) throw new SysError(EBADF);
  if ((access === "read" && !file.readable) || (access === "write" && !file.writable)) throw new SysError(EBADF);
  return file;
}

function nameAt(k: Kernel, t: Task, addr: number): string {
  const name = readString(k, t, addr);
  if (name === "") throw new SysError(ENOENT);
  if (name.includes("/") || name === "." || name === "..") throw new SysError(EACCES);
  if (name.length > NAME_MAX) throw new SysError(ENAMETOOLONG);
  return name;
}

function make(k: Kernel, t: Task, mode: number, attr: Int32Array | undefined): Queue {
  const { mq } = k.ipc;
  const privileged = k.ids.capable(t, "SYS_RESOURCE");
  if (mq.queues.size >= MQ_LIMITS.queues_max && !privileged) throw new SysError(ENOSPC);
  const maxMsg = attr ? attr[1] : MQ_LIMITS.msg_default;
  const msgSize = attr ? attr[2] : MQ_LIMITS.msgsize_default;
  const most = privileged ? [HARD_MSGMAX, HARD_MSGSIZEMAX] : [MQ_LIMITS.msg_max, MQ_LIMITS.msgsize_max];
  if (maxMsg <= 0 || msgSize <= 0 || maxMsg > most[0] || msgSize > most[1]) throw new SysError(EINVAL);
  const inode = new QueueInode(mq.sb, mq.sb.newIno(), S_IFREG | (mode & 0o777 & ~t.fs!.umask), queueOps);
  inode.uid = t.creds.fsuid;
  inode.gid = t.creds.fsgid;
  inode.size = 80;
  inode.atime = inode.mtime = inode.ctime = k.realtime();
  const q = new Queue(inode, maxMsg, msgSize);
  const used = [...mq.queues.values()]
    .filter(({ uid }) => uid === q.uid)
    .reduce((sum, { charged }) => sum + charged, 0);
  if (used + q.charged > t.signal.rlimits[RLIMIT.MSGQUEUE].cur) throw new SysError(EMFILE);
  inode.queue = q;
  return q;
}

/** mq_open(name, flags, mode, attributes). */
export const sys_mq_open: Sys = (k, t, nameAddr, flags, mode, attrAddr) => {
  const attr = attrAddr === 0 ? undefined : new Int32Array(copyIn(k, t, attrAddr, 32).buffer);
  const name = nameAt(k, t, nameAddr);
  const { mq } = k.ipc;
  let q = mq.queues.get(name);
  const how = flags & O_ACCMODE;
  if (q !== undefined) {
    if (flags & O_CREAT && flags & O_EXCL) return -EEXIST;
    if (how === O_ACCMODE) return -EINVAL;
    const may = how === O_RDONLY ? MAY_READ : how === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
    const denied = permission(q.inode, may, t.creds);
    if (denied < 0) return denied;
  } else {
    if (!(flags & O_CREAT)) return -ENOENT;
    q = make(k, t, mode, attr);
    mq.queues.set(name, q);
  }
  const file = mq.sb.openInode(q.inode, how | (flags & O_NONBLOCK), queueOps, `/${name}`);
  return t.files!.install(file, 0, true, nofile(t));
};

/** mq_unlink(name): who has it open keeps it. */
export const sys_mq_unlink: Sys = (k, t, nameAddr) => {
  const name = nameAt(k, t, nameAddr);
  const { mq } = k.ipc;
  const q = mq.queues.get(name);
  if (q === undefined) return -ENOENT;
  if (t.creds.fsuid !== q.inode.uid && t.creds.fsuid !== 0) return -EPERM;
  mq.queues.delete(name);
  return 0;
};

/** The deadline of a call; undefined: none. @throws SysError(EINVAL) */
function deadlineAt(k: Kernel, t: Task, addr: number, codec: TimespecCodec): number | undefined {
  if (addr === 0) return undefined;
  const time = codec.read(k, t, addr);
  if (!validTimespec(time)) throw new SysError(EINVAL);
  return deadlineOf(k, CLOCK_REALTIME, time, true);
}

function* send(k: Kernel, t: Task, file: File, m: Message, deadline?: number): Generator<Wait, number, WakeReason> {
  const q = queueOf(file);
  while (q.messages.length >= q.maxMsg) {
    if (file.nonblock) return -EAGAIN;
    const why = yield { queues: [q.room], interruptible: true, deadline };
    if (q.messages.length < q.maxMsg) break;
    if (why === "timeout") return -ETIMEDOUT;
    if (why === "signal") return -ERESTARTSYS;
  }
  const at = q.messages.findIndex(({ prio }) => prio < m.prio);
  q.messages.splice(at < 0 ? q.messages.length : at, 0, m);
  if (q.messages.length === 1 && q.receivers === 0) tell(k, t, q);
  q.arrived.wakeAll(k.cause("data"));
  return 0;
}

/** The first message of an empty queue: who asked to be told is, once. */
function tell(k: Kernel, t: Task, q: Queue): void {
  const n = q.notify;
  q.notify = undefined;
  if (n?.how !== SIGEV_SIGNAL || !n.t.signal.leader.alive) return;
  const info = { signo: n.signo, code: SI_MESGQ, errno: 0, pid: t.tgid, uid: t.creds.uid, value: n.value };
  k.signals.sendGroup(n.t.signal.leader, info);
}

function timedsend(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  size: number,
  prio: number,
  deadline: number | undefined,
): SysResult {
  if (prio >>> 0 >= PRIO_MAX) return -EINVAL;
  const file = fileOf(t, fd, "write");
  if (size >>> 0 > queueOf(file).msgSize) return -EMSGSIZE;
  return send(k, t, file, { bytes: copyIn(k, t, addr, size), prio, from: t.seq }, deadline);
}

function* receive(
  k: Kernel,
  t: Task,
  file: File,
  addr: number,
  prioAddr: number,
  deadline?: number,
): Generator<Wait, number, WakeReason> {
  const q = queueOf(file);
  for (;;) {
    const m = q.messages[0];
    if (m !== undefined) {
      // Pages that have to be waited for may let another receiver in: look again.
      const error = yield* finish(
        () => tryTouch(k, t, addr, m.bytes.length, true) || (prioAddr === 0 ? 0 : tryTouch(k, t, prioAddr, 4, true)),
      );
      if (q.messages[0] !== m) continue;
      q.messages.shift();
      q.room.wakeAll(k.cause("space"));
      // Lost, as in Linux.
      if (error !== 0) return error;
      if (m.from >= 0) k.edge(t, { from: m.from, kind: "data" });
      if (prioAddr !== 0) writeU32(k, t, prioAddr, m.prio);
      copyOut(k, t, addr, m.bytes);
      return m.bytes.length;
    }
    if (file.nonblock) return -EAGAIN;
    q.receivers++;
    const why = yield { queues: [q.arrived], interruptible: true, deadline };
    q.receivers--;
    if (q.messages.length > 0) continue;
    if (why === "timeout") return -ETIMEDOUT;
    if (why === "signal") return -ERESTARTSYS;
  }
}

function timedreceive(
  k: Kernel,
  t: Task,
  fd: number,
  addr: number,
  size: number,
  prioAddr: number,
  deadline: number | undefined,
): SysResult {
  const file = fileOf(t, fd, "read");
  if (size >>> 0 < queueOf(file).msgSize) return -EMSGSIZE;
  return receive(k, t, file, addr, prioAddr, deadline);
}

/** mq_timedsend(queue, message, bytes, priority, deadline). */
export const sys_mq_timedsend: Sys = (k, t, fd, addr, size, prio, time) =>
  timedsend(k, t, fd, addr, size, prio, deadlineAt(k, t, time, TIME32));
export const sys_mq_timedsend_time64: Sys = (k, t, fd, addr, size, prio, time) =>
  timedsend(k, t, fd, addr, size, prio, deadlineAt(k, t, time, TIME64));
/** mq_timedreceive(queue, buffer, bytes, where the priority goes, deadline). */
export const sys_mq_timedreceive: Sys = (k, t, fd, addr, size, prio, time) =>
  timedreceive(k, t, fd, addr, size, prio, deadlineAt(k, t, time, TIME32));
export const sys_mq_timedreceive_time64: Sys = (k, t, fd, addr, size, prio, time) =>
  timedreceive(k, t, fd, addr, size, prio, deadlineAt(k, t, time, TIME64));

/** mq_notify(queue, struct sigevent or null). SIGEV_THREAD, which needs a netlink socket of the library's, is not known. */
export const sys_mq_notify: Sys = (k, t, fd, addr) => {
  const event = addr === 0 ? undefined : new Int32Array(copyIn(k, t, addr, 12).buffer);
  if (event && event[2] !== SIGEV_SIGNAL && event[2] !== SIGEV_NONE) return -EINVAL;
  if (event && event[2] === SIGEV_SIGNAL && (event[1] < 0 || event[1] > 64)) return -EINVAL;
  const q = queueOf(fileOf(t, fd, "any"));
  const owner = q.notify?.t.signal.leader.alive ? q.notify.t.signal : undefined;
  if (event === undefined) {
    if (owner === t.signal) q.notify = undefined;
    return 0;
  }
  if (owner !== undefined) return -EBUSY;
  q.notify = { t, value: event[0], signo: event[1], how: event[2] };
  return 0;
};

/** mq_getsetattr(queue, new attributes, old attributes): only O_NONBLOCK can be set. */
export const sys_mq_getsetattr: Sys = (k, t, fd, next, old) => {
  const attr = next === 0 ? undefined : new Int32Array(copyIn(k, t, next, 32).buffer);
  if (attr && attr[0] & ~O_NONBLOCK) return -EINVAL;
  const file = fileOf(t, fd, "any");
  const q = queueOf(file);
  const before = Int32Array.of(file.flags & O_NONBLOCK, q.maxMsg, q.msgSize, q.messages.length, 0, 0, 0, 0);
  if (old !== 0) copyOut(k, t, old, new Uint8Array(before.buffer));
  if (attr) file.flags = (file.flags & ~O_NONBLOCK) | (attr[0] & O_NONBLOCK);
  return 0;
};
