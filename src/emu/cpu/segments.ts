// Segmentation: descriptor access, the checks of segment-register loads, LLDT/LTR, and the instructions that ask about
// descriptors (LAR, LSL, VERR, VERW, ARPL). Source: Intel SDM vol. 3, "Protected-mode memory management" and "Protection".
import { SUPER_READ } from "../machine/memory.ts";
import type { Cpu } from "./cpu.ts";
import { GP, NP, raise, SS_FAULT } from "./fault.ts";
import { checkRead, readSlow16, readSlow32, writeSlow8, writeSlow16, writeSlow32 } from "./mmu.ts";
import { CS, DS, ES, FS, GS, SS, TALLY } from "./state.ts";

// Attribute bits: the second descriptor word shifted right by 8, limit bits left out.
export const ATTR_ACCESSED = 1;
/** Writable (data) or readable (code). */
export const ATTR_RW = 1 << 1;
/** Expand-down (data) or conforming (code). */
export const ATTR_DC = 1 << 2;
export const ATTR_CODE = 1 << 3;
/** Code or data (S); clear for system descriptors and gates. */
export const ATTR_S = 1 << 4;
export const ATTR_P = 1 << 7;
/** D (code) or B (stack): 32-bit. */
export const ATTR_D = 1 << 14;
export const ATTR_G = 1 << 15;
const ATTR_MASK = 0xf0ff;
/** Level 3, in a descriptor's second word. */
const DPL_3 = 3 << 13;

// System descriptor types (attribute bits 0-4 with S = 0).
export const TYPE_TSS16_AVAILABLE = 1;
export const TYPE_LDT = 2;
export const TYPE_TSS16_BUSY = 3;
export const TYPE_CALL16 = 4;
export const TYPE_TASK_GATE = 5;
export const TYPE_INT16 = 6;
export const TYPE_TRAP16 = 7;
export const TYPE_TSS32_AVAILABLE = 9;
export const TYPE_TSS32_BUSY = 11;
export const TYPE_CALL32 = 12;
export const TYPE_INT32 = 14;
export const TYPE_TRAP32 = 15;

/** Attribute word of a descriptor from its second dword. */
export function attrOf(high: number): number {
  return (high >>> 8) & ATTR_MASK;
}

/** Type and S of an attribute word. */
export function typeOf(attr: number): number {
  return attr & 0x1f;
}

/** Descriptor privilege level of an attribute word. */
export function dplOf(attr: number): number {
  return (attr >>> 5) & 3;
}

/** Base address of a code, data or system descriptor. */
export function baseOf(low: number, high: number): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
}

/** Limit in bytes, scaled by G, as an unsigned number. */
export function limitOf(low: number, high: number): number {
  const limit = (low & 0xffff) | (high & 0x000f_0000);
  return high & (ATTR_G << 8) ? ((limit << 12) | 0xfff) >>> 0 : limit;
}

/** Linear address of a selector's descriptor, or -1 when it lies outside its table (or the LDT is unusable). */
export function descriptorAddress(cpu: Cpu, selector: number): number {
  const offset = selector & 0xfff8;
  if (selector & 4) {
    if (cpu.ldtAttr === 0 || offset + 7 > cpu.ldtLimit) return -1;
    return (cpu.ldtBase + offset) >>> 0;
  }
  if (offset + 7 > cpu.gdtLimit) return -1;
  return (cpu.gdtBase + offset) >>> 0;
}

/** A descriptor is read as a whole: when its page is absent CR2 names its first byte. */
function touchDescriptor(cpu: Cpu, at: number): void {
  if (cpu.memory.tlb[SUPER_READ][at >>> 12] & 0xfff) checkRead(cpu, at | 0, 8, false);
}

/** A selector without RPL: what exceptions push, with the EXT bit of the delivery under way. */
export function selectorError(cpu: Cpu, selector: number): number {
  return (selector & 0xfffc) | cpu.ext;
}

/** Linear address of a selector's descriptor; raises `vector` with the selector when it lies outside its table. */
export function mustFindDescriptor(cpu: Cpu, selector: number, vector: number): number {
  const at = descriptorAddress(cpu, selector);
  if (at < 0) raise(cpu, vector, selectorError(cpu, selector));
  touchDescriptor(cpu, at);
  return at;
}

/** Set a segment register's hidden part from a descriptor. */
export function setSegment(cpu: Cpu, seg: number, selector: number, low: number, high: number): void {
  cpu.sel[seg] = selector & 0xffff;
  const words = cpu.descriptors;
  if (words[2 * seg] === low && words[2 * seg + 1] === high) return;
  words[2 * seg] = low;
  words[2 * seg + 1] = high;
  cpu.base[seg] = baseOf(low, high);
  cpu.limit[seg] = limitOf(low, high);
  cpu.attr[seg] = attrOf(high);
  if (seg < FS) cpu.segmentEpoch++;
}

