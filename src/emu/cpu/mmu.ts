// Paging: the two-level walk with 4 MB pages, A and D bits, page faults, and the slow paths of memory access that the
// page arrays of Memory leave to it. Source: Intel SDM vol. 3, chapter "Protected-mode memory management" (32-bit paging).
import {
  HOLE_READ,
  HOLE_WRITE,
  type Memory,
  PAGE_SIZE,
  RAM_BASE,
  SUPER_READ,
  SUPER_WRITE,
  USER_READ,
  USER_WRITE,
} from "../machine/memory.ts";
import type { Cpu } from "./cpu.ts";
import { noteDataBreakpoint, watchesPage } from "./debug.ts";
import { GP, PF, raise, UD } from "./fault.ts";
import { NEEDS_SSE, TALLY } from "./state.ts";

export const CR0_PE = 1;
export const CR0_MP = 1 << 1;
export const CR0_EM = 1 << 2;
export const CR0_TS = 1 << 3;
export const CR0_ET = 1 << 4;
export const CR0_NE = 1 << 5;
export const CR0_WP = 1 << 16;
export const CR0_AM = 1 << 18;
export const CR0_NW = 1 << 29;
export const CR0_CD = 1 << 30;
export const CR0_PG = 1 << 31;
export const CR4_TSD = 1 << 2;
export const CR4_DE = 1 << 3;
export const CR4_PSE = 1 << 4;
export const CR4_MCE = 1 << 6;
export const CR4_PGE = 1 << 7;
export const CR4_PCE = 1 << 8;
export const CR4_OSFXSR = 1 << 9;
export const CR4_OSXMMEXCPT = 1 << 10;

const PTE_P = 1;
const PTE_RW = 1 << 1;
const PTE_US = 1 << 2;
const PTE_A = 1 << 5;
const PTE_D = 1 << 6;
const PTE_PS = 1 << 7;
const PTE_G = 1 << 8;
/** Address bits that a 4 MB page directory entry must leave 0 (neither PSE-36 nor PAT is offered). */
const PDE_LARGE_RESERVED = 0x003f_f000;

/** Bits of the page-fault error code. */
export const PF_PROTECTION = 1;
export const PF_WRITE = 2;
export const PF_USER = 4;
export const PF_RESERVED = 8;

const CR0_KEPT = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG;
const CR4_ALLOWED = CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR;

function pageFault(cpu: Cpu, la: number, code: number): never {
  cpu.faultCr2 = la | 0;
  raise(cpu, PF, code);
}

/**
 * Translate a linear address for one access that stays inside its page, as the CPU would: walk, check, set A and D,
 * fill the page arrays. A write to a frame that holds decoded code drops that code first.
 * @param user the access is made at privilege level 3
 * @returns the host byte address; raises #PF (faultCr2 set, no state changed)
 */
