// A remedy that Kernel Mode Linux does not have: stacks of ring-0 programs whose pages are there before anything is pushed on
// them, so that fewer pushes starve. Off unless the kernel is asked for it.
import { SysError } from "../errno.ts";
import type { Kernel } from "../kernel.ts";
import type { Task } from "../task.ts";
import { touch } from "../user.ts";
import { Retry } from "../wait.ts";
import { PTE_P } from "./pagetable.ts";

const PAGE = 4096;
/** How much of a new program's stack is made present below what execve has put there. */
export const TOUCHED_BYTES = 0x1_0000;

/** A new program's stack, as far as there is memory for it. */
export function touchNewStack(k: Kernel, t: Task, sp: number): void {
  const first = (sp & -PAGE) >>> 0;
  tryTouch(k, t, range(first - TOUCHED_BYTES, first).reverse());
}

/** After fork: the stack's pages become each process's own at once, instead of at the first push. */
export function ownStack(k: Kernel, t: Task, sp: number): void {
  const { mm } = t;
  const vma = mm?.vmas.at(sp >>> 0);
  if (mm === undefined || vma === undefined) return;
  tryTouch(
    k,
    t,
    range(vma.start, vma.end).filter((la) => k.pageTables.get(mm.pgd, la) & PTE_P),
  );
}

function range(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / PAGE }, (_, i) => from + i * PAGE);
}

function tryTouch(k: Kernel, t: Task, pages: readonly number[]): void {
  try {
    for (const la of pages) touch(k, t, la, 4, true);
  } catch (error) {
    // No memory, or it would have to be waited for: the rest is made present when it is needed.
    if (!(error instanceof SysError || error instanceof Retry)) throw error;
  }
}
