// The vectors of a group: code and inputs, a pure function of the group's key and the vector's number. Edges first
// (values, counts, alignment, page crossing, faulting addresses), by number, so that each group has each of them.
import type { Form } from "../../src/emu/cpu/isa/forms.ts";
import { CONTROL_WORDS, EDGES, extended, memoryOperand, operand, Random } from "./cases.ts";
import { simdImage, simdOperand } from "./simd-forms.ts";
import { type Group, isX87 } from "./vector-groups.ts";

export const INSTRUCTION = 0x1000_0100;
export const DATA = 0x2000_0000;
/** The same two pages where 16-bit addresses reach. */
export const LOW = 0x8000;
export const READ_ONLY = 0x2001_0000;
export const UNMAPPED = 0x2002_8000;
export const WINDOW = DATA + 0xe00;
export const WINDOW_BYTES = 1024;
export const FX_BYTES = 512;
/** ES CS SS DS FS GS: flat ones, FS on the two data pages, GS read-only on the second. */
export const SELECTORS = [0x2b, 0x23, 0x2b, 0x2b, 0x6b, 0x73] as const;
/** Vectors in a group. */
export const VECTORS = 32;

const ESP = 4;
const EBP = 5;
const SEGMENT_BASE = new Map([
  [0x64, DATA],
  [0x65, DATA + 0x1000],
]);
const OVERRIDES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** One instruction with all that it starts from. */
export interface Vector {
  readonly group: Group;
  readonly code: Uint8Array;
  readonly regs: Uint32Array;
  readonly eflags: number;
  readonly window: Uint8Array;
  /** Linear address of the memory operand or the top of the stack, 0 when there is none. */
  readonly target: number;
  /** FXSAVE image. */
  readonly fx: Uint8Array;
}

/** FNV-1a of a string, to seed what a name stands for. */
export function hashText(text: string): number {
  let h = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x0100_0193);
  return h >>> 0;
}

const COUNTS = [0, 1, 31, 32, 33, 7, 8, 9, 15, 16, 17, 24, 30, 0xff, 0x80, 0x21];
const IMMEDIATES = [0, 1, -1, 2, 0x7f, -128, 31, 32, 33, 7, 8, 15, 16, 0x7fff_ffff, -0x8000_0000, 0x8000, 0xffff];
/** AL where the decimal adjustments change their mind. */
const DECIMALS = [0x99, 0x9a, 5, 6, 9, 0x0a, 0x0f, 0x9f, 0xa0, 0, 0x90, 0x95, 0xff, 0x60, 0x66, 0x15];
/** Null, this world's, privileged, beyond the table. */
const SEGMENT_SELECTORS = [0x2b, 0, 0x23, 0x6b, 0x73, 0x8b, 0x2b, 3, 0x18, 0x2a, 0x10, 0x6b, 0x20, 0x87, 0x63c, 0x2b];
const CODE_SELECTORS = [0x23, 0x23, 0x23, 0, 0x2b, 0x23, 0x8b, 0x23, 0x20, 0x23, 0x22, 0x6b, 0x23, 0x3fb, 0x23, 0x18];

class VectorEncoder {
  readonly bytes: number[] = [];
  readonly fixed = new Map<number, number>();
  /** Where the memory operand or the stack's top lies, for contents that must make sense; 0 = nowhere. */
  target = 0;
  private readonly group: Group;
  private readonly form: Form;
  private readonly v: number;
  private readonly random: Random;
  private segment = -1;
  private addr16 = false;

  constructor(random: Random, group: Group, v: number) {
    this.random = random;
    this.group = group;
    this.form = group.form;
    this.v = v;
  }

  private edge<T>(list: readonly T[], stride: number): T {
    return list[(this.v * stride + (hashText(this.group.key) & 0xff)) % list.length];
  }