export function translate(cpu: Cpu, la: number, write: boolean, user: boolean): number {
  const memory = cpu.memory;
  const page = la >>> 12;
  const access = (write ? PF_WRITE : 0) | (user ? PF_USER : 0);
  let frameAddress: number;
  let isGlobal = false;
  if (cpu.cr0 & CR0_PG) {
    const pdeAddress = (cpu.cr3 & ~0xfff) + ((la >>> 22) << 2);
    const pde = memory.readPhys32(pdeAddress);
    if (!(pde & PTE_P)) pageFault(cpu, la, access);
    if (pde & PTE_PS && cpu.cr4 & CR4_PSE) {
      if (pde & PDE_LARGE_RESERVED) pageFault(cpu, la, access | PF_PROTECTION | PF_RESERVED);
      checkRights(cpu, la, pde, access);
      const marked = pde | PTE_A | (write ? PTE_D : 0);
      if (marked !== (pde | 0)) memory.writePhys32(pdeAddress, marked);
      frameAddress = (pde & 0xffc0_0000) | (la & 0x003f_f000);
      isGlobal = (pde & PTE_G) !== 0;
      memory.largeRegions[la >>> 22] = 1;
    } else {
      const pteAddress = (pde & ~0xfff) + ((page & 0x3ff) << 2);
      const pte = memory.readPhys32(pteAddress);
      if (!(pte & PTE_P)) pageFault(cpu, la, access);
      checkRights(cpu, la, pde & pte, access);
      if (!(pde & PTE_A)) memory.writePhys32(pdeAddress, pde | PTE_A);
      const marked = pte | PTE_A | (write ? PTE_D : 0);
      if (marked !== (pte | 0)) memory.writePhys32(pteAddress, marked);
      frameAddress = pte & ~0xfff;
      isGlobal = (pte & PTE_G) !== 0;
    }
  } else {
    frameAddress = la & ~0xfff;
  }
  const pa = frameAddress >>> 0;
  if (pa >= memory.ramBytes) {
    if (!write) return HOLE_READ + (la & 0xfff);
    memory.u8.fill(0xff, HOLE_WRITE, HOLE_WRITE + PAGE_SIZE);
    return HOLE_WRITE + (la & 0xfff);
  }
  const frame = pa >>> 12;
  if (write && memory.codeFrames[frame] !== 0) cpu.codeWritten(frame, la & 0xfff);
  if (cpu.onTlbFill !== null) cpu.onTlbFill(la, frame, write, user);
  const hostPage = RAM_BASE + pa;
  if (!watchesPage(cpu, page)) {
    isGlobal = isGlobal && (cpu.cr4 & CR4_PGE) !== 0;
    memory.fillEntry(user ? USER_READ : SUPER_READ, page, hostPage, isGlobal);
    if (write && memory.codeFrames[frame] === 0) {
      memory.fillEntry(user ? USER_WRITE : SUPER_WRITE, page, hostPage, isGlobal);
    }
  }
  return hostPage + (la & 0xfff);
}

/** Rights of an access against the combined R/W and U/S bits of both levels. */
function checkRights(cpu: Cpu, la: number, combined: number, access: number): void {
  if (access & PF_USER) {
    if (!(combined & PTE_US) || (access & PF_WRITE && !(combined & PTE_RW))) pageFault(cpu, la, access | PF_PROTECTION);
  } else if (access & PF_WRITE && !(combined & PTE_RW) && cpu.cr0 & CR0_WP) {
    pageFault(cpu, la, access | PF_PROTECTION);
  }
}

/**
 * Check that `size` bytes at `la` can be written, faulting as the write would (a read-modify-write faults as a write).
 * @returns the host address when the bytes lie in one page, else -1: use readSlow and writeSlow then
 */
export function translateForWrite(cpu: Cpu, la: number, size: number, user: boolean): number {
  const host = hostToWrite(cpu, la, user);
  const last = (la + size - 1) | 0;
  for (let at = la; at >>> 12 !== last >>> 12; ) {
    at = ((at | 0xfff) + 1) | 0;
    translate(cpu, at, true, user);
  }
  if (la >>> 12 !== last >>> 12) return -1;
  if (cpu.watching) noteDataBreakpoint(cpu, la, size, true);
  return host;
}

/** Check that `size` bytes at `la` can be read, page by page upwards. */
export function checkRead(cpu: Cpu, la: number, size: number, user: boolean): void {
  translate(cpu, la, false, user);
  const last = (la + size - 1) | 0;
  for (let at = la; at >>> 12 !== last >>> 12; ) {
    at = ((at | 0xfff) + 1) | 0;
    translate(cpu, at, false, user);
  }
}

/** Host address to read one byte at `la`: page array first, walk otherwise. */
function hostToRead(cpu: Cpu, la: number, user: boolean): number {
  const entry = cpu.memory.tlb[user ? USER_READ : SUPER_READ][la >>> 12];
  if (!(entry & 0xfff)) return (la + entry) | 0;
  return translate(cpu, la, false, user);
}

