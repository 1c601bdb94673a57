// The one table of what is not compared, each entry with its reason and with whose processors make it necessary, and the
// comparison and the hash that obey it.
import { decode, KEY_ADDR16, MODE_USER, type Op } from "../../src/emu/cpu/isa/decode.ts";
import { STATE_XMM } from "../../src/emu/cpu/state.ts";
import { FX_BYTES, type Vector, WINDOW } from "./vector-cases.ts";
import { isX87 } from "./vector-groups.ts";
import type { Outcome } from "./vector-world.ts";

/** Flags that are compared at all: CF PF AF ZF SF IF DF OF IOPL NT ID. */
const COMPARED = 0x20_7ed5;
const RF = 0x1_0000;
const FLAG_BITS: Readonly<Record<string, number>> = { O: 0x800, S: 0x80, Z: 0x40, A: 0x10, P: 4, C: 1 };
const ES_BIT = 0x80;

export interface Mask {
  readonly id: string;
  /** Processors on which it shows. */
  readonly vendor: "AMD" | "both";
  readonly reason: string;
}

/** What may differ without being wrong. */
export const MASKS: readonly Mask[] = [
  {
    id: "undefined flags",
    vendor: "both",
    reason:
      "the manual leaves them undefined: the letters `u` of the row in the instruction table, none when a shift's count is 0",
  },
  {
    id: "double shift beyond 16",
    vendor: "both",
    reason: "16-bit SHLD and SHRD by more than 16: result and flags are undefined",
  },
  { id: "trap flag", vendor: "both", reason: "TF single-steps the measured instruction, and PUSHF shows it" },
  {
    id: "resume flag",
    vendor: "both",
    reason: "set by the processor in the image that a fault pushes, not by the instruction",
  },
  {
    id: "last x87 instruction",
    vendor: "AMD",
    reason: "FIP, FDP and FOP are kept only while an unmasked exception is pending",
  },
  { id: "FCS and FDS", vendor: "both", reason: "deprecated: newer processors store 0" },
  {
    id: "transcendental",
    vendor: "both",
    reason: "within the manual's error bound: value, C1 and PE are compared elsewhere, within an ulp",
  },
  { id: "LAR's limit bits", vendor: "both", reason: "bits 16 to 19 of what LAR gives are undefined" },
  {
    id: "RCP and RSQRT",
    vendor: "both",
    reason: "approximations of a stated relative error: each processor has its own table; the other lanes are compared",
  },
  {
    id: "MASKMOV that faults",
    vendor: "both",
    reason:
      "CR2 is the operand's start or the first byte stored: its page is compared; AMD has left the x87's state by then",
  },
  {
    id: "CVTPI2PS of memory",
    vendor: "AMD",
    reason: "the x87's state is left alone; Intel's manual says that it is left behind",
  },
  {
    id: "two faults",
    vendor: "both",
    reason: "which of two operands of CMPS, or of several words that RETF and IRET read, faults first",
  },
  { id: "REP INS and OUTS of nothing", vendor: "AMD", reason: "the I/O permission is checked although ECX is 0" },
  {
    id: "large x87 images",
    vendor: "both",
    reason:
      "in which order FNSAVE, FRSTOR, FXSAVE and the like go through their image: only the page of CR2 is compared",
  },
  { id: "FYL2XP1 out of range", vendor: "both", reason: "undefined beyond 1 - sqrt(1/2)" },
  {
    id: "wrap at 4 GiB",
    vendor: "both",
    reason: "an operand across the end of a flat segment may or may not raise #GP",
  },
];

/** The decoded instruction of a vector; null when its bytes are none. */
export function opOf(vector: Vector): Op | null {
  const bytes = new Uint8Array(32).fill(0xcc);
  bytes.set(vector.code);
  return decode(bytes, 0, bytes.length, 0, MODE_USER);
}

function shiftCount(vector: Vector, op: Op): number | null {
  if (!/^(ro|rc|sh|sa[lr])/.test(op.form.names[0])) return null;
  const by = op.form.operands.at(-1);
  if (by?.at === "one") return 1;
  return (by?.at === "imm" ? op.imm : vector.regs[1]) & 31;
}

