// Memory operands of the x87: every load is complete before any state changes, every store is checked on all its pages
// before a byte is written, so that an instruction that faults can run again.
import { PAGE_SIZE, SUPER_READ, SUPER_WRITE, USER_READ, USER_WRITE } from "../../machine/memory.ts";
import type { Cpu } from "../cpu.ts";
import { checkRead, readSlow16, readSlow32, translateForWrite, writeSlow8, writeSlow16, writeSlow32 } from "../mmu.ts";
import { type F80, fromDouble, fromInt32, fromInt64, fromSingle } from "./float80.ts";

function isUser(cpu: Cpu): boolean {
  return cpu.cpl === 3;
}

export function load16(cpu: Cpu, la: number): number {
  return readSlow16(cpu, la, isUser(cpu));
}

export function load32(cpu: Cpu, la: number): number {
  return readSlow32(cpu, la, isUser(cpu));
}

/** m32fp; returns true when the operand is denormal. */
export function loadSingle(cpu: Cpu, la: number, x: F80): boolean {
  return fromSingle(x, load32(cpu, la));
}

/** m64fp; returns true when the operand is denormal. */
export function loadDouble(cpu: Cpu, la: number, x: F80): boolean {
  const memory = cpu.memory;
  const entry = memory.tlb[cpu.cpl === 3 ? USER_READ : SUPER_READ][la >>> 12];
  if (!(entry & 0xfff) && (la & 0xfff) <= PAGE_SIZE - 8) {
    const host = (la + entry) | 0;
    return fromDouble(x, memory.view.getInt32(host + 4, true), memory.view.getInt32(host, true));
  }
  const low = load32(cpu, la);
  return fromDouble(x, load32(cpu, (la + 4) | 0), low);
}

/** m80fp, bits as they are. */
export function loadExtended(cpu: Cpu, la: number, x: F80): void {
  const lo = load32(cpu, la) >>> 0;
  const hi = load32(cpu, (la + 4) | 0) >>> 0;
  const top = load16(cpu, (la + 8) | 0);
  x.set(top >>> 15, top & 0x7fff, hi, lo);
}

export function loadInt16(cpu: Cpu, la: number, x: F80): void {
  fromInt32(x, (load16(cpu, la) << 16) >> 16);
}

export function loadInt32(cpu: Cpu, la: number, x: F80): void {
  fromInt32(x, load32(cpu, la));
}

export function loadInt64(cpu: Cpu, la: number, x: F80): void {
  const low = load32(cpu, la);
  fromInt64(x, load32(cpu, (la + 4) | 0), low);
}

export function store16(cpu: Cpu, la: number, value: number): void {
  writeSlow16(cpu, la, value, isUser(cpu));
}

export function store32(cpu: Cpu, la: number, value: number): void {
  writeSlow32(cpu, la, value, isUser(cpu));
}

export function store64(cpu: Cpu, la: number, high: number, low: number): void {
  const memory = cpu.memory;
  const entry = memory.tlb[cpu.cpl === 3 ? USER_WRITE : SUPER_WRITE][la >>> 12];
  if (!(entry & 0xfff) && (la & 0xfff) <= PAGE_SIZE - 8) {
    const host = (la + entry) | 0;
    memory.view.setInt32(host, low, true);
    memory.view.setInt32(host + 4, high, true);
    return;
  }
  checkStore(cpu, la, 8);
  writeSlow32(cpu, la, low, isUser(cpu));
  writeSlow32(cpu, (la + 4) | 0, high, isUser(cpu));
}

export function storeExtended(cpu: Cpu, la: number, x: F80): void {
  checkStore(cpu, la, 10);
  const user = isUser(cpu);
  writeSlow32(cpu, la, x.lo, user);
  writeSlow32(cpu, (la + 4) | 0, x.hi, user);
  writeSlow16(cpu, (la + 8) | 0, (x.sign << 15) | x.exp, user);
}

export function store8(cpu: Cpu, la: number, value: number): void {
  writeSlow8(cpu, la, value, isUser(cpu));
}

/** Fault now unless `bytes` at `la` can be written. */
export function checkStore(cpu: Cpu, la: number, bytes: number): void {
  translateForWrite(cpu, la, bytes, isUser(cpu));
}

/** Fault now unless `bytes` at `la` can be read. */
export function checkLoad(cpu: Cpu, la: number, bytes: number): void {
  checkRead(cpu, la, bytes, isUser(cpu));
}
