// F_NOTIFY: a signal when something happens in a directory (fs/notify/dnotify).
import { ENOTDIR } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import type { File } from "./file.ts";
import type { FilesStruct } from "./files.ts";
import type { Inode } from "./inode.ts";
import {
  type DirectoryWatch,
  FS_RENAME,
  IN_ACCESS,
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "./notify.ts";
import { OWNER, own, POLL, sendSigio } from "./sigio.ts";

const DN_MULTISHOT = 0x8000_0000 | 0;
/** DN_ACCESS, DN_MODIFY, DN_CREATE, DN_DELETE, DN_RENAME, DN_ATTRIB: the events of each bit. */
const EVENTS = [IN_ACCESS, IN_MODIFY, IN_CREATE | IN_MOVED_TO, IN_DELETE | IN_MOVED_FROM, FS_RENAME, IN_ATTRIB];

/** One open directory of one table of descriptors, and what it asked for. */
interface Asked {
  readonly file: File;
  readonly files: FilesStruct;
  fd: number;
  mask: number;
  again: boolean;
}

/** The watch on a directory; it lives as long as somebody asks for something. */
class DirectoryMark implements DirectoryWatch {
  asked: Asked[] = [];
  private readonly k: Kernel;
  private readonly inode: Inode;

  constructor(k: Kernel, inode: Inode) {
    this.k = k;
    this.inode = inode;
    k.vfs.notify.add(inode, this);
    k.vfs.notify.directories.set(inode, this);
  }

  notify(mask: number): void {
    for (const one of this.asked.filter((a) => a.mask & mask)) {
      sendSigio(this.k, one.file, one.fd, POLL.MSG);
      if (!one.again) this.drop((a) => a === one);
    }
  }

  drop(which: (one: Asked) => boolean): void {
    this.asked = this.asked.filter((one) => !which(one));
    if (this.asked.length === 0) this.removed();
  }

  forget(file: object, files: object): void {
    this.drop((one) => one.file === file && one.files === files);
  }

  removed(): void {
    this.k.vfs.notify.remove(this.inode, this);
    this.k.vfs.notify.directories.delete(this.inode);
  }
}

/** fcntl(fd, F_NOTIFY, events); no events: no more. */
export function directoryNotify(k: Kernel, t: Task, fd: number, file: File, arg: number): number {
  const { inode } = file;
  const files = t.files!;
  if ((arg & ~DN_MULTISHOT) === 0) {
    k.vfs.notify.directories.get(inode)?.forget(file, files);
    return 0;
  }
  if (!inode.isDir) return -ENOTDIR;
  const mask = EVENTS.reduce((all, events, i) => (arg & (1 << i) ? all | events : all), 0);
  own(file, t, OWNER.process, t.tgid, false);
  const mark = (k.vfs.notify.directories.get(inode) as DirectoryMark | undefined) ?? new DirectoryMark(k, inode);
  const again = (arg & DN_MULTISHOT) !== 0;
  const known = mark.asked.find((one) => one.file === file && one.files === files);
  if (known) {
    known.fd = fd;
    known.mask |= mask;
    known.again ||= again;
  } else mark.asked.push({ file, files, fd, mask, again });
  return 0;
}
