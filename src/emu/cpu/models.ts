// The processors that `--cpu` chooses from: what CPUID says of each, and so which instructions there are. Everything
// admitted is implemented; what a real one of that name has besides is left out (no APIC, PAE, PAT, MTRR, 64-bit mode).
// Source: Intel, "Processor identification and the CPUID instruction" (application note 485).
import { InputError } from "../../errors.ts";
import { NEEDS_CLFLUSH, NEEDS_MMX, NEEDS_MONITOR, NEEDS_SSE, NEEDS_SSE2, NEEDS_SSE3, NEEDS_SSSE3 } from "./state.ts";

// Bits of CPUID.1:EDX.
const FPU = 1;
const DE = 1 << 2;
const PSE = 1 << 3;
const TSC = 1 << 4;
const MSR = 1 << 5;
const CX8 = 1 << 8;
const SEP = 1 << 11;
const PGE = 1 << 13;
const CMOV = 1 << 15;
const CLFSH = 1 << 19;
const MMX = 1 << 23;
const FXSR = 1 << 24;
const SSE = 1 << 25;
const SSE2 = 1 << 26;
const SS = 1 << 27;
// Bits of CPUID.1:ECX.
const SSE3 = 1;
const MONITOR = 1 << 3;
const SSSE3 = 1 << 9;

/** A deterministic cache leaf (CPUID.4): EAX, EBX, ECX, EDX. */
type Words = readonly [number, number, number, number];

/** What CPUID admits. */
export interface CpuModel {
  readonly name: string;
  /** CPUID.1:EAX: stepping, model, family. */
  readonly signature: number;
  /** CPUID.1:EBX besides the APIC id: brand index, CLFLUSH line. */
  readonly miscellany: number;
  /** CPUID.1:EDX and ECX. */
  readonly edx: number;
  readonly ecx: number;
  /** Highest basic leaf. */
  readonly maxLeaf: number;
  /** CPUID.2: cache and TLB descriptors. */
  readonly descriptors: Words;
  /** CPUID.4 by ECX; empty when there is no such leaf. */
  readonly caches: readonly Words[];
  /** The name in leaves 0x80000002 to 4, at most 47 characters; "" when there are none. */
  readonly brand: string;
  /** What /proc/cpuinfo calls it where CPUID does not. */
  readonly title: string;
  /** Size of the last cache in KiB, CLFLUSH line and cache alignment in bytes, as Linux reports them. */
  readonly cacheKib: number;
  readonly flushBytes: number;
  readonly alignment: number;
  /** NEEDS_* bits for the instruction table. */
  readonly features: number;
  /** MXCSR bits that may be set. */
  readonly mxcsrMask: number;
}

const P6 = FPU | DE | PSE | TSC | MSR | CX8 | SEP | PGE | CMOV | FXSR | MMX;
/** MXCSR before and after DAZ was added. */
const MXCSR_PLAIN = 0xffbf;
const MXCSR_DAZ = 0xffff;

const PENTIUM2: CpuModel = {
  name: "pentium2",
  signature: 0x652,
  miscellany: 0,
  edx: P6,
  ecx: 0,
  maxLeaf: 2,
  // 4 KiB and 4 MiB TLBs, 16 KiB L1 caches, 512 KiB L2, as a Deschutes reports them.
  descriptors: [0x0302_0101, 0, 0, 0x0c04_0843],
  caches: [],
  brand: "",
  title: "Pentium II (Deschutes)",
  cacheKib: 512,
  flushBytes: 32,
  alignment: 32,
  features: NEEDS_MMX,
  mxcsrMask: MXCSR_PLAIN,
};

const PENTIUM3: CpuModel = {
  ...PENTIUM2,
  name: "pentium3",
  // Coppermine; brand index 2 is "Intel Pentium III".
  signature: 0x68a,
  miscellany: 2,
  edx: P6 | SSE,
  descriptors: [0x0302_0101, 0, 0, 0x0c04_0882],
  title: "Pentium III (Coppermine)",
  cacheKib: 256,
  features: NEEDS_MMX | NEEDS_SSE,
};

const PENTIUM4: CpuModel = {
  name: "pentium4",
  // Northwood; CLFLUSH of 8 quadwords; brand index 9.
  signature: 0xf29,
  miscellany: 0x0809,
  edx: P6 | CLFSH | SSE | SSE2 | SS,
  ecx: 0,
  maxLeaf: 2,
  // 64-entry TLBs, 8 KiB L1 data, 12K-uop trace cache, 512 KiB L2.
  descriptors: [0x665b_5001, 0, 0, 0x007b_7040],
  caches: [],
  brand: "Intel(R) Pentium(R) 4 CPU 2.40GHz",
  title: "",
  cacheKib: 512,
  flushBytes: 64,
  alignment: 128,
  features: NEEDS_MMX | NEEDS_SSE | NEEDS_SSE2 | NEEDS_CLFLUSH,
  mxcsrMask: MXCSR_DAZ,
};

const CORE2: CpuModel = {
  ...PENTIUM4,
  name: "core2",
  // Conroe.
  signature: 0x6fb,
  miscellany: 0x0800,
  ecx: SSE3 | MONITOR | SSSE3,
  maxLeaf: 5,
  descriptors: [0x05b0_b101, 0x0056_57f0, 0, 0x2cb4_3049],
  // 32 KiB L1 data and code, 8 ways of 64 bytes; 4 MiB L2 of 16 ways.
  caches: [
    [0x0000_0121, 0x01c0_003f, 0x3f, 1],
    [0x0000_0122, 0x01c0_003f, 0x3f, 1],
    [0x0000_0143, 0x03c0_003f, 0xfff, 1],
  ],
  brand: "Intel(R) Core(TM)2 CPU          6600  @ 2.40GHz",
  cacheKib: 4096,
  alignment: 64,
  features: NEEDS_MMX | NEEDS_SSE | NEEDS_SSE2 | NEEDS_CLFLUSH | NEEDS_SSE3 | NEEDS_SSSE3 | NEEDS_MONITOR,
};

/** All models, oldest first. */
export const CPU_MODELS: readonly CpuModel[] = [PENTIUM2, PENTIUM3, PENTIUM4, CORE2];

export const DEFAULT_MODEL: CpuModel = PENTIUM2;

/** Their names, for options. */
export const CPU_NAMES: readonly string[] = CPU_MODELS.map((m) => m.name);

/** The model of that name. Errors: InputError that lists the names. */
export function cpuModel(name: string): CpuModel {
  const found = CPU_MODELS.find((m) => m.name === name);
  if (!found) throw new InputError(`unknown processor "${name}": one of ${CPU_NAMES.join(", ")}`);
  return found;
}