  /** A linear address for an operand of some bytes, chosen by the vector's number. */
  private place(size: number): number {
    const random = this.random;
    const v = this.v;
    const big = size > 16;
    const align = this.form.options.cls === "simd" || size >= 100 ? (random.below(4) === 0 ? 1 : 16) : 1;
    if (v === 20 && !this.addr16 && size !== FX_BYTES) return READ_ONLY + 16 + random.below(64) * (big ? 16 : 1);
    if (v === 21) return (this.addr16 ? 0x7000 : UNMAPPED) + random.below(2048);
    if (v === 22 && size > 1) return DATA + 0x2000 - 1 - random.below(size - 1);
    if (big) return WINDOW + 0x10 + ((random.below(WINDOW_BYTES - 0x20 - size) / align) | 0) * align;
    if (v >= 16 && v < 20) return DATA + 0x1000 - random.below(size + 1);
    const at = WINDOW + 0x100 + random.below(0x200 - size);
    return v < 8 ? at & -16 : at & -align;
  }

  /** The offset that reaches a linear address through the segment in force. */
  private offsetOf(la: number): number {
    const base = SEGMENT_BASE.get(this.segment);
    if (base !== undefined) return (la - base) >>> 0;
    if (this.addr16 && la >= DATA && la < DATA + 0x2000) return la - DATA + LOW;
    return la;
  }

  private number(bytes: number, value: number): void {
    for (let i = 0; i < bytes; i++) this.bytes.push((value >>> (8 * i)) & 0xff);
  }

  private memory(reg: number, la: number): void {
    const { random } = this;
    const offset = this.offsetOf(la);
    const mode = (this.v + hashText(this.group.key)) % 24;
    const rm = mode & 7;
    let mod = mode >> 3;
    if (this.addr16) {
      const bases = [3, 3, 5, 5, 6, 7, 5, 3];
      const base = bases[rm];
      const index = rm < 4 ? [6, 7][rm & 1] : -1;
      if (this.fixed.has(base) || (index >= 0 && this.fixed.has(index))) mod = 2;
      const none = mod === 0 && rm === 6;
      this.bytes.push((mod << 6) | (reg << 3) | rm);
      const take = (r: number) => {
        if (!this.fixed.has(r)) this.fixed.set(r, random.word());
        return this.fixed.get(r) ?? 0;
      };
      const indexed = !none && index >= 0 ? take(index) : 0;
      const disp8 = (random.word() << 24) >> 24;
      if (none) this.number(2, offset);
      else if (mod === 2) this.number(2, offset - indexed - take(base));
      else {
        if (mod === 1) this.number(1, disp8);
        const wanted = (offset - indexed - (mod === 1 ? disp8 : 0)) & 0xffff;
        this.fixed.set(base, ((random.word() & 0xffff_0000) | wanted) >>> 0);
      }
      return;
    }
    let base = rm;
    let index = -1;
    let scale = 0;
    let sib = -1;
    if (rm === 4) {
      scale = random.below(4);
      index = random.below(8);
      base = random.below(8);
      sib = (scale << 6) | (index << 3) | base;
      if (index === 4) index = -1;
    }
    const none = () => mod === 0 && base === 5;
    if (!none() && (this.fixed.has(base) || base === index || base === ESP)) mod = 2;
    this.bytes.push((mod << 6) | (reg << 3) | rm);
    if (sib >= 0) this.bytes.push(sib);
    let rest = offset;
    if (index >= 0) {
      const value = this.fixed.get(index) ?? (random.below(2) === 0 ? random.below(64) - 16 : random.word()) >>> 0;
      this.fixed.set(index, value);
      rest -= value << scale;
    }
    if (none()) this.number(4, rest);
    else if (mod === 2) {
      if (!this.fixed.has(base)) this.fixed.set(base, base === ESP ? WINDOW + 0x200 : random.word());
      this.number(4, rest - (this.fixed.get(base) ?? 0));
    } else {
      const disp8 = mod === 1 ? (random.word() << 24) >> 24 : 0;
      this.fixed.set(base, (rest - disp8) >>> 0);
      if (mod === 1) this.number(1, disp8);
    }
  }

