// A fault on a page that is in swap (do_swap_page): found in the swap cache, or read and waited for; then mapped.
import type { Kernel } from "../kernel.ts";
import type { Wait } from "../wait.ts";
import { NO_FRAME } from "./frames.ts";
import type { Mm } from "./mm.ts";
import { PTE_A } from "./pagetable.ts";
import type { Vma } from "./vma.ts";

/**
 * Maps the page of an entry that names a slot, read-only.
 * @param pte the entry
 * @returns what to wait for before asking again; undefined: it is mapped
 * @throws SysError(ENOMEM)
 */
export function swapIn(k: Kernel, mm: Mm, vma: Vma, la: number, pte: number): Wait | undefined {
  const { swap, frames } = k;
  const slot = pte >>> 12;
  if (swap.frameOf(slot) < 0) {
    const spare = (): number => (frames.free > k.reclaim.low ? frames.take() : NO_FRAME);
    swap.read(slot, () => k.pageTables.takeFrame(), spare);
  }
  const read = swap.reading.get(slot);
  if (read !== undefined) return { queues: [read.queue], interruptible: false, now: () => read.request.finish() };
  const pfn = swap.frameOf(slot);
  swap.hit(slot);
  frames.get(pfn);
  // The entry's claim on the slot goes with the entry.
  mm.mapFrame(vma, la, pfn, PTE_A);
  if (k.lists.markAccessed(pfn)) k.vm.pgactivate++;
  return undefined;
}
