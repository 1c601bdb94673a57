// The ELF shared object that the vDSO is: symbols with versions for libc, and behind the code what debuggers read, sections and the
// table that unwinds a stack from inside __kernel_vsyscall.

export type Version = "LINUX_2.5" | "LINUX_2.6";

const PAGE = 4096;
const SONAME = "linux-gate.so.1";
const VERSIONS = ["LINUX_2.6", "LINUX_2.5"] as const;

/** The System V hash of a symbol name. */
export function elfHash(name: string): number {
  let h = 0;
  for (let i = 0; i < name.length; i++) {
    h = (h * 16 + name.charCodeAt(i)) >>> 0;
    const g = h & 0xf000_0000;
    if (g !== 0) h ^= g >>> 24;
    h = (h & ~g) >>> 0;
  }
  return h;
}

/** Strings of an ELF string table, each once. */
class Strings {
  private text = "\0";
  at(name: string): number {
    const found = this.text.indexOf(`\0${name}\0`);
    if (found >= 0) return found + 1;
    const at = this.text.length;
    this.text += `${name}\0`;
    return at;
  }
  get length(): number {
    return this.text.length;
  }
  bytes(): Uint8Array {
    return Uint8Array.from(this.text, (c) => c.charCodeAt(0));
  }
}

const EHDR = 52;
const PHDR = 32;
const SHDR = 40;
const SYM = 16;
const VERDEF = 28;
const DYN_ENTRIES = 10;
const PT = { LOAD: 1, DYNAMIC: 2 } as const;
const SHT = { PROGBITS: 1, STRTAB: 3, DYNAMIC: 6, DYNSYM: 11 } as const;
const SHF = { ALLOC: 2, EXECINSTR: 4 } as const;
const DT = { HASH: 4, STRTAB: 5, SYMTAB: 6, STRSZ: 10, SYMENT: 11, SONAME: 14 } as const;
const DT_VERSYM = 0x6fff_fff0;
const DT_VERDEF = 0x6fff_fffc;
const DT_VERDEFNUM = 0x6fff_fffd;
/** The section of the code, which the symbols are in. */
const TEXT_SECTION = 1;
const DYNSTR_SECTION = 3;

