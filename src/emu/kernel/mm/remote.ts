// Reaching into another process' memory as a debugger may: also where it itself may not write (FOLL_FORCE, mm/gup.c).
import { RAM_BASE } from "../../machine/memory.ts";
import { TASK_SIZE } from "../constants.ts";
import { EFAULT, SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { kernelFault } from "./fault.ts";
import { PTE_RW } from "./pagetable.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

/**
 * Host address of a byte of a process' memory. A private page that it may not write gets a copy of its own, which it still may not.
 * @throws SysError(EFAULT) if there is no such page; Retry if its contents must be waited for
 */
export function remoteHostAddress(k: Kernel, target: Task, la: number, write: boolean): number {
  const { mm } = target;
  if (mm === undefined || la >= TASK_SIZE) throw new SysError(EFAULT);
  const vma = mm.vmas.at(la);
  const needed = write ? VM_WRITE : VM_READ;
  if (vma === undefined || vma.flags & needed) return RAM_BASE + kernelFault(k, target, la, write);
  if (write && vma.shared) throw new SysError(EFAULT);
  const { flags } = vma;
  vma.flags |= needed;
  try {
    return RAM_BASE + kernelFault(k, target, la, write);
  } finally {
    vma.flags = flags;
    const pte = k.pageTables.get(mm.pgd, la);
    if (write && pte & PTE_RW) k.pageTables.set(mm.pgd, la, pte & ~PTE_RW);
  }
}
