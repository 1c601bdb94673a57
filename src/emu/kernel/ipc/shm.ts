// System V shared memory: anonymous memory with a number, mapped by whoever may (ipc/shm.c).
import { EINVAL, EPERM, SysError } from "../errno.ts";
import type { Kernel, Sys } from "../kernel.ts";
import type { Mm } from "../mm/mm.ts";
import { do_mmap, MAP_ANONYMOUS, MAP_FIXED } from "../mm/mmap.ts";
import { SharedAnon } from "../mm/shmem.ts";
import type { Task } from "../task.ts";
import { copyOut, TASK_SIZE } from "../user.ts";
import {
  column,
  demand,
  demandOwner,
  IPC_INFO,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  IpcPerm,
  IpcTable,
  ipcStat,
  permFields,
  S_IRUGO,
  S_IWUGO,
  setPerm,
  struct,
  wideTime,
} from "./table.ts";

const SHMMNI = 4096;
const SHMMAX = 0xfeff_ffff;
const SHM_HUGETLB = 0o4000;
const SHM_RDONLY = 0o10000;
const SHM_RND = 0o20000;
const SHM_REMAP = 0o40000;
const SHM_EXEC = 0o100000;
/** Bits of the mode. */
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;
const [SHM_LOCK, SHM_UNLOCK, SHM_STAT, SHM_INFO, SHM_STAT_ANY] = [11, 12, 13, 14, 15];
const PAGE = 4096;
const MAP_SHARED = 1;

/** A segment: its pages live until it is removed and nobody maps it. */
class Segment extends SharedAnon {
  readonly perm: IpcPerm;
  readonly size: number;
  atime = 0;
  dtime = 0;
  ctime: number;
  readonly cpid: number;
  lpid = 0;
  private readonly k: Kernel;

  constructor(k: Kernel, perm: IpcPerm, size: number, cpid: number) {
    super(k.vfs.cache, Math.ceil(size / PAGE));
    this.k = k;
    this.perm = perm;
    this.size = size;
    this.cpid = cpid;
    this.ctime = k.realtime().sec;
  }

  /** Areas that map it. */
  get attached(): number {
    let n = 0;
    for (const mm of this.vmas) n += (mm as Mm).vmas.list.filter((vma) => vma.mapping === this).length;
    return n;
  }

  override closed(): void {
    this.dtime = this.k.realtime().sec;
    this.lpid = this.k.current.tgid;
  }

  override release(): void {
    if (this.perm.mode & SHM_DEST) this.destroy();
  }

  destroy(): void {
    this.k.ipc.shm.table.remove(this);
    super.release();
  }
}

/** All segments of the machine. */
export class SharedMemory {
  readonly table = new IpcTable<Segment>(SHMMNI);

  /** Pages of all segments: made, in memory, in swap. */
  pages(): [all: number, resident: number, swapped: number] {
    const all = this.table.all();
    const sum = (of: (s: Segment) => number) => all.reduce((n, s) => n + of(s), 0);
    return [sum((s) => s.pageCount), sum((s) => s.pages.size), sum((s) => s.swapped.size)];
  }

  /** /proc/sysvipc/shm. */
  text(): string {
    const head =
      "       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime        rss       swap\n";
    const row = (s: Segment) => {
      const p = s.perm;
      const ids = [p.uid, p.gid, p.cuid, p.cgid].map((n) => column(n, 5)).join(" ");
      const rest = [s.atime, s.dtime, s.ctime, s.pages.size * PAGE, s.swapped.size * PAGE]
        .map((n) => column(n, 10))
        .join(" ");
      return `${column(p.key, 10)} ${column(p.id, 10)}  ${column(p.mode, 4, 8)} ${column(s.size, 10)} ${column(s.cpid, 5)} ${column(s.lpid, 5)}  ${column(s.attached, 5)} ${ids} ${rest}\n`;
    };
    return head + this.table.all().map(row).join("");
  }
}

/** shmget(key, size, flags). */
export const sys_shmget: Sys = (k, t, key, length, flags) => {
  const size = length >>> 0;
  return k.ipc.shm.table.get(
    t,
    key,
    flags,
    (s) => (s.size < size ? -EINVAL : 0),
    () => {
      if (size === 0 || size > SHMMAX || flags & SHM_HUGETLB) throw new SysError(EINVAL);
      return new Segment(k, new IpcPerm(t, key, flags), size, t.tgid);
    },
  );
};

