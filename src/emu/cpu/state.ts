// Names of registers, words of the CPU state block, and columns of the instruction mix: constants that the table, the
// engines and the processor share (apart from cpu.ts so that the table does not depend on the engine).

export const EAX = 0;
export const ECX = 1;
export const EDX = 2;
export const EBX = 3;
export const ESP = 4;
export const EBP = 5;
export const ESI = 6;
export const EDI = 7;

export const ES = 0;
export const CS = 1;
export const SS = 2;
export const DS = 3;
export const FS = 4;
export const GS = 5;

/** Word indices into Cpu.state (int32 words from the start of linear memory). */
export const STATE_GPR = 0;
export const STATE_RESULT = 8;
export const STATE_AUX = 9;
export const STATE_EIP = 10;
export const STATE_LEFT = 11;
export const STATE_EFLAGS = 12;
/** Host address at which the block being executed starts (set for blocks that call system helpers). */
export const STATE_CODE = 13;
/** Number, within its block, of the operation that a compiled block was in when it faulted or was dropped. */
export const STATE_OP = 14;
/** 1 when CR0 and CR4 let SSE instructions run, else 0. */
export const STATE_SSE = 15;
export const STATE_BASE = 16;
export const STATE_LIMIT = 24;
export const STATE_ATTR = 32;
export const STATE_SEL = 40;
/** Scratch words for read-modify-write accesses that need help. */
export const STATE_SCRATCH = 48;
/** The XMM registers, four words each; 16-byte aligned in linear memory. */
export const STATE_XMM = 64;
export const STATE_MXCSR = 96;
/** Where memory operands of vector instructions are loaded, and where results are built (4 words each, aligned). */
export const STATE_VECTOR = 100;
export const STATE_VECTOR_RESULT = 108;
export const STATE_WORDS = 128;

/** CPUID features that rows of the instruction table may need. */
export const NEEDS_MMX = 1;
export const NEEDS_SSE = 2;
export const NEEDS_SSE2 = 4;
export const NEEDS_SSE3 = 8;
export const NEEDS_SSSE3 = 16;
export const NEEDS_CLFLUSH = 32;
export const NEEDS_MONITOR = 64;

/** What `Cpu.tally` counts, and where in it the counts at the last delivery and at the last return lie, with their numbers. */
export const TALLY = { descriptors: 0, pushes: 1, levels: 2, drops: 3, tasks: 4, ports: 5 } as const;
export const TALLY_KINDS = 6;
export const TALLY_ENTRY = 8;
export const TALLY_RETURN = 16;
export const TALLY_ENTRIES = 24;
export const TALLY_RETURNS = 25;
export const TALLY_WORDS = 26;

/** Instruction classes of the mix, in column order. */
export const MIX_CLASSES = [
  "alu",
  "mul",
  "div",
  "load",
  "store",
  "branch",
  "indirect",
  "ret",
  "x87",
  "simd",
  "string_iter",
  "seg",
  "priv",
] as const;
export type MixClass = (typeof MIX_CLASSES)[number];

/**
 * What executes instructions: one at a time by evaluating their meaning, by blocks of handlers made from it, or by these
 * and WebAssembly where code is hot. Results are the same, to the instruction count.
 */
export const TIERS = ["oracle", "interpret", "compile"] as const;
export type Tier = (typeof TIERS)[number];
export const DEFAULT_TIER: Tier = "compile";
