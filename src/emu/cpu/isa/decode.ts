// The decoder: from bytes to one decoded operation. Table-driven: it knows prefixes, ModRM, SIB, displacements and
// immediates; which opcode has which comes from the forms.
import { FPU_REGS } from "../fpu/layout.ts";
import { CS, DS, EBP, EBX, EDI, ESI, ESP, FS, SS, STATE_XMM } from "../state.ts";
import type { Form } from "./forms.ts";
import type { Spec } from "./sem.ts";
import { BAD_LENGTH, BAD_OPCODE, instructionSet } from "./table.ts";

/** Longest legal instruction in bytes. */
export const MAX_LENGTH = 15;

/** What the decoder must know about the processor's state; also part of a block's identity. */
export const MODE_CODE16 = 1;
export const MODE_STACK16 = 2;
/** CS, DS, ES or SS is not a flat, usable segment. */
export const MODE_NONFLAT = 4;
/** CPL is 3. */
export const MODE_USER = 8;
/** Blocks of one instruction. */
export const MODE_SINGLE = 16;

/** Bits of Op.key, the specialisation within a form. */
export const KEY_EA = 7;
export const KEY_SEGMENTED = 8;
export const KEY_NONFLAT = 16;
export const KEY_STACK16 = 32;
export const KEY_ADDR16 = 64;
export const KEY_REP_SHIFT = 7;
export const KEYS_PER_FORM = 512;

/** A handler: returns 1 from a branch taken, 0 from one not taken. */
export type Handler = (o: Op) => number | undefined;

/** One decoded instruction. Every instance has the same shape, so handlers stay monomorphic. */
export class Op {
  f: Handler;
  /** Register in ModRM.rm or the opcode: index into the int32, int16 or byte view of the registers, by its size. */
  a = 0;
  /** Register in ModRM.reg, likewise; plain number when it names no general register. */
  b = 0;
  /** Memory operand: base and index registers, scale as a shift, displacement, segment. */
  mb = 0;
  mi = 0;
  ms = 0;
  md = 0;
  seg = DS;
  imm = 0;
  /** Second immediate; for direct branches the target relative to the block's start. */
  imm2 = 0;
  /** Offsets of this instruction and of the next from the block's start. */
  off = 0;
  end = 0;
  /** Instructions before this one in the block. */
  idx = 0;
  key = 0;
  /** Words pushed, where that is counted. */
  pushes = 0;
  form: Form;
  constructor(form: Form, f: Handler) {
    this.form = form;
    this.f = f;
  }
}

/** Where each byte register lies in the byte view of the registers: AL CL DL BL AH CH DH BH. */
export const BYTE_INDEX = [0, 4, 8, 12, 1, 5, 9, 13];

/** Index of register n in the view of its size (0: n itself); of an XMM (128) or MMX (64) register its byte offset in the state block. */
export function regIndex(n: number, size: number): number {
  if (size === 128) return 4 * STATE_XMM + 16 * n;
  if (size === 64) return FPU_REGS + 16 * n;
  return size === 8 ? BYTE_INDEX[n] : size === 16 ? n * 2 : n;
}

const BASE16 = [EBX, EBX, EBP, EBP, ESI, EDI, EBP, EBX];
const INDEX16 = [ESI, EDI, ESI, EDI];

function undecoded(): undefined {
  return undefined;
}

/**
 * Decode one instruction.
 * @param u8 bytes, `at` where it starts, `limit` first byte that may not be read
 * @param off its offset from the block's start
 * @param mode MODE_* bits
 * @returns null when the bytes up to `limit` do not hold a whole instruction
 */
