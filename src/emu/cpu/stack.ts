// Access to the current stack, and to stacks not yet loaded, as gates, calls and returns need it.
import { type Cpu, ESP, SS } from "./cpu.ts";
import { raise, SS_FAULT } from "./fault.ts";
import { readSlow16, readSlow32, writeSlow16, writeSlow32 } from "./mmu.ts";
import { ATTR_D, ATTR_DC, checkLimit } from "./segments.ts";

/** The bits of ESP that a stack segment uses. */
export function stackMask(attr: number): number {
  return attr & ATTR_D ? -1 : 0xffff;
}

/** Push one word at base:sp without touching ESP; returns the new stack pointer. */
export function pushAt(
  cpu: Cpu,
  base: number,
  mask: number,
  sp: number,
  size: 4 | 2,
  value: number,
  user: boolean,
): number {
  const offset = (sp - size) & mask;
  if (size === 4) writeSlow32(cpu, (base + offset) | 0, value, user);
  else writeSlow16(cpu, (base + offset) | 0, value, user);
  return (sp & ~mask) | offset;
}

/** Raise #SS unless `bytes` more can be pushed on the current stack. */
export function checkStackRoom(cpu: Cpu, sp: number, bytes: number): void {
  const mask = stackMask(cpu.attr[SS]);
  const first = ((sp - bytes) & mask) >>> 0;
  const last = first + bytes - 1;
  const limit = cpu.limit[SS];
  const fits = cpu.attr[SS] & ATTR_DC ? first > limit && last <= mask >>> 0 : last <= limit;
  if (!fits) raise(cpu, SS_FAULT, cpu.ext);
}

/** Read the `index`-th word from the top of the current stack, limits checked. */
export function stackWord(cpu: Cpu, index: number, size: 4 | 2): number {
  const offset = (cpu.r[ESP] + index * size) & stackMask(cpu.attr[SS]);
  checkLimit(cpu, SS, offset, size);
  const la = (cpu.base[SS] + offset) | 0;
  return size === 4 ? readSlow32(cpu, la, cpu.cpl === 3) : readSlow16(cpu, la, cpu.cpl === 3);
}

/** Move ESP up by `bytes` as the stack segment's size says. */
export function dropStack(cpu: Cpu, bytes: number): void {
  const mask = stackMask(cpu.attr[SS]);
  cpu.r[ESP] = (cpu.r[ESP] & ~mask) | ((cpu.r[ESP] + bytes) & mask);
}
