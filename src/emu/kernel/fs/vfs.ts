// The file systems of one machine: what is mounted where, the page cache, the standard streams.
import type { RootImage } from "../../rootfs/image.ts";
import { BlockStore } from "../block.ts";
import type { Kernel } from "../kernel.ts";
import type { Mm } from "../mm/mm.ts";
import { InetPorts } from "../net/inet.ts";
import { UnixNames } from "../net/unix.ts";
import type { Task } from "../task.ts";
import type { AddressSpace } from "./address_space.ts";
import { AnonSuper } from "./anon.ts";
import { Console } from "./console.ts";
import { makedev, O_RDONLY, O_RDWR, O_WRONLY, S_IFCHR, S_IFLNK } from "./const.ts";
import { File } from "./file.ts";
import { FilesStruct } from "./files.ts";
import { type HostDir, HostSuper } from "./hostfs.ts";
import { imageBytes, mountImage } from "./image_root.ts";
import { type Dentry, dPath, Mount, type Path } from "./inode.ts";
import { type MemInode, MemSuper } from "./memfs.ts";
import { LOOKUP_DIRECTORY, walk } from "./namei.ts";
import { Notifier } from "./notify.ts";
import { PageCache } from "./page_cache.ts";
import { ProcSuper } from "./proc/proc.ts";
import { DevptsSuper, Ptys } from "./pty.ts";
import { StdStreams } from "./stdio.ts";
import { SysSuper } from "./sysfs.ts";
import { sessionLeaderExit } from "./tty_jobctrl.ts";
import { WriteBack } from "./writeback.ts";

/** A host directory in the guest's tree. */
export interface BindMount {
  host: HostDir;
  /** Absolute guest path; made if it is not there. */
  guest: string;
  writable: boolean;
}

/** st_dev of the file systems: sda1, then the anonymous ones in the order Debian's boot makes them. */
const DEV = {
  root: makedev(8, 1),
  dev: 6,
  pts: 23,
  shm: 22,
  proc: 20,
  sys: 21,
  pipe: 13,
  sock: 8,
  anon: 14,
  memfd: 1,
  host: 40,
};
/** Magic numbers of statfs (include/uapi/linux/magic.h). */
const PIPEFS_MAGIC = 0x50495045;
const SOCKFS_MAGIC = 0x534f434b;
const ANON_INODE_FS_MAGIC = 0x09041934;

export class Vfs {
  readonly cache: PageCache;
  readonly writeBack: WriteBack;
  readonly rootMount: Mount;
  readonly rootSuper: MemSuper;
  /** In order of mounting: /proc/mounts. */
  readonly mounts: Mount[] = [];
  readonly pipefs = new AnonSuper(DEV.pipe, "pipefs", PIPEFS_MAGIC, 4001);
  readonly sockfs = new AnonSuper(DEV.sock, "sockfs", SOCKFS_MAGIC, 8001);
  readonly anonfs = new AnonSuper(DEV.anon, "anon_inodefs", ANON_INODE_FS_MAGIC, 1);
  /** Where memfd files live. */
  readonly shmem: MemSuper;
  /** Who watches which files, and the inotify instances that do. */
  readonly notify = new Notifier();
  readonly inotifies = new Set<object>();
  /** Names of AF_UNIX sockets. */
  readonly names = new UnixNames();
  /** Sockets of AF_NETLINK that have a port. */
  readonly netlink = new Set<object>();
  /** Ports of TCP and UDP. */
  readonly inet = new InetPorts();
  readonly streams: StdStreams;
  /** The terminal of a run with one. */
  readonly console: Console;
  readonly ptys: Ptys;
  /** Pages that the current call missed in the cache. */
  coldPages = 0;
  private nextMountId = 1;