function align(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** Where __kernel_vsyscall is, and what it pushes at its beginning, one byte of code each, and pops again one by one from `pops` on. */
export interface Unwinding {
  readonly begin: number;
  readonly end: number;
  readonly pushes?: { readonly registers: readonly number[]; readonly pops: number };
}

/** An .eh_frame section with one function: where the return address and the pushed registers are at each of its instructions. */
function unwindTable({ begin, end, pushes }: Unwinding, at: number): Uint8Array {
  const NOP = 0;
  const record = (...body: number[]): number[] => {
    while (body.length % 4 !== 0) body.push(NOP);
    return [body.length, 0, 0, 0, ...body];
  };
  const word = (n: number): number[] => [n & 0xff, (n >> 8) & 0xff, (n >> 16) & 0xff, n >>> 24];
  // Version 1, "zR"; code by bytes, data by -4; the return address is column 8; addresses relative to their place. CFA = ESP + 4.
  const common = record(0, 0, 0, 0, 1, 0x7a, 0x52, 0, 1, 0x7c, 8, 1, 0x1b, 0x0c, 4, 4, 0x88, 1);
  const [ADVANCE, OFFSET, RESTORE, CFA_OFFSET] = [0x40, 0x80, 0xc0, 0x0e];
  const rules: number[] = [];
  const { registers = [], pops = begin } = pushes ?? {};
  for (const [i, register] of registers.entries())
    rules.push(ADVANCE | 1, CFA_OFFSET, 4 * (i + 2), OFFSET | register, i + 2);
  for (const [i, register] of [...registers].reverse().entries())
    rules.push(
      ADVANCE | (i === 0 ? pops + 1 - begin - registers.length : 1),
      CFA_OFFSET,
      4 * (registers.length - i),
      RESTORE | register,
    );
  const place = at + common.length + 8;
  const one = record(...word(common.length + 4), ...word(begin - place), ...word(end - begin), 0, ...rules);
  return Uint8Array.from([...common, ...one, 0, 0, 0, 0]);
}

/** The dress of the vDSO's code, for a fixed set of symbols. */
export class VdsoElf {
  /** Where the code begins. */
  readonly text: number;
  private readonly symbols: readonly { name: string; version: Version }[];
  private readonly strings = new Strings();

  constructor(symbols: readonly { name: string; version: Version }[]) {
    this.symbols = symbols;
    for (const { name } of symbols) this.strings.at(name);
    for (const name of [SONAME, ...VERSIONS]) this.strings.at(name);
    this.text = align(this.places().dynamic + 8 * DYN_ENTRIES, 16);
  }

  private places() {
    const count = this.symbols.length + 1;
    const hash = EHDR + 2 * PHDR;
    const dynsym = hash + 4 * (2 + 1 + count);
    const dynstr = dynsym + SYM * count;
    const versym = align(dynstr + this.strings.length, 4);
    const verdef = align(versym + 2 * count, 4);
    return { count, hash, dynsym, dynstr, versym, verdef, dynamic: verdef + VERDEF * (VERSIONS.length + 1) };
  }

  /** The page. @param offsets where the symbols are, in their order */
  image(code: Uint8Array, offsets: readonly number[], unwinding: Unwinding): Uint8Array {
    const { strings } = this;
    const { count, hash, dynsym, dynstr, versym, verdef, dynamic } = this.places();
    const image = new Uint8Array(PAGE);
    const view = new DataView(image.buffer);
    const put = (at: number, ...words: number[]) => {
      for (let i = 0; i < words.length; i++) view.setUint32(at + 4 * i, words[i] >>> 0, true);
    };

    const ehFrame = align(this.text + code.length, 4);
    const frames = unwindTable(unwinding, ehFrame);
    const sections: [
      name: string,
      type: number,
      flags: number,
      at: number,
      bytes: number,
      link: number,
      each: number,
    ][] = [
      [".text", SHT.PROGBITS, SHF.ALLOC | SHF.EXECINSTR, this.text, code.length, 0, 0],
      [".dynsym", SHT.DYNSYM, SHF.ALLOC, dynsym, SYM * count, DYNSTR_SECTION, SYM],
      [".dynstr", SHT.STRTAB, SHF.ALLOC, dynstr, strings.length, 0, 0],
      [".dynamic", SHT.DYNAMIC, SHF.ALLOC, dynamic, 8 * DYN_ENTRIES, DYNSTR_SECTION, 8],
      [".eh_frame", SHT.PROGBITS, SHF.ALLOC, ehFrame, frames.length, 0, 0],
    ];
    const names = new Strings();
    for (const [name] of sections) names.at(name);
    names.at(".shstrtab");
    const nameTable = ehFrame + frames.length;
    sections.push([".shstrtab", SHT.STRTAB, 0, nameTable, names.length, 0, 0]);
    const headers = align(nameTable + names.length, 4);
    const end = headers + SHDR * (sections.length + 1);
    if (end > PAGE) throw new Error(`a vDSO of ${end} bytes does not fit its page`);

    image.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], 0);
    // ET_DYN, EM_386; version, entry, program headers, section headers; sizes and numbers of both, the section with their names.
    put(16, 3 | (3 << 16), 1, unwinding.begin, EHDR, headers, 0);
    const sizes = [EHDR, PHDR, 2, SHDR, sections.length + 1, sections.length];
    for (const [i, size] of sizes.entries()) view.setUint16(40 + 2 * i, size, true);
    put(EHDR, PT.LOAD, 0, 0, 0, end, end, 5, PAGE);
    put(EHDR + PHDR, PT.DYNAMIC, dynamic, dynamic, dynamic, 8 * DYN_ENTRIES, 8 * DYN_ENTRIES, 4, 4);

    // One bucket: a chain of all symbols.
    put(hash, 1, count, 1);
    for (let i = 1; i < count; i++) put(hash + 12 + 4 * i, i + 1 < count ? i + 1 : 0);
    for (const [i, { name, version }] of this.symbols.entries()) {
      const at = dynsym + SYM * (i + 1);
      put(at, strings.at(name), offsets[i], 0);
      // STB_GLOBAL, STT_FUNC.
      view.setUint8(at + 12, 0x12);
      view.setUint16(at + 14, TEXT_SECTION, true);
      view.setUint16(versym + 2 * (i + 1), version === "LINUX_2.6" ? 2 : 3, true);
    }
    image.set(strings.bytes(), dynstr);
    for (const [i, name] of [SONAME, ...VERSIONS].entries()) {
      const at = verdef + VERDEF * i;
      const more = i < VERSIONS.length;
      for (const [j, half] of [1, i === 0 ? 1 : 0, i + 1, 1].entries()) view.setUint16(at + 2 * j, half, true);
      put(at + 8, elfHash(name), 20, more ? VERDEF : 0, strings.at(name), 0);
    }
    put(dynamic, DT.HASH, hash, DT.STRTAB, dynstr, DT.SYMTAB, dynsym, DT.STRSZ, strings.length, DT.SYMENT, SYM);
    put(dynamic + 40, DT.SONAME, strings.at(SONAME), DT_VERSYM, versym, DT_VERDEF, verdef, DT_VERDEFNUM, 3, 0, 0);
    image.set(code, this.text);
    image.set(frames, ehFrame);
    image.set(names.bytes(), nameTable);
    // In place of the number of local symbols, for .dynsym: the first, which is none.
    for (const [i, [name, type, flags, at, bytes, link, each]] of sections.entries())
      put(
        headers + SHDR * (i + 1),
        names.at(name),
        type,
        flags,
        at,
        at,
        bytes,
        link,
        type === SHT.DYNSYM ? 1 : 0,
        4,
        each,
      );
    return image;
  }
}
