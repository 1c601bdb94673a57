// Tables of descriptors, and a task's place in the tree (fs/file.c, fs/fs_struct.c).
import { EINVAL, EMFILE } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import { dropLocks, type File } from "./file.ts";
import type { FileLock, Path } from "./inode.ts";

export type { File } from "./file.ts";

/** A process' descriptors; shared by threads (CLONE_FILES). */
export class FilesStruct {
  /** Tasks that share it. */
  users = 1;
  /** Record locks that stand in the way of one that this process waits for. */
  waitsFor: readonly FileLock[] = [];
  private files: (File | undefined)[] = [];
  private cloexec: boolean[] = [];
  private next = 0;

  get(fd: number): File | undefined {
    return this.files[fd];
  }

  /** Highest descriptor that was ever used, plus one. */
  get length(): number {
    return this.files.length;
  }

  /** The lowest free descriptor from `from` on; `limit` = RLIMIT_NOFILE. Takes a reference. */
  install(file: File, from = 0, cloexec = false, limit = 1024): number {
    let fd = from > this.next ? from : this.next;
    while (this.files[fd]) fd++;
    if (fd >= limit) return from >= limit ? -EINVAL : -EMFILE;
    if (from <= this.next) this.next = fd + 1;
    this.set(fd, file, cloexec);
    return fd;
  }

  /** Puts a file at a descriptor that is free. */
  set(fd: number, file: File, cloexec: boolean): void {
    while (this.files.length <= fd) this.files.push(undefined);
    this.files[fd] = file.get();
    this.cloexec[fd] = cloexec;
  }

  isCloexec(fd: number): boolean {
    return this.cloexec[fd] === true;
  }

  setCloexec(fd: number, on: boolean): void {
    this.cloexec[fd] = on;
  }

  /** Closes a descriptor; false if it was not open. Drops the process' POSIX locks on the file. */
  close(k: Kernel, fd: number): boolean {
    const file = this.files[fd];
    if (!file) return false;
    this.files[fd] = undefined;
    this.cloexec[fd] = false;
    if (fd < this.next) this.next = fd;
    if (file.inode.flock) dropLocks(k, file.inode, this);
    k.vfs.notify.directories.get(file.inode)?.forget(file, this);
    file.put(k);
    return true;
  }

  /** A copy for fork. */
  clone(): FilesStruct {
    const copy = new FilesStruct();
    copy.files = this.files.slice();
    copy.cloexec = this.cloexec.slice();
    copy.next = this.next;
    for (const f of copy.files) f?.get();
    return copy;
  }

  /** execve: closes what was marked. */
  closeOnExec(k: Kernel): void {
    for (let fd = 0; fd < this.files.length; fd++) if (this.cloexec[fd]) this.close(k, fd);
  }

  /** A task lets go (exit, unshare); the last one closes all. */
  release(k: Kernel): void {
    if (--this.users > 0) return;
    for (let fd = 0; fd < this.files.length; fd++) this.close(k, fd);
  }

  /** Open descriptors, ascending. */
  *open(): Generator<number> {
    for (let fd = 0; fd < this.files.length; fd++) if (this.files[fd]) yield fd;
  }
}

/** Root, working directory and umask; shared with CLONE_FS. */
export class FsStruct {
  users = 1;
  root: Path;
  cwd: Path;
  umask: number;

  constructor(root: Path, cwd: Path, umask = 0o022) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
  }

  clone(): FsStruct {
    return new FsStruct(this.root, this.cwd, this.umask);
  }
}