/** Load a segment register with a null selector: unusable. */
export function setNullSegment(cpu: Cpu, seg: number, selector: number): void {
  cpu.sel[seg] = selector & 0xffff;
  cpu.base[seg] = 0;
  cpu.limit[seg] = 0;
  cpu.attr[seg] = 0;
  cpu.segmentSet(seg);
}

/** A flat 4 GiB segment as SYSENTER and SYSEXIT make it (CS: code, readable; others: data, writable), accessed, present. */
export function setFlatSegment(cpu: Cpu, seg: number, selector: number, dpl: number): void {
  cpu.sel[seg] = selector & 0xffff;
  cpu.base[seg] = 0;
  cpu.limit[seg] = 0xffff_ffff;
  cpu.attr[seg] =
    ATTR_G | ATTR_D | ATTR_P | ATTR_S | (dpl << 5) | (seg === CS ? ATTR_CODE : 0) | ATTR_RW | ATTR_ACCESSED;
  cpu.segmentSet(seg);
}

/** Set the accessed bit of a code or data descriptor in memory unless it is set; returns the word with it. */
export function markAccessed(cpu: Cpu, at: number, high: number): number {
  if (high & (ATTR_ACCESSED << 8)) return high;
  writeSlow8(cpu, (at + 5) | 0, ((high >>> 8) & 0xff) | ATTR_ACCESSED, false);
  return high | (ATTR_ACCESSED << 8);
}

/** MOV, POP, LDS...: load ES, SS, DS, FS or GS with all of the manual's checks. */
export function loadSegment(cpu: Cpu, seg: number, selector: number): void {
  const sel = selector & 0xffff;
  if (seg === SS) {
    loadStackSegment(cpu, sel, cpu.cpl, GP);
    return;
  }
  if ((sel & 0xfffc) === 0) {
    setNullSegment(cpu, seg, sel);
    return;
  }
  loadDataSegment(cpu, seg, sel, GP);
}

/**
 * Was a segment loaded by this selector, from the same words of the GDT, and is it open to every level? Then it would pass
 * again. Hot: every way into the kernel does it and finds it so.
 */
function isLoaded(cpu: Cpu, seg: number, sel: number): boolean {
  const { memory, descriptors } = cpu;
  const high = descriptors[2 * seg + 1];
  if (cpu.sel[seg] !== sel || (high & DPL_3) !== DPL_3 || sel & 4 || (sel | 7) > cpu.gdtLimit) return false;
  const la = (cpu.gdtBase + (sel & 0xfff8)) | 0;
  const entry = memory.tlb[SUPER_READ][la >>> 12];
  if (((entry & 0xfff) | (la & 7)) !== 0) return false;
  const at = (la + entry) >> 2;
  return memory.i32[at] === descriptors[2 * seg] && memory.i32[at + 1] === high;
}

/** A non-null selector into ES, DS, FS or GS; `vector` is #GP, or #TS inside a task switch. */
export function loadDataSegment(cpu: Cpu, seg: number, sel: number, vector: number): void {
  cpu.tally[TALLY.descriptors]++;
  if (isLoaded(cpu, seg, sel)) return;
  const at = mustFindDescriptor(cpu, sel, vector);
  const high = readSlow32(cpu, at + 4, false);
  const low = readSlow32(cpu, at, false);
  const attr = attrOf(high);
  const isCode = (attr & ATTR_CODE) !== 0;
  if (!(attr & ATTR_S) || (isCode && !(attr & ATTR_RW))) raise(cpu, vector, selectorError(cpu, sel));
  if (!(isCode && attr & ATTR_DC) && dplOf(attr) < Math.max(sel & 3, cpu.cpl)) {
    raise(cpu, vector, selectorError(cpu, sel));
  }
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, sel));
  setSegment(cpu, seg, sel, low, markAccessed(cpu, at, high));
}

/**
 * Check a stack selector for privilege level `cpl` without loading it.
 * @param vector #GP for loads and returns, #TS for stacks taken from a TSS
 * @returns the linear address of its descriptor
 */
