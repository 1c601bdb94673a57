// tee: what is in a pipe, into another one as well (fs/splice.c).
import { EAGAIN, EBADF, EINVAL, EPIPE, ERESTARTSYS } from "../errno.ts";
import { Pipe } from "../ipc/pipe.ts";
import type { Kernel, Sys } from "../kernel.ts";
import { SIGPIPE } from "../signal.ts";
import type { Task } from "../task.ts";
import type { Wait, WakeReason } from "../wait.ts";

const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_ALL = 15;

function* teePipes(
  k: Kernel,
  t: Task,
  from: Pipe,
  to: Pipe,
  length: number,
  nonblock: boolean,
): Generator<Wait, number, WakeReason> {
  let why: WakeReason = "woken";
  while (from.used === 0 && from.writers > 0) {
    if (why === "signal") return -ERESTARTSYS;
    if (nonblock) return -EAGAIN;
    why = yield { queues: [from.readQueue], interruptible: true };
  }
  why = "woken";
  for (;;) {
    if (to.readers === 0) {
      k.signals.send(t, k.signals.userInfo(t, SIGPIPE));
      return -EPIPE;
    }
    if (to.room > 0) break;
    if (nonblock) return -EAGAIN;
    if (why === "signal") return -ERESTARTSYS;
    why = yield { queues: [to.writeQueue], interruptible: true };
  }
  const n = Math.min(length, from.used, to.room);
  const by = from.readyBy();
  if (by !== undefined) k.edge(t, { from: by, kind: "data" });
  if (n === 0) return 0;
  const bytes = new Uint8Array(n);
  from.peek(n, (part, at) => bytes.set(part, at));
  to.fill(k, t, bytes);
  return n;
}

/** tee(in, out, length, flags): both are pipes, and not the same. */
export const sys_tee: Sys = (k, t, inFd, outFd, length, flags) => {
  if (flags & ~SPLICE_F_ALL) return -EINVAL;
  if (length === 0) return 0;
  const [from, to] = [t.files!.get(inFd), t.files!.get(outFd)];
  if (!from?.readable || !to?.writable) return -EBADF;
  if (!(from.data instanceof Pipe) || !(to.data instanceof Pipe) || from.data === to.data) return -EINVAL;
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0 || from.nonblock || to.nonblock;
  return teePipes(k, t, from.data, to.data, length >>> 0, nonblock);
};