  /** Mounts the image as root with /proc, /sys, /dev, /trusted and the host's directories. */
  constructor(k: Kernel, image: RootImage, binds: readonly BindMount[] = []) {
    this.writeBack = new WriteBack(k);
    const store = new BlockStore(
      k.clock,
      (offset, length) => image.read(offset, length),
      imageBytes(image),
      !k.options.cold,
    );
    this.cache = new PageCache(
      {
        frames: k.frames,
        lists: k.lists,
        swap: k.swap,
        vm: k.vm,
        u8: k.memory.u8,
        ramBase: k.memory.ramBase,
        now: () => k.clock.now(),
        written: (pfn) => {
          if (k.memory.codeFrames[pfn] !== 0) k.cpu.invalidateFrame(pfn);
        },
        makeRoom: () => k.reclaim.makeRoom(),
        low: () => k.frames.low,
        clean: (pfn) => k.reclaim.scanner.clean(pfn),
        dirtied: () => this.writeBack.dirtied(),
        tooDirty: () => this.writeBack.throttle(),
        writes: (page, why) => k.reclaim.noteWrite(page, why),
        unmap: (mapping, first) => this.unmap(mapping, first),
        cold: () => this.cold(k),
      },
      store,
    );
    this.rootSuper = mountImage(DEV.root, this.cache, image);
    this.rootMount = this.mount(this.rootSuper.root, null, "/dev/sda1");
    this.console = new Console(k);
    this.streams = new StdStreams(k, this.pipefs);
    this.shmem = new MemSuper(DEV.memfd, "tmpfs", this.cache, 0o1777, 1);
    const boot = k.realtime();
    const root = this.rootSuper.root;
    this.mount(new ProcSuper(DEV.proc).root, this.at(root, "proc", boot), "proc");
    this.mount(new SysSuper(DEV.sys).root, this.at(root, "sys", boot), "sysfs");
    const dev = this.devices(boot);
    this.mount(dev.root, this.at(root, "dev", boot), "udev");
    const devMount = this.mounts[this.mounts.length - 1];
    const shm = new MemSuper(DEV.shm, "tmpfs", this.cache, 0o1777, 1);
    this.mount(shm.root, { mnt: devMount, dentry: dev.root.children!.get("shm")! }, "tmpfs");
    const pts = new DevptsSuper(DEV.pts, this.cache, boot);
    const ptsMount = this.mount(pts.root, { mnt: devMount, dentry: dev.root.children!.get("pts")! }, "devpts");
    this.ptys = new Ptys(k, ptsMount);
    if (k.options.tty) this.ptys.add(this.console.tty, 0);
    this.child(root, "tmp", 0o1777, boot);
    let n = 0;
    for (const b of binds) {
      const dentry = this.path(root, b.guest, boot);
      this.mount(new HostSuper(DEV.host + n, b.host, this.cache).root, dentry, `host${n++}`, !b.writable);
    }
    this.trusted(root, boot);
  }

  private mount(root: Dentry, at: Path | null, source: string, readOnly = false): Mount {
    const mnt = new Mount(this.nextMountId++, root, at, source, readOnly);
    this.mounts.push(mnt);
    return mnt;
  }

  /** The view of the whole root, mounts included, whose programs run in ring 0. The name is not listed in /. */
  private trusted(root: Dentry, time: { sec: number; nsec: number }): void {
    const existing = root.children!.get("trusted");
    if (existing) root.remove(existing);
    const inode = this.rootSuper.directory(0o755, time);
    const dentry = this.rootSuper.dentry("trusted", root, inode);
    root.add(dentry, false);
    const below = this.mounts.filter((m) => m.at !== null);
    const view = new Mount(this.nextMountId++, root, { mnt: this.rootMount, dentry }, "/dev/sda1");
    view.view = view;
    const copies = new Map<Mount, Mount>([[this.rootMount, view]]);
    for (const m of below) {
      const mnt = copies.get(m.at!.mnt)!;
      const copy = new Mount(this.nextMountId++, m.root, { mnt, dentry: m.at!.dentry }, m.source, m.readOnly);
      copy.view = view;
      copies.set(m, copy);
    }
  }

  /** A directory of the root for a mount, made if the image has none. */
  private at(root: Dentry, name: string, time: { sec: number; nsec: number }): Path {
    return { mnt: this.rootMount, dentry: this.child(root, name, 0o755, time) };
  }

  private child(dir: Dentry, name: string, mode: number, time: { sec: number; nsec: number }): Dentry {
    const existing = dir.children!.get(name);
    if (existing?.inode.isDir) return existing;
    if (existing) dir.remove(existing);
    const sb = dir.inode.sb as MemSuper;
    const made = sb.dentry(name, dir, sb.directory(mode, time));
    dir.add(made);
    dir.inode.nlink++;
    return made;
  }

  private path(root: Dentry, path: string, time: { sec: number; nsec: number }): Path {
    let dentry = root;
    let mnt = this.rootMount;
    for (const name of path.split("/")) {
      if (name === "" || name === ".") continue;
      if (dentry.inode.sb instanceof MemSuper) dentry = this.child(dentry, name, 0o755, time);
      const over = mnt.children.get(dentry);
      if (over) ({ mnt, dentry } = { mnt: over, dentry: over.root });
    }
    return { mnt, dentry };
  }

