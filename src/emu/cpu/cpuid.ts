// CPUID as the model says (only what is implemented), the model-specific registers, and the time-stamp counter.
import { type Cpu, EAX, EBX, ECX, EDX } from "./cpu.ts";
import { GP, raise } from "./fault.ts";
import { CR4_PCE, CR4_TSD } from "./mmu.ts";
import type { CpuModel } from "./models.ts";

const MSR_TSC = 0x10;
const MSR_APIC_BASE = 0x1b;
const MSR_SYSENTER_CS = 0x174;
const MSR_SYSENTER_ESP = 0x175;
const MSR_SYSENTER_EIP = 0x176;

/** The four registers of a piece of the brand string. */
function brandWords(brand: string, part: number): readonly number[] {
  const text = brand.padStart(47).padEnd(48, "\0");
  return [0, 4, 8, 12].map((at) => {
    const byte = (n: number) => text.charCodeAt(16 * part + at + n);
    return byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24);
  });
}

/** EAX, EBX, ECX, EDX for a leaf and, in leaf 4, a subleaf. Leaves that do not exist answer as the highest basic one does. */
export function cpuidWords(model: CpuModel, leaf: number, subleaf: number): readonly number[] {
  const extended = leaf >>> 0 >= 0x8000_0000 && model.brand !== "";
  if (extended && leaf >>> 0 === 0x8000_0000) return [0x8000_0004 | 0, 0, 0, 0];
  if (extended && leaf >>> 0 === 0x8000_0001) return [0, 0, 0, 0];
  if (extended && leaf >>> 0 <= 0x8000_0004) return brandWords(model.brand, (leaf >>> 0) - 0x8000_0002);
  switch (leaf >>> 0 > model.maxLeaf ? model.maxLeaf : leaf) {
    case 0:
      // "GenuineIntel"
      return [model.maxLeaf, 0x756e_6547, 0x6c65_746e, 0x4965_6e69];
    case 1:
      return [model.signature, model.miscellany, model.ecx, model.edx];
    case 2:
      return model.descriptors;
    case 4:
      return model.caches[subleaf] ?? [0, 0, 0, 0];
    case 5:
      // MONITOR: lines of 64 bytes.
      return [64, 64, 0, 0];
    default:
      return [0, 0, 0, 0];
  }
}

/** CPUID. */
export function cpuid(cpu: Cpu): void {
  const [eax, ebx, ecx, edx] = cpuidWords(cpu.model, cpu.r[EAX], cpu.r[ECX]);
  cpu.r[EAX] = eax;
  cpu.r[EBX] = ebx;
  cpu.r[ECX] = ecx;
  cpu.r[EDX] = edx;
}

/** RDTSC: EDX:EAX from the virtual clock. CR4.TSD confines it to CPL 0. */
export function rdtsc(cpu: Cpu): void {
  if (cpu.cr4 & CR4_TSD && cpu.cpl !== 0) raise(cpu, GP, 0);
  setWide(cpu, cpu.host.tsc());
}

/** RDPMC: two counters that never count. */
export function rdpmc(cpu: Cpu): void {
  if (!(cpu.cr4 & CR4_PCE) && cpu.cpl !== 0) raise(cpu, GP, 0);
  if (cpu.r[ECX] >>> 0 > 1) raise(cpu, GP, 0);
  setWide(cpu, 0);
}

function setWide(cpu: Cpu, value: number): void {
  cpu.r[EAX] = (value % 0x1_0000_0000) | 0;
  cpu.r[EDX] = Math.floor(value / 0x1_0000_0000) | 0;
}

/** RDMSR at CPL 0 (the caller has checked): #GP(0) for registers that do not exist. */
export function rdmsr(cpu: Cpu): void {
  switch (cpu.r[ECX]) {
    case MSR_TSC:
      setWide(cpu, cpu.host.tsc());
      break;
    case MSR_APIC_BASE:
      setWide(cpu, 0);
      break;
    case MSR_SYSENTER_CS:
      setWide(cpu, cpu.sysenterCs >>> 0);
      break;
    case MSR_SYSENTER_ESP:
      setWide(cpu, cpu.sysenterEsp >>> 0);
      break;
    case MSR_SYSENTER_EIP:
      setWide(cpu, cpu.sysenterEip >>> 0);
      break;
    default:
      raise(cpu, GP, 0);
  }
}

/** WRMSR at CPL 0 (the caller has checked). The virtual clock cannot be set: writes of the TSC are ignored. */
export function wrmsr(cpu: Cpu): void {
  const value = cpu.r[EAX];
  switch (cpu.r[ECX]) {
    case MSR_TSC:
      break;
    case MSR_SYSENTER_CS:
      cpu.sysenterCs = value & 0xffff;
      break;
    case MSR_SYSENTER_ESP:
      cpu.sysenterEsp = value;
      break;
    case MSR_SYSENTER_EIP:
      cpu.sysenterEip = value;
      break;
    default:
      raise(cpu, GP, 0);
  }
}
