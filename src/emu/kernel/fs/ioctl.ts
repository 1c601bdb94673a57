// ioctl: the requests that any file answers, then the file's own (fs/ioctl.c).
import { EBADF, EINVAL, EISDIR, ENOTTY, EOPNOTSUPP } from "../errno.ts";
import type { Kernel, SysResult } from "../kernel.ts";
import type { Task } from "../task.ts";
import { readI32, writeU32 } from "../user.ts";
import { O_ASYNC, O_NONBLOCK } from "./const.ts";
import { setAsync } from "./sigio.ts";

const FIBMAP = 1;
const FIGETBSZ = 2;
const FIONREAD = 0x541b;
const FIONBIO = 0x5421;
const FIONCLEX = 0x5450;
const FIOCLEX = 0x5451;
const FIOASYNC = 0x5452;
const FIOQSIZE = 0x5460;
const FICLONE = 0x40049409;
const FICLONERANGE = 0x4020940d;
const FIDEDUPERANGE = 0xc0189436 | 0;
const FS_IOC_GETFLAGS = 0x80046601 | 0;
const FS_IOC_SETFLAGS = 0x40046602;

/** ioctl(fd, request, argument). */
export function sys_ioctl(k: Kernel, t: Task, fd: number, cmd: number, arg: number): SysResult {
  const file = t.files!.get(fd);
  if (!file || !(file.readable || file.writable)) return -EBADF;
  switch (cmd) {
    case FIOCLEX:
      t.files!.setCloexec(fd, true);
      return 0;
    case FIONCLEX:
      t.files!.setCloexec(fd, false);
      return 0;
    case FIONBIO:
      file.flags = readI32(k, t, arg) ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK;
      return 0;
    case FIOASYNC: {
      const on = readI32(k, t, arg) !== 0;
      return on === ((file.flags & O_ASYNC) !== 0) ? 0 : setAsync(k, file, fd, on);
    }
    case FIOQSIZE:
      if (!file.inode.isRegular && !file.inode.isDir && !file.inode.isLink) return -ENOTTY;
      writeU32(k, t, arg, file.inode.size);
      writeU32(k, t, arg + 4, Math.floor(file.inode.size / 0x1_0000_0000));
      return 0;
    case FIGETBSZ:
      writeU32(k, t, arg, 4096);
      return 0;
    case FICLONE:
    case FICLONERANGE:
    case FIDEDUPERANGE:
      if (file.inode.isDir) return -EISDIR;
      return cmd === FICLONE && !t.files!.get(arg) ? -EBADF : -EOPNOTSUPP;
    default:
      break;
  }
  if (file.inode.isRegular && file.inode.mapping) {
    if (cmd === FIONREAD) {
      writeU32(k, t, arg, (file.inode.size - file.pos) >>> 0);
      return 0;
    }
    if (cmd === FIBMAP) return -EINVAL;
  }
  // Flags of chattr: none are set, none can be.
  if ((cmd === FS_IOC_GETFLAGS || cmd === FS_IOC_SETFLAGS) && (file.inode.isRegular || file.inode.isDir)) {
    if (cmd === FS_IOC_SETFLAGS) return -EOPNOTSUPP;
    writeU32(k, t, arg, 0x80000);
    return 0;
  }
  return file.ops.ioctl ? file.ops.ioctl(k, t, file, cmd, arg) : -ENOTTY;
}
