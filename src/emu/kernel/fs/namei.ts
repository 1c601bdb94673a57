// Names to inodes: path walk and permissions (fs/namei.c).
import { EACCES, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EPERM, EROFS } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Creds, Task } from "../task.ts";
import { MAXSYMLINKS, MAY_EXEC, MAY_READ, MAY_WRITE, NAME_MAX, O_DIRECTORY, PATH_MAX, S_ISVTX } from "./const.ts";
import type { Dentry, Inode, Mount, Path } from "./inode.ts";

/** CAP_ numbers that file systems ask for (include/uapi/linux/capability.h). */
export const CAP = {
  CHOWN: 0n,
  DAC_OVERRIDE: 1n,
  DAC_READ_SEARCH: 2n,
  FOWNER: 3n,
  FSETID: 4n,
  SYS_CHROOT: 18n,
  SYS_ADMIN: 21n,
  MKNOD: 27n,
} as const;

/** Does a task have a capability? */
export function capable(c: Creds, cap: bigint): boolean {
  return ((c.capEffective >> cap) & 1n) === 1n;
}

/** Is a group the file system group or a supplementary one? */
export function inGroup(c: Creds, gid: number): boolean {
  return c.fsgid === gid || c.groups.includes(gid);
}

/** 0, or -EACCES / -EROFS: may a task read, write, execute or search (MAY_ bits)? As generic_permission. */
export function permission(inode: Inode, mask: number, c: Creds): number {
  if (mask & MAY_WRITE) {
    const r = inode.mayWrite();
    if (r < 0) return r;
  }
  const mode = inode.mode;
  const bits = c.fsuid === inode.uid ? mode >> 6 : inGroup(c, inode.gid) ? mode >> 3 : mode;
  if ((bits & mask & 7) === (mask & 7)) return 0;
  if (inode.isDir) {
    if ((mask & MAY_WRITE) === 0 && capable(c, CAP.DAC_READ_SEARCH)) return 0;
    return capable(c, CAP.DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if ((mask & ~MAY_READ) === 0 && capable(c, CAP.DAC_READ_SEARCH)) return 0;
  // Nobody may execute what has no execute bit at all.
  if ((mask & MAY_EXEC) === 0 || (mode & 0o111) !== 0) if (capable(c, CAP.DAC_OVERRIDE)) return 0;
  return -EACCES;
}

/** May the task do what only the owner may (chmod, utimes)? */
export function ownerOrCapable(inode: Inode, c: Creds): boolean {
  return c.fsuid === inode.uid || capable(c, CAP.FOWNER);
}

/** 0 or -errno: may the task write through this mount? */
export function mountWritable(mnt: Mount): number {
  return mnt.readOnly ? -EROFS : 0;
}

/** 0 or -errno: may names be added to a directory? */
export function mayCreate(at: Path, c: Creds): number {
  const r = mountWritable(at.mnt);
  if (r < 0) return r;
  if (!at.dentry.linked || at.dentry.inode.nlink === 0) return -ENOENT;
  return permission(at.dentry.inode, MAY_WRITE | MAY_EXEC, c);
}

/** 0 or -errno: may a name be removed from its directory? A sticky one allows owners only. */
export function mayDelete(dir: Inode, victim: Inode, c: Creds): number {
  const r = permission(dir, MAY_WRITE | MAY_EXEC, c);
  if (r < 0) return r;
  if (dir.mode & S_ISVTX && c.fsuid !== victim.uid && c.fsuid !== dir.uid && !capable(c, CAP.FOWNER)) return -EPERM;
  return 0;
}

/** How a walk goes and where it ended. */
export interface Walk {
  mnt: Mount;
  dentry: Dentry;
  /** With stopAtParent: the last component, not looked up; "" if the path has none (/). */
  last: string;
  /** The last component is followed by a slash. */
  trailing: boolean;
  /** Components looked up, for the trace. */
  components: number;
  links: number;
}

/** Follow a symbolic link in the last component. */
export const LOOKUP_FOLLOW = 1;
/** Stop before the last component. */
export const LOOKUP_PARENT = 2;
/** The result must be a directory. */
export const LOOKUP_DIRECTORY = 4;

/** Crosses mount points that sit on a dentry. */
export function crossMounts(w: { mnt: Mount; dentry: Dentry }): void {
  while (w.dentry.mounted > 0) {
    const m = w.mnt.children.get(w.dentry);
    if (!m) return;
    w.mnt = m;
    w.dentry = m.root;
  }
}

function dotdot(w: Walk, root: Path): void {
  for (;;) {
    if (w.dentry === root.dentry && w.mnt === root.mnt) return;
    if (w.dentry !== w.mnt.root) {
      w.dentry = w.dentry.parent;
      crossMounts(w);
      return;
    }
    const at = w.mnt.at;
    if (!at) return;
    w.mnt = at.mnt;
    w.dentry = at.dentry;
  }
}

/** Absolute paths begin at the task's root; a link's, inside a view of that root, at the view's top. */
function toRoot(w: Walk, root: Path, link: boolean): void {
  const view = w.mnt.view;
  if (link && view?.at && view.at.mnt === root.mnt && view.root === root.dentry) {
    w.mnt = view;
    w.dentry = view.root;
    return;
  }
  w.mnt = root.mnt;
  w.dentry = root.dentry;
}

/**
 * Walks a path from `base` (absolute paths from the task's root).
 * @returns the walk, or -ENOENT, -ENOTDIR, -EACCES, -ELOOP, -ENAMETOOLONG
 */
export function walk(k: Kernel, t: Task, base: Path, name: string, flags: number): Walk | number {
  if (name.length >= PATH_MAX) return -ENAMETOOLONG;
  if (name === "") return -ENOENT;
  const fs = t.fs!;
  const w: Walk = { mnt: base.mnt, dentry: base.dentry, last: "", trailing: false, components: 0, links: 0 };
  let path = name;
  let i = 0;
  let linkTarget = false;
  for (;;) {
    if (path.charCodeAt(i) === 47) {
      if (i === 0) toRoot(w, fs.root, linkTarget);
      while (path.charCodeAt(i) === 47) i++;
    }
    if (i >= path.length) {
      // "/" alone, or a link to it.
      w.last = "";
      if (flags & LOOKUP_DIRECTORY && !w.dentry.inode.isDir) return -ENOTDIR;
      return w;
    }
    const dir = w.dentry.inode;
    if (!dir.isDir) return -ENOTDIR;
    const denied = permission(dir, MAY_EXEC, t.creds);
    if (denied < 0) return denied;
    let j = path.indexOf("/", i);
    if (j < 0) j = path.length;
    const component = path.slice(i, j);
    let next = j;
    while (path.charCodeAt(next) === 47) next++;
    const isLast = next >= path.length;
    const trailing = isLast && next > j;
    w.components++;
    i = next;
    if (isLast && flags & LOOKUP_PARENT) {
      w.last = component;
      w.trailing = trailing;
      return component.length > NAME_MAX ? -ENAMETOOLONG : w;
    }
    if (component === ".") {
      if (isLast) return w;
      continue;
    }
    if (component === "..") {
      dotdot(w, fs.root);
      if (isLast) return w;
      continue;
    }
    if (component.length > NAME_MAX) return -ENAMETOOLONG;
    const child = dir.lookup(w.dentry, component, k, t);
    if (!child) return -ENOENT;
    if (child.inode.isLink && (!isLast || trailing || flags & LOOKUP_FOLLOW)) {
      if (++w.links > MAXSYMLINKS) return -ELOOP;
      const jump = child.inode.followLink(k, t);
      if (jump !== null) {
        if (typeof jump === "number") return jump;
        w.mnt = jump.mnt;
        w.dentry = jump.dentry;
        if (isLast) return finish(w, trailing || (flags & LOOKUP_DIRECTORY) !== 0);
        continue;
      }
      const target = child.inode.readlink(k, t);
      if (typeof target === "number") return target;
      if (target === "") return -ENOENT;
      path = isLast ? target + (trailing ? "/" : "") : `${target}/${path.slice(next)}`;
      if (path.length >= 2 * PATH_MAX) return -ENAMETOOLONG;
      i = 0;
      linkTarget = true;
      continue;
    }
    w.dentry = child;
    if (child.mounted > 0) crossMounts(w);
    if (isLast) return finish(w, trailing || (flags & LOOKUP_DIRECTORY) !== 0);
    if (linkTarget && !w.dentry.inode.isDir) return -ENOTDIR;
  }
}

function finish(w: Walk, mustBeDir: boolean): Walk | number {
  return mustBeDir && !w.dentry.inode.isDir ? -ENOTDIR : w;
}

/** The dentry of a last component that LOOKUP_PARENT left; null if there is none. */
export function lookupLast(k: Kernel, t: Task, w: Walk): Dentry | null {
  return w.dentry.inode.lookup(w.dentry, w.last, k, t);
}

/** open()'s idea of a directory: O_DIRECTORY is checked by the walk. */
export function openLookupFlags(flags: number): number {
  return flags & O_DIRECTORY ? LOOKUP_DIRECTORY : 0;
}
