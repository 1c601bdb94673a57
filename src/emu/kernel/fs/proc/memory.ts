// The files of /proc about memory: meminfo, vmstat, swaps. All of it is counted from what the machine has, nothing is made up.
import type { Kernel } from "../../kernel.ts";
import { LRU } from "../../mm/lru.ts";

/** Pages in the caches of files, of memory shared without one, mapped by somebody, and private. */
function counted(k: Kernel): { files: number; shared: number; mapped: number; anon: number } {
  const { lists, rmap } = k;
  let [files, shared, mapped, anon] = [0, 0, 0, 0];
  for (const [pfn] of lists) {
    const page = lists.page[pfn];
    if (page === undefined) {
      if (rmap.count[pfn] > 0) anon++;
      continue;
    }
    if (page.mapping.stored) files++;
    else shared++;
    if (rmap.count[pfn] > 0) mapped++;
  }
  return { files, shared, mapped, anon };
}

/** Frames of kernel stacks. */
function stackFrames(k: Kernel): number {
  let n = 0;
  for (const t of k.tasks.values()) if (t.kstackPfn >= 0) n += 2;
  return n;
}

/** Frames that could be had without swapping: the free ones and most of the files', less what must stay free. */
function available(k: Kernel): number {
  const { frames, lists, reclaim } = k;
  const files = lists.size[LRU.inactiveFile] + lists.size[LRU.activeFile];
  return Math.max(0, frames.free - reclaim.low + files - Math.min(files >> 1, reclaim.low));
}

/** Pages that the programs could make use of: all private writable ones. */
function committed(k: Kernel): number {
  let n = 0;
  for (const mm of k.mms.values()) n += mm.dataPages;
  return n;
}

export function meminfo(k: Kernel): string {
  const { cache } = k.vfs;
  const { lists, swap, frames } = k;
  const { size } = lists;
  const { files, shared, mapped, anon } = counted(k);
  const rows: [name: string, frames: number][] = [
    ["MemTotal", frames.managed],
    ["MemFree", frames.free],
    ["MemAvailable", available(k)],
    ["Buffers", 0],
    ["Cached", files + shared],
    ["SwapCached", swap.cached],
    ["Active", size[LRU.activeAnon] + size[LRU.activeFile]],
    ["Inactive", size[LRU.inactiveAnon] + size[LRU.inactiveFile]],
    ["Active(anon)", size[LRU.activeAnon]],
    ["Inactive(anon)", size[LRU.inactiveAnon]],
    ["Active(file)", size[LRU.activeFile]],
    ["Inactive(file)", size[LRU.inactiveFile]],
    ["Unevictable", size[LRU.unevictable]],
    ["HighTotal", 0],
    ["HighFree", 0],
    ["LowTotal", frames.managed],
    ["LowFree", frames.free],
    ["SwapTotal", swap.total],
    ["SwapFree", swap.free],
    ["Dirty", cache.dirty],
    ["Writeback", lists.inFlight],
    ["AnonPages", anon],
    ["Mapped", mapped],
    ["Shmem", shared],
    ["Slab", 0],
    ["KernelStack", stackFrames(k)],
    ["PageTables", k.pageTables.held],
    ["CommitLimit", swap.total + Math.floor(frames.managed / 2)],
    ["Committed_AS", committed(k)],
  ];
  const line = (name: string, n: number, unit: string) => `${`${name}:`.padEnd(16)}${String(n).padStart(8)}${unit}\n`;
  return (
    rows.map(([name, n]) => line(name, n * 4, " kB")).join("") +
    line("VmallocTotal", 122_880, " kB") +
    line("VmallocUsed", 0, " kB") +
    line("HugePages_Total", 0, "") +
    line("HugePages_Free", 0, "") +
    line("Hugepagesize", 4096, " kB")
  );
}

export function vmstat(k: Kernel): string {
  const { lists, swap, reclaim } = k;
  const { size } = lists;
  const { files, shared, mapped, anon } = counted(k);
  const now: Record<string, number> = {
    nr_free_pages: k.frames.free,
    nr_inactive_anon: size[LRU.inactiveAnon],
    nr_active_anon: size[LRU.activeAnon],
    nr_inactive_file: size[LRU.inactiveFile],
    nr_active_file: size[LRU.activeFile],
    nr_unevictable: size[LRU.unevictable],
    nr_anon_pages: anon,
    nr_mapped: mapped,
    nr_file_pages: files + shared + swap.cached,
    nr_dirty: k.vfs.cache.dirty,
    nr_writeback: lists.inFlight,
    nr_page_table_pages: k.pageTables.held,
    nr_shmem: shared,
    pages_min: reclaim.min,
    pages_low: reclaim.low,
    pages_high: reclaim.high,
  };
  return Object.entries({ ...now, ...k.vm })
    .map(([name, n]) => `${name} ${n}\n`)
    .join("");
}

export function swaps(k: Kernel): string {
  const head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
  const { total, used } = k.swap;
  return total === 0
    ? head
    : `${head}/dev/sda2                               partition\t${total * 4}\t\t${used * 4}\t\t-2\n`;
}
