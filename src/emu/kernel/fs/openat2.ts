// openat2: open with rules for how the path may be resolved (fs/open.c, LOOKUP_* of fs/namei.c).
import { E2BIG, EAGAIN, EINVAL, ELOOP, ENOENT, EXDEV } from "../errno.ts";
import type { Kernel, Sys } from "../kernel.ts";
import type { Task } from "../task.ts";
import { copyIn, readString } from "../user.ts";
import { MAXSYMLINKS, O_CLOEXEC, O_CREAT, O_NOFOLLOW, O_TMPFILE_BIT } from "./const.ts";
import type { Path } from "./inode.ts";
import { LOOKUP_DIRECTORY, walk } from "./namei.ts";
import { baseOf, installOpen, openFile } from "./open.ts";

const NO_XDEV = 1;
const NO_MAGICLINKS = 2;
const NO_SYMLINKS = 4;
const BENEATH = 8;
const IN_ROOT = 0x10;
const CACHED = 0x20;
const HOW_BYTES = 24;
/** Every flag of open() (VALID_OPEN_FLAGS). */
const OPEN_FLAGS = 0o37777703 | 0;

/** Where a path leads by the rules: a directory and the last name in it, or -errno. */
function resolve(
  k: Kernel,
  t: Task,
  base: Path,
  path: string,
  rules: number,
  follow: boolean,
): [Path, string] | number {
  const scoped = (rules & (BENEATH | IN_ROOT)) !== 0;
  let at = base;
  let names = path.split("/");
  if (path.startsWith("/")) {
    if (rules & BENEATH) return -EXDEV;
    at = rules & IN_ROOT ? base : t.fs!.root;
    if (rules & NO_XDEV && at.mnt !== base.mnt) return -EXDEV;
  }
  const same = (a: Path, b: Path) => a.mnt === b.mnt && a.dentry === b.dentry;
  for (let links = 0; ; ) {
    while (names.length > 1 && (names[0] === "" || names[0] === ".")) names = names.slice(1);
    const [name, ...rest] = names;
    const last = rest.every((part) => part === "");
    if (name === ".." && scoped && same(at, base)) {
      if (rules & BENEATH) return -EXDEV;
      names = rest.length > 0 ? rest : ["."];
      if (last) return [at, "."];
      continue;
    }
    const w = walk(k, t, at, name === "" ? "." : name, 0);
    const link = typeof w !== "number" && w.dentry.inode.isLink;
    if (typeof w === "number") return last && w === -ENOENT ? [at, names.join("/")] : w;
    if (rules & NO_XDEV && w.mnt !== base.mnt) return -EXDEV;
    if (!link || (last && !follow && rest.length === 0)) {
      if (last) return [at, name === "" ? "." : names.join("/")];
      const dir = walk(k, t, at, name, LOOKUP_DIRECTORY);
      if (typeof dir === "number") return dir;
      at = { mnt: dir.mnt, dentry: dir.dentry };
      names = rest;
      continue;
    }
    if (rules & NO_SYMLINKS || ++links > MAXSYMLINKS) return -ELOOP;
    const jump = w.dentry.inode.followLink(k, t);
    if (typeof jump === "number") return jump;
    if (jump !== null) {
      if (rules & NO_MAGICLINKS) return -ELOOP;
      if (scoped) return -EXDEV;
      if (rules & NO_XDEV && jump.mnt !== base.mnt) return -EXDEV;
      if (last) return [jump, "."];
      at = jump;
      names = rest;
      continue;
    }
    const target = w.dentry.inode.readlink(k, t);
    if (typeof target === "number") return target;
    if (target.startsWith("/")) {
      if (rules & BENEATH) return -EXDEV;
      at = rules & IN_ROOT ? base : t.fs!.root;
      if (rules & NO_XDEV && at.mnt !== base.mnt) return -EXDEV;
    }
    names = [...target.split("/"), ...rest];
  }
}

/** openat2(directory, path, struct open_how, its size). */
export const sys_openat2: Sys = (k, t, dfd, pathAddr, howAddr, size) => {
  const bytes = size >>> 0;
  if (bytes < HOW_BYTES) return -EINVAL;
  if (bytes > 4096) return -E2BIG;
  const how = copyIn(k, t, howAddr, bytes);
  if (how.subarray(HOW_BYTES).some((byte) => byte !== 0)) return -E2BIG;
  const [flags, flagsHigh, mode, modeHigh, rules, rulesHigh] = new Int32Array(how.buffer, 0, 6);
  if (flagsHigh || modeHigh || rulesHigh || flags & ~OPEN_FLAGS || rules & ~0x3f) return -EINVAL;
  if ((rules & (BENEATH | IN_ROOT)) === (BENEATH | IN_ROOT)) return -EINVAL;
  const makes = (flags & (O_CREAT | O_TMPFILE_BIT)) !== 0;
  if (makes ? mode & ~0o7777 : mode !== 0) return -EINVAL;
  const path = readString(k, t, pathAddr);
  if (path === "") return -ENOENT;
  // Nothing is known to be in a cache of names: the caller tries again without.
  if (rules & CACHED) return -EAGAIN;
  const base = rules & IN_ROOT ? baseOf(t, dfd, ".") : baseOf(t, dfd, path);
  if (typeof base === "number") return base;
  let file: ReturnType<typeof openFile>;
  if (rules === 0) file = openFile(k, t, base, path, flags, mode);
  else {
    const start = rules & BENEATH ? baseOf(t, dfd, ".") : base;
    if (typeof start === "number") return start;
    const found = resolve(k, t, start, path, rules, !(flags & O_NOFOLLOW));
    if (typeof found === "number") return found;
    file = openFile(k, t, found[0], found[1], flags, mode);
  }
  return typeof file === "number" ? file : installOpen(k, t, file, (flags & O_CLOEXEC) !== 0);
};
