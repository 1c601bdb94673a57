// FIFOs: a pipe found by name; opening one end waits for the other (fs/pipe.c fifo_open).
import { EINVAL, ENXIO, ERESTARTSYS } from "../errno.ts";
import { Pipe, pipeOps } from "../ipc/pipe.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { O_ACCMODE, O_RDONLY, O_RDWR, O_WRONLY } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { Inode } from "./inode.ts";

/** Says which pipe an inode of pipefs is: its ends may be opened again through /proc/self/fd. */
export function bindFifo(inode: Inode, pipe: Pipe): void {
  pipe.anonymous = true;
  inode.channel = pipe;
}

function pipeOf(inode: Inode): Pipe {
  let pipe = inode.channel as Pipe | null;
  if (!pipe || (pipe.readers === 0 && pipe.writers === 0 && !pipe.anonymous)) {
    pipe = new Pipe(inode.ino);
    inode.channel = pipe;
  }
  return pipe;
}

function open(k: Kernel, _t: Task, file: File): SysResult {
  const pipe = pipeOf(file.inode);
  file.data = pipe;
  const mode = file.flags & O_ACCMODE;
  if (mode === O_RDWR) {
    pipe.readers++;
    pipe.writers++;
    pipe.readerCount++;
    pipe.writerCount++;
    return 0;
  }
  if (mode === O_RDONLY) {
    pipe.readers++;
    if (pipe.readerCount++ === 0 || pipe.readers === 1) pipe.writeQueue.wakeAll(k.cause("data"));
    if (pipe.writers > 0 || file.nonblock || pipe.anonymous) return 0;
    return otherSide(pipe, file, pipe.writerCount);
  }
  if (mode === O_WRONLY) {
    if (file.nonblock && pipe.readers === 0 && !pipe.anonymous) return -ENXIO;
    pipe.writers++;
    pipe.writerCount++;
    pipe.readQueue.wakeAll(k.cause("data"));
    if (pipe.readers > 0 || pipe.anonymous) return 0;
    return otherSide(pipe, file, pipe.readerCount);
  }
  return -EINVAL;
}

/** Waits until the other side has been opened once more, even if it is closed again by then. */
function* otherSide(pipe: Pipe, file: File, before: number): Generator<Wait, number, WakeReason> {
  const reading = file.readable;
  while ((reading ? pipe.writerCount : pipe.readerCount) === before) {
    const why = yield { queues: [reading ? pipe.readQueue : pipe.writeQueue], interruptible: true };
    if (why === "signal" && (reading ? pipe.writerCount : pipe.readerCount) === before) {
      if (reading) pipe.readers--;
      else pipe.writers--;
      return -ERESTARTSYS;
    }
  }
  return 0;
}

export const fifoOps: FileOps = { ...pipeOps, open };
