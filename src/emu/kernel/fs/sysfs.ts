// /sys, as far as programs look: the processors, transparent huge pages, block devices (none).
import type { Kernel } from "../kernel.ts";
import { S_IFDIR, S_IFREG } from "./const.ts";
import { dirOps } from "./dir.ts";
import type { FileOps } from "./file.ts";
import { Dentry, Inode, type Statfs, type SuperBlock } from "./inode.ts";
import { textOps } from "./text.ts";

const SYSFS_MAGIC = 0x62656572;

/** Files by path; a name that ends in / is an empty directory. */
const TREE: Readonly<Record<string, string>> = {
  "devices/system/cpu/online": "0\n",
  "devices/system/cpu/possible": "0\n",
  "devices/system/cpu/present": "0\n",
  "devices/system/cpu/kernel_max": "0\n",
  "devices/system/cpu/cpu0/": "",
  "devices/system/node/online": "0\n",
  "kernel/mm/transparent_hugepage/enabled": "always madvise [never]\n",
  "kernel/mm/transparent_hugepage/defrag": "always defer defer+madvise [madvise] never\n",
  "kernel/mm/transparent_hugepage/hpage_pmd_size": "4194304\n",
  "kernel/mm/transparent_hugepage/shmem_enabled": "always within_size advise [never] deny force\n",
  "kernel/mm/hugepages/": "",
  "class/net/lo/": "",
  "block/": "",
  "fs/cgroup/": "",
};

export class SysSuper implements SuperBlock {
  readonly dev: number;
  readonly type = "sysfs";
  readonly xattrs = false;
  readonly root: Dentry;
  private nextIno = 1;

  constructor(dev: number) {
    this.dev = dev;
    this.root = new Dentry("", null, this.inode(S_IFDIR | 0o555, ""));
    for (const [path, text] of Object.entries(TREE)) {
      const names = path.split("/");
      const last = names.pop()!;
      let dir = this.root;
      for (const name of names) dir = dir.children!.get(name) ?? this.add(dir, name, S_IFDIR | 0o755, "");
      if (last !== "") this.add(dir, last, S_IFREG | 0o444, text);
    }
  }

  private inode(mode: number, text: string): SysInode {
    const inode = new SysInode(this, this.nextIno++, mode);
    inode.text = text;
    if (inode.isDir) inode.nlink = 2;
    else inode.size = 4096;
    return inode;
  }

  private add(dir: Dentry, name: string, mode: number, text: string): Dentry {
    const dentry = new Dentry(name, dir, this.inode(mode, text));
    dir.add(dentry);
    if (dentry.inode.isDir) dir.inode.nlink++;
    return dentry;
  }

  statfs(_k: Kernel): Statfs {
    return { type: SYSFS_MAGIC, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0 };
  }
}

class SysInode extends Inode {
  text = "";

  override refresh(k: Kernel): void {
    if (this.mtime.sec === 0) this.atime = this.mtime = this.ctime = k.realtime();
  }

  override fileOps(): FileOps {
    return this.isDir ? dirOps : textOps((_k, _t, file) => (file.inode as SysInode).text);
  }
}
