// The calls that change an address space: mmap2, munmap, mprotect, mremap, brk, madvise, msync, mlock and their kin.
import { EACCES, EAGAIN, EBADF, EEXIST, EFAULT, EINVAL, ENODEV, ENOMEM, EOVERFLOW, EPERM, SysError } from "../errno.ts";
import type { File } from "../fs/file.ts";
import type { Kernel, Sys } from "../kernel.ts";
import { RLIM_INFINITY, RLIMIT, type Task } from "../task.ts";
import { copyOut, readU32, TASK_SIZE } from "../user.ts";
import type { Wait, WakeReason } from "../wait.ts";
import { populate } from "./fault.ts";
import { MMAP_MIN_ADDR, type Mm, PAGE, pageDown, pageUp } from "./mm.ts";
import { PTE_SWAP } from "./pagetable.ts";
import { SharedAnon } from "./shmem.ts";
import {
  type Mapping,
  VM_ACCESS,
  VM_DONTCOPY,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_WIPEONFORK,
  VM_WRITE,
  Vma,
} from "./vma.ts";

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const PROT_GROWSDOWN = 0x0100_0000;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_SHARED_VALIDATE = 3;
const MAP_TYPE = 15;
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_LOCKED = 0x2000;
const MAP_NORESERVE = 0x4000;
const MAP_POPULATE = 0x8000;
const MAP_NONBLOCK = 0x1_0000;
const MAP_HUGETLB = 0x4_0000;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const MREMAP_MAYMOVE = 1;
const MREMAP_FIXED = 2;
const MREMAP_DONTUNMAP = 4;
const MS_ASYNC = 1;
const MS_INVALIDATE = 2;
const MS_SYNC = 4;
const MCL_CURRENT = 1;
const MCL_FUTURE = 2;
const MCL_ONFAULT = 4;

/** What do_mmap is asked for; lengths and addresses in bytes. */
export interface MmapRequest {
  addr: number;
  length: number;
  prot: number;
  flags: number;
  file?: File;
  /** In pages. */
  pgoff: number;
  /** Shared memory to map in place of new (shmat). */
  shared?: Mapping;
}

function accessOf(prot: number): number {
  return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) | (prot & PROT_EXEC ? VM_EXEC : 0);
}

function mmOf(t: Task): Mm {
  if (t.mm === undefined) throw new SysError(EFAULT);
  return t.mm;
}

/** The largest single request that heuristic overcommit (mode 0) grants: all of RAM and swap. */
function overcommits(k: Kernel, flags: number, pages: number): boolean {
  const accounted = (flags & (VM_WRITE | VM_SHARED | VM_NORESERVE)) === VM_WRITE;
  return accounted && pages > k.frames.total + k.swap.total;
}

function lockAllowed(k: Kernel, t: Task, mm: Mm, pages: number): boolean {
  const limit = t.signal.rlimits[RLIMIT.MEMLOCK]?.cur ?? RLIM_INFINITY;
  return k.ids.capable(t, "IPC_LOCK") || (mm.lockedPages + pages) * PAGE <= limit;
}

/**
 * Maps memory.
 * @returns the address, or -errno as a negative number
 */