function undefinedFlags(vector: Vector, op: Op): number {
  if (shiftCount(vector, op) === 0) return 0;
  let mask = 0;
  for (const letter of op.form.options.u ?? "") mask |= FLAG_BITS[letter] ?? 0;
  return mask;
}

/** F2XM1, FYL2X, FPTAN, FPATAN, FYL2XP1, FSINCOS, FSIN, FCOS. */
function isTranscendental(vector: Vector): boolean {
  const { modrm, form } = vector.group;
  return isX87(form) && form.opcode[0] === 0xd9 && [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff].includes(modrm);
}

/** Nothing about this vector is decided by the manual. */
export function isUndecided(vector: Vector, op: Op, want: Outcome): boolean {
  const name = op.form.names[0];
  if (/^sh[lr]d/.test(name) && op.form.size === 16 && (shiftCount(vector, op) ?? 0) > 16) return true;
  if (/^(ins|outs)/.test(name) && (vector.regs[1] & (op.key & KEY_ADDR16 ? 0xffff : -1)) === 0) return true;
  if (vector.group.modrm === 0xf9 && op.form.opcode[0] === 0xd9) return exponentOfTop(vector) >= 0x3ffd;
  if (name === "maskmovq") return want.trap >= 0 && want.trap !== 6;
  if (name === "cvtpi2ps" && vector.group.shape === "mem") return want.trap < 0 || want.trap === 19;
  if (/^cmps/.test(name)) return want.trap === 13 || want.trap === 14;
  if (/^(retf|iret)/.test(name)) return want.trap === 14;
  // Wraps at 4 GiB: an operand that starts in the last bytes of the address space.
  return want.trap === 13 && want.error === 0 && wraps(vector, op);
}

function exponentOfTop(vector: Vector): number {
  const exponent = vector.fx[40] | ((vector.fx[41] & 0x7f) << 8);
  return exponent === 0x7fff ? 0 : exponent;
}

function wraps(vector: Vector, op: Op): boolean {
  const regs = vector.regs;
  const last = (la: number, bytes: number) => la >>> 0 > 0xffff_ffff - bytes + 1;
  if (/push|pop|call|ret|enter|leave/.test(op.form.names[0]) && (last(regs[4], 32) || last(regs[5], 32))) return true;
  if (op.form.string) return last(regs[6], 8) || last(regs[7], 8);
  return false;
}

/** Bytes of the window in which FNSTENV and FNSAVE put the last instruction's pointers: offset from the operand. */
function pointerBytes(vector: Vector, op: Op): readonly [number, number] | null {
  const opcode = op.form.opcode[0];
  const digit = vector.group.modrm & 7;
  if (!isX87(op.form) || vector.group.shape !== "mem" || digit !== 6 || (opcode !== 0xd9 && opcode !== 0xdd))
    return null;
  return op.form.size === 16 ? [6, 14] : [12, 28];
}

/** Environments and whole states of the x87, and what else has a CR2 that may lie anywhere in the operand. */
function isLargeImage(vector: Vector, op: Op): boolean {
  if (/^(fx(save|rstor)|maskmovdqu)$/.test(op.form.names[0])) return true;
  const digit = vector.group.modrm & 7;
  if (!isX87(op.form) || vector.group.shape !== "mem" || (digit !== 4 && digit !== 6)) return false;
  return op.form.opcode[0] === 0xd9 || op.form.opcode[0] === 0xdd;
}

