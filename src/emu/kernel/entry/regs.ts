// pt_regs in guest memory, and safe looks at guest memory from the kernel's side.
import type { Memory } from "../../machine/memory.ts";
import { KERNEL_BASE, PT } from "./layout.ts";

/** The frame of saved registers at a physical address. Guest code can write it: nothing read here may be trusted. */
export class PtRegs {
  private readonly memory: Memory;
  /** Physical address. */
  readonly at: number;
  /** A frame on a user stack may go on in another frame: physical address of the rest, and where it begins. */
  private readonly rest: number;
  private readonly split: number;

  constructor(memory: Memory, at: number, rest = 0, split: number = PT.BYTES) {
    this.memory = memory;
    this.at = at;
    this.rest = rest;
    this.split = split;
  }

  /** Linear address, for a frame in the direct map. */
  get address(): number {
    return (this.at + KERNEL_BASE) | 0;
  }

  private physical(offset: number): number {
    return offset < this.split ? this.at + offset : this.rest + offset - this.split;
  }

  /** A word by its offset (PT.*), int32. */
  get(offset: number): number {
    return this.memory.readPhys32(this.physical(offset)) | 0;
  }

  set(offset: number, value: number): void {
    this.memory.writePhys32(this.physical(offset), value);
  }

  /** The frame says ring 3 (a KML task's frames say so too). */
  get userMode(): boolean {
    return (this.get(PT.CS) & 3) === 3;
  }
}

/** A TSS in guest memory, as untrusted as everything there; words by their offsets (TSS.*). */
export class SavedTask {
  private readonly memory: Memory;
  private readonly at: number;

  /** @param at physical address */
  constructor(memory: Memory, at: number) {
    this.memory = memory;
    this.at = at;
  }

  get(offset: number): number {
    return this.memory.readPhys32(this.at + offset) | 0;
  }

  set(offset: number, value: number): void {
    this.memory.writePhys32(this.at + offset, value);
  }
}

/** Physical address of a linear address of the direct map; -1 if it is none. */
export function directMapped(memory: Memory, la: number): number {
  const pa = (la >>> 0) - KERNEL_BASE;
  return pa >= 0 && pa <= memory.ramBytes - 4 ? pa : -1;
}

/**
 * Physical address of a linear address by the page tables at cr3, without side effects; -1 if nothing is mapped there.
 * @param write only if a supervisor could also write there (CR0.WP set)
 */
export function walk(memory: Memory, cr3: number, la: number, write: boolean): number {
  const need = write ? 3 : 1;
  const pde = memory.readPhys32((cr3 & ~0xfff) + ((la >>> 22) << 2));
  if ((pde & need) !== need) return -1;
  if (pde & 0x80) return ((pde & 0xffc0_0000) | (la & 0x3f_ffff)) >>> 0;
  const pte = memory.readPhys32((pde & ~0xfff) + (((la >>> 12) & 0x3ff) << 2));
  if ((pte & need) !== need) return -1;
  return ((pte & ~0xfff) | (la & 0xfff)) >>> 0;
}

/** A word of guest memory at a linear address, or undefined if it is not mapped or crosses a page. */
export function peek32(memory: Memory, cr3: number, la: number): number | undefined {
  const direct = directMapped(memory, la);
  if (direct >= 0) return memory.readPhys32(direct) | 0;
  if ((la & 0xfff) > 0xffc) return undefined;
  const pa = walk(memory, cr3, la, false);
  return pa < 0 || pa > memory.ramBytes - 4 ? undefined : memory.readPhys32(pa) | 0;
}

/**
 * The frame at a linear address that guest code named: in the kernel's memory, or (kernels that forget to switch stacks)
 * on a ring-0 program's stack. Undefined if it is not all there.
 */
export function frameAt(memory: Memory, cr3: number, la: number): PtRegs | undefined {
  const direct = directMapped(memory, la);
  if (direct >= 0) return directMapped(memory, la + PT.BYTES) < 0 ? undefined : new PtRegs(memory, direct);
  if (la & 3) return undefined;
  const first = walk(memory, cr3, la, true);
  const left = 0x1000 - (la & 0xfff);
  const second = left < PT.BYTES ? walk(memory, cr3, la + left, true) : 0;
  if (first < 0 || second < 0 || Math.max(first, second) > memory.ramBytes - 0x1000) return undefined;
  return new PtRegs(memory, first, second, left);
}