export function decode(u8: Uint8Array, at: number, limit: number, off: number, mode: number): Op | null {
  let pos = at;
  const stop = limit - at > MAX_LENGTH ? at + MAX_LENGTH : limit;
  let size16 = mode & MODE_CODE16;
  let addr16 = mode & MODE_CODE16;
  let segment = -1;
  let rep = 0;
  let lock = false;
  let has66 = 0;
  let opcode = 0;
  prefixes: for (;;) {
    if (pos >= stop) return short(at, stop, off);
    opcode = u8[pos++];
    switch (opcode) {
      case 0x66:
        has66 = 1;
        size16 = (mode & MODE_CODE16) ^ 1;
        break;
      case 0x67:
        addr16 = (mode & MODE_CODE16) ^ 1;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        segment = (opcode >> 3) & 3;
        break;
      case 0x64:
      case 0x65:
        segment = opcode - 0x60;
        break;
      case 0xf0:
        lock = true;
        break;
      case 0xf2:
        rep = 1;
        break;
      case 0xf3:
        rep = 2;
        break;
      default:
        break prefixes;
    }
  }
  let map = instructionSet.maps[size16][0];
  if (opcode === 0x0f) {
    if (pos >= stop) return short(at, stop, off);
    opcode = u8[pos++];
    let number = 1;
    if (opcode === 0x38 || opcode === 0x3a) {
      if (pos >= stop) return short(at, stop, off);
      number = opcode === 0x38 ? 2 : 3;
      opcode = u8[pos++];
    }
    map = instructionSet.maps[size16][number];
  }
  const entry = map[opcode];
  if (entry === null) return bad(at, pos, off);
  // F2 and F3 select before 66 does, the last of them first.
  let index = entry.exact ? 16 * (rep === 0 ? has66 : rep === 2 ? 2 : 3) : 0;
  let modrm = 0;
  if (entry.modrm) {
    if (pos >= stop) return short(at, stop, off);
    modrm = u8[pos++];
    index |= ((modrm >> 3) & 7) | (modrm >= 0xc0 ? 8 : 0);
  }
  let form = entry.forms[index];
  if (form !== null && form.options.rm !== undefined) form = entry.byRm.get(8 * index + (modrm & 7)) ?? null;
  if (form === null) return bad(at, pos, off);
  if (lock && !(form.options.lock === true && modrm < 0xc0)) return bad(at, pos, off);
  if (form.options.anyMod === true) modrm |= 0xc0;

  const op = new Op(form, undecoded);
  let ea = 0;
  let stackBase = false;
  if (!entry.modrm) {
    if (form.aSize !== 0) op.a = regIndex(opcode & 7, form.aSize);
  } else {
    const regField = (modrm >> 3) & 7;
    op.b = form.bSize !== 0 ? regIndex(regField, form.bSize) : regField;
    if (modrm >= 0xc0) {
      op.a = regIndex(modrm & 7, form.aSize);
      op.imm2 = modrm;
    } else {
      const mod = modrm >> 6;
      let rm = modrm & 7;
      let dispBytes = mod === 1 ? 1 : 0;
      if (addr16) {
        if (mod === 2) dispBytes = 2;
        ea = 2;
        if (mod === 0 && rm === 6) {
          dispBytes = 2;
          ea = 1;
        } else {
          op.mb = BASE16[rm];
          stackBase = op.mb === EBP;
          if (rm < 4) {
            op.mi = INDEX16[rm];
            ea = 3;
          } else if (rm < 6) stackBase = false;
        }
      } else {
        if (mod === 2) dispBytes = 4;
        ea = 2;
        if (rm === 4) {
          if (pos >= stop) return short(at, stop, off);
          const sib = u8[pos++];
          rm = sib & 7;
          const index = (sib >> 3) & 7;
          if (index !== 4) {
            ea = 3;
            op.mi = index;
            op.ms = sib >> 6;
          }
          if (rm === 5 && mod === 0) {
            ea = ea === 3 ? 4 : 1;
            dispBytes = 4;
          } else {
            op.mb = rm;
            stackBase = rm === ESP || rm === EBP;
          }
        } else if (rm === 5 && mod === 0) {
          ea = 1;
          dispBytes = 4;
        } else {
          op.mb = rm;
          stackBase = rm === EBP;
        }
      }
      if (dispBytes !== 0) {
        if (pos + dispBytes > stop) return short(at, stop, off);
        op.md = dispBytes === 1 ? (u8[pos] << 24) >> 24 : dispBytes === 2 ? word(u8, pos) : dword(u8, pos);
        pos += dispBytes;
      }
      op.imm2 = modrm;
      if (form.options.popEa === true && op.mb === ESP && (ea === 2 || ea === 3) && !addr16) op.md += form.size >> 3;
    }
  }
  if (form.moffs) {
    const bytes = addr16 ? 2 : 4;
    if (pos + bytes > stop) return short(at, stop, off);
    op.md = addr16 ? word(u8, pos) : dword(u8, pos);
    pos += bytes;
    ea = 1;
  }
  const immBytes = form.immBytes | form.relBytes;
  if (immBytes !== 0) {
    if (pos + immBytes > stop) return short(at, stop, off);
    op.imm = immBytes === 1 ? (u8[pos] << 24) >> 24 : immBytes === 2 ? (word(u8, pos) << 16) >> 16 : dword(u8, pos);
    pos += immBytes;
    if (form.imm2Bytes !== 0) {
      if (pos + form.imm2Bytes > stop) return short(at, stop, off);
      op.imm2 = form.imm2Bytes === 1 ? u8[pos] : word(u8, pos);
      pos += form.imm2Bytes;
    }
  }
  op.off = off;
  op.end = off + pos - at;
  if (form.relBytes !== 0) op.imm2 = op.end + op.imm;
  op.seg = segment >= 0 ? segment : stackBase ? SS : DS;
  op.key =
    ea |
    // CS by an override: readable, never writable.
    (op.seg >= FS || op.seg === CS || mode & MODE_NONFLAT ? KEY_SEGMENTED : 0) |
    (mode & MODE_NONFLAT ? KEY_NONFLAT : 0) |
    (mode & MODE_STACK16 ? KEY_STACK16 : 0) |
    (addr16 ? KEY_ADDR16 : 0) |
    (form.string ? rep << KEY_REP_SHIFT : 0);
  return op;
}

/** The operation itself, or #UD in its place when it needs features that the processor does not have. */
export function admitted(op: Op, features: number): Op {
  if ((op.form.needs & ~features) === 0) return op;
  return fixed(BAD_OPCODE, op.off, op.end - op.off);
}

/** The specialisation that a key stands for. */
export function specOf(key: number): Spec {
  const rep = key >> KEY_REP_SHIFT;
  return {
    ea: key & KEY_EA,
    segmented: (key & KEY_SEGMENTED) !== 0,
    nonFlat: (key & KEY_NONFLAT) !== 0,
    stack16: (key & KEY_STACK16) !== 0,
    addr16: (key & KEY_ADDR16) !== 0,
    rep: rep === 0 ? 0 : rep + 1,
  };
}

function word(u8: Uint8Array, at: number): number {
  return u8[at] | (u8[at + 1] << 8);
}

function dword(u8: Uint8Array, at: number): number {
  return u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24);
}

/** The bytes ran out: an instruction that is too long (#GP), or one whose rest lies in the next page. */
function short(at: number, stop: number, off: number): Op | null {
  if (stop - at < MAX_LENGTH) return null;
  return fixed(BAD_LENGTH, off, MAX_LENGTH);
}

function bad(at: number, pos: number, off: number): Op {
  return fixed(BAD_OPCODE, off, pos - at);
}

function fixed(form: Form, off: number, length: number): Op {
  const op = new Op(form, undecoded);
  op.off = off;
  op.end = off + length;
  return op;
}
