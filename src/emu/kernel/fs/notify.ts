// What happens to files, told to those who watch them: the marks on inodes and the events the calls raise (fs/notify/fsnotify.c).
import type { Dentry, Inode } from "./inode.ts";

export const IN_ACCESS = 0x1;
export const IN_MODIFY = 0x2;
export const IN_ATTRIB = 0x4;
export const IN_CLOSE_WRITE = 0x8;
export const IN_CLOSE_NOWRITE = 0x10;
export const IN_OPEN = 0x20;
export const IN_MOVED_FROM = 0x40;
export const IN_MOVED_TO = 0x80;
export const IN_CREATE = 0x100;
export const IN_DELETE = 0x200;
export const IN_DELETE_SELF = 0x400;
export const IN_MOVE_SELF = 0x800;
/** A name changed within one directory; no mask of inotify has it. */
export const FS_RENAME = 0x1000_0000;
export const IN_ISDIR = 0x4000_0000;

/** Somebody who watches an inode. */
export interface Mark {
  /**
   * @param name of the child that the event is about; "" for the inode itself
   * @param gone the child's name is no longer there
   */
  notify(mask: number, name: string, cookie: number, gone: boolean): void;
  /** The inode is no more. */
  removed(): void;
}

/** A mark that is dropped by the descriptors that asked for it. */
export interface DirectoryWatch extends Mark {
  forget(file: object, files: object): void;
}

/** The marks of one machine. While there are none every call here returns at once. */
export class Notifier {
  private readonly marks = new Map<Inode, Set<Mark>>();
  private cookie = 0;
  /** The directories that F_NOTIFY asks about. */
  readonly directories = new Map<Inode, DirectoryWatch>();

  /** Whether anything is watched. */
  get active(): boolean {
    return this.marks.size > 0;
  }

  add(inode: Inode, mark: Mark): void {
    const set = this.marks.get(inode);
    if (set) set.add(mark);
    else this.marks.set(inode, new Set([mark]));
  }

  remove(inode: Inode, mark: Mark): void {
    const set = this.marks.get(inode);
    set?.delete(mark);
    if (set?.size === 0) this.marks.delete(inode);
  }

  private send(inode: Inode, mask: number, name = "", cookie = 0, gone = false): void {
    const set = this.marks.get(inode);
    if (set) for (const mark of [...set]) mark.notify(mask, name, cookie, gone);
  }

  /** An event on a file, for those who watch it and those who watch its directory. */
  event(dentry: Dentry, mask: number): void {
    if (this.marks.size === 0) return;
    const { inode, parent } = dentry;
    const bits = inode.isDir ? mask | IN_ISDIR : mask;
    if (parent !== dentry) this.send(parent.inode, bits, dentry.name, 0, !dentry.linked);
    this.send(inode, bits);
  }

  /** A name was made in a directory. */
  created(dir: Dentry, name: string): void {
    if (this.marks.size === 0) return;
    const made = dir.children?.get(name);
    this.send(dir.inode, made?.inode.isDir ? IN_CREATE | IN_ISDIR : IN_CREATE, name);
  }

  /** A file got another name; then the name is told. */
  linked(inode: Inode, dir: Dentry, name: string): void {
    if (this.marks.size === 0) return;
    this.send(inode, IN_ATTRIB);
    this.created(dir, name);
  }

  /** A name was removed; `victim` is what had it. */
  deleted(dir: Dentry, victim: Dentry): void {
    if (this.marks.size === 0) return;
    const { inode } = victim;
    if (!inode.isDir) this.send(inode, IN_ATTRIB);
    this.goneIfUnused(inode);
    this.send(dir.inode, inode.isDir ? IN_DELETE | IN_ISDIR : IN_DELETE, victim.name);
  }

  /** A name moved; `replaced` lost its own. */
  moved(from: Dentry, oldName: string, to: Dentry, newName: string, moved: Dentry, replaced: Dentry | null): void {
    if (this.marks.size === 0) return;
    this.cookie++;
    const dir = moved.inode.isDir ? IN_ISDIR : 0;
    if (from === to) this.send(from.inode, FS_RENAME | dir, oldName);
    this.send(from.inode, IN_MOVED_FROM | dir, oldName, this.cookie);
    this.send(to.inode, IN_MOVED_TO | dir, newName, this.cookie);
    if (replaced) this.send(replaced.inode, IN_ATTRIB);
    this.send(moved.inode, IN_MOVE_SELF);
    if (replaced) this.goneIfUnused(replaced.inode);
  }

  /** An inode without names and open files ends, and with it its marks. */
  goneIfUnused(inode: Inode): void {
    if (this.marks.size === 0 || inode.nlink > 0 || inode.opens > 0) return;
    const set = this.marks.get(inode);
    if (set === undefined) return;
    this.send(inode, IN_DELETE_SELF);
    for (const mark of [...set]) mark.removed();
    this.marks.delete(inode);
  }
}
