// Test cases for single instructions: deterministic inputs from a case number, the binary records of runner.c, and the
// compact text form in which the real processor's answers are kept as fixtures. Shared by the generator and the tests.

export const CODE = 0x1000_0000;
export const DATA = 0x2000_0000;
export const WINDOW = DATA + 0xf80;
export const WINDOW_BYTES = 256;
export const READ_ONLY = 0x2001_0000;
export const UNMAPPED = 0x2002_8000;
export const FPU_BYTES = 108;
/** Longest code of a case. */
export const CODE_BYTES = 112;
const IN_BYTES = CODE_BYTES + 8 + 36 + WINDOW_BYTES + FPU_BYTES;
const OUT_BYTES = 16 + 40 + WINDOW_BYTES + FPU_BYTES;

/** One integer instruction, one x87 instruction, or a run of integer instructions with an INT3 behind. */
export type Kind = "single" | "x87" | "sequence";
const KINDS: readonly Kind[] = ["single", "x87", "sequence"];

/** Code and what decides its inputs. */
export interface Case {
  /** Seeds every input that is not given. */
  readonly seed: number;
  readonly code: Uint8Array;
  readonly kind: Kind;
  /** Registers that must hold given values (pointers, counts), by number. */
  readonly fixed: ReadonlyMap<number, number>;
}

export interface Inputs {
  readonly regs: Uint32Array;
  readonly eflags: number;
  readonly window: Uint8Array;
  /** FNSAVE image, 32-bit protected-mode format. */
  readonly fpu: Uint8Array;
}

export interface Outputs {
  readonly signal: number;
  readonly trap: number;
  readonly error: number;
  readonly cr2: number;
  readonly regs: Uint32Array;
  readonly eip: number;
  readonly eflags: number;
  readonly window: Uint8Array;
  readonly fpu: Uint8Array;
}

export const SIGNAL_TRAP = 5;