/** Host address to write one byte at `la`. */
function hostToWrite(cpu: Cpu, la: number, user: boolean): number {
  const entry = cpu.memory.tlb[user ? USER_WRITE : SUPER_WRITE][la >>> 12];
  if (!(entry & 0xfff)) return (la + entry) | 0;
  return translate(cpu, la, true, user);
}

/** Read one byte at a linear address. */
export function readSlow8(cpu: Cpu, la: number, user: boolean): number {
  const host = hostToRead(cpu, la, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 1, false);
  return cpu.memory.u8[host];
}

/** Read 16 bits, little endian, at a linear address that may cross a page. */
export function readSlow16(cpu: Cpu, la: number, user: boolean): number {
  const host = hostToRead(cpu, la, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 2, false);
  if ((la & 0xfff) !== 0xfff) return cpu.memory.view.getUint16(host, true);
  const high = hostToRead(cpu, (la + 1) | 0, user);
  return cpu.memory.u8[host] | (cpu.memory.u8[high] << 8);
}

/**
 * Read 32 bits, little endian, at a linear address that may cross a page. Result is int32. What lies aligned in a page of
 * the page array is read at once: watched pages are not in it.
 */
export function readSlow32(cpu: Cpu, la: number, user: boolean): number {
  const { memory } = cpu;
  const entry = memory.tlb[user ? USER_READ : SUPER_READ][la >>> 12];
  return (entry & 0xfff) | (la & 3) ? readAny32(cpu, la, user) : memory.i32[(la + entry) >> 2];
}

function readAny32(cpu: Cpu, la: number, user: boolean): number {
  const host = hostToRead(cpu, la, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 4, false);
  const offset = la & 0xfff;
  if (offset <= PAGE_SIZE - 4) return cpu.memory.view.getInt32(host, true);
  const second = hostToRead(cpu, ((la | 0xfff) + 1) | 0, user);
  const u8 = cpu.memory.u8;
  const inFirst = PAGE_SIZE - offset;
  let value = 0;
  for (let i = 0; i < 4; i++) value |= u8[i < inFirst ? host + i : second + i - inFirst] << (8 * i);
  return value;
}

/** Write one byte at a linear address. */
export function writeSlow8(cpu: Cpu, la: number, value: number, user: boolean): void {
  const host = hostToWrite(cpu, la, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 1, true);
  cpu.memory.u8[host] = value;
}

/** Write 16 bits at a linear address; both pages are checked before anything is written. */
export function writeSlow16(cpu: Cpu, la: number, value: number, user: boolean): void {
  const host = hostToWrite(cpu, la, user);
  if ((la & 0xfff) !== 0xfff) {
    if (cpu.watching) noteDataBreakpoint(cpu, la, 2, true);
    cpu.memory.view.setInt16(host, value, true);
    return;
  }
  const high = hostToWrite(cpu, (la + 1) | 0, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 2, true);
  cpu.memory.u8[host] = value;
  cpu.memory.u8[high] = value >> 8;
}

/** Write 32 bits at a linear address; both pages are checked before anything is written. */
export function writeSlow32(cpu: Cpu, la: number, value: number, user: boolean): void {
  const { memory } = cpu;
  const entry = memory.tlb[user ? USER_WRITE : SUPER_WRITE][la >>> 12];
  if ((entry & 0xfff) | (la & 3)) writeAny32(cpu, la, value, user);
  else memory.i32[(la + entry) >> 2] = value;
}

