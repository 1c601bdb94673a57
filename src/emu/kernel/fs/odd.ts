// Small calls on file systems that few programs make: sysfs, ustat, vmsplice, setns.
import { EBADF, EINVAL } from "../errno.ts";
import type { Sys } from "../kernel.ts";
import { bytesOf, copyOut, readString } from "../user.ts";
import { S_IFIFO, S_IFMT } from "./const.ts";
import { sys_readv, sys_writev } from "./read_write.ts";

/** Names of the file systems, as /proc/filesystems lists them. */
const TYPES = ["sysfs", "tmpfs", "proc", "devtmpfs", "ext4"];

/** sysfs(1, name): its index; sysfs(2, index, buffer): its name; sysfs(3): how many there are. */
export const sys_sysfs: Sys = (k, t, option, a, b) => {
  switch (option) {
    case 1: {
      const index = TYPES.indexOf(readString(k, t, a));
      return index < 0 ? -EINVAL : index;
    }
    case 2:
      if (a < 0 || a >= TYPES.length) return -EINVAL;
      copyOut(k, t, b, bytesOf(TYPES[a], true));
      return 0;
    case 3:
      return TYPES.length;
    default:
      return -EINVAL;
  }
};

/** ustat(device, struct ustat): free blocks and inodes of a mounted file system. */
export const sys_ustat: Sys = (k, t, dev, addr) => {
  const mount = k.vfs.mounts.find((m) => m.root.inode.sb.dev === dev >>> 0);
  if (mount === undefined) return -EINVAL;
  const { bfree, ffree } = mount.root.inode.sb.statfs(k);
  const bytes = new Uint8Array(20);
  new Int32Array(bytes.buffer).set([bfree, ffree]);
  copyOut(k, t, addr, bytes);
  return 0;
};

const SPLICE_FLAGS = 15;

/** vmsplice(pipe, vector, count, flags): the pages are copied, which nobody can tell but by changing them too early. */
export const sys_vmsplice: Sys = (k, t, fd, iov, count, flags) => {
  if (flags & ~SPLICE_FLAGS) return -EINVAL;
  const file = t.files!.get(fd);
  if (file !== undefined && count === 0) return 0;
  if (file === undefined || (file.inode.mode & S_IFMT) !== S_IFIFO) return -EBADF;
  return file.writable ? sys_writev(k, t, fd, iov, count) : sys_readv(k, t, fd, iov, count);
};

/** setns(fd, type): no descriptor here is of a name space. */
export const sys_setns: Sys = (_k, t, fd) => (t.files!.get(fd) ? -EINVAL : -EBADF);