/** A small generator of 32-bit numbers (mulberry32). */
export class Random {
  private state: number;
  constructor(seed: number) {
    this.state = seed | 0;
  }
  word(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** Whole number below n. */
  below(n: number): number {
    return Math.floor((this.word() / 0x1_0000_0000) * n);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

export const EDGES = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];

/** An operand: often an edge value or near one, else random. */
export function operand(random: Random): number {
  const kind = random.below(4);
  if (kind === 0) return random.pick(EDGES);
  if (kind === 1) return (random.pick(EDGES) + random.below(5) - 2) >>> 0;
  if (kind === 2) return random.word() >>> random.below(32);
  return random.word();
}

/** CF PF AF ZF SF DF OF at random; IF set as in any user program. */
function eflags(random: Random): number {
  return (random.word() & 0xcd5 & (random.below(4) === 0 ? 0xfff : 0xbff)) | 0x202;
}

const SIGNIFICANDS: readonly (readonly [number, number])[] = [
  [0x8000_0000, 0],
  [0x8000_0000, 1],
  [0xffff_ffff, 0xffff_ffff],
  [0xc000_0000, 0],
  [0xa000_0000, 0],
  [0x8000_0000, 0x400],
  [0xffff_ffff, 0xffff_fc00],
  [0xffff_ff80, 0],
  [0x8000_0080, 0],
  [0xc90f_daa2, 0x2168_c235],
  [0xffff_ffff, 0],
];

/** A value of the extended format as ten bytes. */
export function extended(random: Random): Uint8Array {
  const sign = random.below(2);
  let exp = 0x3fff;
  let [hi, lo] =
    random.below(3) === 0 ? random.pick(SIGNIFICANDS) : [(random.word() | 0x8000_0000) >>> 0, random.word()];
  if (random.below(4) === 0) lo = 0;
  const kind = random.below(24);
  if (kind < 5) exp += random.below(8) - 4;
  else if (kind < 9) exp += random.below(140) - 70;
  else if (kind < 10) exp = random.below(0x7fff);
  else if (kind === 10) [exp, hi, lo] = [0, 0, 0];
  else if (kind === 11) [exp, hi, lo] = [0x7fff, 0x8000_0000, 0];
  else if (kind === 12) [exp, hi] = [0x7fff, (hi | 0xc000_0000) >>> 0];
  else if (kind === 13) [exp, hi] = [0x7fff, ((hi & 0x3fff_ffff) | 0x8000_0000 | 1) >>> 0];
  else if (kind === 14) [exp, hi] = [0, (hi & 0x7fff_ffff) >>> random.below(31)];
  else if (kind === 15) exp = random.below(3);
  else if (kind === 16) exp = 0x7ffe - random.below(3);
  else if (kind === 17) exp = 0x3fff + random.pick([127, 128, -126, -127, -130, -149, -150, -151]);
  else if (kind === 18) exp = 0x3fff + random.pick([1023, 1024, -1022, -1023, -1030, -1074, -1075, -1076]);
  else if (kind === 19) exp = 0x3fff + random.pick([14, 15, 16, 30, 31, 32, 58, 59, 60, 62, 63, 64]);
  else if (kind === 20) {
    // A small whole number or half of one.
    const n = 1 + random.below(64);
    const shift = Math.clz32(n);
    [exp, hi, lo] = [0x3fff + 31 - shift - random.below(2), (n << shift) >>> 0, 0];
  } else if (kind === 21) [exp, hi, lo] = [0x3fff, 0x8000_0000, 0];
  else if (kind === 22 && random.below(3) === 0) {
    // Formats that are invalid operands: unnormals, pseudo-infinities, pseudo-NaNs.
    hi = (hi & 0x7fff_ffff) >>> 0;
    exp = random.pick([1, 0x3fff, 0x7fff]);
  }
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, lo, true);
  view.setUint32(4, hi, true);
  view.setUint16(8, (sign << 15) | exp, true);
  return bytes;
}

/** A value of the single or double format. */
function real(random: Random, bytes: 4 | 8): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  const kind = random.below(10);
  if (bytes === 8) view.setUint32(0, random.below(3) === 0 ? 0 : random.word(), true);
  let top = random.word();
  const expBits = bytes === 8 ? 0x7ff0_0000 : 0x7f80_0000;
  const one = bytes === 8 ? 0x3ff0_0000 : 0x3f80_0000;
  if (kind === 0) {
    top &= 0x8000_0000;
    if (bytes === 8) view.setUint32(0, 0, true);
  } else if (kind === 1) top |= expBits;
  else if (kind === 2) {
    top = (top & 0x8000_0000) | expBits;
    if (bytes === 8) view.setUint32(0, 0, true);
  } else if (kind === 3) top &= ~expBits;
  else if (kind < 8) top = (top & ~expBits) + one + (random.below(9) - 4) * (bytes === 8 ? 0x10_0000 : 0x80_0000);
  view.setUint32(bytes - 4, top, true);
  return out;
}

/** Kind of the memory operand of an x87 instruction. */
export function memoryOperand(random: Random, opcode: number, op: number): Uint8Array {
  const words = (n: number) => {
    const out = new Uint8Array(n * 2);
    const view = new DataView(out.buffer);
    for (let i = 0; i < n; i++) view.setUint16(2 * i, operand(random), true);
    return out;
  };
  if (opcode === 0xd8 || (opcode === 0xd9 && op < 4)) return real(random, 4);
  if (opcode === 0xdc || (opcode === 0xdd && op < 4)) return real(random, 8);
  if (opcode === 0xdb && op === 5) return extended(random);
  if (opcode === 0xdf && op === 4) {
    const out = new Uint8Array(10);
    for (let i = 0; i < 9; i++) out[i] = random.below(10) | (random.below(10) << 4);
    out[9] = random.below(2) << 7;
    return out;
  }
  return words(4);
}

export const CONTROL_WORDS = [
  0x37f, 0x37f, 0x37f, 0x27f, 0x07f, 0xb7f, 0x77f, 0xf7f, 0xe7f, 0x67f, 0x340, 0x360, 0x350, 0x37e, 0x35f,
];

