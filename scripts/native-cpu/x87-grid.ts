// The x87 on a grid: every instruction with one answer to the bit, over all pairs of special values, all rounding and
// precision controls, exceptions masked and unmasked, and stacks that are empty or full. Rows, states, and how the emulator
// answers; x87-grid-record.ts has the real processor answer. States are records of 128 bytes as in x87-grid.c.
import { Cpu, type CpuHost } from "../../src/emu/cpu/cpu.ts";
import { guestFault } from "../../src/emu/cpu/fault.ts";
import { fpuExact } from "../../src/emu/cpu/fpu/fpu.ts";
import { setFlatSegment } from "../../src/emu/cpu/segments.ts";
import { Memory, RAM_BASE } from "../../src/emu/machine/memory.ts";

export const RECORD_BYTES = 128;
const IMAGE = 0;
const REGISTERS = 28;
const MEMORY = 108;
const EFLAGS = 124;
/** Address of the memory operand on the real processor. */
const NATIVE_MEMORY = 0x1000_2000;

type Memory_ = "f32" | "f64" | "i16" | "i32" | "i64" | "f80" | "bcd" | "";

export interface GridRow {
  readonly opcode: number;
  readonly modrm: number;
  /** Format of the memory operand that is read ("" for none). */
  readonly reads: Memory_;
  /** Needs ST(1) or a memory operand of every value, else the values go through ST(0) only. */
  readonly pair: boolean;
}

const u32 = (words: readonly number[]) => words.map((w) => w >>> 0);

/** Significands and exponent words of the extended values. */
const EXTENDED: readonly (readonly [se: number, hi: number, lo: number])[] = [
  [0x0000, 0, 0],
  [0x8000, 0, 0],
  [0x3fff, 0x8000_0000, 0],
  [0xbfff, 0x8000_0000, 0],
  [0x3fff, 0xc000_0000, 1],
  [0x4000, 0xc90f_daa2, 0x2168_c235],
  [0xbffe, 0xffff_ffff, 0xffff_ffff],
  [0x3ffe, 0x8000_0000, 0x0000_0400],
  [0x403e, 0xffff_ffff, 0xffff_fbff],
  [0xc01e, 0x8000_0000, 0],
  [0x401d, 0xffff_fffe, 0x8000_0000],
  [0x400e, 0x8000_8000, 0],
  [0x407e, 0xffff_ff80, 0],
  [0x43fe, 0xffff_ffff, 0xffff_fc00],
  [0x3f80, 0xffff_ffff, 0],
  [0x3c00, 0xffff_ffff, 0xffff_f800],
  [0x7ffe, 0xffff_ffff, 0xffff_ffff],
  [0x0001, 0x8000_0000, 0],
  [0x8001, 0xaaaa_aaaa, 0xaaaa_aaab],
  [0x0000, 0x7fff_ffff, 0xffff_ffff],
  [0x8000, 0x0000_0000, 1],
  [0x0000, 0x8000_0000, 1],
  [0x7fff, 0x8000_0000, 0],
  [0xffff, 0x8000_0000, 0],
  [0x7fff, 0xc000_0000, 0x1234],
  [0xffff, 0xffff_ffff, 5],
  [0x7fff, 0x8000_0000, 7],
  [0xffff, 0xbfff_ffff, 0],
  [0x3fff, 0x4000_0000, 0],
  [0x7fff, 0x0000_0000, 0],
  [0xffff, 0x7fff_ffff, 9],
  [0x0001, 0x0000_0000, 0],
];
const SINGLES = u32([
  0, 0x8000_0000, 0x3f80_0000, 0xbf80_0000, 0x3f80_0001, 0x4049_0fdb, 0x7f7f_ffff, 0xff7f_ffff, 0x0080_0000,
  0x807f_ffff, 0x0000_0001, 0x8000_0001, 0x7f80_0000, 0xff80_0000, 0x7fc0_0001, 0xffff_ffff, 0x7f80_0001, 0xffbf_ffff,
  0x4f00_0000, 0xcb00_0000, 0x3400_0000, 0x3eaa_aaab, 0x0040_0000, 0x7f00_0000,
]);
const DOUBLES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0x8000_0000, 0],
  [0x3ff0_0000, 0],
  [0xbff0_0000, 0],
  [0x3ff0_0000, 1],
  [0x4009_21fb, 0x5444_2d18],
  [0x7fef_ffff, 0xffff_ffff],
  [0xffef_ffff, 0xffff_ffff],
  [0x0010_0000, 0],
  [0x800f_ffff, 0xffff_ffff],
  [0, 1],
  [0x8000_0000, 1],
  [0x7ff0_0000, 0],
  [0xfff0_0000, 0],
  [0x7ff8_0000, 1],
  [0xffff_ffff, 0xffff_ffff],
  [0x7ff0_0000, 1],
  [0xfff7_ffff, 0xffff_ffff],
  [0x41e0_0000, 0],
  [0xc340_0000, 0],
  [0x3ca0_0000, 0],
  [0x3fd5_5555, 0x5555_5555],
  [0x0008_0000, 0],
  [0x7fe0_0000, 0],
];
const INTEGERS = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  -3n,
  7n,
  10n,
  -10n,
  0x7fn,
  0xffn,
  0x7fffn,
  -0x8000n,
  0x7fff_ffffn,
  -0x8000_0000n,
  0x1234_5678n,
  -0x7654_3210n,
  0x7fff_ffff_ffff_ffffn,
  -0x8000_0000_0000_0000n,
  0x20_0000_0000_0001n,
  0x1_0000_0001n,
  -0x1234_5678_9abc_def1n,
  0x100n,
  0x4000n,
];
const PACKED = [
  "00000000000000000000",
  "80000000000000000000",
  "00000000000000000001",
  "80000000000000000001",
  "00999999999999999999",
  "80999999999999999999",
  "00123456789012345678",
  "00100000000000000000",
  "80000000012345678901",
  "00000000000000009999",
  "7f000000000000000042",
  "ff000000000000000042",
];

