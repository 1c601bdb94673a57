// A host directory for `--bind`, on Node: every name of a path is looked at, no link is followed, nothing leaves it.

import { Buffer } from "node:buffer";
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { EACCES, EIO, ENOENT, ENOTDIR, EROFS } from "../errno.ts";
import type { HostDir, HostStat } from "./hostfs.ts";

/** -errno of what Node threw. */
function errnoOf(e: unknown): number {
  if (e instanceof Error && "errno" in e && typeof e.errno === "number" && e.errno < 0 && e.errno > -134)
    return e.errno;
  return -EIO;
}

/** A name as the guest has it (one char per byte) to the host's bytes. */
function nameBytes(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

function isPlain(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0");
}

/**
 * Opens a host directory for binding.
 * @param writable false: every change is refused with -EROFS
 */
export function openHostDir(directory: string, writable: boolean): HostDir {
  const top = Buffer.from(realpathSync(directory));
  const join = (path: readonly string[]): Buffer =>
    Buffer.concat([top, ...path.flatMap((name) => [Buffer.from("/"), nameBytes(name)])]);

  /** The host's name of a path whose directories are real directories; or -errno. */
  const place = (path: readonly string[]): Buffer | number => {
    for (let n = 0; n < path.length; n++) {
      if (!isPlain(path[n])) return -ENOENT;
      if (n === path.length - 1) break;
      const s = lstatSync(join(path.slice(0, n + 1)));
      if (s.isSymbolicLink()) return -EACCES;
      if (!s.isDirectory()) return -ENOTDIR;
    }
    return join(path);
  };

  /** Runs an operation on a checked path. */
  const on = <T>(path: readonly string[], change: boolean, operate: (at: Buffer) => T): T | number => {
    if (change && !writable) return -EROFS;
    try {
      const at = place(path);
      return typeof at === "number" ? at : operate(at);
    } catch (e) {
      return errnoOf(e);
    }
  };

  const withFile = <T>(at: Buffer, flags: number, use: (fd: number) => T): T => {
    const fd = openSync(at, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  };

  const done = (result: unknown): number => (typeof result === "number" && result < 0 ? result : 0);

  return {
    list: (path) => on(path, false, (at) => readdirSync(at, { encoding: "latin1" as BufferEncoding })),
    stat: (path) =>
      on(path, false, (at): HostStat => {
        const s = lstatSync(at, { bigint: true });
        const sec = Number(s.mtimeNs / 1_000_000_000n);
        return {
          mode: Number(s.mode),
          size: Number(s.size),
          nlink: Number(s.nlink),
          mtime: { sec, nsec: Number(s.mtimeNs % 1_000_000_000n) },
          identity: `${s.dev}:${s.ino}`,
        };
      }),
    readlink: (path) => on(path, false, (at) => readlinkSync(at, { encoding: "latin1" as BufferEncoding })),
    read: (path, offset, length) =>
      on(path, false, (at) =>
        withFile(at, constants.O_RDONLY, (fd) => {
          if (!fstatSync(fd).isFile()) return new Uint8Array(0);
          const out = new Uint8Array(length);
          let n = 0;
          while (n < length) {
            const got = readSync(fd, out, n, length - n, offset + n);
            if (got === 0) break;
            n += got;
          }
          return out.subarray(0, n);
        }),
      ),
    write: (path, offset, bytes) =>
      done(
        on(path, true, (at) =>
          withFile(at, constants.O_WRONLY, (fd) => {
            let n = 0;
            while (n < bytes.length) n += writeSync(fd, bytes, n, bytes.length - n, offset + n);
            return 0;
          }),
        ),
      ),
    truncate: (path, size) =>
      done(on(path, true, (at) => (lstatSync(at).isSymbolicLink() ? -EACCES : truncateSync(at, size)))),
    create: (path, mode) =>
      done(
        on(path, true, (at) =>
          withFile(at, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, (fd) => {
            fchmodSync(fd, mode);
            return 0;
          }),
        ),
      ),
    mkdir: (path, mode) => done(on(path, true, (at) => mkdirSync(at, mode))),
    symlink: (path, target) => done(on(path, true, (at) => symlinkSync(nameBytes(target), at))),
    link: (from, to) =>
      done(
        on(from, true, (old) =>
          on(to, true, (at) => {
            linkSync(old, at);
            return 0;
          }),
        ),
      ),
    remove: (path, directory) => done(on(path, true, (at) => (directory ? rmdirSync(at) : unlinkSync(at)))),
    rename: (from, to) =>
      done(
        on(from, true, (old) =>
          on(to, true, (at) => {
            renameSync(old, at);
            return 0;
          }),
        ),
      ),
    chmod: (path, mode) =>
      done(on(path, true, (at) => (lstatSync(at).isSymbolicLink() ? -EACCES : chmodSync(at, mode)))),
    utimes: (path, atime, mtime) =>
      done(on(path, true, (at) => lutimesSync(at, atime.sec + atime.nsec / 1e9, mtime.sec + mtime.nsec / 1e9))),
  };
}
