// The kernel's guest code as a whole: put together by variant, assembled for its place.
import { assembleOnce } from "../../../cpu/asm/assemble.ts";
import { DIRECT_SLOTS_BELOW, KERNEL_BASE, NR_SYSCALLS, PHYS, TABLE_OFFSET, TEXT_BYTES } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import { type CallShape, directTable, directText } from "./direct.ts";
import { doubleFaultText } from "./double-fault.ts";
import { syscallText } from "./syscall.ts";
import { trapText } from "./traps.ts";

export interface TextOptions {
  readonly variant: EntryVariant;
  /** Leave RF out of the choice between POPF+RET and IRET: what a processor does that does not push RF (QEMU). */
  readonly ignoreRf: boolean;
  /** Argument count of a call, undefined for numbers without one. */
  readonly calls: (nr: number) => CallShape | undefined;
}

export interface KernelText {
  readonly bytes: Uint8Array;
  /** Linear addresses of the labels. */
  readonly symbols: Readonly<Record<string, number>>;
  /** POPs of selectors in the ways out, and accesses to the user's stack there: where exceptions are expected (int32). */
  readonly selectorPops: ReadonlySet<number>;
  readonly userStackAccesses: ReadonlySet<number>;
}

/** The assembler source of a kernel's entry code, without the call tables. */
export function kernelSource(options: TextOptions): string {
  const v = options.variant;
  return syscallText(v, options.ignoreRf) + trapText(v) + doubleFaultText(v) + directText(v, options.calls);
}

/** Assemble a kernel's entry code at its linear address, and fill its call tables. */
export function kernelText(options: TextOptions): KernelText {
  const origin = KERNEL_BASE + PHYS.TEXT;
  const tables: Record<string, number> = { sys_call_table: origin + TABLE_OFFSET.SYS_CALLS };
  if (options.variant.kml) tables["kml_call_table"] = origin + TABLE_OFFSET.DIRECT_CALLS + 4 * DIRECT_SLOTS_BELOW;
  const code = assembleOnce(kernelSource(options), { origin, symbols: tables });
  if (code.bytes.length > TABLE_OFFSET.SYS_CALLS) {
    throw new Error(`kernel text of ${code.bytes.length} bytes runs into its tables`);
  }
  // Addresses as int32, the form in which registers hold them.
  const symbols = Object.fromEntries(
    Object.entries({ ...tables, ...code.symbols }).map(([label, at]) => [label, at | 0]),
  );
  const bytes = new Uint8Array(TEXT_BYTES);
  bytes.set(code.bytes);
  const words = new DataView(bytes.buffer);
  const fill = (at: number, labels: readonly string[]) => {
    for (const [i, label] of labels.entries()) words.setInt32(at + 4 * i, symbols[label], true);
  };
  fill(TABLE_OFFSET.SYS_CALLS, new Array(NR_SYSCALLS).fill("sys_call"));
  fill(TABLE_OFFSET.DIRECT_CALLS, directTable(options.variant, options.calls));
  const named = (pattern: RegExp) =>
    new Set(
      Object.entries(symbols)
        .filter(([label]) => pattern.test(label))
        .map(([, at]) => at),
    );
  return {
    bytes,
    symbols,
    selectorPops: named(/^pop_[def]s_/),
    userStackAccesses: named(/^ku_(store|load)_/),
  };
}