export function do_mmap(k: Kernel, t: Task, request: MmapRequest): number {
  const mm = mmOf(t);
  const { file, prot, flags, pgoff } = request;
  let { addr } = request;
  if (request.length === 0) return -EINVAL;
  const length = pageUp(request.length);
  if (length > TASK_SIZE) return -ENOMEM;
  if (pgoff + length / PAGE > 0x1_0000_0000) return -EOVERFLOW;
  const fixed = (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) !== 0;
  if (fixed) {
    if (addr % PAGE !== 0) return -EINVAL;
    if (addr + length > TASK_SIZE) return -ENOMEM;
    if (addr < MMAP_MIN_ADDR && !k.ids.capable(t, "SYS_RAWIO")) return -EPERM;
    if (flags & MAP_FIXED_NOREPLACE && mm.vmas.overlapping(addr, addr + length).length > 0) return -EEXIST;
  } else {
    addr = pageDown(addr);
    if (addr !== 0 && addr < MMAP_MIN_ADDR) addr = MMAP_MIN_ADDR;
    const hint = addr !== 0 && addr + length <= TASK_SIZE && mm.isFree(addr, length);
    if (!hint) addr = mm.findFree(length);
    if (addr < 0) return addr;
  }
  const kind = kindOf(k, file, prot, flags, length, request.shared);
  if (typeof kind === "number") return kind;
  const { mapping } = kind;
  let vmFlags = kind.flags | accessOf(prot) | (mm.lockFuture || flags & MAP_LOCKED ? VM_LOCKED : 0);
  if (flags & MAP_NORESERVE) vmFlags |= VM_NORESERVE;
  if (flags & MAP_GROWSDOWN && file === undefined) vmFlags |= VM_GROWSDOWN;
  const pages = length / PAGE;
  if (vmFlags & VM_LOCKED && !lockAllowed(k, t, mm, pages)) return -EAGAIN;
  if (!mm.mayExpand(t, vmFlags, pages) || overcommits(k, vmFlags, pages)) return -ENOMEM;
  if (fixed) mm.unmap(addr, addr + length);
  const offset = mapping === undefined || file === undefined ? (mapping ? 0 : addr / PAGE) : pgoff;
  mm.addVma(new Vma(addr, addr + length, vmFlags, offset, mapping && file ? file : undefined, mapping));
  const wanted = (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE || vmFlags & VM_LOCKED;
  if (wanted) populate(k, t, addr, addr + length);
  return addr;
}

/** Checks a mapping's kind against the file and gives the flags it starts with and where its pages come from. */
function kindOf(
  k: Kernel,
  file: File | undefined,
  prot: number,
  flags: number,
  length: number,
  memory?: Mapping,
): { flags: number; mapping?: Mapping } | number {
  const type = flags & MAP_TYPE;
  const shared = type === MAP_SHARED || type === MAP_SHARED_VALIDATE;
  if (!shared && type !== MAP_PRIVATE) return -EINVAL;
  let vmFlags = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if (file === undefined) {
    if (!shared) return { flags: vmFlags };
    return { flags: vmFlags | VM_SHARED, mapping: memory ?? new SharedAnon(k.vfs.cache, length / PAGE) };
  }
  if (!file.readable) return -EACCES;
  if (shared && prot & PROT_WRITE && !file.writable) return -EACCES;
  if (file.ops.mmapZero) {
    return shared
      ? { flags: vmFlags | VM_SHARED, mapping: new SharedAnon(k.vfs.cache, length / PAGE) }
      : { flags: vmFlags };
  }
  const { mapping } = file.inode;
  if (mapping === null) return -ENODEV;
  if (shared) {
    vmFlags |= VM_SHARED;
    if (!file.writable) vmFlags &= ~VM_MAYWRITE;
  }
  return { flags: vmFlags, mapping };
}

export const sys_mmap2: Sys = (k, t, addr, length, prot, flags, fd, pgoff) => {
  const file = flags & MAP_ANONYMOUS ? undefined : t.files?.get(fd);
  if (!(flags & MAP_ANONYMOUS) && file === undefined) return -EBADF;
  if (flags & MAP_HUGETLB) return -EINVAL;
  const request = { addr: addr >>> 0, length: length >>> 0, prot, flags, file, pgoff: pgoff >>> 0 };
  return do_mmap(k, t, request) | 0;
};

/** The old call: its six arguments lie in memory, the offset in bytes. */
export const sys_mmap: Sys = (k, t, args) => {
  const word = (i: number) => readU32(k, t, args + 4 * i) | 0;
  const offset = word(5) >>> 0;
  if (offset % PAGE !== 0) return -EINVAL;
  return sys_mmap2(k, t, word(0), word(1), word(2), word(3), word(4), offset / PAGE);
};

export const sys_munmap: Sys = (_k, t, addr, length) => {
  const start = addr >>> 0;
  const size = pageUp(length >>> 0);
  if (start % PAGE !== 0 || size === 0 || start > TASK_SIZE || size > TASK_SIZE - start) return -EINVAL;
  mmOf(t).unmap(start, start + size);
  return 0;
};

export const sys_brk: Sys = (k, t, addr) => {
  const mm = mmOf(t);
  const wanted = addr >>> 0;
  if (wanted < mm.startBrk) return mm.brk | 0;
  const old = pageUp(mm.brk);
  const next = pageUp(wanted);
  const limit = t.signal.rlimits[RLIMIT.DATA]?.cur ?? RLIM_INFINITY;
  if (wanted - mm.startBrk + (mm.endData - mm.startData) > limit) return mm.brk | 0;
  if (next < old) mm.unmap(next, old);
  else if (next > old) {
    const flags = VM_READ | VM_WRITE | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
    const heap = flags & ~(t.execHeap ? 0 : VM_EXEC);
    const above = mm.vmas.find(old);
    const room = above === undefined ? TASK_SIZE : above.start - (above.flags & VM_GROWSDOWN ? 256 * PAGE : 0);
    const pages = (next - old) / PAGE;
    if (next > room - PAGE || !mm.mayExpand(t, heap, pages) || overcommits(k, heap, pages)) return mm.brk | 0;
    const vma = new Vma(old, next, heap | (mm.lockFuture ? VM_LOCKED : 0), old / PAGE);
    vma.name = "[heap]";
    mm.addVma(vma);
    if (mm.lockFuture) populate(k, t, old, next);
  }
  mm.brk = wanted;
  return wanted | 0;
};

export const sys_mprotect: Sys = (_k, t, addr, length, prot) => {
  const mm = mmOf(t);
  let start = addr >>> 0;
  if (start % PAGE !== 0) return -EINVAL;
  const size = pageUp(length >>> 0);
  if (size === 0) return 0;
  const end = start + size;
  if (end > 0x1_0000_0000 || prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | 8 | PROT_GROWSDOWN)) return -EINVAL;
  const areas = mm.vmas.overlapping(start, end);
  if (areas.length === 0) return -ENOMEM;
  if (prot & PROT_GROWSDOWN) {
    if (!(areas[0].flags & VM_GROWSDOWN)) return -EINVAL;
    start = areas[0].start;
  } else if (areas[0].start > start) return -ENOMEM;
  const access = accessOf(prot);
  let at = start;
  for (const vma of areas) {
    const hole = vma.start > at;
    // VM_MAYx is VM_x shifted by four.
    const refused = (access & ~(vma.flags >> 4) & VM_ACCESS) !== 0;
    if (hole || refused) {
      if (at > start) mm.protect(start, at, access);
      return hole ? -ENOMEM : -EACCES;
    }
    at = Math.min(vma.end, end);
  }
  mm.protect(start, at, access);
  return at < end ? -ENOMEM : 0;
};