  /** /dev as devtmpfs makes it, as far as programs look. */
  private devices(time: { sec: number; nsec: number }): MemSuper {
    const sb = new MemSuper(DEV.dev, "devtmpfs", this.cache, 0o755, 1);
    const root = sb.root;
    sb.stamp(root.inode as MemInode, time);
    const node = (name: string, mode: number, major: number, minor: number, gid = 0) => {
      const inode = sb.special(S_IFCHR | mode, makedev(major, minor), time);
      inode.gid = gid;
      root.add(sb.dentry(name, root, inode));
    };
    const link = (name: string, target: string) => {
      root.add(sb.dentry(name, root, sb.link(S_IFLNK | 0o777, target, time)));
    };
    node("console", 0o600, 5, 1);
    link("fd", "/proc/self/fd");
    node("full", 0o666, 1, 7);
    node("null", 0o666, 1, 3);
    node("ptmx", 0o666, 5, 2, 5);
    const dir = (name: string, mode: number) => {
      const inode = sb.directory(mode, time);
      const dentry = sb.dentry(name, root, inode);
      root.add(dentry);
      root.inode.nlink++;
      return dentry;
    };
    dir("pts", 0o755);
    node("random", 0o666, 1, 8);
    dir("shm", 0o1777);
    link("stderr", "/proc/self/fd/2");
    link("stdin", "/proc/self/fd/0");
    link("stdout", "/proc/self/fd/1");
    node("tty", 0o666, 5, 0, 5);
    node("urandom", 0o666, 1, 9);
    node("zero", 0o666, 1, 5);
    root.inode.size = 40 + 20 * root.children!.size;
    return sb;
  }

  /** The root of all. */
  root(): Path {
    return { mnt: this.rootMount, dentry: this.rootSuper.root };
  }

  /** Absolute name of an open file, seen from the root of all: starts with /trusted/ if it was opened through there. */
  pathOf(file: File): string {
    return dPath(file.path, this.root());
  }

  /** Name of a place as a process with this root sees it. */
  nameOf(path: Path, root: Path): string {
    return dPath(path, root);
  }

  /** Files of this mount cannot be mapped for execution. */
  noExec(file: File): boolean {
    const { type } = file.inode.sb;
    return type === "proc" || type === "sysfs";
  }

  /** A session's leader exits: its terminal is free again. */
  sessionLeaderExit(k: Kernel, t: Task): void {
    sessionLeaderExit(k, t);
  }

  /** Writes to the host what rw binds still hold; called at the end of a run. */
  flushBinds(): void {
    for (const m of this.mounts) if (m.root.inode.sb instanceof HostSuper) m.root.inode.sb.flush();
  }

  /** A place by name, following links; or -errno. */
  lookup(k: Kernel, t: Task, path: string): Path | number {
    const w = walk(k, t, t.fs!.cwd, path, 1);
    return typeof w === "number" ? w : { mnt: w.mnt, dentry: w.dentry };
  }

  /** A directory by name, or -errno. */
  lookupDirectory(k: Kernel, t: Task, path: string): Path | number {
    const w = walk(k, t, t.fs!.cwd, path, 1 | LOOKUP_DIRECTORY);
    return typeof w === "number" ? w : { mnt: w.mnt, dentry: w.dentry };
  }

  /** Descriptors 0, 1 and 2 of the first program. */
  standardFiles(k: Kernel): FilesStruct {
    const files = new FilesStruct();
    if (k.options.tty) {
      const { tty } = this.console;
      const dentry = this.ptys.mount.root.children!.get("0")!;
      const file = new File({ mnt: this.ptys.mount, dentry }, O_RDWR, tty.ops);
      tty.files.add(file);
      for (let fd = 0; fd < 3; fd++) files.install(file);
      return files;
    }
    files.install(this.streams.stdin(O_RDONLY));
    files.install(this.streams.stdout(O_WRONLY));
    files.install(this.streams.stderr(O_WRONLY));
    return files;
  }

  private cold(k: Kernel): void {
    if (!k.recorder.enabled || k.current.seq < 0) return;
    this.coldPages = this.coldSeq === k.current.seq ? this.coldPages + 1 : 1;
    this.coldSeq = k.current.seq;
    k.recorder.set(k.current.seq, { cold: this.coldPages });
  }
  private coldSeq = -1;

  private unmap(mapping: AddressSpace, first: number): void {
    for (const mm of mapping.vmas) (mm as Mm).unmapMapping(mapping, first);
  }
}
