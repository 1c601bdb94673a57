// ELF as the loader reads it: the header and program headers of 32-bit i386 files, checked (fs/binfmt_elf.c).
import { EIO, ENOEXEC, SysError } from "../errno.ts";
import type { File } from "../fs/file.ts";
import type { Kernel } from "../kernel.ts";
import type { Wait, WakeReason } from "../wait.ts";

export const ET_EXEC = 2;
export const ET_DYN = 3;
export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_GNU_STACK = 0x6474_e551;
export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;
const EM_386 = 3;
const EM_486 = 6;
export const EHDR_BYTES = 52;
const PHDR_BYTES = 32;
const MAX_PHDR_BYTES = 65536;
const PAGE = 4096;

export interface Phdr {
  type: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  flags: number;
  align: number;
}

export interface Elf {
  type: number;
  entry: number;
  phoff: number;
  phnum: number;
  phdrs: Phdr[];
}

/** A step of a program's loading: may wait for the disk. */
export type Loading<T> = Generator<Wait, T, WakeReason>;

/** Reads part of a file through its page cache; shorter at its end. @throws SysError(ENOEXEC) if it has no contents */
export function* readFile(k: Kernel, file: File, offset: number, length: number): Loading<Uint8Array> {
  const { mapping, size } = file.inode;
  if (mapping === null) throw new SysError(ENOEXEC);
  const end = Math.min(size, offset + length);
  const out = new Uint8Array(Math.max(0, end - offset));
  for (let at = offset; at < end; ) {
    const got = mapping.getPage(Math.floor(at / PAGE));
    if (typeof got !== "number") {
      yield got;
      continue;
    }
    const from = k.pageTables.host(got) + (at % PAGE);
    const n = Math.min(PAGE - (at % PAGE), end - at);
    out.set(k.memory.u8.subarray(from, from + n), at - offset);
    at += n;
  }
  return out;
}

/** Whether a file begins like an ELF file of any kind. */
export function looksLikeElf(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/**
 * Reads the headers of a program or an interpreter.
 * @param wrong the error if it is not one for this machine (ENOEXEC, or ELIBBAD for an interpreter)
 * @throws SysError
 */
export function* readElf(k: Kernel, file: File, wrong: number): Loading<Elf> {
  const head = yield* readFile(k, file, 0, EHDR_BYTES);
  if (head.length < EHDR_BYTES) throw new SysError(looksLikeElf(head) ? wrong : ENOEXEC);
  const view = new DataView(head.buffer);
  const type = view.getUint16(16, true);
  const machine = view.getUint16(18, true);
  const phentsize = view.getUint16(42, true);
  const phnum = view.getUint16(44, true);
  const phoff = view.getUint32(28, true);
  const foreign = (machine !== EM_386 && machine !== EM_486) || (type !== ET_EXEC && type !== ET_DYN);
  if (!looksLikeElf(head) || foreign || phentsize !== PHDR_BYTES) throw new SysError(wrong);
  const bytes = phnum * PHDR_BYTES;
  if (bytes === 0 || bytes > MAX_PHDR_BYTES) throw new SysError(wrong);
  const table = yield* readFile(k, file, phoff, bytes);
  if (table.length < bytes) throw new SysError(EIO);
  const t = new DataView(table.buffer);
  const phdrs = Array.from({ length: phnum }, (_, i): Phdr => {
    const word = (n: number) => t.getUint32(i * PHDR_BYTES + 4 * n, true);
    const [type, offset, vaddr, , filesz, memsz, flags, align] = [0, 1, 2, 3, 4, 5, 6, 7].map(word);
    return { type, offset, vaddr, filesz, memsz, flags, align };
  });
  return { type, entry: view.getUint32(24, true), phoff, phnum, phdrs };
}

/** Bytes of address space from the first to the last page of the loadable segments; 0 if there are none. */
export function totalMappingSize(phdrs: readonly Phdr[]): number {
  const loads = phdrs.filter((p) => p.type === PT_LOAD);
  if (loads.length === 0) return 0;
  const low = Math.min(...loads.map((p) => p.vaddr - (p.vaddr % PAGE)));
  const high = Math.max(...loads.map((p) => p.vaddr + p.memsz));
  return high - low;
}