/** Control words: four rounding, three precision controls, by all masked, none masked and each alone unmasked. */
export const CONTROLS: readonly number[] = [0x3f, 0, 0x3e, 0x3d, 0x3b, 0x37, 0x2f, 0x1f].flatMap((masks) =>
  [0x300, 0x200, 0x000].flatMap((pc) => [0, 0x400, 0x800, 0xc00].map((rc) => 0x40 | masks | pc | rc)),
);

/** Shapes of the stack after the pairs: full; ST(0) empty; ST(1) empty; both. */
const SHAPES = 4;
const COUNT = EXTENDED.length;

function buildRows(): GridRow[] {
  const rows: GridRow[] = [];
  const register = (opcode: number, modrms: readonly number[], pair: boolean) => {
    for (const modrm of modrms) rows.push({ opcode, modrm, reads: "", pair });
  };
  const memory = (opcode: number, ops: readonly number[], reads: Memory_, pair: boolean) => {
    for (const op of ops) rows.push({ opcode, modrm: (op << 3) | 5, reads, pair });
  };
  const all = [0, 1, 2, 3, 4, 5, 6, 7];
  register(
    0xd8,
    all.map((op) => 0xc1 | (op << 3)),
    true,
  );
  register(0xdc, [0xc1, 0xc9, 0xe1, 0xe9, 0xf1, 0xf9], true);
  register(0xde, [0xc1, 0xc9, 0xd9, 0xe1, 0xe9, 0xf1, 0xf9], true);
  register(0xd9, [0xc1, 0xc9, 0xf5, 0xf8, 0xfd], true);
  register(0xd9, [0xd0, 0xe0, 0xe1, 0xe4, 0xe5, 0xf4, 0xf6, 0xf7, 0xfa, 0xfc], false);
  register(0xd9, [0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee], false);
  register(0xda, [0xc1, 0xc9, 0xd1, 0xd9, 0xe9], true);
  register(0xdb, [0xc1, 0xc9, 0xd1, 0xd9, 0xe9, 0xf1], true);
  register(0xdd, [0xc1, 0xd1, 0xd9, 0xe1, 0xe9], true);
  register(0xdf, [0xe9, 0xf1], true);
  memory(0xd8, all, "f32", true);
  memory(0xdc, all, "f64", true);
  memory(0xda, all, "i32", true);
  memory(0xde, all, "i16", true);
  memory(0xd9, [0], "f32", false);
  memory(0xdd, [0], "f64", false);
  memory(0xdb, [0], "i32", false);
  memory(0xdf, [0], "i16", false);
  memory(0xdf, [5], "i64", false);
  memory(0xdb, [5], "f80", false);
  memory(0xdf, [4], "bcd", false);
  memory(0xd9, [2, 3], "", false);
  memory(0xdd, [2, 3], "", false);
  memory(0xdb, [2, 3, 7], "", false);
  memory(0xdf, [2, 3, 6, 7], "", false);
  return rows;
}
export const ROWS: readonly GridRow[] = buildRows();