/** FNSAVE image with random registers, some empty. */
export function fpuImage(random: Random): Uint8Array {
  const image = new Uint8Array(FPU_BYTES);
  const view = new DataView(image.buffer);
  const top = random.below(8);
  const empties = random.pick([0, 0, 0, 1, 1, 2, 8]);
  let tags = 0;
  for (let i = 0; i < 8; i++) {
    image.set(extended(random), 28 + 10 * i);
    // Empty registers lie at the far end of the stack, so that ST(0) and ST(1) mostly hold values.
    if (i >= 8 - empties) tags |= 3 << (2 * ((top + i) & 7));
  }
  let status = (top << 11) | (random.word() & 0x4700);
  const control = random.pick(CONTROL_WORDS);
  if (random.below(16) === 0) status |= random.word() & 0x7f;
  view.setUint32(0, 0xffff_0000 | control, true);
  view.setUint32(4, 0xffff_0000 | status, true);
  view.setUint32(8, 0xffff_0000 | tags, true);
  return image;
}

/** The inputs of a case: a pure function of it. */
export function inputsOf(c: Case): Inputs {
  const random = new Random(c.seed);
  const regs = new Uint32Array(8);
  for (let i = 0; i < 8; i++) regs[i] = operand(random);
  const flags = eflags(random);
  const window = new Uint8Array(WINDOW_BYTES);
  const view = new DataView(window.buffer);
  for (let i = 0; i < WINDOW_BYTES; i += 4) view.setUint32(i, operand(random), true);
  for (const [register, value] of c.fixed) regs[register] = value;
  const fpu = c.kind === "x87" ? fpuImage(random) : new Uint8Array(FPU_BYTES);
  if (c.kind === "x87") {
    const at = c.code.findIndex((byte) => byte >= 0xd8 && byte <= 0xdf);
    const modrm = c.code[at + 1];
    const offset = regs[3] - WINDOW;
    if (at >= 0 && modrm < 0xc0 && offset >= 0 && offset < WINDOW_BYTES - 108) {
      const op = (modrm >>> 3) & 7;
      window.set(memoryOperand(random, c.code[at], op), offset);
      // FRSTOR and FLDENV get an image that makes sense.
      if (op === 4 && (c.code[at] === 0xd9 || c.code[at] === 0xdd)) window.set(fpuImage(random), offset);
      if (op === 5 && c.code[at] === 0xd9) view.setUint16(offset, random.pick(CONTROL_WORDS), true);
    }
  } else {
    // POPF must not switch alignment checks on for the driver.
    const offset = regs[4] - WINDOW;
    if (c.code.includes(0x9d) && offset >= 0 && offset <= WINDOW_BYTES - 4) window[offset + 2] &= ~4;
  }
  return { regs, eflags: flags, window, fpu };
}

/** The record that runner.c reads. */
export function toRecord(c: Case): Uint8Array {
  const inputs = inputsOf(c);
  const record = new Uint8Array(IN_BYTES);
  const view = new DataView(record.buffer);
  record.set(c.code);
  view.setUint32(CODE_BYTES, c.code.length, true);
  view.setUint32(CODE_BYTES + 4, KINDS.indexOf(c.kind), true);
  for (let i = 0; i < 8; i++) view.setUint32(CODE_BYTES + 8 + 4 * i, inputs.regs[i], true);
  view.setUint32(CODE_BYTES + 40, inputs.eflags, true);
  record.set(inputs.window, CODE_BYTES + 44);
  record.set(inputs.fpu, CODE_BYTES + 44 + WINDOW_BYTES);
  return record;
}

/** The n-th record that runner.c wrote. */
export function fromRecords(bytes: Uint8Array, n: number): Outputs | null {
  const at = n * OUT_BYTES;
  if (at + OUT_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, OUT_BYTES);
  const word = (offset: number) => view.getUint32(offset, true);
  const regs = new Uint32Array(8);
  for (let i = 0; i < 8; i++) regs[i] = word(16 + 4 * i);
  return {
    signal: word(0),
    trap: word(4),
    error: word(8),
    cr2: word(12),
    regs,
    eip: word(48),
    eflags: word(52),
    window: bytes.slice(at + 56, at + 56 + WINDOW_BYTES),
    fpu: bytes.slice(at + 56 + WINDOW_BYTES, at + OUT_BYTES),
  };
}