/** shmat(segment, address, flags): where it is mapped, or -errno. */
export const sys_shmat: Sys = (k, t, id, address, flags) => {
  let addr = address >>> 0;
  if (id < 0) return -EINVAL;
  if (addr % PAGE !== 0) {
    if (!(flags & SHM_RND)) return -EINVAL;
    addr -= addr % PAGE;
    if (addr === 0 && flags & SHM_REMAP) return -EINVAL;
  } else if (addr === 0 && flags & SHM_REMAP) return -EINVAL;
  const write = !(flags & SHM_RDONLY);
  const segment = k.ipc.shm.table.at(id);
  demand(t, segment.perm, (write ? S_IRUGO | S_IWUGO : S_IRUGO) | (flags & SHM_EXEC ? 0o111 : 0));
  const length = segment.pageCount * PAGE;
  const mm = t.mm!;
  if (addr !== 0 && !(flags & SHM_REMAP)) {
    if (addr + length > TASK_SIZE || mm.vmas.overlapping(addr, addr + length).length > 0) return -EINVAL;
  }
  const prot = 1 | (write ? 2 : 0) | (flags & SHM_EXEC ? 4 : 0);
  const how = MAP_SHARED | MAP_ANONYMOUS | (addr === 0 ? 0 : MAP_FIXED);
  const at = do_mmap(k, t, { addr, length, prot, flags: how, pgoff: 0, shared: segment });
  if (at < 0) return at;
  const vma = mm.vmas.at(at);
  if (vma) vma.name = `/SYSV${(segment.perm.key >>> 0).toString(16).padStart(8, "0")} (deleted)`;
  segment.atime = k.realtime().sec;
  segment.lpid = t.tgid;
  return at | 0;
};

/** shmdt(address). */
export const sys_shmdt: Sys = (_k, t, address) => {
  const addr = address >>> 0;
  const mm = t.mm!;
  if (addr % PAGE !== 0) return -EINVAL;
  const first = mm.vmas.list.find(
    (vma) => vma.mapping instanceof Segment && vma.start >= addr && vma.start - vma.pgoff * PAGE === addr,
  );
  if (first === undefined) return -EINVAL;
  const segment = first.mapping as Segment;
  const end = addr + segment.pageCount * PAGE;
  for (const vma of mm.vmas.overlapping(addr, end)) {
    if (vma.mapping === segment && vma.start - vma.pgoff * PAGE === addr) mm.unmap(vma.start, vma.end);
  }
  return 0;
};

/** struct shmid64_ds or shmid_ds. */
function shmBytes(s: Segment, wide: boolean): Uint8Array {
  const perm = permFields(s.perm, wide);
  const n = s.attached;
  if (wide) {
    const times = [s.atime, s.dtime, s.ctime].flatMap(wideTime);
    return struct([...perm, s.size, ...times, s.cpid, s.lpid, n], 84);
  }
  return struct([...perm, s.size, s.atime, s.dtime, s.ctime, [s.cpid, 2], [s.lpid, 2], [n, 2]], 48);
}

/** struct shminfo64 and shm_info. */
function shmInfo(k: Kernel, cmd: number, wide: boolean): Uint8Array {
  const { shm } = k.ipc;
  if (cmd === SHM_INFO) return struct([shm.table.size, ...shm.pages(), 0, 0], 24);
  const most = wide ? SHMMAX : 0x7fff_ffff;
  return struct([most, 1, SHMMNI, SHMMNI, SHMMAX], wide ? 36 : 20);
}

/**
 * shmctl(segment, command, argument).
 * @param wide the structs of IPC_64
 */
export function shmctl(k: Kernel, t: Task, id: number, cmd: number, arg: number, wide: boolean): number {
  const { table } = k.ipc.shm;
  if (id < 0 || cmd < 0) return -EINVAL;
  switch (cmd) {
    case IPC_INFO:
    case SHM_INFO:
      copyOut(k, t, arg, shmInfo(k, cmd, wide));
      return table.highest;
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
      return ipcStat(k, t, table, { id, cmd, arg, any: cmd === SHM_STAT_ANY }, (o) => shmBytes(o, wide));
    case IPC_SET: {
      const s = table.at(id);
      setPerm(k, t, s.perm, arg, wide);
      s.ctime = k.realtime().sec;
      return 0;
    }
    case IPC_RMID: {
      const s = table.at(id);
      demandOwner(k, t, s.perm);
      if (s.attached === 0) s.destroy();
      else {
        s.perm.mode |= SHM_DEST;
        s.perm.key = IPC_PRIVATE;
      }
      return 0;
    }
    case SHM_LOCK:
    case SHM_UNLOCK: {
      const s = table.at(id);
      const { euid } = t.creds;
      if (!k.ids.capable(t, "IPC_LOCK") && euid !== s.perm.uid && euid !== s.perm.cuid) return -EPERM;
      if (cmd === SHM_LOCK) s.perm.mode |= SHM_LOCKED;
      else s.perm.mode &= ~SHM_LOCKED;
      return 0;
    }
    default:
      return -EINVAL;
  }
}

export const sys_shmctl: Sys = (k, t, id, cmd, arg) => shmctl(k, t, id, cmd, arg, true);
