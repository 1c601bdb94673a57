// Descriptors: dup, fcntl, pipe (fs/fcntl.c, fs/file.c, fs/pipe.c).
import { EBADF, EFAULT, EINVAL, EMFILE, EPERM, SysError } from "../errno.ts";
import { PIPE_DEFAULT_BYTES, Pipe, pipeOps } from "../ipc/pipe.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { touch, writeU32 } from "../user.ts";
import {
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  S_IFIFO,
} from "./const.ts";
import { directoryNotify } from "./dnotify.ts";
import { bindFifo, fifoOps } from "./fifo.ts";
import type { File } from "./file.ts";
import { fcntlLock } from "./locks.ts";
import { ownerOrCapable } from "./namei.ts";
import { nofile } from "./open.ts";
import { getOwner, getOwnerEx, setAsync, setOwner, setOwnerEx } from "./sigio.ts";

export function sys_dup(_k: Kernel, t: Task, fd: number): SysResult {
  const file = t.files!.get(fd);
  return file ? t.files!.install(file, 0, false, nofile(t)) : -EBADF;
}

function dupTo(k: Kernel, t: Task, file: File, to: number, cloexec: boolean): number {
  const files = t.files!;
  if (to < 0 || to >= nofile(t)) return -EBADF;
  if (files.get(to) !== file) files.close(k, to);
  else {
    // The same file already: only the flag may change.
    files.setCloexec(to, cloexec);
    return to;
  }
  files.set(to, file, cloexec);
  return to;
}

/** dup2(fd, new): the same descriptor is left as it is. */
export function sys_dup2(k: Kernel, t: Task, fd: number, to: number): SysResult {
  const file = t.files!.get(fd);
  if (!file) return -EBADF;
  return fd === to ? to : dupTo(k, t, file, to, false);
}

/** dup3(fd, new, flags): the same descriptor is an error. */
export function sys_dup3(k: Kernel, t: Task, fd: number, to: number, flags: number): SysResult {
  if (flags & ~O_CLOEXEC || fd === to) return -EINVAL;
  const file = t.files!.get(fd);
  return file ? dupTo(k, t, file, to, flags !== 0) : -EBADF;
}

const F_DUPFD = 0;
const F_GETFD = 1;
const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const F_GETLK = 5;
const F_SETLK = 6;
const F_SETLKW = 7;
const F_SETOWN = 8;
const F_GETOWN = 9;
const F_SETSIG = 10;
const F_GETSIG = 11;
const F_GETLK64 = 12;
const F_SETLK64 = 13;
const F_SETLKW64 = 14;
const F_SETOWN_EX = 15;
const F_GETOWN_EX = 16;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_OFD_SETLKW = 38;
const F_SETLEASE = 1024;
const F_GETLEASE = 1025;
const F_NOTIFY = 1026;
const F_DUPFD_CLOEXEC = 1030;
const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** What F_SETFL may change. */
const SETFL_MASK = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

