// Debug registers, data and instruction breakpoints, single step. Source: Intel SDM vol. 3, "Debug, branch profile, TSC".
import type { Cpu } from "./cpu.ts";
import { DB, GP, raise, UD } from "./fault.ts";
import { RF, TF } from "./flags.ts";
import { CR4_DE, flushTlbAll } from "./mmu.ts";

/** DR6: a task switch into a TSS with T set; single step; access to a debug register while DR7.GD. */
export const DR6_BT = 1 << 15;
export const DR6_BS = 1 << 14;
export const DR6_BD = 1 << 13;
/** DR6 bits that always read 1. */
const DR6_ONES = 0xffff_0ff0;
const DR7_ONES = 0x400;
const DR7_ZEROS = 0xd000;
const DR7_GD = 1 << 13;
const DR7_ENABLES = 0xff;
/** DR7.L0-L3: a task switch clears them. */
const DR7_LOCAL = 0x55;

const RW_EXECUTE = 0;
const RW_WRITE = 1;
const RW_IO = 2;

function rwOf(dr7: number, n: number): number {
  return (dr7 >>> (16 + 4 * n)) & 3;
}

/** Length in bytes of breakpoint n: 1, 2, 4 (the undefined encoding 10b counts as 4, smaller than its alternative 8). */
function lengthOf(dr7: number, n: number): number {
  return [1, 2, 4, 4][(dr7 >>> (18 + 4 * n)) & 3];
}

function enabled(dr7: number, n: number): boolean {
  return ((dr7 >>> (2 * n)) & 3) !== 0;
}

function isDataBreakpoint(dr7: number, n: number): boolean {
  const rw = rwOf(dr7, n);
  return enabled(dr7, n) && rw !== RW_EXECUTE && rw !== RW_IO;
}

/** Is a data breakpoint set in this linear page? Such pages get no page-array entry, so every access comes by the slow path. */
export function watchesPage(cpu: Cpu, page: number): boolean {
  if (!cpu.watching) return false;
  for (let n = 0; n < 4; n++) if (isDataBreakpoint(cpu.dr[7], n) && cpu.dr[n] >>> 12 === page) return true;
  return false;
}

/** A data access is being made: note the breakpoints it hits, for the trap after the instruction. */
export function noteDataBreakpoint(cpu: Cpu, la: number, size: number, write: boolean): void {
  const dr7 = cpu.dr[7];
  const first = la >>> 0;
  let hit = 0;
  let reported = false;
  for (let n = 0; n < 4; n++) {
    const rw = rwOf(dr7, n);
    if (rw === RW_EXECUTE || rw === RW_IO || (rw === RW_WRITE && !write)) continue;
    const length = lengthOf(dr7, n);
    const start = (cpu.dr[n] & -length) >>> 0;
    if (first >= start + length || first + size <= start) continue;
    hit |= 1 << n;
    if (enabled(dr7, n)) reported = true;
  }
  if (reported) cpu.pendingDebug |= hit;
}

/** A port access has been made: note the I/O breakpoints it hits (CR4.DE), for the trap after the instruction. */
export function noteIoBreakpoint(cpu: Cpu, port: number, size: number): void {
  const dr7 = cpu.dr[7];
  if (!(dr7 & DR7_ENABLES) || !(cpu.cr4 & CR4_DE)) return;
  const first = port & 0xffff;
  for (let n = 0; n < 4; n++) {
    if (!enabled(dr7, n) || rwOf(dr7, n) !== RW_IO) continue;
    const length = lengthOf(dr7, n);
    const start = (cpu.dr[n] & -length) >>> 0;
    if (first < start + length && first + size > start) cpu.pendingDebug |= 1 << n;
  }
}

/**
 * Instruction breakpoints at the current EIP: raises #DB as a fault unless RF is set. Called before an instruction
 * executes, and only while hasCodeBreakpoints().
 */
export function checkCodeBreakpoint(cpu: Cpu, la: number): void {
  if (cpu.getEflags() & RF) return;
  const dr7 = cpu.dr[7];
  let hit = 0;
  for (let n = 0; n < 4; n++) {
    if (enabled(dr7, n) && rwOf(dr7, n) === RW_EXECUTE && cpu.dr[n] === (la | 0)) hit |= 1 << n;
  }
  if (hit === 0) return;
  cpu.dr[6] |= hit;
  raise(cpu, DB);
}

/** Is any instruction breakpoint enabled? */
export function hasCodeBreakpoints(cpu: Cpu): boolean {
  const dr7 = cpu.dr[7];
  if (!(dr7 & DR7_ENABLES)) return false;
  for (let n = 0; n < 4; n++) if (enabled(dr7, n) && rwOf(dr7, n) === RW_EXECUTE) return true;
  return false;
}

/**
 * After an instruction: raise the debug trap that is due, if any. eip points at the next instruction.
 * @param stepped TF was set when the instruction began
 */
export function debugTrap(cpu: Cpu, stepped: boolean): void {
  const pending = cpu.pendingDebug | (stepped ? DR6_BS : 0);
  if (pending === 0) return;
  cpu.pendingDebug = 0;
  cpu.dr[6] |= pending;
  raise(cpu, DB);
}

/** Delivery of #DB: general detection ends. */
export function enterDebugHandler(cpu: Cpu): void {
  cpu.dr[7] &= ~DR7_GD;
}

/** A task switch clears the local enables. */
export function clearLocalBreakpoints(cpu: Cpu): void {
  if (cpu.dr[7] & DR7_LOCAL) setDr7(cpu, cpu.dr[7] & ~DR7_LOCAL);
}

function setDr7(cpu: Cpu, value: number): void {
  cpu.dr[7] = (value & ~DR7_ZEROS) | DR7_ONES;
  let watching = false;
  for (let n = 0; n < 4; n++) if (isDataBreakpoint(cpu.dr[7], n)) watching = true;
  if (watching || cpu.watching) flushTlbAll(cpu);
  cpu.watching = watching;
}

/** DR4 and DR5 are DR6 and DR7 unless CR4.DE forbids them. */
function registerNumber(cpu: Cpu, n: number): number {
  if (n !== 4 && n !== 5) return n;
  if (cpu.cr4 & CR4_DE) raise(cpu, UD);
  return n + 2;
}

function checkGeneralDetect(cpu: Cpu): void {
  if (!(cpu.dr[7] & DR7_GD)) return;
  cpu.dr[6] |= DR6_BD;
  raise(cpu, DB);
}

/** MOV DRn, r32 at CPL 0. */
export function writeDr(cpu: Cpu, n: number, value: number): void {
  if (cpu.cpl !== 0) raise(cpu, GP, 0);
  const register = registerNumber(cpu, n);
  checkGeneralDetect(cpu);
  if (register === 6) cpu.dr[6] = (value & ~(1 << 12)) | DR6_ONES;
  else if (register === 7) setDr7(cpu, value);
  else {
    cpu.dr[register] = value;
    if (cpu.watching) flushTlbAll(cpu);
  }
}

/** MOV r32, DRn at CPL 0. */
export function readDr(cpu: Cpu, n: number): number {
  if (cpu.cpl !== 0) raise(cpu, GP, 0);
  const register = registerNumber(cpu, n);
  checkGeneralDetect(cpu);
  return cpu.dr[register];
}

/** Does EFLAGS ask for a single-step trap? */
export function singleStepping(cpu: Cpu): boolean {
  return (cpu.getEflags() & TF) !== 0;
}
