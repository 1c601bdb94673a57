// The registers of a task that is not on the CPU: kept as they were in the kernel call in which it gave the CPU up.
import { type Cpu, GS } from "../cpu/cpu.ts";
import { attrOf } from "../cpu/segments.ts";
import { loadFpu, saveFpu } from "./fpu.ts";
import type { Kernel } from "./kernel.ts";
import type { KernelContext, Task } from "./task.ts";

/** GDT entries of thread-local storage. */
const FIRST_TLS_ENTRY = 6;
const TLS_ENTRIES = 3;

/** Copies the CPU's registers and hidden segment parts. */
export function saveContext(k: Kernel, c: KernelContext): void {
  const { cpu } = k;
  c.eip = cpu.eip;
  c.eflags = cpu.getEflags();
  c.cpl = cpu.cpl;
  c.inhibit = cpu.inhibit;
  c.r.set(cpu.r.subarray(0, 8));
  c.sel.set(cpu.sel.subarray(0, 6));
  c.base.set(cpu.base.subarray(0, 6));
  c.limit.set(cpu.limit.subarray(0, 6));
  c.attr.set(cpu.attr.subarray(0, 6));
  saveFpu(cpu, c);
}

/** Puts saved registers on the CPU; page tables and TSS are the caller's. */
export function loadContext(k: Kernel, c: KernelContext): void {
  const { cpu } = k;
  cpu.eip = c.eip;
  cpu.setEflags(c.eflags);
  cpu.cpl = c.cpl;
  cpu.inhibit = c.inhibit;
  cpu.r.set(c.r);
  cpu.sel.set(c.sel);
  cpu.base.set(c.base);
  cpu.limit.set(c.limit);
  cpu.attr.set(c.attr);
  for (let seg = 0; seg < 6; seg++) cpu.segmentSet(seg);
  loadFpu(cpu, c);
}

/** Loads GS anew if it names one of the task's thread-local descriptors: entry code leaves GS to the switch (load_gs). */
export function reloadGs(cpu: Cpu, t: Task): void {
  cpu.segmentSet(GS);
  const entry = (cpu.sel[GS] >>> 3) - FIRST_TLS_ENTRY;
  if (entry < 0 || entry >= TLS_ENTRIES || cpu.sel[GS] & 4) return;
  const low = t.tls[2 * entry];
  const high = t.tls[2 * entry + 1];
  if ((high & 0x8000) === 0) {
    cpu.sel[GS] = 0;
    cpu.attr[GS] = 0;
    return;
  }
  const limit = (low & 0xffff) | (high & 0xf_0000);
  cpu.base[GS] = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000);
  cpu.limit[GS] = high & 0x80_0000 ? (limit << 12) | 0xfff : limit;
  cpu.attr[GS] = attrOf(high);
}
