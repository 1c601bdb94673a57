// Character devices by number: the memory devices of drivers/char/mem.c and random.c and the terminal's.
import { EAGAIN, EINVAL, EIO, ENOSPC, ENOTTY, ENXIO } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { major, minor, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFCHR, S_IFMT } from "./const.ts";
import type { File, FileOps } from "./file.ts";
import type { IovIter } from "./iov.ts";
import { moved } from "./trace.ts";
import { currentTtyOps, openTty } from "./tty_io.ts";

/** Bytes handed over at a time. */
const CHUNK = 65536;
const ZEROS = new Uint8Array(CHUNK);

function ready(mask: number): () => { mask: number; queues: [] } {
  return () => ({ mask, queues: [] });
}
const ALWAYS = ready(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);

/** Fills the reader's buffer piece by piece; what was given stays given if a later piece faults. */
function give(k: Kernel, t: Task, file: File, iter: IovIter, next: (n: number) => Uint8Array): number {
  const total = iter.left;
  iter.touch(Math.min(total, CHUNK), true);
  while (iter.left > 0) {
    const n = Math.min(iter.left, CHUNK);
    iter.touch(n, true);
    iter.put(next(n));
    iter.advance(n);
  }
  return moved(k, t, file, total);
}

function swallow(k: Kernel, t: Task, file: File, iter: IovIter): number {
  return moved(k, t, file, iter.left);
}

const seekAnywhere: FileOps["llseek"] = (_k, file) => {
  file.pos = 0;
  return 0;
};

const zeroRead: FileOps["read"] = (k, t, file, iter) => give(k, t, file, iter, (n) => ZEROS.subarray(0, n));

const nullOps: FileOps = {
  read: (k, t, file) => moved(k, t, file, 0),
  write: swallow,
  llseek: seekAnywhere,
  poll: ALWAYS,
  ioctl: () => -ENOTTY,
};
const zeroOps: FileOps = { read: zeroRead, write: swallow, llseek: seekAnywhere, poll: ALWAYS, mmapZero: true };
const fullOps: FileOps = {
  read: zeroRead,
  write: (_k, _t, _f, iter) => (iter.left ? -ENOSPC : 0),
  llseek: seekAnywhere,
};
const randomOps: FileOps = {
  read: (k, t, file, iter) => give(k, t, file, iter, (n) => k.random.bytes(n)),
  write: swallow,
  llseek: seekAnywhere,
  poll: ALWAYS,
  ioctl: () => -EINVAL,
};
const kmsgOps: FileOps = { read: () => -EAGAIN, write: swallow };

const consoleOps: FileOps = {
  stream: true,
  open: (k, t, file) => (k.options.tty ? openTty(k, t, k.vfs.console.tty, file) : -ENXIO),
};
const ptmxOps: FileOps = { stream: true, open: (k, t, file) => k.vfs.ptys.openMaster(t, file) };
const ptsOps: FileOps = {
  stream: true,
  open: (k, t, file) => {
    const tty = k.vfs.ptys.get(minor(file.inode.rdev));
    return tty === undefined ? -EIO : openTty(k, t, tty, file);
  },
};

/** By major and minor number (Documentation/admin-guide/devices.txt). */
const DRIVERS: Readonly<Record<number, Readonly<Record<number, FileOps>>>> = {
  1: { 3: nullOps, 5: zeroOps, 7: fullOps, 8: randomOps, 9: randomOps, 11: kmsgOps },
  4: { 0: consoleOps },
  5: { 0: currentTtyOps, 1: consoleOps, 2: ptmxOps },
};
const PTS_MAJOR = 136;

/** @returns the operations, or -ENXIO for a device that is not there */
export function deviceOps(mode: number, rdev: number): FileOps | number {
  if ((mode & S_IFMT) !== S_IFCHR) return -ENXIO;
  if (major(rdev) === PTS_MAJOR) return ptsOps;
  return DRIVERS[major(rdev)]?.[minor(rdev)] ?? -ENXIO;
}