export function checkStackSelector(cpu: Cpu, sel: number, cpl: number, vector: number): number {
  if ((sel & 0xfffc) === 0) raise(cpu, vector, cpu.ext);
  const at = mustFindDescriptor(cpu, sel, vector);
  const attr = attrOf(readSlow32(cpu, at + 4, false));
  const writable = (attr & (ATTR_S | ATTR_CODE | ATTR_RW)) === (ATTR_S | ATTR_RW);
  if ((sel & 3) !== cpl || !writable || dplOf(attr) !== cpl) raise(cpu, vector, selectorError(cpu, sel));
  if (!(attr & ATTR_P)) raise(cpu, SS_FAULT, selectorError(cpu, sel));
  return at;
}

/** Load SS for privilege level `cpl`. */
export function loadStackSegment(cpu: Cpu, sel: number, cpl: number, vector: number): void {
  cpu.tally[TALLY.descriptors]++;
  const at = checkStackSelector(cpu, sel, cpl, vector);
  const low = readSlow32(cpu, at, false);
  setSegment(cpu, SS, sel, low, markAccessed(cpu, at, readSlow32(cpu, at + 4, false)));
}

const DATA_SEGMENTS = [ES, DS, FS, GS] as const;

/** On a return to an outer level: data segments the new level may not use become null. */
export function dropInnerSegments(cpu: Cpu): void {
  for (const seg of DATA_SEGMENTS) {
    const attr = cpu.attr[seg];
    if (attr === 0) continue;
    const conformingCode = (attr & (ATTR_CODE | ATTR_DC)) === (ATTR_CODE | ATTR_DC);
    if (!conformingCode && dplOf(attr) < cpu.cpl) setNullSegment(cpu, seg, 0);
  }
}

/** LLDT at CPL 0 (the caller has checked). */
export function lldt(cpu: Cpu, selector: number): void {
  loadLdt(cpu, selector & 0xffff, GP, NP);
}

/** Load LDTR; a task switch uses #TS for every fault. */
export function loadLdt(cpu: Cpu, sel: number, vector: number, absentVector: number): void {
  if ((sel & 0xfffc) === 0) {
    cpu.ldtSel = sel;
    cpu.ldtBase = 0;
    cpu.ldtLimit = 0;
    cpu.ldtAttr = 0;
    return;
  }
  if (sel & 4) raise(cpu, vector, selectorError(cpu, sel));
  cpu.tally[TALLY.descriptors]++;
  const at = mustFindDescriptor(cpu, sel, vector);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  if (typeOf(attr) !== TYPE_LDT) raise(cpu, vector, selectorError(cpu, sel));
  if (!(attr & ATTR_P)) raise(cpu, absentVector, selectorError(cpu, sel));
  const low = readSlow32(cpu, at, false);
  cpu.ldtSel = sel;
  cpu.ldtBase = baseOf(low, high);
  cpu.ldtLimit = limitOf(low, high);
  cpu.ldtAttr = attr;
}

/** LTR at CPL 0: the TSS becomes busy in memory and in TR. */
export function ltr(cpu: Cpu, selector: number): void {
  const sel = selector & 0xffff;
  if ((sel & 0xfffc) === 0) raise(cpu, GP, 0);
  if (sel & 4) raise(cpu, GP, selectorError(cpu, sel));
  const at = mustFindDescriptor(cpu, sel, GP);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const type = typeOf(attr);
  if (type !== TYPE_TSS32_AVAILABLE && type !== TYPE_TSS16_AVAILABLE) raise(cpu, GP, selectorError(cpu, sel));
  if (!(attr & ATTR_P)) raise(cpu, NP, selectorError(cpu, sel));
  const low = readSlow32(cpu, at, false);
  writeSlow32(cpu, at + 4, high | 0x200, false);
  cpu.trSel = sel;
  cpu.trBase = baseOf(low, high);
  cpu.trLimit = limitOf(low, high);
  cpu.trAttr = attr | 2;
}

/** LGDT/LIDT: read the 6-byte pseudo-descriptor at `la`; a 16-bit operand size keeps 24 base bits. */
export function loadTable(cpu: Cpu, which: "gdt" | "idt", la: number, opsize: 16 | 32): void {
  const user = cpu.cpl === 3;
  const limit = readSlow16(cpu, la, user);
  const full = readSlow32(cpu, (la + 2) | 0, user);
  const base = opsize === 16 ? full & 0x00ff_ffff : full;
  if (which === "gdt") {
    cpu.gdtBase = base;
    cpu.gdtLimit = limit;
  } else {
    cpu.idtBase = base;
    cpu.idtLimit = limit;
  }
}

