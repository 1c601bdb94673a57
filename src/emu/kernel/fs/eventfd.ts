// eventfd and memfd_create: a counter that can be polled, and a file without a name (fs/eventfd.c, mm/memfd.c).
import { EAGAIN, EFAULT, EINVAL, SysError } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readString } from "../user.ts";
import { WaitQueue } from "../wait.ts";
import { O_CLOEXEC, O_LARGEFILE, O_NONBLOCK, O_RDWR, POLLERR, POLLIN, POLLOUT } from "./const.ts";
import type { FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { nofile } from "./open.ts";
import { untilDone } from "./read_write.ts";
import { regularOps } from "./regular.ts";

const EFD_SEMAPHORE = 1;
const MAX = 0xffff_ffff_ffff_fffen;

class EventFd {
  count: bigint;
  readonly semaphore: boolean;
  readonly queue = new WaitQueue();
  /** Last events that added and took, for the trace's edges. */
  addedBy = -1;
  takenBy = -1;

  constructor(count: number, semaphore: boolean) {
    this.count = BigInt(count >>> 0);
    this.semaphore = semaphore;
  }
}

function readOnce(k: Kernel, t: Task, e: EventFd, iter: IovIter): number {
  if (e.count === 0n) return -EAGAIN;
  const value = e.semaphore ? 1n : e.count;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  iter.put(bytes);
  e.count -= value;
  if (e.addedBy >= 0) k.edge(t, { from: e.addedBy, kind: "data" });
  e.takenBy = t.seq;
  e.queue.wakeAll(k.cause("space"));
  return 8;
}

function writeOnce(k: Kernel, t: Task, e: EventFd, iter: IovIter): number {
  const bytes = iter.take(8);
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (value > MAX) return -EINVAL;
  if (e.count + value > MAX) return -EAGAIN;
  e.count += value;
  e.addedBy = t.seq;
  e.queue.wakeAll(k.cause("data"));
  return 8;
}

const eventOps: FileOps = {
  stream: true,
  llseek: (_k, file) => file.pos,
  read: (k, t, file, iter) => {
    if (iter.left < 8) return -EINVAL;
    const e = file.data as EventFd;
    const once = () => readOnce(k, t, e, iter);
    return file.nonblock || e.count > 0n ? once() : untilDone(e.queue, once);
  },
  write: (k, t, file, iter) => {
    if (iter.left < 8) return -EINVAL;
    const e = file.data as EventFd;
    const once = () => writeOnce(k, t, e, iter);
    const r = once();
    return r === -EAGAIN && !file.nonblock ? untilDone(e.queue, once) : r;
  },
  poll: (_k, file) => {
    const e = file.data as EventFd;
    let mask = e.count > 0n ? POLLIN : 0;
    if (e.count < MAX) mask |= POLLOUT;
    if (e.count > MAX) mask |= POLLERR;
    return { mask, queues: [e.queue] };
  },
};

/** eventfd2(initial count, flags). */
export function sys_eventfd2(k: Kernel, t: Task, count: number, flags: number): SysResult {
  if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  const file = k.vfs.anonfs.open(0o600, O_RDWR | (flags & O_NONBLOCK), eventOps, () => "anon_inode:[eventfd]");
  file.data = new EventFd(count, (flags & EFD_SEMAPHORE) !== 0);
  return t.files!.install(file, 0, (flags & O_CLOEXEC) !== 0, nofile(t));
}
export function sys_eventfd(k: Kernel, t: Task, count: number): SysResult {
  return sys_eventfd2(k, t, count, 0);
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MEMFD_NAME_MAX = 249;

/** memfd_create(name, flags). */
export function sys_memfd_create(k: Kernel, t: Task, addr: number, flags: number): SysResult {
  if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) return -EINVAL;
  if (addr === 0) throw new SysError(EFAULT);
  const name = readString(k, t, addr, MEMFD_NAME_MAX + 1, EINVAL);
  const sb = k.vfs.shmem;
  const inode = sb.root.inode.tmpfile(0o777, k, t);
  if (typeof inode === "number") return inode;
  const file = k.vfs.anonfs.openInode(inode, O_RDWR | O_LARGEFILE, regularOps, `/memfd:${name} (deleted)`);
  inode.writers++;
  return t.files!.install(file, 0, (flags & MFD_CLOEXEC) !== 0, nofile(t));
}
