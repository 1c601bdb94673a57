// /proc/PID/mem: a process' memory as a file, for who may trace it (mem_rw in fs/proc/base.c).
import { EACCES, EINVAL, EIO, SysError } from "../../errno.ts";
import type { Kernel } from "../../kernel.ts";
import { remoteHostAddress } from "../../mm/remote.ts";
import { mayAccess } from "../../pidfd.ts";
import type { Task } from "../../task.ts";
import { SEEK_CUR, SEEK_SET } from "../const.ts";
import type { File, FileOps } from "../file.ts";
import type { IovIter } from "../iov.ts";
import { moved } from "../trace.ts";

const PAGE = 4096;

function transfer(k: Kernel, t: Task, task: Task, file: File, iter: IovIter, pos: number, write: boolean): number {
  if (task.mm === undefined) return 0;
  const from = pos < 0 ? file.pos : pos;
  let done = 0;
  while (done < iter.left) {
    const at = from + done;
    const n = Math.min(iter.left - done, PAGE - (at % PAGE));
    try {
      const host = remoteHostAddress(k, task, at, write);
      if (write) iter.takeHost(host, n, done);
      else iter.putHost(host, n, done);
    } catch (e) {
      if (!(e instanceof SysError)) throw e;
      if (done === 0) return -EIO;
      break;
    }
    done += n;
  }
  if (pos < 0) file.pos = from + done;
  return moved(k, t, file, done);
}

/** The operations of a process' `mem`. */
export function memOps(task: Task): FileOps {
  return {
    open: (k, t) => (task === t || mayAccess(k, t, task) ? 0 : -EACCES),
    read: (k, t, file, iter, pos) => transfer(k, t, task, file, iter, pos, false),
    write: (k, t, file, iter, pos) => transfer(k, t, task, file, iter, pos, true),
    llseek: (_k, file, offset, whence) => {
      if (whence !== SEEK_SET && whence !== SEEK_CUR) return -EINVAL;
      file.pos = whence === SEEK_SET ? offset : file.pos + offset;
      return file.pos;
    },
  };
}