export const sys_pkey_mprotect: Sys = (k, t, addr, length, prot, pkey, e, f) =>
  pkey === -1 ? sys_mprotect(k, t, addr, length, prot, pkey, e, f) : -EINVAL;

/** remap_file_pages(start, size, 0, page, flags): since 3.16 a new mapping of those pages of the same file. */
export const sys_remap_file_pages: Sys = (k, t, addr, length, prot, pgoff) => {
  const start = pageDown(addr >>> 0);
  const size = pageDown(length >>> 0);
  if (prot !== 0 || start + size <= start || (pgoff >>> 0) + size / PAGE > 0x1_0000_0000) return -EINVAL;
  const vma = mmOf(t).vmas.at(start);
  if (vma === undefined || !vma.shared || vma.file === undefined || start + size > vma.end) return -EINVAL;
  const { flags, file } = vma;
  const access =
    (flags & VM_READ ? PROT_READ : 0) | (flags & VM_WRITE ? PROT_WRITE : 0) | (flags & VM_EXEC ? PROT_EXEC : 0);
  const how = MAP_SHARED | MAP_FIXED | MAP_POPULATE;
  const r = do_mmap(k, t, { addr: start, length: size, prot: access, flags: how, file, pgoff: pgoff >>> 0 });
  return r < 0 ? r : 0;
};

