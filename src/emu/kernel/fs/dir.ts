// Directories as open files: getdents in the directory's own order (fs/libfs.c, fs/readdir.c).
import { EINVAL, EISDIR } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { S_IFMT, SEEK_CUR, SEEK_END, SEEK_SET } from "./const.ts";
import type { DirEmit, File, FileOps } from "./file.ts";
import type { Dentry } from "./inode.ts";
import { touchAtime } from "./regular.ts";

/** d_type of a mode. */
export function direntType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}

/** Position 0 is ".", 1 is "..", 2 + i is slot i. Returns the number of names given out. */
function iterate(k: Kernel, t: Task, file: File, emit: DirEmit): number {
  const dir = file.path.dentry;
  if (file.pos === 0) dir.inode.fill(dir, k, t);
  const slots = dir.slots!;
  let n = 0;
  let pos = file.pos;
  for (; ; pos++) {
    if (pos === 0) {
      if (!emit(".", dir.inode.ino, 4, 1)) break;
    } else if (pos === 1) {
      if (!emit("..", parentIno(file), 4, 2)) break;
    } else {
      if (pos - 2 >= slots.length) break;
      const child = slots[pos - 2];
      if (!child) continue;
      if (!emit(child.name, child.inode.ino, direntType(child.inode.mode), pos + 1)) break;
    }
    n++;
  }
  file.pos = pos;
  if (n > 0) touchAtime(k, file);
  return n;
}

/** The inode number of "..": across the mount if the directory is a mount's root. */
function parentIno(file: File): number {
  let { mnt, dentry }: { mnt: typeof file.path.mnt; dentry: Dentry } = file.path;
  while (dentry === mnt.root && mnt.at) ({ mnt, dentry } = mnt.at);
  return dentry.parent.inode.ino;
}

export const dirOps: FileOps = {
  iterate,
  read: () => -EISDIR,
  open: (_k, _t, file) => {
    file.path.dentry.readers++;
    return 0;
  },
  release: (_k, file) => {
    file.path.dentry.readers--;
  },
  llseek: (_k, file, offset, whence) => {
    const end = file.path.dentry.slots!.length + 2;
    const to =
      whence === SEEK_SET ? offset : whence === SEEK_CUR ? file.pos + offset : whence === SEEK_END ? end + offset : -1;
    if (to < 0) return -EINVAL;
    file.pos = to;
    return to;
  },
  fsync: () => 0,
};