/** An outcome with everything that is not compared made equal: what is hashed, and what differences are read from. */
export function masked(vector: Vector, op: Op, out: Outcome): Outcome {
  const done = out.trap === -1;
  let flags = COMPARED;
  if (done) flags &= ~undefinedFlags(vector, op);
  const window = out.window;
  if (done && /^pushf/.test(op.form.names[0])) window[vector.regs[4] - (op.form.size >> 3) + 1 - WINDOW] &= ~1;
  const fx = out.fx.slice();
  if (vector.group.fp) {
    // The x87's own instructions leave XMM and MXCSR alone.
    const simd = vector.group.form.options.cls === "simd";
    const pending = (fx[2] & ES_BIT) !== 0;
    // FOP, FIP and FDP unless an exception is pending; FCS and FDS always.
    if (!pending) fx.fill(0, 6, 12).fill(0, 16, 20);
    fx.fill(0, 12, 14).fill(0, 20, 22);
    // Reserved bytes, and what follows the XMM registers.
    fx[5] = 0;
    if (!simd) fx.fill(0, 24, 32).fill(0, 160, 288);
    fx.fill(0, 14, 16).fill(0, 22, 24).fill(0, 28, 32).fill(0, 288);
    for (let i = 0; i < 8; i++) fx.fill(0, 32 + 16 * i + 10, 48 + 16 * i);
    if (done && /^r(cp|sqrt)[ps]s$/.test(op.form.names[0])) {
      const at = 160 + op.b - 4 * STATE_XMM;
      fx.fill(0, at, at + (op.form.names[0].endsWith("ps") ? 16 : 4));
    }
    if (isTranscendental(vector)) {
      fx.fill(0, 32, 42).fill(0, 48, 58);
      fx[2] &= ~0x20;
      fx[3] &= ~2;
    }
    const at = vector.target - WINDOW;
    const pointers = pointerBytes(vector, op);
    if (done && pointers !== null && at >= 0) window.fill(0, at + pointers[0], at + pointers[1]);
    if (done && op.form.names[0] === "fxsave" && at >= 0) {
      window
        .fill(0, at + 5, at + 24)
        .fill(0, at + 28, at + 32)
        .fill(0, at + 288, at + FX_BYTES);
      if (!simd) window.fill(0, at + 24, at + 28).fill(0, at + 160, at + 288);
      for (let i = 0; i < 8; i++) window.fill(0, at + 42 + 16 * i, at + 48 + 16 * i);
    }
  }
  const regs = out.regs.slice();
  if (done && op.form.names[0] === "lar" && op.form.size === 32) regs[op.b] &= ~0xf_0000;
  return {
    ...out,
    regs,
    eflags: out.eflags & flags & ~(done ? 0 : RF),
    window,
    fx,
    cr2: isLargeImage(vector, op) ? (out.cr2 & ~0xfff) >>> 0 : out.cr2,
  };
}

function hex(value: number): string {
  return (value >>> 0).toString(16);
}

function bytesDiffer(what: string, want: Uint8Array, got: Uint8Array, out: string[]): void {
  const parts: string[] = [];
  for (let i = 0; i < want.length; i++) {
    if (want[i] !== got[i]) parts.push(`${hex(i)}: ${hex(want[i])} got ${hex(got[i])}`);
  }
  if (parts.length) out.push(`${what} ${parts.slice(0, 12).join(", ")}${parts.length > 12 ? "..." : ""}`);
}

/** Differences of two masked outcomes, in words. */
export function differences(want: Outcome, got: Outcome): string[] {
  const out: string[] = [];
  const cell = (what: string, a: number, b: number) => {
    if (a !== b) out.push(`${what} ${hex(a)} got ${hex(b)}`);
  };
  cell("trap", want.trap, got.trap);
  cell("error", want.error, got.error);
  cell("cr2", want.cr2, got.cr2);
  cell("eip", want.eip, got.eip);
  cell("eflags", want.eflags, got.eflags);
  for (let i = 0; i < 8; i++)
    cell(["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"][i], want.regs[i], got.regs[i]);
  for (let i = 0; i < 6; i++) cell(["es", "cs", "ss", "ds", "fs", "gs"][i], want.segs[i], got.segs[i]);
  bytesDiffer("memory", want.window, got.window, out);
  bytesDiffer("fx", want.fx, got.fx, out);
  return out;
}

/** 16 bits that say what a masked outcome was, never 0. */
export function hashOutcome(out: Outcome): number {
  let h = 0x811c_9dc5;
  const mix = (value: number) => {
    h = Math.imul(h ^ (value & 0xffff), 0x0100_0193);
    h = Math.imul(h ^ (value >>> 16), 0x0100_0193);
  };
  mix(out.trap);
  mix(out.error);
  mix(out.cr2);
  mix(out.eip);
  mix(out.eflags);
  for (let i = 0; i < 8; i++) mix(out.regs[i]);
  for (const s of out.segs) mix(s);
  for (const bytes of [out.window, out.fx]) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let i = 0; i < words.length; i++) mix(words[i]);
  }
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b_3c6d);
  h ^= h >>> 12;
  return h & 0xffff || 1;
}