export const sys_mremap: Sys = (k, t, addr, oldLength, newLength, flags, newAddr) => {
  const mm = mmOf(t);
  const from = addr >>> 0;
  const oldSize = pageUp(oldLength >>> 0);
  const newSize = pageUp(newLength >>> 0);
  if (flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE) || from % PAGE !== 0 || newSize === 0) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP || (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE))) return -EINVAL;
  const vma = mm.vmas.at(from);
  if (vma === undefined) return -EFAULT;
  if (flags & MREMAP_FIXED) {
    const to = newAddr >>> 0;
    if (to % PAGE !== 0 || newSize > TASK_SIZE || to > TASK_SIZE - newSize) return -EINVAL;
    if (to < from + oldSize && from < to + newSize) return -EINVAL;
    mm.unmap(to, to + newSize);
    if (newSize < oldSize) mm.unmap(from + newSize, from + oldSize);
    return move(k, t, mm, from, Math.min(oldSize, newSize), newSize, to) | 0;
  }
  if (oldSize >= newSize) {
    if (oldSize > newSize) mm.unmap(from + newSize, from + oldSize);
    return from | 0;
  }
  if (oldSize > 0 && from + oldSize > vma.end) return -EFAULT;
  const more = newSize - oldSize;
  if (vma.flags & VM_DONTEXPAND || vma.special !== undefined) return -EFAULT;
  if (!mm.mayExpand(t, vma.flags, more / PAGE) || overcommits(k, vma.flags, more / PAGE)) return -ENOMEM;
  if (vma.flags & VM_LOCKED && !lockAllowed(k, t, mm, more / PAGE)) return -EAGAIN;
  if (oldSize > 0 && from + oldSize === vma.end && from + newSize <= TASK_SIZE && mm.isFree(vma.end, more)) {
    mm.addVma(vma.part(vma.end, vma.end + more));
    return from | 0;
  }
  if (!(flags & MREMAP_MAYMOVE)) return -ENOMEM;
  const to = mm.findFree(newSize);
  return (to < 0 ? to : move(k, t, mm, from, oldSize, newSize, to)) | 0;
};

/** Moves [from, from+oldSize) to `to`, where nothing is, and makes it newSize long. oldSize 0 maps a shared area again. */
function move(k: Kernel, t: Task, mm: Mm, from: number, oldSize: number, newSize: number, to: number): number {
  const vma = mm.vmas.at(from);
  if (vma === undefined || from + oldSize > vma.end) return -EFAULT;
  if (oldSize === 0 && !vma.shared) return -EINVAL;
  if (!mm.mayExpand(t, vma.flags, (newSize - oldSize) / PAGE)) return -ENOMEM;
  const twin = new Vma(to, to + newSize, vma.flags, vma.indexOf(from), vma.file, vma.mapping, vma.special);
  twin.hasAnon = vma.hasAnon;
  const placed = mm.addVma(twin);
  const tables = k.pageTables;
  for (let at = 0; at < oldSize; at += PAGE) {
    if (tables.get(mm.pgd, from + at) === 0) continue;
    // Room for the new table may have to be made, by taking the very page.
    tables.ensure(mm.pgd, to + at);
    const pte = tables.get(mm.pgd, from + at);
    tables.set(mm.pgd, to + at, pte | tables.accessed(mm.pgd, from + at));
    tables.set(mm.pgd, from + at, 0);
  }
  if (oldSize > 0) mm.unmap(from, from + oldSize);
  if (placed.flags & VM_LOCKED) populate(k, t, to, to + newSize);
  return to;
}

/** Advice that needs nothing done. */
const IGNORED_ADVICE = new Set([0, 1, 2, 3, 12, 13, 14, 15, 20, 21]);
const MADV_DONTNEED = 4;
const MADV_FREE = 8;
const MADV_REMOVE = 9;
const MADV_DONTFORK = 10;
const MADV_DOFORK = 11;
const MADV_DONTDUMP = 16;
const MADV_DODUMP = 17;
const MADV_WIPEONFORK = 18;
const MADV_KEEPONFORK = 19;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
const MADV_DONTNEED_LOCKED = 24;

