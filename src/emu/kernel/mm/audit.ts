// Whether what the kernel believes of memory is so: every frame, mapping, slot and count checked against the tables that they are
// of. For tests: it walks everything, and changes nothing.
import type { Kernel } from "../kernel.ts";
import type { Mm } from "./mm.ts";
import { PTE_FILE, PTE_MAPPED, PTE_P, PTE_SPECIAL, PTE_SWAP, USER_PDES } from "./pagetable.ts";

/** Frames by what holds them. */
export interface MemoryCensus {
  readonly free: number;
  readonly tables: number;
  readonly stacks: number;
  readonly cache: number;
  readonly anonymous: number;
  readonly zero: number;
}

interface Walk {
  readonly k: Kernel;
  readonly problems: string[];
  /** Entries that lead to each frame, and that name each slot. */
  readonly mapped: Map<number, number>;
  readonly named: Map<number, number>;
}

/** What is wrong with the machine's memory, one line each; nothing if all is well. Between two kcalls. */
export function auditMemory(k: Kernel): string[] {
  const walk: Walk = { k, problems: [], mapped: new Map(), named: new Map() };
  for (const mm of k.mms.values()) auditMm(walk, mm);
  auditFrames(walk);
  auditSlots(walk);
  const { free, tables, stacks, cache, anonymous, zero } = censusOf(k);
  const sum = free + tables + stacks + cache + anonymous + zero;
  expect(walk, sum, k.frames.managed, "frames: all kinds together");
  expect(walk, k.frames.countFree(), k.frames.free, "frames on the free lists");
  const { lists } = k;
  const resident = lists.size.reduce((a, b) => a + b, 0);
  expect(walk, lists.added, resident + lists.evicted + lists.freed, "pages that came: resident, evicted or freed");
  let writes = 0;
  for (const write of lists.writeback) if (write !== 0) writes++;
  expect(walk, lists.inFlight, writes, "pages under writeback");
  return walk.problems;
}

/** Counts all frames. */
export function censusOf(k: Kernel): MemoryCensus {
  let [cache, anonymous] = [0, 0];
  for (const [pfn] of k.lists) {
    if (k.lists.page[pfn] !== undefined) cache++;
    else anonymous++;
  }
  const { free } = k.frames;
  let stacks = k.idle.kstackPfn >= 0 ? 2 : 0;
  for (const t of k.tasks.values()) if (t.kstackPfn >= 0) stacks += 2;
  return { free, tables: k.pageTables.held, stacks, cache, anonymous, zero: 1 };
}

function expect(walk: Walk, found: number, right: number, what: string): void {
  if (found !== right) walk.problems.push(`${what}: ${found}, not ${right}`);
}

function auditMm(walk: Walk, mm: Mm): void {
  const { k } = walk;
  let [anon, file, swap] = [0, 0, 0];
  for (let pde = 0; pde < USER_PDES; pde++) {
    const table = mm.pgd.tables[pde];
    if (table === undefined) continue;
    let used = 0;
    table.entries.forEach((pte, i) => {
      if (pte === 0) return;
      used++;
      const page = pde * 1024 + i;
      const hardware = k.memory.readPhys32(table.pfn * 4096 + i * 4);
      if (hardware !== 0 && (hardware ^ pte) >>> 12 !== 0)
        walk.problems.push(`mm ${mm.id} page ${page}: tables differ`);
      if (((hardware & PTE_P) !== 0) !== ((pte & PTE_P) !== 0))
        walk.problems.push(`mm ${mm.id} page ${page}: P differs`);
      if (mm.vmas.at(page * 4096) === undefined)
        walk.problems.push(`mm ${mm.id} page ${page}: mapped outside any area`);
      const n = pte >>> 12;
      if (pte & PTE_SWAP) {
        swap++;
        walk.named.set(n, (walk.named.get(n) ?? 0) + 1);
      } else if (pte & PTE_MAPPED && !(pte & PTE_SPECIAL)) {
        if (pte & PTE_FILE) file++;
        else anon++;
        walk.mapped.set(n, (walk.mapped.get(n) ?? 0) + 1);
      }
    });
    expect(walk, table.used, used, `mm ${mm.id} entries of table ${pde}`);
  }
  expect(walk, mm.anonPages, anon, `mm ${mm.id} anonymous pages`);
  expect(walk, mm.filePages, file, `mm ${mm.id} file pages`);
  expect(walk, mm.swapPages, swap, `mm ${mm.id} pages in swap`);
}

/** References, mappings and lists of each frame. */
function auditFrames(walk: Walk): void {
  const { k, mapped } = walk;
  const reading = new Set([...k.swap.reading.values()].map(({ pfn }) => pfn));
  for (const [pfn] of k.lists) {
    const page = k.lists.page[pfn];
    const entries = mapped.get(pfn) ?? 0;
    expect(walk, k.rmap.count[pfn], entries, `frame ${pfn}: mappings`);
    const inSwap = k.swap.slotOf[pfn] >= 0 ? 1 : 0;
    const held = entries + (page === undefined ? 0 : 1) + inSwap + (reading.has(pfn) ? 1 : 0);
    expect(walk, k.frames.refs(pfn), held, `frame ${pfn}: references`);
    mapped.delete(pfn);
  }
  for (const pfn of mapped.keys()) walk.problems.push(`frame ${pfn}: mapped, and on no list`);
}

/** Slots that are in use, and who names them. */
function auditSlots(walk: Walk): void {
  const { k, named } = walk;
  const files = new Set(k.lists.page.map((page) => page?.mapping).filter((mapping) => mapping !== undefined));
  for (const mm of k.mms.values()) for (const vma of mm.vmas.list) if (vma.mapping) files.add(vma.mapping as never);
  for (const file of files) for (const slot of file.swapped.values()) named.set(slot, (named.get(slot) ?? 0) + 1);
  let used = 0;
  let strange = 0;
  for (let slot = 0; slot < k.swap.total; slot++) {
    const users = k.swap.users(slot);
    if (users > 0 || k.swap.frameOf(slot) >= 0) used++;
    // A file that nobody maps and no page of which is in memory is not found from here.
    if (users < (named.get(slot) ?? 0))
      walk.problems.push(`slot ${slot}: ${users} users, named ${named.get(slot)} times`);
    strange += users - (named.get(slot) ?? 0);
    const pfn = k.swap.frameOf(slot);
    if (pfn >= 0) expect(walk, k.swap.slotOf[pfn], slot, `slot ${slot}: its frame's slot`);
  }
  expect(walk, k.swap.used, used, "slots in use");
  if (strange > 0 && files.size === 0) walk.problems.push(`${strange} uses of slots by nobody`);
}
