// Loading the segments of a program and its interpreter into a new address space (load_elf_binary, load_elf_interp).
import { EINVAL, ELIBBAD, ENOEXEC, ENOMEM, SysError } from "../errno.ts";
import type { File } from "../fs/file.ts";
import type { Kernel } from "../kernel.ts";
import { PAGE, pageDown, pageUp } from "../mm/mm.ts";
import { do_mmap, MAP_FIXED } from "../mm/mmap.ts";
import { VM_EXEC, VM_MAYEXEC, VM_MAYREAD, VM_MAYWRITE, VM_READ, VM_WRITE, Vma } from "../mm/vma.ts";
import type { Task } from "../task.ts";
import { TASK_SIZE, userHostAddress } from "../user.ts";
import { Retry } from "../wait.ts";
import { type Elf, ET_DYN, type Loading, PF_R, PF_W, PF_X, type Phdr, PT_LOAD, totalMappingSize } from "./elf.ts";

/** Where position-independent programs with an interpreter go (ELF_ET_DYN_BASE of i386). */
const ELF_ET_DYN_BASE = 0x40_0000;
const MAP_PRIVATE = 2;
const MAP_FIXED_NOREPLACE = 0x10_0000;

/** Where a file was put. */
export interface Loaded {
  /** What was added to the file's addresses. */
  bias: number;
  /** Address of the first segment. */
  base: number;
  startCode: number;
  endCode: number;
  startData: number;
  endData: number;
  /** End of the bss, before rounding. */
  brk: number;
  /** Address of the program headers in memory; 0 if no segment holds them. */
  phdr: number;
  bssExec: boolean;
}

function protOf(p: Phdr): number {
  return (p.flags & PF_R ? 1 : 0) | (p.flags & PF_W ? 2 : 0) | (p.flags & PF_X ? 4 : 0);
}

/** Runs something that may meet a page which is not there yet, as often as it takes. */
export function* retrying<T>(work: () => T): Loading<T> {
  for (;;) {
    try {
      return work();
    } catch (e) {
      if (!(e instanceof Retry)) throw e;
      yield e.wait;
    }
  }
}

function mapSegment(k: Kernel, t: Task, file: File, p: Phdr, addr: number, fixed: number): number {
  const skew = p.vaddr % PAGE;
  const size = pageUp(p.filesz + skew);
  if (size === 0) return addr;
  const at = pageDown(addr);
  const flags = MAP_PRIVATE | fixed;
  const pgoff = (p.offset - skew) / PAGE;
  if (!Number.isInteger(pgoff) || pgoff < 0) throw new SysError(EINVAL);
  const result = do_mmap(k, t, { addr: at, length: size, prot: protOf(p), flags, file, pgoff });
  if (result < 0) throw new SysError(-result);
  return result;
}

/** Anonymous pages behind a segment's file pages, up to the end of its bss. */
function mapBss(t: Task, from: number, to: number, exec: boolean): void {
  const start = pageUp(from);
  const end = pageUp(to);
  if (end <= start) return;
  if (end > TASK_SIZE) throw new SysError(ENOMEM);
  const may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  const mm = t.mm!;
  mm.unmap(start, end);
  mm.addVma(new Vma(start, end, may | VM_READ | VM_WRITE | (exec ? VM_EXEC : 0), start / PAGE));
}

/** Zeroes the rest of the page in which a segment's file contents end. */
function* padZero(k: Kernel, t: Task, addr: number): Loading<void> {
  const rest = (PAGE - (addr % PAGE)) % PAGE;
  if (rest === 0) return;
  yield* retrying(() => {
    const host = userHostAddress(k, t, addr, true);
    k.memory.u8.fill(0, host, host + rest);
  });
}

/**
 * Maps the loadable segments of a program or interpreter into the task's address space.
 * @param interpreter it is an interpreter, or a program that runs without one: mmap chooses where it goes
 * @param random bytes to move a position-independent program by
 * @throws SysError
 */
export function* loadSegments(
  k: Kernel,
  t: Task,
  file: File,
  elf: Elf,
  interpreter: boolean,
  random: number,
): Loading<Loaded> {
  const wrong = interpreter ? ELIBBAD : ENOEXEC;
  const loads = elf.phdrs.filter((p) => p.type === PT_LOAD);
  const total = totalMappingSize(elf.phdrs);
  if (loads.length === 0 || total === 0) throw new SysError(wrong === ENOEXEC ? EINVAL : wrong);
  let bias = 0;
  const first = loads[0];
  if (elf.type === ET_DYN) {
    if (interpreter) {
      const at = t.mm!.findFree(pageUp(total + (first.vaddr % PAGE)));
      if (at < 0) throw new SysError(ENOMEM);
      bias = at - pageDown(first.vaddr);
    } else bias = ELF_ET_DYN_BASE + random - pageDown(first.vaddr);
  }
  const out: Loaded = {
    bias,
    base: first.vaddr + bias,
    startCode: Number.POSITIVE_INFINITY,
    endCode: 0,
    startData: 0,
    endData: 0,
    brk: 0,
    phdr: 0,
    bssExec: false,
  };
  let bssEnd = 0;
  let fileEnd = 0;
  let bssExec = false;
  for (const p of loads) {
    const addr = p.vaddr + bias;
    if (p.filesz > p.memsz || addr + p.memsz > TASK_SIZE || addr < 0) throw new SysError(wrong);
    if (bssEnd > fileEnd) {
      // An earlier segment has a bss: it is finished before this one is mapped.
      mapBss(t, fileEnd, bssEnd, bssExec);
      yield* padZero(k, t, fileEnd);
    }
    mapSegment(k, t, file, p, addr, p === first && elf.type !== ET_DYN ? MAP_FIXED_NOREPLACE : MAP_FIXED);
    const headers = elf.phoff >= p.offset && elf.phoff < p.offset + p.filesz;
    if (headers && out.phdr === 0) out.phdr = elf.phoff - p.offset + addr;
    out.startCode = Math.min(out.startCode, p.flags & PF_X ? addr : out.startCode);
    out.startData = Math.max(out.startData, addr);
    const end = addr + p.filesz;
    fileEnd = Math.max(fileEnd, end);
    if (p.flags & PF_X) out.endCode = Math.max(out.endCode, end);
    out.endData = Math.max(out.endData, end);
    if (addr + p.memsz > bssEnd) {
      bssEnd = addr + p.memsz;
      bssExec = (p.flags & PF_X) !== 0;
    }
  }
  if (bssEnd > fileEnd) {
    mapBss(t, fileEnd, bssEnd, bssExec);
    const writable = loads[loads.length - 1].flags & PF_W;
    if (writable) yield* padZero(k, t, fileEnd);
  }
  out.brk = bssEnd;
  out.bssExec = bssExec;
  if (!Number.isFinite(out.startCode)) out.startCode = out.base;
  return out;
}