  private stack(): void {
    const { random, v } = this;
    const names = this.form.names.join(",");
    if (!/push|pop|call|ret|enter|leave/.test(names)) return;
    let top = WINDOW + 0x140 + random.below(0x180);
    if (v < 8) top &= ~3;
    if (v >= 16 && v < 20) top = DATA + 0x1000 + random.below(9) - 4;
    if (v === 20) top = READ_ONLY + 256;
    if (v === 21) top = UNMAPPED + 64;
    if (v === 22) top = /push|call|enter/.test(names) ? DATA + 1 : DATA + 0x1fff;
    this.fixed.set(ESP, top);
    this.target = top;
    if (/enter/.test(names)) this.fixed.set(EBP, v === 23 ? UNMAPPED : WINDOW + 0x200 + random.below(96));
    if (/leave/.test(names)) {
      this.fixed.set(EBP, top);
      this.fixed.set(ESP, random.word());
    }
  }

  private strings(): void {
    const { random, v } = this;
    const masked = this.form.names[0].startsWith("maskmov");
    if (!this.form.string && !masked && this.form.names[0] !== "xlatb") return;
    const size = Math.max(1, this.form.size >> 3);
    const high = () => (this.addr16 ? random.word() & 0xffff_0000 : 0);
    if (masked) {
      const at = this.place(this.form.names[0] === "maskmovq" ? 8 : 15);
      this.fixed.set(7, (high() | this.offsetOf(at)) >>> 0);
      if (this.addr16 && v === 21) this.fixed.set(7, 0x7000);
      return;
    }
    const source = v >= 24 && v < 26 ? WINDOW + 0x180 : this.place(size);
    if (this.form.names[0] === "xlatb") {
      this.fixed.set(3, (high() | (v === 21 ? UNMAPPED : this.offsetOf(WINDOW + 0x40 + random.below(64)))) >>> 0);
      if (this.addr16 && v === 21) this.fixed.set(3, 0x7000);
      return;
    }
    const dest = v >= 20 && v < 23 ? WINDOW + 0x180 : this.place(size);
    this.fixed.set(6, (high() | this.offsetOf(source)) >>> 0);
    // ES:EDI has no override.
    const segment = this.segment;
    this.segment = -1;
    const swap = v >= 26 && v < 29;
    this.fixed.set(
      7,
      (high() | this.offsetOf(swap ? [READ_ONLY, UNMAPPED, size > 1 ? DATA + 0x1fff : WINDOW][v - 26] : dest)) >>> 0,
    );
    if (this.addr16 && swap) this.fixed.set(7, 0x7000);
    this.segment = segment;
    this.fixed.set(1, this.edge([1, 0, 2, 0x1_0000, 3, 0xffff_ffff, 0x1_0001, 5], 1));
  }