function fcntl(k: Kernel, t: Task, fd: number, cmd: number, arg: number): SysResult {
  const files = t.files!;
  const file = files.get(fd);
  if (!file) return -EBADF;
  if (
    file.flags & O_PATH &&
    cmd !== F_DUPFD &&
    cmd !== F_DUPFD_CLOEXEC &&
    cmd !== F_GETFD &&
    cmd !== F_SETFD &&
    cmd !== F_GETFL
  ) {
    return -EBADF;
  }
  switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      if (arg < 0) return -EINVAL;
      return files.install(file, arg, cmd === F_DUPFD_CLOEXEC, nofile(t));
    }
    case F_GETFD:
      return files.isCloexec(fd) ? 1 : 0;
    case F_SETFD:
      files.setCloexec(fd, (arg & 1) !== 0);
      return 0;
    case F_GETFL:
      return file.flags;
    case F_SETFL:
      if ((arg & O_NOATIME) !== 0 && (file.flags & O_NOATIME) === 0 && !ownerOrCapable(file.inode, t.creds))
        return -EPERM;
      if ((file.flags ^ arg) & O_ASYNC) setAsync(k, file, fd, (arg & O_ASYNC) !== 0);
      file.flags = (file.flags & ~SETFL_MASK) | (arg & SETFL_MASK);
      return 0;
    case F_GETLK:
    case F_GETLK64:
    case F_OFD_GETLK:
      return fcntlLock(k, t, file, "get", arg, cmd !== F_GETLK, cmd === F_OFD_GETLK);
    case F_SETLK:
    case F_SETLK64:
    case F_OFD_SETLK:
      return fcntlLock(k, t, file, "set", arg, cmd !== F_SETLK, cmd === F_OFD_SETLK);
    case F_SETLKW:
    case F_SETLKW64:
    case F_OFD_SETLKW:
      return fcntlLock(k, t, file, "wait", arg, cmd !== F_SETLKW, cmd === F_OFD_SETLKW);
    case F_SETOWN:
      return setOwner(k, t, file, arg);
    case F_GETOWN:
      return getOwner(k, file);
    case F_SETOWN_EX:
      return setOwnerEx(k, t, file, arg);
    case F_GETOWN_EX:
      return getOwnerEx(k, t, file, arg);
    case F_SETSIG:
      if (arg < 0 || arg > 64) return -EINVAL;
      file.sig = arg;
      return 0;
    case F_GETSIG:
      return file.sig;
    case F_GETLEASE:
      return 2;
    case F_SETLEASE:
      return -EINVAL;
    case F_NOTIFY:
      return directoryNotify(k, t, fd, file, arg);
    case F_SETPIPE_SZ:
      return file.data instanceof Pipe ? file.data.resize(arg) : -EBADF;
    case F_GETPIPE_SZ:
      return file.data instanceof Pipe ? file.data.capacity : file.ops.stream ? pipeSize(file) : -EBADF;
    case F_ADD_SEALS:
    case F_GET_SEALS:
      return cmd === F_GET_SEALS && file.path.dentry.name.startsWith("/memfd:") ? 1 : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** The standard streams are pipes too, without a ring of their own. */
function pipeSize(file: File): number {
  return (file.inode.mode & S_IFIFO) === S_IFIFO ? PIPE_DEFAULT_BYTES : -EBADF;
}

export function sys_fcntl64(k: Kernel, t: Task, fd: number, cmd: number, arg: number): SysResult {
  return fcntl(k, t, fd, cmd, arg);
}
export function sys_fcntl(k: Kernel, t: Task, fd: number, cmd: number, arg: number): SysResult {
  if (cmd >= F_GETLK64 && cmd <= F_SETLKW64) return -EINVAL;
  return fcntl(k, t, fd, cmd, arg);
}

/** Makes the two files of a pipe: reading end, writing end. */
export function makePipe(k: Kernel, flags: number): [File, File] {
  const sb = k.vfs.pipefs;
  const reader = sb.open(S_IFIFO | 0o600, O_RDONLY | (flags & O_NONBLOCK), fifoOps, (ino) => `pipe:[${ino}]`);
  const pipe = new Pipe(reader.inode.ino);
  bindFifo(reader.inode, pipe);
  const now = k.realtime();
  reader.inode.atime = reader.inode.mtime = reader.inode.ctime = now;
  reader.inode.uid = k.current.creds.fsuid;
  reader.inode.gid = k.current.creds.fsgid;
  const writer = sb.openInode(
    reader.inode,
    O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)),
    fifoOps,
    reader.path.dentry.name,
  );
  for (const file of [reader, writer]) {
    file.ops = pipeOps;
    file.data = pipe;
  }
  pipe.readers = pipe.writers = pipe.readerCount = pipe.writerCount = 1;
  return [reader, writer];
}

/** pipe2(fds, flags). */
export function sys_pipe2(k: Kernel, t: Task, addr: number, flags: number): SysResult {
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) return -EINVAL;
  if (addr === 0) throw new SysError(EFAULT);
  touch(k, t, addr, 8, true);
  const files = t.files!;
  const [reader, writer] = makePipe(k, flags);
  const cloexec = (flags & O_CLOEXEC) !== 0;
  const r = files.install(reader, 0, cloexec, nofile(t));
  if (r < 0) return -EMFILE;
  const w = files.install(writer, 0, cloexec, nofile(t));
  if (w < 0) {
    files.close(k, r);
    return -EMFILE;
  }
  writeU32(k, t, addr, r);
  writeU32(k, t, addr + 4, w);
  if (k.recorder.enabled) {
    const pipe = reader.data as Pipe;
    k.recorder.set(t.seq, { obj: pipe.object(k) });
  }
  return 0;
}
export function sys_pipe(k: Kernel, t: Task, addr: number): SysResult {
  return sys_pipe2(k, t, addr, 0);
}
