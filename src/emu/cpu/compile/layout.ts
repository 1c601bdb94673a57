// What compiled code and TypeScript agree on: places in linear memory, words of the state block, locals of a region's
// function, and the lazy form of the flags inside regions.
import { COMPILED } from "../../machine/memory.ts";

/** State words: kind of the lazy flags (0 outside regions), the last region entered since the mix was looked at. */
export const STATE_FLAG_KIND = 60;
export const STATE_RAN = 61;
/** Iterations of repeated string instructions that their blocks' counters do not show. */
export const STATE_ITERATIONS = 62;

/** Jump caches, one for each privilege: entries of four words (EIP, host address, table index, entry), found by EIP. */
export const JUMPS_USER = COMPILED;
export const JUMPS_SUPER = COMPILED + 0x10_0000;
export const JUMP_BITS = 16;
/** EIPs are spread by the high bits of a product. */
export const JUMP_FACTOR = 0x9e37_79b1 | 0;
export const JUMP_ENTRY_SHIFT = 4;

/** Per region: a link word, then how often each of its blocks was entered. */
export const COUNTERS = COMPILED + 0x20_0000;
export const COUNTER_SHIFT = 9;
/** Regions there may be; table index 0 is no region. */
export const MAX_REGIONS = 2500;
/** Blocks in a region. */
export const MAX_REGION_BLOCKS = (1 << (COUNTER_SHIFT - 2)) - 1;

/** Offset of an EIP's entry in its jump cache. */
export function jumpSlot(eip: number): number {
  return (Math.imul(eip, JUMP_FACTOR) >>> (32 - JUMP_BITS)) << JUMP_ENTRY_SHIFT;
}

/** Locals: the entry (a parameter), the eight registers, and what follows. */
export const ENTRY = 0;
export const REG = 1;
/** The lazy flags: the result as in the state block; a second word as the kind says; the kind. */
export const FR = 9;
export const FB = 10;
export const FK = 11;
/** First operand of the last addition or subtraction, valid inside a block only. */
export const FA = 12;
export const LEFT = 13;
/** Linear address of the page that the region counts its offsets from. */
export const BASE = 14;
/** Where a jump goes. */
export const TO = 15;
export const SITE = 16;
/** Linear address and page-array entry, then host address, of the access being made. */
export const LA = 17;
export const HOST = 18;
export const SCRATCH = 19;
export const WIDE = 20;
/** 64-bit locals, two of them, then the temporaries of an instruction: value and, for opened cells, host address. */
export const TMP = 22;

/**
 * Kinds of lazy flags: what the second word is. AUX: the aux word of the state block itself. Additions and subtractions:
 * the second operand. INC and DEC: an aux word of which CF counts. Plus 0, 1, 2 for 8, 16, 32 bits.
 */
export const KIND_AUX = 0;
export const KIND_ADD = 4;
export const KIND_SUB = 8;
export const KIND_INC = 12;
export const KIND_DEC = 16;
/** Rotates of 32 bits, in steps only: they change CF and OF, which the result tells. */
export const KIND_ROL = 20;
export const KIND_ROR = 24;
/** Only local FK knows. */
export const KIND_UNKNOWN = -1;

export function sizeIndex(size: number): number {
  return size === 32 ? 2 : size >> 4;
}

/** How far an operand of a kind's size lies below the top of a word. */
export function kindShift(kind: number): number {
  return (kind & 3) === 2 ? 0 : 24 - 8 * (kind & 3);
}

/** The aux word of lazy flags of any kind; the same as the modules' own function (helpers.ts). */
export function auxOf(kind: number, r: number, b: number): number {
  if (kind === KIND_AUX) return b;
  if (kind === KIND_ROL) return (b & 0x3fff_ffff) | (r << 31) | ((r >>> 31) << 30);
  if (kind === KIND_ROR) return (b & 0x3fff_ffff) | (r & 0xc000_0000);
  const up = kindShift(kind);
  const group = kind & ~3;
  if (group === KIND_ADD || group === KIND_SUB) {
    const a = group === KIND_ADD ? r - b : r + b;
    const c = group === KIND_ADD ? (a & b) | ((a | b) & ~r) : (~a & b) | ((~a | b) & r);
    return ((c << up) & 0xc000_0000) | (c & 8);
  }
  const c = b & 0x8000_0000;
  const edge = group === KIND_INC ? (0x8000_0000 | 0) >> up : 0x7fff_ffff >> up;
  const low = group === KIND_INC ? 0 : 15;
  return (c ^ (c >>> 1) ^ (r === edge ? 0x4000_0000 : 0)) | ((r & 15) === low ? 8 : 0);
}
