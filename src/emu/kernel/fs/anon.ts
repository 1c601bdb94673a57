// Inodes without a place in the tree: pipes, sockets, memfd, event descriptors (fs/anon_inodes.c, pipefs, sockfs).
import type { Kernel } from "../kernel.ts";
import { S_IFREG } from "./const.ts";
import { File, type FileOps } from "./file.ts";
import { Dentry, Inode, Mount, type Statfs, type SuperBlock } from "./inode.ts";

/** One of the kernel's internal file systems. */
export class AnonSuper implements SuperBlock {
  readonly dev: number;
  readonly type: string;
  readonly root: Dentry;
  readonly xattrs = false;
  readonly mnt: Mount;
  private readonly magic: number;
  private nextIno: number;

  constructor(dev: number, type: string, magic: number, firstIno: number) {
    this.dev = dev;
    this.type = type;
    this.magic = magic;
    this.nextIno = firstIno;
    this.root = new Dentry("", null, new AnonInode(this, 0, S_IFREG, {}));
    this.mnt = new Mount(0, this.root, null, type);
  }

  newIno(): number {
    return this.nextIno++;
  }

  statfs(_k: Kernel): Statfs {
    return { type: this.magic, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  }

  /** A new inode and a file open on it; `name` makes what /proc/self/fd shows of its number. */
  open(mode: number, flags: number, ops: FileOps, name: (ino: number) => string): File {
    const inode = new AnonInode(this, this.newIno(), mode, ops);
    return this.openInode(inode, flags, ops, name(inode.ino));
  }

  /** A file open on an inode that has no place in the tree. */
  openInode(inode: Inode, flags: number, ops: FileOps, name: string): File {
    return new File({ mnt: this.mnt, dentry: new Dentry(name, null, inode) }, flags, ops);
  }
}

/** An inode that is its operations; opening it again through /proc/self/fd gives them once more. */
export class AnonInode extends Inode {
  private readonly ops: FileOps;

  constructor(sb: SuperBlock, ino: number, mode: number, ops: FileOps) {
    super(sb, ino, mode);
    this.ops = ops;
  }

  override fileOps(): FileOps {
    return this.ops;
  }
}
