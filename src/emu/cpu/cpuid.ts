// CPUID of a Pentium II (only what is implemented), the model-specific registers, and the time-stamp counter.
import { type Cpu, EAX, EBX, ECX, EDX } from "./cpu.ts";
import { GP, raise } from "./fault.ts";
import { CR4_PCE, CR4_TSD } from "./mmu.ts";

// Feature bits of CPUID.1:EDX.
const FPU = 1;
const DE = 1 << 2;
const PSE = 1 << 3;
const TSC = 1 << 4;
const MSR = 1 << 5;
const CX8 = 1 << 8;
const SEP = 1 << 11;
const PGE = 1 << 13;
const CMOV = 1 << 15;
const FXSR = 1 << 24;

/** What this processor says it can do: all of it is implemented, nothing else is. */
export const FEATURES = FPU | DE | PSE | TSC | MSR | CX8 | SEP | PGE | CMOV | FXSR;

/** Family 6, model 5 (Pentium II, Deschutes), stepping 2. */
export const SIGNATURE = 0x652;

const MSR_TSC = 0x10;
const MSR_APIC_BASE = 0x1b;
const MSR_SYSENTER_CS = 0x174;
const MSR_SYSENTER_ESP = 0x175;
const MSR_SYSENTER_EIP = 0x176;

function setResult(cpu: Cpu, eax: number, ebx: number, ecx: number, edx: number): void {
  cpu.r[EAX] = eax;
  cpu.r[EBX] = ebx;
  cpu.r[ECX] = ecx;
  cpu.r[EDX] = edx;
}

/** CPUID. Leaves above the highest answer as the highest, as Intel's processors of that time do. */
export function cpuid(cpu: Cpu): void {
  const leaf = cpu.r[EAX];
  if (leaf === 0) {
    // "GenuineIntel"
    setResult(cpu, 2, 0x756e_6547, 0x6c65_746e, 0x4965_6e69);
  } else if (leaf === 1) {
    setResult(cpu, SIGNATURE, 0, 0, FEATURES);
  } else {
    // Leaf 2: 4 KiB and 4 MiB TLBs, 16 KiB L1 caches, 512 KiB L2, as a Deschutes reports them.
    setResult(cpu, 0x0302_0101, 0, 0, 0x0c04_0843);
  }
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