function writeAny32(cpu: Cpu, la: number, value: number, user: boolean): void {
  const host = hostToWrite(cpu, la, user);
  const offset = la & 0xfff;
  if (offset <= PAGE_SIZE - 4) {
    if (cpu.watching) noteDataBreakpoint(cpu, la, 4, true);
    cpu.memory.view.setInt32(host, value, true);
    return;
  }
  const second = hostToWrite(cpu, ((la | 0xfff) + 1) | 0, user);
  if (cpu.watching) noteDataBreakpoint(cpu, la, 4, true);
  const u8 = cpu.memory.u8;
  const inFirst = PAGE_SIZE - offset;
  for (let i = 0; i < 4; i++) u8[i < inFirst ? host + i : second + i - inFirst] = value >> (8 * i);
}

/** Drop what CR3 loads drop: every entry that is not global. */
export function flushTlb(cpu: Cpu): void {
  cpu.tally[TALLY.drops]++;
  cpu.memory.dropEntries(false);
}

/** Drop every entry, global ones too (CR0.PG, CR0.WP, CR4.PSE/PGE changed, watchpoints set). */
export function flushTlbAll(cpu: Cpu): void {
  cpu.tally[TALLY.drops]++;
  cpu.memory.dropEntries(true);
}

/** INVLPG: drop the entries of the page that holds `la`; of all its 4 MB when a 4 MB page was ever met there. */
export function invlpg(cpu: Cpu, la: number): void {
  const memory = cpu.memory;
  if (memory.largeRegions[la >>> 22] === 0) {
    memory.dropPage(la >>> 12);
    return;
  }
  const first = (la >>> 22) << 10;
  for (let i = 0; i < 1024; i++) memory.dropPage(first + i);
  memory.largeRegions[la >>> 22] = 0;
}

/** Must be called before code in a frame is decoded: from now on stores there take the slow path. */
export function protectCodeFrame(memory: Memory, frame: number): void {
  if (memory.codeFrames[frame] !== 0) return;
  memory.codeFrames[frame] = 1;
  memory.dropWriteEntries(frame);
}

/** MOV CRn, r32 at CPL 0 (the caller has checked). Raises #GP(0) for values the manual forbids. */
export function writeCr(cpu: Cpu, n: number, value: number): void {
  if (n === 0) writeCr0(cpu, value);
  else if (n === 2) cpu.cr2 = value | 0;
  else if (n === 3) {
    cpu.cr3 = value & ~0xfe7;
    flushTlb(cpu);
  } else if (n === 4) {
    const allowed = cpu.features & NEEDS_SSE ? CR4_ALLOWED | CR4_OSXMMEXCPT : CR4_ALLOWED;
    if (value & ~allowed) raise(cpu, GP, 0);
    const changed = cpu.cr4 ^ value;
    cpu.cr4 = value | 0;
    if (changed & (CR4_PSE | CR4_PGE)) flushTlbAll(cpu);
  } else raise(cpu, UD);
}

/** MOV r32, CRn at CPL 0. */
export function readCr(cpu: Cpu, n: number): number {
  if (n === 0) return cpu.cr0 | 0;
  if (n === 2) return cpu.cr2 | 0;
  if (n === 3) return cpu.cr3 | 0;
  if (n === 4) return cpu.cr4 | 0;
  raise(cpu, UD);
}

/** CR0 with the manual's checks. Leaving protected mode is outside this machine's limits and stops it. */
export function writeCr0(cpu: Cpu, value: number): void {
  if (value & CR0_PG && !(value & CR0_PE)) raise(cpu, GP, 0);
  if (value & CR0_NW && !(value & CR0_CD)) raise(cpu, GP, 0);
  if (!(value & CR0_PE)) {
    cpu.shutdown = "CR0.PE cleared: real mode is not emulated";
    return;
  }
  const next = (value & CR0_KEPT) | CR0_ET;
  const changed = cpu.cr0 ^ next;
  cpu.cr0 = next;
  if (changed & (CR0_PG | CR0_WP)) flushTlbAll(cpu);
}

/** LMSW: the low four bits of CR0; PE can be set but not cleared. */
export function lmsw(cpu: Cpu, value: number): void {
  writeCr0(cpu, (cpu.cr0 & ~0xe) | (value & 0xf));
}
