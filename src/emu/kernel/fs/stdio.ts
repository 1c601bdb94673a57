// The first program's standard streams when they are no terminal: the guest's ends of three pipes to the host.

import { type Hasher, plainSha256 } from "../../../sha256.ts";
import { EBADF, ENOTTY } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { writeU32 } from "../user.ts";
import type { AnonSuper } from "./anon.ts";
import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFIFO } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { objectOf, recordBytes } from "./trace.ts";

const PIPE_BYTES = 65536;
const FIONREAD = 0x541b;

/** What came from the host on standard input; its digest goes into the trace's metadata. */
export class StdStreams {
  private readonly k: Kernel;
  private readonly pipefs: AnonSuper;
  private buffer = new Uint8Array(0);
  private ended = false;
  /** Over the input that the guest has read. */
  readonly digest: Hasher = plainSha256();
  bytesRead = 0;
  private readonly inOps: FileOps;
  private readonly outOps: FileOps;
  private readonly errOps: FileOps;

  constructor(k: Kernel, pipefs: AnonSuper) {
    this.k = k;
    this.pipefs = pipefs;
    const ioctl: FileOps["ioctl"] = (kk, t, _f, cmd, arg) => {
      if (cmd !== FIONREAD) return -ENOTTY;
      writeU32(kk, t, arg, this.buffer.length);
      return 0;
    };
    this.inOps = {
      stream: true,
      ioctl,
      read: (_k, t, file, iter) => this.read(t, file, iter),
      write: () => -EBADF,
      poll: () => ({ mask: POLLIN | POLLRDNORM, queues: [] }),
    };
    const out = (to: (bytes: Uint8Array) => void): FileOps => ({
      stream: true,
      ioctl,
      write: (kk, t, file, iter) => {
        const n = iter.left;
        if (n > 0) to(iter.take(n));
        if (kk.recorder.enabled) recordBytes(kk, t, objectOf(kk, file.inode), -1, n);
        return n;
      },
      poll: () => ({ mask: POLLOUT | POLLWRNORM, queues: [] }),
    });
    this.outOps = out((bytes) => k.options.host.stdout(bytes));
    this.errOps = out((bytes) => k.options.host.stderr(bytes));
  }

  stdin(flags: number): File {
    return this.pipefs.open(S_IFIFO | 0o600, flags, this.inOps, (ino) => `pipe:[${ino}]`);
  }
  stdout(flags: number): File {
    return this.pipefs.open(S_IFIFO | 0o600, flags, this.outOps, (ino) => `pipe:[${ino}]`);
  }
  stderr(flags: number): File {
    return this.pipefs.open(S_IFIFO | 0o600, flags, this.errOps, (ino) => `pipe:[${ino}]`);
  }

  /**
   * As a pipe that a fast writer keeps full: as many bytes as are asked for, up to the pipe's size, fewer only at the
   * end of the input, so that what a program reads does not depend on when the host gave it.
   */
  private read(t: Task, file: File, iter: IovIter): number {
    const want = Math.min(iter.left, PIPE_BYTES);
    while (this.buffer.length < want && !this.ended) {
      const more = this.k.options.host.stdin.read(PIPE_BYTES);
      if (more.length === 0) this.ended = true;
      const joined = new Uint8Array(this.buffer.length + more.length);
      joined.set(this.buffer);
      joined.set(more, this.buffer.length);
      this.buffer = joined;
    }
    const part = this.buffer.subarray(0, want);
    iter.put(part);
    this.digest.update(part);
    this.bytesRead += part.length;
    this.buffer = this.buffer.subarray(part.length);
    if (this.k.recorder.enabled) recordBytes(this.k, t, objectOf(this.k, file.inode), -1, part.length);
    return part.length;
  }
}