  private prefixes(): void {
    const { random, form } = this;
    const alone = form.exact || /^(bswap|fxsave|fxrstor)$/.test(form.names[0]);
    let list: number[] = [];
    if (this.group.prefix === "mix") {
      const choices = [...OVERRIDES, 0x67, ...OVERRIDES.slice(4)];
      for (let n = 2 + random.below(3); n > 0; n--) list.push(random.pick(choices));
      if (!alone && !form.sized) list.push(0x66);
    } else {
      const text = this.group.prefix;
      list = Array.from({ length: text.length >> 1 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
    }
    const selects = form.sized && form.size === 16 ? 0x66 : form.mandatory;
    if (selects !== 0) list.splice(random.below(list.length + 1), 0, selects);
    for (const byte of list) {
      if (OVERRIDES.includes(byte)) this.segment = byte;
      if (byte === 0x67) this.addr16 = true;
    }
    this.bytes.push(...list);
  }

  encode(): void {
    const { random, form, group, v } = this;
    this.prefixes();
    this.stack();
    this.strings();
    const opcode = form.opcode.slice();
    if (form.operands.some((o) => o.at === "opreg")) {
      opcode[opcode.length - 1] += form.options.skipFirst === true ? 1 + (v % 7) : v % 8;
    }
    this.bytes.push(...opcode);
    const rm = form.operands.find((o) => o.at === "rm");
    const names = form.names.join(",");
    if (form.modrm) {
      let reg = form.digit >= 0 ? form.digit : random.below(8);
      if (group.modrm >= 0) reg = group.modrm & 7;
      if (group.shape === "mem") {
        if (/^bt/.test(names) && form.digit < 0) {
          this.fixed.set(reg, (this.edge([0, 1, -1, 31, 32, 33, -128, 127, 15, 16, -32, 64], 1) + (v >> 4)) >>> 0);
        }
        if (/^bt/.test(names) && form.digit < 0 && this.v === 22) this.fixed.set(reg, 0);
        const size = /^pinsrw/.test(names)
          ? 2
          : isX87(form)
            ? x87Bytes(form, reg)
            : rm?.bytes || (rm?.text === "Mx" ? 512 : 4);
        this.target = this.place(size);
        this.memory(reg, this.target);
      } else if (group.modrm >= 0) this.bytes.push(group.modrm);
      else if (form.options.rm !== undefined) this.bytes.push(0xc0 | (reg << 3) | form.options.rm);
      else this.bytes.push(0xc0 | (reg << 3) | (v < 8 ? (v + reg) & 7 : random.below(8)));
    }
    if (form.moffs) {
      this.target = this.place(rm?.bytes || 4);
      this.number(this.addr16 ? 2 : 4, this.offsetOf(this.target));
    }
    if (/^enter/.test(names)) {
      this.number(2, v < 4 ? v : random.below(64));
      this.number(1, v < 16 ? v & 7 : this.edge([0, 1, 2, 3, 31, 32, 33, 5], 1));
      return;
    }
    if (form.operands.some((o) => o.at === "far")) {
      this.number(form.immBytes, random.word());
      this.number(2, this.edge(CODE_SELECTORS, 1));
      return;
    }
    if (form.names[0] === "int") {
      this.number(1, this.edge([0, 1, 2, 4, 5, 6, 8, 0x0d, 0x1f, 0x20, 0x7f, 0x81, 0xff], 1));
      return;
    }
    const value = () => (random.below(4) === 0 ? random.word() : this.edge(IMMEDIATES, 1));
    this.number(form.immBytes, /^(ro|rc|sh|sa|bt)/.test(names) ? this.edge(COUNTS, 1) : value());
    this.number(form.relBytes, form.relBytes === 0 ? 0 : random.below(2) === 0 ? random.word() : value());
    this.number(form.imm2Bytes, value());
  }
}

/** Bytes of an x87 memory operand. */
function x87Bytes(form: Form, op: number): number {
  const opcode = form.opcode[0];
  const environment = form.size === 32 ? 28 : 14;
  if (opcode === 0xd9 && (op === 4 || op === 6)) return environment;
  if (opcode === 0xdd && (op === 4 || op === 6)) return environment + 80;
  if ((opcode === 0xd9 && op >= 5) || (opcode === 0xdd && op === 7)) return 2;
  if ((opcode === 0xdb && (op === 5 || op === 7)) || (opcode === 0xdf && (op === 4 || op === 6))) return 10;
  if (opcode === 0xdc || opcode === 0xdd || (opcode === 0xdf && (op === 5 || op === 7))) return 8;
  return opcode === 0xd8 || opcode === 0xd9 || opcode === 0xda || opcode === 0xdb ? 4 : 2;
}

/** FXSAVE image: random x87 registers, some empty, random XMM registers, MXCSR mostly with all exceptions masked. */
function fxImage(random: Random, v: number): Uint8Array {
  const image = new Uint8Array(FX_BYTES);
  const view = new DataView(image.buffer);
  const top = random.below(8);
  const empties = random.pick([0, 0, 0, 1, 1, 2, 8]);
  let used = 0;
  for (let i = 0; i < 8; i++) {
    image.set(extended(random), 32 + 16 * i);
    if (i < 8 - empties) used |= 1 << ((top + i) & 7);
  }
  let status = (top << 11) | (random.word() & 0x4700);
  if (v % 16 === 9) status |= random.word() & 0x7f;
  view.setUint16(0, random.pick(CONTROL_WORDS), true);
  view.setUint16(2, status, true);
  image[4] = used;
  simdImage(random, v, image);
  return image;
}

function equalise(vector: Omit<Vector, "group" | "code">, group: Group, at: number, v: number): void {
  const { regs, window } = vector;
  const view = new DataView(window.buffer);
  const inWindow = at >= 0 && at + 8 <= WINDOW_BYTES;
  const name = group.form.names[0];
  if (/^cmpxchg/.test(name) && v % 2 === 1 && inWindow) {
    view.setUint32(at, regs[0], true);
    if (name === "cmpxchg8b") view.setUint32(at + 4, regs[2], true);
  }
  if (name === "bound" && inWindow && v % 4 !== 3) {
    const wide = group.form.size === 32;
    const spread = 1 + (v >> 2);
    for (let i = 0; i < 2; i++) {
      const limit = i === 0 ? regs[v & 7] - spread : regs[v & 7] + spread;
      if (wide) view.setInt32(at + 4 * i, limit | 0, true);
      else view.setInt16(at + 2 * i, limit, true);
    }
  }
}

/** Quotients that fit: a dividend's upper half below the divisor, or its sign. */
function dividend(regs: Uint32Array, form: Form, fixed: ReadonlyMap<number, number>, v: number, random: Random): void {
  if (v % 3 === 2) return;
  if (form.size === 8) {
    if (!fixed.has(0)) regs[0] = v % 2 ? ((regs[0] << 24) >> 24) >>> 0 : (regs[0] & 0xff) | (random.below(8) << 8);
  } else if (!fixed.has(2)) regs[2] = v % 2 ? ((regs[0] << (32 - form.size)) >> 31) >>> 0 : random.below(16);
}

function segmentsAt(window: Uint8Array, group: Group, at: number, v: number): void {
  const { form } = group;
  const name = form.names[0];
  if (at < 0 || at > WINDOW_BYTES - 24) return;
  const view = new DataView(window.buffer);
  const bytes = form.size >> 3;
  const seed = hashText(group.key) & 0xff;
  const code = CODE_SELECTORS[(v + seed) % CODE_SELECTORS.length];
  const data = SEGMENT_SELECTORS[(v + seed) % SEGMENT_SELECTORS.length];
  if (/^l[defgs]s$/.test(name)) view.setUint16(at + bytes, data, true);
  if (/far$/.test(name) && form.modrm) view.setUint16(at + bytes, code, true);
  if (/^retf|^iret/.test(name)) {
    if (bytes === 4) {
      view.setUint32(at + 4, (view.getUint16(at + 6, true) << 16) | code, true);
      if (name.startsWith("i")) view.setUint32(at + 8, (view.getUint32(at + 8, true) & 0xf8ed5) | 0x202, true);
    } else {
      view.setUint16(at + 2, code, true);
      if (name.startsWith("i")) view.setUint16(at + 4, (view.getUint16(at + 4, true) & 0x8ed5) | 0x202, true);
    }
  }
  if (form.operands[0]?.at === "fixedseg" || form.operands[0]?.at === "sreg") view.setUint16(at, data, true);
  if (/^(lar|lsl|verr|verw|arpl)$/.test(name)) view.setUint16(at, data, true);
  // POPF and IRET must not switch alignment checks on for the driver, nor leave single-stepping.
  if (/^popf|^iretd/.test(name)) {
    const flags = name.startsWith("i") ? at + 8 : at;
    window[flags + 2] &= ~4;
  }
}

/** Vector `v` of a group. */
export function vectorOf(group: Group, v: number): Vector {
  const random = new Random(hashText(group.key) + 0x9e37_79b1 * v);
  const { form } = group;
  const encoder = new VectorEncoder(random, group, v);
  do {
    encoder.bytes.length = 0;
    encoder.fixed.clear();
    encoder.encode();
  } while (encoder.bytes.length > 15);
  const regs = new Uint32Array(8);
  for (let i = 0; i < 8; i++) {
    regs[i] = v < 24 ? EDGES[(v * (2 * i + 1) + i * 5) % EDGES.length] : operand(random);
    if (v < 24 && random.below(3) === 0) regs[i] = operand(random);
    if (v >= 14 && v < 24 && random.below(2) === 0) regs[i] = ((regs[i] & 0xffff) | (random.pick(EDGES) << 16)) >>> 0;
  }
  const eflags = (random.word() & 0xcd5 & (random.below(4) === 0 ? 0xfff : 0xbff)) | 0x202;
  const window = new Uint8Array(WINDOW_BYTES);
  const view = new DataView(window.buffer);
  for (let i = 0; i < WINDOW_BYTES; i += 4)
    view.setUint32(i, random.below(8) === 0 ? random.pick(EDGES) : random.word(), true);
  const at = encoder.target - WINDOW;
  const inWindow = encoder.target !== 0 && at >= 0 && at < WINDOW_BYTES - 16;
  if (inWindow) view.setUint32(at, v < 24 ? EDGES[(v * 3 + 1) % EDGES.length] : operand(random), true);
  if (form.operands.some((o) => o.text === "CL")) {
    regs[1] = ((regs[1] & 0xffff_ff00) | COUNTS[(v + (hashText(group.key) & 0xff)) % COUNTS.length]) >>> 0;
  }
  if (/^(loop|jecxz)/.test(form.names[0])) regs[1] = [0, 1, 2, 0x1_0000, 0x1_0001, 0xffff, 0xffff_ffff, 0x7fff][v & 7];
  if (/^(daa|das|aa[asmd])$/.test(form.names[0])) regs[0] = ((regs[0] & 0xffff_ff00) | DECIMALS[v & 15]) >>> 0;
  if (/^i?div$/.test(form.names[0])) dividend(regs, form, encoder.fixed, v, random);
  // Bytes have 16-bit partners: mov sreg, lar and lsl take selectors from any register.
  if (/^(lar|lsl|verr|verw|arpl)$/.test(form.names[0]) || form.operands[0]?.at === "sreg") {
    for (let i = 0; i < 8; i++) {
      if (v % 8 === 7) continue;
      const selector = SEGMENT_SELECTORS[(v + i * 3) % SEGMENT_SELECTORS.length];
      regs[i] = ((regs[i] & 0xffff_0000) | selector) >>> 0;
    }
  }
  for (const [register, value] of encoder.fixed) regs[register] = value;
  segmentsAt(window, group, at, v);
  const fx = new Uint8Array(FX_BYTES);
  if (group.fp) {
    fx.set(fxImage(random, v));
    if (inWindow) {
      if (isX87(form)) x87Memory(random, group, window, at);
      else if (/^fxrstor/.test(form.names[0]) && at + FX_BYTES <= WINDOW_BYTES) window.set(fxImage(random, v), at);
      else simdOperand(random, v, form, window, at);
    }
  }
  const vector = { regs, eflags, window, fx, target: encoder.target };
  equalise(vector, group, inWindow ? at : -1, v);
  return { group, code: Uint8Array.from(encoder.bytes), ...vector };
}

function x87Memory(random: Random, group: Group, window: Uint8Array, at: number): void {
  const opcode = group.form.opcode[0];
  const op = group.modrm & 7;
  const put = (bytes: Uint8Array) => window.set(bytes.subarray(0, Math.max(0, WINDOW_BYTES - at)), at);
  if (op === 4 && (opcode === 0xd9 || opcode === 0xdd)) {
    const size = group.form.size >> 3;
    const image = fxImage(random, 1);
    const environment = new Uint8Array(7 * size + 80);
    const words = new DataView(environment.buffer);
    words.setUint16(0, image[0] | (image[1] << 8), true);
    words.setUint16(size, image[2] | (image[3] << 8), true);
    words.setUint16(2 * size, random.word(), true);
    for (let i = 0; i < 8; i++) environment.set(image.subarray(32 + 16 * i, 42 + 16 * i), 7 * size + 10 * i);
    put(environment);
  } else if (op === 5 && opcode === 0xd9) {
    const word = random.pick(CONTROL_WORDS);
    put(Uint8Array.of(word & 0xff, word >> 8));
  } else put(memoryOperand(random, opcode, op));
}