const FLAG_ADVICE: ReadonlyMap<number, (flags: number) => number> = new Map([
  [MADV_DONTFORK, (flags) => flags | VM_DONTCOPY],
  [MADV_DOFORK, (flags) => flags & ~VM_DONTCOPY],
  [MADV_DONTDUMP, (flags) => flags | VM_DONTDUMP],
  [MADV_DODUMP, (flags) => flags & ~VM_DONTDUMP],
  [MADV_WIPEONFORK, (flags) => flags | VM_WIPEONFORK],
  [MADV_KEEPONFORK, (flags) => flags & ~VM_WIPEONFORK],
]);

export const sys_madvise: Sys = (k, t, addr, length, advice) => {
  const mm = mmOf(t);
  const start = addr >>> 0;
  const size = pageUp(length >>> 0);
  const known = IGNORED_ADVICE.has(advice) || FLAG_ADVICE.has(advice) || (advice >= 4 && advice <= 24);
  if (!known || start % PAGE !== 0 || (size === 0 && length !== 0) || start + size > 0x1_0000_0000) return -EINVAL;
  if (size === 0) return 0;
  const end = start + size;
  let at = start;
  let hole = false;
  for (const vma of mm.vmas.overlapping(start, end)) {
    if (vma.start > at) hole = true;
    const from = Math.max(vma.start, start);
    const to = Math.min(vma.end, end);
    const error = advise(k, t, mm, vma, from, to, advice);
    if (error !== 0) return error;
    at = to;
  }
  return hole || at < end ? -ENOMEM : 0;
};

function advise(k: Kernel, t: Task, mm: Mm, vma: Vma, from: number, to: number, advice: number): number {
  const flagsOf = FLAG_ADVICE.get(advice);
  if (flagsOf !== undefined) {
    if (advice === MADV_WIPEONFORK && (vma.file !== undefined || vma.shared)) return -EINVAL;
    mm.change(from, to, flagsOf);
  } else if (advice === MADV_DONTNEED || advice === MADV_DONTNEED_LOCKED) {
    if (vma.flags & VM_LOCKED && advice === MADV_DONTNEED) return -EINVAL;
    mm.zap(from, to);
  } else if (advice === MADV_FREE) {
    // Allowed to take effect at once; only private anonymous memory may be freed.
    if (vma.mapping !== undefined) return -EINVAL;
    mm.zap(from, to);
  } else if (advice === MADV_POPULATE_READ || advice === MADV_POPULATE_WRITE) populate(k, t, from, to);
  else if (advice === MADV_REMOVE) return -EINVAL;
  return 0;
}

export const sys_msync: Sys = (k, t, addr, length, flags) => {
  const mm = mmOf(t);
  const start = addr >>> 0;
  const end = start + pageUp(length >>> 0);
  if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start % PAGE !== 0) return -EINVAL;
  if ((flags & (MS_ASYNC | MS_SYNC)) === (MS_ASYNC | MS_SYNC)) return -EINVAL;
  if (end > 0x1_0000_0000) return -ENOMEM;
  let at = start;
  let hole = false;
  const files: File[] = [];
  for (const vma of mm.vmas.overlapping(start, end)) {
    if (vma.start > at) hole = true;
    at = Math.min(vma.end, end);
    if (vma.file === undefined || !vma.shared) continue;
    mm.syncDirty(Math.max(vma.start, start), at);
    if (flags & MS_SYNC && vma.flags & VM_WRITE) files.push(vma.file);
  }
  const result = hole || at < end ? -ENOMEM : 0;
  return files.length === 0 ? result : syncFiles(k, t, files, result);
};

