// The kernel's guest code as a whole: put together by variant, assembled for its place.
import { assemble } from "../../../cpu/asm/assemble.ts";
import { KERNEL_BASE, NR_SYSCALLS, PHYS, TEXT_BYTES } from "../layout.ts";
import type { EntryVariant } from "../variant.ts";
import { type CallShape, directText } from "./direct.ts";
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

/** The assembler source of a kernel's entry code. */
export function kernelSource(options: TextOptions): string {
  const v = options.variant;
  return `
${syscallText(v, options.ignoreRf)}
${trapText(v)}
${doubleFaultText(v)}
${directText(v, options.calls)}
align 4
sys_call_table:
  times ${NR_SYSCALLS} dd sys_call
text_end:
`;
}

/** Assemble a kernel's entry code at its linear address. */
export function kernelText(options: TextOptions): KernelText {
  const assembled = assemble(kernelSource(options), { origin: KERNEL_BASE + PHYS.TEXT });
  const { bytes } = assembled;
  // Addresses as int32, the form in which registers hold them.
  const symbols = Object.fromEntries(Object.entries(assembled.symbols).map(([label, at]) => [label, at | 0]));
  const named = (pattern: RegExp) =>
    new Set(
      Object.entries(symbols)
        .filter(([label]) => pattern.test(label))
        .map(([, at]) => at),
    );
  if (bytes.length > TEXT_BYTES) throw new Error(`kernel text of ${bytes.length} bytes does not fit ${TEXT_BYTES}`);
  return {
    bytes,
    symbols,
    selectorPops: named(/^pop_[def]s_/),
    userStackAccesses: named(/^ku_(store|load)_/),
  };
}