/** SGDT/SIDT: write the 6-byte pseudo-descriptor at `la` (the Pentium II stores all 32 base bits). */
export function storeTable(cpu: Cpu, which: "gdt" | "idt", la: number): void {
  const user = cpu.cpl === 3;
  const [limit, base] = which === "gdt" ? [cpu.gdtLimit, cpu.gdtBase] : [cpu.idtLimit, cpu.idtBase];
  // The upper part first: when its page faults nothing has been written.
  if ((la & 0xfff) === 0xffe) {
    writeSlow32(cpu, (la + 2) | 0, base, user);
    writeSlow16(cpu, la, limit, user);
  } else {
    writeSlow16(cpu, la, limit, user);
    writeSlow32(cpu, (la + 2) | 0, base, user);
  }
}

/** The second descriptor word that LAR, LSL, VERR and VERW may see at this CPL and RPL, or 0. */
function visibleHigh(cpu: Cpu, selector: number): number {
  if ((selector & 0xfffc) === 0) return 0;
  const at = descriptorAddress(cpu, selector);
  if (at < 0) return 0;
  touchDescriptor(cpu, at);
  const high = readSlow32(cpu, at + 4, false);
  const attr = attrOf(high);
  const conforming = (attr & (ATTR_S | ATTR_CODE | ATTR_DC)) === (ATTR_S | ATTR_CODE | ATTR_DC);
  if (!conforming && dplOf(attr) < Math.max(cpu.cpl, selector & 3)) return 0;
  // A descriptor of all-zero attributes is of invalid type for each of the four, so 0 loses nothing.
  return high;
}

// Valid system types as bit sets over the type number.
const LAR_TYPES = 0b0001_1010_0011_1110;
const LSL_TYPES = 0b0000_1010_0000_1110;

/** LAR: access rights (masked 00FxFF00H), or -1 when the descriptor is not visible: ZF = 0. */
export function lar(cpu: Cpu, selector: number): number {
  const high = visibleHigh(cpu, selector);
  const attr = attrOf(high);
  if (high === 0 || (!(attr & ATTR_S) && !((LAR_TYPES >>> typeOf(attr)) & 1))) return -1;
  return high & 0x00f0_ff00;
}

/** LSL: limit in bytes (unsigned), or -1 when the descriptor is not visible: ZF = 0. */
export function lsl(cpu: Cpu, selector: number): number {
  const high = visibleHigh(cpu, selector);
  const attr = attrOf(high);
  if (high === 0 || (!(attr & ATTR_S) && !((LSL_TYPES >>> typeOf(attr)) & 1))) return -1;
  return limitOf(readSlow32(cpu, descriptorAddress(cpu, selector), false), high);
}

/** VERR: may the segment be read at this privilege? */
export function verr(cpu: Cpu, selector: number): boolean {
  const attr = attrOf(visibleHigh(cpu, selector));
  if (!(attr & ATTR_S)) return false;
  return !(attr & ATTR_CODE) || (attr & ATTR_RW) !== 0;
}

/** VERW: may the segment be written at this privilege? */
export function verw(cpu: Cpu, selector: number): boolean {
  const attr = attrOf(visibleHigh(cpu, selector));
  return (attr & (ATTR_S | ATTR_CODE | ATTR_RW)) === (ATTR_S | ATTR_RW);
}

/** ARPL: the destination selector with its RPL raised to the source's, or -1 when it is not lower: ZF = 0. */
export function arpl(destination: number, source: number): number {
  return (destination & 3) < (source & 3) ? (destination & 0xfffc) | (source & 3) : -1;
}

/** Raise #GP(0) (or #SS(0) for SS) unless `size` bytes at `offset` lie inside the segment. `offset` is unsigned here. */
export function checkLimit(cpu: Cpu, seg: number, offset: number, size: number): void {
  const first = offset >>> 0;
  const last = first + size - 1;
  const attr = cpu.attr[seg];
  const limit = cpu.limit[seg];
  let inside: boolean;
  if ((attr & (ATTR_S | ATTR_CODE | ATTR_DC)) === (ATTR_S | ATTR_DC)) {
    inside = first > limit && last <= (attr & ATTR_D ? 0xffff_ffff : 0xffff);
  } else inside = last <= limit;
  if (!inside || attr === 0) raise(cpu, seg === SS ? SS_FAULT : GP, 0);
}

/** Does `size` bytes below and up to `top` fit in a stack segment given by descriptor words (for stacks not yet loaded)? */
export function stackRoom(low: number, high: number, top: number, size: number): boolean {
  const limit = limitOf(low, high);
  const attr = attrOf(high);
  const mask = attr & ATTR_D ? 0xffff_ffff : 0xffff;
  const first = ((top - size) & mask) >>> 0;
  const last = first + size - 1;
  if (attr & ATTR_DC) return first > limit && last <= mask;
  return last <= limit;
}