function* syncFiles(k: Kernel, t: Task, files: File[], result: number): Generator<Wait, number, WakeReason> {
  for (const file of files) {
    const r = file.ops.fsync?.(k, t, file) ?? 0;
    const error = typeof r === "number" ? r : yield* r;
    if (error < 0) return error;
  }
  return result;
}

function mlock(k: Kernel, t: Task, addr: number, length: number, lock: boolean): number {
  const mm = mmOf(t);
  const start = pageDown(addr >>> 0);
  const end = pageUp((addr >>> 0) + (length >>> 0));
  if (end > TASK_SIZE) return -EINVAL;
  if (start === end) return 0;
  if (lock && !lockAllowed(k, t, mm, (end - start) / PAGE)) return -ENOMEM;
  let at = start;
  for (const vma of mm.vmas.overlapping(start, end)) {
    if (vma.start > at) break;
    at = Math.min(vma.end, end);
  }
  mm.change(start, at, (flags) => (lock ? flags | VM_LOCKED : flags & ~VM_LOCKED));
  if (lock) populate(k, t, start, at);
  return at < end ? -ENOMEM : 0;
}

export const sys_mlock: Sys = (k, t, addr, length) => mlock(k, t, addr, length, true);
export const sys_mlock2: Sys = (k, t, addr, length, flags) => (flags & ~1 ? -EINVAL : mlock(k, t, addr, length, true));
export const sys_munlock: Sys = (k, t, addr, length) => mlock(k, t, addr, length, false);

export const sys_mlockall: Sys = (k, t, flags) => {
  const mm = mmOf(t);
  if (flags === 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags === MCL_ONFAULT) return -EINVAL;
  if (flags & MCL_CURRENT && !lockAllowed(k, t, mm, mm.totalPages - mm.lockedPages)) return -ENOMEM;
  mm.lockFuture = (flags & MCL_FUTURE) !== 0;
  if (flags & MCL_CURRENT) {
    mm.change(0, TASK_SIZE, (f) => f | VM_LOCKED);
    if (!(flags & MCL_ONFAULT)) for (const vma of [...mm.vmas.list]) populate(k, t, vma.start, vma.end);
  }
  return 0;
};

export const sys_munlockall: Sys = (_k, t) => {
  const mm = mmOf(t);
  mm.lockFuture = false;
  mm.change(0, TASK_SIZE, (flags) => flags & ~VM_LOCKED);
  return 0;
};

export const sys_mincore: Sys = (k, t, addr, length, vec) => {
  const mm = mmOf(t);
  const start = addr >>> 0;
  const end = start + pageUp(length >>> 0);
  if (start % PAGE !== 0) return -EINVAL;
  if (end > TASK_SIZE) return -ENOMEM;
  const out = new Uint8Array((end - start) / PAGE);
  for (let i = 0; i < out.length; i++) {
    const la = start + i * PAGE;
    const vma = mm.vmas.at(la);
    if (vma === undefined) return -ENOMEM;
    const cached = vma.mapping !== undefined && vma.mapping.cached(vma.indexOf(la)) !== null;
    const pte = k.pageTables.get(mm.pgd, la);
    const there = pte & PTE_SWAP ? k.swap.frameOf(pte >>> 12) >= 0 : pte !== 0;
    out[i] = there || cached ? 1 : 0;
  }
  copyOut(k, t, vec, out);
  return 0;
};

// One memory node: asking is answered, setting is accepted.
export const sys_get_mempolicy: Sys = (k, t, mode, mask, maxNode, _addr, flags) => {
  if (flags & ~7) return -EINVAL;
  if (mode !== 0) copyOut(k, t, mode, new Uint8Array(4));
  if (mask !== 0 && maxNode > 0)
    copyOut(k, t, mask, new Uint8Array(Math.min(128, Math.ceil((maxNode >>> 0) / 32) * 4)));
  return 0;
};
export const sys_set_mempolicy: Sys = (_k, _t, mode) => ((mode & 0xff) > 6 ? -EINVAL : 0);
export const sys_mbind: Sys = (_k, _t, _addr, _length, mode) => ((mode & 0xff) > 6 ? -EINVAL : 0);
