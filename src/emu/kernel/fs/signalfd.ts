// signalfd: pending signals that are read as records (fs/signalfd.c). Whose signals is decided by who reads, not by who made it.
import { EAGAIN, EBADF, EINVAL, SysError } from "../errno.ts";
import type { Kernel, Sys } from "../kernel.ts";
import { SI_TIMER, UNBLOCKABLE } from "../signal.ts";
import type { SigInfo, SigSet, Task } from "../task.ts";
import { copyIn } from "../user.ts";
import { Retry } from "../wait.ts";
import { O_CLOEXEC, O_NONBLOCK, O_RDWR, POLLIN, POLLRDNORM } from "./const.ts";
import type { FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { nofile } from "./open.ts";
import { untilDone } from "./read_write.ts";
import { recordTiming } from "./trace.ts";

/** sizeof(struct signalfd_siginfo). */
const RECORD = 128;

class SignalFd {
  mask: SigSet;
  constructor(mask: SigSet) {
    this.mask = mask;
  }
}

/** struct signalfd_siginfo. */
function encode(info: SigInfo): Uint8Array {
  const bytes = new Uint8Array(RECORD);
  const view = new DataView(bytes.buffer);
  const put = (at: number, value: number | undefined) => view.setInt32(at, value ?? 0, true);
  put(0, info.signo);
  put(4, info.errno);
  put(8, info.code);
  if (info.addr !== undefined) view.setBigUint64(72, BigInt(info.addr >>> 0), true);
  else if (info.code === SI_TIMER) {
    put(24, info.timerId);
    put(32, info.overrun);
  } else if (info.band !== undefined) {
    put(28, info.band);
    put(20, info.fd);
  } else {
    put(12, info.pid);
    put(16, info.uid);
  }
  if (info.status !== undefined) {
    put(40, info.status);
    put(56, info.utime);
    put(64, info.stime);
  } else if (info.value !== undefined && (info.code === SI_TIMER || info.code < 0)) {
    put(44, info.value);
    view.setBigUint64(48, BigInt(info.value >>> 0), true);
  }
  return bytes;
}

/** As many records as fit and are pending; -EAGAIN if none is. A signal whose record cannot be written is lost, as in Linux. */
function readOnce(k: Kernel, t: Task, fd: SignalFd, iter: IovIter): number {
  let n = 0;
  while (iter.left >= RECORD) {
    if (!((t.pending.set | t.signal.pending.set) & fd.mask)) break;
    let fault: unknown;
    try {
      iter.touch(RECORD, true);
    } catch (e) {
      if (n > 0 && e instanceof Retry) break;
      if (!(e instanceof SysError)) throw e;
      fault = e;
    }
    const info = k.signals.take(t, fd.mask);
    k.signals.recalc(t);
    if (info === undefined) break;
    if (fault !== undefined && n === 0) throw fault;
    if (fault !== undefined) break;
    if (info.from !== undefined) k.edge(t, { from: info.from, kind: "signal" });
    iter.put(encode(info));
    iter.advance(RECORD);
    n += RECORD;
  }
  if (n > 0) return n;
  recordTiming(k, t);
  return -EAGAIN;
}

const signalOps: FileOps = {
  stream: true,
  llseek: (_k, file) => file.pos,
  read: (k, t, file, iter) => {
    if (iter.left < RECORD) return -EINVAL;
    const fd = file.data as SignalFd;
    return file.nonblock ? readOnce(k, t, fd, iter) : untilDone(t.sighand.signalfd, () => readOnce(k, t, fd, iter));
  },
  poll: (k, file) => {
    const t = k.current;
    const pending = (t.pending.set | t.signal.pending.set) & (file.data as SignalFd).mask;
    return { mask: pending ? POLLIN | POLLRDNORM : 0, queues: [t.sighand.signalfd] };
  },
};

/** signalfd4(fd or -1, mask, its size, flags). */
export const sys_signalfd4: Sys = (k, t, ufd, addr, size, flags) => {
  if (size !== 8) return -EINVAL;
  const mask = new DataView(copyIn(k, t, addr, 8).buffer).getBigUint64(0, true) & ~UNBLOCKABLE;
  if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
  if (ufd !== -1) {
    const file = t.files!.get(ufd);
    if (!file) return -EBADF;
    if (!(file.data instanceof SignalFd)) return -EINVAL;
    file.data.mask = mask;
    t.sighand.signalfd.wakeAll(k.cause("signal"));
    return ufd;
  }
  const file = k.vfs.anonfs.open(0o600, O_RDWR | (flags & O_NONBLOCK), signalOps, () => "anon_inode:[signalfd]");
  file.data = new SignalFd(mask);
  return t.files!.install(file, 0, (flags & O_CLOEXEC) !== 0, nofile(t));
};
export const sys_signalfd: Sys = (k, t, ufd, addr, size, _d, e, f) => sys_signalfd4(k, t, ufd, addr, size, 0, e, f);