/** The instruction's bytes on the real processor, in hex. */
export function codeOf(row: GridRow): string {
  const bytes = [row.opcode, row.modrm];
  if (row.modrm < 0xc0) for (let i = 0; i < 4; i++) bytes.push((NATIVE_MEMORY >>> (8 * i)) & 0xff);
  return bytes.map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** How many values a memory operand of a format takes. */
function valuesOf(format: Memory_): number {
  switch (format) {
    case "":
    case "f80":
      return COUNT;
    case "bcd":
      return PACKED.length;
    default:
      return 24;
  }
}

/** States of a row with one control word. */
export function statesOf(row: GridRow): number {
  const values = valuesOf(row.reads);
  if (row.pair) return COUNT * values + SHAPES * values;
  return Math.max(COUNT, values) * (row.reads === "" ? 1 : 2) + SHAPES * values;
}

function putExtended(view: DataView, at: number, n: number): void {
  const [se, hi, lo] = EXTENDED[n % COUNT];
  view.setUint32(at, lo, true);
  view.setUint32(at + 4, hi, true);
  view.setUint16(at + 8, se, true);
}

function putMemory(view: DataView, format: Memory_, n: number): void {
  switch (format) {
    case "f32":
      view.setUint32(MEMORY, SINGLES[n], true);
      break;
    case "f64":
      view.setUint32(MEMORY, DOUBLES[n][1], true);
      view.setUint32(MEMORY + 4, DOUBLES[n][0], true);
      break;
    case "i16":
    case "i32":
    case "i64":
      view.setBigUint64(MEMORY, BigInt.asUintN(64, INTEGERS[n]), true);
      break;
    case "f80":
      putExtended(view, MEMORY, n);
      break;
    case "bcd":
      for (let i = 0; i < 10; i++)
        view.setUint8(MEMORY + i, Number.parseInt(PACKED[n].slice(18 - 2 * i, 20 - 2 * i), 16));
  }
}

/** Write state n of a row with a control word as a record. */
export function putState(view: DataView, row: GridRow, control: number, n: number): void {
  const values = valuesOf(row.reads);
  const plain = statesOf(row) - SHAPES * values;
  const shape = n < plain ? -1 : Math.floor((n - plain) / values);
  const within = n < plain ? n : (n - plain) % values;
  // The first value goes to ST(0), the second to ST(1) and to memory.
  const first = n >= plain ? within + 3 : row.pair ? Math.floor(within / values) : within;
  const second = n >= plain || !row.pair ? within % values : within % values;
  const top = n & 7;
  for (let i = 0; i < RECORD_BYTES; i += 4) view.setUint32(i, 0, true);
  for (let i = 2; i < 8; i++) putExtended(view, REGISTERS + 10 * i, 2 + i);
  putExtended(view, REGISTERS, first);
  putExtended(view, REGISTERS + 10, second);
  putMemory(view, row.reads, second);
  const held = [0x03, 0xff, 0x02, 0x01, 0x00][shape + 1];
  let tags = 0;
  for (let i = 0; i < 8; i++) if (!((held >>> i) & 1)) tags |= 3 << (2 * ((top + i) & 7));
  view.setUint32(0, 0xffff_0000 | control, true);
  view.setUint32(4, 0xffff_0000 | (top << 11) | [0, 0x4700, 0x0200, 0x4500][n & 3], true);
  view.setUint32(8, 0xffff_0000 | tags, true);
  view.setUint32(EFLAGS, 0x202 | [0, 0x8d5, 0x41, 0x04, 0x01, 0x40][n % 6], true);
}

/** Bytes of a record that are compared: control, status and tag words, registers, memory; the arithmetic flags. */
export function comparable(view: DataView): void {
  for (const at of [2, 6, 10]) view.setUint16(at, 0, true);
  for (let at = 12; at < REGISTERS; at += 4) view.setUint32(at, 0, true);
  view.setUint32(EFLAGS, view.getUint32(EFLAGS, true) & 0x8d5, true);
}

const silent: CpuHost = {
  kcall() {},
  inPort: () => 0,
  outPort() {},
  intAck: () => 0,
  tsc: () => 0,
};

/** The emulator's x87, its exact routines. */
export class GridCpu {
  private readonly cpu: Cpu;
  private static readonly AT = 0x1000;

  constructor() {
    this.cpu = new Cpu(new Memory(0x1_0000), silent);
    this.cpu.cr0 = 0x31;
    setFlatSegment(this.cpu, 3, 16, 0);
  }

  /** Execute a row on a record in place. */
  run(row: GridRow, view: DataView): void {
    const { cpu } = this;
    const { fpu } = cpu;
    const memory = cpu.memory.view;
    const at = RAM_BASE + GridCpu.AT;
    fpu.init();
    fpu.setCw(view.getUint16(0, true));
    fpu.status = view.getUint16(4, true);
    fpu.tagWord = view.getUint16(8, true);
    for (let i = 0; i < 8; i++) {
      const from = REGISTERS + 10 * i;
      const se = view.getUint16(from + 8, true);
      fpu.st(i).set(se >>> 15, se & 0x7fff, view.getUint32(from + 4, true), view.getUint32(from, true));
    }
    for (let i = 0; i < 16; i += 4) memory.setUint32(at + i, view.getUint32(MEMORY + i, true), true);
    cpu.setEflags(view.getUint32(EFLAGS, true));
    try {
      fpuExact(cpu, row.opcode, row.modrm, row.modrm < 0xc0 ? GridCpu.AT : 0);
    } catch (error) {
      if (error !== guestFault) throw error;
      throw new Error(`${codeOf(row)} faulted`);
    }
    view.setUint32(0, fpu.cw, true);
    view.setUint32(4, fpu.status, true);
    view.setUint32(8, fpu.tagWord, true);
    for (let i = 0; i < 8; i++) {
      const x = fpu.st(i);
      const to = REGISTERS + 10 * i;
      view.setUint32(to, x.lo, true);
      view.setUint32(to + 4, x.hi, true);
      view.setUint16(to + 8, (x.sign << 15) | x.exp, true);
    }
    for (let i = 0; i < 16; i += 4) view.setUint32(MEMORY + i, memory.getUint32(at + i, true), true);
    view.setUint32(EFLAGS, cpu.getEflags(), true);
  }
}

/** A digest of records, 32 bits: FNV-1a over words with a last mixing. */
export class Digest {
  private h = 0x811c_9dc5;
  add(view: DataView): void {
    let h = this.h;
    for (let i = IMAGE; i < RECORD_BYTES; i += 4) {
      h = Math.imul(h ^ view.getUint32(i, true), 0x0100_0193);
      h ^= h >>> 15;
    }
    this.h = h;
  }
  get value(): number {
    return this.h >>> 0;
  }
}