function toHex(bytes: Iterable<number>): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length >> 1 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** Changed stretches of bytes as `offset:hex` separated by `,`. */
function difference(before: Uint8Array, after: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    let end = i + 1;
    while (
      end < before.length &&
      (before[end] !== after[end] || (end + 1 < before.length && before[end + 1] !== after[end + 1]))
    )
      end++;
    parts.push(`${i.toString(16)}:${toHex(after.subarray(i, end))}`);
    i = end;
  }
  return parts.join(",");
}

function applyDifference(before: Uint8Array, text: string): Uint8Array {
  const after = before.slice();
  for (const part of text === "" ? [] : text.split(",")) {
    const [offset, hex] = part.split(":");
    after.set(fromHex(hex), Number.parseInt(offset, 16));
  }
  return after;
}

/** One line of a fixture: seed;code;fixed;signal,trap,error,cr2;eip,eflags;registers;window;fpu. Numbers are hex; what did not change is left out. */
export function toLine(c: Case, out: Outputs): string {
  const inputs = inputsOf(c);
  const fixed = [...c.fixed].map(([r, v]) => `${r}:${v.toString(16)}`).join(",");
  const event =
    out.signal === SIGNAL_TRAP && (c.kind !== "single" || out.trap === 1)
      ? ""
      : [out.signal, out.trap, out.error, out.trap === 14 ? out.cr2 : 0].map((v) => v.toString(16)).join(",");
  const eip = c.kind === "x87" ? "" : out.eip === endOf(c) ? "" : out.eip.toString(16);
  const flags = ((out.eflags ^ inputs.eflags) & ~0x100) === 0 ? "" : (out.eflags & ~0x100).toString(16);
  const regs: string[] = [];
  for (let i = 0; i < 8; i++) if (out.regs[i] !== inputs.regs[i]) regs.push(`${i}:${out.regs[i].toString(16)}`);
  const fpu = c.kind === "x87" && out.signal === SIGNAL_TRAP ? difference(inputs.fpu, out.fpu) : "";
  return [
    c.seed.toString(16),
    toHex(c.code),
    fixed,
    event,
    `${eip},${flags}`,
    regs.join(","),
    difference(inputs.window, out.window),
    fpu,
  ].join(";");
}

/** Where a case that completes leaves EIP: behind its code, and the INT3 of a sequence. */
function endOf(c: Case): number {
  return CODE + c.code.length + (c.kind === "sequence" ? 1 : 0);
}

/** A case and the real processor's answer, read back. */
export function fromLine(line: string, kind: Kind): { case: Case; inputs: Inputs; outputs: Outputs } {
  const [seed, code, fixed, event, place, changed, window, fpu] = line.split(";");
  const hex = (text: string) => Number.parseInt(text, 16);
  const pairs = (text: string): [number, number][] =>
    text === ""
      ? []
      : text
          .split(",")
          .map((part) => part.split(":"))
          .map(([r, v]) => [Number(r), hex(v)]);
  const c: Case = { seed: hex(seed), code: fromHex(code), kind, fixed: new Map(pairs(fixed)) };
  const inputs = inputsOf(c);
  const [signal, trap, error, cr2] =
    event === "" ? [SIGNAL_TRAP, kind === "single" ? 1 : 3, 0, 0] : event.split(",").map(hex);
  const [eip, flags] = place.split(",");
  const regs = inputs.regs.slice();
  for (const [r, v] of pairs(changed)) regs[r] = v;
  return {
    case: c,
    inputs,
    outputs: {
      signal,
      trap,
      error,
      cr2,
      regs,
      eip: eip === "" ? endOf(c) : hex(eip),
      eflags: flags === "" ? inputs.eflags : hex(flags),
      window: applyDifference(inputs.window, window),
      fpu: applyDifference(inputs.fpu, fpu),
    },
  };
}
