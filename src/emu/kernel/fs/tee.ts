// tee: what is in a pipe, into another one as well (fs/splice.c).
import { EBADF, EINVAL } from "../errno.ts";
import { Pipe } from "../ipc/pipe.ts";
import type { Kernel, Sys } from "../kernel.ts";
import type { Task } from "../task.ts";
import { held, type Moving, SPLICE_F_ALL, SPLICE_F_NONBLOCK, untilFilled, untilRoom } from "./splice.ts";

function* teePipes(k: Kernel, t: Task, from: Pipe, to: Pipe, length: number, nonblock: boolean): Moving {
  const filled = yield* untilFilled(from, nonblock);
  if (filled < 0) return filled;
  const room = yield* untilRoom(k, t, to, nonblock);
  if (room < 0) return room;
  const n = Math.min(length, from.used, to.room);
  const by = from.readyBy();
  if (by !== undefined) k.edge(t, { from: by, kind: "data" });
  if (n > 0) to.fill(k, t, held(from, n));
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
