// What a boot loader and early kernel code would have left: text, GDT, IDT and TSSs in their frames, and the processor
// in protected mode with paging on.
import { type Cpu, CS, DS, ES, FS, GS, SS } from "../../cpu/cpu.ts";
import { CR4_OSXMMEXCPT } from "../../cpu/mmu.ts";
import { NEEDS_SSE } from "../../cpu/state.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Memory } from "../../machine/memory.ts";
import { AREA, KERNEL_BASE, PHYS, SELECTOR, TABLE_OFFSET, TSS, VECTOR } from "./layout.ts";
import type { KernelText } from "./text/text.ts";
import { EXCEPTIONS } from "./text/traps.ts";
import type { EntryVariant } from "./variant.ts";

const GDT_ENTRIES = 32;
const IDT_ENTRIES = 256;
/** Attribute bytes of flat code and data segments of both rings (accessed bit set), page granular and 32-bit. */
const FLAT = { kernelCode: 0xc09b, kernelData: 0xc093, userCode: 0xc0fb, userData: 0xc0f3 } as const;
const TSS_AVAILABLE = 0x89;
const TSS_BUSY = 0x8b;
const GATE = { task: 0x85, interrupt: 0x8e, trap: 0x8f } as const;
const DPL3 = 0x60;
/** PG, AM, WP, NE, ET, MP, PE. */
const CR0 = 0x8005_0033 | 0;
/** PSE, PGE, OSFXSR. */
const CR4 = 0x290;
/** Interrupts let through: timer and cascade on the master, none on the slave. */
const MASTER_MASK = 0xfa;
const SLAVE_MASK = 0xff;

/** Writes a segment descriptor. attributes: access byte, and granularity nibble in bits 12-15. */
export function writeDescriptor(
  memory: Memory,
  selector: number,
  base: number,
  limit: number,
  attributes: number,
): void {
  const at = PHYS.GDT + (selector & ~7);
  memory.writePhys32(at, (base << 16) | (limit & 0xffff));
  memory.writePhys32(
    at + 4,
    (base & 0xff00_0000) | ((attributes & 0xf0ff) << 8) | (limit & 0xf_0000) | ((base >>> 16) & 0xff),
  );
}

function writeGate(memory: Memory, vector: number, selector: number, offset: number, type: number): void {
  const at = PHYS.IDT + vector * 8;
  memory.writePhys32(at, (selector << 16) | (offset & 0xffff));
  memory.writePhys32(at + 4, (offset & 0xffff_0000) | (type << 8));
}

function writeGdt(memory: Memory): void {
  writeDescriptor(memory, SELECTOR.KERNEL_CS, 0, 0xf_ffff, FLAT.kernelCode);
  writeDescriptor(memory, SELECTOR.KERNEL_DS, 0, 0xf_ffff, FLAT.kernelData);
  writeDescriptor(memory, SELECTOR.USER_CS, 0, 0xf_ffff, FLAT.userCode);
  writeDescriptor(memory, SELECTOR.USER_DS, 0, 0xf_ffff, FLAT.userData);
  writeDescriptor(memory, SELECTOR.ESPFIX_SS, 0, 0xf_ffff, FLAT.kernelData);
  writeDescriptor(memory, SELECTOR.TSS, AREA.TSS, TSS.BYTES - 1, TSS_BUSY);
  writeDescriptor(memory, SELECTOR.NMI_TSS, AREA.NMI_TSS, TSS.BYTES - 1, TSS_AVAILABLE);
  writeDescriptor(memory, SELECTOR.DF_TSS, AREA.DF_TSS, TSS.BYTES - 1, TSS_AVAILABLE);
}

function writeIdt(memory: Memory, text: KernelText, variant: EntryVariant): void {
  const gate = (vector: number, label: string, type: number) =>
    writeGate(memory, vector, SELECTOR.KERNEL_CS, text.symbols[label], type);
  for (const vector of EXCEPTIONS) gate(vector, vector === 14 ? "page_fault" : `trap_${vector}`, GATE.interrupt);
  // int3, into and bound's handler may be called from ring 3.
  for (const vector of [3, 4]) gate(vector, `trap_${vector}`, GATE.interrupt | DPL3);
  writeGate(memory, 8, SELECTOR.DF_TSS, 0, GATE.task);
  if (variant.kml) writeGate(memory, 2, SELECTOR.NMI_TSS, 0, GATE.task);
  else gate(2, "nmi_gate", GATE.interrupt);
  for (let line = 0; line < 16; line++) gate(VECTOR.IRQ0 + line, `irq_entry_${line}`, GATE.interrupt);
  gate(VECTOR.SYSCALL, "system_call", GATE.trap | DPL3);
}

/** A task's TSS: where it starts, its stack, flat kernel segments. */
function writeTaskTss(memory: Memory, at: number, eip: number, esp: number): void {
  const pa = at - KERNEL_BASE;
  const words: Record<number, number> = {
    [TSS.ESP0]: esp,
    [TSS.SS0]: SELECTOR.KERNEL_DS,
    [TSS.EIP]: eip,
    [TSS.EFLAGS]: 2,
    [TSS.ESP]: esp,
    [TSS.ES]: SELECTOR.USER_DS,
    [TSS.CS]: SELECTOR.KERNEL_CS,
    [TSS.SS]: SELECTOR.KERNEL_DS,
    [TSS.DS]: SELECTOR.USER_DS,
  };
  for (let offset = 0; offset < TSS.BYTES; offset += 4) memory.writePhys32(pa + offset, words[offset] ?? 0);
  // No I/O permission bitmap: its offset lies behind the limit.
  memory.writePhys32(pa + 100, TSS.BYTES << 16);
}

