// Wraps assembled code into a static i386 executable: guest programs of tests and benchmarks, without a compiler.
import { assemble } from "../../src/emu/cpu/asm/assemble.ts";

const BASE = 0x08048000;
const HEADER_BYTES = 52 + 32;

/**
 * Wraps assembled code into a static i386 executable with one read-write-execute segment.
 * @param source assembler text; `_start` is its first instruction
 * @param bssBytes zeroed bytes behind the code, at label `bss` (a symbol given to the assembler)
 */
export function staticElf(source: string, bssBytes = 0): Uint8Array {
  const bss = 0x08100000;
  const { bytes: code } = assemble(source, { origin: BASE + HEADER_BYTES, symbols: { bss } });
  const file = new Uint8Array(HEADER_BYTES + code.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  const half = (at: number, value: number) => view.setUint16(at, value, true);
  const word = (at: number, value: number) => view.setUint32(at, value, true);
  half(16, 2); // ET_EXEC
  half(18, 3); // EM_386
  word(20, 1);
  word(24, BASE + HEADER_BYTES); // e_entry
  word(28, 52); // e_phoff
  half(40, 52);
  half(42, 32);
  half(44, 1);
  const segment = [1, 0, BASE, BASE, file.length, Math.max(file.length, bssBytes && bss - BASE + bssBytes), 7, 0x1000];
  segment.forEach((value, i) => {
    word(52 + 4 * i, value);
  });
  file.set(code, HEADER_BYTES);
  return file;
}
