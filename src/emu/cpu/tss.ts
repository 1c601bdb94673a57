// Task state segments in their two formats, of 32 and of 16 bits: where the fields lie, saving a task and reading one.
// Source: Intel SDM vol. 3, "Task management".
import type { Cpu } from "./cpu.ts";
import { readSlow16, readSlow32, writeSlow16, writeSlow32 } from "./mmu.ts";

/** Offset of the back link in both formats. */
export const TSS_LINK = 0;
/** Offsets in a 32-bit TSS. */
const TSS_CR3 = 28;
const TSS_EIP = 32;
export const TSS_EFLAGS = 36;
const TSS_TRAP = 100;
export const TSS_IOMAP = 102;
/** Smallest limit of a 32-bit TSS. */
export const TSS_LIMIT = 103;

/** Where a format keeps a task's state. */
export interface TssFormat {
  /** Bytes of a register and of the distance between two. */
  readonly bytes: 4 | 2;
  readonly eip: number;
  readonly eflags: number;
  readonly gpr: number;
  readonly segments: number;
  /** How many segment registers it holds, in the order ES CS SS DS FS GS. */
  readonly segmentCount: number;
  readonly ldt: number;
  /** The smallest limit with which a task can be entered. */
  readonly limit: number;
}

export const TSS32: TssFormat = {
  bytes: 4,
  eip: TSS_EIP,
  eflags: TSS_EFLAGS,
  gpr: 40,
  segments: 72,
  segmentCount: 6,
  ldt: 96,
  limit: TSS_LIMIT,
};

export const TSS16: TssFormat = {
  bytes: 2,
  eip: 14,
  eflags: 16,
  gpr: 18,
  segments: 34,
  segmentCount: 4,
  ldt: 42,
  limit: 43,
};

/** A task as its TSS describes it. */
export interface TaskState {
  readonly eip: number;
  readonly eflags: number;
  readonly gpr: readonly number[];
  /** Selectors, ES CS SS DS FS GS; those that the format has no room for are null. */
  readonly segments: readonly number[];
  readonly ldt: number;
  /** The T bit: a debug trap before the first instruction. */
  readonly trap: boolean;
  /** The page directory, or -1: a 16-bit task keeps the one there is. */
  readonly cr3: number;
}

/** Write what a task switch saves, from eip to the last segment register; the caller has checked that the pages are there. */
export function saveTask(cpu: Cpu, format: TssFormat, base: number, flags: number): void {
  const { bytes } = format;
  const put = (offset: number, value: number) =>
    bytes === 4
      ? writeSlow32(cpu, (base + offset) | 0, value, false)
      : writeSlow16(cpu, (base + offset) | 0, value, false);
  put(format.eip, cpu.eip);
  put(format.eflags, flags);
  for (let i = 0; i < 8; i++) put(format.gpr + bytes * i, cpu.r[i]);
  for (let i = 0; i < format.segmentCount; i++) {
    writeSlow16(cpu, (base + format.segments + bytes * i) | 0, cpu.sel[i], false);
  }
}

/** Read a task. */
export function readTask(cpu: Cpu, format: TssFormat, base: number): TaskState {
  const { bytes } = format;
  const upper = bytes === 4 ? 0 : ~0xffff;
  const word = (offset: number) => readSlow16(cpu, (base + offset) | 0, false);
  const get = (offset: number) => (bytes === 4 ? readSlow32(cpu, (base + offset) | 0, false) : word(offset));
  return {
    eip: get(format.eip),
    eflags: get(format.eflags),
    // A 16-bit task leaves the upper halves as they are.
    gpr: Array.from({ length: 8 }, (_, i) => (cpu.r[i] & upper) | get(format.gpr + bytes * i)),
    segments: Array.from({ length: 6 }, (_, i) => (i < format.segmentCount ? word(format.segments + bytes * i) : 0)),
    ldt: word(format.ldt),
    trap: bytes === 4 && (word(TSS_TRAP) & 1) !== 0,
    cr3: bytes === 4 ? readSlow32(cpu, (base + TSS_CR3) | 0, false) & ~0xfe7 : -1,
  };
}