function writeTss(memory: Memory, text: KernelText, variant: EntryVariant): void {
  writeTaskTss(memory, AREA.TSS, 0, 0);
  writeTaskTss(memory, AREA.DF_TSS, text.symbols["double_fault_task"], AREA.DF_STACK + 4);
  if (variant.kml) writeTaskTss(memory, AREA.NMI_TSS, text.symbols["nmi_task"], AREA.NMI_STACK_TOP);
  const stack = AREA.DF_STACK - KERNEL_BASE;
  memory.writePhys32(stack + 4, AREA.DF_TSS);
  memory.writePhys32(stack + 8, AREA.TSS);
}

/** The kernel's words about a stack: where ring 3 and SYSENTER enter, and where ring-0 user code switches to. */
export function setEsp0(memory: Memory, esp0: number): void {
  memory.writePhys32(AREA.TSS - KERNEL_BASE + TSS.ESP0, esp0);
  memory.writePhys32(AREA.ESP0 - KERNEL_BASE, esp0);
}

/** Every task that a gate may switch to must find the page tables that are loaded now. */
export function setTssCr3(memory: Memory, cr3: number): void {
  for (const tss of [AREA.TSS, AREA.NMI_TSS, AREA.DF_TSS]) memory.writePhys32(tss - KERNEL_BASE + TSS.CR3, cr3);
}

function flatSegment(cpu: Cpu, seg: number, selector: number, attr: number): void {
  cpu.sel[seg] = selector;
  cpu.base[seg] = 0;
  cpu.limit[seg] = 0xffff_ffff;
  cpu.attr[seg] = attr;
  cpu.segmentSet(seg);
}

function nullSegment(cpu: Cpu, seg: number): void {
  cpu.sel[seg] = 0;
  cpu.base[seg] = 0;
  cpu.limit[seg] = 0;
  cpu.attr[seg] = 0;
  cpu.segmentSet(seg);
}

/** The registers of a processor that runs kernel code. */
export function kernelSegments(cpu: Cpu): void {
  flatSegment(cpu, CS, SELECTOR.KERNEL_CS, FLAT.kernelCode);
  flatSegment(cpu, SS, SELECTOR.KERNEL_DS, FLAT.kernelData);
  flatSegment(cpu, DS, SELECTOR.USER_DS, FLAT.userData);
  flatSegment(cpu, ES, SELECTOR.USER_DS, FLAT.userData);
  nullSegment(cpu, FS);
  nullSegment(cpu, GS);
  cpu.cpl = 0;
}

function setUpCpu(cpu: Cpu, text: KernelText): void {
  cpu.gdtBase = (KERNEL_BASE + PHYS.GDT) | 0;
  cpu.gdtLimit = GDT_ENTRIES * 8 - 1;
  cpu.idtBase = (KERNEL_BASE + PHYS.IDT) | 0;
  cpu.idtLimit = IDT_ENTRIES * 8 - 1;
  cpu.trSel = SELECTOR.TSS;
  cpu.trBase = AREA.TSS | 0;
  cpu.trLimit = TSS.BYTES - 1;
  cpu.trAttr = TSS_BUSY;
  cpu.ldtSel = 0;
  cpu.ldtAttr = 0;
  cpu.sysenterCs = SELECTOR.KERNEL_CS;
  cpu.sysenterEsp = AREA.SYSENTER_STACK_TOP | 0;
  cpu.sysenterEip = text.symbols["ia32_sysenter_target"] | 0;
  cpu.cr3 = PHYS.PGD;
  cpu.cr0 = CR0;
  cpu.cr4 = cpu.features & NEEDS_SSE ? CR4 | CR4_OSXMMEXCPT : CR4;
  kernelSegments(cpu);
  cpu.setEflags(2);
}

/** Through the ports, as a kernel does it: lines at vectors 0x30 to 0x3f, cascade on line 2, manual end of interrupt. */
function setUpPics(machine: Machine): void {
  const { pic } = machine;
  for (const [port, mask, vector, icw3] of [
    [0x20, MASTER_MASK, VECTOR.IRQ0, 4],
    [0xa0, SLAVE_MASK, VECTOR.IRQ0 + 8, 2],
  ] as const) {
    pic.write(port, 0x11);
    for (const value of [vector, icw3, 1, mask]) pic.write(port + 1, value);
  }
}

/** Present, writable, accessed, dirty, 4 MB, global. */
const LARGE_PAGE = 0x1e3;

function writePgd(memory: Memory): void {
  for (let pa = 0; pa < memory.ramBytes; pa += 0x40_0000) {
    memory.writePhys32(PHYS.PGD + ((KERNEL_BASE + pa) >>> 22) * 4, pa | LARGE_PAGE);
  }
}

/** Lay the kernel out in memory and put the processor into it, in the kernel's own address space. */
export function layOut(machine: Machine, text: KernelText, variant: EntryVariant): void {
  const { memory, cpu } = machine;
  memory.u8.set(text.bytes, memory.ramBase + PHYS.TEXT);
  for (let at = 0; at < TABLE_OFFSET.SYS_CALLS; at += 4096) memory.kernelText[(PHYS.TEXT + at) >>> 12] = 1;
  writeGdt(memory);
  writeIdt(memory, text, variant);
  writeTss(memory, text, variant);
  writePgd(memory);
  setTssCr3(memory, PHYS.PGD);
  setUpCpu(cpu, text);
  setUpPics(machine);
}
