// Areas of an address space (struct vm_area_struct) in a list sorted by address.
import type { File } from "../fs/file.ts";
import type { Wait } from "../wait.ts";

export const VM_READ = 1;
export const VM_WRITE = 2;
export const VM_EXEC = 4;
export const VM_SHARED = 8;
export const VM_MAYREAD = 0x10;
export const VM_MAYWRITE = 0x20;
export const VM_MAYEXEC = 0x40;
export const VM_GROWSDOWN = 0x100;
export const VM_LOCKED = 0x2000;
export const VM_DONTCOPY = 0x2_0000;
export const VM_DONTEXPAND = 0x4_0000;
export const VM_ACCOUNT = 0x10_0000;
export const VM_NORESERVE = 0x20_0000;
export const VM_WIPEONFORK = 0x200_0000;
export const VM_DONTDUMP = 0x400_0000;
/** Bits that mprotect changes. */
export const VM_ACCESS = VM_READ | VM_WRITE | VM_EXEC;

/** Where the pages of a shared or file mapping come from: a file's page cache, or memory shared between processes. */
export interface Mapping {
  /** The page's frame, or what to wait for before asking again. */
  getPage(index: number): number | Wait;
  /** A page that is in memory already, or null. */
  cached(index: number): { readonly pfn: number } | null;
  /** A page that can be had without waiting, or null: neighbours are mapped along with a faulting page. */
  atHand(index: number): { readonly pfn: number } | null;
  markDirty(index: number): void;
  /** Pages the object has; beyond: SIGBUS. */
  readonly pageCount: number;
  /** The areas that map it: truncate must find them. */
  readonly vmas: Set<unknown>;
}

/** Frames that the kernel gives to every process (vDSO, vvar). */
export interface SpecialPages {
  readonly name: string;
  readonly pfns: readonly number[];
}

export class Vma {
  start: number;
  end: number;
  flags: number;
  readonly file: File | undefined;
  /** Page of the object at start; for anonymous memory start >> 12 when it was made. */
  pgoff: number;
  readonly mapping: Mapping | undefined;
  readonly special: SpecialPages | undefined;
  /** A private page was ever put in (anon_vma): fork then copies the page table entries. */
  hasAnon = false;
  /** "[heap]", "[stack]"... for /proc; undefined: the file's name or nothing. */
  name: string | undefined;

  constructor(
    start: number,
    end: number,
    flags: number,
    pgoff: number,
    file?: File,
    mapping?: Mapping,
    special?: SpecialPages,
  ) {
    this.start = start;
    this.end = end;
    this.flags = flags;
    this.pgoff = pgoff;
    this.file = file;
    this.mapping = mapping;
    this.special = special;
    this.name = special?.name;
  }

  get pages(): number {
    return (this.end - this.start) / 4096;
  }

  get shared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }

  /** Page of the object at an address. */
  indexOf(la: number): number {
    return this.pgoff + Math.floor((la - this.start) / 4096);
  }

  /** Another area with the same contents over [start, end). */
  part(start: number, end: number): Vma {
    const vma = new Vma(start, end, this.flags, this.indexOf(start), this.file, this.mapping, this.special);
    vma.hasAnon = this.hasAnon;
    vma.name = this.name;
    return vma;
  }

  /** Whether `after`, which starts where this ends, can be one area with it. */
  canMerge(after: Vma): boolean {
    return (
      this.end === after.start &&
      this.flags === after.flags &&
      this.mapping === after.mapping &&
      this.file?.inode === after.file?.inode &&
      this.special === undefined &&
      after.special === undefined &&
      this.name === after.name &&
      (this.mapping === undefined ? true : this.indexOf(this.end) === after.pgoff)
    );
  }
}

/** Non-overlapping areas, sorted. */
export class VmaList {
  readonly list: Vma[] = [];
  private last: Vma | undefined;

  get length(): number {
    return this.list.length;
  }

  /** Index of the first area that ends behind la; length if none. */
  indexAfter(la: number): number {
    const { list } = this;
    let low = 0;
    let high = list.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (list[mid].end > la) high = mid;
      else low = mid + 1;
    }
    return low;
  }

  /** Where an area is in the list; -1 if it is not. */
  indexOf(vma: Vma): number {
    const at = this.indexAfter(vma.start);
    // While two are being joined the lower one already reaches over the upper one.
    return this.list[at] === vma ? at : this.list.indexOf(vma);
  }

  /** The area that holds la, or else the next one above (find_vma). */
  find(la: number): Vma | undefined {
    const last = this.last;
    if (last !== undefined && last.start <= la && la < last.end) return last;
    const vma = this.list[this.indexAfter(la)];
    if (vma !== undefined && vma.start <= la) this.last = vma;
    return vma;
  }

  /** The area that holds la. */
  at(la: number): Vma | undefined {
    const vma = this.find(la);
    return vma !== undefined && vma.start <= la ? vma : undefined;
  }

  insert(vma: Vma): void {
    this.list.splice(this.indexAfter(vma.start), 0, vma);
  }

  remove(vma: Vma): void {
    const at = this.indexOf(vma);
    if (at >= 0) this.list.splice(at, 1);
    this.last = undefined;
  }

  /** The areas that overlap [start, end), in order. */
  overlapping(start: number, end: number): Vma[] {
    const out: Vma[] = [];
    for (let i = this.indexAfter(start); i < this.list.length && this.list[i].start < end; i++) out.push(this.list[i]);
    return out;
  }
}
